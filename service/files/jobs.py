"""Jobs: files that take long to make, made in a process of their own, one after the other.

A drawing of thousands of marks keeps an interpreter busy for a second; in the service's own it would keep senders
waiting. A job can be watched and cancelled; how many wait is bounded; a process that is killed costs one job.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import orjson
from aiohttp import web

import service
from incidents.refusals import NotFoundError
from incidents.store import Store
from service import clock
from service.files.job_process import LENGTH, Setup, Task, Work
from service.keys import SETTINGS, STORE

log = logging.getLogger(__name__)

ROOT = Path(service.__file__).resolve().parent.parent
"""The folder that this package lies in, which the process of the jobs looks for it in."""
State = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
MOST_WAITING = 20
"""Jobs that may wait; beyond it whoever asks is told to come back."""
MOST_KEPT = 40
KEPT = timedelta(minutes=15)
"""How long what a job made can be fetched."""
PATIENCE_SECONDS = 300.0
"""How long one job may take."""
IDLE_SECONDS = 300.0
"""How long a process stays that has nothing to do: it holds some 150 MB."""


class BusyError(Exception):
    """As many jobs wait as may."""


class JobError(Exception):
    """A job made nothing; the text says why, for the person."""


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
    state: State = "waiting"
    step: str = ""
    """What is being done, in words."""
    error: str = ""
    is_missing: bool = False
    """Whether it failed because what it is about is not there."""
    name: str = ""
    media: str = ""
    size: int = 0
    ended_at: datetime | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Jobs:
    """All jobs of this process. For the event loop alone."""

    def __init__(self, database: str, log_format: str) -> None:
        self._setup = Setup(database, log_format)
        self._folder = Path(tempfile.mkdtemp(prefix="barograph-jobs-"))  # for its owner alone
        self._waiting: asyncio.Queue[Job] = asyncio.Queue()
        self._jobs: dict[str, Job] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._running: Job | None = None

    # --- for whoever asks -------------------------------------------------------------------------------------------

    def submit(self, owner: str, title: str, work: Work) -> Job:
        """Let a file be made. Raises BusyError."""
        self._forget()
        if sum(job.state == "waiting" for job in self._jobs.values()) >= MOST_WAITING:
            raise BusyError(f"{MOST_WAITING} files wait to be made; come back when some are there")
        name = secrets.token_urlsafe(12)
        job = Job(name, owner, title, work, clock.now(), self._folder / name)
        self._jobs[name] = job
        self._waiting.put_nowait(job)
        return job

    def find(self, name: str, owner: str) -> Job:
        """A job of somebody's. Raises NotFoundError."""
        self._forget()
        job = self._jobs.get(name)
        if job is None or job.owner != owner:
            raise NotFoundError("there is no such job, or what it made is kept no longer")
        return job

    def before(self, job: Job) -> int:
        """How many are made before a job that waits."""
        ahead = [one for one in self._jobs.values() if one.state in ("waiting", "running")]
        return ahead.index(job) if job in ahead else 0

    def cancel(self, job: Job) -> None:
        """End a job; of one that has ended nothing changes."""
        if job.state in ENDED:
            return
        is_running = job is self._running
        self._end(job, "cancelled")
        if is_running and self._process:
            # What it computes has no place to be asked whether to go on.
            self._kill(self._process)

    async def made(self, job: Job) -> bytes:
        """Wait for the file. Raises NotFoundError, and JobError where there will be none."""
        await job.ended.wait()
        if job.state == "done":
            try:
                return await asyncio.to_thread(job.path.read_bytes)
            except FileNotFoundError:
                raise JobError("what it made is kept no longer") from None
        if job.is_missing:
            raise NotFoundError(job.error)
        raise JobError(job.error or "it was cancelled")

    def _end(self, job: Job, state: State, error: str = "") -> None:
        job.state, job.error, job.ended_at, job.step = state, error, clock.now(), ""
        job.ended.set()

    def _forget(self) -> None:
        """Drop what is old, and of the rest the oldest beyond the bound."""
        ended = [job for job in self._jobs.values() if job.ended_at is not None]
        now = clock.now()
        for number, job in enumerate(reversed(ended)):
            if number >= MOST_KEPT or (job.ended_at and job.ended_at + KEPT <= now):
                del self._jobs[job.id]
                job.path.unlink(missing_ok=True)

    # --- the process ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Make one after the other until cancelled."""
        try:
            while True:
                job = await self._next()
                if job.state == "waiting":
                    await self._make(job)
        finally:
            if self._process:
                self._kill(self._process)
                await self._process.wait()
            for job in self._jobs.values():
                if job.state not in ENDED:
                    self._end(job, "failed", "the service is ending; ask for it again")
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _next(self) -> Job:
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    return await self._waiting.get()
            self._kill(self._process)
            await self._process.wait()
            self._process = None
        return await self._waiting.get()

    async def _make(self, job: Job) -> None:
        job.state, job.step, self._running = "running", "starting", job
        process = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                process = await self._started()
                await _send(process, Task(job.work, str(job.path)))
                while job.state == "running":
                    self._hear(job, await _receive(process))
        except TimeoutError:
            self._end(job, "failed", f"it took longer than {PATIENCE_SECONDS:.0f} s and was ended")
        except (EOFError, ConnectionError, OSError) as error:
            # A cancelled job has ended already.
            if job.state == "running":
                code = (process.returncode if process else None) or 0
                how = f" (signal {-code})" if code < 0 else ""
                log.warning("the process that made %s ended in the middle%s: %s", job.title, how, type(error).__name__)
                self._end(job, "failed", f"the process that made it was ended in the middle{how}; ask for it again")
        finally:
            self._running = None
            if not job.size:
                job.path.unlink(missing_ok=True)
            if self._process and not (job.size or job.is_missing):
                self._kill(self._process)
                await self._process.wait()
                self._process = None

    def _hear(self, job: Job, told: dict[str, Any]) -> None:
        if "step" in told:
            job.step = str(told["step"])
        elif "done" in told:
            job.name, job.media, job.size = told["done"]["name"], told["done"]["media"], told["done"]["size"]
            self._end(job, "done")
        else:
            job.is_missing = "missing" in told
            self._end(job, "failed", str(told.get("missing") or told.get("failed")))

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

    @staticmethod
    def _kill(process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


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


def address_of(store: Store) -> str:
    """The database's address, which another process can open from any folder."""
    url = store.url
    if store.is_sqlite:
        url = url.set(database=str(Path(url.database or "").resolve()))
    return url.render_as_string(hide_password=False)


JOBS = web.AppKey("jobs", Jobs)


async def running(app: web.Application) -> AsyncIterator[None]:
    """The jobs, from the start of the service to its end."""
    jobs = app[JOBS] = Jobs(address_of(app[STORE]), app[SETTINGS].log_format)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(jobs.run())
        yield
        task.cancel()
