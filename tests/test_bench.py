"""The measurements measure what they say: messages are read, rows are the product's, the report is right."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dashboards import sentences
from incidents.adapters import adapters
from incidents.config import Config
from incidents.entries import ENTRY, INCIDENT
from incidents.model import Delivery, Event, Match, Site
from incidents.rebuild import rebuild, state_digest
from incidents.store import Store
from incidents.views import crowds, finding, incident_view, lists
from incidents.views.incident_view import Asked
from tests.bench import figures, filling, reading, report
from tests.bench.measured import QUICK, Row, cpu_seconds, share
from tests.bench.payloads import Messages
from tests.servers import ROOT, Server, free_port

SINCE = datetime(2026, 11, 20, 6, tzinfo=UTC)
"""Long ago enough for every alert to be over."""


@pytest.mark.parametrize("size", [1, 10, 100])
def test_every_alert_of_every_message_is_a_new_one(size: int) -> None:
    messages = [Messages(size, "one"), Messages(size, "one"), Messages(size, "other")]
    bodies = [messages[0].body(0), messages[1].body(1), messages[2].body(0)]
    received = [Delivery("am", body, SINCE) for body in bodies]
    said = [event for one in received for event in adapters()["alertmanager"].normalise(one)]
    assert all(isinstance(event, Event) for event in said)
    assert len({event.key for event in said if isinstance(event, Event)}) == 3 * size
    assert {len(body) for body in bodies} == {messages[0].size}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'filled.db'}")) as opened:
        opened.migrate()
        yield opened


def test_a_filled_store_is_what_a_rebuild_of_it_gives(store: Store) -> None:
    name = filling.fill(store, 250, SINCE)
    config = Config(sites=(Site("smf", "Sacramento", 38.6, -121.5, match=(Match("datacenter", "smf*"),)),))
    with store.reading() as connection:
        before = state_digest(connection)
        assert connection.execute(sa.select(INCIDENT.c.alerts).where(INCIDENT.c.id == name)).scalar() == 250
    rebuild(store, config, SINCE + filling.SPAN)
    with store.reading() as connection:
        assert state_digest(connection) == before


def test_a_history_of_copies_is_one_of_incidents_apart(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "BLOCK", 4)
    monkeypatch.setattr(filling, "TOGETHER", 3)
    names = filling.fill_many(store, 14, 2, SINCE, timedelta(days=14))
    assert len(set(names)) == 14
    with store.reading() as connection:
        found = lists.list_incidents(connection, lists.IncidentFilter(), 50)
        assert [one.id for one in found] == names[::-1]
        assert [one.status for one in found] == ["open", *["resolved"] * 13]
        opened = [one.opened_at for one in found[::-1]]
        assert opened == [SINCE + timedelta(days=n) for n in range(14)]
        alerts = [one.id for name in names for one in lists.alerts_of(connection, name, after="", limit=50)]
        assert len(set(alerts)) == 28
        assert sum(bool(finding.find(connection, filling.rare(n)).incidents) for n in range(14)) == 6
        assert finding.find(connection, filling.rare(13)).incidents == {names[13]}
        notes = connection.execute(sa.select(ENTRY.c.params).where(ENTRY.c.kind == "note")).scalars()
        assert len({one["text"] for one in notes}) == 14


def test_the_bare_aggregation_counts_what_the_figure_counts(store: Store) -> None:
    name = filling.fill(store, 250, SINCE)
    window = (SINCE, SINCE + filling.SPAN / 2)
    with store.reading() as connection:
        density = crowds.density(connection, name, *window)
        view = incident_view.gather(connection, Config(), name, Asked(SINCE + 2 * filling.SPAN), sentences.sentence)
    counted = sorted(row[-1] for row in figures.aggregation(store, name, window)())
    assert counted == sorted(one.count for one in density.bins)
    assert 0 < sum(counted) < 250
    assert view
    assert len(view.bars) == 250


def test_what_the_bare_handler_acknowledges_is_in_its_file(tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "bodies.db"
    argv = [sys.executable, "-m", "tests.bench.floor", "--port", str(port), "--file", str(file)]
    floor = Server(argv, port=port, ready="/livez", home=tmp_path, env={"PYTHONPATH": str(ROOT)})
    options = ["--connections", "8", "--requests", "200", "--seconds", "60", "--alerts", "10"]
    try:
        floor.start()
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.load", "--port", str(port), *options],
            cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=90,
        )  # fmt: skip
        assert cpu_seconds(floor.pid) > 0
    finally:
        floor.kill9()
    told = json.loads(done.stdout)
    assert (told["acknowledged"], told["refused"]) == (200, 0)
    assert len(told["latencies_ms"]) == 200
    messages = Messages(10)
    with closing(sqlite3.connect(file)) as connection:
        stored = {len(body) for (body,) in connection.execute("SELECT body FROM body")}
        assert connection.execute("SELECT count(DISTINCT body) FROM body").fetchone() == (200,)
    assert stored == {messages.size}


def test_each_adapter_with_samples_is_measured() -> None:
    assert {"alertmanager", "generic"} <= {row.what.partition(",")[0] for row in reading.measure(QUICK)}


def test_the_report_names_what_was_missed() -> None:
    rows = [
        Row("1. Intake", "one alert", 600.0, "/s", 1000.0, "bare handler", least_ratio=0.7),
        Row("1. Intake", "ten alerts", 800.0, "/s", 1000.0, "bare handler", least_ratio=0.7),
        Row("4. Burst", "visible", 41.0, "s", most_value=40.0),
        Row("5. Figure", "1,000 events", 13.0, "ms", 10.0, "SQL", most_ratio=1.3),
    ]
    assert report.verdict(rows) == "Not reached: 1. one alert (0.60, not ≥ 0.7); 4. visible (41.0 s, not ≤ 40 s)"
    assert report.verdict(rows[1:2]) == "Every target was reached."
    lines = report.table(rows).splitlines()
    assert [line.split() for line in lines if line.startswith("one alert")] == [
        ["one", "alert", "600", "/s", "1,000", "/s", "bare", "handler", "0.60", "≥", "0.7", "NO"]
    ]
    assert lines.count("1. Intake") == 1


def test_shares_of_ascending_values() -> None:
    assert share([float(n) for n in range(100)], 0.99) == 99.0
    assert share([1.0], 0.5) == 1.0
    assert share([], 0.5) == 0.0
