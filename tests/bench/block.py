"""A block: rows that the product has stored once, said again for other days and other alerts.

Each text is kept as a form with places for the words that differ from copy to copy: the days, the mark of the alerts'
fingerprints, and the hashes that follow from both. All of them keep their length, so sizes hold as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from incidents import fold, spoken
from incidents.deliveries import DELIVERY
from incidents.receipts import ID_SHIFT
from incidents.records import event_of
from incidents.tables import METADATA, Instant, instant
from incidents.tables.bodies import Body, pack, unpack

MARK = "b10c00"
"""The beginning of every fingerprint in the block that is said again."""
NAMES = ("delivery", "stamp", "event", "occurrence", "incident", "entry", "member", "member_count", "alert_group",
         "crowd_part")  # fmt: skip
"""The tables that hold a history. Pulses are none of it: the service drops them after a while."""

_WORD = re.compile(r"\d{4}-\d\d-\d\d|[0-9a-f]{64}|[0-9a-f]{32}|" + MARK)
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
_MOVED = {
    ("alert_group", "starts_at"), ("alert_group", "ends_at"), ("member_count", "minute"), ("crowd_part", "part"),
}  # fmt: skip
"""Instants that their tables hold as plain numbers; those below 0 stand for something else."""
_DELIVERY = {("delivery", "id"), ("stamp", "delivery_id"), ("event", "delivery_id")}
_GROWN = {("event", "id"): "event", ("entry", "id"): "entry", ("member", "entry_id"): "entry"}
"""Ids that grow with their log, and that log."""
_AT_RANDOM = {("incident", "mark"), ("crowd_part", "origin")}

Row = tuple[Any, ...]


class _Form:
    """A text with places for words, by their numbers."""

    __slots__ = ("form", "of")

    def __init__(self, text: str, numbers: dict[str, int]) -> None:
        found = [word for word in _WORD.findall(text) if word in numbers]
        places = _WORD.sub(lambda at: "\0" if at[0] in numbers else at[0], text.replace("%", "%%"))
        self.form = places.replace("\0", "%s")
        self.of: Callable[[Sequence[str]], Any] = itemgetter(*(numbers[w] for w in found)) if found else lambda _: ()

    def said(self, words: Sequence[str]) -> str:
        return self.form % self.of(words)


class Block:
    """What a store holds that one source has filled, for as many copies as are asked for."""

    def __init__(self, connection: sa.Connection, source: str, first: date, days: int) -> None:
        self._source = source
        self._days = [first + n * _DAY for n in range(-1, days + 1)]
        self._numbers = {word: n for n, word in enumerate([MARK, *map(date.isoformat, self._days)])}
        self._subjects = self._heard(connection, "SELECT DISTINCT subject, key FROM occurrence ORDER BY subject")
        told = connection.exec_driver_sql("SELECT digest, statement, said_at FROM event ORDER BY id").all()
        self._digests = self._forms(
            (digest, spoken.canonical(event_of(statement, instant(at))).decode()) for digest, statement, at in told
        )
        bodies = connection.execute(sa.select(DELIVERY.c.sha256, DELIVERY.c.body).order_by(DELIVERY.c.id)).all()
        self._bodies = self._forms((digest, body.decode()) for digest, body in bodies)
        self._tables = {name: _Table(connection, name, self._numbers) for name in NAMES}
        assert self._words(MARK, 0) == list(self._numbers), "a copy that is none is the block itself"

    def _heard(self, connection: sa.Connection, query: str) -> list[_Form]:
        return self._forms((str(name), str(key)) for name, key in connection.exec_driver_sql(query))

    def _forms(self, found: Iterator[tuple[str, str]]) -> list[_Form]:
        """The forms from which words are made that hold other words; each word gets the next number."""
        forms = []
        for word, text in found:
            forms.append(_Form(text, self._numbers))
            assert word not in self._numbers, "said once"
            self._numbers[word] = len(self._numbers)
        return forms

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns, in the order of the rows."""
        return self._tables[table].names

    def count(self, table: str) -> int:
        """How many rows of a table a copy has."""
        return len(self._tables[table].rows)

    def copy(self, place: int, mark: str, days: int) -> Iterator[tuple[str, list[Row]]]:
        """The rows of each table for alerts of this mark, so many days later; `place` copies were stored before it."""
        assert len(mark) == len(MARK)
        words = self._words(mark, days)
        bodies = [form.said(words).encode() for form in self._bodies]
        bases = {log: place * self.count(log) for log in set(_GROWN.values())}
        for name, table in self._tables.items():
            yield name, table.said(words, days * _DAY // _MICROSECOND, bases, bodies)

    def _words(self, mark: str, days: int) -> list[str]:
        words = [mark, *((day + days * _DAY).isoformat() for day in self._days)]
        words += [fold.subject_id(self._source, form.said(words)) for form in self._subjects]
        for forms in (self._digests, self._bodies):
            words += [hashlib.sha256(form.said(words).encode()).hexdigest() for form in forms]
        return words


class _Table:
    """The rows of one table as its driver gives them, and how each column is said again."""

    def __init__(self, connection: sa.Connection, name: str, numbers: dict[str, int]) -> None:
        table = METADATA.tables[name]
        self._name, self.names = name, [column.name for column in table.columns]
        keys = ", ".join(column.name for column in table.primary_key.columns)
        query = f"SELECT {', '.join(self.names)} FROM {name} ORDER BY {keys}"
        self.rows: list[Row] = [tuple(row) for row in connection.exec_driver_sql(query)]
        self._columns = [
            self._read(column, [row[n] for row in self.rows], numbers) for n, column in enumerate(table.columns)
        ]

    def _read(self, column: sa.Column[Any], values: list[Any], numbers: dict[str, int]) -> tuple[str, list[Any]]:
        """What kind of column it is, and its values or their forms."""
        where = (self._name, column.name)
        if isinstance(column.type, Body):
            assert all(unpack(value) for value in values)
            return "body", values
        for kind, names in (("delivery", _DELIVERY), ("random", _AT_RANDOM)):
            if where in names:
                return kind, values
        if where in _GROWN:
            return _GROWN[where], values
        if where in _MOVED or isinstance(column.type, Instant):
            return "moved", values
        if any(isinstance(value, str) and any(w in numbers for w in _WORD.findall(value)) for value in values):
            return "text", [None if value is None else _Form(value, numbers) for value in values]
        return "same", values

    def said(self, words: Sequence[str], later: int, bases: dict[str, int], bodies: list[bytes]) -> list[Row]:
        def again(kind: str, values: list[Any]) -> list[Any]:
            match kind:
                case "text":
                    return [None if form is None else form.form % form.of(words) for form in values]
                case "moved":
                    return [value if value is None or value < 0 else value + later for value in values]
                case "delivery":
                    return [value + (later << ID_SHIFT) for value in values]
                case "body":
                    return [pack(body) for body in bodies]
                case "random":
                    return [1 + (value + later) % (1 << 62) for value in values]
                case "same":
                    return values
            return [value + bases[kind] for value in values]

        return list(zip(*(again(kind, values) for kind, values in self._columns), strict=True))
