"""The figure of an incident by how much is stored, and what composing and exporting it takes."""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import orjson

from dashboards import chartfiles, sentences, svg
from dashboards.figure import incident_figure
from dashboards.scene import compose
from incidents import configured, instants
from incidents.store import Store
from incidents.tables import micros
from incidents.views import crowds, incident_view
from incidents.views.incident_view import Asked
from incidents.views.view import IncidentView
from service import clock
from tests.bench import filling
from tests.bench.measured import Plan, Row, cpu_seconds, median
from tests.bench.payloads import CONFIG
from tests.servers import ADMIN_TOKEN, Barograph

MOST = 1.3
TARGET_EVENTS = 1_000_000
"""What the target is about; a shorter run is not held against it."""
MARKS = 5_000
WIDTH = 1392
LEAD = timedelta(minutes=10)
AGGREGATION = """
SELECT occurrence.lane, occurrence.severity, occurrence.starts_at - occurrence.starts_at % :width AS bin, count(*)
FROM occurrence JOIN member ON member.occurrence_id = occurrence.id
WHERE member.incident_id = :incident AND member.joined IS 1 AND occurrence.starts_at BETWEEN :since AND :until
GROUP BY occurrence.lane, occurrence.severity, bin
"""
"""What counting the alerts of a window takes where no counts are kept, for the driver alone."""
_TRIES = 5
"""Figures in each round; no more are asked for after `_SECONDS`, so that of very slow ones there is only one."""
_SECONDS = 20.0
_PATIENCE = 300.0
"""Seconds that one figure may take."""


def measure(plan: Plan) -> list[Row]:
    """Each store is filled, measured over HTTP and in process, and removed."""
    rows: list[Row] = []
    for events in plan.stored:
        home = Path(tempfile.mkdtemp(prefix="barograph-bench-"))
        try:
            rows += _stored(plan, home, events)
        finally:
            shutil.rmtree(home, ignore_errors=True)
    return sorted(rows, key=lambda row: row.part)


def _stored(plan: Plan, home: Path, events: int) -> list[Row]:
    file = home / "barograph.db"
    since = clock.now().replace(microsecond=0) - filling.SPAN
    running = Barograph(home, CONFIG)
    running.start()
    try:
        with closing(Store(f"sqlite:///{file}")) as store:
            incident = filling.fill(store, events, since)
            window = (since - LEAD, since + filling.SPAN)
            rows = [_figure(plan, running, store, incident, window=window, events=events)]
            if events == MARKS:
                rows += _composing(plan, view_of(store, incident, window))
    finally:
        running.kill9()
    return rows


def _figure(
    plan: Plan, running: Barograph, store: Store, incident: str, *, window: tuple[datetime, datetime], events: int
) -> Row:
    """GET of the figure, in turn with the bare aggregation above the bound of marks, else with the same in process."""
    bounds = "&".join(f"{name}={quote(instants.text(at))}" for name, at in zip(("from", "to"), window, strict=True))
    path = f"/api/v1/incidents/{incident}/figure?width={WIDTH}&{bounds}"
    is_binned = events > crowds.MARKS
    bare = (
        aggregation(store, incident, window)
        if is_binned
        else lambda: orjson.dumps(incident_figure(view_of(store, incident, window), width=WIDTH))
    )
    ours: list[float] = []
    floor: list[float] = []
    cost: list[float] = []
    until = time.perf_counter() + _SECONDS
    while len(ours) < plan.rounds * _TRIES and (not ours or time.perf_counter() < until):
        spent = cpu_seconds(running.pid)
        ours.append(milliseconds(lambda: get(running, path)))
        cost.append((cpu_seconds(running.pid) - spent) * 1000)
        floor.append(milliseconds(bare))
    return Row(
        "5. GET of the figure, SQLite",
        f"{events:,} events",
        median(ours),
        "ms",
        median(floor),
        "bare SQL aggregation" if is_binned else "the same in process",
        most_ratio=MOST if events == TARGET_EVENTS else None,
        cpu=f"{statistics.mean(cost):.0f} ms a figure",
        rounds={"figure ms": ours, "beside ms": floor},
    )


def get(running: Barograph, path: str) -> bytes:
    """The body of this path."""
    with closing(HTTPConnection("127.0.0.1", running.port, timeout=_PATIENCE)) as connection:
        connection.request("GET", path, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
        answer = connection.getresponse()
        body = answer.read()
    assert answer.status == 200, body[:500]
    return body


def aggregation(
    store: Store, incident: str, window: tuple[datetime, datetime]
) -> Callable[[], list[tuple[str, int, int, int]]]:
    """The bare aggregation, ready to be run again and again on a connection of its own."""
    since, until = window
    asked = {
        "incident": incident,
        "since": micros(since),
        "until": micros(until),
        "width": crowds.bin_seconds(since, until) * 1_000_000,
    }
    connection = sqlite3.connect(store.url.database or "")
    connection.execute("PRAGMA cache_size=-65536")
    return lambda: connection.execute(AGGREGATION, asked).fetchall()


def view_of(store: Store, incident: str, window: tuple[datetime, datetime]) -> IncidentView:
    with store.reading() as connection:
        config = configured.load(connection)
        asked = Asked(clock.now(), since=window[0], until=window[1])
        view = incident_view.gather(connection, config, incident, asked, sentences.sentence)
    assert view, "the incident is there"
    return view


def _composing(plan: Plan, view: IncidentView) -> list[Row]:
    drawing = svg.incident_svg(view)
    steps: tuple[tuple[str, str, Callable[[], object]], ...] = (
        ("layout", "layout in pixels", lambda: compose(view, width=WIDTH)),
        ("figure", "Plotly figure as JSON", lambda: orjson.dumps(incident_figure(view, width=WIDTH))),
        ("SVG", "SVG for A4", lambda: svg.incident_svg(view)),
        ("PNG", "PNG of that SVG", lambda: chartfiles.png(drawing, scale=2)),
    )
    seen: dict[str, list[float]] = {name: [] for name, _, _ in steps}
    for _ in range(max(3, plan.rounds)):
        for name, _, step in steps:
            seen[name].append(milliseconds(step))
    part = f"6. Composing {len(view.bars):,} marks, in process"
    return [
        Row(part, what, median(seen[name]), "ms", None if name == "layout" else median(seen["layout"]), "layout",
            rounds={"ms": seen[name]})
        for name, what, _ in steps
    ]  # fmt: skip


def milliseconds(step: Callable[[], object]) -> float:
    """How long a step takes."""
    began = time.perf_counter()
    step()
    return (time.perf_counter() - began) * 1000
