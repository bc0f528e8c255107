"""What reading again would change is told before it is done, and what was quarantined comes back by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from incidents.adapters import Adapter, adapters
from incidents.deliveries import STAMP
from incidents.formats import payload
from incidents.ingest import Ingest
from incidents.model import Area, Delivery, Event, Post, Severity, Statement, UnrecognisedError
from incidents.rehearsal import Rehearsed, rehearse
from incidents.rereading import Field, differences
from incidents.spoken import digest
from incidents.store import Store
from tests.test_cli import CONFIG, Home
from tests.world import DAY, World, emptied, kept

DOWN = Event("db-1", "alert", "Down", Severity.CRITICAL, starts_at=DAY, labels={"host": "db-1"})


def told(was: list[Event], now: list[Event]) -> list[tuple[str, str, list[Field]]]:
    """The differences, short."""
    found = differences({digest(e): e for e in was}, {digest(e): e for e in now})
    return [(one.change, one.key, list(one.fields)) for one in found]


# --- two lists of statements ----------------------------------------------------------------------------------------


def test_equal_statements_do_not_differ_in_whatever_order() -> None:
    other = replace(DOWN, key="db-2")
    assert told([DOWN, other], [other, DOWN]) == []
    assert told([], []) == []


def test_each_field_that_changed_is_named_with_what_it_was() -> None:
    now = replace(
        DOWN, title="Database down", severity=Severity.ERROR, ends_at=DAY + timedelta(hours=1), labels={"site": "smf"}
    )
    ((change, key, fields),) = told([DOWN], [now])
    assert (change, key) == ("changed", "db-1")
    assert {field.name: (field.was, field.now) for field in fields} == {
        "title": ("Down", "Database down"),
        "severity": ("critical", "error"),
        "ends_at": (None, "2026-03-02T01:00:00.000000Z"),
        "labels.host": ("db-1", None),
        "labels.site": (None, "smf"),
    }


def test_areas_and_posts_are_compared_by_what_they_hold() -> None:
    was = replace(DOWN, area=Area(regions=("aws:us-west-1",)), posts=(Post(DAY, "Looking"),))
    now = replace(DOWN, area=Area(regions=("aws:us-west-2",)), posts=(Post(DAY, "Looking"), Post(DAY, "Found")))
    ((_, _, fields),) = told([was], [now])
    assert fields == [
        Field("area.regions", "aws:us-west-1", "aws:us-west-2"),
        Field("posts[1]", None, "2026-03-02T00:00:00.000000Z Found"),
    ]


def test_another_key_is_one_gone_and_one_new() -> None:
    assert [(change, key) for change, key, _ in told([DOWN], [replace(DOWN, key="4711")])] == [
        ("new", "4711"),
        ("gone", "db-1"),
    ]


def test_one_more_and_one_less_of_a_key() -> None:
    ended = replace(DOWN, ends_at=DAY + timedelta(hours=1))
    assert [one[0] for one in told([DOWN], [DOWN, ended])] == ["new"]
    assert [one[0] for one in told([DOWN, ended], [DOWN])] == ["gone"]


def test_the_receipt_in_place_of_a_moment_of_speaking_is_no_difference_of_its_own() -> None:
    was = replace(DOWN, said_at=DAY)
    assert [field.name for _, _, fields in told([was], [replace(DOWN, title="x")]) for field in fields] == ["title"]
    assert [field.name for _, _, fields in told([was], [DOWN]) for field in fields] == ["said_at"]


# --- the record -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def one_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store of each backend for the whole module."""
    yield from kept(request, tmp_path_factory.mktemp("store"))


@pytest.fixture
def world(one_store: Store) -> World:
    """An empty world on either database."""
    return World(emptied(one_store))


def knows(number: int, *shapes: str) -> Mapping[str, Adapter]:
    """The adapters with a generic one of this version, which reads bodies of these shapes alone."""

    def normalise(delivery: Delivery) -> list[Statement]:
        item = payload.decode(delivery.body)
        if item.get("shape") not in shapes:
            raise UnrecognisedError(f"the shape {item.get('shape')!r} is not known")
        return [
            Event(item["id"], "alert", item["title"], Severity.CRITICAL, starts_at=DAY, labels={"datacenter": "smf1"})
        ]

    return {**adapters(), "generic": replace(adapters()["generic"], version=number, normalise=normalise)}


def rehearsed(world: World, with_: Mapping[str, Adapter]) -> list[Rehearsed]:
    """What reading everything of the source `any` again would change."""
    where = STAMP.c.source == "any"
    return [one for one in rehearse(world.store, Ingest(world.store, with_), world.config, where) if one.differs]


def states(world: World) -> list[tuple[str, int]]:
    """State and version of each stamp."""
    with world.store.reading() as connection:
        query = sa.select(STAMP.c.state, STAMP.c.adapter_version).order_by(STAMP.c.delivery_id)
        return [tuple(row) for row in connection.execute(query)]


def test_what_is_quarantined_comes_back_when_its_adapter_learns_the_shape(world: World) -> None:
    world.adapters = knows(1, "old")
    world.at("10:00").send("any", {"shape": "old", "id": "a", "title": "Old"})
    world.send("any", {"shape": "new", "id": "b", "title": "New"})
    assert states(world) == [("read", 1), ("quarantined", 1)]
    assert world.members() == ["Old"]
    world.at("11:00").reread(knows(2, "old", "new"))
    assert states(world) == [("read", 2), ("read", 2)]
    assert world.members() == ["New", "Old"]
    assert world.digest() == world.rebuilt()


def test_a_rehearsal_tells_what_would_come_back_and_writes_nothing(world: World) -> None:
    world.adapters = knows(1, "old")
    world.at("10:00").send("any", {"shape": "old", "id": "a", "title": "Old"})
    world.send("any", {"shape": "new", "id": "b", "title": "New"})
    before = world.cached(), world.statements(), states(world)
    (one,) = rehearsed(world, knows(2, "old", "new"))
    assert (one.was, one.now, one.was_reason) == ("quarantined", "read", "the shape 'new' is not known")
    assert (one.superseded(), one.new(), one.differences[0].title) == (0, 1, "New")
    assert (world.cached(), world.statements(), states(world)) == before


def test_a_repeat_does_not_differ_for_having_come_later(world: World) -> None:
    body = {"key": "a", "title": "Beat", "status": "firing"}
    for clock in ("10:00", "10:05", "10:10"):
        world.at(clock).send("any", body)
    assert rehearsed(world, adapters()) == []


def test_what_was_taken_back_before_is_not_taken_back_again(world: World) -> None:
    world.adapters = knows(1, "old", "new")
    world.at("10:00").send("any", {"shape": "new", "id": "b", "title": "New"})
    world.at("11:00").reread(knows(2, "old"))
    assert states(world) == [("quarantined", 2)]
    (again,) = rehearsed(world, knows(3, "new"))
    assert (again.superseded(), again.new()) == (0, 1)
    assert rehearsed(world, knows(1, "new")) == []  # an older version reads nothing over


# --- the command ----------------------------------------------------------------------------------------------------


def mapped(title: str) -> str:
    """The configuration with a mapping for the generic source, which takes the title from this member."""
    return CONFIG + f'mapping = {{ key = "id", status = "state", title = "{title}" }}\n'


@pytest.fixture
def home(tmp_path: Any) -> Home:
    """A record of two deliveries, whose source was configured otherwise since."""
    home = Home(tmp_path)
    file = tmp_path / "site.toml"
    file.write_text(mapped("name"))
    home.run("apply", file)
    store = Store(home.url)
    try:
        from service.commands.terminal import config_in

        world = World(store, config_in(store)).at("10:00")
        world.send("any", {"id": "7", "state": "firing", "name": "Disk", "long": "Disk full on db-1"})
        world.at("10:05").send("any", {"id": "8", "state": "firing", "name": "Same", "long": "Same"})
    finally:
        store.close()
    file.write_text(mapped("long"))
    home.run("apply", file)
    return home


def test_a_dry_run_prints_the_difference_and_changes_nothing(home: Home) -> None:
    first, second, third, total = home.run("reread", "any", "--dry-run").out.splitlines()
    assert first.startswith("2026-03-02T10:00:00.000000Z ")
    assert (second, third) == ("  changed Disk full on db-1 (7)", "    title: Disk → Disk full on db-1")
    assert total == "2 deliveries would be read again: 1 differ, 1 statements would be superseded, 1 would be recorded"
    assert home.run("reread", "any", "--dry-run").out.splitlines()[-1] == total


def test_the_same_as_json(home: Home) -> None:
    told_ = home.run("reread", "any", "--dry-run", "--json").json
    (one,) = told_.pop("differences")
    assert told_ == {"dry_run": True, "deliveries": 2, "differing": 1, "superseded": 1, "new": 1}
    assert one["state"] == {"was": "read", "now": "read"}
    assert one["occurrences"] == [
        {
            "change": "changed",
            "key": "7",
            "title": "Disk full on db-1",
            "fields": [{"name": "title", "was": "Disk", "now": "Disk full on db-1"}],
        }
    ]


def test_without_a_dry_run_it_is_done_and_told(home: Home) -> None:
    total = home.run("reread", "any").out.splitlines()[-1]
    assert total == "2 deliveries read again: 1 differ, 1 statements superseded, 1 recorded"
    again = home.run("reread", "any", "--dry-run", "--json").json
    assert (again["differing"], json.dumps(again["differences"])) == (0, "[]")
