"""What stands in a store, written many times more by the database itself: quick, for measurements of pages.

A copy is the same rows with other names, some time earlier. Its keys are not the hashes of what they name, so a
rebuild is not for it; a history that intake might have written is `tests/bench/bulk_history.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from incidents.receipts import ID_SHIFT
from incidents.store import Store
from incidents.tables import METADATA, Instant

_MIX = 2_654_435_761
"""Spreads the numbers of the copies over the first 32 bits of their names."""
_MICROSECOND = timedelta(microseconds=1)
MOST_ENTRIES = 1_000_000
"""More than a block has: how far apart the entries of two copies stand."""


def copy(store: Store, copies: int, step: timedelta, words: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """Write all that is stored so many times more, each time earlier by a step and under other names.

    `words` are texts that each copy has with its number behind them, by table and column: a host, a word of a note.
    """
    _each(store, [f"CREATE TABLE block_{table} AS SELECT * FROM {table}" for table in NAMES])
    for number in range(1, copies + 1):
        _each(store, _copies(number, step // _MICROSECOND * number, words or {}))
    _each(store, [f"DROP TABLE block_{table}" for table in NAMES])


def _each(store: Store, statements: Iterable[str]) -> None:
    with store.writing() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql("PRAGMA cache_size=-400000")
            connection.exec_driver_sql("PRAGMA wal_autocheckpoint=100000")
        for statement in statements:
            connection.exec_driver_sql(statement)


def _copies(number: int, back: int, words: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """The statements that write the first block once more, under other names, this many microseconds earlier."""
    mark = f"{number * _MIX % 2**32:08x}"
    ways = {
        "same": "{0}",
        "earlier": f"{{0}} - {back}",
        "named": f"'{mark}' || substr({{0}}, 9)",
        "placed": f"{{0}} - {back << ID_SHIFT}",
        "copied": f"{{0}} || '~{number}'",
        "moved": f"{{0}} + {number * MOST_ENTRIES}",
    }
    for table, changed in NAMES.items():
        columns = [column for column in METADATA.tables[table].columns if (table, column.name) != ("event", "id")]
        told = words.get(table, {})
        how = [
            f"replace({column.name}, '{told[column.name]}', '{told[column.name]}{number}.')"
            if column.name in told
            else ways[changed.get(column.name, "earlier" if isinstance(column.type, Instant) else "same")].format(
                column.name
            )
            for column in columns
        ]
        names = ", ".join(column.name for column in columns)
        yield f"INSERT INTO {table} ({names}) SELECT {', '.join(how)} FROM block_{table}"  # names of ours


_OF_INCIDENT = {"incident_id": "copied", "occurrence_id": "named"}
NAMES: dict[str, dict[str, str]] = {
    "delivery": {"id": "placed"},
    "stamp": {"delivery_id": "placed"},
    "event": {"subject": "named", "delivery_id": "placed"},
    "occurrence": {"id": "named", "subject": "named"},
    "incident": {"id": "copied"},
    "entry": {"id": "moved", "incident_id": "copied", "decision": "copied", "supersedes": "moved"},
    "member": {**_OF_INCIDENT, "entry_id": "moved"},
    "member_count": {**_OF_INCIDENT, "minute": "earlier"},
    "alert_group": {**_OF_INCIDENT, "starts_at": "earlier", "ends_at": "earlier"},
}
"""The tables that hold a history, and what becomes of the names in it."""
