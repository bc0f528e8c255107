"""Frozen views of who has access: accounts, sessions, keys and tokens, none with anything that could be used. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidents import instants

WAYS = {
    "password": "a password",
    "code": "a password and a code",
    "recovery": "a password and a recovery code",
    "link": "a one-time link",
    "token": "a token",
    "provider": "the identity provider",
}


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
    has_second_factor: bool = False

    @property
    def signs_in_by(self) -> str:
        """In words."""
        if self.issuer:
            return "the identity provider"
        if not self.has_password:
            return "a one-time link, until a password is set"
        return "a password and a code" if self.has_second_factor else "a password"


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
class Stopped:
    """A sign-in that got as far as the page that asks for a code, and no further."""

    at: datetime
    address: str | None
    way: str
    """`password` or `link`."""


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


@dataclass(frozen=True, slots=True)
class Factor:
    """What one's own page shows of one's second factor."""

    is_offered: bool = False
    """Whether the account can have one: it signs in by a password that is set."""
    is_set: bool = False
    is_demanded: bool = False
    """Whether nothing else may be done before one is set up."""
    codes_left: int = 0
    secret: str | None = None
    """A secret that waits for its first code, and below the address by which an authenticator reads it."""
    address: str | None = None
    codes: tuple[str, ...] = ()
    """Recovery codes that were made just now, to be shown once."""

    @property
    def secret_groups(self) -> str:
        """The secret as people copy it."""
        text = self.secret or ""
        return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def account_json(one: Account) -> dict[str, Any]:
    """An account as the API gives it."""
    return {
        "name": one.name,
        "role": one.role,
        "groups": list(one.groups),
        "issuer": one.issuer,
        "has_password": one.has_password,
        "has_second_factor": one.has_second_factor,
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
