"""Access in the API, for admins: accounts, sessions, keys and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from aiohttp import web

from incidents import instants
from incidents.refusals import NotFoundError
from incidents.views.access_view import account_json, key_json, session_json
from service import clock
from service.api.incidents_api import public_url
from service.asking import AskingError, answer, compute, fields_of, identity, page, read
from service.identity import accounts, credentials, sessions
from service.identity.access import LINK
from service.keys import ACCESS, CONFIG, STORE

MOST_DAYS = 3650
LONGEST_NAME = 100


# --- accounts -------------------------------------------------------------------------------------------------------


async def list_accounts(request: web.Request) -> web.Response:
    return page([account_json(one) for one in await read(request, accounts.listed)], None)


async def _account(request: web.Request, name: str) -> dict[str, Any]:
    return next(account_json(one) for one in await read(request, accounts.listed) if one.name == name)


async def add_account(request: web.Request) -> web.Response:
    fields, store, by = await fields_of(request), request.app[STORE], identity(request).actor
    name, role = _text(fields, "name"), _text(fields, "role")
    groups = _groups(fields) or []
    name = await compute(request, lambda: accounts.add(store, name, role, by=by, groups=groups))
    return answer(await _account(request, name), status=201)


async def change_account(request: web.Request) -> web.Response:
    """Role, groups, and whether it is disabled; what is not sent stays."""
    fields, store, by = await fields_of(request), request.app[STORE], identity(request).actor
    name, groups, disabled = request.match_info["account"], _groups(fields), fields.get("disabled")
    if disabled is not None and not isinstance(disabled, bool):
        raise AskingError("disabled: true or false is expected")

    def change() -> None:
        if "role" in fields:
            accounts.set_role(store, name, _text(fields, "role"), by=by)
        if groups is not None:
            accounts.set_groups(store, name, groups, by=by)
        if disabled is not None:
            (accounts.disable if disabled else accounts.enable)(store, name, by=by)
        request.app[ACCESS].refresh()

    if not {"role", "groups", "disabled"} & set(fields):
        raise AskingError("role, groups or disabled: one of them is expected")
    await compute(request, change)
    return answer(await _account(request, name))


async def make_account_link(request: web.Request) -> web.Response:
    """A one-time link by which somebody signs in and sets a password."""
    store, by, name = request.app[STORE], identity(request).actor, request.match_info["account"]
    text = await compute(request, lambda: accounts.link(store, name, by=by))
    until = instants.text(clock.now() + LINK)
    return answer({"url": link_address(request, text), "expires_at": until}, status=201)


async def reset_second_factor(request: web.Request) -> web.Response:
    """Take somebody's second factor away, who has lost it; their sessions end."""
    store, by, name = request.app[STORE], identity(request).actor, request.match_info["account"]

    def reset() -> None:
        accounts.reset_factor(store, name, by=by)
        request.app[ACCESS].refresh()

    await compute(request, reset)
    return answer(await _account(request, name))


def link_address(request: web.Request, text: str) -> str:
    """Where a one-time link of an account leads: to the page on which its password is set."""
    return f"{public_url(request)}/sign-in?token={text}&next=/account"


# --- sessions -------------------------------------------------------------------------------------------------------


async def list_sessions(request: web.Request) -> web.Response:
    access = request.app[ACCESS]
    return page([session_json(one) for one in await read(request, lambda c: sessions.listed(c, access))], None)


async def end_session(request: web.Request) -> web.Response:
    access, by, name = request.app[ACCESS], identity(request).actor, request.match_info["session"]
    if not await compute(request, lambda: sessions.end(access, name, None, by=by, address=request.remote)):
        raise NotFoundError(f"there is no session {name[:40]}")
    return answer({"ended": name})


# --- keys and tokens ------------------------------------------------------------------------------------------------


async def list_keys(request: web.Request) -> web.Response:
    return page([key_json(one) for one in await read(request, credentials.listed)], None)


async def make_key(request: web.Request) -> web.Response:
    """An ingest key of a source, or a token of a role; its text is in the answer and nowhere else."""
    fields, access, by = await fields_of(request), request.app[ACCESS], identity(request).actor
    kind, lasts = _text(fields, "kind"), days_of(fields.get("days"))
    of: str | None
    if kind == "ingest":
        source = _text(fields, "source")
        if request.app[CONFIG].now.source(source) is None:
            raise NotFoundError(f"there is no source {source[:80]}")
        role, name, of = "ingest", source, source
    elif kind == "token":
        role, name, of = accounts.checked_role(_text(fields, "role")), token_name(fields.get("name", "token")), None
    else:
        raise AskingError("kind: ingest or token is expected")
    text, ident = await compute(request, lambda: access.make(kind, role=role, name=name, source=of, lasts=lasts, by=by))
    return answer({**await _key(request, ident), "key": text}, status=201)


async def replace_key(request: web.Request) -> web.Response:
    """A new key in the place of one, which holds for some hours beside it."""
    fields, access, by = await fields_of(request), request.app[ACCESS], identity(request).actor
    overlap, lasts, name = overlap_of(fields.get("overlap_hours")), days_of(fields.get("days")), _credential(request)
    text, ident, until = await compute(
        request, lambda: credentials.replace(access, name, by=by, overlap=overlap, lasts=lasts)
    )
    told = {"key": text, "former": {"id": name, "expires_at": instants.text(until)}}
    return answer({**await _key(request, ident), **told}, status=201)


async def revoke_key(request: web.Request) -> web.Response:
    await revoke(request, _credential(request))
    return answer({"revoked": _credential(request)})


async def revoke(request: web.Request, name: str) -> None:
    """Revoke a key or token that is listed. Raises NotFoundError."""
    access, by = request.app[ACCESS], identity(request).actor
    known = any(one.id == name for one in await read(request, credentials.listed))
    if not known or not await compute(request, lambda: access.revoke(name, by=by, address=request.remote)):
        raise NotFoundError(f"there is no live key or token {name[:40]}")


def _credential(request: web.Request) -> str:
    return request.match_info["credential"]


async def _key(request: web.Request, ident: str) -> dict[str, Any]:
    return next(key_json(one) for one in await read(request, credentials.listed) if one.id == ident)


# --- what is asked --------------------------------------------------------------------------------------------------


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise AskingError(f"{name}: a text is expected")
    return value


def _groups(fields: Mapping[str, Any]) -> list[str] | None:
    groups = fields.get("groups")
    if groups is not None and not (isinstance(groups, list) and all(isinstance(one, str) for one in groups)):
        raise AskingError("groups: a list of texts is expected")
    return groups


def token_name(value: object) -> str:
    """Under whose name a token acts. Raises AskingError."""
    name = value.strip() if isinstance(value, str) else ""
    if not (name and len(name) <= LONGEST_NAME and name.isprintable()):
        raise AskingError(f"name: 1 to {LONGEST_NAME} printable characters are expected")
    return name


def days_of(value: object) -> timedelta | None:
    """How long a key is to last; None for ever."""
    return None if value in (None, "") else timedelta(days=_whole("days", value, 1, MOST_DAYS))


def overlap_of(value: object) -> timedelta:
    """How long a replaced key is to hold beside the new one."""
    most = int(credentials.LONGEST.total_seconds()) // 3600
    return credentials.OVERLAP if value in (None, "") else timedelta(hours=_whole("overlap_hours", value, 0, most))


def _whole(name: str, value: object, least: int, most: int) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal() and len(text) < 7):
        raise AskingError(f"{name}: a number from {least} to {most} is expected")
    if not least <= int(text) <= most:
        raise AskingError(f"{name}: a number from {least} to {most} is expected")
    return int(text)
