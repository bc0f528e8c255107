"""The frozen view of now: what is burning, since when, and what the outside world is doing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from incidents.model import Occurrence, Site
from incidents.views.source_view import SourceHealth
from incidents.views.view import Bar, Density, Gap, IncidentRow, Point


@dataclass(frozen=True, slots=True)
class SiteStrip:
    """The last 24 hours of one site."""

    site: Site
    bars: tuple[Bar, ...]
    density: Density | None
    gaps: tuple[Gap, ...]
    latest: Point | None
    latest_basis: str | None
    limit: float | None
    feeds: tuple[str, ...] = ()
    """The feeds that would tell of the site, whether or not they answered."""


@dataclass(frozen=True, slots=True)
class NowView:
    """What is burning, since when, and what the outside world is doing."""

    now: datetime
    zone: str
    since: datetime
    open: tuple[IncidentRow, ...]
    recent: tuple[IncidentRow, ...]
    strips: tuple[SiteStrip, ...]
    providers: tuple[Occurrence, ...]
    hazards: tuple[Occurrence, ...]
    sources: tuple[SourceHealth, ...]
    sites: tuple[Site, ...]
    last_event_at: datetime | None
    demo: bool = False
    stories: frozenset[str] = frozenset()
    """The ids of those incidents above that were replayed from a story."""
    credits: tuple[str, ...] = ()
    """Attribution of each external datum that is shown."""
