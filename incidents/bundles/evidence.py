"""What a bundle holds, as rows that were checked: deliveries, events, entries, readings, configuration. Pure.

Rows are JSON as it is written, each of a known shape; nothing in them comes from a database's own numbering.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, BinaryIO

import orjson

from incidents import instants, postmortem
from incidents.bundles import archive, bundle, lines
from incidents.bundles.archive import FIRST, BundleError, Member
from incidents.bundles.bundle import MANIFEST
from incidents.bundles.drawings import is_ours
from incidents.bundles.evidence_shapes import (
    AREA,
    LINES,
    SAID_ALWAYS,
    SOURCE_FIELDS,
    STATEMENT,
    check_fields,
    check_known,
    instant_of,
    is_text,
    lines_of,
)
from incidents.bundles.lines import Bodies, Marks, Row, Rows, digest
from incidents.config import site_of, source_of, spec_of, value_of
from incidents.fold import subject_id, subject_of
from incidents.sums import ALERTS_DROPPED

FORMAT, VERSION = "barograph-evidence", 3
"""Version 2 carries the postmortem. Version 3 is of many bodies: their names are their digests, and no list of them."""
LISTED = 10_000
"""Up to how many bodies the manifest lists each, as before version 3; above it would be larger than all it lists."""
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
    configuration: Rows = ()
    deliveries: Rows = ()
    entries: Rows = ()
    events: Rows = ()
    readings: Rows = ()
    postmortem: Rows = ()
    """Every revision of the postmortem, in its order."""
    bodies: Mapping[str, bytes] | Bodies = field(default_factory=dict)
    """By their own SHA-256, hex."""
    is_raw: bool = False
    version: int = VERSION

    def rows(self, member: str) -> Rows:
        """The rows of one of the members of `LINES`."""
        found: Rows = getattr(self, _field_of(member))
        return found

    def counts(self) -> dict[str, int]:
        """How many lines and bodies there are, by what they are."""
        names = {member: _field_of(member) for member in lines_of(self.version)}
        return {"bodies": len(self.bodies), **{name: len(self.rows(member)) for member, name in names.items()}}


def _field_of(member: str) -> str:
    return member.removeprefix("evidence/").removesuffix(".jsonl")


def write(
    file: BinaryIO, evidence: Evidence, summary: Mapping[str, Any], revision: str, derived: Mapping[str, bytes]
) -> str:
    """Write the whole bundle into an empty file; its digest.

    `summary` is what the manifest says of the incident, `derived` what was made of it all. Raises BundleError where it
    is larger than a bundle can be.
    """
    evidence.version = VERSION if len(evidence.bodies) > LISTED else VERSION - 1
    with closing(archive.Writer(file)) as writer:
        rows = [_listed(writer.add(name, [derived[name]])) for name in sorted(derived)]
        for name in sorted(evidence.bodies):
            body = writer.add(f"{BODIES}{name}", [evidence.bodies[name]])
            rows += [_listed(body)] if evidence.version < VERSION else []
        for member in sorted(LINES):
            rows.append(_write_lines(writer, member, evidence.rows(member)))
        rows.append({"name": README, "bytes": len(WORDS), "sha256": digest(WORDS)})
        manifest = {
            "format": FORMAT,
            "version": evidence.version,
            "incident": {"id": evidence.incident, **summary},
            "revision": revision,
            "known_at": instants.text(evidence.known_at),
            "bodies": "raw" if evidence.is_raw else "redacted",
            "counts": evidence.counts(),
            "schema": {member: ["previous", *fields] for member, fields in LINES.items()},
            "members": rows,
        }
        writer.add(MANIFEST, [orjson.dumps(manifest)])
        writer.add(README, [WORDS])
        return writer.end()


def _listed(member: Member) -> Row:
    return {"name": member.name, "bytes": member.size, "sha256": member.sha256}


def _write_lines(writer: archive.Writer, name: str, rows: Rows) -> Row:
    last = FIRST

    def told() -> Iterator[bytes]:
        nonlocal last
        for line in lines.chained(rows):
            last = digest(line[:-1])
            yield line

    written = _listed(writer.add(name, told()))
    return {**written, "last": last}


def read(file: BinaryIO) -> tuple[Evidence, dict[str, Member]]:
    """The evidence of a bundle, checked line by line, and its derived members. Raises BundleError.

    The evidence is read from the file again each time that it is looked at: keep it open.
    """
    bodies, members = Bodies(file), dict[str, Member]()
    for member in bundle.members(file):
        if member.name.startswith(BODIES):
            if member.name != f"{BODIES}{member.sha256}":
                raise BundleError(f"{member.name}: is not of this digest")
            bodies.place(member.sha256, member.offset, member.size)
        else:
            _check_known(member.name)
            members[member.name] = member
    manifest = _manifest(file, members, bodies)
    try:
        found = Evidence(str(manifest["incident"]["id"]), instant_of(str(manifest["known_at"])))
    except (LookupError, TypeError, ValueError):
        raise BundleError(f"{MANIFEST}: names no incident, or no moment of knowledge") from None
    found.is_raw, found.version, found.bodies = manifest.get("bodies") == "raw", int(manifest["version"]), bodies
    for name, fields in lines_of(found.version).items():
        count = 0
        for count, row in enumerate(lines.Read(file, members[name]), 1):
            check_fields(f"{name}, line {count}", row, fields)
        setattr(found, _field_of(name), lines.Read(file, members[name], count))
    check(found)
    if manifest.get("counts") != found.counts():
        raise BundleError(f"{MANIFEST}: counts other lines than there are")
    return found, {name: members[name] for name in DERIVED}


def _check_known(name: str) -> None:
    if name not in LINES and name not in DERIVED and name not in (README, MANIFEST):
        raise BundleError(f"the member {name} is of no kind that is known here")


def _manifest(file: BinaryIO, members: Mapping[str, Member], bodies: Bodies) -> Row:
    """The manifest, checked against the members, and before version 3 against the bodies."""
    if MANIFEST not in members:
        raise BundleError(f"it has no {MANIFEST}")
    if members[MANIFEST].size > bundle.MANIFEST_BOUND:
        raise BundleError(f"{MANIFEST}: larger than {bundle.MANIFEST_BOUND} bytes")
    found = lines.read_object(MANIFEST, bundle.content(file, members[MANIFEST]))
    if found.get("format") != FORMAT:
        raise BundleError(f"{MANIFEST}: the format is not {FORMAT}")
    version = found.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION:
        raise BundleError(f"{MANIFEST}: version {str(version)[:20]} is not known here; 1 to {VERSION} are")
    there = {name: (member.size, member.sha256) for name, member in members.items() if name != MANIFEST}
    if version < VERSION:
        if 100 * len(bodies) > members[MANIFEST].size:
            raise BundleError(f"{MANIFEST}: the bodies are not listed")
        there |= {f"{BODIES}{name}": (bodies.size(name), name) for name in bodies}
    _check_listed(found.get("members"), there)
    for name in (*lines_of(version), *DERIVED):
        if name not in members:
            raise BundleError(f"the member {name} is missing")
    return found


def _check_listed(listed: object, there: Mapping[str, tuple[int, str]]) -> None:
    """Raises BundleError where the manifest lists other members than there are, or of another content."""
    rows = listed if isinstance(listed, list) else []
    told = {row["name"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)}
    for name in sorted({*told, *there}):
        if name not in there or name not in told:
            raise BundleError(f"{MANIFEST}: the member {name[:80]} is {'not there' if name in told else 'not listed'}")
        if (told[name].get("bytes"), told[name].get("sha256")) != there[name]:
            raise BundleError(f"the member {name} is not what {MANIFEST} says of it")


# --- what the rows say of each other --------------------------------------------------------------------------------


def check(evidence: Evidence) -> None:
    """Raises BundleError where rows are out of order, said twice, or speak of what is not there."""
    _check_order("deliveries", (row["receipt"] for row in evidence.deliveries))
    _check_order("events", (event_place(row) for row in evidence.events))
    _check_order("readings", (row["digest"] for row in evidence.readings))
    _check_order("configuration", ((row["kind"], row["name"]) for row in evidence.configuration))
    _check_deliveries(evidence)
    subjects, said = Marks(), Marks()
    for number, row in enumerate(evidence.events, 1):
        _check_event(number, row)
        subjects.add(row["subject"])
        if not said.add(f"{row['subject']} {row['digest']}"):
            raise BundleError("evidence/events.jsonl: a statement is there twice")
    _check_entries(evidence, subjects)
    _check_postmortem(evidence.postmortem)
    for number, row in enumerate(evidence.configuration, 1):
        _check_configured(f"evidence/configuration.jsonl, line {number}", row)


def event_place(row: Row) -> tuple[str, ...]:
    """Where an event stands in a bundle: by when it was recorded, then by what tells it from all others."""
    return row["recorded_at"], row["subject"], row["said_at"], row["digest"]


def _check_order(name: str, places: Iterable[Any]) -> None:
    for number, (a, b) in enumerate(pairwise(places), 2):
        if not a < b:
            raise BundleError(f"evidence/{name}.jsonl, line {number}: is out of order, or there twice")


def _check_deliveries(evidence: Evidence) -> None:
    used = set[bytes]()
    for number, row in enumerate(evidence.deliveries, 1):
        if row["redacted"] != (row["body"] is not None and row["body"] != row["sha256"]):
            raise BundleError(f"evidence/deliveries.jsonl, line {number}: its body is not the one that came")
        if row["body"] is not None:
            if row["body"] not in evidence.bodies:
                raise BundleError(f"{BODIES}{row['body']}: a delivery without its body")
            used.add(bytes.fromhex(row["body"]))
    if len(used) != len(evidence.bodies):
        lone = next(name for name in evidence.bodies if bytes.fromhex(name) not in used)
        raise BundleError(f"{BODIES}{lone}: a body without its delivery")


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


def _check_entries(evidence: Evidence, subjects: Marks) -> None:
    is_opened, dropped = False, Marks()
    for row in evidence.entries:
        for name in row["left"] if row["kind"] == ALERTS_DROPPED else ():
            dropped.add(name)
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
        for name in moved:
            # Of what was dropped for its age only sums are left, and no bundle can hold more.
            if subject_of(name) not in subjects and name not in dropped:
                raise BundleError(f"{where}: nothing is said of its member {subject_of(name)}")
        is_opened = is_opened or row["kind"] == "opened"
    if not is_opened:
        raise BundleError("evidence/entries.jsonl: the incident was never opened")


def _check_postmortem(rows: Iterable[Row]) -> None:
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
    heard = (evidence.deliveries, evidence.events, evidence.readings)
    return {row["source"] for rows in heard for row in rows}
