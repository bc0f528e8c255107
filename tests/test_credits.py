"""Who publishes a datum is named wherever it is shown; and beside the links stands what was asked and what was not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

import incidents.adapters
from dashboards import documents
from dashboards.coverage import coverage_rows, coverage_words
from incidents.adapters import adapters, credit_of, listing
from incidents.config import config_of
from incidents.model import Credit
from incidents.store import Store
from incidents.views import lists, overview
from incidents.views.view import Coverage, Gap
from service.api.records_api import occurrence_json
from tests.figure_views import rich_view
from tests.world import SITES, World, firing, instant

LINE = "Example Weather Office (CC BY 4.0)"
AT = "2026-03-02T10:00:00Z"
SOURCES = [
    {"name": "am", "adapter": "alertmanager"},
    {"name": "office", "adapter": "generic_feed", "url": "https://feed.example/"},
]


@pytest.fixture
def credited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed of our own JSON has a publisher who wants to be named."""
    credit = Credit("Example Weather Office", "CC BY 4.0", "https://office.example")
    known = {**adapters(), "generic_feed": replace(adapters()["generic_feed"], credit=credit)}
    monkeypatch.setattr(incidents.adapters, "adapters", lambda: known)


@pytest.mark.usefixtures("credited")
def test_the_publisher_of_a_feed_is_named_on_pages_and_in_exports(store: Store) -> None:
    config = config_of({"sites": SITES, "sources": SOURCES}, adapters())
    world = World(store, config)
    world.at("10:00").alertmanager(firing("db-1"))
    world.send(
        "office",
        [
            {"kind": "hazard", "key": "w", "event": "Heat Advisory", "starts_at": AT, "zones": ["CAC067"]},
            {"reading": "temperature_c", "at": AT, "value": 41.0, "latitude": 38.6, "longitude": -121.5},
        ],
    )
    view = world.view()
    assert view.credits == (LINE,)
    assert view.series[0].credit == LINE
    assert LINE in documents.markdown(view)
    assert LINE.encode() in documents.json_export(view)
    with store.reading() as connection:
        assert overview.now_view(connection, config, world.now, "UTC").credits == (LINE,)
        (seen,) = lists.list_occurrences(connection, lists.OccurrenceFilter(kind="hazard"), 9)
    assert occurrence_json(seen, credit_of("generic_feed"))["credit"] == LINE
    assert next(row for row in listing() if row["name"] == "generic_feed")["credit"] == LINE


def test_nobody_is_named_where_nobody_asks_for_it(store: Store) -> None:
    world = World(store)
    world.at("10:00").alertmanager(firing("db-1"))
    assert world.view().credits == ()
    assert credit_of("alertmanager") is None
    assert credit_of("no such adapter") is None


def at(clock: str) -> tuple[Gap, ...]:
    since, until = (instant(part) for part in clock.split("-"))
    return (Gap("warnings", "nws", since, until, reason="answered 500"),)


def test_what_was_asked_is_said_in_words() -> None:
    view = replace(rich_view(), since=instant("10:00"), until=instant("12:00"), zone="UTC", as_known=False)
    whole = ((view.since, view.until),)
    said = {
        coverage_words(row, view)
        for row in (
            Coverage("grid", None, unasked=whole),
            Coverage("warnings", "nws"),
            Coverage("warnings", "nws", found=2),
            Coverage("warnings", "nws", at("10:05-11:40")),
            Coverage("warnings", "nws", at("10:00-12:00")),
            Coverage("warnings", "nws", (), whole),
            Coverage("warnings", "nws", (replace(at("10:10-10:20")[0], reason=None),), found=1),
        )
    }
    assert said == {
        "not asked: no such source",
        "asked, nothing found",
        "asked, 2 found",
        "feed down 10:05\N{EN DASH}11:40; else asked, nothing found",
        "feed down 10:00\N{EN DASH}12:00",
        "not asked 10:00\N{EN DASH}12:00",
        "no answer 10:10\N{EN DASH}10:20; else asked, 1 found",
    }
    shown = coverage_rows(replace(view, coverage=(Coverage("grid", None, unasked=whole),)))
    assert shown == [("Grid notices", "", "not asked: no such source")]


def test_many_stretches_are_counted_after_the_third() -> None:
    view = replace(rich_view(), since=instant("00:00"), until=instant("23:00"), zone="UTC", as_known=False)
    gaps = tuple(gap for n in range(8) for gap in at(f"{n:02}:00-{n:02}:10"))
    said = coverage_words(Coverage("warnings", "nws", gaps), view)
    assert "5 more stretches" in said
    assert view.until - view.since > timedelta(hours=1)
