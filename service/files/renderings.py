"""The figure as Plotly itself draws it, by a browser that is installed here: no other export needs one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import cast

from aiohttp import web

from dashboards.figure import incident_figure
from dashboards.plotly_page import FORMS, WIDTH
from dashboards.tokens import Theme
from incidents.privacy import Asker
from incidents.refusals import NotFoundError
from incidents.views.incident_view import Asked
from incidents.views.view import IncidentView
from service.api import jobs_api
from service.api.incidents_api import asked_of
from service.asking import asker_of, choice_of, compute
from service.files import browser, exports
from service.files.browser import Hear
from service.files.exports import KINDS, SCALES
from service.files.job_process import Desk, Made
from service.keys import SETTINGS
from service.problem import problem

THEMES: tuple[Theme, ...] = ("light", "dark")


def rendered(  # the figure, and by what it is drawn
    view: IncidentView, form: str, theme: Theme, scale: int, named: str, *, hear: Hear = lambda _: None
) -> bytes:
    """The figure as a file. Raises MissingError and FailedError of `service.files.browser`."""
    return browser.draw(incident_figure(view, theme=theme, width=WIDTH), form, scale=scale, named=named, hear=hear)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rendering that somebody asked for, who it was, and the browser that a setting names."""

    incident: str
    asked: Asked
    asker: Asker
    form: str
    theme: Theme
    scale: int
    named: str


def make(wanted: Wanted, desk: Desk) -> Made:
    """The work of a job: a rendering. Raises NotFoundError, MissingError and FailedError."""
    return desk.make(
        wanted.asker,
        lambda connection, config: exports.read_view(connection, config, wanted.incident, wanted.asked),
        partial(_made, wanted, desk),
        writing="a browser draws it",
    )


def _made(wanted: Wanted, desk: Desk, view: IncidentView) -> Made:
    content = rendered(view, wanted.form, wanted.theme, wanted.scale, wanted.named, hear=desk.beside)
    name = re.sub(r"[^a-z0-9-]", "-", f"barograph-{view.incident.id}-plotly")
    return Made(f"{name}.{wanted.form}", KINDS[wanted.form], content)


async def get_rendering(request: web.Request) -> web.StreamResponse:
    """The figure of an incident; 501 without a browser, 503 where it was ended before it had drawn.

    A browser takes seconds, so that each is a job.
    """
    form, named = request.match_info["format"], request.app[SETTINGS].browser
    if form not in FORMS:
        raise NotFoundError(f"renderings are {', '.join(FORMS)}")
    theme = cast("Theme", choice_of(request, "theme", THEMES, "light"))
    scale = int(choice_of(request, "scale", SCALES, "2"))
    asked, incident = asked_of(request), request.match_info["incident"]
    await jobs_api.is_long(request)  # refuses an incident that there is not
    try:
        await compute(request, lambda: browser.find(named))
    except browser.MissingError as error:
        return problem("no-browser", str(error))
    work = partial(make, Wanted(incident, asked, asker_of(request), form, theme, scale, named))
    job = jobs_api.submit(request, f"{form.upper()} of {incident[:80]} as Plotly draws it", work, "rendering")
    try:
        return await jobs_api.handed(request, job)
    except browser.FailedError as error:
        return problem("not-drawn", str(error), headers={"Retry-After": "5"})
