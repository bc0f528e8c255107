"""Grafana Alerting's webhook (unified alerting, Grafana 8 and later)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from incidents.formats import alert_groups
from incidents.model import Delivery, Event, Statement
from incidents.proofs import signatures

VERSION = 1
TITLE = "Grafana Alerting"
READS = ("grafana",)
VERIFIES = "bearer key or X-Grafana-Alerting-Signature"
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "Contact point",
            "language": "text",
            "text": """\
Alerting → Contact points → Add contact point
Name:                  barograph
Integration:           Webhook
URL:                   {url}
HTTP Method:           POST
Authorization Header – Scheme:       Bearer
Authorization Header – Credentials:  {key}
Max Alerts:            0
Disable resolved message: off
""",
            "note": "Then give a notification policy this contact point. Leave the custom payload template empty.",
        },
        {
            "title": "Provisioning",
            "language": "yaml",
            "text": """\
apiVersion: 1
contactPoints:
  - orgId: 1
    name: barograph
    receivers:
      - uid: barograph
        type: webhook
        disableResolveMessage: false
        settings:
          url: {url}
          httpMethod: POST
          authorization_scheme: Bearer
          authorization_credentials: {key}
          maxAlerts: "0"
""",
        },
        {
            "title": "HMAC signature instead of a key",
            "language": "yaml",
            "text": """\
        settings:
          url: {url}
          hmacConfig:
            secret: the source's secret
            header: X-Grafana-Alerting-Signature
            timestampHeader: X-Grafana-Alerting-Timestamp
""",
            "note": "With the time in the signature, a request that somebody recorded is refused after five minutes.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "the group is sent again at its next flush"],
        ["On 5xx", "the group is sent again at its next flush"],
        ["Repeats", "every repeat interval; repeats change nothing here"],
        ["Resolved", "sent unless resolved messages are disabled"],
        ["Test", "the test button's TestAlert is kept as a test and shown nowhere"],
        ["Time zone", "times carry their offset"],
    ],
}


_SECONDS = "x-grafana-alerting-timestamp"


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """Hex HMAC-SHA256 of the body, or of "seconds:body" where the contact point signs a time."""
    content, seconds = delivery.body, delivery.headers.get(_SECONDS)
    if seconds is not None:
        if not signatures.is_recent(seconds, delivery):
            return False
        content = seconds.encode() + b":" + content
    return signatures.is_signed(
        content, signatures.offered(delivery.headers.get("x-grafana-alerting-signature")), secrets
    )


def proof(delivery: Delivery) -> signatures.Proof:
    """The signed time and the body, or the body where no time is signed."""
    seconds = delivery.headers.get(_SECONDS)
    return signatures.untimed(delivery) if seconds is None else signatures.timed(delivery, seconds)


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event for each alert of the group; those of the test button are tests."""
    return [
        replace(said, test=True) if isinstance(said, Event) and _is_test(said) else said
        for said in alert_groups.read(delivery, "a Grafana")
    ]


def _is_test(event: Event) -> bool:
    return event.labels.get("alertname") == "TestAlert" and event.labels.get("instance") == "Grafana"
