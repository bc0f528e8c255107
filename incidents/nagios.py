"""The states and notification types of Nagios, which Icinga and Checkmk speak too."""

from __future__ import annotations

from collections.abc import Mapping

from incidents.model import Severity

SEVERITIES: Mapping[str, Severity] = {
    "down": Severity.CRITICAL,
    "unreachable": Severity.ERROR,
    "unreach": Severity.ERROR,
    "unknown": Severity.WARNING,
    "up": Severity.INFO,
}
"""The states of hosts, and UNKNOWN of services, which the common words do not hold."""

TYPES: Mapping[str, bool | None] = {
    "problem": False,
    "recovery": True,
    **dict.fromkeys(("acknowledgement", "custom", "test"), None),
    **dict.fromkeys(("flappingstart", "flappingstop", "flappingend", "flappingdisabled"), None),
    **dict.fromkeys(("downtimestart", "downtimeend", "downtimestop", "downtimeremoved", "downtimecancelled"), None),
}
"""What a notification's type says: over, on, or (None) neither, in lower case."""
