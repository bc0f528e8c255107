"""Files of what pages show: charts of incidents, of the review and of the map, calendars, and the form that asks."""

from __future__ import annotations

from functools import partial
from typing import cast
from urllib.parse import urlencode

from aiohttp import web

from dashboards import ics, maps, review, sheets
from dashboards.captions import Footer, shown
from dashboards.palettes import Ink
from dashboards.sheets import Surroundings
from dashboards.svg import Preset
from incidents.model import Incident
from incidents.refusals import NotFoundError
from incidents.views import lists, overview
from incidents.views.incident_view import Asked
from incidents.views.series import source_credit
from service import clock
from service.api import jobs_api
from service.api.file_answers import answer_file
from service.api.incidents_api import asked_of, gather, incident_filter, public_url
from service.asking import AskingError, asker_of, choice_of, compute, read
from service.files import exports, reports
from service.files.exports import KINDS, Look
from service.files.job_line import Job
from service.keys import CONFIG
from service.pages.review_pages import read_cohort

CHARTS = ("svg", "png", "pdf")
MOST_IN_CALENDAR = 1000


def look_of(request: web.Request) -> Look:
    """How a query wants its drawing."""
    theme = cast("Ink", choice_of(request, "theme", exports.THEMES, "light"))
    preset = cast("Preset", choice_of(request, "preset", exports.PRESETS, "a4"))
    interactive = choice_of(request, "interactive", ("0", "1"), "0") == "1"
    return Look(theme, preset, int(choice_of(request, "scale", exports.SCALES, "2")), interactive)


async def get_export(request: web.Request) -> web.StreamResponse:
    """The timeline of an incident; of one with many alerts it is made beside the service."""
    form = request.match_info["format"]
    if form not in KINDS:
        raise NotFoundError(f"exports are {', '.join(KINDS)}")
    look, asked = look_of(request), asked_of(request)
    if await jobs_api.is_long(request) or jobs_api.wants_job(request):
        return await jobs_api.handed(request, _submit(request, form, look, asked))
    view = await gather(request, asked)
    address = _address(request)
    name, media, content = await compute(request, lambda: exports.export(view, form, look, address=address))
    return answer_file(request, name, media, content)


def _submit(request: web.Request, form: str, look: Look, asked: Asked) -> Job:
    incident = request.match_info["incident"]
    wanted = exports.Wanted(incident, asked, asker_of(request), form, look, _address(request))
    return jobs_api.submit(request, f"{form.upper()} of {incident[:80]}", partial(exports.make, wanted))


def _address(request: web.Request) -> str:
    return f"{public_url(request)}/incidents/{request.match_info['incident']}"


async def export_form(request: web.Request) -> web.Response:
    """From the form of the page to the file that it asks for: a form without script cannot name a path."""
    form = request.query.get("format", "pdf")
    if form not in KINDS:
        raise AskingError(f"format: one of {', '.join(KINDS)} is expected")
    if await jobs_api.is_long(request):
        await jobs_api.shown(_submit(request, form, look_of(request), asked_of(request)))
    kept = ("preset", "theme", "scale", "interactive", "tz", "from", "to", "as_of")
    query = urlencode({name: request.query[name] for name in kept if request.query.get(name)})
    raise web.HTTPSeeOther(f"/api/v1/incidents/{request.match_info['incident']}/export.{form}?{query}")


async def get_review_chart(request: web.Request) -> web.Response:
    """One card of the review."""
    form = _chart_form(request)
    look, wanted = look_of(request), request.match_info["card"]
    seen = await read_cohort(request)
    credits_, address = reports.credits_in(request.app[CONFIG].now), f"{public_url(request)}/review"

    def draw() -> bytes | None:
        card = next((card for card in review.cards(seen) if card.name == wanted), None)
        if card is None:
            return None
        said = Surroundings(review.surroundings(seen), review.footer(seen, credits_, address))
        return exports.drawn(sheets.card_svg(card, said, ink=look.theme, preset=look.preset), form, look.scale)

    content = await compute(request, draw)
    if content is None:
        raise NotFoundError("cards of the review are " + ", ".join(card.name for card in review.cards(seen)))
    return answer_file(request, f"barograph-review-{wanted}.{form}", KINDS[form], content)


def _chart_form(request: web.Request) -> str:
    form = request.match_info["format"]
    if form not in CHARTS:
        raise NotFoundError(f"charts are {', '.join(CHARTS)}")
    return form


async def get_map(request: web.Request) -> web.Response:
    """The map of sites with the hazards in force and the open incidents."""
    form, look, at, config = _chart_form(request), look_of(request), clock.now(), request.app[CONFIG].now
    address = f"{public_url(request)}/sites"
    going = lists.IncidentFilter(status=("open", "acknowledged", "mitigated"))
    hazards, burning = await read(request, lambda c: (overview.hazards_on(c, at), lists.list_incidents(c, going, 50)))

    def draw() -> bytes:
        named = sorted({line for each in hazards if (line := source_credit(config, each.source))})
        said = Footer(
            ("Reading:", "outlines are the areas that official sources gave."),
            ("Sources:", "; ".join([*named, "coastline: Natural Earth, public domain"]) + "."),
            ("Sites of the record", shown(address), f"as of {at:%Y-%m-%d %H:%M} UTC"),
        )
        card = sheets.map_of(config.sites, hazards, burning)
        lines = (maps.described(config.sites, hazards, burning),)
        drawing = sheets.card_svg(card, Surroundings(lines, said), ink=look.theme, preset=look.preset)
        return exports.drawn(drawing, form, look.scale)

    if not config.sites:
        raise NotFoundError("no site is configured")
    return answer_file(request, f"barograph-map.{form}", KINDS[form], await compute(request, draw))


async def get_calendar(request: web.Request) -> web.Response:
    """Incidents of a filter as a calendar, the newest thousand."""
    wanted = incident_filter(request)
    found = await read(request, lambda c: lists.list_incidents(c, wanted, MOST_IN_CALENDAR))
    base = public_url(request)

    def address(incident: Incident) -> str:
        return f"{base}/incidents/{incident.id}"

    content = await compute(request, lambda: ics.of_incidents(found, address=address))
    return answer_file(request, "barograph-incidents.ics", KINDS["ics"], content)
