"""Months: on PostgreSQL deliveries and their stamps stand in a partition for each, dropped whole when it is aged.

An id of a delivery begins with the microsecond in which it was received (`receipts`): ranges of ids are ranges of time,
and the primary key stays what it was. What was there before the months stands in the first partition. What comes for a
month that nobody has made yet stands in the last, and moves when that is made. SQLite has one table of each.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
import sqlalchemy.exc

from incidents import configured, remains, stamp_counts
from incidents.receipts import ID_SHIFT, first_id
from incidents.stamp_counts import STAMP
from incidents.store import Store
from incidents.tables import instant
from incidents.tombstones import TOMBSTONE, heard

log = logging.getLogger(__name__)

PARTED = {"delivery": "id", "stamp": "delivery_id"}
"""Tables that stand in months, and the column by which they do."""
AHEAD = 2
"""Months after the present one that are made before they begin."""
LOCK_SECONDS = 2
"""How long a change of partitions waits for those who use them; then it is tried again at the next tick."""

_BOUND = re.compile(r"FROM \((?:'(\d+)'|MINVALUE)\) TO \('(\d+)'\)")
_PARTITIONS = sa.text(
    "SELECT child.relname AS name, pg_get_expr(child.relpartbound, child.oid) AS bound FROM pg_inherits"
    " JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent"
    " WHERE parent.relname = :table AND pg_table_is_visible(parent.oid)"
)


@dataclass(frozen=True, slots=True)
class Month:
    """The ids from `first` up to `end`, and the ending of the names of its partitions; `first` is 0 in the first."""

    ending: str
    first: int
    end: int

    @property
    def since(self) -> datetime:
        """When it begins."""
        return instant(self.first >> ID_SHIFT)

    @property
    def until(self) -> datetime:
        """When it is over."""
        return instant(self.end >> ID_SHIFT)

    def has(self, column: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """That this id is of the month."""
        return sa.and_(column >= self.first, column < self.end)


def month_of(at: datetime) -> Month:
    """The calendar month, in UTC, of an instant."""
    begins = datetime(at.year, at.month, 1, tzinfo=UTC)
    ends = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
    return Month(f"{begins:%Y_%m}", first_id(begins), first_id(ends))


def there(connection: sa.Connection) -> list[Month]:
    """The months that have a partition, the oldest first; none on SQLite."""
    if connection.dialect.name == "sqlite":
        return []
    found = [
        Month(row.name.removeprefix("delivery_"), int(bound[1] or 0), int(bound[2]))
        for row in connection.execute(_PARTITIONS, {"table": "delivery"})
        if (bound := _BOUND.search(row.bound))  # the last partition has none
    ]
    return sorted(found, key=lambda month: month.first)


def make_ahead(store: Store, now: datetime) -> list[Month]:
    """Make the months from the present one on that are wanted and not there; those that were made.

    Several processes may try at once, one does. While the tables are in use for too long, none does: what comes for a
    month that is not there has its place all the same.
    """
    if store.is_sqlite:
        return []
    wanted, at = [], now.astimezone(UTC)
    for _ in range(AHEAD + 1):
        wanted.append(month_of(at))
        at = wanted[-1].until
    with store.reading() as connection:
        missing = _missing(connection, wanted)
    if not missing:
        return []
    try:
        with store.writing() as connection:
            store.lock(connection, ["months"])
            missing = _missing(connection, wanted)
            for month in missing:
                _make(connection, month)
    except sqlalchemy.exc.OperationalError as error:
        log.warning("partitions are made later: %s", str(error).partition("\n")[0])
        return []
    return missing


def _missing(connection: sa.Connection, wanted: list[Month]) -> list[Month]:
    """What of these is in no partition; the first may reach into the present month, whose rest is made then."""
    covered = max((month.end for month in there(connection)), default=0)
    rest = (Month(m.ending, max(m.first, covered), m.end) for m in wanted)
    return [month for month in rest if month.first < month.end]


def _make(connection: sa.Connection, month: Month) -> None:
    """Attach a partition of each table: beside a CREATE of it within the parent, intake need not wait for this."""
    _hurry(connection)
    for table, column in PARTED.items():
        name, rest = f"{table}_{month.ending}", f"{table}_rest"
        bounds = f"{column} >= {month.first} AND {column} < {month.end}"
        for statement in (
            f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING INDEXES)",
            f"LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE",
            f"INSERT INTO {name} SELECT * FROM {rest} WHERE {bounds}",  # noqa: S608  # names and numbers are ours
            f"DELETE FROM {rest} WHERE {bounds}",  # noqa: S608
            f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({month.first}) TO ({month.end})",
        ):
            connection.exec_driver_sql(statement)


def drop_aged(
    store: Store, before: datetime, is_needed: Callable[[sa.Connection, Month], bool], now: datetime
) -> dict[str, int]:
    """Drop each month that was over at `before` and of which nothing is needed; how many deliveries of each source.

    A tombstone for each source is written in the same transaction. A month that cannot be locked in time is left for
    the next run.
    """
    dropped: dict[str, int] = {}
    with store.reading() as connection:
        aged = [month for month in there(connection) if month.end <= first_id(before)]
        free = [month for month in aged if not is_needed(connection, month)]
    for month in free:
        try:
            with store.writing() as connection:
                for source, count in _drop(store, connection, month, is_needed, now).items():
                    dropped[source] = dropped.get(source, 0) + count
        except sqlalchemy.exc.OperationalError as error:
            log.warning("the deliveries of %s are dropped later: %s", month.ending, str(error).partition("\n")[0])
    return dropped


def _drop(
    store: Store,
    connection: sa.Connection,
    month: Month,
    is_needed: Callable[[sa.Connection, Month], bool],
    now: datetime,
) -> dict[str, int]:
    """The tombstones first, while all may still read; the partitions last, since that keeps everybody out.

    As in a fold the sources are locked first: whoever stamps deliveries of one would wait for its count, and we for it.
    """
    store.lock(connection, ["retention"])
    if month.ending not in {each.ending for each in there(connection)}:
        return {}
    names = connection.exec_driver_sql(f"SELECT DISTINCT source FROM delivery_{month.ending}").scalars().all()  # noqa: S608  # ours
    store.lock(connection, [f"source:{name}" for name in names])
    store.lock(connection, ["months"])
    _hurry(connection)
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    for table in PARTED:
        connection.exec_driver_sql(f"LOCK TABLE {table}_{month.ending} IN SHARE MODE")
    # Once more, for what was said, held or opened meanwhile.
    if is_needed(connection, month):
        return {}
    counts = _bury(connection, month, now)
    remains.forget_deliveries(connection, month.has(remains.DELIVERED.c.delivery_id))
    stamp_counts.add(connection, stamp_counts.stored(connection, month.has(STAMP.c.delivery_id)), -1)
    for table in PARTED:
        connection.exec_driver_sql(f"DROP TABLE {table}_{month.ending}")
    return counts


def _bury(connection: sa.Connection, month: Month, now: datetime) -> dict[str, int]:
    table: Any = sa.table(
        f"delivery_{month.ending}", sa.column("source"), sa.column("sha256"), sa.column("received_at")
    )
    told = sa.select(
        table.c.source,
        sa.func.count().label("n"),
        sa.func.min(table.c.received_at).label("first"),
        sa.func.max(table.c.received_at).label("last"),
    ).group_by(table.c.source)
    counts: dict[str, int] = {}
    config = configured.load(connection)
    for row in connection.execute(told).all():
        source = config.source(row.source)
        speaks = source is not None and source.every_seconds
        values = {
            "kind": "delivery",
            "source": row.source,
            "count": row.n,
            "first_at": instant(row.first),
            "last_at": instant(row.last),
            "sha256": _digest(connection, table, row.source),
            "dropped_at": now,
            "heard": heard(_received(connection, table, row.source), source) if speaks else None,
        }
        connection.execute(sa.insert(TOMBSTONE).values(values))
        counts[row.source] = row.n
    return counts


def _received(connection: sa.Connection, table: Any, source: str) -> Iterator[int]:  # noqa: ANN401  # a table
    query = sa.select(table.c.received_at).where(table.c.source == source).order_by(table.c.received_at)
    with connection.execute(query, execution_options={"stream_results": True, "yield_per": 10_000}) as found:
        yield from found.scalars()


def _digest(connection: sa.Connection, table: Any, source: str) -> str:  # noqa: ANN401  # a table
    """Over the digests of a source's deliveries in ascending order, each on a line: as for those dropped one by one."""
    seen, gap = hashlib.sha256(), b""
    query = sa.select(table.c.sha256).where(table.c.source == source).order_by(sa.collate(table.c.sha256, "C"))
    with connection.execute(query, execution_options={"stream_results": True, "yield_per": 10_000}) as found:
        for digest in found.scalars():
            seen.update(gap + digest.encode())
            gap = b"\n"
    return seen.hexdigest()


def _hurry(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
