"""Durable intake while feeds hang, drip, burst and lead in circles, beside the same intake without a feed."""

from __future__ import annotations

import time
from contextlib import ExitStack

from tests import hostile
from tests.bench.contenders import SQLITE, Load, started
from tests.bench.measured import Plan, Row, median
from tests.bench.payloads import CONFIG
from tests.hostile import Feed

MOODS = ("hang", "drip", "bomb", "endless", "loop", "metadata", "many_members", "cut_gzip")
"""One feed of each, on a port of its own: as many are asked at once as one process ever asks."""
CONNECTIONS = 64
SIZE = 10
LEAST = 0.7
_PATIENCE = 30.0


def measure(plan: Plan) -> list[Row]:
    """Rounds with and without the feeds in turn, each on an empty store."""
    quiet: list[Load] = []
    beset: list[Load] = []
    asked: list[float] = []
    for _ in range(plan.rounds):
        quiet.append(_load(plan, ()))
        with ExitStack() as stack:
            feeds = tuple(stack.enter_context(hostile.feed()) for _ in MOODS)
            beset.append(_load(plan, feeds))
            asked.append(float(sum(len(feed.heard) for feed in feeds)))
    value, beside = (median([load.acknowledged / load.seconds for load in loads]) for loads in (beset, quiet))
    return [
        Row(
            part=f"1b. Intake beside {len(MOODS)} hostile feeds: {', '.join(MOODS).replace('_', ' ')}",
            what=f"{SQLITE}, {SIZE} alerts a message, {CONNECTIONS} connections",
            value=value,
            unit="/s",
            beside=beside,
            of="without a feed",
            least_ratio=LEAST,
            rounds={
                "messages a second": [load.acknowledged / load.seconds for load in beset],
                "without a feed": [load.acknowledged / load.seconds for load in quiet],
                "p99 ms": [load.p99 for load in beset],
                "p99 ms without a feed": [load.p99 for load in quiet],
                "refused": [float(load.refused) for load in beset],
                "askings of feeds": asked,
            },
        )
    ]


def _load(plan: Plan, feeds: tuple[Feed, ...]) -> Load:
    config = CONFIG + "".join(_source(mood, feed) for mood, feed in zip(MOODS, feeds, strict=False))
    with started(SQLITE, config=config, settings={"ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8"}) as contender:
        contender.load(alerts=SIZE, requests=CONNECTIONS, run="warm")
        ends = time.monotonic() + _PATIENCE
        while not all(feed.heard for feed in feeds) and time.monotonic() < ends:
            time.sleep(0.1)
        assert all(feed.heard for feed in feeds), "every feed is asked while the load runs"
        return contender.load(alerts=SIZE, connections=CONNECTIONS, seconds=plan.seconds, run="measured")


def _source(mood: str, feed: Feed) -> str:
    url = f"{feed.url}/{mood}"
    return f'\n[[sources]]\nname = "{mood.replace("_", "-")}"\nadapter = "generic_feed"\nevery = "1s"\nurl = "{url}"\n'
