"""The past is asked for once, politely, and goes on after a cut; files that were downloaded come in the same way."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from incidents import configured
from incidents.adapters import Adapter, adapters
from incidents.config import Config, config_of
from incidents.deliveries import DELIVERY
from incidents.entries import OCCURRENCE
from incidents.feeds import coverage as coverage_module
from incidents.feeds import polls, scope
from incidents.feeds.coverage import coverage
from incidents.feeds.polls import ASKED
from incidents.model import Request, Site, Source
from incidents.statements import EVENT
from incidents.store import Store
from incidents.tables import METADATA
from service import answers, cli, settings
from service.outside import backfill
from service.outside.backfill import Backfill, Tally
from service.outside.outbound import Outbound
from tests import hostile
from tests.hostile import Feed
from tests.world import SITES, instant

WINDOW = instant("00:00"), instant("+1 12:00")
SECRET = "s3cr3t-of-the-archive"
HEADING = {"kind": "hazard", "event": "Heat Advisory", "starts_at": "2026-03-02T10:00:00Z", "zones": ["CAC067"]}


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:
    """A document a day, for each site."""
    days = [since + timedelta(days=n) for n in range((until - since).days + 1)]
    return [Request(f"{source.url}?day={day:%Y-%m-%d}&key={{key}}", site=site.name) for site in sites for day in days]


@pytest.fixture
def feed() -> Iterator[Feed]:
    with hostile.feed() as found:
        found.document = [{**HEADING, "key": "w-1"}]
        yield found


@pytest.fixture(autouse=True)
def archive(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Adapter]:
    """A feed with an archive stands among the adapters, and nobody waits long."""
    known = {**adapters(), "archive": replace(adapters()["generic_feed"], name="archive", history=history)}
    monkeypatch.setattr(backfill, "adapters", lambda: known)
    monkeypatch.setattr(coverage_module, "adapters", lambda: known)
    monkeypatch.setattr(scope, "adapters", lambda: known)
    monkeypatch.setattr(backfill, "FIRST_PAUSE", timedelta(milliseconds=10))
    monkeypatch.setattr(polls, "SPACING", timedelta(milliseconds=10))
    monkeypatch.setattr(backfill, "LOOK_SECONDS", 0.01)
    return known


def config_with(feed: Feed, known: Mapping[str, Adapter], path: str = "/feed") -> Config:
    source = {"name": "past", "adapter": "archive", "url": f"{feed.url}{path}", "every": "1h"}
    return config_of({"sites": SITES, "sources": [source]}, known)


@dataclass
class Ran:
    """One run, and what it said on the way."""

    tally: Tally
    said: list[str] = field(default_factory=list)


def run(store: Store, config: Config, window: tuple[datetime, datetime] = WINDOW) -> Ran:
    said: list[str] = []

    async def go() -> Tally:
        outbound = Outbound(replace(settings.read({}, {}), allow_private_networks=("127.0.0.0/8",)), total_seconds=2)
        try:
            whole = Backfill(store, config, {"past": (SECRET,)}, outbound, said.append)
            return (await whole.run(config.sources, config.sites[0], window))["past"]
        finally:
            await outbound.close()

    ran = Ran(asyncio.run(go()), said)
    backfill.read_all(store, config)
    return ran


def rows(store: Store, table: Any = ASKED) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(sa.select(table)))


def test_each_request_of_a_window_becomes_a_delivery_and_the_window_is_known(
    store: Store, feed: Feed, archive: Mapping[str, Adapter]
) -> None:
    config = config_with(feed, archive)
    ran = run(store, config)
    assert (ran.tally.fetched, ran.tally.failed) == (2, 0)
    assert ran.said == ["past 1/2: fetched", "past 2/2: fetched"]
    kept = rows(store, DELIVERY)
    assert {row.headers["request-url"].rpartition("?")[2] for row in kept} == {
        "day=2026-03-02&key={key}",
        "day=2026-03-03&key={key}",
    }
    assert {row.headers["request-site"] for row in kept} == {"smf"}
    assert all(SECRET in path for path in feed.paths())
    with store.reading() as connection:
        row = next(r for r in coverage(connection, config, *WINDOW, ["smf"]) if r.source == "past")
        elsewhere = next(r for r in coverage(connection, config, *WINDOW, ["iad"]) if r.source == "past")
    assert (row.unasked, row.gaps) == ((), ())
    assert elsewhere.unasked == (WINDOW,)


def test_a_run_that_was_cut_goes_on_where_it_ended(store: Store, feed: Feed, archive: Mapping[str, Adapter]) -> None:
    config = config_with(feed, archive)
    run(store, config, (WINDOW[0], WINDOW[0] + timedelta(hours=23)))
    asked_before = len(feed.heard)
    again = run(store, config)
    assert (again.tally.known, again.tally.fetched) == (1, 1)
    assert len(feed.heard) == asked_before + 1
    assert run(store, config).tally == Tally(known=2)


def test_what_failed_is_asked_again_and_the_window_is_not_known_until_then(
    store: Store, feed: Feed, archive: Mapping[str, Adapter]
) -> None:
    config, feed.mood = config_with(feed, archive), "broken"
    ran = run(store, config)
    assert (ran.tally.fetched, ran.tally.failed) == (0, 2)
    assert ran.tally.reasons == ["answered 500"] * 2
    assert len(feed.heard) == 2 * backfill.TRIES
    assert polls.WHOLE not in {row.request for row in rows(store)}
    feed.mood = "ok"
    assert run(store, config).tally.fetched == 2
    assert polls.WHOLE in {row.request for row in rows(store)}


def test_a_window_that_is_not_over_is_asked_for_again(store: Store, feed: Feed, archive: Mapping[str, Adapter]) -> None:
    config = config_with(feed, archive)
    future = instant("00:00").replace(year=2099)
    assert run(store, config, (future, future + timedelta(hours=1))).tally.fetched == 1
    assert run(store, config, (future, future + timedelta(hours=1))).tally.fetched == 1


def test_a_feed_that_asks_for_a_long_pause_is_left_alone(
    store: Store, feed: Feed, archive: Mapping[str, Adapter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "LONGEST_PAUSE", timedelta(seconds=1))
    feed.mood = "busy"
    ran = run(store, config_with(feed, archive))
    assert ran.tally.failed == 2
    assert len(feed.heard) <= 2


def test_no_word_and_no_row_holds_the_key(store: Store, feed: Feed, archive: Mapping[str, Adapter]) -> None:
    ran = run(store, config_with(feed, archive, "/echo"))
    assert ran.tally.fetched == 2
    with store.reading() as connection:
        held = [list(connection.execute(sa.select(table))) for table in METADATA.sorted_tables]
    assert SECRET not in repr(held)
    assert SECRET not in repr(ran)
    assert answers.KEY in repr(held)


def test_the_senders_own_times_place_what_came_late(store: Store, feed: Feed, archive: Mapping[str, Adapter]) -> None:
    run(store, config_with(feed, archive))
    (seen,) = rows(store, OCCURRENCE)
    assert seen.starts_at == instant("10:00")
    assert rows(store, EVENT)[0].recorded_at > instant("10:00")


# The commands


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory of its own, and feeds on the loopback allowed."""
    monkeypatch.setenv("BAROGRAPH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BAROGRAPH_ALLOW_PRIVATE_NETWORKS", "127.0.0.0/8")
    return tmp_path


def barograph(*args: str) -> Result:
    return CliRunner().invoke(cli.main, args)


def test_the_command_asks_says_how_it_went_and_exits_as_it_should(
    home: Path, feed: Feed, archive: Mapping[str, Adapter], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert barograph("migrate").exit_code == 0
    store = Store(f"sqlite:///{home / 'barograph.db'}")
    config = config_with(feed, archive, "/feed")
    with store.writing() as connection:
        steps = configured.plan(connection, config, owner="file", prune=False)
        configured.write(connection, config, steps, owner="file", now=WINDOW[0])
    window = ("--from", "2026-03-02T00:00:00Z", "--to", "2026-03-02T12:00:00Z")
    without = barograph("backfill", "--site", "smf", *window)
    assert without.exit_code == 6  # no secret is given, and the address asks for one
    assert "needs a key" in without.stderr
    plain = [Request(f"{feed.url}/feed?day=1")]
    monkeypatch.setattr(backfill, "adapters", lambda: {
        **archive, "archive": replace(archive["archive"], history=lambda *_: plain)
    })  # fmt: skip
    done = barograph("backfill", "--site", "smf", *window)
    assert (done.exit_code, done.stdout) == (0, "past: 1 fetched, 0 known before, 0 failed\n"), done.stderr
    assert "past 1/1: fetched" in done.stderr
    assert "1 known before" in barograph("backfill", "--site", "smf", *window, "--source", "past").stdout
    assert barograph("backfill", "--site", "lax", *window).exit_code == 3
    assert barograph("backfill", "--site", "smf", *window, "--source", "other").exit_code == 3
    assert barograph("backfill", "--site", "smf", "--from", window[3], "--to", window[1]).exit_code == 2
    assert [row.starts_at for row in rows(store, OCCURRENCE)] == [instant("10:00")]
    store.close()


def test_files_come_in_as_deliveries_of_a_source_that_is_not_asked(home: Path, tmp_path: Path) -> None:
    one, two, bad = tmp_path / "one.json", tmp_path / "two.json.gz", tmp_path / "bad.json"
    one.write_text(json.dumps([{**HEADING, "key": "w-1"}, {"reading": "nonsense"}]))
    two.write_bytes(gzip.compress(json.dumps([{**HEADING, "key": "w-2"}]).encode()))
    bad.write_text("<html>")
    done = barograph("import", "generic_feed", str(one), str(two), "--received-at", "2026-03-02T11:00:00Z")
    assert done.exit_code == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert "1 events, 0 readings, 1 left out" in first
    assert second.endswith("1 events, 0 readings")
    store = Store(f"sqlite:///{home / 'barograph.db'}")
    assert {row.received_at for row in rows(store, DELIVERY)} == {instant("11:00")}
    with store.reading() as connection:
        assert configured.owners(connection)["source", "generic_feed"] == "import"
        assert "import" in polls.NOT_ASKED
    store.close()
    failed = barograph("import", "generic_feed", str(bad))
    assert failed.exit_code == 3
    assert "quarantined: not JSON" in failed.stdout


def test_import_refuses_what_does_not_fit(home: Path, tmp_path: Path) -> None:
    assert home == tmp_path
    file = tmp_path / "x.json"
    file.write_text("[]")
    bundle = barograph("import", str(file))
    assert (bundle.exit_code, "it does not end with the digest of a bundle" in bundle.stderr) == (1, True)
    assert barograph("import", "no_such_adapter", str(file)).exit_code == 3
    assert barograph("import", "generic", str(tmp_path / "absent.json")).exit_code == 2
    assert barograph("import", "generic", str(file), "--source", "mine").exit_code == 0
    assert barograph("import", "alertmanager", str(file), "--source", "mine").exit_code == 5
