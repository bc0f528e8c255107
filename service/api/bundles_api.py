"""Evidence bundles in the API."""

from __future__ import annotations

import asyncio
import base64
import tempfile
import threading
from typing import BinaryIO

from aiohttp import web

from incidents.privacy import Asker
from incidents.store import Store
from service.asking import asker_of, choice_of, compute, identity
from service.auditing import record
from service.files import bundles
from service.files.bundles import Made
from service.keys import READERS, STORE
from service.log import REQUEST
from service.problem import problem
from service.shell import head

PIECE = 1 << 18
_TURN = threading.Lock()
"""A large bundle takes a disk and a processor while it is made: one at a time."""


async def get_bundle(request: web.Request) -> web.StreamResponse:
    """The bundle of an incident as a file; deliveries as they came only for an admin who asks."""
    raw = choice_of(request, "raw", ("0", "1"), "0") == "1"
    if raw and not identity(request).may("admin"):
        return problem("forbidden", "the role admin is needed for deliveries as they came")
    name, store, asker = request.match_info["incident"], request.app[STORE], asker_of(request)
    with tempfile.TemporaryFile() as file:
        made = await compute(request, lambda: _made_alone(store, name, file, asker, raw=raw))
        if made is None:
            told = "another bundle is being made; come back soon"
            return problem("overloaded", told, headers={"Retry-After": "10"})
        who, how = identity(request), "with deliveries as they came" if raw else "redacted"
        await compute(request, lambda: record(store, who, "bundle_read", f"incident {name}", request.remote, raw=how))
        return await _sent(request, file, made, bundles.name_of(name))


async def _sent(request: web.Request, file: BinaryIO, made: Made, name: str) -> web.StreamResponse:
    """The file as a response, piece by piece."""
    whole = base64.b64encode(bytes.fromhex(made.whole)).decode()
    response = web.StreamResponse(
        headers={
            "Content-Type": "application/zip",
            "Content-Disposition": f'attachment; filename="{name}"',
            "ETag": f'"{made.digest}"',
            "Repr-Digest": f"sha-256=:{whole}:",
        }
    )
    head(request.path, response, REQUEST.get())
    response.content_length = made.size
    await response.prepare(request)
    loop, readers = asyncio.get_running_loop(), request.app[READERS]
    await loop.run_in_executor(readers, file.seek, 0)
    while piece := await loop.run_in_executor(readers, file.read, PIECE):
        await response.write(piece)
    await response.write_eof()
    return response


def _made_alone(store: Store, incident: str, file: BinaryIO, asker: Asker, *, raw: bool) -> Made | None:
    """What was written into the file, or None while another bundle is being made."""
    if not _TURN.acquire(blocking=False):
        return None
    try:
        return bundles.export(store, incident, file, raw=raw, asker=asker)
    finally:
        _TURN.release()
