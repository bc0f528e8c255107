"""What Grafana takes: incidents as annotations, by GET for Infinity, by POST for simple JSON; and a figure to frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from aiohttp import web

from dashboards import captions, svg, words
from dashboards.embed_page import embed_page
from dashboards.tokens import Theme
from incidents import instants
from incidents.incident_fold import STATUSES
from incidents.model import Incident, Severity
from incidents.views import lists
from service import clock
from service.api.incidents_api import asked_of, gather, public_url
from service.asking import AskingError, answer, choice_of, compute, fields_of, instant_of, limit_of, read
from service.keys import SETTINGS
from service.pages.people import shown_zone
from service.shell import CSP


async def test(_request: web.Request) -> web.Response:
    """What a data source's connection test wants: an answer."""
    return answer({"status": "ok"})


async def grafana_annotations(request: web.Request) -> web.Response:
    """Incidents that a window touches; `from` and `to` are epoch milliseconds, as Grafana's variables give them."""
    wanted = lists.IncidentFilter(
        since=instant_of(request, "from"),
        until=instant_of(request, "to"),
        site=request.query.get("site") or None,
        severity=_severities(request.query.get("severity", "")),
    )
    tags = [tag for text in request.query.getall("tags", []) for tag in _tags(text)]
    return answer(await _annotations(request, wanted, tags, limit_of(request, 500)))


async def queried_annotations(request: web.Request) -> web.Response:
    """The same by Grafana's simple JSON: `range` holds the window, `annotation.query` the tags."""
    fields = await fields_of(request)
    window, asked = ({} if fields.get(key) is None else fields[key] for key in ("range", "annotation"))
    if not isinstance(window, Mapping) or not isinstance(asked, Mapping):
        raise AskingError("range, annotation: objects are expected")
    try:
        since, until = instants.parse(window.get("from")), instants.parse(window.get("to"))
    except ValueError as error:
        raise AskingError(f"range: {error}") from None
    found = await _annotations(
        request, lists.IncidentFilter(since=since, until=until), _tags(str(asked.get("query") or "")), 500
    )
    return answer([{"annotation": dict(asked), **row} for row in found])


def _severities(text: str) -> tuple[str, ...]:
    given = tuple(word for word in text.split(",") if word)
    if set(given) - {severity.value for severity in Severity}:
        raise AskingError(f"severity: of {', '.join(Severity)}, separated by commas")
    return given


def _tags(text: str) -> list[str]:
    return [tag.strip() for tag in text.split(",") if tag.strip()]


async def _annotations(
    request: web.Request, wanted: lists.IncidentFilter, tags: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    # What a tag can be is asked of the database, so that the limit counts what is shown.
    statuses = tuple(tag for tag in tags if tag in STATUSES) or wanted.status
    severities = tuple(tag for tag in tags if tag in set(Severity)) or wanted.severity
    sites = [tag for tag in tags if tag not in {*STATUSES, *Severity, "barograph"}]
    wanted = replace(wanted, status=statuses, severity=severities, site=sites[0] if sites else wanted.site)
    found = await read(request, lambda c: lists.list_incidents(c, wanted, limit))
    base, now = public_url(request), clock.now()
    rows = (annotation(incident, base, now) for incident in found)
    return [row for row in rows if set(tags) <= set(row["tags"])]


def annotation(incident: Incident, base: str, now: datetime) -> dict[str, Any]:
    """An incident as Grafana draws it: a region from its opening to its end, or to now."""
    address = f"{base}/incidents/{incident.id}"
    said = f"{incident.severity.value}, {incident.status}, {words.count(incident.members.alerts, 'alert')}"
    return {
        "time": _ms(incident.opened_at),
        "timeEnd": _ms(incident.resolved_at.at if incident.resolved_at else max(now, incident.opened_at)),
        "isRegion": True,
        "title": words.plain(incident.title, 300),
        "text": said,
        "tags": ["barograph", incident.severity.value, incident.status, *incident.sites],
        "id": incident.id,
        "url": address,
    }


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


async def embed(request: web.Request) -> web.Response:
    """The incident's figure alone, for a frame. Only the origins of the setting may frame it; by default nobody."""
    theme = choice_of(request, "theme", ("light", "dark"), "light")
    ink: Theme = "dark" if theme == "dark" else "light"
    view = await gather(request, replace(asked_of(request, zone=await shown_zone(request)), lines=False))

    def draw() -> str:
        figure = svg.incident_svg(view, theme=ink, preset="wide")
        return embed_page(view, figure, svg.phone_svg(view), theme=ink, alt=captions.described(view))

    origins = " ".join(request.app[SETTINGS].embed_origins) or "'none'"
    # The figure's widths are attributes of SVG; nothing in it needs a style of its own.
    policy = CSP.replace("frame-ancestors 'none'", f"frame-ancestors {origins}")
    return web.Response(
        text=await compute(request, draw), content_type="text/html", headers={"Content-Security-Policy": policy}
    )
