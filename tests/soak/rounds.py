"""The rounds: each gives its figures, or raises AssertionError for what did not hold."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from incidents import schema
from incidents.pulses import PULSE, pulse
from incidents.store import Store
from service import clock
from service.hub import Hub
from tests import machine, power
from tests.bench import bulk_history
from tests.databases import EMPTY, MIGRATED, Cluster, cluster, migrate
from tests.pouring import Pouring
from tests.senders import CONFIG, KEY, ago, alert, head, message
from tests.servers import Barograph, Server
from tests.test_kill9 import THREADS, check, cut_power
from tests.test_power_cut import check_spool, lost, on_sqlite, spooled

KILLS, KILLED = 500, 100_000
CUTS = 2000
OUTAGES = 50
CYCLES = 100
HERD = 5000
RESTARTS = 50
STUCK = 100
ROWS, WRITERS, READERS = 100_000, 8, 20
EVENTS, EARLIER = 1_000_000, "0018"
"""Of the history that is migrated, and the schema before the first step that passes over whole tables."""


def share(values: list[float], part: float) -> float:
    """The value below which this part lies, in milliseconds."""
    ordered = sorted(values)
    return round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))], 1) if ordered else 0.0


@contextmanager
def serving(home: Path, **options: Any) -> Iterator[Barograph]:
    """A service, ended with the block."""
    home.mkdir(parents=True, exist_ok=True)
    service = Barograph(home, CONFIG, **options)
    try:
        yield service.start()
    finally:
        service.end()


def compiled(folder: Path) -> Path:
    """The shim of power cuts."""
    cc = machine.CC.path()
    assert cc, machine.needs([machine.CC])
    return power.compile_shim(cc, folder)


# --- kills and cuts -------------------------------------------------------------------------------------------------


def kills(folder: Path, seconds: float, url: str | None = None) -> dict[str, Any]:
    """Killed again and again while sixteen senders pour; as many times as some seconds for each allow."""
    count = max(1, min(KILLS, int(seconds / 4)))
    with serving(folder / "service", database_url=url) as service:
        pouring = cut_power(service, kills=count, acknowledged=count * KILLED // KILLS)
        check(service, pouring)
    told = {"kills": count, "acknowledged": len(pouring.receipts), "broken_off": pouring.repeated}
    return {**told, "senders": THREADS, "lost": 0}


def kills_postgresql(folder: Path, seconds: float) -> dict[str, Any]:
    """The same on PostgreSQL."""
    with cluster() as running:
        return kills(folder, seconds, running.url(running.make(EMPTY)))


def cuts(folder: Path, seconds: float) -> dict[str, Any]:
    """Power cuts at many moments of several runs."""
    shim, began, done, acknowledged, missing = compiled(folder), time.monotonic(), 0, 0, 0
    while done < CUTS and time.monotonic() - began < seconds:
        run = on_sqlite(folder / f"home-{done}", shim, posts=300)
        gone, count, told = lost(run, folder / "disk", cuts=500, seed=done)
        missing, done, acknowledged = missing + gone, done + count, acknowledged + told
    assert missing == 0
    return {"cuts": done, "acknowledged": acknowledged, "cuts_that_lost": missing}


def cuts_spool(folder: Path, seconds: float) -> dict[str, Any]:
    """The same of the spool."""
    shim, began, done, acknowledged = compiled(folder), time.monotonic(), 0, 0
    while done < CUTS and time.monotonic() - began < seconds:
        run = spooled(folder / f"home-{done}", shim, posts=300)
        acknowledged += check_spool(run, folder / "disk", cuts=500, seed=done)
        done += 500
    return {"cuts": done, "acknowledged": acknowledged, "cuts_that_lost": 0}


# --- databases and disks --------------------------------------------------------------------------------------------


class Timed(Pouring):
    """Senders who note how long each answer took."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.took: list[float] = []

    def _post(self, service: Server, name: str) -> bool:
        began = time.monotonic()
        done = super()._post(service, name)
        if done:
            self.took.append(time.monotonic() - began)
        return done


def outages(folder: Path, seconds: float) -> dict[str, Any]:
    """PostgreSQL stopped as by a crash, for up to some seconds, again and again."""
    chance, done = random.Random(1), 0
    held: list[int] = []
    emptied: list[float] = []
    during: list[float] = []
    with ExitStack() as stack:
        running: Cluster = stack.enter_context(cluster())
        url = running.url(running.make(MIGRATED))
        service = stack.enter_context(serving(folder / "service", database_url=url))
        pouring = stack.enter_context(Timed([service], threads=8, pause=0.02))
        began = time.monotonic()
        while done < OUTAGES and time.monotonic() - began < seconds:
            pouring.until(50)
            running.stop()
            first = len(pouring.took)
            time.sleep(chance.uniform(0.5, 4.0))
            during += pouring.took[first:]
            held.append(service.json("/readyz")["spool"]["deliveries"])
            running.start()
            back = time.monotonic()
            service.until(lambda: service.json("/readyz")["spool"]["deliveries"] == 0, 60)
            emptied.append(time.monotonic() - back)
            done += 1
        pouring.__exit__()
        pouring.check(url, service, 300)
    return {
        "outages": done,
        "acknowledged": len(pouring.receipts),
        "answered_503": len(pouring.others),
        "spooled_most": max(held),
        "ms_while_away_p50": share(during, 0.5),
        "ms_while_away_p99": share(during, 0.99),
        "emptied_s_most": round(max(emptied), 1),
        "lost": 0,
    }


def full(folder: Path, seconds: float) -> dict[str, Any]:
    """A disk that fills up and is freed, again and again."""
    began, done = time.monotonic(), 0
    back: list[float] = []
    home = folder / "home"
    with power.journalled(home, compiled(folder), CONFIG) as (service, _):
        service.start()
        with Pouring([service]) as pouring:
            while done < CYCLES and time.monotonic() - began < seconds:
                pouring.until(10)
                (home / "trouble").write_text("0")
                refused = len(pouring.others)
                service.until(lambda refused=refused: len(pouring.others) > refused + 5, 60)  # type: ignore[misc]  # bound at once
                (home / "trouble").unlink()
                freed = time.monotonic()
                pouring.until(1)
                back.append(time.monotonic() - freed)
                done += 1
        told = Counter(pouring.others)
        pouring.check(f"sqlite:///{home / 'barograph.db'}", service)
    assert set(told) == {503}
    return {
        "cycles": done,
        "acknowledged": len(pouring.receipts),
        "refused": told[503],
        "back_ms_p99": share(back, 0.99),
    }


# --- connections and restarts ---------------------------------------------------------------------------------------


def herd(folder: Path, seconds: float) -> dict[str, Any]:
    """Thousands of new connections within seconds, each for one alert."""
    statuses: Counter[Any] = Counter()
    took: list[float] = []

    async def one(port: int, number: int, begin: float) -> None:
        await asyncio.sleep(max(0.0, begin - time.monotonic()))
        body = json.dumps(message(alert(f"h{number}", starts_at))).encode()
        began = time.monotonic()
        try:
            async with asyncio.timeout(60):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(head("/in/am", f"Content-Length: {len(body)}", "Connection: close") + body)
                line = await reader.readline()
                writer.close()
            statuses[int(line.split()[1])] += 1
        except (OSError, IndexError, TimeoutError) as error:
            statuses[type(error).__name__] += 1
        took.append(time.monotonic() - began)

    async def all_of_them(port: int) -> None:
        begin = time.monotonic()
        await asyncio.gather(*(one(port, n, begin + 2 * n / HERD) for n in range(HERD)))

    starts_at = ago(minutes=5)
    with serving(folder / "service") as service:
        asyncio.run(all_of_them(service.port))
        assert set(statuses) <= {202, 503}, statuses
        assert "Too many open files" not in service.log
    del seconds
    return {"connections": HERD, "answers": {str(k): v for k, v in statuses.items()}, "ms_p99": share(took, 0.99)}


def restarts(folder: Path, seconds: float) -> dict[str, Any]:
    """Two processes on one PostgreSQL, restarted in turn while senders go to whichever answers."""
    done = 0
    ended: list[float] = []
    with ExitStack() as stack:
        running: Cluster = stack.enter_context(cluster())
        url = running.url(running.make(MIGRATED))
        services = [stack.enter_context(serving(folder / f"{n}", database_url=url)) for n in range(2)]
        began = time.monotonic()
        with Pouring(services, threads=6, pause=0.02) as pouring:
            while done < RESTARTS and time.monotonic() - began < seconds:
                pouring.until(20)
                service = services[done % 2]
                asked = time.monotonic()
                assert service.terminate() == 0
                ended.append(time.monotonic() - asked)
                service.start()
                done += 1
        pouring.check(url, services[0], 300)
    told = dict(Counter(pouring.others))
    return {"restarts": done, "acknowledged": len(pouring.receipts), "others": told, "end_ms_most": share(ended, 1)}


def stuck(folder: Path, seconds: float) -> dict[str, Any]:
    """SIGTERM while a hundred senders have sent half a body."""
    del seconds
    with serving(folder / "service") as service, ExitStack() as stack:
        for _ in range(STUCK):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=30))
            half.sendall(head("/in/am", "Content-Length: 1000") + b"{")
        assert service.send("am", message(alert("whole", ago(minutes=1))), KEY)
        began = time.monotonic()
        assert service.terminate() == 0
        took = time.monotonic() - began
    assert took < 12
    return {"stuck": STUCK, "ended_after_s": round(took, 1)}


# --- schemas --------------------------------------------------------------------------------------------------------


def migrations(folder: Path, seconds: float) -> dict[str, Any]:
    """A long history taken back to an earlier schema and brought up again: how long each step holds the tables."""
    figures: dict[str, Any] = {"events": min(EVENTS, int(seconds * EVENTS / 600))}
    later = sorted(step for step in schema.steps() if step > EARLIER)
    with cluster() as running:
        for name, url in (("sqlite", f"sqlite:///{folder}/m.db"), ("postgresql", running.url(running.make(MIGRATED)))):
            migrate(url)
            with closing(Store(url)) as store:
                bulk_history.fill(store, figures["events"], clock.now())
                store.unmake(EARLIER)
                figures[name] = {step: _seconds(partial(store.migrate, step)) for step in later}
    return figures


def _seconds(act: Callable[[], None]) -> float:
    began = time.monotonic()
    act()
    return round(time.monotonic() - began, 1)


# --- reading on, and backups ----------------------------------------------------------------------------------------


def tailing(folder: Path, seconds: float) -> dict[str, Any]:
    """Eight writers, twenty who read on by cursor and now and then begin at theirs again; on both databases."""
    figures: dict[str, Any] = {}
    with cluster() as running:
        for name, url in (("sqlite", f"sqlite:///{folder}/t.db"), ("postgresql", running.url(running.make(MIGRATED)))):
            migrate(url)
            with closing(Store(url, readers=READERS + WRITERS)) as store:
                figures[name] = asyncio.run(_tail(store, seconds / 2))
    return figures


async def _tail(store: Store, seconds: float) -> dict[str, Any]:
    told, ended, until = Hub(store), threading.Event(), time.monotonic() + seconds

    def write(number: int) -> int:
        for n in range(ROWS // WRITERS):
            if time.monotonic() > until:
                return n
            with store.writing() as connection:
                pulse(store, connection, [f"{number}-{n}"], clock.now())
        return ROWS // WRITERS

    def read_on(number: int) -> Counter[str]:
        last, seen, chance = 0, Counter[str](), random.Random(number)
        while True:
            over = ended.is_set()
            found = told.since(last, limit=chance.randint(1, 500))
            if found and chance.random() < 0.1:
                continue  # cut off before it could use them: the cursor is where it was
            seen.update(topic for one in found for topic in one.topics)
            last = found[-1].id if found else last
            if not found:
                if over:
                    return seen
                time.sleep(0.01)

    def work() -> dict[str, Any]:
        with ThreadPoolExecutor(WRITERS + READERS) as pool:
            readers = [pool.submit(read_on, n) for n in range(READERS)]
            written = [done.result() for done in [pool.submit(write, n) for n in range(WRITERS)]]
            ended.set()
            wanted = Counter(f"{number}-{n}" for number, count in enumerate(written) for n in range(count))
            assert all(reader.result() == wanted for reader in readers), "missed or repeated"
        return {"rows": sum(written), "readers": READERS, "missed": 0, "repeated": 0}

    found = await asyncio.to_thread(work)
    with store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(PULSE)).scalar() == found["rows"]
    return found
