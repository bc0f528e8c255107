"""A crowd's figure resolves on zoom: what began in the window stands one by one, what is on is not forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboards import sentences
from dashboards.scene import compose
from incidents.config import Config
from incidents.store import Store
from incidents.views import crowd_window, incident_view
from incidents.views.incident_view import Asked
from incidents.views.view import IncidentView
from tests.bench import filling
from tests.test_scene import WIDTHS, assert_clear, words_of

SINCE = datetime(2026, 11, 20, 6, tzinfo=UTC)
NOW = SINCE + 2 * filling.SPAN
ALERTS = 6_000


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, str]]:
    """A store with one incident of more alerts than are ever drawn, one every 3.6 s, each fifth of them still on."""
    path: Path = tmp_path_factory.mktemp("crowd")
    with closing(Store(f"sqlite:///{path / 'crowd.db'}")) as opened:
        opened.migrate()
        yield opened, filling.fill(opened, ALERTS, SINCE)


def seen(crowd: tuple[Store, str], first: int | None, last: int | None, **more: object) -> IncidentView:
    """The view between two minutes after the start, as a figure asks for it."""
    store, name = crowd
    since, until = (None if m is None else SINCE + timedelta(minutes=m) for m in (first, last))
    asked = Asked(NOW, since=since, until=until, **({"lines": False} | more))  # type: ignore[arg-type]  # as given
    with store.reading() as connection:
        view = incident_view.gather(connection, Config(), name, asked, sentences.sentence)
    assert view
    return view


def test_the_whole_of_a_crowd_is_counts_and_its_window_has_all_of_it(crowd: tuple[Store, str]) -> None:
    view = seen(crowd, None, None)
    assert view.density is not None
    assert view.density.total == ALERTS
    assert view.since < SINCE
    assert view.until > SINCE + filling.SPAN
    assert not view.standing
    assert not {"site", "hardware", "network", "service"} & set(view.silence)


def test_a_window_of_few_shows_each_that_began_in_it(crowd: tuple[Store, str]) -> None:
    view = seen(crowd, 60, 90)
    assert view.density is None
    began = [bar for bar in view.bars if bar.occurrence.starts_at >= view.since]
    assert len(began) == 30 * 60 / 3.6 + 1
    assert all(bar.occurrence.starts_at <= view.until for bar in began)
    # What was on from before: an hour's fifth that never ended, and the last twelve minutes of the others.
    before = 1000 // 5 + 200 * 4 // 5
    shown = len(view.bars) - len(began)
    assert shown == crowd_window.STANDING
    assert before - 3 <= shown + sum(view.standing.values()) <= before


def test_what_the_caches_show_is_what_the_statements_say(crowd: tuple[Store, str]) -> None:
    now = seen(crowd, 60, 90)
    then = seen(crowd, 60, 90, as_of=NOW)
    told = {bar.occurrence.id: bar for bar in now.bars}
    assert then.density is None
    assert all(told[bar.occurrence.id] == bar for bar in then.bars)
    assert len(then.bars) == 501


def test_a_window_in_which_nothing_began_still_says_what_was_on(crowd: tuple[Store, str]) -> None:
    view = seen(crowd, 370, 380)
    assert view.density is None
    assert len(view.bars) == crowd_window.STANDING
    for width in WIDTHS:
        scene = compose(view, width=width)
        assert_clear(scene)
    said = " ".join(words_of(compose(view, width=1440)))
    for lane, n in view.standing.items():
        assert f"{n:,} more on from before" in said, lane
