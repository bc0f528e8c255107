"""Saved views on pages and in the API: a name for an address, one's own or shared."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from aiohttp import web

from dashboards.saved_views import views_page
from incidents import instants, saved_views
from incidents.refusals import NotFoundError
from incidents.views.saved_view import SavedView
from service import clock
from service.asking import AskingError, answer, asker_of, compute, fields_of, identity, page, read
from service.keys import STORE
from service.pages.people import form_of, html, inside, viewer_of
from service.problem import problem

OFFERED = timedelta(minutes=10)
"""For how long a view that was taken out is offered to come back."""


async def show(request: web.Request) -> web.Response:
    """The page."""
    viewer, now, owner, asker = viewer_of(request), clock.now(), identity(request).actor, asker_of(request)
    since = now - OFFERED
    kept, removed = await read(
        request,
        lambda c: (
            saved_views.read_views(c, owner, asker),
            saved_views.read_views(c, owner, asker, removed_since=since),
        ),
    )
    return html(views_page(kept, [view for view in removed if view.owner == owner], viewer, now=now))


async def save_form(request: web.Request) -> web.StreamResponse:
    """Keep the page that the form stands on, and go back to it."""
    form = await form_of(request)
    address = form.get("address") or _came_from(request)
    await _save(request, form.get("name", ""), address, shared=form.get("shared") == "yes")
    return web.Response(status=303, headers={"Location": inside(address)})


def _came_from(request: web.Request) -> str:
    came = urlsplit(request.headers.get("Referer", ""))
    return came.path + (f"?{came.query}" if came.query else "") if came.netloc == request.host else ""


async def _save(request: web.Request, name: str, address: str, *, shared: bool) -> SavedView:
    who, store, now = identity(request), request.app[STORE], clock.now()
    if shared and not who.may("responder"):
        raise AskingError("shared: the role responder or above is needed to share a view")
    return await compute(request, lambda: saved_views.save(store, who.actor, name, address, shared=shared, now=now))


async def remove_form(request: web.Request) -> web.StreamResponse:
    await form_of(request)
    await _mark(request, is_kept=False)
    return web.Response(status=303, headers={"Location": "/views"})


async def back_form(request: web.Request) -> web.StreamResponse:
    await form_of(request)
    await _mark(request, is_kept=True)
    return web.Response(status=303, headers={"Location": "/views"})


async def _mark(request: web.Request, *, is_kept: bool) -> None:
    text, who, store, now = request.match_info["view"], identity(request), request.app[STORE], clock.now()
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else -1
    may_share = who.may("responder")

    def deed() -> bool:
        if is_kept:
            return saved_views.bring_back(store, who.actor, number, now, may_share=may_share)
        return saved_views.take_out(store, who.actor, number, now, may_share=may_share)

    if not await compute(request, deed):
        raise NotFoundError(f"you have no view {unquote(text)[:40]}")


def view_fields(view: SavedView) -> dict[str, Any]:
    """A saved view as the API gives it."""
    return {
        "id": view.id,
        "name": view.name,
        "address": view.address,
        "owner": view.owner,
        "shared": view.shared,
        "saved_at": instants.text(view.saved_at),
    }


async def list_views(request: web.Request) -> web.Response:
    owner, asker = identity(request).actor, asker_of(request)
    found = await read(request, lambda c: saved_views.read_views(c, owner, asker))
    return page([view_fields(view) for view in found], None)


async def save_view(request: web.Request) -> web.Response:
    fields = await fields_of(request)
    name, address, shared = fields.get("name"), fields.get("address"), fields.get("shared", False)
    if not isinstance(name, str) or not isinstance(address, str) or not isinstance(shared, bool):
        raise AskingError("name, address: texts are expected; shared: true or false")
    if shared and not identity(request).may("responder"):
        return problem("forbidden", "the role responder or above is needed to share a view")
    return answer(view_fields(await _save(request, name, address, shared=shared)), status=201)


async def remove_view(request: web.Request) -> web.Response:
    await _mark(request, is_kept=False)
    return answer({"id": int(request.match_info["view"]), "removed": True})
