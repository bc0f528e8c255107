"""A line of jobs: a process that makes one file after the other, each of which can be watched and cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import shutil
import signal
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import orjson

import service
from incidents.refusals import ConflictError, NotFoundError
from service import clock
from service.files.browser import FailedError
from service.files.job_process import LENGTH, Setup, Task, Work
from service.identity.access import Role

log = logging.getLogger(__name__)

ROOT = Path(service.__file__).resolve().parent.parent
"""The folder that this package lies in, which the process of the jobs looks for it in."""
State = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
IDLE_SECONDS = 300.0
"""How long a process stays that has nothing to do: it holds some 150 MB."""


class JobError(Exception):
    """A job made nothing; the text says why, for the person."""


REFUSALS: dict[str, type[Exception]] = {
    "missing": NotFoundError,
    "refused": ConflictError,
    "not_drawn": FailedError,
    "failed": JobError,
}
"""What a process may say instead of a file, with the error that whoever waits for it gets."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What somebody must be allowed for a file: judged when it is asked for, and again when it is fetched."""

    role: Role = "viewer"
    incident: str = ""
    """The one that it is about; empty for what is about many."""
    hidden: frozenset[str] = frozenset()
    """Of what is about many: those that were hidden from its asker, and so are not in it."""


@dataclass(slots=True, eq=False)
class Job:
    """One file that somebody asked for, and how far it is."""

    id: str
    owner: str
    """The actor who asked: nobody else sees it."""
    title: str
    work: Work
    asked_at: datetime
    path: Path
    line: Line
    needs: Needs = Needs()
    state: State = "waiting"
    step: str = ""
    """What is being done, in words."""
    error: str = ""
    refusal: type[Exception] = JobError
    """What is raised for whoever waits for a file that there will not be."""
    name: str = ""
    media: str = ""
    size: int = 0
    tag: str = ""
    sha256: str = ""
    ended_at: datetime | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def cancel(self) -> None:
        """End it; of one that has ended nothing changes."""
        self.line.cancel(self)

    def begin(self) -> None:
        """Let whoever looks see that it is being made."""
        self.state, self.step = "running", "starting"

    def end(self, state: State, error: str = "") -> None:
        """Let whoever waits for it know what became of it; the first end holds."""
        if self.state in ENDED:
            return
        self.state, self.error, self.ended_at, self.step = state, error, clock.now(), ""
        self.ended.set()


class Line:
    """Jobs of one process, one after the other. For the event loop alone."""

    def __init__(self, setup: Setup, *, patience_seconds: float) -> None:
        self._setup, self._patience = setup, patience_seconds
        self._waiting: asyncio.Queue[Job] = asyncio.Queue()
        self._process: asyncio.subprocess.Process | None = None
        self._running: Job | None = None
        self._beside = 0
        """The group of processes that the present work has begun: they would outlive it."""

    def put(self, job: Job) -> None:
        """Let it be made when those before it are."""
        self._waiting.put_nowait(job)

    def cancel(self, job: Job) -> None:
        """End a job; of one that has ended nothing changes."""
        if job.state in ENDED:
            return
        job.end("cancelled")
        if job is self._running and self._process:
            # What it computes has no place to be asked whether to go on.
            self._kill(self._process)

    async def run(self) -> None:
        """Make one after the other until cancelled."""
        try:
            while True:
                job = await self._next()
                if job.state == "waiting":
                    await self._make(job)
        finally:
            await self._stop()

    async def _next(self) -> Job:
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    return await self._waiting.get()
            await self._stop()
        return await self._waiting.get()

    async def _make(self, job: Job) -> None:
        job.begin()
        self._running, process = job, None
        try:
            async with asyncio.timeout(self._patience):
                process = await self._started()
                await _send(process, Task(job.work, str(job.path)))
                while job.state == "running":
                    self._hear(job, await _receive(process))
        except TimeoutError:
            job.end("failed", f"it took longer than {self._patience:.0f} s and was ended")
        except (EOFError, ConnectionError, OSError) as error:
            # A cancelled job has ended already.
            if job.state == "running":
                code = (process.returncode if process else None) or 0
                how = f" (signal {-code})" if code < 0 else ""
                log.warning("the process that made %s ended in the middle%s: %s", job.title, how, type(error).__name__)
                job.end("failed", f"the process that made it was ended in the middle{how}; ask for it again")
        except Exception as error:  # the job boundary: no job ends the line, nor the service with it
            log.exception("a job failed: %s", job.title)
            job.end("failed", f"it failed: {type(error).__name__}")
        finally:
            self._running = None
            if job.state != "done":
                job.path.unlink(missing_ok=True)
                if job.state == "cancelled" or job.refusal is JobError:
                    # Killed already, or in a state that nobody knows.
                    await self._stop()

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "service.files.job_process", cwd=ROOT,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                # Of its own, so that what ends the service by the terminal lets it end its jobs itself. A session of
                # its own would have its own share of the cores, whatever its niceness.
                process_group=0,
            )  # fmt: skip
            await _send(self._process, self._setup)
        return self._process

    async def _stop(self) -> None:
        """End the process, and remove what it had lying about: one that is killed cannot."""
        if self._process:
            self._kill(self._process)
            await self._process.wait()
            self._process = None
        await asyncio.to_thread(shutil.rmtree, self._setup.room, ignore_errors=True)

    def _hear(self, job: Job, told: dict[str, Any]) -> None:
        if "step" in told:
            job.step = str(told["step"])
        elif "beside" in told:
            self._beside = int(told["beside"])
        elif "done" in told:
            made = told["done"]
            job.name, job.media, job.size = made["name"], made["media"], made["size"]
            job.tag, job.sha256 = made["tag"], made["sha256"]
            job.end("done")
        else:
            ((how, why),) = told.items()
            job.refusal = REFUSALS[how]
            job.end("failed", str(why))

    def _kill(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        if self._beside:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._beside, signal.SIGKILL)
            self._beside = 0


async def _send(process: asyncio.subprocess.Process, what: Setup | Task) -> None:
    assert process.stdin
    body = pickle.dumps(what)
    process.stdin.write(len(body).to_bytes(LENGTH) + body)
    await process.stdin.drain()


async def _receive(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """The next message. Raises EOFError when the process has ended."""
    assert process.stdout
    try:
        size = int.from_bytes(await process.stdout.readexactly(LENGTH))
        told: dict[str, Any] = orjson.loads(await process.stdout.readexactly(size))
    except asyncio.IncompleteReadError:
        await process.wait()
        raise
    return told
