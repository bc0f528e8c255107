"""Progress on a terminal: what takes longer than a second says how far it is, and nothing is left of it."""

from __future__ import annotations

import io
import sys
import time

import pytest

from service.commands import progress as module
from service.commands.progress import progress


class Screen(io.StringIO):
    """What a terminal was sent."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)


def until_written(screen: Screen, words: str) -> None:
    end = time.monotonic() + 20
    while words not in screen.getvalue() and time.monotonic() < end:
        time.sleep(0.01)
    assert words in screen.getvalue()


@pytest.mark.usefixtures("quick")
def test_a_step_is_shown_and_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(is_terminal=True)
    monkeypatch.setattr(sys, "stderr", screen)
    with progress() as shown:
        shown.tell("drawing")
        until_written(screen, "\rdrawing … 0 s, Ctrl-C cancels ")
    assert screen.getvalue().endswith("\r" + " " * 60 + "\r")


@pytest.mark.usefixtures("quick")
def test_nothing_is_left_on_the_line_when_it_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(is_terminal=True)
    monkeypatch.setattr(sys, "stderr", screen)

    def cancelled() -> None:
        with progress():
            until_written(screen, "starting")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cancelled()
    assert screen.getvalue().endswith("\r" + " " * 60 + "\r")


def test_what_is_there_within_a_second_is_not_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(is_terminal=True)
    monkeypatch.setattr(sys, "stderr", screen)
    with progress() as shown:
        shown.tell("drawing")
    assert not screen.getvalue()


@pytest.mark.usefixtures("quick")
def test_a_pipe_is_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(is_terminal=False)
    monkeypatch.setattr(sys, "stderr", screen)
    with progress() as shown:
        shown.tell("drawing")
        time.sleep(0.05)
    assert not screen.getvalue()
