"""Every page under axe in both themes, with its menus open and entries amended: nothing serious is found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.senders import KEY, ago, alert, message, served, text
from tests.servers import ADMIN_TOKEN, Barograph
from tests.window import window

OPENED = """() => {
  for (const node of document.querySelectorAll("details:not([name])")) node.open = true;
  for (const node of document.querySelectorAll(".amend-fact:first-of-type, [data-views]")) node.open = true;
}"""
GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    with served(tmp_path_factory.mktemp("axe")) as running:
        yield running


@pytest.fixture(scope="module")
def incident(service: Barograph) -> str:
    """An incident with alerts, a corrected, a pinned and a withdrawn entry, and two impact windows."""
    alerts = [alert(f"check-{n}", ago(minutes=50 - n), datacenter="elsewhere") for n in range(5)]
    service.read(service.send("am", {**message(*alerts), "groupKey": "axe"}, KEY))
    path = f"/api/v1/incidents/{service.json('/api/v1/incidents?q=axe')['items'][0]['id']}"
    notes = [{"text": f"Note {n}", "happened_at": text(ago(minutes=40 - n))} for n in range(4)]
    numbers = service.post(f"{path}/entries", notes).json()["entries"]
    service.call("PATCH", f"{path}/entries/{numbers[0]}", {"text": "Rewritten", "pinned": True})
    service.call("DELETE", f"{path}/entries/{numbers[1]}")
    windows = [{"at": text(ago(minutes=40 - n)), "until": text(ago(minutes=35 - n))} for n in (0, 10)]
    change = {"impact_windows": windows, "owner": "ana", "services": ["checkout"]}
    assert service.call("PATCH", path, change, headers={"If-Match": "*"}).status == 200
    service.post("/api/v1/views", {"name": "Open ones", "address": "/incidents?status=open"})
    return path.rpartition("/")[2]


def grave(page: Page) -> list[str]:
    """What axe finds that keeps somebody out, in words."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found if one["impact"] in GRAVE]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/incidents",
        "/incidents?q=nothing-of-this-name",
        "/incidents/INCIDENT",
        "/incidents/INCIDENT?hide=alerts,notes,decisions,rules&as_of=now",
        "/incidents/INCIDENT/regroup",
        "/compare?ids=INCIDENT",
        "/review",
        "/sources",
        "/sites",
        "/settings",
        "/views",
    ],
)
def test_nothing_serious_is_found_in_either_theme(
    service: Barograph, chromium: Browser, incident: str, path: str
) -> None:
    with window(chromium, viewport={"width": 1440, "height": 900}, reduced_motion="reduce") as opened:
        page = opened.open(service.url + path.replace("INCIDENT", incident), token=ADMIN_TOKEN)
        if page.query_selector("[data-figure]"):
            page.wait_for_selector("svg.main-svg")
        page.evaluate(OPENED)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # the two words
            page.wait_for_timeout(150)
            assert grave(page) == [], scheme
        page.keyboard.press("?")
        if path == "/":
            assert grave(page) == [], "keys"
        opened.problems = [p for p in opened.problems if "inline" not in p]
        assert opened.problems == []


@pytest.mark.parametrize("path", ["/incidents/INCIDENT", "/incidents/INCIDENT/regroup", "/"])
def test_nothing_serious_is_found_on_a_phone(service: Barograph, chromium: Browser, incident: str, path: str) -> None:
    with window(chromium, viewport={"width": 390, "height": 844}) as opened:
        page = opened.open(service.url + path.replace("INCIDENT", incident), token=ADMIN_TOKEN)
        page.evaluate(OPENED)
        assert grave(page) == []
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1")
        small = page.evaluate(
            "[...document.querySelectorAll('main a.control, main button, main summary')]"
            ".filter(n => n.checkVisibility() && n.getBoundingClientRect().height < 24)"
            ".map(n => n.outerHTML.slice(0, 120))"
        )
        assert small == []
