"""The strips of the last day: shared axis and scale, no collisions, and calm claimed only when feeds answered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboards.strips import compose_strips, strips_svg
from incidents.model import Severity, Site
from incidents.views.now_view import NowView, SiteStrip
from incidents.views.view import Bar, Gap, Point
from tests.figure_views import TITLES, bar, minutes
from tests.test_scene import assert_clear


def strip(*bars: Bar, title: str = "London", **more: Any) -> SiteStrip:
    told: dict[str, Any] = {
        "density": None,
        "gaps": (),
        "latest": Point(minutes(1400), 38.04),
        "latest_basis": "observed",
    }
    site = Site("lon", title, 51.5, -0.1, timezone="Europe/London")
    return SiteStrip(site, bars, **(told | {"limit": 35.0} | more))


def now_view(*strips: SiteStrip) -> NowView:
    now = minutes(1440)
    return NowView(now, "Europe/London", now - timedelta(days=1), (), (), strips, (), (), (), (), None)


def said(view: NowView) -> list[str]:
    return [text.words for text in compose_strips(view, wide=848).texts]


def test_reading_stands_against_its_limit_with_its_basis() -> None:
    words = said(now_view(strip(latest_basis="modelled")))
    assert "38.0\u2009°C" in words
    assert "above 35" in words
    assert "modelled" in words
    assert "limit 40" in said(now_view(strip(limit=40.0)))
    assert "no reading" in said(now_view(strip(latest=None)))


def test_an_old_reading_says_its_basis_and_its_age_whole() -> None:
    old = strip(latest=Point(minutes(1100), 38.04), latest_basis="reconstructed")
    assert {"reconstructed", "5 h old"} <= set(said(now_view(old)))
    assert_clear(compose_strips(now_view(old, strip()), wide=848))
    head = [text.words for text in compose_strips(now_view(old), wide=358).texts if "38.0" in text.words]
    assert head == ["38.0\u2009°C, above 35, reconstructed, 5 h old"]


def test_the_whole_name_of_a_site_stands_beside_its_strip() -> None:
    long = "Frankfurt am Main, Hanauer Landstraße, hall 2"
    scene = compose_strips(now_view(strip(title=long), strip()), wide=848)
    beside = [text for text in scene.texts if text.weight == 600 and text.size == 13 and text.x == 0]
    assert " ".join(text.words for text in beside) == f"{long} London"
    assert_clear(scene)


def test_calm_is_claimed_only_when_feeds_answered() -> None:
    assert "nothing reported; all feeds answered" in said(now_view(strip(feeds=("nws",))))
    assert "nothing reported" in said(now_view(strip()))
    gapped = said(now_view(strip(gaps=(Gap("weather", "nws", minutes(200), minutes(350)),), feeds=("nws",))))
    assert not any(words.startswith("nothing reported") for words in gapped)
    assert "nws: feed gap 2 h 30 min" in gapped


def test_site_of_which_nothing_was_heard_is_not_called_calm() -> None:
    assert "nothing heard of this site" in said(now_view(strip(latest=None)))
    assert "nothing heard of this site" in strips_svg(now_view(strip(latest=None)))
    assert not any("heard" in words for words in said(now_view(strip())))


def never(source: str) -> Gap:
    return Gap("warnings", source, minutes(0), minutes(1440), state="never")


@pytest.mark.parametrize("wide", [328, 848])
def test_a_feed_that_has_never_answered_is_unknown_and_not_calm(wide: int) -> None:
    alone = now_view(strip(latest=None, gaps=(never("nws"),), feeds=("nws",)))
    words = [text.words for text in compose_strips(alone, wide=wide).texts]
    assert "nothing heard of this site" in words
    assert "nws: never answered" in words
    assert "1 of 1 feeds never answered (nws), nothing heard of this site" in strips_svg(alone)
    others = now_view(strip(bar("warnings", "Heat", Severity.ERROR, 60, 200), gaps=(never("nws"),), feeds=("a", "nws")))
    scene = compose_strips(others, wide=wide)
    assert any(text.words.startswith("nws: never answered") for text in scene.texts)
    assert scene.gaps[0].right - scene.gaps[0].left == scene.frame.right - scene.frame.left
    assert "1 official warning, 1 of 2 feeds never answered (nws)." in strips_svg(others)


def test_a_feed_that_is_late_is_named_where_it_was_last_heard() -> None:
    late = Gap("warnings", "nws", minutes(1436), minutes(1440), state="waiting")
    assert "nws: not asked yet since 08:56" in said(now_view(strip(gaps=(late,), feeds=("nws",))))


def test_one_silent_feed_of_several_is_named_and_hatches_its_share() -> None:
    feeds = ("a", "b", "nws")
    one = compose_strips(now_view(strip(gaps=(Gap("grid", "nws", minutes(0), minutes(1440)),), feeds=feeds)), wide=848)
    assert "nws: feed gap 24 h, 1 of 3 feeds" in [text.words for text in one.texts]
    (box,) = one.gaps
    assert box.bottom - box.top == pytest.approx(one.sizes.bar / 3)
    assert box.tip.endswith("1 of the 3 feeds that would tell of it")
    late = (never("a"), never("b"), Gap("grid", "nws", minutes(1436), minutes(1440), state="waiting"))
    beset = compose_strips(now_view(strip(gaps=late, feeds=feeds)), wide=848)
    assert "2 of 3 feeds never answered: a, b" in [text.words for text in beset.texts]
    assert [box.bottom - box.top for box in beset.gaps] == pytest.approx([beset.sizes.bar * 2 / 3, beset.sizes.bar])
    two = now_view(strip(gaps=tuple(Gap("grid", name, minutes(0), minutes(1440)) for name in "ab"), feeds=feeds))
    assert "2 of 3 feeds down 24 h: a, b" in said(two)


def test_four_rows_of_bars_stand_before_anything_is_counted() -> None:
    bars = [bar("warnings", f"Warning {n}", Severity.ERROR, 300 + n, 1000) for n in range(3)]
    words = said(now_view(strip(*bars, bar("providers", "Example Cloud", Severity.ERROR, 310, 900))))
    assert {"Warning 0", "Warning 1", "Warning 2", "Example Cloud"} <= set(words)
    assert not any("more" in each for each in words)


def test_count_of_several_kinds_is_not_called_warnings() -> None:
    warnings = [bar("warnings", f"Warning {n}", Severity.ERROR, 300 + n, 1000) for n in range(6)]
    others = [bar("providers", f"Cloud {n}", Severity.ERROR, 310 + n, 900) for n in range(3)]
    assert "reports per 30 min, 5 more" in said(now_view(strip(*warnings, *others)))
    assert "official warnings per 30 min, 2 more" in said(now_view(strip(*warnings)))


def test_what_is_in_force_is_drawn_before_what_is_over() -> None:
    over = [bar("warnings", f"Over {n}", Severity.CRITICAL, 300 + n, 1000) for n in range(8)]
    words = said(now_view(strip(*over, bar("warnings", "In force", Severity.WARNING, 600, 2000))))
    assert "In force" in words
    assert any(each.endswith("more") for each in words)


def test_all_sites_share_the_scale_of_their_counts() -> None:
    many = [bar("platform", f"a{n}", Severity.ERROR, 600, 610) for n in range(9)]
    scene = compose_strips(now_view(strip(*many), strip(bar("platform", "b", Severity.ERROR, 600, 610))), wide=848)
    heights = sorted(box.bottom - box.top for box in scene.boxes if box.ink == "error")
    assert heights[0] == pytest.approx(heights[1] / 9, abs=1.0)


def test_alerts_that_were_on_before_the_window_are_still_shown() -> None:
    assert "Disk full" in said(now_view(strip(bar("platform", "Disk full", Severity.ERROR, -600, None))))


def test_drawing_is_an_image_with_words_for_those_who_cannot_see_it() -> None:
    root = ET.fromstring(strips_svg(now_view(strip(bar("warnings", "Heat", Severity.ERROR, 60, 200)))))
    assert root.attrib["role"] == "img"
    assert "London: 1 official warning." in root.attrib["aria-label"]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_labels_keep_clear(data: st.DataObject) -> None:
    lanes = st.sampled_from(["warnings", "providers", "platform"])
    bars = st.builds(
        lambda lane, title, at, lasts: bar(lane, title, Severity.ERROR, at, None if lasts is None else at + lasts),
        lanes,
        st.sampled_from(TITLES),
        st.floats(-500, 1500),
        st.one_of(st.none(), st.floats(0, 900)),
    )
    gaps = st.builds(
        lambda at, lasts: Gap("weather", "nws", minutes(at), minutes(at + lasts)),
        st.floats(-100, 1400),
        st.floats(1, 400),
    )
    strips = [
        strip(
            *data.draw(st.lists(bars, max_size=12)),
            title=data.draw(st.sampled_from(TITLES)),
            gaps=tuple(data.draw(st.lists(gaps, max_size=3))),
            latest=data.draw(st.sampled_from([None, Point(minutes(100), -17.25), Point(minutes(1400), 1e6)])),
            latest_basis=data.draw(st.sampled_from([None, "modelled"])),
        )
        for _ in range(data.draw(st.integers(0, 3)))
    ]
    for wide in (1100, 848, 560, 328, 288):
        assert_clear(compose_strips(now_view(*strips), wide=wide))
