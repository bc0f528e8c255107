"""Feeds are asked in turns: once each, politely, with back-off and a circuit; what was asked stays in the log."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from incidents import deliveries
from incidents.adapters import adapters
from incidents.config import Config, config_of
from incidents.deliveries import Arrival
from incidents.feeds import asked, circuit, polls
from incidents.feeds.asked import Record, Run
from incidents.feeds.coverage import coverage
from incidents.feeds.health import feed_health
from incidents.feeds.polls import ASKED, POLL, Asking, Came
from incidents.feeds.silence import silence_of, source_gaps
from incidents.ingest import Ingest
from incidents.model import Request
from incidents.store import Store
from incidents.views.view import Coverage, Gap
from service import answers
from service.outside.outbound import Fetched
from tests import hostile
from tests.conftest import StartBarograph
from tests.hostile import Feed
from tests.servers import Barograph
from tests.world import SITES, instant

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY = 2 * MINUTE
URL = "http://feed.example/warnings"


@pytest.fixture
def feed() -> Iterator[Feed]:
    with hostile.feed() as found:
        yield found


def configured(*names: str, url: str = URL) -> Config:
    sources = [{"name": name, "adapter": "generic_feed", "url": f"{url}/{name}", "every": "2m"} for name in names]
    return config_of({"sites": SITES, "sources": sources}, adapters())


def asking(name: str = "sky", url: str = URL, every: timedelta = EVERY) -> Asking:
    return Asking(name, Request(url), every)


# When it is asked next


@given(failures=st.integers(1, 60), jitter=st.floats(0, 1), seconds=st.integers(1, 86_400))
def test_a_feed_that_fails_is_asked_again_within_its_interval_until_the_circuit_has_been_open_long(
    failures: int, jitter: float, seconds: int
) -> None:
    every = timedelta(seconds=seconds)
    next_at, open_until = circuit.after_failure(every, failures, NOW, jitter)
    assert (open_until is None) == (failures < circuit.OPENS_AFTER)
    assert next_at > NOW
    if failures < 2 * circuit.OPENS_AFTER:
        assert next_at <= NOW + every
    assert next_at <= NOW + max(every, circuit.LONGEST_PAUSE)


def test_pauses_grow_and_a_server_that_asks_for_more_gets_it() -> None:
    pauses = [circuit.after_failure(timedelta(hours=1), n, NOW, 1.0)[0] - NOW for n in range(1, 6)]
    assert pauses == [timedelta(seconds=s) for s in (30, 60, 120, 240, 3600)]
    assert circuit.after_failure(MINUTE, 1, NOW, 0.0, timedelta(hours=2))[0] == NOW + timedelta(hours=2)


def test_turns_after_an_answer_are_spread() -> None:
    assert circuit.after_answer(EVERY, NOW, 0.0) < NOW + EVERY < circuit.after_answer(EVERY, NOW, 1.0)


# Turns


def wanted_of(config: Config) -> dict[tuple[str, str], Asking]:
    return polls.askings(config, adapters())


def sync(store: Store, wanted: dict[tuple[str, str], Asking], at: datetime = NOW) -> None:
    with store.writing() as connection:
        polls.sync(connection, wanted, at, 0.0)
        connection.execute(sa.update(POLL).where(POLL.c.turn == 0).values(next_at=at))


def claim(store: Store, wanted: dict[tuple[str, str], Asking], at: datetime = NOW, most: int = 8) -> list[polls.Turn]:
    with store.writing() as connection:
        return polls.claim(store, connection, wanted, at, most)


def is_due(store: Store, wanted: dict[tuple[str, str], Asking], at: datetime) -> bool:
    with store.reading() as connection:
        return polls.is_due(connection, wanted, at)


def finish(store: Store, turn: polls.Turn, came: Came, at: datetime) -> bool:
    with store.writing() as connection:
        return polls.finish(store, connection, turn, came, at, jitter=0.5)


def rows(store: Store, table: Any = ASKED) -> list[Any]:
    with store.reading() as connection:
        order = (table.c.source, table.c.request) if table is POLL else (table.c.id,)
        return list(connection.execute(sa.select(table).order_by(*order)))


ANSWERED = Came("answered", None, 200, '"a"', None, sha256="f" * 64, delivery_id=7, whole=True)
UNCHANGED = Came("unchanged", status=304)
FAILED = Came("failed", "answered 500", 500)


def test_a_turn_is_claimed_once_and_lost_when_its_lease_ends(store: Store) -> None:
    wanted = wanted_of(configured("sky"))
    sync(store, wanted)
    (turn,) = claim(store, wanted)
    assert claim(store, wanted, NOW + polls.LEASE / 2) == []
    (again,) = claim(store, wanted, NOW + polls.LEASE + MINUTE)
    assert not finish(store, turn, ANSWERED, NOW + polls.LEASE + MINUTE)
    assert rows(store) == []
    assert finish(store, again, ANSWERED, NOW + polls.LEASE + MINUTE)
    assert [row.outcome for row in rows(store)] == ["answered"]


def test_two_processes_on_one_database_share_the_turns(store: Store) -> None:
    names = [f"feed-{n}" for n in range(30)]
    # Each on a host of its own, so that all of them are due together.
    sources = [{"name": n, "adapter": "generic_feed", "url": f"http://{n}.example/"} for n in names]
    wanted = wanted_of(config_of({"sources": sources}, adapters()))
    sync(store, wanted)
    claimed: list[str] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        with closing(Store(store.url.render_as_string(hide_password=False))) as own:
            barrier.wait(10)
            for _ in range(12):
                claimed.extend(turn.asking.source for turn in claim(own, wanted, most=3))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Counter(claimed) == Counter(names)


def test_a_host_is_asked_one_thing_at_a_time_with_a_pause_between(store: Store) -> None:
    wanted = wanted_of(configured("a", "b"))
    sync(store, wanted)
    (first,) = claim(store, wanted)
    assert claim(store, wanted, NOW + MINUTE / 6) == []
    finish(store, first, UNCHANGED, NOW + MINUTE / 6)
    assert claim(store, wanted, NOW + MINUTE / 6 + polls.SPACING / 2) == []
    (second,) = claim(store, wanted, NOW + MINUTE / 6 + polls.SPACING)
    assert {first.asking.source, second.asking.source} == {"a", "b"}


def test_a_host_that_asks_for_a_pause_is_left_alone_by_all_who_ask_it(store: Store) -> None:
    wanted = wanted_of(configured("a", "b"))
    sync(store, wanted)
    (first,) = claim(store, wanted)
    busy = Came("failed", "answered 429", 429, asked_to_wait=timedelta(minutes=10))
    finish(store, first, busy, NOW)
    assert claim(store, wanted, NOW + 9 * MINUTE) == []
    assert len(claim(store, wanted, NOW + 10 * MINUTE)) == 1


def test_what_is_not_wanted_any_more_is_not_asked_and_a_shorter_interval_counts_at_once(store: Store) -> None:
    wanted = wanted_of(configured("a", "b"))
    sync(store, wanted)
    (turn,) = claim(store, wanted, most=1)
    finish(store, turn, ANSWERED, NOW)
    name = turn.asking.source
    quicker = {key: Asking(a.source, a.request, MINUTE / 6) for key, a in wanted.items() if a.source == name}
    with store.writing() as connection:
        polls.sync(connection, quicker, NOW, 0.0)
    (row,) = rows(store, POLL)
    assert (row.source, row.every_seconds, row.next_at) == (name, 10, NOW + MINUTE / 6)


def test_validators_are_kept_and_now_and_then_the_whole_is_asked_for(store: Store) -> None:
    wanted = wanted_of(configured("sky"))
    sync(store, wanted)
    (turn,) = claim(store, wanted)
    assert turn.etag is None
    finish(store, turn, ANSWERED, NOW)
    at = NOW + 3 * MINUTE
    (turn,) = claim(store, wanted, at)
    assert turn.etag == '"a"'
    finish(store, turn, UNCHANGED, at)
    (turn,) = claim(store, wanted, NOW + polls.WHOLE_AFTER + MINUTE)
    assert turn.etag is None


def test_an_adapter_that_cannot_say_what_to_ask_silences_only_itself() -> None:
    def broken(*_: Any) -> list[Request]:
        raise KeyError("no site")

    known = {**adapters(), "other": replace(adapters()["generic_feed"], name="other", requests=broken)}
    config = config_of(
        {"sources": [{"name": "a", "adapter": "other"}, {"name": "b", "adapter": "generic_feed", "url": URL}]}, known
    )
    assert [name for name, _ in polls.askings(config, known)] == ["b"]


@pytest.mark.parametrize("hourly", [False, True])
def test_a_clock_that_was_ahead_silences_no_feed(store: Store, hourly: bool) -> None:
    every = timedelta(hours=1) if hourly else EVERY
    wanted = {(name, asking(name, f"{URL}/{name}", every).id): asking(name, f"{URL}/{name}", every) for name in "ab"}
    sync(store, wanted)
    for n in range(2):
        (turn,) = claim(store, wanted, NOW + MINUTE * n)
        assert finish(store, turn, FAILED if n else ANSWERED, NOW + timedelta(days=10))
    assert is_due(store, wanted, NOW + 3 * MINUTE)
    (first,) = claim(store, wanted, NOW + 3 * MINUTE)
    finish(store, first, ANSWERED, NOW + 3 * MINUTE)
    (second,) = claim(store, wanted, NOW + 4 * MINUTE)
    finish(store, second, ANSWERED, NOW + 4 * MINUTE)
    assert {first.asking.source, second.asking.source} == {"a", "b"}
    # An interval that is a little late is none that a wrong clock has set.
    assert not is_due(store, wanted, NOW + 4.5 * MINUTE)
    assert claim(store, wanted, NOW + 4.5 * MINUTE) == []


def test_a_pause_of_hours_that_a_server_asked_for_is_kept(store: Store) -> None:
    wanted = wanted_of(configured("sky"))
    sync(store, wanted)
    (turn,) = claim(store, wanted)
    finish(store, turn, Came("failed", "answered 429", 429, asked_to_wait=timedelta(days=1)), NOW)
    assert claim(store, wanted, NOW + timedelta(hours=20)) == []
    assert len(claim(store, wanted, NOW + timedelta(hours=26))) == 1


def test_a_long_backlog_of_one_host_holds_up_no_other(store: Store) -> None:
    many = [asking("many", f"http://many.example/{n}") for n in range(polls.MOST_REQUESTS)]
    more = [asking("more", f"http://many.example/more/{n}") for n in range(10)]
    wanted = {(one.source, one.id): one for one in [*many, *more]}
    sync(store, wanted)
    late = asking("late", "http://late.example/")
    wanted |= {(late.source, late.id): late}
    sync(store, wanted)
    with store.writing() as connection:
        connection.execute(sa.update(POLL).where(POLL.c.source == "late").values(next_at=NOW + MINUTE / 60))
    assert [turn.asking.source for turn in claim(store, wanted, NOW + MINUTE / 30, most=8)][1:] == ["late"]
    assert not is_due(store, wanted, NOW + MINUTE / 20)  # both hosts are being asked
    assert claim(store, wanted, NOW + MINUTE / 20) == []


# The log of what was asked


def ask(store: Store, *outcomes: Came, every: timedelta = EVERY, start: datetime = NOW) -> None:
    """One turn an interval, each with its outcome."""
    with store.writing() as connection:
        for n, came in enumerate(outcomes):
            delivery = 7 if came.outcome != "failed" else None
            polls.note(connection, asking(every=every), came, delivery, start + every * n)


def test_askings_that_go_alike_are_one_row(store: Store) -> None:
    ask(store, ANSWERED, UNCHANGED, UNCHANGED, UNCHANGED, FAILED, FAILED, UNCHANGED)
    told = [(row.outcome, row.count, (row.last_at - row.first_at) / EVERY, row.reason) for row in rows(store)]
    assert told == [
        ("answered", 1, 0, None),
        ("unchanged", 3, 2, None),
        ("failed", 2, 1, "answered 500"),
        ("unchanged", 1, 0, None),
    ]


def test_a_run_ends_where_turns_were_missed(store: Store) -> None:
    ask(store, ANSWERED, UNCHANGED)
    ask(store, UNCHANGED, start=NOW + timedelta(hours=2))
    assert [row.outcome for row in rows(store)] == ["answered", "unchanged", "unchanged"]


def spans(record: Record, since: str = "09:00", until: str = "12:00") -> list[str]:
    """Silences as "10:05-11:40", with a mark where a reason was given."""
    found = asked.silences(record, instant(since), instant(until))
    return [f"{a:%H:%M}-{b:%H:%M}{' !' if reason else ''}" for a, b, reason in found]


def run(first: str, last: str, reason: str | None = None, every: timedelta = EVERY) -> Run:
    return Run(instant(first), instant(last), every, reason)


def record(*runs: Run, goes_on: bool = True, began: str | None = None) -> Record:
    first = min((r.first_at for r in runs), default=None)
    return Record(None, list(runs), instant(began) if began else first, goes_on)


def test_a_feed_that_answered_throughout_was_never_silent() -> None:
    assert spans(record(run("08:00", "13:00"))) == []
    assert spans(record(run("08:00", "10:00"), run("10:04", "13:00"))) == []


def test_a_silence_begins_with_the_first_failure_and_ends_with_the_next_answer() -> None:
    down = run("10:05", "11:38", "answered 500")
    assert spans(record(run("08:00", "10:03"), down, run("11:40", "13:00"))) == ["10:05-11:40 !"]


def test_one_failure_that_was_made_good_within_the_interval_is_no_silence() -> None:
    hourly = timedelta(hours=1)
    blip = run("10:00", "10:01", "answered 500", hourly)
    assert spans(record(run("07:00", "09:00", None, hourly), blip, run("10:02", "12:00", None, hourly))) == []


def test_a_feed_that_nobody_asked_is_silent_one_interval_after_its_last_answer() -> None:
    assert spans(record(run("08:00", "10:00"), run("11:00", "13:00"))) == ["10:02-11:00"]


def test_before_the_first_asking_nothing_is_said_of_it() -> None:
    assert spans(record(run("10:00", "13:00"))) == []
    assert spans(record(run("10:00", "11:00", "refused"), run("11:02", "13:00"))) == ["10:00-11:02 !"]
    assert spans(record(run("10:00", "13:00"), began="08:00")) == ["09:00-10:00"]


def test_what_is_still_failing_is_silent_until_the_end_of_the_window() -> None:
    assert spans(record(run("08:00", "10:00"), run("10:02", "11:59", "refused"))) == ["10:02-12:00 !"]
    assert spans(record(run("08:00", "10:00"))) == ["10:02-12:00"]
    assert spans(record(run("08:00", "10:00"), goes_on=False)) == []


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60), st.booleans()), max_size=12),
    st.booleans(),
    st.integers(0, 300),
    st.integers(0, 300),
)
def test_silences_lie_within_the_window_and_hold_no_answer(
    made: list[tuple[int, int, bool]], goes_on: bool, one: int, other: int
) -> None:
    at, runs = NOW, []
    for pause, length, is_good in made:
        at += timedelta(minutes=pause)
        runs.append(Run(at, at + timedelta(minutes=length), EVERY, None if is_good else "no"))
        at += timedelta(minutes=length + 1)
    since, until = NOW + min(one, other) * MINUTE, NOW + max(one, other) * MINUTE
    began = runs[0].first_at if runs else None
    for a, b, _ in asked.silences(Record(None, runs, began, goes_on), since, until):
        assert since <= a < b <= until
        assert not any(r.reason is None and r.first_at < b and a < r.last_at for r in runs)


def test_stretches_are_taken_out_of_stretches() -> None:
    at = [NOW + n * MINUTE for n in range(10)]
    assert asked.without([(at[0], at[9])], [(at[2], at[3]), (at[5], at[6])]) == [
        (at[0], at[2]),
        (at[3], at[5]),
        (at[6], at[9]),
    ]
    assert asked.without([(at[2], at[4])], [(at[0], at[9])]) == []


# What pages say


def test_gaps_and_coverage_of_a_window(store: Store) -> None:
    config = configured("sky", "never")
    wanted = {key: a for key, a in wanted_of(config).items() if a.source == "sky"}
    sync(store, wanted)
    the_one = next(iter(wanted.values()))
    with store.writing() as connection:
        for n in range(120):
            came = FAILED if 30 <= n < 60 else UNCHANGED
            polls.note(connection, the_one, came, None, NOW + n * EVERY)
    since, until = NOW + 50 * MINUTE, NOW + 150 * MINUTE
    with store.reading() as connection:
        (gap,) = source_gaps(connection, config, since, until)
        rows_ = {(row.lane, row.source): row for row in coverage(connection, config, since, until, ["smf"])}
        calm = coverage(connection, config, NOW + 130 * MINUTE, until, ["smf"])
        before = coverage(connection, config, NOW - timedelta(hours=9), NOW - timedelta(hours=8), [])
    assert (gap.source, gap.since, gap.until, gap.reason) == (
        "sky", NOW + 30 * EVERY, NOW + 60 * EVERY, "answered 500",
    )  # fmt: skip
    assert rows_["grid", None].unasked == ((since, until),)
    assert rows_[None, "sky"].gaps[0].since == gap.since
    assert next(row for row in calm if row.source == "sky") == Coverage(None, "sky")
    assert next(row for row in before if row.source == "sky").unasked == (
        (NOW - timedelta(hours=9), NOW - timedelta(hours=8)),
    )


def test_an_empty_lane_says_whether_its_feeds_were_asked(store: Store) -> None:
    config, ends = configured("sky"), NOW + timedelta(hours=1)

    def of(*rows_: Coverage) -> str:
        with store.reading() as connection:
            return silence_of(connection, config, [], rows_, until=ends, zone="UTC")["warnings"]

    gap = Gap("warnings", "sky", NOW, NOW + 5 * MINUTE)
    row = Coverage("warnings", "sky")
    assert of() == "not asked: no source of warnings"
    assert of(row) == "asked, no warning here"
    assert of(replace(row, gaps=(gap,))) == "sky did not answer 10:00–10:05"
    assert of(replace(row, gaps=(gap, replace(gap, since=NOW + 9 * MINUTE, until=ends)))) == "sky down since 10:09"
    assert of(replace(row, unasked=((NOW, ends),))) == "not asked at the time"
    assert of(row, replace(row, unasked=((NOW, ends),))) == "asked, no warning here; not all feeds asked"


def test_a_window_that_was_asked_about_afterwards_is_no_gap(store: Store) -> None:
    config = configured("sky")
    sync(store, wanted_of(config))
    the_one = next(iter(wanted_of(config).values()))
    with store.writing() as connection:
        polls.note(connection, the_one, UNCHANGED, None, NOW)
        polls.note(connection, the_one, UNCHANGED, None, NOW + 100 * MINUTE)
        filled = {"source": "sky", "request": "", "outcome": "answered", "count": 1, "every_seconds": 1}
        times = {"first_at": NOW + 200 * MINUTE, "last_at": NOW + 200 * MINUTE}
        window = {"since": NOW - 60 * MINUTE, "until": NOW + 40 * MINUTE}
        connection.execute(sa.insert(ASKED).values(**filled, **times, **window))
    since, until = NOW - 50 * MINUTE, NOW + 100 * MINUTE
    with store.reading() as connection:
        (gap,) = source_gaps(connection, config, since, until)
        row = next(r for r in coverage(connection, config, since, until, []) if r.source == "sky")
    assert (gap.since, gap.until) == (NOW + 40 * MINUTE, NOW + 100 * MINUTE)
    assert row.unasked == ()


def test_an_answer_that_cannot_be_read_is_none_until_a_better_adapter_reads_it(store: Store) -> None:
    config = configured("sky")
    wanted = wanted_of(config)
    sync(store, wanted)
    with store.intake() as connection:
        deliveries.append(connection, [Arrival(7, "sky", NOW, {}, b"<!doctype html>")])
    (turn,) = claim(store, wanted)
    finish(store, turn, ANSWERED, NOW)
    while Ingest(store, adapters()).work(config, NOW):
        pass
    (turn,) = claim(store, wanted, NOW + 3 * MINUTE)
    finish(store, turn, UNCHANGED, NOW + 3 * MINUTE)
    with store.reading() as connection:
        health = feed_health(connection, config, {}, NOW + 4 * MINUTE)["sky"]
        (gap,) = source_gaps(connection, config, NOW, NOW + 4 * MINUTE)
    assert health.stale_since == NOW
    assert "could not be read: not JSON" in str(health.error)
    assert gap.reason
    assert (gap.since, gap.until) == (NOW, NOW + 4 * MINUTE)


def test_gaps_that_touch_are_one_for_all_their_sites() -> None:
    first = Gap("grid", "a", NOW, NOW + EVERY, sites=frozenset("x"))
    second = Gap("grid", "a", NOW + MINUTE, NOW + 3 * MINUTE, sites=frozenset("y"))
    assert asked.joined([first, second]) == [Gap("grid", "a", NOW, NOW + 3 * MINUTE, sites=frozenset("xy"))]
    assert asked.joined([first, replace(second, sites=None)])[0].sites is None


# Keys


def test_a_key_stands_in_a_request_only_and_is_hidden_in_what_comes_back() -> None:
    url, headers = answers.with_key("http://a/?k={key}", {"X-Key": "Bearer {key}"}, ["a secret&more"])
    assert url == "http://a/?k=a%20secret%26more"
    assert headers == {"X-Key": "Bearer a secret&more"}
    body, hidden = answers.masked(b'{"asked": "a%20secret%26more", "key": "a secret&more"}', ["a secret&more"])
    assert (body, hidden) == (b'{"asked": "{key}", "key": "{key}"}', 2)
    with pytest.raises(answers.MissingSecretError):
        answers.with_key("http://a/?k={key}", {}, [])
    with pytest.raises(answers.MissingSecretError):
        answers.with_key("http://a/", {"X": "{key}"}, ["a\nb"])


@pytest.mark.parametrize(
    "written",
    [
        'k/y+"é&1~=', r"k\/y+\"é&1~=", r"k/y+\"\u00e9&1~=", r"k\/y+\"\u00e9&1~=", "k%2Fy%2B%22%C3%A9%261~%3D",
        "k%2fy%2b%22%c3%a9%261~%3d", "k/y%2B%22%C3%A9%261~%3D", "ay95KyLDqSYxfj0=", "ay95KyLDqSYxfj0",
    ],
)  # fmt: skip
def test_a_key_is_hidden_however_it_is_written(written: str) -> None:
    assert answers.masked(f'{{"key": "{written}"}}'.encode(), ['k/y+"é&1~=']) == (b'{"key": "{key}"}', 1)


def test_a_key_is_hidden_in_the_headers_that_are_stored() -> None:
    found = Fetched(200, b"[]", f"text/plain; k={SECRET}", f'"{SECRET}"', None)
    assert answers.without_keys(found, [SECRET]) == Fetched(200, b"[]", "text/plain; k={key}", '"{key}"', None)


# The service itself

SECRET = "s3cr3t-of-the-feed"
ITEM = {"kind": "hazard", "key": "w-1", "event": "Heat Advisory", "starts_at": "2026-03-02T10:00:00Z", "zones": ["Z1"]}


def source(feed: Feed, name: str = "sky", path: str = "/feed", every: str = "1s", more: str = "") -> str:
    url = f'url = "{feed.url}{path}"\n'
    return f'[[sources]]\nname = "{name}"\nadapter = "generic_feed"\n{url}every = "{every}"\n{more}\n'


def polled(barograph: StartBarograph, config: str, **more: Any) -> Barograph:
    settings = {"ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8", **more.pop("settings", {})}
    return barograph(config, settings=settings, **more)


def health(service: Barograph, name: str = "sky") -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in service.json("/api/v1/sources")["items"] if s["name"] == name)
    return found


def test_a_poll_becomes_a_delivery_and_an_unchanged_one_does_not(
    barograph: StartBarograph, feed: Feed, database_url: str
) -> None:
    feed.document = [ITEM]
    service = polled(barograph, source(feed), database_url=database_url)
    (seen,) = service.until(lambda: service.json("/api/v1/occurrences")["items"])
    assert seen["event"] == "Heat Advisory"
    service.until(lambda: len(feed.heard) >= 3)
    assert "if-none-match" in feed.heard[-1].headers
    assert health(service)["deliveries"] == 1
    feed.document = [{**ITEM, "ends_at": "2026-03-02T12:00:00Z"}]
    service.until(lambda: health(service)["deliveries"] == 2)
    (delivery, _) = service.json("/api/v1/deliveries")["items"]
    page = service.get(f"/deliveries/{delivery['receipt']}").text
    assert f"{feed.url}/feed" in page
    assert health(service)["feed"]["stale_since"] is None
    told = service.get("/metrics").text
    assert 'barograph_feed_stale{source="sky"} 0.0' in told
    assert 'barograph_polls_total{outcome="answered"} 2.0' in told


def test_a_body_without_validators_is_put_in_only_when_it_differs(barograph: StartBarograph, feed: Feed) -> None:
    feed.document, feed.mood = [ITEM], "untagged"
    service = polled(barograph, source(feed))
    service.until(lambda: len(feed.heard) >= 4)
    assert health(service)["deliveries"] == 1
    assert 'outcome="unchanged"} 0' not in service.get("/metrics").text


@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("broken", "answered 500"),
        ("html", "could not be read: not JSON"),
        ("truncated", "cut off"),
        ("bomb", "larger than 5 MiB"),
        ("loop", "redirected more than"),
        ("metadata", "169.254.169.254"),
        ("always_304", "nothing had changed, unasked"),
        ("busy", "answered 429"),
        ("closed", "closed before the answer"),
        ("empty", "without a body"),
    ],
)
def test_a_feed_that_fails_is_shown_as_stale_and_comes_back(
    barograph: StartBarograph, feed: Feed, mood: str, said: str
) -> None:
    feed.document, feed.mood = [ITEM], mood
    service = polled(barograph, source(feed))
    service.until(lambda: said in str(health(service)["feed"]["error"]))
    for path in ("/sources", "/sources/sky", "/"):
        text = service.get(path).text
        assert "tale since" in text or "no answer for" in text
    assert 'barograph_feed_stale{source="sky"} 1.0' in service.get("/metrics").text
    feed.mood = "ok"
    if mood != "busy":
        service.until(lambda: health(service)["feed"]["stale_since"] is None)
        service.until(lambda: service.json("/api/v1/occurrences")["items"])
    assert service.json("/api/v1/deliveries?state=quarantined")["items"] == [] or mood == "html"


def test_retry_after_is_kept(barograph: StartBarograph, feed: Feed) -> None:
    feed.mood = "busy"
    service = polled(barograph, source(feed))
    service.until(lambda: health(service)["feed"]["error"])
    time.sleep(3)
    assert len(feed.heard) == 1


def test_the_circuit_opens_and_half_opens(barograph: StartBarograph, feed: Feed) -> None:
    feed.mood = "broken"
    service = polled(barograph, source(feed, every="1s"))
    service.until(lambda: health(service)["feed"]["circuit"] != "closed")
    asked_by_then = len(feed.heard)
    assert asked_by_then == circuit.OPENS_AFTER
    assert "open" in service.get("/sources/sky").text
    service.until(lambda: len(feed.heard) > asked_by_then)
    feed.mood = "ok"
    service.until(lambda: health(service)["feed"]["circuit"] == "closed")


def test_intake_goes_on_while_feeds_hang_drip_and_burst(barograph: StartBarograph, feed: Feed) -> None:
    key = "an-ingest-key-of-32-or-more-characters"
    moods = ("hang", "drip", "bomb", "endless", "loop", "no-http", "metadata")
    feeds = "".join(source(feed, name=mood, path=f"/{mood}") for mood in moods)
    hosts = feeds.replace("127.0.0.1", "localhost", 3)
    service = polled(barograph, f'{hosts}[[sources]]\nname = "cron"\nadapter = "generic"\nkey = "{key}"\n')
    service.until(lambda: len(feed.heard) >= 2)
    receipts = [service.send("cron", {"key": str(n), "title": "x", "severity": "info"}, key) for n in range(30)]
    assert service.read(receipts[-1])["state"] == "read"
    assert service.get("/readyz").status == 200


def test_a_key_is_nowhere_but_in_the_request(barograph: StartBarograph, feed: Feed) -> None:
    config = source(feed, path="/echo?key={key}", more=f'secret = "{SECRET}"') + source(
        feed, "refused", "/broken?key={key}", more=f'secret = "{SECRET}"'
    )
    service = polled(barograph, config)
    service.until(lambda: health(service)["deliveries"] and health(service, "refused")["feed"]["error"])
    assert f"/echo?key={SECRET}" in feed.paths()
    (delivery, *_) = service.json("/api/v1/deliveries?source=sky")["items"]
    pages = [
        service.get(path).text
        for path in (
            "/sources", "/sources/sky", "/sources/refused", "/settings", "/metrics", "/api/v1/sources",
            f"/deliveries/{delivery['receipt']}", f"/api/v1/deliveries/{delivery['receipt']}/raw",
        )
    ]  # fmt: skip
    assert not any(SECRET in page for page in pages)
    assert "{key}" in pages[-1]
    assert "request-keys-hidden" in pages[-2]
    service.terminate()
    assert SECRET not in service.log
    with closing(sqlite3.connect(service.home / "barograph.db")) as connection:
        assert SECRET not in "\n".join(connection.iterdump())


def test_two_replicas_ask_each_turn_once(barograph: StartBarograph, feed: Feed, postgresql_url: str) -> None:
    feed.document = [ITEM]
    config = source(feed, every="2s")
    first = polled(barograph, config, database_url=postgresql_url)
    polled(barograph, config, database_url=postgresql_url)
    began = time.monotonic()
    first.until(lambda: len(feed.heard) >= 6, seconds=40)
    assert time.monotonic() - began > 5 * 2 * 0.9 - 2
    with closing(Store(postgresql_url)) as store:
        assert sum(row.count for row in rows(store)) == pytest.approx(len(feed.heard), abs=1)
        (row,) = rows(store, POLL)
        assert row.turn == pytest.approx(len(feed.heard), abs=1)


def test_feeds_are_not_asked_when_the_settings_say_so(barograph: StartBarograph, feed: Feed) -> None:
    service = polled(barograph, source(feed), settings={"POLL_FEEDS": "false"})
    time.sleep(3)
    assert feed.heard == []
    assert "has not been asked" in service.get("/sources").text


def test_no_feed_reaches_into_our_own_network_by_default(barograph: StartBarograph, feed: Feed) -> None:
    service = barograph(source(feed))
    service.until(lambda: "not allowed" in str(health(service)["feed"]["error"]))
    assert feed.heard == []


def test_an_incident_says_what_was_asked_and_what_was_not(barograph: StartBarograph, feed: Feed) -> None:
    feed.document = [ITEM]
    service = polled(barograph, source(feed))
    service.until(lambda: service.json("/api/v1/occurrences")["items"])
    made = service.call("POST", "/api/v1/incidents", {"title": "Power lost", "severity": "critical"}).json()
    page = service.get(f"/incidents/{made['id']}").text
    assert "not asked: no such source" in page
    assert ">sky</a>" in page
    told = service.json(f"/api/v1/incidents/{made['id']}/export.json")["coverage"]
    assert {"kind": "Grid notices", "source": None, "said": "not asked: no such source"} in told


def test_pauses_between_requests_of_one_host_are_kept(barograph: StartBarograph, feed: Feed) -> None:
    names = ["a", "b", "c"]
    service = polled(barograph, "".join(source(feed, name, f"/ok?{name}") for name in names))
    arrivals: list[float] = []
    seen = 0
    ends = time.monotonic() + 8
    while time.monotonic() < ends:
        if len(feed.heard) > seen:
            seen = len(feed.heard)
            arrivals.append(time.monotonic())
        time.sleep(0.01)
    assert {path.rpartition("?")[2] for path in feed.paths()} == set(names)
    assert min(b - a for a, b in pairwise(arrivals)) > 0.7
    assert service.is_running
