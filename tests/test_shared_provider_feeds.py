"""Real documents of status pages and grids, as other projects collected them, read in place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from incidents.adapters import adapters
from incidents.model import Delivery, Event, Loss, Reading, Statement, UnrecognisedError
from tests.test_every_adapter import read

SHARED = Path(__file__).parents[1] / "../shared/context"
RECEIVED = datetime(2026, 9, 23, tzinfo=UTC)
READ = (
    ("google_cloud_status", "status/gcp_incidents.json", 4),
    ("aws_status", "status/aws_currentevents.utf16be.bin", 2),
    ("azure_status", "status/azure_feed_20251029.xml", 1),
    ("azure_status", "status/azure_feed_20260723.xml", 1),
    ("slack_status", "status/slack_current.json", 0),
    ("slack_status", "status/slack_history.json", 3),
    ("eia_930", "grid/US_NW_BPAT-consumption.json", 2),
    ("eia_930", "grid/US_NW_BPAT-wind.json", 2),
    ("eia_930", "grid/US-NW-PGE-with-nulls.json", 1),
    ("entsoe", "grid/DK-DK1_consumption.xml", 47),
)
UNREAD = (
    ("entsoe", "grid/ES_FR_capacity_day_ahead_export.xml", "A61"),
    ("statuspage_page", "status/statusio_gitlab.json", "neither incidents"),
    ("google_cloud_status", "status/firehydrant_redis.json", "no list"),
)


def delivery_of(path: str) -> Delivery:
    if not (SHARED / path).exists():
        pytest.skip("the shared documents are not beside this checkout")
    return Delivery("shared", (SHARED / path).read_bytes(), RECEIVED)


def said(name: str, path: str) -> list[Statement]:
    return list(read(adapters()[name], delivery_of(path)))


@pytest.mark.parametrize(("name", "path", "count"), READ, ids=lambda given: str(given).rpartition("/")[2])
def test_a_real_document_is_read_without_a_loss(name: str, path: str, count: int) -> None:
    statements = said(name, path)
    assert not [one for one in statements if isinstance(one, Loss)]
    assert len(statements) == count
    assert len({one.key for one in statements if isinstance(one, Event)}) == len(
        [one for one in statements if isinstance(one, Event)]
    )


@pytest.mark.parametrize(("name", "path", "reason"), UNREAD, ids=lambda given: str(given).rpartition("/")[2])
def test_a_real_document_of_another_format_is_refused_with_its_reason(name: str, path: str, reason: str) -> None:
    with pytest.raises(UnrecognisedError, match=reason):
        adapters()[name].normalise(delivery_of(path))


@pytest.mark.parametrize(("name", "path"), [row[:2] for row in READ], ids=lambda given: str(given).rpartition("/")[2])
def test_a_real_document_cut_anywhere_is_read_or_unrecognised(name: str, path: str) -> None:
    delivery = delivery_of(path)
    for place in range(0, len(delivery.body), max(1, len(delivery.body) // 40)):
        read(adapters()[name], Delivery("shared", delivery.body[:place], RECEIVED))


def test_a_real_report_of_google_has_its_regions_after_its_end() -> None:
    event = said("google_cloud_status", "status/gcp_incidents.json")[0]
    assert isinstance(event, Event)
    assert event.area
    assert event.area.regions == ("gcp:europe-west4",)
    assert event.starts_at == datetime(2026, 7, 15, 23, 57, tzinfo=UTC)
    assert event.ends_at == datetime(2026, 7, 16, 12, 25, tzinfo=UTC)
    assert len(event.posts) == 12


def test_a_real_event_of_aws_is_open_and_in_its_region() -> None:
    event = said("aws_status", "status/aws_currentevents.utf16be.bin")[0]
    assert isinstance(event, Event)
    assert event.area
    assert (event.area.regions, event.ends_at) == (("aws:me-central-1",), None)
    assert event.key == "multipleservices-me-central-1_1772369485"


def test_a_real_category_of_azure_is_a_region_or_a_service() -> None:
    event = said("azure_status", "status/azure_feed_20260723.xml")[0]
    assert isinstance(event, Event)
    assert event.area
    assert event.area.regions == ("azure:westus",)
    assert "ExpressRoute Circuits" in event.labels["services"]


def test_a_real_hour_of_a_grid_stands_at_its_end() -> None:
    bpat = [one for one in said("eia_930", "grid/US_NW_BPAT-consumption.json") if isinstance(one, Reading)]
    assert [(one.at.hour, one.value, one.grid_area) for one in bpat] == [(11, 6215, "BPAT"), (10, 4792, "BPAT")]
    dk1 = [one for one in said("entsoe", "grid/DK-DK1_consumption.xml") if isinstance(one, Reading)]
    assert (dk1[0].at, dk1[0].value) == (datetime(2023, 12, 28, 16, tzinfo=UTC), 3031)
