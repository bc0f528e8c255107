"""Shipped base rates by class of occurrence, for where the store has no record of its own to give one."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from incidents.lanes import plain_words
from incidents.model import BaseRate

PROVIDER_INCIDENT: Final = "provider incident"
"""The class of whatever a provider's status page publishes."""


@dataclass(frozen=True, slots=True)
class Prior:
    """One row of priors.csv: at one moment `measured` was on in a `share` of `n` places."""

    pattern: re.Pattern[str]
    share: float
    n: int
    measured: str
    moment: str
    source: str
    """Where the counts come from, of every snapshot that was looked at."""
    generic: bool

    def base_rate(self, *, elsewhere: str = "") -> BaseRate:
        """The prior as a base rate, with its denominator and labelled as what it is.

        `elsewhere` names where it was counted, for a place that is not among what was counted.
        """
        unknown = f"How often the like is on here is not known. A count of {elsewhere} stands in: " if elsewhere else ""
        stand_in = "; this class has no shipped figure of its own" if self.generic else ""
        sentence = (
            f"{unknown}{self.measured}: in force in {percent(self.share)} of {self.n:,} {self.moment}{stand_in}; "
            "a shipped prior, not this place's record."
        )
        return BaseRate(self.share, self.n, "prior", sentence)


def prior_of(event: str) -> Prior:
    """The prior of a class by the feed's words for it; the generic one when the class is not listed."""
    words = plain_words(event)
    return next(prior for prior in shipped() if prior.pattern.search(words))


@lru_cache(maxsize=1)
def shipped() -> tuple[Prior, ...]:
    """The rows of priors.csv in order: the first match holds, and the last row matches anything."""
    with files("incidents.linker").joinpath("priors.csv").open(encoding="utf-8") as rows:
        return tuple(_read(row) for row in csv.DictReader(rows))


def percent(share: float) -> str:
    """`17.7 %`, `0.06 %`: one decimal, or as many as a small share needs to be seen."""
    value = share * 100
    return f"{value:.1f} %" if value >= 1 or value == 0 else f"{value:.1g} %"


def _read(row: dict[str, str]) -> Prior:
    words = row["event_pattern"]
    return Prior(
        pattern=re.compile(rf"\b(?:{words})\b" if words else ""),
        share=float(row["share"]),
        n=int(row["n"]),
        measured=row["measured"],
        moment=row["moment"],
        source=row["source"],
        generic=not words,
    )
