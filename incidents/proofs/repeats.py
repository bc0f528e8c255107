"""Signed deliveries that come a second time: taken for the one that is stored, counted, and not stored again."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from incidents.bulk import chunks, insert
from incidents.proofs.signatures import Proof
from incidents.tables import RefusalRow, SeenProofRow

SEEN = SeenProofRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
REFUSAL = RefusalRow.__table__  # type: ignore[attr-defined]
REPEATED = "repeated"
"""The reason under which repeats are counted among the refusals."""
SKEW = timedelta(minutes=1)
"""How far apart the clocks of two processes may be: what one of them forgets the other must refuse already."""

Signed = tuple[int, str, datetime, Proof]
"""Id, source and receipt of a delivery, and what it proved itself with."""


def firsts(connection: sa.Connection, signed: Iterable[Signed]) -> Mapping[int, int]:
    """The delivery that is stored for each of those that repeat one, by their ids; the others are remembered.

    The caller's transaction stores the others: a proof is known exactly if its delivery is. Rows are written in one
    order, so that two writers wait for each other and never in a circle.
    """
    alike: dict[str, list[Signed]] = defaultdict(list)
    for one in sorted(signed, key=lambda one: one[0]):
        alike[hashlib.sha256(f"{one[1]}\0{one[3].name}".encode()).hexdigest()].append(one)
    found: dict[int, int] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for part in chunks(sorted(alike)):
        held = _held(connection, {name: alike[name] for name in part})
        for name in part:
            for number, source, at, _ in alike[name]:
                if number != held[name]:
                    found[number] = held[name]
                    counts[source, f"{at:%Y-%m-%d}"] += 1
    _count(connection, counts)
    return found


def _held(connection: sa.Connection, alike: Mapping[str, Sequence[Signed]]) -> Mapping[str, int]:
    """The delivery that stands for each proof: the first of those given, unless another came before them."""
    until = {name: max(proof.until for _, _, _, proof in ones) for name, ones in alike.items()}
    rows = [{"name": name, "delivery_id": ones[0][0], "until": until[name]} for name, ones in alike.items()]
    connection.execute(insert(connection, SEEN).on_conflict_do_nothing(), rows)
    # Another process may have written the row a moment ago: whose it is we read after our own attempt.
    query = sa.select(SEEN).where(SEEN.c.name.in_(list(alike))).order_by(SEEN.c.name)
    held = {}
    for row in connection.execute(query).all():
        number, _, at, _ = alike[row.name][0]
        held[row.name] = row.delivery_id
        if row.delivery_id == number:
            continue
        if row.until < at:
            held[row.name] = _taken_over(connection, row.name, number, at)
        if row.until < until[row.name]:  # the sender's own retry is signed anew, and can be replayed for longer
            longer = sa.update(SEEN).where(SEEN.c.name == row.name, SEEN.c.until < until[row.name])
            connection.execute(longer.values(until=until[row.name]))
    return held


def _taken_over(connection: sa.Connection, name: str, number: int, at: datetime) -> int:
    """Put this delivery into the place of a forgotten one, unless another process was first; whose place it is."""
    connection.execute(sa.update(SEEN).where(SEEN.c.name == name, SEEN.c.until < at).values(delivery_id=number))
    held: int = connection.execute(sa.select(SEEN.c.delivery_id).where(SEEN.c.name == name)).scalar_one()
    return held


def _count(connection: sa.Connection, counts: Mapping[tuple[str, str], int]) -> None:
    for (source, day), count in sorted(counts.items()):
        statement = insert(connection, REFUSAL).values(source=source, day=day, reason=REPEATED, count=count)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["source", "day", "reason"], set_={"count": REFUSAL.c.count + count}
            )
        )


def forget(connection: sa.Connection, now: datetime) -> None:
    """Drop the proofs that nobody can replay any more, but those that a writer holds at this moment."""
    over = sa.select(SEEN.c.name).where(SEEN.c.until < now - SKEW).with_for_update(skip_locked=True)
    connection.execute(sa.delete(SEEN).where(SEEN.c.name.in_(over)))
