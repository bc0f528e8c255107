"""What a `resolved` must carry to end what began, as the README tells whoever sends by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from incidents import fold, spoken
from incidents.adapters import adapters
from incidents.model import Delivery, Event, Occurrence, Said

BEGAN = datetime(2026, 11, 20, 10, tzinfo=UTC)
LATER = BEGAN + timedelta(minutes=10)


def said(adapter: str, body: object, at: datetime) -> list[Said]:
    """What one delivery says, received at this moment."""
    found = adapters()[adapter].normalise(Delivery("test", orjson.dumps(body), at))
    return [
        Said(event, spoken.digest(event), "test", event.said_at or at, at)
        for event in found
        if isinstance(event, Event)
    ]


def folded(adapter: str, first: object, second: object) -> dict[str, Occurrence]:
    """The occurrences by key after a first delivery and a second one ten minutes later."""
    by_key: dict[str, list[Said]] = {}
    for one in (*said(adapter, first, BEGAN), *said(adapter, second, LATER)):
        by_key.setdefault(one.event.key, []).append(one)
    return {key: fold.occurrence(statements) for key, statements in by_key.items()}


def item(status: str, **rest: Any) -> dict[str, Any]:
    return {"key": "db-1/disk", "status": status, "title": "Disk full on db-1", **rest}


FIRING = item("firing", starts_at="2026-11-20T10:00:00Z")


@pytest.mark.parametrize("start", [{}, {"starts_at": "2026-11-20T10:00:00Z"}])
def test_the_same_key_ends_it_with_the_same_start_or_none(start: dict[str, str]) -> None:
    (alert,) = folded("generic", FIRING, item("resolved", **start)).values()
    assert (alert.starts_at, alert.ends_at) == (BEGAN, LATER)


def test_a_new_start_moves_the_beginning_to_the_end() -> None:
    (alert,) = folded("generic", FIRING, item("resolved", starts_at="2026-11-20T10:10:00Z")).values()
    assert (alert.starts_at, alert.ends_at) == (LATER, LATER)


@pytest.mark.parametrize("key", ["db-1/disc", None])
def test_another_key_or_none_is_another_alert_and_the_first_stays_on(key: str | None) -> None:
    found = folded("generic", FIRING, item("resolved") | {"key": key})
    assert len(found) == 2
    assert found.pop("db-1/disk").ends_at is None
    assert [(alert.starts_at, alert.ends_at) for alert in found.values()] == [(LATER, LATER)]


def test_where_the_key_holds_the_start_another_start_is_another_alert() -> None:
    def message(status: str, start: str) -> dict[str, Any]:
        return {"alerts": [{"status": status, "labels": {"alertname": "DiskFull"}, "startsAt": start}]}

    firing = message("firing", "2026-11-20T10:00:00Z")
    found = folded("alertmanager", firing, message("resolved", "2026-11-20T10:10:00Z"))
    assert [alert.ends_at for alert in found.values()] == [None, LATER]
    (alert,) = folded("alertmanager", firing, message("resolved", "2026-11-20T10:00:00Z")).values()
    assert (alert.starts_at, alert.ends_at) == (BEGAN, LATER)
