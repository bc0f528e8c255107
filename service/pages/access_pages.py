"""Pages of access: one's own account, sessions and password; for admins everybody's, with keys and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp import web

from dashboards import access_page
from incidents.refusals import ConflictError, NotFoundError
from incidents.views.access_view import Factor
from service import clock
from service.api.access_api import days_of, link_address, overlap_of, revoke, token_name
from service.asking import compute, identity, read
from service.identity import accounts, credentials, first_halves, second_factor, sessions
from service.identity.addresses import grouped
from service.identity.passwords import PASSWORDS, BusyError
from service.identity.sign_in_answers import GUESSES
from service.identity.throttle import guards
from service.keys import ACCESS, SETTINGS, STORE
from service.pages import shown_once
from service.pages.people import form_of, html, viewer_of

ACCESS_PAGE = "/access"


# --- one's own ------------------------------------------------------------------------------------------------------


async def account(request: web.Request) -> web.Response:
    """Who one is here, where one is signed in, one's password and second factor."""
    return await account_html(request)


async def account_html(
    request: web.Request,
    error: str | None = None,
    status: int = 200,
    *,
    secret: str | None = None,
    codes: Sequence[str] = (),
) -> web.Response:
    """The page; with a secret that waits for its first code, or recovery codes that were made just now."""
    who, access = identity(request), request.app[ACCESS]
    own = await read(request, lambda c: sessions.listed(c, access, who))
    row = await read(request, lambda c: accounts.read(c, who.name)) if who.account else None
    by_link = await read(request, lambda c: sessions.is_by_link(c, who))
    kind = "none" if row is None else "provider" if row.issuer else "set" if row.password and not by_link else "unset"
    is_set, left = await read(
        request, lambda c: (second_factor.is_set(c, who.name), second_factor.codes_left(c, who.name))
    )
    factor = Factor(
        is_offered=row is not None and not row.issuer and row.password is not None,
        is_set=is_set and bool(who.account),
        is_demanded=who.lacks_factor and not is_set,
        codes_left=left,
        secret=secret,
        address=second_factor.address_of(secret, who.name, at=host_of(request)) if secret else None,
        codes=tuple(codes),
    )
    text = access_page.account_page(
        own,
        viewer_of(request),
        now=clock.now(),
        current=who.key,
        groups=who.groups,
        password=kind,
        factor=factor,
        stopped=await read(request, lambda c: first_halves.stopped(c, who.name)) if who.account else (),
        done=request.query.get("done", "") if request.method == "GET" else "",
        error=error,
    )
    return html(text, status)


def host_of(request: web.Request) -> str:
    """The name under which people know this service."""
    return urlsplit(request.app[SETTINGS].public_url).hostname or ""


async def end_own_session(request: web.Request) -> web.StreamResponse:
    await form_of(request)
    who, access, name = identity(request), request.app[ACCESS], request.match_info["session"]
    if not await compute(request, lambda: sessions.end(access, name, who, by=who.actor, address=request.remote)):
        raise NotFoundError(f"you have no session {name[:40]}")
    return web.Response(status=303, headers={"Location": "/account"})


async def set_own_password(request: web.Request) -> web.StreamResponse:
    """Set one's password: by the one that holds, or within an hour after a one-time link."""
    form, who, store = await form_of(request), identity(request), request.app[STORE]
    row = await read(request, lambda c: accounts.read(c, who.name)) if who.account else None
    if row is None or row.issuer:
        raise ConflictError("only an account that signs in by a password has one")
    hashing, guesses = request.app[PASSWORDS], request.app[GUESSES]
    asked = guards(who.name, grouped(request.remote), known=True)
    if pause := await guesses.begin(asked):
        return await account_html(request, f"Too many attempts. Try again in {int(pause) + 1} s.", 429)
    given, again = form.get("password", ""), form.get("again", "")
    try:
        by_link = await read(request, lambda c: sessions.is_by_link(c, who))
        if row.password and not by_link and not await hashing.is_right(row.password, form.get("former", "")):
            return await account_html(request, "Your present password is not the one you gave.", 400)
        await guesses.forgive(asked)
        why = "the two new passwords differ" if given != again else await hashing.objection(given, who.name)
        if why:
            return await account_html(request, f"{why[0].upper()}{why[1:]}.", 400)
        kept = await hashing.hashed(given)
    except BusyError:
        return await account_html(request, "Too many sign in at this moment. Try again in some seconds.", 503)
    await compute(request, lambda: accounts.set_password(store, who.name, kept, by=who.actor, but=who.key))
    await compute(request, request.app[ACCESS].refresh)
    return web.Response(status=303, headers={"Location": "/account?done=password"})


# --- everybody's ----------------------------------------------------------------------------------------------------


async def everybody(request: web.Request) -> web.Response:
    """Accounts, sessions, keys and tokens; what was just made is shown once."""
    access, made = request.app[ACCESS], shown_once.handed_over(request, ACCESS_PAGE)
    found = await read(request, lambda c: (accounts.listed(c), sessions.listed(c, access), credentials.listed(c)))
    text = access_page.access_page(
        *found, viewer_of(request), now=clock.now(), current=identity(request).key, made=made
    )
    answer = html(text)
    if shown_once.COOKIE in request.cookies:
        shown_once.forget(answer, ACCESS_PAGE)
    return answer


def _back(fragment: str) -> web.Response:
    return web.Response(status=303, headers={"Location": f"{ACCESS_PAGE}#{fragment}"})


def _shown(request: web.Request, text: str) -> web.Response:
    answer = _back("made")
    shown_once.hand_over(request, answer, ACCESS_PAGE, text, path=ACCESS_PAGE)
    return answer


async def add_account(request: web.Request) -> web.StreamResponse:
    """Add an account and show the one-time link by which its owner sets a password."""
    form, store, by = await form_of(request), request.app[STORE], identity(request).actor
    groups = form.get("groups", "").split(",")

    def add() -> str:
        name = accounts.add(store, form.get("name", ""), form.get("role", ""), by=by, groups=groups)
        return accounts.link(store, name, by=by)

    return _shown(request, link_address(request, await compute(request, add)))


async def change_account(request: web.Request) -> web.StreamResponse:
    """Role, whether it is disabled, a new link, or no second factor more: the last part of the address says which."""
    form, store, by = await form_of(request), request.app[STORE], identity(request).actor
    name, what = request.match_info["account"], request.match_info["what"]

    def change() -> str | None:
        if what == "role":
            accounts.set_role(store, name, form.get("role", ""), by=by)
        elif what == "disable":
            accounts.disable(store, name, by=by)
        elif what == "enable":
            accounts.enable(store, name, by=by)
        elif what == "second-factor":
            accounts.reset_factor(store, name, by=by)
        else:
            return accounts.link(store, name, by=by)
        request.app[ACCESS].refresh()
        return None

    made = await compute(request, change)
    return _shown(request, link_address(request, made)) if made else _back("accounts")


async def end_session(request: web.Request) -> web.StreamResponse:
    await form_of(request)
    access, by, name = request.app[ACCESS], identity(request).actor, request.match_info["session"]
    if not await compute(request, lambda: sessions.end(access, name, None, by=by, address=request.remote)):
        raise NotFoundError(f"there is no session {name[:40]}")
    return _back("sessions")


async def make_token(request: web.Request) -> web.StreamResponse:
    form, access, by = await form_of(request), request.app[ACCESS], identity(request).actor
    role, name, lasts = (
        accounts.checked_role(form.get("role", "")),
        token_name(form.get("name")),
        days_of(form.get("days")),
    )
    text, _ = await compute(request, lambda: access.make("token", role=role, name=name, lasts=lasts, by=by))
    return _shown(request, text)


async def replace_key(request: web.Request) -> web.StreamResponse:
    form, access, by = await form_of(request), request.app[ACCESS], identity(request).actor
    name, overlap = request.match_info["credential"], overlap_of(form.get("overlap_hours"))
    text, _, _ = await compute(request, lambda: credentials.replace(access, name, by=by, overlap=overlap))
    return _shown(request, text)


async def revoke_key(request: web.Request) -> web.StreamResponse:
    await form_of(request)
    await revoke(request, request.match_info["credential"])
    return _back("keys")
