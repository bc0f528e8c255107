"""The pages' side of the service: each handler asks for a view and prints it, or takes a form and goes back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

import dashboards
from dashboards import captions, incident_page, maps, pages
from dashboards.plates import WIDE
from dashboards.strips import strips_svg
from dashboards.svg import phone_svg
from incidents import entries, instants
from incidents.views import lists, overview
from incidents.views.amended import read_amendments
from service import clock
from service.api.incidents_api import asked_of, gather_still, incident_filter
from service.asking import BODY_SECONDS, AskingError, act, compute, cursor_text, identity, read, zone_of, zones
from service.identity.access import Identity
from service.keys import ACCESS, CONFIG, DEMO, SETTINGS
from service.pages import viewing
from service.pages.form_tokens import unmasked
from service.settings import shown
from service.shell import page_error

STATIC = Path(dashboards.__file__).parent / "static"
ROWS = 50
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
"""The texts of ours that are sent compressed though no compressed one lies beside them."""
COMPRESSED_ASIDE = 16 * 1024
"""Bytes from which on compressing takes a thread and not the loop."""
FORM_BOUND = 64 * 1024
"""Most bytes of a form."""
viewer_of = viewing.viewer_of


def html(text: str, status: int = 200) -> web.Response:
    """A page, compressed for those who take it so."""
    answer = web.Response(status=status, text=text, content_type="text/html", zlib_executor_size=COMPRESSED_ASIDE)
    answer.enable_compression()
    return answer


async def now(request: web.Request) -> web.Response:
    viewer, config, at = viewer_of(request), request.app[CONFIG].now, clock.now()
    view = await read(request, lambda c: overview.now_view(c, config, at, viewer.zone, demo=request.app[DEMO]))
    burning = [row.incident for row in view.open]

    def draw() -> str:
        chart = maps.map_card(view.sites, view.hazards, burning, wide=464)
        return pages.now_page(view, viewer, strips=strips_svg(view), map_card=chart)

    return html(await compute(request, draw))


async def incidents(request: web.Request) -> web.Response:
    viewer = viewer_of(request)
    wanted = incident_filter(request, viewer.zone)
    found, hits = await read(request, lambda c: lists.search_incidents(c, wanted, ROWS + 1))
    last = found[ROWS - 1] if len(found) > ROWS else None
    rows = lists.incident_rows(found[:ROWS])
    following = cursor_text(instants.text(last.opened_at), last.id) if last else None
    page = pages.incidents_page(
        rows, viewer, filters=dict(request.query), next_cursor=following, now=clock.now(), hits=hits
    )
    return html(page)


async def incident(request: web.Request) -> web.Response:
    viewer = viewer_of(request)
    zone = await shown_zone(request)
    asked = asked_of(request, zone=zone)
    view, _ = await gather_still(request, asked)
    viewer = replace(viewer, zone=view.zone)
    amended = await read(
        request,
        lambda c: read_amendments(c, view.incident.id, identity(request).actor, asked.now, as_of=asked.as_of),
    )
    # The figure is asked for what this page shows, whatever the clock says by then.
    ends = {"from": asked.since, "to": asked.until, "as_of": asked.as_of}
    kept = {name: instants.text(at) for name, at in ends.items() if at} | {"tz": zone}
    figure_url = f"/api/v1/incidents/{view.incident.id}/figure" + (f"?{urlencode(kept)}" if kept else "")

    def draw() -> str:
        return incident_page.incident_page(
            view,
            viewer,
            phone_svg=phone_svg(view),
            alt=captions.described(view),
            figure_url=figure_url,
            query=request.query,
            amended=amended,
            frozen_at=asked.now,
        )

    return html(await compute(request, draw))


async def sites(request: web.Request) -> web.Response:
    places, viewer, at = request.app[CONFIG].now.sites, viewer_of(request), clock.now()
    going = lists.IncidentFilter(status=("open", "acknowledged", "mitigated"))
    hazards, burning = await read(request, lambda c: (overview.hazards_on(c, at), lists.list_incidents(c, going, 50)))

    def draw() -> str:
        chart = maps.map_card(places, hazards, burning, wide=WIDE)
        return pages.sites_page(places, viewer, now=at, map_card=chart)

    return html(await compute(request, draw))


async def settings(request: web.Request) -> web.Response:
    return html(pages.settings_page(shown(request.app[SETTINGS]), viewer_of(request), now=clock.now()))


def inside(address: str) -> str:
    """An address of ours, or "/"."""
    safe = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return address if safe else "/"


# --- forms ----------------------------------------------------------------------------------------------------------


async def posted(request: web.Request, *, bound: int = FORM_BOUND) -> Mapping[str, str]:
    """The fields of a form. Raises AskingError for one that does not arrive in time or is no form."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise AskingError("a form of a page is expected")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            given = await request.clone(client_max_size=bound).post()
    except TimeoutError:
        raise AskingError("the form did not arrive in time") from None
    except LookupError:
        raise AskingError("the form's charset is not known") from None
    return {k: v for k, v in given.items() if isinstance(v, str)}


async def form_of(request: web.Request, *, bound: int = FORM_BOUND) -> dict[str, str]:
    """A form's fields, at most `bound` bytes. Raises AskingError for one that is not from a page of this session."""
    who: Identity = identity(request)
    fields = dict(await posted(request, bound=bound))
    if not request.app[ACCESS].is_form_token(who, unmasked(fields.pop("csrf", ""))):
        raise AskingError("the form is not from this session; open the page again and repeat")
    return fields


def placed(fields: Mapping[str, str], zone: str) -> dict[str, Any]:
    """A form's fields with its zoneless times as instants; empty ones left out."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if value == "" or name == "version":
            continue
        if name.endswith(("_at", "_until")):
            at = instants.parse(value, zone=zone)
            found[name] = instants.text(at) if at else value
        else:
            found[name] = value
    return found


def zone_of_form(request: web.Request, site_zone: str | None) -> str:
    """The zone that the page showed: the reader's choice, else the incident's own."""
    chosen = request.cookies.get("barograph_zone", "")
    return chosen if chosen in zones() else site_zone or "UTC"


async def shown_zone(request: web.Request) -> str:
    """The zone in which the incident's page speaks: asked for, chosen by the reader, or its first site's."""
    found = await read(request, lambda c: entries.read_incident(c, request.match_info["incident"]))
    site = request.app[CONFIG].now.site(found.sites[0]) if found and found.sites else None
    return zone_of(request) or zone_of_form(request, site.timezone if site else None)


def back(name: str, fragment: str = "") -> web.Response:
    """Back to the incident's page."""
    return web.Response(status=303, headers={"Location": f"/incidents/{name}{fragment}"})


async def open_form(request: web.Request) -> web.StreamResponse:
    fields = placed(await form_of(request), zone_of_form(request, None))
    opened = await act(request, lambda acting: acting.open(fields))
    return back(opened.id)


async def status_form(request: web.Request) -> web.StreamResponse:
    name = request.match_info["incident"]
    fields = placed(await form_of(request), await shown_zone(request))
    await act(request, lambda acting: acting.status(name, fields))
    return back(name)


async def retract_form(request: web.Request) -> web.StreamResponse:
    name, number = request.match_info["incident"], int(request.match_info["entry"])
    await form_of(request)
    await act(request, lambda acting: acting.retract(name, number))
    return back(name, "#timeline")


async def verdict_form(request: web.Request) -> web.StreamResponse:
    name, link = request.match_info["incident"], request.match_info["link"]
    fields = placed(await form_of(request), "UTC")
    await act(request, lambda acting: acting.judge(name, link, fields))
    return back(name, "#links")


async def zone_form(request: web.Request) -> web.StreamResponse:
    zone = (await form_of(request)).get("zone", "").strip()
    if zone not in zones():
        detail = f"{zone[:60]!r} is not a time zone of the IANA database."
        return page_error(400, "That cannot be used", detail, viewer=viewer_of(request))
    ZoneInfo(zone)
    return _keep(request, "barograph_zone", zone)


async def theme_form(request: web.Request) -> web.StreamResponse:
    theme = (await form_of(request)).get("theme", "auto")
    return _keep(request, "barograph_theme", theme if theme in ("light", "dark") else "auto")


def _keep(request: web.Request, name: str, value: str) -> web.Response:
    referer = request.headers.get("Referer", "")
    path = referer.partition(request.host)[2] if request.host in referer else "/"
    answer = web.Response(status=303, headers={"Location": inside(path or "/")})
    answer.set_cookie(name, value, max_age=365 * 86400, samesite="Lax", path="/", httponly=True)
    return answer


# --- static files ---------------------------------------------------------------------------------------------------


async def static(request: web.Request) -> web.StreamResponse:
    """A file of ours. aiohttp sends the compressed one beside it to those who take it."""
    name = request.match_info["name"]
    path = (STATIC / name).resolve()
    if not path.is_relative_to(STATIC) or not path.is_file() or path.suffix == ".gz":
        raise web.HTTPNotFound
    fixed = "v" in request.query or "/vendor/" in f"/{name}" or "/fonts/" in f"/{name}"
    headers = {"Cache-Control": "public, max-age=31536000, immutable" if fixed else "public, max-age=300"}
    if path.suffix not in KINDS or path.with_name(f"{path.name}.gz").is_file():
        return web.FileResponse(path, headers=headers)
    body = await compute(request, path.read_bytes)
    answer = web.Response(body=body, content_type=KINDS[path.suffix], charset="utf-8", headers=headers)
    answer.enable_compression()
    return answer
