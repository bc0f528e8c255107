"""Views that people keep: saved under a name, listed, taken out and brought back."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import unquote

import sqlalchemy as sa

from incidents import audit, privacy
from incidents.privacy import Asker
from incidents.store import Store
from incidents.tables import SavedViewRow
from incidents.views.saved_view import SavedView

VIEW = SavedViewRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
NAME_BOUND = 100
_NAMES = re.compile(r"[a-zA-Z0-9_-]+")
"""What an id of an incident may be within an address."""
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
        told = "yes" if shared else "no"
        audit.append(connection, "view_saved", by=owner, of=f"view {number}", now=now, name=name, shared=told)
    return SavedView(int(number), owner, name, address, shared, now)


def read_views(
    connection: sa.Connection, owner: str, asker: Asker, *, removed_since: datetime | None = None
) -> list[SavedView]:
    """The owner's own views and those that are shared, by name; with `removed_since` what was taken out since then.

    One that leads to an incident which is hidden from the asker is left out: its name tells of it too.
    """
    query = sa.select(VIEW).where((VIEW.c.owner == owner) | VIEW.c.shared.is_(True))
    if removed_since is None:
        query = query.where(VIEW.c.removed_at.is_(None))
    else:
        query = query.where(VIEW.c.removed_at >= removed_since)
    rows = connection.execute(query.order_by(VIEW.c.name, VIEW.c.id).limit(1000))
    found = [SavedView(r.id, r.owner, r.name, r.address, r.shared, r.saved_at, r.removed_at) for r in rows]
    named = {view.id: set(_NAMES.findall(unquote(view.address))) for view in found}
    hidden = privacy.hidden_among(connection, asker, {name for names in named.values() for name in names})
    return [view for view in found if not named[view.id] & hidden]


def take_out(store: Store, owner: str, number: int, now: datetime, *, may_share: bool) -> bool:
    """Take out a view of one's own, or with `may_share` a shared one; whether there was such a one."""
    return _mark(store, owner, number, now, is_kept=False, may_share=may_share)


def bring_back(store: Store, owner: str, number: int, now: datetime, *, may_share: bool) -> bool:
    """Undo `take_out`; whether there was such a view."""
    return _mark(store, owner, number, now, is_kept=True, may_share=may_share)


def _mark(store: Store, owner: str, number: int, now: datetime, *, is_kept: bool, may_share: bool) -> bool:
    allowed = VIEW.c.owner == owner
    if may_share:
        allowed |= VIEW.c.shared.is_(True)
    is_other = VIEW.c.removed_at.is_not(None) if is_kept else VIEW.c.removed_at.is_(None)
    change = sa.update(VIEW).where(VIEW.c.id == number, allowed, is_other)
    with store.writing() as connection:
        done = connection.execute(change.values(removed_at=None if is_kept else now).returning(VIEW.c.name)).scalar()
        if done is not None:
            act = "view_brought_back" if is_kept else "view_removed"
            audit.append(connection, act, by=owner, of=f"view {number}", now=now, name=done)
    return done is not None


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
