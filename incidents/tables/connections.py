"""What connects the logs: the queue, how deliveries were read, repeats, supersessions and members."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from incidents.tables.columns import instant_column


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
    stamped_at: datetime = instant_column()
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
    recorded_at: datetime = instant_column()
    adapter: str


class MemberRow(SQLModel, table=True):
    """What an entry says of one alert that joined, left, or was dropped; the newest row of a pair holds."""

    __tablename__ = "member"
    incident_id: str = Field(primary_key=True)
    occurrence_id: str = Field(primary_key=True)
    entry_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    joined: bool

    __table_args__ = (Index("member_by_occurrence", "occurrence_id"),)
