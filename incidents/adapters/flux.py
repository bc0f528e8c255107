"""Flux's notification-controller: events of its reconcilers by the providers generic and generic-hmac."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from incidents.formats import monitors, payload
from incidents.model import Delivery, Severity, Statement, UnrecognisedError
from incidents.proofs import signatures

VERSION = 1
TITLE = "Flux"
READS = ("flux",)
VERIFIES = "X-Signature, HMAC-SHA256, or bearer key"
TIMEOUT = timedelta(hours=1)
SETUP = {
    "snippets": [
        {
            "title": "Provider and alert",
            "language": "yaml",
            "text": """\
apiVersion: v1
kind: Secret
metadata: {name: barograph, namespace: flux-system}
stringData:
  headers: |
    Authorization: Bearer {key}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {name: barograph, namespace: flux-system}
spec:
  type: generic
  address: {url}
  secretRef: {name: barograph}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {name: barograph, namespace: flux-system}
spec:
  providerRef: {name: barograph}
  eventSeverity: info
  eventMetadata: {cluster: production}
  eventSources:
    - {kind: Kustomization, name: '*'}
    - {kind: HelmRelease, name: '*'}
""",
            "note": "With `type: generic-hmac` and `token` in the Secret instead, give the source the same secret.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Flux"],
        ["On 5xx", "not stated by Flux"],
        ["Repeats", "an error again at each reconciliation, at most once in 5 min; each extends the assumed end"],
        ["Resolved", "never sent: an error is taken to last an hour after it was last said"],
        ["Time zone", "UTC"],
    ],
}


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """X-Signature is `sha256=` and the hex HMAC of the raw body."""
    offered = signatures.offered(delivery.headers.get("x-signature"), "sha256=")
    return signatures.is_signed(delivery.body, offered, secrets)


proof = signatures.untimed


def normalise(delivery: Delivery) -> list[Statement]:
    """An error as an alert by object, reason and revision; anything else as a change at one moment."""
    said = monitors.object_in(delivery, "a Flux event")
    about, severity = payload.object_of(said.get("involvedObject")), payload.title_of(said.get("severity"))
    if not about or severity not in {"error", "info", "trace"}:
        raise UnrecognisedError("not a Flux event: no involvedObject, or severity is neither error nor info")
    # The names carry the controller's group as a prefix that changes with versions.
    metadata = {name.rpartition("/")[2]: value for name, value in payload.object_of(said.get("metadata")).items()}
    at = monitors.instant(said.get("timestamp"), "timestamp", delivery)
    failed, name = severity == "error", about.get("name")
    identity = (about.get("kind"), about.get("namespace"), name, said.get("reason"), metadata.get("revision"))
    reason = monitors.word(said.get("reason"), default=severity)
    moment = None if failed else (at or delivery.received_at).isoformat()
    event = monitors.event_of(
        delivery,
        key=monitors.key_from(*identity, moment),
        kind="alert" if failed else "change",
        title=f"{monitors.word(about.get('kind'))} {monitors.word(name)}: {reason}",
        over=not failed,
        severity=Severity.ERROR if failed else Severity.INFO,
        said_at=at,
        starts_at=None if failed else at,
        ends_at=at,
        timeout=TIMEOUT,
        final=not failed,
        labels={
            "kind": about.get("kind"),
            "namespace": about.get("namespace"),
            "name": name,
            "service": name,
            **payload.labels_of(metadata),
        },
        text=said.get("message"),
    )
    return [event]
