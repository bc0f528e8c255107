"""Who may do what: ingest keys, API tokens, sessions and one-time links. Only their SHA-256 is kept."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from incidents import audit
from incidents.store import Store
from incidents.tables import KeyRow
from service import clock
from service.seal import keep, open_all

KEY = KeyRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
Role = Literal["viewer", "responder", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "responder", "admin")
PREFIXES = {"ingest": "bk_", "token": "bt_", "session": "bs_", "sign_in": "bl_"}
MADE = {"ingest": "key_made", "token": "token_made", "session": "signed_in", "sign_in": "sign_in_link_made"}
"""What the audit log calls the making of each kind."""
SESSION = timedelta(days=14)
LINK = timedelta(hours=24)
FRESH_SECONDS = 5.0
"""How long a revoked key may still be honoured by another process."""
AGEING_SECONDS = 3.0
"""When what is kept is read again behind a request that it still serves; the reload is due before."""
KEPT_SECONDS = 24 * 3600.0
"""How long ingest keys are honoured while the database, in which they would be revoked, cannot be read."""


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
    parent: str | None = None
    """Id of the token that a session was made from."""
    groups: tuple[str, ...] = ()
    """Of an account, as it stands now; tokens have none."""

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
    """Keys by digest, read from the store and kept for a few seconds. `check` and `refresh` are for a thread.

    `recall` serves what was read at most FRESH_SECONDS ago; when that is `ageing` its caller has it read again behind
    the request, so that nobody waits for the store while it answers at all. While it does not, senders are served by
    what was read last, so that the spool can take what they send; for everybody else there is nothing to show anyway.
    """

    def __init__(self, store: Store, *, admin_token: str | None, secret_key: bytes) -> None:
        self.store = store
        self._secret = secret_key
        self._admin = digest(admin_token) if admin_token else None
        self._known: dict[str, Identity] = {}
        self._secrets: Mapping[str, tuple[str, ...]] = {}
        self._read_at = -FRESH_SECONDS * 2
        self._reading = threading.Lock()
        self._is_away = False
        """Whether the last reading failed, or is waited for."""

    @property
    def ageing(self) -> bool:
        """Whether what is kept should be read again soon, and nobody does so now."""
        # While the store is away the reload tries often enough.
        return time.monotonic() - self._read_at > AGEING_SECONDS and not self._is_away

    def recall(self, key: str) -> Identity | None:
        """The identity of a key if it is known and fresh; None asks for `check`."""
        name = digest(key)
        if self._admin and hmac.compare_digest(name, self._admin):
            return Identity("admin", "admin", "token", _admin_id(self._admin))
        if (age := time.monotonic() - self._read_at) > FRESH_SECONDS:
            return self._recall_meanwhile(name, age)
        return self._live(self._known.get(name))

    def _recall_meanwhile(self, name: str, age: float) -> Identity | None:
        """A sender's identity while the store is away, or being waited for."""
        if age > KEPT_SECONDS or not self._is_away:
            return None
        found = self._live(self._known.get(name))
        return found if found and found.role == "ingest" else None

    def check(self, key: str) -> Identity | None:
        """The identity of a key, asking the store when what is kept is stale or does not know it."""
        found = self.recall(key)
        if found is not None:
            return found
        stale = time.monotonic() - self._read_at > FRESH_SECONDS
        # A key that was made a moment ago is found at once; a stranger's guess costs one look at an index.
        if stale or self._is_kept(digest(key)):
            self.refresh()
        return self._live(self._known.get(digest(key)))

    def _is_kept(self, name: str) -> bool:
        with self.store.reading() as connection:
            query = sa.select(KEY.c.id).where(KEY.c.sha256 == name, KEY.c.revoked_at.is_(None))
            return connection.execute(query).first() is not None

    def secrets_of(self, source: str) -> tuple[str, ...]:
        """The signature secrets of a source, as last read from the store."""
        return self._secrets.get(source, ())

    @staticmethod
    def _live(identity: Identity | None) -> Identity | None:
        if identity and identity.expires_at and identity.expires_at <= clock.now():
            return None
        return identity

    def refresh(self) -> None:
        """Read all live keys, once at a time, so that an older reading never replaces a newer one."""
        with self._reading:
            self._is_away = True  # until it has answered
            began = time.monotonic()
            live = KEY.c.revoked_at.is_(None) & (KEY.c.expires_at.is_(None) | (KEY.c.expires_at > clock.now()))
            with self.store.reading() as connection:
                rows = connection.execute(sa.select(KEY).where(live)).all()
                self._secrets = open_all(connection, self._secret) if self._secret else {}
            parents = {None, *(row.id for row in rows), _admin_id(self._admin) if self._admin else None}
            self._known = {row.sha256: _identity(row) for row in rows if row.parent in parents}
            self._read_at, self._is_away = began, False

    def renew(self) -> None:
        """Read again what is `ageing`, for nobody who waits: when the store is away the next one asks and is told."""
        with contextlib.suppress(sa.exc.SQLAlchemyError, OSError):
            if self.ageing:
                self.refresh()

    def make(
        self,
        kind: str,
        *,
        role: str,
        name: str,
        source: str | None = None,
        owner: str = "page",
        lasts: timedelta | None = None,
        parent: Identity | None = None,
        by: str = "system",
        address: str | None = None,
    ) -> tuple[str, str]:
        """Make a key; its text, which is shown once, and its id. A session of a parent ends no later than it."""
        text = PREFIXES[kind] + secrets.token_urlsafe(32)
        until = clock.now() + lasts if lasts else None
        if parent and parent.expires_at:
            until = min(until, parent.expires_at) if until else parent.expires_at
        with self.store.writing() as connection:
            ident = write_key(
                connection,
                text,
                kind=kind,
                role=role,
                name=name,
                source=source,
                owner=owner,
                until=until,
                parent=parent.key if parent else None,
                by=by,
                address=address,
            )
        self.refresh()
        return text, ident

    def keep_secrets(self, source: str, texts: Sequence[str], *, by: str) -> None:
        """Keep a source's signature secrets, encrypted, over those that were kept."""
        with self.store.writing() as connection:
            keep(connection, self._secret, source, texts)
            audit.append(connection, "secrets_kept", by=by, of=source, now=clock.now(), count=len(texts))
        self.refresh()

    def revoke(self, ident: str, *, by: str = "system", address: str | None = None) -> bool:
        """Revoke a key by its id; whether there was a live one."""
        now = clock.now()
        with self.store.writing() as connection:
            done = connection.execute(
                sa.update(KEY)
                .where(KEY.c.id == ident, KEY.c.revoked_at.is_(None))
                .values(revoked_at=now, revoked_by="hand")
                .returning(KEY.c.kind, KEY.c.name, KEY.c.prefix)
            ).first()
            if done and done.kind == "session" and by == f"user:{done.name}":
                audit.append(connection, "signed_out", by=by, of=ident, now=now, address=address)
            elif done:
                told = {"kind": done.kind, "name": done.name, "prefix": done.prefix}
                audit.append(connection, "revoked", by=by, of=ident, now=now, address=address, **told)
        self.refresh()
        return done is not None

    def use_link(self, token: str, *, address: str | None = None) -> str | None:
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
                .values(revoked_at=now, revoked_by="use")
                .returning(KEY.c.role, KEY.c.name)
            ).first()
        if row is None:
            return None
        return self.make("session", role=row.role, name=row.name, lasts=SESSION, address=address)[0]

    def form_token(self, identity: Identity) -> str:
        """What a form of this session must send back."""
        return hmac.new(self._secret, f"form|{identity.key}".encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, identity: Identity, text: str) -> bool:
        """Whether a form came from a page of this session."""
        return hmac.compare_digest(self.form_token(identity).encode(), text.encode("utf-8", "surrogateescape"))


def _identity(row: Any) -> Identity:  # noqa: ANN401  # a row of KeyRow's columns
    return Identity(row.name, row.role, row.kind, row.id, row.source, row.expires_at, row.parent)


def _admin_id(admin: str) -> str:
    """The id of the token of the settings, from its digest: another token is another parent of sessions."""
    return f"admin-token-{admin[:16]}"


def write_key(
    connection: sa.Connection,
    text: str,
    *,
    kind: str,
    role: str,
    name: str,
    source: str | None,
    owner: str,
    until: datetime | None = None,
    parent: str | None = None,
    by: str = "system",
    address: str | None = None,
) -> str:
    """Write a key's digest, and that it was made into the audit log; its id."""
    ident, prefix, now = secrets.token_hex(6), f"{text[:6]}…", clock.now()
    connection.execute(
        sa.insert(KEY).values(
            id=ident,
            sha256=digest(text),
            kind=kind,
            role=role,
            source=source,
            name=name,
            prefix=prefix,
            owner=owner,
            parent=parent,
            made_at=now,
            expires_at=until,
        )
    )
    # A session is a sign-in by who it is for; all else is made by somebody for somebody.
    told = {"role": role, "name": name, "source": source, "prefix": None if kind == "session" else prefix}
    actor = f"user:{name}" if kind == "session" else by
    audit.append(connection, MADE[kind], by=actor, of=ident, now=now, address=address, **told)
    return ident


def list_keys(connection: sa.Connection, kinds: tuple[str, ...]) -> list[Any]:
    """Keys that were not revoked, without anything that could be used."""
    return list(
        connection.execute(
            sa.select(KEY).where(KEY.c.kind.in_(kinds), KEY.c.revoked_at.is_(None)).order_by(KEY.c.made_at)
        )
    )
