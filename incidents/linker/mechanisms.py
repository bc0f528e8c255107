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

_WARMTH: Final = r"temperatures?|thermal|ambient"
_COOLING: Final = (
    r"cooling|coolers?|chillers?|cracs?|crahs?|hvac|air condition(?:ing|er)|inlet|supply air|overheat\w*|"
    r"condensers?|head pressure"
)
_POWER: Final = (
    r"power|utility|mains|ups|pdus?|generators?|gensets?|voltage|brownout|switchgear|on battery|blackout|substation"
)
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
# Words that speak of it at one remove: a voltage dip that trips chillers is seen as loss of cooling, and a warm room
# says that cooling fell short, not that it was hot outside.
_STRUCK_LESS: Final[dict[Family, str]] = {
    "heat": _WARMTH,
    "smoke": _WARMTH,
    "thunderstorm": rf"{_COOLING}|{_WARMTH}",
    "wind": rf"{_COOLING}|{_WARMTH}",
    "earthquake": rf"{_COOLING}|{_WARMTH}",
    "grid": rf"{_COOLING}|{_WARMTH}",
}
_SOFTWARE: Final = (
    r"config(?:uration)?s?|deploy(?:ments?|s|ed)?|rollback|roll(?:ed)? ?out|rolled back|certificates?|certs?|dns|bgp|"
    r"database|bug|feature flags?|migration|null pointer|race condition|memory leak|deadlock|route leak|typo|"
    r"script|thread limit|expired (?:token|key|licen[cs]e)|software|firmware|code (?:change|push)|"
    r"content update|bad (?:build|release|push)"
)
_OTHER_PHYSICAL: Final = (
    r"maintenance|battery (?:fire|explosion)|lithium|li ion|fire suppression|sprinklers?|excavators?|digger|"
    r"(?:fib(?:er|re)|cable) cut|truck|ground fault|static (?:transfer )?switch|human error|wrong (?:valve|breaker)|"
    r"(?:pump|pipe|cooling|water) leak\w*|leak in|air lock|airlock\w*|control (?:system )?(?:bug|fault|failure)|plc|"
    r"ups (?:fault|failure|failed)|overhaul|sabotage|drone|missile|strike on"
)
"""What else brings a hall down, as those say who were there; none of it asks for weather."""


def family_of(occurrence: Occurrence) -> Family:
    """The family of a hazard, by the feed's words for it and, when they say nothing, by its title."""
    if occurrence.kind == "provider_incident":
        return "provider"
    if is_grid(occurrence):
        return "grid"
    return _family_of_words(occurrence.event, occurrence.title)


@lru_cache(maxsize=8192)
def _family_of_words(*texts: str | None) -> Family:
    spoken = (plain_words(text) for text in texts if text)
    return next((family for words in spoken for family, named in _FAMILIES if _pattern(named).search(words)), "other")


def named_by(signals: Sequence[str], family: Family) -> tuple[str, ...]:
    """The words in these signals that name what hazards of this family strike; each once, sorted."""
    return _found(_STRUCK[family], signals) if family in _STRUCK else ()


def hinted_by(signals: Sequence[str], family: Family) -> tuple[str, ...]:
    """The words that speak of what this family strikes only at one remove: warmth, or cooling after a lost supply."""
    return _found(_STRUCK_LESS[family], signals) if family in _STRUCK_LESS else ()


def cooling_words(signals: Sequence[str]) -> tuple[str, ...]:
    """The words that name cooling, whatever the family; warmth alone is none."""
    return _found(_COOLING, signals)


def physical_words(signals: Sequence[str]) -> tuple[str, ...]:
    """Every word that names power, cooling, water or fire: what a plain keyword search would go by."""
    return _found(rf"{_COOLING}|{_WARMTH}|{_POWER}|water|flood(?:ed)?|fire|{_FREEZING}", signals)


def software_words(signals: Sequence[str]) -> tuple[str, ...]:
    """The words in these signals that name configuration, deployment or naming; each once, sorted."""
    return _found(_SOFTWARE, signals)


def other_physical_words(signals: Sequence[str]) -> tuple[str, ...]:
    """The words in these signals that state a physical course of events of its own, without any weather."""
    return _found(_OTHER_PHYSICAL, signals)


def is_telling(text: str) -> bool:
    """Whether a text names anything that a link may rest on."""
    return bool(physical_words([text]) or software_words([text]) or other_physical_words([text]))


def _found(named: str, signals: Sequence[str]) -> tuple[str, ...]:
    found = {word for signal in signals for word in _words_in(named, signal)}
    return tuple(sorted(word for word in found if not (word.endswith("s") and word[:-1] in found)))


@lru_cache(maxsize=16_384)
def _words_in(named: str, signal: str) -> tuple[str, ...]:
    words = _METAPHORS.sub(" ", plain_words(signal))
    return tuple(match.group(1) for match in _pattern(named).finditer(words))


@lru_cache(maxsize=64)
def _pattern(named: str) -> re.Pattern[str]:
    """Whole words of `plain_words`, a number behind them allowed (`ups2`)."""
    return re.compile(rf"\b({named})\d*\b")
