"""Polls: whose turn it is to be asked, and the log of what was asked and whether it answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from incidents.tables.columns import grown_id, instant_column


class PollRow(SQLModel, table=True):
    """One request of a feed: when it is asked next, and how its last turns went. A state, not a log.

    `request` is the digest of what is asked (`polls.request_id`); `turn` counts the claims, so that only who holds the
    last one may write what came of it.
    """

    __tablename__ = "poll"
    source: str = Field(primary_key=True)
    request: str = Field(primary_key=True)
    url: str
    """With `{key}` in it where the source's secret goes."""
    site: str | None = None
    host: str
    every_seconds: int
    turn: int
    next_at: datetime = instant_column()
    etag: str | None = None
    last_modified: str | None = None
    body_sha256: str | None = None
    """Of the last body that was put in."""
    delivery_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    """The delivery it became: whether it could be read is said there."""
    whole_at: datetime | None = instant_column(nullable=True)
    """When a body last came whole, not as a 304."""
    asked_at: datetime | None = instant_column(nullable=True)
    answered_at: datetime | None = instant_column(nullable=True)
    changed_at: datetime | None = instant_column(nullable=True)
    failures: int
    """Failed askings in a row."""
    open_until: datetime | None = instant_column(nullable=True)
    """The circuit is open: until then it is not asked, then once."""
    error: str | None = None
    status: int | None = None

    __table_args__ = (Index("poll_by_turn", "next_at"),)


class PollHostRow(SQLModel, table=True):
    """When a host may be asked again, by anybody: one request at a time, and a pause between two."""

    __tablename__ = "poll_host"
    host: str = Field(primary_key=True)
    free_at: datetime = instant_column()


class LinkedRow(SQLModel, table=True):
    """A document that the answer of a request only points to: whether it has been read.

    What was read is gone when the link is; what never was stays, so that an incident of that time can tell of it.
    """

    __tablename__ = "linked"
    source: str = Field(primary_key=True)
    request: str = Field(primary_key=True)
    """The request whose answer points to it."""
    url_sha256: str = Field(primary_key=True)
    url: str
    seen_at: datetime = instant_column()
    read_at: datetime | None = instant_column(nullable=True)
    """When it became a delivery; None while it waits, or was given up. Of one missed, when the link was gone."""
    delivery_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    tries: int
    """How often it was asked for in vain; `indexes.GONE` where the link was gone before it was read."""
    reason: str | None = None
    """Why the last asking brought nothing."""


class AskedRow(SQLModel, table=True):
    """A run of askings that went alike: the log by which anybody can tell whether a feed was asked and answered.

    A run ends when the outcome, the reason or the delivery changes, or when a turn was missed. `since` and `until` are
    given where the past was asked for, and name the window that the answer speaks of; the row of the empty `request`
    says that all requests of that window have answered.
    """

    __tablename__ = "asked"
    id: int | None = grown_id()
    source: str
    request: str
    site: str | None = None
    outcome: str
    """`answered` (with a body that was new), `unchanged`, or `failed`."""
    first_at: datetime = instant_column()
    last_at: datetime = instant_column()
    count: int
    every_seconds: int
    """How long an answer held: the interval at the time."""
    delivery_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    """What it answered with, or was unchanged from."""
    reason: str | None = None
    since: datetime | None = instant_column(nullable=True)
    until: datetime | None = instant_column(nullable=True)

    __table_args__ = (
        Index("asked_by_source", "source", "last_at"),
        Index("asked_by_request", "source", "request", "id"),
    )
