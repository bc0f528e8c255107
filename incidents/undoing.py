"""Undoing an act by appending: a retraction of each entry, or for what moved something the move back."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from incidents import amendments, entries, moves, private_acts
from incidents.acts import Acting
from incidents.entries import ENTRY, MEMBER
from incidents.model import Entry
from incidents.privacy import CHANGED
from incidents.records import entry_of
from incidents.refusals import ConflictError, NotFoundError


def undo(acting: Acting, incident: str, number: int) -> None:
    """Undo the act to which an entry belongs, all of it. Undoing what was appended here brings it back.

    Raises NotFoundError, and ConflictError for what has no way back.
    """
    acting.seen(incident)
    act = _act(acting.connection, incident, number)
    is_persons = act[0].actor.startswith("user:")
    if is_persons:
        unlinked = _unlinked(acting, incident, act)
        if _moved_back(acting, incident, act) or unlinked:
            return
    # A rule's entry is withdrawn alone: what it recorded in the same transaction were decisions of their own.
    theirs = [e for e in act if e.kind in amendments.WITHDRAWABLE and (e.id == number or is_persons)]
    if not theirs:
        raise ConflictError(f"an entry of kind {act[0].kind} cannot be undone; add a note instead")
    acting.retract_all(incident, [entry.id for entry in theirs])


def _act(connection: sa.Connection, incident: str, number: int) -> tuple[Entry, ...]:
    of = sa.select(ENTRY).where(ENTRY.c.incident_id == incident)
    row = connection.execute(of.where(ENTRY.c.id == number)).first()
    if row is None:
        raise NotFoundError(f"the incident has no entry {number}")
    one = entry_of(row)
    beside = of.where(ENTRY.c.actor == one.actor, ENTRY.c.recorded_at == one.recorded_at).order_by(ENTRY.c.id)
    found = amendments.act_of((entry_of(row) for row in connection.execute(beside)), one)
    return tuple(sorted(found, key=lambda e: e.id != number))


def _unlinked(acting: Acting, incident: str, act: Sequence[Entry]) -> bool:
    """Reject what an act linked by hand, for a link is never erased; whether it had linked anything."""
    made = [str(entry.params["occurrence"]) for entry in act if entry.kind == "link_proposed"]
    for occurrence in made:
        acting.judge(incident, occurrence, {"verdict": "rejected", "note": "the link was undone"})
    return bool(made)


def _moved_back(acting: Acting, incident: str, act: Sequence[Entry]) -> bool:
    """Move back what an act had moved; whether it had moved anything."""
    by_kind = {entry.kind: entry for entry in reversed(act)}
    if "merged" in by_kind:
        moves.unmerge(acting, incident, merge=by_kind["merged"])
    elif "merged_from" in by_kind:
        joined = by_kind["merged_from"]
        moves.unmerge(acting, str(joined.params["from"]), merge=joined)
    elif "unmerged" in by_kind:
        moves.merge(acting, incident, str(by_kind["unmerged"].params["from"]))
    elif "split" in by_kind:
        moves.merge(acting, str(by_kind["split"].params["into"]), incident)
    elif "opened" in by_kind and by_kind["opened"].params.get("split_from"):
        moves.merge(acting, incident, str(by_kind["opened"].params["split_from"]))
    elif "alerts_left" in by_kind and by_kind["alerts_left"].params.get("unmerged"):
        moves.merge(acting, str(by_kind["alerts_left"].params["unmerged"]), incident)
    elif CHANGED in by_kind:
        private_acts.undo(acting, incident, by_kind[CHANGED])
    elif "alerts_left" in by_kind or "alerts_joined" in by_kind:
        _regrouped_back(acting, incident, act)
    else:
        return False
    return True


def _regrouped_back(acting: Acting, incident: str, act: Sequence[Entry]) -> None:
    """Attach what an act detached and detach what it attached, where that is still so."""
    numbers = [entry.id for entry in act]
    rows = acting.connection.execute(
        sa.select(MEMBER.c.occurrence_id, MEMBER.c.joined).where(
            MEMBER.c.incident_id == incident, MEMBER.c.entry_id.in_(numbers)
        )
    ).all()
    now = {alert.id for alert in entries.member_alerts(acting.connection, incident)}
    back = [row.occurrence_id for row in rows if not row.joined and row.occurrence_id not in now]
    out = [row.occurrence_id for row in rows if row.joined and row.occurrence_id in now]
    if not back and not out:
        raise ConflictError("these alerts have moved on since")
    moves.regroup(acting, incident, back, out)
