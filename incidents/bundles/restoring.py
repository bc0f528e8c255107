"""Restores the evidence of a bundle into a store: adds what is not there, refuses what is there with other content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, zip_longest
from typing import Any

import orjson
import sqlalchemy as sa

from incidents import configured, stamp_counts
from incidents.bulk import CHUNK, chunks, insert, insert_many
from incidents.bundles.bundling import entry_rows, event_row, events_there, postmortem_rows, reading_row
from incidents.bundles.evidence import Evidence, sources_in
from incidents.bundles.evidence_shapes import instant_of
from incidents.bundles.lines import Row
from incidents.config import spec_of
from incidents.configured import CONFIGURED
from incidents.deliveries import DELIVERY, STAMP
from incidents.entries import ENTRY, MEMBER, linked_by
from incidents.ingest import RECORDING_FAULTS
from incidents.linker import reading_counts
from incidents.postmortem_revisions import REVISION
from incidents.pulses import pulse
from incidents.rebuild import rebuild_within, refold
from incidents.receipts import delivery_id_of, receipt_of
from incidents.refusals import ConflictError
from incidents.rules import DEFAULT_RULES
from incidents.statements import EVENT, READING, SIGHTING, SUPERSESSION
from incidents.store import Store

POSITION = 1000
"""Where what a bundle brings stands among what is configured: behind all that was given by hand."""
OWNERS = {"site": "page", "source": "import", "rule": "page", "story": "page"}
"""Who owns a row that a bundle brings. A source of the owner `import` is never asked, whatever its adapter could."""


@dataclass(frozen=True, slots=True)
class Restored:
    """How much of a bundle was new."""

    entries: int = 0
    events: int = 0
    deliveries: int = 0
    readings: int = 0
    revisions: int = 0
    """Of the postmortem."""
    configured: tuple[str, ...] = ()
    """What was added of configuration, each as "kind name"."""

    @property
    def is_nothing(self) -> bool:
        """Whether all of it was there before."""
        return self == Restored()


def restore(store: Store, evidence: Evidence, now: datetime) -> Restored:
    """Add the evidence in one transaction and fold what it concerns; `now` is when configuration came into force.

    Raises ConflictError where the store holds other content under the same names, and ValueError for evidence that
    cannot be folded; then nothing is written.
    """
    try:
        with store.writing() as connection:
            # Senders first, as every transaction does; whoever holds another lock by now has read the caches too.
            store.lock(connection, [f"source:{name}" for name in sorted(sources_in(evidence))])
            store.lock_caches(connection)
            done = _add(connection, evidence, now)
            if not done.is_nothing:
                _fold(connection, evidence, now, anew=any(name.startswith("site ") for name in done.configured))
                pulse(store, connection, ["incidents", "deliveries", f"incident:{evidence.incident}"], now)
    except sa.exc.OperationalError:
        raise
    except RECORDING_FAULTS as error:
        raise ValueError(f"the evidence cannot be folded: {type(error).__name__}: {str(error)[:300]}") from error
    return done


def _add(connection: sa.Connection, evidence: Evidence, now: datetime) -> Restored:
    return Restored(
        deliveries=_add_deliveries(connection, evidence),
        events=_add_events(connection, evidence.events),
        readings=_add_readings(connection, evidence.readings),
        entries=_add_entries(connection, evidence),
        revisions=_add_postmortem(connection, evidence),
        configured=_add_configuration(connection, evidence.configuration, now),
    )


def _fold(connection: sa.Connection, evidence: Evidence, now: datetime, *, anew: bool) -> None:
    """A site that is new may concern any alert: then all is folded."""
    config = configured.load(connection)
    if anew:
        rebuild_within(connection, config, now)
    else:
        refold(connection, config, list({row["subject"] for row in evidence.events}), [evidence.incident], now)


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    for part in chunks(list(rows)):
        insert_many(connection, table, part)


def _instants(row: Row, *names: str) -> dict[str, datetime | None]:
    return {name: instant_of(row[name]) if row[name] is not None else None for name in names}


def _number(receipt: str) -> int:
    number = delivery_id_of(receipt)
    assert number is not None, "receipts were checked"
    return number


# --- deliveries -----------------------------------------------------------------------------------------------------


def _add_deliveries(connection: sa.Connection, evidence: Evidence) -> int:
    return sum(_add_some_deliveries(connection, evidence, part) for part in _parts(evidence.deliveries, 100))


def _parts(rows: Iterable[Row], size: int = CHUNK) -> Iterator[list[Row]]:
    """The rows in lists of at most `size`, however many there are."""
    each = iter(rows)
    while part := list(islice(each, size)):
        yield part


def _add_some_deliveries(connection: sa.Connection, evidence: Evidence, part: Sequence[Row]) -> int:
    wanted = {_number(row["receipt"]): row for row in part}
    known: set[int] = set()
    columns = (DELIVERY.c.id, DELIVERY.c.source, DELIVERY.c.received_at, DELIVERY.c.size, DELIVERY.c.sha256)
    for row in connection.execute(sa.select(*columns).where(DELIVERY.c.id.in_(wanted))):
        told = wanted[row.id]
        came = (told["source"], instant_of(told["received_at"]), told["size"], told["sha256"])
        if tuple(row[1:]) != came:
            raise ConflictError(f"the delivery {receipt_of(row.id)} is here with other content")
        known.add(row.id)
    fresh = {number: row for number, row in wanted.items() if number not in known}
    for some in chunks(list(fresh.items()), 20):
        rows = [
            {
                "id": number,
                "source": row["source"],
                "received_at": instant_of(row["received_at"]),
                "headers": row["headers"],
                "encoding": row["encoding"],
                "body": evidence.bodies[row["body"]] if row["body"] else b"",
                "size": row["size"],
                "sha256": row["sha256"],
                "refused": row["refused"],
            }
            for number, row in some
        ]
        connection.execute(sa.insert(DELIVERY), rows)
    stamps = [
        {"delivery_id": number, "source": row["source"], **row["stamp"], **_instants(row["stamp"], "stamped_at")}
        for number, row in fresh.items()
        if row["stamp"]
    ]
    _insert(connection, STAMP, stamps)
    stamp_counts.add(connection, stamp_counts.counted(stamps))
    return len(fresh)


# --- events and readings --------------------------------------------------------------------------------------------


def _add_events(connection: sa.Connection, events: Iterable[Row]) -> int:
    is_used = connection.execute(sa.select(EVENT.c.id).limit(1)).first() is not None
    return sum(_add_some_events(connection, part, is_used=is_used) for part in _parts(events))


def _add_some_events(connection: sa.Connection, part: Sequence[Row], *, is_used: bool) -> int:
    """Add what is not there. Only a store that `is_used` can know any: it takes as long to look as to write."""
    known = events_there(connection, part) if is_used else {}
    fresh = []
    for row in part:
        there = known.get((row["subject"], row["digest"]))
        if there is None:
            fresh.append(row)
        elif _said(event_row(there)) != _said(row):
            raise ConflictError(
                f"a statement of {row['source']} is here with other content: {row['statement']['key'][:80]}, "
                f"said at {row['said_at']}"
            )
    _insert(connection, EVENT, [_event_values(row) for row in fresh])
    ids = {key: row.id for key, row in known.items()}
    named = [row for row in fresh if row["superseded"] or row["sightings"]]
    ids |= {key: row.id for key, row in events_there(connection, named).items()}
    superseded = [
        {
            "event_id": ids[row["subject"], row["digest"]],
            "recorded_at": instant_of(row["superseded"]["recorded_at"]),
            "adapter": row["superseded"]["adapter"],
        }
        for row in fresh
        if row["superseded"]
    ]
    _insert(connection, SUPERSESSION, superseded)
    seen = [
        {"event_id": ids[row["subject"], row["digest"]], "delivery_id": _number(receipt)}
        for row in part
        for receipt in row["sightings"]
    ]
    for some in chunks(seen):
        connection.execute(insert(connection, SIGHTING).on_conflict_do_nothing(), some)
    return len(fresh)


def _said(row: Row) -> Row:
    """What must be equal of a statement that is there already: all but where it stands and who repeated it."""
    return {name: value for name, value in row.items() if name not in ("position", "sightings")}


def _event_values(row: Row) -> dict[str, Any]:
    return {
        "subject": row["subject"],
        "digest": row["digest"],
        "source": row["source"],
        **_instants(row, "said_at", "recorded_at"),
        "delivery_id": _number(row["delivery"]),
        "adapter": row["adapter"],
        "statement": orjson.dumps(row["statement"]).decode(),
    }


def _add_readings(connection: sa.Connection, readings: Iterable[Row]) -> int:
    return sum(_add_some_readings(connection, part) for part in _parts(readings))


def _add_some_readings(connection: sa.Connection, part: Sequence[Row]) -> int:
    wanted = {row["digest"]: row for row in part}
    known: set[str] = set()
    for row in connection.execute(sa.select(READING).where(READING.c.digest.in_(wanted))):
        if reading_row(row) != wanted[row.digest]:
            raise ConflictError(f"a reading of {row.source} is here with other content: {row.variable}, {row.at}")
        known.add(row.digest)
    fresh = [
        {
            **{name: value for name, value in row.items() if name != "delivery"},
            **_instants(row, "at", "recorded_at"),
            "delivery_id": _number(row["delivery"]),
        }
        for name, row in wanted.items()
        if name not in known
    ]
    _insert(connection, READING, fresh)
    reading_counts.count(connection, fresh)
    return len(fresh)


# --- entries --------------------------------------------------------------------------------------------------------


def _add_entries(connection: sa.Connection, evidence: Evidence) -> int:
    if _are_there(connection, evidence):
        return 0
    for part in _parts(evidence.entries):
        _check_decisions(connection, part)
    ids: dict[int, int] = {}
    for row in evidence.entries:
        values = {
            "incident_id": evidence.incident,
            **{name: row[name] for name in ("kind", "params", "actor", "decision")},
            "occurrence_id": linked_by(row["kind"], row["params"]),
            **_instants(row, "happened_at", "happened_until", "recorded_at"),
            "supersedes": ids[row["supersedes"]] if row["supersedes"] else None,
        }
        number = connection.execute(sa.insert(ENTRY).values(values).returning(ENTRY.c.id)).scalar_one()
        ids[row["position"]] = number
        members = [(name, True) for name in row["joined"]] + [(name, False) for name in row["left"]]
        moved = [
            {"incident_id": evidence.incident, "occurrence_id": name, "entry_id": number, "joined": joined}
            for name, joined in members
        ]
        _insert(connection, MEMBER, moved)
    return len(ids)


def _are_there(connection: sa.Connection, evidence: Evidence) -> bool:
    """Whether the incident's log is here, entry for entry. Raises ConflictError where it is here and another."""
    there = entry_rows(connection, evidence.incident)
    for number, (theirs, mine) in enumerate(zip_longest(evidence.entries, there), 1):
        if mine is None and number == 1:
            return False
        if mine != theirs:
            said = f"the first difference is entry {number}"
            raise ConflictError(f"the incident {evidence.incident} is here with other content; {said}")
    return True


def _add_postmortem(connection: sa.Connection, evidence: Evidence) -> int:
    """Add the revisions that are not there; those that are there must be the same."""
    there = postmortem_rows(connection, evidence.incident)
    for mine, theirs in zip(there, evidence.postmortem, strict=False):
        if mine != theirs:
            raise ConflictError(f"revision {mine['number']} of the postmortem is here with other content")
    fresh = islice(evidence.postmortem, len(there), None)
    rows = [{**row, **_instants(row, "recorded_at"), "incident_id": evidence.incident} for row in fresh]
    _insert(connection, REVISION, rows)
    return len(rows)


def _check_decisions(connection: sa.Connection, entries: Iterable[Row]) -> None:
    """A decision is taken once, whoever takes it."""
    for part in chunks([row["decision"] for row in entries if row["decision"] is not None]):
        query = sa.select(ENTRY.c.incident_id).where(ENTRY.c.decision.in_(part)).limit(1)
        other = connection.execute(query).scalar()
        if other is not None:
            raise ConflictError(f"a decision of this incident has been taken here, about the incident {other}")


# --- configuration --------------------------------------------------------------------------------------------------


def _add_configuration(connection: sa.Connection, rows: Iterable[Row], now: datetime) -> tuple[str, ...]:
    """Add what no row names; what is configured here stays as it is."""
    known = {(row.kind, row.name) for row in connection.execute(sa.select(CONFIGURED.c.kind, CONFIGURED.c.name))}
    known |= {("rule", rule.name) for rule in DEFAULT_RULES if _is_told(rule.name, spec_of(rule), rows)}
    fresh = [row for row in rows if (row["kind"], row["name"]) not in known]
    values = [
        {
            **row,
            "owner": OWNERS[row["kind"]],
            "position": POSITION,
            "applied_at": now,
            # A rule is told of, but opens nothing here: with a first rule in force the default ones would end.
            "retired_at": now if row["kind"] == "rule" else None,
        }
        for row in fresh
    ]
    _insert(connection, CONFIGURED, values)
    return tuple(f"{row['kind']} {row['name']}" for row in fresh)


def _is_told(name: str, spec: Row, rows: Iterable[Row]) -> bool:
    return any(row["kind"] == "rule" and row["name"] == name and row["spec"] == spec for row in rows)
