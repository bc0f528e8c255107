"""Past incidents from elsewhere as a story: the history of a Statuspage, or a table with a mapping. Pure.

Nobody recorded them here at the time, so all of an incident is recorded when it was over, in the order in which it
happened; each entry keeps its own time. What could not be carried over is listed, never dropped in silence.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import orjson

from incidents import instants

MOST_BYTES = 64 * 1024 * 1024
MOST = 20_000
"""Most incidents of one file."""
FIELDS = (
    "title", "started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at", "severity", "note",
)  # fmt: skip
"""What a mapping may name; a title and a start must be there."""
_SEVERITIES = {
    **dict.fromkeys(("critical", "major_outage", "p1", "sev1", "1"), "critical"),
    **dict.fromkeys(("major", "error", "high", "p2", "sev2", "2"), "error"),
    **dict.fromkeys(("minor", "warning", "medium", "p3", "sev3", "3"), "warning"),
    **dict.fromkeys(("none", "maintenance", "info", "low", "p4", "sev4", "4"), "info"),
}
_STATUSES = {"identified": "acknowledged", "monitoring": "mitigated", "resolved": "resolved"}
_RANKS = {"open": 0, "acknowledged": 1, "mitigated": 2, "resolved": 3}
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905 - reads better
_STAMP = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d\d:\d\d)(?: - (?:([A-Z][a-z]{2}) (\d{1,2}), )?(\d\d:\d\d))? (\S+)")


@dataclass(slots=True)
class Made:
    """A story, how many incidents are in it, and what of the file is not."""

    story: dict[str, Any]
    incidents: int = 0
    left_out: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Past:
    title: str
    severity: str
    started_at: datetime
    acts: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)


def of_statuspage(content: bytes) -> Made:
    """The story of `/api/v2/incidents.json` or of the history page's `history.json`. Raises ValueError for neither."""
    document = _document(content)
    made = _empty("History of a status page")
    found: list[_Past] = []
    if isinstance(document.get("incidents"), list):
        for number, one in enumerate(document["incidents"][:MOST], 1):
            found += _each(made, f"incident {number}", one, _of_api)
        _count_rest(made, len(document["incidents"]))
    elif isinstance(document.get("months"), list):
        for month in document["months"]:
            rows = month.get("incidents") if isinstance(month, dict) else None
            year = month.get("year") if isinstance(month, dict) else None
            for one in rows if isinstance(rows, list) else []:
                where = f"incident {str(one.get('code', '?'))[:40] if isinstance(one, dict) else '?'}"
                found += _each(made, where, one, lambda row, left, year=year: _of_history(row, year, left))
    else:
        raise ValueError("neither incidents nor months: not the history of a Statuspage")  # noqa: TRY004  # bad content
    return _told(made, found)


def of_csv(content: bytes, mapping: Mapping[str, str], *, zone: str = "UTC") -> Made:
    """The story of a table with a header row. `mapping` names the column of each field; `zone` is that of bare times.

    Raises ValueError for a mapping or a table that cannot be used.
    """
    _check_mapping(mapping)
    try:
        text = content[:MOST_BYTES].decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("the table is not UTF-8") from None
    reader = csv.DictReader(io.StringIO(text.replace("\0", ""), newline=""), strict=True)
    made = _empty("Incidents of a table")
    found: list[_Past] = []
    try:
        columns = list(reader.fieldnames or ())
        for name, column in mapping.items():
            if column not in columns:
                raise ValueError(f"{name}: there is no column {column[:60]!r}; there are {', '.join(columns)[:300]}")
        rows = list(reader)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None
    for number, row in enumerate(rows[:MOST], 2):
        found += _each(made, f"row {number}", row, lambda one, left: _of_row(one, mapping, zone, left))
    _count_rest(made, len(rows))
    for column in columns:
        filled = sum(bool(row.get(column)) for row in rows)
        if column not in mapping.values() and filled:
            made.left_out.append(f"column {column[:60]!r} is not mapped: {filled} cells")
    return _told(made, found)


def _check_mapping(mapping: Mapping[str, str]) -> None:
    unknown = sorted(set(mapping) - set(FIELDS))
    if unknown:
        raise ValueError(f"{unknown[0][:60]!r} is none of {', '.join(FIELDS)}")
    for name in ("title", "started_at"):
        if name not in mapping:
            raise ValueError(f"{name}: the mapping must name its column")


def _document(content: bytes) -> dict[str, Any]:
    if len(content) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES} bytes")
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError("an object is expected")  # noqa: TRY004  # told as bad content
    return found


def _empty(title: str) -> Made:
    return Made({
        "title": title,
        "provenance": "Brought over from elsewhere. Times are the file's; each incident was recorded when it was over.",
        "sites": [],
        "sources": [],
        "rules": [],
        "deliveries": [],
        "actions": [],
    })  # fmt: skip


def _count_rest(made: Made, total: int) -> None:
    if total > MOST:
        made.left_out.append(f"{total - MOST} incidents beyond the first {MOST}")


def _each(made: Made, where: str, row: Any, read: Any) -> Iterator[_Past]:  # noqa: ANN401  # JSON and one of the readers
    """The incident of a row; one that cannot be read is listed with the reason."""
    left: list[str] = []
    try:
        if not isinstance(row, dict):
            raise ValueError("an object is expected")  # noqa: TRY301, TRY004  # told like the others
        past = read(row, left)
    except (ValueError, OverflowError) as error:
        made.left_out.append(f"{where}: {error}")
        return
    made.left_out += [f"{where}: {each}" for each in left]
    yield past


def _of_api(row: Mapping[str, Any], left: list[str]) -> _Past:
    started = _instant(row, "started_at") or _instant(row, "created_at")
    past = _past(row.get("name"), row.get("impact"), started)
    updates = row.get("incident_updates")
    for update in updates if isinstance(updates, list) else []:
        at = _instant(update, "display_at") or _instant(update, "created_at") if isinstance(update, dict) else None
        if at is None:
            left.append("an update without a time")
            continue
        past.acts += _acts_of(at, str(update.get("status", "")), _text(update.get("body")))
    resolved = _instant(row, "resolved_at")
    if resolved and not any(do.get("status") == "resolved" for _, do in past.acts):
        past.acts.append((resolved, {"status": "resolved"}))
    _list_lost(row, left, ("components", "postmortem_body", "scheduled_for", "reminder_intervals"))
    return past


def _of_history(row: Mapping[str, Any], year: object, left: list[str]) -> _Past:
    """A row of `history.json`: its times are words for people, in the page's zone and without a year."""
    said = re.sub(r"<[^>]{0,80}>", "", str(row.get("timestamp", "")))[:120]
    found = _STAMP.fullmatch(unescape(said).strip())
    if found is None or not isinstance(year, int):
        raise ValueError(f"its times cannot be read: {said!r}")
    month, day, begun, end_month, end_day, ended, zone = found.groups()
    if zone != "UTC":
        raise ValueError(f"its times are in {zone[:20]}, which names no offset; ask the page for UTC")
    since = _clock(year, month, day, begun)
    past = _past(row.get("name"), row.get("impact"), since)
    if ended:
        until = _clock(year, end_month or month, end_day or day, ended)
        # An incident that ends in an earlier month ended in the year that followed.
        until = until if until >= since else _clock(year + 1, end_month or month, end_day or day, ended)
        past.acts += _acts_of(until, "resolved", _text(row.get("message")))
    elif row.get("message"):
        past.acts += _acts_of(since, "", _text(row.get("message")))
    left.append("its updates: the history page has only the last one")
    return past


def _clock(year: int, month: str, day: str, clock: str) -> datetime:
    if month.lower() not in _MONTHS:
        raise ValueError(f"{month!r} is no month")
    at = instants.parse(f"{year:04}-{_MONTHS.index(month.lower()) + 1:02}-{int(day):02}T{clock}:00Z")
    assert at is not None
    return at


def _of_row(row: Mapping[str, Any], mapping: Mapping[str, str], zone: str, left: list[str]) -> _Past:
    def cell(name: str) -> str:
        value = row.get(mapping.get(name, ""))
        return value.strip() if isinstance(value, str) else ""

    def at(name: str) -> datetime | None:
        try:
            return instants.parse(cell(name), zone=zone) if cell(name) else None
        except ValueError:
            if name == "started_at":
                raise ValueError(f"{name}: {cell(name)[:60]!r} is no time") from None
            left.append(f"{name}: {cell(name)[:60]!r} is no time")
            return None

    past = _past(cell("title"), cell("severity"), at("started_at"))
    if cell("severity") and past.severity == "unknown":
        left.append(f"severity: {cell('severity')[:40]!r} is none that is known")
    for status in ("acknowledged", "mitigated", "resolved"):
        when = at(f"{status}_at")
        if when:
            past.acts.append((when, {"status": status}))
    detected = at("detected_at")
    if detected:
        past.acts.append((detected, {"patch": {"detected_at": instants.text(detected)}}))
    if cell("note"):
        past.acts.append((past.started_at, {"text": _text(cell("note"))}))
    return past


def _past(title: object, severity: object, started: datetime | None) -> _Past:
    name = " ".join(_text(title).split())[:300]
    if not name:
        raise ValueError("it has no title")
    if started is None:
        raise ValueError("it does not say when it began")
    return _Past(
        name, _SEVERITIES.get(str(severity or "").strip().lower().replace("-", "").replace(" ", ""), "unknown"), started
    )


def _acts_of(at: datetime, status: str, body: str) -> list[tuple[datetime, dict[str, Any]]]:
    acts: list[tuple[datetime, dict[str, Any]]] = [(at, {"text": body})] if body else []
    return [*acts, *([(at, {"status": _STATUSES[status]})] if status in _STATUSES else [])]


def _list_lost(row: Mapping[str, Any], left: list[str], names: Iterable[str]) -> None:
    left += [f"{name.replace('_', ' ')} are not carried over" for name in names if row.get(name)]


def _instant(row: Mapping[str, Any], name: str) -> datetime | None:
    value = row.get(name)
    return instants.parse(value, zone="UTC") if isinstance(value, str) and value else None


def _text(value: object) -> str:
    """A text without markup of a page and without what no entry may hold."""
    plain = unescape(re.sub(r"<[^<>]{0,400}>", " ", value)) if isinstance(value, str) else ""
    kept = "".join(c for c in plain if c in "\n\t" or (c.isprintable() and not "\ud800" <= c <= "\udfff"))
    return kept.strip()[:9000]


def _told(made: Made, found: list[_Past]) -> Made:
    """The story of these incidents, one after the other, so that each action speaks of the latest."""
    over: datetime | None = None
    for past in sorted(found, key=_last):
        begun = max(_last(past), over + timedelta(seconds=1)) if over else _last(past)
        opened = {"title": past.title, "severity": past.severity, "impact_started_at": instants.text(past.started_at)}
        steps = [{"open": opened}, *_in_order(past)]
        for number, do in enumerate(steps):
            at = begun + timedelta(milliseconds=number)
            made.story["actions"].append(
                {"at": instants.text(at), "actor": "user:import", "incident": "latest", "do": do}
            )
        over = begun + timedelta(milliseconds=len(steps))
        made.incidents += 1
    return made


def _last(past: _Past) -> datetime:
    return max([past.started_at, *(at for at, _ in past.acts)])


def _in_order(past: _Past) -> Iterator[dict[str, Any]]:
    """What happened in its order; a status that was reached before is not set again."""
    reached = 0
    for at, do in sorted(past.acts, key=lambda act: act[0]):
        if "patch" in do:
            yield do
            continue
        if "status" in do:
            if _RANKS[do["status"]] <= reached:
                continue
            reached = _RANKS[do["status"]]
        yield {**do, "happened_at": instants.text(max(at, past.started_at))}
