"""SonarQube's and SonarCloud's webhook: the verdict of a quality gate."""

from __future__ import annotations

from collections.abc import Sequence

from incidents.formats import monitors, payload
from incidents.model import Delivery, Severity, Statement, UnrecognisedError
from incidents.proofs import signatures

VERSION = 1
TITLE = "SonarQube"
READS = ("sonarqube",)
VERIFIES = "X-Sonar-Webhook-HMAC-SHA256, or bearer key"
SETUP = {
    "snippets": [
        {
            "title": "Administration → Configuration → Webhooks → Create",
            "language": "text",
            "text": """\
URL     {url}
Secret  a secret of your own, the same as the source's `secret`
""",
            "note": "Without a secret use {url}/{key} as URL.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "shows the failure in its list of deliveries and does not try again"],
        ["On 5xx", "shows the failure in its list of deliveries and does not try again"],
        ["Repeats", "none: each analysis is a change of its own"],
        ["Resolved", "an analysis is one moment"],
        ["Time zone", "an offset, named"],
    ],
}

_GRAVITY = {"ERROR": Severity.ERROR, "WARN": Severity.WARNING}


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """X-Sonar-Webhook-HMAC-SHA256 is the hex HMAC of the raw body."""
    offered = signatures.offered(delivery.headers.get("x-sonar-webhook-hmac-sha256"))
    return signatures.is_signed(delivery.body, offered, secrets)


proof = signatures.untimed


def normalise(delivery: Delivery) -> list[Statement]:
    """One change by the id of the analysis, at its moment."""
    said = monitors.object_in(delivery, "a SonarQube message")
    project, gate = payload.object_of(said.get("project")), payload.object_of(said.get("qualityGate"))
    if not project:
        raise UnrecognisedError("not a SonarQube message: it has no project")
    branch = payload.object_of(said.get("branch"))
    verdict = payload.title_of(gate.get("status") or said.get("status")) or "unknown"
    at = monitors.instant(monitors.first(said, "analysedAt", "changedAt"), "analysedAt", delivery)
    failed = [
        name
        for condition in map(payload.object_of, payload.list_of(gate.get("conditions")))
        if condition.get("status") == "ERROR" and (name := payload.title_of(condition.get("metric")))
    ]
    name = monitors.word(project.get("name"), project.get("key"), default="a project")
    event = monitors.event_of(
        delivery,
        key=monitors.first(said, "taskId") or monitors.key_from(project.get("key"), at.isoformat() if at else None),
        kind="change",
        title=f"Quality gate of {name}: {verdict}",
        over=True,
        severity=_GRAVITY.get(verdict, Severity.INFO),
        starts_at=at,
        ends_at=at,
        final=True,
        labels={
            "project": project.get("key"),
            "service": project.get("name"),
            "ref": branch.get("name"),
            "sha": said.get("revision"),
            "state": verdict,
        },
        url=branch.get("url") or project.get("url"),
        text=f"failed: {', '.join(failed)}" if failed else None,
    )
    return [event]
