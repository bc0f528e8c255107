"""The OpenAPI 3.1 document of the API, made from the table of routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from dashboards.audiences import AUDIENCES
from incidents.incident_fold import MILESTONES
from incidents.notices.destinations import KINDS, STATES, WHAT
from incidents.postmortem import SECTIONS
from incidents.postmortem import STATES as POSTMORTEM_STATES
from incidents.shares import LONGEST
from incidents.transcripts.reading import FORMATS
from incidents.views.access_view import WAYS
from incidents.views.audit_view import ACTS
from service.api.access_api import MOST_DAYS
from service.api.routes import Route
from service.identity.access import ROLES
from service.problem import PROBLEMS

_TEXT = {"type": "string"}
_INSTANT = {"type": "string", "format": "date-time", "description": "RFC 3339 in UTC with six fractional digits"}
_MAYBE_INSTANT = {"anyOf": [_INSTANT, {"type": "null"}]}
_NUMBER = {"type": "number"}
_MAYBE_NUMBER = {"type": ["number", "null"]}
_EPOCH_MS = {"type": "integer", "description": "milliseconds since 1970"}
_MAYBE_TEXT = {"type": ["string", "null"]}
_FLAG = {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0}


def _object(required: Iterable[str] = (), **properties: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON Schema
    return {"type": "object", "required": list(required), "properties": properties}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON Schema
    return {"type": "array", "items": items}


def _page(name: str) -> dict[str, Any]:
    return _object(
        ("items", "next"),
        items=_list(_ref(name)),
        next={"type": ["string", "null"], "description": "cursor of the next page"},
    )


_SHARE = _object(("k", "n", "share", "low", "high"), k=_COUNT, n=_COUNT, share=_NUMBER, low=_NUMBER, high=_NUMBER)
_STATUS = {"enum": ["open", "acknowledged", "mitigated", "resolved"]}
_SEVERITY = {"enum": ["critical", "error", "warning", "info", "unknown"]}
_KIND = {"enum": ["alert", "hazard", "provider_incident", "change"]}
_POSTMORTEM_STATE = {"enum": list(POSTMORTEM_STATES)}
_AUDIENCE = {"enum": list(AUDIENCES)}
_MOMENT = {"anyOf": [_INSTANT, _object(("at",), at=_INSTANT, until=_MAYBE_INSTANT), {"type": "null"}]}
_MILESTONES = dict.fromkeys(MILESTONES, _MOMENT)

_ROLE = {"enum": list(ROLES)}
_KEY: dict[str, Any] = {
    "id": _TEXT,
    "kind": {"enum": ["ingest", "token"]},
    "role": {"enum": [*ROLES, "ingest"]},
    "source": _MAYBE_TEXT,
    "name": _TEXT,
    "prefix": _TEXT,
    "owner": {"type": "string", "description": "file: the configuration file gives it"},
    "made_at": _INSTANT,
    "expires_at": _MAYBE_INSTANT,
    "used_at": {"anyOf": [_INSTANT, {"type": "null"}], "description": "to the minute"},
}

SCHEMAS: dict[str, Any] = {
    "Moment": _MOMENT,
    "Incident": _object(
        ("id", "title", "status", "severity", "sites", "opened_at", "alerts", "version"),
        id=_TEXT,
        title=_TEXT,
        status=_STATUS,
        severity=_SEVERITY,
        sites=_list(_TEXT),
        opened_at=_INSTANT,
        **_MILESTONES,
        impact_windows=_list(_MOMENT),
        owner=_MAYBE_TEXT,
        services=_list(_TEXT),
        responders=_list(_TEXT),
        measurements=_list(_ref("Measurement")),
        alerts=_COUNT,
        merged_into=_MAYBE_TEXT,
        version=_COUNT,
        private=_FLAG,
        seen_by=_list(_TEXT),
    ),
    "Measurement": _object(
        ("name", "outcome"),
        name=_TEXT,
        outcome={"enum": ["recorded", "pending", "not_applicable", "invalid"]},
        seconds={"type": ["number", "null"]},
        seconds_max={"type": ["number", "null"]},
        reason=_TEXT,
    ),
    "IncidentOpening": _object(
        ("title", "severity"),
        title=_TEXT,
        severity=_SEVERITY,
        site=_TEXT,
        impact_started_at=_MOMENT,
        private=_FLAG,
        seen_by=_list(_TEXT),
        reason=_TEXT,
    ),
    "PrivacyChange": _object(("private",), private=_FLAG, seen_by=_list(_TEXT), reason=_TEXT),
    "IncidentChange": _object(
        (),
        title=_TEXT,
        severity=_SEVERITY,
        owner=_MAYBE_TEXT,
        services=_list(_TEXT),
        responders=_list(_TEXT),
        **_MILESTONES,
        impact_windows=_list(_MOMENT),
        reason=_TEXT,
    ),
    "ViewSaving": _object(("name", "address"), name=_TEXT, address=_TEXT, shared=_FLAG),
    "SavedView": _object(
        ("id", "name", "address", "owner", "shared", "saved_at"),
        id=_COUNT,
        name=_TEXT,
        address={"type": "string", "description": "a path of ours with its query"},
        owner=_TEXT,
        shared=_FLAG,
        saved_at=_INSTANT,
    ),
    "Undoing": _object(("entry",), entry=_COUNT),
    "StatusChange": _object(("status",), status=_STATUS, happened_at=_MOMENT, note=_TEXT),
    "Note": _object(("text",), text=_TEXT, happened_at=_INSTANT, happened_until=_INSTANT, pinned=_FLAG),
    "Transcript": _object(
        ("text",),
        text=_TEXT,
        format={"enum": list(FORMATS)},
        tz={"type": "string", "description": "the zone of times without one"},
        day={"type": "string", "format": "date", "description": "the day that it begins on"},
        day_first=_FLAG,
        dry_run={"type": "boolean", "description": "true writes nothing, and answers 200"},
    ),
    "TranscriptRead": _object(
        ("origin", "zone", "dry_run", "new", "known", "entries", "messages", "unread", "assumed"),
        origin={"enum": ["slack", "teams", "chat", "list"]},
        zone=_TEXT,
        dry_run=_FLAG,
        new=_COUNT,
        known=_COUNT,
        entries=_list({"type": "integer"}),
        messages=_list(
            _object(
                ("happened_at", "text", "speaker", "line", "known"),
                happened_at=_INSTANT,
                happened_until=_MAYBE_INSTANT,
                text=_TEXT,
                speaker=_TEXT,
                origin=_TEXT,
                edited=_FLAG,
                line=_COUNT,
                notes=_list(_TEXT),
                known={"type": ["integer", "null"], "description": "the entry that it is already"},
            )
        ),
        unread=_list(_object(("line", "text", "reason"), line=_COUNT, text=_TEXT, reason=_TEXT)),
        assumed=_list(_TEXT),
    ),
    "Merge": _object((), into=_TEXT, reason=_TEXT),
    "Split": _object(("alerts",), alerts=_list(_TEXT), title=_TEXT, reason=_TEXT),
    "Regrouping": _object((), add=_list(_TEXT), remove=_list(_TEXT), reason=_TEXT),
    "HandMadeLink": _object(("occurrence",), occurrence=_TEXT, note=_TEXT),
    "Verdict": _object(
        ("verdict",),
        verdict={"enum": ["proposed", "confirmed", "rejected", "attributed", "retracted"]},
        note=_TEXT,
        quote=_TEXT,
        speaker=_TEXT,
    ),
    "Line": _object(
        ("id", "happened_at", "recorded_at", "lane", "kind", "text", "actor", "severity", "evidence"),
        id=_TEXT,
        happened_at=_INSTANT,
        happened_until=_MAYBE_INSTANT,
        recorded_at=_INSTANT,
        lane=_TEXT,
        kind=_TEXT,
        text=_TEXT,
        actor=_TEXT,
        severity=_SEVERITY,
        corrected=_FLAG,
        late=_FLAG,
        pinned=_FLAG,
        count=_COUNT,
        evidence=_object(
            (),
            delivery=_MAYBE_TEXT,
            event={"type": ["integer", "null"]},
            entry={"type": ["integer", "null"]},
            adapter=_MAYBE_TEXT,
            sha256=_MAYBE_TEXT,
            size={"type": ["integer", "null"]},
        ),
    ),
    "Link": _object(
        ("id", "tier", "score", "reasons", "state"),
        id=_TEXT,
        occurrence={
            "anyOf": [
                _object(
                    (),
                    kind=_KIND,
                    key=_TEXT,
                    title=_TEXT,
                    starts_at=_INSTANT,
                    ends_at=_MAYBE_INSTANT,
                    source=_TEXT,
                    url=_MAYBE_TEXT,
                ),
                {"type": "null"},
            ]
        },
        tier={"enum": ["context", "coincident", "plausible", "strong"]},
        score=_NUMBER,
        reasons=_list(_object(("part", "bits", "sentence"), part=_TEXT, bits=_NUMBER, sentence=_TEXT)),
        base_rate={
            "anyOf": [
                _object((), share=_NUMBER, n=_COUNT, basis={"enum": ["record", "prior"]}, sentence=_TEXT),
                {"type": "null"},
            ]
        },
        state={"enum": ["proposed", "confirmed", "rejected", "attributed", "retracted"]},
        note=_MAYBE_TEXT,
        quote=_MAYBE_TEXT,
        speaker=_MAYBE_TEXT,
        lag={"anyOf": [_ref("Lag"), {"type": "null"}]},
    ),
    "Occurrence": _object(
        ("id", "kind", "source", "key", "title", "severity", "starts_at"),
        id=_TEXT,
        kind=_KIND,
        source=_TEXT,
        key=_TEXT,
        title=_TEXT,
        severity=_SEVERITY,
        starts_at=_INSTANT,
        starts_until=_MAYBE_INSTANT,
        ends_at=_MAYBE_INSTANT,
        ends_expected=_FLAG,
        ends_assumed=_FLAG,
        event=_MAYBE_TEXT,
        labels={"type": "object"},
        url=_MAYBE_TEXT,
        recorded_at=_MAYBE_INSTANT,
        statements=_COUNT,
        credit=_MAYBE_TEXT,
    ),
    "Reading": _object(
        ("variable", "at", "value"),
        variable=_TEXT,
        at=_INSTANT,
        value=_NUMBER,
        latitude={"type": ["number", "null"]},
        longitude={"type": ["number", "null"]},
        grid_area=_MAYBE_TEXT,
        station=_MAYBE_TEXT,
        provisional=_FLAG,
        basis={"enum": ["observed", "modelled", "reconstructed"]},
        credit=_MAYBE_TEXT,
        source=_TEXT,
    ),
    "Delivery": _object(
        ("receipt", "source", "received_at", "state"),
        receipt=_TEXT,
        source=_TEXT,
        received_at=_INSTANT,
        state={"enum": ["unread", "read", "quarantined"]},
        reason=_MAYBE_TEXT,
        adapter=_MAYBE_TEXT,
        adapter_version={"type": ["integer", "null"]},
        size=_COUNT,
        sha256=_TEXT,
        losses=_COUNT,
        loss_reason=_MAYBE_TEXT,
        events=_list({"type": "object"}),
        events_total=_COUNT,
    ),
    "PostmortemSections": _object((), **dict.fromkeys(SECTIONS, _TEXT) | {"actions": _list(_ref("PostmortemAction"))}),
    "PostmortemAction": _object(
        ("text",),
        text=_TEXT,
        owner=_TEXT,
        due={"type": ["string", "null"], "format": "date", "description": "a day"},
        done=_FLAG,
    ),
    "PostmortemBeginning": _object((), template={"type": "string", "description": "its name; standard by default"}),
    "PostmortemTemplate": _object(
        ("name", "title", "sections", "fault"),
        name=_TEXT,
        title=_MAYBE_TEXT,
        sections=_list({"type": "object"}),
        fault={"type": ["string", "null"], "description": "file, line and what is wrong, where it cannot be used"},
    ),
    "PostmortemChange": _object((), sections=_ref("PostmortemSections"), state=_POSTMORTEM_STATE),
    "PostmortemRevision": _object(
        ("revision", "state", "sections"),
        revision=_COUNT,
        state=_POSTMORTEM_STATE,
        may_become=_list(_POSTMORTEM_STATE),
        author=_MAYBE_TEXT,
        recorded_at=_MAYBE_INSTANT,
        changed=_list(_TEXT),
        sections=_ref("PostmortemSections"),
    ),
    "Postmortem": _object(
        ("incident", "state", "revision", "audience", "left_out", "sections", "record"),
        incident=_TEXT,
        state=_POSTMORTEM_STATE,
        may_become=_list(_POSTMORTEM_STATE),
        revision=_COUNT,
        recorded_at=_MAYBE_INSTANT,
        authors=_list(_TEXT),
        audience=_AUDIENCE,
        names=_FLAG,
        left_out=_list(_TEXT),
        sections=_ref("PostmortemSections"),
        template={"type": "object", "description": "its title and its sections in order, those of one's own too"},
        frozen_at=_MAYBE_INSTANT,
        differences=_list(_TEXT),
        record={"type": "object"},
    ),
    "Lag": _object(
        ("instants", "measurements"),
        instants={"type": "object", "additionalProperties": _MOMENT},
        measurements=_list(_ref("Measurement")),
    ),
    "Act": _object(
        ("id", "recorded_at", "act", "actor", "subject", "text", "params", "address"),
        id={"type": "integer"},
        recorded_at=_INSTANT,
        act={"enum": list(ACTS)},
        actor=_TEXT,
        subject=_TEXT,
        text=_TEXT,
        params={"type": "object"},
        address=_MAYBE_TEXT,
    ),
    "Revision": _object(
        ("subject", "recorded_at", "was", "now", "diff"),
        subject={"enum": ["post", "text", "title", "severity", "start", "end"]},
        post_at=_MAYBE_INSTANT,
        recorded_at=_INSTANT,
        said_at=_INSTANT,
        was=_TEXT,
        now=_TEXT,
        diff=_list(_object(("kind", "words"), kind={"enum": ["same", "gone", "new"]}, words=_TEXT)),
        event={"type": "integer"},
        delivery=_TEXT,
    ),
    "Backdating": _object(
        ("kind", "at", "start", "before", "seconds", "sentence"),
        kind={"enum": ["claimed", "moved"]},
        at=_INSTANT,
        start=_INSTANT,
        before=_INSTANT,
        seconds=_NUMBER,
        sentence=_TEXT,
        event={"type": "integer"},
    ),
    "ProviderLag": _object(
        ("provider", "n", "medians", "rows"),
        provider=_TEXT,
        n=_COUNT,
        medians={"type": "object", "additionalProperties": _object(("seconds", "n"), seconds=_NUMBER, n=_COUNT)},
        rows=_list(
            _object(
                ("incident", "occurrence", "state", "tier", "instants", "measurements"),
                incident=_TEXT,
                incident_title=_TEXT,
                occurrence=_TEXT,
                title=_TEXT,
                state=_TEXT,
                tier=_TEXT,
                instants={"type": "object", "additionalProperties": _MOMENT},
                measurements=_list(_ref("Measurement")),
            )
        ),
    ),
    "Review": _object(
        ("from", "to", "zone", "incidents", "durations", "detection_gaps", "recurrences", "days", "hours", "providers"),
        **{"from": _INSTANT, "to": _INSTANT},
        zone=_TEXT,
        site=_MAYBE_TEXT,
        incidents=_COUNT,
        left_out=_COUNT,
        durations={
            "type": "object",
            "description": "by measurement; lengths in seconds, percentiles from 20 ended ones on",
            "additionalProperties": _object(
                ("n", "open", "incidents", "percentiles", "kaplan_meier"),
                n=_COUNT,
                open=_COUNT,
                incidents=_list(_object(("incident", "seconds", "open"), incident=_TEXT, seconds=_NUMBER, open=_FLAG)),
                percentiles=_list(
                    _object(
                        ("share", "seconds", "low", "high"),
                        share=_NUMBER,
                        seconds=_NUMBER,
                        low=_MAYBE_NUMBER,
                        high=_MAYBE_NUMBER,
                    )
                ),
                kaplan_meier=_list(
                    _object(
                        ("seconds", "ended", "low", "high", "at_risk"),
                        seconds=_NUMBER,
                        ended=_NUMBER,
                        low=_NUMBER,
                        high=_NUMBER,
                        at_risk=_COUNT,
                    )
                ),
            ),
        },
        detection_gaps=_list(
            _object(("incident", "to_signal", "to_person"), incident=_TEXT, to_signal=_NUMBER, to_person=_MAYBE_NUMBER)
        ),
        recurrences=_list(
            _object(("site", "alert", "incidents"), site=_MAYBE_TEXT, alert=_TEXT, incidents=_list(_TEXT))
        ),
        days={"type": "object", "additionalProperties": _COUNT, "description": "openings by local day"},
        warned_days=_list({"type": "string", "format": "date"}),
        hours={**_list(_COUNT), "description": "openings by hour of the site's wall clock"},
        night={"anyOf": [_SHARE, {"type": "null"}]},
        providers=_list(_object(("provider", "rows"), provider=_TEXT, rows=_list({"type": "object"}))),
        heat={
            "anyOf": [
                _object(
                    ("hours", "readings", "incidents", "without_reading", "bases", "above"),
                    hours=_COUNT,
                    readings=_COUNT,
                    incidents=_COUNT,
                    without_reading=_COUNT,
                    bases=_list(_TEXT),
                    above=_list(
                        _object(
                            ("temperature_c", "incidents", "hours", "per_100_hours", "low", "high"),
                            temperature_c=_NUMBER,
                            incidents=_COUNT,
                            hours=_NUMBER,
                            per_100_hours=_NUMBER,
                            low=_NUMBER,
                            high=_NUMBER,
                        )
                    ),
                ),
                {"type": "null"},
            ]
        },
    ),
    "Attempt": _object(
        ("at", "outcome", "took_ms"),
        at=_INSTANT,
        outcome={"enum": ["sent", "failed"]},
        status={"type": ["integer", "null"]},
        reason=_MAYBE_TEXT,
        took_ms=_COUNT,
        by=_MAYBE_TEXT,
    ),
    "Destination": _object(
        ("name", "kind", "waiting", "sent", "dead"),
        name=_TEXT,
        kind={"enum": list(KINDS)},
        host=_TEXT,
        what=_list({"enum": list(WHAT)}),
        severity_at_least={"anyOf": [_SEVERITY, {"type": "null"}]},
        sites=_list(_TEXT),
        waiting=_COUNT,
        sent=_COUNT,
        dead=_COUNT,
        last={"anyOf": [_ref("Attempt"), {"type": "null"}]},
    ),
    "Notice": _object(
        ("id", "key", "destination", "what", "state", "recorded_at", "attempts"),
        id={"type": "integer"},
        key={"type": "string", "description": "its idempotency key: the same at every attempt"},
        destination=_TEXT,
        incident=_MAYBE_TEXT,
        what={"enum": [*WHAT, "test"]},
        title=_TEXT,
        state={"enum": list(STATES)},
        recorded_at=_INSTANT,
        due_at=_MAYBE_INSTANT,
        attempts=_list(_ref("Attempt")),
    ),
    "AccountAdding": _object(("name", "role"), name=_TEXT, role=_ROLE, groups=_list(_TEXT)),
    "AccountChange": _object((), role=_ROLE, groups=_list(_TEXT), disabled=_FLAG),
    "AccountLink": _object(("url", "expires_at"), url=_TEXT, expires_at=_INSTANT),
    "Account": _object(
        ("name", "role", "groups", "issuer", "has_password", "added_at", "disabled_at", "sessions"),
        name=_TEXT,
        role=_ROLE,
        groups=_list(_TEXT),
        issuer={**_MAYBE_TEXT, "description": "the identity provider that it signs in by"},
        has_password=_FLAG,
        added_at=_INSTANT,
        added_by=_TEXT,
        password_set_at=_MAYBE_INSTANT,
        signed_in_at=_MAYBE_INSTANT,
        disabled_at=_MAYBE_INSTANT,
        sessions=_COUNT,
    ),
    "Session": _object(
        ("id", "name", "role", "way", "began_at", "used_at"),
        id=_TEXT,
        name=_TEXT,
        role=_ROLE,
        way={"enum": list(WAYS)},
        address=_MAYBE_TEXT,
        agent=_MAYBE_TEXT,
        began_at=_INSTANT,
        used_at={**_INSTANT, "description": "to the minute"},
        expires_at=_MAYBE_INSTANT,
    ),
    "KeyMaking": _object(
        ("kind",),
        kind={"enum": ["ingest", "token"]},
        source={"type": "string", "description": "of an ingest key"},
        role=_ROLE,
        name={"type": "string", "description": "of a token: whose acts its acts are"},
        days={"type": "integer", "minimum": 1, "maximum": MOST_DAYS},
    ),
    "KeyReplacing": _object(
        (),
        overlap_hours={"type": "integer", "minimum": 0, "description": "how long the former holds; 24 by default"},
        days={"type": "integer", "minimum": 1, "maximum": MOST_DAYS},
    ),
    "Key": _object(("id", "kind", "role", "name", "prefix", "made_at"), **_KEY),
    "MadeKey": _object(
        ("id", "kind", "role", "name", "prefix", "made_at", "key"),
        **_KEY,
        key={"type": "string", "description": "shown in this answer alone"},
        former=_object(("id", "expires_at"), id=_TEXT, expires_at=_INSTANT),
    ),
    "Job": _object(
        ("id", "title", "state", "words", "asked_at"),
        id=_TEXT,
        title=_TEXT,
        state={"enum": ["waiting", "running", "done", "failed", "cancelled"]},
        words={"type": "string", "description": "how far it is, in a sentence"},
        before={**_COUNT, "description": "how many are made before it"},
        asked_at=_INSTANT,
        ended_at=_MAYBE_INSTANT,
        name=_MAYBE_TEXT,
        media=_MAYBE_TEXT,
        size={"type": ["integer", "null"]},
        file=_MAYBE_TEXT,
        error=_MAYBE_TEXT,
    ),
    "ShareMaking": _object((), days={"type": "integer", "minimum": 1, "maximum": LONGEST.days}),
    "Share": _object(
        ("id", "incident", "url", "made_at", "made_by", "expires_at"),
        id=_TEXT,
        incident=_TEXT,
        url={"type": ["string", "null"], "description": "null once it has ended"},
        made_at=_INSTANT,
        made_by=_TEXT,
        expires_at=_INSTANT,
        revoked_at=_MAYBE_INSTANT,
        revoked_by=_MAYBE_TEXT,
    ),
    "AnnotationQuery": _object(
        (),
        range=_object((), **{"from": _INSTANT, "to": _INSTANT}),
        annotation=_object((), query={"type": "string", "description": "tags, separated by commas"}),
    ),
    "Annotations": _list(
        _object(
            ("time", "timeEnd", "title", "text", "tags"),
            time=_EPOCH_MS,
            timeEnd=_EPOCH_MS,
            isRegion=_FLAG,
            title=_TEXT,
            text=_TEXT,
            tags=_list(_TEXT),
            id=_TEXT,
            url=_TEXT,
        )
    ),
    "Problem": _object(
        ("type", "title", "status"), type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT, request_id=_TEXT
    ),
    "object": {"type": "object"},
}
for _name in (
    "Incident",
    "Occurrence",
    "Link",
    "Line",
    "Reading",
    "Delivery",
    "Revision",
    "ProviderLag",
    "PostmortemRevision",
    "PostmortemTemplate",
    "Destination",
    "Notice",
    "Act",
    "SavedView",
    "Share",
    "Account",
    "Session",
    "Key",
):
    SCHEMAS["TimelinePage" if _name == "Line" else f"{_name}Page"] = _page(_name)
SCHEMAS["RevisionPage"]["properties"] |= {
    "backdated": _list(_ref("Backdating")),
    "statements": _COUNT,
    "left_out": _COUNT,
    "posts": _list({"type": "object"}),
}
SCHEMAS["ProviderLagPage"]["properties"]["complete"] = _FLAG

PARAMETERS: dict[str, Any] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 500},
    "cursor": _TEXT,
    "status": {"type": "string", "description": "statuses separated by commas"},
    "severity": {"type": "string", "description": "severities separated by commas"},
    "from": _INSTANT,
    "to": _INSTANT,
    "as_of": {**_INSTANT, "description": "the moment of knowledge: what was recorded by then"},
    "active_at": _INSTANT,
    "theme": {"enum": ["light", "dark", "print"]},
    "preset": {"enum": ["a4", "letter", "slide", "wide"]},
    "width": {"type": "integer", "minimum": 320, "maximum": 4000},
    "kind": _KIND,
    "state": {"enum": ["unread", "read", "quarantined"]},
    "tags": {"type": "string", "description": "tags separated by commas; an incident has to have them all"},
    "lane": _TEXT,
    "raw": {"enum": ["0", "1"], "description": "1: deliveries as they came, for the role admin"},
    "tz": {"type": "string", "description": "a time zone of the IANA database"},
    "format": {"enum": ["svg", "png", "pdf", "html", "md", "csv", "json", "docx", "zip", "jsonl"]},
    "audience": _AUDIENCE,
    "names": {"enum": ["0", "1"]},
    "revision": _COUNT,
}


_REFUSALS = ("not-signed-in", "forbidden")


def document(routes: Iterable[Route], server: str = "/api/v1") -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    paths["/openapi.json"] = {"get": _describing_itself()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Barograph",
            "version": version("barograph"),
            "summary": "Infrastructure incident timelines",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "responses": {
                name: {"description": title, "content": {"application/problem+json": {"schema": _ref("Problem")}}}
                for name, (_, title) in PROBLEMS.items()
            },
        },
    }


def _describing_itself() -> dict[str, Any]:
    told = {"description": "This document", "content": {"application/json": {"schema": _ref("object")}}}
    problems = {str(PROBLEMS[name][0]): {"$ref": f"#/components/responses/{name}"} for name in _REFUSALS}
    return {
        "operationId": "openapi",
        "summary": "This document",
        "parameters": [],
        "responses": {"200": told, **problems},
    }


def _operation(route: Route) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", route.path)
    parameters = [{"name": n, "in": "path", "required": True, "schema": PARAMETERS.get(n, _TEXT)} for n in names]
    parameters += [{"name": n, "in": "query", "schema": PARAMETERS.get(n, _TEXT)} for n in route.query]
    if route.if_match:
        parameters.append({"name": "If-Match", "in": "header", "required": True, "schema": _TEXT})
    told = (
        {"application/json": {"schema": _ref(route.gives)}} if route.media == "application/json" else {route.media: {}}
    )
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "description": f"For the role {route.role} and above.",
        "parameters": parameters,
        "responses": {
            str(route.status): {"description": route.summary, "content": told},
            **{str(PROBLEMS[name][0]): {"$ref": f"#/components/responses/{name}"} for name in _problems(route)},
        },
    }
    if route.body:
        operation["requestBody"] = {
            "required": route.body not in ("Merge", "KeyReplacing"),
            "content": {"application/json": {"schema": _ref(route.body)}},
        }
    return operation


def _problems(route: Route) -> list[str]:
    found = [*_REFUSALS, "bad-request"]
    if "{" in route.path:
        found.append("not-found")
    if route.if_match:
        found += ["precondition-needed", "moved-on"]
    elif route.method != "GET":
        found.append("conflict")
    return found
