"""Families of hazards and the words by which alerts name what each of them strikes; metaphors are not among them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

from incidents.lanes import is_grid, plain_words
from incidents.model import Occurrence

Family = Literal[
    "heat", "cold", "wind", "thunderstorm", "flood", "snow", "smoke", "earthquake", "grid", "other", "provider"
]

# The first row with a match wins: "wind chill" is cold, "ice storm" snow, "storm surge" flood, "red flag" smoke.
_FAMILIES: Final[tuple[tuple[Family, str], ...]] = (
    ("earthquake", r"(?:earth)?quakes?|seismic|^m \d"),
    ("smoke", r"red flag|fire weather|(?:wild|bush)?fires?|smoke|air quality|ashfall|dust"),
    ("heat", r"heat|heatwave|hot weather|high temperatures?"),
    ("thunderstorm", r"thunder ?storms?|lightning|tornado|derecho|hail"),
    ("snow", r"snow|blizzard|ice|icing|sleet|winter (?:storm|weather)|freezing (?:rain|spray|drizzle)|avalanches?"),
    ("cold", r"cold|freeze|frost|wind chill|low temperatures?"),
    ("flood", r"floods?|flooding|storm surge|tsunami|high surf|rain|rainfall|coastal event|hydrologic"),
    ("wind", r"winds?|gale|hurricane|typhoon|cyclone|storms?"),
)

# Phrases that sound like a hazard or a plant and are neither. They are taken out before signals are read.
_METAPHORS: Final = re.compile(
    r"\b(?:"
    r"(?:connections?|retry|retries|reconnect(?:ion)?s?|requests?|quer(?:y|ies)|writes?|log ?ins?|log ?ons?|alerts?|"
    r"(?:re )?mirroring|boot|cache|broadcast|syn|traffic) (?:storms?|floods?|flooding)|"
    r"(?:storm|flood|avalanche|wave)s? of \w+|flooding|heat ?maps?|"
    r"(?:hot|warm|cold) (?:spots?|shards?|partitions?|keys?|standby|starts?|caches?|storage|paths?|reload)|"
    r"(?:code|deploy(?:ment)?|change) freeze|smoke (?:tests?|checks?)|(?:high |low )?water ?marks?|"
    r"(?:follow|pop|start|set|sign|log|spin|look) ups|power (?:user|users|bi|shell|automate|apps|query|of two)|"
    r"utility (?:service|function|script|pod|node|class|library)|"
    r"(?:report|token|id|pdf|load|traffic|code|page|thumbnail|random|event|sitemap|invoice) generators?"
    r")\b"
)

_COOLING: Final = (
    r"cooling|coolers?|chillers?|cracs?|crahs?|hvac|air condition(?:ing|er)|inlet|supply air|temperatures?|thermal|"
    r"ambient|overheat\w*|condensers?"
)
_POWER: Final = r"power|utility|mains|ups|pdus?|generators?|gensets?|voltage|brownout|switchgear|on battery"
_FREEZING: Final = r"freez\w*|frozen"
_STRUCK: Final[dict[Family, str]] = {
    "heat": _COOLING,
    "cold": rf"cooling|chillers?|{_FREEZING}|{_POWER}",
    "smoke": rf"smoke|filters?|fire|particulates?|{_COOLING}",
    "thunderstorm": rf"lightning|{_POWER}",
    "wind": _POWER,
    "snow": rf"{_FREEZING}|{_POWER}",
    "flood": rf"water|sump|flood(?:ed)?|basement|drain|{_POWER}",
    "earthquake": rf"seismic|vibration|{_POWER}",
    "grid": _POWER,
}
_SOFTWARE: Final = (
    r"config(?:uration)?|deploy(?:ments?|s|ed)?|rollback|rollout|certificates?|certs?|dns|bgp|database|bug"
)


def family_of(occurrence: Occurrence) -> Family:
    """The family of a hazard, by the feed's words for it and, when they say nothing, by its title."""
    if occurrence.kind == "provider_incident":
        return "provider"
    if is_grid(occurrence):
        return "grid"
    spoken = (plain_words(text) for text in (occurrence.event, occurrence.title) if text)
    return next((family for words in spoken for family, named in _FAMILIES if _pattern(named).search(words)), "other")


def named_by(signals: Sequence[str], family: Family) -> tuple[str, ...]:
    """The words in these signals that name what hazards of this family strike; each once, sorted."""
    return _found(_STRUCK[family], signals) if family in _STRUCK else ()


def software_words(signals: Sequence[str]) -> tuple[str, ...]:
    """The words in these signals that name configuration, deployment or naming; each once, sorted."""
    return _found(_SOFTWARE, signals)


def _found(named: str, signals: Sequence[str]) -> tuple[str, ...]:
    cleared = (_METAPHORS.sub(" ", plain_words(signal)) for signal in signals)
    return tuple(sorted({match.group(1) for words in cleared for match in _pattern(named).finditer(words)}))


@lru_cache(maxsize=64)
def _pattern(named: str) -> re.Pattern[str]:
    """Whole words of `plain_words`, a number behind them allowed (`ups2`)."""
    return re.compile(rf"\b({named})\d*\b")
