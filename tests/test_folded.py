"""What is kept of incidents is never out of date, and bounded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from incidents import entries, instants, private_acts
from incidents.privacy import ALL, STRANGER, Asker
from incidents.store import Store
from incidents.views import known, review
from incidents.views.folded import read_folded
from incidents.views.kept import Kept
from incidents.views.review import ReviewAsked, read_review
from tests.world import TWO_SITES, World, firing, instant, resolved


def test_a_kept_incident_is_the_one_that_is_folded_now(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"))
    name = world.only().id
    steps = (
        lambda: world.at("10:05").status("acknowledged"),
        lambda: world.at("10:06").alertmanager(firing("db-2")),
        lambda: world.at("10:07").act(lambda acting: acting.patch(name, {"title": "Another"})),
        lambda: world.at("10:09").alertmanager(resolved("db-1"), resolved("db-2")),
        world.rebuilt,
    )
    for step in steps:
        for _ in range(2):
            with store.reading() as connection:
                assert read_folded(connection, [name, "none"]) == entries.read_incidents(connection, [name])
        step()
    with store.reading() as connection:
        assert read_folded(connection, [name])[name].title == "Another"


def test_the_longest_unused_goes_first() -> None:
    kept: Kept[int] = Kept(2)
    made: list[str] = []

    def make(name: str) -> int:
        made.append(name)
        return len(made)

    for name in ("a", "b", "a", "c", "a", "b"):
        kept.get(name, lambda name=name: make(name))  # type: ignore[misc]  # name is a text
    assert made == ["a", "b", "c", "b"]


def test_what_is_known_of_an_alert_is_what_its_statements_say_now(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"))
    steps: tuple[Callable[[], World], ...] = (
        lambda: world,
        lambda: world.at("10:05").alertmanager(firing("db-1", "warning", since="10:00")),
        lambda: world.at("10:06").alertmanager(resolved("db-1", "warning", since="10:00")),
        lambda: world.at("10:07").alertmanager(firing("db-2")),
    )
    for step in steps:
        step()
        for as_of in (None, "10:00", "10:05"):
            kept = [world.view(as_of=as_of) for _ in range(2)][1]
            with monkeypatch.context() as patched:
                patched.setattr(known, "_KNOWN", Kept(0))
                afresh = world.view(as_of=as_of)
            assert (kept.lines, kept.bars, kept.revision) == (afresh.lines, afresh.bars, afresh.revision)
    assert [line.kind for line in world.view().lines].count("alert_ended") == 1


def test_known_occurrences_are_folded_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"), firing("db-2"))
    world.view()
    monkeypatch.setattr(known, "said_of", lambda row: pytest.fail(f"event {row.id} is folded again"))
    assert len(world.view().bars) == 2


def review_of(store: Store, asker: Asker) -> list[tuple[str, str | None]]:
    """The titles of the incidents in a review, each with its first alert."""
    asked = ReviewAsked(now=instant("12:00"), since=instant("00:00"), until=instant("12:00"), zone="UTC")
    with store.reading(asker) as connection:
        return [(one.incident.title, one.alert) for one in read_review(connection, TWO_SITES, asked).members]


def test_a_kept_member_of_a_review_is_as_its_incident_stands_and_shown_to_those_who_may_see_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"), firing("db-2", site="iad"))
    public, hidden = "2026-03-02-smf", "2026-03-02-iad"
    assert len(review_of(store, STRANGER)) == 2
    world.act(lambda acting: acting.patch(public, {"title": "Another", "impact_started_at": instants.text(world.now)}))
    world.act(lambda acting: private_acts.change(acting, hidden, {"private": True, "seen_by": [], "reason": "a name"}))
    for _ in range(2):
        assert len(review_of(store, ALL)) == 2
        assert review_of(store, STRANGER) == [("Another", "Down")]
    with monkeypatch.context() as patched:
        patched.setattr(review, "_MEMBERS", Kept(0))
        assert review_of(store, STRANGER) == [("Another", "Down")]
