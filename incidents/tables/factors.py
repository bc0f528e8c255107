"""Second factors of accounts: the secret that an authenticator shares with us, and codes for when it is lost."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from incidents.tables.columns import instant_column


class FactorRow(SQLModel, table=True):
    """The second factor of an account: one for each, of the account's name."""

    __tablename__ = "second_factor"
    name: str = Field(primary_key=True)
    sealed: str
    """The secret, encrypted under the service's secret key: unlike a password it must be at hand to be checked."""
    made_at: datetime = instant_column()
    confirmed_at: datetime | None = instant_column(nullable=True)
    """When a first code showed that an authenticator has the secret; until then nobody is asked for one."""
    last_step: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    """The time step of the code that was taken last: none of it, or of one before, is taken again."""


class RecoveryCodeRow(SQLModel, table=True):
    """A code that stands once for the second factor: only its SHA-256 is kept. It is long and random: no slow hash."""

    __tablename__ = "recovery_code"
    sha256: str = Field(primary_key=True)
    name: str = Field(index=True)
    used_at: datetime | None = instant_column(nullable=True)
