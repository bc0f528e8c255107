"""The figure's window in a real browser: a drag asks the server for it, counts become marks, the address tells it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page

from incidents.store import Store
from service import clock
from tests.bench import filling
from tests.bench.payloads import CONFIG
from tests.servers import ADMIN_TOKEN, Barograph
from tests.window import window

ALERTS = 6_000


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an incident of more alerts than are drawn one by one, six hours of them."""
    home = tmp_path_factory.mktemp("crowded")
    service = Barograph(home, CONFIG).start(60)
    try:
        with closing(Store(f"sqlite:///{home / 'barograph.db'}")) as store:
            name = filling.fill(store, ALERTS, clock.now().replace(microsecond=0) - filling.SPAN)
        yield f"{service.url}/incidents/{name}"
    finally:
        service.end()


@pytest.fixture
def page(crowded: str, chromium: Browser) -> Iterator[Page]:
    with window(chromium, viewport={"width": 1440, "height": 1100}, timezone_id="Asia/Tokyo") as opened:
        found = opened.open(crowded, token=ADMIN_TOKEN)
        found.wait_for_selector(".figure .main-svg")
        yield found
        assert opened.problems == []


def drag(page: Page, first: float, last: float) -> None:
    """Draw a range over the figure, in pixels of it, and wait until the server has answered for that window."""
    box = page.locator(".figure").bounding_box()
    assert box
    y = box["y"] + 60
    with page.expect_response(lambda answer: "/figure?" in answer.url):
        page.mouse.move(box["x"] + first, y)
        page.mouse.down()
        page.mouse.move(box["x"] + (first + last) / 2, y)
        page.mouse.move(box["x"] + last, y)
        page.mouse.up()


def asked(page: Page) -> tuple[datetime, datetime] | None:
    """The window that the address of the page tells."""
    query = parse_qs(urlsplit(page.url).query)
    if "from" not in query:
        return None
    since, until = (datetime.fromisoformat(query[name][0]) for name in ("from", "to"))
    return since, until


def words(page: Page) -> str:
    return " ".join(page.locator(".figure .annotation-text").all_text_contents())


def test_a_drag_makes_marks_of_counts_and_back_and_a_double_click_lead_out_again(page: Page) -> None:
    assert "alerts, 1 bar = " in words(page)
    assert asked(page) is None
    axis = page.evaluate("document.querySelector('[data-figure]').layout.meta.axis")
    drag(page, 600, 680)
    page.wait_for_function("() => !document.querySelector('.figure').textContent.includes('1 bar =')")
    window_ = asked(page)
    assert window_
    per_pixel = (axis["until"] - axis["since"]) / (axis["right"] - axis["left"]) / 1000
    assert abs((window_[1] - window_[0]).total_seconds() - 80 * per_pixel) < 3 * per_pixel
    assert "more on from before" in words(page)
    wide = page.inner_text("[data-range-words]")
    drag(page, 500, 700)
    page.wait_for_function("w => document.querySelector('[data-range-words]').textContent !== w", arg=wide)
    narrow = asked(page)
    assert narrow
    assert window_[0] < narrow[0] < narrow[1] < window_[1]
    page.go_back()
    page.wait_for_function("w => document.querySelector('[data-range-words]').textContent === w", arg=wide)
    assert asked(page) == window_
    box = page.locator(".figure").bounding_box()
    assert box
    page.mouse.dblclick(box["x"] + 700, box["y"] + 60)
    page.wait_for_function("() => document.querySelector('.figure').textContent.includes('1 bar =')")
    assert asked(page) is None


def test_keys_move_and_scale_the_window_and_a_count_leads_to_its_stretch(page: Page) -> None:
    page.keyboard.press("w")
    page.wait_for_url("**from=*")
    first = asked(page)
    assert first
    before = urlsplit(page.url).query
    page.keyboard.press("d")
    page.wait_for_function("a => !location.href.includes(a)", arg=before)
    moved = asked(page)
    assert moved
    assert moved[0] > first[0]
    assert abs((moved[1] - moved[0]) - (first[1] - first[0])).total_seconds() < 1
    page.keyboard.press("f")
    page.wait_for_url(lambda url: "from=" not in url)
    bar = page.evaluate(
        """() => { const holder = document.querySelector('[data-figure]');
        const trace = holder.data.find((one) => one.customdata); return trace.customdata[0]; }"""
    )
    assert len(bar) == 2


def test_the_pointer_has_three_clocks(page: Page) -> None:
    box = page.locator(".figure").bounding_box()
    assert box
    page.mouse.move(box["x"] + 700, box["y"] + 60)
    told = page.locator("[data-clocks] span").all_text_contents()
    assert told[::2] == ["site", "you", "UTC"]
    hours = [int(clock_[-8:-6]) for clock_ in told[1::2]]
    assert (hours[1] - hours[2]) % 24 == 9  # Tokyo
    assert (hours[2] - hours[0]) % 24 in {7, 8}  # California
    page.mouse.move(5, 5)
    assert page.locator("[data-clocks]").is_hidden()


WORDS = """() => {
  const holder = document.querySelector("[data-figure]");
  const axis = holder._fullLayout.xaxis;
  const first = (words) => words.replace(/<\\/?b>/g, "").split("<br>")[0];
  const nodes = [...holder.querySelectorAll(".words text")];
  return [
    nodes.map((node) => [node.textContent, Number(node.getAttribute("x"))]),
    axis.tickvals.map((at, n) => [first(axis.ticktext[n]), axis._offset + axis.d2p(at)]),
  ];
}"""


def test_words_stand_where_the_axis_has_their_instants(page: Page) -> None:
    for again in (False, True):
        if again:
            drag(page, 600, 660)
            page.wait_for_function("() => !document.querySelector('.figure').textContent.includes('1 bar =')")
        drawn, told = page.evaluate(WORDS)
        assert len(told) > 5
        for words, place in told:
            assert any(text == words and abs(x - place) < 1 for text, x in drawn), (words, place)
        assert {"Hardware", "Cascade"} <= {text for text, _ in drawn}
        assert page.locator(".figure .annotation").count() == 0
