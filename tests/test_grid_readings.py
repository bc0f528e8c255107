"""Readings of a whole grid area on both databases: recorded once, found by their area, known as of a moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from incidents.config import Config
from incidents.model import Reading
from incidents.spoken import reading_digest
from incidents.statements import READING
from incidents.store import Store
from incidents.views import lists
from incidents.views.series import grid_series
from tests.world import World, config, emptied, firing, instant, kept


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def one_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store of each backend for the whole module."""
    yield from kept(request, tmp_path_factory.mktemp("store"))


@pytest.fixture
def world(one_store: Store) -> World:
    """An empty world with a feed of the grid, on either database."""
    return World(emptied(one_store), config=GRID)


GRID = config()
GRID = type(GRID)(sites=GRID.sites, sources=(*GRID.sources, type(GRID.sources[0])("eia", "eia_930")), rules=GRID.rules)


def demand(*values: tuple[str, object], area: str = "BANC") -> dict[str, Any]:
    rows = [{"period": f"2026-03-02T{hour}", "respondent": area, "type": "D", "value": value} for hour, value in values]
    return {"response": {"data": rows}}


def test_a_reading_of_an_area_is_recorded_once_and_belongs_to_sites_of_that_area_alone(world: World) -> None:
    world.at("10:00").send("eia", demand(("08", 2000), ("09", 2100)))
    world.at("10:05").send("eia", demand(("08", 2000), ("09", 2100)))
    world.at("10:06").send("eia", demand(("09", 999), area="CISO"))
    smf, iad = (next(s for s in world.config.sites if s.name == name) for name in ("smf", "iad"))
    since, until = instant("00:00"), instant("23:00")
    with world.store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(READING)).scalar() == 3
        found = lists.list_readings(connection, smf, "grid_demand_mw", since=since, until=until, limit=9)
        assert [(row.value, row.latitude) for row in found] == [(2000, None), (2100, None)]
        assert lists.list_readings(connection, iad, None, since=since, until=until, limit=9) == []
        (series,) = grid_series(connection, Config(), smf, since, until, as_of=until)
        assert [point.value for point in series.points] == [2000, 2100]
        assert (series.station, series.site) == ("BANC", "smf")
        assert series.credit


def test_a_revised_value_holds_and_what_was_known_before_can_be_seen(world: World) -> None:
    world.at("10:00").send("eia", demand(("09", 2100)))
    world.at("12:00").send("eia", demand(("09", 2150)))
    smf = world.config.sites[0]
    with world.store.reading() as connection:
        for moment, value in (("11:00", 2100), ("13:00", 2150)):
            (series,) = grid_series(
                connection, Config(), smf, instant("08:00"), instant("10:00"), as_of=instant(moment)
            )
            assert [point.value for point in series.points] == [value]


def test_the_grids_readings_and_its_credit_are_in_the_view_of_an_incident_at_the_site(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1")).send("eia", demand(("10", 2100)))
    view = world.view()
    assert {series.variable for series in view.series} == {"grid_demand_mw"}
    assert any("Energy Information" in one for one in view.credits)
    assert "grid" not in view.silence


def test_a_grid_area_is_part_of_a_readings_identity_and_its_absence_is_not() -> None:
    place = Reading("temperature_c", instant("10:00"), 1.0, 2.0, 3.0)
    area = Reading("grid_demand_mw", instant("10:00"), 1.0, None, None, grid_area="BANC")
    other = Reading("grid_demand_mw", instant("10:00"), 1.0, None, None, grid_area="CISO")
    assert reading_digest(place) == "fabb810014a9f5463323a51684bc099c691d4498d32c30f3f675948abcb01f4e"
    assert len({reading_digest(one) for one in (place, area, other)}) == 3
