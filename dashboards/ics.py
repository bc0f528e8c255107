"""Incidents and the actions of postmortems as calendars: iCalendar, RFC 5545, in UTC, equal for equal records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from dashboards import words
from incidents import measurements
from incidents.model import Incident

_OCTETS = 75
"""Most bytes of a line, its end not counted."""
_TITLE, _TEXT = 200, 4000
_OLDEST = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
_UTC_ZONE = (
    "BEGIN:VTIMEZONE", "TZID:UTC", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0000",
    "TZOFFSETTO:+0000", "END:STANDARD", "END:VTIMEZONE",
)  # fmt: skip
"""What stands in a calendar without events: one without any component is against the RFC."""


def of_incidents(incidents: Iterable[Incident], *, address: Callable[[Incident], str] = lambda _: "") -> bytes:
    """One event for each incident: from its beginning to when it was resolved, without an end where it is not."""
    return _calendar(line for each in incidents for line in _event(each, address(each)))


def of_actions(
    incident: str, title: str, actions: Sequence[Mapping[str, Any]], *, at: datetime | None, address: str = ""
) -> bytes:
    """One to-do for each action of a postmortem, due on its day; `at` is when its words were recorded."""
    seen: dict[str, int] = {}
    lines: list[str] = []
    for action in actions:
        seen[action["text"]] = seen.get(action["text"], -1) + 1
        uid = f"action-{_digest(incident, action['text'], seen[action['text']])}@barograph"
        lines += _todo(action, uid, (incident, title), at=at or _OLDEST, address=address)
    return _calendar(lines)


def uid_of(incident: str) -> str:
    """The name of an incident's event: the same in every export of every instance that holds the incident."""
    return f"incident-{re.sub(r'[^A-Za-z0-9-]', '-', incident)}@barograph"


def _event(incident: Incident, address: str) -> Iterator[str]:
    begun = words.began(incident).at
    ended = incident.resolved_at and (incident.resolved_at.until or incident.resolved_at.at)
    yield "BEGIN:VEVENT"
    yield _line("UID", uid_of(incident.id))
    yield _line("DTSTAMP", _utc(_known_at(incident)))
    yield _line("SEQUENCE", str(incident.version))
    yield _line("DTSTART", _utc(begun))
    if ended and _utc(ended) > _utc(begun):
        yield _line("DTEND", _utc(ended))
    yield _line("SUMMARY", _text(incident.title, _TITLE) or incident.id)
    yield _line("DESCRIPTION", "\\n".join(_text(each, _TEXT) for each in _facts(incident)))
    if incident.sites:
        yield _line("LOCATION", _text(", ".join(incident.sites), _TITLE))
    yield _line("CATEGORIES", f"incident,{incident.severity},{incident.status}")
    yield from _url(address)
    yield "STATUS:CONFIRMED"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _facts(incident: Incident) -> list[str]:
    standing = f"Incident {incident.id}: {incident.status}, {incident.severity}"
    measured = measurements.measure(incident)
    lengths = [f"{words.called(each.name).capitalize()}: {words.measured(each)}" for each in measured]
    return [standing, words.count(incident.members.alerts, "alert"), *lengths]


def _known_at(incident: Incident) -> datetime:
    """The latest instant that the incident speaks of: there is no time of export in it, so equal records are equal."""
    known = (incident.impact_started_at, incident.detected_at, incident.acknowledged_at, incident.mitigated_at)
    moments = [moment.at for moment in (*known, incident.resolved_at) if moment]
    return max([incident.recorded_at, incident.opened_at, *moments])


def _todo(action: Mapping[str, Any], uid: str, of: tuple[str, str], *, at: datetime, address: str) -> Iterator[str]:
    incident, title = of
    told = [f"Action of the postmortem of incident {incident}", title]
    if action.get("owner"):
        told.append(f"Owner: {action['owner']}")
    yield "BEGIN:VTODO"
    yield _line("UID", uid)
    yield _line("DTSTAMP", _utc(at))
    yield _line("SUMMARY", _text(action["text"], _TITLE))
    yield _line("DESCRIPTION", "\\n".join(_text(each, _TEXT) for each in (action["text"], *told)))
    if action.get("due"):
        yield _line("DUE;VALUE=DATE", date.fromisoformat(action["due"]).strftime("%Y%m%d"))
    yield _line("RELATED-TO", uid_of(incident))
    yield from _url(address)
    yield "STATUS:COMPLETED" if action.get("done") else "STATUS:NEEDS-ACTION"
    yield f"PERCENT-COMPLETE:{100 if action.get('done') else 0}"
    yield "END:VTODO"


def _calendar(lines: Iterable[str]) -> bytes:
    body = list(lines) or list(_UTC_ZONE)
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Barograph//Barograph//EN", "CALSCALE:GREGORIAN")
    return "".join(f"{line}\r\n" for line in (*head, *body, "END:VCALENDAR")).encode()


def _url(address: str) -> Iterator[str]:
    """The address, where it is one of the web: a URI is not escaped, so it may hold nothing that ends a line."""
    if re.fullmatch(r"https?://[!-~]{1,2000}", address):
        yield _line("URL", address)


def _text(text: str, limit: int) -> str:
    """A stranger's text as a value of the type TEXT."""
    return words.plain(text, limit).translate(_ESCAPED)


def _line(name: str, value: str) -> str:
    """A content line, folded so that no piece is longer than 75 bytes and no character is cut."""
    pieces: list[bytes] = []
    piece = b""
    for character in f"{name}:{value}":
        coded = character.encode("utf-8", "ignore")
        # The space that a continued line begins with counts as one of its bytes.
        if len(piece) + len(coded) > _OCTETS - bool(pieces):
            pieces.append(piece)
            piece = b""
        piece += coded
    return "\r\n ".join(each.decode() for each in (*pieces, piece))


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ").rjust(16, "0")


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:24]
