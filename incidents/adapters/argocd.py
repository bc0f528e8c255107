"""Argo CD's notifications by the templates below: what it deploys, and applications that turn degraded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from incidents.formats import monitors, payload, placeholders
from incidents.model import Delivery, Event, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Argo CD"
READS = ("argocd",)
TIMEOUT = timedelta(hours=1)
SETUP = {
    "snippets": [
        {
            "title": "argocd-notifications-cm",
            "language": "yaml",
            "text": """\
data:
  service.webhook.barograph: |
    url: {url}
    headers:
      - {name: Authorization, value: Bearer $barograph-key}
      - {name: Content-Type, value: application/json}
  template.barograph-operation: |
    webhook:
      barograph:
        method: POST
        body: |
          {"about": "operation", "app": {{toJson .app.metadata.name}},
           "app_namespace": {{toJson .app.metadata.namespace}}, "spec": {{toJson .app.spec}},
           "operation": {{toJson .app.status.operationState}}, "url": {{toJson .context.argocdUrl}}}
  template.barograph-health: |
    webhook:
      barograph:
        method: POST
        body: |
          {"about": "health", "app": {{toJson .app.metadata.name}},
           "app_namespace": {{toJson .app.metadata.namespace}}, "spec": {{toJson .app.spec}},
           "health": {{toJson .app.status.health}}, "url": {{toJson .context.argocdUrl}}}
  trigger.barograph: |
    - when: app.status.operationState != nil and app.status.operationState.phase == 'Running'
      send: [barograph-operation]
    - when: app.status.operationState != nil and app.status.operationState.phase in ['Succeeded', 'Failed', 'Error']
      oncePer: app.status.operationState.finishedAt
      send: [barograph-operation]
    - when: app.status.health.status == 'Degraded'
      send: [barograph-health]
  subscriptions: |
    - recipients: [barograph]
      triggers: [barograph]
""",
            "note": "The key goes into the Secret argocd-notifications-secret as `barograph-key: {key}`.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "drops the notification; we answer 4xx only for a wrong key or an unknown source"],
        ["On 5xx", "tries three times, 1 to 5 s apart"],
        ["Repeats", "none by these triggers"],
        [
            "Resolved",
            "an operation says when it finished; of health only the turn to Degraded is told, assumed to last an hour",
        ],
        ["Time zone", "UTC"],
    ],
}

_PHASES = {"running": False, "terminating": False, "succeeded": True, "failed": True, "error": True}


def normalise(delivery: Delivery) -> list[Statement]:
    """One change by the application and the start of its operation, or one alert on the application's health."""
    said = placeholders.filled(monitors.object_in(delivery, "an Argo CD message of our templates"))
    about = said.get("about")
    if about == "operation":
        return [_operation(said, payload.object_of(said.get("operation")), delivery)]
    if about == "health":
        health = payload.object_of(said.get("health"))
        # Healthy again is no end: its turn has a time of its own, and each deployment passes through it.
        well = payload.title_of(health.get("status")) in {"Healthy", "Progressing"}
        return [] if well else [_health(said, health, delivery)]
    raise UnrecognisedError("not an Argo CD message of our templates: `about` is neither operation nor health")


def _operation(said: Mapping[str, Any], operation: Mapping[str, Any], delivery: Delivery) -> Event:
    starts_at = monitors.instant(operation.get("startedAt"), "operation.startedAt", delivery)
    phase = payload.title_of(operation.get("phase"))
    over = bool(monitors.state_of(phase, _PHASES, "operation.phase"))
    sync = payload.object_of(operation.get("syncResult"))
    return monitors.event_of(
        delivery,
        key=_key(said, starts_at),
        kind="change",
        title=f"Sync of {monitors.word(said.get('app'))} to {monitors.word(sync.get('revision'), default='?')[:12]}",
        over=over,
        severity=Severity.ERROR if phase in {"Failed", "Error"} else Severity.INFO,
        starts_at=starts_at,
        ends_at=monitors.moment(operation.get("finishedAt"), delivery) if over else None,
        final=starts_at is not None,
        labels=_labels(said) | {"revision": sync.get("revision"), "state": phase},
        url=_address(said),
        text=operation.get("message"),
    )


def _health(said: Mapping[str, Any], health: Mapping[str, Any], delivery: Delivery) -> Event:
    starts_at = monitors.instant(health.get("lastTransitionTime"), "health.lastTransitionTime", delivery)
    return monitors.event_of(
        delivery,
        key=monitors.key_from(_key(said, starts_at or delivery.received_at), "health"),
        title=f"{monitors.word(said.get('app'))} is {monitors.word(health.get('status'), default='Unknown')}",
        over=False,
        severity=Severity.ERROR if health.get("status") == "Degraded" else Severity.WARNING,
        starts_at=starts_at,
        timeout=TIMEOUT,
        labels=_labels(said),
        url=_address(said),
        text=health.get("message"),
    )


def _key(said: Mapping[str, Any], starts_at: datetime | None) -> str | None:
    return monitors.key_from(said.get("app"), said.get("app_namespace"), starts_at.isoformat() if starts_at else None)


def _labels(said: Mapping[str, Any]) -> dict[str, object]:
    spec = payload.object_of(said.get("spec"))
    to = payload.object_of(spec.get("destination"))
    return {
        "app": said.get("app"),
        "service": said.get("app"),
        "project": spec.get("project"),
        "cluster": monitors.first(to, "name", "server"),
        "namespace": to.get("namespace"),
    }


def _address(said: Mapping[str, Any]) -> str | None:
    url, app = said.get("url"), said.get("app")
    return f"{url}/applications/{app}" if isinstance(url, str) and isinstance(app, str) else None
