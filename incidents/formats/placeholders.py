"""Template variables that a sender did not fill in: what they leave behind says nothing."""

from __future__ import annotations

import re
from typing import Any

DEPTH = 12
_UNFILLED = re.compile(
    r"\{[#$]?[A-Z][A-Za-z0-9_.:]*\}"  # Zabbix {EVENT.ID}, {#LLD}, {$USER}
    r"|\$\{?[A-Z][A-Z0-9_]*\}?"  # $SERVICE, ${SERVICE}
    r"|\$[a-z]+(?:[._][a-z_]+)+\$"  # Icinga $host.name$
    r"|\*(?:[a-z]+[A-Z][A-Za-z]*|UNKNOWN|insert [a-z ]+)\*"  # UptimeRobot *alertDetails*, Zabbix, Coralogix
    r"|\{\{[^{}]*\}\}"  # Mustache, Handlebars, Go
    r"|<no value>|<nil>"  # Go
    r"|%[a-z]+"  # PRTG
    r"|\|[A-Z]+\|"  # StatusCake
)


def filled(value: Any, depth: int = DEPTH) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """The JSON value with None for each text that is nothing but a variable; a copy, 12 levels deep."""
    if isinstance(value, str):
        return None if len(value) <= 200 and _UNFILLED.fullmatch(value.strip()) else value
    if depth and isinstance(value, dict):
        return {name: filled(member, depth - 1) for name, member in value.items()}
    if depth and isinstance(value, list):
        return [filled(member, depth - 1) for member in value]
    return value
