"""Checkmk by the notification script below, and by the fields of an older script that others use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from incidents.formats import monitors, nagios, placeholders
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "Checkmk"
READS = ("checkmk",)
SETUP = {
    "snippets": [
        {
            "title": "~/local/share/check_mk/notifications/barograph (executable, as the site's user)",
            "language": "python",
            "text": """\
#!/usr/bin/env python3
# Barograph
import json, os, sys, urllib.error, urllib.request
NAMES = "WHAT NOTIFICATIONTYPE HOSTNAME HOSTADDRESS SERVICEDESC HOSTSTATE SERVICESTATE HOSTOUTPUT SERVICEOUTPUT "
NAMES += "MICROTIME LASTHOSTSTATECHANGE LASTSERVICESTATECHANGE HOSTNOTIFICATIONNUMBER SERVICENOTIFICATIONNUMBER "
NAMES += "HOSTGROUPNAMES SERVICEGROUPNAMES"
said = {name: os.environ.get("NOTIFY_" + name, "") for name in NAMES.split()}
said["SITE"] = os.environ.get("OMD_SITE", "")
headers = {"Authorization": "Bearer {key}", "Content-Type": "application/json"}
try:
    request = urllib.request.Request("{url}", json.dumps(said).encode(), headers)
    urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error:
    sys.exit(1 if error.code >= 500 else 2)
except OSError:
    sys.exit(1)
""",
            "note": "Then Setup → Notifications → Add rule with the method “Barograph”.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "our script gives up; we answer 4xx only for a wrong key or an unknown source"],
        ["On 5xx", "our script has Checkmk try again"],
        ["Repeats", "by the rule for periodic notifications; repeats change nothing here"],
        ["Resolved", "sent as RECOVERY"],
        ["Time zone", "epoch microseconds; the older script's times are the server's"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by site, host and service; none for acknowledgements, downtimes and flapping."""
    said = placeholders.filled(monitors.object_in(delivery, "a Checkmk notification"))
    if "NOTIFICATIONTYPE" in said:
        return _ours(said, "SERVICE" if said.get("WHAT") == "SERVICE" else "HOST", delivery)
    if "notification_type" not in said:
        raise UnrecognisedError("not a Checkmk notification: no type")
    return nagios.alerts(
        delivery,
        kind=said["notification_type"],
        site=said.get("site"),
        host=said.get("host"),
        service=said.get("service"),
        state=monitors.first(said, "status", "state"),
        at=_spoken(said, delivery),
        labels={"address": said.get("address")},
        url=said.get("url"),
        text=monitors.first(said, "output", "long_output"),
    )


def _ours(said: Mapping[str, Any], what: str, delivery: Delivery) -> list[Statement]:
    return nagios.alerts(
        delivery,
        kind=said["NOTIFICATIONTYPE"],
        site=said.get("SITE"),
        host=said.get("HOSTNAME"),
        service=said.get("SERVICEDESC") if what == "SERVICE" else None,
        state=said.get(f"{what}STATE"),
        at=monitors.moment(said.get("MICROTIME"), delivery),
        changed_at=monitors.instant(said.get(f"LAST{what}STATECHANGE"), f"LAST{what}STATECHANGE", delivery),
        number=said.get(f"{what}NOTIFICATIONNUMBER"),
        labels={"address": said.get("HOSTADDRESS"), "hostgroups": said.get("HOSTGROUPNAMES")},
        text=said.get(f"{what}OUTPUT"),
    )


def _spoken(said: Mapping[str, Any], delivery: Delivery) -> datetime | None:
    """The time of `date` ("Sat Oct 26 23:20:39 UTC 2024"), else the short one in the source's zone."""
    found = re.fullmatch(r"\w{3} (\w{3}) +(\d+) ([\d:]+) (\w+) (\d{4})", monitors.word(said.get("long_date_time")))
    long = monitors.moment(f"{found[2]} {found[1]} {found[5]} {found[3]} {found[4]}", delivery) if found else None
    return long or monitors.moment(said.get("short_date_time"), delivery)
