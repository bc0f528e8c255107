"""Reports in the API, and the page that offers them."""

from __future__ import annotations

import re
from datetime import date
from functools import partial
from urllib.parse import urlencode

from aiohttp import web

from dashboards import report_page as page
from incidents import periods, privacy, written_reports
from incidents.periods import Period
from incidents.refusals import NotFoundError
from service import clock
from service.api import jobs_api
from service.api.file_answers import answer_file
from service.api.incidents_api import public_url
from service.asking import AskingError, asker_of, choice_of, compute, read, site_of, zone_of
from service.files import reports
from service.files.job_line import Needs
from service.files.reports import KINDS, Asking, Wanted
from service.keys import CONFIG, SETTINGS
from service.pages.people import html, viewer_of


def wanted_of(request: web.Request, default_zone: str = "UTC") -> Wanted:
    """The period, zone, site and provider that a query asks for; the last whole month where it names none."""
    zone = zone_of(request) or default_zone
    provider = request.query.get("provider", "").replace("\0", "")[:200]
    address = f"{public_url(request)}/report"
    return Wanted(_period_of(request, zone), zone, site_of(request), provider, address)


def _period_of(request: web.Request, zone: str) -> Period:
    query = request.query
    try:
        if query.get("period"):
            return periods.named(query["period"], zone, clock.now())
        if query.get("from") or query.get("to"):
            return periods.between(_day(request, "from"), _day(request, "to"), zone)
    except AskingError:
        raise
    except ValueError as error:
        raise AskingError(f"period: {error}") from None
    return periods.last("month", zone, clock.now())


def _day(request: web.Request, name: str) -> date:
    text = request.query.get(name, "")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise AskingError(f"{name}: a day such as 2026-01-31 is expected")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise AskingError(f"{name}: {error}") from None


async def get_report(request: web.Request) -> web.StreamResponse:
    """The report of a period as a file; of one with many incidents it is made beside the service."""
    form = request.match_info["format"]
    if form not in KINDS:
        raise NotFoundError(f"reports are written as {', '.join(KINDS)}")
    wanted, config, now = wanted_of(request), request.app[CONFIG].now, clock.now()
    if jobs_api.wants_job(request) or await read(request, lambda c: reports.is_long(c, wanted, now)):
        hidden = await read(request, lambda c: privacy.hidden_now(c, asker_of(request)))
        work = partial(reports.make, Asking(wanted, form, now, asker_of(request)))
        job = jobs_api.submit(
            request, f"Report of {wanted.period.title} as {form.upper()}", work, needs=Needs(hidden=hidden)
        )
        return await jobs_api.handed(request, job)
    report = await read(request, lambda connection: reports.read(connection, config, wanted, now))
    return answer_file(request, *await compute(request, lambda: reports.export(report, form)))


async def report_form(request: web.Request) -> web.Response:
    """From the form to the file: a form without script cannot name a path."""
    form = choice_of(request, "format", tuple(KINDS), "pdf")
    kept = ("period", "site", "provider", "tz", "from", "to")
    query = urlencode({name: request.query[name] for name in kept if request.query.get(name)})
    raise web.HTTPSeeOther(f"/api/v1/report.{form}?{query}")


async def report_page(request: web.Request) -> web.Response:
    """The form, and what the schedule has written."""
    viewer, now, settings, config = viewer_of(request), clock.now(), request.app[SETTINGS], request.app[CONFIG].now
    written = await read(request, written_reports.listed)
    offered = [periods.last(every, viewer.zone, now) for every in periods.EVERY]
    shown = page.Shown(
        now=now,
        sites=config.sites,
        offered=tuple(offered),
        written=tuple(written),
        folder=str(settings.report_dir or ""),
        every=settings.report_every,
    )
    return html(page.report_page(shown, viewer))
