"""Access of people: who has an account here, from where sessions were begun, and when keys were last used."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from incidents.tables.columns import instant_column, json_column


class PersonRow(SQLModel, table=True):
    """An account, by a password of ours or by an identity provider. It is disabled, never removed: the log names it."""

    __tablename__ = "person"
    name: str = Field(primary_key=True)
    role: str
    groups: list[str] = json_column()
    """As the identity provider said at the last sign-in; for others as an admin wrote them."""
    password: str | None = None
    """Argon2id, as `$argon2id$…`; None for who signs in otherwise, or has set none yet."""
    issuer: str | None = None
    subject: str | None = None
    """Whom the identity provider calls so: a name may change there, this does not."""
    added_at: datetime = instant_column()
    added_by: str
    password_set_at: datetime | None = instant_column(nullable=True)
    signed_in_at: datetime | None = instant_column(nullable=True)
    disabled_at: datetime | None = instant_column(nullable=True)

    __table_args__ = (Index("person_by_subject", "issuer", "subject", unique=True),)


class SessionRow(SQLModel, table=True):
    """From where, with what and how a session was begun; its key, role and end stand in `access_key`."""

    __tablename__ = "session"
    id: str = Field(primary_key=True)
    """Of the key."""
    way: str
    """`password`, `code` or `recovery` (a password and that), `link`, `token` or `provider`."""
    address: str | None = None
    agent: str | None = None
    """What the browser calls itself, cut."""


class KeyUseRow(SQLModel, table=True):
    """When a key, token or session was last used, to the minute; apart from keys, so that writing it locks none."""

    __tablename__ = "key_use"
    id: str = Field(primary_key=True)
    used_at: datetime = instant_column()
