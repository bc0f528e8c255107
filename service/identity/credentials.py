"""Keys and tokens that hold: listed with their last use, and replaced by new ones while the former still hold."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import audit
from incidents.refusals import ConflictError, NotFoundError
from incidents.views.access_view import Key
from service import clock
from service.identity import key_texts
from service.identity.access import KEY, USE, Access, write_key

OVERLAP = timedelta(hours=24)
"""How long a replaced key holds beside the new one, where nothing else is said."""
LONGEST = timedelta(days=90)
KINDS = ("ingest", "token")


def listed(connection: sa.Connection) -> list[Key]:
    """Ingest keys and tokens that hold, the one made first first."""
    live = sa.and_(
        KEY.c.kind.in_(KINDS),
        KEY.c.revoked_at.is_(None),
        sa.or_(KEY.c.expires_at.is_(None), KEY.c.expires_at > clock.now()),
    )
    query = sa.select(KEY, USE.c.used_at).outerjoin(USE, USE.c.id == KEY.c.id).where(live)
    return [_key(row) for row in connection.execute(query.order_by(KEY.c.made_at, KEY.c.id))]


def _key(row: Any) -> Key:  # noqa: ANN401  # a row of KeyRow's columns, with its last use
    return Key(
        row.id,
        row.kind,
        row.role,
        row.source,
        row.name,
        row.prefix,
        row.owner,
        row.made_at,
        row.expires_at,
        row.used_at,
    )


def replace(
    access: Access, ident: str, *, by: str, overlap: timedelta = OVERLAP, lasts: timedelta | None = None
) -> tuple[str, str, datetime]:
    """A key in the place of another: its text, its id, and when the former ends.

    It lasts as long as the former was made for, or as `lasts` says. Raises NotFoundError, and ConflictError for one
    that the configuration file gives.
    """
    now, text = clock.now(), ""
    with access.store.writing() as connection:
        query = sa.select(KEY).where(KEY.c.id == ident, KEY.c.kind.in_(KINDS), KEY.c.revoked_at.is_(None))
        row = connection.execute(query.with_for_update()).first()
        if row is None or (row.expires_at and row.expires_at <= now):
            raise NotFoundError(f"there is no live key or token {ident[:40]}")
        if row.owner == "file":
            raise ConflictError(f"{row.prefix} is the configuration file's; replace it there")
        text = key_texts.make(row.kind)
        lasts = lasts or (row.expires_at - row.made_at if row.expires_at else None)
        made = write_key(
            connection,
            text,
            kind=row.kind,
            role=row.role,
            name=row.name,
            source=row.source,
            owner=row.owner,
            until=now + lasts if lasts else None,
            by=by,
        )
        until: datetime = min(now + overlap, row.expires_at) if row.expires_at else now + overlap
        connection.execute(sa.update(KEY).where(KEY.c.id == ident).values(expires_at=until))
        audit.append(
            connection,
            "key_replaced",
            by=by,
            of=ident,
            now=now,
            kind=row.kind,
            former=row.prefix,
            name=row.name,
            prefix=f"{text[:6]}…",
            until=f"{until:%Y-%m-%d %H:%M} UTC",
        )
    access.refresh()
    return text, made, until
