"""LaunchDarkly's webhook: each entry of its audit log is a change, of a flag for the most part."""

from __future__ import annotations

from collections.abc import Sequence

from incidents.formats import monitors, payload
from incidents.model import Delivery, Severity, Statement, UnrecognisedError
from incidents.proofs import signatures

VERSION = 1
TITLE = "LaunchDarkly"
READS = ("launchdarkly",)
VERIFIES = "X-LD-Signature, HMAC-SHA256, or bearer key"
SETUP = {
    "snippets": [
        {
            "title": "Integrations → Webhooks → Add integration",
            "language": "text",
            "text": """\
URL                {url}/{key}
Sign this webhook  off
Policy             proj/*:env/production:flag/*
""",
            "note": "Or leave the key out of the URL, sign the webhook, and give the source its secret.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx and 5xx", "tries once more; entries may come late and out of order, and are put in order"],
        ["Repeats", "none but the second try"],
        ["Resolved", "an entry tells of a moment"],
        ["Time zone", "epoch milliseconds"],
    ],
}


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """X-LD-Signature is the hex HMAC of the raw body."""
    return signatures.is_signed(delivery.body, signatures.offered(delivery.headers.get("x-ld-signature")), secrets)


proof = signatures.untimed


def normalise(delivery: Delivery) -> list[Statement]:
    """One change by the entry's id, at its moment."""
    said = monitors.object_in(delivery, "an entry of LaunchDarkly's audit log")
    if "_id" not in said or not (said.get("kind") or said.get("accesses")):
        raise UnrecognisedError("not an entry of LaunchDarkly's audit log: no _id, or neither kind nor accesses")
    at = monitors.instant(said.get("date"), "date", delivery)
    accesses = [payload.object_of(access) for access in payload.list_of(said.get("accesses"))]
    # proj/shop:env/production:flag/new-basket;checkout,beta
    resource = next((word for access in accesses if (word := payload.text_of(access.get("resource")))), "")
    parts = dict(part.partition(";")[0].split("/", 1) for part in resource.split(":") if "/" in part)
    name = monitors.word(said.get("name"), parts.get("flag"), default="something")
    verb = monitors.word(said.get("titleVerb"), monitors.joined([access.get("action") for access in accesses]))
    member = payload.object_of(said.get("member"))
    event = monitors.event_of(
        delivery,
        key=said["_id"],
        kind="change",
        title=f"{name}: {verb}" if verb else name,
        over=True,
        severity=Severity.INFO,
        starts_at=at,
        ends_at=at,
        final=True,
        labels={
            "flag": parts.get("flag"),
            "project": parts.get("proj"),
            "environment": parts.get("env"),
            "env": parts.get("env"),
            "kind": said.get("kind"),
            "by": monitors.word(member.get("email"), payload.object_of(said.get("token")).get("name")) or None,
        },
        text=monitors.first(said, "comment", "description"),
    )
    return [event]
