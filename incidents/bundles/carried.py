"""Gathers the deliveries that an incident's evidence rests on, their bodies redacted or as they came."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from incidents import deliveries, instants
from incidents.bulk import chunks
from incidents.bundles.archive import MOST_BYTES
from incidents.bundles.evidence import Evidence
from incidents.bundles.evidence_shapes import STAMP as STAMP_FIELDS
from incidents.bundles.lines import MOST_LINES, Room, Row, digest
from incidents.deliveries import DELIVERY, STAMP
from incidents.receipts import receipt_of
from incidents.refusals import ConflictError

REPEATS_BYTES = 64 * 1024 * 1024
"""Up to how many bytes of bodies those of mere repeats are carried too; above, they are told by their digests."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """How deliveries are cleared of secrets; what was cleared once is not changed again."""

    headers: Callable[[Mapping[str, str]], dict[str, str]]
    body: Callable[[bytes], bytes]
    """Of an inflated body; the same bytes where there is nothing to clear."""


def gather_deliveries(
    connection: sa.Connection,
    found: Evidence,
    room: Room,
    redaction: Redaction | None,
    came: tuple[set[int], set[int]],
) -> None:
    """Put the deliveries and their bodies into the room; `came` are those that said something first, and repeats."""
    first, repeats = came
    numbers = sorted(first | repeats)
    carried = first | repeats if _bytes_of(connection, numbers) <= REPEATS_BYTES else first
    if len(numbers) > MOST_LINES:
        raise ConflictError(f"{len(numbers)} deliveries speak of this incident; a bundle holds {MOST_LINES}")
    found.deliveries, found.bodies = told_of, bodies = room.lines(), room.bodies()
    total = 0
    for part in chunks(numbers, 100):
        query = sa.select(DELIVERY, *(STAMP.c[name].label(f"stamp_{name}") for name in STAMP_FIELDS)).outerjoin(
            STAMP, STAMP.c.delivery_id == DELIVERY.c.id
        )
        for row in connection.execute(query.where(DELIVERY.c.id.in_(part)).order_by(DELIVERY.c.id)):
            told, body = delivery_row(row, redaction, carried=row.id in carried)
            if body is not None and told["body"] not in bodies:
                bodies.add(told["body"], body)
                total += len(body)
            told_of.append(told)
        if total > MOST_BYTES:
            raise ConflictError(f"the bodies behind this incident are larger than the {MOST_BYTES} bytes of a bundle")


def _bytes_of(connection: sa.Connection, numbers: list[int]) -> int:
    """How many bytes came, by what was counted when they did: the same wherever the record is kept."""
    total = 0
    for part in chunks(numbers):
        query = sa.select(sa.func.coalesce(sa.func.sum(DELIVERY.c.size), 0))
        total += int(
            connection.execute(query.where(DELIVERY.c.id.in_(part), DELIVERY.c.refused.is_(None))).scalar_one()
        )
    return total


def delivery_row(row: Any, redaction: Redaction | None, *, carried: bool) -> tuple[Row, bytes | None]:  # noqa: ANN401
    """A delivery as a bundle tells it, and the body that it carries of it."""
    body, encoding = _carried(row, redaction) if carried else (None, "")
    told = {
        "receipt": receipt_of(row.id),
        "source": row.source,
        "received_at": instants.text(row.received_at),
        "headers": redaction.headers(row.headers) if redaction else row.headers,
        "size": row.size,
        "sha256": row.sha256,
        "refused": row.refused,
        "encoding": encoding,
        "body": None if body is None else digest(body),
        "redacted": body is not None and digest(body) != row.sha256,
        "stamp": _stamp(row),
    }
    return told, body


def _carried(row: Any, redaction: Redaction | None) -> tuple[bytes | None, str]:  # noqa: ANN401  # a row of DeliveryRow
    """The body and its encoding as they are carried; None where it is not known what the body holds."""
    if row.refused and hashlib.sha256(row.body).hexdigest() != row.sha256:
        return None, ""
    is_whole = deliveries.is_whole(row)
    if not is_whole or redaction is None:
        # What came by a bundle is redacted already, or was left out of it: then it is empty.
        return (row.body, row.encoding) if is_whole or row.body else (None, "")
    try:
        plain = deliveries.inflate(row.body, row.encoding)
    except ValueError:
        return None, ""
    shown = redaction.body(plain)
    return (row.body, row.encoding) if shown == plain else (shown, "")


def _stamp(row: Any) -> Row | None:  # noqa: ANN401  # a row with the columns of StampRow
    if row.stamp_state is None:
        return None
    told = {name: getattr(row, f"stamp_{name}") for name in STAMP_FIELDS}
    return {**told, "stamped_at": instants.text(row.stamp_stamped_at), "test": bool(row.stamp_test)}
