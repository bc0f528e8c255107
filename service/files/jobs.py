"""Jobs: files that take long to make, made in processes of their own, one after the other.

A drawing of thousands of marks keeps an interpreter busy for a second; in the service's own it would keep senders
waiting. A job can be watched and cancelled; how many wait is bounded; a process that is killed costs one job.
"""

from __future__ import annotations

import asyncio
import pickle
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Literal

from aiohttp import web

from incidents.refusals import NotFoundError
from incidents.store import Store
from service import clock
from service.files.job_folder import JobFolder, clear_orphans
from service.files.job_line import ENDED, Job, JobError, Line, Needs
from service.files.job_process import Setup, Work
from service.keys import SETTINGS, STORE

MOST_WAITING = 20
"""Jobs that may wait; beyond it whoever asks is told to come back."""
MOST_OF_ONE = 8
"""Of them, of one asker."""
MOST_KEPT = 40
KEPT = timedelta(minutes=15)
"""How long what a job made can be fetched."""
FORGOTTEN_SECONDS = 60.0
"""How often what is kept no longer is removed."""
Kind = Literal["file", "bundle", "rendering"]
PATIENCE_SECONDS: dict[Kind, float] = {"file": 300.0, "bundle": 3600.0, "rendering": 120.0}
"""How long one job may take. Bundles, of up to a million statements, and what a browser draws have lines of their own:
nobody's chart waits for one."""


USUAL = Needs()


class BusyError(Exception):
    """As many jobs wait as may."""


class Jobs:
    """All jobs of this process. For the event loop alone."""

    def __init__(self, database: str, log_format: str) -> None:
        clear_orphans()
        self._own = JobFolder()
        self._folder = self._own.path
        self._jobs: dict[str, Job] = {}
        self._lines = {
            kind: Line(Setup(database, log_format, str(self._folder / f"{kind}s")), patience_seconds=seconds)
            for kind, seconds in PATIENCE_SECONDS.items()
        }

    def submit(  # what, for whom, and by which process
        self, owner: str, title: str, work: Work, kind: Kind = "file", needs: Needs = USUAL
    ) -> Job:
        """Let a file be made; what its owner has asked for already, and is not there yet, is not made twice.

        Raises BusyError.
        """
        self._forget()
        asked = pickle.dumps(work)
        mine = [job for job in self._jobs.values() if job.owner == owner and job.state not in ENDED]
        for job in mine:
            if job.title == title and pickle.dumps(job.work) == asked:
                return job
        if len(mine) >= MOST_OF_ONE:
            raise BusyError(f"{MOST_OF_ONE} of your files are being made; come back when some are there")
        if sum(job.state == "waiting" for job in self._jobs.values()) >= MOST_WAITING:
            raise BusyError(f"{MOST_WAITING} files wait to be made; come back when some are there")
        name = secrets.token_urlsafe(12)
        self._own.keep()
        job = Job(name, owner, title, work, clock.now(), self._folder / name, self._lines[kind], needs)
        self._jobs[name] = job
        job.line.put(job)
        return job

    def find(self, name: str, owner: str) -> Job:
        """A job of somebody's. Raises NotFoundError."""
        self._forget()
        job = self._jobs.get(name)
        if job is None or job.owner != owner:
            raise NotFoundError("there is no such job here, or what it made is kept no longer")
        return job

    def before(self, job: Job) -> int:
        """How many are made before a job that waits."""
        ahead = [one for one in self._jobs.values() if one.line is job.line and one.state not in ENDED]
        return ahead.index(job) if job in ahead else 0

    async def made(self, job: Job) -> BinaryIO:
        """Wait for the file, and open it. Raises NotFoundError, ConflictError, and JobError, where there is none."""
        await job.ended.wait()
        if job.state == "done":
            try:
                return await asyncio.to_thread(job.path.open, "rb")
            except FileNotFoundError:
                raise JobError("what it made is kept no longer") from None
        raise job.refusal(job.error or "it was cancelled")

    def _forget(self) -> None:
        """Drop what is old, and of the rest the oldest beyond the bound."""
        ended = sorted((job.ended_at, job.id) for job in self._jobs.values() if job.ended_at is not None)
        now = clock.now()
        for number, (at, name) in enumerate(reversed(ended)):
            job = self._jobs[name]
            if number >= MOST_KEPT or at + KEPT <= now:
                del self._jobs[job.id]
                job.path.unlink(missing_ok=True)

    async def run(self) -> None:
        """Make what is asked for until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for line in self._lines.values():
                    group.create_task(line.run())
                while True:
                    await asyncio.sleep(FORGOTTEN_SECONDS)
                    self._forget()
        finally:
            for job in self._jobs.values():
                if job.state not in ENDED:
                    job.end("failed", "the service is ending; ask for it again")
            self._own.remove()


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
