"""When each part of a crowd last changed, so that what is derived from all of it is derived anew of that part alone."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel


class CrowdPartRow(SQLModel, table=True):
    """A stretch of time in which alerts of an incident began, and the turn in which one of them last changed.

    One row of each incident, whose `part` is `WHOLE`, names the count of turns: after all of it was counted afresh
    the turns have another origin.
    """

    __tablename__ = "crowd_part"
    incident_id: str = Field(primary_key=True)
    part: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    """When the stretch began, in microseconds since 1970."""
    turn: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Grows by one with each transaction that changes alerts of the incident."""
    origin: int = Field(sa_column=Column(BigInteger, nullable=False))
    """A number at random: turns of two origins have nothing to do with each other."""

    __table_args__ = (Index("crowd_part_by_turn", "incident_id", "turn"),)
