"""Recovery: up to when each monitor could deliver, and what is to be asked for afterwards."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from incidents.tables.columns import instant_column


class RecoveryRow(SQLModel, table=True):
    """One source that names its Prometheus. A state, not a log: what was recovered is a delivery like any other."""

    __tablename__ = "recovery"
    source: str = Field(primary_key=True)
    heard_until: datetime = instant_column()
    """Some process took deliveries up to then."""
    gap_since: datetime | None = instant_column(nullable=True)
    gap_until: datetime | None = instant_column(nullable=True)
    """What is still to be asked for; both or neither."""
    looked_at: datetime = instant_column()
    """When it was last asked whether notifications had failed."""
    next_at: datetime = instant_column()
    """When the gap may be asked for, again, by anybody."""
    failures: int = 0
    error: str | None = None
