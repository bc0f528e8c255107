"""Tombstones: what stands for rows that were dropped whole, and when a sender that should speak had spoken."""

from __future__ import annotations

from collections.abc import Iterable

from incidents.feeds.polls import PATIENCE
from incidents.model import Source
from incidents.tables import TombstoneRow

TOMBSTONE = TombstoneRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it


def heard(received: Iterable[int], source: Source | None) -> list[list[int]] | None:
    """The stretches in which deliveries came without a silence between them, [from, to] in microseconds since 1970.

    `received` ascends. None of a source that need not speak: its gaps are no silence.
    """
    if source is None or not source.every_seconds:
        return None
    patience = int(source.every_seconds * PATIENCE * 1_000_000)
    found: list[list[int]] = []
    for at in received:
        if found and at - found[-1][1] <= patience:
            found[-1][1] = at
        else:
            found.append([at, at])
    return found
