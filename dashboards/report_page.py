"""The page that offers reports of periods, and says what the schedule has written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dashboards.paper import signed_in
from incidents.model import Site
from incidents.periods import Period
from incidents.views.view import Viewer


class Slot(Protocol):
    """A slot of the schedule and what became of it."""

    @property
    def slot(self) -> str: ...
    @property
    def claimed_at(self) -> datetime: ...
    @property
    def written_at(self) -> datetime | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def sha256(self) -> str | None: ...
    @property
    def failure(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows; `folder` is empty where no schedule is set."""

    now: datetime
    sites: Sequence[Site]
    offered: tuple[Period, ...]
    written: Sequence[Slot]
    folder: str
    every: str


def report_page(shown: Shown, viewer: Viewer) -> str:
    """The page."""
    return signed_in("report.html", viewer, shown.now, shown=shown)
