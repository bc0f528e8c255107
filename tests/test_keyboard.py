"""Twelve tasks by keyboard alone in a real browser, as docs/how-to.md lists them, and their switch."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.senders import KEY, ago, alert, message, served, text
from tests.servers import ADMIN_TOKEN, ROOT, Barograph
from tests.window import Window, window

HOW_TO = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
SEEN = """(() => {
  window.seen = [];
  for (const name of ["pan", "zoom", "fit"]) addEventListener(`barograph:${name}`, () => window.seen.push(name), true);
  addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if ("wasdf".includes(key)) { event.preventDefault(); event.stopPropagation(); window.seen.push(key); }
  }, true);
})()"""
"""Before any script of the page: notes what the figure is asked for, and keeps it from being done."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    with served(tmp_path_factory.mktemp("keyboard")) as running:
        alerts = [alert(f"disk-{n}", ago(minutes=40 - n), datacenter="elsewhere") for n in range(6)]
        running.read(running.send("am", {**message(*alerts), "groupKey": "keyboard"}, KEY))
        yield running


@pytest.fixture
def incident(service: Barograph) -> str:
    """An incident of this test's own, with two notes."""
    body = {"title": "Chiller stopped", "severity": "error", "impact_started_at": text(ago(hours=2))}
    name = str(service.post("/api/v1/incidents", body).json()["id"])
    notes = [{"text": f"Note {n}", "happened_at": text(ago(minutes=90 - 30 * n))} for n in range(2)]
    service.post(f"/api/v1/incidents/{name}/entries", notes)
    return name


@pytest.fixture
def desk(chromium: Browser) -> Iterator[Window]:
    with window(
        chromium, viewport={"width": 1440, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    ) as opened:
        yield opened
        assert opened.problems == []


def shown(desk: Window, service: Barograph, path: str) -> Page:
    page = desk.open(service.url + path, token=ADMIN_TOKEN)
    page.set_default_timeout(20_000)
    return page


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def active(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.tagName"))


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def tabbed(page: Page, selector: str, *, most: int = 60, key: str = "Tab") -> None:
    """Go on by the tab key until this has the focus."""
    for _ in range(most):
        if page.evaluate("s => document.activeElement?.matches(s)", selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{selector} is not reached in {most} steps; the focus is on {active(page)}")


def test_tasks_1_to_3_list_the_keys_find_an_incident_and_read_its_evidence(
    desk: Window, service: Barograph, incident: str
) -> None:
    page = shown(desk, service, "/")
    press(page, "?")
    expect(page.locator("#keys")).to_be_visible()
    for key in "/jkcugytvmwsadf":
        assert page.locator(f"#keys kbd >> text='{key}'").count() == 1, key
    press(page, "?")
    expect(page.locator("#keys")).to_be_hidden()
    press(page, "/")
    page.keyboard.type(incident)
    press(page, "Enter")
    page.wait_for_url("**/incidents?q=*")
    press(page, "j", "Enter")
    page.wait_for_url(f"**/incidents/{incident}*")
    press(page, "j", "j", "k", "Enter")
    expect(page.locator(".row.here > details")).to_have_attribute("open", "")
    expect(page.locator(".row.here .trace dl")).to_contain_text("recorded")


def test_tasks_4_to_7_write_between_two_entries_edit_withdraw_and_undo(
    desk: Window, service: Barograph, incident: str
) -> None:
    page = shown(desk, service, f"/incidents/{incident}")
    while "Note 0" not in (page.locator(".row.here").all_inner_texts() or [""])[0]:
        press(page, "j")
    press(page, "c")
    assert active(page) == "text"
    assert page.input_value("#happened_at")
    page.keyboard.type("Between: j k ? are letters here")
    press(page, "Control+Enter")
    page.wait_for_url("**#e*")
    rows = page.locator(".row .text").all_inner_texts()
    assert rows.index("Note 0") < rows.index("Between: j k ? are letters here") < rows.index("Note 1")
    press(page, "e")
    page.keyboard.press("Control+A")
    page.keyboard.type("Rewritten")
    press(page, "Control+Enter")
    expect(page.locator(".row:target .text")).to_have_text("Rewritten")
    expect(page.locator(".row:target .versions summary")).to_have_text("2 versions")
    press(page, "u")
    expect(page.locator(".row .text", has_text="Between:")).to_have_count(1)
    while "Between" not in (page.locator(".row.here").all_inner_texts() or [""])[0]:
        press(page, "j")
    press(page, "Enter")
    tabbed(page, ".row.here form[action$=retract] button")
    press(page, "Enter")
    expect(page.locator(".withdrawn summary")).to_contain_text("1 withdrawn")
    press(page, "u")
    expect(page.locator(".row .text", has_text="Between:")).to_have_count(1)
    expect(page.locator(".withdrawn")).to_have_count(0)


def test_tasks_8_and_9_set_the_status_and_say_since_when_it_was_so(
    desk: Window, service: Barograph, incident: str
) -> None:
    page = shown(desk, service, f"/incidents/{incident}")
    tabbed(page, ".statuses button.primary")
    press(page, "Enter")
    expect(page.locator(".facts .state")).to_contain_text("acknowledged")
    tabbed(page, ".f-acknowledged summary")
    press(page, "Enter")
    tabbed(page, "#acknowledged-reason")
    page.keyboard.type("by telephone")
    tabbed(page, ".f-acknowledged button.primary")
    press(page, "Enter")
    expect(page.locator("#timeline")).to_contain_text("by telephone")


def test_tasks_10_to_12_copy_a_permalink_and_markdown_choose_a_range_and_move(
    desk: Window, service: Barograph, incident: str
) -> None:
    desk.context.add_init_script(SEEN)
    page = shown(desk, service, f"/incidents/{incident}?from=now-6h&to=now")
    press(page, "y")
    expect(page.locator("[data-copy-permalink]")).to_have_text("Copied")
    assert re.search(rf"/incidents/{incident}\?.*from=20.*to=20.*as_of=20", clipboard(page))
    press(page, "m")
    expect(page.locator("[data-copy-from]")).to_have_text("Copied")
    assert clipboard(page).startswith("# Chiller stopped")
    press(page, "t")
    assert active(page) == "range-from"
    assert page.input_value("#range-from") == "now-6h"
    press(page, "Control+A")
    page.keyboard.type("now-1d/d")
    press(page, "Enter")
    page.wait_for_url("**from=now-1d%2Fd*")
    page.go_back()
    expect(page).to_have_url(re.compile(r"from=now-6h"))
    press(page, "w", "s", "a", "d", "f")
    assert len(page.evaluate("window.seen")) == 5, "each key asks for another window once"


def test_keys_move_the_figure_and_back_leads_to_where_it_was(desk: Window, service: Barograph, incident: str) -> None:
    page = shown(desk, service, f"/incidents/{incident}?from=now-6h&to=now#timeline")
    page.wait_for_selector(".figure .main-svg")
    press(page, "w")
    expect(page).not_to_have_url(re.compile("now-6h"))
    page.wait_for_timeout(1200)
    once = page.url
    press(page, "d", "d", "d")
    expect(page).not_to_have_url(once)
    page.go_back()
    expect(page).to_have_url(once)
    page.go_back()
    expect(page).to_have_url(re.compile("from=now-6h"))
    expect(page.locator("[data-range-words]")).not_to_have_text("")


def test_a_menu_near_the_edge_opens_to_the_side_that_has_room(desk: Window, service: Barograph, incident: str) -> None:
    page = shown(desk, service, f"/incidents/{incident}")
    page.set_viewport_size({"width": 760, "height": 900})
    for key in ("impact", "detected", "acknowledged", "mitigated", "resolved"):
        page.locator(f".f-{key} .amend-fact > summary").click()
        box = page.locator(f".f-{key} .amend-fact > .sheet").bounding_box()
        assert box, key
        assert box["x"] >= 0, key
        assert box["x"] + box["width"] <= 760, key


def test_the_switch_is_kept_and_keys_are_silent_in_fields(desk: Window, service: Barograph, incident: str) -> None:
    page = shown(desk, service, "/")
    tabbed(page, ".menu:last-of-type > summary")
    press(page, "Enter")
    tabbed(page, "#shortcuts")
    press(page, "Space", "Escape")
    page = shown(desk, service, f"/incidents/{incident}")
    press(page, "c", "?", "/")
    assert active(page) == "BODY"
    expect(page.locator("#keys")).to_be_hidden()
    assert not page.evaluate("document.getElementById('shortcuts').checked")


def test_the_twelve_tasks_are_listed() -> None:
    listed = re.search(r"^## Work by keyboard alone\n(.*?)(?=^## |\Z)", HOW_TO, re.MULTILINE | re.DOTALL)
    assert listed
    assert len(re.findall(r"^\d+\. ", listed[1], re.MULTILINE)) == 12
