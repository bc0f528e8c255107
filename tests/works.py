"""Works for the tests of jobs: functions of a module, so that the process of the jobs finds them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from incidents.refusals import ConflictError, NotFoundError
from incidents.views import lists
from incidents.views.lists import IncidentFilter
from service.files.browser import FailedError
from service.files.job_process import Desk, Made


def say(words: str, desk: Desk) -> Made:
    """A file with these words and how many incidents there are."""
    sys.stdout.write("what a library prints is no answer\n")
    os.write(1, b"nor what it writes itself\n")
    desk.tell("counting")
    with desk.store.reading() as connection:
        count = len(lists.list_incidents(connection, IncidentFilter(), 10))
    return Made("said.txt", "text/plain", f"{words}, {count} incidents".encode())


def sleep(begun: str, desk: Desk) -> Made:
    """Begin, and never end by itself."""
    desk.tell("sleeping")
    Path(begun).write_text(str(os.getpid()))
    time.sleep(600)
    return Made("never.txt", "text/plain", b"")


def be_killed(_: Desk) -> Made:
    """End in the middle, as when a machine is short of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def fail(_: Desk) -> Made:
    """A fault, which says a stranger's words."""
    raise KeyError("a stranger's words")


def miss(_: Desk) -> Made:
    """What it is about is not there."""
    raise NotFoundError("there is no incident x")


def refuse(_: Desk) -> Made:
    """It cannot be made, for a reason that is told."""
    raise ConflictError("it is larger than a bundle can be")


def write_itself(desk: Desk) -> Made:
    """A file that is never whole in memory."""
    with desk.place.open("wb") as file:
        file.writelines([b"written ", b"piece ", b"by piece"])
    return Made("large.bin", "application/octet-stream", None, "its-own", "00" * 32)


def leave_things_about(begun: str, _: Desk) -> Made:
    """Half a file and a folder beside it, and no end."""
    (Path(tempfile.gettempdir()) / "evidence").mkdir()
    return sleep(begun, _)


def begin_another(begun: str, desk: Desk) -> Made:
    """Begin a program in a group of its own, and never end by itself."""
    with subprocess.Popen(["/bin/sleep", "600"], start_new_session=True) as other:
        desk.beside(other.pid)
        desk.tell("begun")
        Path(begun).write_text(str(other.pid))
    return Made("never.txt", "text/plain", b"")


def draw_nothing(_: Desk) -> Made:
    """A browser that was ended."""
    raise FailedError("the browser ended with -9 before it had drawn")
