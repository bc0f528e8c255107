"""Finds incidents by words of their entries and of their alerts' names and labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Written:
    """An entry that says the words, and the one of its texts that does."""

    id: int
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """The incidents, at most some 1,000, whose entries or alerts say words in any case, by what says them."""

    words: str = ""
    entries: Mapping[str, Sequence[Written]] = field(default_factory=dict)
    """By incident, the latest first."""
    names: Mapping[str, tuple[Sequence[str], Sequence[str]]] = field(default_factory=dict)
    """By incident: what its alerts are called, and its sites."""
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def incidents(self) -> set[str]:
        """Their ids."""
        return {*self.entries, *self.names, *self.labels}

    def hits(self, connection: sa.Connection, incidents: Iterable[str]) -> dict[str, list[Hit]]:
        """Where the words stand in some of them, at most `HITS` places of each."""
        among = self.incidents
        asked = [name for name in incidents if name in among]
        former = _former(connection, [one.id for name in asked for one in self.entries.get(name, ())])
        found: dict[str, list[Hit]] = {}
        for name in asked:
            written = sorted(self.entries.get(name, ()), key=lambda one: one.id in former)
            told = [Hit(f"{former.get(one.id, '')} {one.where}".strip(), one.text, one.id) for one in written]
            told += self._hits_of_names(name) + [Hit("label", label) for label in self.labels.get(name, ())]
            # What is said twice is told by the first that says it.
            first = {(hit.where, hit.text): hit for hit in reversed(told)}
            found[name] = [hit for hit in told if first[hit.where, hit.text] is hit][:HITS]
        return found

    def _hits_of_names(self, incident: str) -> list[Hit]:
        if incident not in self.names:
            return []
        names, sites = self.names[incident]
        told = [Hit("alert", name) for name in names] + [Hit("site", name) for name in sites]
        said = [hit for hit in told if self.words.casefold() in hit.text.casefold()]
        # What the database finds across two names is found still, though no one name says it.
        return said or [Hit("alert", ", ".join(names[:HITS]))]


def find(connection: sa.Connection, words: str) -> Found:
    """What is found by these words; by fewer than two letters nothing."""
    if len(words.strip()) < 2:
        return Found()
    return Found(words, _by_entries(connection, words), _by_names(connection, words), _by_labels(connection, words))


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


def _by_entries(connection: sa.Connection, words: str) -> dict[str, list[Written]]:
    columns = (ENTRY.c.id, ENTRY.c.incident_id, ENTRY.c.kind, ENTRY.c.params)
    query = sa.select(*columns).where(
        ENTRY.c.kind.in_(("note", "correction", "status_changed", "field_changed", "link_judged")),
        says(connection, ENTRY.c.params, _inside(words)),
    )
    sought = words.casefold()
    found: dict[str, list[Written]] = defaultdict(list)
    for name, incident, kind, params in connection.execute(query.order_by(ENTRY.c.id.desc()).limit(ENTRIES_READ)):
        if (told := next((each for each in _told(params) if sought in each.casefold()), None)) is not None:
            where = str(params.get("field")) if kind == "field_changed" else _KINDS[kind]
            found[incident].append(Written(name, where, told))
    return found


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


def _by_names(connection: sa.Connection, words: str) -> dict[str, tuple[Sequence[str], Sequence[str]]]:
    names, sites = (says(connection, column, _inside(words)) for column in (INCIDENT.c.names, INCIDENT.c.sites))
    # SQLite would read the incidents one by one in the order of their index, to be spared to sort what is found.
    order = sa.type_coerce(INCIDENT.c.opened_at, sa.BigInteger) + 0
    query = sa.select(INCIDENT.c.id, INCIDENT.c.names, INCIDENT.c.sites).where(names | sites)
    return {name: (names, sites) for name, names, sites in connection.execute(query.order_by(order.desc()).limit(MOST))}


def _by_labels(connection: sa.Connection, words: str) -> dict[str, list[str]]:
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
    for name, rest in connection.execute(query.limit(ENTRIES_READ)):
        labels = (f"{label}={value}" for label, value in rest.get("labels", {}).items())
        if said := next((label for label in labels if sought in label.casefold()), None):
            alerts[name] = said
    found: dict[str, list[str]] = defaultdict(list)
    for part in chunks(list(alerts)):
        query = sa.select(MEMBER.c.incident_id, MEMBER.c.occurrence_id).where(MEMBER.c.occurrence_id.in_(part))
        for incident, name in connection.execute(query):
            found[incident].append(alerts[name])
    return found
