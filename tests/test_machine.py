"""The tests' own instruments work: databases are empty and apart, nothing leaves loopback, servers start and end."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler

import psycopg
import pytest
import sqlalchemy as sa
from pytest_socket import SocketConnectBlockedError

from incidents.store import Store
from tests import machine
from tests.conftest import StartServer
from tests.listening import listening
from tests.servers import free_port

ELSEWHERE = "192.0.2.1"  # TEST-NET-1: documentation only, never routed


@contextmanager
def serving(page: str, policy: str = "default-src 'self'") -> Iterator[str]:
    """The URL of a page that a plain HTTP server gives out under this content security policy."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = page.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with listening(Handler) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_an_empty_postgresql_database(postgresql_url: str, turn: int) -> None:
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("CREATE TABLE told (turn integer)")
        connection.execute("INSERT INTO told VALUES (%s)", [turn])
        assert connection.execute("SELECT turn FROM told").fetchall() == [(turn,)]


def test_a_database_named_by_its_url_is_empty(database_url: str) -> None:
    assert database_url.startswith(("sqlite:////", "postgresql://"))
    with closing(Store(database_url)) as store, store.reading() as connection:
        assert sa.inspect(connection).get_table_names() == []


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_a_migrated_store_of_its_own(store: Store, turn: int) -> None:
    with store.writing() as connection:
        connection.execute(sa.text(f"CREATE TABLE told_{turn} (turn integer)"))
    with store.reading() as connection:
        names = set(sa.inspect(connection).get_table_names())
    assert {"delivery", "entry", f"told_{turn}"} <= names
    assert f"told_{3 - turn}" not in names


def test_connections_that_leave_the_machine_are_refused() -> None:
    with (
        socket.socket() as outward,
        pytest.warns(UserWarning, match="connect"),
        pytest.raises(SocketConnectBlockedError),
    ):
        outward.connect((ELSEWHERE, 9))


async def test_async_tests_run_beside_the_browser() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"heard\n")
        assert await reader.readline() == b"heard\n"
        writer.close()
        await writer.wait_closed()


def test_alertmanager_starts_and_forgets_nothing_it_was_told(alertmanager: StartServer) -> None:
    server = alertmanager("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    alert = [{"labels": {"alertname": "DiskFull", "instance": "db-1"}}]
    posted = server.request("POST", "/api/v2/alerts", json.dumps(alert), headers={"Content-Type": "application/json"})
    assert posted.status == 200, posted.text
    heard = server.until(lambda: server.request("GET", "/api/v2/alerts").json())
    assert [each["labels"]["instance"] for each in heard] == ["db-1"]


def test_prometheus_starts_with_the_rules_it_was_given(prometheus: StartServer) -> None:
    rules = "groups: [{name: g, rules: [{alert: Always, expr: vector(1)}]}]\n"
    server = prometheus("rule_files: [rules.yml]\nscrape_configs: []\n", {"rules.yml": rules})
    groups = server.request("GET", "/api/v1/rules").json()["data"]["groups"]
    assert [rule["name"] for rule in groups[0]["rules"]] == ["Always"]


def test_a_server_that_does_not_start_shows_its_log(alertmanager: StartServer) -> None:
    with pytest.raises(AssertionError, match="no routes provided"):
        alertmanager("receivers: []\n")


def test_a_free_port_is_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert machine.missing() == list(machine.PROGRAMS)
    assert (
        "apt-get install --no-install-recommends chromium prometheus prometheus-alertmanager curl gcc libc6-dev"
        in machine.needs(machine.missing())
    )
