"""Real payloads of Alertmanager and its look-alikes, and real documents of feeds, as other projects collected them."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from incidents import instants, spoken
from incidents.adapters import adapters
from incidents.model import Delivery, Event, Loss, Reading, Statement

SHARED = Path(__file__).parents[1] / "../shared/payloads"
RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
FAMILIES = ("alertmanager", "generic")
SAMPLES = [path for family in FAMILIES for path in sorted((SHARED / family).glob("*.json"))]


def read(path: Path) -> list[Event]:
    delivery = Delivery("shared", path.read_bytes(), RECEIVED)
    return [said for said in adapters()[path.parent.name].normalise(delivery) if isinstance(said, Event)]


@pytest.mark.skipif(not SAMPLES, reason="the shared payloads are not beside this checkout")
def test_there_are_samples_of_alertmanager() -> None:
    assert {path.parent.name for path in SAMPLES} >= {"alertmanager"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_real_payload_is_one_event_for_each_of_its_alerts(path: Path) -> None:
    message: dict[str, Any] = json.loads(path.read_bytes())
    alerts = message.get("alerts", [message])
    events = read(path)
    assert len(events) == len(alerts) == len({spoken.digest(event) for event in events})
    for event, alert in zip(events, alerts, strict=True):
        assert (event.ends_at is None) == (alert["status"] == "firing")
        assert event.labels == alert["labels"]
        assert (event.starts_at is None) == ("startsAt" not in alert)
        assert event.title in {alert["annotations"].get("summary"), alert["labels"]["alertname"]}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("goalert_firing", "text", "My description"),
        ("goalert_firing", "url", "http://my.url"),
        ("iris_2", "severity", "critical"),
        ("iris_2", "starts_at", datetime(2017, 12, 4, 9, 17, 22, 804_000, tzinfo=UTC)),
        ("oncall_alert_item_resolved_1", "ends_at", RECEIVED),
        ("oncall_alert_item_resolved_1", "ends_assumed", True),
        ("oncall_demo_firing_min", "url", "http://f1d1ef51d710:9093"),
        ("versus_getting_started_0", "ends_at", None),
        ("versus_getting_started_0", "severity", "critical"),
        ("zulip_alert", "key", "a1bc48475b20e73d/2020-02-06T00:17:58.432911Z"),
        ("zulip_alert", "group", "{}/{}:{}"),
    ],
)
def test_what_a_real_payload_says(name: str, field: str, value: object) -> None:
    path = SHARED / "alertmanager" / f"{name}.json"
    if not path.exists():
        pytest.skip("the shared payloads are not beside this checkout")
    assert getattr(read(path)[0], field) == value


# Documents of feeds

CONTEXT = SHARED.parent / "context"
DOCUMENTS = {
    "nws_alerts": ("nws/*alerts*.json",),
    "nws_observations": ("nws/*obs*.json",),
    "cap": ("cap/*.cap", "cap/*.atom", "meteoalarm/*.xml"),
    "meteoalarm": ("meteoalarm/*.xml",),
    "eccc_alerts": ("eccc/*.json",),
    "wmo_swic": ("cap/wmo_swic*.json",),
    "gdacs": ("gdacs/*.xml",),
    "usgs_earthquakes": ("usgs/*.json",),
    "nhc_storms": ("misc/nhc_*.json",),
}
READ = [
    (name, path)
    for name, patterns in DOCUMENTS.items()
    for pattern in patterns
    for path in sorted(CONTEXT.glob(pattern))
]
SILENT = {
    "google_xee.cap": "it holds a document type with entities",
    "earthquakes-2.json": "a feed without earthquakes",
    "pynws_stations_observations_missing_value.json": "an observation without any value or time",
}
PLACEHOLDER = re.compile(r"date:now(?: ([+-]?)(\d+) (second|minute|hour|day)s?)?")


def document(path: Path) -> bytes:
    """A document with times put in where its collectors left placeholders such as `date:now -2 hours`."""

    def time(found: re.Match[str]) -> str:
        length = timedelta(**{f"{found[3]}s": int(found[2])}) if found[2] else timedelta()
        return instants.text(RECEIVED - length if found[1] == "-" else RECEIVED + length)

    body = path.read_bytes()
    return PLACEHOLDER.sub(time, body.decode()).encode() if b"date:now" in body else body


def heard(name: str, path: Path) -> list[Statement]:
    try:
        return list(adapters()[name].normalise(Delivery("shared", document(path), RECEIVED)))
    except ValueError:
        return []


@pytest.mark.skipif(not READ, reason="the shared documents are not beside this checkout")
def test_there_are_documents_of_every_feed_that_others_collected() -> None:
    assert {name for name, _ in READ} == set(DOCUMENTS)


@pytest.mark.parametrize(("name", "path"), READ, ids=lambda given: getattr(given, "name", given))
def test_a_real_document_of_a_feed_is_read_or_its_silence_has_a_reason(name: str, path: Path) -> None:
    said = [one for one in heard(name, path) if not isinstance(one, Loss)]
    assert bool(said) == (path.name not in SILENT)
    for one in said:
        if isinstance(one, Event):
            assert one.kind == "hazard"
            assert one.ends_at is not None
            assert one.said_at is None or one.said_at <= RECEIVED
        assert not isinstance(one, Reading) or (one.basis == "observed" and one.at <= RECEIVED)


def feed(name: str, document: str) -> list[Statement]:
    path = CONTEXT / document
    if not path.exists():
        pytest.skip("the shared documents are not beside this checkout")
    return heard(name, path)


def test_a_real_flood_watch_of_the_national_weather_service() -> None:
    (watch,) = feed("nws_alerts", "nws/pynws_alerts_active_zone.json")
    assert isinstance(watch, Event)
    assert (watch.key, watch.event, watch.severity) == ("KPQR.FA.A.0004.2019", "Flood Watch", "error")
    assert watch.ends_at == datetime(2019, 12, 22, 18, tzinfo=UTC)  # its message lapses a day before
    assert watch.area
    assert {"ORZ006", "041051"} <= set(watch.area.zones)


def test_nearly_all_of_a_real_national_document_is_read() -> None:
    said = feed("nws_alerts", "nws/weathergov_testing_alerts.json")
    assert all("'date:" in one.what for one in said if isinstance(one, Loss))  # its authors' placeholders
    assert len({one.key for one in said if isinstance(one, Event)}) > 30


def test_the_end_of_a_french_warning_and_its_language() -> None:
    (clear,) = feed("meteoalarm", "meteoalarm/france_sample_detail.xml")
    assert isinstance(clear, Event)
    assert clear.key == "2.49.0.0.250.0.FR.20221206160108.315028"
    assert clear.ends_at == datetime(2022, 12, 7, 5, 1, tzinfo=UTC)
    assert not clear.ends_expected
    assert clear.labels["headline (fr-FR)"] == "Vigilance jaune avalanches"
    assert clear.area
    assert "FR718" in clear.area.zones


def test_the_places_of_an_index_are_gathered_under_their_warning() -> None:
    said = [one for one in feed("meteoalarm", "meteoalarm/uk_sample.xml") if isinstance(one, Event)]
    assert Counter(one.key for one in said).most_common(1)[0][1] == 1
    assert {"UK105", "UK101"} <= set(said[0].area.zones if said[0].area else ())


def test_outlines_of_a_real_canadian_alert_lie_in_canada() -> None:
    (alert,) = feed("cap", "cap/google_canada.cap")
    assert isinstance(alert, Event)
    assert alert.area
    assert alert.area.geometry
    for outline in alert.area.geometry["coordinates"]:
        assert all(-84 < longitude < -81 and 41 < latitude < 43 for longitude, latitude in outline[0])


def test_the_real_storm_of_july() -> None:
    (storm,) = feed("nhc_storms", "misc/nhc_currentstorms_fausto.json")
    assert isinstance(storm, Event)
    assert (storm.key, storm.title, storm.severity) == ("ep062026", "Hurricane Fausto", "error")
