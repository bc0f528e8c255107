"""The second half of a sign-in: the code of a second factor, for whoever has just given a right password or a link.

What the first half proved stands sealed in a cookie for some minutes. The code is spent in the transaction that begins
the session, and a link with it: what was refused has spent nothing but a guess.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import orjson
from aiohttp import web

from dashboards import pages
from service.asking import compute, read
from service.identity import first_halves, sessions
from service.identity.addresses import grouped
from service.identity.first_halves import LASTS
from service.identity.second_factor import CodeNeededError
from service.identity.sessions import is_known
from service.identity.sign_in_answers import (
    GUESSES,
    note_refusal,
    origin_of,
    refuse,
    signed_in,
    wait_seconds,
)
from service.identity.throttle import code_guards
from service.keys import ACCESS, SETTINGS, STORE
from service.pages.people import html, posted
from service.seal import open_text, seal_text, secret_key
from service.shell import cookie_name, is_secure

COOKIE = "barograph_half"
PATH = "/sign-in/code"
LATE = "This sign-in took too long, or was begun elsewhere. Begin again."
WRONG = "This code is not right, or was used already. Wait for the next one."


@dataclass(frozen=True, slots=True)
class Half:
    """What a browser has proved so far: `kind` is `password` or `link`, `proof` the digest of the hash, or the link."""

    kind: str
    name: str
    proof: str
    following: str


async def ask_for_code(request: web.Request, half: Half) -> web.Response:
    """Send the browser to the page that asks for the code, with what it has proved, once that is written down."""
    store, address = request.app[STORE], request.remote
    await compute(request, lambda: first_halves.write_down(store, half.name, half.kind, address))
    answer = web.Response(status=303, headers={"Location": PATH})
    answer.set_cookie(
        cookie_name(request, COOKIE, path=PATH),
        seal_text(secret_key(request.app[SETTINGS]), orjson.dumps(astuple(half)).decode()),
        max_age=LASTS,
        httponly=True,
        secure=is_secure(request),
        samesite="Lax",
        path=PATH,
    )
    return answer


def _half_of(request: web.Request) -> Half | None:
    sealed = request.cookies.get(cookie_name(request, COOKIE, path=PATH))
    text = open_text(secret_key(request.app[SETTINGS]), sealed, LASTS) if sealed else None
    return Half(*orjson.loads(text)) if text else None


def _asking(error: str | None = None, status: int = 200) -> web.Response:
    return html(pages.sign_in_code_page(error=error), status)


async def show(request: web.Request) -> web.StreamResponse:
    """The page that asks for the code."""
    return _asking() if _half_of(request) else web.Response(status=303, headers={"Location": "/sign-in"})


async def code_form(request: web.Request) -> web.StreamResponse:
    """The code, and with it the session."""
    form, half = await posted(request), _half_of(request)
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return refuse(request, "another site", "/", "This form was sent by another site.", status=403)
    if half is None:
        return refuse(request, "code", "/", LATE)
    guesses, name = request.app[GUESSES], half.name
    known = await read(request, lambda c: is_known(c, name, request.remote))
    asked = code_guards(name, grouped(request.remote), known=known)
    if pause := await guesses.begin(asked):
        note_refusal(request, "too many", f"account {name}")
        answer = _asking(f"Too many attempts. Try again in {wait_seconds(pause)} s.", 429)
        answer.headers["Retry-After"] = str(wait_seconds(pause))
        return answer
    try:
        key = await _begun(request, half, form.get("code", "").strip())
    except CodeNeededError:
        note_refusal(request, "code", f"account {name}")
        return _asking(WRONG, 401)
    if key is None:
        return refuse(request, "code", half.following, LATE, of=f"account {name}")
    await guesses.forgive(asked)
    answer = await signed_in(request, key, half.following)
    answer.del_cookie(cookie_name(request, COOKIE, path=PATH), path=PATH, secure=is_secure(request))
    return answer


async def _begun(request: web.Request, half: Half, code: str) -> str | None:
    """The key of the session. Raises CodeNeededError; None where what the first half proved no longer holds."""
    access, origin = request.app[ACCESS], origin_of(request)
    if half.kind == "link":
        return await compute(request, lambda: sessions.by_link(access, half.proof, origin, code))
    return await compute(
        request,
        lambda: sessions.of_account(access, half.name, "password", origin, code, password=half.proof),
    )
