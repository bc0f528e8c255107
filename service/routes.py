"""The routes of the API in one table: what each does, who may, what it takes. The OpenAPI document is made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from service import (
    audit_api,
    bundles_api,
    deliveries_api,
    incidents_api,
    occurrences_api,
    postmortems_api,
    records_api,
    review_pages,
    stream,
)
from service.access import Role

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation under `/api/v1`; `body` and `gives` name the schemas of what it takes and answers."""

    method: str
    path: str
    handler: Handler
    role: Role
    summary: str
    query: tuple[str, ...] = ()
    body: str | None = None
    gives: str = "object"
    status: int = 200
    media: str = "application/json"
    if_match: bool = False


_WINDOW = ("as_of", "from", "to", "tz")
_PAGE = ("limit", "cursor")
_VERSION = ("audience", "names", "revision", "tz")

ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/incidents",
        incidents_api.list_incidents,
        "viewer",
        "Incidents, newest first",
        ("status", "severity", "site", "from", "to", "q", *_PAGE),
        gives="IncidentPage",
    ),
    Route(
        "POST",
        "/incidents",
        incidents_api.open_incident,
        "responder",
        "Open an incident by hand",
        body="IncidentOpening",
        gives="Incident",
        status=201,
    ),
    Route("GET", "/incidents/{incident}", incidents_api.get_incident, "viewer", "One incident", gives="Incident"),
    Route(
        "PATCH",
        "/incidents/{incident}",
        incidents_api.patch_incident,
        "responder",
        "Change fields; each change becomes an entry",
        body="IncidentChange",
        gives="Incident",
        if_match=True,
    ),
    Route(
        "POST",
        "/incidents/{incident}/status",
        incidents_api.set_status,
        "responder",
        "Change the status",
        body="StatusChange",
        gives="Incident",
    ),
    Route(
        "POST",
        "/incidents/{incident}/entries",
        incidents_api.add_entries,
        "responder",
        "Add one note or a list of them",
        body="Note",
        status=201,
    ),
    Route(
        "PATCH",
        "/incidents/{incident}/entries/{entry}",
        incidents_api.correct_entry,
        "responder",
        "Correct an entry; the old one stays",
        body="Note",
    ),
    Route(
        "DELETE",
        "/incidents/{incident}/entries/{entry}",
        incidents_api.retract_entry,
        "responder",
        "Withdraw an entry; it stays in the log",
    ),
    Route(
        "POST",
        "/incidents/{incident}/merge",
        incidents_api.merge_incident,
        "responder",
        "Merge into another incident; without `into`, undo that",
        body="Merge",
        gives="Incident",
    ),
    Route(
        "POST",
        "/incidents/{incident}/split",
        incidents_api.split_incident,
        "responder",
        "Move alerts into a new incident",
        body="Split",
        gives="Incident",
        status=201,
    ),
    Route(
        "GET",
        "/incidents/{incident}/alerts",
        incidents_api.list_alerts,
        "viewer",
        "Its alerts",
        _PAGE,
        gives="OccurrencePage",
    ),
    Route(
        "POST",
        "/incidents/{incident}/alerts",
        incidents_api.regroup_alerts,
        "responder",
        "Attach and detach alerts",
        body="Regrouping",
        gives="Incident",
    ),
    Route(
        "GET",
        "/incidents/{incident}/links",
        incidents_api.list_links,
        "viewer",
        "Its links with their reasons",
        gives="LinkPage",
    ),
    Route(
        "POST",
        "/incidents/{incident}/links",
        incidents_api.add_link,
        "responder",
        "Link an occurrence by hand",
        body="HandMadeLink",
        gives="Incident",
        status=201,
    ),
    Route(
        "POST",
        "/incidents/{incident}/links/{link}/verdict",
        incidents_api.judge_link,
        "responder",
        "Judge a link",
        body="Verdict",
        gives="Link",
    ),
    Route(
        "GET",
        "/incidents/{incident}/timeline",
        incidents_api.get_timeline,
        "viewer",
        "Its timeline, ascending",
        ("as_of", "lane", *_PAGE),
        gives="TimelinePage",
    ),
    Route(
        "GET",
        "/incidents/{incident}/figure",
        incidents_api.get_figure,
        "viewer",
        "Its timeline as a Plotly figure",
        (*_WINDOW, "theme", "width"),
    ),
    Route(
        "GET",
        "/incidents/{incident}/export.{format}",
        incidents_api.get_export,
        "viewer",
        "Its timeline as a file: svg, png, pdf, html, md, csv, json",
        (*_WINDOW, "theme", "preset"),
        media="application/octet-stream",
    ),
    Route(
        "GET",
        "/incidents/{incident}/bundle",
        bundles_api.get_bundle,
        "responder",
        "Its evidence as one file under one digest",
        ("raw",),
        media="application/zip",
    ),
    Route(
        "GET",
        "/incidents/{incident}/postmortem",
        postmortems_api.get_postmortem,
        "viewer",
        "Its postmortem: people's words and the record's facts",
        _VERSION,
        gives="Postmortem",
    ),
    Route(
        "PUT",
        "/incidents/{incident}/postmortem",
        postmortems_api.put_postmortem,
        "responder",
        "Write sections of the postmortem or change its state; sections not sent stay",
        body="PostmortemChange",
        gives="PostmortemRevision",
        if_match=True,
    ),
    Route(
        "GET",
        "/incidents/{incident}/postmortem/revisions",
        postmortems_api.list_postmortem_revisions,
        "viewer",
        "Every revision of the postmortem, newest first",
        _PAGE,
        gives="PostmortemRevisionPage",
    ),
    Route(
        "GET",
        "/incidents/{incident}/postmortem.{format}",
        postmortems_api.get_postmortem_file,
        "viewer",
        "Its postmortem as a file: md, html, pdf, docx, zip, json",
        _VERSION,
        media="application/octet-stream",
    ),
    Route(
        "GET",
        "/occurrences",
        records_api.list_occurrences,
        "viewer",
        "Alerts, hazards, provider incidents and changes",
        ("kind", "active_at", "site", "source", "from", "to", *_PAGE),
        gives="OccurrencePage",
    ),
    Route(
        "GET",
        "/occurrences/{occurrence}/revisions",
        occurrences_api.list_revisions,
        "viewer",
        "What its source changed of its own words, with the times in its posts",
        gives="RevisionPage",
    ),
    Route(
        "GET",
        "/providers/lag",
        occurrences_api.provider_lags,
        "viewer",
        "How far each provider's words ran behind our incidents",
        gives="ProviderLagPage",
    ),
    Route(
        "GET",
        "/readings",
        records_api.list_readings,
        "viewer",
        "Readings in a window",
        ("site", "variable", "from", "to", *_PAGE),
        gives="ReadingPage",
    ),
    Route(
        "GET",
        "/review",
        review_pages.get_review,
        "viewer",
        "The incidents that opened in a window, seen together",
        ("from", "to", "site", "tz"),
        gives="Review",
    ),
    Route("GET", "/sites", records_api.list_sites, "viewer", "Sites"),
    Route("GET", "/sources", records_api.list_sources, "viewer", "Sources with their counters"),
    Route("GET", "/adapters", records_api.list_adapters, "viewer", "Adapters"),
    Route(
        "GET",
        "/deliveries",
        deliveries_api.list_deliveries,
        "viewer",
        "Deliveries, newest first",
        ("state", "source", *_PAGE),
        gives="DeliveryPage",
    ),
    Route(
        "GET",
        "/deliveries/{receipt}",
        deliveries_api.get_delivery,
        "viewer",
        "One delivery and what it said",
        gives="Delivery",
    ),
    Route(
        "GET",
        "/deliveries/{receipt}/raw",
        deliveries_api.get_raw,
        "admin",
        "The bytes as they came",
        media="application/octet-stream",
    ),
    Route(
        "POST",
        "/deliveries/{receipt}/reread",
        deliveries_api.reread_delivery,
        "admin",
        "Read a delivery again",
        status=202,
    ),
    Route(
        "GET",
        "/audit",
        audit_api.list_audit,
        "admin",
        "Who did what to the service itself, newest first",
        ("act", "actor", "from", "to", *_PAGE),
        gives="ActPage",
    ),
    Route(
        "GET",
        "/audit/export.{format}",
        audit_api.export_audit,
        "admin",
        "The audit log as a file: csv, jsonl or json",
        ("act", "actor", "from", "to"),
        media="application/octet-stream",
    ),
    Route("GET", "/stream", stream.stream, "viewer", "What changes, as server-sent events", media="text/event-stream"),
    Route(
        "GET",
        "/grafana/annotations",
        incidents_api.grafana_annotations,
        "viewer",
        "Incidents as Grafana annotations",
        ("from", "to"),
    ),
)
