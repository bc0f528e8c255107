"""What a bundle holds, as rows that were checked: deliveries, events, entries, readings, configuration. Pure.

Rows are JSON as it is written, each of a known shape; nothing in them comes from a database's own numbering.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import orjson

from incidents import instants, postmortem
from incidents.bundles import bundle
from incidents.bundles.bundle import MANIFEST, BundleError, digest
from incidents.bundles.drawings import is_ours
from incidents.bundles.evidence_shapes import (
    AREA,
    LINES,
    SAID_ALWAYS,
    SOURCE_FIELDS,
    STATEMENT,
    Row,
    check_fields,
    check_known,
    instant_of,
    is_text,
    lines_of,
)
from incidents.config import site_of, source_of, spec_of, value_of
from incidents.fold import subject_id, subject_of
from incidents.sums import ALERTS_DROPPED

FORMAT, VERSION = "barograph-evidence", 2
"""Version 2 carries the postmortem; bundles of version 1 are still read."""
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
    postmortem: list[Row] = field(default_factory=list)
    """Every revision of the postmortem, in its order."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """By their own SHA-256, hex."""
    is_raw: bool = False
    version: int = VERSION

    def rows(self, member: str) -> list[Row]:
        """The rows of one of the members of `LINES`."""
        found: list[Row] = getattr(self, member.removeprefix("evidence/").removesuffix(".jsonl"))
        return found

    def counts(self) -> dict[str, int]:
        """How many lines and bodies there are, by what they are."""
        names = {member: member.removeprefix("evidence/").removesuffix(".jsonl") for member in lines_of(self.version)}
        return {"bodies": len(self.bodies), **{name: len(self.rows(member)) for member, name in names.items()}}


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
    found.is_raw, found.version = manifest.get("bodies") == "raw", int(manifest["version"])
    for member, fields in lines_of(found.version).items():
        for number, row in enumerate(bundle.read_lines(member, members.get(member, b"")), 1):
            check_fields(f"{member}, line {number}", row, fields)
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
    version = found.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION:
        raise BundleError(f"{MANIFEST}: version {str(version)[:20]} is not known here; 1 to {VERSION} are")
    lines = lines_of(version)
    listed = found.get("members")
    rows = listed if isinstance(listed, list) else []
    told = {row["name"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)}
    for name in sorted({*told, *members} - {MANIFEST}):
        if name not in members or name not in told:
            raise BundleError(f"{MANIFEST}: the member {name[:80]} is {'not there' if name in told else 'not listed'}")
        if told[name].get("sha256") != digest(members[name]) or told[name].get("bytes") != len(members[name]):
            raise BundleError(f"the member {name} is not what {MANIFEST} says of it")
        if name not in lines and name not in DERIVED and name != README and not name.startswith(BODIES):
            raise BundleError(f"the member {name} is of no kind that is known here")
    for name in (*lines, *DERIVED):
        if name not in members:
            raise BundleError(f"the member {name} is missing")
    return found


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
    _check_postmortem(evidence.postmortem)
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
    for name in SAID_ALWAYS:
        if name not in said:
            raise BundleError(f"{where}: statement: {name} is missing")
    check_known(f"{where}: statement", said, STATEMENT)
    check_known(f"{where}: area", said.get("area", {}), AREA)
    if row["subject"] != subject_id(row["source"], said["key"]):
        raise BundleError(f"{where}: subject: is not the one that its source and key name")


def _check_entries(evidence: Evidence) -> None:
    subjects = {row["subject"] for row in evidence.events}
    dropped = {name for row in evidence.entries if row["kind"] == ALERTS_DROPPED for name in row["left"]}
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
        # Of what was dropped for its age only sums are left, and no bundle can hold more.
        if missing := {subject_of(name) for name in moved if name not in dropped} - subjects:
            raise BundleError(f"{where}: nothing is said of its member {min(missing)}")
    if not any(row["kind"] == "opened" for row in evidence.entries):
        raise BundleError("evidence/entries.jsonl: the incident was never opened")


def _check_postmortem(rows: Sequence[Row]) -> None:
    """Revisions one after the other, of words as people write them; a published one with facts and drawings of ours."""
    for number, row in enumerate(rows, 1):
        where = f"evidence/postmortem.jsonl, line {number}"
        if row["number"] != number:
            raise BundleError(f"{where}: number: {number} is expected")
        if not postmortem.are_words(row["words"]):
            raise BundleError(f"{where}: words: are not those of a postmortem")
        snapshot = row["snapshot"]
        if snapshot is None:
            continue
        drawn = snapshot.get("drawings")
        if set(snapshot) != {"facts", "drawings"} or not isinstance(snapshot["facts"], dict):
            raise BundleError(f"{where}: snapshot: facts and drawings are expected")
        if not isinstance(drawn, dict) or set(drawn) != {"names", "roles"}:
            raise BundleError(f"{where}: snapshot: drawings: names and roles are expected")
        if not all(isinstance(svg, str) and is_ours(svg) for svg in drawn.values()):
            raise BundleError(f"{where}: snapshot: a drawing is not one that is made here")


def _check_configured(where: str, row: Row) -> None:
    """A site, source or rule that can be configured here, written as `spec_of` writes it."""
    kind, spec = row["kind"], row["spec"]
    try:
        if kind == "story":
            is_right = set(spec) == {"title", "provenance"} and all(map(is_text, spec.values()))
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
