"""Links on documented outages: better than a warning alone, and than a warning beside a word. A gate, not a proof."""

from __future__ import annotations

import pytest

from tests import link_quality
from tests.link_quality import METHODS, Track, at_tier, cases, pairs_of, told, wilson

TRACKS: tuple[Track, ...] = ("onset", "found")


def test_every_case_has_a_source_and_words_without_weather() -> None:
    weather = ("lightning", "heat", "storm", "flood", "surge of", "hurricane", "temperature")
    for case in cases():
        assert case.source.startswith("http"), case.name
        if case.hazard:
            assert not [w for w in weather if w in f"{case.symptom} {case.found}".lower()], case.name


def test_the_table_is_as_large_as_is_told() -> None:
    true, false = pairs_of("report")
    assert (len(true), len(false), len({pair.case.name for pair in false})) == (6, 132, 12)
    true, false = pairs_of("fit")
    assert (len(true), len(false), len({pair.case.name for pair in false})) == (5, 110, 10)


@pytest.mark.parametrize("allowed", link_quality.ALLOWED)
def test_more_is_found_than_by_either_plain_rule_once_the_mechanism_is_known(allowed: float) -> None:
    true, false = pairs_of("report")
    found = {method: told(method, "found", true, false, allowed).found for method in METHODS}
    assert found["links"] >= 5
    assert found["links"] > max(found["warning and word"], found["any warning"])


@pytest.mark.parametrize("track", TRACKS)
def test_at_the_mix_of_real_incidents_all_is_found_with_fewer_false_links(track: Track) -> None:
    true, false = pairs_of("report")
    ours = told("links", track, true, false, 1.0, mixed=True)
    plain = told("warning and word", track, true, false, 1.0, mixed=True)
    assert ours.found == plain.found == 6
    assert ours.false_per_100 < plain.false_per_100
    assert told("any warning", track, true, false, 1.0, mixed=True).found == 0


@pytest.mark.parametrize("part", ["fit", "report"])
@pytest.mark.parametrize("track", TRACKS)
def test_no_outage_of_software_is_linked_above_coincident_whatever_warning_is_on(part: str, track: Track) -> None:
    _, false = pairs_of(part)
    software = [pair for pair in false if pair.case.truth == "software"]
    assert len(software) >= 50
    assert at_tier(track, software, "plausible") == 0


def test_a_hard_case_of_another_course_stays_below_plausible_once_it_is_known() -> None:
    for part in ("fit", "report"):
        _, false = pairs_of(part)
        for pair in false:
            if pair.case.name in {"google-paris-2023", "alibaba-hong-kong-2022", "cloudflare-portland-2023",
                                  "digital-realty-singapore-2024", "equinix-london-2020"}:  # fmt: skip
                evidence = pair.evidence("found")
                assert evidence is None or evidence.tier in {"context", "coincident"}, (pair.case.name, evidence)


@pytest.mark.parametrize("days", [-28, -7, 7, 28, 365])
def test_the_same_hazard_on_another_day_is_no_link(days: int) -> None:
    for pair in link_quality.shifted_pairs(cases(), days=days):
        assert pair.evidence("found") is None, (pair.case.name, days)


def test_the_same_hazard_at_another_place_is_no_link() -> None:
    pairs = link_quality.misplaced_pairs(cases())
    assert len(pairs) > 50
    assert [pair for pair in pairs if pair.evidence("found") is not None] == []


def test_an_outage_without_a_place_is_linked_with_no_weather() -> None:
    placeless = [case for case in cases() if case.site is None]
    assert len(placeless) == 9
    warning = next(case.hazard for case in cases() if case.hazard)
    assert warning is not None
    assert [case for case in placeless if link_quality.Pair(case, warning).evidence("found")] == []


def test_wilson() -> None:
    assert wilson(5, 6) == pytest.approx((0.436, 0.970), abs=0.001)
    assert wilson(0, 0) == (0.0, 1.0)
