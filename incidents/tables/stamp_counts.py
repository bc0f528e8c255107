"""How many deliveries of each source were read, kept while they are stamped: a page need not count a million."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel


class StampCountRow(SQLModel, table=True):
    """The stamps of one source in one state, and what was lost in them. A row may say 0."""

    __tablename__ = "stamp_count"
    source: str = Field(primary_key=True)
    state: str = Field(primary_key=True)
    deliveries: int = Field(sa_column=Column(BigInteger, nullable=False))
    losses: int = Field(sa_column=Column(BigInteger, nullable=False))
