"""What a page says when the server goes away, comes back, and no longer knows the reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.senders import served
from tests.servers import ADMIN_TOKEN
from tests.window import window


@pytest.mark.parametrize("path", ["/", "/incidents"])
def test_a_page_says_since_when_it_is_not_live_and_who_is_signed_out(
    tmp_path: Path, chromium: Browser, path: str
) -> None:
    with served(tmp_path) as service, window(chromium) as opened:
        page = opened.open(f"{service.url}/sign-in")
        page.get_by_text("Sign in with a token").first.click()
        page.fill("input[name=token]", ADMIN_TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{service.url}/")
        page.goto(service.url + path)
        page.wait_for_load_state("load")
        service.terminate()
        cut = page.locator("[data-cut]")
        expect(cut).to_contain_text("The connection to the server is lost. What stands here is from", timeout=15_000)
        if path == "/":
            expect(page.locator("[data-live-state]")).to_contain_text("not live")
        service.restart()
        expect(cut).to_have_count(0, timeout=15_000)
        opened.context.clear_cookies()
        service.restart()
        expect(cut).to_contain_text("You are signed out.", timeout=15_000)
        assert page.get_attribute("[data-cut] a", "href").startswith("/sign-in?next=%2F")  # type: ignore[union-attr]  # it is there
        # The browser itself complains of the connections that were cut.
        opened.problems.clear()
