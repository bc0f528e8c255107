"""For whom a page is printed."""

from __future__ import annotations

from aiohttp import web

from incidents.views.view import Viewer
from service.asking import identity, zones
from service.identity.access import Identity
from service.keys import ACCESS, STANDBY
from service.pages.form_tokens import masked


def viewer_of(request: web.Request) -> Viewer:
    """Who is looking, in which zone and theme."""
    return viewer_for(request, identity(request))


def viewer_for(request: web.Request, who: Identity) -> Viewer:
    """These as a viewer, in the zone and the theme that the request's cookies choose."""
    zone, theme = request.cookies.get("barograph_zone", ""), request.cookies.get("barograph_theme", "auto")
    return Viewer(
        name=who.name,
        role=who.role if who.role != "ingest" else "viewer",
        zone=zone if zone in zones() else "UTC",
        theme=theme if theme in ("light", "dark") else "auto",  # type: ignore[arg-type]  # one of the three
        csrf=masked(request.app[ACCESS].form_token(who)),
        aside=standby.words() if (standby := request.app[STANDBY]) else "",
    )
