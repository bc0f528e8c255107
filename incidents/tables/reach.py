"""What links are found and measured by, made from logs and caches: where things reach, and counts of readings."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel


class ReachRow(SQLModel, table=True):
    """One key under which a hazard or provider incident is filed; `cells.keys_of` makes them.

    Instants are plain numbers, and what is on still ends at the largest of them, so that a range is a range.
    """

    __tablename__ = "reach"
    cell: str = Field(primary_key=True)
    occurrence_id: str = Field(primary_key=True)
    lasts: int
    """0 up to a day, 1 up to eight, 2 longer: so that a search by start need not go back for ever."""
    starts_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    ends_at: int = Field(sa_column=Column(BigInteger, nullable=False))
    family: str
    severity: int
    source: str
    south: float | None = None
    north: float | None = None
    west: float | None = None
    east: float | None = None

    __table_args__ = (
        Index("reach_by_start", "cell", "lasts", "starts_at"),
        Index("reach_by_family", "cell", "family", "starts_at"),
        Index("reach_by_occurrence", "occurrence_id"),
    )


class ReadingCountRow(SQLModel, table=True):
    """How many readings of a source fell into one bin, at one place (tenths of a degree), month and part of the day."""

    __tablename__ = "reading_count"
    source: str = Field(primary_key=True)
    variable: str = Field(primary_key=True)
    basis: str = Field(primary_key=True)
    place: str = Field(primary_key=True)
    month: int = Field(primary_key=True)
    slot: int = Field(primary_key=True)
    bin: int = Field(primary_key=True)
    n: int
