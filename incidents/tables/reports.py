"""Reports that the schedule has written, or is writing."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from incidents.tables.columns import instant_column


class ReportRow(SQLModel, table=True):
    """One file of one period: who claims it first writes it; `written_at` is None until it lies in the folder."""

    __tablename__ = "report"
    slot: str = Field(primary_key=True)
    """The period with the file's format."""
    claimed_at: datetime = instant_column()
    written_at: datetime | None = instant_column(nullable=True)
    name: str | None = None
    sha256: str | None = None
    failure: str | None = None
    """Why the last attempt came to nothing."""
