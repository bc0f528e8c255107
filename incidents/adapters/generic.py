"""Barograph's own JSON, for anything that can send JSON, and any other JSON by way of JMESPath expressions.

An item without a `key` is known by the SHA-256 of its kind, title and labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jmespath

from incidents import items, payload
from incidents.model import Delivery, Loss, Statement, UnrecognisedError

VERSION = 2
TITLE = "Any JSON"
READS = ("generic",)
SETUP = {
    "snippets": [
        {
            "title": "curl",
            "language": "shell",
            "text": """\
curl -H 'Authorization: Bearer {key}' {url} -d '{
  "key": "db-1/disk", "status": "firing", "title": "Disk full on db-1", "severity": "critical",
  "labels": {"host": "db-1", "datacenter": "smf"}}'
""",
        },
        {
            "title": "A change",
            "language": "shell",
            "text": """\
curl -H 'Authorization: Bearer {key}' {url} -d '{
  "kind": "change", "key": "deploy-4711", "title": "Deploy 4711 of checkout",
  "starts_at": "'"$(date -u +%FT%TZ)"'", "labels": {"service": "checkout"}}'
""",
        },
        {
            "title": "A reading",
            "language": "shell",
            "text": """\
curl -H 'Authorization: Bearer {key}' {url} -d '{
  "reading": "temperature_c", "at": "'"$(date -u +%FT%TZ)"'", "value": 31.5,
  "latitude": 38.64, "longitude": -121.52, "station": "roof"}'
""",
        },
        {
            "title": "Other JSON",
            "language": "toml",
            "text": """\
# In the source's table of the configuration: where each field is found, as JMESPath.
mapping = { items = "checks[]", key = "id", title = "name", status = "state", "labels.host" = "host.name" }
""",
        },
    ],
    "facts": [
        ["On 2xx", "the bytes are on stable storage"],
        ["On 503", "send again after Retry-After"],
        ["Repeats", "the same content again changes nothing"],
        ["Resolved", "the same key with status resolved; without ends_at its receipt is the end"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One event or reading for each item of the body, after the source's mapping if it has one.

    Items that cannot be read are a loss with the first reason; when none can be read, UnrecognisedError says it.
    """
    statements: list[Statement] = []
    reasons: list[str] = []
    for index, item in enumerate(_items(payload.decode(delivery.body), delivery.mapping)):
        try:
            statements.append(items.statement_of(_mapped(item, delivery.mapping), delivery))
        except ValueError as error:
            reasons.append(f"item {index}: {error}")
    if reasons and not statements:
        raise UnrecognisedError(reasons[0])
    if reasons:
        statements.append(Loss(len(reasons), f"items that could not be read: {reasons[0]}"))
    return statements


def _items(value: object, mapping: Mapping[str, str]) -> list[Any]:
    if "items" in mapping:
        value = _search("items", mapping["items"], value)
        if value is None:
            raise UnrecognisedError("mapping.items finds nothing")
    return value if isinstance(value, list) else [value]


def _mapped(item: object, mapping: Mapping[str, str]) -> Mapping[str, Any]:
    """The item in our fields. A target "labels.host" fills one member of an object."""
    targets = {target: expression for target, expression in mapping.items() if target != "items"}
    if targets:
        fields: dict[str, Any] = {}
        for target, expression in targets.items():
            found = _search(target, expression, item)
            if found is not None:
                name, _, member = target.partition(".")
                fields[name] = {**payload.object_of(fields.get(name)), member: found} if member else found
        item = fields
    if not isinstance(item, dict):
        raise UnrecognisedError("no JSON object")
    return item


@lru_cache(maxsize=256)
def _compiled(expression: str) -> Any:  # noqa: ANN401 - jmespath has no types
    return jmespath.compile(expression)


def _search(target: str, expression: str, value: object) -> Any:  # noqa: ANN401 - whatever the expression selects
    try:
        return _compiled(expression).search(value)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise UnrecognisedError(f"mapping.{target}: {str(error)[:200] or type(error).__name__}") from None
