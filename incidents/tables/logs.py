"""The four logs: appended to, never edited."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from incidents.tables.bodies import Body
from incidents.tables.columns import grown_id, instant_column, json_column


class DeliveryRow(SQLModel, table=True):
    """Bytes as they came, stored packed. `refused` says why a body was not kept; its size is then what was seen.

    The id is made by the process that received it (`store.DeliveryIds`), grows with time, and is the receipt.
    """

    __tablename__ = "delivery"
    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    source: str
    received_at: datetime = instant_column()
    headers: dict[str, str] = json_column()
    encoding: str
    body: bytes = Field(sa_column=Column("content", Body, key="body", nullable=False))
    size: int
    sha256: str
    refused: str | None = None

    __table_args__ = (Index("delivery_by_source", "source", "id"),)


class EventRow(SQLModel, table=True):
    """What a source said of one subject at one moment. By its `digest` it is told from the subject's others."""

    __tablename__ = "event"
    id: int | None = grown_id()
    subject: str
    digest: str
    source: str
    said_at: datetime = instant_column()
    recorded_at: datetime = instant_column()
    delivery_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    adapter: str
    statement: str
    """The event as JSON text, without what the columns say."""

    __table_args__ = (
        Index("event_identity", "subject", "digest", unique=True),
        Index("event_by_delivery", "delivery_id"),
    )


class ReadingRow(SQLModel, table=True):
    """One measured or modelled number of a place at a time. A revised value is a new row; the last recorded holds."""

    __tablename__ = "reading"
    id: int | None = grown_id()
    digest: str = Field(unique=True)
    source: str
    variable: str
    at: datetime = instant_column()
    value: float
    latitude: float | None
    """None, as the longitude, where the reading is of a whole grid area."""
    longitude: float | None
    station: str | None = None
    provisional: bool
    basis: str
    credit: str | None = None
    grid_area: str | None = None
    recorded_at: datetime = instant_column()
    delivery_id: int = Field(sa_column=Column(BigInteger, nullable=False))

    __table_args__ = (
        Index("reading_by_time", "variable", "at"),
        Index("reading_by_grid_area", "grid_area", "variable", "at"),
        Index("reading_by_delivery", "delivery_id"),
    )


class EntryRow(SQLModel, table=True):
    """One decision about an incident. `decision` makes a rule's decision unique: made twice, it is written once."""

    __tablename__ = "entry"
    id: int | None = grown_id()
    incident_id: str
    kind: str
    params: dict[str, Any] = json_column()
    actor: str
    happened_at: datetime = instant_column()
    happened_until: datetime | None = instant_column(nullable=True)
    recorded_at: datetime = instant_column()
    supersedes: int | None = Field(default=None, sa_column=Column(BigInteger))
    decision: str | None = Field(default=None, unique=True)
    occurrence_id: str | None = None
    """What an entry on a link links the incident with."""

    __table_args__ = (
        Index("entry_by_incident", "incident_id", "id"),
        Index("entry_by_occurrence", "occurrence_id"),
    )
