"""Evidence bundles in the API."""

from __future__ import annotations

import base64

from aiohttp import web

from incidents import bundle
from service import bundles
from service.asking import choice_of, compute, identity
from service.keys import STORE
from service.problem import problem


async def get_bundle(request: web.Request) -> web.Response:
    """The bundle of an incident as a file; deliveries as they came only for an admin who asks."""
    raw = choice_of(request, "raw", ("0", "1"), "0") == "1"
    if raw and not identity(request).may("admin"):
        return problem("forbidden", "the role admin is needed for deliveries as they came")
    name, store = request.match_info["incident"], request.app[STORE]
    content = await compute(request, lambda: bundles.export(store, name, raw=raw))
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
