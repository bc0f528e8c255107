"""GitLab's webhooks for deployments and pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from incidents.formats import monitors, payload
from incidents.model import Delivery, Event, Severity, Statement, UnrecognisedError
from incidents.proofs import signatures

VERSION = 1
TITLE = "GitLab"
READS = ("gitlab",)
VERIFIES = "X-Gitlab-Token, or bearer key"
SETUP = {
    "snippets": [
        {
            "title": "Project or group → Settings → Webhooks → Add new webhook",
            "language": "text",
            "text": """\
URL           {url}/{key}
Trigger       Deployment events, Pipeline events
""",
            "note": "Or leave the key out of the URL and give a secret token that is the source's `secret`.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "four failures in a row switch the webhook off for a while"],
        ["On 5xx", "four failures in a row switch the webhook off for a while"],
        ["Repeats", "a retried pipeline speaks again by the same id"],
        ["Resolved", "a deployment or pipeline ends as success, failed, canceled or skipped"],
        ["Time zone", "UTC or an offset, both named"],
    ],
}

_STATES = dict.fromkeys(("success", "failed", "canceled", "skipped"), True)
_STATES |= dict.fromkeys(
    ("created", "running", "pending", "blocked", "manual", "scheduled", "preparing", "waiting_for_resource"), False
)
_STATES |= dict.fromkeys(("canceling", "waiting_for_callback"), False)


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """X-Gitlab-Token is the secret itself."""
    return signatures.is_token(delivery.headers.get("x-gitlab-token"), secrets)


def normalise(delivery: Delivery) -> list[Statement]:
    """One change by the id of the deployment or of the pipeline."""
    said = monitors.object_in(delivery, "a GitLab message")
    kind = payload.title_of(said.get("object_kind"), 60)
    if kind == "deployment":
        return [_deployment(said, delivery)]
    if kind == "pipeline":
        return [_pipeline(said, delivery)]
    raise UnrecognisedError(f"{kind or 'no object_kind'}: neither a deployment nor a pipeline")


def _deployment(said: Mapping[str, Any], delivery: Delivery) -> Event:
    status, environment = said.get("status"), monitors.word(said.get("environment"), default="an environment")
    over = bool(monitors.state_of(status, _STATES, "status"))
    at = monitors.instant(said.get("status_changed_at"), "status_changed_at", delivery)
    return monitors.event_of(
        delivery,
        key=monitors.key_from("deployment" if said.get("deployment_id") else None, said.get("deployment_id")),
        kind="change",
        title=f"Deploy {monitors.word(said.get('ref'), said.get('short_sha'))} of {_project(said)} to {environment}",
        over=over,
        severity=Severity.ERROR if status == "failed" else Severity.INFO,
        said_at=at,
        starts_at=at if status == "running" else None,
        ends_at=at if over else None,
        final=True,
        labels=_labels(said, environment=environment, env=environment, ref=said.get("ref"), state=status),
        url=monitors.first(said, "deployable_url", "environment_external_url"),
        text=said.get("commit_title"),
    )


def _pipeline(said: Mapping[str, Any], delivery: Delivery) -> Event:
    pipeline = payload.object_of(said.get("object_attributes"))
    status = pipeline.get("status")
    over = bool(monitors.state_of(status, _STATES, "status"))
    return monitors.event_of(
        delivery,
        key=monitors.key_from("pipeline" if pipeline.get("id") else None, pipeline.get("id")),
        kind="change",
        title=f"Pipeline {monitors.word(*(pipeline.get(part) for part in ('name', 'ref', 'id')))} of {_project(said)}",
        over=over,
        severity=Severity.ERROR if status == "failed" else Severity.INFO,
        said_at=None if over else delivery.received_at,
        starts_at=monitors.instant(pipeline.get("created_at"), "created_at", delivery),
        ends_at=monitors.moment(pipeline.get("finished_at"), delivery) if over else None,
        final=True,
        labels=_labels(said, ref=pipeline.get("ref"), sha=pipeline.get("sha"), state=status),
        url=pipeline.get("url"),
        text=payload.object_of(said.get("commit")).get("title"),
    )


def _project(said: Mapping[str, Any]) -> str:
    return payload.title_of(payload.object_of(said.get("project")).get("path_with_namespace")) or "a project"


def _labels(said: Mapping[str, Any], **more: object) -> dict[str, object]:
    project, user = payload.object_of(said.get("project")), payload.object_of(said.get("user"))
    return (
        {"project": project.get("path_with_namespace"), "service": project.get("name")}
        | more
        | {"user": user.get("username")}
    )
