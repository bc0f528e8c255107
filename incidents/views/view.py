"""Frozen views: everything a page, a figure or an export shows, gathered by the store, drawn without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from incidents.cascade import Cascade
from incidents.model import Credit, Incident, Lane, Link, Measurement, Occurrence, Said, Severity, Site
from incidents.revisions import Backdating, Revision

PhaseName = Literal["before", "impact", "mitigated", "resolved"]


@dataclass(frozen=True, slots=True)
class Trace:
    """The way back from a line: an entry with its actor and params, or event → adapter → delivery → bytes."""

    entry: int | None = None
    event: int | None = None
    delivery: str | None = None
    """The delivery's receipt."""
    adapter: str | None = None
    """`name@version` of the adapter that read it."""
    sha256: str | None = None
    """Of the delivery's raw body, hex."""
    size: int | None = None
    """Of the raw body, in bytes."""
    params: Mapping[str, Any] | None = None
    """Of the entry: what its sentence is written from."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Where words that were searched for stand: in what of an incident, in which text of it, and in which entry."""

    where: str
    """note, status, link, alert, label, site, …; "earlier" or "withdrawn" before it where that holds no more"""
    text: str
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a timeline. `id` is stable and names the line in a URL fragment."""

    id: str
    happened_at: datetime
    happened_until: datetime | None
    recorded_at: datetime
    lane: Lane
    kind: str
    """alert, alert_ended, hazard, hazard_ended, provider_incident, post, change, note, status_changed, …"""
    text: str
    actor: str
    severity: Severity
    trace: Trace
    corrected: bool = False
    late: bool = False
    pinned: bool = False
    count: int = 1
    """How many alerts a collapsed line stands for."""


@dataclass(frozen=True, slots=True)
class Bar:
    """An occurrence as drawn: its lane, the row it belongs to, and how it relates to the incident."""

    occurrence: Occurrence
    lane: Lane
    service: str | None
    """What alerts are grouped by within a lane."""
    relation: Literal["alert", "linked", "context"]
    late: bool
    """Known to us more than ten minutes after it began."""
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A person's or rule's entry as drawn in the people lane."""

    id: str
    happened_at: datetime
    happened_until: datetime | None
    recorded_at: datetime
    label: str
    late: bool
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a series."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one variable near one site. `limit` is the site's design limit in the same unit."""

    variable: str
    site: str
    points: tuple[Point, ...]
    basis: str
    """observed, modelled or reconstructed; a series never mixes them."""
    station: str | None = None
    limit: float | None = None
    limit_name: str | None = None
    distance_km: float | None = None
    credit: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which a source that should answer did not; drawn hatched, never as calm.

    It is `waiting` where the last answer holds no longer and the next asking is not overdue yet, and `never` where
    there has not been an answer at all.
    """

    lane: Lane
    source: str
    since: datetime
    until: datetime
    sites: frozenset[str] | None = None
    """The sites that it would have told of; None where it speaks of all."""
    reason: str | None = None
    """Why it did not answer; None where nobody asked, or nothing is known."""
    state: Literal["silent", "waiting", "never"] = "silent"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one kind of feed knew of a window: with neither a gap nor an unasked stretch, it was asked throughout."""

    lane: Lane | None
    """None where it has never spoken, and its adapter does not say what it speaks of."""
    source: str | None
    """None where there is no source of this kind."""
    gaps: tuple[Gap, ...] = ()
    unasked: tuple[tuple[datetime, datetime], ...] = ()
    """Stretches before it was first asked, and not asked about since."""
    found: int = 0
    """What it had to say of the incident's sites in the window."""
    heard: bool = True
    """Whether it has ever answered: of one that has not, nothing is known."""
    unread: int = 0
    """Documents that its index pointed to and that had not been read."""


@dataclass(frozen=True, slots=True)
class Bin:
    """How many alerts of one lane and severity began in one bin."""

    lane: Lane
    severity: Severity
    at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Density:
    """What stands in place of marks above 5,000 of them, or beside those that were packed away."""

    seconds: int
    bins: tuple[Bin, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of the incident's life, cut to the window."""

    name: PhaseName
    since: datetime
    until: datetime
    open_ended: bool = False
    lasts: timedelta | None = None
    """How long it lasts in all, in the window or not, up to now where it is still going on; None: what is seen.

    Where an end of it is a range, the least that it may have lasted.
    """
    lasts_most: timedelta | None = None
    """The most that it may have lasted; None where both of its ends are instants."""
    since_until: datetime | None = None
    """Up to when it may have begun, cut to the window; None where its beginning is an instant."""

    @property
    def seconds(self) -> float:
        """Its whole length."""
        return (self.until - self.since if self.lasts is None else self.lasts).total_seconds()

    @property
    def seconds_most(self) -> float | None:
        """The most that it may have lasted; None where that is its length."""
        return None if self.lasts_most is None else self.lasts_most.total_seconds()


@dataclass(frozen=True, slots=True)
class Dropped:
    """What retention dropped of an incident: when last, after how many days, of how much."""

    at: datetime
    days: int
    alerts: int
    linked: int
    is_counted: bool = True
    """False where the view is of an earlier moment: which of the alerts were known by then nobody can tell any more."""


@dataclass(frozen=True, slots=True)
class IncidentView:
    """One incident as known at `as_of`, within the window [since, until]."""

    incident: Incident
    sites: tuple[Site, ...]
    as_of: datetime
    as_known: bool
    """True when the reader moved back in time; False when `as_of` is simply now."""
    since: datetime
    until: datetime
    zone: str
    """IANA name of the zone that pages and exports show."""
    on_until: datetime | None = None
    """Up to when what has no end is known to be on; None: as long as anything is known."""
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()
    series: tuple[Series, ...] = ()
    gaps: tuple[Gap, ...] = ()
    density: Density | None = None
    cascade: Cascade | None = None
    """What is known of the steps from the warning to the recovery, whatever the window; None where nobody looked."""
    standing: Mapping[Lane, int] = field(default_factory=dict)
    """By lane, how many more alerts were on from before the window, neither among the bars nor counted in `density`."""
    phases: tuple[Phase, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    lines: tuple[Line, ...] = ()
    more_lines: str | None = None
    """Cursor of the next page of lines, when there is one."""
    recorded: tuple[datetime, ...] = ()
    """When something became known, for the ticks of the known-at track."""
    silence: Mapping[str, str] = field(default_factory=dict)
    """What an empty lane says of itself: "no notice in force", "not asked", "feed down since 14:00"."""
    coverage: tuple[Coverage, ...] = ()
    """What the feeds were asked and whether they answered: the negative evidence."""
    credits: tuple[str, ...] = ()
    """Attribution of each external datum that is shown."""
    provenance: str | None = None
    """The story's note, when the record was replayed from a story."""
    revision: str = ""
    """Hex digest of what is shown: equal for equal records."""
    dropped: Dropped | None = None
    """What is known in sums alone, as its statements were dropped for their age."""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident in a list."""

    incident: Incident
    links_proposed: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """One incident of several that are laid side by side, over its own window."""

    incident: Incident
    since: datetime
    until: datetime
    phases: tuple[Phase, ...]
    measurements: tuple[Measurement, ...]
    density: Density


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is looking: decides which controls a page offers and in which zone it speaks."""

    name: str
    role: Literal["viewer", "responder", "admin"]
    zone: str
    theme: Literal["auto", "light", "dark"] = "auto"
    csrf: str = ""
    nonce: str = ""
    aside: str = ""
    """What is to be said of the page as a whole: how old what it shows is."""


@dataclass(frozen=True, slots=True)
class Stated:
    """One statement with the way back to its bytes, and in how many further deliveries it was repeated."""

    said: Said
    trace: Trace
    repeats: int


@dataclass(frozen=True, slots=True)
class OccurrenceView:
    """One occurrence as a reader sees it whole; statements in the order in which they were recorded."""

    occurrence: Occurrence
    statements: tuple[Stated, ...]
    left_out: int
    revisions: tuple[Revision, ...]
    backdated: tuple[Backdating, ...]
    credit: Credit | None


@dataclass(frozen=True, slots=True)
class Unknowns:
    """Gaps of sources, deliveries that nothing could read, and posts that were turned away, by source and reason."""

    gaps: tuple[Gap, ...] = ()
    quarantined: tuple[tuple[str, int], ...] = ()
    refused: tuple[tuple[str, str, int], ...] = ()
