"""Signing in as people do, in a real browser: by a password, a one-time link, the identity provider."""

from __future__ import annotations

from collections.abc import Iterator

import pyotp
import pytest
from click.testing import CliRunner

from service import clock
from service.cli import main
from tests.provider import CLIENT_ID, CLIENT_SECRET, Provider, provider
from tests.servers import Barograph
from tests.test_axe import grave
from tests.window import Window

PASSWORD, OTHER = "quiet harbour, nine gulls", "a lamp in the seventh window"


@pytest.fixture(scope="module")
def told() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture(scope="module")
def service(told: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    settings = {"OIDC_ISSUER": told.issuer, "OIDC_CLIENT_ID": CLIENT_ID, "OIDC_CLIENT_SECRET": CLIENT_SECRET}
    settings |= {"OIDC_ROLES": "*=viewer", "OIDC_NETWORKS": "127.0.0.0/8"}
    running = Barograph(tmp_path_factory.mktemp("signed-in"), settings=settings)
    running.env["BAROGRAPH_PUBLIC_URL"] = running.url
    running.start()
    env = {name: value for name, value in running.env.items() if name.startswith("BAROGRAPH_")}
    for name in ("alice", "nina"):
        added = CliRunner().invoke(main, ["user", "add", name, "--role", "admin"], input=PASSWORD, env=env)
        assert added.exit_code == 0, added.output
    yield running
    running.end()


def test_a_person_signs_in_by_the_provider(service: Barograph, told: Provider, browser: Window) -> None:
    told.claims = {"sub": "1", "preferred_username": "oscar", "groups": []}
    page = browser.open(f"{service.url}/incidents")
    assert grave(page) == []
    page.click("text=Sign in by")
    page.wait_for_url("**/incidents")
    page.goto(f"{service.url}/account")
    assert "oscar, viewer" in (page.text_content("h1") or "")
    assert browser.context.cookies(f"{service.url}/sign-in/provider/callback")[0]["name"] == "barograph_session"


def test_a_person_signs_in_sees_their_sessions_and_adds_somebody(service: Barograph, browser: Window) -> None:
    page = browser.open(f"{service.url}/sign-in?next=/access")
    page.fill("#name", "alice")
    page.fill("#password", PASSWORD)
    page.click("button:text-is('Sign in')")
    page.wait_for_url("**/access")
    page.fill("#a-name", "grace")
    page.click("button:text-is('Add an account')")
    link = page.text_content("#made pre")
    assert link
    assert f"{service.url}/sign-in?token=bl_" in link
    assert page.text_content("#accounts tbody") is not None
    page.reload()
    assert page.query_selector("#made") is None, "it is shown once"
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert grave(page) == []
    page.goto(f"{service.url}/account")
    assert grave(page) == []
    page.click("#content button:has-text('Sign out')")
    page.goto(link.strip())
    page.wait_for_url("**/account")
    page.fill("#new", OTHER)
    page.fill("#again", OTHER)
    page.click("button:text-is('Set the password')")
    assert "Your password is set" in (page.text_content("main") or "")


def test_a_person_sets_up_a_second_factor_and_signs_in_by_it(service: Barograph, browser: Window) -> None:
    page = browser.open(f"{service.url}/sign-in?next=/account")

    def sign_in() -> None:
        page.fill("#name", "nina")
        page.fill("#password", PASSWORD)
        page.click("button:text-is('Sign in')")

    sign_in()
    page.wait_for_url("**/account")
    page.fill("#f-former", PASSWORD)
    page.click("button:text-is('Set up a second factor')")
    secret = (page.text_content("#factor-key") or "").replace(" ", "")
    drawn = page.locator(".enrol svg").bounding_box()
    assert drawn
    assert drawn["width"] >= 150, "a camera has something to read"
    assert grave(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.fill("#f-code", pyotp.TOTP(secret).at(clock.now()))
    page.click("button:text-is('Turn it on')")
    codes = (page.text_content("#recovery-codes") or "").split()
    assert len(codes) == 10
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert grave(page) == []
    page.goto(f"{service.url}/access")
    assert page.locator("button:has-text('Reset second factor')").count() == 1
    page.goto(f"{service.url}/account")
    page.click("#content button:has-text('Sign out')")
    page.goto(f"{service.url}/sign-in?next=/incidents")
    sign_in()
    page.wait_for_url("**/sign-in/code")
    assert page.evaluate("document.activeElement.id") == "code"
    assert grave(page) == []
    page.fill("#code", codes[0])
    page.keyboard.press("Enter")
    page.wait_for_url("**/incidents")
