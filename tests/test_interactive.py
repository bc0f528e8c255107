"""HTML files whose figure can be zoomed: no network, nothing of a stranger's that runs, and on paper the drawing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.files import exports
from service.files.exports import Look
from tests.figure_views import rich_view
from tests.window import Window

HOSTILE = '</script><script>document.title = "run"</script><img src=x onerror="document.title = 1">'
LIVE = Look(interactive=True)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an incident whose title is markup."""
    view = rich_view()
    view = replace(view, incident=replace(view.incident, title=f"{HOSTILE} {view.incident.title}"))
    name, _, content = exports.export(view, "html", LIVE)
    path = tmp_path_factory.mktemp("saved") / name
    path.write_bytes(content)
    return path


def test_it_is_named_for_what_it_is_and_its_bytes_are_stable(saved: Path) -> None:
    assert saved.name == "barograph-2022-07-19-lon.interactive.html"
    assert exports.export(rich_view(), "html", LIVE) == exports.export(rich_view(), "html", LIVE)
    assert exports.export(rich_view(), "html")[0] == "barograph-2022-07-19-lon.html"
    assert b"<script" not in exports.export(rich_view(), "html")[2]


def test_only_our_scripts_may_run(saved: Path) -> None:
    text = saved.read_text()
    assert len(re.findall(r"<script[ >]", text[: text.index("<script>")] + text[text.rindex("<script>") :])) == 2
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert policy[1].startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert "unsafe-eval" not in policy[1]
    assert "http" not in policy[1]


def test_it_opens_without_a_server_zooms_and_goes_back(browser: Window, saved: Path) -> None:
    page = browser.page
    page.goto(saved.as_uri())
    page.wait_for_function("document.getElementById('live')._fullLayout?.xaxis")
    assert HOSTILE[:20] in page.title(), "a stranger's text is text"
    assert page.locator("#live").is_visible()
    assert not page.locator("#still").is_visible()
    ticks = "[...document.querySelectorAll('#live .xtick text')].map((each) => each.textContent)"
    before = page.evaluate(ticks)
    box = page.locator("#live .nsewdrag").first.bounding_box()
    assert box
    middle = box["x"] + box["width"] * 0.4
    page.mouse.move(middle, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(middle + 150, box["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_function(f"{ticks}.some((each) => each.includes(':30'))")
    left, right = page.evaluate("document.getElementById('live')._fullLayout.xaxis.range")
    assert datetime(2022, 7, 19, 8, tzinfo=UTC) < at(left) < at(right) < datetime(2022, 7, 20, 1, tzinfo=UTC)
    page.mouse.dblclick(middle, box["y"] + 60)
    page.wait_for_function(f"(before) => JSON.stringify({ticks}) === JSON.stringify(before)", arg=before)
    assert browser.problems == [f"foreign request: GET {saved.as_uri()}"], "the file itself, and nothing else"
    browser.problems.clear()
    page.emulate_media(media="print")
    assert page.locator("#still").is_visible()
    assert not page.locator("#live").is_visible()


def at(words: str) -> datetime:
    return datetime.fromisoformat(words[:19]).replace(tzinfo=UTC)
