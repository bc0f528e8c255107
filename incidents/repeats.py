"""Signed deliveries that come a second time: taken for the one that is stored, counted, and not stored again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

import sqlalchemy as sa

from incidents.signatures import Proof
from incidents.store import insert
from incidents.tables import RefusalRow, SeenProofRow

SEEN = SeenProofRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
REFUSAL = RefusalRow.__table__  # type: ignore[attr-defined]
REPEATED = "repeated"
"""The reason under which repeats are counted among the refusals."""


def firsts(connection: sa.Connection, signed: Iterable[tuple[int, str, datetime, Proof]]) -> Mapping[int, int]:
    """The delivery that was stored for each of those (id, source, receipt, proof) that repeat one, by their ids.

    Remembers the others. The caller's transaction stores them: a proof is known exactly if its delivery is. Rows are
    taken in one order, so that two writers wait for each other and never in a circle.
    """
    found: dict[int, int] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for number, source, at, proof in sorted(signed, key=lambda one: (one[1], one[3].name, one[0])):
        first = _remember(connection, number, source, at, proof)
        if first != number:
            found[number] = first
            counts[source, f"{at:%Y-%m-%d}"] += 1
    for (source, day), count in sorted(counts.items()):
        statement = insert(connection, REFUSAL).values(source=source, day=day, reason=REPEATED, count=count)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["source", "day", "reason"], set_={"count": REFUSAL.c.count + count}
            )
        )
    return found


def _remember(connection: sa.Connection, number: int, source: str, at: datetime, proof: Proof) -> int:
    """The delivery that stands for this proof: this one, unless another came before and is not forgotten."""
    statement = insert(connection, SEEN).values(source=source, name=proof.name, delivery_id=number, until=proof.until)
    over = SEEN.c.until < at
    taken = statement.on_conflict_do_update(
        index_elements=["source", "name"],
        set_={
            "delivery_id": sa.case((over, statement.excluded.delivery_id), else_=SEEN.c.delivery_id),
            "until": sa.case((over, statement.excluded.until), else_=SEEN.c.until),
        },
    )
    first: int = connection.execute(taken.returning(SEEN.c.delivery_id)).scalar_one()
    return first


def forget(connection: sa.Connection, now: datetime) -> None:
    """Drop the proofs of which none can be replayed any more."""
    connection.execute(sa.delete(SEEN).where(SEEN.c.until < now))
