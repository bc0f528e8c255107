"""A real Chromium as a person has it, which notes whatever a page does that it should not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

SECONDS = 20
ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # What a page asks of any other host fails at once instead of leaving the machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
LOCAL_SCHEMES = ("data", "blob", "about")


class Window:
    """One private window with one page. `problems` is what its pages did wrong, in words; a test may clear it."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.problems: list[str] = []
        context.set_default_timeout(SECONDS * 1000)
        # Reports of the browser itself, so that a policy in report-only mode is heard as well.
        context.expose_binding("violated", lambda _, what: self.problems.append(f"content security policy: {what}"))
        context.add_init_script(
            "addEventListener('securitypolicyviolation', "
            "e => violated(`${e.effectiveDirective} refused ${e.blockedURI || 'inline'} on ${e.documentURI}`))"
        )
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.problems.append(f"uncaught: {error.error}"))
        context.on("request", self._see)
        self.page: Page = context.new_page()

    def open(self, url: str, *, token: str | None = None) -> Page:
        """Go to this page, with a bearer token on every request if one is given; the answer must be 200."""
        if token is not None:
            self.context.set_extra_http_headers({"Authorization": f"Bearer {token}"})
        response = self.page.goto(url, wait_until="load")
        assert response is not None
        assert response.status == 200, f"{url}: {response.status} {response.text()[:500]}"
        return self.page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"console {message.type}: {message.text}")

    def _see(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in LOCAL_SCHEMES and parts.hostname not in {"127.0.0.1", "localhost"}:
            self.problems.append(f"foreign request: {request.method} {request.url}")


@contextmanager
def chromium(path: str, args: Sequence[str] = ARGS) -> Iterator[Browser]:
    """A headless browser. While it is open no event loop can run in this thread: async tests go in other modules."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(args), timeout=SECONDS * 1000)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(browser: Browser, **options: Any) -> Iterator[Window]:
    """A window with nothing remembered; `options` are those of a Playwright context (viewport, color_scheme, …)."""
    context = browser.new_context(**{"locale": "en-GB", "timezone_id": "UTC", **options})
    try:
        yield Window(context)
    finally:
        context.close()
