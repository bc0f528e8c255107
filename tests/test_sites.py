"""Sites: located by the catalogue, imported from files, told with what is missing; on the command line and the page."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from dashboards import pages
from incidents.config import ConfigError, config_of, site_of, spec_of, value_of
from incidents.geography.regions import catalogue
from incidents.geography.site_files import read_sites, toml_of
from incidents.geography.sites import survey, zone_at, zones_of_point
from incidents.model import Match, Site
from service.outside import zones
from tests import hostile, london_pages
from tests import london_views as london
from tests.conftest import StartBarograph
from tests.test_cli import Home, Ran, home

assert home  # the fixture of the command line's tests

# --- located by the catalogue ---------------------------------------------------------------------------------------


def test_a_site_without_coordinates_is_where_its_provider_region_is() -> None:
    site = site_of({"name": "oregon", "provider_regions": ["aws:us-west-2"]})
    place = next(place for place in catalogue() if place.name == "aws:us-west-2")
    assert (site.latitude, site.longitude, site.uncertainty_km) == (
        place.latitude,
        place.longitude,
        place.uncertainty_km,
    )
    assert (site.timezone, site.located_by, site.timezone_by) == ("America/Los_Angeles", "catalogue", "catalogue")
    assert value_of("site", json.loads(json.dumps(spec_of(site)))) == site


def test_what_is_given_wins_over_the_catalogue() -> None:
    table: dict[str, Any] = {"name": "x", "provider_regions": ["aws:us-west-2"], "uncertainty_km": 3, "timezone": "UTC"}
    site = site_of(table)
    assert (site.uncertainty_km, site.timezone, site.located_by, site.timezone_by) == (3, "UTC", "catalogue", "given")
    placed = site_of({**table, "latitude": 38.6, "longitude": -121.5})
    assert (placed.latitude, placed.located_by, placed.uncertainty_km) == (38.6, "given", 3)
    near = site_of({"name": "x", "latitude": 38.6, "longitude": -121.5, "provider_regions": ["LHR"]})
    assert (near.located_by, near.uncertainty_km, near.timezone_by) == ("given", 5, "coordinates")


@pytest.mark.parametrize(
    ("regions", "said"),
    [
        (["LHR"], "latitude: is missing, and 'LHR' may be cloudflare:LHR, oci:uk-london-1 or vultr:lhr: say which"),
        (["acme:north"], "'acme:north' is not in the catalogue"),
        (["aws:us-west-2", "aws:us-east-1"], "aws:us-west-2 and aws:us-east-1 are 3"),
        (["aws:eu-west-2", "azure:uksouth"], "km apart in the catalogue"),
        ([], "latitude: is missing"),
    ],
)
def test_where_the_catalogue_has_no_one_place_the_error_says_why(regions: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        site_of({"name": "x", "provider_regions": regions})
    assert said in str(raised.value)


def test_a_region_and_its_zones_are_one_place() -> None:
    site = site_of({"name": "x", "provider_regions": ["aws:us-west-2", "aws:us-west-2a", "usw2-az1"]})
    assert site.located_by == "catalogue"
    with pytest.raises(ConfigError, match="longitude: is missing"):
        site_of({"name": "x", "latitude": 1, "provider_regions": ["aws:us-west-2"]})


@pytest.mark.parametrize(
    ("latitude", "longitude", "zone"),
    [
        (38.64, -121.52, "America/Los_Angeles"),
        (51.51, -0.12, "Europe/London"),
        (33.45, -112.07, "America/Phoenix"),
        (-17.5, 178.0, "Pacific/Fiji"),
        (64.1, -21.9, "Atlantic/Reykjavik"),
        (0.0, 0.0, None),
        (40.0, -40.0, None),
        (-90.0, 180.0, "Antarctica/McMurdo"),
    ],
)
def test_the_time_zone_of_a_place(latitude: float, longitude: float, zone: str | None) -> None:
    assert zone_at(latitude, longitude) == zone
    site = site_of({"name": "x", "latitude": latitude, "longitude": longitude})
    assert (site.timezone, site.timezone_by) == (zone or "UTC", "coordinates" if zone else "default")


# --- what is missing ------------------------------------------------------------------------------------------------


def test_a_bare_site_is_told_what_it_lacks() -> None:
    missing = survey(Site("x", "X", 38.6, -121.5)).missing
    assert [text.split(":")[0] for text in missing] == [
        "no labels name it",
        "no warning zones",
        "no grid area",
        "no provider regions",
    ]
    whole = Site("x", "X", 38.6, -121.5, 5, "UTC", ("aws:us-west-1",), ("CAC067",), "BANC", {}, (Match("a", "b"),))
    assert survey(whole).missing == ()


def test_vague_unknown_and_ambiguous_places_are_told() -> None:
    known = survey(Site("x", "X", 38.9, -77.0, 600, provider_regions=("LHR", "acme:north", "aws:us-west-1")))
    text = "\n".join(known.missing)
    assert "LHR may be cloudflare:LHR" in text
    assert "acme:north is not in the catalogue" in text
    assert "known to 600 km only" in text
    assert [len(places) for _, places in known.regions] == [3, 0, 1]
    assert known.place is None


def test_a_located_site_says_that_its_place_is_a_regions() -> None:
    known = survey(site_of({"name": "x", "provider_regions": ["aws:us-west-1"]}))
    assert known.place is not None
    assert known.place.name == "aws:us-west-1"
    assert any("not of a building" in text for text in known.missing)


# --- warning zones of a point ---------------------------------------------------------------------------------------

POINT = {
    "id": "https://api.weather.gov/points/38.64,-121.52",
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [-121.52, 38.64]},
    "properties": {
        "forecastZone": "https://api.weather.gov/zones/forecast/CAZ017",
        "county": "https://api.weather.gov/zones/county/CAC067",
        "fireWeatherZone": "https://api.weather.gov/zones/fire/CAZ217",
        "timeZone": "America/Los_Angeles",
    },
}


def test_the_zones_of_a_point_are_read_and_the_fire_zone_is_kept_apart() -> None:
    for document in (POINT, POINT["properties"]):
        zones = zones_of_point(document)
        assert (zones.county, zones.forecast, zones.fire) == ("CAC067", "CAZ017", "CAZ217")
        assert zones.zones == ("CAC067", "CAZ017")
        assert zones.timezone == "America/Los_Angeles"


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"properties": None}, {"properties": {"county": 7}}, {"properties": {"county": "https://x/nope"}}],
)
def test_another_document_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match="no answer of api"):
        zones_of_point(document)


# --- files: CSV -----------------------------------------------------------------------------------------------------

PLAIN = "name,title,latitude,longitude,zones,match\nsmf,Sacramento,38.64,-121.52,CAC067 CAZ017,datacenter=smf*\n"


def test_every_column_is_read() -> None:
    found = read_sites(
        b"Name,Title,LAT,Long,Uncertainty km,Time Zone,provider-regions,Warning zones,Grid_area,limits,match\r\n"
        b'smf,"Sacramento, ""north""",38.64,-121.52,2,America/Los_Angeles,aws:us-west-1;UK South (London),'
        b'"CAC067, CAZ017",BANC,dry_bulb_c=43; wet_bulb_c=28.5,datacenter=smf*; region=us-west-1\r\n'
    )
    assert (found.faults, found.left_out, found.unused) == ([], [], [])
    assert found.sites == [
        Site(
            "smf",
            'Sacramento, "north"',
            38.64,
            -121.52,
            2,
            "America/Los_Angeles",
            ("aws:us-west-1", "UK South (London)"),
            ("CAC067", "CAZ017"),
            "BANC",
            {"dry_bulb_c": 43, "wet_bulb_c": 28.5},
            (Match("datacenter", "smf*"), Match("region", "us-west-1")),
        )
    ]


@pytest.mark.parametrize(
    "body",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", ";").replace(".", ",").encode("utf-8-sig"),
        ("sep=;\r\n" + PLAIN.replace(",", ";")).encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("38.64", '"=""38.64"""').encode(),
        PLAIN.replace("38.64", "'38.64").encode(),
        PLAIN.replace("-121.52", "\N{MINUS SIGN}121.52").encode(),
        (PLAIN + ",,,,,\n\n").encode(),
    ],
    ids=["plain", "bom", "utf-16", "tabs", "semicolons", "comma", "sep", "crlf", "excel", "quote", "minus", "empty"],
)
def test_a_spreadsheets_ways_of_writing_mean_the_same(body: bytes) -> None:
    found = read_sites(body)
    assert not found.faults
    (site,) = found.sites
    assert (site.name, site.latitude, site.longitude) == ("smf", 38.64, -121.52)
    assert site.zones == ("CAC067", "CAZ017")
    assert site.timezone_by == "coordinates"


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ("smf,,north,-121.52,,", "latitude", "'north' is not a number"),
        ("smf,,38.64,=2*3,,", "longitude", "'=2*3' is not a number"),
        ("smf,,nan,-121.52,,", "latitude", "'nan' is not a number"),
        ("smf,,1e2,-121.52,,", "latitude", "'1e2' is not a number"),
        ("smf,,-121.52,38.64,,", "latitude", "-121.52 is not between -90 and 90"),
        ('smf,,"38,640.5",-121.52,,', "latitude", "is not a number"),
        ("smf,,38.64,,,", "longitude", "is missing"),
        (",X,38.64,-121.52,,", "name", "is missing"),
        ("!!!,X,38.64,-121.52,,", "name", "holds no letter or digit"),
        ("smf,X,38.64,-121.52,,datacenter", "match", "key=value pairs"),
    ],
)
def test_an_error_names_row_and_column(row: str, column: str, said: str) -> None:
    found = read_sites(f"name,title,latitude,longitude,zones,match\nok,,1,2,,\n{row}\n".encode())
    assert [site.name for site in found.sites] == ["ok"]
    (fault,) = found.faults
    assert (fault.row, fault.column) == (3, column)
    assert said in fault.text


def test_a_name_that_is_given_twice_is_an_error_of_the_second() -> None:
    found = read_sites(b"name,latitude,longitude\nSMF 1,1,2\nsmf-1,1,2\n")
    assert [(site.name, site.title) for site in found.sites] == [("smf-1", "SMF 1")]
    assert [(fault.row, fault.column, fault.text) for fault in found.faults] == [
        (3, "name", "'smf-1' is given in row 2 already")
    ]


def test_a_row_without_a_place_is_left_out_with_its_reason() -> None:
    found = read_sites(
        b"name,latitude,longitude,provider_regions,status\n"
        b"a,,,,\nb,0,0.0,,\nc,,,aws:us-west-1,active\nd,1,2,,Planned\ne,\xe2\x80\x94,,,\nf,,,LHR,\n"
    )
    assert [(row.row, row.name, row.reason) for row in found.left_out] == [
        (2, "a", "it has no coordinates and no provider regions"),
        (3, "b", "0, 0 is what systems write for no coordinates"),
        (5, "d", "its status is planned"),
        (6, "e", "it has no coordinates and no provider regions"),
    ]
    assert [(site.name, site.located_by) for site in found.sites] == [("c", "catalogue")]
    assert [(fault.row, fault.column) for fault in found.faults] == [(7, "latitude")]


HOSTILE = '=HYPERLINK("http://x","y") \x1b[31m \u202e ]]\n[[sources]]\nname = \'x\''


def test_a_formula_is_text_and_a_title_cannot_leave_its_string() -> None:
    quoted = HOSTILE.replace('"', '""')
    found = read_sites(f'name,title,latitude,longitude\nx,"{quoted}",1,2\n'.encode())
    (site,) = found.sites
    assert site.title == HOSTILE
    text = toml_of(site)
    assert tomllib.loads(text)["sites"][0]["title"] == HOSTILE
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_what_is_printed_applies_as_the_same_sites() -> None:
    found = read_sites(
        "name,title,latitude,longitude,provider_regions,limits,match\n"
        "smf,Sacramento é,38.64,-121.52,aws:us-west-1,dry_bulb_c=43,a=b\n"
        "oregon,,,,aws:us-west-2,,\n"
        "sea,,40,-40,,,\n".encode(),
        match_label="site",
    )
    text = "\n".join(toml_of(site) for site in found.sites)
    again = config_of(tomllib.loads(text), []).sites
    kept = ("name", "title", "latitude", "longitude", "uncertainty_km", "timezone", "limits", "match", "located_by")
    for before, after in zip(found.sites, again, strict=True):
        assert [getattr(before, key) for key in kept] == [getattr(after, key) for key in kept]
    assert [site.match for site in again] == [(Match("a", "b"),), (Match("site", "oregon"),), (Match("site", "sea"),)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the file is empty"),
        (b"latitude,longitude\n1,2\n", "no column is called name"),
        (b"name,Name\nx,y\n", "has 'Name' twice"),
        ("name,latitude\nZürich,1\n".encode("latin-1"), "not UTF-8"),
        (b"{", "not JSON"),
        (b'{"detail": "Invalid token"}', "NetBox's list of sites is expected"),
        (b'name\n"' + b"x" * 200_000, "field larger than"),
        (b" " * (10 * 2**20 + 1), "over 10 MiB"),
    ],
)
def test_a_file_that_is_no_table_of_sites_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_sites(body)


# --- files: NetBox --------------------------------------------------------------------------------------------------


def netbox_site(name: str, slug: str, **fields: Any) -> dict[str, Any]:
    """A site as NetBox's REST API writes it, less the counts."""
    return {
        "id": 7,
        "url": "https://netbox.example/api/dcim/sites/7/",
        "display": name,
        "name": name,
        "slug": slug,
        "status": {"value": "active", "label": "Active"},
        "region": {"id": 2, "name": "Europe", "slug": "europe", "_depth": 0},
        "group": None,
        "tenant": None,
        "facility": "",
        "time_zone": None,
        "description": "",
        "latitude": None,
        "longitude": None,
        "tags": [],
        "custom_fields": {},
        **fields,
    }


def netbox_list(**fields: Any) -> bytes:
    """A list of three sites: one placed, one without coordinates, one that is retired."""
    results = [
        netbox_site("Docklands", "lon-1", latitude=51.498, longitude=-0.016, facility="Harbour 8"),
        netbox_site("Roadside cabinet", "cab-1"),
        netbox_site("Old hall", "old", latitude="48.1", longitude="11.5", status={"value": "retired", "label": "x"}),
    ]
    return json.dumps({"count": 3, "next": None, "previous": None, "results": results, **fields}).encode()


def test_the_rest_list_of_netbox_is_read() -> None:
    found = read_sites(netbox_list(), match_label="site")
    assert found.sites == [
        Site(
            "lon-1",
            "Docklands (Harbour 8)",
            51.498,
            -0.016,
            timezone="Europe/London",
            match=(Match("site", "lon-1"),),
            timezone_by="coordinates",
        )
    ]
    assert [(row.row, row.name, row.reason) for row in found.left_out] == [
        (2, "cab-1", "it has no coordinates and no provider regions"),
        (3, "old", "its status is retired"),
    ]
    assert not found.notes


def test_a_page_of_netbox_says_that_there_are_more() -> None:
    found = read_sites(netbox_list(next="https://netbox.example/api/dcim/sites/?offset=50", count=93))
    assert found.notes == ["this is one page: 3 of 93 sites; ask NetBox with ?limit=0 for all"]
    bare = json.dumps(json.loads(netbox_list())["results"]).encode("utf-8-sig")
    assert read_sites(bare).sites == found.sites


@pytest.mark.parametrize("rows", [[None], ["x"], [{}], [{"slug": 7, "latitude": [1], "status": "x"}]])
def test_strange_rows_of_json_are_errors_and_not_faults_of_ours(rows: list[Any]) -> None:
    found = read_sites(json.dumps(rows).encode())
    assert len(found.faults) + len(found.left_out) == 1
    assert not found.sites


def test_the_csv_export_of_netbox_is_read() -> None:
    found = read_sites(
        "ID,Name,Slug,Status,Facility,Region,Tenant,ASNs,Time Zone,Description,Latitude,Longitude,Comments\r\n"
        "7,Docklands,lon-1,Active,Harbour 8,Europe,,65001,Europe/London,Two halls,51.498000,-0.016000,\r\n"
        "8,Roadside cabinet,cab-1,Active,,Europe,,,—,,—,—,\r\n".encode()
    )
    assert [(site.name, site.title, site.timezone, site.timezone_by) for site in found.sites] == [
        ("lon-1", "Docklands (Harbour 8)", "Europe/London", "given")
    ]
    assert [row.name for row in found.left_out] == ["cab-1"]
    assert found.unused == ["ID", "Region", "Tenant", "ASNs", "Description", "Comments"]
    # The export of the table as it is shown has no slugs.
    shown = read_sites(b"Name,Status,Latitude,Longitude\nLondon Docklands,Active,51.498,-0.016\n")
    assert [(site.name, site.title) for site in shown.sites] == [("london-docklands", "London Docklands")]


# --- the command line -----------------------------------------------------------------------------------------------


def test_resolve_prints_the_place_and_its_stated_error(home: Home) -> None:
    ran = home.run("site", "resolve", "us-west-1")
    assert "aws:us-west-1" in ran.out
    assert "± 30 km" in ran.out
    assert "source: by hand" in ran.out
    found = home.run("site", "resolve", "usw1-az2", "--json").json
    assert found["place"]["region"] == "aws:us-west-1"
    assert found["place"]["granularity"] == "zone"
    assert list(home.folder.iterdir()) == []  # the catalogue needs no database


def test_resolve_gives_every_candidate_and_never_guesses(home: Home) -> None:
    ran = home.here("site", "resolve", "LHR")
    assert [line.split()[0] for line in ran.out.splitlines() if not line.startswith(" ")] == [
        "cloudflare:LHR",
        "oci:uk-london-1",
        "vultr:lhr",
    ]
    assert "3 places have this name" in ran.err
    found = home.here("site", "resolve", "LHR", "--json").json
    assert found["place"] is None
    assert len(found["candidates"]) == 3
    missing = home.here("site", "resolve", "mars-north-1\x1b[31m", code=3)
    assert "has no 'mars-north-1" in missing.err
    assert "\x1b" not in missing.err


def test_import_plans_then_writes_and_writes_again_without_a_change(home: Home) -> None:
    file = home.folder / "sites.csv"
    file.write_bytes((PLAIN + "oregon,,,,,\nbahrain,,,,,\n").encode())
    planned = home.run("site", "import", file)
    assert [site["name"] for site in tomllib.loads(planned.out)["sites"]] == ["smf"]
    assert "row 3: oregon is left out: it has no coordinates" in planned.err
    assert "nothing was written" in planned.err
    assert home.here("site", "list", "--json").json == []

    assert home.run("site", "import", file, "--apply").out == "add     site smf\n"
    assert home.here("site", "import", file, "--apply").out == "keep    site smf\n"
    (site,) = home.here("site", "list", "--json").json
    assert (site["owner"], site["located_by"], site["timezone_by"]) == ("page", "given", "coordinates")
    assert "no grid area" in " ".join(site["missing"])
    assert "smf" in home.here("site", "list").out
    shown = home.here("site", "show", "smf").out
    assert "place: 38.6400, -121.5200 ± 5 km, given by the page" in shown
    assert "missing: no provider regions" in shown
    home.here("site", "show", "nowhere", code=3)


def test_import_leaves_sites_of_the_file_alone(home: Home) -> None:
    config = home.folder / "own.toml"
    config.write_text('[[sites]]\nname = "smf"\nprovider_regions = ["aws:us-west-1"]\n')
    home.here("apply", config)
    file = home.folder / "sites.csv"
    file.write_text(PLAIN)
    assert home.here("site", "import", file, "--apply").out == "taken   site smf (owned by file)\n"
    site = home.here("site", "show", "smf", "--json").json
    assert (site["located_by"], site["place"]["name"]) == ("catalogue", "aws:us-west-1")
    assert "the catalogue's for aws:us-west-1" in home.here("site", "show", "smf").out


def test_an_import_with_an_error_writes_nothing(home: Home) -> None:
    file = home.folder / "sites.csv"
    file.write_text(PLAIN + "ams,,52,east,,\n")
    ran = home.run("site", "import", file, "--apply", code=1)
    assert "row 3: longitude: 'east' is not a number" in ran.err
    assert "1 row cannot be used; nothing was written" in ran.err
    assert home.here("site", "list", "--json").json == []
    told = home.here("site", "import", file, "--json", code=1).json
    assert told["errors"] == [{"row": 3, "column": "longitude", "text": "'east' is not a number"}]
    assert told["applied"] is False


def test_import_takes_netbox_and_says_what_it_left_out(home: Home) -> None:
    file = home.folder / "netbox.json"
    file.write_bytes(netbox_list())
    told = home.here("site", "import", file, "--json", "--apply", "--match-label", "site").json
    assert told["plan"] == [{"act": "add", "kind": "site", "name": "lon-1", "why": ""}]
    assert [row["name"] for row in told["left_out"]] == ["cab-1", "old"]
    file.write_bytes(b"\xff")
    assert "not UTF-8" in home.here("site", "import", file, code=1).err


def test_zones_are_read_from_a_saved_answer_and_a_far_point_is_told(home: Home) -> None:
    (home.folder / "sites.csv").write_text(PLAIN + "ams,,52.3,4.9,,\n")
    home.here("site", "import", home.folder / "sites.csv", "--apply")
    file = home.folder / "points.json"
    file.write_text(json.dumps(POINT))
    ran = home.here("site", "zones", "smf", "--file", file)
    assert tomllib.loads(ran.out)["zones"] == ["CAC067", "CAZ017"]
    assert "CAZ217" in ran.out
    assert not ran.err
    assert "warning: this answer is for a point" in home.here("site", "zones", "ams", "--file", file).err
    assert home.here("site", "zones", "smf", "--file", file, "--json").json["zones"] == ["CAC067", "CAZ017"]
    home.here("site", "zones", "nowhere", "--file", file, code=3)
    file.write_text('{"status": 404}')
    assert "no answer of api.weather.gov/points" in home.here("site", "zones", "smf", "--file", file, code=1).err


def test_zones_are_asked_for_by_network(home: Home) -> None:
    (home.folder / "sites.csv").write_text(PLAIN + "ams,,52.3,4.9,,\n")
    home.here("site", "import", home.folder / "sites.csv", "--apply")
    open_here = {"BAROGRAPH_ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8"}

    def asked(where: str, site: str = "smf", *, code: int = 0, settings: dict[str, str] = open_here) -> Ran:
        return home.run("site", "zones", site, "--url", where, code=code, settings=settings)

    with hostile.feed() as feed:
        feed.pages["/points/38.64,-121.52"] = json.dumps(POINT).encode()
        feed.pages["/html/points/38.64,-121.52"] = b"<!doctype html>"
        ran = asked(feed.url)
        assert tomllib.loads(ran.out)["zones"] == ["CAC067", "CAZ017"]
        assert feed.heard[0].headers["accept"] == "application/geo+json"
        assert "it knows the United States alone" in asked(feed.url, "ams", code=3).err
        assert "answered 500; --file reads" in asked(f"{feed.url}/broken", code=6).err
        assert "not JSON" in asked(f"{feed.url}/html", code=1).err
        assert "169.254.169.254" in asked(f"{feed.url}/metadata", code=6).err
        before = len(feed.heard)
        assert "not allowed" in asked(feed.url, code=6, settings={}).err
        assert len(feed.heard) == before


@pytest.mark.parametrize(
    ("latitude", "longitude", "path"),
    [(38.64, -121.52, "38.64,-121.52"), (40.0, -100.0, "40,-100"), (0.00001, 10.123456, "0,10.1235")],
)
def test_a_point_is_asked_for_as_the_service_writes_it(latitude: float, longitude: float, path: str) -> None:
    assert zones.path_of(Site("x", "", latitude, longitude)) == f"/points/{path}"


# --- the page and the API -------------------------------------------------------------------------------------------


def test_the_page_says_where_a_place_comes_from_and_what_is_missing() -> None:
    sites = [
        site_of({"name": "oregon", "provider_regions": ["aws:us-west-2"]}),
        Site("x", "<b>X</b>\u202e", 38.6, -121.5, provider_regions=("<i>LHR</i>", "LHR")),
    ]
    page = pages.sites_page(sites, london.viewer("viewer"), now=london_pages.NOW)
    assert "from the catalogue: aws:us-west-2" in page
    assert "lists say Portland" in page
    assert "warnings are matched by outline only; `barograph site zones` finds them" in page
    assert "&lt;b&gt;X&lt;/b&gt;" in page
    assert "<i>LHR</i>" not in page
    assert "ambiguous" in page


def test_the_api_and_the_page_carry_the_same(barograph: StartBarograph) -> None:
    service = barograph('[[sites]]\nname = "oregon"\nprovider_regions = ["aws:us-west-2", "aws:us-west-2a"]\n')
    (site,) = service.json("/api/v1/sites")["items"]
    assert (site["located_by"], site["place"]["name"]) == ("catalogue", "aws:us-west-2")
    assert site["regions"][1] == {"name": "aws:us-west-2a", "places": ["aws:us-west-2a"]}
    assert any("no warning zones" in text for text in site["missing"])
