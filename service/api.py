"""The API under `/api/v1`: each handler asks the store for a view or lets somebody act, and writes JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import sqlalchemy as sa
from aiohttp import web

from dashboards import documents, words
from dashboards.figure import incident_figure
from dashboards.svg import Preset
from incidents import acts, deliveries, entries, incident_view, instants, measurements, overview
from incidents.acts import ConflictError, NotFoundError
from incidents.adapters import listing
from incidents.config import spec_of
from incidents.deliveries import DELIVERY, STAMP
from incidents.fold import STATUSES
from incidents.incident_view import Asked
from incidents.ingest import EVENT, SIGHTING
from incidents.model import Delivery, Incident, Occurrence, Severity, Site
from incidents.records import event_of
from incidents.silence import source_gaps
from incidents.spoken import statement_json
from incidents.store import delivery_id_of, receipt_of
from incidents.view import IncidentView
from service import clock, exports
from service.asking import (
    AskingError,
    act,
    answer,
    body_of,
    choice_of,
    compute,
    cursor_of,
    cursor_text,
    fields_of,
    instant_of,
    limit_of,
    page,
    read,
    zone_of,
)
from service.keys import CONFIG, SETTINGS, STORE, WORKER
from service.problem import problem

KINDS = ("alert", "hazard", "provider_incident", "change")
FORMATS = ("svg", "png", "pdf", "html", "md", "csv", "json")


# --- incidents ------------------------------------------------------------------------------------------------------


async def list_incidents(request: web.Request) -> web.Response:
    wanted = incident_filter(request)
    limit = limit_of(request)
    found = await read(request, lambda c: overview.list_incidents(c, wanted, limit + 1))
    items = [incident_json(i) for i in found[:limit]]
    last = found[limit - 1] if len(found) > limit else None
    return page(items, cursor_text(instants.text(last.opened_at), last.id) if last else None)


def incident_filter(request: web.Request, zone: str | None = None) -> overview.IncidentFilter:
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
    return overview.IncidentFilter(
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
    return documents.incident_fields(incident, measurements.measure(incident))


async def open_incident(request: web.Request) -> web.Response:
    fields = await fields_of(request)
    incident = await act(request, lambda acting: acting.open(fields))
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


def expected_version(request: web.Request) -> int | None:
    """The version of If-Match; None for `*`. Raises LookupError where the header is missing."""
    text = request.headers.get("If-Match")
    if text is None:
        raise KeyError("If-Match")
    text = text.strip()
    if text == "*":
        return None
    number = text.removeprefix("W/").strip('"').removeprefix("v")
    if not number.isdecimal():
        raise AskingError("If-Match: an ETag of this incident or * is expected")
    return int(number[:18])


async def patch_incident(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    try:
        version = expected_version(request)
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


async def merge_incident(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    into = fields.get("into")
    if into is None:
        incident = await act(request, lambda acting: acting.unmerge(name))
    else:
        incident = await act(request, lambda acting: acting.merge(name, str(into)))
    return answer(incident_json(incident))


async def split_incident(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    alerts = _names(fields, "alerts")
    incident = await act(request, lambda acting: acting.split(name, alerts))
    return answer(incident_json(incident), status=201)


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
        return overview.alerts_of(connection, name, after=cursor[0] if cursor else "", limit=limit + 1)

    found = await read(request, query)
    if found is None:
        raise NotFoundError(f"there is no incident {name[:80]}")
    following = cursor_text(found[limit - 1].id) if len(found) > limit else None
    return page([occurrence_json(a) for a in found[:limit]], following)


async def regroup_alerts(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    add, remove = _names(fields, "add"), _names(fields, "remove")
    incident = await act(request, lambda acting: acting.regroup(name, add, remove))
    return answer(incident_json(incident))


async def list_links(request: web.Request) -> web.Response:
    name = request.match_info["incident"]

    def query(connection: sa.Connection) -> tuple[Incident | None, dict[str, Occurrence]]:
        incident = entries.read_incident(connection, name)
        return incident, overview.titles_of(connection, [link.id for link in incident.links] if incident else [])

    incident, seen = await read(request, query)
    if incident is None:
        raise NotFoundError(f"there is no incident {name[:80]}")
    return page([documents.link_fields(link, seen.get(link.id)) for link in incident.links], None)


async def add_link(request: web.Request) -> web.Response:
    name, fields = request.match_info["incident"], await fields_of(request)
    incident = await act(request, lambda acting: acting.link(name, fields))
    return answer(incident_json(incident), status=201)


async def judge_link(request: web.Request) -> web.Response:
    name, link, fields = request.match_info["incident"], request.match_info["link"], await fields_of(request)
    incident = await act(request, lambda acting: acting.judge(name, link, fields))
    found = next(one for one in incident.links if one.id == link)
    return answer(documents.link_fields(found, None))


# --- views ----------------------------------------------------------------------------------------------------------


def asked_of(request: web.Request, *, zone: str | None = None) -> Asked:
    """The moment, the window and the zone that a query asks for."""
    zone = zone_of(request) or zone
    since, until = instant_of(request, "from", zone), instant_of(request, "to", zone)
    if since and until and until <= since:
        raise AskingError("to: lies before from")
    return Asked(clock.now(), as_of=instant_of(request, "as_of", zone), since=since, until=until, zone=zone)


async def gather(request: web.Request, asked: Asked) -> IncidentView:
    """The view of the request's incident. Raises NotFoundError."""
    name, config = request.match_info["incident"], request.app[CONFIG].now
    view = await read(request, lambda c: incident_view.gather(c, config, name, asked, words.sentence))
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
        rows = [row for row in rows if [row["happened_at"], row["recorded_at"], row["id"]] > cursor]
    last = rows[limit - 1] if len(rows) > limit else None
    following = cursor_text(last["happened_at"], last["recorded_at"], last["id"]) if last else None
    return page(rows[:limit], following)


async def get_figure(request: web.Request) -> web.Response:
    theme = choice_of(request, "theme", ("light", "dark"), "light")
    width = request.query.get("width", "1392")
    if not width.isdecimal() or len(width) > 5 or not 320 <= int(width) <= 4000:
        raise AskingError("width: a number of pixels from 320 to 4000 is expected")
    view = await gather(request, asked_of(request))
    tag = f'"{view.revision}-{theme}-{width}"'
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers={"ETag": tag})
    figure = await compute(
        request, lambda: incident_figure(view, theme="dark" if theme == "dark" else "light", width=int(width))
    )
    return answer(figure, headers={"ETag": tag, "Cache-Control": "private, no-cache"})


async def get_export(request: web.Request) -> web.Response:
    form = request.match_info["format"]
    if form not in FORMATS:
        raise NotFoundError(f"exports are {', '.join(FORMATS)}")
    theme = choice_of(request, "theme", exports.THEMES, "light")
    preset = cast("Preset", choice_of(request, "preset", exports.PRESETS, "a4"))
    view = await gather(request, asked_of(request))
    address = f"{public_url(request)}/incidents/{view.incident.id}"
    name, kind, content = await compute(
        request, lambda: exports.export(view, form, theme=theme, preset=preset, address=address)
    )
    return web.Response(
        body=content,
        content_type=kind,
        charset="utf-8" if exports.is_text(form) else None,
        headers={
            "Content-Disposition": f'inline; filename="{name}"',
            "ETag": f'"{view.revision}-{form}-{theme}-{preset}"',
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
        },
    )


def public_url(request: web.Request) -> str:
    """How people reach us: the setting, else the address of this request."""
    return request.app[SETTINGS].public_url or f"{request.scheme}://{request.host}"


# --- occurrences, readings, sites, sources --------------------------------------------------------------------------


async def list_occurrences(request: web.Request) -> web.Response:
    limit, cursor, kind = limit_of(request), cursor_of(request, str, str), request.query.get("kind")
    if kind not in (None, *KINDS):
        raise AskingError(f"kind: one of {', '.join(KINDS)} is expected")
    site = _site(request)
    at = instants.parse(cursor[0]) if cursor else None
    wanted = overview.OccurrenceFilter(
        kind=kind,
        active_at=instant_of(request, "active_at"),
        since=instant_of(request, "from"),
        until=instant_of(request, "to"),
        source=request.query.get("source"),
        after=(at, cursor[1]) if cursor and at else None,
    )
    found = await read(request, lambda c: overview.list_occurrences(c, wanted, limit + 1))
    last = found[limit - 1] if len(found) > limit else None
    config = request.app[CONFIG].now
    shown = [o for o in found[:limit] if site is None or overview.is_at(o, site, config)]
    return page(
        [occurrence_json(o) for o in shown], cursor_text(instants.text(last.starts_at), last.id) if last else None
    )


def _site(request: web.Request) -> Site | None:
    name = request.query.get("site")
    if not name:
        return None
    found = request.app[CONFIG].now.site(name)
    if found is None:
        raise AskingError(f"site: {name[:60]!r} is not configured")
    return found


def occurrence_json(seen: Occurrence) -> dict[str, Any]:
    """An occurrence as the API gives it."""
    return {
        "id": seen.id,
        "kind": seen.kind,
        "source": seen.source,
        "key": seen.key,
        "title": seen.title,
        "severity": seen.severity.value,
        "starts_at": instants.text(seen.starts_at),
        "starts_until": instants.text(seen.starts_until) if seen.starts_until else None,
        "ends_at": instants.text(seen.ends_at) if seen.ends_at else None,
        "ends_expected": seen.ends_expected,
        "ends_assumed": seen.ends_assumed,
        "event": seen.event,
        "labels": dict(seen.labels),
        "url": seen.url,
        "recorded_at": instants.text(seen.recorded_at) if seen.recorded_at else None,
        "statements": seen.statements,
    }


async def list_readings(request: web.Request) -> web.Response:
    site, variable, now = _site(request), request.query.get("variable"), clock.now()
    since = instant_of(request, "from") or now - timedelta(days=1)
    until = instant_of(request, "to") or now
    limit = limit_of(request, MOST_READINGS)
    rows = await read(
        request, lambda c: overview.list_readings(c, site, variable, since=since, until=until, limit=limit + 1)
    )
    items = [
        {
            "variable": r.variable,
            "at": instants.text(r.at),
            "value": r.value,
            "latitude": r.latitude,
            "longitude": r.longitude,
            "station": r.station,
            "provisional": bool(r.provisional),
            "basis": r.basis,
            "credit": r.credit,
            "source": r.source,
        }
        for r in rows[:limit]
    ]
    following = instants.text(rows[limit].at) if len(rows) > limit else None
    return answer({"items": items, "next": None, "next_from": following})


MOST_READINGS = 500


async def list_sites(request: web.Request) -> web.Response:
    return page([spec_of(site) for site in request.app[CONFIG].now.sites], None)


async def list_sources(request: web.Request) -> web.Response:
    config, now = request.app[CONFIG].now, clock.now()

    def query(connection: sa.Connection) -> list[Any]:
        gaps = source_gaps(connection, config, now - timedelta(days=1), now)
        return list(overview.source_health(connection, config, now, gaps))

    found = await read(request, query)
    items = [
        {
            "name": s.name,
            "adapter": s.adapter,
            "kind": s.kind,
            "owner": s.owner,
            "deliveries": s.deliveries,
            "quarantined": s.quarantined,
            "unread": s.unread,
            "refused": s.refused,
            "losses": s.losses,
            "last_received_at": instants.text(s.last_received_at) if s.last_received_at else None,
            "gaps": [{"since": instants.text(g.since), "until": instants.text(g.until)} for g in s.gaps],
        }
        for s in found
    ]
    return page(items, None)


async def list_adapters(_request: web.Request) -> web.Response:
    return page(listing(), None)


# --- deliveries -----------------------------------------------------------------------------------------------------


async def list_deliveries(request: web.Request) -> web.Response:
    limit, cursor, state = limit_of(request), cursor_of(request, int), request.query.get("state")
    if state not in (None, "unread", "read", "quarantined"):
        raise AskingError("state: unread, read or quarantined is expected")
    source = request.query.get("source")
    rows = await read(
        request,
        lambda c: overview.list_deliveries(
            c, state=state, source=source, before=cursor[0] if cursor else None, limit=limit + 1
        ),
    )
    return page(
        [delivery_json(row) for row in rows[:limit]], cursor_text(rows[limit - 1].id) if len(rows) > limit else None
    )


def delivery_json(row: Any) -> dict[str, Any]:  # noqa: ANN401  # a row of `overview.list_deliveries`
    """A delivery as the API gives it, without its events."""
    return {
        "receipt": receipt_of(row.id),
        "source": row.source,
        "received_at": instants.text(row.received_at),
        "state": row.state or "unread",
        "reason": row.reason,
        "adapter": row.adapter or None,
        "adapter_version": row.adapter_version,
        "size": row.size,
        "sha256": row.sha256,
        "losses": row.losses or 0,
        "loss_reason": row.loss_reason,
    }


def _receipt(request: web.Request) -> int:
    number = delivery_id_of(request.match_info["receipt"])
    if number is None:
        raise NotFoundError("there is no delivery with this receipt")
    return number


async def get_delivery(request: web.Request) -> web.Response:
    number = _receipt(request)

    def query(connection: sa.Connection) -> dict[str, Any] | None:
        rows = overview.list_deliveries(connection, state=None, source=None, before=number + 1, limit=1)
        if not rows or rows[0].id != number:
            return None
        return {**delivery_json(rows[0]), "events": _events(connection, rows[0])}

    found = await read(request, query)
    if found is None:
        raise NotFoundError("there is no delivery with this receipt")
    return answer(found)


def _events(connection: sa.Connection, row: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    seen = sa.select(SIGHTING.c.event_id).where(SIGHTING.c.delivery_id == row.id)
    query = (
        sa.select(EVENT).where((EVENT.c.delivery_id == row.id) | EVENT.c.id.in_(seen)).order_by(EVENT.c.id).limit(1000)
    )
    return [
        {
            "id": e.id,
            "occurrence": e.occurrence_id,
            **statement_json(event_of(e.statement, e.said_at), Delivery(e.source, b"", e.said_at)),
        }
        for e in connection.execute(query)
    ]


async def get_raw(request: web.Request) -> web.Response:
    number = _receipt(request)
    row = await read(
        request,
        lambda c: c.execute(sa.select(DELIVERY.c.body, DELIVERY.c.encoding).where(DELIVERY.c.id == number)).first(),
    )
    if row is None:
        raise NotFoundError("there is no delivery with this receipt")
    # Never as what it claims to be: a stranger's bytes are not a page of ours.
    headers = {
        "Content-Disposition": f'attachment; filename="{receipt_of(number)}.bin"',
        **({"Barograph-Content-Encoding": row.encoding} if row.encoding else {}),
    }
    return web.Response(body=row.body, content_type="application/octet-stream", headers=headers)


async def reread_delivery(request: web.Request) -> web.Response:
    number = _receipt(request)
    store = request.app[STORE]

    def queue() -> int:
        with store.writing() as connection:
            return deliveries.queue_again(connection, STAMP.c.delivery_id == number)

    exists = await read(request, lambda c: c.execute(sa.select(DELIVERY.c.id).where(DELIVERY.c.id == number)).first())
    if exists is None:
        raise NotFoundError("there is no delivery with this receipt")
    count = await compute(request, queue)
    request.app[WORKER].wake.set()
    return answer({"queued": count}, status=202)


async def grafana_annotations(request: web.Request) -> web.Response:
    """Incidents as annotations of Grafana's JSON data sources: epoch milliseconds."""

    def at(name: str) -> Any:  # noqa: ANN401
        text = request.query.get(name)
        if text and not text.lstrip("-").isdecimal():
            return instant_of(request, name)
        return instants.parse(int(text)) if text and len(text) < 16 else None

    wanted = overview.IncidentFilter(since=at("from"), until=at("to"))
    found = await read(request, lambda c: overview.list_incidents(c, wanted, 500))

    def ms(value: Any) -> int:  # noqa: ANN401  # datetime
        return int(value.timestamp() * 1000)

    return answer(
        [
            {
                "time": ms(i.opened_at),
                "timeEnd": ms(i.resolved_at.at if i.resolved_at else clock.now()),
                "title": i.title,
                "text": f"{i.severity.value}, {i.status}, {words.count(i.members.alerts, 'alert')}",
                "tags": ["barograph", i.severity.value, i.status, *i.sites],
            }
            for i in found
        ]
    )
