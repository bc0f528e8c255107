"""Postmortems in the API: read in every format, written section by section under If-Match, and their revisions."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from aiohttp import web

from dashboards import writings
from dashboards.audiences import AUDIENCES, Audience, left_out
from incidents import entries, instants, postmortem, postmortem_revisions
from incidents.postmortem import FOLLOWING, TEMPLATE, Revision
from incidents.postmortem_revisions import MovedOnError, Sent
from incidents.postmortem_templates import Template, layout_of
from incidents.refusals import NotFoundError
from incidents.views.incident_view import Asked
from service import clock, postmortems
from service.api import jobs_api
from service.api.file_answers import answer_file, disposition
from service.asking import (
    AskingError,
    act,
    answer,
    asker_of,
    choice_of,
    compute,
    cursor_of,
    cursor_text,
    fields_of,
    if_match,
    limit_of,
    page,
    read,
    zone_of,
)
from service.files.exports import HEADERS
from service.files.job_line import Job
from service.keys import CONFIG
from service.postmortems import DRAWN, KINDS, Asking, Read, Wanted
from service.problem import problem


def etag(revision: Revision) -> str:
    """The number of a revision as an entity tag."""
    return f'"r{revision.number}"'


def wanted_of(request: web.Request) -> Wanted:
    """The version and revision that a query asks for."""
    number = request.query.get("revision")
    if number is not None and (not number.isdecimal() or len(number) > 9):
        raise AskingError("revision: a number is expected")
    audience = cast("Audience", choice_of(request, "audience", AUDIENCES, "internal"))
    names = choice_of(request, "names", ("0", "1"), "0") == "1"
    return Wanted(audience, names, None if number is None else int(number), zone_of(request))


async def read_wanted(request: web.Request, wanted: Wanted, *, zone: str | None = None) -> Read:
    """The postmortem of the request's incident. Raises NotFoundError."""
    name, config = request.match_info["incident"], request.app[CONFIG].now
    asked = Asked(clock.now(), zone=wanted.zone or zone)
    return await read(request, lambda c: postmortems.read(c, config, name, asked, wanted))


async def get_postmortem(request: web.Request) -> web.Response:
    found = await read_wanted(request, wanted_of(request))
    return answer(writings.fields(found.version, found.standing), headers={"ETag": etag(found.standing.revision)})


async def get_postmortem_file(request: web.Request) -> web.StreamResponse:
    """The document as a file; of an incident with many alerts it is made beside the service."""
    form, wanted = request.match_info["format"], wanted_of(request)
    if form not in KINDS:
        raise NotFoundError(f"a postmortem is written as {', '.join(KINDS)}")
    if form in DRAWN and (await jobs_api.is_long(request) or jobs_api.wants_job(request)):
        return await jobs_api.handed(request, _submit(request, form, wanted))
    found = await read_wanted(request, wanted)
    name, kind, content = await compute(request, lambda: postmortems.export(found, form))
    if form == "json":
        # What a save is sent over: the number of the revision, and no digest of facts that change by themselves.
        headers = {"Content-Disposition": disposition(request, name, kind), "ETag": etag(found.standing.revision)}
        return web.Response(body=content, content_type=kind, charset="utf-8", headers={**HEADERS, **headers})
    return answer_file(request, name, kind, content)


def _submit(request: web.Request, form: str, wanted: Wanted) -> Job:
    name = request.match_info["incident"]
    asking = Asking(name, Asked(clock.now(), zone=wanted.zone), wanted, form, asker_of(request))
    return jobs_api.submit(request, f"Postmortem of {name[:80]} as {form.upper()}", partial(postmortems.make, asking))


async def put_postmortem(request: web.Request) -> web.Response:
    given = await fields_of(request)
    try:
        base = if_match(request, "r", of="postmortem")
    except KeyError:
        return problem("precondition-needed", "send the ETag of the revision that you last saw, or *")
    if set(given) - {"sections", "state"}:
        raise AskingError("the body: an object of sections and state is expected")
    state = postmortem.accepted_state(given["state"]) if given.get("state") is not None else None
    sent = Sent(base, postmortem.accepted(given.get("sections") or {}, (await layout(request)).keys), state)
    try:
        written = await save(request, sent)
    except MovedOnError as moved:
        return problem(
            "moved-on",
            moved_words(moved),
            headers={"ETag": etag(moved.current)},
            clashes=list(moved.clashes),
            current=revision_fields(moved.current),
        )
    return answer(revision_fields(written), headers={"ETag": etag(written)})


def moved_words(moved: MovedOnError) -> str:
    """What has changed under an author's hands."""
    if not moved.clashes:
        return f"the postmortem is at revision {moved.current.number} now: look at it and repeat"
    headings = layout_of(moved.current.words).headings
    names = ", ".join(headings.get(name, name) for name in moved.clashes)
    return f"somebody else changed {names} meanwhile: their text is in `current`, at revision {moved.current.number}"


async def layout(request: web.Request) -> Template:
    """The template that the postmortem of the request's incident was begun with; it never changes afterwards."""
    name = request.match_info["incident"]
    return layout_of((await read(request, lambda c: postmortem_revisions.newest(c, name))).words)


async def save(request: web.Request, sent: Sent) -> Revision:
    """Write what somebody sent. Raises MovedOnError, ConflictError and NotFoundError."""
    name, config = request.match_info["incident"], request.app[CONFIG].now
    if sent.state == "published":
        asked = Asked(clock.now())
        snapshot = await read(request, lambda c: postmortems.freeze(c, config, name, asked))
        sent = Sent(sent.base, sent.sections, sent.state, snapshot)
    # Words are no line of a timeline: only a state that changes is worth a "1 new" on the pages of others.
    return await act(
        request, lambda acting: postmortem_revisions.write(acting, name, sent), is_told=sent.state is not None
    )


def revision_fields(revision: Revision) -> dict[str, Any]:
    """A revision as the API gives it."""
    return {
        "revision": revision.number,
        "state": revision.state,
        "may_become": list(FOLLOWING[revision.state]),
        "author": revision.author or None,
        "recorded_at": instants.text(revision.recorded_at) if revision.recorded_at else None,
        "changed": list(revision.changed),
        "sections": {name: text for name, text in revision.words.items() if name != TEMPLATE},
    }


async def list_postmortem_revisions(request: web.Request) -> web.Response:
    name, limit, cursor = request.match_info["incident"], limit_of(request, 50), cursor_of(request, int)

    def query(connection: sa.Connection) -> list[Revision] | None:
        if entries.read_incident(connection, name) is None:
            return None
        return postmortem_revisions.listed(connection, name, before=cursor[0] if cursor else None, limit=limit + 1)

    found = await read(request, query)
    if found is None:
        raise NotFoundError(f"there is no incident {name[:80]}")
    following = cursor_text(found[limit - 1].number) if len(found) > limit else None
    return page([revision_fields(one) for one in found[:limit]], following)


def versions(names: bool) -> dict[str, list[str]]:
    """What each version leaves out, before anybody exports it."""
    return {audience: list(left_out(audience, names=names)) for audience in AUDIENCES}
