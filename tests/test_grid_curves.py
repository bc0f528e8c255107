"""The grid's curves: beneath the bars of the lane, in one scale for each unit, broken where nothing is known."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import plotly.graph_objects as go
import pytest

from dashboards import grid
from dashboards.figure import incident_figure
from dashboards.phone import compose_phone, phone_svg
from dashboards.scene import compose
from dashboards.svg import incident_svg
from incidents.model import Severity
from incidents.views.view import Bar, Gap, IncidentView, Point, Series
from tests.figure_views import bar, minutes, rich_view
from tests.test_scene import assert_clear

DEMAND = [21.0, 21.8, 23.1, 24.9, 26.4, 27.7, 28.9, 29.6, 30.2, 30.8, 30.1, 29.2, 28.0, 26.9, 25.5, 24.0, 22.8, 21.9]
CREDIT = "Source of the grid (open licence)"


def hourly(variable: str, values: list[float], *, basis: str = "observed", area: str = "GB") -> Series:
    points = tuple(Point(minutes(60 * hour), value) for hour, value in enumerate(values))
    return Series(variable, "lon", points, basis, station=area, credit=CREDIT)


SERIES = (
    hourly("grid_demand_forecast_mw", [value * 1000 + 400 for value in DEMAND], basis="modelled"),
    hourly("grid_demand_mw", [value * 1000 for value in DEMAND]),
    hourly("grid_interchange_mw", [-1500.0 + 100 * n for n in range(18)]),
)
NOTICE: Bar = bar("grid", "Electricity margin notice", Severity.WARNING, 400, 700)


def view(*series: Series, bars: tuple[Bar, ...] = (NOTICE,), gaps: tuple[Gap, ...] = ()) -> IncidentView:
    whole = rich_view()
    return replace(whole, series=(*whole.series, *(series or SERIES)), bars=(*whole.bars, *bars), gaps=gaps)


def lines(shown: IncidentView) -> list[tuple[tuple[float, float], ...]]:
    scene = compose(shown, width=1392)
    top, bottom = scene.lanes["grid"]
    return [line.points for line in scene.lines if line.tips and top <= line.points[0][1] <= bottom]


@pytest.mark.parametrize("wide", [620, 1392])
def test_curves_stand_beneath_the_bars_and_gaps_of_their_lane(wide: int) -> None:
    gap = Gap("grid", "elexon", minutes(172), minutes(250))
    scene = compose(view(gaps=(gap,)), width=wide)
    top, bottom = scene.lanes["grid"]
    bars = [box for box in scene.boxes if top <= box.top <= bottom] + scene.gaps
    drawn = [line for line in scene.lines if line.tips and top <= line.points[0][1] <= bottom]
    assert len(drawn) == 3  # what was silent is a feed of notices: the readings went on
    assert max(box.bottom for box in bars) < min(y for line in drawn for _, y in line.points)
    assert max(y for line in drawn for _, y in line.points) < bottom
    assert_clear(scene)


def test_levels_share_a_scale_and_what_is_of_another_size_has_its_own() -> None:
    levels, interchange = grid.panels(view())
    assert [one.variable for one in levels.series] == ["grid_demand_mw", "grid_demand_forecast_mw"]
    assert [one.variable for one in interchange.series] == ["grid_interchange_mw"]
    words = [text.words for text in compose(view(), width=1392).texts]
    assert "30.8\u2009GW at 18:00" in words
    assert "30\u2009GW" in words
    assert "0\u2009MW" in words
    assert {"demand", "demand forecast", "interchange"} <= set(words)


def test_note_names_the_area_the_step_and_the_basis() -> None:
    assert grid.note(view()) == "demand, demand forecast, interchange of GB, hourly observed and modelled"
    frequency = Series(
        "grid_frequency_hz", "lon", tuple(Point(minutes(n), 50 + n / 1000) for n in range(9)), "observed"
    )
    assert grid.note(view(*SERIES, frequency)).endswith("1 more series")
    (panel,) = grid.panels(view(frequency))
    assert panel.words(49.984) == "49.98\u2009Hz"


def test_each_value_tells_its_source() -> None:
    scene = compose(view(), width=1392)
    tips = [tip for line in scene.lines for tip in line.tips if "demand 21.0" in tip]
    assert tips == [f"demand 21.0\u2009GW, GB, observed\n09:00 BST\n{CREDIT}"]


def test_curve_breaks_at_a_gap_and_where_readings_are_missing() -> None:
    whole = view(SERIES[1])
    assert len(lines(whole)) == 1
    holed = replace(SERIES[1], points=SERIES[1].points[:6] + SERIES[1].points[10:])
    assert len(lines(view(holed))) == 2
    gap = Gap("grid", "eia", minutes(61), minutes(119))
    assert len(lines(view(SERIES[1], gaps=(gap,)))) == 2
    # A feed of notices that was silent says nothing of a meter that went on.
    assert len(lines(view(SERIES[1], gaps=(replace(gap, until=minutes(400)),)))) == 1


def test_the_absurd_is_counted_and_flattens_nothing() -> None:
    absurd = replace(SERIES[1], points=(*SERIES[1].points[:9], Point(minutes(530), 1e12), *SERIES[1].points[9:]))
    assert "1 off the scale" in grid.note(view(absurd))
    heights = [y for points in lines(view(absurd)) for _, y in points]
    assert max(heights) - min(heights) > 30
    assert grid.panels(view(replace(SERIES[1], points=(Point(minutes(60), 1e12),)))) == []


def test_two_sites_of_one_area_have_one_curve() -> None:
    again = replace(SERIES[1], site="lhr")
    assert len(lines(view(SERIES[1], again))) == 1
    other = replace(SERIES[1], station="FR", points=tuple(Point(p.at, p.value + 9000) for p in SERIES[1].points))
    words = [text.words for text in compose(view(SERIES[1], other), width=1392).texts]
    assert {"demand GB", "demand FR"} <= set(words)


def test_without_readings_the_lane_is_as_it_was() -> None:
    plain = rich_view()
    assert grid.height(plain, 64) == 0
    scene = compose(view(bars=()), width=1392)
    assert not any(text.words == "nothing recorded" and scene.lanes["grid"][0] < text.y < scene.lanes["grid"][1]
                   for text in scene.texts)  # fmt: skip


def test_nothing_that_was_not_known_is_drawn() -> None:
    moved = replace(view(), as_known=True, as_of=minutes(300))
    scene = compose(moved, width=1392)
    top, bottom = scene.lanes["grid"]
    assert all(
        x <= scene.frame.edge for line in scene.lines if top <= line.points[0][1] <= bottom for x, _ in line.points
    )


def test_every_rendering_has_the_curves() -> None:
    shown = view()
    figure = incident_figure(shown)
    go.Figure(figure)
    hovers = [words for trace in figure["data"] for words in trace.get("hovertext", []) if "demand forecast" in words]
    assert hovers
    assert "demand forecast" in incident_svg(shown)
    phone = compose_phone(shown)
    assert any(text.words.startswith("Grid: demand") for text in phone.texts)
    (notice,) = [box for box in phone.boxes if "margin notice" in box.tip]
    curves = [line for line in phone.lines if line.tips and "GB" in line.tips[0]]
    assert curves
    assert min(y for line in curves for _, y in line.points) > notice.bottom
    ET.fromstring(phone_svg(shown))
