"""Guesses at sign-ins counted in the store, so that several processes give nobody more guesses than one does.

A row for each key that is guarded, by the SHA-256 of it: no name and no address stands there. Each process counts its
own as well, so that who is to wait costs the store nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from incidents.bulk import insert
from incidents.store import Store
from incidents.tables import GuessRow
from service import clock
from service.identity.throttle import MOST_KEPT, Guard, Guesses, counted

GUESS = GuessRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it


class SharedGuesses:
    """The guesses of all processes of one store, as one of them counts and asks for them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._own = Guesses()

    async def begin(self, asked: Sequence[Guard]) -> float:
        """Count a guess; the seconds it has to wait, where it is not to be judged at all.

        Raises what the store raises: a guess that cannot be counted is not judged.
        """
        if pause := self._own.owed(asked, time.monotonic()):
            return pause
        if pause := await asyncio.to_thread(begin, self._store, asked, clock.now()):
            return pause
        self._own.begin(asked, time.monotonic())
        return 0.0

    async def forgive(self, asked: Sequence[Guard]) -> None:
        """It was right: as `Guesses.forgive`."""
        self._own.forgive(asked)
        await asyncio.to_thread(forgive, self._store, asked)


def begin(store: Store, asked: Sequence[Guard], now: datetime) -> float:
    """Count a guess in the store; the seconds it has to wait, and nothing is counted then."""
    names, at = {_name(guard): guard for guard in asked}, now.timestamp()
    with store.writing() as connection:
        kept = _kept(store, connection, names)
        pause = max(until for _, until in kept.values()) - at if kept else 0.0
        if pause > 0:
            return pause
        for name, guard in names.items():
            count, until = counted(guard, *kept.get(name, (0, at)), at)
            values = {
                "guesses": count,
                "free_at": datetime.fromtimestamp(until, UTC),
                "forgotten_at": datetime.fromtimestamp(until + guard.forgiven, UTC),
            }
            written = insert(connection, GUESS).values(name=name, **values)
            connection.execute(written.on_conflict_do_update(index_elements=["name"], set_=values))
    return 0.0


def forgive(store: Store, asked: Sequence[Guard]) -> None:
    """Forget what was guessed at an account, and of what was guessed at several the one guess that was right."""
    names = {_name(guard): guard for guard in asked}
    with store.writing() as connection:
        for name, (count, _) in _kept(store, connection, names).items():
            row = GUESS.c.name == name
            if names[name].is_shared and count > 1:
                connection.execute(sa.update(GUESS).where(row).values(guesses=count - 1))
            else:
                connection.execute(sa.delete(GUESS).where(row))


def _kept(store: Store, connection: sa.Connection, names: dict[str, Guard]) -> dict[str, tuple[int, float]]:
    """How many each key has, and until when the next waits; nobody else counts at them until the transaction ends."""
    store.lock(connection, (f"guess:{name}" for name in names))
    rows = connection.execute(sa.select(GUESS).where(GUESS.c.name.in_(list(names))))
    return {row.name: (row.guesses, row.free_at.timestamp()) for row in rows}


def _name(guard: Guard) -> str:
    return hashlib.sha256("\0".join(guard.key).encode("utf-8", "replace")).hexdigest()


def forget(connection: sa.Connection, now: datetime) -> None:
    """Drop the keys that are strangers again, and beyond a bound those that would be so first."""
    connection.execute(sa.delete(GUESS).where(GUESS.c.forgotten_at < now - timedelta(seconds=1)))
    newest = sa.select(GUESS.c.forgotten_at).order_by(GUESS.c.forgotten_at.desc()).offset(MOST_KEPT).limit(1)
    connection.execute(sa.delete(GUESS).where(GUESS.c.forgotten_at <= newest.scalar_subquery()))
