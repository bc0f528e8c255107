"""Transcripts into entries: what would be written, then the writing of it; what was written before is known again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from incidents import entries, fields, instants
from incidents.acts import Acting
from incidents.bulk import chunks
from incidents.entries import ENTRY
from incidents.refusals import NotFoundError
from incidents.transcripts import reading
from incidents.transcripts.clocks import Clock
from incidents.transcripts.message import Message, Transcript, identities


@dataclass(frozen=True, slots=True)
class Pasted:
    """A text as somebody gave it, and what is to be known for reading it: format, zone, the day that it begins on."""

    text: str
    zone: str
    form: str = "auto"
    day: date | None = None
    day_first: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A message as it would be written, and its entry where it was written before."""

    message: Message
    text: str
    speaker: str
    identity: str
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be written of a transcript, and what is left out."""

    transcript: Transcript
    zone: str
    rows: tuple[Row, ...]

    @property
    def new(self) -> tuple[Row, ...]:
        """Those that were not written before."""
        return tuple(row for row in self.rows if row.entry is None)


def preview(connection: sa.Connection, incident: str, pasted: Pasted, now: datetime) -> Preview:
    """Read a text for an incident. Raises NotFoundError, and ValueError for a text of no format that is known."""
    known = entries.read_incident(connection, incident)
    if known is None:
        raise NotFoundError(f"there is no incident {incident[:80]}")
    near = known.impact_started_at.at if known.impact_started_at else known.opened_at
    clock = Clock(pasted.zone, now, near, day=pasted.day, day_first=pasted.day_first)
    transcript = reading.read(pasted.text, pasted.form, clock)
    found = [
        row
        for message, identity in zip(transcript.messages, identities(transcript), strict=True)
        if (row := _row(transcript, message, identity))
    ]
    written = _written(connection, incident, [row.identity for row in found])
    rows = (Row(r.message, r.text, r.speaker, r.identity, written.get(r.identity)) for r in found)
    return Preview(transcript, pasted.zone, tuple(rows))


def _row(transcript: Transcript, message: Message, identity: str) -> Row | None:
    """A message as it would stand in the record, secrets of a known shape marked; None where it cannot stand there."""
    said = {"text": message.text, "speaker": message.speaker[: fields.TITLE_BOUND]}
    try:
        words = fields.text(said, "text", fields.TEXT_BOUND)
        speaker = fields.text(said, "speaker", fields.TITLE_BOUND) if message.speaker else ""
    except ValueError as error:
        transcript.leave_out(message.line, message.text, str(error))
        return None
    if message.at <= instants.EPOCH:
        transcript.leave_out(message.line, message.text, "lies before 1970")
        return None
    return Row(message, words, speaker, identity)


def _decision(incident: str, identity: str) -> str:
    return f"transcribed|{incident}|{identity}"


def _written(connection: sa.Connection, incident: str, names: list[str]) -> dict[str, int]:
    """The entries of what was written before, by identity."""
    of = {_decision(incident, name): name for name in names}
    return {
        of[row.decision]: row.id
        for part in chunks(list(of))
        for row in connection.execute(sa.select(ENTRY.c.id, ENTRY.c.decision).where(ENTRY.c.decision.in_(part)))
    }


def write(acting: Acting, incident: str, found: Preview) -> list[int]:
    """Write what is new of a preview; the ids of its entries. The actor is who imports, the speaker is named."""
    said = [(fields_of(row, found.transcript.origin), _decision(incident, row.identity)) for row in found.new]
    return [number for number in acting.transcribe(incident, said) if number is not None] if said else []


def fields_of(row: Row, origin: str) -> dict[str, Any]:
    """The fields of the note that a message becomes."""
    message = row.message
    return {
        "text": row.text,
        "speaker": row.speaker,
        "origin": origin,
        "edited": message.edited,
        "happened_at": instants.text(message.at),
        "happened_until": instants.text(message.until) if message.until else None,
        "notes": list(message.notes),
    }


def preview_fields(found: Preview, numbers: list[int] | None = None) -> dict[str, Any]:
    """A preview as JSON; `numbers` are the entries that were written of it, None where none were to be."""
    return {
        "origin": found.transcript.origin,
        "zone": found.zone,
        "dry_run": numbers is None,
        "new": len(found.new),
        "known": len(found.rows) - len(found.new),
        "entries": numbers or [],
        "messages": [_row_fields(row, found.transcript.origin) for row in found.rows],
        "unread": [{"line": one.line, "text": one.text, "reason": one.reason} for one in found.transcript.unread],
        "assumed": found.transcript.assumed,
    }


def _row_fields(row: Row, origin: str) -> Mapping[str, Any]:
    return fields_of(row, origin) | {"line": row.message.line, "known": row.entry}
