"""The second factor of one's own account: set up by a password and a first code, taken away by a code.

What is shown once is in the answer of the form itself: neither the secret nor a recovery code stands in an address.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import TypeVar

from aiohttp import web

from incidents.refusals import ConflictError
from service.asking import compute, identity, read
from service.identity import accounts, second_factor
from service.identity.addresses import grouped
from service.identity.passwords import PASSWORDS, BusyError
from service.identity.second_factor import CodeNeededError
from service.identity.sign_in_answers import GUESSES
from service.identity.throttle import Guard, code_guards, guards
from service.keys import ACCESS, STORE
from service.pages.access_pages import account_html
from service.pages.people import form_of

T = TypeVar("T")

WRONG = "This code is not right, or was used already. Wait for the next one."


async def begin(request: web.Request) -> web.StreamResponse:
    """Show a new secret to whoever knows the password; it counts once a code of it was given."""
    form, who, store, key = (
        await form_of(request),
        identity(request),
        request.app[STORE],
        request.app[ACCESS].secret_key,
    )
    row = await read(request, lambda c: accounts.read(c, who.name)) if who.account else None
    if row is None or row.issuer or row.password is None:
        raise ConflictError("only an account that signs in by a password has a second factor here")
    if waiting := await _pause(request, asked := guards(who.name, grouped(request.remote), known=True)):
        return await account_html(request, waiting, 429)
    try:
        right = await request.app[PASSWORDS].is_right(row.password, form.get("former", ""))
    except BusyError:
        return await account_html(request, "Too many sign in at this moment. Try again in some seconds.", 503)
    if not right:
        return await account_html(request, "Your password is not the one you gave.", 400)
    await request.app[GUESSES].forgive(asked)
    secret = await compute(request, lambda: accounts.begin_factor(store, key, who.name))
    return await account_html(request, secret=secret)


async def confirm(request: web.Request) -> web.StreamResponse:
    """Ask for codes from now on, if this is one; show the recovery codes."""
    store, key, who = request.app[STORE], request.app[ACCESS].secret_key, identity(request)
    but = who.key

    def run(code: str) -> list[str]:
        return accounts.confirm_factor(store, key, who.name, code, by=who.actor, but=but)

    form = await form_of(request)
    codes = await _by_code(request, form, run)
    if isinstance(codes, str):
        secret = await read(request, lambda c: second_factor.begun(c, key, who.name))
        # Only to whom it was shown before, by their password: a session alone must not be told it.
        shown = hmac.compare_digest(form.get("secret", "").encode(), (secret or "").encode())
        return await account_html(request, codes, 400, secret=secret if shown else None)
    await compute(request, request.app[ACCESS].refresh)
    return await account_html(request, codes=codes)


async def new_codes(request: web.Request) -> web.StreamResponse:
    """Other recovery codes, for a code."""
    store, key, who = request.app[STORE], request.app[ACCESS].secret_key, identity(request)
    form = await form_of(request)
    codes = await _by_code(
        request, form, lambda code: accounts.new_recovery_codes(store, key, who.name, code, by=who.actor)
    )
    return (
        await account_html(request, codes, 400) if isinstance(codes, str) else await account_html(request, codes=codes)
    )


async def remove(request: web.Request) -> web.StreamResponse:
    """Take it away, for a code."""
    store, key, who = request.app[STORE], request.app[ACCESS].secret_key, identity(request)
    form = await form_of(request)
    why = await _by_code(request, form, lambda code: accounts.remove_factor(store, key, who.name, code, by=who.actor))
    if why is not None:
        return await account_html(request, why, 400)
    await compute(request, request.app[ACCESS].refresh)
    return web.Response(status=303, headers={"Location": "/account?done=factor"})


async def _by_code(request: web.Request, form: Mapping[str, str], deed: Callable[[str], T]) -> T | str:
    """Do what a code of one's own is asked for; a text is why it was not done."""
    who = identity(request)
    if not who.account:
        raise ConflictError("only an account that signs in by a password has a second factor here")
    asked = code_guards(who.name, grouped(request.remote), known=True)
    if waiting := await _pause(request, asked):
        return waiting
    code = form.get("code", "")
    try:
        done = await compute(request, lambda: deed(code))
    except CodeNeededError:
        return WRONG
    await request.app[GUESSES].forgive(asked)
    return done


async def _pause(request: web.Request, asked: list[Guard]) -> str | None:
    """Count a guess; why it is not judged, where it is not."""
    pause = await request.app[GUESSES].begin(asked)
    return f"Too many attempts. Try again in {int(pause) + 1} s." if pause else None
