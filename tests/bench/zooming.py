"""The round trip of a zoom: from asking for a window of a crowd to its figure, over HTTP and in a real browser."""

from __future__ import annotations

import random
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from incidents import instants
from incidents.store import Store
from service import clock
from tests import machine, window
from tests.bench import figures, filling
from tests.bench.measured import Plan, Row, cpu_seconds
from tests.bench.payloads import CONFIG
from tests.servers import ADMIN_TOKEN, Barograph

MOST_MS = 300.0
ALERTS = 100_000
"""What the target is about; a shorter run is not held against it."""
LENGTHS = (10, 30, 120, 600, 3600, 14_400)
"""Seconds of the windows: in the shorter ones alerts stand one by one, in the longer ones they are counted."""
EACH = 4
"""Windows of each length in a round."""
DRAW = """async (windows) => {
  const holder = document.querySelector("[data-figure]");
  const took = [];
  for (const [since, until] of windows) {
    const address = new URL(location.href);
    address.searchParams.set("from", since);
    address.searchParams.set("to", until);
    const drawn = new Promise((done) => holder.addEventListener("barograph:drawn", done, { once: true }));
    const began = performance.now();
    window.barograph.show(address.href);
    await drawn;
    took.push(performance.now() - began);
  }
  return took;
}"""


def measure(plan: Plan) -> list[Row]:
    """A store is filled, its windows are asked for, and it is removed."""
    home = Path(tempfile.mkdtemp(prefix="barograph-bench-"))
    alerts = max(plan.burst, 2 * figures.MARKS)
    since = clock.now().replace(microsecond=0) - filling.SPAN
    running = Barograph(home, CONFIG)
    running.start()
    try:
        with closing(Store(f"sqlite:///{home / 'barograph.db'}")) as store:
            incident = filling.fill(store, alerts, since)
        windows = list(_windows(since, plan.rounds * EACH))
        rows = [_served(running, incident, windows, alerts)]
        if path := machine.CHROMIUM.path():
            rows.append(_drawn(running, path, incident, windows, alerts))
        return rows
    finally:
        running.kill9()
        shutil.rmtree(home, ignore_errors=True)


def _windows(since: datetime, each: int) -> Iterator[tuple[datetime, datetime]]:
    chance = random.Random(5)
    for _ in range(each):
        for seconds in LENGTHS:
            latest = filling.SPAN.total_seconds() - seconds
            first = since + timedelta(seconds=chance.uniform(0, latest))
            yield first, first + timedelta(seconds=seconds)


def _served(running: Barograph, incident: str, windows: list[tuple[datetime, datetime]], alerts: int) -> Row:
    spent = cpu_seconds(running.pid)
    took = []
    for ends in windows:
        bounds = "&".join(f"{name}={quote(instants.text(at))}" for name, at in zip(("from", "to"), ends, strict=True))
        path = f"/api/v1/incidents/{incident}/figure?width={figures.WIDTH}&{bounds}"
        took.append(figures.milliseconds(lambda path=path: figures.get(running, path)))  # type: ignore[misc]  # path is text
    cost = (cpu_seconds(running.pid) - spent) * 1000 / len(windows)
    return _row("GET of a window's figure", took, alerts, cpu=f"{cost:.0f} ms a window")


def _drawn(
    running: Barograph, chromium: str, incident: str, windows: list[tuple[datetime, datetime]], alerts: int
) -> Row:
    with window.chromium(chromium) as browser, window.window(browser, viewport={"width": 1440, "height": 1000}) as one:
        one.context.set_default_timeout(120_000)
        page = one.open(f"{running.url}/incidents/{incident}", token=ADMIN_TOKEN)
        page.wait_for_selector(".figure .main-svg")
        took = page.evaluate(DRAW, [[instants.text(at) for at in ends] for ends in windows])
    return _row("a window asked for and drawn, Chromium", took, alerts)


def _row(what: str, took: list[float], alerts: int, cpu: str = "") -> Row:
    """The 95th percentile, beside the median."""
    return Row(
        "10. Zoom, 95 of 100 round trips",
        f"{what}, {alerts:,} alerts",
        statistics.quantiles(took, n=20)[-1],
        "ms",
        statistics.median(took),
        "the median",
        most_value=MOST_MS if alerts >= ALERTS else None,
        cpu=cpu,
        rounds={"ms": took},
    )
