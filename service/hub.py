"""The hub: one reader of pulses for all streams of this process; a subscriber that lags is told to start over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from incidents import privacy
from incidents.privacy import Asker
from incidents.pulses import PULSE
from incidents.store import Store
from service.standby import Standby

log = logging.getLogger(__name__)

MOST_BEHIND = 256
PATIENCE_SECONDS = 2.0
"""How long another process's change may go unnoticed on SQLite, where nothing tells of it."""
LISTENING_SECONDS = 15.0
"""The same on PostgreSQL, which tells of it: this is for what is lost with the listener's connection."""
STANDBY_SECONDS = 0.5
"""How often a standby is asked: the database tells of a change before its standby shows it."""


OF_INCIDENT = "incident:"


@dataclass(frozen=True, slots=True)
class Pulse:
    """One change: its cursor and what it touched (`incident:ID`, `hazards`, …)."""

    id: int
    topics: tuple[str, ...]
    private: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Those topics that are private, with who may see them."""

    def shown_to(self, asker: Asker) -> tuple[str, ...]:
        """The topics that this asker is told of."""
        return tuple(topic for topic in self.topics if asker.may_see(self.private.get(topic)))


@dataclass(eq=False, slots=True)
class Subscriber:
    """One open stream. `queue` ends with None when it has fallen too far behind or the process drains."""

    queue: asyncio.Queue[Pulse | None] = field(default_factory=lambda: asyncio.Queue(MOST_BEHIND))
    lagging: bool = False


class Hub:
    """Broadcasts pulses. `notify` may be called from any thread.

    With a standby a pulse is read there: whoever is told of a change and asks for it finds it.
    """

    def __init__(self, store: Store, standby: Standby | None = None) -> None:
        self._store, self._standby = store, standby
        self._reading = standby.reading if standby else store.reading
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._subscribers: set[Subscriber] = set()
        self.last = 0
        self.draining = False

    def notify(self) -> None:
        """Something was committed."""
        self._loop.call_soon_threadsafe(self._news.set)

    def subscribe(self) -> Subscriber:
        """A new stream from here on."""
        subscriber = Subscriber()
        self._subscribers.add(subscriber)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """The stream has ended."""
        self._subscribers.discard(subscriber)

    @property
    def subscribers(self) -> int:
        """How many streams are open."""
        return len(self._subscribers)

    async def run(self) -> None:
        """Read and broadcast until cancelled. While the database is away streams wait, and miss nothing."""
        begun = away = False
        while True:
            try:
                if begun:
                    await self._turn()
                else:
                    self.last = await asyncio.to_thread(self._newest)
                    begun = True
            except (SQLAlchemyError, OSError) as error:
                if not away:
                    log.warning("changes cannot be read: %s", str(error).partition("\n")[0])
                away = True
                await asyncio.sleep(PATIENCE_SECONDS)
                continue
            if away:
                log.info("changes can be read again")
            away = False

    async def _turn(self) -> None:
        """Wait for news, or as long as another process's may wait, and broadcast it."""
        try:
            async with asyncio.timeout(self._patience()):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()
        if not self._subscribers and self._store.is_sqlite:
            self.last = await asyncio.to_thread(self._newest)
            return
        for pulse in await asyncio.to_thread(self.since, self.last):
            self.last = pulse.id
            self._broadcast(pulse)

    def _patience(self) -> float:
        if self._standby and self._standby.is_read and self._subscribers:
            return STANDBY_SECONDS
        return PATIENCE_SECONDS if self._store.is_sqlite else LISTENING_SECONDS

    def close(self) -> None:
        """End every stream."""
        self.draining = True
        for subscriber in list(self._subscribers):
            self._cut(subscriber)

    def since(self, last: int, limit: int = 1000) -> list[Pulse]:
        """Pulses after a cursor, the oldest first."""
        with self._reading() as connection:
            rows = connection.execute(
                sa.select(PULSE.c.id, PULSE.c.topics).where(PULSE.c.id > last).order_by(PULSE.c.id).limit(limit)
            ).all()
            named = {topic.removeprefix(OF_INCIDENT) for row in rows for topic in row.topics if OF_INCIDENT in topic}
            private = {f"{OF_INCIDENT}{name}": seen for name, seen in privacy.viewers(connection, named).items()}
        return [Pulse(row.id, tuple(row.topics), {t: private[t] for t in row.topics if t in private}) for row in rows]

    def knows(self, last: int) -> bool:
        """Whether every pulse after this cursor is still kept."""
        with self._reading() as connection:
            first = connection.execute(sa.select(sa.func.min(PULSE.c.id))).scalar()
        return first is None or last + 1 >= first

    def _newest(self) -> int:
        with self._reading() as connection:
            return int(connection.execute(sa.select(sa.func.max(PULSE.c.id))).scalar() or 0)

    def _broadcast(self, pulse: Pulse) -> None:
        for subscriber in list(self._subscribers):
            try:
                subscriber.queue.put_nowait(pulse)
            except asyncio.QueueFull:
                subscriber.lagging = True
                self._cut(subscriber)

    def _cut(self, subscriber: Subscriber) -> None:
        self.leave(subscriber)
        while subscriber.queue.full():
            subscriber.queue.get_nowait()
        subscriber.queue.put_nowait(None)
