"""The delivery log: bytes as they came, the queue of those not read yet, and how each was read."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from incidents import stamp_counts
from incidents.bulk import among, chunks, insert_many, insert_tuples
from incidents.proofs import repeats
from incidents.proofs.signatures import Proof
from incidents.receipts import receipt_of
from incidents.spoken import TEST_HEADER
from incidents.tables import DeliveryRow, StampRow, UnreadRow, micros
from incidents.tables.bodies import pack

log = logging.getLogger(__name__)

DELIVERY = DeliveryRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
UNREAD = UnreadRow.__table__  # type: ignore[attr-defined]
STAMP = StampRow.__table__  # type: ignore[attr-defined]

REPEATS = "it repeats the delivery "
"""How the reason begins for which a signed repeat is refused: it is counted as a repeat, and is no quarantine."""
BODY_BOUND = 10 * 1024 * 1024
"""Most bytes of one body, on the wire and inflated."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery on its way into the log. `encoding` is "" or "gzip"; `refused` says why the body was not kept.

    `headers` may be the JSON text of them, for those who have made it already.
    """

    id: int
    source: str
    received_at: datetime
    headers: Mapping[str, str] | str
    body: bytes
    encoding: str = ""
    refused: str | None = None
    size: int | None = None
    proof: Proof | None = None
    sha256: str | None = None
    """Of the body that came, where it is not the one that is kept."""

    @property
    def receipt(self) -> str:
        """What the sender is told."""
        return receipt_of(self.id)


_APPEND = "INSERT INTO delivery (id, source, received_at, headers, encoding, content, size, sha256, refused)"


def append(connection: sa.Connection, arrivals: Sequence[Arrival]) -> Mapping[int, int]:
    """Append deliveries and queue them for reading. The caller commits, and only then is a 2xx true.

    Signed ones that were seen before are not appended: the answer gives the id of the one that stands for each.
    """
    firsts: Mapping[int, int] = {}
    if signed := [(a.id, a.source, a.received_at, a.proof) for a in arrivals if a.proof]:
        firsts = repeats.firsts(connection, signed)
        arrivals = [a for a in arrivals if a.id not in firsts]
    rows = [
        (
            a.id,
            a.source,
            micros(a.received_at),
            a.headers if isinstance(a.headers, str) else orjson.dumps(dict(a.headers)).decode(),
            a.encoding,
            pack(a.body),
            len(a.body) if a.size is None else a.size,
            a.sha256 or hashlib.sha256(a.body).hexdigest(),
            a.refused,
        )
        for a in arrivals
    ]
    if not rows:
        return firsts
    if connection.dialect.name == "sqlite":
        insert_tuples(connection, f"{_APPEND} VALUES", "(?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        queue = "INSERT INTO unread (delivery_id, again) SELECT value, 0 FROM json_each(?)"
        connection.exec_driver_sql(queue, (orjson.dumps([row[0] for row in rows]).decode(),))
    else:
        connection.exec_driver_sql(_APPEND_AND_QUEUE, tuple(list(column) for column in zip(*rows, strict=True)))
    return firsts


def append_acknowledged(connection: sa.Connection, arrivals: Sequence[Arrival], other_id: Callable[[], int]) -> None:
    """Append deliveries that were acknowledged before this, perhaps by a transaction whose end nobody heard of.

    What stands already stands once, and is counted once. A signed one that turns out to repeat another is kept as
    refused, without its body but with its digest, so that its receipt leads somewhere and it is known when it is moved
    a second time. Where another delivery has the same id, it gets another.
    """
    wanted = {(a.id, a.source, hashlib.sha256(a.body).hexdigest()): a for a in arrivals}
    there: dict[int, tuple[str, str]] = {}
    names = sorted({a.id for a in arrivals})
    for part in chunks(names):
        query = sa.select(DELIVERY.c.id, DELIVERY.c.source, DELIVERY.c.sha256).where(DELIVERY.c.id.in_(part))
        there |= {row.id: (row.source, row.sha256) for row in connection.execute(query)}
    fresh = []
    for (number, source, digest), arrival in wanted.items():
        if there.get(number, (source, digest)) != (source, digest):
            moved = replace(arrival, id=other_id())
            log.warning("the delivery acknowledged as %s stands as %s", arrival.receipt, moved.receipt)
            fresh.append(moved)
        elif number not in there:
            there[number] = (source, digest)
            fresh.append(arrival)
    firsts = append(connection, fresh)
    repeated = [
        replace(
            a,
            proof=None,
            body=b"",
            size=len(a.body),
            sha256=hashlib.sha256(a.body).hexdigest(),
            refused=f"{REPEATS}{receipt_of(firsts[a.id])}",
        )
        for a in fresh
        if a.id in firsts
    ]
    append(connection, repeated)


_KINDS = ("bigint", "text", "bigint", "text", "text", "bytea", "int", "text", "text")
_APPEND_AND_QUEUE = f"""
WITH appended AS ({_APPEND} SELECT {", ".join(f"unnest(%b::{kind}[])" for kind in _KINDS)} RETURNING id)
INSERT INTO unread (delivery_id, again) SELECT id, false FROM appended"""  # noqa: S608  # names are ours
"""One round trip for both tables, and bodies as they are: text parameters would carry them in hexadecimal.

Unnested one by one the columns go through row by row; `FROM unnest(…, …)` would first put all bodies together on disk.
"""


def claim(connection: sa.Connection, *, most: int, most_bytes: int) -> list[Any]:
    """Take the oldest unread deliveries out of the queue, new ones first, as rows with their last adapter's version.

    What is taken comes back to the queue when the transaction fails. At least one is taken, whatever its size.
    """
    turn = sa.select(UNREAD.c.delivery_id).order_by(UNREAD.c.again, UNREAD.c.delivery_id)
    waiting = connection.execute(turn.limit(most).with_for_update(skip_locked=True)).scalars().all()
    if not waiting:
        return []
    asked = sa.select(DELIVERY.c.id, DELIVERY.c.size).where(among(connection, DELIVERY.c.id, waiting))
    sizes: dict[int, int] = dict(connection.execute(asked).all())
    taken: list[int] = []
    total = 0
    for name in waiting:
        total += sizes.get(name, 0)
        if taken and total > most_bytes:
            break
        taken.append(name)
    return _take(connection, taken)


def claim_one(connection: sa.Connection, name: int) -> list[Any]:
    """Take this delivery out of the queue if it waits there and nobody else has it, as `claim` does."""
    query = sa.select(UNREAD.c.delivery_id).where(UNREAD.c.delivery_id == name).with_for_update(skip_locked=True)
    return _take(connection, list(connection.execute(query).scalars()))


def _take(connection: sa.Connection, names: list[int]) -> list[Any]:
    if not names:
        return []
    connection.execute(sa.delete(UNREAD).where(among(connection, UNREAD.c.delivery_id, names)))
    query = (
        sa.select(DELIVERY, STAMP.c.adapter_version.label("read_by"), STAMP.c.adapter.label("read_as"))
        .outerjoin(STAMP, STAMP.c.delivery_id == DELIVERY.c.id)
        .where(among(connection, DELIVERY.c.id, names))
    )
    return sorted(connection.execute(query), key=lambda row: (row.read_by is not None, row.id))


def put_back(connection: sa.Connection, rows: Iterable[Any]) -> None:
    """Give claimed deliveries back to the queue, for a later transaction."""
    insert_many(connection, UNREAD, [{"delivery_id": row.id, "again": row.read_by is not None} for row in rows])


def queue_again(connection: sa.Connection, where: sa.ColumnElement[bool]) -> int:
    """Queue stamped deliveries for another reading; how many."""
    chosen = sa.select(STAMP.c.delivery_id, sa.true()).where(
        where, ~sa.exists().where(UNREAD.c.delivery_id == STAMP.c.delivery_id)
    )
    statement = sa.insert(UNREAD).from_select(["delivery_id", "again"], chosen)
    # SQLAlchemy forgets the count of an INSERT unless it is told to keep it.
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def is_setup_test() -> sa.ColumnElement[bool]:
    """That a delivery was declared a test by whoever sent it: it says nothing of whether the sender speaks."""
    declared: sa.ColumnElement[bool] = sa.cast(DELIVERY.c.headers, sa.Text).contains(f'"{TEST_HEADER}"')
    return declared


def queue_older(connection: sa.Connection, versions: Mapping[str, int]) -> int:
    """Queue what an older version of its adapter has read: what a raised `VERSION` asks for. A newer one is left.

    What no adapter could be found for, when it came, is tried again as well.
    """
    older = [(STAMP.c.adapter == name) & (STAMP.c.adapter_version < version) for name, version in versions.items()]
    unread = (STAMP.c.adapter == "") & (STAMP.c.reason != "")
    return queue_again(connection, sa.or_(unread, *older))


def is_whole(row: Any) -> bool:  # noqa: ANN401  # a row of DeliveryRow's columns
    """Whether its body is the one that came; a bundle may bring it redacted, or not at all."""
    return bool(row.refused) or hashlib.sha256(row.body).hexdigest() == row.sha256


def inflate(body: bytes, encoding: str, bound: int = BODY_BOUND) -> bytes:
    """The body without its content encoding. Raises ValueError with a plain reason for a broken or bloated one."""
    if encoding == "":
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ValueError(f"content encoding {encoding[:40]!r} is not known here; gzip is")
    inflater = zlib.decompressobj(wbits=47)  # 47: gzip or zlib, told by the header
    try:
        plain = inflater.decompress(body, bound + 1)
    except zlib.error as error:
        raise ValueError(f"not {encoding}: {error}") from None
    if len(plain) > bound or inflater.unconsumed_tail:
        raise ValueError(f"inflates to more than {bound} bytes")
    if not inflater.eof:
        raise ValueError(f"the {encoding} stream is cut off")
    if inflater.unused_data:
        raise ValueError(f"{len(inflater.unused_data)} bytes follow the {encoding} stream")
    return plain


def inflate_some(body: bytes, encoding: str, bound: int) -> bytes:
    """As much of a body as can be inflated, at most `bound` bytes: for showing; what is none of it comes as it is."""
    if encoding == "":
        return body[:bound]
    try:
        return zlib.decompressobj(wbits=47).decompress(body, bound)
    except zlib.error:
        return body[:bound]


def stamp(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record how deliveries were read, over what an earlier reading said."""
    if not rows:
        return
    names = [row["delivery_id"] for row in rows]
    again = [row for row in rows if row["again"]]
    if again:
        former = STAMP.c.delivery_id.in_([row["delivery_id"] for row in again])
        stamp_counts.add(connection, stamp_counts.stored(connection, former), -1)
        connection.execute(sa.delete(STAMP).where(former))
    insert_many(connection, STAMP, [{k: v for k, v in row.items() if k != "again"} for row in rows])
    stamp_counts.add(connection, stamp_counts.counted(rows))
    assert len(set(names)) == len(names)
