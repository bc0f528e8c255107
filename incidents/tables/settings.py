"""Configuration and access: what was configured, keys, secrets, refusals at the door, and the pulse of streams."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from incidents.tables.columns import grown_id, instant_column, json_column


class SettingRow(SQLModel, table=True):
    """A site, source or rule as configured. `owner` is `file`, `page` or `story`; retired ones stay for history."""

    __tablename__ = "configured"
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    spec: dict[str, Any] = json_column()
    owner: str
    position: int
    applied_at: datetime = instant_column()
    retired_at: datetime | None = instant_column(nullable=True)


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
    made_at: datetime = instant_column()
    expires_at: datetime | None = instant_column(nullable=True)
    revoked_at: datetime | None = instant_column(nullable=True)
    revoked_by: str | None = None
    """`hand`, `file` (another key was given in its place) or `use`."""


class SecretRow(SQLModel, table=True):
    """The signature secrets of a source, encrypted under the service's secret key."""

    __tablename__ = "secret"
    source: str = Field(primary_key=True)
    sealed: str


class RefusalRow(SQLModel, table=True):
    """How often a source's door was tried in vain, by day (UTC) and reason; `repeated` counts what was no failure."""

    __tablename__ = "refusal"
    source: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    count: int
    detail: str | None = None
    """What the last one was told."""
    last_at: datetime | None = instant_column(nullable=True)


class PulseRow(SQLModel, table=True):
    """What a transaction changed, in commit order: the cursor of streams. Kept for a day."""

    __tablename__ = "pulse"
    id: int | None = grown_id()
    recorded_at: datetime = instant_column()
    topics: list[str] = json_column()

    __table_args__ = (Index("pulse_by_time", "recorded_at"),)
