"""The process that makes files: takes one work after the other, and tells how far it is.

Frames either way, on its standard input and output, are a length of four bytes and so many bytes: pickled works
from the service, JSON from here. It ends with its input, so that it never outlives the service, also in the middle.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pickle
import queue
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, TypeVar

import orjson
import sqlalchemy as sa

from dashboards.typeface import FontsError
from incidents import configured
from incidents.config import Config
from incidents.privacy import Asker
from incidents.refusals import ConflictError, NotFoundError
from incidents.store import Store
from service.files.browser import FailedError, MissingError
from service.log import set_up_log

log = logging.getLogger(__name__)

T = TypeVar("T")
LENGTH = 4
"""Bytes of a frame's length."""
NICE = 15
"""How much this process stands back behind intake when both want a core."""


@dataclass(frozen=True, slots=True)
class Made:
    """A file: its name, its media type, and its bytes.

    A work that has written a large one itself, at its desk's `place`, gives None for the bytes, the entity tag and
    the SHA-256 of the whole.
    """

    name: str
    media: str
    content: bytes | None
    tag: str = ""
    sha256: str = ""


class Desk:
    """What a work has at hand: the store, opened when it is first asked for, and a word to whoever waits."""

    def __init__(
        self, database: str, tell: Callable[[str], None], beside: Callable[[int], None] = lambda _: None
    ) -> None:
        """`beside` is told the group of processes that a work has begun, and 0 when it has ended: it ends with it."""
        self._database, self.tell, self.beside = database, tell, beside
        self.place = Path()
        """Where the file of the present work goes."""

    @cached_property
    def store(self) -> Store:
        """The record, to be read."""
        return Store(self._database, readers=1)

    def make(
        self,
        asker: Asker,
        read: Callable[[sa.Connection, Config], T],
        write: Callable[[T], Made],
        *,
        writing: str = "writing",
    ) -> Made:
        """A file of what is read at once as this asker sees it, and written when the record is let go."""
        self.tell("reading the record")
        with self.store.reading(asker) as connection:
            found = read(connection, configured.load(connection))
        self.tell(writing)
        return write(found)


Work = Callable[[Desk], Made]
"""What makes a file; sent from process to process, so a function of a module, with its arguments bound by `partial`."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The first frame: the database, whose address may hold a password and so stands on no command line."""

    database: str
    log_format: str
    room: str
    """The folder of its temporary files, which whoever ends it empties."""


@dataclass(frozen=True, slots=True)
class Task:
    """A work, and where its file goes."""

    work: Work
    path: str


def perform(task: Task, desk: Desk) -> dict[str, object]:
    """Make one file and say what became of it: `{"done": …}`, or one of `REFUSALS` in `job_line` with the reason."""
    desk.place = Path(task.path)
    try:
        made = task.work(desk)
        if made.content is not None:
            desk.place.write_bytes(made.content)
    except NotFoundError as error:
        return {"missing": str(error)}
    except ConflictError as error:
        return {"refused": str(error)}
    except FailedError as error:
        return {"not_drawn": str(error)}
    except (FontsError, MissingError) as error:
        return {"failed": str(error)}
    except Exception as error:  # a job boundary: whoever waits is told, and the next work is done
        log.exception("a file could not be made")
        # The text of a fault could hold a stranger's words; its type must do.
        return {"failed": f"it could not be made: {type(error).__name__}; it was logged"}
    sha256 = made.sha256 or hashlib.sha256(made.content or b"").hexdigest()
    size = desk.place.stat().st_size
    return {
        "done": {"name": made.name, "media": made.media, "size": size, "tag": made.tag or sha256[:32], "sha256": sha256}
    }


def stand_back() -> None:
    """Let this process have only what nobody else wants of the cores."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
    # A nice one keeps its core for some milliseconds when a sender's bytes come; an idle one leaves it at once.
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _frames(pipe: BinaryIO) -> Iterator[bytes]:
    while len(head := pipe.read(LENGTH)) == LENGTH:
        size = int.from_bytes(head)
        body = pipe.read(size)
        if len(body) < size:
            return
        yield body


def _read(pipe: BinaryIO, tasks: queue.SimpleQueue[bytes]) -> None:
    for body in _frames(pipe):
        tasks.put(body)
    # The service is gone: nobody waits for what is being made.
    os._exit(0)


def main() -> None:
    """Work until the input ends."""
    stand_back()
    # What a library prints must not stand between frames.
    told, sys.stdout = os.fdopen(os.dup(1), "wb"), sys.stderr
    os.dup2(2, 1)

    def tell(message: dict[str, object]) -> None:
        body = orjson.dumps(message)
        told.write(len(body).to_bytes(LENGTH) + body)
        told.flush()

    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin.buffer, tasks), daemon=True).start()
    setup: Setup = pickle.loads(tasks.get())  # noqa: S301  # from the service itself, over its own pipe
    set_up_log(setup.log_format)
    Path(setup.room).mkdir(mode=0o700, exist_ok=True)
    tempfile.tempdir = setup.room
    desk = Desk(setup.database, lambda step: tell({"step": step}), lambda group: tell({"beside": group}))
    while True:
        tell(perform(pickle.loads(tasks.get()), desk))  # noqa: S301  # as above


if __name__ == "__main__":
    main()
