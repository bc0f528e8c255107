"""Rows ↔ values: what the tables hold as the model speaks of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from incidents import instants, redaction
from incidents.model import Area, Entry, Event, Lane, Members, Occurrence, Post, Said, Severity

_RARE = ("text", "group", "url", "event")
AFTER_DROP = '{"after_drop":true,'
"""How the text of a statement begins that was recorded after others of its subject had been dropped."""


def statement_text(event: Event, said_at: datetime, *, after_drop: bool = False) -> str:
    """An event as the JSON text that `event_of` reads back; an assumed end that is `said_at` itself is left out."""
    fields: dict[str, Any] = {
        **({"after_drop": True} if after_drop else {}),
        "key": event.key,
        "kind": event.kind,
        "title": event.title,
        "severity": event.severity.value,
        "labels": event.labels,
    }
    if event.starts_at:
        fields["starts_at"] = instants.text(event.starts_at)
    if event.ends_assumed:
        fields["ends_assumed"] = True
    if event.ends_at and not (event.ends_assumed and event.ends_at == said_at):
        fields["ends_at"] = instants.text(event.ends_at)
    for name in _RARE:
        value = getattr(event, name)
        if value:
            fields[name] = value
    for name in ("final", "test", "ends_expected"):
        if getattr(event, name):
            fields[name] = True
    if event.starts_until:
        fields["starts_until"] = instants.text(event.starts_until)
    if event.area:
        fields["area"] = area_json(event.area)
    if event.posts:
        fields["posts"] = [[instants.text(p.at), p.text] for p in event.posts]
    return orjson.dumps(fields, default=dict).decode()


def event_of(text: str, said_at: datetime) -> Event:
    """The inverse of `statement_text`, given when it was said."""
    fields = orjson.loads(text)
    ends_at = instants.parse(fields.get("ends_at"))
    assumed = fields.get("ends_assumed", False)
    return Event(
        key=fields["key"],
        kind=fields["kind"],
        title=fields["title"],
        severity=Severity(fields["severity"]),
        labels=fields["labels"],
        starts_at=instants.parse(fields.get("starts_at")),
        starts_until=instants.parse(fields.get("starts_until")),
        ends_at=said_at if assumed and ends_at is None else ends_at,
        ends_assumed=assumed,
        ends_expected=fields.get("ends_expected", False),
        final=fields.get("final", False),
        test=fields.get("test", False),
        url=fields.get("url"),
        text=fields.get("text"),
        group=fields.get("group"),
        event=fields.get("event"),
        area=area_of(fields.get("area")),
        posts=posts_of(fields.get("posts")),
    )


def area_json(area: Area) -> dict[str, Any]:
    """An area as JSON, without what it does not say."""
    fields = {
        "geometry": dict(area.geometry) if area.geometry else None,
        "latitude": area.latitude,
        "longitude": area.longitude,
        "radius_km": area.radius_km,
        "regions": list(area.regions),
        "zones": list(area.zones),
        "grid_areas": list(area.grid_areas),
    }
    return {name: value for name, value in fields.items() if value not in (None, [])}


def area_of(fields: Mapping[str, Any] | None) -> Area | None:
    """The inverse of `area_json`."""
    if not fields:
        return None
    names = {name: tuple(fields.get(name, ())) for name in ("regions", "zones", "grid_areas")}
    return Area(
        geometry=fields.get("geometry"),
        latitude=fields.get("latitude"),
        longitude=fields.get("longitude"),
        radius_km=fields.get("radius_km"),
        **names,
    )


def posts_of(fields: Any) -> tuple[Post, ...]:  # noqa: ANN401  # JSON
    """Posts from their [instant, text] pairs."""
    return tuple(Post(_at(at), text) for at, text in fields or ())


def _at(text: str) -> datetime:
    at = instants.parse(text)
    assert at is not None
    return at


def said_of(row: Any) -> Said:  # noqa: ANN401  # a row of EventRow's columns
    """A recorded event, without the secrets that were not known for such when it was recorded."""
    return Said(
        event=redaction.recorded(event_of(row.statement, row.said_at)),
        digest=row.digest,
        source=row.source,
        said_at=row.said_at,
        recorded_at=row.recorded_at,
        id=row.id,
        delivery=str(row.delivery_id),
        adapter=row.adapter,
        after_drop=row.statement.startswith(AFTER_DROP),
    )


def occurrence_row(seen: Occurrence, lane: Lane) -> dict[str, Any]:
    """The columns of an occurrence. What no query asks for goes into `rest`."""
    rest: dict[str, Any] = {"labels": dict(seen.labels), "digest": seen.digest}
    for name in (*_RARE, "starts_until", "first_said_at"):
        value = getattr(seen, name)
        if value:
            rest[name] = instants.text(value) if isinstance(value, datetime) else value
    for name in ("final", "ends_expected", "ends_assumed", "start_said"):
        if getattr(seen, name):
            rest[name] = True
    if seen.area:
        rest["area"] = area_json(seen.area)
    if seen.posts:
        rest["posts"] = [[instants.text(p.at), p.text] for p in seen.posts]
    return {
        "id": seen.id,
        "subject": seen.subject,
        "followed": seen.followed,
        "source": seen.source,
        "key": seen.key,
        "kind": seen.kind,
        "title": seen.title,
        "severity": seen.severity.rank,
        "lane": lane,
        "name": alert_name(seen),
        "starts_at": seen.starts_at,
        "ends_at": seen.ends_at,
        "said_at": seen.said_at,
        "recorded_at": seen.recorded_at,
        "test": seen.test,
        "statements": seen.statements,
        "rest": rest,
    }


def occurrence_of(row: Any) -> Occurrence:  # noqa: ANN401  # a row of OccurrenceRow's columns
    """The inverse of `occurrence_row`, but for secrets that were not known for such when it was written."""
    return redaction.recorded(_occurrence_of(row))


def _occurrence_of(row: Any) -> Occurrence:  # noqa: ANN401  # a row of OccurrenceRow's columns
    rest = row.rest
    return Occurrence(
        id=row.id,
        subject=row.subject,
        followed=bool(row.followed),
        source=row.source,
        key=row.key,
        kind=row.kind,
        title=row.title,
        severity=Severity.of_rank(row.severity),
        starts_at=row.starts_at,
        starts_until=instants.parse(rest.get("starts_until")),
        ends_at=row.ends_at,
        ends_expected=rest.get("ends_expected", False),
        ends_assumed=rest.get("ends_assumed", False),
        final=rest.get("final", False),
        test=bool(row.test),
        labels=rest["labels"],
        url=rest.get("url"),
        text=rest.get("text"),
        group=rest.get("group"),
        event=rest.get("event"),
        area=area_of(rest.get("area")),
        posts=posts_of(rest.get("posts")),
        start_said=rest.get("start_said", False),
        said_at=row.said_at,
        digest=rest["digest"],
        first_said_at=instants.parse(rest.get("first_said_at")),
        recorded_at=row.recorded_at,
        statements=row.statements,
    )


def alert_name(seen: Occurrence) -> str:
    """What alike alerts have in common: the alert's name, else its title, at most 120 characters."""
    return (seen.labels.get("alertname") or seen.title)[:120]


def entry_of(row: Any) -> Entry:  # noqa: ANN401  # a row of EntryRow's columns
    """An entry of the log, without the secrets that were not known for such when it was written."""
    return Entry(
        id=row.id,
        incident=row.incident_id,
        kind=row.kind,
        params=redaction.params(row.kind, row.params, named=not row.actor.startswith("user:")),
        actor=row.actor,
        happened_at=row.happened_at,
        recorded_at=row.recorded_at,
        happened_until=row.happened_until,
        supersedes=row.supersedes,
    )


def members_of(row: Any) -> Members:  # noqa: ANN401  # a row of IncidentRow's columns
    """The sums that an incident's row keeps of its alerts."""
    return Members(
        alerts=row.alerts,
        on=row.alerts_on,
        first_starts_at=row.first_starts_at,
        last_ends_at=row.last_ends_at,
        gravest=Severity.of_rank(row.gravest),
    )
