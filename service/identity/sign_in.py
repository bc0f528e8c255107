"""Signing in and out: by name and password, by the identity provider, by a token, by a one-time link.

Who is refused is told the same whatever was wrong, after the same time. Nothing here looks a name up before the guess
at it has been counted.
"""

from __future__ import annotations

import secrets
from typing import Any

import orjson
from aiohttp import web

from incidents.refusals import ConflictError
from service.asking import compute, identity, read
from service.identity import accounts, key_texts, passwords, sessions
from service.identity.access import LINK, digest
from service.identity.addresses import grouped
from service.identity.identity_provider import CALLBACK, PROVIDER, ProviderError
from service.identity.passwords import PASSWORDS, BusyError
from service.identity.second_factor import CodeNeededError
from service.identity.sessions import is_known
from service.identity.sign_in_answers import GUESSES, origin_of, page, refuse, signed_in, wait
from service.identity.sign_in_code import Half, ask_for_code
from service.identity.throttle import guards
from service.keys import ACCESS, SETTINGS, STORE
from service.pages.people import inside, posted
from service.seal import open_text, seal_text, secret_key
from service.shell import SESSION_COOKIE, cookie_name, is_secure

WAY_COOKIE = "barograph_provider"
"""What this browser has to bring back from the provider."""
WAY_SECONDS = 600
NOT_RIGHT = "The name or the password is not right."
SPENT = "This link was used or has expired. Ask for another with `barograph sign-in`, or sign in otherwise."


async def sign_in(request: web.Request) -> web.StreamResponse:
    """The page, or what a one-time link leads to."""
    token = request.query.get("token")
    following = inside(request.query.get("next", "/"))
    if not token:
        return page(request, following)
    access, origin = request.app[ACCESS], origin_of(request)
    try:
        key = await compute(request, lambda: sessions.by_link(access, token, origin))
    except CodeNeededError as needed:
        return await ask_for_code(request, Half("link", needed.name, token, following))
    if key is None:
        return refuse(request, "link", following, SPENT)
    return await signed_in(request, key, following)


async def sign_in_form(request: web.Request) -> web.StreamResponse:
    form = await posted(request)
    following = inside(str(form.get("next", "/")))
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return refuse(request, "another site", following, "This form was sent by another site.", status=403)
    if form.get("token", "").strip():
        return await _by_token(request, form["token"].strip(), following)
    return await _by_password(request, form.get("name", ""), form.get("password", ""), following)


async def _by_token(request: web.Request, token: str, following: str) -> web.StreamResponse:
    access, guesses = request.app[ACCESS], request.app[GUESSES]
    asked = guards("", grouped(request.remote), known=True)[1:]
    if pause := await guesses.begin(asked):
        return wait(request, pause, following)
    found = await compute(request, lambda: access.check(token))
    if found is None or found.kind != "token":
        slip = key_texts.slip(token)
        return refuse(request, "token", following, f"This token is not known{f': {slip}' if slip else ''}.")
    await guesses.forgive(asked)
    known, origin = found, origin_of(request)
    return await signed_in(request, await compute(request, lambda: sessions.by_token(access, known, origin)), following)


async def _by_password(request: web.Request, name: str, password: str, following: str) -> web.StreamResponse:
    guesses, address, name = request.app[GUESSES], grouped(request.remote), name.strip().lower()
    name = name if accounts.NAME.fullmatch(name) else ""  # nobody's: what no name can be is not looked up
    known = await read(request, lambda c: is_known(c, name, request.remote))
    asked = guards(name, address, known=known)
    if pause := await guesses.begin(asked):
        return wait(request, pause, following)
    row = await read(request, lambda c: accounts.read(c, name))
    kept = row.password if row and row.disabled_at is None else None
    try:
        right = await request.app[PASSWORDS].is_right(kept, password)
    except BusyError:
        return wait(request, 5, following)
    # The name only where it is one: people type passwords into the wrong field.
    account = f"account {name}" if row else "sign-in"
    if not right or kept is None:
        return refuse(request, "password", following, NOT_RIGHT, of=account)
    await guesses.forgive(asked)
    proof = digest(await _at_todays_cost(request, name, kept, password))
    access, origin = request.app[ACCESS], origin_of(request)
    try:
        key = await compute(request, lambda: sessions.of_account(access, name, "password", origin, password=proof))
    except CodeNeededError:
        return await ask_for_code(request, Half("password", name, proof, following))
    if key is None:
        return refuse(request, "password", following, NOT_RIGHT, of=account)
    return await signed_in(request, key, following)


async def _at_todays_cost(request: web.Request, name: str, kept: str, password: str) -> str:
    """The hash of a right password: the kept one, or a new one in its place where that is dated."""
    if not passwords.is_dated(kept):
        return kept
    try:
        better = await request.app[PASSWORDS].hashed(password)
    except BusyError:
        return kept
    store = request.app[STORE]
    return better if await compute(request, lambda: accounts.refresh_hash(store, name, kept, better)) else kept


async def sign_out(request: web.Request) -> web.StreamResponse:
    who, place = identity(request), "/sign-in"
    if who.kind == "session":
        access, address = request.app[ACCESS], request.remote
        if await read(request, lambda c: sessions.way_of(c, who.key)) == "provider":
            place = "/sign-in?left=provider"
        await compute(request, lambda: sessions.end(access, who.key, who, by=who.actor, address=address))
    # What the browser kept of pages goes with the session, where it obeys.
    answer = web.Response(status=303, headers={"Location": place, "Clear-Site-Data": '"cache"'})
    answer.del_cookie(cookie_name(request, SESSION_COOKIE), path="/", secure=is_secure(request))
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
        return refuse(request, "provider", following, _sentence(error), status=503)
    answer = web.Response(status=303, headers={"Location": address})
    kept = orjson.dumps([state, nonce, verifier, following]).decode()
    answer.set_cookie(
        cookie_name(request, WAY_COOKIE, path=CALLBACK),
        seal_text(secret_key(request.app[SETTINGS]), kept),
        max_age=WAY_SECONDS,
        httponly=True,
        secure=is_secure(request),
        samesite="Lax",
        path=CALLBACK,
    )
    return answer


async def leave_provider(request: web.Request) -> web.StreamResponse:
    """Send the browser to where it signs out at the identity provider too."""
    provider = request.app[PROVIDER]
    if provider is None:
        raise web.HTTPNotFound
    try:
        address = await provider.leaving()
    except ProviderError as error:
        return refuse(request, "provider", "/", _sentence(error), status=503)
    if address is None:
        return page(request, "/", "The identity provider offers no address for signing out: do so on its own pages.")
    return web.Response(status=303, headers={"Location": address})


async def from_provider(request: web.Request) -> web.StreamResponse:
    """What the provider sends the browser back with."""
    answer = await _from_provider(request)
    answer.del_cookie(cookie_name(request, WAY_COOKIE, path=CALLBACK), path=CALLBACK, secure=is_secure(request))
    return answer


async def _from_provider(request: web.Request) -> web.StreamResponse:
    provider, query = request.app[PROVIDER], request.query
    if provider is None:
        raise web.HTTPNotFound
    sealed = request.cookies.get(cookie_name(request, WAY_COOKIE, path=CALLBACK), "")
    text = open_text(secret_key(request.app[SETTINGS]), sealed, WAY_SECONDS) if sealed else None
    if text is None:
        return refuse(request, "provider", "/", "This sign-in was not begun here, or took too long. Begin again.")
    state, nonce, verifier, following = orjson.loads(text)
    if not secrets.compare_digest(query.get("state", "").encode("utf-8", "surrogateescape"), state.encode()):
        return refuse(request, "provider", following, "This answer belongs to another sign-in. Begin again.")
    if "error" in query or not query.get("code"):
        return refuse(request, "provider", following, "The identity provider did not let you in.")
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
        return refuse(request, "provider", following, _sentence(error))
    key = await compute(request, lambda: sessions.of_account(access, name, "provider", origin))
    if key is None:
        return refuse(request, "provider", following, "The account is disabled.")
    return await signed_in(request, key, following)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
