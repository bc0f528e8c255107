"""A feed's server that misbehaves on demand: each path is another way in which the outside world fails."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"
BOMB = 64 * 1024 * 1024
"""Bytes that the bomb inflates to."""
_TURNS = 20
"""Turns of the loop after which what was begun has begun, and what was aborted is closed."""


@dataclass(slots=True)
class Heard:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]


@dataclass(slots=True)
class Feed:
    """Misbehaves by the first part of the path. `/feed` answers `document` with an ETag, or behaves as `mood` says."""

    port: int = 0
    mood: str = "ok"
    document: Any = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    pages: dict[str, bytes] = field(default_factory=dict)
    """Documents by the path that they are asked by, before any other way to answer."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        """What was asked, in order."""
        return [one.path for one in self.heard]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            await self._answer(reader, writer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # who asked has had enough
        except asyncio.CancelledError:
            pass  # the test is over; Python 3.11 logs an error of its own for a connection whose task was cancelled
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        heard = Heard(head[0].split(" ")[1], headers)
        self.heard.append(heard)
        if heard.path in self.pages:
            write(writer, 200, self.pages[heard.path])
            return
        name = heard.path.partition("?")[0].strip("/").partition("/")[0].replace("-", "_")
        behave = getattr(self, f"_{self.mood}" if name == "feed" else f"_{name}", self._missing)
        await behave(writer, heard)

    # --- ways to answer ---------------------------------------------------------------------------------------------

    async def _ok(self, writer: asyncio.StreamWriter, heard: Heard) -> None:
        body = self.document if isinstance(self.document, bytes) else json.dumps(self.document).encode()
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if heard.headers.get("if-none-match") == tag:
            write(writer, 304, ETag=tag)
        else:
            write(writer, 200, body, ETag=tag, Content_Type=JSON)

    async def _untagged(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, json.dumps(self.document).encode(), Content_Type=JSON)

    async def _echo(self, writer: asyncio.StreamWriter, heard: Heard) -> None:
        write(writer, 200, json.dumps({"path": heard.path, **heard.headers}).encode(), Content_Type=JSON)

    async def _gzipped(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, gzip.compress(b'{"a": 1}'), Content_Encoding="gzip")

    async def _two_members(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, gzip.compress(b'{"a"') + gzip.compress(b": 1}") + bytes(8), Content_Encoding="gzip")

    async def _deflated(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, zlib.compress(b'{"a": 1}'), Content_Encoding="deflate")

    async def _modified(self, writer: asyncio.StreamWriter, heard: Heard) -> None:
        seen = heard.headers.get("if-modified-since")
        write(writer, 304 if seen else 200, b"" if seen else b"[1]", Last_Modified="Mon, 02 Mar 2026 10:00:00 GMT")

    async def _moved(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 302, Location="/echo")

    async def _elsewhere(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 302, Location=f"http://localhost:{self.port}/echo")

    async def _cookie(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 302, Location="/echo", Set_Cookie="session=1; Path=/")

    # --- ways to fail -----------------------------------------------------------------------------------------------

    async def _missing(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 404, b"nothing here")

    async def _html(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, b"<!doctype html><title>Sign in</title>", Content_Type="text/html")

    async def _broken(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 500, b"oops")

    async def _busy(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 429, b"slow down", Retry_After="7")

    async def _always_304(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 304)

    async def _empty(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200)

    async def _closed(self, _writer: asyncio.StreamWriter, _heard: Heard) -> None:
        return

    async def _no_http(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    async def _hang(self, _writer: asyncio.StreamWriter, _heard: Heard) -> None:
        await asyncio.sleep(60)

    async def _drip(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.2)

    async def _truncated(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[1, 2, ")

    async def _cut_gzip(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, gzip.compress(b"x" * 5000)[:-9], Content_Encoding="gzip")

    async def _cut_member(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, gzip.compress(b"[1]") + gzip.compress(b"x" * 5000)[:-9], Content_Encoding="gzip")

    async def _bomb_member(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, gzip.compress(b"[1]") + _bomb_bytes(), Content_Encoding="gzip")

    async def _many_members(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, gzip.compress(b"") * 2000, Content_Encoding="gzip")

    async def _no_gzip(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, b"this is no gzip", Content_Encoding="gzip")

    async def _brotli(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, b"\x00\x00", Content_Encoding="br")

    async def _bomb(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 200, _bomb_bytes(), Content_Encoding="gzip", Content_Type=JSON)

    async def _endless(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b" " * 65536)
            await writer.drain()

    async def _loop(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 302, Location="/loop")

    async def _metadata(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 302, Location="http://169.254.169.254/latest/meta-data/")

    async def _to_file(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 302, Location="file:///etc/passwd")

    async def _nowhere(self, writer: asyncio.StreamWriter, _heard: Heard) -> None:
        write(writer, 302, Location="http://[::1")


def _bomb_bytes() -> bytes:
    deflater = zlib.compressobj(9, wbits=31)
    parts = [deflater.compress(b"\0" * 65536) for _ in range(BOMB // 65536)]
    return b"".join(parts) + deflater.flush()


def write(writer: asyncio.StreamWriter, status: int, body: bytes = b"", **headers: str) -> None:
    """One whole response; underscores in the names of headers are dashes."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


@contextmanager
def feed() -> Iterator[Feed]:
    """A feed's server on a free loopback port, on a thread of its own so that a service in any process can ask it."""
    found, loop = Feed(), asyncio.new_event_loop()
    listening = threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(found.answer, "127.0.0.1", 0)
        found.port = server.sockets[0].getsockname()[1]
        listening.set()
        await ending.wait()
        server.close()
        # What was accepted just now begins first: a task that is cancelled before it began leaves its socket open.
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        waiting = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for _ in range(_TURNS):  # what was aborted is closed by the loop's next turns
            await asyncio.sleep(0)

    ending = asyncio.Event()
    run: Callable[[Awaitable[None]], None] = loop.run_until_complete
    thread = threading.Thread(target=run, args=(serve(),), daemon=True)
    thread.start()
    assert listening.wait(10)
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(10)
        loop.close()
