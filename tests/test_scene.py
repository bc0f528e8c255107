"""The layout: nothing collides, nothing leaves the view, whatever is thrown at it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings

from dashboards.marks import COMPACT, TIGHT, Scene
from dashboards.phone import compose_phone
from dashboards.scene import compose
from incidents.model import Post, Severity
from incidents.views.view import Gap, IncidentView, Mark, Phase
from tests.figure_views import bar, dense_view, incident, minutes, rich_view, series, strange_views

WIDTHS = (1440, 1123, 390, 320)


def assert_clear(scene: Scene) -> None:
    """No two text boxes overlap, none leaves the view, and no line of the time axis runs through one."""
    texts = [text for text in (*scene.texts, *scene.tick_texts()) if text.words]
    boxes = [(text.box, text.words) for text in texts]
    for (left, top, right, bottom), words in boxes:
        assert left >= -0.01, f"{words!r} begins at {left}"
        assert right <= scene.width + 0.01, f"{words!r} ends at {right} of {scene.width}"
        assert top >= -0.01, f"{words!r} is above the view"
        assert bottom <= scene.height + 0.01, f"{words!r} is below the view"
    for (one, words), (other, others) in combinations(boxes, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] + 0.3 or other[3] <= one[1] + 0.3
        assert apart, f"{words!r} {one} and {others!r} {other} overlap"
    for rule in (rule for rule in scene.rules if rule.left == rule.right):
        for (left, top, right, bottom), words in boxes:
            crosses = left < rule.left < right and rule.top < bottom and top < rule.bottom
            assert not crosses, f"{words!r} is crossed by a line at {rule.left}"


def assert_unstruck(scene: Scene) -> None:
    """No whisker, dotted line or tick of a lane crosses words."""
    boxes = [(text.box, text.words) for text in scene.texts if text.words]
    for line in scene.lines:
        if len(line.points) != 2:
            continue
        (x, y), (end, low) = line.points
        if x != end and y != low:
            continue
        for (left, top, right, bottom), words in boxes:
            clear = end <= left or right <= x or low <= top + 0.3 or bottom <= y + 0.3
            assert clear, f"{words!r} is struck through from {x} to {end}"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("view", [rich_view(), dense_view()], ids=["rich", "dense"])
def test_labels_of_the_examples_keep_clear(view: IncidentView, width: int) -> None:
    assert_clear(compose(view, width=width, track=True))
    assert_clear(compose(view, width=width, sizes=COMPACT, rows=2))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(view=strange_views())
def test_labels_keep_clear_in_strange_views(view: IncidentView) -> None:
    for width in WIDTHS:
        scene = compose(view, width=width, track=True)
        assert_clear(scene)
        assert_unstruck(scene)
    assert_clear(compose(view, width=1123, sizes=COMPACT, rows=3))
    assert_clear(compose(view, width=1123, sizes=TIGHT, rows=2))
    assert_clear(compose_phone(view))


def words_of(scene: Scene) -> list[str]:
    return [text.words for text in scene.texts]


def test_lanes_stand_from_the_sky_to_the_people() -> None:
    assert list(compose(rich_view(), width=1440).lanes) == [
        "weather", "warnings", "grid", "site", "hardware", "network", "providers", "changes", "platform", "service",
        "people", "intervals", "cascade",
    ]  # fmt: skip


def observed() -> IncidentView:
    """The hot day, had somebody measured it."""
    view = rich_view()
    return replace(view, series=tuple(replace(series, basis="observed") for series in view.series))


def test_a_crossing_is_told_as_far_as_the_readings_tell_it_and_the_peak_is_named() -> None:
    words = words_of(compose(observed(), width=1440))
    assert "limit crossed 10:00 – 11:00" in words
    assert "40.2\u2009°C at 15:00" in words
    assert "site design limit 35\u2009°C, dry bulb; above it 7 h – 9 h in view" in words


def test_a_fitted_curve_claims_no_instant_and_no_length() -> None:
    view = rich_view()
    assert {series.basis for series in view.series} == {"reconstructed"}
    words = words_of(compose(view, width=1440))
    assert "limit crossed about 10:00 – 11:00, reconstructed" in words
    assert "40.2\u2009°C about 15:00" in words
    assert any("above it about 7 h – 9 h in view" in told for told in words)


def test_where_the_window_cuts_a_curve_its_end_is_no_reading() -> None:
    view = replace(observed(), since=minutes(75), until=minutes(200))
    scene = compose(view, width=1440)
    assert "limit crossed 10:00 – 11:00" in words_of(scene)
    (curve,) = [line for line in scene.lines if line.ink == "temperature"]
    assert "on the line between two readings" in curve.tips[0]
    assert "observed" in curve.tips[1]
    assert not [words for words in words_of(scene) if " at 12:2" in words]


def test_fill_lies_above_the_limit_only() -> None:
    scene = compose(rich_view(), width=1440)
    level = next(rule.top for rule in scene.rules if rule.ink == "temperature")
    (area,) = scene.areas
    assert max(y for _, y in area.points) == pytest.approx(level)
    assert area.points[0][0] == pytest.approx(scene.frame.x(minutes(97.5)), abs=1)


def test_line_breaks_where_the_feed_was_silent() -> None:
    gap = Gap("weather", "ukmo", minutes(190), minutes(320))
    scene = compose(rich_view(gaps=(gap,)), width=1440)
    curves = [line for line in scene.lines if line.ink == "temperature"]
    assert len(curves) == 2
    assert all(
        line.points[-1][0] <= scene.frame.x(gap.since) or line.points[0][0] >= scene.frame.x(gap.until)
        for line in curves
    )
    (hatch,) = scene.gaps
    assert (hatch.left, hatch.right) == (scene.frame.x(gap.since), scene.frame.x(gap.until))


def test_no_readings_are_said_to_be_none() -> None:
    assert "no readings near the site" in words_of(compose(rich_view(series=()), width=1440))
    assert "not asked" in words_of(compose(rich_view(series=(), silence={"weather": "not asked"}), width=1440))


@pytest.mark.parametrize("width", WIDTHS)
def test_within_the_span_of_an_uncertain_start_all_is_uncertain(width: int) -> None:
    vague = bar("providers", "Oracle UK South", Severity.ERROR, 150, None, starts_until=minutes(450))
    entry = Mark("e1", minutes(160), minutes(440), minutes(450), "somebody heard it", late=False)
    scene = compose(rich_view(since=minutes(200), until=minutes(230), bars=(vague,), marks=(entry,)), width=width)
    for lane in ("providers", "people"):
        top, bottom = scene.lanes[lane]
        dotted = [line.points for line in scene.lines if line.dash == "2,3" and top <= line.points[0][1] <= bottom]
        assert [(points[0][0], points[1][0]) for points in dotted] == [(scene.frame.left, scene.frame.right)]
    assert_clear(scene)
    assert_unstruck(scene)


@pytest.mark.parametrize("width", WIDTHS)
def test_between_two_readings_the_line_goes_on(width: int) -> None:
    scene = compose(rich_view(since=minutes(130), until=minutes(150)), width=width)
    top, bottom = scene.lanes["weather"]
    ends = [
        (line.points[0][0], line.points[-1][0])
        for line in scene.lines
        if line.tips and top <= line.points[0][1] <= bottom
    ]
    assert ends == [pytest.approx((scene.frame.left, scene.frame.right))] * 2
    assert_clear(scene)


def test_where_nothing_is_known_between_two_readings_no_line_is_drawn() -> None:
    gap = Gap("weather", "iem", minutes(125), minutes(170))
    for view in (
        rich_view(since=minutes(130), until=minutes(150), gaps=(gap,)),
        rich_view(since=minutes(1100), until=minutes(1150)),
    ):
        scene = compose(view, width=1440)
        assert not [line for line in scene.lines if line.tips]
        assert "no readings near the site" not in words_of(scene)
        assert compose_phone(view)


def test_a_lane_with_something_outside_of_the_window_says_so() -> None:
    words = words_of(compose(rich_view(since=minutes(1100), until=minutes(1150), gaps=()), width=1440))
    assert {"no reading in this window", "nothing recorded in this window", "nothing recorded"} <= set(words)
    assert words.count("nothing recorded in this window") >= 3


def test_readings_off_the_scale_are_counted() -> None:
    hot = series("temperature_c", [30.0, 31.0, 9999.0, 30.0])
    words = " ".join(words_of(compose(rich_view(series=(hot,)), width=1440)))
    assert "1 off the scale" in words


def test_basis_is_named_in_narrow_figures_too() -> None:
    for width in WIDTHS:
        assert "reconstructed" in " ".join(words_of(compose(rich_view(), width=width)))


def test_late_entry_reaches_to_when_it_was_recorded() -> None:
    scene = compose(rich_view(), width=1440)
    assert "facility phoned at 14:25, recorded 17:50" in words_of(scene)
    dotted = next(line for line in scene.lines if line.dash and line.ink == "ink" and line.width == 1)
    assert dotted.points[1][0] == pytest.approx(scene.frame.x(minutes(530)))
    assert any(glyph.shape == "hollow" and glyph.x == scene.frame.x(minutes(325)) for glyph in scene.glyphs)


def test_uncertain_start_is_a_whisker_with_its_span_in_words() -> None:
    scene = compose(rich_view(), width=1440)
    assert "Oracle UK South, 11:30 \u2013 16:30" in words_of(scene)
    ends = (scene.frame.x(minutes(150)), scene.frame.x(minutes(450)))
    assert any(line.width == 1.5 and (line.points[0][0], line.points[1][0]) == ends for line in scene.lines)


@pytest.mark.parametrize("recorded", [160, 300, 700])
@pytest.mark.parametrize("post", [200, 320, 650])
def test_words_of_what_is_late_and_uncertain_begin_after_its_last_stroke(recorded: int, post: int) -> None:
    late = bar(
        "providers", "Example Cloud, block storage", Severity.ERROR, 150, 900, late=True,
        starts_until=minutes(270), recorded_at=minutes(recorded), posts=(Post(minutes(post), "we are looking"),),
    )  # fmt: skip
    for width in WIDTHS:
        scene = compose(rich_view(bars=(late,)), width=width)
        assert_clear(scene)
        assert_unstruck(scene)
    assert any(words.startswith("Example Cloud") for words in words_of(compose(rich_view(bars=(late,)), width=1440)))


def test_impact_is_not_claimed_where_nobody_said_when_it_began() -> None:
    since = Phase("impact", minutes(336), minutes(736), open_ended=True)
    unsaid = rich_view(incident=incident(impact_started_at=None), phases=(since,))
    assert "detected, 6 h 40 min so far" in words_of(compose(unsaid, width=1440))
    assert not any(words.startswith("impact ") for words in words_of(compose_phone(unsaid)))
    said = rich_view(phases=(since,))
    assert "impact 6 h 40 min so far" in words_of(compose(said, width=1440))


def test_what_goes_on_says_so() -> None:
    words = words_of(compose(rich_view(), width=1440))
    assert "until 21 Jul 05:20" in words
    assert "still on" in words
    assert "Red warning, extreme heat: from 18 Jul 00:00 to 19 Jul 23:59" in words


def test_days_are_named_in_a_view_of_two_days_also_that_of_its_end() -> None:
    view = rich_view()
    (warning,) = [each for each in view.bars if each.occurrence.title == "Red warning, extreme heat"]
    ended = replace(warning, occurrence=replace(warning.occurrence, ends_at=minutes(900)))
    words = words_of(compose(replace(view, bars=(ended,)), width=1440))
    assert "Red warning, extreme heat: from 18 Jul 00:00 to 20 Jul 00:00" in words
    going_on = replace(warning, occurrence=replace(warning.occurrence, ends_at=minutes(1500)))
    assert "until 20 Jul 10:00" in words_of(compose(replace(view, bars=(going_on,)), width=1440))


def test_full_lane_counts_what_it_leaves_out() -> None:
    crowd = tuple(bar("site", f"alert {number}", Severity.ERROR, 300, 400) for number in range(30))
    grave = bar("site", "Fire", Severity.CRITICAL, 310, 400)
    scene = compose(rich_view(bars=(*crowd, grave)), width=1440)
    words = words_of(scene)
    assert "Fire" in words
    assert "alerts per 10 min, 28 more" in words
    assert "peak 30" in words
    top, bottom = scene.lanes["site"]
    assert bottom - top <= 4 * 18 + 36


def test_services_have_rows_of_their_own() -> None:
    alerts = [bar("platform", f"{service} {at}", Severity.ERROR, at, at + 5, service=service)
              for at, service in ((100, "api"), (300, "web"), (600, "api"), (800, "web"))]  # fmt: skip
    scene = compose(rich_view(bars=tuple(alerts)), width=1440)
    rows = {text.words.split()[0]: set[float]() for text in scene.texts if text.words[:3] in {"api", "web"}}
    for text in scene.texts:
        if text.words[:3] in rows:
            rows[text.words[:3]].add(text.y)
    assert len(rows["api"]) == len(rows["web"]) == 1
    assert rows["api"] != rows["web"]


def test_uncertain_end_of_an_interval_is_a_range() -> None:
    words = words_of(compose(rich_view(), width=1440))
    assert "9 h 51 min \u2013 10 h 17 min" in words
    assert "impact began \u2192 resolved" in words


def test_order_of_bars_and_gaps_does_not_matter() -> None:
    view = rich_view()
    turned = replace(view, bars=view.bars[::-1], gaps=view.gaps[::-1])
    one, other = compose(view, width=1440), compose(turned, width=1440)
    assert sorted(text.words for text in one.texts) == sorted(text.words for text in other.texts)


def test_window_of_no_length_is_drawn() -> None:
    assert_clear(compose(rich_view(until=minutes(0)), width=1440))
    assert_clear(compose_phone(rich_view(until=minutes(0) + timedelta(seconds=1))))


def test_a_midnight_has_its_date_on_the_upper_axis_too() -> None:
    scene = compose(rich_view(until=minutes(6 * 1440)), width=1440)
    dates = [words for words in scene.upper_words() if words[:3] in {"Wed", "Thu", "Fri", "Sat", "Sun"}]
    assert dates == ["Wed 20 Jul", "Thu 21 Jul", "Fri 22 Jul", "Sat 23 Jul", "Sun 24 Jul"]
