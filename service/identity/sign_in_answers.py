"""What a sign-in answers, whichever way it goes: the page, a refusal, a pause, or a session and its cookie."""

from __future__ import annotations

import math

from aiohttp import web

from dashboards import pages
from service.asking import compute
from service.auditing import AUDITING
from service.identity import sessions
from service.identity.guesses import SharedGuesses
from service.identity.identity_provider import PROVIDER
from service.identity.sessions import Origin
from service.keys import ACCESS
from service.pages.people import html
from service.shell import SESSION_COOKIE, cookie_name, identify, is_secure

GUESSES = web.AppKey("guesses", SharedGuesses)


def origin_of(request: web.Request) -> Origin:
    """From where and with what somebody asks."""
    return Origin(request.remote, request.headers.get("User-Agent"))


def page(request: web.Request, following: str, error: str | None = None, status: int = 200) -> web.Response:
    """The page on which a sign-in begins."""
    provider = request.app[PROVIDER]
    text = pages.sign_in_page(
        error=error,
        next=following,
        provider=provider.host if provider else None,
        has_left=request.query.get("left") == "provider",
    )
    return html(text, status)


def note_refusal(request: web.Request, reason: str, of: str = "sign-in") -> None:
    """Count a refusal for the audit log."""
    request.app[AUDITING].note("sign_in_refused", "nobody", of, request.remote, reason=reason)


def refuse(
    request: web.Request, reason: str, following: str, error: str, *, of: str = "sign-in", status: int = 401
) -> web.Response:
    """The page again, with what was wrong."""
    note_refusal(request, reason, of)
    return page(request, following, error, status)


def wait_seconds(seconds: float) -> int:
    """A pause as people and headers are told it."""
    return max(1, math.ceil(seconds))


def wait(request: web.Request, seconds: float, following: str) -> web.Response:
    """The page again, for who has guessed too often."""
    pause = wait_seconds(seconds)
    why = f"Too many attempts. Try again in {pause} s."
    answer = refuse(request, "too many", following, why, status=429)
    answer.headers["Retry-After"] = str(pause)
    return answer


async def signed_in(request: web.Request, key: str, following: str) -> web.Response:
    """Give the browser its session, and end the one that it had."""
    access, former = request.app[ACCESS], await identify(request)
    if former and former.kind == "session":
        # One browser, one session: the one that it had is not left behind for who finds its cookie.
        old, address = former, request.remote
        await compute(request, lambda: sessions.end(access, old.key, old, by=old.actor, address=address))
    answer = web.Response(status=303, headers={"Location": following})
    answer.set_cookie(
        cookie_name(request, SESSION_COOKIE),
        key,
        max_age=int(access.lasts.total_seconds()),
        httponly=True,
        secure=is_secure(request),
        samesite="Lax",
        path="/",
    )
    return answer
