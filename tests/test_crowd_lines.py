"""A crowd's counted lines after each change equal those counted from nothing, though only what changed is read."""

from __future__ import annotations

from random import Random

import pytest

from incidents import instants, moves
from incidents.store import Store
from incidents.views import crowd_lines
from incidents.views.view import Line
from tests.world import Alert, World, emptied, firing, instant, resolved

SEED = 20261124
NAMES = (("HostDown", "critical"), ("DiskLatencyHigh", "warning"), ("ChillerTripped", "error"))


def now(world: World) -> list[Line]:
    """The lines as a page has them."""
    incident = world.only()
    with world.store.reading() as connection:
        return crowd_lines.runs_now(connection, incident.id, incident.members.alerts)


def from_nothing(world: World) -> list[Line]:
    with world.store.reading() as connection:
        return crowd_lines.runs(connection, world.only().id, None)


def alerts(chance: Random, batch: int, n: int = 12) -> list[Alert]:
    """Alerts of which some begin in one second, some together with those of other batches."""
    found = []
    for number in range(n):
        name, severity = chance.choice(NAMES)
        since = f"09:{chance.randrange(50, 60)}:{chance.choice((0, 7, 9, 10, 11, 19, 59)):02d}"
        found.append(firing(f"h-{batch}-{number}", severity, name=name, since=since))
    return found


@pytest.mark.parametrize("most", [5, 5000], ids=["by lane", "by name"])
def test_after_each_change_the_lines_are_those_counted_from_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(crowd_lines, "MARKS", most)
    world, chance = World(store).at("10:00"), Random(SEED)
    world.alertmanager(*alerts(chance, 0, 40))
    assert now(world) == from_nothing(world)
    seen = set()
    for batch in range(1, 12):
        world.at(f"10:{batch:02d}")
        if batch % 3 == 0:  # one ends, and another begins earlier than it had been said to
            one = chance.choice([seen for seen in world.occurrences() if seen.ends_at is None])
            labels = one.rest["labels"]
            told = {"name": labels["alertname"], "since": f"{one.starts_at:%H:%M:%S}"}
            world.alertmanager(resolved(labels["instance"], labels["severity"], until="10:00:30", **told))
        else:
            world.alertmanager(*alerts(chance, batch, 3))
        with monkeypatch.context() as patched:
            patched.setattr(crowd_lines, "_all", None)  # what did not change is not read
            found = now(world)
        assert found == from_nothing(world)
        seen.add(tuple(found))
    assert len(seen) == 11, "each change was told"
    assert sum(line.count for line in found) == world.only().members.alerts


def test_an_alert_that_changes_its_name_and_severity_parts_and_joins_runs(store: Store) -> None:
    world = World(store)
    body = {"title": "Slow", "severity": "error"}

    def say(clock: str, key: int, since: str, name: str = "Slow", **more: str) -> None:
        labels = {"datacenter": "smf1", "alertname": name}
        told = {**body, "key": str(key), "starts_at": instants.text(instant(since)), "labels": labels, **more}
        world.at(clock).send("any", told)

    for n in range(6):
        say("10:00", n, f"09:55:{3 * n:02d}")
    assert [line.count for line in now(world)] == [6]
    say("10:05", 3, "09:55:09", "Full", severity="critical")
    assert [line.count for line in now(world)] == [3, 1, 2]
    say("10:06", 3, "09:50:00", "Full")
    assert [line.count for line in now(world)] == [1, 5]
    assert now(world) == from_nothing(world)


def test_who_left_is_in_no_line(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(*(firing(f"h-{n}", since=f"09:5{n}:00") for n in range(6)))
    assert [line.count for line in now(world)] == [6]
    incident, leaving = world.only().id, [world.alert("h-2")]
    world.at("10:05").act(lambda acting: moves.regroup(acting, incident, [], leaving))
    assert [line.count for line in now(world)] == [5]
    world.at("10:06").alertmanager(firing("h-6", since="09:56:00"))
    assert [line.count for line in now(world)] == [6]
    assert now(world) == from_nothing(world)


def test_what_is_kept_of_one_store_is_not_told_of_another(sqlite_store: Store) -> None:
    first = World(sqlite_store).at("10:00").alertmanager(*(firing(f"h-{n}", since=f"09:5{n}:00") for n in range(6)))
    assert [line.count for line in now(first)] == [6]
    name = first.only().id
    second = World(emptied(sqlite_store)).at("10:00")
    second.alertmanager(*(firing(f"h-{n}", since=f"09:4{n}:00") for n in range(5)))
    second.at("10:01").alertmanager(firing("h-9", since="09:49:00"))
    assert second.only().id == name
    assert now(second) == from_nothing(second)
    assert now(second)[0].happened_at == instant("09:40")
