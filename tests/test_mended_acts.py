"""What people do at once, and what they cannot do: locks, merges, withdrawals and the bounds of what they say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from incidents import instants, moves
from incidents.acts import Acting
from incidents.entries import Changes, Draft
from incidents.ingest import Ingest
from incidents.model import Incident
from incidents.refusals import ConflictError, NotFoundError
from incidents.store import Store
from tests.world import World, firing, instant, resolved

GIVE_UP = 60
"""Seconds after which something that should have come about counts as a failure."""


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    """Threads on which something runs beside the test."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


def end(running: Future[Any]) -> Any:
    """What it gave, or the error with which it ended."""
    return running.exception(GIVE_UP) or running.result()


def waiting(store: Store) -> int:
    """How many transactions wait for a lock that people and senders take."""
    with store.reading() as connection:
        return int(
            connection.exec_driver_sql(
                "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
                " WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted"
            ).scalar_one()
        )


def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    latest = time.monotonic() + GIVE_UP
    while not condition():
        assert time.monotonic() < latest, "it did not come about"
        time.sleep(0.01)


@contextmanager
def held(store: Store, *names: str) -> Iterator[None]:
    """Another transaction holds these locks."""
    with store.writing() as connection:
        store.lock(connection, names)
        yield


def opened(world: World, title: str, **fields: Any) -> Incident:
    """An incident that somebody opens by hand."""
    return world.act(lambda acting: acting.open({"title": title, "severity": "error", **fields}))


# --- at once ----------------------------------------------------------------------------------------------------------


def test_of_two_who_saw_the_same_version_only_one_changes_it(
    postgresql_store: Store, beside: ThreadPoolExecutor
) -> None:
    world = World(postgresql_store)
    one = opened(world, "Down")

    def rename(title: str) -> Incident:
        def deed(acting: Acting) -> Incident:
            acting.seen(one.id, expected=one.version)
            return acting.patch(one.id, {"title": title})

        return world.act(deed)

    with held(postgresql_store, f"group:{one.group}"):
        both = [beside.submit(lambda: rename("by alice")), beside.submit(lambda: rename("by bob"))]
        until(lambda: waiting(postgresql_store) == 2)
    ends = [end(deed) for deed in both]
    assert sorted(type(found).__name__ for found in ends) == ["ConflictError", "Incident"]
    assert [e.kind for e in world.log()] == ["opened", "field_changed"]


def test_two_opposite_merges_do_not_wait_for_each_other(postgresql_store: Store, beside: ThreadPoolExecutor) -> None:
    world = World(postgresql_store)
    for nth in range(4):
        a, b = opened(world, f"A {nth}"), opened(world, f"B {nth}")
        with held(postgresql_store, f"group:{a.group}", f"group:{b.group}"):
            both = [
                beside.submit(lambda a=a, b=b: world.act(lambda acting: moves.merge(acting, a.id, b.id))),
                beside.submit(lambda a=a, b=b: world.act(lambda acting: moves.merge(acting, b.id, a.id))),
            ]
            until(lambda: waiting(postgresql_store) == 2)
        ends = [end(deed) for deed in both]
        assert sorted(type(found).__name__ for found in ends) == ["ConflictError", "Incident"]
        assert sum(i.merged_into is not None for i in world.incidents() if i.id in (a.id, b.id)) == 1


def test_merging_and_unmerging_at_once_come_to_an_end(postgresql_store: Store, beside: ThreadPoolExecutor) -> None:
    world = World(postgresql_store)
    a, b, c = opened(world, "A"), opened(world, "B"), opened(world, "C")
    world.act(lambda acting: moves.merge(acting, a.id, b.id))
    with held(postgresql_store, *(f"group:{i.group}" for i in (a, b, c))):
        both = [
            beside.submit(lambda: world.act(lambda acting: moves.unmerge(acting, a.id))),
            beside.submit(lambda: world.act(lambda acting: moves.merge(acting, c.id, a.id))),
        ]
        until(lambda: waiting(postgresql_store) == 2)
    back, other = (end(deed) for deed in both)
    assert isinstance(back, Incident)
    assert isinstance(other, Incident | ConflictError)
    before = world.digest()
    assert world.rebuilt() == before


MOVES: dict[str, Callable[[Acting, str, str, str], Incident]] = {
    "attach": lambda acting, alert, _home, other: moves.regroup(acting, other, [alert], []),
    "merge": lambda acting, _alert, home, other: moves.merge(acting, home, other),
    "split": lambda acting, alert, home, _other: moves.split(acting, home, [alert]),
    "detach": lambda acting, alert, home, _other: moves.regroup(acting, home, [], [alert]),
}


@pytest.mark.parametrize("move", MOVES)
def test_an_alert_that_ends_while_somebody_moves_it_is_over_wherever_it_is(
    postgresql_store: Store, beside: ThreadPoolExecutor, move: str
) -> None:
    """Its sender's transaction has said all but is not committed when the person asks."""
    world = World(postgresql_store)
    world.at("10:00").alertmanager(firing("db-1"))
    alert, own = world.alert("db-1"), world.only().id
    # At home in an incident of another group, to which it was attached by hand.
    home, other = opened(world, "By hand").id, opened(world, "Another").id
    world.act(lambda acting: moves.regroup(acting, home, [alert], []))
    world.at("10:05").deliver("am", world.notification(resolved("db-1")))
    with held(postgresql_store, "pulse"):
        sender = beside.submit(lambda: Ingest(postgresql_store, world.adapters).work(world.config, world.now))
        until(lambda: waiting(postgresql_store) == 1)
        person = beside.submit(lambda: world.act(lambda acting: MOVES[move](acting, alert, home, other)))
        until(lambda: person.done() or waiting(postgresql_store) == 2)
    assert isinstance(end(person), Incident)
    assert end(sender).deliveries == 1
    assert {i.id: i.members.on for i in world.incidents()} == dict.fromkeys((i.id for i in world.incidents()), 0)
    assert own in {i.id for i in world.incidents()}
    before = world.cached()
    assert world.rebuilt()
    assert world.cached() == before


def test_an_alert_that_joins_while_somebody_merges_has_its_sender_held_too(
    postgresql_store: Store, beside: ThreadPoolExecutor
) -> None:
    """The one who merges first waits without any lock of a sender; then a sender it did not know of has joined."""
    world = World(postgresql_store)
    world.at("10:00").alertmanager(firing("db-1"))
    home, into = world.only(), opened(world, "Another")
    world.deliver("am-2", world.notification(firing("db-2")))

    def merge(acting: Acting) -> int:
        moves.merge(acting, home.id, into.id)
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()"
        return int(acting.connection.exec_driver_sql(query).scalar_one())

    with held(postgresql_store, "pulse"):
        sender = beside.submit(lambda: Ingest(postgresql_store, world.adapters).work(world.config, world.now))
        until(lambda: waiting(postgresql_store) == 1)
        person = beside.submit(lambda: world.act(merge))
        until(lambda: waiting(postgresql_store) == 2)
    assert end(sender).deliveries == 1
    assert end(person) == 5, "two senders, two groups, and linking"
    assert world.members(into.id) == ["db-1", "db-2"]
    before = world.cached()
    assert world.rebuilt()
    assert world.cached() == before


# --- merges -----------------------------------------------------------------------------------------------------------


def test_what_others_are_merged_into_is_not_merged_away(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"))
    a, b, c = world.only(), opened(world, "B"), opened(world, "C")
    world.act(lambda acting: moves.merge(acting, a.id, b.id))
    with pytest.raises(ConflictError, match=f"{a.id} is merged into this incident: take it out first"):
        world.act(lambda acting: moves.merge(acting, b.id, c.id))
    world.act(lambda acting: moves.merge(acting, c.id, b.id))
    world.act(lambda acting: moves.unmerge(acting, a.id))
    world.act(lambda acting: moves.unmerge(acting, c.id))
    world.act(lambda acting: moves.merge(acting, b.id, c.id))
    assert [i.merged_into for i in world.incidents() if i.id == b.id] == [c.id]


def record_merge(world: World, incident: str, into: str) -> None:
    """A merge as the log may hold it from before chains were refused."""
    with world.store.writing() as connection:
        changes = Changes(world.store, connection, world.now)
        changes.append(Draft(incident, "merged", {"into": into, "alerts": []}, "user:alice", world.now))
        changes.settle()


def test_new_alerts_follow_a_chain_of_merges_to_its_end(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"))
    a, b, c = world.only(), opened(world, "B"), opened(world, "C")
    world.act(lambda acting: moves.merge(acting, a.id, b.id))
    record_merge(world, b.id, c.id)
    world.at("10:05").alertmanager(firing("db-2"))
    assert {name: world.members(name) for name in (a.id, b.id, c.id)} == {
        a.id: ["db-1"],
        b.id: ["db-1"],
        c.id: ["db-2"],
    }
    assert len(world.incidents()) == 3


def test_a_ring_of_merges_swallows_nothing(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"))
    a, b = world.only(), opened(world, "B")
    world.act(lambda acting: moves.merge(acting, a.id, b.id))
    record_merge(world, b.id, a.id)
    world.at("10:05").alertmanager(firing("db-2"))
    assert world.members(a.id) == ["db-1", "db-2"]


def test_what_a_merge_or_a_split_makes_is_weighed_against_the_outside_world(store: Store) -> None:
    world = World(store)
    world.hazard("Extreme Heat Warning", since="08:00", until="20:00", zones=["CAC067"], severity="extreme")
    world.at("10:00").alertmanager(firing("db-1"), firing("db-2"))
    one = world.only()
    apart = world.act(lambda acting: moves.split(acting, one.id, [world.alert("db-2")]))
    assert [link.id for link in apart.links] == [link.id for link in one.links] != []


# --- withdrawals ------------------------------------------------------------------------------------------------------


def test_a_withdrawn_withdrawal_brings_the_entry_back(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"))
    name = world.only().id
    for deed in (
        lambda acting: acting.note(name, {"text": "The primary failed"}),
        lambda acting: acting.patch(name, {"title": "All down"}),
        lambda acting: acting.status(name, {"status": "acknowledged"}),
    ):
        before, lines = world.only(), world.timeline()
        world.act(deed)
        after, more = world.only(), world.timeline()
        number = world.log()[-1].id
        withdrawal = world.act(lambda acting, number=number: acting.retract(name, number))
        assert (world.only().title, world.only().status) == (before.title, before.status)
        assert world.timeline() == lines
        assert world.act(lambda acting, number=number: acting.retract(name, number)) == withdrawal, "not twice"
        world.act(lambda acting, withdrawal=withdrawal: acting.retract(name, withdrawal))
        assert (world.only().title, world.only().status) == (after.title, after.status)
        assert world.timeline() == more
        digest = world.digest()
        assert world.rebuilt() == digest
    again = world.act(lambda acting: acting.retract(name, number))
    assert again != withdrawal
    assert world.only().status == "open"


def test_what_moved_something_is_undone_and_not_withdrawn(store: Store) -> None:
    world = World(store)
    world.hazard("Extreme Heat Warning", since="08:00", until="20:00", zones=["CAC067"], severity="extreme")
    world.at("10:00").alertmanager(firing("db-1"), firing("db-2"))
    one, into = world.only(), opened(world, "Another")
    apart = world.act(lambda acting: moves.split(acting, one.id, [world.alert("db-2")]))
    for deed in (
        lambda acting: moves.merge(acting, apart.id, into.id),
        lambda acting: moves.unmerge(acting, apart.id),
        lambda acting: moves.merge(acting, apart.id, into.id),
    ):
        world.act(deed)
    before, refused = world.cached(), {}
    for incident in (one.id, apart.id, into.id):
        for entry in world.log(incident):
            with pytest.raises(ConflictError) as error:
                world.act(lambda acting, i=incident, n=entry.id: acting.retract(i, n))
            refused[entry.kind] = str(error.value).partition("; ")[2]
    assert refused == {
        "opened": "resolve the incident instead",
        "alerts_joined": "detach the alerts instead",
        "alerts_left": "attach the alerts again instead",
        "link_proposed": "reject the link instead",
        "merged": "take the incidents apart again (unmerge) instead",
        "merged_from": "take the incidents apart again (unmerge) instead",
        "unmerged": "merge the incidents again instead",
        "split": "merge the incidents again instead",
    }
    assert world.cached() == before


def test_a_verdict_can_be_withdrawn(store: Store) -> None:
    world = World(store)
    world.hazard("Extreme Heat Warning", since="08:00", until="20:00", zones=["CAC067"], severity="extreme")
    world.at("10:00").alertmanager(firing("db-1"))
    one = world.only()
    world.act(lambda acting: acting.judge(one.id, one.links[0].id, {"verdict": "rejected"}))
    assert world.only().links[0].state == "rejected"
    world.act(lambda acting: acting.retract(one.id, world.log()[-1].id))
    assert world.only().links[0].state == "proposed"
    with pytest.raises(ValueError, match=r"^verdict: .*proposed"):
        world.act(lambda acting: acting.judge(one.id, one.links[0].id, {"verdict": "maybe"}))


# --- what is said -----------------------------------------------------------------------------------------------------


def test_an_alert_named_twice_is_attached_or_detached_once(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"), firing("db-2"))
    one, other = world.only(), opened(world, "Another")
    alert = world.alert("db-1")
    assert world.act(lambda acting: moves.regroup(acting, other.id, [alert, alert], [])).members.alerts == 1
    assert world.act(lambda acting: moves.regroup(acting, one.id, [], [alert, alert])).members.alerts == 1
    assert [e.params["count"] for e in world.log(one.id) if e.kind == "alerts_left"] == [1]
    assert world.act(lambda acting: moves.split(acting, one.id, [world.alert("db-2")] * 2)).members.alerts == 1
    with pytest.raises(NotFoundError, match="no such alert"):
        world.act(lambda acting: moves.regroup(acting, one.id, [], [alert]))


Says = Callable[[Acting, str, Any], object]
SAYS: dict[str, tuple[str, Says]] = {
    "opening": (
        "impact_started_at",
        lambda acting, _name, at: acting.open({"title": "x", "impact_started_at": at}),
    ),
    "status": ("happened_at", lambda acting, name, at: acting.status(name, {"status": "resolved", "happened_at": at})),
    "note": ("happened_at", lambda acting, name, at: acting.note(name, {"text": "x", "happened_at": at})),
    "end of a note": (
        "happened_until",
        lambda acting, name, at: acting.note(name, {"text": "x", "happened_until": at}),
    ),
    "milestone": ("resolved_at", lambda acting, name, at: acting.patch(name, {"resolved_at": at})),
    "window": ("impact_windows", lambda acting, name, at: acting.patch(name, {"impact_windows": [at]})),
}


@pytest.mark.parametrize("says", SAYS)
def test_people_speak_of_instants_between_1970_and_tomorrow(store: Store, says: str) -> None:
    field, deed = SAYS[says]
    world = World(store).at("10:00")
    name = opened(world, "Down").id
    version = world.only().version
    near, far = instant("+1 09:59"), instant("+1 10:01")
    for wrong in (far, far + timedelta(days=36_500)):
        with pytest.raises(ValueError, match=f"^{field}: lies more than a day ahead|^{field}: an instant since 1970"):
            world.act(lambda acting, wrong=wrong: deed(acting, name, instants.text(wrong)))
    for wrong in ("1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "soon", 5):
        with pytest.raises(ValueError, match=f"^{field}: "):
            world.act(lambda acting, wrong=wrong: deed(acting, name, wrong))
    if says in ("status", "milestone", "window"):
        with pytest.raises(ValueError, match=f"^{field}: lies more than a day ahead"):
            world.act(lambda acting: deed(acting, name, {"at": instants.text(near), "until": instants.text(far)}))
    assert (len(world.incidents()), world.only().version) == (1, version)
    world.act(lambda acting: deed(acting, name, instants.text(near)))
