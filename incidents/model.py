"""The values every part speaks of: frozen, free of any database, instants aware and in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

Kind = Literal["alert", "hazard", "provider_incident", "change"]
Basis = Literal["observed", "modelled", "reconstructed"]
Status = Literal["open", "acknowledged", "mitigated", "resolved"]
Lane = Literal[
    "weather",
    "warnings",
    "grid",
    "site",
    "hardware",
    "network",
    "providers",
    "changes",
    "platform",
    "service",
    "people",
]
Tier = Literal["context", "coincident", "plausible", "strong"]
LinkState = Literal["proposed", "confirmed", "rejected", "attributed", "retracted"]


class Severity(StrEnum):
    """Gravest first; `unknown` is what a sender did not say, not the mildest."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """4 for critical down to 0 for unknown, for comparing and for sorting in SQL."""
        return _RANKS[self]

    @staticmethod
    def of_rank(rank: int) -> Severity:
        """The severity that has this rank."""
        return _BY_RANK[rank]


_RANKS = {Severity.CRITICAL: 4, Severity.ERROR: 3, Severity.WARNING: 2, Severity.INFO: 1, Severity.UNKNOWN: 0}
_BY_RANK = {rank: severity for severity, rank in _RANKS.items()}


class UnrecognisedError(ValueError):
    """What an adapter raises when a payload is not of its format; the message says why in words."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, or a range of which only the ends are known (`until` is not None)."""

    at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Bytes that arrived from a source once. `body` is inflated; header names are lower case.

    Among the headers of what a poll brought are the address it was asked at, `request-url`, and `request-site`.
    """

    source: str
    body: bytes
    received_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    """The zone the source's own zoneless times are in, as declared in its configuration."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """JMESPath expressions of the source's configuration, for the generic adapter."""


@dataclass(frozen=True, slots=True)
class Area:
    """Where an occurrence is: any of a GeoJSON geometry, a circle, names of regions, zones and grid areas."""

    geometry: Mapping[str, Any] | None = None
    latitude: float | None = None
    longitude: float | None = None
    radius_km: float | None = None
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    grid_areas: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Post:
    """One dated statement on a provider's status page, in the provider's own words."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """What a source said of one occurrence at one moment.

    `key` names the occurrence within its source. `starts_at` None means the sender gave no start: the
    fold then takes the earliest moment of speaking. `ends_at` None means still on. `final` says that the
    key holds the start, so an end once said is terminal. `ends_expected` marks a forecast end,
    `ends_assumed` an end that nobody said (the receipt of a "resolved" without a time, a time-out).
    """

    key: str
    kind: Kind
    title: str
    severity: Severity = Severity.UNKNOWN
    said_at: datetime | None = None
    starts_at: datetime | None = None
    starts_until: datetime | None = None
    ends_at: datetime | None = None
    ends_expected: bool = False
    ends_assumed: bool = False
    final: bool = False
    test: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None
    text: str | None = None
    group: str | None = None
    event: str | None = None
    area: Area | None = None
    posts: tuple[Post, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of a place at a time. `variable` carries its unit (`temperature_c`, `wind_gust_m_s`).

    A reading of a whole network (`grid_demand_mw`) has a `grid_area` in place of a point: both coordinates are None.
    """

    variable: str
    at: datetime
    value: float
    latitude: float | None
    longitude: float | None
    station: str | None = None
    provisional: bool = False
    basis: Basis = "observed"
    credit: str | None = None
    grid_area: str | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Something the sender says it did not send: a count and the sender's own word for it."""

    count: int
    what: str


@dataclass(frozen=True, slots=True)
class Request:
    """One document that a feed is to be asked for, by GET.

    `site` names the site it is asked for, where the answer speaks of one place alone. `headers` never carry a
    credential of ours; `{key}` in the address stands for the source's secret, put in by the poller alone. Where a feed
    asks for a window, the address has places for its ends: see `incidents.addresses`.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    site: str | None = None


@dataclass(frozen=True, slots=True)
class Credit:
    """Whom to name wherever a datum of a feed is shown: who publishes it, under which licence, and where."""

    text: str
    licence: str
    url: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handshake is answered with, in place of a receipt."""

    body: bytes
    status: int = 200
    content_type: str = "text/plain"


Statement = Event | Reading | Loss


@dataclass(frozen=True, slots=True)
class Said:
    """An event as recorded: the statement, who said it, when we knew, and the way back to its bytes."""

    event: Event
    digest: str
    source: str
    said_at: datetime
    recorded_at: datetime
    id: int = 0
    delivery: str = ""
    adapter: str = ""
    after_drop: bool = False
    """Whether what had been said of its subject before was dropped for its age."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One alert, hazard, provider incident or change from start to end: the fold of its events.

    Where a source uses one key for ever, what the key names has several occurrences: the second and later ones carry
    their start in `key` and in `id`. `subject` is what the key names, under which all of its events are recorded.
    """

    id: str
    source: str
    key: str
    kind: Kind
    title: str
    severity: Severity
    starts_at: datetime
    starts_until: datetime | None = None
    ends_at: datetime | None = None
    ends_expected: bool = False
    ends_assumed: bool = False
    final: bool = False
    test: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None
    text: str | None = None
    group: str | None = None
    event: str | None = None
    area: Area | None = None
    posts: tuple[Post, ...] = ()
    start_said: bool = False
    said_at: datetime | None = None
    """When its source last spoke of it; with `digest` the place up to which it is folded."""
    digest: str = ""
    first_said_at: datetime | None = None
    recorded_at: datetime | None = None
    """When we first knew of it."""
    statements: int = 0
    subject: str = ""
    followed: bool = False
    """Whether its subject has a later occurrence, which new statements go to."""

    def is_on(self, at: datetime) -> bool:
        """Whether it was on at this instant, by what its source says."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


@dataclass(frozen=True, slots=True)
class Match:
    """One label glob; a site or a rule holds several as alternatives."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Site:
    """A place we run in. `limits` are design limits by variable (`dry_bulb_c`).

    `located_by` and `timezone_by` say where coordinates and zone come from: given by a person, from the catalogue of
    provider regions, the zone at the coordinates, or, where no zone is, the default.

    `depends_on` names providers whose incidents reach it wherever they are; `operator` is whose own site it is: what
    that provider publishes of itself is the same event told again.
    """

    name: str
    title: str
    latitude: float
    longitude: float
    uncertainty_km: float = 5.0
    timezone: str = "UTC"
    provider_regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    grid_area: str | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    match: tuple[Match, ...] = ()
    located_by: Literal["given", "catalogue"] = "given"
    timezone_by: Literal["given", "catalogue", "coordinates", "default"] = "given"
    depends_on: tuple[str, ...] = ()
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A configured sender or feed. Keys and secrets are not here: they never reach an adapter's input.

    `verify` names the scheme by which its deliveries are signed where that is not the adapter's own.
    """

    name: str
    adapter: str
    every_seconds: int | None = None
    url: str | None = None
    timezone: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    verify: str | None = None
    prometheus: str | None = None
    """Where to ask for what its Alertmanager could not deliver."""
    external_labels: Mapping[str, str] = field(default_factory=dict)
    """Those that this Prometheus adds to what it sends, and which its own series have not."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alert opens an incident: grave enough, or `count` of them in `within_seconds`."""

    name: str
    severity_at_least: Severity | None = None
    count: int | None = None
    within_seconds: int = 600
    open: bool = True
    group_by: Literal["site", "group"] = "site"
    match: tuple[Match, ...] = ()
    unless: tuple[Match, ...] = ()
    version: int = 1

    @property
    def actor(self) -> str:
        """The name under which its decisions are recorded."""
        return f"rule:{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision about an incident. `params` hold what the sentence is written from when it is read."""

    id: int
    incident: str
    kind: str
    params: Mapping[str, Any]
    actor: str
    happened_at: datetime
    recorded_at: datetime
    happened_until: datetime | None = None
    supersedes: int | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of a link's score, with the sentence that tells it."""

    part: str
    bits: float
    sentence: str


@dataclass(frozen=True, slots=True)
class BaseRate:
    """How often such a thing is on at such a place and time. `basis` is "record" or "prior"."""

    share: float
    n: int
    basis: Literal["record", "prior"]
    sentence: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a link rests on when it is proposed or scored again: pure output of `links.weigh`."""

    tier: Tier
    score: float
    reasons: tuple[Reason, ...]
    base_rate: BaseRate | None = None
    would_change: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A claim that an incident and an occurrence have to do with each other; its id is the occurrence's."""

    id: str
    evidence: Evidence
    state: LinkState
    proposed_by: str
    proposed_at: datetime
    judged_by: str | None = None
    judged_at: datetime | None = None
    note: str | None = None
    quote: str | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A length between two milestones. Ranges give `seconds` as the least and `seconds_max` as the most."""

    name: str
    outcome: Literal["recorded", "pending", "not_applicable", "invalid"]
    seconds: float | None = None
    seconds_max: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Members:
    """What an incident needs to know of its alerts, kept as sums so that a batch costs what it holds."""

    alerts: int = 0
    on: int = 0
    first_starts_at: datetime | None = None
    last_ends_at: datetime | None = None
    gravest: Severity = Severity.UNKNOWN


@dataclass(frozen=True, slots=True)
class Incident:
    """What we respond to: the fold of its entries and its members."""

    id: str
    title: str
    status: Status
    severity: Severity
    group: str
    sites: tuple[str, ...]
    opened_at: datetime
    recorded_at: datetime
    opened_by: str
    detected_at: Moment | None = None
    impact_started_at: Moment | None = None
    acknowledged_at: Moment | None = None
    mitigated_at: Moment | None = None
    resolved_at: Moment | None = None
    impact_windows: tuple[Moment, ...] = ()
    owner: str | None = None
    services: tuple[str, ...] = ()
    responders: tuple[str, ...] = ()
    """Who was named as working on it; who acted is known from the entries."""
    members: Members = field(default_factory=Members)
    links: tuple[Link, ...] = ()
    merged_into: str | None = None
    version: int = 0
    set_by_hand_at: datetime | None = None
    """Since when, in happened time, its status is one that a person set; None where a rule or nobody did."""
    seen_by: tuple[str, ...] | None = None
    """Who may see it beside admins, `user:NAME` or `group:NAME`, where it is private; None: everybody."""
