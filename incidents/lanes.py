"""Which lane of the figure a thing is drawn in: a matter of where to look, never a claim about what it is."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from incidents.model import Lane, Occurrence

_OWN_LANES: Final[dict[str, Lane]] = {
    "site": "site",
    "hardware": "hardware",
    "network": "network",
    "platform": "platform",
    "service": "service",
}
ABOUT_ALERTS: Final = frozenset({"silenced", "inhibited", "notified"})
"""What a sender did about an alert stands where the alert stands: it has the alert's labels, so they say where."""
_SERVICE_LABELS: Final = ("service", "job", "app", "namespace")

# Before a capital after a small letter, and before the last capital of a run, unless only a plural s follows (PDUs).
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z](?!s(?:[\W_]|$))[a-z])")
_GAPS: Final = re.compile(r"[\W_]+")


def _words(*alternatives: str) -> re.Pattern[str]:
    """Any of these as whole words of `plain_words`, a number behind them allowed (`crac2`)."""
    return re.compile(rf"\b(?:{'|'.join(alternatives)})\d*\b")


GRID_WORDS: Final = re.compile(
    r"\b(?:grid|eea ?[0-3]?|energy emergency|voltage (?:disturbance|dip|sag)|flex alert|load shed(?:ding)?|"
    r"electricity margin notice|capacity market notice|rotating outages?|rolling blackouts?|blackout|"
    r"public safety power shut ?off|psps)\b"
)
"""Words, over `plain_words`, by which a notice is about the electricity grid."""

# Phrases that look like a place's words and are not. They are taken out before any table is asked.
_NOT_MEANT: Final = re.compile(
    r"\b(?:fan (?:out|in)|context switch\w*|(?:feature|kill|dead man s?) switch|"
    r"(?:user|api|web|command line|programming) interface|"
    r"(?:report|token|id|pdf|load|traffic|code|page|thumbnail|random|event|sitemap|invoice) generator|"
    r"(?:follow|pop|start|set|sign|log|spin|look) ups|power (?:user|users|bi|shell|automate|apps|query))\b"
)

# The first row with a match wins. A rack's or a host's own inlet is hardware; a hall's is the site. DNS is network: it
# is how a path is found, and those who mend paths mend it. What a program's users feel (p99, error rate, SLO) is the
# service even when a disk or a host is named; what runs programs is the platform, and so is what no row knows.
_TABLE: Final[tuple[tuple[Lane, re.Pattern[str]], ...]] = (
    (
        "service",
        _words(
            r"p\d{2,3}|sl[io]|error rate|errors? budget|burn rate|https? errors?|requests?|apdex|response times?",
            r"checkouts?",
        ),
    ),
    (
        "platform",
        _words(
            r"(?<!disk )queues?|pods?|containers?|quota|hpa|daemon ?sets?|stateful ?sets?|replicas?|deployments?",
        ),
    ),
    (
        "hardware",
        _words(r"(?:racks?|host|server|node|cpu|disk) (?:\w+ )?(?:inlet|temperature)|inlet (?:[\w%]+ ){0,4}racks?"),
    ),
    (
        "site",
        _words(
            r"cooling|chillers?|cracs?|crahs?|ups|pdus?|generators?|gensets?|(?:supply|return) air|inlet|hall|humidity",
            r"dew ?point|(?:power|utility|mains) (?:feed|failure|loss|lost|outage)|utility power|on battery|switchgear",
            r"busbar|hvac|water leak|smoke detect(?:ed|or)|fire (?:alarm|panel)|bms",
        ),
    ),
    (
        "network",
        _words(
            r"bgp|ospf|interfaces?|uplinks?|link (?:down|up|flap\w*|loss|saturat\w*|errors?|state)|peering",
            r"packets? (?:loss|drops?)",
            r"loss (?:\d+ )?to|latency to|switch|switches|routers?|dns|network|wan|fib(?:er|re)|optics?|transceivers?",
            r"vpn|tunnels?|icmp|ping",
        ),
    ),
    (
        "hardware",
        _words(
            r"hosts?|nodes?|disks?|smart|cpus?|memory|fans?|ipmi|bmc|hardware|racks?|raid|psus?|power suppl(?:y|ies)",
            r"gpus?|nvme|ssd|edac|ecc|thermal throttl\w*|machine check",
        ),
    ),
    ("site", _words("temperature|power|utility|mains|ambient")),
)


@lru_cache(maxsize=8192)
def plain_words(text: str) -> str:
    """`text` in lower case, one space between words: `UPSOnBattery`, `ups_on-battery` → `ups on battery`."""
    return _GAPS.sub(" ", _CAMEL.sub(" ", text)).strip().lower()


def lane_of(occurrence: Occurrence) -> Lane:
    """The lane an occurrence is drawn in."""
    if occurrence.kind == "hazard":
        return "grid" if is_grid(occurrence) else "warnings"
    if occurrence.kind == "provider_incident":
        return "providers"
    if occurrence.kind == "change" and occurrence.event not in ABOUT_ALERTS:
        return "changes"
    labels = occurrence.labels
    said = _OWN_LANES.get(labels.get("lane", "").lower()) or _OWN_LANES.get(labels.get("layer", "").lower())
    return said or _lane_of_words(labels.get("alertname") or occurrence.title)


def is_grid(occurrence: Occurrence) -> bool:
    """Whether a hazard speaks of the electricity grid, by its area or by the feed's own words."""
    if occurrence.area is not None and occurrence.area.grid_areas:
        return True
    return GRID_WORDS.search(plain_words(occurrence.event or occurrence.title)) is not None


def reading_lane(variable: str) -> Lane:
    """The lane a series is drawn in: `grid_load_mw` and `grid_frequency_hz` in grid, the sky's in weather."""
    return "grid" if variable.startswith("grid_") or variable.endswith(("_mw", "_hz")) else "weather"


def service_of(occurrence: Occurrence) -> str | None:
    """What an alert is grouped by within its lane: its service, else job, app or namespace label."""
    return next((value for name in _SERVICE_LABELS if (value := occurrence.labels.get(name))), None)


@lru_cache(maxsize=8192)
def _lane_of_words(text: str) -> Lane:
    words = _NOT_MEANT.sub(" ", plain_words(text))
    return next((lane for lane, pattern in _TABLE if pattern.search(words)), "platform")
