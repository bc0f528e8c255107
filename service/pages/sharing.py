"""Shared links: their addresses are signed and end; to whoever has none that holds, there is nothing here."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from dashboards import chartfiles
from dashboards.card import HIGH, WIDE, card_svg
from dashboards.share_page import PRIVATE_SHARED, Shared, share_page, shared_page
from incidents import entries, instants, privacy, shares
from incidents.refusals import NotFoundError
from incidents.shares import Share
from incidents.views.incident_view import Asked
from service import clock
from service.api.incidents_api import gather, public_url
from service.asking import AskingError, answer, asker_for, compute, fields_of, identity, no_incident, page, read, write
from service.keys import PROVED, SETTINGS
from service.pages.people import form_of, html, viewer_of
from service.seal import secret_key
from service.shell import identify

_ADDRESS = re.compile(r"(?P<id>[0-9a-f]{16})\.(?P<until>\d{10,11})\.(?P<signature>[0-9a-f]{64})", re.ASCII)
MOST_DRAWN = 16
"""Pictures that are kept, so that a link in a busy channel is drawn once."""
KEPT_SECONDS = 60
"""How long an unfurler may keep what it got; what it keeps longer is beyond us."""

DRAWN: web.AppKey[OrderedDict[tuple[str, int], bytes]] = web.AppKey("drawn", OrderedDict)


def signed(key: bytes, share: Share) -> str:
    """The part of an address that proves that we made it: id, end and signature, for this incident alone."""
    until = int(share.expires_at.timestamp())
    return f"{share.id}.{until}.{_signature(key, share.incident, share.id, until)}"


def _signature(key: bytes, incident: str, name: str, until: int) -> str:
    return hmac.digest(key, f"share|{name}|{until}|{incident}".encode(), hashlib.sha256).hex()


def address_of(base: str, key: bytes, share: Share) -> str:
    """The whole address of a link."""
    return f"{base}/shared/{share.incident}/{signed(key, share)}"


async def _held(request: web.Request) -> Share:
    """The link that the address names. Raises HTTPNotFound, the same for whatever is wrong with it."""
    incident, key = request.match_info["incident"], secret_key(request.app[SETTINGS])
    found = _ADDRESS.fullmatch(request.match_info["proof"])
    if not found:
        raise web.HTTPNotFound
    expected = _signature(key, incident, found["id"], int(found["until"]))
    if not hmac.compare_digest(expected, found["signature"]) or int(found["until"]) <= clock.now().timestamp():
        raise web.HTTPNotFound
    # The signature is ours and of this incident: from here on it may be read.
    request[PROVED] = incident
    share = await read(request, lambda c: shares.one(c, incident, found["id"]))
    if share is None or not share.holds(clock.now()):
        raise web.HTTPNotFound
    return share


async def shared(request: web.Request) -> web.StreamResponse:
    """What an unfurler sees: title and picture. Who is signed in goes on to the incident."""
    share = await _held(request)
    who = await identify(request)
    asker = asker_for(who) if who else privacy.STRANGER
    may_see = await read(request, lambda c: privacy.sees(c, asker, share.incident))
    if who and may_see:
        return web.Response(status=303, headers={"Location": f"/incidents/{share.incident}", **_PRIVATE})
    incident = await read(request, lambda c: entries.read_incident(c, share.incident))
    if incident is None:
        raise web.HTTPNotFound
    base = public_url(request)
    address = f"{base}/shared/{share.incident}/{request.match_info['proof']}"
    text = shared_page(Shared(incident.title, address, f"{address}/picture.png", share.incident), WIDE, HIGH)
    return web.Response(text=text, content_type="text/html", headers=_PRIVATE)


_PRIVATE = {
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": f"private, max-age={KEPT_SECONDS}",
}


async def picture(request: web.Request) -> web.StreamResponse:
    """The picture as PNG, drawn at most once a minute for an incident, however often it is asked for."""
    share, now = await _held(request), clock.now()
    drawn, name = request.app[DRAWN], (share.incident, int(now.timestamp() // KEPT_SECONDS))
    content = drawn.get(name)
    if content is None:
        try:
            view = await gather(request, Asked(now))
        except NotFoundError:
            raise web.HTTPNotFound from None
        content = drawn[name] = await compute(request, lambda: chartfiles.png(card_svg(view), scale=1))
        while len(drawn) > MOST_DRAWN:
            drawn.popitem(last=False)
    # Chats that show it in a browser do so from another origin.
    headers = {**_PRIVATE, "Cross-Origin-Resource-Policy": "cross-origin"}
    return web.Response(body=content, content_type="image/png", headers=headers)


# --- making them ----------------------------------------------------------------------------------------------------


def share_fields(base: str, key: bytes, share: Share, now: datetime) -> dict[str, Any]:
    """A link as the API gives it; the address only while it holds."""
    return {
        "id": share.id,
        "incident": share.incident,
        "url": address_of(base, key, share) if share.holds(now) else None,
        "made_at": instants.text(share.made_at),
        "made_by": share.made_by,
        "expires_at": instants.text(share.expires_at),
        "revoked_at": instants.text(share.revoked_at) if share.revoked_at else None,
        "revoked_by": share.revoked_by,
    }


def lasting(days: Any) -> timedelta:  # noqa: ANN401  # JSON, or a form's text
    """How long a link is to hold. Raises AskingError."""
    text = str(days if days not in (None, "") else shares.LASTS.days)
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= shares.LONGEST.days):
        raise AskingError(f"days: a number from 1 to {shares.LONGEST.days} is expected")
    return timedelta(days=int(text))


async def _make(request: web.Request, lasts: timedelta) -> Share:
    name, by, now = request.match_info["incident"], identity(request).actor, clock.now()
    share = await write(request, lambda c: shares.make(c, name, by, now, lasts, address=request.remote))
    if share is None:
        raise no_incident(name)
    return share


async def _revoke(request: web.Request) -> None:
    name, share = request.match_info["incident"], request.match_info["share"]
    by, now = identity(request).actor, clock.now()
    if not await write(request, lambda c: shares.revoke(c, name, share, by, now, address=request.remote)):
        raise NotFoundError(f"the incident has no shared link {share[:40]}")


def _fields(request: web.Request, share: Share) -> dict[str, Any]:
    return share_fields(public_url(request), secret_key(request.app[SETTINGS]), share, clock.now())


async def make_share(request: web.Request) -> web.Response:
    fields = await fields_of(request)
    share = await _make(request, lasting(fields.get("days")))
    incident = await read(request, lambda c: entries.read_incident(c, share.incident))
    warned = {"warning": PRIVATE_SHARED} if incident and incident.seen_by is not None else {}
    return answer(_fields(request, share) | warned, status=201)


async def list_shares(request: web.Request) -> web.Response:
    name = request.match_info["incident"]
    found = await read(request, lambda c: shares.listed(c, name) if entries.read_incident(c, name) else None)
    if found is None:
        raise no_incident(name)
    return page([_fields(request, share) for share in found], None)


async def revoke_share(request: web.Request) -> web.Response:
    await _revoke(request)
    return answer({"revoked": request.match_info["share"]})


async def show(request: web.Request) -> web.Response:
    """The page on which links are made, copied and revoked."""
    name = request.match_info["incident"]
    incident = await read(request, lambda c: entries.read_incident(c, name))
    if incident is None:
        raise no_incident(name)
    found = await read(request, lambda c: shares.listed(c, name))
    rows = [(share, _fields(request, share)["url"]) for share in found]
    viewer = viewer_of(request)
    return html(share_page(incident, rows, viewer, now=clock.now(), days=shares.LASTS.days, most=shares.LONGEST.days))


async def make_form(request: web.Request) -> web.StreamResponse:
    fields = await form_of(request)
    share = await _make(request, lasting(fields.get("days")))
    return _back(request, f"#s{share.id}")


async def revoke_form(request: web.Request) -> web.StreamResponse:
    await form_of(request)
    await _revoke(request)
    return _back(request)


def _back(request: web.Request, fragment: str = "") -> web.Response:
    place = f"/incidents/{request.match_info['incident']}/share{fragment}"
    return web.Response(status=303, headers={"Location": place})
