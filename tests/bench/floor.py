"""The bare handler that intake is held against: takes a body, group-commits it to a database, answers; nothing else.

One aiohttp handler and one writer thread that takes all that waits and commits it in one transaction of the plain
driver, on SQLite with `synchronous=FULL`, on PostgreSQL in one round trip: no key is checked, no header kept, nothing
is read afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial

import psycopg
from aiohttp import web

_Waiting = tuple[bytes, asyncio.Future[int]]
Commit = Callable[[list[bytes]], None]
"""Puts bodies on stable storage."""


@contextmanager
def to_sqlite(path: str) -> Iterator[Commit]:
    """A connection to a file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=8000", "cache_size=-65536"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE IF NOT EXISTS body (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")

        def commit(bodies: list[bytes]) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO body (body) VALUES (?)", [(body,) for body in bodies])
            connection.execute("COMMIT")

        yield commit


@contextmanager
def to_postgresql(url: str) -> Iterator[Commit]:
    """A connection to a database; a statement of its own is a transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS body (id bigserial PRIMARY KEY, body bytea NOT NULL)")

        def commit(bodies: list[bytes]) -> None:
            connection.execute("INSERT INTO body (body) SELECT unnest(%b::bytea[])", (bodies,))

        yield commit


class Committer:
    """One thread that owns the connection. `submit` is for the event loop; the future gives the row's number."""

    def __init__(self, connected: Callable[[], AbstractContextManager[Commit]]) -> None:
        self._connected = connected
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def submit(self, body: bytes) -> asyncio.Future[int]:
        """Queue a body; it is on stable storage when the future is done."""
        answer = self._loop.create_future()
        self._queue.put((body, answer))
        return answer

    def close(self) -> None:
        """Write what waits and end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        with self._connected() as commit:
            while self._commit(commit):
                pass

    def _commit(self, commit: Commit) -> bool:
        batch = [self._queue.get()]
        while not self._queue.empty():
            batch.append(self._queue.get())
        waiting = [one for one in batch if one is not None]
        commit([body for body, _ in waiting])
        self._loop.call_soon_threadsafe(self._answer, waiting)
        return len(waiting) == len(batch)

    @staticmethod
    def _answer(waiting: list[_Waiting]) -> None:
        for _, answer in waiting:
            if not answer.done():
                answer.set_result(0)


async def serve(port: int, connected: Callable[[], AbstractContextManager[Commit]]) -> None:
    """Answer on a loopback port until the process is ended."""
    committer = Committer(connected)

    async def post(request: web.Request) -> web.Response:
        await committer.submit(await request.read())
        return web.Response(status=202, body=b'{"receipt": "0000000000000000"}', content_type="application/json")

    async def livez(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application(client_max_size=10 * 1024 * 1024)
    app.router.add_post("/in/{source}", post)
    app.router.add_get("/livez", livez)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        committer.close()


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.floor", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    store = parser.add_mutually_exclusive_group(required=True)
    store.add_argument("--file", help="the SQLite file")
    store.add_argument("--url", help="the PostgreSQL database")
    asked = parser.parse_args()
    asyncio.run(serve(asked.port, partial(to_sqlite, asked.file) if asked.file else partial(to_postgresql, asked.url)))


if __name__ == "__main__":
    main()
