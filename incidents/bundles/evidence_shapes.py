"""The shapes of a bundle's lines: which fields stand in which member, in which order, and what each must be. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from incidents import instants
from incidents.bundles.archive import BundleError
from incidents.bundles.lines import Row
from incidents.model import Severity
from incidents.postmortem import STATES

_MOST_INTEGER = (1 << 63) - 1
_KINDS = ("alert", "hazard", "provider_incident", "change")
_BASES = ("observed", "modelled", "reconstructed")
_STATES = ("read", "quarantined")

Check = Callable[[Any], bool]

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


def is_text(value: Any) -> bool:  # noqa: ANN401  # JSON
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
    "reason": _maybe(is_text),
    "adapter": is_text,
    "adapter_version": _count,
    "stamped_at": _instant,
    "events": _count,
    "readings": _count,
    "losses": _count,
    "loss_reason": _maybe(is_text),
    "test": _flag,
}
LINES: Mapping[str, Mapping[str, Check]] = {
    "evidence/configuration.jsonl": {
        "kind": _one_of(("rule", "site", "source", "story")),
        "name": is_text,
        "spec": _object,
    },
    "evidence/deliveries.jsonl": {
        "receipt": _receipt,
        "source": is_text,
        "received_at": _instant,
        "headers": _texts,
        "size": _count,
        "sha256": _hex(64),
        "refused": _maybe(is_text),
        "encoding": is_text,
        "body": _maybe(_hex(64)),
        "redacted": _flag,
        "stamp": _maybe(_shaped(STAMP)),
    },
    "evidence/entries.jsonl": {
        "position": _count,
        "kind": is_text,
        "params": _object,
        "actor": is_text,
        "happened_at": _instant,
        "happened_until": _maybe(_instant),
        "recorded_at": _instant,
        "supersedes": _maybe(_count),
        "decision": _maybe(is_text),
        "joined": _listed(_occurrence),
        "left": _listed(_occurrence),
    },
    "evidence/events.jsonl": {
        "position": _count,
        "subject": _hex(32),
        "digest": _hex(64),
        "source": is_text,
        "said_at": _instant,
        "recorded_at": _instant,
        "delivery": _receipt,
        "adapter": is_text,
        "statement": _object,
        "superseded": _maybe(_shaped({"recorded_at": _instant, "adapter": is_text})),
        "sightings": _listed(_receipt),
    },
    "evidence/postmortem.jsonl": {
        "number": _count,
        "author": is_text,
        "recorded_at": _instant,
        "state": _one_of(tuple(STATES)),
        "words": _object,
        "changed": _listed(is_text),
        "snapshot": _maybe(_object),
    },
    "evidence/readings.jsonl": {
        "digest": _hex(64),
        "source": is_text,
        "variable": is_text,
        "at": _instant,
        "value": _number,
        "latitude": _maybe(_number),
        "longitude": _maybe(_number),
        "station": _maybe(is_text),
        "provisional": _flag,
        "basis": _one_of(_BASES),
        "credit": _maybe(is_text),
        "grid_area": _maybe(is_text),
        "recorded_at": _instant,
        "delivery": _receipt,
    },
}
"""The members that hold lines, and the fields of a line in their order, each with what it must be."""
LATER: Mapping[str, int] = {"evidence/postmortem.jsonl": 2}
"""Members that bundles have only from a version on."""


def lines_of(version: int) -> dict[str, Mapping[str, Check]]:
    """The members of lines that a bundle of this version has."""
    return {member: fields for member, fields in LINES.items() if LATER.get(member, 1) <= version}


SOURCE_FIELDS = frozenset({"name", "adapter", "timezone", "mapping"})
"""What is told of a source: what its deliveries are read with, and nothing that would have it asked again."""
STATEMENT: Mapping[str, Check] = {
    "after_drop": _flag,
    "key": is_text,
    "kind": _one_of(_KINDS),
    "title": is_text,
    "severity": _one_of([severity.value for severity in Severity]),
    "labels": _texts,
    "starts_at": _instant,
    "starts_until": _instant,
    "ends_at": _instant,
    "ends_assumed": _flag,
    "ends_expected": _flag,
    "final": _flag,
    "test": _flag,
    "url": is_text,
    "text": is_text,
    "group": is_text,
    "event": is_text,
    "area": _object,
    "posts": _listed(lambda post: isinstance(post, list) and len(post) == 2 and _instant(post[0]) and is_text(post[1])),
}
SAID_ALWAYS = ("key", "kind", "title", "severity", "labels")
AREA: Mapping[str, Check] = {
    "geometry": _object,
    "latitude": _number,
    "longitude": _number,
    "radius_km": _number,
    "regions": _listed(is_text),
    "zones": _listed(is_text),
    "grid_areas": _listed(is_text),
}


def check_fields(where: str, row: Row, fields: Mapping[str, Check]) -> None:
    """Raises BundleError where a line has other fields, or one is not what it must be."""
    if list(row) != list(fields):
        raise BundleError(f"{where}: other fields than {', '.join(fields)}")
    for name, is_right in fields.items():
        if not is_right(row[name]):
            raise BundleError(f"{where}: {name}: {str(row[name])[:60]!r} is not of the kind expected")


def check_known(where: str, row: Row, fields: Mapping[str, Check]) -> None:
    """Raises BundleError where an object has a field that is not known here, or one is not what it must be."""
    for name, value in row.items():
        if name not in fields:
            raise BundleError(f"{where}: {name[:40]!r} is not known here")
        if not fields[name](value):
            raise BundleError(f"{where}: {name}: {str(value)[:60]!r} is not of the kind expected")
