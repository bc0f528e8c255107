"""Retention: drops whole aged statements and deliveries that no kept incident needs, and leaves tombstones.

Entries are never dropped. An incident is kept unless its class has an age, it was resolved longer ago than that, and
nobody holds it. Of a kept incident everything stays that lies within a day of its span, its members and its links
wherever they lie. What is dropped goes subject by subject, so that what remains folds as it did; an incident that
loses alerts or links by it gets an entry, in the same transaction, that keeps their sums and outlines.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from incidents import aged_access, configured, entries, months, remains, stamp_counts, sums
from incidents.bulk import chunks, insert_many
from incidents.classes import KINDS
from incidents.counting import current_members
from incidents.deliveries import DELIVERY, STAMP, UNREAD
from incidents.entries import ENTRY, INCIDENT, MEMBER, OCCURRENCE, Draft
from incidents.linker import reading_counts
from incidents.model import Occurrence
from incidents.rebuild import refold
from incidents.receipts import first_id
from incidents.records import occurrence_of
from incidents.statements import EVENT, SIGHTING, SUPERSESSION
from incidents.store import Store
from incidents.tables import AskedRow, HoldRow, LinkedRow, PollRow, ReadingRow, micros
from incidents.tombstones import TOMBSTONE, heard

HOLD = HoldRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
READING = ReadingRow.__table__  # type: ignore[attr-defined]
POLL = PollRow.__table__  # type: ignore[attr-defined]
LINKED = LinkedRow.__table__  # type: ignore[attr-defined]
ASKED = AskedRow.__table__  # type: ignore[attr-defined]

AROUND = timedelta(days=1)
"""How far from the span of a kept incident everything stays."""
MOST = 200
"""Subjects, readings or deliveries that are looked at together, and dropped in one transaction."""
MOST_ALERTS = 1000
"""Subjects of one incident's alerts that are: each transaction of them is an entry of its own."""
ACTOR = "rule:retention@1"
"""Who says in an incident's log what of it was dropped."""
LAST = datetime.max.replace(tzinfo=UTC) - AROUND
"""The end of what is not over."""


@dataclass(frozen=True, slots=True)
class Aged:
    """What may be dropped of one class and source."""

    kind: str
    source: str
    count: int


@dataclass(frozen=True, slots=True)
class _Free:
    """One row that may go: its digest, when it was recorded or received, and the stretch that it was about."""

    id: int
    source: str
    digest: str
    at: datetime
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None


class _Spans:
    """The ids of kept incidents, and the stretches of time around them, merged."""

    def __init__(self, kept: set[str], spans: Iterable[tuple[datetime, datetime]]) -> None:
        self.kept = kept
        self._begins: list[datetime] = []
        self._ends: list[datetime] = []
        for begin, end in sorted(spans):
            if self._ends and begin - AROUND * 2 <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._begins.append(begin)
                self._ends.append(end)

    def meet(self, since: datetime, until: datetime) -> bool:
        """Whether a stretch comes within a day of one of them."""
        at = bisect_right(self._begins, until + AROUND) - 1
        return at >= 0 and self._ends[at] >= since - AROUND


class Retention:
    """One run: what is aged at `now` by the days of each class. A class without days is kept for ever."""

    def __init__(self, store: Store, days: Mapping[str, int], now: datetime) -> None:
        self.store, self.now, self.days = store, now, days
        self._before = {kind: now - timedelta(days=count) for kind, count in days.items()}
        self._walks = {
            **dict.fromkeys(KINDS, self._statements),
            "reading": self._readings,
            "delivery": self._deliveries,
        }

    def rehearse(self) -> list[Aged]:
        """What a run would drop now; of deliveries those that are free already, without what it would free."""
        return self._go(really=False)

    def run(self) -> list[Aged]:
        """Drop it, some hundred at a time, each in a transaction with its tombstones."""
        return self._go(really=True)

    def _go(self, *, really: bool) -> list[Aged]:
        """Walk each class from its beginning to its end, a page at a time: deliveries last, when nothing needs them."""
        counts = aged_access.drop(self.store, self._before, self.now, really=really)
        for kind, walk in self._steps(really=really):
            if kind == "delivery" and really:
                whole = months.drop_aged(self.store, self._before[kind], self._is_month_needed, self.now)
                counts.update({(kind, source): count for source, count in whole.items()})
            after: Any = "" if kind in KINDS else 0
            while after is not None:
                with self.store.reading() as connection:
                    free, following = walk(connection, kind, after)
                if free and really:
                    with self.store.writing() as connection:
                        self._lock(connection, kind, free)
                        # Once more, for what was said, held or opened meanwhile.
                        free, _ = walk(connection, kind, after)
                        self._drop(connection, kind, free)
                        self._bury(connection, kind, free)
                counts.update((kind, one.source) for one in free)
                after = following
        return [Aged(kind, source, count) for (kind, source), count in sorted(counts.items())]

    def _steps(self, *, really: bool) -> Iterator[tuple[str, Callable[..., tuple[list[_Free], Any]]]]:
        """The classes that have an age with how each is walked; alerts incident by incident first, then the others.

        An incident's alerts lie scattered over all pages of subjects: page by page each would get an entry of its own.
        """
        for kind, walk in self._walks.items():
            if kind not in self._before:
                continue
            if kind == "alert" and really and "incident" in self._before:
                yield from ((kind, partial(self._statements, incident=name)) for name in self._aged_incidents())
            yield kind, walk

    def _aged_incidents(self) -> list[str]:
        """The incidents that are not kept and have alerts still."""
        aged = (OCCURRENCE.c.kind == "alert") & (OCCURRENCE.c.ends_at < self._before["alert"])
        joined = sa.select(MEMBER.c.incident_id).join(OCCURRENCE, OCCURRENCE.c.id == MEMBER.c.occurrence_id)
        with self.store.reading() as connection:
            names = set(connection.execute(joined.where(aged).distinct()).scalars())
            return sorted(names - self._spans(connection).kept)

    # --- what is aged -----------------------------------------------------------------------------------------------

    def _spans(self, connection: sa.Connection) -> _Spans:
        """The incidents that are kept, and the stretches of time that they need."""
        newest = sa.select(sa.func.max(HOLD.c.id)).group_by(HOLD.c.incident_id)
        holds = sa.select(HOLD.c.incident_id).where(HOLD.c.id.in_(newest), HOLD.c.held.is_(True))
        held = set(connection.execute(holds).scalars())
        before = self._before.get("incident")
        kept = [
            row
            for row in connection.execute(sa.select(INCIDENT.c.id, INCIDENT.c.since, INCIDENT.c.resolved_at))
            if before is None or row.resolved_at is None or row.resolved_at >= before or row.id in held
        ]
        return _Spans({row.id for row in kept}, ((row.since, row.resolved_at or LAST) for row in kept))

    def _statements(
        self,
        connection: sa.Connection,
        kind: str,
        after: Any,  # noqa: ANN401  # a cursor
        *,
        incident: str | None = None,
    ) -> tuple[list[_Free], Any]:
        """Events of subjects all of whose occurrences are over, aged, and needed by no kept incident; or of one's."""
        pages = sa.select(OCCURRENCE.c.subject).where(OCCURRENCE.c.kind == kind, OCCURRENCE.c.subject > after)
        most = MOST
        if incident is not None:
            pages, most = pages.where(OCCURRENCE.c.id.in_(current_members(incident))), MOST_ALERTS
        names = list(connection.execute(pages.distinct().order_by(OCCURRENCE.c.subject).limit(most)).scalars())
        spans, before = self._spans(connection), self._before[kind]
        rows = [
            row
            for part in chunks(names)
            for row in connection.execute(sa.select(OCCURRENCE).where(OCCURRENCE.c.subject.in_(part)))
        ]
        needed = self._needed(connection, [row.id for row in rows], spans)
        kept = {
            row.subject
            for row in rows
            if row.kind != kind
            or row.ends_at is None
            or max(row.ends_at, row.said_at) >= before
            or row.id in needed
            or spans.meet(row.starts_at, row.ends_at)
        }
        about: dict[str, tuple[datetime, datetime]] = {}
        for row in rows:
            since, until = about.get(row.subject, (row.starts_at, row.ends_at or LAST))
            about[row.subject] = min(since, row.starts_at), max(until, row.ends_at or LAST)
        columns = (EVENT.c.id, EVENT.c.source, EVENT.c.digest, EVENT.c.recorded_at, EVENT.c.subject)
        free = [
            _Free(*row, *about[row.subject])
            for part in chunks(sorted(set(names) - kept))
            for row in connection.execute(sa.select(*columns).where(EVENT.c.subject.in_(part)))
        ]
        return free, names[-1] if len(names) == most else None

    @staticmethod
    def _needed(connection: sa.Connection, names: Sequence[str], spans: _Spans) -> set[str]:
        """Those of these occurrences that are, or were, members of kept incidents, or are linked to one."""
        needed = set()
        for part in chunks(list(names)):
            for row in connection.execute(sa.select(MEMBER).where(MEMBER.c.occurrence_id.in_(part))):
                needed |= {row.occurrence_id} if row.incident_id in spans.kept else set()
            linked = sa.select(ENTRY.c.incident_id, ENTRY.c.occurrence_id).where(ENTRY.c.occurrence_id.in_(part))
            for row in connection.execute(linked):
                needed |= {row.occurrence_id} if row.incident_id in spans.kept else set()
        return needed

    def _readings(self, connection: sa.Connection, kind: str, after: Any) -> tuple[list[_Free], Any]:  # noqa: ANN401  # a cursor
        """Readings that are aged and lie in no span of a kept incident."""
        before, spans = self._before[kind], self._spans(connection)
        rows = connection.execute(
            sa.select(READING.c.id, READING.c.source, READING.c.digest, READING.c.recorded_at, READING.c.at)
            .where(READING.c.id > after, READING.c.recorded_at < before)
            .order_by(READING.c.id)
            .limit(MOST)
        ).all()
        aged = (row for row in rows if row.at < before and not spans.meet(row.at, row.at))
        free = [_Free(*row[:4], since=row.at, until=row.at) for row in aged]
        return free, rows[-1].id if len(rows) == MOST else None

    def _deliveries(self, connection: sa.Connection, kind: str, after: Any) -> tuple[list[_Free], Any]:  # noqa: ANN401  # a cursor
        """Deliveries that were read, lie in no span of a kept incident, and that nothing said or asked refers to."""
        spans = self._spans(connection)
        is_needed = _refers(after).label("is_needed")
        rows = connection.execute(
            sa.select(
                DELIVERY.c.id, DELIVERY.c.source, DELIVERY.c.sha256, DELIVERY.c.received_at, STAMP.c.state, is_needed
            )
            .outerjoin(STAMP, STAMP.c.delivery_id == DELIVERY.c.id)
            .where(DELIVERY.c.id > after, DELIVERY.c.id < first_id(self._before[kind]))
            .order_by(DELIVERY.c.id)
            .limit(MOST)
        ).all()
        # What nobody could read waits for a better adapter, however long.
        free = [
            _Free(*row[:4])
            for row in rows
            if row.state == "read" and not row.is_needed and not spans.meet(row.received_at, row.received_at)
        ]
        return free, rows[-1].id if len(rows) == MOST else None

    def _is_month_needed(self, connection: sa.Connection, month: months.Month) -> bool:
        """Whether any delivery of a month must stay, by the same measure."""
        if self._spans(connection).meet(month.since, month.until):
            return True
        unread = sa.or_(STAMP.c.state.is_(None), STAMP.c.state != "read")
        kept = sa.select(sa.literal(1)).select_from(DELIVERY).outerjoin(STAMP, STAMP.c.delivery_id == DELIVERY.c.id)
        kept = kept.where(month.has(DELIVERY.c.id), sa.or_(unread, _refers(month.first))).limit(1)
        return connection.execute(kept).first() is not None

    # --- dropping ---------------------------------------------------------------------------------------------------

    def _lock(self, connection: sa.Connection, kind: str, free: Iterable[_Free]) -> None:
        """As a fold does: sources first, so that nothing is said of a subject while it is dropped."""
        self.store.lock(connection, ["retention"])
        self.store.lock(connection, [f"source:{name}" for name in {one.source for one in free}])
        if kind in KINDS:
            self.store.lock_caches(connection)

    def _drop(self, connection: sa.Connection, kind: str, free: Sequence[_Free]) -> None:
        concerned: set[str] = set()
        if kind in KINDS and free:
            concerned = self._sum_up(connection, kind, sorted({one.subject for one in free}))
            remains.mark_statements(connection, [one.id for one in free])
        for part in chunks([one.id for one in free]):
            if kind == "delivery":
                remains.forget_deliveries(connection, remains.DELIVERED.c.delivery_id.in_(part))
                stamped = STAMP.c.delivery_id.in_(part)
                stamp_counts.add(connection, stamp_counts.stored(connection, stamped), -1)
                connection.execute(sa.delete(STAMP).where(stamped))
                connection.execute(sa.delete(DELIVERY).where(DELIVERY.c.id.in_(part)))
            elif kind == "reading":
                rows = connection.execute(sa.select(READING).where(READING.c.id.in_(part)).order_by(READING.c.at)).all()
                remains.mark_deliveries(connection, "reading", {row.delivery_id: row.at for row in rows})
                reading_counts.uncount(connection, [dict(row._mapping) for row in rows])  # noqa: SLF001  # SQLAlchemy's
                connection.execute(sa.delete(READING).where(READING.c.id.in_(part)))
            else:
                connection.execute(sa.delete(SIGHTING).where(SIGHTING.c.event_id.in_(part)))
                connection.execute(sa.delete(SUPERSESSION).where(SUPERSESSION.c.event_id.in_(part)))
                connection.execute(sa.delete(EVENT).where(EVENT.c.id.in_(part)))
        if kind in KINDS and free:
            subjects = sorted({one.subject for one in free})
            refold(connection, configured.load(connection), subjects, concerned, self.now)

    def _sum_up(self, connection: sa.Connection, kind: str, subjects: Sequence[str]) -> set[str]:
        """Write into the log of each incident what is kept of its alerts and links among these; the incidents."""
        seen = {
            row.id: occurrence_of(row)
            for part in chunks(list(subjects))
            for row in connection.execute(sa.select(OCCURRENCE).where(OCCURRENCE.c.subject.in_(part)))
        }
        joined: dict[str, list[str]] = defaultdict(list)
        linked: dict[str, set[str]] = defaultdict(set)
        for part in chunks(sorted(seen)):
            bound = sa.select(MEMBER).where(MEMBER.c.occurrence_id.in_(part)).order_by(MEMBER.c.entry_id)
            newest = {(row.incident_id, row.occurrence_id): row.joined for row in connection.execute(bound)}
            for (incident, name), is_member in newest.items():
                joined[incident] += [name] if is_member else []
            links = sa.select(ENTRY.c.incident_id, ENTRY.c.occurrence_id).where(
                ENTRY.c.occurrence_id.in_(part), ENTRY.c.kind == "link_proposed"
            )
            for row in connection.execute(links):
                linked[row.incident_id].add(row.occurrence_id)
        days = max(self.days[name] for name in (kind, "incident") if name in self.days)
        for incident in sorted(joined):
            self._keep_sums(connection, incident, [seen[name] for name in sorted(joined[incident])], days)
        for incident in sorted(linked):
            for name in sorted(linked[incident]):
                params = {"days": days, "occurrence": name, "outline": sums.outline(seen[name])}
                entries.append(connection, Draft(incident, sums.LINKED_DROPPED, params, ACTOR, self.now), self.now)
        return set(joined) | set(linked)

    def _keep_sums(self, connection: sa.Connection, incident: str, alerts: Sequence[Occurrence], days: int) -> None:
        """Take alerts out of an incident's members, with an entry that keeps their sums."""
        if not alerts:
            return
        params = sums.params_of(sums.of_alerts(alerts), days)
        entry = entries.append(connection, Draft(incident, sums.ALERTS_DROPPED, params, ACTOR, self.now), self.now)
        rows = [{"incident_id": incident, "occurrence_id": a.id, "entry_id": entry, "joined": False} for a in alerts]
        insert_many(connection, MEMBER, rows)

    def _bury(self, connection: sa.Connection, kind: str, free: Sequence[_Free]) -> None:
        """Write a tombstone for each source of what was dropped; of a sender that should speak, with when it did."""
        config = configured.load(connection) if kind == "delivery" and free else None
        for source in sorted({one.source for one in free}):
            ones = [one for one in free if one.source == source]
            told = config.source(source) if config else None
            lines = "\n".join(sorted(one.digest for one in ones))
            values = {
                "kind": kind,
                "source": source,
                "count": len(ones),
                "first_at": min(one.at for one in ones),
                "last_at": max(one.at for one in ones),
                "sha256": hashlib.sha256(lines.encode()).hexdigest(),
                "dropped_at": self.now,
                "about_since": min((one.since for one in ones if one.since), default=None),
                "about_until": max((one.until for one in ones if one.until), default=None),
                "heard": heard(sorted(micros(one.at) for one in ones), told) if told else None,
            }
            connection.execute(sa.insert(TOMBSTONE).values(values))


def _refers(after: int) -> sa.ColumnElement[bool]:
    """That something said or asked refers to a delivery whose id is above this one."""
    refers = (
        EVENT.c.delivery_id == DELIVERY.c.id,
        SIGHTING.c.delivery_id == DELIVERY.c.id,
        READING.c.delivery_id == DELIVERY.c.id,
        UNREAD.c.delivery_id == DELIVERY.c.id,
    )
    # Those without an index are read once for a page.
    told = (
        DELIVERY.c.id.in_(sa.select(t.c.delivery_id).where(t.c.delivery_id >= after)) for t in (POLL, LINKED, ASKED)
    )
    return sa.or_(*(sa.exists().where(clause) for clause in refers), *told)


def hold(store: Store, incident: str, *, held: bool, actor: str, reason: str, now: datetime) -> bool:
    """Hold an incident's evidence, or no longer; False where there is no such incident."""
    with store.writing() as connection:
        if connection.execute(sa.select(INCIDENT.c.id).where(INCIDENT.c.id == incident)).first() is None:
            return False
        row = {"incident_id": incident, "held": held, "actor": actor, "reason": reason, "recorded_at": now}
        connection.execute(sa.insert(HOLD).values(row))
    return True
