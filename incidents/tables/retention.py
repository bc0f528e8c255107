"""Retention: what was dropped for its age, and the incidents whose evidence is held whatever its age."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from incidents.tables.columns import grown_id, instant_column, json_column


class TombstoneRow(SQLModel, table=True):
    """What one transaction dropped of one class and source. Never edited, never dropped."""

    __tablename__ = "tombstone"
    id: int | None = grown_id()
    kind: str
    """`alert`, `hazard`, `provider_incident`, `change` or `reading` for statements, `delivery` for bytes, `audit` for
    acts."""
    source: str
    count: int = Field(sa_column=Column(BigInteger, nullable=False))
    first_at: datetime = instant_column()
    last_at: datetime = instant_column()
    """The oldest and the newest moment at which one of them was recorded or received."""
    sha256: str
    """Over the digests of what was dropped, each on a line, in ascending order."""
    dropped_at: datetime = instant_column()
    about_since: datetime | None = instant_column(nullable=True)
    about_until: datetime | None = instant_column(nullable=True)
    """The stretch that the statements were about; None where that was not kept, and of deliveries."""
    heard: list[list[int]] | None = json_column(nullable=True)
    """Of deliveries of a sender that should speak: from when to when it did so without a silence, in microseconds since
    1970; None where that was not kept."""


class HoldRow(SQLModel, table=True):
    """That the evidence of an incident is held; the newest row of an incident says whether it still is."""

    __tablename__ = "hold"
    id: int | None = grown_id()
    incident_id: str = Field(index=True)
    held: bool
    actor: str
    reason: str
    recorded_at: datetime = instant_column()
