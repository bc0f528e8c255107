"""The feeds of the sky and the earth: chains of messages, areas, ends, units, and what must never pass for true."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incidents import fold, spoken
from incidents.adapters import adapters, meteoalarm
from incidents.formats import cap, hazards, quakes, vtec, zones
from incidents.formats.readings import LIMITS, Sheet, temperatures_in
from incidents.geography import places
from incidents.model import Area, Delivery, Event, Loss, Occurrence, Reading, Said, Site, Source, UnrecognisedError
from tests import samples
from tests.servers import ROOT

SMF = Site("smf", "Sacramento", 38.58, -121.49, zones=("CAC067", "CAZ017"))
LHR = Site("lhr", "London", 51.48, -0.45, timezone="Europe/London")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sample(adapter: str, name: str) -> Delivery:
    return samples.delivery_of(next(path for path in samples.of(adapter) if path.stem == name))


def read(adapter: str, body: Any, **more: Any) -> list[Any]:
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(adapters()[adapter].normalise(Delivery("test", written, samples.RECEIVED, **more)))


def events(adapter: str, *names: str) -> list[Event]:
    said = [one for name in names for one in adapters()[adapter].normalise(sample(adapter, name))]
    return [one for one in said if isinstance(one, Event)]


def folded(said: Iterable[Event], key: str | None = None) -> Occurrence:
    """The one occurrence that these events speak of, the same in whatever order they are read."""
    chosen = [event for event in said if key in {None, event.key}]
    assert {event.key for event in chosen} == {chosen[0].key}
    statements = [
        Said(event, spoken.digest(event), "test", event.said_at or samples.RECEIVED, samples.RECEIVED)
        for event in chosen
    ]
    found = [fold.occurrence(order) for order in itertools.islice(itertools.permutations(statements), 50)]
    assert all(one == found[0] for one in found)
    return found[0]


def losses(said: Sequence[Any]) -> int:
    return sum(one.count for one in said if isinstance(one, Loss))


# XML


def test_an_entity_of_a_documents_own_is_never_read() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x "' + b"x" * 1_000 + b'"><!ENTITY y "' + b"&x;" * 1_000 + b'">]><a>&y;</a>'
    outside = b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>'
    parameter = b'<!DOCTYPE a [<!ENTITY % r SYSTEM "http://127.0.0.1:9/x.dtd"> %r;]><a/>'
    for body in (bomb, outside, parameter):
        for adapter in ("cap", "meteoalarm", "gdacs"):
            with pytest.raises(UnrecognisedError, match="document type"):
                read(adapter, body)
    with pytest.raises(UnrecognisedError, match="undefined entity"):
        read("cap", b"<alert>&y;</alert>")


def test_a_document_above_the_bound_is_unrecognised() -> None:
    body = sample("cap", "warning").body
    room = cap.LARGEST - len(body)
    assert read("cap", body + b" " * room)
    with pytest.raises(UnrecognisedError, match="5 MiB"):
        read("cap", body + b" " * (room + 1))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_xml_is_read_in_the_encoding_that_it_declares(encoding: str) -> None:
    told = sample("cap", "utf_16").body.decode("utf-16")
    body = told.replace('encoding="UTF-16"', f'encoding="{encoding.removesuffix("-sig")}"').encode(encoding)
    (gale,) = read("cap", body)
    assert gale.labels["headline"] == "Gale over the Öresund"


# VTEC and zones


def test_vtec_strings_are_found_among_others() -> None:
    new, extended = vtec.strings_in(
        "/O.NEW.KSTO.SV.W.0021.261120T1130Z-261120T1215Z/\n/00000.0.ER.000000T0000Z.000000T0000Z.000000T0000Z.OO/"
        " /O.EXT.KSTO.FL.W.0044.000000T0000Z-000000T0000Z/"
    )
    assert (new.key(2026), new.begins_at, new.ends_at) == (
        "KSTO.SV.W.0021.2026",
        at("2026-11-20T11:30"),
        at("2026-11-20T12:15"),
    )
    assert (extended.begins_at, extended.ends_at, extended.is_over) == (None, None, False)
    assert vtec.strings_in("/O.NEW.KSTO.SV.W.21.261120T1130Z-261120T1215Z/ /O.NEW.STO/") == ()


def test_an_impossible_time_of_vtec_is_absent() -> None:
    (code,) = vtec.strings_in("/O.NEW.KSTO.FA.A.9999.269901T9999Z-991231T2359Z/")
    assert code.begins_at is None
    assert code.ends_at == at("2099-12-31T23:59")


def test_a_message_of_january_belongs_to_the_event_of_december() -> None:
    (code,) = vtec.strings_in("/O.CON.KSTO.WS.W.0012.000000T0000Z-270102T0000Z/")
    assert vtec.year_of(code, at("2027-01-01T04:00"), [at("2026-12-31T18:00")]) == 2026
    (fresh,) = vtec.strings_in("/O.NEW.KSTO.WS.W.0001.270101T0600Z-270102T0000Z/")
    assert vtec.year_of(fresh, at("2027-01-01T04:00"), [at("2026-12-31T18:00")]) == 2027


@pytest.mark.parametrize(
    ("codes", "name"),
    [
        (("XH", "W"), "Extreme Heat Warning"),
        (("EH", "A"), "Excessive Heat Watch"),
        (("HT", "Y"), "Heat Advisory"),
        (("FW", "W"), "Red Flag Warning"),
        (("FA", "W"), "Flood Warning"),
        (("QQ", "W"), "QQ.W"),
    ],
)
def test_products_have_their_usual_names(codes: tuple[str, str], name: str) -> None:
    assert vtec.name_of(*codes) == name


def test_counties_and_forecast_zones_and_same_codes_are_not_confused() -> None:
    assert zones.county_of("006067") == "CAC067"
    assert zones.county_of("106067") == "CAC067"  # a part of the county
    assert zones.county_of("006000") is None  # the whole state
    assert zones.county_of("099001") is None
    assert zones.ugc_of(["CAC067", "https://api.weather.gov/zones/forecast/CAZ017", "006067", "CAZ", None]) == [
        "CAC067",
        "CAZ017",
    ]
    assert zones.same_of(["006067", "06067", "CAC067", 6067]) == ["006067"]
    assert zones.states_of(["CAC067", "nvz003", "UK115", "PZZ530", "DEC001"]) == ["CA", "DE", "NV"]


# National Weather Service


def test_a_warning_its_update_and_its_cancellation_are_one_occurrence() -> None:
    heat = folded(events("nws_alerts", "warning", "update", "cancel"))
    assert heat.key == "KSTO.XH.W.0007.2026"
    assert heat.starts_at == at("2026-11-19T19:00")  # the onset of an update is the hour of the update
    assert (heat.ends_at, heat.ends_expected) == (at("2026-11-20T11:00"), False)


def test_the_segments_of_one_warning_are_one_event_over_all_their_zones() -> None:
    (warning,) = events("nws_alerts", "warning")
    assert warning.area
    assert set(warning.area.zones) == {"CAZ017", "CAZ015", "006067", "006089"}
    assert (warning.ends_at, warning.ends_expected) == (at("2026-11-22T03:00"), True)


def test_a_cancellation_for_some_zones_leaves_the_others() -> None:
    left = folded(events("nws_alerts", "warning", "partly_cancelled"))
    assert left.area
    assert left.area.zones == ("CAZ015", "006089")
    assert left.is_on(at("2026-11-21T00:00"))


def test_a_warning_ends_when_the_hazard_does_and_not_when_its_message_lapses() -> None:
    body = json.loads(sample("nws_alerts", "warning").body)
    for feature in body["features"]:
        assert feature["properties"]["expires"] < feature["properties"]["ends"]
    (warning,) = read("nws_alerts", body)
    assert warning.ends_at == at("2026-11-22T03:00")
    (flood,) = events("nws_alerts", "until_further_notice")
    assert (flood.ends_at, flood.ends_assumed) == (at("2026-11-20T23:00"), True)


def test_an_upgraded_watch_ends_and_the_warning_is_another_occurrence() -> None:
    watch, warning = events("nws_alerts", "upgraded")
    assert (watch.key, watch.event) == ("KSTO.XH.A.0003.2026", "Extreme Heat Watch")
    assert watch.ends_at == watch.starts_at  # it never came to be on
    assert (warning.key, warning.event, warning.ends_expected) == ("KSTO.XH.W.0008.2026", "Extreme Heat Warning", True)


def test_a_message_that_names_two_events_tells_both() -> None:
    body = json.loads(sample("nws_alerts", "storm").body)
    told = body["features"][0]["properties"]
    told["parameters"]["VTEC"].append("/O.NEW.KSTO.WI.Y.0005.261120T1200Z-261120T1800Z/")
    storm, wind = read("nws_alerts", body)
    assert (storm.event, storm.ends_at) == ("Severe Thunderstorm Warning", at("2026-11-20T12:15"))
    assert (wind.key, wind.event, wind.ends_at) == ("KSTO.WI.Y.0005.2026", "Wind Advisory", at("2026-11-20T18:00"))


def test_of_an_upgrade_in_cap_the_warning_is_told() -> None:
    body = sample("cap", "national_end").body.replace(
        b"/O.NEW.KSTO.FA", b"/O.UPG.KSTO.FF.A.0002.261120T2000Z-261123T0000Z/ /O.NEW.KSTO.FA"
    )
    (watch,) = read("cap", body)
    assert (watch.key, watch.ends_expected) == ("KSTO.FA.A.0011.2026", True)


def test_without_vtec_the_first_message_of_the_chain_names_the_occurrence() -> None:
    (statement,) = events("nws_alerts", "without_vtec")
    assert statement.key == "urn:oid:2.49.0.1.840.0.d1.001.1"
    assert statement.starts_at is None


def test_same_codes_become_counties_only_where_no_zone_is_named() -> None:
    (alone,) = events("nws_alerts", "same_alone")
    assert alone.area
    assert {"CAC067", "006067"} <= set(alone.area.zones)
    (flood,) = events("nws_alerts", "until_further_notice")
    body = json.loads(sample("nws_alerts", "without_vtec").body)
    (zoned,) = read("nws_alerts", body)
    assert "CAC067" not in zoned.area.zones
    assert flood.area is not None


def test_an_outline_meets_the_site_within_it_and_passes_the_one_beside() -> None:
    (storm,) = events("nws_alerts", "storm")
    inside = places.relation(replace(SMF, uncertainty_km=1), storm.area)
    assert inside
    assert inside.how == "polygon"
    assert places.relation(replace(SMF, longitude=-120.0, zones=()), storm.area) is None


@pytest.mark.parametrize("status", ["Test", "Exercise", "Draft", "System"])
def test_what_is_no_actual_alert_is_flagged(status: str) -> None:
    body = json.loads(sample("nws_alerts", "storm").body)
    body["features"][0]["properties"]["status"] = status
    (event,) = read("nws_alerts", body)
    assert event.test
    body["features"][0]["properties"]["status"] = "Actual"
    assert not read("nws_alerts", body)[0].test
    test_of_vtec = events("nws_alerts", "test_message")[1]
    assert (test_of_vtec.labels["status"], test_of_vtec.test) == ("Actual", True)


def test_a_document_of_the_past_tells_each_moment() -> None:
    said = [json.loads(sample("nws_alerts", name).body)["features"] for name in ("warning", "update", "cancel")]
    by_id = {feature["id"]: feature for feature in itertools.chain(*said)}
    features = list(by_id.values())
    random.Random(7).shuffle(features)
    found = read("nws_alerts", {"type": "FeatureCollection", "features": features})
    assert [event.said_at for event in found] == [
        at("2026-11-19T18:00"),
        at("2026-11-20T09:40"),
        at("2026-11-20T11:00"),
    ]
    assert folded(found).ends_at == at("2026-11-20T11:00")
    assert found[0] == events("nws_alerts", "warning")[0]


def test_times_before_and_beyond_time_are_absent() -> None:
    endless = events("nws_alerts", "damaged")[0]
    assert endless.starts_at == endless.said_at
    assert (endless.ends_at, endless.ends_assumed) == (endless.said_at + timedelta(days=1), True)  # type: ignore[operator]  # it was sent


def test_only_the_states_of_the_sites_are_asked_for() -> None:
    requests = adapters()["nws_alerts"].requests
    assert requests
    nevada = Site("rno", "Reno", 39.5, -119.8, zones=("NVZ003",))
    (asked,) = requests(Source("nws", "nws_alerts"), [SMF, nevada, LHR])
    assert asked.url.endswith("&area=CA,NV")
    assert "limit" not in asked.url  # answered 400
    (asked,) = requests(Source("nws", "nws_alerts"), [SMF, Site("jfk", "New York", 40.6, -73.8)])
    assert "area" not in asked.url
    assert requests(Source("nws", "nws_alerts"), [LHR]) == []


# CAP and MeteoAlarm


def test_a_chain_of_references_is_one_occurrence() -> None:
    gusts = folded(events("cap", "warning", "update", "cancel"))
    assert (gusts.key, gusts.starts_at) == ("XX.2026.0001", at("2026-11-20T13:00"))
    assert gusts.ends_at == at("2026-11-20T11:30")
    assert not gusts.is_on(at("2026-11-20T13:30"))
    assert folded(events("cap", "warning", "cancel_without_info")).title == "Severe wind gusts, Lower Coast and 1 more"
    assert folded(events("cap", "warning", "all_clear")).ends_at == at("2026-11-20T11:30")


def test_a_chain_that_names_only_the_message_before_is_followed_within_its_document() -> None:
    assert [event.key for event in events("cap", "index")] == ["XX.2026.0001"] * 3


def test_messages_that_refer_to_each_other_do_not_go_in_circles() -> None:
    alert = (
        "<alert><identifier>{}</identifier><msgType>Update</msgType><references>s,{},2026-11-20T09:00:00Z</references>"
        "<info><event>Fog</event></info></alert>"
    )
    body = f"<feed>{alert.format('a', 'b')}{alert.format('b', 'a')}</feed>".encode()
    assert len(read("cap", body)) == 2


def test_cap_writes_latitude_first() -> None:
    (gusts,) = events("cap", "update")
    assert gusts.area
    assert gusts.area.geometry
    assert gusts.area.geometry["coordinates"][0][0] == [4.0, 52.0]
    inside = places.relation(Site("ams", "Amsterdam", 52.4, 4.9, uncertainty_km=1), gusts.area)
    assert inside
    assert inside.how == "polygon"
    island = places.relation(Site("isl", "Island", 53.25, 4.85, uncertainty_km=1), gusts.area)
    assert island
    assert island.how == "radius"


def test_english_is_told_and_the_other_languages_headlines_are_kept() -> None:
    (gusts,) = events("cap", "warning")
    assert gusts.event == "Severe wind gusts"
    assert gusts.labels["headline (nl-NL)"] == "Code oranje: zware windstoten"


def test_codes_of_foreign_schemes_cannot_pass_for_american_ones() -> None:
    (gusts,) = events("cap", "update")
    assert gusts.area
    assert gusts.area.zones == ("NL001", "Location:3537001")


def test_a_national_end_of_the_hazard_stands_before_the_end_of_the_message() -> None:
    (watch,) = events("cap", "national_end")
    assert (watch.key, watch.ends_at) == ("KSTO.FA.A.0011.2026", at("2026-11-23T00:00"))


@pytest.mark.parametrize(
    ("word", "ours"),
    [("Extreme", "critical"), ("severe", "error"), ("Moderate", "warning"), ("Minor", "info"), ("Unknown", "unknown")],
)
def test_caps_words_of_gravity_are_not_those_of_status_pages(word: str, ours: str) -> None:
    assert hazards.severity_of(word) == ours


def test_what_has_no_end_ends_a_day_later_by_assumption() -> None:
    (power,) = events("cap", "without_end")
    assert (power.ends_at, power.ends_assumed) == (at("2026-11-21T08:00"), True)


def test_meteoalarms_colour_is_the_severity_and_all_clear_the_end() -> None:
    wind = folded(events("meteoalarm", "warning", "update"), "2.49.0.0.276.0.DE.1")
    assert wind.severity == "critical"
    over = folded(events("meteoalarm", "warning", "update", "all_clear"), "2.49.0.0.276.0.DE.1")
    assert not over.is_on(at("2026-11-20T18:00"))


@pytest.mark.parametrize(
    ("site", "countries"),
    [
        (replace(LHR, zones=("UK115",)), {"united-kingdom"}),
        (LHR, {"united-kingdom"}),
        (Site("ath", "Athens", 38.0, 23.7, zones=("EL301",)), {"greece"}),
        (Site("ilg", "Wilmington", 39.7, -75.6, zones=("DEC003",)), set()),
        (SMF, set()),
        (Site("nrt", "Tokyo", 35.8, 140.4, timezone="Asia/Tokyo"), set()),
    ],
)
def test_the_country_of_a_site_is_that_of_its_zones_else_of_its_clock(site: Site, countries: set[str]) -> None:
    assert meteoalarm.countries_of(site) == countries


def test_outlines_of_a_warning_are_one_and_keep_no_more_corners_than_one() -> None:
    def outline(west: float) -> str:
        turns = [2 * math.pi * step / 1_500 for step in range(1_500)]
        corners = [f"{52 + math.sin(turn) / 4:.4f},{west + math.cos(turn) / 4:.4f}" for turn in turns]
        return f"<polygon>{' '.join([*corners, corners[0]])}</polygon>"

    areas = "".join(f"<area>{outline(west)}</area>" for west in range(4, 24))
    body = f"<alert><identifier>x</identifier><info><event>Fog</event>{areas}</info></alert>".encode()
    (fog,) = read("cap", body)
    assert fog.area.geometry["type"] == "MultiPolygon"
    assert len(fog.area.geometry["coordinates"]) == 20
    assert sum(len(ring) for part in fog.area.geometry["coordinates"] for ring in part) < 2_500
    assert places.relation(Site("x", "X", 52.1, 10.1, uncertainty_km=0.1), fog.area)


# Other warnings


def test_a_canadian_alert_is_one_through_its_publications() -> None:
    storm = folded(events("eccc_alerts", "warning", "update", "ended"), "622294761785688038")
    assert storm.starts_at == at("2026-11-20T15:00")
    assert not storm.is_on(at("2026-11-20T16:00"))
    lasting = folded(events("eccc_alerts", "warning", "update"), "622294761785688038")
    assert (lasting.severity, lasting.ends_assumed) == ("critical", True)


def test_the_worlds_list_is_read_with_four_as_the_gravest_and_placed_by_country() -> None:
    severe, extreme, unknown = events("wmo_swic", "list")
    assert [one.severity for one in (severe, extreme, unknown)] == ["error", "critical", "unknown"]
    assert extreme.area == Area(zones=("country:IN",))
    assert unknown.area is None
    assert severe.said_at == at("2026-11-20T09:00")


def test_an_archived_warning_is_told_as_it_was_first_said_and_as_it_ended() -> None:
    heat = [event for event in events("iem_vtec", "table") if event.key == "KSTO.EH.W.0002.2022"]
    first, last = heat
    assert (first.said_at, first.ends_at) == (at("2022-08-30T18:28"), at("2022-09-07T03:00"))
    assert (last.said_at, last.ends_at) == (at("2022-09-09T20:10"), at("2022-09-10T03:00"))
    assert folded(heat).area == Area(zones=("CAZ017", "CAZ016"))


def test_of_a_warning_with_an_outline_the_outline_holds() -> None:
    storm = folded(events("iem_vtec", "outlines", "table"), "KSTO.SV.W.0009.2022")
    assert storm.area
    assert storm.area.geometry
    assert storm.area.geometry["coordinates"][0][0] == [-121.6, 38.5]
    assert storm.area.zones == ()
    assert storm.ends_at == at("2022-09-18T21:40")


# Earthquakes, storms, disasters


def test_an_earthquake_is_felt_farther_the_stronger_and_the_shallower_it_is() -> None:
    reach = [quakes.felt_radius_km(magnitude, 10) for magnitude in (3.0, 4.2, 5.0, 6.0, 7.0, 8.0)]
    assert reach == sorted(reach)
    assert reach[0] < 10 < reach[1] < 30 < reach[2] < 80 < reach[3] < 160 < reach[4]
    assert quakes.felt_radius_km(6.0, 100) < quakes.felt_radius_km(6.0, 10)
    assert quakes.felt_radius_km(-5.0, 0) == 0
    assert quakes.felt_radius_km(10.0, 1000) > 0
    # The estimate stands where the intensity it is named after is met.
    assert quakes.intensity(6.0, (quakes.felt_radius_km(6.0, 10) ** 2 + 100) ** 0.5) == pytest.approx(4, abs=0.02)


def test_a_revised_earthquake_is_the_same_and_a_deleted_one_had_no_length() -> None:
    shaken = folded(events("usgs_earthquakes", "feed", "update"), "nc75000001")
    assert shaken.labels["magnitude"] == "4.4"
    assert (shaken.starts_at, shaken.ends_at) == (at("2026-11-20T08:30"), at("2026-11-20T08:31"))
    assert "estimate" in shaken.labels["felt_radius_km"]
    gone = folded(events("usgs_earthquakes", "feed", "update", "deleted"), "nc75000001")
    assert gone.ends_at == gone.starts_at


def test_milliseconds_are_milliseconds_however_many() -> None:
    def quake(time: float) -> list[Any]:
        properties = {"mag": 5, "time": time, "type": "earthquake"}
        geometry = {"type": "Point", "coordinates": [-122.4, 37.7, 8]}
        return read("usgs_earthquakes", {"features": [{"id": "x", "properties": properties, "geometry": geometry}]})

    assert quake(31_536_000_000)[0].starts_at == at("1971-01-01T00:00")
    assert quake(-2_009_000_000_000)[0].starts_at.year == 1906
    with pytest.raises(UnrecognisedError):
        quake(253_402_300_799_000)  # in the year 9999


def test_a_storm_is_one_through_its_advisories() -> None:
    storm = folded(events("nhc_storms", "storms", "update"), "al182026")
    assert (storm.title, storm.labels["advisory"]) == ("Major hurricane Sample", "025")
    assert storm.area
    assert (storm.area.latitude, storm.area.radius_km) == (19.1, 200.0)
    assert storm.ends_at == at("2026-11-21T00:00")


def test_a_disaster_that_is_current_has_no_end_of_its_own() -> None:
    cyclone = folded(events("gdacs", "feed"), "TC1000900")
    assert cyclone.ends_assumed
    over = folded(events("gdacs", "feed", "over"), "TC1000900")
    assert (over.ends_at, over.ends_assumed) == (at("2026-11-20T11:00"), False)
    (quake,) = [event for event in events("gdacs", "feed") if event.event == "Earthquake"]
    assert quake.area
    assert quake.area.radius_km == quakes.felt_radius_km(6.1, 12.5)


# Readings


def readings(adapter: str, name: str) -> list[Reading]:
    return [one for one in adapters()[adapter].normalise(sample(adapter, name)) if isinstance(one, Reading)]


@pytest.mark.parametrize(
    ("variable", "value", "unit", "ours"),
    [
        ("temperature_c", 104, "degF", 40.0),
        ("temperature_c", "41.1", "°C", 41.1),
        ("dew_point_c", 273.15, "K", 0.0),
        ("wind_gust_m_s", 36, "km_h-1", 10.0),
        ("wind_gust_m_s", 25, "kt", 12.861),
        ("precipitation_mm", 0.0015, "m", 1.5),
        ("precipitation_mm", 1, "inch", 25.4),
    ],
)
def test_a_value_is_converted_by_the_unit_that_it_names(variable: str, value: object, unit: str, ours: float) -> None:
    sheet = Sheet(Delivery("test", b"", samples.RECEIVED), "credit")
    sheet.add(variable, value, unit, at=samples.RECEIVED, place=(38.5, -121.5), station=None)
    (reading,) = sheet.statements()
    assert isinstance(reading, Reading)
    assert reading.value == ours


@pytest.mark.parametrize(
    ("variable", "value", "unit"),
    [
        ("temperature_c", 41.1, "furlong"),
        ("temperature_c", 41.1, "m_s-1"),
        ("temperature_c", 41.1, ""),
        ("wind_gust_m_s", 5, "degC"),
        ("temperature_c", 1e308, "degC"),
        ("temperature_c", -273.15, "degC"),
        ("precipitation_mm", -1, "mm"),
        ("temperature_c", "M", "degC"),
        ("temperature_c", True, "degC"),
    ],
)
def test_a_value_that_cannot_be_true_is_a_loss_and_never_a_reading(variable: str, value: object, unit: str) -> None:
    sheet = Sheet(Delivery("test", b"", samples.RECEIVED), "credit")
    sheet.add(variable, value, unit, at=samples.RECEIVED, place=(38.5, -121.5), station=None)
    assert [type(one) for one in sheet.statements()] == [Loss]


def test_a_value_of_the_future_is_a_loss_beyond_what_clocks_differ() -> None:
    for ahead, kept in ((5, True), (15, False)):
        sheet = Sheet(Delivery("test", b"", samples.RECEIVED), "credit")
        when = samples.RECEIVED + timedelta(minutes=ahead)
        sheet.add("temperature_c", 20, "degC", at=when, place=(38.5, -121.5), station=None)
        assert bool(sheet.readings) == kept


def test_every_variable_has_limits_and_no_reading_of_a_damaged_document_is_beyond_them() -> None:
    for adapter in ("nws_observations", "metar", "open_meteo"):
        for reading in readings(adapter, "damaged"):
            least, most = LIMITS[reading.variable]
            assert least <= reading.value <= most
            assert reading.at <= samples.RECEIVED


def test_what_the_service_questions_is_provisional_and_what_it_rejects_is_lost() -> None:
    first, second = (one for one in readings("nws_observations", "station") if one.variable == "temperature_c")
    assert (first.provisional, second.provisional) == (False, True)
    said = adapters()["nws_observations"].normalise(sample("nws_observations", "damaged"))
    assert any(isinstance(one, Loss) and "rejected" in one.what for one in said)
    assert not any(isinstance(one, Reading) and one.value == 99.9 for one in said)


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ("KXMP 201053Z 35005KT 26/M03 A3005 RMK AO2 T02561028", (25.6, -2.8)),
        ("KXMP 201053Z 35005KT 26/M03 A3005 RMK AO2", (26.0, -3.0)),
        ("EXMP 201050Z 9999 M00/M05 Q1013", (0.0, -5.0)),
        ("EXMP 201050Z 9999 ////// Q1013", None),
        ("EXMP 201050Z RMK 10/12", None),
    ],
)
def test_a_report_says_temperature_and_dew_point(report: str, told: tuple[float, float] | None) -> None:
    assert temperatures_in(report) == told


def test_a_model_is_never_an_observation_and_its_forecast_is_not_kept() -> None:
    now = readings("open_meteo", "forecast")
    assert now
    assert all(one.basis == "modelled" and one.at <= samples.RECEIVED and one.provisional for one in now)
    assert {"temperature_c", "wet_bulb_c", "dew_point_c", "wind_gust_m_s", "precipitation_mm"} == {
        one.variable for one in now
    }
    assert all("ecmwf_ifs025" in (one.credit or "") and "CC BY 4.0" in (one.credit or "") for one in now)
    assert losses(adapters()["open_meteo"].normalise(sample("open_meteo", "forecast"))) == 0  # left out, not lost
    assert not any(one.provisional for one in readings("open_meteo", "archive"))


def test_one_model_is_asked_for_the_past_and_one_for_the_present() -> None:
    feed = adapters()["open_meteo"]
    assert feed.requests
    assert feed.history
    (now,) = feed.requests(Source("om", "open_meteo"), [SMF])
    (past,) = feed.history(Source("om", "open_meteo"), [SMF], at("2022-09-05T00:00"), at("2022-09-07T00:00"))
    assert "models=ecmwf_ifs025&" in now.url
    assert "models=era5&" in past.url
    assert "start_date=2022-09-05&end_date=2022-09-07" in past.url
    assert all("timezone=UTC" in asked.url and asked.site == "smf" for asked in (now, past))


def test_the_past_of_the_airports_is_asked_by_its_end_and_length() -> None:
    feed = adapters()["metar"]
    assert feed.history
    (asked,) = feed.history(Source("m", "metar"), [SMF], at("2026-11-18T10:30"), at("2026-11-20T12:00"))
    assert "hours=50&date=20261120_1200" in asked.url


def test_feeds_of_the_past_ask_for_the_states_of_the_sites() -> None:
    feed = adapters()["iem_vtec"]
    assert feed.history
    table, outlines = feed.history(
        Source("iem", "iem_vtec"), [SMF, LHR], at("2022-09-01T00:00"), at("2022-09-09T00:00")
    )
    assert all("sts=2022-09-01T00:00Z&ets=2022-09-09T00:00Z&states=CA" in asked.url for asked in (table, outlines))
    assert feed.history(Source("iem", "iem_vtec"), [LHR], at("2022-09-01T00:00"), at("2022-09-09T00:00")) == []


@pytest.mark.parametrize("name", ["nws_alerts", "cap", "meteoalarm", "eccc_alerts", "wmo_swic", "gdacs", "metar"])
def test_a_feed_with_nothing_to_say_says_nothing(name: str) -> None:
    assert list(adapters()[name].normalise(sample(name, "none"))) == []


# The page of the feeds


def test_the_page_of_the_feeds_tells_their_licences_and_whether_they_have_a_past() -> None:
    lines = (ROOT / "docs" / "feeds.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    assert {row[0].strip("`") for row in rows} <= set(adapters())
    for name, _, licence, _, past in rows:
        feed = adapters()[name.strip("`")]
        assert feed.credit
        assert licence == feed.credit.licence
        assert (past != "not at all") == (feed.history is not None)
