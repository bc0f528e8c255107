"""Plotly's own rendering: by a real Chromium, bounded in time, no process left, and told plainly where it fails."""

from __future__ import annotations

import stat
import tempfile
import time
from pathlib import Path

import pytest

from dashboards import plotly_page
from dashboards.figure import incident_figure
from service.files import browser
from service.files.browser import FailedError, MissingError
from tests.conftest import StartBarograph
from tests.london_views import HOSTILE, INCIDENT_VIEW
from tests.senders import problem_of
from tests.test_postmortem import view_with

FIGURE = incident_figure(INCIDENT_VIEW, width=plotly_page.WIDTH)


def script(path: Path, text: str) -> str:
    """A program in the browser's place."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_chromium_draws_each_form_and_leaves_nothing() -> None:
    before = set(Path(tempfile.gettempdir()).glob("barograph-browser-*"))
    assert browser.draw(FIGURE, "png", scale=2)[:24].endswith(
        (2 * plotly_page.WIDTH).to_bytes(4, "big") + round(2 * FIGURE["layout"]["height"]).to_bytes(4, "big")
    )
    svg = browser.draw(FIGURE, "svg").decode()
    assert svg.startswith("<svg")
    assert "<script" not in svg
    assert "impact 1 h 39 min" in svg.replace("\xa0", " ")
    assert browser.draw(FIGURE, "pdf").startswith(b"%PDF-")
    assert set(Path(tempfile.gettempdir()).glob("barograph-browser-*")) <= before


def test_a_strangers_text_is_no_markup_of_the_page() -> None:
    page = plotly_page.page(incident_figure(view_with(f"</script><script>{HOSTILE}")), is_shown=True)
    assert page.count("<script") == 2
    assert "default-src 'none'" in page
    assert "<img" not in page[page.rindex("<script>") :]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sleep 60 & echo $! > {pid}; kill -9 $$", "ended with -9 before it had drawn"),
        ("sleep 60 & echo $! > {pid}; sleep 60", "nothing after 1 seconds and was ended"),
        ("sleep 60 & echo $! > {pid}; echo '<pre id=\"drawn\">error:no memory</pre>'; exec >&-; exit 0", "no memory"),
        ("echo $$ > {pid}; echo nothing", "it wrote nothing"),
        ("echo $$ > {pid}; exit 7", "ended with 7"),
    ],
)
def test_a_browser_that_fails_is_told_and_takes_its_processes_with_it(tmp_path: Path, text: str, told: str) -> None:
    pid = tmp_path / "pid"
    named = script(tmp_path / "browser", text.format(pid=pid))
    began = time.monotonic()
    with pytest.raises(FailedError, match=told):
        browser.draw(FIGURE, "svg", named=named, seconds=1)
    assert time.monotonic() - began < 30
    until = time.monotonic() + 5
    while is_alive(int(pid.read_text())) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(int(pid.read_text()))


def test_no_browser_is_told_and_all_else_works(barograph: StartBarograph, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="looked for no-such-browser"):
        browser.find("no-such-browser")
    service = barograph(settings={"BROWSER": str(tmp_path / "none")})
    incident = service.post("/api/v1/incidents", {"title": "Drawn", "severity": "error"}).json()["id"]
    path = f"/api/v1/incidents/{incident}/rendering"
    answer = service.get(f"{path}.png")
    assert (answer.status, problem_of(answer)["type"]) == (501, "about:blank#no-browser")
    assert "the other exports need none" in answer.text
    assert service.get(f"{path}.gif").status == 404
    assert service.get(f"{path}.png?theme=print").status == 400
    assert service.get(f"/api/v1/incidents/{incident}/export.png").status == 200
    script(tmp_path / "none", "kill -9 $$")
    answer = service.get(f"{path}.pdf")
    assert (answer.status, problem_of(answer)["type"], answer.headers["Retry-After"]) == (
        503,
        "about:blank#not-drawn",
        "5",
    )
    done = service.cli("export", incident, "--format", "png", "--plotly")
    assert (done.returncode, done.stdout) == (1, "")
    assert "before it had drawn" in done.stderr
    (tmp_path / "none").unlink()
    assert service.cli("export", incident, "--format", "png", "--plotly").returncode == 6
