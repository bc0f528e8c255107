"""The revisions of postmortems in the store: read, and write the next one in the transaction of its author's act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from incidents.acts import Acting
from incidents.entries import Draft
from incidents.postmortem import FOLLOWING, STATES, TEMPLATE, Revision, State, merge
from incidents.postmortem_templates import Template, layout_of
from incidents.refusals import ConflictError
from incidents.tables import PostmortemRevisionRow

REVISION = PostmortemRevisionRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
_COLUMNS = [column for column in REVISION.c if column.name != "snapshot"]
"""Without the snapshot, which is large and asked for by itself."""


class MovedOnError(Exception):
    """Somebody else changed the same sections, or the state, since the author last looked."""

    def __init__(self, current: Revision, clashes: tuple[str, ...]) -> None:
        super().__init__("the postmortem has moved on")
        self.current, self.clashes = current, clashes


@dataclass(frozen=True, slots=True)
class Sent:
    """What an author sends: sections, perhaps a state, over the revision that they saw (None: whichever is there)."""

    base: int | None
    sections: Mapping[str, Any] = field(default_factory=dict)
    state: State | None = None
    snapshot: Mapping[str, Any] | None = None
    """The record's facts, where the state is to be published."""


def newest(connection: sa.Connection, incident: str) -> Revision:
    """The newest revision; number 0 where nobody has written yet."""
    query = sa.select(*_COLUMNS).where(REVISION.c.incident_id == incident).order_by(REVISION.c.number.desc()).limit(1)
    row = connection.execute(query).first()
    return _revision_of(row) if row else Revision()


def numbered(connection: sa.Connection, incident: str, number: int) -> Revision | None:
    """A revision by its number; 0 is the empty one."""
    if number == 0:
        return Revision()
    query = sa.select(*_COLUMNS).where(REVISION.c.incident_id == incident, REVISION.c.number == number)
    row = connection.execute(query).first()
    return _revision_of(row) if row else None


def listed(connection: sa.Connection, incident: str, *, before: int | None = None, limit: int = 50) -> list[Revision]:
    """Revisions, newest first, of numbers below `before`."""
    query = sa.select(*_COLUMNS).where(REVISION.c.incident_id == incident)
    if before is not None:
        query = query.where(REVISION.c.number < before)
    return [_revision_of(row) for row in connection.execute(query.order_by(REVISION.c.number.desc()).limit(limit))]


def authors(connection: sa.Connection, incident: str, upto: int) -> list[str]:
    """Everybody who wrote a revision up to this number, in the order of their first."""
    first = sa.func.min(REVISION.c.number)
    query = sa.select(REVISION.c.author).where(REVISION.c.incident_id == incident, REVISION.c.number <= upto)
    return list(connection.execute(query.group_by(REVISION.c.author).order_by(first)).scalars())


def snapshot(connection: sa.Connection, incident: str, number: int) -> dict[str, Any] | None:
    """The record's facts that a published revision stands on."""
    query = sa.select(REVISION.c.snapshot).where(REVISION.c.incident_id == incident, REVISION.c.number == number)
    found: dict[str, Any] | None = connection.execute(query).scalar()
    return found


def write(acting: Acting, incident: str, sent: Sent) -> Revision:
    """The revision that holds what was sent; the current one where nothing differs.

    Raises NotFoundError, ConflictError where the state does not allow it, MovedOnError where others were quicker.
    """
    acting.seen(incident)
    current = newest(acting.connection, incident)
    base = current if sent.base is None else numbered(acting.connection, incident, sent.base)
    if base is None:
        raise MovedOnError(current, ())
    state = sent.state or current.state
    layout = layout_of(current.words or {TEMPLATE: sent.sections.get(TEMPLATE)})
    if unknown := set(sent.sections) - set(layout.headings):
        raise ConflictError(f"this postmortem has no section {min(unknown)}")
    merged = merge(base.words, current.words, sent.sections)
    if merged.clashes:
        raise MovedOnError(current, merged.clashes)
    if not merged.changed and state == current.state:
        return current
    if state != current.state and base.number != current.number:
        raise MovedOnError(current, ())  # nobody publishes words that they have not seen
    _allow(current.state, state, writes=bool(merged.changed))
    written = Revision(current.number + 1, acting.actor, acting.now, state, merged.words, merged.changed)
    _insert(acting, incident, written, sent.snapshot if state == "published" else None)
    if state != current.state:
        params = {"state": state, "was": current.state, "revision": written.number}
        acting.changes.append(Draft(incident, "postmortem_state_changed", params, acting.actor, acting.now))
        acting.changes.settle()
    return written


def begin(acting: Acting, incident: str, template: Template) -> Revision:
    """The first revision, of the words that a template gives. Raises NotFoundError and ConflictError."""
    acting.seen(incident)
    if newest(acting.connection, incident).number:
        raise ConflictError("the postmortem is begun already; it keeps the template that it was begun with")
    return write(acting, incident, Sent(0, template.starters()))


def _allow(was: State, state: State, *, writes: bool) -> None:
    if state != was and state not in FOLLOWING[was]:
        nexts = " or ".join(STATES[each] for each in FOLLOWING[was])
        raise ConflictError(f"a postmortem that is {STATES[was]} becomes {nexts} next, not {STATES[state]}")
    if writes and was == "published" == state:
        raise ConflictError("a published postmortem is not changed: make it a draft again first")


def _insert(acting: Acting, incident: str, revision: Revision, snapshot: Mapping[str, Any] | None) -> None:
    row = {
        "incident_id": incident,
        "number": revision.number,
        "author": revision.author,
        "recorded_at": revision.recorded_at,
        "state": revision.state,
        "words": dict(revision.words),
        "changed": list(revision.changed),
        "snapshot": None if snapshot is None else dict(snapshot),
    }
    acting.connection.execute(sa.insert(REVISION), [row])


def _revision_of(row: Any) -> Revision:  # noqa: ANN401  # a row of PostmortemRevisionRow's columns
    return Revision(row.number, row.author, row.recorded_at, row.state, row.words, tuple(row.changed))
