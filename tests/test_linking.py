"""Links in the store: found by place and time, judged anew when what is known changes, never over a person's word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig

from incidents import instants
from incidents.adapters import adapters
from incidents.config import config_of
from incidents.entries import ENTRY, OCCURRENCE
from incidents.linker import reach
from incidents.linker.reach import REACH
from incidents.linker.reading_counts import READING_COUNT
from incidents.model import Delivery, Event, Link, Statement
from incidents.store import Store
from tests.world import DAY, SITES, SOURCES, World, firing, instant

STORM = "Severe Thunderstorm Warning"


@pytest.fixture
def world(store: Store) -> World:
    """Two sites in an empty store, on each database."""
    return World(store)


def link(world: World) -> Link:
    """The one link of the one incident."""
    (found,) = world.only().links
    return found


def reasons(found: Link) -> dict[str, tuple[float, str]]:
    return {reason.part: (reason.bits, reason.sentence) for reason in found.evidence.reasons}


def scored(world: World) -> list[Mapping[str, Any]]:
    return [entry.params for entry in world.log() if entry.kind == "link_scored"]


def note(world: World, text: str) -> int:
    return world.act(lambda acting: acting.note(world.only().id, {"text": text}))


def at_ups(world: World) -> World:
    world.at("10:00").hazard(STORM, since="09:50", until="10:40", zones=["CAC067"], severity="error")
    return world.at("10:05").alertmanager(firing("db-1"))


def test_a_note_that_names_the_mechanism_is_heard_and_its_withdrawal_too(world: World) -> None:
    at_ups(world)
    before = link(world).evidence
    assert before.tier == "coincident"
    assert reasons(link(world))["mechanism"][0] == -1
    number = note(world, "Facility says that utility power was lost")
    assert reasons(link(world))["mechanism"] == (2.0, "Our own notes name power and utility.")
    assert link(world).evidence.tier == "strong"
    note(world, "All quiet in the hall")
    assert len(scored(world)) == 1
    world.act(lambda acting: acting.retract(world.only().id, number))
    assert link(world).evidence == before
    note(world, "Utility power again")
    assert [params["tier"] for params in scored(world)] == ["strong", "coincident", "strong"]


def test_a_storm_of_retries_is_not_weather(world: World) -> None:
    at_ups(world)
    note(world, "A retry storm and a flood of requests; the connection storm is over")
    assert scored(world) == []


def test_a_revised_interval_is_judged_anew_and_one_that_no_longer_meets_lapses(world: World) -> None:
    at_ups(world)
    world.hazard(STORM, since="07:00", until="09:40", zones=["CAC067"], severity="error")
    assert "It had ended 25 min before" in reasons(link(world))["time"][1]
    world.at("10:10").hazard(STORM, since="02:00", until="03:00", zones=["CAC067"], severity="error")
    assert (link(world).evidence.tier, link(world).evidence.score) == ("context", -2.0)
    assert "lapsed" in reasons(link(world))["time"][1]
    entries = len(world.log())
    world.at("10:11").hazard(
        STORM, since="02:00", until="03:00", zones=["CAC067"], severity="error", url="http://x.example/"
    )
    assert len(world.log()) == entries
    world.at("10:12").hazard(STORM, since="09:50", until="10:40", zones=["CAC067"], severity="error")
    assert link(world).evidence.tier == "coincident"


def test_an_area_that_moves_away_lapses_too(world: World) -> None:
    at_ups(world)
    world.at("10:10").hazard(STORM, since="09:50", until="10:40", zones=["VAC107"], severity="error")
    assert link(world).evidence.tier == "context"


def test_a_persons_verdict_stays_when_the_score_changes(world: World) -> None:
    at_ups(world)
    name = link(world).id
    world.act(lambda acting: acting.judge(world.only().id, name, {"verdict": "rejected", "note": "a drill"}))
    note(world, "UPS on battery, utility lost")
    assert (link(world).state, link(world).judged_by, link(world).note) == ("rejected", "user:alice", "a drill")
    assert link(world).evidence.tier == "strong"


def test_a_link_made_by_hand_keeps_its_reason(world: World) -> None:
    world.at("10:00").hazard(STORM, since="02:00", until="03:00", zones=["CAC067"])
    world.at("10:05").alertmanager(firing("ups-1"))
    (row,) = (r for r in world.occurrences() if r.kind == "hazard")
    world.act(lambda acting: acting.link(world.only().id, {"occurrence": row.id, "note": "the tree fell at noon"}))
    note(world, "UPS on battery")
    assert reasons(link(world)) == {"person": (0.0, "the tree fell at noon")}


def test_small_changes_are_not_told(world: World) -> None:
    at_ups(world)
    world.at("10:10").hazard(STORM, since="09:49", until="10:41", zones=["CAC067"], severity="error")
    assert scored(world) == []


def test_all_warnings_in_force_are_weighed_and_two_offices_stand_for_each_other(world: World) -> None:
    world.at("10:00").hazard(STORM, since="09:50", until="10:40", zones=["CAC067"])
    world.hazard("High Wind Warning", since="09:00", until="12:00", zones=["CAC067"])
    body = {"kind": "hazard", "key": "t", "title": "Thunderstorm", "event": "Thunderstorm", "status": "firing",
            "zones": ["CAC067"], "starts_at": instants.text(instant("09:45"))}  # fmt: skip
    world.send("any", body).at("10:05").alertmanager(firing("ups-1", name="UPSOnBattery"))
    links = world.only().links
    assert len(links) == 3
    with_second = [found for found in links if "corroboration" in reasons(found)]
    assert sorted(reasons(found)["corroboration"][1] for found in with_second) == [
        "A warning of the same kind came from any on its own.",
        "A warning of the same kind came from sky on its own.",
    ]
    assert {reasons(found)["tried"][0] for found in links} == {-1.0}


def test_incidents_at_far_sites_at_once_speak_against_a_hazard(world: World) -> None:
    at_ups(world).alertmanager(firing("db-1", site="iad"))
    (here,) = (one.id for one in world.incidents() if one.sites == ("smf",))
    world.act(lambda acting: acting.note(here, {"text": "UPS on battery"}))
    (found,) = next(one for one in world.incidents() if one.sites == ("smf",)).links
    assert reasons(found)["scope"][0] == -1.5
    assert found.evidence.tier != "strong"


def test_a_change_of_our_own_just_before_is_told(world: World) -> None:
    deploy = {"kind": "change", "key": "d", "title": "Deploy 4711", "starts_at": instants.text(instant("09:30")),
              "labels": {"datacenter": "smf-1"}}  # fmt: skip
    world.at("09:30").send("any", deploy)
    at_ups(world)
    assert reasons(link(world))["change"] == (
        -1.0,
        "A change of our own, Deploy 4711, began here within the hour before it.",
    )


def test_a_source_that_raised_the_alerts_is_no_second_witness(world: World) -> None:
    alert = {"key": "a", "status": "firing", "title": "Power lost", "severity": "critical",
             "labels": {"datacenter": "smf-1"}, "starts_at": instants.text(instant("10:00"))}  # fmt: skip
    world.at("10:00").send("sky", alert).hazard(STORM, since="09:50", until="10:40", zones=["CAC067"])
    assert link(world).evidence.tier == "context"
    assert "sky also raised alerts of this incident" in reasons(link(world))["independence"][1]


# --- providers --------------------------------------------------------------------------------------------------------


def provider(world: World, **fields: Any) -> World:
    body = {"kind": "provider_incident", "key": "p", "title": "Actions is degraded", "status": "firing"}
    body |= {"starts_at": instants.text(instant("09:55")), "labels": {"page": "GitHub", "component": "Actions"}}
    return world.send("any", body | fields)


def dependent(store: Store, **fields: Any) -> World:
    return World(store, config_of({"sites": [{**SITES[0], **fields}, SITES[1]], "sources": SOURCES}, adapters()))


def test_a_provider_that_a_site_depends_on_is_linked_without_any_region(store: Store) -> None:
    world = dependent(store, depends_on=["github", "cloudflare"])
    provider(world.at("10:00")).at("10:05").alertmanager(firing("ci-1", name="ActionsQueueStuck"))
    found = reasons(link(world))
    assert found["space"] == (1.0, "Sacramento depends on github, which names no region of it.")
    assert found["component"] == (1.0, "Our own words and the provider's components both name actions.")
    assert link(world).evidence.tier == "plausible"


def test_a_region_elsewhere_is_no_dependency(store: Store) -> None:
    world = dependent(store, depends_on=["aws"])
    provider(world.at("10:00"), regions=["aws:eu-west-1"]).at("10:05").alertmanager(firing("db-1"))
    assert world.only().links == ()


def test_without_a_dependency_a_page_without_a_region_is_not_linked(world: World) -> None:
    provider(world.at("10:00")).at("10:05").alertmanager(firing("ci-1"))
    assert world.only().links == ()


def test_what_a_provider_publishes_of_its_own_site_is_context(store: Store) -> None:
    world = dependent(store, operator="GitHub")
    provider(world.at("10:00")).at("10:05").alertmanager(firing("ci-1"))
    assert link(world).evidence.tier == "context"
    assert "GitHub speaks here of a site of its own" in reasons(link(world))["independence"][1]


# --- the record and the readings --------------------------------------------------------------------------------------


def past(world: World, years: int) -> World:
    """A storm warning of six hours on one of ten days around this date, years back."""
    body = []
    for year in range(1, years + 1):
        for day in (-10, 0, 10):
            began = DAY.replace(year=DAY.year - year) + timedelta(days=day, hours=7)
            body.append({"kind": "hazard", "key": f"{year} {day}", "title": STORM, "event": STORM, "severity": "error",
                         "status": "resolved", "zones": ["CAC067"], "starts_at": instants.text(began),
                         "ends_at": instants.text(began + timedelta(hours=6))})  # fmt: skip
    return world.send("sky", body)


def test_a_long_record_gives_the_base_rate_and_a_short_one_leaves_it_to_the_prior(world: World) -> None:
    past(world, 1)
    at_ups(world)
    rate = link(world).evidence.base_rate
    assert rate is not None
    assert rate.basis == "prior"
    past(world.at("10:30"), 5)
    note(world, "UPS on battery")
    rate = link(world).evidence.base_rate
    assert rate is not None
    # Five seasons of 31 days, the first counted from the end of its first warning on, and 14 days of this one.
    assert (rate.basis, rate.n, round(rate.share * rate.n)) == ("record", 25 + 4 * 31 + 14, 14)
    assert rate.sentence == (
        "The like was on at this place on 14 of 163 days within 15 days of this date at 10:05 UTC, "
        "since February 2021, by our own record."
    )


def hours(day: int, values: Mapping[int, float]) -> list[dict[str, Any]]:
    return [
        {"reading": "temperature_c", "at": instants.text(DAY + timedelta(days=day, hours=hour)), "value": value,
         "latitude": 38.58, "longitude": -121.49, "station": "downtown"}
        for hour, value in values.items()
    ]  # fmt: skip


def test_a_mild_day_speaks_against_heat_when_its_reading_arrives(world: World) -> None:
    for year in range(1, 3):
        for day in range(27):
            world.send("any", hours(day - 365 * year, dict.fromkeys((9, 10, 11), 15 + day % 10)))
    world.at("10:00").hazard("Heat Advisory", since="09:00", until="18:00", zones=["CAC067"])
    world.at("10:05").alertmanager(firing("crac-1", name="ChillerTripped"))
    world.at("10:30").send("any", hours(0, {10: 16.0}))
    bits, sentence = reasons(link(world))["extremeness"]
    assert bits == -2.0
    assert sentence.startswith("Temperature 16.0 °C at downtown, 7 km away (observed): 1")


def test_a_reading_said_twice_is_counted_once_and_a_provisional_one_not_yet(world: World) -> None:
    said = hours(0, {1: 15.0})
    world.at("02:00").send("any", said).send("any", said)
    world.send("any", [{**said[0], "provisional": True, "value": 16.0}])
    with world.store.reading() as connection:
        assert [row.n for row in connection.execute(sa.select(READING_COUNT))] == [1]
    assert world.rebuilt() == world.digest()


# --- the index --------------------------------------------------------------------------------------------------------


def rows(store: Store) -> list[tuple[Any, ...]]:
    with store.reading() as connection:
        return [
            tuple(row) for row in connection.execute(sa.select(REACH).order_by(REACH.c.cell, REACH.c.occurrence_id))
        ]


def test_a_rebuild_files_everything_where_it_was(world: World) -> None:
    outline = {"type": "Polygon", "coordinates": [[[-123, 38], [-121, 38], [-121, 39], [-123, 38]]]}
    at_ups(world).hazard("Flood Watch", since="09:00", zones=["X"], area=outline, regions=["aws:us-west-1a"])
    world.at("10:10").hazard("Flood Watch", since="09:00", until="12:00", zones=["Y"])
    before, digest = rows(world.store), world.digest()
    assert {row[0] for row in before} == {"z:cac067", "z:y"}
    assert world.rebuilt() == digest
    assert rows(world.store) == before


def test_a_warning_that_nobody_speaks_of_any_more_is_taken_out(world: World) -> None:
    at_ups(world)
    assert rows(world.store)
    with world.store.writing() as connection:
        (row,) = (r for r in connection.execute(sa.select(OCCURRENCE)) if r.kind == "hazard")
        reach.forget(connection, [row.id])
    assert rows(world.store) == []


def test_the_migration_counts_the_readings_that_are_stored(world: World) -> None:
    at_ups(world).send("any", hours(0, {1: 15.0}))
    config = AlembicConfig()
    config.set_main_option("script_location", "incidents:migrations")
    with world.store.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0005")
        command.upgrade(config, "head")
    with world.store.reading() as connection:
        assert [row.n for row in connection.execute(sa.select(READING_COUNT))] == [1]


def test_the_migration_names_the_occurrence_of_each_entry_on_a_link(world: World) -> None:
    at_ups(world)
    world.act(lambda acting: acting.judge(world.only().id, link(world).id, {"verdict": "confirmed"}))
    config = AlembicConfig()
    config.set_main_option("script_location", "incidents:migrations")

    def named() -> list[Any]:
        with world.store.reading() as connection:
            query = sa.select(ENTRY.c.kind, ENTRY.c.occurrence_id).order_by(ENTRY.c.id)
            return list(connection.execute(query).all())

    before = named()
    assert {row.kind: row.occurrence_id for row in before if row.occurrence_id} == {
        "link_proposed": link(world).id,
        "link_judged": link(world).id,
    }
    with world.store.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0015")
        command.upgrade(config, "head")
    assert named() == before


def test_a_crowd_of_warnings_elsewhere_does_not_hide_the_one_here(world: World) -> None:
    elsewhere = [
        {"kind": "hazard", "key": f"e{n}", "title": STORM, "event": STORM, "status": "firing", "zones": [f"TXC{n:03d}"],
         "starts_at": instants.text(instant("09:59"))}
        for n in range(600)
    ]  # fmt: skip
    world.at("10:00").send("any", elsewhere)
    at_ups(world)
    assert reasons(link(world))["space"][1] == "It covers CAC067, the warning zone of Sacramento."


def test_a_site_that_is_somewhere_in_a_state_looks_at_everything(store: Store) -> None:
    world = dependent(store, uncertainty_km=2000)
    at_ups(world)
    assert len(world.only().links) == 1
    assert replace(world.only(), links=()).links == ()


def test_a_link_with_what_nobody_speaks_of_any_more_lapses(world: World) -> None:
    at_ups(world)
    assert link(world).evidence.tier != "context"
    known = adapters()["generic"]

    def without_hazards(delivery: Delivery) -> list[Statement]:
        return [one for one in known.normalise(delivery) if not (isinstance(one, Event) and one.kind == "hazard")]

    better = replace(known, version=known.version + 1, normalise=without_hazards)
    world.go_on(timedelta(minutes=1)).reread({**adapters(), "generic": better})
    assert link(world).evidence.tier == "context"
    assert "lapsed" in link(world).evidence.reasons[0].sentence
    assert world.digest() == world.rebuilt()
