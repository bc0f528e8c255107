"""The cascade: an order in time of what is known, with what is not known named, and never a claim of cause."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dashboards.captions import at_length
from dashboards.intervals import cascade_steps, unknown_words
from dashboards.scene import compose
from incidents.cascade import NAMES, Act, Cascade, Crossing, Found, cascade, crossings_of, speaks_of_heat
from incidents.model import Members, Moment, Occurrence, Post, Severity
from incidents.views import cascades
from incidents.views.view import Point, Series
from tests.figure_views import bar, cascaded, incident, minutes, rich_view
from tests.test_scene import WIDTHS, assert_clear, words_of

NOTHING = Found((), None, "no design limit set", (), (), ())


def seen(title: str, at: float, severity: Severity = Severity.ERROR, lane: str = "site", **more: object) -> Occurrence:
    return bar(lane, title, severity, at, at + 60, **more).occurrence


def whole() -> Found:
    """Every step once, and beside each of them one that comes later."""
    return Found(
        warnings=(
            seen("Heat warning", 60, lane="warnings", first_said_at=minutes(-600)),
            seen("Storm", -100, lane="warnings", first_said_at=minutes(-500)),
        ),
        crossing=Crossing(minutes(97.5), None, "dry bulb 35 °C at lon, observed"),
        why_no_crossing="",
        alerts=(
            ("site", seen("Supply air above 27 °C", 300)),
            ("site", seen("Inlet temperature high", 290)),
            ("platform", seen("Queue overheating", 100)),
            ("platform", seen("Checkout down", 336, Severity.CRITICAL)),
            ("hardware", seen("Host lost", 330, Severity.CRITICAL)),
        ),
        acts=(Act(minutes(350), None, "traffic moved"), Act(minutes(343), minutes(345), "acknowledged")),
        providers=(
            seen("Cloud", 333, lane="providers", posts=(Post(minutes(500), "b"), Post(minutes(495), "a"))),
            seen("Other", 200, lane="providers"),
        ),
    )


def told(found: Cascade) -> list[tuple[str, float]]:
    return [(step.name, (step.at - minutes(0)) / timedelta(minutes=1)) for step in found.steps]


def test_each_step_is_the_first_of_its_kind_and_they_stand_in_the_order_of_time() -> None:
    found = cascade(incident(), whole())
    assert told(found) == [
        ("warning", -600), ("limit", 97.5), ("thermal", 290), ("page", 330), ("act", 343), ("post", 495),
        ("recovery", 924),
    ]  # fmt: skip
    assert found.unknown == ()
    assert [step.subject for step in found.steps[2:4]] == ["Inlet temperature high", "Host lost"]


def test_what_is_not_known_is_left_out_and_said() -> None:
    found = cascade(incident(resolved_at=None, mitigated_at=None, status="open"), NOTHING)
    assert found.steps == ()
    assert dict(found.unknown) == {
        "warning issued": "no warning linked",
        "design limit crossed": "no design limit set",
        "first thermal alert": "no alert speaks of heat",
        "first critical alert": "no critical alert",
        "first human act": "no entry by a responder",
        "provider’s first post": "no post linked",
        "recovery": "still to come",
    }
    words = unknown_words(rich_view(cascade=found))
    assert all(name in words for name in NAMES.values())


def test_a_recovery_is_the_resolution_else_the_mitigation() -> None:
    mitigated = cascade(incident(resolved_at=None), NOTHING)
    assert [(step.words, step.at) for step in mitigated.steps] == [("mitigated", minutes(432))]


def test_an_act_before_the_warning_stands_before_it() -> None:
    found = cascade(incident(), replace(whole(), acts=(Act(minutes(-700), None, "phoned"),)))
    assert told(found)[:2] == [("act", -700), ("warning", -600)]


@pytest.mark.parametrize(
    "title", ["CRAC2 failed", "Inlet above 32 °C", "CPUThrottled", "ChillerTripped", "heat in hall"]
)
def test_heat_is_heard_in_an_alerts_words(title: str) -> None:
    assert speaks_of_heat(seen(title, 0))
    assert not speaks_of_heat(seen("Theatre is down", 0))


def test_a_crossing_lies_between_two_readings_and_no_closer() -> None:
    points = [(minutes(at), value) for at, value in ((0, 30.0), (60, 40.0), (120, 30.0), (180, 35.0), (240, 36.0))]
    assert crossings_of(points, 35.0) == [Moment(minutes(0), minutes(60)), Moment(minutes(180), minutes(240))]
    assert crossings_of([(minutes(0), 34.0), (minutes(1), 36.0)], 35.0) == [Moment(minutes(1))]


def test_a_crossing_of_a_fitted_curve_is_about_a_range_and_says_so() -> None:
    daily = Crossing(minutes(60), minutes(120), "dry bulb 40 °C at lon, reconstructed", "reconstructed")
    told = cascade(incident(), replace(whole(), crossing=daily))
    step = next(step for step in told.steps if step.name == "limit")
    assert (step.at, step.until, step.is_about) == (minutes(60), minutes(120), True)
    assert step.words == "design limit crossed (reconstructed)"
    view = rich_view(cascade=told)
    assert "design limit crossed (reconstructed) about 10:00 – 11:00" in at_length(view)
    lengths = {step.names: step.length for step in cascade_steps(view)}
    assert lengths["design limit crossed (reconstructed) → first thermal alert"] == "about 2 h 50 min – 3 h 50 min"


def test_the_crossing_is_the_last_before_the_incident_and_else_the_first_in_it() -> None:
    def limited(*values: float, basis: str = "observed") -> Series:
        points = tuple(Point(minutes(60 * hour), value) for hour, value in enumerate(values))
        return Series("temperature_c", "lon", points, basis, limit=35.0, limit_name="dry_bulb_c")

    who = incident(impact_started_at=Moment(minutes(333)), members=Members(3))
    twice, _ = cascades.crossing(who, [limited(34, 36, 34, 34, 36, 36, 34, 36)])
    assert twice
    assert (twice.at, twice.until) == (minutes(180), minutes(240))
    assert twice.subject == "dry bulb 35 °C at lon, observed"
    after, _ = cascades.crossing(who, [limited(34, 34, 34, 34, 34, 34, 34, 36)])
    assert after
    assert (after.at, after.until) == (minutes(360), minutes(420))
    measured, _ = cascades.crossing(who, [limited(34, 36, basis="reconstructed"), limited(30, 36)])
    assert measured
    assert measured.subject.endswith("observed")
    assert cascades.crossing(who, [limited(36, 37)]) == (None, "above it from the first reading on")
    assert cascades.crossing(who, [limited(30, 31)]) == (None, "not crossed")
    assert cascades.crossing(who, [replace(limited(30), limit=None)]) == (None, "no design limit set")
    assert cascades.crossing(who, []) == (None, "no reading near the site")


def test_brackets_tell_what_passed_between_two_known_steps() -> None:
    view = rich_view(cascade=cascaded((97.5, "limit"), (336, "page"), (924, "recovery"), until=950))
    first, last = cascade_steps(view)
    assert (first.names, first.length) == ("design limit crossed → first critical alert", "3 h 58 min")
    assert last.length == "9 h 48 min – 10 h 14 min"
    for width in WIDTHS:
        scene = compose(view, width=width)
        assert_clear(scene)
        assert "cascade" in scene.lanes
    words = words_of(compose(view, width=1440))
    assert "3 h 58 min" in words
    assert any(line.startswith("not known: warning issued (no post linked)") for line in words)


def test_what_a_long_step_runs_between_stands_in_its_line_where_nothing_else_has_room() -> None:
    """A length alone beside a line tells of nothing."""
    view = rich_view(cascade=cascaded((200, "limit"), (450, "recovery"), until=1010))
    for width in range(1100, 1460, 20):
        scene = compose(view, width=width)
        assert_clear(scene)
        assert {"4 h 10 min – 13 h 30 min", "design limit crossed → recovery"} <= set(words_of(scene))


def test_a_single_known_step_is_told_in_words() -> None:
    words = words_of(compose(rich_view(cascade=cascaded((97.5, "limit"))), width=1440))
    assert any(line.startswith("design limit crossed alone is known; not known: warning issued") for line in words)


def test_no_word_of_it_claims_a_cause() -> None:
    scene = compose(rich_view(cascade=cascade(incident(), whole())), width=1440)
    words = " ".join(words_of(scene)).lower()
    assert not [claim for claim in ("caused", "because", "due to", "led to", "root cause") if claim in words]
