"""Size: lists, timelines and figures on millions of stored events beside fifty thousand, and intake beside none."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import orjson

from incidents import instants
from incidents.store import Store
from service import clock
from tests.bench import bulk_history, report
from tests.bench.contenders import POSTGRESQL, Contender, postmaster, service, started, watched
from tests.bench.figures import get, milliseconds
from tests.bench.measured import Plan, Row, median, share
from tests.databases import MIGRATED, Cluster
from tests.servers import Barograph

LEAST, MOST_MS, MOST_MIB = 0.9, 300.0, 400.0
"""The ratio of intake, within what time a page must be there, and the most memory."""
TRIES = 15
CONNECTIONS = 64
SIZES = (1, 100)
PATIENCE = 600.0
PART = "13. Size: {events:,} events stored, pages beside {few:,}, intake beside none"


def measure(plan: Plan, cluster: Cluster) -> list[Row]:
    """Of each database: a service on a large history beside one on a small for pages, beside an empty one for intake.

    Pages come first: what intake adds to one would be of another size than what it adds to the other.
    """
    rows: list[Row] = []
    for name in plan.databases:
        found = _measure(plan, cluster, name)
        if name != plan.databases[-1]:  # a run of hours that breaks off has shown what it had
            print(report.table(found), file=sys.stderr, flush=True)
        rows += found
    return rows


def _measure(plan: Plan, cluster: Cluster, name: str) -> list[Row]:
    rows: list[Row] = []
    with _on(name, cluster, plan.history) as (large, filled):
        rows.append(filled)
        with _on(name, cluster, 1) as (small, _):
            rows += _pages(plan, name, large, small)
        with started(name, cluster, config=bulk_history.CONFIG) as empty:
            rows += _intake(plan, name, large, empty)
    return [replace(row, part=PART.format(events=plan.history, few=bulk_history.IN_BLOCK)) for row in rows]


@contextmanager
def _on(name: str, cluster: Cluster, events: int) -> Iterator[tuple[Contender, Row]]:
    """The service on a history of this many events, and how long that took to fill; all is removed with the block."""
    home = Path(tempfile.mkdtemp(prefix="barograph-bench-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        url, postgres = f"sqlite:///{home / 'barograph.db'}", 0
        if name == POSTGRESQL:
            database = cluster.make(MIGRATED)
            stack.callback(cluster.drop, database)
            url, postgres = cluster.url(database), postmaster(cluster)
        with contextlib.closing(Store(url)) as store:
            store.migrate()
            began = time.perf_counter()
            stored = bulk_history.fill(store, events, clock.now())
            filled = time.perf_counter() - began
            gib = bulk_history.stored_bytes(store) / 2**30
        running = Barograph(home, bulk_history.CONFIG, database_url=url)
        stack.callback(running.kill9)
        running.start(PATIENCE)
        what = f"{name}: {stored:,} events filled in past intake"
        yield watched(running, postgres), Row("", what, filled, "s", cpu=f"{gib:.1f} GiB")


def _intake(plan: Plan, name: str, large: Contender, empty: Contender) -> Iterator[Row]:
    seen: dict[tuple[int, str, str], list[float]] = defaultdict(list)
    for contender in (empty, large):
        contender.load(alerts=1, requests=300, run="warm")
        _until_read(contender)
    for number in range(plan.rounds):
        for size in SIZES:
            for which, contender in (("empty", empty), ("large", large)):
                began = contender.cpu()
                load = contender.load(
                    alerts=size,
                    connections=CONNECTIONS,
                    requests=plan.storm // size,
                    seconds=plan.seconds,
                    run=f"{which}{number}-{size}",
                )
                since = time.perf_counter()
                _until_read(contender)
                folded, alerts = load.seconds + time.perf_counter() - since, load.acknowledged * size
                cost = (contender.cpu() - began) / alerts * 1e6
                for what, value in (
                    ("acknowledged", alerts / load.seconds),
                    ("folded", alerts / folded),
                    ("CPU µs", cost),
                    ("MiB", contender.memory()),
                ):
                    seen[size, what, which].append(value)
    for size in SIZES:
        costs = [median(seen[size, "CPU µs", which]) for which in ("large", "empty")]
        for what in ("acknowledged", "folded"):
            values, beside = seen[size, what, "large"], seen[size, what, "empty"]
            yield Row(
                "",
                f"{name}: alerts {what}, {size} a message",
                median(values),
                "/s",
                median(beside),
                "an empty store",
                least_ratio=LEAST,
                cpu="{:.0f} µs an alert, folded; {:.0f} on an empty store".format(*costs),
                rounds={"large": values, "empty": beside},
            )
    held = [max(v for s in SIZES for v in seen[s, "MiB", which]) for which in ("large", "empty")]
    yield Row(
        "",
        f"{name}: memory of all processes after a load",
        held[0],
        "MiB",
        held[1],
        "an empty store",
        most_value=MOST_MIB,
    )


def _until_read(contender: Contender) -> None:
    """Wait until nothing is unread; what the worker holds while it folds counts as well."""
    running = service(contender)
    names = ("barograph_deliveries_unread ",)

    def is_read() -> bool:
        lines = running.get("/metrics").text.splitlines()
        return all(float(line.split()[-1]) == 0 for line in lines if line.startswith(names))

    running.until(is_read, PATIENCE)


def _pages(plan: Plan, name: str, large: Contender, small: Contender) -> Iterator[Row]:
    for what, path in _paths():
        (values, cost), (beside, least) = (_asked(plan, contender, path(contender)) for contender in (large, small))
        yield Row(
            "",
            f"{name}: {what}",
            median(values),
            "ms",
            median(beside),
            "beside few",
            most_value=MOST_MS,
            cpu=f"{cost:.1f} ms, {least:.1f} beside few; p95 {share(sorted(values), 0.95):.0f} ms",
            rounds={"large ms": values, "small ms": beside},
        )


def _asked(plan: Plan, contender: Contender, path: str) -> tuple[list[float], float]:
    """How long each asking took, the first left out, and the CPU ms that one cost."""
    running, tries = service(contender), TRIES if plan.rounds > 1 else 3
    get(running, path)
    before = contender.cpu()
    took = [milliseconds(lambda: get(running, path)) for _ in range(tries)]
    return took, (contender.cpu() - before) / tries * 1000


def _paths() -> list[tuple[str, Callable[[Contender], str]]]:
    """What is asked, each as a path on one of the two: incidents have names of their own on each."""
    api, now = "/api/v1", clock.now()
    since, until = quote(instants.text(now - timedelta(days=90))), quote(instants.text(now))

    def of_incident(rest: str, start: str = api) -> Callable[[Contender], str]:
        return lambda contender: f"{start}/incidents/{_incident(contender)}{rest}"

    def always(path: str) -> Callable[[Contender], str]:
        return lambda _contender: path

    return [
        ("list, first page", always(f"{api}/incidents?limit=50")),
        ("list, a page far back", _far_back),
        ("list, open ones", always(f"{api}/incidents?status=open&limit=50")),
        ("list, of one site", always(f"{api}/incidents?site=s07&limit=50")),
        ("list, found by a word", always(f"{api}/incidents?q=unreachable&limit=50")),
        ("occurrences on now", always(f"{api}/occurrences?kind=alert&limit=50&active_at={until}")),
        ("deliveries, newest", always(f"{api}/deliveries?limit=50")),
        ("one incident", of_incident("")),
        ("its timeline", of_incident("/timeline?limit=500")),
        ("its figure", of_incident("/figure?width=1392")),
        ("its page", of_incident("", "")),
        ("page: now", always("/")),
        ("page: incidents", always("/incidents")),
        ("page: sources", always("/sources")),
        ("page: review, 90 days", always(f"/review?from={since}&to={until}")),
        ("page: review, all", always("/review")),
    ]


def _incident(contender: Contender) -> str:
    """One of the newest of the history."""
    items = orjson.loads(get(service(contender), "/api/v1/incidents?site=s07&limit=1"))["items"]
    return str(items[0]["id"])


def _far_back(contender: Contender) -> str:
    """The page of lists after forty others."""
    cursor, path = "", "/api/v1/incidents?limit=50"
    for _ in range(40):
        following = orjson.loads(get(service(contender), path + cursor))["next"]
        if following is None:
            break
        cursor = f"&cursor={quote(following)}"
    return path + cursor
