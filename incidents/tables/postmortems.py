"""What people wrote about incidents afterwards: every revision of every postmortem, never edited."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field, SQLModel

from incidents.tables.columns import instant_column, json_column


class PostmortemRevisionRow(SQLModel, table=True):
    """The words of a postmortem as one save left them; `snapshot` holds the record's facts of a published one."""

    __tablename__ = "postmortem_revision"
    incident_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    author: str
    recorded_at: datetime = instant_column()
    state: str
    words: dict[str, Any] = json_column()
    changed: list[str] = json_column()
    snapshot: dict[str, Any] | None = json_column(nullable=True)
