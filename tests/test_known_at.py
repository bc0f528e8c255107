"""The figure as it was known at three moments of London's day: nothing that was recorded later leaks into any of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dashboards import sentences
from dashboards.figure import incident_figure
from dashboards.phone import phone_svg
from dashboards.svg import incident_svg
from incidents import configured
from incidents.store import Store
from incidents.views import incident_view
from incidents.views.incident_view import Asked
from incidents.views.view import IncidentView
from tests import golden

NOW = datetime(2022, 8, 1, tzinfo=UTC)
LONDON = "2022-07-19-lon"


@pytest.fixture(scope="module")
def london(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("london")
    with closing(Store(f"sqlite:///{folder / 'london.db'}")) as store:
        store.migrate()
        golden.played("london-2022", store)
        yield store


def seen(store: Store, clock: str | None) -> IncidentView:
    """The view as known at a clock time in UTC of the day, within the window of all that is known."""
    with store.reading() as connection:
        config = configured.load(connection)
        whole = incident_view.gather(connection, config, LONDON, Asked(NOW), sentences.sentence)
        assert whole
        if clock is None:
            return whole
        as_of = datetime.fromisoformat(f"2022-07-19T{clock}:00+00:00")
        asked = Asked(NOW, as_of=as_of, since=whole.since, until=whole.until)
        view = incident_view.gather(connection, config, LONDON, asked, sentences.sentence)
    assert view
    return view


@pytest.mark.parametrize("clock", ["13:45", "15:30", "17:00"])
def test_nothing_recorded_later_is_drawn_written_or_counted(london: Store, clock: str) -> None:
    then, whole = seen(london, clock), seen(london, None)
    known = {line.id for line in then.lines}
    later = [line for line in whole.lines if line.recorded_at > then.as_of]
    assert later
    assert not known & {line.id for line in later}
    said = json.dumps(incident_figure(then), ensure_ascii=False) + incident_svg(then) + phone_svg(then)
    assert then.cascade
    said += repr(then.cascade)
    for line in later:
        alike = [other for other in then.lines if other.text[:24] == line.text[:24]]
        assert alike or line.text[:24] not in said, line.text
    assert all(bar.occurrence.recorded_at and bar.occurrence.recorded_at <= then.as_of for bar in then.bars)
    assert all(mark.recorded_at <= then.as_of for mark in then.marks)
    assert all(point.at <= then.as_of for one in then.series for point in one.points)
    assert all(phase.until <= then.as_of for phase in then.phases)
    assert all(step.at <= then.as_of for step in then.cascade.steps)


def test_the_steps_become_known_one_after_another(london: Store) -> None:
    def steps(clock: str | None) -> list[str]:
        view = seen(london, clock)
        assert view.cascade
        return [step.name for step in view.cascade.steps]

    assert steps("13:45") == ["warning", "limit", "thermal", "page"]
    assert steps("15:30") == ["warning", "limit", "thermal", "page", "act", "recovery"]
    # The call to the facility was made at 14:20 and noted at 17:52: only then is it the first act.
    assert steps("17:00") == ["warning", "limit", "thermal", "act", "page", "recovery", "post"]
    assert steps(None) == ["warning", "limit", "thermal", "act", "page", "post", "recovery"]
