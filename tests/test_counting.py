"""Counts of an incident's alerts: what is kept by minute equals what is counted from the alerts, in any window."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import groupby
from random import Random

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig

from incidents import instants, moves
from incidents.counting import COUNT, current_members, members_at, standing
from incidents.entries import OCCURRENCE
from incidents.model import Severity
from incidents.store import Store
from incidents.views import crowd_lines, crowds
from incidents.views.view import Line
from tests.world import World, firing, instant, resolved

SEED = 20261123


def counted(world: World, since: datetime, until: datetime, seconds: int, as_of: datetime | None) -> Counter[object]:
    """The bins of a window, from each alert by itself."""
    incident = world.only().id
    with world.store.reading() as connection:
        query = sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(members_at(connection, incident, as_of)))
        rows = connection.execute(query).all()
    return Counter(
        (int(row.starts_at.timestamp()) // seconds * seconds, row.lane, Severity.of_rank(row.severity))
        for row in rows
        if since <= row.starts_at <= until and (as_of is None or row.recorded_at <= as_of)
    )


def binned(world: World, since: datetime, until: datetime, as_of: datetime | None) -> tuple[int, Counter[object]]:
    """The same as a view has it, and its bins' length."""
    with world.store.reading() as connection:
        found = crowds.density(connection, world.only().id, since, until, as_of=as_of)
    bins = Counter({(int(b.at.timestamp()), b.lane, b.severity): b.count for b in found.bins})
    assert len(bins) == len(found.bins), "no bin comes twice"
    assert found.total == bins.total()
    return found.seconds, bins


def crowd(store: Store) -> World:
    """An incident of alerts at odd seconds; some change their severity or start, some leave."""
    chance, world = Random(SEED), World(store)
    names = [("HostDown", "critical"), ("DiskLatencyHigh", "warning"), ("ChillerTripped", "error")]
    for batch in range(4):
        alerts = []
        for n in range(15):
            name, severity = chance.choice(names)
            since = f"09:{chance.randrange(50, 60)}:{chance.randrange(60):02d}" if n % 3 else "09:55:00"
            alerts.append(firing(f"h-{batch}-{n}", severity, name=name, since=since))
        world.at(f"10:0{batch}").alertmanager(*alerts)
    world.at("10:10").alertmanager(firing("h-0-0", "critical", since="09:40:30"), resolved("h-1-1", since="09:55:00"))
    leaving = [world.alert("h-2-3"), world.alert("h-3-3")]
    incident = world.only().id
    world.at("10:20").act(lambda acting: moves.regroup(acting, incident, [], leaving))
    return world


def test_any_window_counts_each_alert_in_it_once(store: Store) -> None:
    world, chance = crowd(store), Random(SEED)
    left = instant("10:15")
    seen = set()
    for n in range(120):
        since = instant("09:00") + timedelta(seconds=chance.randrange(0, 3600), microseconds=chance.choice([0, 1]))
        length = timedelta(seconds=chance.choice([0, 20, 61, 600, 2400, 2800, 3000, 3200, 3400, 7200, 100_000]))
        as_of = left if n % 4 == 0 else None
        seconds, bins = binned(world, since, since + length, as_of)
        assert bins == counted(world, since, since + length, seconds, as_of), (since, length, as_of)
        seen.add(seconds)
    assert len(seen) >= 4


def test_what_is_kept_before_and_after_an_alert_leaves(store: Store) -> None:
    world = crowd(store)
    with store.reading() as connection:
        kept = connection.execute(sa.select(sa.func.sum(COUNT.c.alerts))).scalar()
        members = len(connection.execute(current_members(world.only().id)).all())
    assert kept == members == world.only().members.alerts
    assert members < len(world.occurrences())


def test_an_alert_that_changes_is_counted_where_it_is_now(store: Store) -> None:
    world = World(store)
    for clock, start, severity in (("10:00", "09:58:10", "warning"), ("10:05", "09:55:10", "critical")):
        body = {"title": "Slow", "starts_at": instants.text(instant(start)), "labels": {"datacenter": "smf1"}}
        for key in ("a", "b", "c", "d", "e"):
            world.at(clock).send("any", body | {"key": key, "severity": severity})
    _, bins = binned(world, instant("09:00"), instant("12:00"), None)
    assert [(at, severity.value, count) for (at, _, severity), count in bins.items()] == [
        (int(instant("09:54").timestamp()), "critical", 5)
    ]


@pytest.fixture
def world_of_nothing(store: Store) -> World:
    """An incident that a person opened, without an alert."""
    world = World(store).at("10:00")
    world.act(lambda acting: acting.open({"title": "By hand", "severity": "error"}))
    return world


def test_nothing_is_counted_where_there_is_nothing(world_of_nothing: World) -> None:
    assert binned(world_of_nothing, instant("09:00"), instant("12:00"), None)[1] == Counter()


def ended_crowd(store: Store) -> World:
    """The crowd of `crowd`, of which half have ended at odd seconds, one of them when it began."""
    world, chance = crowd(store), Random(SEED)
    for n, seen in enumerate(world.occurrences()):
        if n % 2 and seen.ends_at is None:
            since = f"{seen.starts_at:%H:%M:%S}"
            until = since if n == 1 else f"10:{chance.randrange(0, 3):02d}:{chance.randrange(60):02d}"
            labels, severity = seen.rest["labels"], str(Severity.of_rank(seen.severity))
            told = resolved(labels["instance"], severity, name=labels["alertname"], since=since, until=until)
            world.at("10:30").alertmanager(told)
    return world


def standing_by_hand(world: World, at: datetime) -> Counter[str]:
    with world.store.reading() as connection:
        rows = connection.execute(
            sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(members_at(connection, world.only().id, None)))
        ).all()
    return Counter(row.lane for row in rows if row.starts_at < at and (row.ends_at is None or row.ends_at > at))


def test_what_stands_at_an_instant_is_what_began_before_it_and_has_not_ended(store: Store) -> None:
    world, chance = ended_crowd(store), Random(SEED)
    instants_ = [instant("09:00") + timedelta(seconds=chance.randrange(2400, 4800)) for _ in range(60)]
    with store.reading() as connection:
        for row in connection.execute(sa.select(OCCURRENCE)).all()[:20]:
            instants_ += [row.starts_at, row.ends_at or row.starts_at, row.starts_at + timedelta(microseconds=1)]
    found = set()
    for at in instants_:
        with store.reading() as connection:
            told = standing(connection, world.only().id, at)
        assert told == dict(standing_by_hand(world, at)), at
        found.add(sum(told.values()))
    assert len(found) > 10


def test_a_migration_counts_the_ends_that_are_stored(store: Store) -> None:
    world = ended_crowd(store)
    counted_rows = sa.select(COUNT).where((COUNT.c.alerts != 0) | (COUNT.c.ended != 0)).order_by(*COUNT.primary_key)
    with store.reading() as connection:
        before = [tuple(row) for row in connection.execute(counted_rows)]
    config = AlembicConfig()
    config.set_main_option("script_location", "incidents:migrations")
    for step, to in ((command.downgrade, "0020"), (command.upgrade, "head")):
        with store.writing() as connection:
            config.attributes["connection"] = connection
            step(config, to)
    with store.reading() as connection:
        assert [tuple(row) for row in connection.execute(counted_rows)] == before
    assert sum(row[-1] for row in before) > 20
    assert world.only().members.alerts == sum(row[-2] for row in before)


def run_texts(world: World, as_of: datetime | None) -> list[tuple[str, str, int]]:
    """First alert, name and number of each unbroken run of one name, from each alert by itself."""
    with world.store.reading() as connection:
        query = sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(members_at(connection, world.only().id, as_of)))
        rows = connection.execute(query.order_by(OCCURRENCE.c.starts_at, OCCURRENCE.c.id)).all()
    known = [row for row in rows if as_of is None or row.recorded_at <= as_of]
    runs = [list(alike) for _, alike in groupby(known, key=lambda row: row.name)]
    return sorted((f"r{min(row.id for row in run)}", run[0].name, len(run)) for run in runs)


def lines(world: World, as_of: datetime | None) -> list[Line]:
    with world.store.reading() as connection:
        return crowd_lines.runs(connection, world.only().id, as_of)


def test_unbroken_runs_of_a_name_are_lines_whoever_else_has_alerts_then(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd_lines, "_AT_ONCE", 2)
    world = ended_crowd(store)
    for as_of in (None, instant("10:01:30"), instant("10:15")):
        found = lines(world, as_of)
        told = [(one.id, one.text.partition(" × ")[2].partition(",")[0] or one.text, one.count) for one in found]
        expected = run_texts(world, as_of)
        assert sorted((name, count) for name, _, count in told) == sorted((name, count) for name, _, count in expected)
        assert all(said.startswith(name) for (_, said, _), (_, name, _) in zip(sorted(told), expected, strict=True))
        assert [one.happened_at for one in found] == sorted(one.happened_at for one in found)
        assert any(", " in one.text for one in found) == (as_of is None)


@pytest.mark.parametrize("others", [False, True])
def test_one_incidents_alerts_alone_are_counted_in_its_lines(store: Store, *, others: bool) -> None:
    world = World(store).at("10:00").alertmanager(*(firing(f"h-{n}", since=f"09:5{n}:00") for n in range(6)))
    incident = world.only()
    if others:
        world.at("10:00").alertmanager(firing("else-1", site=None, since="09:53:30", name="Elsewhere"))
    with store.reading() as connection:
        (line,) = crowd_lines.runs(connection, incident.id, None)
    assert (line.count, line.text) == (6, "6 × Down")


def test_alternating_names_are_counted_by_stretch_and_lane(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    world = ended_crowd(store)
    monkeypatch.setattr(crowd_lines, "MARKS", 5)
    found = lines(world, None)
    assert sum(line.count for line in found) == world.only().members.alerts
    assert all(line.happened_until is None or line.happened_until - line.happened_at <= timedelta(minutes=1)
               for line in found)  # fmt: skip
    assert len({(line.happened_at.replace(second=0), line.lane) for line in found}) == len(found)
    assert any(" names, " in line.text for line in found)
