"""The rounds of a long history: rebuilt from its logs, restored from a backup, and dropped for its age."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from incidents.rebuild import rebuild, state_digest
from incidents.retention import Retention
from incidents.statements import EVENT
from incidents.store import Store
from service import clock
from service.files import backup as backups
from tests.bench import bulk_history
from tests.databases import MIGRATED, cluster, migrate

EVENTS = 1_000_000
IN_SECONDS = 300.0
"""In what time a round goes through so many; in less it is given fewer."""
AGE = timedelta(days=30)
CLASSES = ("alert", "incident", "delivery")


def rebuilt(folder: Path, seconds: float) -> dict[str, Any]:
    """The caches folded anew from the logs, to the state that was there; on both databases."""
    return _on_both(folder, seconds, _rebuilt)


def _rebuilt(store: Store) -> dict[str, Any]:
    before = _state(store)
    took = _seconds(lambda: rebuild(store, bulk_history.config(), clock.now()))
    assert _state(store) == before
    return {"rebuild_s": took}


def restored(folder: Path, seconds: float) -> dict[str, Any]:
    """A backup of one database restored into another file, with the state that was there; of both databases."""

    def act(store: Store) -> dict[str, Any]:
        file = folder / "history.backup"
        wrote = _seconds(lambda: backups.back_up(store, file, clock.now()))
        with closing(Store(f"sqlite:///{folder / 'restored.db'}")) as other:
            read = _seconds(lambda: backups.restore(other, file))
            assert _state(other) == _state(store)
        for left in folder.glob("restored.db*"):
            left.unlink()
        return {"back_up_s": wrote, "restore_s": read, "mib": round(file.stat().st_size / 2**20)}

    return _on_both(folder, seconds, act)


def aged(folder: Path, seconds: float) -> dict[str, Any]:
    """What is older than thirty days dropped; how long that took, and what of it the DELETE of statements alone."""
    return _on_both(folder, seconds, _aged)


def _aged(store: Store) -> dict[str, Any]:
    with _timed(store, "DELETE FROM event") as spent:
        run = Retention(store, dict.fromkeys(CLASSES, AGE.days), clock.now())
        took = _seconds(run.run)
    with store.reading() as connection:
        left = connection.execute(sa.select(sa.func.count(), sa.func.min(EVENT.c.recorded_at))).one()
    assert left[0] == bulk_history.IN_BLOCK, "the newest block stays"
    assert left[1] >= clock.now() - AGE
    return {"drop_s": took, "delete_of_statements_s": round(sum(spent), 1)}


def _on_both(folder: Path, seconds: float, act: Callable[[Store], dict[str, Any]]) -> dict[str, Any]:
    events = max(2 * bulk_history.IN_BLOCK, min(EVENTS, int(seconds / 2 * EVENTS / IN_SECONDS)))
    figures: dict[str, Any] = {}
    with cluster() as running:
        for name, url in (("sqlite", f"sqlite:///{folder}/h.db"), ("postgresql", running.url(running.make(MIGRATED)))):
            migrate(url)
            with closing(Store(url)) as store:
                began = time.monotonic()
                figures["events"] = bulk_history.fill(store, events, clock.now())
                figures[name] = {"fill_s": round(time.monotonic() - began, 1), **act(store)}
    return figures


def _state(store: Store) -> str:
    with store.reading() as connection:
        return state_digest(connection)


def _seconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return round(time.monotonic() - began, 1)


@contextmanager
def _timed(store: Store, statement: str) -> Iterator[list[float]]:
    """The seconds of each statement that begins so, while the block lasts."""
    spent: list[float] = []
    began = [0.0]

    def before(*_: Any) -> None:
        began[0] = time.monotonic()

    def after(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if text.startswith(statement):
            spent.append(time.monotonic() - began[0])

    hooks = (("before_cursor_execute", before), ("after_cursor_execute", after))
    for name, hook in hooks:
        sa.event.listen(store._write, name, hook)
    try:
        yield spent
    finally:
        for name, hook in hooks:
            sa.event.remove(store._write, name, hook)
