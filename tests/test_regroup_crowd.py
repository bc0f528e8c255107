"""The alerts of a crowd are shown page by page, and of what is near it nothing is missed among so many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from incidents import counting
from incidents.entries import OCCURRENCE, Changes
from incidents.store import Store
from incidents.tables import micros
from incidents.views import regrouping
from incidents.views.regroup_view import SHOWN, Regrouping, Wanted
from tests.bench import filling

SINCE = datetime(2026, 11, 20, 6, tzinfo=UTC)
NOW = SINCE + 2 * filling.SPAN
ALERTS = 1_500
OUT = (1, 0, 700, 1499)
"""Which of them were taken out again, those next to the first that is left before the others."""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str, list[str]]]:
    """A store with a crowd of which a few alerts left, its id, and the ids of those."""
    path = tmp_path_factory.mktemp("regroup")
    with closing(Store(f"sqlite:///{path / 'crowd.db'}")) as store:
        store.migrate()
        incident = filling.fill(store, ALERTS, SINCE)
        every = members(store, incident)
        out = [every[n] for n in OUT]
        with store.writing() as connection:
            changes = Changes(store, connection, NOW)
            changes.leave(incident, out, "user:ana")
            changes.settle()
        yield store, incident, out


def members(store: Store, incident: str) -> list[str]:
    """The ids of its alerts in the order in which they began."""
    query = sa.select(OCCURRENCE.c.id).where(OCCURRENCE.c.id.in_(counting.current_members(incident)))
    with store.reading() as connection:
        return list(connection.execute(query.order_by(OCCURRENCE.c.starts_at, OCCURRENCE.c.id)).scalars())


def shown(crowd: tuple[Store, str, list[str]], wanted: Wanted) -> Regrouping:
    store, incident, _ = crowd
    with store.reading() as connection:
        found = regrouping.read_regrouping(connection, incident, wanted, NOW)
    assert found
    return found


@pytest.mark.parametrize("words", ["", "Chiller", "nothing of the kind"])
def test_page_after_page_has_each_alert_once(crowd: tuple[Store, str, list[str]], words: str) -> None:
    seen: list[str] = []
    after = None
    while True:
        found = shown(crowd, Wanted(words, after=after))
        page = found.members[:SHOWN]
        seen += [one.id for one in page]
        if len(found.members) <= SHOWN:
            break
        after = micros(page[-1].starts_at), page[-1].id
    with crowd[0].reading() as connection:
        fitting = set(regrouping.fitting(connection, crowd[1], words))
    assert seen == [one for one in members(*crowd[:2]) if one in fitting]
    assert found.total == len(seen)
    assert bool(seen) == (words != "nothing of the kind")


def test_alerts_of_one_instant_are_parted_by_their_ids(crowd: tuple[Store, str, list[str]]) -> None:
    store, incident, _ = crowd
    every = members(store, incident)
    with store.writing() as connection:
        one = connection.execute(sa.select(OCCURRENCE.c.starts_at).where(OCCURRENCE.c.id == every[SHOWN - 2])).scalar()
        several = every[SHOWN - 2 : SHOWN + 5]
        began = {
            row.id: row.starts_at
            for row in connection.execute(sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(several)))
        }
        connection.execute(sa.update(OCCURRENCE).where(OCCURRENCE.c.id.in_(several)).values(starts_at=one))
    try:
        test_page_after_page_has_each_alert_once(crowd, "")
    finally:
        with store.writing() as connection:
            for name, at in began.items():
                connection.execute(sa.update(OCCURRENCE).where(OCCURRENCE.c.id == name).values(starts_at=at))


@pytest.mark.parametrize("minutes", [regrouping.MOST_MINUTES, 0], ids=["by minutes", "one by one"])
def test_what_left_a_crowd_is_near_it_the_nearest_first(
    crowd: tuple[Store, str, list[str]], monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    monkeypatch.setattr(regrouping, "MOST_MINUTES", minutes)
    found = shown(crowd, Wanted())
    assert [one.id for one in found.near] == crowd[2]
    assert shown(crowd, Wanted(near=crowd[2][2])).near == (found.near[2],)
