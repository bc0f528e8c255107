"""The round of three processes behind two balancers: killed, paused and restarted at random while senders pour."""

from __future__ import annotations

import random
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from service import clock
from tests.databases import MIGRATED, cluster
from tests.pouring import Pouring
from tests.replicas import TOLD, Replicas, paused, replicas
from tests.senders import CONFIG
from tests.servers import Barograph

MOST = 300
"""Troubles of one round."""
THREADS = 8
PAUSE_SECONDS = (1.0, 6.0)


def troubles(folder: Path, seconds: float) -> dict[str, Any]:
    """One trouble after the other; each is a line of the log: when, what, which, and how much was acknowledged."""
    chance, log, done = random.Random(19), [], Counter[str]()
    with ExitStack() as stack:
        database = stack.enter_context(cluster())
        url = database.url(database.make(MIGRATED))
        running: Replicas = stack.enter_context(replicas(folder, url, CONFIG))
        began = time.monotonic()
        with Pouring(running.balancers, threads=THREADS, pause=0.01) as pouring:
            while sum(done.values()) < MOST and time.monotonic() - began < seconds:
                which, what = chance.randrange(3), chance.choice(tuple(_TROUBLES))
                pouring.until(20)
                log.append(f"{clock.now():%H:%M:%S} {what} {which}, {len(pouring.receipts)} acknowledged")
                _TROUBLES[what](running.services[which], pouring, chance)
                done[what] += 1
            pouring.until(20)
        pouring.check(url, running.services[0], 300, told=TOLD)
        streams = [service.get("/readyz").status for service in running.services]
        assert streams == [200] * 3
        assert all("Traceback" not in service.log for service in running.services)
    return {
        **done,
        "acknowledged": len(pouring.receipts),
        "others": dict(Counter(str(status) for status in pouring.others)),
        "broken_off": pouring.broken,
        "lost": 0,
        "twice": 0,
        "log": log,
    }


def _kill(service: Barograph, pouring: Pouring, _: random.Random) -> None:
    service.kill9()
    pouring.until(10)
    service.start(120)


def _pause(service: Barograph, pouring: Pouring, chance: random.Random) -> None:
    with paused(service):
        time.sleep(chance.uniform(*PAUSE_SECONDS))
    pouring.until(1)


def _restart(service: Barograph, pouring: Pouring, _: random.Random) -> None:
    assert service.terminate() == 0
    pouring.until(10)
    service.start(120)


_TROUBLES = {"kill": _kill, "pause": _pause, "restart": _restart}
