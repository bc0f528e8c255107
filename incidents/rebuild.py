"""Rebuild: drop the caches and fold them again from the logs; the result is the state that was there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

import sqlalchemy as sa

from incidents import configured, counting, crowd_parts, entries, fold, incident_fold, privacy
from incidents.bulk import chunks, insert_many
from incidents.config import Config
from incidents.counting import COUNT
from incidents.entries import ENTRY, INCIDENT, MEMBER, OCCURRENCE, Changes
from incidents.geography.places import SiteMatcher
from incidents.grouping import GROUP, STILL_ON, Change, Grouping, groups_of
from incidents.lanes import lane_of
from incidents.linker import reach, reading_counts
from incidents.linker.reach import REACH
from incidents.linker.reading_counts import READING_COUNT
from incidents.model import Occurrence
from incidents.privacy import VIEWER
from incidents.records import occurrence_of, occurrence_row, said_of
from incidents.statements import EVENT, holds
from incidents.store import Store
from incidents.sums import DROPPED
from incidents.tables import RebuildDueRow, micros

DUE = RebuildDueRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
BATCH = 1000


def rebuild(store: Store, config: Config, now: datetime) -> tuple[int, int]:
    """Fold all occurrences and incidents anew, in one transaction; how many of each."""
    with store.writing() as connection:
        store.lock_caches(connection)
        return rebuild_within(connection, config, now)


def rebuild_within(connection: sa.Connection, config: Config, now: datetime) -> tuple[int, int]:
    """Fold all anew in a transaction of the caller, who has locked the caches; how many of each."""
    connection.execute(sa.delete(OCCURRENCE))
    connection.execute(sa.delete(GROUP))
    connection.execute(sa.delete(REACH))
    reading_counts.fill(connection)
    occurrences = _occurrences(connection, config)
    return occurrences, _incidents(connection, now)


def refold(
    connection: sa.Connection, config: Config, subjects: Sequence[str], incidents: Iterable[str], now: datetime
) -> None:
    """Fold these subjects, the incidents that they belong to, and these incidents. The caller locks the caches."""
    matcher, kinds = SiteMatcher(config.sites), {rule.group_by for rule in config.rules}
    concerned = set(incidents)
    for part in chunks(sorted(set(subjects))):
        names = sa.select(OCCURRENCE.c.id).where(OCCURRENCE.c.subject.in_(part))
        connection.execute(sa.delete(GROUP).where(GROUP.c.occurrence_id.in_(names)))
        connection.execute(sa.delete(REACH).where(REACH.c.occurrence_id.in_(names)))
        connection.execute(sa.delete(OCCURRENCE).where(OCCURRENCE.c.subject.in_(part)))
        folded = _folded(connection, EVENT.c.subject.in_(part))
        _write_occurrences(connection, folded, matcher, kinds)
        for few in chunks([seen.id for seen in folded]):
            joined = sa.select(MEMBER.c.incident_id).where(MEMBER.c.occurrence_id.in_(few)).distinct()
            concerned |= set(connection.execute(joined).scalars())
    for name in sorted(concerned):
        _fold_incident(connection, name, now)


def refill(store: Store, now: datetime) -> bool:
    """Rebuild the caches where a migration asks for it; whether it did.

    Of several processes that start together one does, and the others wait for it.
    """
    with store.reading() as connection:
        if connection.execute(sa.select(DUE)).first() is None:
            return False
    with store.writing() as connection:
        store.lock_caches(connection)
        if connection.execute(sa.delete(DUE)).rowcount == 0:
            return False
        config = configured.load(connection)
        rebuild_within(connection, config, now)
        _regroup(store, connection, config, now)
    return True


def _regroup(store: Store, connection: sa.Connection, config: Config, now: datetime) -> None:
    """Let the rules look at alerts that parted from others of their subject and belong to no incident yet."""
    changes = Changes(store, connection, now)
    homeless = sa.select(OCCURRENCE).where(
        OCCURRENCE.c.kind == "alert",
        OCCURRENCE.c.test.is_(False),
        OCCURRENCE.c.id != OCCURRENCE.c.subject,
        ~sa.exists().where(MEMBER.c.occurrence_id == OCCURRENCE.c.id),
    )
    rows = connection.execute(homeless.order_by(OCCURRENCE.c.starts_at, OCCURRENCE.c.id)).all()
    for part in chunks([occurrence_of(row) for row in rows], BATCH):
        Grouping(config, changes).apply([Change(seen, seen, lane_of(seen)) for seen in part])
        changes.settle()


def _occurrences(connection: sa.Connection, config: Config) -> int:
    matcher, kinds = SiteMatcher(config.sites), {rule.group_by for rule in config.rules}
    count = 0
    for part in _batches(connection):
        _write_occurrences(connection, part, matcher, kinds)
        count += len(part)
    return count


def _write_occurrences(
    connection: sa.Connection, folded: Sequence[Occurrence], matcher: SiteMatcher, kinds: Iterable[str]
) -> None:
    if not folded:
        return
    insert_many(connection, OCCURRENCE, [occurrence_row(seen, lane_of(seen)) for seen in folded])
    reach.write(connection, ((None, seen) for seen in folded))
    groups = [
        {
            "group_key": key,
            "occurrence_id": seen.id,
            "starts_at": micros(seen.starts_at),
            "ends_at": STILL_ON if seen.ends_at is None else micros(seen.ends_at),
            "severity": seen.severity.rank,
            "lane": lane_of(seen),
        }
        for seen in folded
        if seen.kind == "alert" and not seen.test
        for key in groups_of(seen, matcher, kinds)
    ]
    insert_many(connection, GROUP, groups)


def _batches(connection: sa.Connection) -> Iterator[list[Occurrence]]:
    """All occurrences, folded, those of `BATCH` subjects at a time, in the order of their ids."""
    after = ""
    while True:
        names = list(
            connection.execute(
                sa.select(EVENT.c.subject)
                .where(EVENT.c.subject > after)
                .distinct()
                .order_by(EVENT.c.subject)
                .limit(BATCH)
            ).scalars()
        )
        if not names:
            return
        after = names[-1]
        folded = _folded(connection, EVENT.c.subject.between(names[0], after))
        if folded:
            yield folded


def _folded(connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[Occurrence]:
    """The occurrences of the subjects that a condition on events names."""
    rows = connection.execute(sa.select(EVENT).where(where, holds()).order_by(EVENT.c.subject))
    return [
        occurrence
        for _, group in groupby(rows, key=lambda row: row.subject)
        for occurrence in fold.occurrences(said_of(row) for row in group)
    ]


def _incidents(connection: sa.Connection, now: datetime) -> int:
    names = list(
        connection.execute(
            sa.select(ENTRY.c.incident_id).where(ENTRY.c.kind == "opened").order_by(ENTRY.c.id)
        ).scalars()
    )
    connection.execute(sa.delete(INCIDENT))
    connection.execute(sa.delete(VIEWER))
    for name in names:
        _fold_incident(connection, name, now)
    return len(names)


def _fold_incident(connection: sa.Connection, name: str, now: datetime) -> None:
    log = entries.everything(connection, name)
    heard: list[str] = []
    for entry in log:
        if entry.kind == "alerts_joined":
            entries.hear_names(heard, entry.params["names"])
    incident = incident_fold.incident(
        [e for e in log if e.kind not in ("alerts_joined", *DROPPED)],
        entries.recount(connection, name),
        version=len(log),
    )
    counting.keep_afresh(connection, name)
    crowd_parts.keep_afresh(connection, name)
    privacy.keep(connection, incident, log)
    entries.write_incident(connection, incident, heard, by_rule=incident_fold.is_status_of_rule(log), now=now)


def state_digest(connection: sa.Connection) -> str:
    """SHA-256 over the caches, hex: equal states have equal digests on either database."""
    seen = hashlib.sha256()
    counted = sa.select(COUNT).where((COUNT.c.alerts != 0) | (COUNT.c.ended != 0)).order_by(*COUNT.primary_key.columns)
    for row in connection.execute(counted):
        seen.update(repr(tuple(row)).encode())
    for table in (OCCURRENCE, GROUP, INCIDENT, REACH, READING_COUNT, VIEWER):
        keys = list(table.primary_key.columns)
        told = (column for column in table.columns if column is not INCIDENT.c.mark)
        for row in connection.execute(sa.select(*told).order_by(*keys)):
            seen.update(repr(tuple(row)).encode())
    return seen.hexdigest()
