"""Rebuild: whatever was delivered and done, the caches dropped and folded again are the caches that were there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents import instants, moves
from incidents.acts import Acting
from incidents.adapters import adapters
from incidents.config import spec_of
from incidents.configured import put
from incidents.counting import COUNT
from incidents.entries import ENTRY, INCIDENT, MEMBER, OCCURRENCE, current_members
from incidents.model import Delivery, Severity, Statement
from incidents.rebuild import DUE, rebuild, refill
from incidents.refusals import ConflictError, NotFoundError
from incidents.store import Store
from tests.world import World, emptied, firing, instant, kept, resolved


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def one_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store of each backend for the whole module."""
    yield from kept(request, tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(one_store: Store) -> Store:
    """A store without a row."""
    return emptied(one_store)


Deed = tuple[str, tuple[int, int, int], str]
"""What happens, with numbers that choose among what there is, and a word."""

WORDS = ("critical", "warning", "info")
STATUSES = ("open", "acknowledged", "mitigated", "resolved")
REFUSED = (NotFoundError, ConflictError, ValueError)

numbers = st.integers(0, 5)
wait = st.tuples(st.just("wait"), st.tuples(st.sampled_from([3, 12, 31, 370]), st.just(0), st.just(0)), st.just(""))
send = st.tuples(
    st.sampled_from(["fires", "fires", "ends", "late", "moves", "speaks"]),
    st.tuples(numbers, numbers, numbers),
    st.sampled_from(WORDS),
)
outside = st.tuples(
    st.sampled_from(["hazard", "provider"]), st.tuples(numbers, numbers, numbers), st.sampled_from(WORDS)
)
person = st.tuples(
    st.sampled_from(
        [
            "open",
            "status",
            "note",
            "patch",
            "attach",
            "detach",
            "merge",
            "unmerge",
            "split",
            "correct",
            "retract",
            "judge",
        ]
    ),
    st.tuples(numbers, numbers, numbers),
    st.sampled_from(STATUSES),
)
deeds = st.lists(st.one_of(person, person, person, send, send, outside, wait), min_size=6, max_size=16)


def chosen(things: Sequence[Any], number: int) -> Any:
    """One of them. Raises NotFoundError where there is none."""
    if not things:
        raise NotFoundError("nothing to choose from")
    return things[number % len(things)]


def perform(world: World, deed: Deed) -> None:
    """Let one thing happen; what is refused has changed nothing."""
    what, numbers_, word = deed
    try:
        if what == "wait":
            world.go_on(timedelta(minutes=numbers_[0]))
        elif what in SENT:
            SENT[what](world, *numbers_, word)
        else:
            act(world, what, numbers_, word)
    except REFUSED:
        pass


def starts(number: int) -> str:
    """One of a few clock times at which alerts begin."""
    return ("09:00", "09:30", "09:55", "10:00", "10:20", "14:00")[number]


def fires(world: World, host: int, start: int, site: int, word: str) -> None:
    """An alert fires at a site, or at none."""
    where = ("smf", "iad", None)[site % 3]
    world.alertmanager(firing(f"h-{host}", word, site=where, since=starts(start)))


def ends(world: World, host: int, start: int, site: int, word: str) -> None:
    """An alert has ended."""
    where = ("smf", "iad", None)[site % 3]
    until = ("09:58", "10:05", "10:30")[site % 3]
    world.alertmanager(resolved(f"h-{host}", word, site=where, since=starts(start), until=until))


def late(world: World, host: int, start: int, many: int, word: str) -> None:
    """Several alerts in one notification, all long over."""
    alerts = [resolved(f"h-{host + n}", word, since=starts(start), until="14:05") for n in range(many + 1)]
    world.alertmanager(*alerts)


def speaks(world: World, key: int, said: int, place: int, word: str) -> None:
    """A sender of our own JSON speaks of a thing, of which time, place and severity may be other each time."""
    body: dict[str, Any] = {"key": f"k-{key % 3}", "title": f"Thing {key % 3}", "severity": word}
    body |= {"said_at": instants.text(instant(starts(said))), "labels": {"datacenter": ("smf", "iad", "x")[place % 3]}}
    if place > 2:
        body |= {"status": "resolved", "ends_at": instants.text(instant("10:40"))}
    world.send("any", body)


def wanders(world: World, key: int, start: int, group: int, word: str) -> None:
    """A thing without a site changes its sender's group, or turns out to be no alert."""
    kind = "hazard" if group == 5 else "alert"
    body = {"key": f"m-{key % 2}", "title": "Mover", "kind": kind, "group": f"g-{group}", "severity": word}
    world.send("any", body | {"starts_at": instants.text(instant(starts(start)))})


def hazard(world: World, key: int, start: int, place: int, word: str) -> None:
    """A warning, in our zones or not."""
    zones = (["CAC067"], ["VAC107"], ["ALC003"])[place % 3]
    world.hazard(f"Extreme Heat Warning {key % 2}", since=starts(start), until="20:00", zones=zones, severity=word)


def provider(world: World, key: int, start: int, many: int, word: str) -> None:
    """A provider speaks of an incident of its own."""
    posts = [{"at": instants.text(instant(starts(n))), "text": f"Update {n}"} for n in range(many)]
    body: dict[str, Any] = {
        "kind": "provider_incident",
        "key": f"p-{key}",
        "title": "EC2 errors",
        "regions": ["aws:us-west-1"],
    }
    body |= {"severity": word, "starts_at": instants.text(instant(starts(start))), "updates": posts}
    world.send("sky", body)


def alerts_of(world: World, incident: str) -> list[str]:
    """The ids of its alerts."""
    with world.store.reading() as connection:
        return sorted(connection.execute(current_members(incident)).scalars())


SENT: dict[str, Callable[[World, int, int, int, str], None]] = {
    "fires": fires,
    "ends": ends,
    "late": late,
    "speaks": speaks,
    "moves": wanders,
    "hazard": hazard,
    "provider": provider,
}


def act(world: World, what: str, numbers_: Sequence[int], word: str) -> None:
    """Somebody does something to one of the incidents. Raises what acts raise."""
    first, second, third = numbers_
    happened_at = instants.text(instant(starts(third)))
    if what == "open":
        fields = {"title": "By hand", "severity": "error", **({"site": "smf"} if first % 2 else {})}
        fields |= {"impact_started_at": happened_at} if second % 2 else {}
        world.act(lambda acting: acting.open(fields))
        return
    incidents = world.incidents()
    merged = [i for i in incidents if i.merged_into] if what == "unmerge" else []
    incident = chosen(merged or incidents, first)
    alerts = [row.id for row in world.occurrences() if row.kind == "alert"]
    members = alerts_of(world, incident.id)
    entries = [e.id for e in world.log(incident.id) if not (what == "retract" and e.kind == "opened")]
    doing: dict[str, Callable[[Acting], object]] = {
        "status": lambda a: a.status(
            incident.id, {"status": word, **({"happened_at": happened_at} if second % 2 else {})}
        ),
        "note": lambda a: a.note(incident.id, {"text": "Seen", "happened_at": happened_at}),
        "patch": lambda a: a.patch(
            incident.id,
            (
                {"title": f"Title {third}"},
                {"severity": "info"},
                {"impact_started_at": {"at": happened_at, "until": instants.text(instant("15:00"))}},
                {"resolved_at": happened_at},
                {"owner": "alice", "services": ["shop"]},
                {"impact_started_at": None, "severity": "critical"},
            )[second],
        ),
        "attach": lambda a: moves.regroup(
            a, incident.id, [chosen(alerts, second), chosen(alerts, third)][: 1 + second % 2], []
        ),
        "detach": lambda a: moves.regroup(a, incident.id, [], [chosen(members, second)]),
        "merge": lambda a: moves.merge(a, incident.id, chosen(incidents, second).id),
        "unmerge": lambda a: moves.unmerge(a, incident.id),
        "split": lambda a: moves.split(a, incident.id, [chosen(members, second)]),
        "correct": lambda a: a.correct(
            incident.id, chosen(entries, second), {"text": "Better"} if third % 2 else {"happened_at": happened_at}
        ),
        "retract": lambda a: a.retract(incident.id, chosen(entries, second)),
        "judge": lambda a: a.judge(
            incident.id, chosen(incident.links, second).id, {"verdict": ("confirmed", "rejected")[third % 2]}
        ),
    }
    world.act(doing[what])


def begun(world: World) -> World:
    """Two incidents with alerts of each sort and a link, so that people have something to act on."""
    world.at("10:00").alertmanager(firing("h-0"), firing("h-1", "warning"), firing("h-2", site="iad"))
    world.hazard("Extreme Heat Warning 0", since="09:00", until="20:00", zones=["CAC067", "VAC107"], severity="extreme")
    return world.at("10:25").alertmanager(resolved("h-1", "warning"), firing("h-3", "info"))


@given(deeds)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_rebuild_gives_the_state_that_was_there(store: Store, happens: list[Deed]) -> None:
    world = begun(World(emptied(store)))
    for deed in happens:
        perform(world, deed)
    before = world.cached()
    digest = world.digest()
    rebuild(store, world.config, world.now + timedelta(days=3))
    assert world.cached() == before
    assert world.digest() == digest


def test_a_rebuild_decides_nothing(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"), firing("db-2", "warning"))
    world.at("10:10").alertmanager(resolved("db-1"))
    log = world.log()
    # Rules as they are now would not have opened it; what was decided stays decided.
    calm = tuple(replace(rule, severity_at_least=None, count=1000) for rule in world.config.rules)
    rebuild(store, replace(world.config, rules=calm), instant("+9 10:00"))
    assert world.log() == log
    assert world.members() == ["db-1", "db-2"]


def test_a_rebuild_of_damaged_caches_repairs_them(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"), firing("db-2", "warning"))
    digest = world.digest()
    with store.writing() as connection:
        connection.execute(sa.update(OCCURRENCE).values(title="Nonsense", severity=0))
        connection.execute(sa.update(INCIDENT).values(alerts=99, status="resolved"))
    assert world.digest() != digest
    assert world.rebuilt() == digest


def test_a_rebuild_puts_alerts_into_the_groups_of_the_sites_as_they_are(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1", "warning", site="fra"))
    assert [row["group_key"] for row in world.cached()["alert_group"]] == ['source:am:{}:{group="g"}']
    smf = replace(world.config.sites[0], match=(replace(world.config.sites[0].match[0], value="fra*"),))
    rebuild(store, replace(world.config, sites=(smf,)), world.now)
    assert [row["group_key"] for row in world.cached()["alert_group"]] == ["site:smf"]


def test_both_databases_come_to_the_same_state(sqlite_store: Store, postgresql_store: Store) -> None:
    worlds = [World(sqlite_store), World(postgresql_store)]
    for world in worlds:
        world.at("10:00").alertmanager(firing("db-1"), firing("web-1", "warning", site=None))
        world.hazard("Extreme Heat Warning", since="08:00", until="20:00", zones=["CAC067"], severity="extreme")
        world.at("10:05").status("acknowledged").at("10:30").alertmanager(resolved("db-1"))
        world.at("+1 00:00")
    assert worlds[0].cached() == worlds[1].cached()
    assert worlds[0].digest() == worlds[1].digest()
    assert worlds[0].timeline() == worlds[1].timeline()
    assert worlds[0].only().severity is Severity.CRITICAL


def test_caches_that_a_migration_emptied_are_filled_again(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"))
    before = world.occurrences()
    assert not refill(store, world.now)
    with store.writing() as connection:
        connection.execute(sa.delete(OCCURRENCE))
        connection.execute(sa.insert(DUE).values(revision="0002"))
    assert refill(store, world.now)
    assert world.occurrences() == before
    assert not refill(store, world.now)


def test_every_migration_can_be_undone_and_done_again(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"))
    before, statements = world.occurrences(), world.statements()
    config = AlembicConfig()
    config.set_main_option("script_location", "incidents:migrations")
    with store.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        command.upgrade(config, "head")
    assert world.statements() == statements
    assert refill(store, world.now)
    assert world.occurrences() == before


def test_an_alert_that_vanished_and_came_back_has_the_place_that_it_had(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"), firing("db-2"))
    world.act(lambda acting: moves.regroup(acting, world.only().id, [], [world.alert("db-2")]))
    assert world.only().members.alerts == 1

    def silent(_delivery: Delivery) -> list[Statement]:
        return []

    known = adapters()["alertmanager"]
    worse = replace(known, version=known.version + 1, normalise=silent)
    world.reread({**adapters(), "alertmanager": worse})
    assert world.occurrences() == []
    assert world.digest() == world.rebuilt()
    world.reread({**adapters(), "alertmanager": replace(known, version=known.version + 2)})
    assert world.members() == ["db-1"]
    assert world.only().members.alerts == 1
    assert world.digest() == world.rebuilt()


def test_later_outages_that_a_rebuild_parts_find_their_incident(store: Store) -> None:
    world = World(store)
    for clock, status in (("10:00", "down"), ("10:20", "up"), ("+30 10:00", "down"), ("+30 10:20", "up")):
        item = {"key": "check-7", "title": "checkout is down", "status": status, "severity": "critical"}
        world.at(clock).send("any", item | {"labels": {"datacenter": "smf-1"}})
    assert len(world.incidents()) == 2
    with store.writing() as connection:
        for site in world.config.sites:
            put(connection, ("site", site.name), spec_of(site), owner="file", now=world.now, position=0)
        for table in (MEMBER, ENTRY, INCIDENT, OCCURRENCE, COUNT):
            connection.execute(sa.delete(table))
        connection.execute(sa.insert(DUE).values(revision="0002"))
    assert refill(store, world.now)
    assert [one.members.alerts for one in world.incidents()] == [1]
    assert world.digest() == world.rebuilt()
