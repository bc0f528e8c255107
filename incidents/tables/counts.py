"""Counts that are kept while alerts join: a cache, so that a view of a crowd need not look at each of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer
from sqlmodel import Field, SQLModel


class MemberCountRow(SQLModel, table=True):
    """How many of an incident's alerts began and ended in one minute, by lane and severity. A row may say 0."""

    __tablename__ = "member_count"
    incident_id: str = Field(primary_key=True)
    minute: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    """When the minute began, in microseconds since 1970."""
    lane: str = Field(primary_key=True)
    severity: int = Field(primary_key=True)
    """`Severity.rank`."""
    alerts: int
    ended: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    """How many ended in it; of one whose end lies before its start, when it began."""
