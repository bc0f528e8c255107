"""One operation of the API, and the parameters that many of them take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from service.identity.access import Role

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation under `/api/v1`; `body` and `gives` name the schemas of what it takes and answers."""

    method: str
    path: str
    handler: Handler
    role: Role
    summary: str
    query: tuple[str, ...] = ()
    body: str | None = None
    gives: str = "object"
    status: int = 200
    media: str = "application/json"
    if_match: bool = False


WINDOW = ("as_of", "from", "to", "tz")
PAGE = ("limit", "cursor")
LOOK = ("theme", "preset", "scale")
INLINE = ("inline",)
VERSION = ("audience", "names", "revision", "tz")
