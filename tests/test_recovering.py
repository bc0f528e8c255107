"""What a monitor could not deliver: the gap is seen, claimed by one process, asked for, and put in as a delivery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web

from incidents.config import Config
from incidents.deliveries import DELIVERY
from incidents.feeds import recovery
from incidents.feeds.recovery import GAP, LEASE, RECOVERY, Gap
from incidents.formats import fingerprints
from incidents.store import Store
from service import clock, doctor, settings
from service.app import create_app
from service.outside.recovering import RECOVERING
from tests import hostile, samples
from tests.hostile import Feed

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CONFIG = """
[[sources]]
name = "am"
adapter = "alertmanager"
prometheus = "{url}/feed"
external_labels = {{ cluster = "eu" }}
"""


@pytest.fixture
def feed() -> Iterator[Feed]:
    with hostile.feed() as found:
        yield found


def rows(store: Store, table: Any = RECOVERY) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(sa.select(table)))


def heard(store: Store, at: datetime, *names: str) -> None:
    with store.writing() as connection:
        recovery.note_heard(connection, names, at)


def claimed(store: Store, at: datetime, *names: str) -> Gap | None:
    with store.writing() as connection:
        return recovery.claim(connection, names, at)


def test_fingerprints_are_those_of_prometheus() -> None:
    # That they are, a test with a real Alertmanager shows; this is what the format says.
    assert fingerprints.of_labels({}) == "cbf29ce484222325"
    assert fingerprints.of_labels({"b": "1", "a": "2"}) == fingerprints.of_labels({"a": "2", "b": "1"})
    assert fingerprints.of_labels({"ab": "c"}) != fingerprints.of_labels({"a": "bc"})


def test_a_gap_is_a_stretch_in_which_nobody_took_deliveries(store: Store) -> None:
    heard(store, NOW, "am")
    heard(store, NOW + GAP, "am")
    assert claimed(store, NOW + GAP, "am") is None
    since, until = NOW + GAP, NOW + GAP * 2 + SECOND
    heard(store, until, "am")
    assert claimed(store, until, "other") is None
    assert claimed(store, until, "am") == Gap("am", since, until)
    assert claimed(store, until + LEASE / 2, "am") is None, "one process asks"
    assert claimed(store, until + LEASE, "am") == Gap("am", since, until), "who claimed it is gone"


def test_what_was_asked_for_is_done_and_what_was_not_is_asked_again_later(store: Store) -> None:
    heard(store, NOW, "am")
    heard(store, NOW + GAP * 2, "am")
    gap = claimed(store, NOW + GAP * 2, "am")
    assert gap
    for pause in (recovery.FIRST_PAUSE, recovery.FIRST_PAUSE * 2):
        at = NOW + GAP * 3
        with store.writing() as connection:
            recovery.fail(connection, gap, "answered 502", at)
        assert claimed(store, at + pause - SECOND, "am") is None
        assert rows(store)[0].error == "answered 502"
    with store.reading() as connection:
        (finding,) = doctor._recoveries(connection, Config(), NOW)
        assert "could not deliver from 2026-03-02 10:00 to 2026-03-02 10:03 UTC" in finding.text
        assert "answered 502" in finding.text
    heard(store, NOW + GAP * 5, "am")  # another gap meanwhile: both are one
    wider = claimed(store, NOW + GAP * 5, "am")
    assert wider == Gap("am", NOW, NOW + GAP * 5)
    with store.writing() as connection:
        recovery.finish(connection, gap)
    assert claimed(store, NOW + GAP * 9, "am") == Gap("am", gap.until, NOW + GAP * 5)
    with store.writing() as connection:
        recovery.finish(connection, wider)
    assert claimed(store, NOW + GAP * 9, "am") is None
    assert rows(store)[0].error is None


def test_sources_that_name_no_prometheus_any_more_are_forgotten(store: Store) -> None:
    heard(store, NOW, "am", "other")
    heard(store, NOW + SECOND, "other")
    assert [row.source for row in rows(store)] == ["other"]


def test_failed_notifications_are_a_gap_and_one_process_looks_for_them(store: Store) -> None:
    heard(store, NOW, "am")
    at = NOW + recovery.LOOK_EVERY
    with store.writing() as connection:
        assert recovery.claim_look(connection, ["am"], NOW) is None
        assert recovery.claim_look(connection, ["am"], at) == "am"
        assert recovery.claim_look(connection, ["am"], at) is None
        recovery.note_failed_notifications(connection, "am", at)
    assert claimed(store, at, "am") == Gap("am", at - recovery.LOOKED_BACK, at)


@asynccontextmanager
async def application(store: Store, folder: Path, feed: Feed) -> AsyncIterator[web.Application]:
    path = folder / "config.toml"
    path.write_text(CONFIG.format(url=feed.url))
    given = {"DATA_DIR": str(folder), "CONFIG": str(path), "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8"}
    app = create_app(settings.read({}, {f"BAROGRAPH_{k}": v for k, v in given.items()}), store)
    runner = web.AppRunner(app, handle_signals=False)
    await runner.setup()
    try:
        yield app
    finally:
        await runner.cleanup()


def fell_silent(store: Store, length: timedelta) -> None:
    """As if no process had run for so long."""
    now = clock.now()
    heard(store, now - length, "am")


async def test_after_a_gap_prometheus_is_asked_once_and_its_answer_is_a_delivery(
    sqlite_store: Store, tmp_path: Path, feed: Feed
) -> None:
    answer = (samples.PAYLOADS / "prometheus_recovered" / "firing.json").read_bytes()
    feed.document = answer
    async with application(sqlite_store, tmp_path, feed) as app:
        await asyncio.to_thread(fell_silent, sqlite_store, timedelta(minutes=20))
        await app[RECOVERING].tick()
        await app[RECOVERING].tick()
    (asked,) = [path for path in feed.paths() if "ALERTS_FOR_STATE" in path]
    assert asked.startswith("/feed/api/v1/query?query=")
    (delivery,) = rows(sqlite_store, DELIVERY)
    assert (delivery.source, delivery.body) == ("am", answer)
    assert delivery.headers["request-adapter"] == "prometheus_recovered"
    assert delivery.headers["request-labels"] == '{"cluster":"eu"}'
    assert rows(sqlite_store)[0].gap_until is None


async def test_a_prometheus_that_does_not_answer_is_asked_again_later(
    sqlite_store: Store, tmp_path: Path, feed: Feed
) -> None:
    feed.mood = "missing"
    async with application(sqlite_store, tmp_path, feed) as app:
        await asyncio.to_thread(fell_silent, sqlite_store, timedelta(minutes=20))
        await app[RECOVERING].tick()
    (row,) = rows(sqlite_store)
    assert row.failures == 1
    assert row.gap_until
    assert "404" in row.error
    assert rows(sqlite_store, DELIVERY) == []
