"""The truth of ends: what goes on has an arrow at now and no cap, and two outages of one name are told apart."""

from __future__ import annotations

from dashboards.marks import Scene
from dashboards.phone import compose_phone
from dashboards.scene import compose
from dashboards.words import lasted, phase_length
from incidents.measurements import measure
from incidents.model import Moment, Severity
from incidents.timeline import phases
from incidents.views.view import IncidentView
from tests.figure_views import bar, incident, minutes, rich_view
from tests.test_scene import WIDTHS, assert_clear, assert_unstruck, words_of

NOW = minutes(600)


def open_view(**more: object) -> IncidentView:
    """An incident that is on, seen ten hours after the start in a window of 17 hours."""
    who = incident(status="open", mitigated_at=None, resolved_at=None, impact_started_at=Moment(minutes(333)))
    told: dict[str, object] = {"as_of": NOW, "on_until": NOW, "phases": (), "incident": who, "gaps": ()}
    return rich_view(**(told | {"measurements": measure(who)} | more))


def arrows(scene: Scene, y: float | None = None) -> list[float]:
    return sorted(glyph.x for glyph in scene.glyphs if glyph.shape == "right" and y in (None, glyph.y))


def test_what_has_no_end_reaches_up_to_now_and_has_an_arrow_there() -> None:
    disk = bar("platform", "Disk full", Severity.ERROR, 400, None)
    ended = bar("site", "Door open", Severity.ERROR, 400, 500)
    for width in WIDTHS:
        scene = compose(open_view(bars=(disk, ended)), width=width)
        (box,) = (box for box in scene.boxes if box.tip.startswith("Disk full"))
        assert box.right == scene.frame.x(NOW)
        y = (box.top + box.bottom) / 2
        assert len(arrows(scene, y)) == 1
        (other,) = (box for box in scene.boxes if box.tip.startswith("Door open"))
        assert not arrows(scene, (other.top + other.bottom) / 2)
        assert_clear(scene)
    words = words_of(compose(open_view(bars=(disk,)), width=1440))
    assert "still on" in words
    assert "now 19:00; nothing is known to go on beyond" in words


def test_what_was_recorded_this_minute_is_not_right_of_now() -> None:
    scene = compose(open_view(recorded=(minutes(600.7), minutes(924))), width=1440)
    assert scene.frame.now == scene.frame.x(minutes(600.7))
    assert compose(open_view(recorded=(minutes(599),)), width=1440).frame.now == scene.frame.x(NOW)


def test_an_end_that_is_a_range_is_drawn_as_one_and_its_length_is_one() -> None:
    resolved = Moment(minutes(700), minutes(900))
    who = incident(mitigated_at=None, resolved_at=resolved, impact_started_at=Moment(minutes(100), minutes(200)))
    found = phases(who, minutes(0), minutes(1000))
    assert [(one.name, phase_length(one), one.since_until) for one in found] == [
        ("before", "1 h 40 min – 3 h 20 min", None),
        ("impact", "8 h 20 min – 13 h 20 min", minutes(200)),
        ("resolved", "1 h 40 min – 5 h", minutes(900)),
    ]
    assert lasted(who, NOW) == "8 h 20 min – 13 h 20 min"
    for width in WIDTHS:
        scene = compose(rich_view(incident=who, phases=found), width=width)
        top, bottom = 20, 20 + 16
        spans = [line.points for line in scene.lines if top <= line.points[0][1] <= bottom]
        ends = [(a[0], b[0]) for a, b in spans if a[1] == b[1]]
        assert (scene.frame.x(minutes(700)), scene.frame.x(minutes(900))) in ends
        assert_clear(scene)
        assert_unstruck(scene)


def test_a_length_that_may_be_nothing_is_told_by_its_most() -> None:
    who = incident(impact_started_at=Moment(minutes(0), minutes(60)), resolved_at=Moment(minutes(30), minutes(90)))
    assert lasted(who, NOW) == "at most 1 h 30 min"
    assert lasted(incident(resolved_at=None), NOW) == "4 h 27 min so far"


def test_what_began_a_moment_ago_has_its_arrow_behind_it() -> None:
    fresh = bar("platform", "Disk full", Severity.ERROR, 599, None)
    scene = compose(open_view(bars=(fresh,)), width=1440)
    (box,) = (box for box in scene.boxes if box.tip)
    (arrow,) = arrows(scene, (box.top + box.bottom) / 2)
    assert arrow > box.right
    (label,) = (text for text in scene.texts if text.words == "Disk full")
    assert label.box[0] > arrow or label.box[2] < box.left


def test_right_of_the_known_at_line_stands_no_arrow() -> None:
    fresh = bar("platform", "Disk full", Severity.ERROR, 599, None)
    scene = compose(open_view(bars=(fresh,), as_known=True), width=1440)
    assert not [x for x in arrows(scene) if x > scene.frame.edge]


def test_an_interval_that_is_still_open_ends_with_an_arrow_and_without_a_cap() -> None:
    scene = compose(open_view(bars=()), width=1440)
    at = scene.frame.x(NOW)
    top, bottom = scene.lanes["intervals"]
    pending = [text.y for text in scene.texts if top < text.y < bottom and text.words.endswith("so far")]
    assert len(pending) == 2
    for y in pending:
        assert any(at - 6 < x < at for x in arrows(scene, y))
    capped = [line for line in scene.lines if line.points[0][0] == line.points[1][0] == at]
    assert not [line for line in capped if top < line.points[0][1] < bottom]


def test_an_interval_that_ends_right_of_the_view_goes_on_there() -> None:
    scene = compose(rich_view(until=minutes(500)), width=1440)
    top, bottom = scene.lanes["intervals"]
    beyond = [g for g in scene.glyphs if g.shape == "right" and top < g.y < bottom]
    assert [glyph.x for glyph in beyond] == [scene.frame.right - 3]


def test_a_window_after_now_shows_nothing_that_is_on() -> None:
    view = open_view(since=minutes(700), on_until=NOW, bars=(bar("platform", "Disk full", Severity.ERROR, 400, None),))
    assert "Disk full" not in words_of(compose(view, width=1440))


def test_two_outages_of_one_name_say_when_each_began() -> None:
    twice = tuple(bar("platform", "checkout is down", Severity.CRITICAL, at, at + 20) for at in (100, 300))
    for width in WIDTHS:
        scene = compose(open_view(bars=twice), width=width)
        assert_clear(scene)
        assert_unstruck(scene)
    words = words_of(compose(open_view(bars=twice), width=1440))
    assert "checkout is down, 10:40" in words
    assert "checkout is down, 14:00" in words
    together = tuple(bar("platform", "checkout is down", Severity.CRITICAL, at, 200) for at in (100, 100.5))
    words = words_of(compose(open_view(bars=together), width=1440))
    assert {"checkout is down, 10:40:00", "checkout is down, 10:40:30"} <= set(words)
    long = tuple(bar("platform", "checkout " * 40, Severity.CRITICAL, at, at + 20) for at in (100, 300))
    assert sum(words.endswith((", 10:40", ", 14:00")) for words in words_of(compose(open_view(bars=long), width=1440)))


def test_words_stand_behind_a_bar_that_would_cover_less_than_half_of_them() -> None:
    short = bar("network", "Loss 18 % to europe-west2-a", Severity.WARNING, 352, 372)
    long = bar("site", "Loss 18 % to europe-west2-b", Severity.WARNING, 352, 900)
    scene = compose(rich_view(bars=(short, long)), width=1440)
    ends = {box.tip.split("\n")[0]: box for box in scene.boxes if box.tip}
    starts = {text.words: text.box[0] for text in scene.texts}
    assert starts[short.occurrence.title] > ends[short.occurrence.title].right
    assert ends[long.occurrence.title].left < starts[long.occurrence.title] < ends[long.occurrence.title].right


def test_the_phone_ends_what_goes_on_with_an_arrow() -> None:
    disk = bar("platform", "Disk full", Severity.ERROR, 400, None)
    scene = compose_phone(open_view(bars=(disk,)))
    assert [x < scene.frame.x(NOW) for x in arrows(scene)] == [True]
    assert not arrows(compose_phone(open_view(bars=())))
