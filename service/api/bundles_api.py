"""Evidence bundles in the API."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from aiohttp import web

from incidents.store import Store
from service.api import jobs_api
from service.api.file_answers import answer_stored
from service.asking import asker_of, choice_of, compute, identity
from service.auditing import record
from service.files import bundles
from service.files.bundles import Made, Wanted
from service.files.job_line import Needs
from service.keys import STORE
from service.problem import problem

_TURN = threading.Lock()
"""A bundle takes a disk and a processor while it is made: one at a time."""


@dataclass(frozen=True, slots=True)
class _Stored:
    name: str
    size: int
    tag: str
    sha256: str
    media: str = bundles.MEDIA


async def get_bundle(request: web.Request) -> web.StreamResponse:
    """The bundle of an incident as a file; deliveries as they came only for an admin who asks.

    Of an incident with many alerts it is made beside the service.
    """
    raw = choice_of(request, "raw", ("0", "1"), "0") == "1"
    if raw and not identity(request).may("admin"):
        return problem("forbidden", "the role admin is needed for deliveries as they came")
    wanted = Wanted(request.match_info["incident"], asker_of(request), raw)
    if await jobs_api.is_long(request) or jobs_api.wants_job(request):
        needs = Needs("admin" if raw else "responder", wanted.incident)
        title = f"Evidence of {wanted.incident[:80]}"
        job = jobs_api.submit(request, title, partial(bundles.make, wanted), "bundle", needs)
        await _audited(request, wanted)
        return await jobs_api.handed(request, job)
    with tempfile.TemporaryFile() as file:
        made = await compute(request, lambda: _made_alone(request.app[STORE], wanted, file))
        if made is None:
            told = "another bundle is being made; come back soon"
            return problem("overloaded", told, headers={"Retry-After": "10"})
        await _audited(request, wanted)
        told_of = _Stored(bundles.name_of(wanted.incident), made.size, made.digest, made.whole)
        return await answer_stored(request, file, told_of)


async def _audited(request: web.Request, wanted: Wanted) -> None:
    who, how = identity(request), "with deliveries as they came" if wanted.raw else "redacted"
    store, of = request.app[STORE], f"incident {wanted.incident}"
    await compute(request, lambda: record(store, who, "bundle_read", of, request.remote, raw=how))


def _made_alone(store: Store, wanted: Wanted, file: BinaryIO) -> Made | None:
    """What was written into the file, or None while another bundle is being made."""
    if not _TURN.acquire(blocking=False):
        return None
    try:
        return bundles.export(store, wanted.incident, file, raw=wanted.raw, asker=wanted.asker)
    finally:
        _TURN.release()
