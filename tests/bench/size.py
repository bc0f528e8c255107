"""Size: intake, lists, timelines and figures beside millions of stored events, and beside fifty thousand."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import orjson

from incidents import instants
from incidents.store import Store
from service import clock
from tests.bench import bulk_history
from tests.bench.contenders import POSTGRESQL, SQLITE, Contender, postmaster, service, watched
from tests.bench.figures import get, milliseconds
from tests.bench.measured import Plan, Row, median, share
from tests.databases import MIGRATED, Cluster
from tests.servers import Barograph

LEAST, MOST_MS = 0.9, 300.0
"""The ratio of intake, and within what time a page must be there."""
TRIES = 15
CONNECTIONS = 64
SIZES = (1, 100)
PATIENCE = 600.0
PART = "13. Size: {events:,} events stored, beside {few:,}"


def measure(plan: Plan, cluster: Cluster) -> list[Row]:
    """On both databases: a service on a small history and one on a large, asked and sent to in turn."""
    rows: list[Row] = []
    for name in (SQLITE, POSTGRESQL):
        with _on(name, cluster, 1) as small, _on(name, cluster, plan.history) as large:
            rows += [*_intake(plan, name, large, small), *_pages(plan, name, large, small)]
    return rows


@contextmanager
def _on(name: str, cluster: Cluster, events: int) -> Iterator[Contender]:
    """The service on a history of this many events; its file or database is removed with the block."""
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
            bulk_history.fill(store, events, clock.now())
        running = Barograph(home, bulk_history.CONFIG, database_url=url)
        stack.callback(running.kill9)
        running.start(PATIENCE)
        yield watched(running, postgres)


def _intake(plan: Plan, name: str, large: Contender, small: Contender) -> Iterator[Row]:
    seen: dict[tuple[int, str, str], list[float]] = {}
    for number in range(plan.rounds):
        for size in SIZES:
            for which, contender in (("small", small), ("large", large)):
                load = contender.load(
                    alerts=size, connections=CONNECTIONS, seconds=plan.seconds, run=f"{which}{number}-{size}"
                )
                began = time.perf_counter()
                _until_read(contender)
                folded = load.seconds + time.perf_counter() - began
                alerts = load.acknowledged * size
                for what, value in (("acknowledged", alerts / load.seconds), ("folded", alerts / folded)):
                    seen.setdefault((size, what, which), []).append(value)
    for size in SIZES:
        for what in ("acknowledged", "folded"):
            values, beside = seen[size, what, "large"], seen[size, what, "small"]
            yield Row(
                _part(plan),
                f"{name}: alerts {what}, {size} a message",
                median(values),
                "/s",
                median(beside),
                "beside few",
                least_ratio=LEAST,
                rounds={"large": values, "small": beside},
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
            _part(plan),
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


def _part(plan: Plan) -> str:
    return PART.format(events=plan.history, few=bulk_history.IN_BLOCK)
