"""Azure Monitor's action-group webhooks: the common alert schema, metric alerts, classic alerts, the activity log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from incidents.formats import labels, monitors, payload, severities
from incidents.model import Area, Delivery, Event, Loss, Post, Severity, Statement, UnrecognisedError

VERSION = 2
TITLE = "Azure Monitor"
READS = ("azure-monitor",)
TIMEOUT = timedelta(hours=1)
"""How long an alert on the activity log, or of a classic log search, is taken to be on: neither ever resolves."""
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "Azure CLI",
            "language": "shell",
            "text": """\
az monitor action-group create --resource-group monitoring --name barograph \\
  --action webhook barograph {url}/{key} usecommonalertschema
""",
            "note": "The webhook action sends no header of ours, so the key stands in the address. Then give the alert"
            " rules this action group, and leave their automatic resolution on.",
        },
        {
            "title": "Bicep",
            "language": "bicep",
            "text": """\
resource barograph 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'barograph'
  location: 'Global'
  properties: {
    groupShortName: 'barograph'
    enabled: true
    webhookReceivers: [
      { name: 'barograph', serviceUri: '{url}/{key}', useCommonAlertSchema: true }
    ]
  }
}
""",
        },
    ],
    "facts": [
        ["On 2xx", "delivered"],
        ["On 4xx", "lost, but for 408 and 429"],
        ["On 5xx", "503 and 504: tries again a few times, then leaves this address alone for 15 minutes"],
        ["Repeats", "log alerts may fire at each evaluation; each is an alert of its own"],
        [
            "Resolved",
            "monitorCondition Resolved; alerts on the activity log never say it and are taken to last an hour",
        ],
        ["Test", "the action group's test button speaks of subscription 11111111-1111-…; kept as a test"],
        ["Time zone", "UTC"],
    ],
}
_SEVERITIES = {
    f"{word}{level}": severity
    for word in ("sev", "")
    for level, severity in enumerate(
        (Severity.CRITICAL, Severity.ERROR, Severity.WARNING, Severity.INFO, Severity.INFO)
    )
}
_STATES = {"fired": False, "activated": False, "active": False, "resolved": True, "deactivated": True}
_TEST_SUBSCRIPTION = "/11111111-1111-1111-1111-111111111111/"  # of the action group's test button
_PARTS = {"subscriptions": "subscription", "resourcegroups": "resource_group"}


def normalise(delivery: Delivery) -> list[Statement]:
    """One event for the alert, or for the service incident that the activity log tells of."""
    message = monitors.object_in(delivery, "an Azure Monitor alert")
    inner = payload.object_of(message.get("data"))
    essentials, context = inner.get("essentials"), payload.object_of(inner.get("context") or message.get("context"))
    if isinstance(essentials, dict):
        return [_common(essentials, inner, delivery), *_left_out(payload.object_of(inner.get("alertContext")))]
    if isinstance(context.get("activityLog"), dict):
        return [_logged(context["activityLog"], delivery)]
    if "id" in context or "resourceId" in context:
        return [_metric(context, inner.get("status") or message.get("status"), message, delivery)]
    if "AlertRuleName" in message or "AlertRuleName" in inner:
        return [_search(inner or message, delivery), *_left_out(inner or message)]
    raise UnrecognisedError("none of the schemas of Azure Monitor: neither data.essentials nor a context")


def _common(essentials: Mapping[str, Any], inner: Mapping[str, Any], delivery: Delivery) -> Event:
    context = payload.object_of(inner.get("alertContext"))
    service = payload.text_of(essentials.get("monitoringService")) or ""
    if service == "ServiceHealth" or context.get("eventSource") == "ServiceHealth":
        return _service_health(context, delivery)
    over = monitors.state_of(essentials.get("monitorCondition"), _STATES, "monitorCondition") or False
    targets = [
        word for target in payload.list_of(essentials.get("alertTargetIDs")) if (word := payload.text_of(target))
    ]
    items = [word for item in payload.list_of(essentials.get("configurationItems")) if (word := payload.text_of(item))]
    # What the activity log tells is fired once and never resolved.
    lasts = TIMEOUT if essentials.get("signalType") == "Activity Log" else None
    return monitors.event_of(
        delivery,
        key=_folded(monitors.first(essentials, "alertId", "originAlertId")),
        title=monitors.first(essentials, "alertRule"),
        over=over,
        severity=severities.severity(essentials.get("severity"), _SEVERITIES),
        starts_at=monitors.instant(essentials.get("firedDateTime"), "firedDateTime", delivery),
        ends_at=monitors.instant(essentials.get("resolvedDateTime"), "resolvedDateTime", delivery) if over else None,
        timeout=lasts,
        final=True,
        test=_TEST_SUBSCRIPTION in (payload.text_of(essentials.get("alertId")) or ""),
        labels=labels.merged(
            payload.object_of(inner.get("customProperties")),
            _parts(targets[0] if targets else ""),
            {"resource": ", ".join(items), "monitoring_service": service, "alertRule": essentials.get("alertRule")},
        ),
        url=essentials.get("investigationLink"),
        text=essentials.get("description"),
    )


def _metric(context: Mapping[str, Any], status: object, message: Mapping[str, Any], delivery: Delivery) -> Event:
    """A rule and its resource name the alert, and the dimensions where the rule splits by them."""
    over = monitors.state_of(status, _STATES, "status") or False
    at = monitors.instant(context.get("timestamp"), "context.timestamp", delivery)
    criteria = payload.list_of(payload.object_of(context.get("condition")).get("allOf"))
    pairs = [
        (name, payload.title_of(pair.get("value")) or "")
        for one in criteria
        for found in payload.list_of(payload.object_of(one).get("dimensions"))
        for pair in [payload.object_of(found)]
        if (name := payload.title_of(pair.get("name")))
    ]
    resource = _folded(context.get("resourceId"))
    split = "&".join(f"{name}={value}".casefold() for name, value in sorted(set(pairs)))
    return monitors.event_of(
        delivery,
        key=monitors.key_from(_folded(context.get("id")) or resource, resource, split),
        title=monitors.first(context, "name", "resourceName"),
        over=over,
        severity=severities.severity(context.get("severity"), _SEVERITIES),
        said_at=at,
        starts_at=None if over else at,
        ends_at=at,
        labels=labels.merged(
            payload.object_of(payload.object_of(message.get("data")).get("properties") or message.get("properties")),
            {name: value for name, value in pairs if not value.startswith("/")},
            _parts(payload.text_of(context.get("resourceId")) or ""),
            {"region": context.get("resourceRegion"), "resource": context.get("resourceName")},
        ),
        url=context.get("portalLink"),
        text=context.get("description"),
    )


def _logged(log: Mapping[str, Any], delivery: Delivery) -> Event:
    """An entry of the activity log: someone's operation is a change, anything else an alert without an end."""
    if log.get("eventSource") == "ServiceHealth":
        return _service_health(log, delivery)
    at = monitors.instant(log.get("eventTimestamp"), "eventTimestamp", delivery)
    is_change = log.get("eventSource") == "Administrative"
    return monitors.event_of(
        delivery,
        key=monitors.first(log, "eventDataId", "correlationId", "operationId"),
        title=monitors.first(log, "operationName", "eventSource"),
        over=is_change,
        kind="change" if is_change else "alert",
        severity=severities.severity(log.get("level")),
        starts_at=at,
        ends_at=at,
        timeout=None if is_change else TIMEOUT,
        final=True,
        labels=labels.merged(
            _parts(payload.text_of(log.get("resourceId")) or ""),
            {"subscription": log.get("subscriptionId"), "status": log.get("status"), "caller": log.get("caller")},
        ),
        text=log.get("description"),
    )


def _service_health(log: Mapping[str, Any], delivery: Delivery) -> Event:
    """An incident or maintenance of Azure itself, in the activity log's words."""
    said = payload.object_of(log.get("properties"))
    stage = payload.text_of(monitors.first(said, "stage") or log.get("status")) or ""
    over = stage.casefold() in {"resolved", "complete", "rca"}
    said_at = monitors.instant(log.get("eventTimestamp"), "eventTimestamp", delivery)
    text, region = payload.text_of(said.get("communication")), payload.title_of(said.get("region"))
    event = monitors.event_of(
        delivery,
        key=monitors.first({**log, **said}, "trackingId", "correlationId"),
        title=monitors.first(said, "title", "defaultLanguageTitle", "service"),
        over=over,
        kind="provider_incident",
        severity=severities.severity(log.get("level")),
        said_at=said_at,
        starts_at=monitors.instant(said.get("impactStartTime"), "impactStartTime", delivery),
        ends_at=monitors.instant(said.get("impactMitigationTime"), "impactMitigationTime", delivery),
        labels={
            "provider": "azure",
            "service": said.get("service"),
            "region": region,
            "type": said.get("incidentType"),
        },
        text=text,
    )
    posts = (Post(said_at, text),) if said_at and text else ()
    code = region.replace(" ", "").casefold() if region else ""
    return replace(event, area=Area(regions=(f"azure:{code}",)) if code else None, posts=posts)


def _search(found: Mapping[str, Any], delivery: Delivery) -> Event:
    """A classic alert of a log search: one interval of one rule, without a state."""
    at = _american(found.get("SearchIntervalEndtimeUtc")) or monitors.instant(
        found.get("SearchIntervalEndtimeUtc"), "SearchIntervalEndtimeUtc", delivery
    )
    rule = found.get("AlertRuleName")
    return monitors.event_of(
        delivery,
        key=monitors.key_from(rule, found.get("WorkspaceId"), found.get("SearchIntervalEndtimeUtc")),
        title=rule,
        over=False,
        severity=severities.severity(found.get("Severity"), _SEVERITIES),
        starts_at=at,
        timeout=TIMEOUT,
        final=at is not None,
        labels={"subscription": found.get("SubscriptionId"), "workspace": found.get("WorkspaceId"), "alertRule": rule},
        url=found.get("LinkToSearchResults"),
        text=monitors.first(found, "Description", "SearchQuery"),
    )


def _left_out(found: Mapping[str, Any]) -> list[Loss]:
    """The rows of a search that were left out of a message that would have been too large."""
    if payload.flag_of(monitors.first(found, "IncludedSearchResults", "IncludeSearchResults")) is not False:
        return []
    rows = max(payload.count_of(found.get("ResultCount")), 1)
    return [Loss(rows, "IncludedSearchResults: rows that Azure Monitor left out of this message")]


def _american(said: object) -> datetime | None:
    """3/22/2019 1:36:31 PM, which the field's name says is UTC."""
    try:
        return datetime.strptime(payload.text_of(said) or "", "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC)
    except ValueError:
        return None


def _folded(said: object) -> str | None:
    """Azure writes one resource's id in several cases."""
    return (payload.text_of(said) or "").casefold() or None


def _parts(resource: str) -> dict[str, str]:
    """/subscriptions/ID/resourceGroups/NAME/providers/KIND/TYPE/NAME as labels."""
    words = resource.strip("/").split("/")
    named = {_PARTS[name.casefold()]: value for name, value in pairwise(words) if name.casefold() in _PARTS}
    return named | ({"resource": words[-1], "resource_type": words[-2]} if len(words) >= 8 else {})
