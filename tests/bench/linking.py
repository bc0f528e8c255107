"""How long it takes to judge an incident against a long record, and to find the sites of a national document."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from incidents.config import Config
from incidents.entries import ENTRY, Changes, Draft, read_incident
from incidents.geography.places import relation
from incidents.grouping import Change
from incidents.lanes import lane_of
from incidents.linker import reading_counts
from incidents.linker.linking import Linking
from incidents.linker.reach import SiteIndex
from incidents.model import Incident
from incidents.statements import READING, write_occurrences
from incidents.store import Store
from tests.bench import skies
from tests.bench.measured import Plan, Row, median
from tests.databases import Cluster, cluster

PART = "8. Links"
MOST_MS = 50.0
MOST_SECONDS = 2.0
ALERTS, SITES = 400, 1000
_TRIES = 5
CONFIG = Config(sites=(skies.SITE,))


def measure(plan: Plan) -> list[Row]:
    """Each database filled once; every judgement is rolled back, so that each finds the incident as new."""
    with tempfile.TemporaryDirectory(prefix="barograph-bench-") as folder, cluster() as running:
        rows = [_judged(plan, name, url) for name, url in _stores(folder, running)]
    return [*rows, _matched(plan)]


def _stores(folder: str, running: Cluster) -> Iterator[tuple[str, str]]:
    yield "SQLite", f"sqlite:///{Path(folder) / 'links.db'}"
    yield "PostgreSQL", running.url(running.make("template0"))


def _judged(plan: Plan, name: str, url: str) -> Row:
    with closing(Store(url)) as store:
        store.migrate()
        fill(store, plan.warnings, plan.hours)
        judged = [_milliseconds(lambda: judge(store)) for _ in range(plan.rounds * _TRIES + 1)][1:]
        with _undone(store) as changes:
            found = _linked(changes)
    return Row(
        PART,
        f"an incident judged beside {plan.warnings:,} warnings and {plan.hours:,} readings, {name}",
        median(judged),
        "ms",
        most_value=MOST_MS,
        cpu=f"{found} links proposed",
        rounds={"ms": judged},
    )


def fill(store: Store, warnings: int, hours: int) -> None:
    """Warnings and readings into the product's own tables, and one incident that begins at the end of them."""
    batch: list[Change] = []
    with store.writing() as connection:
        for seen in skies.warnings(warnings):
            batch.append(Change(None, seen, lane_of(seen)))
            if len(batch) == 5000:
                write_occurrences(connection, batch)
                batch.clear()
        write_occurrences(connection, batch)
        rows = [
            {
                "digest": f"{n:064x}", "source": "station", "variable": r.variable, "at": r.at, "value": r.value,
                "latitude": r.latitude, "longitude": r.longitude, "station": r.station, "provisional": False,
                "basis": "observed", "credit": None, "recorded_at": r.at + timedelta(minutes=5), "delivery_id": 0,
            }
            for n, r in enumerate(skies.readings(hours))
        ]  # fmt: skip
        for start in range(0, len(rows), 5000):
            connection.execute(sa.insert(READING), rows[start : start + 5000])
            reading_counts.count(connection, rows[start : start + 5000])
        changes = Changes(store, connection, skies.UNTIL)
        params = {"title": "Ashburn: UPS on battery", "severity": "critical", "group": "site:iad", "sites": ["iad"]}
        changes.open(Draft("", "opened", params, "user:alice", skies.UNTIL), "incident")
        changes.settle()
    if not store.is_sqlite:
        with store.writing() as connection:
            connection.execute(sa.text("ANALYZE"))


def judge(store: Store) -> None:
    """Find, weigh and write all links of the incident, and undo it."""
    with _undone(store) as changes:
        Linking(CONFIG, changes).relink_incidents([_incident(changes)])


def _linked(changes: Changes) -> int:
    Linking(CONFIG, changes).relink_incidents([_incident(changes)])
    count = sa.select(sa.func.count()).where(ENTRY.c.kind == "link_proposed")
    return int(changes.connection.execute(count).scalar_one())


def _incident(changes: Changes) -> Incident:
    incident = read_incident(changes.connection, "incident")
    assert incident
    return incident


@contextmanager
def _undone(store: Store) -> Iterator[Changes]:
    with store.writing() as connection:
        step = connection.begin_nested()
        yield Changes(store, connection, skies.UNTIL)
        step.rollback()


def _matched(plan: Plan) -> Row:
    """The sites of a document of warnings: keys first, then the outlines of what shares one."""
    sites, alerts = skies.sites(SITES), list(skies.warnings(ALERTS))
    pairs: list[int] = []

    def match() -> None:
        index = SiteIndex(sites)
        pairs.append(sum(relation(site, seen.area) is not None for seen in alerts for site in index.may_meet(seen)))

    taken = [_milliseconds(match) / 1000 for _ in range(plan.rounds)]
    every = [relation(site, seen.area) is not None for seen in alerts[: ALERTS // 20] for site in sites]
    assert sum(every) > 0
    return Row(
        PART,
        f"the sites of {ALERTS} warnings found among {SITES:,}",
        median(taken),
        "s",
        most_value=MOST_SECONDS,
        cpu=f"{pairs[0]:,} pairs meet",
        rounds={"s": taken},
    )


def _milliseconds(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return (time.perf_counter() - began) * 1000
