"""The tables: four logs, two caches, and the rows that connect and configure them.

Rows are rows, not domain values: SQLModel declares them, Core reads and writes them. Instants are whole
microseconds since 1970 in UTC, so that both databases compare, bin and page them alike; JSON is text, so that
neither database edits it. Ids that order a log grow with it; what is shown to people has names of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import BigInteger, Column, Dialect, Index, Integer, LargeBinary, Text, TypeDecorator
from sqlmodel import Field, SQLModel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """An aware instant as whole microseconds since 1970."""
    return (at - EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """The inverse of `micros`."""
    return EPOCH + timedelta(microseconds=value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime as whole microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else (value - EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Json(TypeDecorator[Any]):
    """JSON as text, written and read by orjson."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002
        return None if value is None else orjson.loads(value)


_Id = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only where the key is a plain INTEGER."""


def _key() -> Any:  # noqa: ANN401  # what Field gives
    return Field(default=None, sa_column=Column(_Id, primary_key=True, autoincrement=True))


def _at(**options: Any) -> Any:  # noqa: ANN401  # what Field gives
    return Field(sa_column=Column(Instant, **{"nullable": False, **options}))


def _json(**options: Any) -> Any:  # noqa: ANN401  # what Field gives
    return Field(sa_column=Column(Json, **{"nullable": False, **options}))


# --- the four logs: appended to, never edited ---------------------------------------------------------------------


class DeliveryRow(SQLModel, table=True):
    """Bytes as they came. `refused` says why a body was not kept (over the bound); its size is then what was seen.

    The id is made by the process that received it (`store.DeliveryIds`), grows with time, and is the receipt.
    """

    __tablename__ = "delivery"
    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    source: str
    received_at: datetime = _at()
    headers: dict[str, str] = _json()
    encoding: str
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    size: int
    sha256: str
    refused: str | None = None

    __table_args__ = (Index("delivery_by_source", "source", "id"),)


class EventRow(SQLModel, table=True):
    """What a source said of one occurrence at one moment. `digest` is the statement's identity."""

    __tablename__ = "event"
    id: int | None = _key()
    occurrence_id: str
    digest: str
    source: str
    said_at: datetime = _at()
    recorded_at: datetime = _at()
    delivery_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    adapter: str
    statement: str
    """The event as JSON text, without what the columns say."""

    __table_args__ = (
        Index("event_identity", "occurrence_id", "digest", unique=True),
        Index("event_by_delivery", "delivery_id"),
    )


class ReadingRow(SQLModel, table=True):
    """One measured or modelled number of a place at a time. A revised value is a new row; the last recorded holds."""

    __tablename__ = "reading"
    id: int | None = _key()
    digest: str = Field(unique=True)
    source: str
    variable: str
    at: datetime = _at()
    value: float
    latitude: float
    longitude: float
    station: str | None = None
    provisional: bool
    basis: str
    credit: str | None = None
    recorded_at: datetime = _at()
    delivery_id: int = Field(sa_column=Column(BigInteger, nullable=False))

    __table_args__ = (Index("reading_by_time", "variable", "at"),)


class EntryRow(SQLModel, table=True):
    """One decision about an incident. `decision` makes a rule's decision unique: made twice, it is written once."""

    __tablename__ = "entry"
    id: int | None = _key()
    incident_id: str
    kind: str
    params: dict[str, Any] = _json()
    actor: str
    happened_at: datetime = _at()
    happened_until: datetime | None = _at(nullable=True)
    recorded_at: datetime = _at()
    supersedes: int | None = Field(default=None, sa_column=Column(BigInteger))
    decision: str | None = Field(default=None, unique=True)

    __table_args__ = (Index("entry_by_incident", "incident_id", "id"),)


# --- what connects the logs ---------------------------------------------------------------------------------------


class UnreadRow(SQLModel, table=True):
    """A delivery that waits to be read: the worker's queue, filled in the transaction that stores the delivery."""

    __tablename__ = "unread"
    delivery_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    again: bool
    """Whether it was read before: what is new goes first."""

    __table_args__ = (Index("unread_in_turn", "again", "delivery_id"),)


class StampRow(SQLModel, table=True):
    """How a delivery was last read: by which adapter, with what result."""

    __tablename__ = "stamp"
    delivery_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    source: str
    state: str
    reason: str | None = None
    adapter: str
    adapter_version: int
    stamped_at: datetime = _at()
    events: int
    readings: int
    losses: int
    loss_reason: str | None = None
    test: bool = False

    __table_args__ = (Index("stamp_by_state", "state", "delivery_id"), Index("stamp_by_source", "source", "state"))


class SightingRow(SQLModel, table=True):
    """A repeat: this delivery said again what this event says."""

    __tablename__ = "sighting"
    event_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    delivery_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))

    __table_args__ = (Index("sighting_by_delivery", "delivery_id"),)


class SupersessionRow(SQLModel, table=True):
    """An event that its delivery, read again by a better adapter, no longer says. The event itself stays."""

    __tablename__ = "supersession"
    event_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    recorded_at: datetime = _at()
    adapter: str


class MemberRow(SQLModel, table=True):
    """What an `alerts_joined` or `alerts_left` entry says of one alert; the newest row of a pair holds."""

    __tablename__ = "member"
    incident_id: str = Field(primary_key=True)
    occurrence_id: str = Field(primary_key=True)
    entry_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    joined: bool

    __table_args__ = (Index("member_by_occurrence", "occurrence_id"),)


# --- the two caches: dropped and rebuilt from the logs --------------------------------------------------------------


class OccurrenceRow(SQLModel, table=True):
    """The fold of an occurrence's events. `rest` holds what no query asks for."""

    __tablename__ = "occurrence"
    id: str = Field(primary_key=True)
    source: str
    key: str
    kind: str
    title: str
    severity: int
    """`Severity.rank`."""
    lane: str
    name: str
    """What runs of alike alerts are counted by: the alert's name without its instance."""
    starts_at: datetime = _at()
    ends_at: datetime | None = _at(nullable=True)
    said_at: datetime = _at()
    recorded_at: datetime = _at()
    test: bool
    statements: int
    rest: dict[str, Any] = _json()

    __table_args__ = (
        Index("occurrence_by_start", "kind", "starts_at"),
        Index("occurrence_by_end", "kind", "ends_at"),
    )


class AlertGroupRow(SQLModel, table=True):
    """An alert in a group that rules look at. `ends_at` of an alert that is on is the largest integer."""

    __tablename__ = "alert_group"
    group_key: str = Field(primary_key=True)
    occurrence_id: str = Field(primary_key=True)
    starts_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    ends_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    severity: int
    lane: str

    __table_args__ = (
        Index("alert_group_by_end", "group_key", "ends_at"),
        Index("alert_group_by_start", "group_key", "starts_at", "severity", "lane"),
    )


class IncidentRow(SQLModel, table=True):
    """The fold of an incident's entries and members, as far as lists and rules ask for it."""

    __tablename__ = "incident"
    id: str = Field(primary_key=True)
    group_key: str
    title: str
    status: str
    severity: int
    sites: list[str] = _json()
    opened_at: datetime = _at()
    since: datetime = _at()
    """Start of its span in happened time."""
    resolved_at: datetime | None = _at(nullable=True)
    recorded_at: datetime = _at()
    due_at: datetime | None = _at(nullable=True)
    """When a rule next has something to say of it."""
    by_rule: bool
    """Whether its present status was set by a rule."""
    merged_into: str | None = None
    alerts: int
    alerts_on: int
    first_starts_at: datetime | None = _at(nullable=True)
    last_ends_at: datetime | None = _at(nullable=True)
    gravest: int
    names: list[str] = _json()
    """Names of its alerts, the first fifty: the signals that links are weighed with."""
    version: int
    provenance: str | None = None

    __table_args__ = (
        Index("incident_by_group", "group_key", "since"),
        Index("incident_by_time", "opened_at", "id"),
        Index("incident_by_due", "due_at"),
        Index("incident_by_status", "status", "opened_at"),
    )


# --- configuration and access ---------------------------------------------------------------------------------------


class SettingRow(SQLModel, table=True):
    """A site, source or rule as configured. `owner` is `file`, `page` or `story`; retired ones stay for history."""

    __tablename__ = "configured"
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    spec: dict[str, Any] = _json()
    owner: str
    position: int
    applied_at: datetime = _at()
    retired_at: datetime | None = _at(nullable=True)


class KeyRow(SQLModel, table=True):
    """An ingest key or an API token: only its SHA-256 is kept. Keys are long and random, so no slow hash is due."""

    __tablename__ = "access_key"
    id: str = Field(primary_key=True)
    sha256: str = Field(unique=True)
    kind: str
    """`ingest`, `token`, `session` or `sign_in` (used once)."""
    role: str
    source: str | None = None
    """What an ingest key may post to; None for all others."""
    name: str
    prefix: str
    owner: str
    parent: str | None = None
    """What a session was made from: it lives no longer than the token of this id."""
    made_at: datetime = _at()
    expires_at: datetime | None = _at(nullable=True)
    revoked_at: datetime | None = _at(nullable=True)
    revoked_by: str | None = None
    """`hand`, `file` (another key was given in its place) or `use`."""


class SecretRow(SQLModel, table=True):
    """The signature secrets of a source, encrypted under the service's secret key."""

    __tablename__ = "secret"
    source: str = Field(primary_key=True)
    sealed: str


class RefusalRow(SQLModel, table=True):
    """How often a source's door was tried with a wrong key, by day (UTC)."""

    __tablename__ = "refusal"
    source: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    count: int


class PulseRow(SQLModel, table=True):
    """What a transaction changed, in commit order: the cursor of streams. Kept for a day."""

    __tablename__ = "pulse"
    id: int | None = _key()
    recorded_at: datetime = _at()
    topics: list[str] = _json()

    __table_args__ = (Index("pulse_by_time", "recorded_at"),)


METADATA = SQLModel.metadata
CACHES = (OccurrenceRow, AlertGroupRow, IncidentRow)
