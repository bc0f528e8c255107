"""Views that people keep: a name for an address of ours with its query."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from incidents.tables.columns import grown_id, instant_column


class SavedViewRow(SQLModel, table=True):
    """A name for an address, its owner's alone unless it is shared. One taken out stays, so that it can come back."""

    __tablename__ = "saved_view"
    id: int | None = grown_id()
    owner: str
    """The actor who saved it: `user:alice`."""
    name: str
    address: str
    """A path of ours with its query, beginning with a slash."""
    shared: bool = Field(default=False)
    saved_at: datetime = instant_column()
    removed_at: datetime | None = instant_column(nullable=True)

    __table_args__ = (Index("saved_view_by_owner", "owner", "name"),)
