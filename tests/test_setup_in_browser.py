"""The set-up page in a real browser, as somebody new would use it: five senders, one of them the real Alertmanager."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import StartServer
from tests.samples import PAYLOADS
from tests.senders import CONFIG, HOOK_KEY, ago, served, text
from tests.servers import ADMIN_TOKEN, Barograph
from tests.window import window

ROUTE = """
route:
  receiver: barograph
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    """One service for the module; each test connects senders of its own."""
    with served(tmp_path_factory.mktemp("browser"), CONFIG, pace={"HOUSE_SECONDS": 2}) as running:
        yield running


def connect(page: Page, service: Barograph, words: str, title: str, name: str) -> None:
    """From the list of sources to the page with the key, by typing and clicking alone."""
    page.goto(f"{service.url}/sources")
    page.click("text=Connect a source")
    page.fill("#format", words)
    page.click(f".choices a:visible >> text='{title}'")
    page.fill("#name", name)
    page.click("text=Make source and key")
    expect(page.locator("h1")).to_contain_text(f"Connect {title}")
    assert page.url == f"{service.url}/sources/{name}", "the page has its own address, without the key"
    expect(page.locator("h1 .chip")).to_have_text("waiting for the first event")


def snippet(page: Page, number: int = 1) -> str:
    """What stands to be pasted."""
    return page.locator(f"#snippet-{number}").inner_text().strip() + "\n"


def key_in(page: Page) -> str:
    """The key, as it is shown once."""
    return page.locator("#the-key").inner_text().strip()


def try_it(page: Page) -> None:
    """Press the test button; the page stays, and so does the key on it."""
    key = key_in(page)
    page.click("text=Send a test event")
    expect(page.locator(".path li.done")).to_have_count(4)
    expect(page.locator(".path li").nth(0)).to_contain_text(re.compile(r"20[02] after [\d,]+ ms"))
    expect(page.locator(".path li").nth(1)).to_contain_text(re.compile(r"@\d+ after [\d,]+ ms"))
    assert key_in(page) == key
    expect(page.locator("[data-part=first]")).to_contain_text("A test of ours came in")
    expect(page.locator("h1 .chip")).to_have_text("waiting for the first event")


def turns_green(page: Page) -> None:
    """The chip and the step change by themselves; the key and the test's outcome are still there."""
    expect(page.locator("h1 .chip.s-ok")).to_have_text("receiving")
    expect(page.locator("[data-part=first].done")).to_contain_text("Last received")
    expect(page.locator("[data-part=recent] li")).not_to_have_count(0)
    expect(page.locator(".path li.done")).to_have_count(4)
    assert key_in(page).startswith("bk_")


def test_alertmanager_itself_with_the_snippet_as_it_stands(
    service: Barograph, chromium: Browser, alertmanager: StartServer
) -> None:
    with window(chromium) as opened:
        page = opened.open(f"{service.url}/", token=ADMIN_TOKEN)
        connect(page, service, "alertmanager", "Alertmanager", "am-new")
        try_it(page)
        router = alertmanager(ROUTE + snippet(page))
        alert = {"labels": {"alertname": "FirstEver", "severity": "warning", "instance": "db-1"}}
        sent = router.request(
            "POST", "/api/v2/alerts", json.dumps([alert]), headers={"Content-Type": "application/json"}
        )
        assert sent.status == 200, sent.text
        turns_green(page)
        page.click("[data-part=recent] li a >> nth=0")
        expect(page.locator("body")).to_contain_text("FirstEver")
        assert opened.problems == []


def test_grafana_with_the_key_of_the_form(service: Barograph, chromium: Browser) -> None:
    with window(chromium, viewport={"width": 390, "height": 844}, color_scheme="dark") as opened:
        page = opened.open(f"{service.url}/", token=ADMIN_TOKEN)
        connect(page, service, "grafana", "Grafana Alerting", "grafana-new")
        try_it(page)
        pasted = dict(re.findall(r"^(URL|Authorization Header – Credentials): +(\S+)$", snippet(page), re.MULTILINE))
        address, key = pasted["URL"], pasted["Authorization Header – Credentials"]
        assert address.startswith(service.url)
        sample = (PAYLOADS / "grafana" / "firing.json").read_bytes()
        assert service.post(address.removeprefix(service.url), sample, token=key).status == 202
        turns_green(page)
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1")
        assert opened.problems == []


def test_uptime_kuma_fails_first_with_a_wrong_key_and_the_page_says_so(service: Barograph, chromium: Browser) -> None:
    with window(chromium) as opened:
        page = opened.open(f"{service.url}/", token=ADMIN_TOKEN)
        connect(page, service, "kuma", "Uptime Kuma", "kuma-new")
        try_it(page)
        body = (PAYLOADS / "uptime_kuma" / "firing.json").read_bytes()
        assert service.post("/in/kuma-new", body, token="bk_" + "x" * 43).status == 401
        expect(page.locator("[data-part=this]")).to_contain_text(re.compile(r"Wrong keys\s*1, last on"), timeout=90_000)
        expect(page.locator("[data-part=first]")).to_contain_text("1 request refused")
        assert service.post("/in/kuma-new", body, token=key_in(page)).status == 202
        turns_green(page)
        assert opened.problems == []


def test_icinga_sends_a_form_that_cannot_be_read_at_first(service: Barograph, chromium: Browser) -> None:
    with window(chromium) as opened:
        page = opened.open(f"{service.url}/", token=ADMIN_TOKEN)
        connect(page, service, "nagios", "Icinga and Nagios", "icinga-new")
        try_it(page)
        key, words = key_in(page), {"nothing": "of the kind", "password": "hunter22"}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        service.send("icinga-new", urlencode(words), key, headers=headers)
        turns_green(page)
        page.click("[data-part=this] a[href*='state=quarantined']")
        expect(page.locator(".delivered")).to_have_count(1)
        expect(page.locator(".delivered pre")).to_contain_text("password=‹redacted: ")
        page.click("text=Read all again")
        expect(page.locator(".delivered")).to_have_count(1)
        page.click(".delivered >> text='Read again'")
        expect(page.locator("h1 .chip")).to_have_text("quarantined")
        assert opened.problems == []


def test_any_json_from_the_shell_with_the_command_as_it_stands(service: Barograph, chromium: Browser) -> None:
    with window(chromium, viewport={"width": 1440, "height": 900}, color_scheme="dark") as opened:
        page = opened.open(f"{service.url}/", token=ADMIN_TOKEN)
        connect(page, service, "any json", "Any JSON", "script-new")
        try_it(page)
        page.click("text=Send a body of your own")
        command = page.locator("#curl-test").inner_text()
        assert key_in(page) in command
        assert f"{service.url}/in/script-new" in command
        body = {"key": "a", "status": "firing", "title": "From a script", "starts_at": text(ago(minutes=1))}
        service.send("script-new", body, key_in(page))
        turns_green(page)
        assert page.locator("details.help[open]").count() == 1, "what was opened stays open"
        assert opened.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_fit_and_are_quiet(
    service: Barograph, chromium: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    receipt = service.send("hook", {"nonsense": ["x" * 300] * 40}, HOOK_KEY)
    service.read(receipt)
    with window(chromium, viewport={"width": width, "height": 900}, color_scheme=scheme) as opened:
        for path in ("/sources", "/sources/new", "/sources/new?adapter=github", "/sources/new?q=zzz", "/sources/hook",
                     "/deliveries?state=quarantined", f"/deliveries/{receipt}"):  # fmt: skip
            page = opened.open(service.url + path, token=ADMIN_TOKEN)
            assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"), path
        assert opened.problems == []


def test_a_key_that_was_shown_is_gone_after_a_reload_and_the_other_ways_are_a_click_away(
    service: Barograph, chromium: Browser
) -> None:
    with window(chromium, viewport={"width": 390, "height": 844}) as opened:
        page = opened.open(f"{service.url}/", token=ADMIN_TOKEN)
        connect(page, service, "alertmanager", "Alertmanager", "am-once")
        key = key_in(page)
        expect(page.locator("#snippet-2")).to_be_hidden()
        page.click("label:has-text('Helm values')")
        expect(page.locator("#snippet-2")).to_contain_text(key)
        expect(page.locator("#snippet-1")).to_be_hidden()
        page.reload()
        expect(page.locator("h1")).to_contain_text("Connect Alertmanager")
        assert key not in page.content()
        page.go_back()
        assert key not in page.content()
        assert opened.problems == []


def test_typing_narrows_the_list(service: Barograph, chromium: Browser) -> None:
    with window(chromium) as opened:
        page = opened.open(f"{service.url}/sources/new", token=ADMIN_TOKEN)
        shown = page.locator(".choices li:visible")
        whole = shown.count()
        page.fill("#format", "pager")
        expect(shown).to_have_count(2)
        expect(page.locator("[data-filter-words]")).to_have_text("2 found")
        page.fill("#format", "zzz")
        expect(shown).to_have_count(0)
        expect(page.locator("[data-filter-none]")).to_be_visible()
        page.fill("#format", "")
        expect(shown).to_have_count(whole)
        assert opened.problems == []
