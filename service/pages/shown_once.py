"""A new key on its way to the one page that shows it: sealed, in a cookie of that page alone, gone once it was shown.

The form that makes a key answers with a redirect, so that the page has its own address and a reload makes no second
key. The key must not stand in that address, which is kept in histories and logs, nor in this process, as another
replica may answer what is asked next.
"""

from __future__ import annotations

from aiohttp import web

from service.keys import SETTINGS
from service.seal import open_text, seal_text, secret_key

COOKIE = "barograph_new_key"
LASTS = 120
"""Seconds within which the page must be asked for."""


def hand_over(request: web.Request, answer: web.Response, name: str, key: str, *, path: str | None = None) -> None:
    """Give the browser the key for its next visit to the source's page, or to another one."""
    answer.set_cookie(
        COOKIE,
        seal_text(secret_key(request.app[SETTINGS]), f"{name} {key}"),
        max_age=LASTS,
        httponly=True,
        secure=request.secure or request.app[SETTINGS].public_url.startswith("https://"),
        samesite="Strict",
        path=path or path_of(name),
    )


def handed_over(request: web.Request, source: str) -> str | None:
    """The key that this browser was given a moment ago for this source."""
    sealed = request.cookies.get(COOKIE)
    text = open_text(secret_key(request.app[SETTINGS]), sealed, LASTS) if sealed else None
    name, _, key = (text or "").partition(" ")
    return key if name == source else None


def forget(answer: web.Response, path: str) -> None:
    """Take the key away again: it was shown on the page of this path."""
    answer.del_cookie(COOKIE, path=path)


def path_of(source: str) -> str:
    """The page of a source."""
    return f"/sources/{source}"
