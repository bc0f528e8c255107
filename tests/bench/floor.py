"""The bare handler that intake is held against: takes a body, group-commits it to SQLite, answers; nothing else.

One aiohttp handler and one writer thread that takes all that waits and commits it with one `synchronous=FULL`
transaction of the plain driver: no key is checked, no header kept, nothing is read afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import queue
import sqlite3
import threading
from contextlib import closing

from aiohttp import web

_Waiting = tuple[bytes, asyncio.Future[int]]


class Committer:
    """One thread that owns the file. `submit` is for the event loop; the future gives the row's number."""

    def __init__(self, path: str) -> None:
        self._path = path
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
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=8000", "cache_size=-65536"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("CREATE TABLE IF NOT EXISTS body (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
            while self._commit(connection):
                pass

    def _commit(self, connection: sqlite3.Connection) -> bool:
        batch = [self._queue.get()]
        while not self._queue.empty():
            batch.append(self._queue.get())
        waiting = [one for one in batch if one is not None]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO body (body) VALUES (?)", [(body,) for body, _ in waiting])
        connection.execute("COMMIT")
        self._loop.call_soon_threadsafe(self._answer, waiting)
        return len(waiting) == len(batch)

    @staticmethod
    def _answer(waiting: list[_Waiting]) -> None:
        for _, answer in waiting:
            if not answer.done():
                answer.set_result(0)


async def serve(port: int, path: str) -> None:
    """Answer on a loopback port until the process is ended."""
    committer = Committer(path)

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
    parser.add_argument("--file", required=True, help="the SQLite file")
    asked = parser.parse_args()
    asyncio.run(serve(asked.port, asked.file))


if __name__ == "__main__":
    main()
