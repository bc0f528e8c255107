"""Views that people keep: saved under a name, listed, taken out and brought back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidents.store import Store
from incidents.tables import SavedViewRow
from incidents.views.saved_view import SavedView

VIEW = SavedViewRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
NAME_BOUND = 100
ADDRESS_BOUND = 2000
MOST = 200
"""How many views one owner may keep."""


def save(store: Store, owner: str, name: str, address: str, *, shared: bool, now: datetime) -> SavedView:
    """Keep an address under a name; the owner's view of this name leads there from now on. Raises ValueError."""
    name, address = _name(name), _address(address)
    with store.writing() as connection:
        store.lock(connection, [f"views:{owner}"])
        of = VIEW.c.owner == owner
        mine = sa.select(VIEW.c.id).where(of, VIEW.c.name == name, VIEW.c.removed_at.is_(None))
        number = connection.execute(mine).scalar()
        content = {"address": address, "shared": shared, "saved_at": now}
        if number is not None:
            connection.execute(sa.update(VIEW).where(VIEW.c.id == number).values(content))
        else:
            kept = sa.select(sa.func.count()).where(of, VIEW.c.removed_at.is_(None)).select_from(VIEW)
            if connection.execute(kept).scalar_one() >= MOST:
                raise ValueError(f"name: {MOST} views are kept already; take one out first")
            row = sa.insert(VIEW).values(owner=owner, name=name, **content).returning(VIEW.c.id)
            number = connection.execute(row).scalar_one()
    return SavedView(int(number), owner, name, address, shared, now)


def read_views(connection: sa.Connection, owner: str, *, removed_since: datetime | None = None) -> list[SavedView]:
    """The owner's own views and those that are shared, by name; with `removed_since` what was taken out since then."""
    query = sa.select(VIEW).where((VIEW.c.owner == owner) | VIEW.c.shared.is_(True))
    if removed_since is None:
        query = query.where(VIEW.c.removed_at.is_(None))
    else:
        query = query.where(VIEW.c.removed_at >= removed_since)
    rows = connection.execute(query.order_by(VIEW.c.name, VIEW.c.id).limit(1000))
    return [SavedView(r.id, r.owner, r.name, r.address, r.shared, r.saved_at, r.removed_at) for r in rows]


def take_out(store: Store, owner: str, number: int, now: datetime, *, may_share: bool) -> bool:
    """Take out a view of one's own, or with `may_share` a shared one; whether there was such a one."""
    return _mark(store, owner, number, VIEW.c.removed_at.is_(None), now, may_share=may_share)


def bring_back(store: Store, owner: str, number: int, *, may_share: bool) -> bool:
    """Undo `take_out`; whether there was such a view."""
    return _mark(store, owner, number, VIEW.c.removed_at.is_not(None), None, may_share=may_share)


def _mark(store: Store, owner: str, number: int, now: Any, at: datetime | None, *, may_share: bool) -> bool:  # noqa: ANN401  # a condition
    theirs = VIEW.c.owner == owner
    allowed = theirs | VIEW.c.shared.is_(True) if may_share else theirs
    with store.writing() as connection:
        done = connection.execute(sa.update(VIEW).where(VIEW.c.id == number, allowed, now).values(removed_at=at))
    return bool(done.rowcount)


def _name(name: str) -> str:
    clean = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if not clean or len(clean) > NAME_BOUND:
        raise ValueError(f"name: 1 to {NAME_BOUND} characters are expected")
    return clean


def _address(address: str) -> str:
    """An address of ours. Raises ValueError for any other: a link that somebody shares leads nowhere else."""
    inside = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    if not inside or len(address) > ADDRESS_BOUND or " " in address:
        raise ValueError(f"address: a path of ours with its query, at most {ADDRESS_BOUND} characters, is expected")
    return address
