"""The demo stories are whole, honest about what they made up, and readable by the adapters that they name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from incidents import instants
from incidents.adapters import adapters
from incidents.model import Delivery, Event, Loss, Reading, Statement

STORIES = Path(__file__).parent.parent / "service" / "stories"
NAMES = ("facebook-2021", "london-2022", "now-synthetic", "sacramento-2022")
LOADED_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""The now that the offsets of a relative story are taken from here."""

TIMES = frozenset(
    (
        *("at", "until", "startsAt", "endsAt", "starts_at", "ends_at", "ends_expected", "said_at"),
        *("happened_at", "happened_until", "impact_started_at"),
    )
)
"""The fields that hold instants wherever they stand; in a relative story they may be offsets."""

NO_END = "0001-01-01T00:00:00Z"
"""What Alertmanager writes as the end of an alert that still fires."""

OFFSET = re.compile(r"(-)?P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
QUOTE = re.compile(r"“[^”]*”")
CAUSE = re.compile(
    r"\b(because|caus(?:e|ed|es|ing)|due to|owing to|led to|triggered|culprit|impact of)\b", re.IGNORECASE
)
SITE_FIELDS = {"name", "title", "latitude", "longitude", "uncertainty_km", "timezone", "provider_regions", "zones"}
DEEDS = {"open", "status", "text", "patch", "verdict", "merge"}

Story = dict[str, Any]


def loaded(name: str) -> Story:
    """A story as its file has it."""
    story: Story = json.loads((STORIES / f"{name}.json").read_text(encoding="utf-8"))
    return story


def instant(said: str, *, relative: bool) -> datetime:
    """The instant that a story means: absolute, or an offset from `LOADED_AT` in a relative story."""
    found = OFFSET.fullmatch(said)
    if found is None:
        parsed = instants.parse(said)
        assert parsed is not None, said
        return parsed
    assert relative, f"offset {said} in a story of absolute times"
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    away = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return LOADED_AT - away if found[1] else LOADED_AT + away


def times(value: object) -> Iterator[str]:
    """Every string that stands in a field of `TIMES`, at any depth."""
    if isinstance(value, list):
        for member in value:
            yield from times(member)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name in TIMES and isinstance(member, str):
                yield member
            else:
                yield from times(member)


def placed(value: object, *, relative: bool) -> Any:
    """The value with every offset replaced by the instant that it means."""
    if isinstance(value, list):
        return [placed(member, relative=relative) for member in value]
    if not isinstance(value, dict):
        return value
    return {
        name: instants.text(instant(member, relative=relative))
        if name in TIMES and isinstance(member, str) and OFFSET.fullmatch(member)
        else placed(member, relative=relative)
        for name, member in value.items()
    }


def said(story: Story) -> list[tuple[datetime, str, Statement]]:
    """What the adapters read in every delivery: (received, source, statement)."""
    relative = story.get("relative", False)
    adapter_by_source = {source["name"]: adapters()[source["adapter"]] for source in story["sources"]}
    found: list[tuple[datetime, str, Statement]] = []
    for item in story["deliveries"]:
        body, received_at = item["body"], instant(item["at"], relative=relative)
        written = body if isinstance(body, str) else json.dumps(placed(body, relative=relative))
        delivery = Delivery(item["source"], written.encode(), received_at, item["headers"])
        found += [(received_at, item["source"], s) for s in adapter_by_source[item["source"]].normalise(delivery)]
    return found


def strings(value: object) -> Iterator[str]:
    """Every string that a reader may see: values, not names. A verdict's quote is set in quotation marks."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from [f"“{member}”"] if name == "quote" else strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)


def test_these_are_the_stories() -> None:
    assert tuple(sorted(path.stem for path in STORIES.glob("*.json"))) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_part_is_there(name: str) -> None:
    story = loaded(name)
    assert set(story) - {"relative"} == {"title", "provenance", "sites", "sources", "rules", "deliveries", "actions"}
    assert story["rules"] == []  # the default rules open the incidents
    for site in story["sites"]:
        assert set(site) >= SITE_FIELDS
        assert site["match"]
    assert {source["adapter"] for source in story["sources"]} <= set(adapters())
    sources = [source["name"] for source in story["sources"]]
    assert len(set(sources)) == len(sources)
    assert {item["source"] for item in story["deliveries"]} == set(sources)
    for item in story["deliveries"]:
        assert set(item) == {"at", "source", "headers", "body"}
    sites = {site["name"] for site in story["sites"]}
    for action in story["actions"]:
        assert set(action) == {"at", "actor", "incident", "do"}
        assert action["actor"].startswith("user:")
        assert len(DEEDS & set(action["do"])) == 1
        assert action["do"].get("open", {}).get("site", story["sites"][0]["name"]) in sites


@pytest.mark.parametrize("name", NAMES)
def test_times_are_instants_and_go_forward(name: str) -> None:
    story = loaded(name)
    relative = story.get("relative", False)
    for written in times(story):
        assert written == NO_END or instant(written, relative=relative)
    for series in (story["deliveries"], story["actions"]):
        moments = [instant(item["at"], relative=relative) for item in series]
        assert all(earlier <= later for earlier, later in pairwise(moments))
    if relative:
        assert max(instant(item["at"], relative=True) for item in story["deliveries"]) <= LOADED_AT


@pytest.mark.parametrize("name", NAMES)
def test_adapters_read_every_body_whole(name: str) -> None:
    statements = [statement for _, _, statement in said(loaded(name))]
    assert statements
    assert not [statement for statement in statements if isinstance(statement, Loss)]
    for statement in statements:
        if isinstance(statement, Event):
            assert statement.title
            assert statement.starts_at is not None
            assert not statement.test


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_before_it_was_known(name: str) -> None:
    for received_at, _, statement in said(loaded(name)):
        if isinstance(statement, Reading):
            assert statement.at <= received_at
        else:
            assert isinstance(statement, Event)
            assert all(post.at <= received_at for post in statement.posts)
            if statement.kind == "alert":
                assert statement.starts_at is not None
                assert statement.starts_at <= received_at
            if statement.ends_at and not statement.ends_expected:
                assert statement.ends_at <= received_at


@pytest.mark.parametrize("name", NAMES)
def test_readings_are_called_reconstructed(name: str) -> None:
    readings = [statement for _, _, statement in said(loaded(name)) if isinstance(statement, Reading)]
    assert {reading.basis for reading in readings} <= {"reconstructed"}
    assert all(reading.station and reading.credit for reading in readings)
    points = [(reading.station, reading.at) for reading in readings]
    assert len(set(points)) == len(points)


@pytest.mark.parametrize("name", NAMES)
def test_provenance_says_what_is_made_up(name: str) -> None:
    story = loaded(name)
    statements = [statement for _, _, statement in said(story)]
    headings = {line.partition(" ")[0].rstrip(",:") for line in story["provenance"].splitlines()}
    if any(isinstance(statement, Reading) for statement in statements):
        assert "RECONSTRUCTED" in headings
    if story.get("relative") or any(isinstance(s, Event) and s.kind == "alert" for s in statements):
        assert re.search(r"INVENTED.*\b(alerts|everything)\b", story["provenance"])
    if story.get("relative"):
        assert "synthetic" in story["title"]
        assert headings >= {"SYNTHETIC"}
    else:
        assert headings >= {"FACT", "INVENTED"}
    if any("dry_bulb_c" in site["limits"] for site in story["sites"]):
        assert "design limit" in story["provenance"]


@pytest.mark.parametrize("name", NAMES)
def test_no_cause_is_claimed_outside_quotes(name: str) -> None:
    for written in strings(loaded(name)):
        assert not CAUSE.search(QUOTE.sub("", written)), written


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_is_at_one_site(name: str) -> None:
    story = loaded(name)
    for _, _, statement in said(story):
        if isinstance(statement, Event) and statement.kind == "alert":
            at = {
                site["name"]
                for site in story["sites"]
                for match in site["match"]
                if fnmatchcase(statement.labels.get(match["label"], ""), match["value"])
            }
            assert len(at) == 1, statement.labels


@pytest.mark.parametrize("name", ["facebook-2021", "london-2022"])
def test_every_alert_of_the_past_ends(name: str) -> None:
    ended = {s.key: s.ends_at for _, _, s in said(loaded(name)) if isinstance(s, Event) and s.kind == "alert"}
    assert ended
    assert None not in ended.values()


def test_sacramento_has_a_day_and_no_alert() -> None:
    story = loaded("sacramento-2022")
    opened = [action["do"]["open"] for action in story["actions"] if "open" in action["do"]]
    assert [o["impact_started_at"] for o in opened] == [{"at": "2022-09-05T07:00:00Z", "until": "2022-09-06T07:00:00Z"}]
    events = [statement for _, _, statement in said(story) if isinstance(statement, Event)]
    assert {event.kind for event in events} == {"hazard"}
    grid = [event for event in events if event.area and event.area.grid_areas]
    assert {area for event in grid if event.area for area in event.area.grid_areas} == {"CISO"}
    assert story["sites"][0]["grid_area"] == "BANC"
    emergency = next(event for event in grid if event.event == "Energy Emergency Alert 3")
    assert emergency.starts_at == datetime(2022, 9, 7, 0, 17, tzinfo=UTC)


def test_sacramento_readings_go_through_the_published_figures() -> None:
    readings = {s.at: s.value for _, _, s in said(loaded("sacramento-2022")) if isinstance(s, Reading)}
    assert len(readings) == 5 * 24
    assert max(readings, key=lambda at: readings[at]) == datetime(2022, 9, 7, 0, tzinfo=UTC)  # 17:00 PDT on the 6th
    assert readings[datetime(2022, 9, 7, 0, tzinfo=UTC)] == pytest.approx(46.7)  # 116 °F
    assert readings[datetime(2022, 9, 6, 23, tzinfo=UTC)] == pytest.approx(46.1, abs=0.15)  # 115 °F, 16:00 PDT
    assert readings[datetime(2022, 9, 6, 13, tzinfo=UTC)] == pytest.approx(22.2)  # 72 °F


def test_london_hears_one_alert_hours_late() -> None:
    first_heard: dict[str, timedelta] = {}
    for received_at, _, statement in said(loaded("london-2022")):
        if isinstance(statement, Event) and statement.kind == "alert" and statement.starts_at:
            first_heard.setdefault(statement.title, received_at - statement.starts_at)
    late = {title for title, lag in first_heard.items() if lag > timedelta(minutes=10)}
    assert late == {"Battery room above 30 °C"}
    assert first_heard["Battery room above 30 °C"] > timedelta(hours=4)
    assert len(first_heard) >= 30


def test_london_keeps_both_words_on_the_start() -> None:
    google = [s for _, source, s in said(loaded("london-2022")) if source == "google-status" and isinstance(s, Event)]
    assert [(event.starts_at, event.starts_until) for event in google][1:] == [
        *3 * [(datetime(2022, 7, 19, 16, 15, tzinfo=UTC), datetime(2022, 7, 19, 17, 13, tzinfo=UTC))],
        (datetime(2022, 7, 19, 13, 33, tzinfo=UTC), None),
    ]
    assert google[-1].ends_at == datetime(2022, 7, 21, 4, 20, tzinfo=UTC)


def test_facebook_warning_is_in_no_zone_of_a_site() -> None:
    story = loaded("facebook-2021")
    hazards = [s for _, _, s in said(story) if isinstance(s, Event) and s.kind == "hazard"]
    assert [hazard.title.startswith("SYNTHETIC") for hazard in hazards] == [True]
    zones = {zone for site in story["sites"] for zone in site["zones"]}
    assert hazards[0].area is not None
    assert not zones & set(hazards[0].area.zones)


def test_now_has_something_going_on() -> None:
    latest: dict[str, Event] = {}
    readings: dict[str, Reading] = {}
    for _, _, statement in said(loaded("now-synthetic")):
        if isinstance(statement, Event):
            latest[statement.key] = statement
        elif isinstance(statement, Reading):
            readings[str(statement.station)] = statement
    on = [e for e in latest.values() if e.ends_at is None or e.ends_at > LOADED_AT]
    assert {(event.kind, event.labels.get("datacenter")) for event in on} >= {
        ("alert", "fra-1"),
        ("alert", "iad-1"),
        ("hazard", None),
        ("provider_incident", None),
    }
    assert {reading.at for reading in readings.values()} == {LOADED_AT}
