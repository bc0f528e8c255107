"""How far a file is: one line on a terminal's stderr, wiped at the end. Where nobody looks nothing is written."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

QUIET_SECONDS = 1.0
"""What is there sooner is not spoken of."""
EVERY_SECONDS = 0.5
_WIDE = 60
"""Characters of the line, filled with blanks: no escape is sent to any terminal."""


class Progress:
    """The step that was told last and for how long all of it has taken."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._step, self._began = out, "starting", time.monotonic()
        self._ended, self._is_shown = threading.Event(), False

    def tell(self, step: str) -> None:
        """Say what is being done now, in words of ours."""
        self._step = step

    def watch(self) -> None:
        """Write the line until it is ended; for a thread."""
        wait = QUIET_SECONDS
        while not self._ended.wait(wait):
            wait = EVERY_SECONDS
            took = time.monotonic() - self._began
            said = f"{self._step} … {took:.0f} s, Ctrl-C cancels"
            self._out.write(f"\r{said:<{_WIDE}}")
            self._out.flush()
            self._is_shown = True

    def end(self) -> None:
        """Write no more."""
        self._ended.set()

    def wipe(self) -> None:
        """Take away what was written, when no thread writes any more."""
        if self._is_shown:
            self._out.write(f"\r{' ' * _WIDE}\r")
            self._out.flush()


@contextmanager
def progress() -> Iterator[Progress]:
    """Something to tell steps to while a command makes a file."""
    told = Progress(sys.stderr)
    if not sys.stderr.isatty():
        yield told
        return
    thread = threading.Thread(target=told.watch, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.end()
        thread.join()
        told.wipe()
