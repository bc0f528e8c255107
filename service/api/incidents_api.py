"""Incidents in the API: lists, acts of people, and the views of one incident as JSON, figure and file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import sqlalchemy as sa
from aiohttp import web

from dashboards import documents, sentences
from dashboards.figure import incident_figure
from dashboards.tokens import Theme
from incidents import acts, entries, instants, measurements, moves, private_acts
from incidents.incident_fold import STATUSES
from incidents.model import Incident, Occurrence, Severity
from incidents.refusals import ConflictError, NotFoundError
from incidents.undoing import undo
from incidents.views import incident_view, lists
from incidents.views.incident_view import Asked
from incidents.views.view import IncidentView
from service.api.records_api import occurrence_json
from service.asking import (
    AskingError,
    act,
    answer,
    asked_at,
    body_of,
    choice_of,
    compute,
    cursor_of,
    cursor_text,
    fields_of,
    if_match,
    instant_of,
    limit_of,
    page,
    read,
    zone_of,
)
from service.keys import CONFIG, SETTINGS
from service.problem import problem


async def list_incidents(request: web.Request) -> web.Response:
    wanted = incident_filter(request)
    limit = limit_of(request)
    found = await read(request, lambda c: lists.list_incidents(c, wanted, limit + 1))
    items = [incident_json(i) for i in found[:limit]]
    last = found[limit - 1] if len(found) > limit else None
    return page(items, cursor_text(instants.text(last.opened_at), last.id) if last else None)


def incident_filter(request: web.Request, zone: str | None = None) -> lists.IncidentFilter:
    """The filter that a query asks for."""
    query = request.query
    status = tuple(w for w in query.get("status", "").split(",") if w)
    severity = tuple(w for w in query.get("severity", "").split(",") if w)
    if set(status) - set(STATUSES):
        raise AskingError(f"status: of {', '.join(STATUSES)}, separated by commas")
    if set(severity) - {s.value for s in Severity}:
        raise AskingError(f"severity: of {', '.join(Severity)}, separated by commas")
    cursor = cursor_of(request, str, str)
    after = None
    if cursor:
        at = instants.parse(cursor[0])
        after = (at, cursor[1]) if at else None
    return lists.IncidentFilter(
        status=status,
        severity=severity,
        site=query.get("site") or None,
        since=instant_of(request, "from", zone),
        until=instant_of(request, "to", zone),
        q=query.get("q", "").replace("\0", "") or None,
        after=after,
    )


def incident_json(incident: Incident) -> dict[str, Any]:
    """An incident as the API gives it."""
    seen_by = {"private": incident.seen_by is not None, "seen_by": list(incident.seen_by or ())}
    return documents.incident_fields(incident, measurements.measure(incident)) | seen_by


async def open_incident(request: web.Request) -> web.Response:
    fields = await fields_of(request)

    def deed(acting: acts.Acting) -> Incident:
        incident = acting.open(fields)
        # In the transaction that opens it: nobody is told meanwhile.
        return private_acts.change(acting, incident.id, fields) if "private" in fields else incident

    incident = await act(request, deed)
    return answer(
        incident_json(incident),
        status=201,
        headers={"Location": f"/api/v1/incidents/{incident.id}", "ETag": etag(incident)},
    )


def etag(incident: Incident) -> str:
    """The version of an incident's decisions as an entity tag."""
    return f'"v{incident.version}"'


async def get_incident(request: web.Request) -> web.Response:
    name = request.match_info["incident"]
    incident = await read(request, lambda c: entries.read_incident(c, name))
    if incident is None:
        raise NotFoundError(f"there is no incident {name[:80]}")
    return answer(incident_json(incident), headers={"ETag": etag(incident)})


async def patch_incident(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    try:
        version = if_match(request, "v", of="incident")
    except KeyError:
        return problem("precondition-needed", "send the ETag that you last saw, or *")

    def change(acting: acts.Acting) -> Incident | None:
        try:
            acting.seen(name, expected=version)
        except ConflictError:
            return None
        return acting.patch(name, fields)

    incident = await act(request, change)
    if incident is None:
        return problem("moved-on", "read the incident again and repeat the change")
    return answer(incident_json(incident), headers={"ETag": etag(incident)})


async def set_privacy(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    incident = await act(request, lambda acting: private_acts.change(acting, name, fields))
    return answer(incident_json(incident), headers={"ETag": etag(incident)})


async def set_status(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    incident = await act(request, lambda acting: acting.status(name, fields))
    return answer(incident_json(incident), headers={"ETag": etag(incident)})


async def add_entries(request: web.Request) -> web.Response:
    name, given = request.match_info["incident"], await body_of(request)
    many = given if isinstance(given, list) else [given]
    if not many or len(many) > 1000 or not all(isinstance(one, dict) for one in many):
        raise AskingError("the body: an entry or a list of up to 1,000 entries is expected")
    numbers = await act(request, lambda acting: [acting.note(name, one) for one in many])
    return answer({"entries": numbers, "entry": numbers[0]}, status=201)


def _entry(request: web.Request) -> int:
    text = request.match_info["entry"]
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise NotFoundError(f"there is no entry {text[:40]}")
    return int(text)


async def correct_entry(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    number = await act(request, lambda acting: acting.correct(name, _entry(request), fields))
    return answer({"entry": number, "supersedes": _entry(request)})


async def retract_entry(request: web.Request) -> web.Response:
    name = request.match_info["incident"]
    number = await act(request, lambda acting: acting.retract(name, _entry(request)))
    return answer({"entry": number, "supersedes": _entry(request)})


async def undo_act(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    number = fields.get("entry")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 10**18:
        raise AskingError("entry: the number of an entry is expected")

    def deed(acting: acts.Acting) -> Incident:
        undo(acting, name, number)
        return acting.seen(name)

    incident = await act(request, deed)
    return answer(incident_json(incident), headers={"ETag": etag(incident)})


async def merge_incident(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    into = fields.get("into")
    if into is None:
        incident = await act(request, lambda acting: moves.unmerge(acting, name))
    else:
        incident = await act(
            request, lambda acting: moves.merge(acting, name, str(into), reason=_text_of(fields, "reason"))
        )
    return answer(incident_json(incident))


async def split_incident(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    alerts, title, reason = _names(fields, "alerts"), _text_of(fields, "title"), _text_of(fields, "reason")
    incident = await act(request, lambda acting: moves.split(acting, name, alerts, title=title, reason=reason))
    return answer(incident_json(incident), status=201)


def _text_of(fields: Mapping[str, Any], key: str) -> str:
    """A text of a request that may be left out."""
    value = fields.get(key)
    if value is not None and not isinstance(value, str):
        raise AskingError(f"{key}: a text is expected")
    return value or ""


def _names(fields: Any, key: str) -> list[str]:  # noqa: ANN401  # JSON
    value = fields.get(key, [])
    if not isinstance(value, list) or len(value) > 10_000 or not all(isinstance(v, str) for v in value):
        raise AskingError(f"{key}: a list of ids is expected")
    return value


async def list_alerts(request: web.Request) -> web.Response:
    name, limit, cursor = request.match_info["incident"], limit_of(request), cursor_of(request, str)

    def query(connection: sa.Connection) -> list[Occurrence] | None:
        if entries.read_incident(connection, name) is None:
            return None
        return lists.alerts_of(connection, name, after=cursor[0] if cursor else "", limit=limit + 1)

    found = await read(request, query)
    if found is None:
        raise NotFoundError(f"there is no incident {name[:80]}")
    following = cursor_text(found[limit - 1].id) if len(found) > limit else None
    return page([occurrence_json(a) for a in found[:limit]], following)


async def regroup_alerts(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    add, remove, reason = _names(fields, "add"), _names(fields, "remove"), _text_of(fields, "reason")
    incident = await act(request, lambda acting: moves.regroup(acting, name, add, remove, reason=reason))
    return answer(incident_json(incident))


async def list_links(request: web.Request) -> web.Response:
    name = request.match_info["incident"]

    def query(connection: sa.Connection) -> tuple[Incident | None, dict[str, Occurrence]]:
        incident = entries.read_incident(connection, name)
        return incident, lists.titles_of(connection, [link.id for link in incident.links] if incident else [])

    incident, seen = await read(request, query)
    if incident is None:
        raise NotFoundError(f"there is no incident {name[:80]}")
    return page([documents.link_fields(link, seen.get(link.id), incident) for link in incident.links], None)


async def add_link(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    incident = await act(request, lambda acting: acting.link(name, fields))
    return answer(incident_json(incident), status=201)


async def judge_link(request: web.Request) -> web.Response:
    name, link, fields = request.match_info["incident"], request.match_info["link"], await fields_of(request)
    incident = await act(request, lambda acting: acting.judge(name, link, fields))
    found = next(one for one in incident.links if one.id == link)
    seen = await read(request, lambda c: lists.titles_of(c, [link]))
    return answer(documents.link_fields(found, seen.get(link), incident))


def asked_of(request: web.Request, *, zone: str | None = None) -> Asked:
    """The moment, the window and the zone that a query asks for."""
    zone = zone_of(request) or zone
    since, until = instant_of(request, "from", zone), instant_of(request, "to", zone)
    if since and until and until <= since:
        raise AskingError("to: lies before from")
    return Asked(asked_at(request), as_of=instant_of(request, "as_of", zone), since=since, until=until, zone=zone)


async def gather_still(request: web.Request, asked: Asked) -> tuple[IncidentView, IncidentView | None]:
    """The view, and with `as_of` that of all we know now: the window is the latter's, so that nothing jumps."""
    if asked.as_of is None:
        return await gather(request, asked), None
    whole = await gather(request, replace(asked, as_of=None))
    then = await gather(request, replace(asked, since=whole.since, until=whole.until))
    return replace(then, recorded=whole.recorded), whole


async def gather(request: web.Request, asked: Asked) -> IncidentView:
    """The view of the request's incident. Raises NotFoundError."""
    name, config = request.match_info["incident"], request.app[CONFIG].now
    view = await read(request, lambda c: incident_view.gather(c, config, name, asked, sentences.sentence))
    if view is None:
        raise NotFoundError(f"there is no incident {name[:80]}" + (" as known at that moment" if asked.as_of else ""))
    return view


async def get_timeline(request: web.Request) -> web.Response:
    limit, cursor = limit_of(request, 500), cursor_of(request, str, str, str)
    lane = request.query.get("lane")
    view = await gather(request, asked_of(request))
    lines = [line for line in view.lines if lane in (None, line.lane)]
    rows = [documents.line_fields(line) for line in lines]
    if cursor:
        at, known, name = cursor
        rows = [
            r
            for r in rows
            if (r["happened_at"], r["recorded_at"], len(r["id"]), r["id"]) > (at, known, len(name), name)
        ]
    last = rows[limit - 1] if len(rows) > limit else None
    following = cursor_text(last["happened_at"], last["recorded_at"], last["id"]) if last else None
    return page(rows[:limit], following)


async def get_figure(request: web.Request) -> web.Response:
    theme = choice_of(request, "theme", ("light", "dark"), "light")
    width = request.query.get("width", "1392")
    if not width.isdecimal() or len(width) > 5 or not 320 <= int(width) <= 4000:
        raise AskingError("width: a number of pixels from 320 to 4000 is expected")
    view, whole = await gather_still(request, replace(asked_of(request), lines=False))
    ink: Theme = "dark" if theme == "dark" else "light"

    def draw() -> tuple[bytes, str]:
        heights = lane_heights(whole, int(width)) if whole else None
        figure = orjson.dumps(incident_figure(view, theme=ink, width=int(width), lane_heights=heights))
        return figure, hashlib.sha256(figure).hexdigest()[:32]

    # The tag is of what is drawn: gaps, limits and decisions change a figure without a new statement in its view.
    figure, mark = await compute(request, draw)
    headers = {"ETag": f'"{mark}"', "Cache-Control": "private, no-cache"}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    return web.Response(body=figure, content_type="application/json", headers=headers)


def lane_heights(view: IncidentView, width: int) -> dict[str, float]:
    """How high each lane of a view is drawn, in pixels."""
    lanes = incident_figure(view, width=width)["layout"]["meta"]["lanes"]
    return {name: bottom - top for name, (top, bottom) in lanes.items()}


def public_url(request: web.Request) -> str:
    """How people reach us: the setting, else the address of this request."""
    return request.app[SETTINGS].public_url or f"{request.scheme}://{request.host}"
