"""The shortcut past the router: it answers and stores what the long way does, and hands over all that is not plain."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from aiohttp import web

from incidents.deliveries import DELIVERY
from incidents.store import Store
from service.app import READ_CONNECTIONS, create_app
from service.intake.inbox import BODIES
from service.intake.shortcut import Shortcut
from service.keys import STORE, WRITER
from tests.databases import migrate
from tests.senders import CONFIG, HOOK_KEY, KEY, ago, alert, message
from tests.test_mended_service import SIGNED, settings_in

BODY = orjson.dumps(message(alert("plain", ago(minutes=1))))
BEARER = f"Authorization: Bearer {KEY}"


class Door:
    """An application behind a shortcut, on a socket; `long_way` are the paths that were handed over."""

    def __init__(self, app: web.Application, runner: web.AppRunner) -> None:
        assert runner.server
        self.app, self.port = app, 0
        self.long_way: list[str] = []
        onward: Any = runner.server.request_handler

        async def otherwise(request: web.BaseRequest) -> web.StreamResponse:
            self.long_way.append(request.path)
            answer: web.StreamResponse = await onward(request)
            return answer

        runner.server.request_handler = Shortcut(app, otherwise).answer

    async def send(self, *parts: bytes) -> bytes:
        """Send these one after the other on one connection; the first answer, whole."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.05)
            async with asyncio.timeout(10):
                return await answer_from(reader)
        finally:
            writer.close()
            await writer.wait_closed()

    async def post(
        self, *fields: str, path: str = "/in/am", body: bytes = BODY, version: str = "1.1", length: bool = True
    ) -> bytes:
        """POST a body in one piece."""
        return await self.send(head(*fields, path=path, body=body, version=version, length=length) + body)


def head(*fields: str, path: str = "/in/am", body: bytes = BODY, version: str = "1.1", length: bool = True) -> bytes:
    """Everything before the body."""
    told = [f"Content-Length: {len(body)}"] if length else []
    lines = [f"POST {path} HTTP/{version}", "Host: localhost", "User-Agent: Alertmanager/0.28.1", *told, *fields]
    return "\r\n".join([*lines, "", ""]).encode()


async def answer_from(reader: asyncio.StreamReader) -> bytes:
    """One answer with its body."""
    told = await reader.readuntil(b"\r\n\r\n")
    if told.startswith(b"HTTP/1.1 100"):
        told = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", told, re.IGNORECASE)
    assert found, told
    return told + await reader.readexactly(int(found[1]))


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """The application on SQLite in this process, behind a shortcut."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG + SIGNED)
    wanted = settings_in(tmp_path, CONFIG=str(config))
    migrate(wanted.database_url)
    with closing(Store(wanted.database_url, readers=READ_CONNECTIONS)) as store:
        app = create_app(wanted, store)
        runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1)
        await runner.setup()
        try:
            opened = Door(app, runner)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            opened.port = runner.addresses[0][1]
            yield opened
        finally:
            await runner.cleanup()


async def _until(is_so: Callable[[], bool]) -> None:
    for _ in range(1000):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never became so")


def stored(door: Door, answer: bytes) -> Any:
    """The row of the delivery that an answer names."""
    receipt = orjson.loads(answer.partition(b"\r\n\r\n")[2])["receipt"]
    with door.app[STORE].reading() as connection:
        return connection.execute(sa.select(DELIVERY).where(DELIVERY.c.id == int(receipt, 16))).one()


async def test_both_ways_answer_and_store_the_same(door: Door) -> None:
    fields = (BEARER, "Content-Type: application/json", "X-Event-Kind: caf\u00e9", "X-Event-Token: never")
    plain = await door.post(*fields)
    assert door.long_way == []
    long = await door.post(*fields, "Cookie: a=b")
    assert door.long_way == ["/in/am"]
    rows = [stored(door, answer) for answer in (plain, long)]
    assert rows[0].headers == rows[1].headers == {
        "user-agent": "Alertmanager/0.28.1", "content-type": "application/json", "x-event-kind": "caf\u00e9",
    }  # fmt: skip
    for name in ("source", "encoding", "body", "size", "sha256", "refused"):
        assert getattr(rows[0], name) == getattr(rows[1], name)
    heads = [sorted(answer.partition(b"\r\n\r\n")[0].split(b"\r\n")) for answer in (plain, long)]
    dates = [[line for line in lines if not line.startswith(b"Date: ")] for lines in heads]
    assert dates[0] == dates[1]
    assert all(any(re.fullmatch(rb"Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", line) for line in h) for h in heads)


async def test_a_connection_is_used_again(door: Door) -> None:
    asked = head(BEARER) + BODY
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(asked * 3)
    answers = [await answer_from(reader) for _ in range(3)]
    writer.close()
    await writer.wait_closed()
    assert len({orjson.loads(answer.partition(b"\r\n\r\n")[2])["receipt"] for answer in answers}) == 3
    assert door.long_way == []


async def test_a_body_in_pieces_takes_the_shortcut_too(door: Door) -> None:
    body = BODY + b" " * 100_000
    answer = await door.send(head(BEARER, body=body) + body[:50_000], body[50_000:90_000], body[90_000:])
    assert stored(door, answer).body == body
    assert door.long_way == []
    assert door.app[BODIES].arriving == 0


@pytest.mark.parametrize(
    ("fields", "options", "status"),
    [
        ((), {}, 401),
        (("Authorization: Bearer wrong",), {}, 401),
        ((f"Authorization: Bearer {HOOK_KEY}",), {}, 403),
        ((BEARER, BEARER), {}, 202),
        ((f"X-Api-Key: {KEY}",), {}, 202),
        ((BEARER,), {"path": "/in/nobody"}, 404),
        ((BEARER,), {"path": "/in/am?a=b"}, 202),
        ((BEARER,), {"path": "/in/%61m"}, 202),
        ((), {"path": f"/in/am/{KEY}"}, 202),
        ((BEARER,), {"version": "1.0"}, 202),
        ((BEARER, "Connection: close"), {}, 202),
        ((BEARER, "Expect: 100-continue"), {}, 202),
        ((BEARER, "Content-Encoding: gzip"), {"body": gzip.compress(BODY)}, 202),
        ((BEARER,), {"body": BODY + b" " * 3_000_000}, 202),
        ((BEARER, "Transfer-Encoding: chunked"), {"body": b"2\r\n{}\r\n0\r\n\r\n", "length": False}, 202),
    ],
)
async def test_what_is_not_plain_goes_the_long_way(
    door: Door, fields: tuple[str, ...], options: dict[str, Any], status: int
) -> None:
    answer = await door.post(*fields, **options)
    assert int(answer.split(b" ", 2)[1]) == status, answer
    assert len(door.long_way) == 1
    assert b"Server: Barograph" in answer


async def test_a_signed_source_goes_the_long_way(door: Door) -> None:
    source = re.search(r'name = "([^"]+)"', SIGNED)
    assert source
    answer = await door.post(BEARER, path=f"/in/{source[1]}")
    assert answer.startswith((b"HTTP/1.1 401", b"HTTP/1.1 403"))
    assert door.long_way == [f"/in/{source[1]}"]


async def test_a_body_that_stops_is_asked_for_again_and_not_counted(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.intake.shortcut.BODY_SECONDS", 0.2)
    answer = await door.send(head(BEARER) + BODY[:-5])
    assert answer.startswith(b"HTTP/1.1 503")
    assert re.search(rb"\r\nRetry-After: \d+\r\n", answer)
    assert b"\r\nServer: Barograph\r\n" in answer
    assert (door.long_way, door.app[BODIES].arriving) == ([], 0)


async def test_a_sender_that_goes_away_leaves_nothing_behind(door: Door) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(head(BEARER) + BODY[:-5])
    await writer.drain()
    await _until(lambda: door.app[BODIES].arriving > 0)
    writer.close()
    await writer.wait_closed()
    await _until(lambda: door.app[BODIES].arriving == 0)
    assert (await door.post(BEARER)).startswith(b"HTTP/1.1 202")


async def test_a_writer_that_drains_sends_everybody_the_long_way(door: Door) -> None:
    door.app[WRITER].draining = True
    answer = await door.post(BEARER)
    assert answer.startswith(b"HTTP/1.1 503")
    assert door.long_way == ["/in/am"]


async def test_a_store_that_takes_no_writes_is_told_as_503(door: Door) -> None:
    with closing(Store(str(door.app[STORE].url), readers=1)) as other, other.writing() as connection:
        connection.execute(sa.text("ALTER TABLE delivery RENAME TO gone"))
    answer = await door.post(BEARER)
    assert answer.startswith(b"HTTP/1.1 503")
    assert door.long_way == []
