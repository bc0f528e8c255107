"""The demo as people have it: its pages in a real browser, and the README's commands typed as they are written."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.conftest import StartBarograph
from tests.servers import ADMIN_TOKEN, ROOT, Barograph
from tests.window import window

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "docs" / "examples" / "first.toml").read_text(encoding="utf-8")
STORIES = 4


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    """The service with its stories, as `make run` serves them."""
    service = Barograph(tmp_path_factory.mktemp("demo"), "", args=("--demo",)).start(60)
    yield service
    service.end()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_of_the_demo_is_quiet_and_fits(
    demo: Barograph, chromium: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    incidents = [incident["id"] for incident in demo.json("/api/v1/incidents")["items"]]
    assert len(incidents) >= STORIES
    receipt = demo.json("/api/v1/deliveries?limit=1")["items"][0]["receipt"]
    paths = ["/", "/incidents", "/sources", "/sources/new", "/sites", "/settings", f"/deliveries/{receipt}"]
    paths += ["/review", "/review?from=2021-01-01", f"/compare?ids={','.join(incidents[:8])}"]
    paths += [f"/incidents/{name}" for name in incidents]
    paths.append(f"/incidents/{incidents[-1]}?as_of=2021-10-04T17:00:00Z&lines=all")
    with window(chromium, viewport={"width": width, "height": 900}, color_scheme=scheme) as opened:
        for path in paths:
            page = opened.open(demo.url + path, token=ADMIN_TOKEN)
            if path.startswith("/incidents/") and width == 1440:
                page.wait_for_selector("svg.main-svg")
            assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"), path
        assert opened.problems == []


def test_the_printed_link_signs_in_and_a_note_is_written(demo: Barograph, chromium: Browser) -> None:
    found = re.search(rf"{re.escape(demo.url)}/sign-in\?token=\S+", demo.log)
    assert found, demo.log
    with window(chromium) as opened:
        page = opened.open(found[0])
        assert page.url == f"{demo.url}/"
        page.click("article.burning h3 a >> nth=0")
        page.fill("#text", "Fans <b>swapped</b>")
        page.click("#add-entry button.primary")
        page.wait_for_selector("text=Fans <b>swapped</b>")
        assert opened.problems == []


def blocks(heading: str) -> list[str]:
    """The shell blocks under a heading of the README."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, heading
    return re.findall(r"^```sh\n(.*?)^```$", found[1], re.MULTILINE | re.DOTALL)


def typed(block: str, folder: Path) -> str:
    """What a block prints when it is typed in this folder."""
    argv = ["bash", "-euo", "pipefail", "-c", block]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_webhook_of_the_readme(barograph: StartBarograph) -> None:
    start, alert, look, end = blocks("Your first webhook in five minutes")
    given = re.search(
        r"^BAROGRAPH_ADMIN_TOKEN=(\S+) make run ARGS=\"--config docs/examples/first.toml\"$", start.strip()
    )
    assert given, start
    service = barograph(EXAMPLE, args=("--demo",), settings={"ADMIN_TOKEN": given[1]})

    def there(block: str) -> str:
        assert "http://127.0.0.1:8080" in block
        return typed(block.replace("http://127.0.0.1:8080", service.url), service.home)

    assert " 202 " in there(alert)
    service.until(lambda: '"Disk full on db-1"' in there(look) or "Munich: Disk full on db-1" in there(look))
    assert " 202 " in there(end)
    assert there(look).count('"id"') == 1


def test_the_commands_without_a_server_of_the_readme(tmp_path: Path) -> None:
    (block,) = blocks("Without a server")
    assert block.count(".venv/bin/barograph ") == 2
    (tmp_path / "service").symlink_to(ROOT / "service")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    command = f"env PYTHONPATH={ROOT} {sys.executable} -m service "
    printed = typed(block.replace(".venv/bin/barograph ", command), tmp_path)
    assert '"type": "event"' in printed
    assert "London" in printed
    assert len(list((tmp_path / "var" / "london").iterdir())) == 8
