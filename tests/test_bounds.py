"""A reading that cannot be true is counted as lost, with a reason; it is not stored as if it had been measured."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from incidents.bounds import UNITS, objection
from incidents.deliveries import STAMP
from incidents.model import Reading
from incidents.statements import READING
from incidents.store import Store
from tests.world import World

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def reading(variable: str = "temperature_c", value: float = 20.0, **fields: Any) -> Reading:
    return Reading(
        variable, fields.pop("at", NOW), value, fields.pop("latitude", 38.6), fields.pop("longitude", -121.5)
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("temperature_c", 1e308),
        ("temperature_c", -9999.0),
        ("wind_gust_m_s", 999.9),
        ("humidity_pct", -1.0),
        ("precipitation_mm", -0.1),
        ("pressure_hpa", 101_325.0),
        ("grid_load_mw", 1e9),
        ("anything", math.nan),
        ("anything", math.inf),
        ("anything", 10**400),
    ],
)
def test_what_no_instrument_can_have_said_is_objected_to(variable: str, value: float) -> None:
    assert variable in str(objection(reading(variable, value)))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("temperature_c", 56.7),
        ("temperature_c", -89.2),
        ("wind_gust_m_s", 113.2),
        ("humidity_pct", 101.0),
        ("pressure_hpa", 1084.8),
        ("grid_interchange_mw", -12_000.0),
        ("earthquake_depth_km", 700.0),
        ("anything", -1e12),
    ],
)
def test_records_and_units_that_are_not_known_are_believed(variable: str, value: float) -> None:
    assert objection(reading(variable, value)) is None


def test_places_and_years_are_looked_at_too() -> None:
    assert "no place" in str(objection(reading(latitude=91.0)))
    assert "finite" in str(objection(reading(longitude=math.nan)))
    assert "year 9999" in str(objection(reading(at=datetime(9999, 1, 1, tzinfo=UTC))))


@given(st.sampled_from(sorted(UNITS)), st.floats())
def test_only_what_is_within_the_bounds_of_its_unit_is_believed(suffix: str, value: float) -> None:
    least, most = UNITS[suffix]
    assert (objection(reading(f"x{suffix}", value)) is None) == (least <= value <= most)


def test_what_is_objected_to_is_a_loss_and_the_rest_is_kept(store: Store) -> None:
    world, place = World(store), {"at": "2026-03-02T10:00:00Z", "latitude": 38.6, "longitude": -121.5}
    values = [20.5, 1e308, -9999, 21.5]
    items = [{"reading": "temperature_c", "value": v, "station": f"s-{n}", **place} for n, v in enumerate(values)]
    world.send("any", items)
    with store.reading() as connection:
        assert sorted(connection.execute(sa.select(READING.c.value)).scalars()) == [20.5, 21.5]
        (stamp,) = connection.execute(sa.select(STAMP))
    assert (stamp.state, stamp.readings, stamp.losses) == ("read", 2, 2)
    assert "readings that cannot be true: temperature_c 1e+308 is outside -100 to 200" in stamp.loss_reason
