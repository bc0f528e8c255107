"""Retelling: of statements that say one thing again and again in other words, the first and the last suffice. Pure.

A check whose text holds a measured value says something new every minute. To fold it and to tell its timeline nothing
is needed of what stands between: every field of a fold is the last word or the first, and lines tell of changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol, TypeVar

import orjson

WORDS = ("title", "text", "url", "labels", "group", "event", "area")
"""Fields of a statement of which the last that says something holds; no line tells of a change in them."""


class Recorded(Protocol):
    """A row of EventRow's columns."""

    @property
    def said_at(self) -> datetime: ...
    @property
    def recorded_at(self) -> datetime: ...
    @property
    def digest(self) -> str: ...
    @property
    def statement(self) -> str: ...


Row = TypeVar("Row", bound=Recorded)


def telling(rows: Iterable[Row]) -> list[Row]:
    """Those of a subject's statements that its occurrences and lines need, in the order said.

    What is folded from them is what all would give, but for the number of statements. Only monitors repeat
    themselves so; of providers and of those who warn, every word counts.
    """
    ordered = sorted(rows, key=lambda row: (row.said_at, row.digest))
    if len(ordered) < 3:  # nothing stands between
        return ordered
    kept: list[Row] = []
    first = last = None
    shape: Any = None
    for row in ordered:
        fields = orjson.loads(row.statement)
        if fields["kind"] != "alert":
            return ordered
        said = _shape(fields)
        if first and said == shape and said and row.recorded_at >= first.recorded_at:
            last = row
            continue
        kept += [last, row] if last else [row]
        first, last, shape = row, None, said
    return [*kept, last] if last else kept


def _shape(fields: dict[str, Any]) -> tuple[Any, list[bool]] | None:
    """What a statement says beside words, and which words it has; None where it matters when it was said.

    Without a start, or with an end that is assumed, the moment of speaking stands in for them.
    """
    if not fields.get("starts_at") or fields.get("ends_assumed"):
        return None
    words = [bool(fields.pop(name, None)) for name in WORDS]
    return fields, words
