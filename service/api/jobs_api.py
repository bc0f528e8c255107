"""Jobs in the API and on a page: how far a file is, the file itself, and cancelling it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, NoReturn

from aiohttp import web

from dashboards import job_page
from incidents import instants, privacy
from incidents.refusals import NotFoundError
from incidents.views import lists
from service import clock
from service.api.file_answers import INLINE, answer_stored, can_be_shown, is_inline
from service.asking import RoleError, answer, asker_of, identity, no_incident, read
from service.files.job_line import ENDED, Job, Needs
from service.files.job_process import Work
from service.files.jobs import JOBS, Kind
from service.pages.people import form_of, html, viewer_of

AT_ONCE_SECONDS = 1.0
"""How long a form waits for its file before it shows how far that is."""
MOST_HERE = 500
"""Alerts of an incident up to which its files are made in the service's own process: that takes a tenth of a second."""
LONGEST_WAIT = 20
"""Seconds that a question after a job may wait for its end."""


def wants_job(request: web.Request) -> bool:
    """Whether the asker would rather be told where the file will be than wait for it (RFC 7240)."""
    said = request.headers.get("Prefer", "").lower().split(",")
    return any(part.partition(";")[0].strip() == "respond-async" for part in said)


async def is_long(request: web.Request) -> bool:
    """Whether files of the request's incident take so long to make that senders would have to wait for them.

    Raises NotFoundError.
    """
    name = request.match_info["incident"]
    alerts = await read(request, lambda c: lists.alerts_in(c, name))
    if alerts is None:
        raise no_incident(name)
    return alerts > MOST_HERE


def submit(request: web.Request, title: str, work: Work, kind: Kind = "file", needs: Needs | None = None) -> Job:
    """Let a file be made for whoever asks, about the request's incident unless it `needs` something else.

    Raises BusyError.
    """
    needs = needs or Needs(incident=request.match_info.get("incident", ""))
    return request.app[JOBS].submit(identity(request).actor, title, work, kind, needs)


async def handed(request: web.Request, job: Job) -> web.StreamResponse:
    """What a job makes, once it is there; to a person's browser, after a second, how far it is.

    Whoever prefers it is told at once where to ask after it.
    """
    if wants_job(request):
        headers = {"Location": f"/api/v1/jobs/{job.id}", "Preference-Applied": "respond-async"}
        return answer({"id": job.id, "state": job.state, "title": job.title}, status=202, headers=headers)
    if "text/html" in request.headers.get("Accept", ""):
        await shown(job, is_inline=is_inline(request))
    return await file_of(request, job)


async def shown(job: Job, *, is_inline: bool = False) -> NoReturn:
    """From a form to its file where that is there at once, else to the page that tells how far it is."""
    await _wait(job, AT_ONCE_SECONDS)
    file = f"/api/v1/jobs/{job.id}/file" + (f"?{INLINE}=1" if is_inline else "")
    raise web.HTTPSeeOther(file if job.state == "done" else f"/jobs/{job.id}")


async def file_of(request: web.Request, job: Job) -> web.StreamResponse:
    """What a job makes, once it is there."""
    file = await request.app[JOBS].made(job)
    try:
        await judge(request, job)
        return await answer_stored(request, file, job)
    finally:
        file.close()


async def _wait(job: Job, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await job.ended.wait()


async def _job(request: web.Request) -> Job:
    job = request.app[JOBS].find(request.match_info["job"], identity(request).actor)
    await judge(request, job)
    return job


async def judge(request: web.Request, job: Job) -> None:
    """Whether whoever asks may still have what they asked for: roles are taken away, and incidents made private.

    Raises RoleError and NotFoundError.
    """
    needs = job.needs
    if not identity(request).may(needs.role):
        raise RoleError(f"the role {needs.role} or above is needed for this file")
    if needs.incident:
        if await read(request, lambda c: lists.alerts_in(c, needs.incident)) is None:
            raise no_incident(needs.incident)
    elif await read(request, lambda c: privacy.hidden_now(c, asker_of(request))) - needs.hidden:
        raise NotFoundError("what this file tells of was made private meanwhile: ask for it again")


def fields_of(request: web.Request, job: Job) -> dict[str, Any]:
    """A job as the API gives it."""
    before = request.app[JOBS].before(job) if job.state == "waiting" else 0
    return {
        "id": job.id,
        "title": job.title,
        "state": job.state,
        "words": job_page.words_of(job.state, job.step, job.error, before),
        "before": before,
        "asked_at": instants.text(job.asked_at),
        "ended_at": instants.text(job.ended_at) if job.ended_at else None,
        "name": job.name or None,
        "media": job.media or None,
        "size": job.size or None,
        "file": f"/api/v1/jobs/{job.id}/file" if job.state == "done" else None,
        "can_be_shown": job.state == "done" and can_be_shown(job.name, job.media),
        "error": job.error or None,
    }


async def get_job(request: web.Request) -> web.Response:
    """How far a job is; with `wait`, once it has ended or so many seconds have passed, at most 20."""
    job, wait = await _job(request), request.query.get("wait", "0")
    if wait.isdecimal() and job.state not in ENDED:
        await _wait(job, min(int(wait[:4]), LONGEST_WAIT))
    return answer(fields_of(request, job))


async def get_job_file(request: web.Request) -> web.StreamResponse:
    """What it made; waits for it where it is not there yet."""
    return await file_of(request, await _job(request))


async def cancel_job(request: web.Request) -> web.Response:
    """End it; of one that has ended nothing changes."""
    job = await _job(request)
    job.cancel()
    return answer(fields_of(request, job))


async def job(request: web.Request) -> web.Response:
    """The page that tells how far it is."""
    found = await _job(request)
    fields = fields_of(request, found)
    return html(job_page.job_page(fields, viewer_of(request), clock.now()))


async def cancel_form(request: web.Request) -> web.Response:
    """Its button to cancel."""
    await form_of(request)
    found = await _job(request)
    found.cancel()
    raise web.HTTPSeeOther(f"/jobs/{found.id}")
