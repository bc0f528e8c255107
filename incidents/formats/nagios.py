"""Notifications of Nagios and its heirs Icinga and Checkmk, once their fields are found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from incidents.formats import monitors, payload, severities
from incidents.model import Delivery, Severity, Statement

SEVERITIES: Mapping[str, Severity] = {
    "down": Severity.CRITICAL,
    "unreachable": Severity.ERROR,
    "unreach": Severity.ERROR,
    "unknown": Severity.WARNING,
    "up": Severity.UNKNOWN,
    "ok": Severity.UNKNOWN,
}
"""The states that the common words do not hold, or hold for more than "nothing wrong here"."""

_TYPES: Mapping[str, bool | None] = {
    "problem": False,
    "recovery": True,
    **dict.fromkeys(("acknowledgement", "custom", "test"), None),
    **dict.fromkeys(("flappingstart", "flappingstop", "flappingend", "flappingdisabled"), None),
    **dict.fromkeys(("downtimestart", "downtimeend", "downtimestop", "downtimeremoved", "downtimecancelled"), None),
}


def alerts(
    delivery: Delivery,
    *,
    kind: object,
    host: object,
    service: object,
    state: object,
    site: object = None,
    at: datetime | None = None,
    changed_at: datetime | None = None,
    number: object = None,
    labels: Mapping[str, object] | None = None,
    url: object = None,
    text: object = None,
) -> list[Statement]:
    """One alert for a PROBLEM or RECOVERY of a host or service; none for what neither starts nor ends one.

    `kind` is the notification's type, `changed_at` when the present state came about, and `number` counts the
    notifications of a problem: only the first one's state is where the problem began.
    """
    over = monitors.state_of(kind, _TYPES, "the notification's type")
    if over is None:
        return []
    found = payload.title_of(service), payload.title_of(host) or "a host"
    event = monitors.event_of(
        delivery,
        key=monitors.key_from(*(part for part in (site, host) if monitors.is_said(part)), service) if host else None,
        title=f"{found[0]} on {found[1]}" if found[0] else f"Host {found[1]}",
        over=over,
        severity=severities.severity(state, SEVERITIES),
        said_at=at,
        starts_at=changed_at if not over and payload.number_of(number) == 1 else None,
        ends_at=changed_at if over else None,
        labels={"host": host, "service": service, "state": state, "site": site, **(labels or {})},
        url=url,
        text=text,
    )
    return [event]
