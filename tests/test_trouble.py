"""Trouble: full and failing disks, paused processes, restarts, schemas that move on, clocks that jump, races."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from incidents import deliveries
from incidents.adapters import adapters
from incidents.deliveries import STAMP, UNREAD, Arrival
from incidents.entries import INCIDENT, OCCURRENCE
from incidents.ingest import Ingest, Worked
from incidents.pulses import pulse
from incidents.rebuild import rebuild, state_digest
from incidents.receipts import DeliveryIds
from incidents.store import IDLE_SECONDS, Store, is_away
from service import clock, hub
from service.hub import Hub
from tests import power
from tests.conftest import StartBarograph
from tests.pouring import Pouring, rename
from tests.senders import CONFIG, KEY, ago, alert, message
from tests.servers import ROOT
from tests.world import DAY, TWO_SITES, World, firing, instant, resolved

# --- disks ----------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_as_503_and_intake_comes_back_by_itself(shim: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with power.journalled(home, shim, CONFIG) as (service, _):
        service.start()
        trouble = home / "trouble"
        with Pouring([service]) as pouring:
            for _ in range(2):
                pouring.until(20)
                trouble.write_text("0")
                refused = len(pouring.others)
                service.until(lambda refused=refused: len(pouring.others) > refused + 10)  # type: ignore[misc]  # bound at once
                answer = service.post("/in/am", message(alert("full", ago(minutes=1))), token=KEY)
                assert answer.status == 503
                assert 1 <= int(answer.headers["Retry-After"]) <= 60
                assert service.get("/api/v1/incidents").status == 200, "what is there can be read"
                trouble.unlink()
            pouring.until(20)
        service.until(lambda: service.get("/readyz").status == 200)
        pouring.check(f"sqlite:///{home / 'barograph.db'}", service)


def test_every_nth_write_or_sync_that_fails_leaves_all_or_nothing(shim: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with power.journalled(home, shim, CONFIG) as (service, _):
        service.start()
        with Pouring([service]) as pouring:
            for nth in (2, 5, 11):
                pouring.until(8)
                (home / "trouble").write_text(str(nth))
                refused = len(pouring.others)
                service.until(lambda refused=refused: len(pouring.others) > refused + 5)  # type: ignore[misc]  # bound at once
                (home / "trouble").unlink()
            pouring.until(8)
        pouring.check(f"sqlite:///{home / 'barograph.db'}", service)


# --- processes ------------------------------------------------------------------------------------------------------


def test_a_process_that_is_paused_within_a_fold_holds_the_others_up_for_seconds(
    postgresql_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incidents.store.IDLE_SECONDS", 1)
    ids, ingest = DeliveryIds(), Ingest(postgresql_store, adapters())
    with postgresql_store.intake() as connection:
        deliveries.append(connection, [Arrival(ids.next(DAY), "any", DAY, {}, b"{}")])
    with closing(Store(postgresql_store.url.render_as_string(hide_password=False))) as other:

        def paused() -> None:
            with other.writing() as connection:
                assert deliveries.claim(connection, most=10, most_bytes=1 << 20)
                other.lock(connection, ["source:any"])
                began = time.monotonic()
                while not (turns and turns[-1]) and time.monotonic() - began < 10:
                    turns.append(ingest.work(TWO_SITES, DAY))
                    time.sleep(0.05)
                connection.execute(sa.select(1))

        turns: list[Worked | None] = []
        with pytest.raises(sa.exc.DBAPIError) as ended:
            paused()
        assert turns[0] is None, "it was claimed, and nobody waited for it"
        assert turns[-1] is not None, "it came back"
        assert turns[-1].deliveries == 1
        assert str(getattr(ended.value.orig, "sqlstate", "")) == "25P03"
        assert is_away(ended.value), "what it had claimed is nobody's fault"
    assert IDLE_SECONDS < 20


def test_a_paused_process_costs_nothing_and_goes_on(barograph: StartBarograph, postgresql_url: str) -> None:
    first = barograph(CONFIG, database_url=postgresql_url)
    second = barograph(CONFIG, database_url=postgresql_url)
    with Pouring([second]) as pouring:
        pouring.until(20)
        os.kill(first.pid, signal.SIGSTOP)
        try:
            pouring.until(40)
        finally:
            os.kill(first.pid, signal.SIGCONT)
        pouring.until(10)
    first.until(lambda: first.get("/readyz").status == 200, 5)
    pouring.check(postgresql_url, second)


def test_rolling_restarts_cost_no_delivery(barograph: StartBarograph, postgresql_url: str) -> None:
    services = [barograph(CONFIG, database_url=postgresql_url) for _ in range(2)]
    with Pouring(services) as pouring:
        for service in services:
            pouring.until(20)
            assert service.terminate() == 0
            service.start()
        pouring.until(20)
    pouring.check(postgresql_url, services[0])
    assert all("Traceback" not in service.log for service in services)


def test_several_processes_migrate_at_once_and_one_does(database_url: str) -> None:
    code = "import sys; from incidents.store import Store; Store(sys.argv[1]).migrate()"
    argv = [sys.executable, "-c", code, database_url]
    begun = [subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(3)]
    told = [each.communicate(timeout=60)[0] for each in begun]
    assert [each.returncode for each in begun] == [0] * 3, told
    with closing(Store(database_url)) as store, store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(OCCURRENCE)).scalar() == 0


# --- schemas --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "column"), [("event", "statement"), ("occurrence", "rest"), ("stamp", "losses")])
def test_a_schema_that_has_moved_on_quarantines_nothing(store: Store, table: str, column: str) -> None:
    world = World(store)
    world.at("10:00").alertmanager(firing("db-1"))
    body = world_body()
    with store.intake() as connection:
        deliveries.append(connection, [Arrival(DeliveryIds().next(DAY), "any", DAY, {}, body)])
    with store.writing() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME COLUMN {column} TO elsewhere")
    ingest = Ingest(store, adapters())
    with pytest.raises(sa.exc.DBAPIError):
        ingest.work(TWO_SITES, DAY)
    with store.writing() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(UNREAD)).scalar() == 1
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME COLUMN elsewhere TO {column}")
    worked = ingest.work(TWO_SITES, DAY)
    assert worked is not None
    with store.reading() as connection:
        assert set(connection.execute(sa.select(STAMP.c.state)).scalars()) == {"read"}


def world_body() -> bytes:
    """A body of the generic adapter."""
    return b'{"key": "k", "status": "firing", "title": "t", "starts_at": "2026-03-02T09:00:00Z"}'


def test_an_older_process_beside_a_newer_schema_takes_everything_and_reads_it_later(
    barograph: StartBarograph, postgresql_url: str
) -> None:
    service = barograph(CONFIG, database_url=postgresql_url)
    with Pouring([service]) as pouring:
        pouring.until(20)
        for table, column in (("event", "statement"), ("delivery", "headers")):
            rename(postgresql_url, table, column, "elsewhere")
            pouring.until(20)
            rename(postgresql_url, table, "elsewhere", column)
            pouring.until(20)
    service.until(lambda: service.json("/readyz")["status"] == "ready")
    pouring.check(postgresql_url, service)
    assert pouring.others == []


# --- clocks ---------------------------------------------------------------------------------------------------------


def test_receipts_grow_while_the_clock_jumps_back() -> None:
    ids = DeliveryIds()
    moments = [DAY, DAY + timedelta(seconds=1), DAY - timedelta(hours=1), DAY - timedelta(hours=1), DAY]
    found = [ids.next(at) for at in moments]
    assert found == sorted(set(found))


def test_a_clock_that_jumps_back_makes_no_negative_length(store: Store) -> None:
    world = World(store)
    world.at("10:00").alertmanager(firing("db-1", since="09:58"))
    world.now = instant("09:05")
    world.alertmanager(firing("db-2", since="09:04"), resolved("db-1", since="09:58", until="10:10"))
    world.at("10:20").alertmanager(resolved("db-2", since="09:04", until="10:15"))
    with store.reading() as connection:
        before = state_digest(connection)
        for row in connection.execute(sa.select(OCCURRENCE)):
            assert row.ends_at is None or row.starts_at <= row.ends_at
        for row in connection.execute(sa.select(INCIDENT)):
            assert row.first_starts_at <= row.last_ends_at
            assert row.since <= row.opened_at
    rebuild(store, TWO_SITES, DAY)
    with store.reading() as connection:
        assert state_digest(connection) == before


# --- readers --------------------------------------------------------------------------------------------------------


async def test_who_reads_on_by_cursor_misses_no_change_of_eight_writers(store: Store) -> None:
    each, writers = 40, 8
    told = Hub(store)
    ended = threading.Event()

    def write(number: int) -> None:
        for n in range(each):
            with store.writing() as connection:
                pulse(store, connection, [f"{number}-{n}"], clock.now())
                if not store.is_sqlite:
                    connection.exec_driver_sql("SELECT pg_sleep(0.001 * (random() * 3)::int)")

    def read_on() -> list[str]:
        last, seen = 0, []
        while True:
            over = ended.is_set()
            found = told.since(last, limit=7)
            seen += [topic for one in found for topic in one.topics]
            if found:
                last = found[-1].id
            elif over:
                return seen

    with ThreadPoolExecutor(writers + 3) as pool:
        readers = [pool.submit(read_on) for _ in range(3)]
        for done in [pool.submit(write, n) for n in range(writers)]:
            done.result()
        ended.set()
        wanted = sorted(f"{number}-{n}" for number in range(writers) for n in range(each))
        for reader in readers:
            assert sorted(reader.result()) == wanted, "none missed, none twice"


async def test_a_stream_that_nobody_reads_is_cut_off_and_costs_a_bounded_queue(sqlite_store: Store) -> None:
    told = Hub(sqlite_store)
    slow, quick = told.subscribe(), told.subscribe()
    for n in range(hub.MOST_BEHIND + 5):
        told._broadcast(hub.Pulse(n, ("incidents",)))
        if not quick.lagging:
            assert quick.queue.get_nowait() == hub.Pulse(n, ("incidents",))
    assert (slow.lagging, quick.lagging, told.subscribers) == (True, False, 1)
    assert slow.queue.qsize() <= hub.MOST_BEHIND
    left = [slow.queue.get_nowait() for _ in range(slow.queue.qsize())]
    assert left[-1] is None, "it is told to begin anew"


# --- races ----------------------------------------------------------------------------------------------------------


def test_sixty_four_who_say_the_same_at_once_are_one_alert_of_one_incident(
    barograph: StartBarograph, database_url: str
) -> None:
    service = barograph(CONFIG, database_url=database_url)
    rounds = 3

    with ThreadPoolExecutor(64) as pool:
        for number in range(rounds):
            told = message(alert(f"round-{number}", ago(minutes=5), datacenter="nowhere"))
            told |= {"groupKey": f"g{number}"}
            receipts = list(pool.map(lambda body: service.send("am", body, KEY), [told] * 64))
            assert len(set(receipts)) == 64
    service.until(lambda: service.json("/api/v1/sources")["items"][0]["unread"] == 0, 60)
    items = service.json("/api/v1/incidents")["items"]
    assert sorted(item["alerts"] for item in items) == [1] * rounds
    assert "deadlock" not in service.log
