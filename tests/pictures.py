"""The pictures of the documentation, taken anew from the demo by a real Chromium: `python -m tests.pictures`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.machine import CHROMIUM
from tests.servers import ADMIN_TOKEN, ROOT, Barograph
from tests.window import Window, chromium, window

IMAGES = ROOT / "docs" / "images"
LONDON = "/incidents/2022-07-19-lon"
SHOWN = "from=2022-07-19T09:00:00Z&to=2022-07-20T00:00:00Z"
KNOWN = {"known-1": "&as_of=2022-07-19T13:50:00Z", "known-2": "&as_of=2022-07-19T16:30:00Z", "known-3": ""}
"""Eight minutes after the first page, a quarter of an hour after the provider's first post, and all that is known."""


def shown(opened: Window, url: str) -> Page:
    """A page whose figure is drawn to its end."""
    page = opened.open(url, token=ADMIN_TOKEN)
    if page.query_selector("[data-figure]"):
        page.wait_for_selector("svg.main-svg")
    page.wait_for_timeout(500)
    return page


def take(service: Barograph, opened: Window) -> None:
    """Every picture, in the light theme and at the width of a laptop."""
    page = shown(opened, service.url + LONDON)
    bottom = page.evaluate("document.querySelector('.figure-card').getBoundingClientRect().bottom")
    clip = {"x": 0, "y": 0, "width": 1440, "height": bottom + 16}
    page.screenshot(path=IMAGES / "incident.png", clip=clip, full_page=True)  # type: ignore[arg-type]  # a clip's four
    for name, known in KNOWN.items():
        page = shown(opened, f"{service.url}{LONDON}?{SHOWN}{known}")
        page.locator(".drawing").screenshot(path=IMAGES / f"{name}.png")


def main() -> None:
    """Serves the demo from an empty folder for as long as it takes."""
    path = CHROMIUM.path()
    assert path, "Chromium is missing: python -m tests.machine"
    with tempfile.TemporaryDirectory() as home:
        service = Barograph(Path(home), "", args=("--demo",)).start(90)
        try:
            with chromium(path) as browser, window(browser, viewport={"width": 1440, "height": 1000}) as opened:
                take(service, opened)
        finally:
            service.end()


if __name__ == "__main__":
    main()
