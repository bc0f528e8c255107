"""Who may see an incident that was made private: a cache of its entries, asked in every reading transaction."""

from __future__ import annotations

from sqlalchemy import Index
from sqlmodel import Field, SQLModel


class PrivateViewerRow(SQLModel, table=True):
    """One who may see a private incident: `user:NAME` or `group:NAME`. The empty name marks that it is private."""

    __tablename__ = "private_viewer"
    incident_id: str = Field(primary_key=True)
    viewer: str = Field(primary_key=True)

    __table_args__ = (Index("private_viewer_by_viewer", "viewer", "incident_id"),)
