"""What AWS says in JSON, by whichever service brought it: CloudWatch alarms and AWS Health events. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from incidents.formats import monitors, payload
from incidents.model import Area, Delivery, Event, Post, Severity, UnrecognisedError

NOTIFICATION_LASTS = timedelta(hours=24)
"""How long a notification of AWS Health counts that has no end: AWS never closes it."""

_STATES = {"alarm": False, "ok": True, "insufficient_data": None}
_CONSOLE = "https://health.console.aws.amazon.com/health/home#/account/event-log?eventID="


def events_of(notice: Mapping[str, Any], delivery: Delivery, region: str | None = None) -> list[Event] | None:
    """The events in a notice, perhaps none; None where it is neither of CloudWatch nor of AWS Health.

    Reads CloudWatch's message to SNS (`AlarmName`), its call of a Lambda function (`alarmData`), and EventBridge.
    Configuration changes carry a state, but say nothing of it. `region` is that of the topic that brought the notice:
    older alarms name theirs in words ("EU (Ireland)").
    """
    detail, kind = payload.object_of(notice.get("detail")), notice.get("detail-type")
    if "AlarmName" in notice and "NewStateValue" in notice:
        return _alarm(_of_sns(notice) | ({"region": region} if region else {}), delivery)
    if isinstance(notice.get("alarmData"), dict):
        return _alarm(_of_event(notice["alarmData"], notice, notice.get("alarmArn")), delivery)
    if kind == "CloudWatch Alarm State Change":
        resources = payload.list_of(notice.get("resources"))
        return _alarm(_of_event(detail, notice, resources[0] if resources else None), delivery)
    if kind == "CloudWatch Alarm Configuration Change":
        return []
    if "eventTypeCode" in detail and ("eventArn" in detail or "arn" in detail):
        return [_health(detail, notice, delivery)]
    if "eventTypeCode" in notice and "eventArn" in notice:
        return [_health(notice, {}, delivery)]
    return None


def _of_sns(notice: Mapping[str, Any]) -> dict[str, Any]:
    trigger = payload.object_of(notice.get("Trigger"))
    stats = [payload.object_of(payload.object_of(m).get("MetricStat")) for m in payload.list_of(trigger.get("Metrics"))]
    metric = next((found for stat in stats if (found := payload.object_of(stat.get("Metric")))), trigger)
    dimensions = [payload.object_of(pair) for pair in payload.list_of(metric.get("Dimensions"))]
    return {
        "arn": notice.get("AlarmArn"),
        "name": notice.get("AlarmName"),
        "account": notice.get("AWSAccountId"),
        "region": notice.get("Region"),
        "state": notice.get("NewStateValue"),
        "before": notice.get("OldStateValue"),
        "reason": notice.get("NewStateReason"),
        "at": notice.get("StateChangeTime"),
        "description": notice.get("AlarmDescription"),
        "namespace": metric.get("Namespace"),
        "metric": metric.get("MetricName"),
        "dimensions": {name: pair.get("value") for pair in dimensions if (name := payload.title_of(pair.get("name")))},
    }


def _of_event(alarm: Mapping[str, Any], envelope: Mapping[str, Any], arn: object) -> dict[str, Any]:
    state, before = payload.object_of(alarm.get("state")), payload.object_of(alarm.get("previousState"))
    configuration = payload.object_of(alarm.get("configuration"))
    stats = [
        payload.object_of(payload.object_of(m).get("metricStat")) for m in payload.list_of(configuration.get("metrics"))
    ]
    metric = next((found for stat in stats if (found := payload.object_of(stat.get("metric")))), {})
    return {
        "arn": arn,
        "name": alarm.get("alarmName"),
        "account": monitors.first(envelope, "account", "accountId"),
        "region": envelope.get("region"),
        "state": state.get("value"),
        "before": before.get("value"),
        "reason": state.get("reason"),
        "at": state.get("timestamp") or envelope.get("time"),
        "description": configuration.get("description"),
        "namespace": metric.get("namespace"),
        "metric": metric.get("name"),
        "dimensions": payload.object_of(metric.get("dimensions")),
    }


def _alarm(said: Mapping[str, Any], delivery: Delivery) -> list[Event]:
    """An alarm's ARN is the same in every episode. Missing values neither start an alarm nor end one."""
    over = monitors.state_of(said["state"], _STATES, "the alarm's state")
    if over is None and said["before"] != "ALARM":
        return []
    at = monitors.instant(said["at"], "the state's time", delivery)
    arn = payload.text_of(said["arn"]) or ""
    # arn:aws:cloudwatch:eu-west-1:123456789012:alarm:Name
    region = arn.split(":")[3] if arn.count(":") >= 6 else said["region"]
    reason, description = payload.text_of(said["reason"]), payload.text_of(said["description"])
    labels = {
        **said["dimensions"],
        "alarm": said["name"],
        "account": said["account"],
        "region": region,
        "namespace": said["namespace"],
        "metric": said["metric"],
    }
    return [
        monitors.event_of(
            delivery,
            key=arn or monitors.key_from(said["name"], said["account"], region),
            title=said["name"],
            over=bool(over),
            said_at=at,
            starts_at=at if over is False else None,
            ends_at=at,
            labels=labels,
            text="\n\n".join(part for part in (reason, description) if part),
        )
    ]


def _health(detail: Mapping[str, Any], envelope: Mapping[str, Any], delivery: Delivery) -> Event:
    """One event of AWS Health: an issue, a scheduled change, or a notification that AWS never closes."""
    arn = payload.key_of(monitors.first(detail, "eventArn", "arn"))
    code, service = payload.title_of(detail.get("eventTypeCode")), payload.title_of(detail.get("service"))
    if arn is None:
        raise UnrecognisedError("an event of AWS Health without its ARN")
    starts_at = monitors.instant(detail.get("startTime"), "startTime", delivery)
    ends_at = monitors.instant(detail.get("endTime"), "endTime", delivery)
    category, status = detail.get("eventTypeCategory"), detail.get("statusCode")
    updated = monitors.first({**envelope, **detail}, "lastUpdatedTime", "time")
    said_at = monitors.instant(updated, "lastUpdatedTime", delivery)
    text = _description(detail.get("eventDescription"))
    region = payload.title_of(monitors.first({**envelope, **detail}, "eventRegion", "region"))
    expected = assumed = False
    if category == "scheduledChange" and status != "closed":
        expected = ends_at is not None
    elif ends_at is None and (status == "closed" or category == "accountNotification"):
        assumed = True
        closed = said_at or delivery.received_at
        ends_at = closed if status == "closed" else (starts_at or closed) + NOTIFICATION_LASTS
    if ends_at and starts_at and ends_at < starts_at:
        ends_at, assumed = starts_at, True
    return Event(
        key=arn,
        kind="provider_incident",
        title=_title(code, service),
        severity=Severity.UNKNOWN if category == "issue" else Severity.INFO,
        said_at=said_at or delivery.received_at,
        starts_at=starts_at,
        ends_at=ends_at,
        ends_expected=expected,
        ends_assumed=assumed,
        test="HEALTH_TEST" in f"{arn} {code}",
        labels=payload.labels_of(
            {
                name: value
                for name, value in {
                    "provider": "aws",
                    "service": service,
                    "region": region,
                    "account": monitors.first({**envelope, **detail}, "affectedAccount", "account"),
                    "category": category,
                    "code": code,
                }.items()
                if monitors.is_said(value)
            }
        ),
        url=_CONSOLE + arn if arn.isascii() and " " not in arn else None,
        text=text,
        event=payload.title_of(category),
        area=Area(regions=(f"aws:{region}",)) if region and " " not in region else None,
        posts=(Post(said_at, text),) if said_at and text else (),
    )


def _title(code: str | None, service: str | None) -> str:
    """AWS_EC2_OPERATIONAL_ISSUE of EC2 is "EC2: operational issue"."""
    service = (service or "AWS").removeprefix("AWS_")
    words = (code or "Health event").removeprefix("AWS_").removeprefix(f"{service}_").replace("_", " ").lower()
    return payload.title_of(f"{service}: {words}") or service


def _description(said: object) -> str | None:
    """The description in English where there are several languages; its line ends may be escaped twice."""
    found = [payload.object_of(one) for one in (said if isinstance(said, list) else [said])]
    english = [one for one in found if (payload.text_of(one.get("language")) or "").startswith("en")]
    text = next((one["latestDescription"] for one in [*english, *found] if one.get("latestDescription")), None)
    return payload.text_of(text.replace("\\n", "\n")) if isinstance(text, str) else None
