"""NetBox's webhook: what was changed in the record of the infrastructure."""

from __future__ import annotations

from incidents.formats import monitors, payload
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "NetBox"
READS = ("netbox",)
SETUP = {
    "snippets": [
        {
            "title": "Operations → Webhooks → Add, then an event rule with it as its action",
            "language": "text",
            "text": """\
HTTP method         POST
Payload URL         {url}
HTTP content type   application/json
Additional headers  Authorization: Bearer {key}
Body template       (empty)
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "marks the background job as failed; it can be run again by hand"],
        ["On 5xx", "marks the background job as failed; it can be run again by hand"],
        ["Repeats", "none: each write is a change of its own"],
        ["Resolved", "a write is one moment"],
        ["Time zone", "named in each time"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One change by the request, the model and the object's id, at its moment."""
    said = monitors.object_in(delivery, "a NetBox message")
    written, model = payload.object_of(said.get("data")), payload.title_of(said.get("model"))
    turn = payload.title_of(said.get("event"), 60)
    if not model or not turn:
        raise UnrecognisedError("not a NetBox message: no model or no event")
    at = monitors.instant(said.get("timestamp"), "timestamp", delivery)
    name = payload.title_of(monitors.first(written, "display", "name")) or "without a name"
    label = {"device": "host", "virtualmachine": "host", "site": "site"}.get(model)
    event = monitors.event_of(
        delivery,
        key=monitors.key_from(said.get("request_id") or turn, model, written.get("id"), turn),
        kind="change",
        title=f"NetBox {model} {name} {turn}",
        over=True,
        severity=Severity.INFO,
        starts_at=at,
        ends_at=at,
        final=True,
        labels={
            **{
                relation: payload.object_of(written.get(relation)).get("name")
                for relation in ("site", "region", "location", "rack", "tenant", "cluster", "device")
            },
            **({label: name} if label else {}),
            "model": model,
            "user": said.get("username"),
        },
        url=written.get("display_url"),
        text=written.get("description"),
    )
    return [event]
