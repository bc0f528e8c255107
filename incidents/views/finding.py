"""Finds incidents by words of their entries and of their alerts' names and labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
import sqlalchemy as sa

from incidents.bulk import chunks
from incidents.entries import ENTRY, INCIDENT, MEMBER, OCCURRENCE
from incidents.views.view import Hit

ENTRIES_READ = 2000
"""Entries that hold the words anywhere, the latest first, of which the texts are read."""
ALERTS_READ = 20_000
"""The latest alerts, whose labels are looked through; older ones are found by title, site and entries."""
MOST = 500
_TOLD = ("text", "note", "title", "quote", "speaker", "reason", "now", "owner")
"""The params that people wrote; the others are names and numbers of ours."""
_KINDS = {"note": "note", "correction": "note", "status_changed": "status", "link_judged": "link"}
"""What the words of an entry belong to; those of a changed field to that field."""
HITS = 3
"""Most places of one incident that are told."""
Found = Iterable[tuple[str, Hit]]


def found_by(connection: sa.Connection, words: str) -> dict[str, list[Hit]]:
    """The incidents, at most some 1,000, whose entries or alerts say these words in any case, each with where."""
    found: dict[str, list[Hit]] = defaultdict(list)
    if len(words.strip()) < 2:
        return found
    for search in (_by_entries, _by_names, _by_labels):
        for incident, hit in search(connection, words):
            hits = found[incident]
            if len(hits) < HITS and all((hit.where, hit.text) != (one.where, one.text) for one in hits):
                hits.append(hit)
    return found


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


def _by_entries(connection: sa.Connection, words: str) -> Found:
    columns = (ENTRY.c.id, ENTRY.c.incident_id, ENTRY.c.kind, ENTRY.c.params)
    query = sa.select(*columns).where(
        ENTRY.c.kind.in_(("note", "correction", "status_changed", "field_changed", "link_judged")),
        says(connection, ENTRY.c.params, _inside(words)),
    )
    sought = words.casefold()
    rows = [
        (row, told)
        for row in connection.execute(query.order_by(ENTRY.c.id.desc()).limit(ENTRIES_READ))
        if (told := next((each for each in _told(row.params) if sought in each.casefold()), None)) is not None
    ]
    former = _former(connection, [row.id for row, _ in rows])
    for row, told in sorted(rows, key=lambda pair: pair[0].id in former):
        where = str(row.params.get("field") if row.kind == "field_changed" else _KINDS[row.kind])
        yield row.incident_id, Hit(f"{former.get(row.id, '')} {where}".strip(), told, row.id)


def _former(connection: sa.Connection, entries: list[int]) -> dict[int, str]:
    """Those of the entries that do not hold as they stand: corrected since, or withdrawn and not brought back."""
    later, undone = ENTRY.alias("later"), ENTRY.alias("undone")
    is_undone = sa.exists().where(undone.c.kind == "retraction", undone.c.supersedes == later.c.id)
    found: dict[int, str] = {}
    for part in chunks(entries):
        query = sa.select(later.c.supersedes, later.c.kind).where(
            later.c.supersedes.in_(part), later.c.kind.in_(("correction", "retraction")), ~is_undone
        )
        for number, kind in connection.execute(query):
            if kind == "retraction" or number not in found:
                found[number] = "withdrawn" if kind == "retraction" else "earlier"
    return found


def _told(params: Mapping[str, Any]) -> Iterator[str]:
    for name in _TOLD:
        value = params.get(name)
        yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str))


def _by_names(connection: sa.Connection, words: str) -> Found:
    names, sites = (says(connection, column, _inside(words)) for column in (INCIDENT.c.names, INCIDENT.c.sites))
    # SQLite would read the incidents one by one in the order of their index, to be spared to sort what is found.
    order = sa.type_coerce(INCIDENT.c.opened_at, sa.BigInteger) + 0
    query = sa.select(INCIDENT.c.id, INCIDENT.c.names, INCIDENT.c.sites).where(names | sites)
    sought = words.casefold()
    for row in connection.execute(query.order_by(order.desc()).limit(MOST)):
        told = [Hit("alert", name) for name in row.names] + [Hit("site", name) for name in row.sites]
        said = [hit for hit in told if sought in hit.text.casefold()]
        # What the database finds across two names is found still, though no one name says it.
        yield from ((row.id, hit) for hit in said or [Hit("alert", ", ".join(row.names[:HITS]))])


def _by_labels(connection: sa.Connection, words: str) -> Found:
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
    alerts: dict[str, str] = {}
    for row in connection.execute(query.limit(ENTRIES_READ)):
        labels = (f"{name}={value}" for name, value in row.rest.get("labels", {}).items())
        if said := next((label for label in labels if sought in label.casefold()), None):
            alerts[row.id] = said
    for part in chunks(list(alerts)):
        query = sa.select(MEMBER.c.incident_id, MEMBER.c.occurrence_id).where(MEMBER.c.occurrence_id.in_(part))
        yield from ((row.incident_id, Hit("label", alerts[row.occurrence_id])) for row in connection.execute(query))
