"""Barograph's own JSON: one item says one event or one reading.

An item without a `key` is known by the SHA-256 of its kind, title and labels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast, get_args

import orjson

from incidents import instants
from incidents.formats import payload, severities
from incidents.model import Area, Basis, Delivery, Event, Kind, Post, Reading, Statement, UnrecognisedError

_RESOLVED = {"resolved": True, "ok": True, "closed": True, "recovered": True, "recovery": True, "up": True}
_STATUSES = _RESOLVED | dict.fromkeys(("firing", "problem", "open", "triggered", "alerting", "active", "down"), False)
_VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_POSTS = 500
_NAMES = 2_000
_HALF_ROUND_KM = 20_038


def is_item(item: Mapping[str, Any]) -> bool:
    """Whether it names an occurrence or a reading."""
    return any(payload.text_of(item.get(name)) for name in ("key", "title", "event", "reading"))


def statement_of(item: Mapping[str, Any], delivery: Delivery) -> Statement:
    """The event or reading that an item says; UnrecognisedError names the field that cannot be read."""
    if item.get("reading") is not None:
        return _reading(item, delivery)
    if not is_item(item):
        raise UnrecognisedError("none of key, title, event and reading")
    return _event(item, delivery)


def _event(item: Mapping[str, Any], delivery: Delivery) -> Event:
    key, event = payload.key_of(item.get("key")), payload.title_of(item.get("event"))
    kind, resolved = _kind(item.get("kind")), _is_resolved(item.get("status"))
    # A bare "resolved" does not rename what it ends: the fold keeps the title that it has.
    title = payload.title_of(item.get("title")) or event or ("" if resolved else payload.title_of(key)) or ""
    labels = payload.labels_of(item.get("labels"))
    said_at = _instant(item, "said_at", delivery)
    posts = _posts(item.get("updates"), delivery)
    span = _span(item, resolved, said_at, posts, delivery)
    if not (said_at or span.starts_at or posts or (span.ends_at and not span.ends_assumed)):
        # Without a time of its own the same words may be said of another time: only the receipt tells them apart.
        said_at = delivery.received_at
    return Event(
        key=key or _derived_key(kind, title, labels),
        kind=kind,
        title=title,
        severity=severities.severity(item.get("severity")),
        said_at=said_at,
        starts_at=span.starts_at,
        starts_until=span.starts_until,
        ends_at=span.ends_at,
        ends_expected=span.ends_expected,
        ends_assumed=span.ends_assumed,
        test=payload.flag_of(item.get("test")) or False,
        labels=labels,
        url=payload.url_of(item.get("url")),
        text=payload.text_of(item.get("text")) or payload.text_of(item.get("description")),
        group=payload.key_of(item.get("group")),
        event=event,
        area=_area(item),
        posts=posts,
    )


def _derived_key(kind: str, title: str, labels: Mapping[str, str]) -> str:
    content = orjson.dumps([kind, title, labels], option=orjson.OPT_SORT_KEYS)
    return f"derived/{hashlib.sha256(content).hexdigest()[:32]}"


def _kind(said: object) -> Kind:
    word = (payload.text_of(said) or "alert").casefold().replace(" ", "_").replace("-", "_")
    if word not in get_args(Kind):
        raise UnrecognisedError(f"kind {word[:60]!r} is none of {', '.join(get_args(Kind))}")
    return cast("Kind", word)


@dataclass(frozen=True, slots=True)
class _Span:
    starts_at: datetime | None
    starts_until: datetime | None
    ends_at: datetime | None
    ends_expected: bool = False
    ends_assumed: bool = False


def _span(
    item: Mapping[str, Any], resolved: bool | None, said_at: datetime | None, posts: Sequence[Post], delivery: Delivery
) -> _Span:
    """When it was on. An end said of what still fires is expected unless `ends_expected` is false.

    An end that was not said is the moment of speaking, else that of the newest update, and assumed where the receipt's
    alone is left.
    """
    starts_at, starts_until = _start(item, delivery)
    forecast, ends_assumed = None, False
    ends_at, expected = _instant(item, "ends_at", delivery), payload.flag_of(item.get("ends_expected"))
    if expected is None:
        forecast = _instant(item, "ends_expected", delivery)
    if resolved:
        spoke_at = said_at or _newest(posts, starts_at, delivery)
        ends_assumed, expected = ends_at is None and spoke_at is None, False
        ends_at = ends_at or spoke_at or delivery.received_at
    elif forecast and ends_at is None:
        ends_at, expected = forecast, True
    elif expected is None:
        expected = resolved is False
    if ends_at and starts_at and ends_at < starts_at:
        ends_at, ends_assumed = starts_at, True
    return _Span(starts_at, starts_until, ends_at, bool(expected and ends_at), ends_assumed)


def _newest(posts: Sequence[Post], starts_at: datetime | None, delivery: Delivery) -> datetime | None:
    """When it was last spoken of by the updates, of those that were posted since its start."""
    times = [post.at for post in posts if post.at <= delivery.received_at and not (starts_at and post.at < starts_at)]
    return max(times, default=None)


def _start(item: Mapping[str, Any], delivery: Delivery) -> tuple[datetime | None, datetime | None]:
    said = item.get("starts_at")
    if not isinstance(said, dict):
        return _instant(item, "starts_at", delivery), None
    at, until = _instant(said, "at", delivery, "starts_at."), _instant(said, "until", delivery, "starts_at.")
    if at is None and until is not None:
        raise UnrecognisedError("starts_at.at is missing")
    if at and until and until < at:
        raise UnrecognisedError("starts_at.until is before starts_at.at")
    return at, until if until != at else None


def _is_resolved(said: object) -> bool | None:
    """None where the sender gave no status."""
    word = payload.text_of(said)
    if word is None:
        return None
    try:
        return _STATUSES[word.casefold()]
    except KeyError:
        raise UnrecognisedError(f"status {word[:60]!r} is neither firing nor resolved") from None


def _instant(fields: Mapping[str, Any], name: str, delivery: Delivery, within: str = "") -> datetime | None:
    try:
        return instants.parse(fields.get(name), zone=delivery.timezone)
    except ValueError as error:
        raise UnrecognisedError(f"{within}{name}: {error}") from None


def _posts(said: object, delivery: Delivery) -> tuple[Post, ...]:
    """The updates in the order of time; above 500 one post stands for the earliest and says so."""
    posts = []
    for index, update in enumerate(payload.list_of(said)):
        at = _instant(payload.object_of(update), "at", delivery, f"updates[{index}].")
        written = payload.text_of(payload.object_of(update).get("text"))
        if at is None or written is None:
            raise UnrecognisedError(f"updates[{index}] needs at and text")
        posts.append(Post(at, written))
    posts.sort(key=lambda post: post.at)
    left_out = posts[: max(len(posts) - _POSTS, 0)]
    if left_out:
        posts = [Post(left_out[-1].at, f"… {len(left_out)} earlier updates left out"), *posts[len(left_out) :]]
    return tuple(posts)


def _area(item: Mapping[str, Any]) -> Area | None:
    said = item.get("area")
    if said is not None and not isinstance(said, dict):
        raise UnrecognisedError("area is no JSON object")
    said = payload.object_of(said)
    area = Area(regions=_names(item, "regions"), zones=_names(item, "zones"), grid_areas=_names(item, "grid_areas"))
    if "type" in said:
        area = replace(area, geometry=payload.geometry_of(said))
    elif said:
        latitude, longitude = payload.place_of(said, "area.")
        radius_km = (
            None if said.get("radius_km") is None else payload.number_at(said, "area.radius_km", 0, _HALF_ROUND_KM)
        )
        area = replace(area, latitude=latitude, longitude=longitude, radius_km=radius_km)
    return area if area != Area() else None


def _names(item: Mapping[str, Any], name: str) -> tuple[str, ...]:
    said = item.get(name)
    listed = said if isinstance(said, list) else [said]
    if len(listed) > _NAMES:
        raise UnrecognisedError(f"{name} has more than {_NAMES:,} names")
    return tuple(dict.fromkeys(found for value in listed if (found := payload.title_of(value))))


def _reading(item: Mapping[str, Any], delivery: Delivery) -> Reading:
    variable = item.get("reading")
    if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
        raise UnrecognisedError("reading: a variable is lower case with its unit, like temperature_c")
    at = _instant(item, "at", delivery)
    if at is None:
        raise UnrecognisedError("at is missing")
    basis = item.get("basis") or "observed"
    if basis not in get_args(Basis):
        raise UnrecognisedError(f"basis is none of {', '.join(get_args(Basis))}")
    latitude, longitude = payload.place_of(item)
    return Reading(
        variable=variable,
        at=at,
        value=payload.number_at(item, "value"),
        latitude=latitude,
        longitude=longitude,
        station=payload.title_of(item.get("station")),
        provisional=payload.flag_of(item.get("provisional")) or False,
        basis=cast("Basis", basis),
        credit=payload.title_of(item.get("credit")),
    )
