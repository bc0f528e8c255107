"""First halves of sign-ins: a right password, or a link, after which a code was asked for; those that stopped there.

Who stops there may have somebody else's password: it is written down at once, and shown to the account's owner.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from incidents import audit
from incidents.audit import AUDIT
from incidents.store import Store
from incidents.views.access_view import Stopped
from service import clock

LASTS = 300
"""Seconds within which the code must be given."""
SHOWN = timedelta(days=30)
MOST_SHOWN = 20
_WAYS = ("code", "recovery", "link")
"""How a session of such an account says that it was begun."""


def write_down(store: Store, name: str, way: str, address: str | None) -> None:
    """Write into the audit log that a code is asked for; `way` is `password` or `link`."""
    with store.writing() as connection:
        audit.append(connection, "code_asked", by="nobody", of=name, now=clock.now(), address=address, way=way)


def stopped(connection: sa.Connection, name: str) -> tuple[Stopped, ...]:
    """The first halves of an account in the last days that no session followed in time, the newest first."""
    now = clock.now()
    asked = (AUDIT.c.act == "code_asked") & (AUDIT.c.subject == name)
    begun = (AUDIT.c.act == "signed_in") & (AUDIT.c.actor == f"user:{name}")
    query = sa.select(AUDIT).where(
        AUDIT.c.act.in_(("code_asked", "signed_in")), AUDIT.c.recorded_at >= now - SHOWN, asked | begun
    )
    left = _left(connection.execute(query.order_by(AUDIT.c.id)), timedelta(seconds=LASTS))
    late = [one for one in reversed(left) if now - one.recorded_at > timedelta(seconds=LASTS)]
    return tuple(Stopped(one.recorded_at, one.address, one.params.get("way", "")) for one in late[:MOST_SHOWN])


def _left(acts: Any, within: timedelta) -> list[Any]:  # noqa: ANN401  # rows of AuditRow's columns, the oldest first
    """Those of the first halves that remain when each session takes away the last one before it from its address."""
    left: list[Any] = []
    for one in acts:
        if one.act == "code_asked":
            left.append(one)
        elif one.params.get("way") in _WAYS:
            since = one.recorded_at - within
            mine = [half for half in left if half.address == one.address and half.recorded_at >= since]
            if mine:
                left.remove(mine[-1])
    return left
