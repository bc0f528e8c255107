"""GitHub's webhooks for deployments and workflow runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from incidents.formats import forms, monitors, payload
from incidents.model import Delivery, Event, Severity, Statement, UnrecognisedError
from incidents.proofs import signatures

VERSION = 1
TITLE = "GitHub"
READS = ("github",)
VERIFIES = "X-Hub-Signature-256, HMAC-SHA256, or bearer key"
SETUP = {
    "snippets": [
        {
            "title": "Repository or organisation → Settings → Webhooks → Add webhook",
            "language": "text",
            "text": """\
Payload URL   {url}
Content type  application/json
Secret        a secret of your own, the same as the source's `secret`
Events        Deployments, Deployment statuses, Workflow runs
""",
            "note": "Without a secret use {url}/{key} as payload URL.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "marks the delivery as failed; it can be redelivered by hand for three days"],
        ["On 5xx", "marks the delivery as failed; it can be redelivered by hand for three days"],
        ["Repeats", "only by hand; repeats change nothing here"],
        ["Resolved", "a deployment ends with its status success, failure or error, a run with its completion"],
        ["Time zone", "UTC"],
    ],
}

_DEPLOYED = {"success": True, "failure": True, "error": True}
_DEPLOYED |= dict.fromkeys(("pending", "queued", "in_progress", "waiting", "requested"), False)
_GRAVE = ("failure", "error", "timed_out", "startup_failure")


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """X-Hub-Signature-256 is `sha256=` and the hex HMAC of the raw body."""
    offered = signatures.offered(delivery.headers.get("x-hub-signature-256"), "sha256=")
    return signatures.is_signed(delivery.body, offered, secrets)


proof = signatures.untimed


def normalise(delivery: Delivery) -> list[Statement]:
    """One change by the id of the deployment or of the run and its attempt; nothing for a ping."""
    said = forms.fields_in(delivery, "payload")
    for name, read in (("workflow_run", _run), ("deployment", _deployment)):
        if isinstance(said.get(name), dict):
            event = read(said[name], said, delivery)
            return [event] if event else []
    if "hook_id" in said and "zen" in said:
        return []
    kind = payload.title_of(delivery.headers.get("x-github-event"), 60) or "GitHub"
    raise UnrecognisedError(f"{kind}: neither a deployment nor a workflow run")


def _deployment(deployment: Mapping[str, Any], said: Mapping[str, Any], delivery: Delivery) -> Event | None:
    status = payload.object_of(said.get("deployment_status"))
    state = monitors.word(status.get("state"), default="pending")
    if status and state not in _DEPLOYED:
        return None  # `inactive` says that a later one took its place, not when this one was over
    repository, environment = _repository(said), monitors.word(deployment.get("environment"), default="an environment")
    return monitors.event_of(
        delivery,
        key=monitors.key_from("deployment" if deployment.get("id") else None, deployment.get("id")),
        kind="change",
        title=f"Deploy {monitors.word(deployment.get('ref'))} of {repository} to {environment}",
        over=_DEPLOYED[state],
        severity=Severity.ERROR if state in _GRAVE else Severity.INFO,
        said_at=monitors.moment(monitors.first(status, "created_at") or deployment.get("created_at"), delivery),
        starts_at=monitors.instant(deployment.get("created_at"), "deployment.created_at", delivery),
        ends_at=monitors.moment(status.get("created_at"), delivery),
        final=True,
        labels=_labels(said, environment=environment, env=environment, ref=deployment.get("ref"), state=state),
        url=monitors.first(status, "log_url", "target_url", "environment_url") or _address(said),
        text=monitors.first(status, "description") or deployment.get("description"),
    )


def _run(run: Mapping[str, Any], said: Mapping[str, Any], delivery: Delivery) -> Event:
    over = said.get("action") == "completed" or run.get("status") == "completed"
    conclusion, workflow = payload.title_of(run.get("conclusion")), payload.object_of(said.get("workflow"))
    name = monitors.word(run.get("name"), workflow.get("name"), default="Workflow")
    return monitors.event_of(
        delivery,
        key=monitors.key_from("run" if run.get("id") else None, run.get("id"), run.get("run_attempt")),
        kind="change",
        title=f"{name} #{monitors.word(run.get('run_number'), default='?')} of {_repository(said)}",
        over=over,
        severity=Severity.ERROR if conclusion in _GRAVE else Severity.INFO,
        said_at=monitors.moment(run.get("updated_at"), delivery),
        starts_at=monitors.instant(monitors.first(run, "run_started_at", "created_at"), "run_started_at", delivery),
        ends_at=monitors.moment(run.get("updated_at"), delivery),
        final=True,
        labels=_labels(said, ref=run.get("head_branch"), sha=run.get("head_sha"), state=conclusion),
        url=run.get("html_url"),
        text=run.get("display_title"),
    )


def _repository(said: Mapping[str, Any]) -> str:
    return payload.title_of(payload.object_of(said.get("repository")).get("full_name")) or "a repository"


def _address(said: Mapping[str, Any]) -> object:
    return payload.object_of(said.get("repository")).get("html_url")


def _labels(said: Mapping[str, Any], **more: object) -> dict[str, object]:
    repository = payload.object_of(said.get("repository"))
    sender = payload.object_of(said.get("sender")).get("login")
    return {"repository": repository.get("full_name"), "service": repository.get("name"), "sender": sender} | more
