"""The browser of the tests tells on a page: errors, refused scripts, requests to strangers."""

from __future__ import annotations

import pytest

from tests.test_machine import ELSEWHERE, serving
from tests.window import Window


def test_a_good_page_has_no_problems(browser: Window) -> None:
    with serving("<title>calm</title><h1>Calm</h1>") as url:
        assert browser.open(url).title() == "calm"
    assert browser.problems == []


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ("<script>document.title = 'ran'</script>", "content security policy: script-src-elem refused inline"),
        (f"<img src='http://{ELSEWHERE}/spy.png'>", f"foreign request: GET http://{ELSEWHERE}/spy.png"),
        ("<img src='https://stranger.example/spy.png'>", "foreign request: GET https://stranger.example/spy.png"),
    ],
)
def test_what_a_page_should_not_do_is_noted(browser: Window, page: str, problem: str) -> None:
    with serving(f"<title>bad</title>{page}", "default-src 'self'; img-src *") as url:
        browser.open(url)
    assert any(problem in each for each in browser.problems), browser.problems
    assert browser.page.title() == "bad"
    browser.problems.clear()


def test_an_uncaught_error_is_noted(browser: Window) -> None:
    with serving("<script>undefinedThing()</script>", "script-src 'unsafe-inline'") as url:
        browser.open(url)
    assert any("uncaught: " in each and "undefinedThing" in each for each in browser.problems), browser.problems
    browser.problems.clear()
