"""Readiness: whether deliveries can be taken and read, each check with its words and numbers.

Anybody may ask, so nothing here names the database, a path or a source. `reasons` turn senders away; `warnings` do not:
a long queue or a filling disk is no reason to refuse what can still be kept.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from incidents import schema
from incidents.instants import text
from incidents.store import Store
from incidents.views.condition import MOST_COUNTED, Backlog, backlog
from service import clock, durability
from service.intake.spool import Spool
from service.intake.worker import Worker
from service.intake.writer import Writer
from service.settings import Settings
from service.standby import Standby

ANSWER_SECONDS = 5.0
"""How long the database may take to answer before we say that we are not ready."""
FRESH_SECONDS = 1.0
"""How long one look at the database serves all who ask: a stranger who asks often costs it nothing."""
LATE_SECONDS = 60.0
"""From when on a delivery that waits to be read is worth a warning."""
LEAST_ROOM = 1024**3
"""Bytes of disk under which there is a warning."""
LACKS_SPOOL = "the spool could not be opened: what it holds waits, and nothing is kept while the database is away"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `reason` says why senders should go elsewhere, `warning` what will soon be wrong."""

    name: str
    reason: str | None = None
    warning: str | None = None
    told: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For the answer."""
        words = {"reason": self.reason, "warning": self.warning}
        return {"ok": self.reason is None, **{k: v for k, v in words.items() if v}, **self.told}


@dataclass(frozen=True, slots=True)
class Look:
    """What the database told when it was last asked; `seconds` is how long it took."""

    durability: dict[str, str]
    revision: str | None
    unread: Backlog
    seconds: float


def look(store: Store) -> Look:
    """Ask the database. Raises what the database raises."""
    began = time.monotonic()
    told = store.durability()
    with store.reading() as connection:
        return Look(told, schema.revision(connection), backlog(connection), time.monotonic() - began)


class Readiness:
    """One process's readiness. At most one look at the database is under way, however many ask."""

    def __init__(  # noqa: PLR0917  # what a delivery and a page pass through
        self,
        settings: Settings,
        store: Store,
        writer: Writer,
        worker: Worker,
        spool: Spool | None = None,
        standby: Standby | None = None,
    ) -> None:
        self._standby = standby
        self._store, self._writer, self._worker, self._spool = store, writer, worker, spool
        self._lacks_spool = spool is None and settings.spool_mib > 0 and not store.is_sqlite
        self._folder = _folder_of(settings, store)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="readiness")
        self._looking: asyncio.Future[Look] | None = None
        self._looked_at = -FRESH_SECONDS
        self.last: Look | None = None
        """What was last seen, however long ago."""

    def close(self) -> None:
        """Look no more; what is under way is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def checks(self) -> list[Check]:
        """Every check, in the order in which a delivery meets what is checked."""
        seen = await self._seen()
        found = [*self._of_process(), seen if isinstance(seen, Check) else _database(seen)]
        if isinstance(seen, Look):
            found += [_durability(seen), _schema(seen), _backlog(seen, clock.now())]
        if self._spool:
            # While the spool takes them a process whose database is away is as ready as any.
            found = [*map(_only_warns, found), _spool(self._spool, clock.now())]
        elif self._lacks_spool:
            found.append(Check("spool", None, LACKS_SPOOL))
        if self._standby:
            found.append(_reading(self._standby))
        return [*found, _disk(self._folder)] if self._folder else found

    def _of_process(self) -> Iterator[Check]:
        writer, worker = self._writer, self._worker
        if writer.draining:
            yield Check("draining", "draining")
        gone = None if writer.is_alive or writer.draining else "the thread that writes deliveries has ended"
        failing = f"deliveries cannot be written: {writer.failing}" if writer.failing else None
        yield Check("writer", gone or failing, told={"waiting": writer.waiting, "waiting_bytes": writer.waiting_bytes})
        gone = None if worker.is_alive or writer.draining else "the thread that reads deliveries has ended"
        failing = f"deliveries cannot be read: {worker.failing}" if worker.failing else None
        yield Check("worker", gone or failing, told={"away": True} if failing and worker.is_away and not gone else {})

    async def _seen(self) -> Look | Check:
        if self._looking is None or (self._looking.done() and time.monotonic() - self._looked_at > FRESH_SECONDS):
            loop = asyncio.get_running_loop()
            self._looking = loop.run_in_executor(self._pool, look, self._store)
            self._looking.add_done_callback(self._keep)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                # Shielded: one who gives up must not take the answer from the others.
                return await asyncio.shield(self._looking)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            return Check("database", f"the database does not answer: {type(error).__name__}", told={"away": True})

    def _keep(self, done: asyncio.Future[Look]) -> None:
        self._looked_at = time.monotonic()
        if not done.cancelled() and done.exception() is None:
            self.last = done.result()


def _folder_of(settings: Settings, store: Store) -> Path | None:
    """The folder whose disk the record fills: the database's own, else that of our files; None where there is none."""
    path = Path(store.url.database or "").parent if store.is_sqlite else settings.data_dir
    return path if path.is_dir() else None


def _only_warns(check: Check) -> Check:
    """What is wrong only because the database is away turns nobody away."""
    return replace(check, reason=None, warning=check.reason) if check.told.get("away") else check


def _spool(spool: Spool, now: datetime) -> Check:
    held = spool.depth()
    age = (now - held.since).total_seconds() if held.since else 0.0
    told = {"deliveries": held.deliveries, "bytes": held.bytes, "age_seconds": round(age, 1), "aside": held.aside}
    warning = f"{held.deliveries} acknowledged deliveries wait for the database" if held.deliveries else None
    return Check("spool", None if spool.has_room else "the spool is nearly full", warning, told)


def _reading(standby: Standby) -> Check:
    """Where pages are read: whatever it is, they are, so nobody is turned away for it."""
    return Check("standby", None, standby.words() or None, {"is_read": standby.is_read, "lag_seconds": standby.lag})


def _database(seen: Look) -> Check:
    return Check("database", told={"seconds": round(seen.seconds, 4)})


def _durability(seen: Look) -> Check:
    faults, doubts = durability.faults(seen.durability), durability.doubts(seen.durability)
    return Check("durability", "; ".join(faults) or None, "; ".join(doubts) or None, dict(seen.durability))


def _schema(seen: Look) -> Check:
    wanted = schema.newest()
    reason = warning = None
    if seen.revision is None or seen.revision < wanted:
        reason = f"the tables are at revision {seen.revision or 'none'}, this version wants {wanted}"
    elif seen.revision != wanted:
        warning = f"the tables are at revision {seen.revision}, newer than {wanted}, which this version knows"
    return Check("schema", reason, warning, {"revision": seen.revision, "wanted": wanted})


def _backlog(seen: Look, now: datetime) -> Check:
    age = seen.unread.age_seconds(now)
    warning = f"the oldest delivery has waited {age:.0f} s to be read" if age > LATE_SECONDS else None
    told = {
        "unread": seen.unread.count,
        "unread_is_more": seen.unread.count >= MOST_COUNTED,
        "oldest_unread_at": text(seen.unread.oldest_at) if seen.unread.oldest_at else None,
        "oldest_unread_age_seconds": round(age, 3),
    }
    return Check("backlog", None, warning, told)


def room(folder: Path) -> tuple[int, int]:
    """Free and whole bytes of the disk of a folder."""
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total


def _disk(folder: Path) -> Check:
    try:
        free, size = room(folder)
    except OSError as error:
        return Check("disk", None, f"its room cannot be told: {type(error).__name__}")
    warning = f"{free // 1024**2} MiB are left on the disk" if free < LEAST_ROOM else None
    return Check("disk", None, warning, {"free_bytes": free, "size_bytes": size})


def _is_spooling(checks: list[Check]) -> bool:
    return any(check.told.get("away") or (check.name == "spool" and check.told.get("deliveries")) for check in checks)


READINESS = web.AppKey("readiness", Readiness)


async def readyz(request: web.Request) -> web.Response:
    """Whether deliveries can be taken and read, with reasons that tell a stranger nothing of the database."""
    readiness = request.app[READINESS]
    checks = await readiness.checks()
    reasons = [check.reason for check in checks if check.reason]
    body = {
        "status": "not ready" if reasons else "spooling" if _is_spooling(checks) else "ready",
        "reasons": reasons,
        "warnings": [check.warning for check in checks if check.warning],
        "checks": {check.name: check.as_json() for check in checks},
        "durability": readiness.last.durability if readiness.last else {},
        "waiting": next(check.told["waiting"] for check in checks if check.name == "writer"),
    }
    return web.json_response(body, status=503 if reasons else 200)
