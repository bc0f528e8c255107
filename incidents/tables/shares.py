"""Links that show the title and the picture of an incident to whoever has them."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from incidents.tables.columns import instant_column


class ShareRow(SQLModel, table=True):
    """A link that somebody made deliberately. It ends at `expires_at`, or when it is revoked."""

    __tablename__ = "share"
    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    made_at: datetime = instant_column()
    made_by: str
    expires_at: datetime = instant_column()
    revoked_at: datetime | None = instant_column(nullable=True)
    revoked_by: str | None = None
