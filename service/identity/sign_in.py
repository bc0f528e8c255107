"""Signing in and out: by name and password, by the identity provider, by a token, by a one-time link.

Who is refused is told the same whatever was wrong, after the same time. Nothing here looks a name up before the guess
at it has been counted.
"""

from __future__ import annotations

import math
import secrets
import time
from typing import Any

import orjson
import sqlalchemy as sa
from aiohttp import web

from dashboards import pages
from incidents.refusals import ConflictError
from service.asking import compute, identity, read
from service.auditing import AUDITING
from service.identity import accounts, key_texts, passwords, sessions
from service.identity.access import KEY, LINK, account_id
from service.identity.addresses import grouped
from service.identity.identity_provider import CALLBACK, PROVIDER, ProviderError
from service.identity.passwords import PASSWORDS, BusyError
from service.identity.sessions import Origin
from service.identity.throttle import Guesses, guards
from service.keys import ACCESS, SETTINGS, STORE
from service.pages.people import html, inside, posted
from service.seal import open_text, seal_text, secret_key
from service.shell import SESSION_COOKIE, identify

GUESSES = web.AppKey("guesses", Guesses)
WAY_COOKIE = "barograph_provider"
"""What this browser has to bring back from the provider."""
WAY_SECONDS = 600
NOT_RIGHT = "The name or the password is not right."
SPENT = "This link was used or has expired. Ask for another with `barograph sign-in`, or sign in otherwise."


def origin_of(request: web.Request) -> Origin:
    """From where and with what somebody asks."""
    return Origin(request.remote, request.headers.get("User-Agent"))


def _page(request: web.Request, following: str, error: str | None = None, status: int = 200) -> web.Response:
    provider = request.app[PROVIDER]
    text = pages.sign_in_page(error=error, next=following, provider=provider.host if provider else None)
    return html(text, status)


def _refuse(
    request: web.Request, reason: str, following: str, error: str, *, of: str = "sign-in", status: int = 401
) -> web.Response:
    request.app[AUDITING].note("sign_in_refused", "nobody", of, request.remote, reason=reason)
    return _page(request, following, error, status)


def _wait(request: web.Request, seconds: float, following: str) -> web.Response:
    pause = max(1, math.ceil(seconds))
    why = f"Too many attempts. Try again in {pause} s."
    answer = _refuse(request, "too many", following, why, status=429)
    answer.headers["Retry-After"] = str(pause)
    return answer


async def sign_in(request: web.Request) -> web.StreamResponse:
    """The page, or what a one-time link leads to."""
    token = request.query.get("token")
    following = inside(request.query.get("next", "/"))
    if not token:
        return _page(request, following)
    access, origin = request.app[ACCESS], origin_of(request)
    key = await compute(request, lambda: sessions.by_link(access, token, origin))
    if key is None:
        return _refuse(request, "link", following, SPENT)
    return await _signed_in(request, key, following)


async def sign_in_form(request: web.Request) -> web.StreamResponse:
    form = await posted(request)
    following = inside(str(form.get("next", "/")))
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return _refuse(request, "another site", following, "This form was sent by another site.", status=403)
    if form.get("token", "").strip():
        return await _by_token(request, form["token"].strip(), following)
    return await _by_password(request, form.get("name", ""), form.get("password", ""), following)


async def _by_token(request: web.Request, token: str, following: str) -> web.StreamResponse:
    access, guesses = request.app[ACCESS], request.app[GUESSES]
    asked = guards("", grouped(request.remote), known=True)[1:]
    if pause := guesses.begin(asked, time.monotonic()):
        return _wait(request, pause, following)
    found = await compute(request, lambda: access.check(token))
    if found is None or found.kind != "token":
        slip = key_texts.slip(token)
        return _refuse(request, "token", following, f"This token is not known{f': {slip}' if slip else ''}.")
    guesses.forgive(asked)
    known, origin = found, origin_of(request)
    return await _signed_in(
        request, await compute(request, lambda: sessions.by_token(access, known, origin)), following
    )


async def _by_password(request: web.Request, name: str, password: str, following: str) -> web.StreamResponse:
    guesses, address, name = request.app[GUESSES], grouped(request.remote), name.strip().lower()
    name = name if accounts.NAME.fullmatch(name) else ""  # nobody's: what no name can be is not looked up
    known = await read(request, lambda c: _is_known(c, name, request.remote))
    asked = guards(name, address, known=known)
    if pause := guesses.begin(asked, time.monotonic()):
        return _wait(request, pause, following)
    row = await read(request, lambda c: accounts.read(c, name))
    kept = row.password if row and row.disabled_at is None else None
    try:
        right = await request.app[PASSWORDS].is_right(kept, password)
    except BusyError:
        return _wait(request, 5, following)
    access, origin = request.app[ACCESS], origin_of(request)
    key = None
    if right:
        key = await compute(request, lambda: sessions.of_account(access, name, "password", origin, password=kept))
    if key is None:
        # The name only where it is one: people type passwords into the wrong field.
        return _refuse(request, "password", following, NOT_RIGHT, of=f"account {name}" if row else "sign-in")
    guesses.forgive(asked)
    if kept and passwords.is_dated(kept):
        better = await request.app[PASSWORDS].hashed(password)
        await compute(request, lambda: accounts.refresh_hash(request.app[STORE], name, kept, better))
    return await _signed_in(request, key, following)


def _is_known(connection: sa.Connection, name: str, address: str | None) -> bool:
    """Whether somebody has signed in to this account from this address before."""
    query = (
        sa.select(sessions.SESSION.c.id)
        .join(KEY, KEY.c.id == sessions.SESSION.c.id)
        .where(KEY.c.parent == account_id(name), sessions.SESSION.c.address == address)
        .limit(1)
    )
    return connection.execute(query).first() is not None


async def _signed_in(request: web.Request, key: str, following: str) -> web.Response:
    access, former = request.app[ACCESS], await identify(request)
    if former and former.kind == "session":
        # One browser, one session: the one that it had is not left behind for who finds its cookie.
        old, address = former, request.remote
        await compute(request, lambda: sessions.end(access, old.key, old, by=old.actor, address=address))
    answer = web.Response(status=303, headers={"Location": following})
    answer.set_cookie(
        SESSION_COOKIE,
        key,
        max_age=int(access.lasts.total_seconds()),
        httponly=True,
        secure=_is_secure(request),
        samesite="Lax",
        path="/",
    )
    return answer


def _is_secure(request: web.Request) -> bool:
    return request.secure or request.app[SETTINGS].public_url.startswith("https://")


async def sign_out(request: web.Request) -> web.StreamResponse:
    who = identity(request)
    if who.kind == "session":
        access, address = request.app[ACCESS], request.remote
        await compute(request, lambda: sessions.end(access, who.key, who, by=who.actor, address=address))
    answer = web.Response(status=303, headers={"Location": "/sign-in"})
    answer.del_cookie(SESSION_COOKIE, path="/")
    return answer


def sign_in_link(access: Any, base: str, *, by: str = "system") -> str:  # noqa: ANN401  # Access
    """A one-time link that signs an admin in."""
    token, _ = access.make("sign_in", role="admin", name="admin", lasts=LINK, by=by)
    return f"{base}/sign-in?token={token}"


# --- by the identity provider ---------------------------------------------------------------------------------------


async def to_provider(request: web.Request) -> web.StreamResponse:
    """Send the browser to the identity provider; what it has to bring back stands sealed in its cookie."""
    provider, following = request.app[PROVIDER], inside(request.query.get("next", "/"))
    if provider is None:
        raise web.HTTPNotFound
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    try:
        address = await provider.address(state=state, nonce=nonce, verifier=verifier)
    except ProviderError as error:
        return _refuse(request, "provider", following, _sentence(error), status=503)
    answer = web.Response(status=303, headers={"Location": address})
    kept = orjson.dumps([state, nonce, verifier, following]).decode()
    answer.set_cookie(
        WAY_COOKIE,
        seal_text(secret_key(request.app[SETTINGS]), kept),
        max_age=WAY_SECONDS,
        httponly=True,
        secure=_is_secure(request),
        samesite="Lax",
        path=CALLBACK,
    )
    return answer


async def from_provider(request: web.Request) -> web.StreamResponse:
    """What the provider sends the browser back with."""
    answer = await _from_provider(request)
    answer.del_cookie(WAY_COOKIE, path=CALLBACK)
    return answer


async def _from_provider(request: web.Request) -> web.StreamResponse:
    provider, query = request.app[PROVIDER], request.query
    if provider is None:
        raise web.HTTPNotFound
    sealed = request.cookies.get(WAY_COOKIE, "")
    text = open_text(secret_key(request.app[SETTINGS]), sealed, WAY_SECONDS) if sealed else None
    if text is None:
        return _refuse(request, "provider", "/", "This sign-in was not begun here, or took too long. Begin again.")
    state, nonce, verifier, following = orjson.loads(text)
    if not secrets.compare_digest(query.get("state", "").encode("utf-8", "surrogateescape"), state.encode()):
        return _refuse(request, "provider", following, "This answer belongs to another sign-in. Begin again.")
    if "error" in query or not query.get("code"):
        return _refuse(request, "provider", following, "The identity provider did not let you in.")
    try:
        told = await provider.told(query["code"], verifier=verifier, nonce=nonce, issuer=query.get("iss"))
        store, access, origin = request.app[STORE], request.app[ACCESS], origin_of(request)
        name = await compute(
            request,
            lambda: accounts.provided(
                store, told.issuer, told.subject, name=told.name, role=told.role, groups=told.groups
            ),
        )
    except (ProviderError, ConflictError, ValueError) as error:
        return _refuse(request, "provider", following, _sentence(error))
    key = await compute(request, lambda: sessions.of_account(access, name, "provider", origin))
    if key is None:
        return _refuse(request, "provider", following, "The account is disabled.")
    return await _signed_in(request, key, following)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
