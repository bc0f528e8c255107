"""Gathers the evidence of one incident from the store: its decisions, and all that they rest on."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

import orjson
import sqlalchemy as sa

from incidents import instants
from incidents.bulk import CHUNK, listed
from incidents.bundles.carried import Redaction, gather_deliveries
from incidents.bundles.evidence import Evidence, sources_in
from incidents.bundles.lines import Room, Row
from incidents.config import Config, spec_of, value_of
from incidents.configured import CONFIGURED
from incidents.entries import ENTRY, MEMBER
from incidents.fold import subject_of
from incidents.model import Source
from incidents.postmortem_revisions import REVISION
from incidents.receipts import delivery_id_of, receipt_of
from incidents.refusals import ConflictError, NotFoundError
from incidents.rules import DEFAULT_RULES
from incidents.statements import EVENT, READING, SIGHTING, SUPERSESSION
from incidents.timeline import Sentence
from incidents.views import incident_view, series
from incidents.views.incident_view import Asked
from incidents.views.view import IncidentView

MOST_EVENTS = 1_000_000
"""Most statements of one bundle: of each a few hundred bytes stay in memory while it is made."""
TOLD = 10_000
"""After how many statements it is said how far the gathering is."""
FETCHED = 5_000
"""How many narrow rows are fetched at once where they are read one by one."""


def gather(
    connection: sa.Connection,
    config: Config,
    incident: str,
    sentence: Sentence,
    room: Room,
    *,
    redaction: Redaction | None,
    tell: Callable[[str], None] = lambda _: None,
) -> Evidence:
    """The evidence of an incident, in files of the room; deliveries as they came where `redaction` is None.

    `tell` hears now and then how far it is. Raises NotFoundError, and ConflictError for an incident that is larger than
    a bundle can be.
    """
    entries, events = room.lines(), room.lines()
    found = Evidence(incident, instants.EPOCH, entries=entries, events=events, is_raw=redaction is None)
    told, linked = set[str](), set[str]()
    for row in entry_rows(connection, incident):
        entries.append(row)
        linked |= {subject_of(str(row["params"][key])) for key in ("occurrence", "link") if row["params"].get(key)}
        found.known_at = max(found.known_at, instants.parse(row["recorded_at"]) or instants.EPOCH)
        told |= {str(row["params"]["story"])} if row["params"].get("story") else set()
    if not len(entries):
        raise NotFoundError(f"there is no incident {incident[:80]}")
    last_said = sa.select(sa.func.max(EVENT.c.recorded_at)).where(_spoken_of(connection, incident, linked))
    found.known_at = max(found.known_at, connection.execute(last_said).scalar() or instants.EPOCH)
    view = incident_view.gather(connection, config, incident, Asked(found.known_at), sentence)
    if view is None:
        raise NotFoundError(f"there is no incident {incident[:80]}")
    about = _spoken_of(connection, incident, linked | {subject_of(bar.occurrence.id) for bar in view.bars})
    count = _checked_size(connection, about)
    first, repeats = set[int](), set[int]()
    for event in event_rows(connection, about):
        if len(events) % TOLD == 0:
            tell(f"gathering {len(events):,} of {count:,} statements")
        events.append(event)
        first.add(_number(event["delivery"]))
        repeats.update(map(_number, event["sightings"]))
    found.readings = _readings(connection, view, found.known_at)
    first.update(_number(row["delivery"]) for row in found.readings)
    found.postmortem = postmortem_rows(connection, incident)
    tell(f"gathering {len(first | repeats):,} deliveries")
    gather_deliveries(connection, found, room, redaction, (first, repeats - first))
    found.configuration = _configuration(connection, found, view, told)
    return found


def _number(receipt: str) -> int:
    number = delivery_id_of(receipt)
    assert number is not None, "receipts are made of numbers"
    return number


# --- entries and their members --------------------------------------------------------------------------------------


def entry_rows(connection: sa.Connection, incident: str) -> Iterator[Row]:
    """The entries of an incident in the order of its log, by their positions in it, each with its members."""
    positions: dict[int, int] = {}
    moved = _moved(connection, incident)
    ahead = next(moved, None)
    log = sa.select(ENTRY).where(ENTRY.c.incident_id == incident).order_by(ENTRY.c.id)
    for position, row in enumerate(_streamed(connection, log), 1):
        positions[row.id] = position
        joined: dict[bool, list[str]] = {True: [], False: []}
        while ahead is not None and ahead[0] < row.id:  # moved by an entry of another incident's log
            ahead = next(moved, None)
        if ahead is not None and ahead[0] == row.id:
            joined, ahead = ahead[1], next(moved, None)
        yield {
            "position": position,
            "kind": row.kind,
            "params": row.params,
            "actor": row.actor,
            "happened_at": instants.text(row.happened_at),
            "happened_until": _maybe_text(row.happened_until),
            "recorded_at": instants.text(row.recorded_at),
            "supersedes": positions.get(row.supersedes) if row.supersedes else None,
            "decision": row.decision,
            "joined": sorted(joined[True]),
            "left": sorted(joined[False]),
        }


def _moved(connection: sa.Connection, incident: str) -> Iterator[tuple[int, dict[bool, list[str]]]]:
    """Each entry that moved alerts, in the order of the log, with those that joined (True) and left."""
    query = sa.select(MEMBER).where(MEMBER.c.incident_id == incident).order_by(MEMBER.c.entry_id)
    for entry, rows in groupby(_streamed(connection, query), key=lambda row: row.entry_id):
        moved: dict[bool, list[str]] = {True: [], False: []}
        for row in rows:
            moved[bool(row.joined)].append(row.occurrence_id)
        yield entry, moved


def _streamed(connection: sa.Connection, query: sa.Select[Any]) -> sa.CursorResult[Any]:
    """The rows of a query as they come, and not all of them at once."""
    return connection.execute(query, execution_options={"stream_results": True, "yield_per": FETCHED})


def _maybe_text(at: datetime | None) -> str | None:
    return instants.text(at) if at else None


def postmortem_rows(connection: sa.Connection, incident: str) -> list[Row]:
    """Every revision of the incident's postmortem, in its order."""
    query = sa.select(REVISION).where(REVISION.c.incident_id == incident).order_by(REVISION.c.number)
    return [
        {
            "number": row.number,
            "author": row.author,
            "recorded_at": instants.text(row.recorded_at),
            "state": row.state,
            "words": row.words,
            "changed": row.changed,
            "snapshot": row.snapshot,
        }
        for row in connection.execute(query)
    ]


# --- events and readings --------------------------------------------------------------------------------------------


def _spoken_of(connection: sa.Connection, incident: str, others: Iterable[str]) -> sa.ColumnElement[bool]:
    """Whether a statement is about what ever was a member of the incident, or about one of other subjects."""
    members = sa.select(sa.func.substr(MEMBER.c.occurrence_id, 1, 32)).where(MEMBER.c.incident_id == incident)
    found: sa.ColumnElement[bool] = EVENT.c.subject.in_(members.union(_values(connection, sorted(others))))
    return found


def _values(connection: sa.Connection, texts: list[str]) -> sa.Select[Any]:
    """Texts as rows, in one parameter however many they are."""
    if connection.dialect.name == "sqlite":
        return sa.select(sa.func.json_each(orjson.dumps(texts).decode()).table_valued("value").c.value)
    return sa.select(sa.func.unnest(sa.cast(texts, sa.ARRAY(sa.Text))))


def _checked_size(connection: sa.Connection, about: sa.ColumnElement[bool]) -> int:
    count: int = connection.execute(sa.select(sa.func.count()).select_from(EVENT).where(about)).scalar_one()
    if count > MOST_EVENTS:
        raise ConflictError(f"{count} statements speak of this incident; a bundle holds at most {MOST_EVENTS}")
    return count


def event_rows(connection: sa.Connection, about: sa.ColumnElement[bool]) -> Iterator[Row]:
    """All statements that a condition names, superseded ones too, in the order of a bundle."""
    # Only the keys are put in order by the database: of a million whole rows SQLite would keep a gigabyte.
    order = (EVENT.c.recorded_at, EVENT.c.subject, EVENT.c.said_at, EVENT.c.digest)
    numbers = array("q", _streamed(connection, sa.select(EVENT.c.id).where(about).order_by(*order)).scalars())
    position = 0
    for start in range(0, len(numbers), CHUNK):
        part = numbers[start : start + CHUNK].tolist()
        rows = {row.id: row for row in connection.execute(_whole_events().where(EVENT.c.id.in_(part)))}
        sightings: dict[int, list[str]] = defaultdict(list)
        for seen in connection.execute(sa.select(SIGHTING).where(SIGHTING.c.event_id.in_(part))):
            sightings[seen.event_id].append(receipt_of(seen.delivery_id))
        for number in part:
            position += 1
            yield {**event_row(rows[number]), "position": position, "sightings": sorted(sightings[number])}


def _whole_events() -> sa.Select[Any]:
    return sa.select(
        EVENT, SUPERSESSION.c.recorded_at.label("gone_at"), SUPERSESSION.c.adapter.label("gone_by")
    ).outerjoin(SUPERSESSION, SUPERSESSION.c.event_id == EVENT.c.id)


def events_there(connection: sa.Connection, rows: Iterable[Row]) -> dict[tuple[str, str], Any]:
    """Those of these statements that are in the store, by subject and digest."""
    wanted = [(row["subject"], row["digest"]) for row in rows]
    if not wanted:
        return {}
    # By a join: for a list of pairs SQLite goes through the whole index, each time.
    one = listed(connection, *zip(*wanted, strict=True))
    is_one = sa.and_(EVENT.c.subject == one.c.a, EVENT.c.digest == one.c.b)
    numbers = connection.execute(sa.select(EVENT.c.id).select_from(one.join(EVENT, is_one))).scalars()
    found = connection.execute(_whole_events().where(EVENT.c.id.in_(numbers.all())))
    return {(row.subject, row.digest): row for row in found}


def event_row(row: Any) -> Row:  # noqa: ANN401  # a row of EventRow's columns
    """A statement as a bundle tells it, but for where it stands and who repeated it."""
    gone = {"recorded_at": instants.text(row.gone_at), "adapter": row.gone_by} if row.gone_by is not None else None
    return {
        "position": 0,
        "subject": row.subject,
        "digest": row.digest,
        "source": row.source,
        "said_at": instants.text(row.said_at),
        "recorded_at": instants.text(row.recorded_at),
        "delivery": receipt_of(row.delivery_id),
        "adapter": row.adapter,
        "statement": orjson.loads(row.statement),
        "superseded": gone,
        "sightings": [],
    }


def reading_row(row: Any) -> Row:  # noqa: ANN401  # a row of ReadingRow's columns
    """A reading as a bundle tells it."""
    return {
        "digest": row.digest,
        "source": row.source,
        "variable": row.variable,
        "at": instants.text(row.at),
        "value": row.value,
        "latitude": row.latitude,
        "longitude": row.longitude,
        "station": row.station,
        "provisional": bool(row.provisional),
        "basis": row.basis,
        "credit": row.credit,
        "grid_area": row.grid_area,
        "recorded_at": instants.text(row.recorded_at),
        "delivery": receipt_of(row.delivery_id),
    }


def _readings(connection: sa.Connection, view: IncidentView, known_at: datetime) -> list[Row]:
    """The readings behind the curves of a view, revised ones too."""
    found: dict[str, Row] = {}
    for shown in view.series:
        if not shown.points:
            continue
        query = sa.select(READING).where(
            READING.c.variable == shown.variable,
            READING.c.basis == shown.basis,
            READING.c.at.between(shown.points[0].at, shown.points[-1].at),
            READING.c.recorded_at <= known_at,
        )
        for row in connection.execute(query):
            if shown.station == (row.grid_area or series.station_of(row)):
                found[row.digest] = reading_row(row)
    return [found[name] for name in sorted(found)]


# --- configuration --------------------------------------------------------------------------------------------------


def _configuration(connection: sa.Connection, found: Evidence, view: IncidentView, stories: set[str]) -> list[Row]:
    """The sites, sources and rules concerned, and the story that was played."""
    wanted = {("site", site.name) for site in view.sites}
    wanted |= {("source", name) for name in sources_in(found)}
    wanted |= {("rule", name) for row in found.entries if (name := _rule_of(row["actor"]))}
    wanted |= {("story", name) for name in stories}
    specs = {(row.kind, row.name): row.spec for row in connection.execute(sa.select(CONFIGURED))}
    specs = {("rule", rule.name): spec_of(rule) for rule in DEFAULT_RULES} | specs
    return [
        {"kind": kind, "name": name, "spec": _told(kind, specs[kind, name])}
        for kind, name in sorted(wanted & set(specs))
    ]


def _rule_of(actor: str) -> str | None:
    return actor.removeprefix("rule:").rpartition("@")[0] if actor.startswith("rule:") else None


def _told(kind: str, spec: Row) -> Row:
    """A row as it is carried: of a source only what its deliveries are read with."""
    if kind != "source":
        return spec
    source = value_of(kind, spec)
    assert isinstance(source, Source)
    return spec_of(Source(name=source.name, adapter=source.adapter, timezone=source.timezone, mapping=source.mapping))
