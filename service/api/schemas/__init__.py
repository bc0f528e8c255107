"""The schemas of what the API takes and answers, by name."""

from __future__ import annotations

from typing import Any

from service.api.schemas import of_access, of_incidents, of_records, of_writings
from service.api.schemas.words import COUNT, FLAG, list_of, page_of, ref

SCHEMAS: dict[str, Any] = of_incidents.SCHEMAS | of_records.SCHEMAS | of_writings.SCHEMAS | of_access.SCHEMAS
for _name in (
    "Incident",
    "Occurrence",
    "Link",
    "Line",
    "Reading",
    "Delivery",
    "Revision",
    "ProviderLag",
    "PostmortemRevision",
    "PostmortemTemplate",
    "Destination",
    "Notice",
    "Act",
    "SavedView",
    "Share",
    "Account",
    "Session",
    "Key",
):
    SCHEMAS["TimelinePage" if _name == "Line" else f"{_name}Page"] = page_of(_name)
SCHEMAS["RevisionPage"]["properties"] |= {
    "backdated": list_of(ref("Backdating")),
    "statements": COUNT,
    "left_out": COUNT,
    "posts": list_of({"type": "object"}),
}
SCHEMAS["ProviderLagPage"]["properties"]["complete"] = FLAG
