"""Moving alerts between incidents: attaching and detaching, merging, splitting, and a merge undone.

Each move appends entries on both sides. Errors are for the person: NotFoundError, ConflictError and ValueError.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from incidents import entries, privacy, remains
from incidents.acts import Acting
from incidents.entries import INCIDENT, Draft
from incidents.fields import TITLE_BOUND, reason_of, text
from incidents.model import Entry, Incident
from incidents.refusals import ConflictError, NotFoundError


def regroup(acting: Acting, incident: str, add: Sequence[str], remove: Sequence[str], *, reason: str = "") -> Incident:
    """Attach and detach alerts by their ids."""
    told = reason_of(reason)
    add, remove = list(dict.fromkeys(add)), list(dict.fromkeys(remove))
    acting.hold([incident], alerts=[*add, *remove], linking=True)
    members = acting.members(incident)
    found = [a for a in acting.occurrences(add) if a.kind == "alert"]
    missing = set(add) - {a.id for a in found} | set(remove) - members
    if missing:
        raise NotFoundError(f"no such alert: {min(missing)[:60]}")
    acting.changes.join(incident, [a for a in found if a.id not in members], acting.actor, told)
    acting.changes.leave(incident, remove, acting.actor, told)
    return acting.done(incident, relink=True)


def merge(acting: Acting, incident: str, into: str, *, reason: str = "") -> Incident:
    """Merge an incident into another one: its alerts go along, its entries stay readable under its id."""
    told = reason_of(reason)
    source, target = acting.hold([incident, into], members_of=incident, linking=True)
    if incident == into or source.merged_into or target.merged_into:
        raise ConflictError("an incident merges into another one that is not merged itself")
    if source.seen_by != target.seen_by:
        raise ConflictError("one of them is private to others: let the same people see both, then merge")
    guests = sa.select(INCIDENT.c.id).where(INCIDENT.c.merged_into == incident).order_by(INCIDENT.c.id)
    guest = acting.connection.execute(guests.limit(1)).scalar()
    if guest:
        raise ConflictError(
            f"{guest} is merged into this incident: take it out first, or merge the other one into this one"
        )
    _check_whole(acting, incident)
    alerts = entries.member_alerts(acting.connection, incident)
    held = acting.members(into)
    moving = [a for a in alerts if a.id not in held]
    gone = {"into": into, "alerts": [a.id for a in moving], **told}
    came = {"from": incident, "alerts": len(moving), **told}
    acting.changes.append(Draft(incident, "merged", gone, acting.actor, acting.now))
    acting.changes.append(Draft(into, "merged_from", came, acting.actor, acting.now))
    acting.changes.join(into, moving, acting.actor)
    return acting.done(into, relink=True)


def unmerge(acting: Acting, incident: str, *, merge: Entry | None = None) -> Incident:
    """Undo a merge: what had moved goes back. With an entry of a merge only where that merge is in force."""
    query = sa.select(INCIDENT.c.merged_into).where(INCIDENT.c.id == incident)
    into = acting.connection.execute(query).scalar()
    source = acting.hold([incident, into] if into else [incident], members_of=incident, linking=True)[0]
    if not into or source.merged_into != into:
        raise ConflictError("the incident is not merged into another one, or no longer into the one it was")
    log = [e for e in entries.decisions(acting.connection, [incident])[incident] if e.kind == "merged"]
    if merge is not None and not _is_merge(merge, log[-1], into):
        raise ConflictError("that merge is not in force any more: the incident has moved on since")
    _check_whole(acting, into)
    moved = [str(a) for a in log[-1].params.get("alerts", ())]
    acting.changes.append(Draft(incident, "unmerged", {"from": into}, acting.actor, acting.now))
    acting.changes.leave(into, moved, acting.actor, {"unmerged": incident})
    return acting.done(incident, relink=True)


def split(acting: Acting, incident: str, alerts: Sequence[str], *, title: str = "", reason: str = "") -> Incident:
    """Move some alerts into a new incident of the same group, called as its first alert unless a title is given.

    Merging it back undoes it.
    """
    told = reason_of(reason)
    (was,) = acting.hold([incident], alerts=alerts, linking=True)
    if not alerts or set(alerts) - acting.members(incident):
        raise NotFoundError("alerts: give ids of alerts of this incident")
    moving = acting.occurrences(list(dict.fromkeys(alerts)))
    first = min(moving, key=lambda a: (a.starts_at, a.id))
    params = {
        "title": text({"title": title}, "title", TITLE_BOUND) if title else first.title,
        "severity": first.severity.value,
        "group": f"{was.group}|split:{first.id[:8]}",
        "sites": list(was.sites),
        "split_from": incident,
        **told,
    }
    name = acting.changes.open(
        Draft("", "opened", params, acting.actor, first.starts_at),
        entries.name_base(first.starts_at, was.group, was.sites),
    )
    assert name is not None
    if was.seen_by is not None:
        private = {"private": True, "seen_by": list(was.seen_by), "was": {"private": False, "seen_by": []}}
        acting.changes.append(Draft(name, privacy.CHANGED, private, acting.actor, acting.now))
    acting.changes.append(
        Draft(incident, "split", {"into": name, "alerts": len(moving), **told}, acting.actor, acting.now)
    )
    acting.changes.join(name, moving, acting.actor)
    acting.changes.leave(incident, [a.id for a in moving], acting.actor, {"split": name})
    return acting.done(name, relink=True)


def _check_whole(acting: Acting, incident: str) -> None:
    """Raises ConflictError where only sums are left of alerts: they cannot be told apart to go anywhere."""
    if remains.has_sums(acting.connection, incident):
        raise ConflictError(f"of alerts of {incident} only sums are kept, which cannot be moved")


def _is_merge(entry: Entry, last: Entry, into: str) -> bool:
    """Whether an entry of either side of a merge is of the source's last one, into this target."""
    if entry.kind == "merged":
        return entry.id == last.id and entry.params.get("into") == into
    return entry.incident == into and (entry.actor, entry.recorded_at) == (last.actor, last.recorded_at)
