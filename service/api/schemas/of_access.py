"""Schemas of who may do what, of what they did, and of whom the service tells."""

from __future__ import annotations

from typing import Any

from incidents.notices.destinations import KINDS, STATES, WHAT
from incidents.views.access_view import WAYS
from incidents.views.audit_view import ACTS
from service.api.access_api import MOST_DAYS
from service.api.schemas.words import (
    COUNT,
    FLAG,
    INSTANT,
    KEY_FIELDS,
    MAYBE_INSTANT,
    MAYBE_TEXT,
    ROLE,
    SEVERITY,
    TEXT,
    list_of,
    ref,
    shape,
)

SCHEMAS: dict[str, Any] = {
    "Act": shape(
        ("id", "recorded_at", "act", "actor", "subject", "text", "params", "address"),
        id={"type": "integer"},
        recorded_at=INSTANT,
        act={"enum": list(ACTS)},
        actor=TEXT,
        subject=TEXT,
        text=TEXT,
        params={"type": "object"},
        address=MAYBE_TEXT,
    ),
    "Attempt": shape(
        ("at", "outcome", "took_ms"),
        at=INSTANT,
        outcome={"enum": ["sent", "failed"]},
        status={"type": ["integer", "null"]},
        reason=MAYBE_TEXT,
        took_ms=COUNT,
        by=MAYBE_TEXT,
    ),
    "Destination": shape(
        ("name", "kind", "waiting", "sent", "dead"),
        name=TEXT,
        kind={"enum": list(KINDS)},
        host=TEXT,
        what=list_of({"enum": list(WHAT)}),
        severity_at_least={"anyOf": [SEVERITY, {"type": "null"}]},
        sites=list_of(TEXT),
        waiting=COUNT,
        sent=COUNT,
        dead=COUNT,
        last={"anyOf": [ref("Attempt"), {"type": "null"}]},
    ),
    "Notice": shape(
        ("id", "key", "destination", "what", "state", "recorded_at", "attempts"),
        id={"type": "integer"},
        key={"type": "string", "description": "its idempotency key: the same at every attempt"},
        destination=TEXT,
        incident=MAYBE_TEXT,
        what={"enum": [*WHAT, "test"]},
        title=TEXT,
        state={"enum": list(STATES)},
        recorded_at=INSTANT,
        due_at=MAYBE_INSTANT,
        attempts=list_of(ref("Attempt")),
    ),
    "AccountAdding": shape(("name", "role"), name=TEXT, role=ROLE, groups=list_of(TEXT)),
    "AccountChange": shape((), role=ROLE, groups=list_of(TEXT), disabled=FLAG),
    "AccountLink": shape(("url", "expires_at"), url=TEXT, expires_at=INSTANT),
    "Account": shape(
        (
            "name",
            "role",
            "groups",
            "issuer",
            "has_password",
            "has_second_factor",
            "added_at",
            "disabled_at",
            "sessions",
        ),
        name=TEXT,
        role=ROLE,
        groups=list_of(TEXT),
        issuer={**MAYBE_TEXT, "description": "the identity provider that it signs in by"},
        has_password=FLAG,
        has_second_factor=FLAG,
        added_at=INSTANT,
        added_by=TEXT,
        password_set_at=MAYBE_INSTANT,
        signed_in_at=MAYBE_INSTANT,
        disabled_at=MAYBE_INSTANT,
        sessions=COUNT,
    ),
    "Session": shape(
        ("id", "name", "role", "way", "began_at", "used_at"),
        id=TEXT,
        name=TEXT,
        role=ROLE,
        way={"enum": list(WAYS)},
        address=MAYBE_TEXT,
        agent=MAYBE_TEXT,
        began_at=INSTANT,
        used_at={**INSTANT, "description": "to the minute"},
        expires_at=MAYBE_INSTANT,
    ),
    "KeyMaking": shape(
        ("kind",),
        kind={"enum": ["ingest", "token"]},
        source={"type": "string", "description": "of an ingest key"},
        role=ROLE,
        name={"type": "string", "description": "of a token: whose acts its acts are"},
        days={"type": "integer", "minimum": 1, "maximum": MOST_DAYS},
    ),
    "KeyReplacing": shape(
        (),
        overlap_hours={"type": "integer", "minimum": 0, "description": "how long the former holds; 24 by default"},
        days={"type": "integer", "minimum": 1, "maximum": MOST_DAYS},
    ),
    "Key": shape(("id", "kind", "role", "name", "prefix", "made_at"), **KEY_FIELDS),
    "MadeKey": shape(
        ("id", "kind", "role", "name", "prefix", "made_at", "key"),
        **KEY_FIELDS,
        key={"type": "string", "description": "shown in this answer alone"},
        former=shape(("id", "expires_at"), id=TEXT, expires_at=INSTANT),
    ),
    "Problem": shape(
        ("type", "title", "status"), type=TEXT, title=TEXT, status={"type": "integer"}, detail=TEXT, request_id=TEXT
    ),
    "object": {"type": "object"},
}
