"""A browser that is installed here and nobody looks at: one for each drawing, bounded in time, with none left over."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dashboards import plotly_page
from dashboards.plotly_page import NotDrawnError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell")
SECONDS = 60.0
VIRTUAL_MS = 20_000
"""How long the page's own clock runs before it is written out; it runs as fast as the page does its work."""
WAITING_SECONDS = 30.0
MOST_BYTES = 64 * 1024 * 1024
_TURN = threading.Lock()
"""A browser takes half a gigabyte: one at a time."""


class MissingError(Exception):
    """There is no browser here."""


class FailedError(Exception):
    """The browser was ended, or took too long, before it had drawn."""


def find(named: str = "") -> str:
    """The path of the browser: the one that a setting names, else one of the usual names. Raises MissingError."""
    for name in (named,) if named else NAMES:
        if path := shutil.which(name):
            return path
    looked = named or ", ".join(NAMES)
    raise MissingError(f"no browser is installed: looked for {looked}; the other exports need none")


Hear = Callable[[int], None]
"""Hears the group of processes that a browser runs in, and 0 when none of them is left."""


def draw(  # what, as what, by which browser
    figure: Mapping[str, Any],
    form: str,
    *,
    scale: int = 2,
    named: str = "",
    seconds: float = SECONDS,
    hear: Hear = lambda _: None,
) -> bytes:
    """A figure of ours as Plotly draws it: SVG, PNG or PDF. Raises MissingError and FailedError."""
    path = find(named)
    if not _TURN.acquire(timeout=min(seconds, WAITING_SECONDS)):
        raise FailedError("the browser is busy with other drawings")
    try:
        with tempfile.TemporaryDirectory(prefix="barograph-browser-", ignore_cleanup_errors=True) as home:
            return _drawn(path, figure, Path(home), form, scale, seconds, hear)
    finally:
        _TURN.release()


def _drawn(  # noqa: PLR0917  # one by one
    path: str, figure: Mapping[str, Any], home: Path, form: str, scale: int, seconds: float, hear: Hear
) -> bytes:
    sheet, made = home / "figure.html", home / f"figure.{form}"
    sheet.write_text(plotly_page.page(figure, is_shown=form != "svg"), encoding="utf-8")
    width, height = plotly_page.size(figure)
    wanted = {
        "svg": ["--dump-dom"],
        "png": [f"--screenshot={made}", f"--window-size={width},{height}", f"--force-device-scale-factor={scale}"],
        "pdf": [f"--print-to-pdf={made}"],
    }[form]
    dumped = _run([path, *_flags(home), *wanted, sheet.as_uri()], home, seconds, hear)
    try:
        return plotly_page.drawing(dumped.decode("utf-8", "replace")) if form == "svg" else made.read_bytes()
    except (NotDrawnError, OSError) as error:
        raise FailedError(f"the browser drew nothing: {error}") from None


def _flags(home: Path) -> list[str]:
    flags = [
        "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-background-networking",
        "--disable-component-update", "--disable-default-apps", "--disable-sync", "--disable-dev-shm-usage",
        "--hide-scrollbars", "--no-pdf-header-footer", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--virtual-time-budget={VIRTUAL_MS}", f"--user-data-dir={home / 'profile'}",
    ]  # fmt: skip
    # Its own sandbox does not work for root. The page is ours, its policy allows no address, and no name is resolved.
    return [*flags, "--no-sandbox"] if os.geteuid() == 0 else flags


def _run(argv: list[str], home: Path, seconds: float, hear: Hear) -> bytes:
    """What the command wrote; its whole group of processes is ended in any case. Raises FailedError."""
    given = {"PATH": os.defpath, "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8", "TZ": "UTC"}
    # Into a file: a pipe stays open as long as any process that the browser began, and would be waited for.
    with (home / "written").open("w+b") as written:
        process = subprocess.Popen(  # noqa: S603  # the path is the operator's own, and no part of it a stranger's
            argv, stdout=written, stderr=subprocess.DEVNULL, env=given, cwd=home, start_new_session=True
        )
        hear(process.pid)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise FailedError(f"the browser had drawn nothing after {seconds:g} seconds and was ended") from None
        finally:
            _end(process)
            hear(0)
        if process.returncode:
            raise FailedError(f"the browser ended with {process.returncode} before it had drawn")
        written.seek(0)
        return written.read(MOST_BYTES)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it began: renderers of a browser that was killed go on for a while otherwise."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
