"""What destinations outside are to be told, and every attempt to tell them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from incidents.tables.columns import grown_id, instant_column, json_column


class NoticeRow(SQLModel, table=True):
    """What one destination is to be told of one incident, written with the entry that says so.

    `turn` counts claims: who claimed it holds it until `due_at`. `state` is `waiting`, `sent` or `dead`.
    """

    __tablename__ = "notice"
    id: int | None = grown_id()
    name: str = Field(unique=True)
    destination: str
    incident_id: str | None = None
    what: str
    facts: dict[str, Any] = json_column()
    recorded_at: datetime = instant_column()
    state: str
    due_at: datetime = instant_column()
    failures: int
    turn: int
    again_by: str | None = None
    """Who asked that it be sent again."""

    __table_args__ = (
        Index("notice_by_turn", "state", "due_at"),
        Index("notice_by_destination", "destination", "state", "id"),
        Index("notice_by_incident", "incident_id", "id"),
    )


class NoticeAttemptRow(SQLModel, table=True):
    """One attempt to send a notice; appended to, never edited."""

    __tablename__ = "notice_attempt"
    id: int | None = grown_id()
    notice_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    at: datetime = instant_column()
    outcome: str
    status: int | None = None
    reason: str | None = None
    took_ms: int
    by: str | None = None

    __table_args__ = (Index("notice_attempt_by_notice", "notice_id", "id"),)
