"""Evidence bundles in the API."""

from __future__ import annotations

import base64
import threading

from aiohttp import web

from incidents.bundles import bundle
from incidents.privacy import Asker
from incidents.store import Store
from service import bundles
from service.asking import asker_of, choice_of, compute, identity
from service.auditing import record
from service.keys import STORE
from service.problem import problem

_TURN = threading.Lock()
"""A large bundle takes a gigabyte while it is made: one at a time."""


async def get_bundle(request: web.Request) -> web.Response:
    """The bundle of an incident as a file; deliveries as they came only for an admin who asks."""
    raw = choice_of(request, "raw", ("0", "1"), "0") == "1"
    if raw and not identity(request).may("admin"):
        return problem("forbidden", "the role admin is needed for deliveries as they came")
    name, store, asker = request.match_info["incident"], request.app[STORE], asker_of(request)
    content = await compute(request, lambda: _made_alone(store, name, asker, raw=raw))
    if content is None:
        return problem("overloaded", "another bundle is being made; come back soon", headers={"Retry-After": "10"})
    who, how = identity(request), "with deliveries as they came" if raw else "redacted"
    await compute(request, lambda: record(store, who, "bundle_read", f"incident {name}", request.remote, raw=how))
    told = bundle.digest_of(content)
    whole = base64.b64encode(bytes.fromhex(bundle.digest(content))).decode()
    return web.Response(
        body=content,
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{bundles.name_of(name)}"',
            "ETag": f'"{told}"',
            "Repr-Digest": f"sha-256=:{whole}:",
        },
    )


def _made_alone(store: Store, incident: str, asker: Asker, *, raw: bool) -> bytes | None:
    """The bundle, or None while another one is being made."""
    if not _TURN.acquire(blocking=False):
        return None
    try:
        return bundles.export(store, incident, raw=raw, asker=asker)
    finally:
        _TURN.release()
