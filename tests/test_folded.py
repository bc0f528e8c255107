"""What is kept of incidents is never out of date, and bounded."""

from __future__ import annotations

from incidents import entries
from incidents.store import Store
from incidents.views.folded import read_folded
from incidents.views.kept import Kept
from tests.world import World, firing, resolved


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
