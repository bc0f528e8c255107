"""Tests of incidents.geography.places: which sites an alert names, and how an area lies to a site."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.geography.outlines import distance_km
from incidents.geography.places import SiteMatcher, concerns, matches, relation, sites_of
from incidents.model import Area, Match, Site

SMF = Site(
    name="smf",
    title="Sacramento",
    latitude=38.64,
    longitude=-121.52,
    uncertainty_km=5,
    provider_regions=("aws:us-west-1",),
    zones=("CAC067", "CAZ017"),
    grid_area="BANC",
    match=(Match("datacenter", "smf*"), Match("region", "us-west-1")),
)
LON = Site("lon", "London", 51.51, -0.6, uncertainty_km=30, match=(Match("region", "eu[rw]*"), Match("dc", "LON?")))
FIJI = Site("suv", "Suva", -17.5, 179.5, uncertainty_km=5)


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ({"datacenter": "smf1"}, ("smf",)),
        ({"datacenter": "smf"}, ("smf",)),
        ({"datacenter": "SMF1"}, ()),
        ({"region": "us-west-1"}, ("smf",)),
        ({"region": "us-west-10"}, ()),
        ({"region": "eur"}, ("lon",)),
        ({"dc": "LON7", "datacenter": "smf2"}, ("smf", "lon")),
        ({"dc": "LON"}, ()),
        ({}, ()),
        ({"other": "smf1"}, ()),
    ],
)
def test_an_alert_belongs_to_each_site_whose_globs_its_labels_meet(
    labels: dict[str, str], names: tuple[str, ...]
) -> None:
    assert sites_of(labels, [SMF, LON]) == names
    matcher = SiteMatcher([SMF, LON])
    assert [matcher.sites_of(labels) for _ in range(2)] == [names, names]


@given(st.dictionaries(st.sampled_from(["datacenter", "region", "dc", "x"]), st.text(max_size=8)))
def test_the_compiled_matcher_agrees_with_the_plain_question(labels: dict[str, str]) -> None:
    assert SiteMatcher([SMF, LON]).sites_of(labels) == sites_of(labels, [SMF, LON])


def test_no_alternatives_hold_nothing() -> None:
    assert not matches({"a": "b"}, ())
    assert matches({"a": "b"}, (Match("a", "c"), Match("a", "?")))


@pytest.mark.parametrize(
    ("two_places", "km"),
    [
        ((51.4700, -0.4543, 40.6413, -73.7781), 5540),  # London Heathrow to New York JFK
        ((0, 179.5, 0, -179.5), 111.2),
        ((90, 0, -90, 123), 20015),
        ((38.64, -121.52, 38.64, -121.52), 0),
    ],
)
def test_great_circle_distances(two_places: tuple[float, float, float, float], km: float) -> None:
    assert distance_km(*two_places) == pytest.approx(km, rel=0.005)


@pytest.mark.parametrize(
    ("regions", "bits"),
    [
        (("aws:us-west-1",), 2),
        (("AWS:US-West-1",), 2),
        (("aws:us-west-1a",), 1),
        (("aws:us-west-1c", "aws:us-west-1"), 2),
        (("aws:us-west-10",), None),
        (("aws:us-west",), None),
        (("alibaba:us-west-1",), None),
        (("us-west-1",), 2),
        (("N. California",), 2),
        (("gcp:global", ""), None),
    ],
)
def test_provider_regions_meet_by_name_and_a_zone_by_its_region(regions: tuple[str, ...], bits: float | None) -> None:
    near = relation(SMF, Area(regions=regions))
    assert (near and near.bits) == bits
    assert near is None or near.how == "region"


def test_a_site_in_a_zone_is_met_by_its_whole_region_and_not_by_the_next_zone() -> None:
    site = Site("a", "A", 51.5, 0, provider_regions=("gcp:europe-west2-a",))
    whole = relation(site, Area(regions=("gcp:europe-west2",)))
    assert whole is not None
    assert whole.bits == 2
    assert relation(site, Area(regions=("gcp:europe-west2-b",))) is None


def test_a_zone_is_met_by_name_and_a_zone_elsewhere_is_not() -> None:
    near = relation(SMF, Area(zones=("cac067", "CAZ015")))
    assert near is not None
    assert (near.how, near.bits) == ("zone", 1)
    assert "CAC067" in near.sentence
    assert relation(SMF, Area(zones=("CAZ015", "NVC031"))) is None


def test_a_grid_notice_meets_by_grid_area_alone_however_near_it_is() -> None:
    on_top = {"geometry": box(-122, 38, -121, 39), "zones": ("CAC067",), "regions": ("aws:us-west-1",)}
    assert relation(SMF, Area(grid_areas=("CISO",), **on_top)) is None
    near = relation(SMF, Area(grid_areas=("CISO", "BANC")))
    assert near is not None
    assert near.how == "grid_area"
    assert relation(LON, Area(grid_areas=("BANC",))) is None


@pytest.mark.parametrize(
    ("site", "outline", "how", "bits"),
    [
        (SMF, box(-122, 38, -121, 39), "polygon", 2),
        (LON, box(-3, 50, 2, 54), "polygon", 1),
        (LON, box(-1, 51.4, 2, 54), "polygon", 0.5),
        (SMF, box(-121.48, 38, -121, 39), "uncertain", 0),
        (SMF, box(-121, 38, -120, 39), None, None),
        (FIJI, box(179, -18, -179, -17), "polygon", 2),
        (FIJI, box(-181, -18, -180, -17), "polygon", 2),
        (FIJI, box(-179.9, -18, -179, -17), None, None),
        (SMF, box(179, 38, -179, 39), None, None),
        (SMF, box(-180, -90, 180, 90), "polygon", 2),
    ],
)
def test_an_outline_contains_touches_or_misses_a_site(
    site: Site, outline: dict[str, Any], how: str | None, bits: float | None
) -> None:
    near = relation(site, Area(geometry=outline))
    assert (near and near.how, near and near.bits) == (how, bits)


def test_holes_parts_and_collections_are_honoured() -> None:
    around = box(-122, 38, -121, 39)["coordinates"][0]
    hole = box(-121.7, 38.4, -121.3, 38.9)["coordinates"][0]
    assert relation(SMF, Area(geometry={"type": "Polygon", "coordinates": [around, hole]})) is None
    parts = {"type": "MultiPolygon", "coordinates": [[hole], [box(0, 0, 1, 1)["coordinates"][0]]]}
    for geometry in (parts, {"type": "GeometryCollection", "geometries": [{"type": "Point"}, parts]}):
        near = relation(SMF, Area(geometry=geometry))
        assert near is not None
        assert near.how == "polygon"


def test_an_outline_that_crosses_itself_still_has_an_inside() -> None:
    bow_tie = [[-122, 38], [-121, 39], [-121, 38], [-122, 39], [-122, 38]]
    west = Site("w", "West", 38.5, -121.9, uncertainty_km=1)
    north = Site("n", "North", 38.9, -121.5, uncertainty_km=1)
    area = Area(geometry={"type": "Polygon", "coordinates": [bow_tie]})
    assert relation(west, area) is not None
    assert relation(north, area) is None


def test_a_zone_beside_an_outline_that_misses_the_site_is_vague() -> None:
    near = relation(SMF, Area(geometry=box(-121, 38, -120, 39), zones=("CAC067",)))
    assert near is not None
    assert (near.how, near.bits) == ("uncertain", 0)
    assert "CAC067" in near.sentence
    assert near.distance_km == pytest.approx(45.2, abs=0.5)


@pytest.mark.parametrize(
    ("area", "how"),
    [
        (Area(latitude=38.6, longitude=-121.0, radius_km=60), "radius"),
        (Area(latitude=38.6, longitude=-121.0, radius_km=42), "uncertain"),
        (Area(latitude=38.6, longitude=-121.0, radius_km=30), None),
        (Area(latitude=38.64, longitude=-121.5), "uncertain"),
        (Area(geometry={"type": "Point", "coordinates": [-121.0, 38.6, 9.5]}, radius_km=60), "radius"),
        (Area(latitude=float("nan"), longitude=0.0, radius_km=60), None),
        (Area(latitude=38.6, longitude=-121.0, radius_km=float("inf")), None),
        (Area(), None),
        (None, None),
    ],
)
def test_a_circle_reaches_as_far_as_its_radius_and_the_sites_uncertainty(area: Area | None, how: str | None) -> None:
    near = relation(SMF, area)
    assert (near and near.how) == how


SCRAP = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
HOSTILE = st.recursive(
    SCRAP | st.lists(st.lists(st.floats(-200, 200), max_size=3), max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["Polygon", "MultiPolygon", "Point", "GeometryCollection", "LineString", "x"])},
            optional={"coordinates": inner, "geometries": inner},
        )
    ),
    max_leaves=20,
)


@given(HOSTILE, SCRAP, SCRAP)
def test_no_geometry_raises(geometry: Any, latitude: Any, radius: Any) -> None:
    for site in (SMF, LON, FIJI, Site("pole", "Pole", 90, 0)):
        near = relation(site, Area(geometry, latitude, 0.0, radius, zones=("CAC067",)))
        assert near is None or near.sentence.endswith(".")


@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=3, max_size=40))
def test_any_ring_of_places_is_answered_and_a_closing_vertex_changes_nothing(ring: list[tuple[float, float]]) -> None:
    opened = relation(SMF, Area(geometry={"type": "Polygon", "coordinates": [ring]}))
    closed = relation(SMF, Area(geometry={"type": "Polygon", "coordinates": [[*ring, ring[0]]]}))
    assert (opened and opened.how) == (closed and closed.how)


def test_a_deep_or_endless_geometry_ends() -> None:
    deep: dict[str, Any] = box(-122, 38, -121, 39)
    for _ in range(5000):
        deep = {"type": "GeometryCollection", "geometries": [deep]}
    assert relation(SMF, Area(geometry=deep)) is None
    chance = random.Random(7)
    tangle = [[chance.uniform(-122, -121), chance.uniform(38, 39)] for _ in range(20_000)]
    # A repair of its 10^8 crossings would not come back; counting crossings of one ray does.
    assert relation(SMF, Area(geometry={"type": "Polygon", "coordinates": [tangle]})) is not None


# --- provider regions by the catalogue ------------------------------------------------------------------------------

VIRGINIA = Site("iad", "Ashburn", 39.04, -77.49, provider_regions=("aws:us-east-1a",))
SLOUGH = Site("slo", "Slough", 51.51, -0.59, uncertainty_km=5, provider_regions=("aws:eu-west-2",))


def near(site: Site, *regions: str) -> tuple[str, float] | None:
    """How regions meet a site, and what that is worth."""
    found = relation(site, Area(regions=regions))
    assert found is None or found.sentence.endswith(".")
    return (found.how, found.bits) if found else None


@pytest.mark.parametrize(
    ("site", "regions", "met"),
    [
        (SMF, ("US-WEST-1",), ("region", 2)),
        (SMF, ("US West (N. California)",), ("region", 2)),
        (SMF, ("aws:usw1-az2",), ("region", 1)),
        (SMF, ("us-west-1b",), ("region", 1)),
        (SMF, ("aws:Oregon",), None),
        (SMF, ("us-west-2-lax-1a",), None),
        (VIRGINIA, ("N. Virginia",), ("region", 2)),
        (VIRGINIA, ("aws:us-east-1b",), None),
        (VIRGINIA, ("use1-az4",), ("uncertain", 0)),  # which letter that is differs by account
        (SLOUGH, ("London",), ("uncertain", 0)),  # several providers have a London
        (SLOUGH, ("aws:London",), ("region", 2)),
        (SLOUGH, ("London", "aws:eu-west-2"), ("region", 2)),
        (Site("k", "K", 0, 0, provider_regions=("acme:north",)), ("ACME:North",), ("region", 2)),
        (Site("k", "K", 0, 0, provider_regions=("acme:north",)), ("acme:north-1",), None),
        (Site("k", "K", 0, 0, provider_regions=("uksouth",)), ("UK South",), ("region", 2)),
        (Site("k", "K", 0, 0, provider_regions=("uksouth",)), ("UK South (London)",), None),
        (Site("k", "K", 0, 0, provider_regions=("gcp:europe-west1",)), ("gcp:europe-west12",), None),
    ],
)
def test_display_words_and_zones_meet_through_the_catalogue(
    site: Site, regions: tuple[str, ...], met: tuple[str, float] | None
) -> None:
    assert near(site, *regions) == met


def test_another_provider_in_the_same_metropolitan_area_is_near_with_both_errors() -> None:
    found = relation(SLOUGH, Area(regions=("gcp:europe-west2", "oci:uk-london-1", "gcp:us-east1")))
    assert found is not None
    assert (found.how, found.bits) == ("metro", -1)
    assert found.distance_km == pytest.approx(20.1, abs=0.5)
    assert "oci:uk-london-1" in found.sentence
    assert "20 km" in found.sentence
    assert "known to 40 km, the site's to 5 km" in found.sentence
    assert not concerns(SLOUGH, Area(regions=("gcp:europe-west2",)))
    assert concerns(SLOUGH, Area(regions=("aws:eu-west-2",)))


@pytest.mark.parametrize(
    ("site", "regions"),
    [
        (SLOUGH, ("aws:eu-west-1",)),  # its own provider, elsewhere
        (SLOUGH, ("gcp:europe-west1",)),
        (SLOUGH, ("London",)),
        (Site("uk", "Somewhere in England", 51.5, -0.6, uncertainty_km=200), ("gcp:europe-west2",)),
        (Site("dc", "Washington", 38.9, -77.0), ("aws:us-gov-east-1",)),  # known to 600 km
        (Site("p", "Portland", 45.5, -122.7), ("aws:us-west-2",)),  # "Oregon" is 234 km from there
    ],
)
def test_what_is_not_in_the_same_metropolitan_area_for_certain_is_not_told_as_near(
    site: Site, regions: tuple[str, ...]
) -> None:
    found = relation(site, Area(regions=regions))
    assert found is None or found.how != "metro"


def test_a_grid_notice_does_not_meet_by_the_metropolitan_area() -> None:
    assert relation(SLOUGH, Area(regions=("gcp:europe-west2",), grid_areas=("GB",))) is None


def test_a_long_name_is_cut_in_the_sentence() -> None:
    words = "London, United Kingdom - (" + "LHR " * 20 + ")"
    found = relation(SLOUGH, Area(regions=(words, "London")))
    assert found is not None
    assert len(found.sentence) < 250


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("ioda:country/GB", "It was measured over the country GB as a whole, which London names as its own"),
        ("ioda:asn/64500", "It was measured over the network AS64500, which London names as its own"),
        ("CAC067", "It covers CAC067, the warning zone of London."),
    ],
)
def test_what_is_measured_over_a_country_or_a_network_is_no_warning_zone(zone: str, said: str) -> None:
    site = Site("lon", "London", 51.5, -0.1, zones=(zone,))
    found = relation(site, Area(zones=(zone,)))
    assert found is not None
    assert found.sentence.startswith(said)
