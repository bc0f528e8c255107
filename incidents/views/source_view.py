"""Frozen views of sources: their health, what could not be read, how a test went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from incidents.views.view import Gap


@dataclass(frozen=True, slots=True)
class Spooled:
    """What this process has acknowledged and the database does not hold yet, since it was away."""

    deliveries: int = 0
    bytes: int = 0
    since: datetime | None = None
    """When the oldest of them was received."""
    aside: int = 0
    """Deliveries that the database will not take whatever happens; they are kept in a file of their own."""


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """How the askings of a feed went, its requests taken together."""

    requests: int
    """How many documents it is asked for."""
    failing: int = 0
    """How many of them did not answer last time, or not in a way that could be read."""
    asked_at: datetime | None = None
    answered_at: datetime | None = None
    """When all of them had last answered."""
    changed_at: datetime | None = None
    stale_since: datetime | None = None
    """Since when what it last said may be out of date: its last answer, or its first asking; None while it answers."""
    next_at: datetime | None = None
    error: str | None = None
    """What went wrong last, in words."""
    circuit: Literal["closed", "open", "half-open"] = "closed"
    open_until: datetime | None = None
    every_seconds: int = 0
    waiting: int = 0
    """Documents that its index points to and that are not read yet."""
    given_up: int = 0
    """Those that could not be fetched however often they were asked for."""
    why_unasked: str | None = None
    """Why nothing is asked, where nothing is."""


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """A source as its counters tell it. `refused` counts wrong keys and signatures."""

    name: str
    adapter: str
    kind: Literal["webhook", "feed"]
    owner: str
    deliveries: int
    quarantined: int
    unread: int
    refused: int
    losses: int
    """How many things the sender itself says it left out."""
    last_received_at: datetime | None
    keys: tuple[str, ...]
    """Prefixes of its live keys."""
    gaps: tuple[Gap, ...] = ()
    every_seconds: int | None = None
    """How often it should speak; without it, silence says nothing."""
    wrong_signatures: int = 0
    """Those of the refused that showed no key and no signature that holds."""
    wrong_signature: str | None = None
    """Why the last of them did not hold."""
    wrong_signature_at: datetime | None = None
    repeated: int = 0
    """Signed deliveries that came again and were taken for the one that is stored."""
    feed: FeedHealth | None = None
    """How its askings went; None for a source that is not asked."""
    credit: str | None = None
    """Whom to name where its words are shown."""


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A delivery that could not be read, and why."""

    receipt: str
    source: str
    received_at: datetime
    reason: str
    size: int


@dataclass(frozen=True, slots=True)
class Payload:
    """A delivery that is shown with what it holds: `text` without secrets, cut where `cut` says so."""

    row: QuarantineRow
    text: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Refusals:
    """How often a source's door was tried in vain for one reason, and the last day (UTC) it was."""

    reason: str
    count: int
    last_day: str


@dataclass(frozen=True, slots=True)
class RecentDelivery:
    """A delivery in a source's list."""

    receipt: str
    received_at: datetime
    state: str
    size: int
    reason: str | None = None
    test: bool = False


@dataclass(frozen=True, slots=True)
class SenderState:
    """What a source's own page tells beside its counters."""

    refusals: tuple[Refusals, ...] = ()
    error: QuarantineRow | None = None
    """The last of its deliveries that could not be read."""
    recent: tuple[RecentDelivery, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """A test that went the way of every delivery: how it was answered, read and recorded.

    `status` 0 says that nothing answered. Without a `receipt` it went no further than the door.
    """

    status: int
    took_ms: int
    receipt: str = ""
    received_at: datetime | None = None
    size: int = 0
    state: str = "unread"
    reason: str | None = None
    adapter: str = ""
    read_ms: int | None = None
    titles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
