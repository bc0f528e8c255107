"""What signed deliveries proved themselves with: remembered so that nobody can send one a second time as new."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from incidents.tables.columns import instant_column


class SeenProofRow(SQLModel, table=True):
    """The proof of a signed delivery, kept until it can no longer be replayed. `delivery_id` is the one stored.

    `name` is the SHA-256 of the source and of what tells the delivery from all others of it.
    """

    __tablename__ = "seen_proof"
    name: str = Field(primary_key=True)
    delivery_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    until: datetime = instant_column()

    __table_args__ = (Index("seen_proof_by_end", "until"),)
