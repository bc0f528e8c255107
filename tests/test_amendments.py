"""Wordings of corrected entries, what was withdrawn, and undoing by appending, on both databases."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from incidents import amendments, moves
from incidents.amendments import Amendments
from incidents.entries import Changes, everything
from incidents.model import Entry, Incident
from incidents.refusals import ConflictError, NotFoundError
from incidents.store import Store
from incidents.undoing import undo
from incidents.views import lists
from incidents.views.amended import read_amendments
from tests.world import World, firing


@pytest.fixture
def world(store: Store) -> World:
    """One incident of two alerts that a rule opened."""
    return World(store).at("10:00").alertmanager(firing("db-1"), firing("db-2"))


def log(world: World, incident: str) -> list[Entry]:
    with world.store.reading() as connection:
        return everything(connection, incident)


def seen(world: World, incident: str, who: str = "alice") -> Amendments:
    with world.store.reading() as connection:
        return read_amendments(connection, incident, f"user:{who}", world.now)


def alerts(world: World, incident: str) -> list[str]:
    with world.store.reading() as connection:
        return [a.id for a in lists.alerts_of(connection, incident, after="", limit=10)]


def opened(world: World, title: str) -> str:
    return world.act(lambda acting: acting.open({"title": title, "severity": "error"})).id


def undo_last(world: World, incident: str) -> None:
    """What the page's Undo does, a minute later."""
    last = seen(world, incident).last_act[0].id
    world.go_on(timedelta(minutes=1)).act(lambda acting: undo(acting, incident, last))


def test_every_wording_of_an_entry_can_be_read(world: World) -> None:
    name = world.only().id
    number = world.act(lambda acting: acting.note(name, {"text": "Fans swapped"}))
    for clock, fields in (("10:05", {"text": "Fans replaced"}), ("10:06", {"pinned": True})):
        world.at(clock).act(lambda acting, f=fields: acting.correct(name, number, f), "bob")
    versions = seen(world, name).wordings[number]
    assert [(v.text, v.pinned, v.actor) for v in versions] == [
        ("Fans swapped", False, "user:alice"),
        ("Fans replaced", False, "user:bob"),
        ("Fans replaced", True, "user:bob"),
    ]
    assert next(v.entry for v in versions) == number


def test_a_correction_taken_back_is_told_and_holds_no_more(world: World) -> None:
    name = world.only().id
    number = world.act(lambda acting: acting.note(name, {"text": "One"}))
    world.at("10:05").act(lambda acting: acting.correct(name, number, {"text": "Two"}))
    undo_last(world, name)
    world.at("10:09").act(lambda acting: acting.correct(name, number, {"pinned": True}))
    assert [(v.text, v.is_withdrawn) for v in seen(world, name).wordings[number]] == [
        ("One", False),
        ("Two", True),
        ("One", False),
    ]


def test_the_note_of_a_status_can_be_corrected(world: World) -> None:
    name = world.status("acknowledged").only().id
    number = next(e.id for e in log(world, name) if e.kind == "status_changed")
    world.at("10:05").act(lambda acting: acting.correct(name, number, {"text": "by telephone"}))
    assert "Acknowledged: by telephone" in world.timeline()


def test_undoing_a_withdrawal_brings_the_entry_back_and_undoing_that_takes_it_away(world: World) -> None:
    name = world.only().id
    number = world.act(lambda acting: acting.note(name, {"text": "Fans swapped"}))
    world.at("10:02").act(lambda acting: acting.retract(name, number))
    assert [w.entry.id for w in seen(world, name).withdrawn] == [number]
    assert "Fans swapped" not in world.timeline()
    undo_last(world, name)
    assert seen(world, name).withdrawn == ()
    assert "Fans swapped" in world.timeline()
    undo_last(world, name)
    assert "Fans swapped" not in world.timeline()
    assert len([e for e in log(world, name) if e.kind == "retraction"]) == 3, "nothing is erased"


def test_detaching_is_undone_by_attaching_the_same_alerts(world: World) -> None:
    name = world.only().id
    both = alerts(world, name)
    world.act(lambda acting: moves.regroup(acting, name, [], both[:1]))
    assert alerts(world, name) == both[1:]
    undo_last(world, name)
    assert alerts(world, name) == both
    undo_last(world, name)
    assert alerts(world, name) == both[1:]


def test_merge_and_split_are_undone_from_either_side(world: World) -> None:
    name = world.only().id
    first, second = alerts(world, name)
    part = world.act(lambda acting: moves.split(acting, name, [second])).id
    assert (alerts(world, name), alerts(world, part)) == ([first], [second])
    undo_last(world, name)
    assert alerts(world, name) == [first, second]
    assert [i.merged_into for i in world.incidents() if i.id == part] == [name]
    undo_last(world, part)
    assert (alerts(world, name), alerts(world, part)) == ([first], [second])
    undo_last(world, part)
    undo_last(world, name)
    assert (alerts(world, name), alerts(world, part)) == ([first], [second])


@pytest.mark.parametrize("side", ["merged", "merged_from"])
def test_a_merge_that_was_undone_before_is_not_undone_again(world: World, side: str) -> None:
    one = world.only().id
    old, new = (opened(world, title) for title in ("B", "C"))
    world.at("10:01").act(lambda acting: moves.merge(acting, one, old))
    where = one if side == "merged" else old
    number = next(e.id for e in log(world, where) if e.kind == side)
    world.at("10:02").act(lambda acting: moves.unmerge(acting, one))
    with pytest.raises(ConflictError):
        world.act(lambda acting: undo(acting, where, number))
    for minute, into in (("10:03", new), ("10:05", old)):
        world.at(minute).act(partial(moves.merge, incident=one, into=into), "bob")
        with pytest.raises(ConflictError, match="not in force"):
            world.act(lambda acting: undo(acting, where, number))
        assert [i.merged_into for i in world.incidents() if i.id == one] == [into]
        last = max(e.id for e in log(world, into) if e.kind == "merged_from")
        world.go_on(timedelta(minutes=1)).act(partial(undo, incident=into, number=last))
        assert [i.merged_into for i in world.incidents() if i.id == one] == [None]


def test_all_changes_of_one_form_are_undone_together_and_a_verdict_too(world: World) -> None:
    name = world.only().id
    world.act(lambda acting: acting.patch(name, {"owner": "ana", "title": "Else", "reason": "told by telephone"}))
    assert "Owner set to ana: told by telephone" in world.timeline()
    undo_last(world, name)
    now = world.incidents()[0]
    assert now.owner is None
    assert now.title != "Else"


def test_a_long_conversation_is_undone_in_one_fold(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    name = world.only().id
    said = [({"text": f"The site is hot, {n}", "origin": "chat"}, f"chat|{n}") for n in range(40)]
    world.act(lambda acting: acting.transcribe(name, said))
    folds: list[str] = []
    settle = Changes.settle

    def counted(changes: Changes) -> dict[str, Incident]:
        folds.append("one")
        return settle(changes)

    monkeypatch.setattr(Changes, "settle", counted)
    undo_last(world.go_on(timedelta(minutes=1)), name)
    assert len([e for e in log(world, name) if e.kind == "retraction"]) == 40
    assert "The site is hot" not in world.timeline()
    assert len(folds) <= 4, "of the clock, of the retractions, of what relinking adds"
    undo_last(world, name)
    assert world.timeline().count("The site is hot") == 40


def test_what_cannot_be_undone_is_refused_and_not_offered(world: World) -> None:
    name = world.only().id
    opened = next(e.id for e in log(world, name) if e.kind == "opened")
    with pytest.raises(ConflictError):
        world.act(lambda acting: undo(acting, name, opened))
    with pytest.raises(NotFoundError):
        world.act(lambda acting: undo(acting, name, 10**6))
    assert seen(world, name).last_act == ()
    by_hand = world.act(lambda acting: acting.open({"title": "Mine", "severity": "error"})).id
    assert seen(world, by_hand).last_act == ()


def test_undo_is_offered_to_who_did_it_for_a_while(world: World) -> None:
    name = world.only().id
    world.act(lambda acting: acting.note(name, {"text": "One"}))
    assert seen(world, name).last_act
    assert not seen(world, name, "bob").last_act
    world.go_on(amendments.OFFERED + timedelta(seconds=1))
    assert not seen(world, name).last_act


def test_people_who_acted_are_named_in_the_order_in_which_they_came(world: World) -> None:
    name = world.only().id
    for who in ("bob", "alice", "bob"):
        world.go_on(timedelta(minutes=1)).act(lambda acting: acting.note(name, {"text": "Here"}), who)
    assert seen(world, name).responders == ("user:bob", "user:alice")
