"""Frozen views of who has access: accounts, sessions, keys and tokens, none with anything that could be used. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidents import instants

WAYS = {"password": "a password", "link": "a one-time link", "token": "a token", "provider": "the identity provider"}


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in."""

    name: str
    role: str
    groups: tuple[str, ...]
    issuer: str | None
    has_password: bool
    added_at: datetime
    added_by: str
    password_set_at: datetime | None = None
    signed_in_at: datetime | None = None
    disabled_at: datetime | None = None
    sessions: int = 0

    @property
    def signs_in_by(self) -> str:
        """In words."""
        if self.issuer:
            return "the identity provider"
        return "a password" if self.has_password else "a one-time link, until a password is set"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in somewhere."""

    id: str
    name: str
    role: str
    way: str
    address: str | None
    agent: str | None
    began_at: datetime
    used_at: datetime
    expires_at: datetime | None
    is_account: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """An ingest key or an API token that holds."""

    id: str
    kind: str
    role: str
    source: str | None
    name: str
    prefix: str
    owner: str
    made_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


def account_json(one: Account) -> dict[str, Any]:
    """An account as the API gives it."""
    return {
        "name": one.name,
        "role": one.role,
        "groups": list(one.groups),
        "issuer": one.issuer,
        "has_password": one.has_password,
        "added_at": instants.text(one.added_at),
        "added_by": one.added_by,
        "password_set_at": _maybe(one.password_set_at),
        "signed_in_at": _maybe(one.signed_in_at),
        "disabled_at": _maybe(one.disabled_at),
        "sessions": one.sessions,
    }


def session_json(one: Session) -> dict[str, Any]:
    """A session as the API gives it."""
    return {
        "id": one.id,
        "name": one.name,
        "role": one.role,
        "way": one.way,
        "address": one.address,
        "agent": one.agent,
        "began_at": instants.text(one.began_at),
        "used_at": instants.text(one.used_at),
        "expires_at": _maybe(one.expires_at),
    }


def key_json(one: Key) -> dict[str, Any]:
    """A key as the API gives it."""
    return {
        "id": one.id,
        "kind": one.kind,
        "role": one.role,
        "source": one.source,
        "name": one.name,
        "prefix": one.prefix,
        "owner": one.owner,
        "made_at": instants.text(one.made_at),
        "expires_at": _maybe(one.expires_at),
        "used_at": _maybe(one.used_at),
    }


def _maybe(at: datetime | None) -> str | None:
    return instants.text(at) if at else None
