"""The alerts of a crowded incident as counted lines: unbroken runs of one name, in the order in which they began.

Alternating names make runs of one; then a line stands for what began in one stretch of time in one lane. A crowd is
summed part by part (`crowd_parts`), and sums of parts add up to those of all: after a change the parts that
changed are summed anew, and no other alert is looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter

import sqlalchemy as sa

from incidents import counting, crowd_parts, remains
from incidents.counting import COUNT, OCCURRENCE
from incidents.crowd_parts import LENGTH, SECONDS, Turn
from incidents.model import Lane, Severity
from incidents.redaction import redact
from incidents.tables import instant
from incidents.views.crowds import BINS, MARKS
from incidents.views.kept import Kept
from incidents.views.view import Line, Trace

_AT_ONCE = 5000
"""Alerts that are summed together: of a run of a million no list is made."""
_FEW_PARTS = 100
"""Most stretches of changed parts that are read one by one; more are read with all the others."""
_Where = tuple[sa.ColumnElement[bool], ...]
_Row = tuple[str, str, Lane, int, str, int, int | None, int]
"""Id, name, lane, severity, source, start, end, recorded: what lines are counted from, in microseconds."""


@dataclass(frozen=True, slots=True)
class _Run:
    """What alerts that stand together come to; instants in microseconds."""

    n: int
    names: frozenset[str]
    since: int
    until: int
    recorded_at: int
    severity: int
    lane: Lane
    source: str
    first: str
    ended: int

    def with_(self, other: _Run) -> _Run:
        """Both as one."""
        return _Run(
            n=self.n + other.n,
            names=self.names | other.names,
            since=min(self.since, other.since),
            until=max(self.until, other.until),
            recorded_at=min(self.recorded_at, other.recorded_at),
            severity=max(self.severity, other.severity),
            lane=min(self.lane, other.lane),
            source=min(self.source, other.source),
            first=min(self.first, other.first),
            ended=self.ended + other.ended,
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """The alerts of one part: how many runs of one name they make, and either those or what each lane comes to."""

    runs: int
    first_name: str
    last_name: str
    sums: tuple[_Run, ...]

    @property
    def n(self) -> int:
        """How many alerts it has."""
        return sum(one.n for one in self.sums)


@dataclass(frozen=True, slots=True)
class _Summed:
    """A crowd by its parts, as it stood at a turn; `by_lane` where it has more runs than lines."""

    turn: Turn | None
    parts: Mapping[int, _Part]
    by_lane: bool

    @property
    def n(self) -> int:
        """How many alerts it has."""
        return sum(part.n for part in self.parts.values())

    @property
    def ended(self) -> int:
        """How many of them have ended."""
        return sum(one.ended for part in self.parts.values() for one in part.sums)


_SUMMED: Kept[_Summed] = Kept(8)
"""By incident and by the origin of its turns."""


def runs(connection: sa.Connection, incident: str, as_of: datetime | None) -> list[Line]:
    """The counted lines of an incident, from each of its alerts, as known at a moment or now."""
    return _lines_of(_all(connection, incident, as_of, None), ended=as_of is None)


def runs_now(connection: sa.Connection, incident: str, alerts: int) -> list[Line]:
    """The same of now, from what was summed when it was last asked for. It has so many `alerts`."""
    turn = crowd_parts.newest(connection, incident)
    if turn is None:
        return runs(connection, incident, None)
    kept = _SUMMED.find((incident, turn.origin))
    summed = _brought(connection, incident, kept, turn) if kept else None
    if summed is None or (summed.n, summed.ended) != (alerts, _ended(connection, incident)):
        summed = _all(connection, incident, None, turn)
    _SUMMED.keep((incident, turn.origin), summed)
    return _lines_of(summed, ended=True)


def _ended(connection: sa.Connection, incident: str) -> int:
    """How many alerts have ended by the counts, which a process of an earlier version keeps as well."""
    query = sa.select(sa.func.coalesce(sa.func.sum(COUNT.c.ended), 0)).where(COUNT.c.incident_id == incident)
    return int(connection.execute(query).scalar_one())


def _brought(connection: sa.Connection, incident: str, kept: _Summed, turn: Turn) -> _Summed | None:
    """What was summed at an earlier turn, brought to this one; None where all has to be summed."""
    # A reader of a copy that lags behind may meet what was summed of a later turn.
    if kept.turn is None or turn.number < kept.turn.number:
        return None
    changed = crowd_parts.changed_after(connection, incident, kept.turn.number)
    stretches = list(_stretches_of(changed))
    if len(stretches) > _FEW_PARTS:
        return None
    parts = {part: one for part, one in kept.parts.items() if part not in changed}
    for since, until in stretches:
        where = counting.begun(incident, instant(since), instant(until - 1))
        parts |= _summed(_in_order(connection, (where,)), by_lane=kept.by_lane)
    return _Summed(turn, parts, kept.by_lane) if _is_crowded(parts) == kept.by_lane else None


def _all(connection: sa.Connection, incident: str, as_of: datetime | None, turn: Turn | None) -> _Summed:
    """All alerts of an incident, summed by parts."""
    where = (_whole_window(connection, incident) if as_of is None else None) or _members(connection, incident, as_of)
    parts = _summed(_in_order(connection, where), by_lane=False, most=MARKS)
    by_lane = _is_crowded(parts)
    if by_lane:
        parts = _summed(_in_order(connection, where), by_lane=True)
    return _Summed(turn, parts, by_lane)


def _is_crowded(parts: Mapping[int, _Part]) -> bool:
    """Whether there are more runs than lines."""
    ordered = [parts[part] for part in sorted(parts)]
    joined = sum(one.last_name == following.first_name for one, following in pairwise(ordered))
    return sum(one.runs for one in ordered) - joined > MARKS


def _stretches_of(parts: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Parts that follow each other as one stretch, from and until, in microseconds."""
    since: int | None = None
    until: int | None = None
    for part in sorted(parts):
        if part == crowd_parts.WHOLE:
            continue
        if since is None or until is None or part != until:
            if since is not None and until is not None:
                yield since, until
            since = part
        until = part + LENGTH
    if since is not None and until is not None:
        yield since, until


# --- summing ----------------------------------------------------------------------------------------------------------


def _summed(rows: Iterator[list[_Row]], *, by_lane: bool, most: int | None = None) -> dict[int, _Part]:
    """Parts by their beginnings, of rows in the order in which they began; with `most`, hardly more runs than that."""
    parts: dict[int, _Part] = {}
    found = 0
    for some in rows:
        for begun, alike in groupby(some, key=lambda row: row[5] - row[5] % LENGTH):
            more = _part(list(alike), by_lane=by_lane)
            found += more.runs - 1  # the first of its runs may go on from before
            parts[begun] = _joined(parts[begun], more, by_lane=by_lane) if begun in parts else more
        if most is not None and found > most:
            break
    return parts


def _part(rows: Sequence[_Row], *, by_lane: bool) -> _Part:
    alike = [list(rows) for _, rows in groupby(rows, key=itemgetter(1))]
    sums = _by_lane(rows) if by_lane else map(_sum, alike)
    return _Part(len(alike), rows[0][1], rows[-1][1], tuple(sums))


def _by_lane(rows: Sequence[_Row]) -> Iterator[_Run]:
    found: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        found[row[2]].append(row)
    return map(_sum, found.values())


def _joined(one: _Part, more: _Part, *, by_lane: bool) -> _Part:
    """What a part comes to with alerts that follow."""
    meets = one.last_name == more.first_name
    sums = _lanes((*one.sums, *more.sums)) if by_lane else _runs([one, more])
    return _Part(one.runs + more.runs - meets, one.first_name, more.last_name, tuple(sums))


def _lanes(sums: Iterable[_Run]) -> list[_Run]:
    found: dict[str, _Run] = {}
    for one in sums:
        found[one.lane] = found[one.lane].with_(one) if one.lane in found else one
    return list(found.values())


def _runs(parts: Iterable[_Part]) -> list[_Run]:
    """The runs of parts that follow each other; one that goes on in the next is one."""
    found: list[_Run] = []
    for part in parts:
        first, *others = part.sums
        if found and found[-1].names == first.names:
            found[-1] = found[-1].with_(first)
        else:
            found.append(first)
        found += others
    return found


def _sum(rows: Sequence[_Row]) -> _Run:
    ids, names, lanes, severities, sources, starts, ends, recorded = zip(*rows, strict=True)
    return _Run(
        n=len(rows), names=frozenset(names), since=min(starts), until=max(starts), recorded_at=min(recorded),
        severity=max(severities), lane=min(lanes), source=min(sources), first=min(ids),
        ended=len(rows) - ends.count(None),
    )  # fmt: skip


# --- reading ----------------------------------------------------------------------------------------------------------


def _members(connection: sa.Connection, incident: str, as_of: datetime | None) -> _Where:
    mine = OCCURRENCE.c.id.in_(counting.members_at(connection, incident, as_of))
    return (mine,) if as_of is None else (mine, OCCURRENCE.c.recorded_at <= as_of)


def _in_order(connection: sa.Connection, where: _Where) -> Iterator[list[_Row]]:
    """The alerts of which this is so in the order in which they began, some at a time."""
    number = sa.BigInteger()
    columns = (
        OCCURRENCE.c.id, OCCURRENCE.c.name, OCCURRENCE.c.lane, OCCURRENCE.c.severity, OCCURRENCE.c.source,
        sa.type_coerce(OCCURRENCE.c.starts_at, number), sa.type_coerce(OCCURRENCE.c.ends_at, number),
        sa.type_coerce(OCCURRENCE.c.recorded_at, number),
    )  # fmt: skip
    query = sa.select(*columns).where(*where).order_by(OCCURRENCE.c.starts_at, OCCURRENCE.c.id)
    with connection.execute(query.execution_options(stream_results=True, yield_per=_AT_ONCE)) as rows:
        for part in rows.partitions():
            yield list(map(tuple, part))


def _whole_window(connection: sa.Connection, incident: str) -> _Where | None:
    """That an alert began while those of an incident did, where that is true of no other alert.

    Then the index by start gives them in their order, and none is looked up by itself.
    """
    first, last, alerts = connection.execute(
        sa.select(sa.func.min(COUNT.c.minute), sa.func.max(COUNT.c.minute), sa.func.sum(COUNT.c.alerts)).where(
            COUNT.c.incident_id == incident, COUNT.c.alerts != 0
        )
    ).one()
    if not alerts or remains.has_sums(connection, incident):
        return None
    start = sa.type_coerce(OCCURRENCE.c.starts_at, sa.BigInteger)
    within = (OCCURRENCE.c.kind.in_(counting.KINDS), start >= first, start < last + counting.MINUTE * 1_000_000)
    some = sa.select(sa.literal(1)).select_from(OCCURRENCE).where(*within).limit(int(alerts) + 1).subquery()
    there = connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
    # The members, of whatever kind they are by now, lie within it: where it holds as many, it holds no other.
    return within if there == alerts else None


# --- telling ----------------------------------------------------------------------------------------------------------


def _lines_of(summed: _Summed, *, ended: bool) -> list[Line]:
    ordered = [summed.parts[part] for part in sorted(summed.parts)]
    counted = _in_stretches(summed.parts) if summed.by_lane else _runs(ordered)
    called = {name: redact(name) for name in {min(one.names) for one in counted}}
    return [
        _line(one, called[min(one.names)], ended=ended)
        for one in sorted(counted, key=lambda one: (one.since, one.first))
    ]


def _in_stretches(parts: Mapping[int, _Part]) -> list[_Run]:
    """What began in each stretch of time, by lane: each is so many whole parts that there are not too many lines."""
    seconds = (max(parts) - min(parts)) // 1_000_000 // BINS // 10
    width = max(60, -(-seconds // SECONDS) * SECONDS) * 1_000_000
    found: list[_Run] = []
    for _, some in groupby(sorted(parts), key=lambda part: part - part % width):
        found += _lanes(one for part in some for one in parts[part].sums)
    return found


@lru_cache(16_384)
def _line(run: _Run, name: str, *, ended: bool) -> Line:
    """A run as a line, under its first name as it may be told; of most runs it is that of the time before."""
    many = f"{run.n:,} × {name}" if run.n > 1 else name
    if len(run.names) > 1:
        many = f"{run.n:,} alerts of {len(run.names):,} names, {name} among them"
    over = f", {run.ended:,} ended" if run.ended and ended else ""
    return Line(
        id=f"r{run.first}",
        happened_at=instant(run.since),
        happened_until=instant(run.until) if run.until > run.since else None,
        recorded_at=instant(run.recorded_at),
        lane=run.lane,
        kind="alert",
        text=f"{many}{over}",
        actor=f"source:{run.source}",
        severity=Severity.of_rank(run.severity),
        trace=Trace(),
        count=run.n,
    )
