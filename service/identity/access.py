"""Who may do what: ingest keys, API tokens, sessions and one-time links. Only their SHA-256 is kept."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from incidents import audit
from incidents.bulk import insert
from incidents.store import Store
from incidents.tables import KeyRow, KeyUseRow, PersonRow
from service import clock
from service.identity import key_texts, second_factor
from service.seal import keep, open_all
from service.standby import Standby

KEY = KeyRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
USE = KeyUseRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
PERSON = PersonRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
Role = Literal["viewer", "responder", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "responder", "admin")
MADE = {"ingest": "key_made", "token": "token_made", "session": "signed_in", "sign_in": "sign_in_link_made"}
"""What the audit log calls the making of each kind."""
SESSION = timedelta(days=7)
"""How long a session lasts at most, where no setting says otherwise."""
IDLE = timedelta(hours=24)
"""After how long without a request it ends, where no setting says otherwise."""
LINK = timedelta(hours=24)
FRESH_SECONDS = 5.0
"""How long a revoked key may still be honoured by another process."""
AGEING_SECONDS = 3.0
"""When what is kept is read again behind a request that it still serves; the reload is due before."""
KEPT_SECONDS = 24 * 3600.0
"""How long ingest keys are honoured while the database, in which they would be revoked, cannot be read."""

ADMIN_ID = "admin-token-"
"""How the id of the token of the settings begins."""
FORGOTTEN_SECONDS = 3600.0
"""How long a process keeps in mind itself that a key was used."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking: a name for the log, a role (`ingest` may only post to its source), and groups.

    `asking.identity` gives it to a handler; nothing else says who somebody is.
    """

    name: str
    role: Literal["viewer", "responder", "admin", "ingest"]
    kind: str
    """Of the key that was shown: `ingest`, `token`, `session` or `sign_in`."""
    key: str
    """Id of the key, for revoking and for signing forms."""
    source: str | None = None
    expires_at: datetime | None = None
    parent: str | None = None
    """What a session was made from: the id of a token, or of an account."""
    groups: tuple[str, ...] = ()
    """Of an account, as it stands now; tokens have none."""
    used_at: datetime | None = None
    """When a session was last used, as far as the store knows."""
    lacks_factor: bool = False
    """Whether it is the session of an account that must set up a second factor before it may do anything else."""

    @property
    def is_of_settings(self) -> bool:
        """Whether it is the token of the settings, which automation holds."""
        return self.kind == "token" and self.key.startswith(ADMIN_ID)

    @property
    def account(self) -> str | None:
        """The name of the account that a session belongs to; None for tokens, keys and links of the operator."""
        return self.name if self.parent == account_id(self.name) else None

    def may(self, least: Role) -> bool:
        """Whether the role is at least this one."""
        return self.role != "ingest" and ROLES.index(self.role) >= ROLES.index(least)

    @property
    def actor(self) -> str:
        """The name under which acts are recorded."""
        return f"user:{self.name}"


def account_id(name: str) -> str:
    """What stands as the parent of the sessions and links of an account."""
    return f"person-{name}"


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class Access:
    """Keys by digest, read from the store and kept for a few seconds. `check` and `refresh` are for a thread.

    `recall` serves what was read at most FRESH_SECONDS ago; when that is `ageing` its caller has it read again behind
    the request, so that nobody waits for the store while it answers at all. While it does not, senders are served by
    what was read last, so that the spool can take what they send; for everybody else there is nothing to show anyway.
    """

    def __init__(
        self,
        store: Store,
        *,
        admin_token: str | None,
        secret_key: bytes,
        lasts: timedelta = SESSION,
        idle: timedelta = IDLE,
        factor_from: Role | None = None,
    ) -> None:
        """`lasts` and `idle` bound sessions: in all, and without a request.

        From the role `factor_from` on an account that signs in by a password must have a second factor.
        """
        self.store = store
        self.secret_key = secret_key
        self._factored = ROLES[ROLES.index(factor_from) :] if factor_from else ()
        self.lasts, self.idle = lasts, idle
        self._used: dict[str, float] = {}
        """When each key was last used here, by its id, on the monotonic clock."""
        self._uses_written_at = time.monotonic()
        self._admin = digest(admin_token) if admin_token else None
        self._known: dict[str, Identity] = {}
        self._by_id: dict[str, Identity] = {}
        self._secrets: Mapping[str, tuple[str, ...]] = {}
        self._read_at = -FRESH_SECONDS * 2
        self._reading = threading.Lock()
        self._is_away = False
        """Whether the last reading failed, or is waited for."""
        self.standby: Standby | None = None
        """Where keys are read while the store is away: nothing can be revoked meanwhile, and people go on reading."""

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
        if (age := (now := time.monotonic()) - self._read_at) > FRESH_SECONDS:
            found = self._recall_meanwhile(name, age)
        else:
            found = self._live(self._known.get(name))
        if found:
            # All that the way to a 2xx pays for it; `write_uses` writes it down, by the clock.
            self._used[found.key] = now
        return found

    def holds(self, identity: Identity) -> bool:
        """Whether who was let in earlier would be let in now, as far as is known here: for what lasts long."""
        if identity.is_of_settings:
            return self._admin is not None and identity.key == _admin_id(self._admin)
        found = self._live(self._by_id.get(identity.key))
        return found is not None and found.role == identity.role

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
        return self.recall(key)

    def _is_kept(self, name: str) -> bool:
        with self.store.reading() as connection:
            query = sa.select(KEY.c.id).where(KEY.c.sha256 == name, KEY.c.revoked_at.is_(None))
            return connection.execute(query).first() is not None

    def secrets_of(self, source: str) -> tuple[str, ...]:
        """The signature secrets of a source, as last read from the store."""
        return self._secrets.get(source, ())

    def _live(self, identity: Identity | None) -> Identity | None:
        if identity is None or (identity.expires_at is None and identity.used_at is None):
            return identity
        now = clock.now()
        if identity.expires_at and identity.expires_at <= now:
            return None
        if identity.used_at and now - identity.used_at > self.idle:
            seen = self._used.get(identity.key)
            if seen is None or time.monotonic() - seen > self.idle.total_seconds():
                return None
        return identity

    def write_uses(self) -> None:
        """Write down which keys were used since the last time; for a thread. Raises what the store raises."""
        since, self._uses_written_at = self._uses_written_at, time.monotonic()
        now, ticks = clock.now(), time.monotonic()
        seen = list(self._used.items())
        for name in [name for name, at in seen if ticks - at > FORGOTTEN_SECONDS]:
            self._used.pop(name, None)  # the store knows it since long
        used = {name: now - timedelta(seconds=ticks - at) for name, at in seen if at >= since}
        if not used:
            return
        try:
            with self.store.writing() as connection:
                statement = insert(connection, USE)
                later = statement.on_conflict_do_update(
                    index_elements=["id"],
                    set_={"used_at": statement.excluded.used_at},
                    where=statement.excluded.used_at > USE.c.used_at,
                )
                # Sorted, as another process writes some of the same rows at the same time.
                connection.execute(later, [{"id": name, "used_at": at} for name, at in sorted(used.items())])
        except (sa.exc.SQLAlchemyError, OSError):
            self._uses_written_at = since
            raise

    def refresh(self) -> None:
        """Read all live keys, once at a time, so that an older reading never replaces a newer one."""
        with self._reading:
            self._is_away = True  # until it has answered
            began = time.monotonic()
            live = KEY.c.revoked_at.is_(None) & (KEY.c.expires_at.is_(None) | (KEY.c.expires_at > clock.now()))
            with self._asked() as connection:
                with_use = sa.select(KEY, USE.c.used_at).outerjoin(USE, USE.c.id == KEY.c.id)
                rows = connection.execute(with_use.where(live)).all()
                people = connection.execute(sa.select(PERSON).where(PERSON.c.disabled_at.is_(None))).all()
                lacking = {account_id(name) for name in second_factor.lacking(connection, self._factored)}
                self._secrets = open_all(connection, self.secret_key) if self.secret_key else {}
            accounts = {account_id(person.name): person for person in people}
            parents = {None, *(row.id for row in rows), _admin_id(self._admin) if self._admin else None, *accounts}
            self._known = {
                row.sha256: _identity(row, accounts.get(row.parent), lacks_factor=row.parent in lacking)
                for row in rows
                if row.parent in parents
            }
            self._by_id = {identity.key: identity for identity in self._known.values()}
            self._read_at, self._is_away = began, False

    @contextlib.contextmanager
    def _asked(self) -> Iterator[sa.Connection]:
        """A read transaction where keys can be read now."""
        standby = self.standby
        with (standby if standby and standby.is_alone and standby.is_read else self.store).reading() as connection:
            yield connection

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
        text = key_texts.make(kind)
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
            keep(connection, self.secret_key, source, texts)
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

    def form_token(self, identity: Identity) -> str:
        """What a form of this session must send back."""
        return hmac.new(self.secret_key, f"form|{identity.key}".encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, identity: Identity, text: str) -> bool:
        """Whether a form came from a page of this session."""
        return hmac.compare_digest(self.form_token(identity).encode(), text.encode("utf-8", "surrogateescape"))


def _identity(row: Any, person: Any, *, lacks_factor: bool) -> Identity:  # noqa: ANN401  # rows of KeyRow and PersonRow
    return Identity(
        row.name,
        # Of an account what holds now, not what held when its session was begun.
        person.role if person else row.role,
        row.kind,
        row.id,
        row.source,
        row.expires_at,
        row.parent,
        tuple(person.groups) if person else (),
        (row.used_at or row.made_at) if row.kind == "session" else None,
        lacks_factor,
    )


def _admin_id(admin: str) -> str:
    """The id of the token of the settings, from its digest: another token is another parent of sessions."""
    return f"{ADMIN_ID}{admin[:16]}"


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
    way: str | None = None,
) -> str:
    """Write a key's digest, and that it was made into the audit log; its id. `way` is how a session was begun."""
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
    told |= {"way": way} if way else {}
    audit.append(connection, MADE[kind], by=actor, of=ident, now=now, address=address, **told)
    return ident
