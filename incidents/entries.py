"""The log of decisions: append entries, read them, and keep an incident's cached fold and members in step with them."""

from __future__ import annotations

import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidents import counting, crowd_parts, incident_fold, privacy, remains, rules
from incidents.bulk import chunks, insert, insert_many
from incidents.counting import current_members
from incidents.model import Entry, Incident, Members, Moment, Occurrence, Severity
from incidents.notices import outbox
from incidents.notices.destinations import Destination
from incidents.records import alert_name, entry_of, members_of, occurrence_of
from incidents.store import Store
from incidents.sums import ALERTS_DROPPED, LINKED_DROPPED, added
from incidents.tables import EntryRow, IncidentRow, MemberRow, OccurrenceRow

ENTRY = EntryRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
INCIDENT = IncidentRow.__table__  # type: ignore[attr-defined]
MEMBER = MemberRow.__table__  # type: ignore[attr-defined]
OCCURRENCE = OccurrenceRow.__table__  # type: ignore[attr-defined]

NAMES_TOLD = 5
"""How many names of alerts one `alerts_joined` entry tells."""
NAMES_KEPT = 50
"""How many names of alerts an incident keeps as signals for links."""
_ON_LINKS = ("link_proposed", "link_scored", "link_judged", LINKED_DROPPED)
_ONLY_SUMS = ("alerts_joined", ALERTS_DROPPED, LINKED_DROPPED)


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry about to be appended."""

    incident: str
    kind: str
    params: Mapping[str, Any]
    actor: str
    happened_at: datetime
    happened_until: datetime | None = None
    supersedes: int | None = None
    decision: str | None = None


def append(connection: sa.Connection, draft: Draft, recorded_at: datetime) -> int | None:
    """Append one entry; its id, or None when its decision had been taken before."""
    statement = insert(connection, ENTRY).values(_row(draft, recorded_at))
    if draft.decision is not None:
        statement = statement.on_conflict_do_nothing(index_elements=["decision"])
    return connection.execute(statement.returning(ENTRY.c.id)).scalar()


def append_decided(connection: sa.Connection, drafts: Sequence[Draft], recorded_at: datetime) -> list[str]:
    """Append entries of decisions in one statement; the incident of each that had not been taken before."""
    if not drafts:
        return []
    statement = insert(connection, ENTRY).on_conflict_do_nothing(index_elements=["decision"])
    rows = [_row(draft, recorded_at) for draft in drafts]
    return list(connection.execute(statement.returning(ENTRY.c.incident_id), rows).scalars())


def _row(draft: Draft, recorded_at: datetime) -> dict[str, Any]:
    return {
        "incident_id": draft.incident,
        "kind": draft.kind,
        "params": dict(draft.params),
        "actor": draft.actor,
        "happened_at": draft.happened_at,
        "happened_until": draft.happened_until,
        "recorded_at": recorded_at,
        "supersedes": draft.supersedes,
        "decision": draft.decision,
        "occurrence_id": linked_by(draft.kind, draft.params),
    }


def linked_by(kind: str, params: Mapping[str, Any]) -> str | None:
    """What an entry on a link links its incident with; None for an entry on something else."""
    if kind not in _ON_LINKS:
        return None
    found: str | None = params.get("link" if kind == "link_judged" else "occurrence")
    return found


def decisions(connection: sa.Connection, incidents: Sequence[str]) -> dict[str, list[Entry]]:
    """The entries that an incident's fold needs: all but those that only count alerts in, or tell what was dropped."""
    found: dict[str, list[Entry]] = {name: [] for name in incidents}
    for part in chunks(list(incidents)):
        query = (
            sa.select(ENTRY).where(ENTRY.c.incident_id.in_(part), ENTRY.c.kind.not_in(_ONLY_SUMS)).order_by(ENTRY.c.id)
        )
        for row in connection.execute(query):
            found[row.incident_id].append(entry_of(row))
    return found


def everything(connection: sa.Connection, incident: str, as_of: datetime | None = None) -> list[Entry]:
    """All entries of an incident recorded by `as_of`, in the order of the log."""
    query = sa.select(ENTRY).where(ENTRY.c.incident_id == incident).order_by(ENTRY.c.id)
    if as_of is not None:
        query = query.where(ENTRY.c.recorded_at <= as_of)
    return [entry_of(row) for row in connection.execute(query)]


def read_incident(connection: sa.Connection, incident: str) -> Incident | None:
    """An incident as it stands, or None where there is none of this id."""
    return read_incidents(connection, [incident]).get(incident)


def read_incidents(connection: sa.Connection, names: Sequence[str]) -> dict[str, Incident]:
    """Incidents by id, folded from their decisions and the sums that their rows keep."""
    rows = {
        row.id: row
        for part in chunks(list(names))
        for row in connection.execute(sa.select(INCIDENT).where(INCIDENT.c.id.in_(part)))
    }
    logs = decisions(connection, list(rows))
    return {
        name: incident_fold.incident(logs[name], members_of(row), version=row.version) for name, row in rows.items()
    }


def recount(connection: sa.Connection, incident: str) -> Members:
    """The sums over an incident's alerts, counted afresh by the database, with those of alerts that were dropped."""
    row = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(sa.case((OCCURRENCE.c.ends_at.is_(None), 1), else_=0)), 0),
            sa.func.min(OCCURRENCE.c.starts_at),
            sa.func.max(OCCURRENCE.c.ends_at),
            sa.func.coalesce(sa.func.max(OCCURRENCE.c.severity), 0),
        ).where(OCCURRENCE.c.id.in_(current_members(incident)))
    ).one()
    here = Members(
        alerts=row[0], on=int(row[1]), first_starts_at=row[2], last_ends_at=row[3], gravest=Severity.of_rank(row[4])
    )
    return added(here, remains.sums_kept(connection, incident).members)


@dataclass(slots=True)
class Changes:
    """What one transaction does to incidents; `settle` writes their folds once, at its end."""

    store: Store
    connection: sa.Connection
    now: datetime
    joined: dict[str, list[Occurrence]] = field(default_factory=lambda: defaultdict(list))
    named: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    moved: dict[str, list[tuple[Occurrence, Occurrence]]] = field(default_factory=lambda: defaultdict(list))
    touched: Counter[str] = field(default_factory=Counter)
    """How many entries were appended, by incident."""
    recounts: set[str] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)
    relink: set[str] = field(default_factory=set)
    destinations: Sequence[Destination] = ()
    """Who is told of what `settle` finds changed. Nobody, unless whoever makes this says so: a rebuild, a story and
    deliveries read again tell nobody."""
    told: set[str] = field(default_factory=set)
    """Incidents whose opening was told."""

    def append(self, draft: Draft) -> int | None:
        """Append an entry and remember that its incident needs folding."""
        number = append(self.connection, draft, self.now)
        if number is not None:
            self.touched[draft.incident] += 1
        return number

    def append_decided(self, drafts: Sequence[Draft]) -> None:
        """Append entries of decisions, those that had not been taken before, as `append` does each."""
        self.touched.update(append_decided(self.connection, drafts, self.now))

    def open(self, draft: Draft, base: str) -> str | None:
        """Open an incident named after `base`; its id, or None when this decision had opened one before."""
        self.store.lock(self.connection, ["incident-id"])
        name = free_name(self.connection, base)
        draft = Draft(
            name, "opened", draft.params, draft.actor, draft.happened_at, draft.happened_until, decision=draft.decision
        )
        if append(self.connection, draft, self.now) is None:
            return None
        row = {
            "id": name,
            "group_key": draft.params.get("group", ""),
            "title": draft.params["title"],
            "status": "open",
            "severity": 0,
            "sites": [],
            "opened_at": draft.happened_at,
            "since": draft.happened_at,
            "recorded_at": self.now,
            "by_rule": True,
            "alerts": 0,
            "alerts_on": 0,
            "gravest": 0,
            "names": [],
            "version": 0,
        }
        self.connection.execute(sa.insert(INCIDENT), [row])
        self.touched[name] += 1
        self.opened.add(name)
        return name

    def join(
        self, incident: str, alerts: Sequence[Occurrence], actor: str, params: Mapping[str, Any] | None = None
    ) -> None:
        """Add alerts to an incident: one counted entry for all of them, a row of its own for each."""
        if not alerts:
            return
        names = sorted({alert_name(a) for a in alerts})
        told = {"count": len(alerts), "names": names[:NAMES_TOLD], **(params or {})}
        entry = self.append(Draft(incident, "alerts_joined", told, actor, self.now))
        rows = [{"incident_id": incident, "occurrence_id": a.id, "entry_id": entry, "joined": True} for a in alerts]
        insert_many(self.connection, MEMBER, rows)
        self.joined[incident] += alerts
        self.named[incident] += names[:NAMES_TOLD]

    def leave(self, incident: str, alerts: Sequence[str], actor: str, params: Mapping[str, Any] | None = None) -> None:
        """Take alerts out of an incident; the entry names each, so that it can be undone."""
        if not alerts:
            return
        kept = {"count": len(alerts), "alerts": list(alerts), **(params or {})}
        entry = self.append(Draft(incident, "alerts_left", kept, actor, self.now))
        rows = [{"incident_id": incident, "occurrence_id": a, "entry_id": entry, "joined": False} for a in alerts]
        self.connection.execute(sa.insert(MEMBER), rows)
        self.recounts.add(incident)

    def recount_members_of(self, occurrences: list[str]) -> None:
        """Count incidents afresh that these alerts, which are no more, had belonged to."""
        for part in chunks(occurrences):
            query = sa.select(MEMBER.c.incident_id).where(MEMBER.c.occurrence_id.in_(part))
            self.recounts |= set(self.connection.execute(query).scalars())

    def settle(self) -> dict[str, Incident]:
        """Write the folds of all touched incidents, with what rules now say of their status; them by id."""
        names = sorted(set(self.touched) | set(self.joined) | set(self.moved) | self.recounts)
        if not names:
            return {}
        rows = {
            row.id: row
            for part in chunks(names)
            # An alert attached by hand belongs to another group, whose lock its own sender's transaction does not hold.
            for row in self.connection.execute(
                sa.select(INCIDENT).where(INCIDENT.c.id.in_(part)).order_by(INCIDENT.c.id).with_for_update()
            )
        }
        logs = decisions(self.connection, list(rows))
        folded = {name: self._settle_one(row, logs[name]) for name, row in rows.items()}
        self.touched, self.recounts = Counter(), set()
        self.joined.clear()
        self.named.clear()
        self.moved.clear()
        return folded

    def _settle_one(self, row: Any, log: list[Entry]) -> Incident:  # noqa: ANN401  # a row of IncidentRow's columns
        sums = None
        if row.id not in self.recounts:
            sums = incident_fold.move_members(members_of(row), self.joined.get(row.id, ()), self.moved.get(row.id, ()))
        sums = sums or recount(self.connection, row.id)
        if row.id in self.recounts:
            counting.keep_afresh(self.connection, row.id)
            crowd_parts.keep_afresh(self.connection, row.id)
        else:
            joined, moved = self.joined.get(row.id, ()), self.moved.get(row.id, ())
            counting.keep(self.connection, row.id, joined, moved)
            crowd_parts.keep(self.connection, row.id, (*joined, *(one for pair in moved for one in pair)))
        names = list(row.names)
        if hear_names(names, self.named.get(row.id, ())):
            self.relink.add(row.id)
        incident = incident_fold.incident(log, sums, version=row.version + self.touched[row.id])
        undone = rules.settle(incident, self.now, by_rule=incident_fold.is_status_of_rule(log)) if sums.on else None
        if undone:
            at = max((a.starts_at for a in self.joined.get(row.id, ())), default=self.now)
            assert incident.mitigated_at
            append_status(self, incident, undone, at=max(at, incident.mitigated_at.at))
            log = decisions(self.connection, [row.id])[row.id]
            incident = incident_fold.incident(log, sums, version=row.version + self.touched[row.id])
        write_incident(self.connection, incident, names, by_rule=incident_fold.is_status_of_rule(log), now=self.now)
        privacy.keep(self.connection, incident, log)
        opened = row.id in self.opened - self.told
        outbox.tell(self.connection, self.destinations, incident, row.status, self.now, opened=opened)
        self.told.add(row.id)
        return incident


def append_status(
    changes: Changes, incident: Incident, settling: rules.Settling, *, at: datetime | None = None
) -> bool:
    """Append a rule's decision on a status; False when the same one had been taken before."""
    happened_at = at or settling.happened_at
    number = changes.append(
        Draft(
            incident.id,
            "status_changed",
            {"status": settling.status, "note": settling.reason},
            rules.QUIET_ACTOR,
            happened_at,
            # With the version: late words may undo a decision and bring the same one about again.
            decision=f"{rules.QUIET_ACTOR}|{incident.id}|{settling.status}|{happened_at.isoformat()}|{incident.version}",
        )
    )
    return number is not None


def hear_names(heard: list[str], names: Iterable[str]) -> bool:
    """Add names of alerts to those that an incident keeps; whether any was new."""
    new = [name for name in dict.fromkeys(names) if name not in heard][: NAMES_KEPT - len(heard)]
    heard += new
    return bool(new)


def write_incident(
    connection: sa.Connection, incident: Incident, names: list[str], *, by_rule: bool, now: datetime
) -> None:
    """Write the cached fold of an incident, over the one that was there."""
    sums = incident.members
    values = {
        "id": incident.id,
        "group_key": incident.group,
        "title": incident.title,
        "status": incident.status,
        "severity": incident.severity.rank,
        "sites": list(incident.sites),
        "opened_at": incident.opened_at,
        "since": rules.span_of(incident, now)[0],
        "resolved_at": latest(incident.resolved_at),
        "recorded_at": incident.recorded_at,
        "due_at": rules.next_due(incident),
        "by_rule": by_rule,
        "merged_into": incident.merged_into,
        "alerts": sums.alerts,
        "alerts_on": sums.on,
        "first_starts_at": sums.first_starts_at,
        "last_ends_at": sums.last_ends_at,
        "gravest": sums.gravest.rank,
        "names": names,
        "version": incident.version,
        "mark": secrets.randbits(62) + 1,
    }
    statement = insert(connection, INCIDENT).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def latest(moment: Moment | None) -> datetime | None:
    """The last instant that a milestone may stand for."""
    return (moment.until or moment.at) if moment else None


def free_name(connection: sa.Connection, base: str) -> str:
    """`base`, or `base-2`, `base-3`, … where it is taken. The caller holds the lock on names."""
    taken = set(
        connection.execute(
            sa.select(INCIDENT.c.id).where(
                (INCIDENT.c.id == base) | INCIDENT.c.id.startswith(f"{base}-", autoescape=True)
            )
        ).scalars()
    )
    number = 1
    while (name := base if number == 1 else f"{base}-{number}") in taken:
        number += 1
    return name


def name_base(at: datetime, group: str, sites: Sequence[str]) -> str:
    """What an incident's id begins with: its first day (UTC) and its site, or what its group is about."""
    subject = sites[0] if sites else group.rpartition(":")[2]
    slug = re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")[:40].strip("-")
    return f"{at:%Y-%m-%d}-{slug or 'incident'}"


def member_alerts(
    connection: sa.Connection, incident: str, *, limit: int | None = None, after: str = ""
) -> list[Occurrence]:
    """The alerts of an incident in the order of their ids, from the one after `after`."""
    query = sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(current_members(incident)), OCCURRENCE.c.id > after)
    return [occurrence_of(row) for row in connection.execute(query.order_by(OCCURRENCE.c.id).limit(limit))]
