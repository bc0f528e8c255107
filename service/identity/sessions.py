"""Sessions: begun by whoever proved who they are, listed, and ended by their owner, an admin or a change of account.

They stand in the store, by the SHA-256 of what the cookie holds: ending one ends it on every process within seconds.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import audit
from incidents.tables import SessionRow
from incidents.views.access_view import Session
from service import clock
from service.identity import key_texts, second_factor
from service.identity.access import KEY, PERSON, USE, Access, Identity, account_id, digest, write_key

SESSION = SessionRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
LONGEST_AGENT = 200
BY_LINK = timedelta(hours=1)
OF_PEOPLE = ("session", "sign_in")
"""The kinds of keys that end with what their account was allowed."""


@dataclass(frozen=True, slots=True)
class Origin:
    """From where and with what somebody signs in."""

    address: str | None = None
    agent: str | None = None


def by_token(access: Access, token: Identity, origin: Origin) -> str:
    """A session of a token: it ends no later, and with it. The text of its key."""
    with access.store.writing() as connection:
        text = _begin(connection, access, token.name, token.role, token.key, "token", origin, token.expires_at)
    access.refresh()
    return text


def by_link(access: Access, link: str, origin: Origin, code: str | None = None) -> str | None:
    """Trade a one-time link for a session, once; None when it is spent, expired or unknown, or its account is shut.

    Raises CodeNeededError where its account has a second factor that `code` does not show; the link is not spent then.
    """
    now = clock.now()
    with access.store.writing() as connection:
        row = connection.execute(
            sa.update(KEY)
            .where(
                KEY.c.sha256 == digest(link),
                KEY.c.kind == "sign_in",
                KEY.c.revoked_at.is_(None),
                KEY.c.expires_at > now,
            )
            .values(revoked_at=now, revoked_by="use")
            .returning(KEY.c.role, KEY.c.name, KEY.c.parent)
        ).first()
        if row is None:
            return None
        if row.parent:
            person = _open_account(connection, row.name)
            if person is None:
                return None
            text = _of_account(connection, access, person, "link", origin, code)
        else:
            text = _begin(connection, access, row.name, row.role, None, "link", origin, None)
    access.refresh()
    return text


def of_account(  # who, how and from where
    access: Access, name: str, way: str, origin: Origin, code: str | None = None, *, password: str | None = None
) -> str | None:
    """A session of an account that proved itself just now; None where it has been shut meanwhile.

    `password` is the digest of the kept hash that what was given agreed with: it must still be the one that holds.
    Raises CodeNeededError where the account has a second factor that `code` does not show.
    """
    with access.store.writing() as connection:
        person = _open_account(connection, name)
        if person is None or (password is not None and digest(person.password or "") != password):
            return None
        text = _of_account(connection, access, person, way, origin, code)
    access.refresh()
    return text


def _open_account(connection: sa.Connection, name: str) -> Any:  # noqa: ANN401  # a row of PersonRow's columns
    """An account that is not disabled, locked: whoever changes it meanwhile finds the session that is begun here."""
    query = sa.select(PERSON).where(PERSON.c.name == name, PERSON.c.disabled_at.is_(None))
    return connection.execute(query.with_for_update()).first()


def _of_account(  # noqa: PLR0917  # as above
    connection: sa.Connection,
    access: Access,
    person: Any,  # noqa: ANN401  # a row of PersonRow's columns
    way: str,
    origin: Origin,
    code: str | None,
) -> str:
    """The one place where a session of an account begins: none begins past its second factor."""
    shown = second_factor.require(connection, access.secret_key, person.name, code)
    # A link's stays one: who came by it may set a password without the former.
    way = shown if shown and way == "password" else way
    connection.execute(sa.update(PERSON).where(PERSON.c.name == person.name).values(signed_in_at=clock.now()))
    parent = account_id(person.name)
    return _begin(connection, access, person.name, person.role, parent, way, origin, None)


def _begin(  # noqa: PLR0917  # one place writes a session, and all of this is what one is
    connection: sa.Connection,
    access: Access,
    name: str,
    role: str,
    parent: str | None,
    way: str,
    origin: Origin,
    until: datetime | None,
) -> str:
    text, longest = key_texts.make("session"), clock.now() + access.lasts
    ident = write_key(
        connection,
        text,
        kind="session",
        role=role,
        name=name,
        source=None,
        owner="page",
        until=min(longest, until) if until else longest,
        parent=parent,
        address=origin.address,
        way=way,
    )
    agent = origin.agent.replace("\0", "")[:LONGEST_AGENT].encode("utf-8", "replace").decode() if origin.agent else None
    connection.execute(sa.insert(SESSION).values(id=ident, way=way, address=origin.address, agent=agent))
    return text


def is_known(connection: sa.Connection, name: str, address: str | None) -> bool:
    """Whether somebody has signed in to this account from this address before."""
    query = (
        sa.select(SESSION.c.id)
        .join(KEY, KEY.c.id == SESSION.c.id)
        .where(KEY.c.parent == account_id(name), SESSION.c.address == address)
        .limit(1)
    )
    return connection.execute(query).first() is not None


def way_of(connection: sa.Connection, ident: str) -> str | None:
    """How a session was begun."""
    found: str | None = connection.execute(sa.select(SESSION.c.way).where(SESSION.c.id == ident)).scalar()
    return found


def is_by_link(connection: sa.Connection, who: Identity) -> bool:
    """Whether a one-time link began this session not long ago: who had it may set a password without the former."""
    query = sa.select(KEY.c.made_at).join(SESSION, SESSION.c.id == KEY.c.id)
    began = connection.execute(query.where(KEY.c.id == who.key, SESSION.c.way == "link")).scalar()
    return began is not None and clock.now() - began < BY_LINK


# --- listing and ending ---------------------------------------------------------------------------------------------


def _of(who: Identity | None) -> sa.ColumnElement[bool]:
    """The sessions of one who asks: of the same account, the same token, or links of the operator; all for None."""
    live = sa.and_(KEY.c.kind == "session", KEY.c.revoked_at.is_(None))
    if who is None:
        return live
    parent = who.key if who.kind == "token" else who.parent
    return sa.and_(live, KEY.c.name == who.name, KEY.c.parent.is_not_distinct_from(parent))


def listed(connection: sa.Connection, access: Access, who: Identity | None = None) -> list[Session]:
    """Sessions that hold, the one last used first; of one who asks, or all."""
    now = clock.now()
    query = (
        sa.select(KEY, SESSION.c.way, SESSION.c.address, SESSION.c.agent, USE.c.used_at, PERSON.c.name.label("account"))
        .outerjoin(SESSION, SESSION.c.id == KEY.c.id)
        .outerjoin(USE, USE.c.id == KEY.c.id)
        .outerjoin(PERSON, sa.and_(PERSON.c.name == KEY.c.name, KEY.c.parent == sa.literal("person-") + PERSON.c.name))
        .where(_of(who), sa.or_(KEY.c.expires_at.is_(None), KEY.c.expires_at > now))
    )
    found = [
        Session(
            row.id,
            row.name,
            row.role,
            row.way or "token",
            row.address,
            row.agent,
            row.made_at,
            row.used_at or row.made_at,
            row.expires_at,
            is_account=row.account is not None,
        )
        for row in connection.execute(query)
    ]
    return sorted((one for one in found if now - one.used_at <= access.idle), key=lambda one: one.used_at, reverse=True)


def end(access: Access, ident: str, who: Identity | None, *, by: str, address: str | None = None) -> bool:
    """End a session of one who asks, or anybody's for None; whether there was one."""
    now = clock.now()
    with access.store.writing() as connection:
        done = connection.execute(
            sa.update(KEY)
            .where(_of(who), KEY.c.id == ident)
            .values(revoked_at=now, revoked_by="hand")
            .returning(KEY.c.name)
        ).first()
        if done:
            mine = who is not None
            audit.append(
                connection,
                "signed_out" if mine else "session_ended",
                by=by,
                of=ident,
                now=now,
                address=address,
                **({} if mine else {"name": done.name}),
            )
    access.refresh()
    return done is not None


def end_of_account(connection: sa.Connection, name: str, *, why: str, by: str, but: str | None = None) -> int:
    """End the sessions and the links of an account in the transaction that changes it; all but one. How many."""
    now = clock.now()
    done = connection.execute(
        sa.update(KEY)
        .where(
            KEY.c.parent == account_id(name),
            KEY.c.kind.in_(OF_PEOPLE),
            KEY.c.revoked_at.is_(None),
            KEY.c.id != (but or secrets.token_hex(6)),
        )
        .values(revoked_at=now, revoked_by=why)
    ).rowcount
    if done:
        audit.append(connection, "sessions_ended", by=by, of=name, now=now, count=done, why=why)
    return int(done)
