"""Accounts of people: added, given a role and a password, disabled. What changes one ends its sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from incidents import audit
from incidents.refusals import ConflictError, NotFoundError
from incidents.store import Store
from incidents.views.access_view import Account
from service import clock
from service.identity import key_texts, second_factor
from service.identity.access import KEY, LINK, PERSON, ROLES, account_id, write_key
from service.identity.sessions import end_of_account

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,62}[a-z0-9])?", re.ASCII)
TAKEN = ("admin", "system", "nobody")
"""Under these act the operator's token and links, the service, and who is not known."""
MOST_GROUPS, LONGEST_GROUP = 100, 200


def checked_name(name: str) -> str:
    """A name as it is kept: in small letters. Raises ValueError for one that cannot be."""
    plain = name.strip().lower()
    if not NAME.fullmatch(plain):
        raise ValueError("name: 1 to 64 of a-z, 0-9 and . _ @ + - are expected, a letter or digit first and last")
    if plain in TAKEN:
        raise ValueError(f"name: {plain} is taken by the service itself")
    return plain


def checked_role(role: str) -> str:
    """A role of a person. Raises ValueError."""
    if role not in ROLES:
        raise ValueError(f"role: one of {', '.join(ROLES)} is expected")
    return role


def checked_groups(groups: Sequence[str]) -> list[str]:
    """Groups without repeats. Raises ValueError for what cannot be kept."""
    kept = list(dict.fromkeys(text.strip() for text in groups if text.strip()))
    if len(kept) > MOST_GROUPS or any(len(one) > LONGEST_GROUP or not one.isprintable() for one in kept):
        raise ValueError(f"groups: at most {MOST_GROUPS} of {LONGEST_GROUP} printable characters are expected")
    return kept


def read(connection: sa.Connection, name: str) -> Any:  # noqa: ANN401  # a row of PersonRow's columns, or None
    """An account's row, with its password's hash."""
    return connection.execute(sa.select(PERSON).where(PERSON.c.name == name[:64].lower())).first()


def listed(connection: sa.Connection) -> list[Account]:
    """All accounts by name, the disabled ones too."""
    live = sa.and_(
        KEY.c.kind == "session",
        KEY.c.revoked_at.is_(None),
        sa.or_(KEY.c.expires_at.is_(None), KEY.c.expires_at > clock.now()),
    )
    counts = connection.execute(sa.select(KEY.c.parent, sa.func.count()).where(live).group_by(KEY.c.parent))
    sessions = {parent: int(count) for parent, count in counts}
    rows, having = connection.execute(sa.select(PERSON).order_by(PERSON.c.name)), second_factor.having(connection)
    return [_account(row, sessions.get(account_id(row.name), 0), row.name in having) for row in rows]


def _account(row: Any, sessions: int, has_second_factor: bool) -> Account:  # noqa: ANN401  # a row of PersonRow's columns
    return Account(
        row.name,
        row.role,
        tuple(row.groups),
        row.issuer,
        has_password=row.password is not None,
        added_at=row.added_at,
        added_by=row.added_by,
        password_set_at=row.password_set_at,
        signed_in_at=row.signed_in_at,
        disabled_at=row.disabled_at,
        sessions=sessions,
        has_second_factor=has_second_factor,
    )


def add(store: Store, name: str, role: str, *, by: str, groups: Sequence[str] = (), password: str | None = None) -> str:
    """Add an account, with a password's hash; its name as it is kept. Raises ValueError, ConflictError."""
    name, role, kept, now = checked_name(name), checked_role(role), checked_groups(groups), clock.now()
    row = {"name": name, "role": role, "groups": kept, "password": password, "added_at": now, "added_by": by}
    row["password_set_at"] = now if password else None
    with store.writing() as connection:
        store.lock(connection, ["people"])
        if read(connection, name) is not None:
            raise ConflictError(f"there is an account {name} already")
        connection.execute(sa.insert(PERSON).values(**row))
        audit.append(connection, "account_added", by=by, of=name, now=now, role=role)
    return name


def _changed(connection: sa.Connection, name: str, **values: Any) -> Any:  # noqa: ANN401  # columns of PersonRow
    """Write to an account, which locks its row, and give what it was. Raises NotFoundError."""
    former = connection.execute(sa.select(PERSON).where(PERSON.c.name == name).with_for_update()).first()
    if former is None:
        raise NotFoundError(f"there is no account {name[:64]}")
    connection.execute(sa.update(PERSON).where(PERSON.c.name == name).values(**values))
    return former


def set_role(store: Store, name: str, role: str, *, by: str) -> None:
    """Give an account another role; its sessions end. Raises NotFoundError, ValueError."""
    role = checked_role(role)
    with store.writing() as connection:
        former = _changed(connection, name, role=role)
        if former.role != role:
            audit.append(connection, "role_changed", by=by, of=name, now=clock.now(), role=role, former=former.role)
            end_of_account(connection, name, why="role", by=by)


def set_groups(store: Store, name: str, groups: Sequence[str], *, by: str) -> None:
    """Put an account into these groups. Raises NotFoundError, ValueError, ConflictError where a provider says them."""
    kept = checked_groups(groups)
    with store.writing() as connection:
        former = _changed(connection, name, groups=kept)
        if former.issuer:
            raise ConflictError(f"the groups of {name} are those that the identity provider says")
        if former.groups != kept:
            told = ", ".join(kept) or "none"
            audit.append(connection, "groups_changed", by=by, of=name, now=clock.now(), groups=told)


def set_password(store: Store, name: str, password: str, *, by: str, but: str | None = None) -> None:
    """Give an account the password of this hash; its sessions end but one. Raises NotFoundError, ConflictError."""
    now = clock.now()
    with store.writing() as connection:
        former = _changed(connection, name, password=password, password_set_at=now)
        if former.issuer:
            raise ConflictError(f"{name} signs in by the identity provider")
        audit.append(connection, "password_set", by=by, of=name, now=now)
        end_of_account(connection, name, why="password", by=by, but=but)


def begin_factor(store: Store, key: bytes, name: str) -> str:
    """The secret of a second factor that waits for its first code. Raises NotFoundError, ConflictError."""
    with store.writing() as connection:
        _own(connection, name)
        return second_factor.begin(connection, key, name)


def confirm_factor(store: Store, key: bytes, name: str, code: str, *, by: str, but: str | None = None) -> list[str]:
    """Ask an account for codes from now on; its recovery codes. Its sessions end but one. Raises CodeNeededError."""
    with store.writing() as connection:
        _own(connection, name)
        codes = second_factor.confirm(connection, key, name, code, by=by)
        if codes is None:
            raise second_factor.CodeNeededError(name)
        end_of_account(connection, name, why="second factor", by=by, but=but)
    return codes


def new_recovery_codes(store: Store, key: bytes, name: str, code: str, *, by: str) -> list[str]:
    """Other recovery codes, for a code. Raises CodeNeededError, and ConflictError where there is no second factor."""
    with store.writing() as connection:
        _own(connection, name)
        _spend(connection, key, name, code)
        return second_factor.make_codes(connection, name, by=by)


def remove_factor(store: Store, key: bytes, name: str, code: str, *, by: str) -> None:
    """Take one's second factor away, for a code. Raises as `new_recovery_codes`."""
    with store.writing() as connection:
        _own(connection, name)
        _spend(connection, key, name, code)
        second_factor.remove(connection, name, by=by)


def reset_factor(store: Store, name: str, *, by: str) -> None:
    """Take somebody's second factor away, as an admin; their sessions end. Raises NotFoundError, ConflictError."""
    with store.writing() as connection:
        _own(connection, name)
        if not second_factor.remove(connection, name, by=by):
            raise ConflictError(f"{name} has no second factor")
        end_of_account(connection, name, why="second factor", by=by)


def _own(connection: sa.Connection, name: str) -> None:
    """That an account signs in here, locked. Raises NotFoundError, ConflictError."""
    row = connection.execute(sa.select(PERSON).where(PERSON.c.name == name).with_for_update()).first()
    if row is None:
        raise NotFoundError(f"there is no account {name[:64]}")
    if row.issuer:
        raise ConflictError(f"{name} signs in by the identity provider")


def _spend(connection: sa.Connection, key: bytes, name: str, code: str) -> None:
    if second_factor.require(connection, key, name, code) is None:
        raise ConflictError("there is no second factor")


def refresh_hash(store: Store, name: str, former: str, password: str) -> bool:
    """Keep the same password at today's cost, if it still is the same: whether it was. Nothing ends."""
    with store.writing() as connection:
        where = sa.and_(PERSON.c.name == name, PERSON.c.password == former)
        return bool(connection.execute(sa.update(PERSON).where(where).values(password=password)).rowcount)


def disable(store: Store, name: str, *, by: str) -> None:
    """Let nobody in by this account any more, at once. Raises NotFoundError."""
    now = clock.now()
    with store.writing() as connection:
        former = _changed(connection, name, disabled_at=now)
        if former.disabled_at is None:
            audit.append(connection, "account_disabled", by=by, of=name, now=now)
        end_of_account(connection, name, why="disabled", by=by)


def enable(store: Store, name: str, *, by: str) -> None:
    """Let an account in again. Raises NotFoundError."""
    with store.writing() as connection:
        if _changed(connection, name, disabled_at=None).disabled_at is not None:
            audit.append(connection, "account_enabled", by=by, of=name, now=clock.now())


def link(store: Store, name: str, *, by: str) -> str:
    """The text of a one-time link by which somebody signs in and sets a password. Raises as the others do."""
    with store.writing() as connection:
        row = connection.execute(sa.select(PERSON).where(PERSON.c.name == name).with_for_update()).first()
        if row is None:
            raise NotFoundError(f"there is no account {name[:64]}")
        if row.disabled_at or row.issuer:
            raise ConflictError(f"{name} {'is disabled' if row.disabled_at else 'signs in by the identity provider'}")
        text = key_texts.make("sign_in")
        write_key(
            connection,
            text,
            kind="sign_in",
            role=row.role,
            name=name,
            source=None,
            owner="page",
            until=clock.now() + LINK,
            parent=account_id(name),
            by=by,
        )
    return text


def provided(store: Store, issuer: str, subject: str, *, name: str, role: str, groups: Sequence[str]) -> str:
    """The account of whom an identity provider calls so, added or brought to what it says; its name.

    Raises ConflictError where the account is disabled, or where the name is somebody else's: two people are never
    taken for one because a provider gave one the other's name. Raises ValueError for a name that cannot be kept.
    """
    kept, now, by = checked_groups(groups), clock.now(), "system"
    with store.writing() as connection:
        store.lock(connection, ["people"])
        query = sa.select(PERSON).where(PERSON.c.issuer == issuer, PERSON.c.subject == subject)
        found = connection.execute(query.with_for_update()).first()
        if found is None:
            name = checked_name(name)
            if read(connection, name) is not None:
                raise ConflictError(f"the name {name} is another account's here")
            row = {"name": name, "role": role, "groups": kept, "issuer": issuer, "subject": subject}
            connection.execute(sa.insert(PERSON).values(**row, added_at=now, added_by=by))
            audit.append(connection, "account_added", by=by, of=name, now=now, role=role)
            return name
        if found.disabled_at:
            raise ConflictError(f"the account {found.name} is disabled")
        connection.execute(sa.update(PERSON).where(PERSON.c.name == found.name).values(role=role, groups=kept))
        if found.role != role:
            told = {"role": role, "former": found.role}
            audit.append(connection, "role_changed", by=by, of=found.name, now=now, **told)
            end_of_account(connection, found.name, why="role", by=by)
        if found.groups != kept:
            told_groups = ", ".join(kept) or "none"
            audit.append(connection, "groups_changed", by=by, of=found.name, now=now, groups=told_groups)
    return str(found.name)
