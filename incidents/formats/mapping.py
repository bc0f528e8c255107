"""Any JSON by way of JMESPath expressions: its items in our own fields, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jmespath

from incidents.formats import items, payload
from incidents.model import Delivery, Loss, Statement, UnrecognisedError


def statements(delivery: Delivery) -> list[Statement]:
    """One event or reading for each item of the body, after the source's mapping if it has one.

    Items that cannot be read are a loss with the first reason; when none can be read, UnrecognisedError says it.
    """
    found: list[Statement] = []
    reasons: list[str] = []
    for index, item in enumerate(_items(payload.decode(delivery.body), delivery.mapping)):
        try:
            found.append(items.statement_of(_mapped(item, delivery.mapping), delivery))
        except ValueError as error:
            reasons.append(f"item {index}: {error}")
    if reasons and not found:
        raise UnrecognisedError(reasons[0])
    if reasons:
        found.append(Loss(len(reasons), f"items that could not be read: {reasons[0]}"))
    return found


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
