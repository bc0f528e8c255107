"""What schemas are made of: texts, instants, numbers, lists and pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dashboards.audiences import AUDIENCES
from incidents.incident_fold import MILESTONES
from incidents.postmortem import STATES as POSTMORTEM_STATES
from service.identity.access import ROLES

TEXT = {"type": "string"}
INSTANT = {"type": "string", "format": "date-time", "description": "RFC 3339 in UTC with six fractional digits"}
MAYBE_INSTANT = {"anyOf": [INSTANT, {"type": "null"}]}
NUMBER = {"type": "number"}
MAYBE_NUMBER = {"type": ["number", "null"]}
EPOCH_MS = {"type": "integer", "description": "milliseconds since 1970"}
MAYBE_TEXT = {"type": ["string", "null"]}
FLAG = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}


def shape(required: Iterable[str] = (), **properties: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON Schema
    """An object with these members."""
    return {"type": "object", "required": list(required), "properties": properties}


def ref(name: str) -> dict[str, str]:
    """The schema of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(items: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON Schema
    """A list of these."""
    return {"type": "array", "items": items}


def page_of(name: str) -> dict[str, Any]:
    """A page of a list of things of this name."""
    return shape(
        ("items", "next"),
        items=list_of(ref(name)),
        next={"type": ["string", "null"], "description": "cursor of the next page"},
    )


SHARE_OF = shape(("k", "n", "share", "low", "high"), k=COUNT, n=COUNT, share=NUMBER, low=NUMBER, high=NUMBER)
STATUS = {"enum": ["open", "acknowledged", "mitigated", "resolved"]}
SEVERITY = {"enum": ["critical", "error", "warning", "info", "unknown"]}
KIND_OF = {"enum": ["alert", "hazard", "provider_incident", "change"]}
POSTMORTEM_STATE = {"enum": list(POSTMORTEM_STATES)}
AUDIENCE = {"enum": list(AUDIENCES)}
MOMENT = {"anyOf": [INSTANT, shape(("at",), at=INSTANT, until=MAYBE_INSTANT), {"type": "null"}]}
MILESTONE_MOMENTS = dict.fromkeys(MILESTONES, MOMENT)

ROLE = {"enum": list(ROLES)}
KEY_FIELDS: dict[str, Any] = {
    "id": TEXT,
    "kind": {"enum": ["ingest", "token"]},
    "role": {"enum": [*ROLES, "ingest"]},
    "source": MAYBE_TEXT,
    "name": TEXT,
    "prefix": TEXT,
    "owner": {"type": "string", "description": "file: the configuration file gives it"},
    "made_at": INSTANT,
    "expires_at": MAYBE_INSTANT,
    "used_at": {"anyOf": [INSTANT, {"type": "null"}], "description": "to the minute"},
}
