"""Polls: what feeds are to be asked, whose turn it is, and the log of what came of it.

A turn is claimed by a conditional update: of several processes on one database one wins it, and each host too. A
process that ends in the middle of a turn loses it after `LEASE`.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson
import sqlalchemy as sa

from incidents.adapters import Adapter
from incidents.bulk import insert
from incidents.config import Config
from incidents.feeds import circuit
from incidents.model import Request
from incidents.store import Store
from incidents.tables import AskedRow, LinkedRow, PollHostRow, PollRow

log = logging.getLogger(__name__)

POLL = PollRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
POLL_HOST = PollHostRow.__table__  # type: ignore[attr-defined]
LINKED = LinkedRow.__table__  # type: ignore[attr-defined]
ASKED = AskedRow.__table__  # type: ignore[attr-defined]

LEASE = timedelta(seconds=20)
"""How long a claimed turn is nobody else's; well over the longest fetch."""
SPACING = timedelta(seconds=1)
"""Between the end of one request and the beginning of the next, for each host."""
LONGEST_HELD = timedelta(hours=1)
"""A host that asks for a pause is left alone by all who ask it, up to this."""
CLOCKS_APART = timedelta(minutes=1)
"""By how much the clocks of two processes may differ. What lies further ahead was written by a clock that was wrong."""
FIRST_WITHIN = timedelta(seconds=5)
"""A new request is asked for the first time within this, or within its interval where that is shorter."""
WHOLE_AFTER = timedelta(hours=6)
"""A server that says "unchanged" for longer is asked for the whole once more: it may say so for ever."""
DEFAULT_EVERY = timedelta(minutes=5)
PATIENCE = 2.5
"""How many of its intervals a source may be silent before that counts as a gap; a run of askings ends with it too."""
MOST_DUE = 500
MOST_REQUESTS = 500
"""Most documents that one source is asked for."""
NOT_ASKED = frozenset({"story", "import"})
"""Owners of sources that are not polled: their deliveries are played, or brought by hand."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One request of a source, to be asked again and again."""

    source: str
    request: Request
    every: timedelta

    @property
    def id(self) -> str:
        """What the request is known by."""
        return request_id(self.request)


@dataclass(frozen=True, slots=True)
class Turn:
    """A claimed turn: what to ask, and what the last answer was, to tell whether it has changed."""

    asking: Asking
    number: int
    etag: str | None = None
    last_modified: str | None = None
    body_sha256: str | None = None
    delivery_id: int | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a turn. `sha256` and `delivery_id` are those of a body that was put in; `whole`: it was no 304."""

    outcome: Literal["answered", "unchanged", "failed"]
    reason: str | None = None
    status: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    sha256: str | None = None
    delivery_id: int | None = None
    whole: bool = False
    links: tuple[str, ...] | None = None
    """The documents that the answer only points to; None where they are the same as before, or cannot be told."""
    asked_to_wait: timedelta | None = None


def request_id(request: Request) -> str:
    """The digest of what is asked, as `poll` and `asked` hold it."""
    what = orjson.dumps([request.url, dict(request.headers), request.site], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(what).hexdigest()[:32]


def host_of(url: str) -> str:
    """Host and port of an address, without what may stand before them."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def every_of(adapter: Adapter, every_seconds: int | None) -> timedelta:
    """How often a feed is asked: as configured, else as its adapter says."""
    given = timedelta(seconds=every_seconds) if every_seconds else adapter.every or DEFAULT_EVERY
    return max(given, timedelta(seconds=1))


def askings(
    config: Config, adapters: Mapping[str, Adapter], skipped: Collection[str] = ()
) -> dict[tuple[str, str], Asking]:
    """What the sources of a configuration ask for, by source and request."""
    found = {}
    for source in config.sources:
        adapter = adapters.get(source.adapter)
        if adapter is None or adapter.requests is None or source.name in skipped:
            continue
        try:
            requests = list(adapter.requests(source, config.sites))
        except Exception:  # an adapter's fault silences its own source, never the others
            log.exception("adapter %s cannot say what to ask for %s", adapter.name, source.name)
            continue
        if len(requests) > MOST_REQUESTS:
            log.warning("%s asks for %d documents; the first %d are asked", source.name, len(requests), MOST_REQUESTS)
        for request in requests[:MOST_REQUESTS]:
            asking = Asking(source.name, request, every_of(adapter, source.every_seconds))
            found[source.name, asking.id] = asking
    return found


def sync(connection: sa.Connection, wanted: Mapping[tuple[str, str], Asking], now: datetime, jitter: float) -> None:
    """Make the table of turns hold what is wanted, and nothing else; what was asked stays in the log."""
    known = {(row.source, row.request): row for row in connection.execute(sa.select(POLL))}
    for key, row in known.items():
        if key not in wanted:
            connection.execute(sa.delete(POLL).where(_is(row.source, row.request)))
            connection.execute(sa.delete(LINKED).where(LINKED.c.source == row.source, LINKED.c.request == row.request))
        elif row.every_seconds != int(wanted[key].every.total_seconds()):
            every = wanted[key].every
            soon = min(row.next_at, now + every)
            connection.execute(
                sa.update(POLL)
                .where(_is(row.source, row.request))
                .values(every_seconds=int(every.total_seconds()), next_at=soon)
            )
    for n, (key, asking) in enumerate(wanted.items()):
        if key not in known:
            first = min(asking.every, FIRST_WITHIN) * ((jitter + n * 0.618) % 1)
            connection.execute(insert(connection, POLL).values(_row(asking, now + first)).on_conflict_do_nothing())


def _row(asking: Asking, next_at: datetime) -> dict[str, Any]:
    return {
        "source": asking.source,
        "request": asking.id,
        "url": asking.request.url,
        "site": asking.request.site,
        "host": host_of(asking.request.url),
        "every_seconds": int(asking.every.total_seconds()),
        "turn": 0,
        "next_at": next_at,
        "failures": 0,
    }


def _is(source: str, request: str) -> sa.ColumnElement[bool]:
    return sa.and_(POLL.c.source == source, POLL.c.request == request)


def is_due(connection: sa.Connection, wanted: Mapping[tuple[str, str], Asking], now: datetime) -> bool:
    """Whether it is anybody's turn, of those whose host is free."""
    return connection.execute(_askable(sa.select(POLL.c.source), wanted, now).limit(1)).first() is not None


def _due(wanted: Mapping[tuple[str, str], Asking], now: datetime) -> sa.ColumnElement[bool]:
    """The turns that have come, and those further away than any can be: a clock that was ahead has set them."""
    unasked = sa.or_(POLL.c.failures == 0, POLL.c.asked_at.is_(None), POLL.c.asked_at > now + CLOCKS_APART)
    ahead = [
        sa.and_(
            POLL.c.every_seconds == int(every.total_seconds()),
            sa.or_(
                POLL.c.next_at > now + CLOCKS_APART + circuit.latest_asked(every),
                # After a failure it may be the pause that the server asked for.
                sa.and_(POLL.c.next_at > now + CLOCKS_APART + circuit.latest(every), unasked),
            ),
        )
        for every in sorted({asking.every for asking in wanted.values()})
    ]
    return sa.or_(POLL.c.next_at <= now, *ahead)


def _free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(POLL_HOST.c.free_at <= now, POLL_HOST.c.free_at > now + LONGEST_HELD + CLOCKS_APART)


def _askable(query: sa.Select[Any], wanted: Mapping[tuple[str, str], Asking], now: datetime) -> sa.Select[Any]:
    """The turns that are due, of hosts that may be asked."""
    with_host = POLL.outerjoin(POLL_HOST, POLL_HOST.c.host == POLL.c.host)
    return query.select_from(with_host).where(_due(wanted, now), sa.or_(POLL_HOST.c.host.is_(None), _free(now)))


def claim(
    store: Store, connection: sa.Connection, wanted: Mapping[tuple[str, str], Asking], now: datetime, most: int
) -> list[Turn]:
    """Claim at most `most` turns that are due, at most one for each host, the longest due first."""
    store.lock(connection, ["polls"])
    # First those that a wrong clock has set: no turn of theirs would ever be the oldest.
    order = (POLL.c.next_at <= now, POLL.c.next_at)
    place = sa.func.row_number().over(partition_by=POLL.c.host, order_by=order).label("place")
    due = _askable(sa.select(POLL, place), wanted, now).subquery()
    firsts = sa.select(due).where(due.c.place == 1).order_by(due.c.next_at <= now, due.c.next_at).limit(MOST_DUE)
    turns: list[Turn] = []
    for row in connection.execute(firsts).all():
        asking = wanted.get((row.source, row.request))
        if asking is None or len(turns) >= most or not claim_host(connection, row.host, now):
            continue
        won = connection.execute(
            sa.update(POLL)
            .where(_is(row.source, row.request), POLL.c.turn == row.turn, _due(wanted, now))
            .values(turn=row.turn + 1, next_at=now + LEASE)
        ).rowcount
        if won:
            stale = row.whole_at is None or now - row.whole_at > WHOLE_AFTER
            turns.append(
                Turn(
                    asking,
                    row.turn + 1,
                    None if stale else row.etag,
                    None if stale else row.last_modified,
                    row.body_sha256,
                    row.delivery_id,
                    row.failures,
                )
            )
    return turns


def claim_host(connection: sa.Connection, host: str, now: datetime) -> bool:
    """Whether this host may be asked now, by us and by nobody else until it is freed or the lease ends."""
    connection.execute(insert(connection, POLL_HOST).values(host=host, free_at=now).on_conflict_do_nothing())
    taken = sa.update(POLL_HOST).where(POLL_HOST.c.host == host, _free(now))
    return bool(connection.execute(taken.values(free_at=now + LEASE)).rowcount)


def free_host(connection: sa.Connection, host: str, at: datetime) -> None:
    """Let the host be asked again from then on."""
    connection.execute(sa.update(POLL_HOST).where(POLL_HOST.c.host == host).values(free_at=at))


def finish(  # noqa: PLR0917  # a turn, what came of it, and when
    store: Store, connection: sa.Connection, turn: Turn, came: Came, now: datetime, left: int = 0, *, jitter: float
) -> bool:
    """Write what came of a turn, and when the next one is; False where the turn is somebody else's by now.

    The next one comes sooner where documents of an index are `left` to be read.
    """
    store.lock(connection, ["polls"])
    asking, failed = turn.asking, came.outcome == "failed"
    failures = turn.failures + 1 if failed else 0
    if failed:
        next_at, open_until = circuit.after_failure(asking.every, failures, now, jitter, came.asked_to_wait)
        fields: dict[str, Any] = {"failures": failures, "open_until": open_until, "error": came.reason}
    else:
        next_at = circuit.after_answer(asking.every if not left else circuit.while_left(asking.every), now, jitter)
        fields = {"failures": 0, "open_until": None, "error": None, "answered_at": now}
        fields |= {"etag": came.etag, "last_modified": came.last_modified} if came.whole else {}
        fields |= {"whole_at": now} if came.whole else {}
    if came.outcome == "answered":
        fields |= {"body_sha256": came.sha256, "delivery_id": came.delivery_id, "changed_at": now}
    mine = sa.update(POLL).where(_is(asking.source, asking.id), POLL.c.turn == turn.number)
    done = connection.execute(mine.values(**fields, next_at=next_at, asked_at=now, status=came.status)).rowcount
    if done:
        # A host that asks for a pause asks it for all that we want of it.
        pause = max(SPACING, min(came.asked_to_wait or SPACING, LONGEST_HELD))
        free_host(connection, host_of(asking.request.url), now + pause)
        delivery = came.delivery_id if came.outcome == "answered" else None if failed else turn.delivery_id
        note(connection, asking, came, delivery, now)
    return bool(done)


def note(connection: sa.Connection, asking: Asking, came: Came, delivery: int | None, now: datetime) -> None:
    """Append an asking to the log: to the run that it belongs to, else as a new one."""
    query = sa.select(ASKED).where(
        ASKED.c.source == asking.source, ASKED.c.request == asking.id, ASKED.c.since.is_(None)
    )
    last = connection.execute(query.order_by(ASKED.c.id.desc()).limit(1)).first()
    every_seconds = int(asking.every.total_seconds())
    # While a circuit is open the pauses are ours, so the run goes on.
    patience = max(asking.every, circuit.LONGEST_PAUSE) if came.outcome == "failed" else asking.every
    if (
        last is not None
        and (last.outcome, last.reason, last.delivery_id, last.every_seconds)
        == (came.outcome, came.reason, delivery, every_seconds)
        and now - last.last_at <= patience * PATIENCE
    ):
        connection.execute(sa.update(ASKED).where(ASKED.c.id == last.id).values(last_at=now, count=ASKED.c.count + 1))
        return
    connection.execute(
        sa.insert(ASKED).values(
            source=asking.source,
            request=asking.id,
            site=asking.request.site,
            outcome=came.outcome,
            first_at=now,
            last_at=now,
            count=1,
            every_seconds=every_seconds,
            delivery_id=delivery,
            reason=came.reason,
        )
    )


# --- the past -------------------------------------------------------------------------------------------------------

WHOLE = ""
"""The request of the row that says that all requests of a window have answered."""


def was_asked(connection: sa.Connection, source: str, request: str) -> bool:
    """Whether a request about the past has been answered, at a moment when its window was over."""
    query = sa.select(ASKED.c.id).where(
        ASKED.c.source == source,
        ASKED.c.request == request,
        ASKED.c.outcome == "answered",
        ASKED.c.until <= ASKED.c.first_at,
    )
    return connection.execute(query.limit(1)).first() is not None


def note_window(
    connection: sa.Connection,
    source: str,
    request: str,
    window: tuple[datetime, datetime],
    now: datetime,
    *,
    site: str | None,
    delivery_id: int | None = None,
    reason: str | None = None,
) -> None:
    """Append to the log that a source was asked about a window of the past; a reason says that it did not answer."""
    connection.execute(
        sa.insert(ASKED).values(
            source=source,
            request=request,
            site=site,
            outcome="failed" if reason else "answered",
            first_at=now,
            last_at=now,
            count=1,
            every_seconds=0,
            delivery_id=delivery_id,
            reason=reason,
            since=window[0],
            until=window[1],
        )
    )
