"""What retention dropped, as far as it must be known again when it comes back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from incidents.tables.columns import instant_column


class DroppedSubjectRow(SQLModel, table=True):
    """A subject all of whose statements were dropped; what was said of it up to then is not recorded again."""

    __tablename__ = "dropped_subject"
    subject: str = Field(primary_key=True)
    said_until: datetime = instant_column()
    """When the last of them was said."""


class DroppedDeliveryRow(SQLModel, table=True):
    """A delivery that stands, though statements or readings of it were dropped; it goes with the delivery."""

    __tablename__ = "dropped_delivery"
    delivery_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    kind: str = Field(primary_key=True)
    """`statement` or `reading`."""
    until: datetime = instant_column()
    """When the last of those statements was said, or of those readings taken."""
