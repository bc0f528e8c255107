"""What a bundle holds, as rows that were checked: deliveries, events, entries, readings, configuration. Pure.

Rows are JSON as it is written, each of a known shape; nothing in them comes from a database's own numbering.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import orjson

from incidents import bundle, instants
from incidents.bundle import MANIFEST, BundleError, digest
from incidents.config import site_of, source_of, spec_of, value_of
from incidents.fold import subject_id, subject_of
from incidents.model import Severity

FORMAT, VERSION = "barograph-evidence", 1
README = "readme.txt"
BODIES = "evidence/bodies/"
DERIVED = ("derived/figure.json", "derived/figure.svg", "derived/links.json", "derived/timeline.json")
WORDS = b"""This is the evidence of one incident, written by Barograph.

manifest.json    what it is, and the size and SHA-256 of every member
evidence/        the record: deliveries and their bodies, what was read in them, decisions, readings, configuration.
                 Each line of a .jsonl file carries the SHA-256 of the line before it.
derived/         made of the evidence alone, for reading: timeline, links, chart. Gaps of feeds are not told here.

The comment at the end of the archive holds the SHA-256 of all bytes before the digest. To check it:

    barograph verify FILE
    head -c -64 FILE | sha256sum; tail -c 64 FILE

Whoever changes the file can write a new digest: keep the digest where they cannot reach it.
"""
_MOST_INTEGER = (1 << 63) - 1
_KINDS = ("alert", "hazard", "provider_incident", "change")
_BASES = ("observed", "modelled", "reconstructed")
_STATES = ("read", "quarantined")

Row = dict[str, Any]
Check = Callable[[Any], bool]


# --- shapes ---------------------------------------------------------------------------------------------------------

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


def instant_of(text: str) -> datetime:
    """The inverse of `instants.text`. Raises ValueError for any other form."""
    if not _INSTANT.fullmatch(text):
        raise ValueError("an instant in UTC with six fractional digits is expected")
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)


def _instant(value: Any) -> bool:  # noqa: ANN401  # JSON
    try:
        return isinstance(value, str) and instants.text(instant_of(value)) == value
    except ValueError:
        return False


def _text(value: Any) -> bool:  # noqa: ANN401  # JSON
    return isinstance(value, str)


def _flag(value: Any) -> bool:  # noqa: ANN401  # JSON
    return isinstance(value, bool)


def _count(value: Any) -> bool:  # noqa: ANN401  # JSON
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_INTEGER


def _number(value: Any) -> bool:  # noqa: ANN401  # JSON
    return isinstance(value, int | float) and not isinstance(value, bool)


def _object(value: Any) -> bool:  # noqa: ANN401  # JSON
    return isinstance(value, dict)


def _texts(value: Any) -> bool:  # noqa: ANN401  # JSON
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _hex(length: int) -> Check:
    pattern = re.compile(f"[0-9a-f]{{{length}}}", re.ASCII)
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _receipt(value: Any) -> bool:  # noqa: ANN401  # JSON
    return _hex(16)(value) and int(value, 16) <= _MOST_INTEGER


def _maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _one_of(names: Sequence[str]) -> Check:
    return lambda value: isinstance(value, str) and value in names


def _listed(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _shaped(fields: Mapping[str, Check]) -> Check:
    return lambda value: (
        isinstance(value, dict) and list(value) == list(fields) and all(c(value[n]) for n, c in fields.items())
    )


def _occurrence(value: Any) -> bool:  # noqa: ANN401  # JSON
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}(-[0-9a-f]{12})?", value) is not None


STAMP: Mapping[str, Check] = {
    "state": _one_of(_STATES),
    "reason": _maybe(_text),
    "adapter": _text,
    "adapter_version": _count,
    "stamped_at": _instant,
    "events": _count,
    "readings": _count,
    "losses": _count,
    "loss_reason": _maybe(_text),
    "test": _flag,
}
LINES: Mapping[str, Mapping[str, Check]] = {
    "evidence/configuration.jsonl": {
        "kind": _one_of(("rule", "site", "source", "story")),
        "name": _text,
        "spec": _object,
    },
    "evidence/deliveries.jsonl": {
        "receipt": _receipt,
        "source": _text,
        "received_at": _instant,
        "headers": _texts,
        "size": _count,
        "sha256": _hex(64),
        "refused": _maybe(_text),
        "encoding": _text,
        "body": _maybe(_hex(64)),
        "redacted": _flag,
        "stamp": _maybe(_shaped(STAMP)),
    },
    "evidence/entries.jsonl": {
        "position": _count,
        "kind": _text,
        "params": _object,
        "actor": _text,
        "happened_at": _instant,
        "happened_until": _maybe(_instant),
        "recorded_at": _instant,
        "supersedes": _maybe(_count),
        "decision": _maybe(_text),
        "joined": _listed(_occurrence),
        "left": _listed(_occurrence),
    },
    "evidence/events.jsonl": {
        "position": _count,
        "subject": _hex(32),
        "digest": _hex(64),
        "source": _text,
        "said_at": _instant,
        "recorded_at": _instant,
        "delivery": _receipt,
        "adapter": _text,
        "statement": _object,
        "superseded": _maybe(_shaped({"recorded_at": _instant, "adapter": _text})),
        "sightings": _listed(_receipt),
    },
    "evidence/readings.jsonl": {
        "digest": _hex(64),
        "source": _text,
        "variable": _text,
        "at": _instant,
        "value": _number,
        "latitude": _maybe(_number),
        "longitude": _maybe(_number),
        "station": _maybe(_text),
        "provisional": _flag,
        "basis": _one_of(_BASES),
        "credit": _maybe(_text),
        "grid_area": _maybe(_text),
        "recorded_at": _instant,
        "delivery": _receipt,
    },
}
"""The members that hold lines, and the fields of a line in their order, each with what it must be."""

SOURCE_FIELDS = frozenset({"name", "adapter", "timezone", "mapping"})
"""What is told of a source: what its deliveries are read with, and nothing that would have it asked again."""
_STATEMENT: Mapping[str, Check] = {
    "key": _text,
    "kind": _one_of(_KINDS),
    "title": _text,
    "severity": _one_of([severity.value for severity in Severity]),
    "labels": _texts,
    "starts_at": _instant,
    "starts_until": _instant,
    "ends_at": _instant,
    "ends_assumed": _flag,
    "ends_expected": _flag,
    "final": _flag,
    "test": _flag,
    "url": _text,
    "text": _text,
    "group": _text,
    "event": _text,
    "area": _object,
    "posts": _listed(lambda post: isinstance(post, list) and len(post) == 2 and _instant(post[0]) and _text(post[1])),
}
_SAID_ALWAYS = ("key", "kind", "title", "severity", "labels")
_AREA: Mapping[str, Check] = {
    "geometry": _object,
    "latitude": _number,
    "longitude": _number,
    "radius_km": _number,
    "regions": _listed(_text),
    "zones": _listed(_text),
    "grid_areas": _listed(_text),
}


# --- the evidence ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Evidence:
    """The record of one incident. `known_at` is the last thing known of it: derived members show that moment."""

    incident: str
    known_at: datetime
    configuration: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    readings: list[Row] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    """By their own SHA-256, hex."""
    is_raw: bool = False

    def rows(self, member: str) -> list[Row]:
        """The rows of one of the members of `LINES`."""
        found: list[Row] = getattr(self, member.removeprefix("evidence/").removesuffix(".jsonl"))
        return found

    def counts(self) -> dict[str, int]:
        """How many lines and bodies there are, by what they are."""
        return {
            "bodies": len(self.bodies),
            **{member.removeprefix("evidence/").removesuffix(".jsonl"): len(self.rows(member)) for member in LINES},
        }


def members_of(evidence: Evidence, summary: Mapping[str, Any], revision: str, derived: Mapping[str, bytes]) -> bytes:
    """The whole bundle. `summary` is what the manifest says of the incident, `derived` what was made of it all."""
    members: dict[str, bytes] = {README: WORDS, **derived}
    members |= {f"{BODIES}{name}": content for name, content in evidence.bodies.items()}
    last = {}
    for member in LINES:
        members[member], last[member] = bundle.write_lines(evidence.rows(member))
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "incident": {"id": evidence.incident, **summary},
        "revision": revision,
        "known_at": instants.text(evidence.known_at),
        "bodies": "raw" if evidence.is_raw else "redacted",
        "counts": evidence.counts(),
        "schema": {member: ["previous", *fields] for member, fields in LINES.items()},
        "members": [
            {"name": n, "bytes": len(members[n]), "sha256": digest(members[n])}
            | ({"last": last[n]} if n in last else {})
            for n in sorted(members)
        ],
    }
    members[MANIFEST] = orjson.dumps(manifest)
    return bundle.write(members)


def read(content: bytes) -> tuple[Evidence, dict[str, bytes]]:
    """The evidence of a bundle, checked line by line, and its derived members. Raises BundleError."""
    members = bundle.read(content)
    manifest = _manifest(members)
    try:
        found = Evidence(str(manifest["incident"]["id"]), instant_of(str(manifest["known_at"])))
    except (LookupError, TypeError, ValueError):
        raise BundleError(f"{MANIFEST}: names no incident, or no moment of knowledge") from None
    found.is_raw = manifest.get("bodies") == "raw"
    for member, fields in LINES.items():
        for number, row in enumerate(bundle.read_lines(member, members.get(member, b"")), 1):
            _check_fields(f"{member}, line {number}", row, fields)
            found.rows(member).append(row)
    found.bodies = {n.removeprefix(BODIES): content for n, content in members.items() if n.startswith(BODIES)}
    check(found)
    if manifest.get("counts") != found.counts():
        raise BundleError(f"{MANIFEST}: counts other lines than there are")
    return found, {name: members[name] for name in DERIVED}


def _manifest(members: Mapping[str, bytes]) -> Row:
    if MANIFEST not in members:
        raise BundleError(f"it has no {MANIFEST}")
    found = bundle.read_object(MANIFEST, members[MANIFEST])
    if found.get("format") != FORMAT:
        raise BundleError(f"{MANIFEST}: the format is not {FORMAT}")
    if found.get("version") != VERSION:
        raise BundleError(f"{MANIFEST}: version {str(found.get('version'))[:20]} is not known here; {VERSION} is")
    listed = found.get("members")
    rows = listed if isinstance(listed, list) else []
    told = {row["name"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)}
    for name in sorted({*told, *members} - {MANIFEST}):
        if name not in members or name not in told:
            raise BundleError(f"{MANIFEST}: the member {name[:80]} is {'not there' if name in told else 'not listed'}")
        if told[name].get("sha256") != digest(members[name]) or told[name].get("bytes") != len(members[name]):
            raise BundleError(f"the member {name} is not what {MANIFEST} says of it")
        if name not in LINES and name not in DERIVED and name != README and not name.startswith(BODIES):
            raise BundleError(f"the member {name} is of no kind that is known here")
    for name in (*LINES, *DERIVED):
        if name not in members:
            raise BundleError(f"the member {name} is missing")
    return found


def _check_fields(where: str, row: Row, fields: Mapping[str, Check]) -> None:
    if list(row) != list(fields):
        raise BundleError(f"{where}: other fields than {', '.join(fields)}")
    for name, is_right in fields.items():
        if not is_right(row[name]):
            raise BundleError(f"{where}: {name}: {str(row[name])[:60]!r} is not of the kind expected")


# --- what the rows say of each other --------------------------------------------------------------------------------


def check(evidence: Evidence) -> None:
    """Raises BundleError where rows are out of order, said twice, or speak of what is not there."""
    _check_order("deliveries", [row["receipt"] for row in evidence.deliveries])
    _check_order("events", [event_place(row) for row in evidence.events])
    _check_order("readings", [row["digest"] for row in evidence.readings])
    _check_order("configuration", [(row["kind"], row["name"]) for row in evidence.configuration])
    _check_deliveries(evidence)
    for number, row in enumerate(evidence.events, 1):
        _check_event(number, row)
    if len({(row["subject"], row["digest"]) for row in evidence.events}) != len(evidence.events):
        raise BundleError("evidence/events.jsonl: a statement is there twice")
    _check_entries(evidence)
    for number, row in enumerate(evidence.configuration, 1):
        _check_configured(f"evidence/configuration.jsonl, line {number}", row)


def event_place(row: Row) -> tuple[str, ...]:
    """Where an event stands in a bundle: by when it was recorded, then by what tells it from all others."""
    return row["recorded_at"], row["subject"], row["said_at"], row["digest"]


def _check_order(name: str, places: Sequence[Any]) -> None:
    for number, (a, b) in enumerate(pairwise(places), 2):
        if not a < b:
            raise BundleError(f"evidence/{name}.jsonl, line {number}: is out of order, or there twice")


def _check_deliveries(evidence: Evidence) -> None:
    for name, content in evidence.bodies.items():
        if digest(content) != name:
            raise BundleError(f"{BODIES}{name}: is not of this digest")
    used = {row["body"] for row in evidence.deliveries} - {None}
    if used != set(evidence.bodies):
        raise BundleError(f"{BODIES}{min(used ^ set(evidence.bodies))}: a body without its delivery, or the reverse")
    for number, row in enumerate(evidence.deliveries, 1):
        if row["redacted"] != (row["body"] is not None and row["body"] != row["sha256"]):
            raise BundleError(f"evidence/deliveries.jsonl, line {number}: its body is not the one that came")


def _check_event(number: int, row: Row) -> None:
    where, said = f"evidence/events.jsonl, line {number}", row["statement"]
    if row["position"] != number:
        raise BundleError(f"{where}: position: {number} is expected")
    if row["sightings"] != sorted(set(row["sightings"])):
        raise BundleError(f"{where}: sightings: are out of order, or there twice")
    for name in _SAID_ALWAYS:
        if name not in said:
            raise BundleError(f"{where}: statement: {name} is missing")
    _check_known(f"{where}: statement", said, _STATEMENT)
    _check_known(f"{where}: area", said.get("area", {}), _AREA)
    if row["subject"] != subject_id(row["source"], said["key"]):
        raise BundleError(f"{where}: subject: is not the one that its source and key name")


def _check_known(where: str, row: Row, fields: Mapping[str, Check]) -> None:
    for name, value in row.items():
        if name not in fields:
            raise BundleError(f"{where}: {name[:40]!r} is not known here")
        if not fields[name](value):
            raise BundleError(f"{where}: {name}: {str(value)[:60]!r} is not of the kind expected")


def _check_entries(evidence: Evidence) -> None:
    subjects = {row["subject"] for row in evidence.events}
    for number, row in enumerate(evidence.entries, 1):
        where = f"evidence/entries.jsonl, line {number}"
        if row["position"] != number:
            raise BundleError(f"{where}: position: {number} is expected")
        if row["supersedes"] is not None and not 0 < row["supersedes"] < number:
            raise BundleError(f"{where}: supersedes: an earlier line is expected")
        moved = row["joined"] + row["left"]
        if row["joined"] != sorted(set(row["joined"])) or row["left"] != sorted(set(row["left"])):
            raise BundleError(f"{where}: its members are out of order, or there twice")
        if len(set(moved)) != len(moved):
            raise BundleError(f"{where}: an alert joined and left at once")
        if missing := {subject_of(name) for name in moved} - subjects:
            raise BundleError(f"{where}: nothing is said of its member {min(missing)}")
    if not any(row["kind"] == "opened" for row in evidence.entries):
        raise BundleError("evidence/entries.jsonl: the incident was never opened")


def _check_configured(where: str, row: Row) -> None:
    """A site, source or rule that can be configured here, written as `spec_of` writes it."""
    kind, spec = row["kind"], row["spec"]
    try:
        if kind == "story":
            is_right = set(spec) == {"title", "provenance"} and all(map(_text, spec.values()))
        else:
            _judge(kind, spec)
            is_right = spec.get("name") == row["name"] and spec_of(value_of(kind, spec)) == spec
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise BundleError(f"{where}: {error}") from None
    if not is_right:
        raise BundleError(f"{where}: spec: is not one of a {kind}")


def _judge(kind: str, spec: Row) -> None:
    """What the configuration's own readers say of a site or a source. Raises ValueError."""
    if kind == "site":
        site_of({name: value for name, value in spec.items() if name not in ("located_by", "timezone_by")})
    elif kind == "source":
        if not set(spec) <= SOURCE_FIELDS:
            raise ValueError("spec: a source's address, interval and secrets are not carried")
        source_of(spec, [str(spec.get("adapter"))])


def sources_in(evidence: Evidence) -> set[str]:
    """The names of the sources that anything was heard from."""
    rows: Iterable[Row] = (*evidence.deliveries, *evidence.events, *evidence.readings)
    return {row["source"] for row in rows}
