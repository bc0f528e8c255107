"""The index of places leaves nothing out that places lets meet, and gives few keys for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.geography.places import relation
from incidents.linker.cells import EVERYWHERE, box_of, cells, keys_of, keys_of_site, provider_slug, providers_of
from incidents.linker.reach import SiteIndex
from incidents.model import Area, Occurrence, Severity, Site

AT = datetime(2026, 1, 1, tzinfo=UTC)


def seen(area: Area | None, kind: Any = "hazard", source: str = "s", **labels: str) -> Occurrence:
    return Occurrence("o", source, "k", kind, "t", Severity.INFO, AT, area=area, labels=labels)


latitudes, longitudes = st.floats(-90, 90), st.floats(-180, 180)


@st.composite
def sites(draw: st.DrawFn) -> Site:
    return Site(
        "x", "X", draw(latitudes), draw(longitudes), uncertainty_km=draw(st.sampled_from([0, 1, 5, 30, 200, 5000])),
        provider_regions=tuple(draw(st.lists(st.sampled_from(REGIONS), max_size=2))),
        zones=tuple(draw(st.lists(st.sampled_from(ZONES), max_size=2))),
        grid_area=draw(st.none() | st.sampled_from(["BANC", "Ciso"])),
    )  # fmt: skip


REGIONS = [
    "aws:us-west-1",
    "aws:us-west-1a",
    "gcp:europe-west2",
    "gcp:europe-west2-a",
    "azure:uksouth-az1",
    "azure:uksouth",
    "us-west-1",
    "usw1-az1",
    "europe-west2-a",
    "uksouth",
    "UK South (London)",
    "LHR",
    "oci:uk-london-1",
]
ZONES = ["CAC067", "cac067", "CAZ017"]


@st.composite
def areas(draw: st.DrawFn, near: Site) -> Area:
    """Something near the site, over the antimeridian or a pole now and then, or named as it is."""
    away = st.floats(-4, 4)
    latitude = max(-90.0, min(90.0, near.latitude + draw(away)))
    longitude = near.longitude + draw(away)
    longitude = draw(st.sampled_from([longitude, (longitude + 180) % 360 - 180]))
    corners = draw(st.lists(st.tuples(away, away), min_size=3, max_size=6))
    ring = [[(longitude + dx + 180) % 360 - 180, max(-90.0, min(90.0, latitude + dy))] for dx, dy in corners]
    several = {"type": "MultiPolygon", "coordinates": [[ring]]}
    geometry: dict[str, Any] | None = draw(
        st.sampled_from([None, {"type": "Polygon", "coordinates": [ring]}, {"type": "Point", "coordinates": ring[0]},
                         {"type": "GeometryCollection", "geometries": [several]}])
    )  # fmt: skip
    circle = draw(st.booleans())
    return Area(
        geometry=geometry, latitude=latitude if circle else None, longitude=longitude if circle else None,
        radius_km=draw(st.sampled_from([None, 5, 300, 15_000])) if circle else None,
        regions=tuple(draw(st.lists(st.sampled_from(REGIONS), max_size=2))),
        zones=tuple(draw(st.lists(st.sampled_from(ZONES), max_size=2))),
        grid_areas=tuple(draw(st.lists(st.sampled_from(["banc", "CISO"]), max_size=1))),
    )  # fmt: skip


@settings(max_examples=400)
@given(st.data())
def test_what_meets_shares_a_key(data: st.DataObject) -> None:
    site = data.draw(sites())
    area = data.draw(areas(site))
    if relation(site, area) is None:
        return
    looked_up = keys_of_site(site)
    assert looked_up is None or set(looked_up) & set(keys_of(seen(area))[0])
    assert site in SiteIndex([site]).may_meet(seen(area))


def test_a_neighbours_region_in_the_same_town_shares_a_cell_with_a_site_there() -> None:
    site = Site("lhr", "Slough", 51.52, -0.63, provider_regions=("aws:eu-west-2",))
    area = Area(regions=("gcp:europe-west2",))
    near = relation(site, area)
    assert near is not None
    assert near.how == "metro"
    looked_up = keys_of_site(site)
    assert looked_up is None or set(looked_up) & set(keys_of(seen(area))[0])


def test_a_county_sized_outline_has_few_keys_and_a_continent_has_one() -> None:
    def square(side: float) -> Area:
        return Area({"type": "Polygon", "coordinates": [[[-100, 30], [-100 + side, 30], [-100 + side, 30 + side]]]})

    assert len(keys_of(seen(square(0.4)))[0]) <= 9
    assert len(keys_of(seen(square(5)))[0]) <= 9
    box = box_of(square(55))
    assert box is not None
    assert cells(box) == (EVERYWHERE,)
    many = Area(zones=tuple(f"Z{n}" for n in range(5000)))
    assert keys_of(seen(many))[0] == (EVERYWHERE,)


@pytest.mark.parametrize(
    ("name", "slug"), [("GitHub", "github"), ("github-status", "github"), ("GitHub Status", "github"), ("AWS", "aws")]
)
def test_a_provider_is_known_by_its_name_however_it_is_written(name: str, slug: str) -> None:
    assert provider_slug(name) == slug


def test_a_provider_is_named_by_its_page_its_regions_or_its_source() -> None:
    page = seen(Area(regions=("aws:us-east-1",)), "provider_incident", "github-status", page="GitHub")
    assert providers_of(page) == ("github", "aws")
    assert keys_of(page)[0][:2] == ("p:github", "p:aws")
