"""Feeds of providers, grids and the internet: what is asked for, the traps of each format, and hostile documents."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest

from incidents import fold, spoken
from incidents.adapters import adapters
from incidents.formats import addresses, status_posts, xml_documents
from incidents.geography import region_names
from incidents.geography.places import relation
from incidents.model import Delivery, Event, Loss, Reading, Said, Site, Source, Statement, UnrecognisedError
from tests import samples
from tests.test_every_adapter import STRANGE, read

RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
FEEDS = (
    "aws_status", "azure_status", "caiso", "eia_930", "entsoe", "google_cloud_status", "instatus", "ioda", "neso",
    "oracle_status", "slack_status", "statuspage_page",
)  # fmt: skip
SMF = Site("smf", "Sacramento", 38.6, -121.5, provider_regions=("aws:us-west-1", "azure:westus2"), grid_area="BANC")
LHR = Site(
    "lhr",
    "London",
    51.5,
    -0.1,
    provider_regions=("gcp:europe-west2-a", "oci:uk-london-1"),
    zones=("ioda:country/GB", "ioda:asn/64500", "ioda:country/IE"),
    grid_area="GB",
)
CPH = Site("cph", "Copenhagen", 55.7, 12.6, grid_area="10YDK-2--------M")


def said(adapter: str, body: object, *, at: datetime = RECEIVED, **headers: str) -> list[Statement]:
    """What an adapter says of a body: bytes, text, or what is written as JSON."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return list(adapters()[adapter].normalise(Delivery("s", content, at, named)))


def events(adapter: str, sample: str) -> list[Event]:
    path = next(path for path in samples.of(adapter) if path.stem == sample)
    found = adapters()[adapter].normalise(samples.delivery_of(path))
    return [one for one in found if isinstance(one, Event)]


def asked(adapter: str, *sites: Site, url: str | None = None) -> list[str]:
    requests = adapters()[adapter].requests
    assert requests
    return [one.url for one in requests(Source("s", adapter, url=url), sites)]


# What a feed declares


@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_says_how_often_it_is_asked_and_whom_to_name(name: str) -> None:
    adapter = adapters()[name]
    assert adapter.kind == "feed"
    assert adapter.every
    assert timedelta(minutes=1) <= adapter.every <= timedelta(hours=6)
    assert adapter.credit
    assert adapter.credit.text
    assert adapter.credit.licence
    assert adapter.credit.url.startswith("https://")
    facts = dict(adapter.setup["facts"]) if adapter.setup else {}
    assert {"Key", "Limits"} <= set(facts)


@pytest.mark.parametrize("name", FEEDS)
def test_what_is_asked_for_is_an_address_over_https_without_a_secret_of_ours(name: str) -> None:
    url = "https://status.example.com" if name in ("statuspage_page", "instatus") else None
    found = asked(name, SMF, LHR, CPH, url=url)
    assert found
    for address in found:
        assert address.startswith("https://")
        assert " " not in address
        assert address.count("{key}") == (name in ("eia_930", "entsoe"))
        left = addresses.filled(address, RECEIVED).replace("{key}", "")
        assert "{" not in left
        assert "}" not in left


def test_the_sources_own_address_takes_the_place_of_the_feeds() -> None:
    for name in ("google_cloud_status", "aws_status", "azure_status", "oracle_status", "slack_status", "caiso", "ioda"):
        assert asked(name, SMF, url="https://mirror.example/feed") == ["https://mirror.example/feed"]
    base = "https://status.example.com"
    both = [f"{base}/api/v2/incidents.json", f"{base}/api/v2/scheduled-maintenances.json"]
    assert asked("statuspage_page", url=base) == asked("statuspage_page", url=f"{base}/api/v2/") == both
    assert asked("statuspage_page", url=f"{base}/api/v2/summary.json") == [f"{base}/api/v2/summary.json"]
    assert asked("statuspage_page") == asked("instatus") == []
    assert asked("eia_930", SMF, url="https://mirror.example/d")[0].startswith(
        "https://mirror.example/d?api_key={key}&"
    )


def test_a_grid_is_asked_for_the_areas_that_sites_name_in_its_own_spelling() -> None:
    assert asked("eia_930", LHR, CPH) == asked("entsoe", SMF, LHR) == asked("ioda", SMF, CPH) == []
    (eia,) = asked("eia_930", SMF, LHR)
    assert "facets[respondent][]=BANC" in eia
    assert "GB" not in eia
    (entsoe,) = asked("entsoe", SMF, CPH)
    assert "outBiddingZone_Domain=10YDK-2--------M" in entsoe
    asn, country = sorted(asked("ioda", LHR))
    assert "entityType=asn&entityCode=64500&" in asn
    assert "entityType=country&entityCode=GB,IE&" in country


def test_the_past_is_asked_for_in_parts_that_the_feed_gives() -> None:
    since, until = datetime(2022, 9, 5, 20, tzinfo=UTC), datetime(2022, 9, 19, 3, tzinfo=UTC)

    def past(name: str, *sites: Site) -> list[str]:
        history = adapters()[name].history
        assert history
        return [one.url for one in history(Source("s", name), sites, since, until)]

    days = past("caiso")
    assert (days[0], len(days)) == ("https://www.caiso.com/outlook/history/20220905/demand.csv", 14)
    weeks = past("eia_930", SMF)
    assert ["start=2022-09-05T20&end=2022-09-12T20" in weeks[0], len(weeks)] == [True, 2]
    assert "periodStart=202209052000&periodEnd=202209190300" in past("entsoe", CPH)[0]
    assert any("from=2022-09-05T20:00:00Z&to=2022-09-19T03:00:00Z" in one for one in past("neso"))
    assert all(f"from={int(since.timestamp())}&until={int(until.timestamp())}" in one for one in past("ioda", LHR))


@pytest.mark.parametrize(
    ("address", "filled"),
    [
        ("a?x={epoch}&k={key}", "a?x=1795176000&k={key}"),
        ("{minute-48h}/{minute}", "202611181200/202611201200"),
        ("{day-1d}/{day+1d}/{instant+1h}", "2026-11-19/2026-11-21/2026-11-20T13:00:00Z"),
        ("{epoch -1h}{unknown}{}", "{epoch -1h}{unknown}{}"),
    ],
)
def test_places_in_an_address_are_filled_and_other_braces_stay(address: str, filled: str) -> None:
    assert addresses.filled(address, RECEIVED + timedelta(minutes=41)) == filled


# One spelling of regions


@pytest.mark.parametrize(
    ("adapter", "sample", "site", "how"),
    [
        ("google_cloud_status", "firing", LHR, "region"),
        ("google_cloud_status", "resolved", LHR, "region"),
        ("oracle_status", "firing", LHR, "region"),
        ("oracle_status", "turn_of_year", LHR, None),
        ("azure_status", "firing", SMF, None),
        ("caiso", "emergency", SMF, None),
        ("neso", "warnings", LHR, "grid_area"),
        ("ioda", "firing", LHR, "zone"),
        ("ioda", "firing", SMF, None),
        ("aws_status", "firing", Site("arn", "Stockholm", 59, 18, provider_regions=("aws:eu-north-1",)), "region"),
        ("aws_status", "resolved", Site("arn", "Stockholm", 59, 18, provider_regions=("aws:eu-north-1",)), "region"),
        ("azure_status", "firing", Site("sjc", "San Jose", 37, -121, provider_regions=("azure:westus",)), "region"),
        ("caiso", "emergency", Site("sjc", "San Jose", 37, -121, grid_area="CISO"), "grid_area"),
        ("statuspage_page", "firing", Site("iad", "Ashburn", 39, -77, provider_regions=("aws:us-east-1",)), "region"),
    ],
)
def test_what_a_feed_names_meets_the_sites_that_declare_it(
    adapter: str, sample: str, site: Site, how: str | None
) -> None:
    near = relation(site, events(adapter, sample)[0].area)
    assert (near.how if near else None) == how


@pytest.mark.parametrize(
    ("name", "region"),
    [("East US 2", "azure:eastus2"), ("West Europe", "azure:westeurope"), ("Public Non-Regional", None),
     ("West US 22", None), ("Virtual WAN", None), ("uksouth", "azure:uksouth")],
)  # fmt: skip
def test_azures_display_names(name: str, region: str | None) -> None:
    assert region_names.azure(name) == region


def test_oracles_display_names_and_codes() -> None:
    assert region_names.oci("UK South  (London)") == region_names.oci("uk-london-1") == "oci:uk-london-1"
    assert region_names.oci("Multiple Regions") is None


def test_a_component_names_a_region_only_with_its_providers_name() -> None:
    assert region_names.of_component("AWS ec2-us-east-1 and GCP us-central1-f", "X") == (
        "aws:us-east-1",
        "gcp:us-central1-f",
    )
    assert region_names.of_component("us-east-1", "X") == ()
    assert region_names.of_component("London, United Kingdom - (LHR)", "Cloudflare") == ("cloudflare:LHR",)
    assert region_names.of_component("London - (LHR)", "Somebody") == ()


# Statuspage


def test_the_page_and_the_webhook_name_one_incident_alike() -> None:
    page = events("statuspage_page", "firing")[0]
    document = orjson.loads((samples.PAYLOADS / "statuspage_page" / "firing.json").read_bytes())
    (webhook,) = said("statuspage", {"page": document["page"], "incident": document["incidents"][0]})
    assert webhook == page
    assert page.starts_at == datetime(2026, 11, 20, 8, 50, tzinfo=UTC)


def test_null_incidents_of_an_imitation_are_none_and_an_unknown_document_is_refused() -> None:
    assert said("statuspage_page", {"page": {}, "incidents": None}) == []
    with pytest.raises(UnrecognisedError, match="neither incidents"):
        said("statuspage_page", {"page": {}, "components": []})


# AWS


def test_the_feed_of_posts_ends_what_the_open_events_began() -> None:
    (begun,), (over,) = events("aws_status", "firing"), events("aws_status", "resolved")
    statements = [Said(one, spoken.digest(one), "aws", one.said_at or RECEIVED, RECEIVED) for one in (over, begun)]
    whole = fold.occurrence(statements)
    assert begun.key == over.key == "ec2-eu-north-1_1772369485"
    assert whole.ends_at == datetime(2026, 3, 1, 17, tzinfo=UTC)
    assert whole.starts_at == datetime(2026, 3, 1, 12, 51, 25, tzinfo=UTC)


def test_a_title_used_again_is_another_event_and_a_lost_item_is_counted() -> None:
    path = samples.PAYLOADS / "aws_status" / "two_episodes.xml"
    first, second, lost = adapters()["aws_status"].normalise(samples.delivery_of(path))
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert (first.ends_at is None, second.ends_at is None) == (False, True)
    assert isinstance(lost, Loss)


def test_an_event_without_a_region_is_global_and_has_no_area() -> None:
    assert events("aws_status", "global")[0].area is None


# Azure, Oracle, Slack, Instatus


def test_a_guid_of_azure_used_again_is_another_incident() -> None:
    body = (samples.PAYLOADS / "azure_status" / "firing.xml").read_text()
    (first,) = said("azure_status", body)
    (again,) = said("azure_status", body.replace("Thu, 19 Nov 2026", "Fri, 20 Nov 2026"))
    assert isinstance(first, Event)
    assert isinstance(again, Event)
    assert first.key != again.key


def test_the_same_words_of_azure_are_one_statement_whenever_they_are_read() -> None:
    body = (samples.PAYLOADS / "azure_status" / "firing.xml").read_text()
    digests = {
        spoken.digest(one)
        for at in (RECEIVED, RECEIVED + timedelta(days=3))
        for one in said("azure_status", body.replace("<ttl>5</ttl>", f"<lastBuildDate>{at}</lastBuildDate>"), at=at)
        if isinstance(one, Event)
    }
    assert len(digests) == 1


def test_posts_across_the_turn_of_the_year_are_of_their_own_years() -> None:
    (event,) = events("oracle_status", "turn_of_year")
    assert [post.at.year for post in event.posts] == [2026, 2027]
    assert event.ends_at is None


def test_what_vanishes_without_a_word_has_an_assumed_end() -> None:
    for adapter in ("azure_status", "instatus"):
        (event,) = events(adapter, "firing")
        assert event.ends_assumed
        assert event.ends_at


# Grids


def test_a_clock_of_the_repeated_hour_is_told_by_its_order_or_by_the_receipt() -> None:
    path = samples.PAYLOADS / "caiso" / "autumn_day.csv"
    readings = [one for one in adapters()["caiso"].normalise(samples.delivery_of(path)) if isinstance(one, Reading)]
    assert [(one.at.hour, one.at.minute) for one in readings] == [(7, 55), (8, 0), (8, 55), (9, 0), (9, 55), (10, 0)]


def test_the_hour_that_spring_leaves_out_has_no_reading() -> None:
    table = "Time,Current demand\n01:55,1\n02:30,2\n03:00,3\n"
    found = said("caiso", table, request_url="https://www.caiso.com/outlook/history/20260308/demand.csv")
    assert [one.value for one in found if isinstance(one, Reading)] == [1, 3]


def test_todays_file_read_just_after_midnight_may_still_be_yesterdays() -> None:
    after_midnight = datetime(2026, 11, 20, 8, 3, tzinfo=UTC)
    (one,) = said("caiso", "Time,Current demand\n23:55,25000\n", at=after_midnight)
    assert isinstance(one, Reading)
    assert one.at == datetime(2026, 11, 20, 7, 55, tzinfo=UTC)


def test_an_emergency_that_goes_on_moves_its_assumed_end() -> None:
    stats = {"slotDate": "2026-09-06 17:20:00", "gridstatus": ["EEA 2"], "CurrentSystemDemand": 50000}
    statements = []
    for minutes in (0, 5, 10):
        at = datetime(2026, 9, 7, 0, 22, tzinfo=UTC) + timedelta(minutes=minutes)
        slot = f"2026-09-06 17:{20 + minutes}:00"
        found = said("caiso", stats | {"slotDate": slot}, at=at)
        statements += [
            Said(one, spoken.digest(one), "caiso", one.said_at or at, at) for one in found if isinstance(one, Event)
        ]
    whole = fold.occurrence(statements)
    assert whole.starts_at == datetime(2026, 9, 7, 0, 20, tzinfo=UTC)
    assert (whole.ends_at, whole.ends_assumed) == (datetime(2026, 9, 7, 1, 0, tzinfo=UTC), True)


def test_a_null_is_no_reading_and_an_absurd_value_is_none_either() -> None:
    rows = [
        {"period": "2026-11-20T10", "respondent": "PGE", "type": "D", "value": value} for value in (None, "1e308", 7)
    ]
    reading, loss = said("eia_930", {"response": {"data": rows}})
    assert isinstance(reading, Reading)
    assert (reading.value, reading.grid_area, reading.latitude) == (7, "PGE", None)
    assert isinstance(loss, Loss)


def test_a_value_is_provisional_while_its_operator_revises_it() -> None:
    row = {"period": "2026-11-20T10", "respondent": "PGE", "type": "D", "value": 7}
    (early,), (late,) = (
        said("eia_930", {"response": {"data": [row]}}, at=RECEIVED + timedelta(days=days)) for days in (0, 4)
    )
    assert isinstance(early, Reading)
    assert isinstance(late, Reading)
    assert (early.provisional, late.provisional) == (True, False)


def test_repeats_that_a_curve_leaves_out_are_put_in_and_a_gap_stays_a_gap() -> None:
    counts = {}
    for name in ("repeats_left_out", "gap"):
        path = samples.PAYLOADS / "entsoe" / f"{name}.xml"
        counts[name] = len(adapters()["entsoe"].normalise(samples.delivery_of(path)))
    assert counts == {"repeats_left_out": 4, "gap": 2}


def test_a_cancelled_notice_warns_nobody() -> None:
    row = {"publishTime": "2026-11-20T09:00:00Z", "warningType": "ELECTRICITY MARGIN NOTICE"}
    (on,) = said("neso", {"data": [row | {"warningText": "A margin notice is in force."}]})
    (off,) = said("neso", {"data": [row | {"warningText": "CANCELLATION of the margin notice."}]})
    assert isinstance(on, Event)
    assert isinstance(off, Event)
    assert (on.area is None, off.area is None) == (False, True)


def test_an_outage_that_reaches_to_the_poll_is_still_on() -> None:
    assert events("ioda", "firing")[0].ends_at is None
    assert events("ioda", "resolved")[0].ends_at


# Hostile documents

BOMB = (
    b"<?xml version='1.0'?><!DOCTYPE r [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><rss><channel>&b;</channel></rss>"
)
FILE = b"<?xml version='1.0'?><!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><rss><channel>&x;</channel></rss>"
OUTSIDE = b"<?xml version='1.0'?><!DOCTYPE r SYSTEM 'http://169.254.169.254/x.dtd'><rss><channel/></rss>"


@pytest.mark.parametrize("body", [BOMB, FILE, OUTSIDE], ids=["bomb", "file", "outside"])
@pytest.mark.parametrize("name", ["aws_status", "azure_status", "oracle_status", "entsoe"])
def test_a_document_type_is_refused_before_anything_is_expanded(name: str, body: bytes) -> None:
    with pytest.raises(UnrecognisedError, match="document type"):
        said(name, body)


def test_xml_is_bounded_in_depth_elements_and_size() -> None:
    for body, reason in (
        (b"<a>" * 200 + b"</a>" * 200, "deeper than 100"),
        (b"<a>" + b"<b/>" * (xml_documents.ELEMENTS + 1) + b"</a>", "500,000 elements"),
        (b"<a>" + b" " * xml_documents.SIZE + b"</a>", "16 MiB"),
        (b"<a>&undefined;</a>", "undefined entity"),
        (b"<a", "not XML"),
        (b"", "empty body"),
        (b"<?xml version='1.0' encoding='ebcdic-x'?><a/>", "not XML"),
    ):
        with pytest.raises(UnrecognisedError, match=reason):
            xml_documents.parse(body)


def test_xml_in_utf_16_and_with_namespaces_is_read() -> None:
    root = xml_documents.parse(
        '<?xml version="1.0" encoding="utf-16"?><n:a xmlns:n="urn:x"><b>ä</b></n:a>'.encode("utf-16")
    )
    assert (root.tag, xml_documents.local(root), xml_documents.text(root, "b")) == ("{urn:x}a", "a", "ä")


def test_html_becomes_words_and_its_scripts_are_left_out() -> None:
    assert status_posts.words_of("<p>One&nbsp;<b>two</b></p><script>alert(1)</script><p>three &lt;b&gt;</p>") == (
        "One two\nthree <b>"
    )
    assert status_posts.words_of("plain, 3 > 2") == "plain, 3 > 2"
    assert status_posts.words_of("<![x[ <p>") is not None


def xml_samples() -> list[tuple[str, Path]]:
    return [(name, path) for name in FEEDS for path in samples.of(name) if path.suffix == ".xml"]


@pytest.mark.parametrize(
    ("name", "path"), xml_samples(), ids=lambda given: given.name if isinstance(given, Path) else None
)
def test_a_sample_with_any_element_changed_or_left_out_is_read_or_unrecognised(name: str, path: Path) -> None:
    delivery, strange = (
        samples.delivery_of(path),
        cycle(one for one in STRANGE if isinstance(one, str) and "\0" not in one),
    )
    root = ET.fromstring(delivery.body)
    count = len(list(root.iter()))
    for nth in range(1, count):
        for change in ("text", "drop", "twice"):
            other = copy.deepcopy(root)
            read(
                adapters()[name],
                Delivery("s", ET.tostring(altered(other, nth, change, next(strange))), RECEIVED),
            )


def altered(root: Any, nth: int, change: str, word: str) -> Any:
    """The tree with its n-th element emptied of its words, taken out, or standing twice."""
    elements = list(root.iter())
    parent = next(one for one in elements if elements[nth] in list(one))
    if change == "text":
        elements[nth].text = word
    elif change == "drop":
        parent.remove(elements[nth])
    else:
        parent.append(copy.deepcopy(elements[nth]))
    return root


@pytest.mark.parametrize(
    "body", [b"<html><body>502 Bad Gateway</body></html>", b"<!doctype html><p>Sign in", b"OK", b"{}"]
)
@pytest.mark.parametrize("name", FEEDS)
def test_a_page_in_place_of_the_document_is_unrecognised_with_a_reason(name: str, body: bytes) -> None:
    with pytest.raises(UnrecognisedError):
        said(name, body)


def test_a_document_of_many_incidents_keeps_what_can_be_read() -> None:
    good = orjson.loads((samples.PAYLOADS / "google_cloud_status" / "firing.json").read_bytes())[0]
    many: Sequence[Any] = [*({**good, "id": str(n)} for n in range(100)), None, 7, {"id": "x", "begin": "9999"}]
    found = said("google_cloud_status", list(many))
    assert len([one for one in found if isinstance(one, Event)]) >= 100
    assert isinstance(found[-1], Loss)
