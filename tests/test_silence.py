"""What is not known reads as unknown: feeds that never answered, that are late, and whose silence concerns whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from dashboards.coverage import coverage_words
from dashboards.strips import compose_strips, is_unheard
from incidents import deliveries
from incidents.adapters import adapters
from incidents.config import Config, config_of
from incidents.configured import put
from incidents.deliveries import Arrival
from incidents.feeds import polls, scope
from incidents.feeds.asked import Record, Run, silences, waiting_since
from incidents.feeds.coverage import coverage
from incidents.feeds.polls import Came
from incidents.feeds.silence import gaps_at, silence_of, source_gaps
from incidents.ingest import Ingest
from incidents.model import Site, Source
from incidents.receipts import first_id
from incidents.store import Store
from incidents.tombstones import TOMBSTONE
from incidents.views.now_view import SiteStrip
from incidents.views.overview import now_view
from incidents.views.unknowns import read_unknowns
from incidents.views.view import Coverage
from tests.figure_views import rich_view

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY = 2 * MINUTE
UNCHANGED = Came("unchanged", status=304)
FAILED = Came("failed", "answered 500", 500)
SITES = [
    {"name": "ber", "title": "Berlin", "latitude": 52.5, "longitude": 13.4, "timezone": "Europe/Berlin"},
    {"name": "par", "title": "Paris", "latitude": 48.9, "longitude": 2.35, "timezone": "Europe/Paris"},
    {"name": "smf", "title": "Sacramento", "latitude": 38.6, "longitude": -121.5, "zones": ["CAC067"]},
]


def configured(**sources: str) -> Config:
    made = [{"name": name, "adapter": adapter, "every": "2m"} for name, adapter in sources.items()]
    for source in made:
        if source["adapter"] == "generic_feed":
            source["url"] = f"http://feed.example/{source['name']}"
    return config_of({"sites": SITES, "sources": made}, adapters())


def ask(store: Store, config: Config, *came: Came, only: str = "", start: datetime = NOW) -> None:
    """Ask every request whose address holds `only` once an interval, with these outcomes."""
    wanted = polls.askings(config, adapters())
    with store.writing() as connection:
        polls.sync(connection, wanted, start, 0.0)
        for asking in wanted.values():
            if only in asking.request.url:
                for n, one in enumerate(came):
                    polls.note(connection, asking, one, None, start + n * EVERY)


def strips(store: Store, config: Config, now: datetime) -> dict[str, SiteStrip]:
    with store.reading() as connection:
        return {strip.site.name: strip for strip in now_view(connection, config, now, "UTC").strips}


def rows(store: Store, config: Config, since: datetime, until: datetime, site: str) -> dict[str | None, Coverage]:
    with store.reading() as connection:
        return {row.source: row for row in coverage(connection, config, since, until, [site])}


# Never answered


@pytest.mark.parametrize("failures", [0, 1, 30])
def test_a_feed_that_has_never_answered_leaves_a_site_unknown(store: Store, failures: int) -> None:
    config = configured(sky="generic_feed")
    ask(store, config, *[FAILED] * failures)
    now = NOW + 61 * MINUTE
    strip = strips(store, config, now)["ber"]
    (gap,) = strip.gaps
    assert (gap.source, gap.state, gap.since, gap.until) == ("sky", "never", now - timedelta(days=1), now)
    assert is_unheard(strip)
    row = rows(store, config, NOW, now, "ber")["sky"]
    assert not row.heard
    view = rich_view(since=NOW, until=now)
    assert coverage_words(row, view).startswith("never answered, so nothing is known; ")
    with store.reading() as connection:
        told = silence_of(connection, config, [], [replace(row, lane="warnings")], until=now)
    assert told["warnings"] == "sky has never answered"


def test_a_feed_that_is_configured_and_not_asked_is_unknown_as_well(store: Store) -> None:
    config = configured(sky="generic_feed")
    (gap,) = strips(store, config, NOW)["ber"].gaps
    assert gap.state == "never"


def test_a_feed_that_answered_once_is_known_for_that_time(store: Store) -> None:
    config = configured(sky="generic_feed")
    ask(store, config, *[UNCHANGED] * 10, *[FAILED] * 20)
    (gap,) = strips(store, config, NOW + 58 * MINUTE)["ber"].gaps
    assert (gap.state, gap.since) == ("silent", NOW + 20 * MINUTE)


# Late


def run(first: int, last: int, reason: str | None = None) -> Run:
    return Run(NOW + first * MINUTE, NOW + last * MINUTE, EVERY, reason)


@pytest.mark.parametrize(
    ("after", "waits"), [(1.0, False), (2.1, False), (2.5, True), (4.9, True), (5.1, False), (60.0, False)]
)
def test_an_answer_holds_for_its_interval_and_then_the_feed_is_waited_for(after: float, waits: bool) -> None:
    record = Record(None, [run(-60, 0)], NOW - 60 * MINUTE, goes_on=True)
    until = NOW + after * MINUTE
    assert waiting_since(record, until) == (NOW if waits else None)
    assert bool(silences(record, NOW - MINUTE, until)) == (after > 5)


def test_nobody_waits_for_what_failed_or_is_not_asked_any_more() -> None:
    until = NOW + 3 * MINUTE
    failing = Record(None, [run(-60, 0), run(2, 2, "refused")], NOW - 60 * MINUTE, goes_on=True)
    assert waiting_since(failing, until) is None
    assert silences(failing, NOW - MINUTE, until) == [(NOW + 2 * MINUTE, until, "refused")]
    gone = Record(None, [run(-60, 0)], NOW - 60 * MINUTE, goes_on=False)
    assert waiting_since(gone, until) is None


def test_the_minutes_since_a_late_feeds_last_answer_are_not_asked(store: Store) -> None:
    config = configured(sky="generic_feed")
    ask(store, config, *[UNCHANGED] * 31, start=NOW - 60 * MINUTE)
    until = NOW + 4 * MINUTE
    row = rows(store, config, NOW - 30 * MINUTE, until, "ber")["sky"]
    assert [(gap.state, gap.since, gap.until) for gap in row.gaps] == [("waiting", NOW, until)]
    view = rich_view(since=NOW - 30 * MINUTE, until=until, as_of=until, zone="UTC")
    assert coverage_words(row, view) == "not asked yet since 10:00; else asked, nothing found"
    assert [gap.state for gap in strips(store, config, until)["ber"].gaps] == ["waiting"]
    assert rows(store, config, NOW - 30 * MINUTE, NOW + 2 * MINUTE, "ber")["sky"].gaps == ()
    with store.reading() as connection:
        told = silence_of(connection, config, [], [replace(row, lane="warnings")], until=until)
        health = now_view(connection, config, until, "UTC").sources
    assert told["warnings"] == "sky not asked yet since 10:00"
    assert health[0].gaps == ()  # the pages of sources count what was missed, not what is about to come


def test_a_later_answer_is_not_known_before_it_came(store: Store) -> None:
    config = configured(sky="generic_feed")
    ask(store, config, *[UNCHANGED] * 31, start=NOW - 60 * MINUTE)
    ask(store, config, Came("answered"), start=NOW + 5 * MINUTE)
    at = NOW + 4 * MINUTE
    with store.reading() as connection:
        (later,) = coverage(connection, config, NOW, at, ["ber"])[-1:]
        (then,) = coverage(connection, config, NOW, at, ["ber"], as_of=at)[-1:]
    assert [gap.state for gap in later.gaps] == []
    assert [gap.state for gap in then.gaps] == ["waiting"]


# Whose silence


def test_a_feeds_silence_concerns_the_sites_it_would_have_told_of(store: Store) -> None:
    config = configured(meteo="meteoalarm", quakes="usgs_earthquakes")
    ask(store, config, *[UNCHANGED] * 31)
    ask(store, config, *[FAILED] * 30, only="germany", start=NOW + 62 * MINUTE)
    ask(store, config, *[UNCHANGED] * 30, only="france", start=NOW + 62 * MINUTE)
    ask(store, config, *[UNCHANGED] * 30, only="usgs", start=NOW + 62 * MINUTE)
    now = NOW + 120 * MINUTE
    found = strips(store, config, now)
    assert [(gap.source, gap.sites) for gap in found["ber"].gaps] == [("meteo", frozenset({"ber"}))]
    assert (found["par"].gaps, found["smf"].gaps) == ((), ())
    assert (found["ber"].feeds, found["smf"].feeds) == (("meteo", "quakes"), ("quakes",))
    with store.reading() as connection:
        words = [text.words for text in compose_strips(now_view(connection, config, now, "UTC"), wide=848).texts]
    assert any(said.startswith("meteo: feed gap") and said.endswith("1 of 2 feeds") for said in words)
    assert set(rows(store, config, NOW, now, "smf")) >= {"quakes"}
    assert "meteo" not in rows(store, config, NOW, now, "smf")
    with store.reading() as connection:
        gaps = source_gaps(connection, config, NOW, now)
        sites = [site for site in config.sites if site.name == "smf"]
        assert gaps_at(connection, gaps, sites) == ()
        assert [gap.source for gap in gaps_at(connection, gaps, config.sites)] == ["meteo"]


def test_what_is_asked_for_several_sites_at_once_concerns_them_all() -> None:
    sites = [Site("smf", "", 38.6, -121.5, zones=("CAC067",)), Site("iad", "", 38.9, -77.4, zones=("VAC107",))]
    source = Source("nws", "nws_alerts")
    made = adapters()["nws_alerts"].requests
    assert made is not None
    (both,) = [polls.request_id(request) for request in made(source, sites)]
    assert scope.sites_by_request(source, sites, [both]) == {both: None}
    berlin = Site("ber", "", 52.5, 13.4)
    assert scope.sites_by_request(source, [*sites, berlin], [both]) == {both: frozenset({"smf", "iad"})}


# What a report says was not known


def test_a_feed_that_failed_before_it_first_answered_was_not_known(store: Store) -> None:
    config = configured(sky="generic_feed")
    ask(store, config, *[FAILED] * 30, *[UNCHANGED] * 30)
    first = NOW + 30 * EVERY
    with store.intake() as connection:
        deliveries.append(connection, [Arrival(first_id(first), "sky", first, {}, b"[]")])
    with store.reading() as connection:
        (gap,) = read_unknowns(connection, config, NOW - MINUTE, first + EVERY).gaps
    assert (gap.since, gap.until, gap.reason) == (NOW, first, "answered 500")


@pytest.mark.parametrize(
    ("applied", "dropped", "expected"),
    [
        (0, None, [(0, 60), (62, 90)]),
        (30, None, [(30, 60), (62, 90)]),
        (70, None, [(62, 90)]),
        (70, (10, 20), [(22, 60), (62, 90)]),
    ],
)
def test_a_sender_is_expected_from_when_it_was_configured_or_spoke(
    store: Store, applied: int, dropped: tuple[int, int] | None, expected: list[tuple[int, int]]
) -> None:
    config = config_of({"sources": [{"name": "am", "adapter": "alertmanager", "every": "2m"}]}, adapters())
    with store.writing() as connection:
        put(connection, ("source", "am"), {}, owner="file", now=NOW + applied * MINUTE)
        if dropped:
            first, last = (NOW + n * MINUTE for n in dropped)
            words = {"kind": "delivery", "source": "am", "count": 9, "sha256": "", "dropped_at": NOW}
            connection.execute(sa.insert(TOMBSTONE).values(**words, first_at=first, last_at=last))
    spoke = NOW + 60 * MINUTE
    with store.intake() as connection:
        deliveries.append(connection, [Arrival(first_id(spoke), "am", spoke, {}, b'{"alerts": []}')])
    while Ingest(store, adapters()).work(config, NOW):
        pass
    with store.reading() as connection:
        gaps = read_unknowns(connection, config, NOW, NOW + 90 * MINUTE).gaps
    assert [((g.since - NOW) // MINUTE, (g.until - NOW) // MINUTE) for g in gaps] == expected
