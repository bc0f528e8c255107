"""Tests of incidents.geography.regions: every row of the catalogue, and the traps of names."""

from __future__ import annotations

from collections import Counter, defaultdict
from importlib.resources import files
from zoneinfo import available_timezones

import pytest
import tzfpy
from hypothesis import given
from hypothesis import strategies as st

from incidents.geography.outlines import distance_km
from incidents.geography.regions import PROVIDERS, Place, candidates, catalogue, resolve

ROWS = {place.name: place for place in catalogue()}
PROVIDER_NAMES = sorted({place.provider for place in catalogue()})


@pytest.fixture(params=PROVIDER_NAMES)
def rows(request: pytest.FixtureRequest) -> list[Place]:
    """The rows of one provider: a test for each of 583 rows took longer than what it tests."""
    return [place for place in catalogue() if place.provider == request.param]


def countries_by_zone() -> dict[str, set[str]]:
    """ISO 3166 codes by time zone, after the tables of the IANA database: a source the catalogue was not made from."""
    found: dict[str, set[str]] = defaultdict(set)
    for table, codes_at, zone_at in (("zone.tab", 0, 2), ("zone1970.tab", 0, 2)):
        for line in (files("tzdata") / "zoneinfo" / table).read_text().splitlines():
            if not line.startswith("#"):
                fields = line.split("\t")
                found[fields[zone_at]] |= set(fields[codes_at].split(","))
    return found


COUNTRIES = countries_by_zone()

# Towns and airports from general knowledge, none of them from the lists that the catalogue was made from.
ELSEWHERE = [
    ("aws:us-west-2", "Boardman", 45.840, -119.701),
    ("aws:us-west-2", "Umatilla", 45.917, -119.343),
    ("aws:us-west-1", "Santa Clara", 37.354, -121.955),
    ("aws:us-east-1", "Manassas", 38.751, -77.475),
    ("aws:eu-north-1", "Västerås", 59.611, 16.545),
    ("aws:eu-north-1", "Eskilstuna", 59.371, 16.510),
    ("aws:eu-north-1", "Katrineholm", 58.996, 16.207),
    ("aws:cn-northwest-1", "Zhongwei", 37.515, 105.197),
    ("aws:eu-south-2", "Huesca", 42.140, -0.409),
    ("aws:us-gov-east-1", "Columbus", 39.961, -82.999),
    ("azure:uksouth", "Slough", 51.511, -0.595),
    ("azure:uksouth", "London", 51.507, -0.128),
    ("azure:eastus", "Ashburn", 39.044, -77.487),
    ("azure:eastus2", "Boydton", 36.668, -78.388),
    ("azure:usgovvirginia", "Boydton", 36.668, -78.388),
    ("azure:usgovvirginia", "Ashburn", 39.044, -77.487),
    ("azure:westcentralus", "Cheyenne", 41.140, -104.820),
    ("azure:westeurope", "Middenmeer", 52.807, 4.999),
    ("azure:westeurope", "Schiphol", 52.309, 4.764),
    ("azure:francecentral", "Paris", 48.857, 2.352),
    ("azure:southafricanorth", "Pretoria", -25.747, 28.229),
    ("gcp:africa-south1", "Johannesburg", -26.204, 28.047),
    ("gcp:us-central1", "Council Bluffs", 41.262, -95.861),
    ("gcp:europe-west4", "Delfzijl", 53.330, 6.917),
    ("gcp:asia-east1", "Lukang", 24.057, 120.435),
    ("oci:eu-jovanovac-1", "Kragujevac", 44.013, 20.911),
    ("ovh:DE1", "Limburg an der Lahn", 50.384, 8.057),
    ("cloudflare:LUX", "Luxembourg", 49.612, 6.132),
    ("cloudflare:LHR", "Hounslow", 51.468, -0.361),
    ("cloudflare:SJW", "Hengshui", 37.735, 115.686),
    ("cloudflare:NRT", "Tokyo", 35.690, 139.692),
]


def only(text: str) -> Place:
    """The one place of a name."""
    place = resolve(text)
    assert isinstance(place, Place), f"{text}: {place}"
    return place


def names(text: str) -> list[str]:
    """The names of every candidate."""
    return [place.name for place in candidates(text)]


# --- the rows -------------------------------------------------------------------------------------------------------


def test_a_row_lies_in_its_country_and_in_its_time_zone(rows: list[Place]) -> None:
    for place in rows:
        zone = tzfpy.get_tz(place.longitude, place.latitude)
        assert place.country in COUNTRIES[zone], (place.name, zone)
        assert place.timezone == zone, place.name
        assert place.timezone in available_timezones()


def test_a_row_states_its_error_and_its_source(rows: list[Place]) -> None:
    for place in rows:
        assert (place.granularity == "colo") == (place.provider == "cloudflare"), place.name
        least, most = {"region": (5, 600), "metro": (30, 80), "colo": (40, 165)}[place.granularity]
        assert least <= place.uncertainty_km <= most, place.name
        assert place.source, place.name
        assert place.title, place.name
        assert place.provider in set(PROVIDERS.values())
        # What was corrected says why.
        assert place.note or not place.source.startswith("by hand"), place.name


def test_no_name_and_no_code_of_a_provider_is_given_twice() -> None:
    assert not [name for name, n in Counter(name.casefold() for name in ROWS).items() if n > 1]
    keys = Counter((place.provider, alias.casefold()) for place in catalogue() for alias in place.aliases)
    assert not [key for key, n in keys.items() if n > 1]


def test_the_large_providers_are_there() -> None:
    count = Counter(place.provider for place in catalogue())
    assert count["aws"] >= 38
    assert count["azure"] >= 70
    assert count["gcp"] >= 40
    assert count["oci"] >= 50
    assert count["cloudflare"] >= 320


@pytest.mark.parametrize(("name", "town", "latitude", "longitude"), ELSEWHERE)
def test_what_is_known_from_elsewhere_lies_within_the_stated_error(
    name: str, town: str, latitude: float, longitude: float
) -> None:
    place = ROWS[name]
    away = distance_km(place.latitude, place.longitude, latitude, longitude)
    assert away <= place.uncertainty_km, f"{town} is {away:.0f} km away"


@pytest.mark.parametrize(
    ("name", "latitude", "longitude"),
    [
        ("aws:us-west-2", 45.515, -122.678),  # Portland
        ("aws:us-west-1", 37.775, -122.419),  # San Francisco
        ("aws:eu-north-1", 59.329, 18.069),  # Stockholm
        ("azure:westcentralus", 40.89, -110.234),  # the mountains of Utah
        ("azure:francecentral", 46.377, 2.373),  # the middle of France
        ("azure:uksouth", 50.941, -0.799),  # the South Downs
        ("oci:eu-jovanovac-1", 43.891, 20.350),  # Čačak
        ("cloudflare:LUX", 49.3724, 6.1216),  # in France
    ],
)
def test_errors_of_public_lists_are_not_within_the_stated_error(name: str, latitude: float, longitude: float) -> None:
    place = ROWS[name]
    assert distance_km(place.latitude, place.longitude, latitude, longitude) > place.uncertainty_km / 1.6


def test_an_oracle_region_lies_by_the_airport_whose_code_is_its_key() -> None:
    far = set()
    for place in catalogue():
        for key in place.aliases if place.provider == "oci" else ():
            if airport := ROWS.get(f"cloudflare:{key}"):
                away = distance_km(place.latitude, place.longitude, airport.latitude, airport.longitude)
                if away > place.uncertainty_km + airport.uncertainty_km:
                    far.add(place.name)
    assert far == {"oci:eu-jovanovac-1"}  # Kragujevac has no airport; its key is Belgrade's


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "granularity"),
    [
        ("aws:us-west-1", "aws:us-west-1", "region"),
        ("us-west-1", "aws:us-west-1", "region"),
        ("  US-WEST-1 ", "aws:us-west-1", "region"),
        ("us_west_1", "aws:us-west-1", "region"),
        ("US West 1", "aws:us-west-1", "region"),
        ("Amazon: us-west-1", "aws:us-west-1", "region"),
        ("us-west-1a", "aws:us-west-1a", "zone"),
        ("usw1-az2", "aws:usw1-az2", "zone"),
        ("USW1-AZ2", "aws:usw1-az2", "zone"),
        ("aps1-az1", "aws:aps1-az1", "zone"),
        ("N. California", "aws:us-west-1", "region"),
        ("US West (N. California)", "aws:us-west-1", "region"),
        ("EU (Ireland)", "aws:eu-west-1", "region"),
        ("Frankfurt (eu-central-1)", "aws:eu-central-1", "region"),
        ("aws:London", "aws:eu-west-2", "metro"),
        ("europe-west2-a", "gcp:europe-west2-a", "zone"),
        ("gcp:europe-west2", "gcp:europe-west2", "region"),
        ("google:europe-west2", "gcp:europe-west2", "region"),
        ("us-east1", "gcp:us-east1", "region"),
        ("gcp:us-east-1", "gcp:us-east1", "region"),
        ("East US 2", "azure:eastus2", "region"),
        ("us-east-1", "aws:us-east-1", "region"),
        ("europe-west12", "gcp:europe-west12", "metro"),
        ("europe-west1-b", "gcp:europe-west1-b", "zone"),
        ("Iowa (us-central1)", "gcp:us-central1", "region"),
        ("uksouth", "azure:uksouth", "region"),
        ("UK South", "azure:uksouth", "region"),
        ("azure:uk-south", "azure:uksouth", "region"),
        ("uksouth-az1", "azure:uksouth-az1", "zone"),
        ("West US 2", "azure:westus2", "metro"),
        ("uk-london-1", "oci:uk-london-1", "region"),
        ("UK South (London)", "oci:uk-london-1", "region"),
        ("oracle:LHR", "oci:uk-london-1", "region"),
        ("UK-LONDON-1-AD-1", "oci:uk-london-1-ad-1", "zone"),
        ("Uocm:UK-LONDON-1-AD-1", "oci:uk-london-1-ad-1", "zone"),
        ("cloudflare:LHR", "cloudflare:LHR", "colo"),
        ("cf:lhr", "cloudflare:LHR", "colo"),
        ("London, United Kingdom - (LHR)", "cloudflare:LHR", "colo"),
        ("aws:Sao Paulo", "aws:sa-east-1", "metro"),
        ("aws:São Paulo", "aws:sa-east-1", "metro"),
        ("SMF", "cloudflare:SMF", "colo"),
    ],
)
def test_a_name_means_one_place(text: str, name: str, granularity: str) -> None:
    place = only(text)
    assert (place.name, place.granularity) == (name, granularity)


@pytest.mark.parametrize(
    ("text", "some"),
    [
        ("LHR", {"cloudflare:LHR", "oci:uk-london-1", "vultr:lhr"}),
        ("London", {"aws:eu-west-2", "gcp:europe-west2", "oci:uk-london-1", "cloudflare:LHR"}),
        ("useast1", {"aws:us-east-1", "gcp:us-east1"}),
        ("us-east", {"linode:us-east", "aws:us-east-1", "gcp:us-east4"}),
        ("N. Virginia (eu-west-1)", {"aws:us-east-1", "aws:eu-west-1"}),
        ("São Paulo", {"aws:sa-east-1", "oci:sa-saopaulo-1"}),
    ],
)
def test_a_name_that_several_places_have_gives_every_candidate(text: str, some: set[str]) -> None:
    found = resolve(text)
    assert isinstance(found, tuple)
    assert some <= {place.name for place in found}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ":",
        "aws:",
        "global",
        "gcp:global",
        "alibaba:us-west-1",
        "aws:us-west",
        "aws:us-west-10",
        "us-west-2-lax-1a",  # a local zone in Los Angeles, not in Oregon
        "europe-west1-2",
        "aps1",  # the billing code of Singapore and the zone ids of Mumbai
        "usw9-az1",
        "aws:europe-west2",
        "us-west-4",  # Google's is us-west4; AWS may open one
        "me-west-1",
        "azure:N. California",
        "uksouth-az0",
        "smf-az1",
        "a" * 10_000,
    ],
)
def test_what_is_not_known_is_not_guessed(text: str) -> None:
    assert resolve(text) is None


def test_a_zone_is_at_its_regions_place_and_says_so() -> None:
    zone, region = only("us-west-1c"), only("us-west-1")
    assert (zone.latitude, zone.longitude, zone.uncertainty_km) == (
        region.latitude,
        region.longitude,
        region.uncertainty_km,
    )
    assert zone.region == region.name
    assert "not public" in zone.note


@given(st.text(max_size=40) | st.sampled_from(sorted(ROWS)).map(lambda name: name.swapcase()))
def test_any_text_is_answered_and_alike_in_either_case(text: str) -> None:
    found = names(text)
    assert len(set(found)) == len(found)
    if text.isascii():
        assert names(text.upper()) == names(text.lower())


def test_a_row_is_found_by_its_name_and_by_its_providers_title(rows: list[Place]) -> None:
    for place in rows:
        assert only(place.name) == place
        assert place.name in names(f"{place.provider}:{place.title}")
        assert place.name in names(place.title)
