"""The edge to HTTP and to others: bounds hold in pieces, one parser reads, one client asks, no assert is needed."""

from __future__ import annotations

import gzip
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiohttp import http_parser
from sqlalchemy.exc import OperationalError

from incidents.privacy import ALL
from incidents.store import Store, is_away
from service import serving
from service.settings import SettingsError
from service.standby import Standby
from tests.senders import CONFIG, KEY, ago, alert, head, message, raw_connection, rest_of
from tests.servers import ROOT, Barograph


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    """One that runs without its asserts, as `python -O` has it: nothing here may rest on one."""
    home = tmp_path_factory.mktemp("edge")
    running = Barograph(home, CONFIG, is_cold=True)
    running.env["PYTHONOPTIMIZE"] = "1"
    yield running.start()
    running.end()


def good(name: str = "Good") -> bytes:
    return json.dumps(message(alert(name, ago(minutes=5)))).encode()


def statuses(answered: bytes) -> list[int]:
    """Of all answers on a connection, in order."""
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answered)]


def test_without_asserts_the_same_is_taken_and_refused(service: Barograph) -> None:
    assert service.read(service.send("am", good(), KEY))["state"] == "read"
    hostile = [
        b"",
        b"[",
        b"null",
        b"[]",
        b'{"alerts": {"a": 1}}',
        b'{"alerts": [1, null, {"labels": 5}]}',
        b"[" * 99_999,
    ]
    for body in (*hostile, gzip.compress(good())[:-9]):
        delivery = service.read(service.send("am", body, KEY))
        assert delivery["state"] == "quarantined"
        assert delivery["reason"]
    for path in ("/incidents/none", "/api/v1/incidents/none/figure", "/api/v1/incidents?limit=-1", "/in/nobody"):
        assert service.get(path).status in (400, 404, 405), path
    assert service.get("/api/v1/incidents", token=None).status == 401
    assert service.post("/api/v1/incidents", {"title": "x", "severity": {"a": 1}}).status == 400
    assert "Traceback" not in service.log


def test_metrics_have_no_word_of_a_payload(service: Barograph) -> None:
    before = service.get("/metrics").text
    words = [f"Unheard-of-{number}" for number in range(20)]
    body = message(*(alert(word, ago(minutes=5), datacenter=word, **{f"label_{word}": word}) for word in words))
    assert service.read(service.send("am", body, KEY))["state"] == "read"
    assert service.call("POST", f"/in/{words[0]}", b"{}", token=words[1]).status == 404
    assert service.get(f"/{words[2]}", headers={"User-Agent": words[3]}).status == 404
    after = service.get("/metrics").text
    assert "unheard" not in after.lower()
    # Every series has a name of ours, so what strangers say makes no more of them.
    assert len(after.splitlines()) <= len(before.splitlines()) + 20


def test_a_bound_of_a_header_holds_in_pieces(service: Barograph) -> None:
    with closing(raw_connection(service)) as connection:
        connection.sendall(head("/in/am", "X-Long: a").removesuffix(b"\r\n\r\n"))
        try:
            for _ in range(600):  # 300 kB, none of them with the end of a line
                connection.sendall(b"y" * 512)
            connection.sendall(b"\r\n\r\n")
        except OSError:
            pass  # closed while we spoke
        answered = rest_of(connection)
    assert statuses(answered) in ([], [400]), answered[:200]


def test_requests_in_one_breath_are_each_judged_for_themselves(service: Barograph) -> None:
    def asked(key: str) -> bytes:
        body = good()
        return head("/in/am", f"Content-Length: {len(body)}", key=key) + body

    with closing(raw_connection(service)) as connection:
        connection.sendall(asked(KEY) + asked("wrong") + asked(KEY))
        answered = rest_of(connection)
    # Who is refused has nothing more to say on this connection.
    assert statuses(answered) == [202, 401], answered


def test_a_body_of_a_stranger_is_not_inflated(service: Barograph) -> None:
    bomb = gzip.compress(bytes(1 << 28), 1)
    fields = (f"Content-Length: {len(bomb)}", "Content-Encoding: gzip", "Connection: close")
    before = memory(service)
    with closing(raw_connection(service)) as connection:
        connection.sendall(head("/in/am", *fields, key="wrong") + bomb)
        assert statuses(rest_of(connection)) == [401]
    assert memory(service) - before < 1 << 26
    assert service.read(service.send("am", good(), KEY))["state"] == "read"


def memory(service: Barograph) -> int:
    """The most that the process has held, in bytes."""
    lines = Path(f"/proc/{service.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def test_two_hosts_are_none_and_a_host_lets_nobody_in(service: Barograph) -> None:
    assert service.get("/api/v1/incidents", token=None, headers={"Host": "127.0.0.1"}).status == 401
    for fields in (("Host: 127.0.0.1",), ("Host: other", "Host: third")):
        with closing(raw_connection(service)) as connection:
            connection.sendall(head("/api/v1/incidents", *fields, "Connection: close", key=None, method="GET"))
            answered = rest_of(connection)
        assert statuses(answered) == [400]
        # aiohttp answers this by itself; its version, and Python's, are nobody's business.
        assert b"aiohttp" not in answered


def test_the_compiled_parser_reads_and_without_it_nothing_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    serving.check_parser()
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(SettingsError, match="compiled parser"):
        serving.check_parser()


ASKS = re.compile(
    r"\bClientSession\(|\baiohttp\.request\(|\burlopen\(|\bHTTPS?Connection\(|\bcreate_connection\("
    r"|^\s*(?:import|from) (?:requests|httpx|urllib3|pycurl|urllib\.request|http\.client)\b",
    re.MULTILINE,
)
MAY_ASK = {
    "service/outside/outbound.py": "the one client",
    "service/intake/trials.py": "its own intake, by the address that the browser has reached it at",
    "incidents/adapters/checkmk.py": "in the script that its sender is given",
    "incidents/adapters/wazuh.py": "in the script that its sender is given",
    "service/doctor.py": "whether the operator's own proxy listens, by a command",
}


def test_one_client_asks_others() -> None:
    modules = [path for package in ("incidents", "dashboards", "service") for path in (ROOT / package).rglob("*.py")]
    assert {str(path.relative_to(ROOT)) for path in modules if ASKS.search(path.read_text())} == set(MAY_ASK)


def test_a_new_sqlite_file_is_its_owners_alone_and_its_schema_calls_nothing(tmp_path: Path) -> None:
    former = os.umask(0o022)
    try:
        with closing(Store(f"sqlite:///{tmp_path / 'new.db'}")) as store:
            store.migrate()
            with store.reading() as connection:
                pragmas = {
                    name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("foreign_keys", "trusted_schema", "busy_timeout")
                }
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("new.db*")}
    finally:
        os.umask(former)
    assert pragmas == {"foreign_keys": 1, "trusted_schema": 0, "busy_timeout": 30_000}
    assert set(modes) == {"new.db", "new.db-wal", "new.db-shm"}
    assert set(modes.values()) == {0o600}


def test_a_query_of_a_page_ends_on_postgresql(postgresql_url: str) -> None:
    slow = sa.text("SELECT pg_sleep(5)")
    with closing(Store(postgresql_url, most_seconds=1)) as store:
        with pytest.raises(OperationalError, match="statement timeout") as ended, store.reading(ALL) as connection:
            connection.execute(slow)
        with store.reading() as connection:  # nobody waits for what the service does of itself
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"
        with store.writing() as connection:  # what folds is not cut off
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"
    with closing(Store(postgresql_url)) as other:
        standby = Standby(store, other)
        standby.away, standby.is_alone = None, True
        # It is answered 503 at once: to ask the database itself would take as long once more.
        assert is_away(ended.value)
        assert not standby.gave_up(ended.value)
        assert standby.gave_up(OperationalError("", {}, OSError()))
