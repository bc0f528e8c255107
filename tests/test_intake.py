"""The inbox: a 2xx is true at once and for ever, keys come in every form, and two processes share the work."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from incidents.tables.bodies import unpack
from service.intake import inbox
from tests.conftest import StartBarograph
from tests.senders import (
    CONFIG,
    HOOK_KEY,
    KEY,
    ago,
    alert,
    head,
    incident_of,
    message,
    problem_of,
    raw_connection,
    served,
    walk,
)
from tests.servers import Answer, Barograph


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    """One service on SQLite for the tests that leave it as it was."""
    with served(tmp_path_factory.mktemp("service")) as running:
        yield running


def database(service: Barograph) -> Path:
    """The SQLite file."""
    url = service.env.get("BAROGRAPH_DATABASE_URL", f"sqlite:///{service.home / 'barograph.db'}")
    return Path(url.removeprefix("sqlite:///"))


def stored(service: Barograph, receipt: str) -> bytes | None:
    """The body that a connection of our own sees under a receipt."""
    query = "SELECT content FROM delivery WHERE id = "
    url = service.env.get("BAROGRAPH_DATABASE_URL", "")
    if url.startswith("postgresql"):
        with psycopg.connect(url) as connection:
            row: Any = connection.execute(query + "%s", [int(receipt, 16)]).fetchone()
    else:
        with closing(sqlite3.connect(database(service))) as file:
            row = file.execute(query + "?", [int(receipt, 16)]).fetchone()
    return unpack(bytes(row[0])) if row else None


def one(name: str) -> dict[str, Any]:
    """A message with one alert."""
    return message(alert(name, ago(minutes=5)))


def test_what_is_acknowledged_is_stored_before_the_answer(barograph: StartBarograph, database_url: str) -> None:
    service = barograph(CONFIG, database_url=database_url)
    with ThreadPoolExecutor(8) as pool:

        def post(number: int) -> tuple[bytes, bytes | None]:
            body = json.dumps(one(f"a{number}")).encode()
            return body, stored(service, service.send("am", body, KEY))

        for sent, found in pool.map(post, range(40)):
            assert found == sent
    durability = service.json("/readyz")["durability"]
    assert durability.get("synchronous", durability.get("synchronous_commit")) in ("2", "on")


def test_raw_bytes_come_back_as_they_were(service: Barograph) -> None:
    body = b'{ "alerts" :\r\n\t[' + json.dumps(alert("raw", ago(minutes=2))).encode() + b" ] }  \n"
    receipt = service.send("am", body, KEY)
    raw = service.get(f"/api/v1/deliveries/{receipt}/raw")
    assert raw.body == body
    assert raw.headers["Content-Disposition"].startswith("attachment")
    assert raw.headers["Content-Type"] == "application/octet-stream"
    packed = gzip.compress(body)
    receipt = service.send("am", packed, KEY, headers={"Content-Encoding": "gzip"})
    raw = service.get(f"/api/v1/deliveries/{receipt}/raw")
    assert raw.body == packed
    assert raw.headers["Barograph-Content-Encoding"] == "gzip"
    delivery = service.read(receipt)
    assert delivery["state"] == "read"
    assert delivery["size"] == len(packed)
    assert (delivery["source"], delivery["adapter"], delivery["adapter_version"]) == ("am", "alertmanager", 1)
    assert [event["title"] for event in delivery["events"]] == ["raw is on"]


def test_receipts_that_were_never_given(service: Barograph) -> None:
    for receipt in ("0" * 16, "f" * 16, "zz", "0" * 15, "7" * 16, "A" * 16):
        for path in (f"/api/v1/deliveries/{receipt}", f"/api/v1/deliveries/{receipt}/raw"):
            assert problem_of(service.get(path))["status"] == 404
        assert service.post(f"/api/v1/deliveries/{receipt}/reread").status == 404


def basic(password: str) -> str:
    """The value of a Basic header; the user does not matter."""
    return "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/in/am", {"Authorization": "Bearer {key}"}),
        ("/in/am", {"Authorization": "bearer  {key} "}),
        ("/in/am", {"X-Api-Key": "{key}"}),
        ("/in/am/{key}", {}),
        ("/in/am", {"Authorization": basic(KEY)}),
    ],
)
def test_keys_are_taken_in_every_form(service: Barograph, path: str, headers: dict[str, str]) -> None:
    def asks(key: str) -> Answer:
        shown = {name: value.replace("{key}", key) for name, value in headers.items()}
        if shown.get("Authorization", "").startswith("Basic"):
            shown["Authorization"] = basic(key)
        return service.request("POST", path.replace("{key}", key), json.dumps(one("key")), headers=shown)

    assert asks(KEY).status == 202
    assert asks(KEY[:-1]).status == 401
    assert asks(HOOK_KEY).status == 403


def test_an_api_token_is_no_ingest_key_but_the_admin_may_post(service: Barograph) -> None:
    viewer = service.cli("token", "create", "--role", "viewer").stdout.strip()
    service.until(lambda: service.get("/api/v1/incidents", token=viewer).status == 200)
    assert service.post("/in/am", one("x"), token=viewer).status == 403
    assert service.post("/in/am", one("x")).status == 202


def test_a_key_is_shown_once_kept_as_its_digest_and_can_be_revoked(service: Barograph) -> None:
    made = service.cli("key", "create", "am")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip().split()[0]
    assert len(key) >= 32
    service.until(lambda: service.post("/in/am", one("made"), token=key).status == 202)
    assert service.post("/in/hook", one("made"), token=key).status == 403
    listed = service.cli("key", "list")
    assert key not in listed.stdout
    line = next(line for line in listed.stdout.splitlines() if key[:6] in line)
    for path in service.home.iterdir():
        if path.name != "config.toml":
            content = path.read_bytes()
            for secret in (key, KEY, HOOK_KEY):
                assert secret.encode() not in content, path.name
    assert key not in service.get("/sources/am").text
    assert service.cli("key", "revoke", line.split()[0]).returncode == 0
    service.until(lambda: service.post("/in/am", one("revoked"), token=key).status == 401)
    assert service.cli("key", "revoke", "nothing").returncode == 3
    assert service.cli("key", "create", "nobody").returncode == 3


def test_a_repeat_is_told_and_adds_nothing(service: Barograph) -> None:
    body = one("again")
    first, second = service.read(service.send("am", body, KEY)), service.read(service.send("am", body, KEY))
    assert first["receipt"] != second["receipt"]
    assert [e["id"] for e in first["events"]] == [e["id"] for e in second["events"]]
    seen = [o for o in walk(service, "/api/v1/occurrences", 100) if o["labels"]["alertname"] == "again"]
    assert len(seen) == 1
    assert seen[0]["statements"] == 1


def test_reading_again_changes_nothing_that_is_said_the_same(service: Barograph) -> None:
    incident = incident_of(service, alert("reread", ago(minutes=9)))
    receipt = service.send("am", one("reread"), KEY)
    before = service.read(receipt)
    lines = service.json(f"/api/v1/incidents/{incident['id']}/timeline")["items"]
    assert service.post(f"/api/v1/deliveries/{receipt}/reread").json() == {"queued": 1}
    service.until(lambda: service.read(receipt)["state"] == "read")
    done = service.cli("reread", "am")
    assert done.returncode == 0, done.stderr
    assert service.read(receipt) == before
    assert service.json(f"/api/v1/incidents/{incident['id']}/timeline")["items"] == lines
    assert service.cli("reread", "nobody").returncode == 3


def test_when_too_much_waits_senders_are_asked_to_come_back(barograph: StartBarograph) -> None:
    service = barograph(CONFIG)
    body = json.dumps(one("patient")).encode() + b" " * (9 * 1024 * 1024)
    with closing(sqlite3.connect(database(service), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # somebody holds the database: nothing can be committed
        with ThreadPoolExecutor(12) as pool:
            posts = [pool.submit(service.post, "/in/am", body, token=KEY) for _ in range(12)]
            service.until(lambda: any(post.done() for post in posts))
            assert service.get("/livez").status == 200
            time.sleep(0.5)
            other.execute("COMMIT")
            answers = [post.result() for post in posts]
    told = [answer for answer in answers if answer.status == 503]
    taken = [answer for answer in answers if answer.status == 202]
    assert told
    assert taken
    assert len(told) + len(taken) == len(answers)
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in told)
    for answer in taken:
        assert stored(service, answer.json()["receipt"]) == body
    assert service.send("am", one("later"), KEY)


def test_those_who_are_turned_away_come_back_apart() -> None:
    asked = [int(inbox.later("too much waits").headers["Retry-After"]) for _ in range(60)]
    assert all(1 <= seconds <= 60 for seconds in asked)
    assert len(set(asked)) > 3


def test_every_2xx_before_a_sigterm_is_stored(barograph: StartBarograph) -> None:
    service = barograph(CONFIG)
    receipts: list[str] = []
    others: list[int] = []
    stop = threading.Event()

    def pour(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            try:
                answer = service.post("/in/am", one(f"a{number}-{count}"), token=KEY)
            except (OSError, ValueError):
                stop.wait(0.01)
                continue
            if answer.status == 202:
                receipts.append(answer.json()["receipt"])
            else:
                others.append(answer.status)

    threads = [threading.Thread(target=pour, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    try:
        service.until(lambda: len(receipts) > 50)
        assert service.terminate() == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert set(others) <= {503}
    with closing(sqlite3.connect(database(service))) as file:
        found = {f"{row[0]:016x}" for row in file.execute("SELECT id FROM delivery")}
    assert set(receipts) <= found
    service.start()
    service.until(lambda: service.json("/api/v1/sources")["items"][0]["unread"] == 0)
    assert len(service.json("/api/v1/incidents")["items"]) == 1


def test_a_sender_that_goes_in_the_middle_of_its_body_is_no_fault_of_ours(barograph: StartBarograph) -> None:
    service = barograph(CONFIG)
    for fields in ((), ("X-Api-Key: another-way",)):
        with closing(raw_connection(service)) as connection:
            connection.sendall(head("/in/am", "Content-Length: 1000", *fields) + b"{")
            # Closed with a reset: a balancer that gives a request up does the same.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            time.sleep(0.2)
    assert service.read(service.send("am", message(alert("a", ago(minutes=1))), KEY))["state"] == "read"
    assert service.terminate() == 0
    assert "Traceback" not in service.log
    assert "the sender has gone" in service.log


def test_an_open_stream_does_not_hold_the_end(barograph: StartBarograph) -> None:
    service = barograph(CONFIG)
    read = threading.Thread(target=service.get, args=("/api/v1/stream",))
    read.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert service.terminate() == 0
    assert time.monotonic() - began < 20
    read.join(20)
    assert not read.is_alive()


def test_two_processes_on_one_postgresql_share_the_work(barograph: StartBarograph, postgresql_url: str) -> None:
    first = barograph(CONFIG, database_url=postgresql_url)
    second = barograph(CONFIG, database_url=postgresql_url)
    starts_at = ago(minutes=30)

    def post(number: int) -> str:
        service = (first, second)[number % 2]
        # Each alert is told to both, as a pair of Alertmanagers does.
        return service.send("am", message(*[alert(f"a{n}", starts_at) for n in (number // 2, number // 2 + 1)]), KEY)

    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(post, range(200)))
    for service in (first, second):
        service.until(lambda service=service: service.json("/api/v1/sources")["items"][0]["unread"] == 0)  # type: ignore[misc]  # bound at once
        assert {item["receipt"] for item in walk(service, "/api/v1/deliveries", 150)} == set(receipts)
        items = service.json("/api/v1/incidents")["items"]
        assert len(items) == 1
        names = [a["labels"]["alertname"] for a in walk(service, f"/api/v1/incidents/{items[0]['id']}/alerts", 50)]
        assert sorted(names) == sorted(f"a{n}" for n in range(101))
        assert items[0]["alerts"] == 101
        assert "Traceback" not in service.log
    name = first.json("/api/v1/incidents")["items"][0]["id"]
    noted = first.post(f"/api/v1/incidents/{name}/entries", {"text": "seen by both"})
    assert noted.status == 201
    assert any("seen by both" in line["text"] for line in second.json(f"/api/v1/incidents/{name}/timeline")["items"])
