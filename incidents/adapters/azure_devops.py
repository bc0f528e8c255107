"""Azure DevOps' service hooks: deployments of releases and builds as changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidents.formats import monitors, payload
from incidents.model import Delivery, Event, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Azure DevOps"
READS = ("azure-devops",)
SETUP = {
    "snippets": [
        {
            "title": "Project settings → Service hooks → Create subscription → Web Hooks",
            "language": "text",
            "text": """\
Trigger            Release deployment started; again for Release deployment completed, and Build completed
URL                {url}
Basic username     barograph
Basic password     {key}
Resource details   All
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx and 5xx", "tries again a few times; a subscription that goes on failing is switched off"],
        ["Repeats", "none but its tries"],
        ["Resolved", "deployment-completed ends what deployment-started began; a build is told when it is over"],
        ["Test", "the Test button's Fabrikam is kept as a test"],
        ["Time zone", "UTC"],
    ],
}
_DEPLOYMENTS = {
    "ms.vss-release.deployment-started-event": False,
    "ms.vss-release.deployment-completed-event": True,
}
_TEST_COLLECTION = "c12d0eb8-e382-443b-9f9c-c52cba5014c2"  # of every sample in Microsoft's documentation


def normalise(delivery: Delivery) -> list[Statement]:
    """One change for a deployment or a build; none for pushes, pull requests and work items."""
    said = monitors.object_in(delivery, "an event of Azure DevOps")
    kind, resource = payload.title_of(said.get("eventType")), payload.object_of(said.get("resource"))
    if kind is None or not resource:
        raise UnrecognisedError("not an event of Azure DevOps: no eventType or no resource")
    containers = payload.object_of(said.get("resourceContainers"))
    test = payload.object_of(containers.get("collection")).get("id") == _TEST_COLLECTION
    text = payload.object_of(said.get("message")).get("text")
    if kind in _DEPLOYMENTS:
        at = monitors.instant(said.get("createdDate"), "createdDate", delivery)
        started = None if _DEPLOYMENTS[kind] else at
        return [_deployment(resource, delivery, said_at=at, starts_at=started, ends_at=at, text=text, test=test)]
    return [_build(resource, delivery, text=text, test=test)] if kind == "build.complete" else []


def _deployment(resource: Mapping[str, Any], delivery: Delivery, **said: Any) -> Event:  # noqa: ANN401 - as event_of
    place, project = payload.object_of(resource.get("environment")), payload.object_of(resource.get("project"))
    release, status = payload.object_of(place.get("release")), payload.title_of(place.get("status"))
    name, what = monitors.word(place.get("name"), default="a stage"), monitors.word(release.get("name"), default="it")
    return monitors.event_of(
        delivery,
        key=monitors.key_from(place.get("id"), release.get("id")),
        kind="change",
        title=f"Deploy {what} to {name}",
        over=said["starts_at"] is None,
        severity=Severity.WARNING if status in {"rejected", "partiallySucceeded"} else Severity.INFO,
        labels={"project": project.get("name"), "environment": name, "env": name, "release": what, "state": status},
        **said,
    )


def _build(build: Mapping[str, Any], delivery: Delivery, **said: Any) -> Event:  # noqa: ANN401 - as event_of
    definition = payload.object_of(build.get("definition"))
    result = payload.title_of(monitors.first(build, "result", "status")) or "unknown"
    name, number = monitors.word(definition.get("name"), default="a build"), monitors.word(build.get("buildNumber"))
    return monitors.event_of(
        delivery,
        key=monitors.key_from("build", build.get("id")) if monitors.is_said(build.get("id")) else None,
        kind="change",
        title=f"Build {number} of {name}" if number else f"Build of {name}",
        over=True,
        severity=Severity.WARNING if result in {"failed", "partiallySucceeded"} else Severity.INFO,
        starts_at=monitors.instant(build.get("startTime"), "startTime", delivery),
        ends_at=monitors.moment(build.get("finishTime"), delivery),
        final=True,
        labels={"build": name, "service": name, "state": result, "reason": build.get("reason")},
        url=payload.object_of(payload.object_of(build.get("_links")).get("web")).get("href") or build.get("url"),
        **said,
    )
