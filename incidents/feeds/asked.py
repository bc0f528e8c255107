"""What feeds were asked, and when they did not answer: the negative evidence of a window.

An answer holds for one interval. A feed that was asked and found nothing is evidence; one that was not asked, or did
not answer, is a gap. Answers that could not be read are none, until a better adapter reads them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from incidents.deliveries import STAMP
from incidents.feeds import circuit, scope
from incidents.feeds.polls import ASKED, PATIENCE, POLL, WHOLE
from incidents.model import Lane, Site, Source
from incidents.views.view import Gap

FAILED_PATIENCE = 1.5
"""How many intervals may pass between two answers when an asking between them failed."""
HOLDS = 1 + circuit.LATE
"""For how many intervals the last answer holds: turns are spread, so the next one may be that late."""
_LONGEST_SECONDS = 86_400

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Run:
    """Askings of one request that went alike. `reason` is None for answers that could be read."""

    first_at: datetime
    last_at: datetime
    every: timedelta
    reason: str | None = None


@dataclass(slots=True)
class Record:
    """What is known of the askings of one request around a window."""

    sites: frozenset[str] | None = None
    """The sites that its answers would tell of; None where they would tell of all."""
    runs: list[Run] = field(default_factory=list)
    began_at: datetime | None = None
    """When it was asked for the first time; where that was before the window, some time before it."""
    goes_on: bool = False
    """Whether it is still asked: what is not asked any more owes no answer."""
    heard: bool = True
    """Whether it has ever answered in a way that could be read."""
    site: str | None = None
    """The one site that it was asked for, if it was."""


def silences(record: Record, since: datetime, until: datetime) -> list[tuple[datetime, datetime, str | None]]:
    """The stretches of [since, until] without an answer that held, each with the reason that was given, if one was.

    A silence begins with the first failed asking, else one interval after the last answer. What was before the first
    asking is no silence: nobody asked.
    """
    runs = sorted(record.runs, key=lambda run: run.first_at)
    good = [run for run in runs if run.reason is None]
    found: list[tuple[datetime, datetime, str | None]] = []
    if not good or good[0].first_at > since:
        found += _before_first(record, runs, good, until)
    for n, run in enumerate(good):
        following = good[n + 1] if n + 1 < len(good) else None
        if following is None and not record.goes_on:
            break
        found += _after(run, following, runs, until)
    cut = [(max(a, since), min(b, until), reason) for a, b, reason in found]
    return [(a, b, reason) for a, b, reason in cut if a < b]


def _before_first(
    record: Record, runs: Sequence[Run], good: Sequence[Run], until: datetime
) -> list[tuple[datetime, datetime, str | None]]:
    ends = good[0].first_at if good else until
    failed = next((run for run in runs if run.reason is not None and run.first_at < ends), None)
    if failed is not None:
        begins = failed.first_at if failed.first_at == record.began_at else record.began_at or failed.first_at
        ends = ends if good or record.goes_on else failed.last_at
        return [(begins, ends, failed.reason)]
    if record.began_at is not None and record.began_at < ends and (good or record.goes_on):
        return [(record.began_at, ends, None)]
    return []


def _after(
    run: Run, following: Run | None, runs: Sequence[Run], until: datetime
) -> list[tuple[datetime, datetime, str | None]]:
    ends = following.first_at if following else until
    failed = next((r for r in runs if r.reason is not None and run.last_at < r.first_at < ends), None)
    patience = PATIENCE if failed is None else FAILED_PATIENCE if following else HOLDS
    if ends - run.last_at <= run.every * patience:
        return []
    begins = run.last_at + run.every
    return [(min(begins, failed.first_at) if failed else begins, ends, failed.reason if failed else None)]


def waiting_since(record: Record, until: datetime) -> datetime | None:
    """The last answer, where it does not hold until then any more, nothing has failed since, and no turn is overdue."""
    last = max(record.runs, key=lambda run: run.last_at, default=None)
    if last is None or last.reason is not None or not record.goes_on:
        return None
    return last.last_at if last.every * HOLDS < until - last.last_at <= last.every * PATIENCE else None


def without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """What is left of these stretches when others are taken out of them."""
    left = list(spans)
    for begins, ends in holes:
        cut: list[Span] = []
        for a, b in left:
            cut += [(x, y) for x, y in ((a, min(b, begins)), (max(a, ends), b)) if x < y]
        left = cut
    return left


def gaps_of(
    connection: sa.Connection,
    source: Source,
    lane: Lane,
    since: datetime,
    until: datetime,
    *,
    sites: Sequence[Site] = (),
    as_of: datetime | None = None,
) -> list[Gap]:
    """Where a polled source did not answer in a window, each stretch once for each set of `sites` it would tell of."""
    records = records_of(connection, source, since, until, sites=sites, as_of=as_of)
    return gaps_in(records, filled_of(connection, source.name, since, until), source.name, lane, (since, until))


def gaps_in(
    records: Iterable[Record],
    filled: Mapping[str | None, Sequence[Span]],
    source: str,
    lane: Lane,
    window: Span,
) -> list[Gap]:
    """The gaps of these records, those of records that concern the same sites made one where they touch."""
    by_sites: dict[frozenset[str] | None, list[Gap]] = defaultdict(list)
    for record in records:
        holes = [*filled.get(None, ()), *(filled.get(record.site, ()) if record.site else ())]
        state: Literal["silent", "waiting", "never"] = "silent" if record.heard else "never"
        found = [(a, b, reason, state) for a, b, reason in silences(record, *window)]
        waiting = waiting_since(record, window[1])
        if waiting is not None and waiting < window[1]:
            found.append((max(waiting, window[0]), window[1], None, "waiting"))
        for a, b, reason, how in found:
            by_sites[record.sites] += [
                Gap(lane, source, x, y, sites=record.sites, reason=reason, state=how)
                for x, y in without([(a, b)], holes)
            ]
    return [gap for found in by_sites.values() for gap in joined(found)]


def joined(gaps: Iterable[Gap]) -> list[Gap]:
    """Gaps of one source with those that touch made one, in the order of time."""
    found: list[Gap] = []
    for gap in sorted(gaps, key=lambda g: (g.since, g.until)):
        if found and gap.since <= found[-1].until:
            last = found.pop()
            found.append(
                Gap(
                    last.lane,
                    last.source,
                    last.since,
                    max(last.until, gap.until),
                    sites=last.sites | gap.sites if last.sites is not None and gap.sites is not None else None,
                    reason=last.reason or gap.reason,
                    state=last.state if last.state == gap.state else "silent",
                )
            )
        else:
            found.append(gap)
    return found


def records_of(
    connection: sa.Connection,
    source: Source,
    since: datetime,
    until: datetime,
    *,
    sites: Sequence[Site] = (),
    as_of: datetime | None = None,
) -> list[Record]:
    """The runs of each request of a source that may tell something of a window, as known at `as_of`.

    `sites` are all that are configured: each record says which of them it concerns.
    """
    on = {row.request: row for row in connection.execute(sa.select(POLL).where(POLL.c.source == source.name))}
    longest = max((row.every_seconds for row in on.values()), default=_LONGEST_SECONDS)
    slack = timedelta(seconds=longest) * PATIENCE
    known_until = until + slack if as_of is None else min(until + slack, as_of)
    query = (
        sa.select(ASKED, STAMP.c.state.label("state"), STAMP.c.reason.label("unread"))
        .outerjoin(STAMP, STAMP.c.delivery_id == ASKED.c.delivery_id)
        .where(
            ASKED.c.source == source.name,
            ASKED.c.since.is_(None),
            ASKED.c.last_at >= since - slack,
            ASKED.c.first_at <= known_until,
        )
    )
    kept: dict[str, Record] = {name: Record(site=row.site, goes_on=True) for name, row in on.items()}
    for row in connection.execute(query):
        record = kept.setdefault(row.request, Record(site=row.site))
        last_at = row.last_at if as_of is None else min(row.last_at, as_of)
        record.runs.append(Run(row.first_at, last_at, timedelta(seconds=row.every_seconds), failure_of(row)))
    concerned = scope.sites_by_request(source, sites, kept)
    for request, record in kept.items():
        record.sites = frozenset({record.site}) if record.site else concerned.get(request)
        first = min((run.first_at for run in record.runs), default=None)
        # Who was asked before the window was: how long before does not matter.
        record.began_at = first if first and first <= since else began_at(connection, source.name, request)
        good = any(run.reason is None for run in record.runs)
        record.heard = good or answered_at(connection, source.name, request, as_of) is not None
    return list(kept.values())


def answered_at(connection: sa.Connection, source: str, request: str, as_of: datetime | None = None) -> datetime | None:
    """When a request was last answered in a way that could be read; None where it never was."""
    query = (
        sa.select(ASKED.c.last_at)
        .outerjoin(STAMP, STAMP.c.delivery_id == ASKED.c.delivery_id)
        .where(
            ASKED.c.source == source,
            ASKED.c.request == request,
            ASKED.c.since.is_(None),
            ASKED.c.outcome != "failed",
            STAMP.c.state.is_(None) | (STAMP.c.state != "quarantined"),
        )
    )
    if as_of is not None:
        query = query.where(ASKED.c.first_at <= as_of)
    at: datetime | None = connection.execute(query.order_by(ASKED.c.id.desc()).limit(1)).scalar()
    return at


def began_at(connection: sa.Connection, source: str, request: str) -> datetime | None:
    """When a request was asked for the first time."""
    query = sa.select(ASKED.c.first_at).where(
        ASKED.c.source == source, ASKED.c.request == request, ASKED.c.since.is_(None)
    )
    found: datetime | None = connection.execute(query.order_by(ASKED.c.id).limit(1)).scalar()
    return found


def failure_of(row: Any) -> str | None:  # noqa: ANN401  # a row of `asked` or `poll` with its stamp's `state` and `unread`
    """Why an asking brought nothing; None where it brought an answer that could be read."""
    if row.state == "quarantined":
        return f"its answer could not be read: {row.unread or 'no reason given'}"[:500]
    if getattr(row, "outcome", None) == "failed":
        return row.reason or "no reason given"
    return None


def filled_of(connection: sa.Connection, source: str, since: datetime, until: datetime) -> dict[str | None, list[Span]]:
    """The windows of the past that were asked for afterwards, and answered in full, by site."""
    query = sa.select(ASKED.c.site, ASKED.c.since, ASKED.c.until).where(
        ASKED.c.source == source,
        ASKED.c.request == WHOLE,
        ASKED.c.outcome == "answered",
        ASKED.c.since <= until,
        ASKED.c.until >= since,
    )
    found: dict[str | None, list[Span]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.site].append((row.since, row.until))
    return found
