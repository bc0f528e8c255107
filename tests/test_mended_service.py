"""The service under trouble: odd headers, a database that goes away, busy threads, keys that end, floods of bytes."""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import orjson
import pytest
import sqlalchemy as sa
from aiohttp import web
from psycopg import sql

from incidents.config import ConfigError
from incidents.configured import Step
from incidents.deliveries import DELIVERY
from incidents.pulses import pulse
from incidents.receipts import receipt_of
from incidents.store import Store
from incidents.views import overview
from incidents.views.overview import KEY as KEYS
from incidents.views.overview import REFUSAL
from service import clock, schedule, settings
from service.app import READ_CONNECTIONS, READER_THREADS, create_app
from service.apply import apply
from service.asking import zones
from service.hub import Hub
from service.identity.access import AGEING_SECONDS, FRESH_SECONDS, SESSION, Access
from service.intake import inbox
from service.intake.writer import OverloadedError, Writer
from service.keys import ACCESS, READERS, STORE, WORKER, WRITER
from service.seal import secret_key
from service.settings import Settings, SettingsError, hide_password
from service.shell import shell
from tests.conftest import StartBarograph
from tests.databases import Cluster, migrate
from tests.senders import CONFIG, HOOK_KEY, KEY, ago, alert, head, incident_of, message, raw_connection, rest_of, served
from tests.servers import ADMIN_TOKEN, Barograph

SECRET = b"s" * 32
SIGNED = """
[[sources]]
name = "signed"
adapter = "github"
key = "tests-github-key-0123456789abcdef0123456789"
secret = "the secret of the signatures"
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    """One service on SQLite for the tests that leave it as it was; anybody may read its metrics."""
    with served(tmp_path_factory.mktemp("service"), settings={"OPEN_METRICS": "true"}) as running:
        yield running


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """Its address, in this process, so that a test can look inside."""
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def settings_in(folder: Path, **given: str) -> Settings:
    """The settings of a service whose files are in this folder."""
    environment = {"DATA_DIR": str(folder), "ADMIN_TOKEN": ADMIN_TOKEN, **given}
    return settings.read({}, {f"BAROGRAPH_{name}": value for name, value in environment.items()})


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[tuple[web.Application, str]]:
    """The application on SQLite in this process, and its address."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG + SIGNED)
    wanted = settings_in(tmp_path, CONFIG=str(config))
    migrate(wanted.database_url)
    with closing(Store(wanted.database_url, readers=READ_CONNECTIONS)) as store:
        application = create_app(wanted, store)
        async with listening(application) as address:
            yield application, address


@contextmanager
def busy(pool: ThreadPoolExecutor, threads: int) -> Iterator[None]:
    """All threads of a pool are taken for the length of the block."""
    end, begun = threading.Event(), threading.Barrier(threads + 1)

    def hold() -> None:
        begun.wait(10)
        end.wait(60)

    for _ in range(threads):
        pool.submit(hold)
    begun.wait(10)
    try:
        yield
    finally:
        end.set()


# --- the writer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [b"User-Agent: a\xffb", b"Content-Encoding: g\xff"])
def test_a_header_that_is_no_utf_8_is_kept_with_a_mark_in_its_place(service: Barograph, field: bytes) -> None:
    body = orjson.dumps(message(alert("bytes", ago(minutes=1))))
    asked = head("/in/am", f"Content-Length: {len(body)}", "Connection: close")
    with raw_connection(service, 10) as connection:
        connection.sendall(asked.replace(b"Host:", field + b"\r\nHost:") + body)
        answer = rest_of(connection)
    assert answer.startswith(b"HTTP/1.1 202"), answer
    receipt = orjson.loads(answer.partition(b"\r\n\r\n")[2])["receipt"]
    name = field.partition(b":")[0].decode().lower()
    with closing(Store(f"sqlite:///{service.home / 'barograph.db'}")) as store, store.reading() as connection:
        query = sa.select(DELIVERY.c.headers).where(DELIVERY.c.id == int(receipt, 16))
        headers = connection.execute(query).scalar_one()
    assert "\ufffd" in headers[name]
    assert service.send("am", message(alert("after", ago(minutes=1))), KEY)
    assert service.json("/readyz")["status"] == "ready"


async def test_what_cannot_be_written_fails_neither_its_neighbours_nor_the_thread(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    writer = Writer(store, threading.Event())
    odd = {"user-agent": "\udcff"}
    try:
        with pytest.raises(OverloadedError):
            await asyncio.wait_for(writer.submit("am", clock.now(), odd, b"1"), 10)
        assert writer.is_alive
        assert writer.failing is None
        with store.gate.intake():  # what is submitted meanwhile is one batch, on SQLite at least
            several = [writer.submit("am", clock.now(), {} if n != 2 else odd, b"2") for n in range(5)]
        told = await asyncio.wait_for(asyncio.gather(*several, return_exceptions=True), 10)
    finally:
        await writer.close()
    assert [isinstance(one, str) for one in told] == [True, True, False, True, True]
    assert isinstance(told[2], OverloadedError)
    with store.reading() as connection:
        written = connection.execute(sa.select(DELIVERY.c.id).where(DELIVERY.c.source == "am")).scalars()
        assert {receipt_of(name) for name in written} == {one for one in told if isinstance(one, str)}
    assert "could not be written" in caplog.text
    assert (writer.waiting, writer.waiting_bytes) == (0, 0)


async def test_a_writer_that_has_ended_is_told_of_and_lets_nobody_wait(app: tuple[web.Application, str]) -> None:
    application, address = app
    await application[WRITER].close()
    application[WRITER].draining = False
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session:
        ready = await session.get(f"{address}/readyz")
        assert ready.status == 503
        assert "writes" in str((await ready.json())["reasons"])
        answer = await session.post(f"{address}/in/am/{KEY}", json=message(alert("late", ago(minutes=1))))
        assert answer.status == 503


# --- a database that goes away --------------------------------------------------------------------------------------


@contextmanager
def away(cluster: Cluster, url: str) -> Iterator[None]:
    """The database refuses connections and has ended those it had, for the length of the block."""
    name = urlsplit(url).path.removeprefix("/")
    allowed = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    cluster.do(allowed.format(sql.Identifier(name), sql.SQL("false")))
    ended = sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}")
    cluster.do(ended.format(sql.Literal(name)))
    try:
        yield
    finally:
        cluster.do(allowed.format(sql.Identifier(name), sql.SQL("true")))


def test_the_service_outlives_a_database_that_was_away(
    barograph: StartBarograph, postgresql_cluster: Cluster, postgresql_url: str
) -> None:
    service = barograph(CONFIG, database_url=postgresql_url, settings={"SPOOL_MIB": "0"})
    assert service.send("am", message(alert("before", ago(minutes=3))), KEY)
    with away(postgresql_cluster, postgresql_url):
        service.until(lambda: "changes cannot be read" in service.log)
        answer = service.get("/api/v1/incidents")
        assert (answer.status, answer.json()["type"]) == (503, "about:blank#overloaded"), answer.text
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        page = service.get("/incidents")
        assert page.status == 503
        assert "Retry-After" in page.headers
        ready = service.get("/readyz")
        assert ready.status == 503
        for word in ("SELECT", "INSERT", "connection", "test_", "/tmp", "socket"):
            assert word not in ready.text, ready.text
        assert "synchronous_commit" in ready.json()["durability"]
        refused = service.post("/in/am", message(alert("meanwhile", ago(minutes=2))), token=KEY)
        assert refused.status == 503
        time.sleep(2.5)  # two more turns of the hub
        assert service.is_running, service.log
    service.until(lambda: service.get("/readyz").status == 200)
    service.until(lambda: "changes can be read again" in service.log)
    assert service.log.count("changes cannot be read") == 1
    assert incident_of(service, alert("after", ago(minutes=1)))["title"]


# --- threads that are busy ------------------------------------------------------------------------------------------


async def test_a_sender_with_a_good_key_does_not_wait_for_exports(app: tuple[web.Application, str]) -> None:
    application, address = app
    access = application[ACCESS]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session:
        with ExitStack() as stack:
            for _ in range(READER_THREADS):
                stack.enter_context(application[STORE].reading()).execute(sa.select(1))
            stack.enter_context(busy(application[READERS], READER_THREADS))
            access._read_at -= 3600
            answer = await session.post(f"{address}/in/am/{KEY}", json=message(alert("now", ago(minutes=1))))
            assert answer.status == 202, await answer.text()
            stranger = await session.post(f"{address}/in/am/{'x' * 40}", data=b"{}")
            assert stranger.status == 401


@pytest.fixture
def seldom_reloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are read again only by requests."""
    monkeypatch.setattr(schedule, "RELOAD_SECONDS", 3600)


def test_keys_are_read_again_before_they_age_and_age_before_they_end() -> None:
    assert schedule.RELOAD_SECONDS < AGEING_SECONDS < FRESH_SECONDS


@pytest.mark.usefixtures("seldom_reloaded")
async def test_a_known_key_is_served_while_it_is_read_again(app: tuple[web.Application, str]) -> None:
    application, address = app
    access = application[ACCESS]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session:
        access.refresh()
        access._read_at -= 4
        assert access.ageing
        assert access.recall(HOOK_KEY) is not None
        answer = await session.post(f"{address}/in/hook/{HOOK_KEY}", json={"title": "x"})
        assert answer.status == 202
        for _ in range(200):
            if not access.ageing:
                break
            await asyncio.sleep(0.02)
        assert not access.ageing
        for _ in range(200):  # what reads them again may still be at it
            access._read_at -= 6
            if access.recall(HOOK_KEY) is None:
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("a revoked key may not live on")


async def test_places_are_looked_up_off_the_event_loop(
    app: tuple[web.Application, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    application, address = app
    seen: list[str] = []
    really = overview.is_at

    def watched(*given: Any) -> bool:
        seen.append(threading.current_thread().name)
        return really(*given)

    monkeypatch.setattr(overview, "is_at", watched)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}) as session:
        await session.post(f"{address}/in/am/{KEY}", json=message(alert("here", ago(minutes=1))))
        for _ in range(500):
            found = await (await session.get(f"{address}/api/v1/occurrences?site=smf")).json()
            if found["items"]:
                break
            await asyncio.sleep(0.02)
    assert [o["title"] for o in found["items"]]
    assert seen
    assert all(name.startswith("reader") for name in seen), seen
    assert application[WORKER].is_alive


def test_time_zones_are_looked_up_once() -> None:
    assert zones() is zones()
    assert "Europe/Dublin" in zones()


# --- applying -------------------------------------------------------------------------------------------------------


def applied(store: Store, path: Path, text: str) -> list[Step]:
    """The plan of applying this text."""
    path.write_text(text)
    return apply(store, path, secret_key=SECRET)


def source_with(key: str, name: str = "am") -> str:
    return f'[[sources]]\nname = "{name}"\nadapter = "generic"\nkey = "{key}"\n'


def test_of_two_replicas_that_apply_at_once_the_second_plans_on_what_the_first_wrote(
    postgresql_store: Store, tmp_path: Path
) -> None:
    store, path = postgresql_store, tmp_path / "config.toml"
    path.write_text(source_with("a" * 40))
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with ThreadPoolExecutor(1) as pool:
        with store.writing() as first:
            store.lock(first, ["apply"])
            second = pool.submit(apply, store, path, secret_key=SECRET)
            deadline = time.monotonic() + 20
            while not first.exec_driver_sql(waiting).scalar():
                assert time.monotonic() < deadline, "it did not wait for its turn"
                assert not second.done()
                time.sleep(0.01)
        assert [step.act for step in second.result(20)] == ["add"]
    assert [step.act for step in apply(store, path, secret_key=SECRET)] == ["keep"]


# --- keys -----------------------------------------------------------------------------------------------------------


def source_of(store: Store, key: str) -> str | None:
    """What a fresh process says a key may post to."""
    found = Access(store, admin_token=None, secret_key=SECRET).check(key)
    return found.source if found else None


def test_a_key_replaced_in_the_file_is_revoked_and_can_come_back(store: Store, tmp_path: Path) -> None:
    old, new, path = "a" * 40, "b" * 40, tmp_path / "config.toml"
    applied(store, path, source_with(old))
    of_page, _ = Access(store, admin_token=None, secret_key=SECRET).make(
        "ingest", role="ingest", name="am", source="am"
    )
    steps = applied(store, path, source_with(new))
    assert [(s.act, s.kind) for s in steps] == [("keep", "source"), ("change", "key")]
    assert (source_of(store, old), source_of(store, new), source_of(store, of_page)) == (None, "am", "am")
    applied(store, path, source_with(old))
    assert (source_of(store, old), source_of(store, new)) == ("am", None)


def test_a_key_revoked_by_hand_does_not_live_again_by_applying(store: Store, tmp_path: Path) -> None:
    key, path = "a" * 40, tmp_path / "config.toml"
    applied(store, path, source_with(key))
    access = Access(store, admin_token=None, secret_key=SECRET)
    found = access.check(key)
    assert found is not None
    assert access.revoke(found.key)
    steps = applied(store, path, source_with(key))
    assert [(s.act, s.kind, s.name) for s in steps] == [("keep", "source", "am"), ("revoked", "key", "am")]
    assert "by hand" in steps[1].text
    assert source_of(store, key) is None


def test_a_key_belongs_to_one(store: Store, tmp_path: Path) -> None:
    key, path = "a" * 40, tmp_path / "config.toml"
    with pytest.raises(ConfigError, match="key of am too"):
        applied(store, path, source_with(key) + source_with(key, "other"))
    access = Access(store, admin_token=None, secret_key=SECRET)
    token, _ = access.make("token", role="admin", name="x")
    with pytest.raises(ConfigError, match="in use as another key"):
        applied(store, path, source_with(token))
    found = access.check(token)
    assert found is not None
    assert (found.kind, found.role) == ("token", "admin")
    assert source_of(store, key) is None


def test_a_session_ends_with_the_token_that_it_was_made_from(sqlite_store: Store) -> None:
    access = Access(sqlite_store, admin_token=ADMIN_TOKEN, secret_key=SECRET)
    token, name = access.make("token", role="responder", name="x", lasts=timedelta(days=1))
    parent, admin = access.check(token), access.check(ADMIN_TOKEN)
    session, _ = access.make("session", role="responder", name="x", lasts=SESSION, parent=parent)
    by_admin, _ = access.make("session", role="admin", name="admin", lasts=SESSION, parent=admin)
    found = access.check(session)
    assert found is not None
    assert parent is not None
    assert found.expires_at == parent.expires_at
    access.revoke(name)
    assert access.check(session) is None
    assert access.check(by_admin) is not None
    for other in ("another-" + ADMIN_TOKEN, None):
        assert Access(sqlite_store, admin_token=other, secret_key=SECRET).check(by_admin) is None
    assert Access(sqlite_store, admin_token=ADMIN_TOKEN, secret_key=SECRET).check(by_admin) is not None


def test_signing_in_with_a_token_keeps_whose_session_it_is(service: Barograph) -> None:
    token = service.cli("token", "create", "--role", "viewer").stdout.strip()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    service.until(lambda: service.get("/api/v1/incidents", token=token).status == 200)
    answer = service.post("/sign-in", urlencode({"token": token}), token=None, headers=form)
    assert answer.status == 303, answer.text
    cookie = {"Cookie": str(answer.headers["Set-Cookie"].partition(";")[0])}
    assert service.get("/incidents", token=None, headers=cookie).status == 200
    listed = orjson.loads(service.cli("key", "list", "--json").stdout)
    name = next(row["id"] for row in listed if row["kind"] == "token")
    assert service.cli("key", "revoke", name).returncode == 0
    service.until(lambda: service.get("/incidents", token=None, headers=cookie).status == 303, 20)


async def test_the_log_names_a_route_and_not_the_key_in_its_path(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_request: web.Request) -> web.Response:
        raise RuntimeError("on purpose")

    broken = web.Application(middlewares=[shell])
    broken.router.add_post("/in/{source}/{key}", fail)
    with caplog.at_level(logging.WARNING):
        async with listening(broken) as address, aiohttp.ClientSession() as session:
            answer = await session.post(f"{address}/in/am/{KEY}", data=b"{}")
            assert answer.status == 503
    assert "/in/{source}/{key}" in caplog.text
    assert KEY not in caplog.text


# --- floods ---------------------------------------------------------------------------------------------------------


def test_a_form_is_small_and_a_form(service: Barograph) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    large = service.post("/sign-in", "token=" + "x" * 70_000, token=None, headers=form)
    assert large.status == 413
    assert service.post("/sign-in", "token=" + "x" * 60_000, token=None, headers=form).status == 401
    other = {"Content-Type": "multipart/form-data; boundary=b"}
    assert service.post("/sign-in", "--b--", token=None, headers=other).status == 400


async def test_a_form_that_does_not_come_is_not_waited_for(
    app: tuple[web.Application, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, address = app
    monkeypatch.setattr("service.pages.people.BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    fields = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 100")
    writer.write(head("/sign-in", *fields, key=None) + b"token=")
    await writer.drain()
    assert b" 400 " in await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    await writer.wait_closed()


async def test_bodies_of_strangers_are_bounded_in_all_and_leave_room_for_keys(
    app: tuple[web.Application, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    application, address = app
    monkeypatch.setattr(inbox, "MOST_UNPROVEN_BYTES", 512 * 1024)
    monkeypatch.setattr(inbox, "MOST_ARRIVING_BYTES", 2 * 1024 * 1024)
    body = b"[" + b" " * (1024 * 1024) + b"]"
    key = {"Authorization": "Bearer tests-github-key-0123456789abcdef0123456789"}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session:
        stranger = await session.post(f"{address}/in/signed", data=io.BytesIO(body))
        assert stranger.status == 503
        assert "Retry-After" in stranger.headers
        assert (await session.post(f"{address}/in/signed", data=io.BytesIO(body), headers=key)).status == 202
        assert (await session.post(f"{address}/in/signed", data=io.BytesIO(body * 3), headers=key)).status == 503
        assert (await session.post(f"{address}/in/signed", data=b"{}")).status == 401
    bodies = application[inbox.BODIES]
    assert (bodies.arriving, bodies.unproven) == (0, 0)


def test_headers_that_prove_who_sends_are_not_kept(service: Barograph) -> None:
    secrets = {
        "X-Webhook-Token": "a secret",
        "X-Webhook-Secret": "a secret",
        "Webhook-Signature": "a secret",
        "X-Event-Key": "a secret",
        "Ce-Authorization": "a secret",
    }
    receipt = service.send("hook", {"title": "x"}, HOOK_KEY, headers={**secrets, "Webhook-Id": "plain"})
    with closing(Store(f"sqlite:///{service.home / 'barograph.db'}")) as store, store.reading() as connection:
        query = sa.select(DELIVERY.c.headers).where(DELIVERY.c.id == int(receipt, 16))
        headers = connection.execute(query).scalar_one()
    assert headers["webhook-id"] == "plain"
    assert "a secret" not in headers.values()


# --- secrets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u@h/db?password=hunter2&host=x", "postgresql://u@h/db?password=…&host=x"),
        (
            "postgresql://u:hunter2@h/db?sslmode=require&sslpassword=hunter2",
            "postgresql://u:…@h/db?sslmode=require&sslpassword=…",
        ),
        ("postgresql://u:hunt@er2@h/db", "postgresql://u:…@h/db"),
        ("postgresql://u:hunt?er2@h/db", "postgresql://u:…@h/db"),
        ("postgresql://h/db?user=u&PassWord=hunter2", "postgresql://h/db?user=u&PassWord=…"),
        ("sqlite:///var/barograph.db", "sqlite:///var/barograph.db"),
    ],
)
def test_a_database_url_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert hide_password(url) == shown


def test_the_secret_key_is_whole_or_not_there(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: secret_key(settings_in(tmp_path)), range(8)))
    assert len(made) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["secret.key"]
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    for cut in (b"", b"x" * 31):
        (tmp_path / "secret.key").write_bytes(cut)
        with pytest.raises(SettingsError, match="fewer than 32"):
            secret_key(settings_in(tmp_path))


# --- answers --------------------------------------------------------------------------------------------------------


def test_open_metrics_are_open(service: Barograph) -> None:
    answer = service.get("/metrics", token=None)
    assert answer.status == 200
    assert "barograph_deliveries_waiting" in answer.text


def test_readings_are_walked_to_their_end_however_many_are_of_one_instant(service: Barograph) -> None:
    at = ago(minutes=30)
    sent = [
        {"reading": "wind_speed_m_s", "at": (at + timedelta(minutes=n // 8)).isoformat(), "value": n,
         "latitude": 38.6, "longitude": -121.5, "station": f"s{n}"}
        for n in range(30)
    ]  # fmt: skip
    service.read(service.send("hook", sent, HOOK_KEY))
    for limit in (3, 5, 8, 30):
        found: list[float] = []
        cursor = ""
        while cursor is not None:
            path = f"/api/v1/readings?variable=wind_speed_m_s&limit={limit}&cursor={cursor}"
            page = service.json(path)
            assert 0 < len(page["items"]) <= limit
            found += [item["value"] for item in page["items"]]
            cursor = page["next"]
        assert found == [float(n) for n in range(30)]
    assert service.get("/api/v1/readings?cursor=nonsense").status == 400


def test_a_verdict_answers_with_what_was_judged(service: Barograph) -> None:
    name = incident_of(service, alert("judged", ago(minutes=10)))["id"]
    hazard = {"key": "by-hand", "kind": "hazard", "title": "Heat", "event": "Heat Advisory", "status": "firing"}
    delivery = service.read(service.send("hook", hazard, HOOK_KEY))
    seen = delivery["events"][0]["occurrence"]
    assert service.post(f"/api/v1/incidents/{name}/links", {"occurrence": seen}).status == 201
    judged = service.post(f"/api/v1/incidents/{name}/links/{seen}/verdict", {"verdict": "confirmed"})
    assert judged.status == 200, judged.text
    assert judged.json()["occurrence"]["key"] == "by-hand"
    listed = service.json(f"/api/v1/incidents/{name}/links")["items"]
    assert judged.json() == next(link for link in listed if link["id"] == seen)


def test_a_delivery_says_how_many_events_it_holds_in_all(service: Barograph) -> None:
    many = [alert(f"many-{n}", ago(minutes=5), severity="info") for n in range(1100)]
    delivery = service.read(service.send("am", message(*many), KEY))
    assert (len(delivery["events"]), delivery["events_total"]) == (1000, 1100)


def test_the_tag_of_a_figure_is_of_what_it_shows(service: Barograph) -> None:
    name = incident_of(service, alert("drawn", ago(minutes=10)))["id"]
    path = (
        f"/api/v1/incidents/{name}/figure?from={ago(hours=1):%Y-%m-%dT%H:%M:%SZ}&to={ago(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    )
    for theme in ("light", "dark"):
        answer = service.get(f"{path}&theme={theme}")
        assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
        again = service.get(f"{path}&theme={theme}", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")


# --- streams --------------------------------------------------------------------------------------------------------


async def test_a_stream_that_comes_back_gets_all_that_it_missed(app: tuple[web.Application, str]) -> None:
    application, address = app
    store = application[STORE]
    with store.writing() as connection:
        first = Hub(store).last
        for n in range(2300):
            pulse(store, connection, [f"n{n}"], clock.now())
    wanted = {f"n{n}" for n in range(2300)}
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Last-Event-ID": str(first)}
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        answer = await session.get(f"{address}/api/v1/stream", headers=headers)
        async for line in answer.content:
            if line.startswith(b"data: "):
                wanted -= set(orjson.loads(line[6:])["topics"])
            if not wanted:
                break
        answer.close()


async def test_refusals_are_not_lost_when_they_cannot_be_written(app: tuple[web.Application, str]) -> None:
    application, address = app
    async with aiohttp.ClientSession() as session:
        for _ in range(3):
            assert (await session.post(f"{address}/in/am/{'x' * 40}", data=b"{}")).status == 401
    store = application[STORE]
    with store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE refusal RENAME TO elsewhere")
    with pytest.raises(sa.exc.OperationalError):
        await schedule._keep_house(application)
    with store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO refusal")
    await schedule._keep_house(application)
    with store.reading() as connection:
        counted = sa.select(sa.func.sum(REFUSAL.c.count)).where(REFUSAL.c.source == "am")
        assert connection.execute(counted).scalar() == 3


async def test_another_process_changes_what_a_key_may_do_within_seconds(app: tuple[web.Application, str]) -> None:
    application, _ = app
    access = application[ACCESS]
    found = access.recall(KEY)
    assert found is not None
    with application[STORE].writing() as connection:
        connection.execute(sa.update(KEYS).where(KEYS.c.id == found.key).values(revoked_at=clock.now()))
    for _ in range(400):
        if access.recall(KEY) is None and access.check(KEY) is None:
            return
        await asyncio.sleep(0.05)
    pytest.fail("the revoked key still posts")
