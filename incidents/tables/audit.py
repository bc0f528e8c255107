"""The audit log: who did what to the service itself. Appended to, never edited: the database refuses to.

It refuses to delete a row too, unless a tombstone says that all up to its moment were dropped.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from incidents.tables.columns import grown_id, instant_column, json_column


class AuditRow(SQLModel, table=True):
    """One act: kind, actor, what it was done to, and params. `incidents.audit` makes the sentence of it."""

    __tablename__ = "audit"
    id: int | None = grown_id()
    recorded_at: datetime = instant_column()
    act: str
    actor: str
    subject: str
    params: dict[str, Any] = json_column()
    address: str | None = Field(default=None)
    """From where it was asked for, as the socket saw it; None for what no request asked for."""

    __table_args__ = (Index("audit_by_act", "act", "id"), Index("audit_by_time", "recorded_at"))
