"""Who may do what: ingest keys, API tokens, sessions and one-time links. Only their SHA-256 is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from incidents.overview import KEY
from incidents.store import Store
from service import clock
from service.seal import open_all

Role = Literal["viewer", "responder", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "responder", "admin")
PREFIXES = {"ingest": "bk_", "token": "bt_", "session": "bs_", "sign_in": "bl_"}
SESSION = timedelta(days=14)
LINK = timedelta(hours=24)
FRESH_SECONDS = 5.0
"""How long a revoked key may still be honoured by another process."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who has shown a key: a name for the log, and a role (`ingest` may only post to its source)."""

    name: str
    role: Literal["viewer", "responder", "admin", "ingest"]
    kind: str
    key: str
    """Id of the key, for revoking and for signing forms."""
    source: str | None = None
    expires_at: datetime | None = None

    def may(self, least: Role) -> bool:
        """Whether the role is at least this one."""
        return self.role != "ingest" and ROLES.index(self.role) >= ROLES.index(least)

    @property
    def actor(self) -> str:
        """The name under which acts are recorded."""
        return f"user:{self.name}"


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class Access:
    """Keys by digest, read from the store and kept for a few seconds. `check` is for the event loop's thread pool."""

    def __init__(self, store: Store, *, admin_token: str | None, secret_key: bytes) -> None:
        self.store = store
        self._secret = secret_key
        self._admin = digest(admin_token) if admin_token else None
        self._known: dict[str, Identity] = {}
        self._secrets: Mapping[str, tuple[str, ...]] = {}
        self._read_at = 0.0

    def recall(self, key: str) -> Identity | None:
        """The identity of a key if it is known and fresh; None asks for `check`."""
        name = digest(key)
        if self._admin and hmac.compare_digest(name, self._admin):
            return Identity("admin", "admin", "token", "admin-token")
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            return None
        return self._live(self._known.get(name))

    def check(self, key: str) -> Identity | None:
        """The identity of a key, asking the store when what is kept is stale or does not know it."""
        found = self.recall(key)
        # A stranger's guesses may not make us read the store more than once a second.
        if found is None and time.monotonic() - self._read_at > 1.0:
            self.refresh()
            found = self._live(self._known.get(digest(key)))
        return found

    def secrets_of(self, source: str) -> tuple[str, ...]:
        """The signature secrets of a source, as last read from the store."""
        return self._secrets.get(source, ())

    @staticmethod
    def _live(identity: Identity | None) -> Identity | None:
        if identity and identity.expires_at and identity.expires_at <= clock.now():
            return None
        return identity

    def refresh(self) -> None:
        """Read all live keys."""
        with self.store.reading() as connection:
            rows = connection.execute(sa.select(KEY).where(KEY.c.revoked_at.is_(None))).all()
            self._secrets = open_all(connection, self._secret) if self._secret else {}
        self._known = {row.sha256: _identity(row) for row in rows}
        self._read_at = time.monotonic()

    def make(
        self,
        kind: str,
        *,
        role: str,
        name: str,
        source: str | None = None,
        owner: str = "page",
        lasts: timedelta | None = None,
        key: str | None = None,
    ) -> tuple[str, str]:
        """Make a key; its text, which is shown once, and its id."""
        text = key or PREFIXES[kind] + secrets.token_urlsafe(32)
        with self.store.writing() as connection:
            ident = write_key(
                connection, text, kind=kind, role=role, name=name, source=source, owner=owner, lasts=lasts
            )
        self._read_at = 0.0
        return text, ident

    def revoke(self, ident: str) -> bool:
        """Revoke a key by its id; whether there was a live one."""
        with self.store.writing() as connection:
            done = connection.execute(
                sa.update(KEY).where(KEY.c.id == ident, KEY.c.revoked_at.is_(None)).values(revoked_at=clock.now())
            ).rowcount
        self._read_at = 0.0
        return bool(done)

    def use_link(self, token: str) -> str | None:
        """Trade a one-time link for a session key, once; None when it is spent, expired or unknown."""
        now = clock.now()
        with self.store.writing() as connection:
            row = connection.execute(
                sa.update(KEY)
                .where(
                    KEY.c.sha256 == digest(token),
                    KEY.c.kind == "sign_in",
                    KEY.c.revoked_at.is_(None),
                    KEY.c.expires_at > now,
                )
                .values(revoked_at=now)
                .returning(KEY.c.role, KEY.c.name)
            ).first()
        if row is None:
            return None
        return self.make("session", role=row.role, name=row.name, lasts=SESSION)[0]

    def form_token(self, identity: Identity) -> str:
        """What a form of this session must send back."""
        return hmac.new(self._secret, f"form|{identity.key}".encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, identity: Identity, text: str) -> bool:
        """Whether a form came from a page of this session."""
        return hmac.compare_digest(self.form_token(identity).encode(), text.encode("utf-8", "surrogateescape"))


def _identity(row: Any) -> Identity:  # noqa: ANN401  # a row of KeyRow's columns
    return Identity(row.name, row.role, row.kind, row.id, row.source, row.expires_at)


def write_key(
    connection: sa.Connection,
    text: str,
    *,
    kind: str,
    role: str,
    name: str,
    source: str | None,
    owner: str,
    lasts: timedelta | None = None,
) -> str:
    """Write a key's digest, or bring a revoked one of the same text back; its id."""
    now = clock.now()
    row = connection.execute(sa.select(KEY.c.id).where(KEY.c.sha256 == digest(text))).first()
    if row:
        connection.execute(
            sa.update(KEY)
            .where(KEY.c.id == row.id)
            .values(revoked_at=None, source=source, role=role, name=name, owner=owner)
        )
        return str(row.id)
    ident = secrets.token_hex(6)
    connection.execute(
        sa.insert(KEY).values(
            id=ident,
            sha256=digest(text),
            kind=kind,
            role=role,
            source=source,
            name=name,
            prefix=f"{text[:6]}…",
            owner=owner,
            made_at=now,
            expires_at=now + lasts if lasts else None,
        )
    )
    return ident


def list_keys(connection: sa.Connection, kinds: tuple[str, ...]) -> list[Any]:
    """Keys that were not revoked, without anything that could be used."""
    return list(
        connection.execute(
            sa.select(KEY).where(KEY.c.kind.in_(kinds), KEY.c.revoked_at.is_(None)).order_by(KEY.c.made_at)
        )
    )
