"""The frozen view of what may move between incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from incidents.model import Incident, Occurrence

SHOWN = 200
"""Most of its alerts on one page; others follow, and words narrow them down."""
NEAR_SHOWN = 100
"""Most of what is near it on one page; the words narrow it down."""
OTHERS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """The words that narrow each list down; an empty one leaves it open."""

    members: str = ""
    near: str = ""
    into: str = ""
    after: tuple[int, str] | None = None
    """The last alert of the page before: its start in microseconds, and its id."""


@dataclass(frozen=True, slots=True)
class Regrouping:
    """An incident beside what it could take in or give away; each list holds at most one more than is shown."""

    incident: Incident
    members: tuple[Occurrence, ...]
    near: tuple[Occurrence, ...]
    others: tuple[Incident, ...]
    total: int = 0
    """How many of its alerts have the words, shown or not."""
    homes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of what is near: the ids of the incidents that each belongs to."""
