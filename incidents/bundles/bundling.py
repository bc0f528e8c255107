"""Gathers the evidence of one incident from the store: its decisions, and all that they rest on."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from incidents import deliveries, instants
from incidents.acts import ConflictError, NotFoundError
from incidents.bulk import chunks
from incidents.bundles.bundle import MOST_BYTES, MOST_LINES, digest
from incidents.bundles.evidence import Evidence, event_place, sources_in
from incidents.bundles.evidence_shapes import STAMP as STAMP_FIELDS
from incidents.bundles.evidence_shapes import Row
from incidents.config import Config, spec_of, value_of
from incidents.configured import CONFIGURED
from incidents.deliveries import DELIVERY, STAMP
from incidents.entries import ENTRY, MEMBER
from incidents.fold import subject_of
from incidents.model import Source
from incidents.postmortem_revisions import REVISION
from incidents.receipts import delivery_id_of, receipt_of
from incidents.rules import DEFAULT_RULES
from incidents.statements import EVENT, READING, SIGHTING, SUPERSESSION
from incidents.timeline import Sentence
from incidents.views import incident_view, series
from incidents.views.incident_view import Asked
from incidents.views.view import IncidentView

MOST_EVENTS = 50_000
"""Most statements of one bundle: it is made in memory, about 20 kB for each."""
REPEATS_BYTES = 64 * 1024 * 1024
"""Up to how many bytes of bodies those of mere repeats are carried too; above, they are told by their digests."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """How deliveries are cleared of secrets; what was cleared once is not changed again."""

    headers: Callable[[Mapping[str, str]], dict[str, str]]
    body: Callable[[bytes], bytes]
    """Of an inflated body; the same bytes where there is nothing to clear."""


def gather(
    connection: sa.Connection, config: Config, incident: str, sentence: Sentence, *, redaction: Redaction | None
) -> Evidence:
    """The evidence of an incident; deliveries as they came where `redaction` is None.

    Raises NotFoundError, and ConflictError for an incident that is larger than a bundle can be.
    """
    entries = entry_rows(connection, incident)
    if not entries:
        raise NotFoundError(f"there is no incident {incident[:80]}")
    subjects = _subjects(entries)
    last_said = _last_recorded(connection, sorted(subjects))
    known_at = max([*(instants.parse(row["recorded_at"]) or instants.EPOCH for row in entries), *last_said])
    view = incident_view.gather(connection, config, incident, Asked(known_at), sentence)
    if view is None:
        raise NotFoundError(f"there is no incident {incident[:80]}")
    subjects |= {subject_of(bar.occurrence.id) for bar in view.bars}
    _check_size(connection, sorted(subjects))
    found = Evidence(incident, known_at, entries=entries, is_raw=redaction is None)
    found.events = event_rows(connection, sorted(subjects))
    found.readings = _readings(connection, view, known_at)
    found.postmortem = postmortem_rows(connection, incident)
    _gather_deliveries(connection, found, redaction)
    found.configuration = _configuration(connection, found, view)
    return found


# --- entries and their members --------------------------------------------------------------------------------------


def entry_rows(connection: sa.Connection, incident: str) -> list[Row]:
    """The entries of an incident in the order of its log, by their positions in it, each with its members."""
    moved: dict[int, dict[bool, list[str]]] = defaultdict(lambda: {True: [], False: []})
    for row in connection.execute(sa.select(MEMBER).where(MEMBER.c.incident_id == incident)):
        moved[row.entry_id][bool(row.joined)].append(row.occurrence_id)
    positions: dict[int, int] = {}
    found = []
    log = sa.select(ENTRY).where(ENTRY.c.incident_id == incident).order_by(ENTRY.c.id)
    for position, row in enumerate(connection.execute(log), 1):
        positions[row.id] = position
        found.append(
            {
                "position": position,
                "kind": row.kind,
                "params": row.params,
                "actor": row.actor,
                "happened_at": instants.text(row.happened_at),
                "happened_until": _maybe_text(row.happened_until),
                "recorded_at": instants.text(row.recorded_at),
                "supersedes": positions.get(row.supersedes) if row.supersedes else None,
                "decision": row.decision,
                "joined": sorted(moved[row.id][True]),
                "left": sorted(moved[row.id][False]),
            }
        )
    return found


def _maybe_text(at: datetime | None) -> str | None:
    return instants.text(at) if at else None


def _subjects(entries: Iterable[Row]) -> set[str]:
    """Subjects of all that ever was a member or linked."""
    found = {name for row in entries for name in (*row["joined"], *row["left"])}
    for row in entries:
        found |= {str(row["params"][key]) for key in ("occurrence", "link") if row["params"].get(key)}
    return {subject_of(name) for name in found}


def _last_recorded(connection: sa.Connection, subjects: list[str]) -> list[datetime]:
    found = [
        connection.execute(sa.select(sa.func.max(EVENT.c.recorded_at)).where(EVENT.c.subject.in_(part))).scalar()
        for part in chunks(subjects)
    ]
    return [at for at in found if at is not None]


def postmortem_rows(connection: sa.Connection, incident: str) -> list[Row]:
    """Every revision of the incident's postmortem, in its order."""
    query = sa.select(REVISION).where(REVISION.c.incident_id == incident).order_by(REVISION.c.number)
    return [
        {
            "number": row.number,
            "author": row.author,
            "recorded_at": instants.text(row.recorded_at),
            "state": row.state,
            "words": row.words,
            "changed": row.changed,
            "snapshot": row.snapshot,
        }
        for row in connection.execute(query)
    ]


# --- events and readings --------------------------------------------------------------------------------------------


def _check_size(connection: sa.Connection, subjects: list[str]) -> None:
    count = 0
    for part in chunks(subjects):
        query = sa.select(sa.func.count()).select_from(EVENT).where(EVENT.c.subject.in_(part))
        count += connection.execute(query).scalar() or 0
    if count > MOST_EVENTS:
        raise ConflictError(f"{count} statements speak of this incident; a bundle holds at most {MOST_EVENTS}")


def event_rows(connection: sa.Connection, subjects: list[str]) -> list[Row]:
    """All statements of these subjects, superseded ones too, in the order of a bundle."""
    found: dict[int, Row] = {}
    for part in chunks(subjects):
        query = (
            sa.select(EVENT, SUPERSESSION.c.recorded_at.label("gone_at"), SUPERSESSION.c.adapter.label("gone_by"))
            .outerjoin(SUPERSESSION, SUPERSESSION.c.event_id == EVENT.c.id)
            .where(EVENT.c.subject.in_(part))
        )
        for row in connection.execute(query):
            found[row.id] = _event_row(row)
        seen = sa.select(SIGHTING).join(EVENT, EVENT.c.id == SIGHTING.c.event_id).where(EVENT.c.subject.in_(part))
        for row in connection.execute(seen):
            found[row.event_id]["sightings"].append(receipt_of(row.delivery_id))
    ordered = sorted(found.values(), key=event_place)
    for position, event in enumerate(ordered, 1):
        event["position"] = position
        event["sightings"].sort()
    return ordered


def _event_row(row: Any) -> Row:  # noqa: ANN401  # a row of EventRow's columns
    gone = {"recorded_at": instants.text(row.gone_at), "adapter": row.gone_by} if row.gone_by is not None else None
    return {
        "position": 0,
        "subject": row.subject,
        "digest": row.digest,
        "source": row.source,
        "said_at": instants.text(row.said_at),
        "recorded_at": instants.text(row.recorded_at),
        "delivery": receipt_of(row.delivery_id),
        "adapter": row.adapter,
        "statement": orjson.loads(row.statement),
        "superseded": gone,
        "sightings": [],
    }


def reading_row(row: Any) -> Row:  # noqa: ANN401  # a row of ReadingRow's columns
    """A reading as a bundle tells it."""
    return {
        "digest": row.digest,
        "source": row.source,
        "variable": row.variable,
        "at": instants.text(row.at),
        "value": row.value,
        "latitude": row.latitude,
        "longitude": row.longitude,
        "station": row.station,
        "provisional": bool(row.provisional),
        "basis": row.basis,
        "credit": row.credit,
        "grid_area": row.grid_area,
        "recorded_at": instants.text(row.recorded_at),
        "delivery": receipt_of(row.delivery_id),
    }


def _readings(connection: sa.Connection, view: IncidentView, known_at: datetime) -> list[Row]:
    """The readings behind the curves of a view, revised ones too."""
    found: dict[str, Row] = {}
    for shown in view.series:
        if not shown.points:
            continue
        query = sa.select(READING).where(
            READING.c.variable == shown.variable,
            READING.c.basis == shown.basis,
            READING.c.at.between(shown.points[0].at, shown.points[-1].at),
            READING.c.recorded_at <= known_at,
        )
        for row in connection.execute(query):
            if shown.station == (row.grid_area or series.station_of(row)):
                found[row.digest] = reading_row(row)
    return [found[name] for name in sorted(found)]


# --- deliveries -----------------------------------------------------------------------------------------------------


def _gather_deliveries(connection: sa.Connection, found: Evidence, redaction: Redaction | None) -> None:
    first = {row["delivery"] for row in (*found.events, *found.readings)}
    repeats = {receipt for row in found.events for receipt in row["sightings"]} - first
    numbers = sorted(n for receipt in first | repeats if (n := delivery_id_of(receipt)) is not None)
    carried = first | repeats if _bytes_of(connection, numbers) <= REPEATS_BYTES else first
    total = 0
    for part in chunks(numbers, 100):
        query = sa.select(DELIVERY, *(STAMP.c[name].label(f"stamp_{name}") for name in STAMP_FIELDS)).outerjoin(
            STAMP, STAMP.c.delivery_id == DELIVERY.c.id
        )
        for row in connection.execute(query.where(DELIVERY.c.id.in_(part)).order_by(DELIVERY.c.id)):
            told, body = delivery_row(row, redaction, carried=receipt_of(row.id) in carried)
            if body is not None and told["body"] not in found.bodies:
                found.bodies[told["body"]] = body
                total += len(body)
            found.deliveries.append(told)
        if total > MOST_BYTES:
            raise ConflictError(f"the bodies behind this incident are larger than the {MOST_BYTES} bytes of a bundle")
    if len(found.deliveries) > MOST_LINES:
        raise ConflictError(f"{len(found.deliveries)} deliveries speak of this incident; a bundle holds {MOST_LINES}")


def _bytes_of(connection: sa.Connection, numbers: list[int]) -> int:
    """How many bytes came, by what was counted when they did: the same wherever the record is kept."""
    total = 0
    for part in chunks(numbers):
        query = sa.select(sa.func.coalesce(sa.func.sum(DELIVERY.c.size), 0))
        total += int(
            connection.execute(query.where(DELIVERY.c.id.in_(part), DELIVERY.c.refused.is_(None))).scalar_one()
        )
    return total


def delivery_row(row: Any, redaction: Redaction | None, *, carried: bool) -> tuple[Row, bytes | None]:  # noqa: ANN401
    """A delivery as a bundle tells it, and the body that it carries of it."""
    body, encoding = _carried(row, redaction) if carried else (None, "")
    told = {
        "receipt": receipt_of(row.id),
        "source": row.source,
        "received_at": instants.text(row.received_at),
        "headers": redaction.headers(row.headers) if redaction else row.headers,
        "size": row.size,
        "sha256": row.sha256,
        "refused": row.refused,
        "encoding": encoding,
        "body": None if body is None else digest(body),
        "redacted": body is not None and digest(body) != row.sha256,
        "stamp": _stamp(row),
    }
    return told, body


def _carried(row: Any, redaction: Redaction | None) -> tuple[bytes | None, str]:  # noqa: ANN401  # a row of DeliveryRow
    """The body and its encoding as they are carried; None where it is not known what the body holds."""
    if row.refused and hashlib.sha256(row.body).hexdigest() != row.sha256:
        return None, ""
    is_whole = deliveries.is_whole(row)
    if not is_whole or redaction is None:
        # What came by a bundle is redacted already, or was left out of it: then it is empty.
        return (row.body, row.encoding) if is_whole or row.body else (None, "")
    try:
        plain = deliveries.inflate(row.body, row.encoding)
    except ValueError:
        return None, ""
    shown = redaction.body(plain)
    return (row.body, row.encoding) if shown == plain else (shown, "")


def _stamp(row: Any) -> Row | None:  # noqa: ANN401  # a row with the columns of StampRow
    if row.stamp_state is None:
        return None
    told = {name: getattr(row, f"stamp_{name}") for name in STAMP_FIELDS}
    return {**told, "stamped_at": instants.text(row.stamp_stamped_at), "test": bool(row.stamp_test)}


# --- configuration --------------------------------------------------------------------------------------------------


def _configuration(connection: sa.Connection, found: Evidence, view: IncidentView) -> list[Row]:
    """The sites, sources and rules concerned, and the story that was played."""
    wanted = {("site", site.name) for site in view.sites}
    wanted |= {("source", name) for name in sources_in(found)}
    wanted |= {("rule", name) for row in found.entries if (name := _rule_of(row["actor"]))}
    wanted |= {("story", str(name)) for row in found.entries if (name := row["params"].get("story"))}
    specs = {(row.kind, row.name): row.spec for row in connection.execute(sa.select(CONFIGURED))}
    specs = {("rule", rule.name): spec_of(rule) for rule in DEFAULT_RULES} | specs
    return [
        {"kind": kind, "name": name, "spec": _told(kind, specs[kind, name])}
        for kind, name in sorted(wanted & set(specs))
    ]


def _rule_of(actor: str) -> str | None:
    return actor.removeprefix("rule:").rpartition("@")[0] if actor.startswith("rule:") else None


def _told(kind: str, spec: Row) -> Row:
    """A row as it is carried: of a source only what its deliveries are read with."""
    if kind != "source":
        return spec
    source = value_of(kind, spec)
    assert isinstance(source, Source)
    return spec_of(Source(name=source.name, adapter=source.adapter, timezone=source.timezone, mapping=source.mapping))
