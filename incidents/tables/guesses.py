"""Guesses at sign-ins, counted by all processes together."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from incidents.tables.columns import instant_column


class GuessRow(SQLModel, table=True):
    """How often was guessed under one key: an account, an address, or both."""

    __tablename__ = "guess"
    name: str = Field(primary_key=True)
    """The SHA-256 of the key: no name and no address is kept here."""
    guesses: int
    free_at: datetime = instant_column()
    """Before that the next guess is not judged."""
    forgotten_at: datetime = instant_column(index=True)
    """From then on the key is a stranger's again."""
