"""Icinga 2 and Nagios by the notification script below, and Icinga Notifications' own events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidents.formats import forms, monitors, nagios, payload, placeholders, severities
from incidents.model import Delivery, Event, Statement, UnrecognisedError

VERSION = 1
TITLE = "Icinga and Nagios"
READS = ("icinga-notifications", "icinga", "nagios")
SETUP = {
    "snippets": [
        {
            "title": "/etc/icinga2/scripts/barograph.sh (executable)",
            "language": "shell",
            "text": """\
#!/bin/sh
exec curl -sS --fail --retry 5 --max-time 20 -H 'Authorization: Bearer {key}' '{url}' \\
  --data-urlencode "type=$TYPE" --data-urlencode "host=$HOST" --data-urlencode "service=$SERVICE" \\
  --data-urlencode "state=$STATE" --data-urlencode "output=$OUTPUT" --data-urlencode "address=$ADDRESS" \\
  --data-urlencode "at=$AT" --data-urlencode "changed_at=$CHANGED_AT" --data-urlencode "number=$NUMBER"
""",
        },
        {
            "title": "Icinga 2: conf.d/barograph.conf",
            "language": "text",
            "text": """\
object NotificationCommand "barograph-host" {
  command = [ ConfigDir + "/scripts/barograph.sh" ]
  env = {
    TYPE = "$notification.type$"
    HOST = "$host.name$"
    STATE = "$host.state$"
    OUTPUT = "$host.output$"
    ADDRESS = "$host.address$"
    AT = "$icinga.timet$"
    CHANGED_AT = "$host.last_state_change$"
    NUMBER = "$notification.notification_number$"
  }
}
object NotificationCommand "barograph-service" {
  command = [ ConfigDir + "/scripts/barograph.sh" ]
  env = {
    TYPE = "$notification.type$"
    HOST = "$host.name$"
    SERVICE = "$service.name$"
    STATE = "$service.state$"
    OUTPUT = "$service.output$"
    ADDRESS = "$host.address$"
    AT = "$icinga.timet$"
    CHANGED_AT = "$service.last_state_change$"
    NUMBER = "$notification.notification_number$"
  }
}
object User "barograph" {
  enable_notifications = true
}
apply Notification "barograph" to Host {
  command = "barograph-host"
  users = [ "barograph" ]
  types = [ Problem, Recovery ]
  assign where true
}
apply Notification "barograph" to Service {
  command = "barograph-service"
  users = [ "barograph" ]
  types = [ Problem, Recovery ]
  assign where true
}
""",
        },
        {
            "title": "Nagios: commands.cfg, with the same script",
            "language": "text",
            "text": """\
define command {
  command_name barograph-service
  command_line TYPE='$NOTIFICATIONTYPE$' HOST='$HOSTNAME$' SERVICE='$SERVICEDESC$' STATE='$SERVICESTATE$' \\
    OUTPUT='$SERVICEOUTPUT$' ADDRESS='$HOSTADDRESS$' AT='$TIMET$' CHANGED_AT='$LASTSERVICESTATECHANGE$' \\
    NUMBER='$SERVICENOTIFICATIONNUMBER$' /usr/local/bin/barograph.sh
}
define command {
  command_name barograph-host
  command_line TYPE='$NOTIFICATIONTYPE$' HOST='$HOSTNAME$' STATE='$HOSTSTATE$' OUTPUT='$HOSTOUTPUT$' \\
    ADDRESS='$HOSTADDRESS$' AT='$TIMET$' CHANGED_AT='$LASTHOSTSTATECHANGE$' \\
    NUMBER='$HOSTNOTIFICATIONNUMBER$' /usr/local/bin/barograph.sh
}
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "our script fails, which is logged; we answer 4xx only for a wrong key or an unknown source"],
        ["On 5xx", "our script tries five times more"],
        ["Repeats", "by the notification interval; repeats change nothing here"],
        ["Resolved", "sent as RECOVERY when the notification's types hold Recovery"],
        ["Time zone", "epoch seconds"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by host and service; none for acknowledgements, downtimes, flapping and comments."""
    said = placeholders.filled(forms.fields_in(delivery))
    if isinstance(said.get("tags"), dict):
        return _event(said, said["tags"], delivery)
    if "type" not in said or "host" not in said:
        raise UnrecognisedError("neither our script's fields nor an event of Icinga Notifications")
    return nagios.alerts(
        delivery,
        kind=said["type"],
        host=said["host"],
        service=said.get("service"),
        state=said.get("state"),
        at=monitors.moment(said.get("at"), delivery),
        changed_at=monitors.instant(said.get("changed_at"), "changed_at", delivery),
        number=said.get("number"),
        labels={"address": said.get("address")},
        text=said.get("output"),
    )


def _event(said: Mapping[str, Any], tags: Mapping[str, Any], delivery: Delivery) -> list[Statement]:
    if payload.title_of(said.get("type")) not in {None, "state"}:
        return []
    if not monitors.is_said(said.get("severity")):
        raise UnrecognisedError("an event of Icinga Notifications without a severity")
    over = said["severity"] == "ok"
    names = payload.labels_of(tags)
    event: Event = monitors.event_of(
        delivery,
        key=",".join(f"{name}={names[name]}" for name in sorted(names)) or said.get("name"),
        title=said.get("name") or names.get("service") or names.get("host"),
        over=over,
        severity=severities.severity(None if over else said["severity"]),
        labels=names,
        url=said.get("url"),
        text=said.get("message") or said.get("summary"),
    )
    return [event]
