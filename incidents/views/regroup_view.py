"""The frozen view of what may move between incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from incidents.model import Incident, Occurrence

SHOWN = 100
"""Most of each list on one page; the words narrow it down."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The words that narrow each list down; an empty one leaves it open."""

    members: str = ""
    near: str = ""
    into: str = ""


@dataclass(frozen=True, slots=True)
class Regrouping:
    """An incident beside what it could take in or give away; each list holds at most one more than is shown."""

    incident: Incident
    members: tuple[Occurrence, ...]
    near: tuple[Occurrence, ...]
    others: tuple[Incident, ...]
    homes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of what is near: the ids of the incidents that each belongs to."""
