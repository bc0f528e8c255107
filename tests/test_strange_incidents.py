"""A readable drawing for every incident: no words overlap or leave the frame, in SVG, Plotly, on the phone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import plotly.graph_objects as go
import pytest

from dashboards.figure import incident_figure
from dashboards.marks import Scene
from dashboards.phone import WIDTH, compose_phone, phone_svg
from dashboards.scene import compose
from dashboards.svg import incident_svg
from incidents.measurements import measure
from incidents.model import Moment, Severity
from incidents.views.view import Bin, Density, IncidentView, Mark, Phase
from tests.figure_views import TITLES, bar, cascaded, incident, minutes, rich_view
from tests.test_scene import WIDTHS, assert_clear, assert_unstruck
from tests.test_svg import assert_harmless

LONG = "Supply air far above the limit of hall two " * 240
RIGHT_TO_LEFT = "\u202eعطل في التبريد\u202c \u2067ارتفاع درجة الحرارة في القاعة الثانية\u2069 " * 9
EMOJI = "🔥🧑🏽‍🚒👩‍👩‍👧‍👦🇬🇧" * 60


def bare(**more: Any) -> IncidentView:
    """An incident of which nothing is known but that it was opened."""
    who = incident(
        impact_started_at=None, acknowledged_at=None, mitigated_at=None, resolved_at=None, status="open",
        detected_at=None,
    )  # fmt: skip
    told: dict[str, Any] = {
        "incident": who, "bars": (), "marks": (), "series": (), "gaps": (), "phases": (), "recorded": (), "silence": {},
        "measurements": measure(who), "cascade": cascaded(),
    }  # fmt: skip
    return rich_view(**(told | more))


def spring(zone: str, first: datetime) -> IncidentView:
    """Six hours around a change of the clock, an alert before it, one over it and one after it."""
    start = (first - minutes(0)) / timedelta(minutes=1)
    bars = tuple(
        bar("platform", f"alert {n}", Severity.ERROR, start + at, start + at + 70, service="api")
        for n, at in enumerate((20, 160, 200))
    )
    phases = (Phase("before", first, first + timedelta(hours=1)), Phase("impact", first + timedelta(hours=1),
              first + timedelta(hours=6), open_ended=True))  # fmt: skip
    return bare(since=first, until=first + timedelta(hours=6), zone=zone, bars=bars, phases=phases)


def titled(title: str) -> IncidentView:
    """The same words wherever a stranger's words can stand."""
    lanes = ("warnings", "grid", "site", "hardware", "network", "providers", "changes", "platform")
    bars = tuple(
        bar(lane, title, severity, at, at + 90, service=title, source=title)
        for lane in lanes
        for at, severity in ((30, Severity.CRITICAL), (400, Severity.UNKNOWN), (1010, Severity.ERROR))
    )
    marks = tuple(Mark(f"e{n}", minutes(n), None, minutes(n + 90), title, late=n == 500) for n in (10, 500, 1000))
    return rich_view(incident=incident(title=title), bars=bars, marks=marks, silence=dict.fromkeys(lanes, title))


def backwards() -> IncidentView:
    """Ends before their starts: an alert, the resolution before the impact, and a phase that is none."""
    who = incident(resolved_at=Moment(minutes(100)), mitigated_at=Moment(minutes(50), minutes(60)))
    return rich_view(
        incident=who, bars=(bar("platform", "Ended before it began", Severity.ERROR, 400, 300),),
        measurements=measure(who), cascade=cascaded((400, "page"), (400, "act"), (100, "recovery"), until=50),
    )  # fmt: skip


def months() -> IncidentView:
    """Three months with a few alerts, one of which fills them."""
    day = 1440
    bars = (
        bar("platform", "All quarter", Severity.ERROR, 10, 91 * day),
        bar("site", "One minute of it", Severity.CRITICAL, 40 * day, 40 * day + 1),
        bar("network", "Still on", Severity.WARNING, 80 * day, None),
    )
    return bare(until=minutes(92 * day), as_of=minutes(92 * day), on_until=minutes(91 * day), bars=bars)


def crowded() -> IncidentView:
    """100,000 alerts as a server sends them: counts, the gravest few, and what was on from before."""
    bins = tuple(
        Bin(lane, severity, minutes(step), 140)  # type: ignore[arg-type]  # lanes are words here
        for step in range(0, 1020, 10)
        for lane in ("site", "hardware", "platform")
        for severity in (Severity.CRITICAL, Severity.WARNING)
    )
    gravest = tuple(bar("platform", f"Checkout {n}", Severity.CRITICAL, n, n + 12) for n in range(200))
    standing = {"site": 12_000, "hardware": 3, "network": 20_000}
    return bare(density=Density(600, bins, 100_000), bars=gravest, standing=standing)


VIEWS = {
    "no alert": bare(),
    "one alert": bare(bars=(bar("platform", "Checkout is down", Severity.CRITICAL, 336, 429),)),
    "one instant": bare(until=minutes(0), bars=(bar("platform", "Blip", Severity.ERROR, 0, 0),)),
    "one alert of no length": bare(bars=(bar("platform", "Blip", Severity.ERROR, 500, 500),)),
    "100,000 alerts": crowded(),
    "three months": months(),
    "an end before its start": backwards(),
    "clocks go forward": spring("Europe/London", datetime(2022, 3, 26, 22, tzinfo=UTC)),
    "clocks go back": spring("America/New_York", datetime(2022, 11, 6, 3, tzinfo=UTC)),
    "clocks move by half an hour": spring("Australia/Lord_Howe", datetime(2022, 4, 2, 12, tzinfo=UTC)),
    "10,000 characters": titled(LONG),
    "right to left": titled(RIGHT_TO_LEFT),
    "emoji": titled(EMOJI),
    "nothing in its title": titled(""),
    "markup": titled(TITLES[2]),
}
SHADOWED = re.compile("[\u202a-\u202e\u2066-\u2069\x00-\x08]")


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest) -> IncidentView:
    return VIEWS[request.param]


def assert_in_frame(scene: Scene) -> None:
    """No box, line or glyph leaves the picture, and every text is one line of what may be shown."""
    for box in (*scene.boxes, *scene.gaps, *scene.bands):
        assert -0.01 <= box.left <= box.right <= scene.width + 0.01, box
        assert -0.01 <= box.top <= box.bottom <= scene.height + 0.01, box
    for glyph in scene.glyphs:
        assert -0.01 <= glyph.x <= scene.width + 0.01, glyph
    for text in scene.texts:
        assert not SHADOWED.search(text.words), text
        assert "\n" not in text.words, text


def test_layouts_keep_clear_and_in_their_frame(view: IncidentView) -> None:
    for width in WIDTHS:
        scene = compose(view, width=width, track=True)
        assert_clear(scene)
        assert_unstruck(scene)
        assert_in_frame(scene)
    phone = compose_phone(view)
    assert phone.width == WIDTH
    assert_clear(phone)
    assert_in_frame(phone)


def test_files_are_read_back_and_hold_no_control_of_direction(view: IncidentView) -> None:
    for written in (incident_svg(view), phone_svg(view)):
        assert_harmless(written)
        assert not SHADOWED.search(written)


def test_plotly_takes_the_figure_and_its_words_keep_clear(view: IncidentView) -> None:
    figure = incident_figure(view, width=1392)
    go.Figure(figure)
    layout = figure["layout"]
    assert layout["meta"]["axis"]["since"] < layout["meta"]["axis"]["until"]
    for annotation in layout["annotations"]:
        assert 0 <= annotation["y"] <= layout["height"]
        assert "<" not in annotation["text"]
    ticks = sorted(zip(layout["xaxis"]["tickvals"], layout["xaxis"]["ticktext"], strict=True))
    assert len(set(ticks)) == len(ticks)
    assert all(one[0] < other[0] for one, other in combinations(ticks, 2))


def test_a_clock_change_is_marked_with_both_offsets() -> None:
    for name, words in (
        ("clocks go forward", "UTC → UTC+1"),
        ("clocks go back", "UTC−4 → UTC−5"),
        ("clocks move by half an hour", "UTC+11 → UTC+10:30"),
    ):
        said = [text.words for text in compose(VIEWS[name], width=1440).texts]
        assert words in said, name
    hours = [tick.words for tick in compose(VIEWS["clocks go back"], width=1440).ticks]
    assert hours.count("01:00") == 2
    assert "01:00" not in [tick.words for tick in compose(VIEWS["clocks go forward"], width=1440).ticks]


def test_a_crowd_says_how_many_it_is_and_what_was_on_from_before() -> None:
    said = " ".join(text.words for text in compose(VIEWS["100,000 alerts"], width=1440).texts)
    on_phone = " ".join(text.words for text in compose_phone(VIEWS["100,000 alerts"]).texts)
    assert "Site: 28,560 alerts, 12,000 more on from before" in on_phone
    assert "Network: 20,000 more on from before" in on_phone
    assert "nothing recorded" not in on_phone.partition("Site:")[2].partition("Providers")[0]
    assert "12,000 more on from before" in said
    assert "20,000 more on from before" in said
    assert "28,560 alerts, 1 bar = 10 min" in said
