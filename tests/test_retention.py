"""Retention: what is aged and needed by no kept incident goes, with a tombstone; what is left folds as it did."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from incidents import deliveries, instants
from incidents.adapters import adapters
from incidents.deliveries import DELIVERY, STAMP, Arrival
from incidents.entries import ENTRY, INCIDENT, OCCURRENCE
from incidents.ingest import Ingest
from incidents.rebuild import rebuild, state_digest
from incidents.receipts import DeliveryIds
from incidents.retention import Aged, Retention, hold
from incidents.statements import EVENT, READING
from incidents.store import Store
from incidents.tombstones import TOMBSTONE
from service import clock
from service.cli import main
from tests.world import DAY, TWO_SITES, World, firing, resolved

LATER = DAY + timedelta(days=100)
EVERYTHING = dict.fromkeys(("alert", "hazard", "provider_incident", "change", "reading", "delivery"), 30)


@pytest.fixture
def world(store: Store) -> World:
    """An incident of two alerts, resolved; a lone alert a week later; a reading then; and words that say nothing."""
    world = World(store)
    world.at("10:00").alertmanager(firing("db-1", "critical"), firing("db-2", "critical"))
    world.at("10:10").alertmanager(resolved("db-1"), resolved("db-2"))
    world.at("+7 10:00").alertmanager(firing("lone", "info"))
    world.at("+7 10:05").alertmanager(resolved("lone", "info"))
    ids, at = DeliveryIds(), DAY + timedelta(days=7)
    reading = (
        b'{"reading": "temperature_c", "at": "2026-03-09T10:00:00Z", "value": 3, "latitude": 38.6, "longitude": -121.5}'
    )
    with store.intake() as connection:
        for body in (reading, b"[]", b"no JSON"):
            deliveries.append(connection, [Arrival(ids.next(at), "any", at, {}, body)])
    while Ingest(store, adapters()).work(TWO_SITES, at):
        pass
    return world


def titles(store: Store) -> set[str]:
    """Of the occurrences that are there."""
    with store.reading() as connection:
        return set(connection.execute(sa.select(OCCURRENCE.c.key)).scalars())


def count(store: Store, table: sa.Table) -> int:
    """How many rows it has."""
    with store.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def folds_alike(store: Store) -> None:
    """What is left folds to what the caches say."""
    with store.reading() as connection:
        before = state_digest(connection)
    rebuild(store, TWO_SITES, LATER)
    with store.reading() as connection:
        assert state_digest(connection) == before


def test_what_no_incident_needs_goes_with_a_tombstone_and_what_one_needs_stays(world: World) -> None:
    store = world.store
    with store.reading() as connection:
        lone = connection.execute(sa.select(OCCURRENCE.c.subject).where(OCCURRENCE.c.severity < 2)).scalar_one()
        digests = sorted(connection.execute(sa.select(EVENT.c.digest).where(EVENT.c.subject == lone)).scalars())
        entries = connection.execute(sa.select(ENTRY).order_by(ENTRY.c.id)).all()
    before = len(titles(store))
    run = Retention(store, EVERYTHING, LATER)
    told = run.rehearse()
    assert len(titles(store)) == before, "a rehearsal drops nothing"
    done = {(one.kind, one.source): one.count for one in run.run()}
    assert done["alert", "am"] == len(digests)
    assert Aged("alert", "am", len(digests)) in told
    assert done["reading", "any"] == 1
    assert done["delivery", "any"] == 2, "the reading's, and the one that said nothing; not what waits to be understood"
    assert len(titles(store)) == before - 1
    assert count(store, READING) == 0
    with store.reading() as connection:
        assert connection.execute(sa.select(ENTRY).order_by(ENTRY.c.id)).all() == entries
        (stone,) = connection.execute(sa.select(TOMBSTONE).where(TOMBSTONE.c.kind == "alert")).all()
        assert stone.sha256 == hashlib.sha256("\n".join(digests).encode()).hexdigest()
        assert (stone.source, stone.count, stone.dropped_at) == ("am", len(digests), LATER)
        assert connection.execute(sa.select(INCIDENT.c.alerts)).scalars().all() == [2]
        assert set(connection.execute(sa.select(STAMP.c.state)).scalars()) == {"read", "quarantined"}
        orphans = sa.select(EVENT.c.id).where(EVENT.c.delivery_id.not_in(sa.select(DELIVERY.c.id)))
        assert connection.execute(orphans).all() == []
    folds_alike(store)
    assert run.run() == []


def test_nothing_goes_before_its_age_nor_without_one(world: World) -> None:
    assert Retention(world.store, EVERYTHING, DAY + timedelta(days=20)).run() == []
    assert Retention(world.store, {}, LATER).run() == []
    assert Retention(world.store, {"hazard": 1}, LATER).run() == []


def test_an_aged_incident_gives_its_evidence_up_unless_it_is_held(world: World) -> None:
    store, days = world.store, EVERYTHING | {"incident": 60}
    world.at("+8 10:00")
    with store.writing() as connection:
        (name,) = connection.execute(sa.select(INCIDENT.c.id)).scalars()
    assert not hold(store, "nobody", held=True, actor="user:a", reason="", now=LATER)
    assert hold(store, name, held=True, actor="user:a", reason="a claim", now=LATER)
    Retention(store, days, LATER).run()
    assert len(titles(store)) == 2
    assert hold(store, name, held=False, actor="user:a", reason="settled", now=LATER)
    Retention(store, days, LATER).run()
    assert titles(store) == set()
    folds_alike(store)
    assert world.only().status == "resolved", "its entries are there"


def test_deliveries_around_a_kept_incident_stay_though_they_say_nothing(store: Store) -> None:
    world, ids = World(store), DeliveryIds()
    world.at("10:00").alertmanager(firing("db-1", "critical"), firing("db-2", "critical"))
    before, around = DAY - timedelta(days=3), DAY + timedelta(days=7)
    with store.intake() as connection:
        for at in (before, around):
            deliveries.append(connection, [Arrival(ids.next(at), "any", at, {}, b"[]")])
    while Ingest(store, adapters()).work(TWO_SITES, around):
        pass
    with store.reading() as connection:
        (name,) = connection.execute(sa.select(INCIDENT.c.id)).scalars()
    days = {"delivery": 30, "incident": 60}
    assert hold(store, name, held=True, actor="user:a", reason="a claim", now=LATER)
    assert Retention(store, days, LATER).rehearse() == Retention(store, days, LATER).run()
    with store.reading() as connection:
        received = set(
            connection.execute(sa.select(DELIVERY.c.received_at).where(DELIVERY.c.source == "any")).scalars()
        )
    assert received == {around}, "it is open, and held"
    world.at("+8 10:00").alertmanager(resolved("db-1"), resolved("db-2"))
    world.at("+9 10:00")
    assert Retention(store, days, LATER).run() == [], "it is held"
    assert hold(store, name, held=False, actor="user:a", reason="settled", now=LATER)
    assert Aged("delivery", "any", 1) in Retention(store, days, LATER).run()


def test_the_commands_tell_drop_and_list(sqlite_store: Store, tmp_path: Path) -> None:
    ids, at = DeliveryIds(), clock.now() - timedelta(days=3)
    body = orjson.dumps({"key": "k", "status": "resolved", "title": "t", "ends_at": instants.text(at)})
    with sqlite_store.intake() as connection:
        deliveries.append(connection, [Arrival(ids.next(at), "any", at, {}, body)])
    Ingest(sqlite_store, adapters()).work(TWO_SITES, at)
    given = {"DATABASE_URL": sqlite_store.url.render_as_string(), "DATA_DIR": str(tmp_path)}

    def run(*words: str, **more: str) -> Result:
        return CliRunner(env={f"BAROGRAPH_{k}": v for k, v in (given | more).items()}).invoke(main, words)

    assert "not set" in run("retention").stderr
    told = run("retention", "--dry-run", RETENTION="alert=1,delivery=1")
    assert (told.exit_code, told.stdout.split()) == (0, ["1", "alert", "any"])
    done = run("retention", "--json", RETENTION="alert=1,delivery=1")
    assert {row["kind"]: row["count"] for row in orjson.loads(done.stdout)} == {"alert": 1, "delivery": 1}
    assert count(sqlite_store, DELIVERY) == 0
    listed = run("retention", "--tombstones").stdout.splitlines()
    assert [line.split()[:3] for line in listed] == [["1", "alert", "any"], ["1", "delivery", "any"]]
    assert run("hold", "nothing").exit_code == 3
