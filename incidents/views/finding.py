"""Finds incidents by words of their entries and of their alerts' names and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import sqlalchemy as sa

from incidents.bulk import chunks
from incidents.entries import ENTRY, INCIDENT, MEMBER, OCCURRENCE

ENTRIES_READ = 2000
"""Entries that hold the words anywhere, the latest first, of which the texts are read."""
ALERTS_READ = 20_000
"""The latest alerts, whose labels are looked through; older ones are found by title, site and entries."""
MOST = 500
_TOLD = ("text", "note", "title", "quote", "speaker", "reason", "now", "owner")
"""The params that people wrote; the others are names and numbers of ours."""


def found_by(connection: sa.Connection, words: str) -> set[str]:
    """The ids of incidents, at most some 1,000, whose entries or alerts say these words in any case."""
    if len(words.strip()) < 2:
        return set()
    return _by_entries(connection, words) | _by_names(connection, words) | _by_labels(connection, words)


def says(connection: sa.Connection, text: Any, words: str) -> sa.ColumnElement[bool]:  # noqa: ANN401  # a text column
    """That a text holds the words, in any case of their Latin letters.

    SQLite's LIKE knows no other; to ask it for lower case besides would copy each text that is looked through.
    """
    if connection.dialect.name == "sqlite":
        return sa.cast(text, sa.Text).contains(words, autoescape=True)
    return sa.cast(text, sa.Text).icontains(words, autoescape=True)


def _inside(words: str) -> str:
    """The words as they stand within a JSON text."""
    return orjson.dumps(words).decode()[1:-1]


def _by_entries(connection: sa.Connection, words: str) -> set[str]:
    query = sa.select(ENTRY.c.incident_id, ENTRY.c.params).where(
        ENTRY.c.kind.in_(("note", "correction", "status_changed", "field_changed", "link_judged")),
        says(connection, ENTRY.c.params, _inside(words)),
    )
    rows = connection.execute(query.order_by(ENTRY.c.id.desc()).limit(ENTRIES_READ))
    sought = words.casefold()
    return {row.incident_id for row in rows if any(sought in told.casefold() for told in _told(row.params))}


def _told(params: Mapping[str, Any]) -> Iterator[str]:
    for name in _TOLD:
        value = params.get(name)
        yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str))


def _by_names(connection: sa.Connection, words: str) -> set[str]:
    names, sites = (says(connection, column, _inside(words)) for column in (INCIDENT.c.names, INCIDENT.c.sites))
    # SQLite would read the incidents one by one in the order of their index, to be spared to sort what is found.
    order = sa.type_coerce(INCIDENT.c.opened_at, sa.BigInteger) + 0
    query = sa.select(INCIDENT.c.id).where(names | sites).order_by(order.desc())
    return set(connection.execute(query.limit(MOST)).scalars())


def _by_labels(connection: sa.Connection, words: str) -> set[str]:
    latest = (
        sa.select(OCCURRENCE.c.id, OCCURRENCE.c.rest)
        .where(OCCURRENCE.c.kind == "alert")
        .order_by(OCCURRENCE.c.starts_at.desc())
        .limit(ALERTS_READ)
        .subquery()
    )
    sought = words.casefold()
    # In JSON a label's name and its value do not stand side by side, as `datacenter=smf` says them.
    value = words.partition("=")[2] or words.rstrip("=")
    query = sa.select(latest.c.id, latest.c.rest).where(says(connection, latest.c.rest, _inside(value)))
    alerts = [
        row.id
        for row in connection.execute(query.limit(ENTRIES_READ))
        if any(sought in f"{name}={value}".casefold() for name, value in row.rest.get("labels", {}).items())
    ]
    return {
        name
        for part in chunks(alerts)
        for name in connection.execute(
            sa.select(MEMBER.c.incident_id).where(MEMBER.c.occurrence_id.in_(part)).distinct()
        ).scalars()
    }
