"""Vercel's webhook: deployments as changes."""

from __future__ import annotations

from incidents.formats import monitors, payload
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Vercel"
READS = ("vercel",)
SETUP = {
    "snippets": [
        {
            "title": "Team settings → Webhooks → Create",
            "language": "text",
            "text": """\
Events    Deployment Created, Succeeded, Error, Cancelled
Projects  all
Endpoint  {url}/{key}
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx and 5xx", "tries again for 24 hours"],
        ["Repeats", "none but its tries"],
        ["Resolved", "a deployment that succeeded, failed or was cancelled is over"],
        ["Time zone", "epoch milliseconds"],
    ],
}
_TYPES = {
    "deployment.created": False,
    **dict.fromkeys(("deployment.succeeded", "deployment.ready", "deployment.error", "deployment.canceled"), True),
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One change by the deployment's id; none for what else may happen to a team or a project."""
    said = monitors.object_in(delivery, "an event of Vercel")
    kind, spoken_of = payload.title_of(said.get("type")), payload.object_of(said.get("payload"))
    if kind is None or not spoken_of:
        raise UnrecognisedError("not an event of Vercel: no type or no payload")
    if kind not in _TYPES:
        return []
    over, deployment = _TYPES[kind], payload.object_of(spoken_of.get("deployment"))
    at = monitors.instant(said.get("createdAt"), "createdAt", delivery)
    name = monitors.word(deployment.get("name"), spoken_of.get("name"), default="a project")
    target, state = monitors.word(spoken_of.get("target"), default="preview"), kind.partition(".")[2]
    meta, links = payload.object_of(deployment.get("meta")), payload.object_of(spoken_of.get("links"))
    event = monitors.event_of(
        delivery,
        key=monitors.first(deployment, "id") or spoken_of.get("deploymentId"),
        kind="change",
        title=f"Deploy {name} to {target}",
        over=over,
        severity=Severity.WARNING if state == "error" else Severity.INFO,
        said_at=at,
        starts_at=None if over else at,
        ends_at=at if over else None,
        labels={
            "service": name,
            "environment": target,
            "env": target,
            "state": state,
            "ref": monitors.first(meta, "githubCommitRef", "gitlabCommitRef", "bitbucketCommitRef"),
            "sha": monitors.first(meta, "githubCommitSha", "gitlabCommitSha", "bitbucketCommitSha"),
        },
        url=links.get("deployment"),
        text=monitors.first(meta, "githubCommitMessage", "gitlabCommitMessage", "bitbucketCommitMessage"),
    )
    return [event]
