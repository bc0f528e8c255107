"""The service with a second door that asks nobody who they are: what authentication costs stands beside it.

`python -m tests.bench.open_door serve …`. Whoever sends `X-Open-Door` is let in at once, past rates, keys, roles and
the gate before private incidents; everybody else comes in as ever. Both in one process, so that nothing else differs.
"""

from __future__ import annotations

from aiohttp import web

from service import shell
from service.cli import main
from service.identity.access import Identity
from service.keys import IDENTITY

HEADER = "X-Open-Door"
_ANYBODY = Identity("anybody", "admin", "token", "open")
_guarded = shell._behind_the_door


def _either(handler: shell.Handler) -> shell.Handler:
    guarded = _guarded(handler)

    async def admitted(request: web.Request) -> web.StreamResponse:
        if HEADER not in request.headers:
            return await guarded(request)
        request[IDENTITY] = _ANYBODY
        return await handler(request)

    return admitted


if __name__ == "__main__":
    shell._behind_the_door = _either
    main()
