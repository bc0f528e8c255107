"""The figure as Plotly itself draws it, by a browser that is installed here: no other export needs one."""

from __future__ import annotations

import re
from typing import cast

from aiohttp import web

from dashboards.figure import incident_figure
from dashboards.plotly_page import FORMS, WIDTH
from dashboards.tokens import Theme
from incidents.refusals import NotFoundError
from incidents.views.view import IncidentView
from service.api.incidents_api import asked_of, gather
from service.asking import choice_of, compute
from service.files import browser
from service.files.exports import HEADERS, KINDS, SCALES
from service.keys import SETTINGS
from service.problem import problem

THEMES: tuple[Theme, ...] = ("light", "dark")


def rendered(view: IncidentView, form: str, theme: Theme, scale: int, named: str) -> bytes:
    """The figure as a file. Raises MissingError and FailedError of `service.browser`."""
    return browser.draw(incident_figure(view, theme=theme, width=WIDTH), form, scale=scale, named=named)


async def get_rendering(request: web.Request) -> web.Response:
    """The figure of an incident; 501 without a browser, 503 where it was ended before it had drawn."""
    form, named = request.match_info["format"], request.app[SETTINGS].browser
    if form not in FORMS:
        raise NotFoundError(f"renderings are {', '.join(FORMS)}")
    theme = cast("Theme", choice_of(request, "theme", THEMES, "light"))
    scale = int(choice_of(request, "scale", SCALES, "2"))
    view = await gather(request, asked_of(request))
    try:
        content = await compute(request, lambda: rendered(view, form, theme, scale, named))
    except browser.MissingError as error:
        return problem("no-browser", str(error))
    except browser.FailedError as error:
        return problem("not-drawn", str(error), headers={"Retry-After": "5"})
    name = re.sub(r"[^a-z0-9-]", "-", f"barograph-{view.incident.id}-plotly")
    charset = "utf-8" if form == "svg" else None
    headers = {**HEADERS, "Content-Disposition": f'inline; filename="{name}.{form}"'}
    return web.Response(body=content, content_type=KINDS[form], charset=charset, headers=headers)
