"""Measurements: each has an outcome, and a range where a milestone is only known to lie in one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.measurements import PAIRS, measure
from incidents.model import Incident, Measurement, Moment, Severity
from tests.world import DAY


def at(minute: float) -> datetime:
    """The instant so many minutes after the beginning of the day."""
    return DAY + timedelta(minutes=minute)


OPEN = Incident(
    "i", "Down", "open", Severity.ERROR, "site:smf", ("smf",), at(0), at(0), "rule:critical-alert@1", Moment(at(10))
)
RESOLVED = replace(
    OPEN,
    status="resolved",
    impact_started_at=Moment(at(0)),
    acknowledged_at=Moment(at(15)),
    mitigated_at=Moment(at(60)),
    resolved_at=Moment(at(90)),
)


def measured(incident: Incident) -> dict[str, Measurement]:
    """By name."""
    return {m.name: m for m in measure(incident)}


def test_all_milestones_give_all_lengths() -> None:
    assert measure(RESOLVED) == (
        Measurement("time_to_detect", "recorded", 600.0),
        Measurement("time_to_acknowledge", "recorded", 300.0),
        Measurement("time_to_mitigate", "recorded", 3600.0),
        Measurement("time_to_resolve", "recorded", 5400.0),
    )


def test_what_is_still_to_come_is_pending() -> None:
    found = measured(OPEN)
    assert found["time_to_detect"].outcome == "not_applicable"
    assert [m.outcome for m in found.values()][1:] == ["pending"] * 3
    assert all(m.seconds is None for m in found.values())
    assert found["time_to_resolve"].reason == "the resolution is still to come"


def test_what_was_skipped_does_not_apply_once_resolved() -> None:
    found = measured(replace(RESOLVED, acknowledged_at=None, mitigated_at=None))
    assert found["time_to_acknowledge"] == Measurement(
        "time_to_acknowledge", "not_applicable", reason="resolved without the acknowledgement"
    )
    assert found["time_to_mitigate"].outcome == "not_applicable"
    assert found["time_to_resolve"].outcome == "recorded"


def test_without_an_impact_lengths_run_from_the_detection() -> None:
    found = measured(replace(RESOLVED, impact_started_at=None))
    assert found["time_to_detect"].outcome == "not_applicable"
    assert (found["time_to_mitigate"].seconds, found["time_to_resolve"].seconds) == (3000.0, 4800.0)


def test_without_a_detection_nobody_can_tell_how_long_it_took_to_acknowledge() -> None:
    found = measured(replace(RESOLVED, detected_at=None))
    assert found["time_to_acknowledge"].outcome == "not_applicable"
    assert found["time_to_detect"].outcome == "not_applicable"
    assert "detection" in found["time_to_detect"].reason


def test_disorder_is_invalid_and_says_so() -> None:
    found = measured(replace(RESOLVED, resolved_at=Moment(at(-1))))
    assert found["time_to_resolve"] == Measurement(
        "time_to_resolve", "invalid", reason="the resolution lies before the start of the impact"
    )


@pytest.mark.parametrize(
    ("start", "end", "least", "most"),
    [
        (Moment(at(0), at(30)), Moment(at(90)), 3600.0, 5400.0),
        (Moment(at(0)), Moment(at(60), at(90)), 3600.0, 5400.0),
        (Moment(at(0), at(30)), Moment(at(60), at(90)), 1800.0, 5400.0),
        # Overlapping ranges may have been in the right order, with no time between them at least.
        (Moment(at(0), at(80)), Moment(at(60), at(90)), 0.0, 5400.0),
        (Moment(at(70), at(80)), Moment(at(60), at(90)), 0.0, 1200.0),
    ],
)
def test_ranges_give_ranges(start: Moment, end: Moment, least: float, most: float) -> None:
    found = measured(replace(RESOLVED, impact_started_at=start, resolved_at=end))["time_to_resolve"]
    assert (found.outcome, found.seconds, found.seconds_max) == ("recorded", least, most)


def test_ranges_that_cannot_be_in_order_are_invalid() -> None:
    found = measured(replace(RESOLVED, impact_started_at=Moment(at(100), at(120)), resolved_at=Moment(at(60), at(90))))
    assert found["time_to_resolve"].outcome == "invalid"


moments = st.none() | st.tuples(st.integers(0, 50), st.none() | st.integers(0, 20)).map(
    lambda m: Moment(at(m[0]), None if m[1] is None else at(m[0] + m[1]))
)


@given(st.sampled_from(["open", "acknowledged", "mitigated", "resolved"]), st.tuples(*[moments] * 5))
def test_every_measurement_has_one_outcome_and_fits_it(status: str, known: tuple[Moment | None, ...]) -> None:
    names = ("impact_started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at")
    found = measure(replace(OPEN, status=status, **dict(zip(names, known, strict=True))))  # type: ignore[arg-type]
    assert [m.name for m in found] == [name for name, _, _ in PAIRS]
    for measurement in found:
        if measurement.outcome == "recorded":
            assert measurement.seconds is not None
            assert measurement.seconds >= 0
            assert measurement.seconds_max is None or measurement.seconds_max >= measurement.seconds
            assert not measurement.reason
        else:
            assert measurement.seconds is None
            assert measurement.seconds_max is None
            assert measurement.reason
        assert not (status == "resolved" and measurement.outcome == "pending")
