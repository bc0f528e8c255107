"""The Plotly figure: a dict that Plotly accepts, in pixels and UTC, with everything of a stranger's escaped."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import HealthCheck, given, settings

from dashboards.figure import CONFIG, incident_figure, slider_of
from incidents.model import Severity
from incidents.views.view import IncidentView
from tests.figure_views import bar, dense_view, minutes, rich_view, strange_views


def judge(figure: dict[str, Any]) -> None:
    """Plotly itself accepts the dict, and it is JSON without NaN."""
    go.Figure(figure)
    json.dumps(figure, allow_nan=False)


def bars_of(figure: dict[str, Any]) -> list[tuple[str, float, float, str]]:
    """Base, length in ms, middle and hover text of each bar that answers."""
    return [
        bar_
        for trace in figure["data"]
        if trace["type"] == "bar" and "hovertext" in trace
        for bar_ in zip(trace["base"], trace["x"], trace["y"], trace["hovertext"], strict=True)
    ]


def test_the_handle_stands_at_the_end_where_everything_is_shown() -> None:
    for span in (1, 10, 95, 1020, 40 * 1440):
        track = slider_of(rich_view(until=minutes(span)))
        assert track["value"] == track["most"]
        assert track["most"] - minutes(span).timestamp() <= max(1, span * 60 / 240)
        then = slider_of(rich_view(until=minutes(span), as_known=True, as_of=minutes(span / 2)))
        assert track["least"] < then["value"] < track["most"]


def test_plotly_accepts_the_example() -> None:
    for theme in ("light", "dark"):
        judge(incident_figure(rich_view(), theme=theme))  # type: ignore[arg-type]  # both are themes
    judge(incident_figure(dense_view()))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(view=strange_views())
def test_plotly_accepts_strange_views(view: IncidentView) -> None:
    judge(incident_figure(view))


def test_axis_is_utc_and_its_words_are_the_zones() -> None:
    layout = incident_figure(rich_view())["layout"]
    axis = layout["xaxis"]
    assert axis["range"] == ["2022-07-19 08:00:00.000", "2022-07-20 01:00:00.000"]
    words = dict(zip(axis["tickvals"], axis["ticktext"], strict=True))
    assert words["2022-07-19 08:00:00.000"] == "09:00<br>Tue 19 Jul"
    assert words["2022-07-19 23:00:00.000"] == "<b>00:00</b><br>Wed 20 Jul"
    assert layout["xaxis2"]["matches"] == "x"
    assert "BST, UTC+1" in [annotation["text"] for annotation in layout["annotations"]]
    assert layout["meta"]["zone_words"] == "BST, UTC+1"


def test_lines_of_one_look_are_one_shape_at_their_instants() -> None:
    shapes = incident_figure(rich_view())["layout"]["shapes"]
    paths = [shape["path"] for shape in shapes if shape["type"] == "path"]
    assert len({(shape["line"]["color"], shape["line"]["width"], shape["line"].get("dash")) for shape in shapes
                if shape["type"] == "path"}) == len(paths)  # fmt: skip
    at = [re.findall(r"M([^,]+),[\d.]+L([^,]+),[\d.]+", path) for path in paths]
    assert all(begin == end for pairs in at for begin, end in pairs)
    hours = {begin[:13] for pairs in at for begin, _ in pairs}
    assert {"2022-07-19_12", "2022-07-19_23"} <= hours


def test_bars_lie_at_their_instants() -> None:
    found = {tip.split("<br>")[0]: (base, length) for base, length, _, tip in bars_of(incident_figure(rich_view()))}
    base, length = found["Chiller 2 tripped on head pressure"]
    assert abs(datetime.fromisoformat(base) - minutes(318).replace(tzinfo=None)) < timedelta(milliseconds=2)
    assert length == pytest.approx((775 - 318) * 60_000, abs=2)


def test_open_bars_end_at_the_known_at_line() -> None:
    view = rich_view(as_known=True, as_of=minutes(450))
    for base, length, _, _ in bars_of(incident_figure(view)):
        assert datetime.fromisoformat(base) + timedelta(milliseconds=length) <= minutes(451).replace(tzinfo=None)


def test_lanes_keep_their_heights_when_the_reader_moves_back() -> None:
    lanes = incident_figure(rich_view())["layout"]["meta"]["lanes"]
    heights = {lane: bottom - top for lane, (top, bottom) in lanes.items()}
    earlier = rich_view(as_known=True, as_of=minutes(200), bars=(), marks=())
    moved = incident_figure(earlier, lane_heights=heights)["layout"]["meta"]["lanes"]
    assert moved == lanes
    assert incident_figure(earlier)["layout"]["meta"]["lanes"] != lanes


def test_strangers_text_is_escaped_in_labels_and_hover() -> None:
    hostile = '<a href="javascript:alert(1)">click</a><img src=x onerror=alert(1)>'
    view = rich_view(bars=(bar("platform", hostile, Severity.ERROR, 30, 90, service=hostile, source=hostile),))
    said = json.dumps(incident_figure(view), ensure_ascii=False)
    assert "<a href" not in said
    assert "<img" not in said
    assert "&lt;a href=" in said


def test_hover_tells_times_in_the_zone_and_in_utc() -> None:
    tips = [tip for _, _, _, tip in bars_of(incident_figure(rich_view()))]
    chiller = next(tip for tip in tips if tip.startswith("Chiller 2"))
    assert "19 Jul 2022 14:18" in chiller
    assert "BST (19 Jul 2022 13:18" in chiller
    assert "alert, error" in chiller


def test_counts_stand_in_for_too_many_marks() -> None:
    figure = incident_figure(dense_view())
    words = [annotation["text"] for annotation in figure["layout"]["annotations"]]
    assert any(said.startswith("814 alerts, 1 bar = 10 min") for said in words)
    assert any("error" in tip and "warning" in tip for _, _, _, tip in bars_of(figure))


def test_page_learns_what_stands_beside_the_figure() -> None:
    figure = incident_figure(rich_view(), width=1200)
    meta = figure["layout"]["meta"]
    assert meta["alt"].startswith("Timeline of London: instances unreachable in europe-west2-a, 19 Jul 09:00")
    assert meta["known_at"]["left"] == 150
    assert meta["known_at"]["right"] == 1180
    assert meta["lanes"]["weather"][1] == meta["lanes"]["warnings"][0]
    assert figure["layout"]["width"] == 1200


def test_nothing_is_sent_anywhere_and_no_gl_is_needed() -> None:
    assert CONFIG["displayModeBar"] is False
    assert CONFIG["showSendToCloud"] is False
    assert CONFIG["plotlyServerURL"] == ""
    assert {trace["type"] for trace in incident_figure(rich_view())["data"]} <= {"bar", "scatter"}


def test_line_breaks_and_readings_answer() -> None:
    traces = incident_figure(rich_view())["data"]
    curve = next(trace for trace in traces if "temperature 40.2" in "".join(trace.get("hovertext", [])))
    assert len(curve["x"]) == 18
    assert "reconstructed" in curve["hovertext"][0]
