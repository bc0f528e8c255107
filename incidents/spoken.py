"""Statements written out: as JSON for people and programs, and as the digest that is their identity."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from incidents import instants, redaction
from incidents.model import Area, Delivery, Event, Loss, Reading, Statement

TEST_HEADER = "barograph-test"
"""A header of deliveries whose sender says that they are a test, whatever their payload says."""

_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


def recordable(statements: Iterable[Statement], delivery: Delivery) -> list[Statement]:
    """What is recorded of an adapter's statements: no secrets; of a declared test, events flagged and nothing else."""
    if TEST_HEADER in delivery.headers:
        tested = (replace(said, test=True) for said in statements if isinstance(said, Event))
        return [redaction.event(said) for said in tested]
    return [redaction.statement(said) for said in statements]


def digest(event: Event) -> str:
    """SHA-256, hex, of what the sender said: the same for a repeat, whatever the order of its labels."""
    return hashlib.sha256(canonical(event)).hexdigest()


def canonical(event: Event) -> bytes:
    """What the digest of an event is of.

    An assumed end is the receipt's time or follows from the rest, so it counts as assumed, not as an instant.
    Fields that few events have are written only where they are present, so that a new field of that sort
    leaves older digests as they are.
    """
    content: tuple[object, ...] = (
        event.key,
        event.kind,
        event.title,
        event.severity.value,
        event.said_at,
        event.starts_at,
        None if event.ends_assumed else event.ends_at,
        event.ends_assumed,
        event.final,
        event.url,
        event.text,
        event.group,
        event.labels,
    )
    if event.starts_until or event.ends_expected or event.test or event.event or event.area or event.posts:
        content = (*content, _rarely(event))
    return orjson.dumps(content, default=_plain, option=_CANONICAL)


def reading_digest(reading: Reading) -> str:
    """SHA-256, hex, of a reading's whole content."""
    content = (
        reading.variable,
        reading.at,
        reading.value,
        reading.latitude,
        reading.longitude,
        reading.station,
        reading.provisional,
        reading.basis,
        reading.credit,
        *((reading.grid_area,) if reading.grid_area else ()),
    )
    return hashlib.sha256(orjson.dumps(content, option=_CANONICAL)).hexdigest()


def statement_json(statement: Statement, delivery: Delivery) -> dict[str, Any]:
    """What `barograph read` prints of one statement; instants are text, `said_at` falls back to the receipt."""
    match statement:
        case Event():
            return _event_json(statement, delivery)
        case Reading():
            return {
                "type": "reading",
                "variable": statement.variable,
                "at": instants.text(statement.at),
                "value": statement.value,
                "latitude": statement.latitude,
                "longitude": statement.longitude,
                "station": statement.station,
                "provisional": statement.provisional,
                "basis": statement.basis,
                **({"credit": statement.credit} if statement.credit else {}),
                **({"grid_area": statement.grid_area} if statement.grid_area else {}),
            }
        case Loss():
            return {"type": "loss", "count": statement.count, "what": statement.what}


def _event_json(event: Event, delivery: Delivery) -> dict[str, Any]:
    written: dict[str, Any] = {
        "type": "event",
        "kind": event.kind,
        "key": event.key,
        "said_at": instants.text(event.said_at or delivery.received_at),
        "starts_at": instants.text(event.starts_at) if event.starts_at else None,
        "ends_at": instants.text(event.ends_at) if event.ends_at else None,
        "title": event.title,
        "severity": event.severity.value,
        "labels": dict(event.labels),
        "url": event.url,
    }
    if event.ends_assumed:
        written["ends_assumed"] = True
    written |= {name: value for name in ("text", "group") if (value := getattr(event, name)) is not None}
    return written | _rarely(event)


def _rarely(event: Event) -> dict[str, Any]:
    """The fields that few events have, those that are present."""
    written: dict[str, Any] = {}
    if event.starts_until:
        written["starts_until"] = instants.text(event.starts_until)
    if event.ends_expected:
        written["ends_expected"] = True
    if event.test:
        written["test"] = True
    if event.event:
        written["event"] = event.event
    if event.area:
        written["area"] = _area_json(event.area)
    if event.posts:
        written["posts"] = [{"at": instants.text(post.at), "text": post.text} for post in event.posts]
    return written


def _area_json(area: Area) -> dict[str, Any]:
    circle = {
        name: value for name in ("latitude", "longitude", "radius_km") if (value := getattr(area, name)) is not None
    }
    names = {name: list(value) for name in ("regions", "zones", "grid_areas") if (value := getattr(area, name))}
    return ({"geometry": dict(area.geometry)} if area.geometry else {}) | circle | names


def _plain(value: object) -> object:
    """What orjson cannot write of itself: read-only mappings."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} in a statement")
