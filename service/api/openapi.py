"""The OpenAPI 3.1 document of the API, made from the table of routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from service.api.route import Route
from service.api.schemas import SCHEMAS
from service.api.schemas.words import AUDIENCE, COUNT, INSTANT, KIND_OF, TEXT, ref
from service.problem import PROBLEMS

PARAMETERS: dict[str, Any] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 500},
    "cursor": TEXT,
    "status": {"type": "string", "description": "statuses separated by commas"},
    "severity": {"type": "string", "description": "severities separated by commas"},
    "from": INSTANT,
    "to": INSTANT,
    "as_of": {**INSTANT, "description": "the moment of knowledge: what was recorded by then"},
    "active_at": INSTANT,
    "theme": {"enum": ["light", "dark", "print", "grey"]},
    "preset": {"enum": ["a4", "letter", "slide", "wide"]},
    "width": {"type": "integer", "minimum": 320, "maximum": 4000},
    "kind": KIND_OF,
    "state": {"enum": ["unread", "read", "quarantined"]},
    "tags": {"type": "string", "description": "tags separated by commas; an incident has to have them all"},
    "lane": TEXT,
    "scale": {"enum": ["2", "3"]},
    "interactive": {
        "enum": ["0", "1"],
        "description": "1: of html, with a figure that can be zoomed, by a script in the file",
    },
    "inline": {"enum": ["0", "1"], "description": "1: to be looked at where it is asked for, and not to be saved"},
    "raw": {"enum": ["0", "1"], "description": "1: deliveries as they came, for the role admin"},
    "tz": {"type": "string", "description": "a time zone of the IANA database"},
    "format": {"enum": ["svg", "png", "pdf", "html", "md", "csv", "json", "docx", "zip", "jsonl"]},
    "audience": AUDIENCE,
    "names": {"enum": ["0", "1"]},
    "revision": COUNT,
}


_REFUSALS = ("not-signed-in", "forbidden")


def document(routes: Iterable[Route], server: str = "/api/v1") -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    paths["/openapi.json"] = {"get": _describing_itself()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Barograph",
            "version": version("barograph"),
            "summary": "Infrastructure incident timelines",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "responses": {
                name: {"description": title, "content": {"application/problem+json": {"schema": ref("Problem")}}}
                for name, (_, title) in PROBLEMS.items()
            },
        },
    }


def _describing_itself() -> dict[str, Any]:
    told = {"description": "This document", "content": {"application/json": {"schema": ref("object")}}}
    problems = {str(PROBLEMS[name][0]): {"$ref": f"#/components/responses/{name}"} for name in _REFUSALS}
    return {
        "operationId": "openapi",
        "summary": "This document",
        "parameters": [],
        "responses": {"200": told, **problems},
    }


def _operation(route: Route) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", route.path)
    parameters = [{"name": n, "in": "path", "required": True, "schema": PARAMETERS.get(n, TEXT)} for n in names]
    parameters += [{"name": n, "in": "query", "schema": PARAMETERS.get(n, TEXT)} for n in route.query]
    if route.if_match:
        parameters.append({"name": "If-Match", "in": "header", "required": True, "schema": TEXT})
    told = (
        {"application/json": {"schema": ref(route.gives)}} if route.media == "application/json" else {route.media: {}}
    )
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "description": f"For the role {route.role} and above.",
        "parameters": parameters,
        "responses": {
            str(route.status): {"description": route.summary, "content": told},
            **{str(PROBLEMS[name][0]): {"$ref": f"#/components/responses/{name}"} for name in _problems(route)},
        },
    }
    if route.body:
        operation["requestBody"] = {
            "required": route.body not in ("Merge", "KeyReplacing"),
            "content": {"application/json": {"schema": ref(route.body)}},
        }
    return operation


def _problems(route: Route) -> list[str]:
    found = [*_REFUSALS, "bad-request"]
    if "{" in route.path:
        found.append("not-found")
    if route.if_match:
        found += ["precondition-needed", "moved-on"]
    elif route.method != "GET":
        found.append("conflict")
    return found
