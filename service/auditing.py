"""Auditing: what requests do to the service itself, written down.

What somebody was let do is written before it is answered. What was refused is counted, and written down every half
minute and at the end: a stranger who knocks a thousand times costs a row, and no request of theirs a transaction.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from incidents import audit
from incidents.store import Store
from service import clock
from service.identity.access import Identity

MOST_KEPT = 1000
"""Different refusals that are told apart between two writings; the rest is one row for each act."""

_Refusal = tuple[str, str, str, str | None, tuple[tuple[str, str], ...]]
"""Act, actor, subject, address, params."""


class Auditing:
    """The refusals of one process since they were last written down. `note` is for the event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._refused: Counter[_Refusal] = Counter()

    def note(self, act: str, by: str, of: str, address: str | None, **params: str) -> None:
        """Count a refusal."""
        key: _Refusal = (act, by, of, address, tuple(sorted(params.items())))
        if key not in self._refused and len(self._refused) >= MOST_KEPT:
            key = (act, "several", "several", None, tuple(sorted(params.items())))
        self._refused[key] += 1

    async def flush(self) -> None:
        """Write the refusals down; those that could not be are kept for the next time. Raises what the store raises."""
        refused, self._refused = self._refused, Counter()
        if not refused:
            return
        try:
            await asyncio.to_thread(self._write, refused)
        except (SQLAlchemyError, OSError):
            self._refused.update(refused)
            raise

    def _write(self, refused: Counter[_Refusal]) -> None:
        now = clock.now()
        with self._store.writing() as connection:
            for (act, by, of, address, params), count in refused.items():
                audit.append(connection, act, by=by, of=of, now=now, address=address, count=count, **dict(params))


AUDITING = web.AppKey("auditing", Auditing)


def record(store: Store, who: Identity, act: str, of: str, address: str | None, **params: str | None) -> None:
    """Write down what somebody is about to be let do; for a thread. Raises what the store raises: untold is undone."""
    with store.writing() as connection:
        audit.append(connection, act, by=who.actor, of=of, now=clock.now(), address=address, **params)
