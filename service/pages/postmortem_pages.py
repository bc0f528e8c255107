"""The pages' side of postmortems: read and write the form, change the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from dashboards.postmortem_page import Comparison, Editing, postmortem_page
from dashboards.word_diff import as_text, revision_diff
from incidents import postmortem, postmortem_revisions
from incidents.postmortem import ACTIONS_BOUND, Revision
from incidents.postmortem_revisions import MovedOnError, Sent
from incidents.postmortem_templates import Template, layout_of
from incidents.refusals import NotFoundError
from service.api.postmortems_api import etag, moved_words, read_wanted, revision_fields, save, wanted_of
from service.api.postmortems_api import layout as layout_asked
from service.asking import AskingError, answer, compute, read
from service.keys import SETTINGS
from service.pages.people import form_of, html, shown_zone, viewer_of
from service.postmortem_templates import begin, listed
from service.problem import problem

FORM_BOUND = 2 * 1024 * 1024
"""Most bytes of the form: every section full, its letters percent-encoded."""


@dataclass(frozen=True, slots=True)
class _History:
    revisions: list[Revision]
    compared: Comparison | None


async def show(request: web.Request) -> web.Response:
    return await _page(request, None)


async def _page(request: web.Request, editing: Editing | None, status: int = 200) -> web.Response:
    """The page; `editing` is what the form holds instead of the newest words."""
    wanted = replace(wanted_of(request), audience="internal", number=None)
    zone = await shown_zone(request)
    found = await read_wanted(request, wanted, zone=zone)
    history = await _history(request)
    folder = request.app[SETTINGS].postmortem_templates
    offered = [] if found.standing.revision.number else await compute(request, lambda: listed(folder))
    viewer = replace(viewer_of(request), zone=found.version.facts["zone"])

    def draw() -> str:
        newest = found.standing.revision
        return postmortem_page(
            found.document(),
            newest,
            viewer,
            incident=found.version.facts["incident"]["id"],
            editing=editing or Editing(_filled(newest.words), newest.number),
            revisions=history.revisions,
            compared=history.compared,
            names=wanted.names,
            layout=found.version.layout,
            offered=[(each.name, each.template.title if each.template else "", each.fault) for each in offered],
        )

    return html(await compute(request, draw), status)


def _filled(words: Mapping[str, Any]) -> dict[str, Any]:
    """Every section, empty where nobody wrote."""
    return {name: words.get(name) or ([] if name == "actions" else "") for name in layout_of(words).keys}


async def _history(request: web.Request) -> _History:
    """The newest revisions, and the one that the query asks for against the one before it."""
    name, number = request.match_info["incident"], wanted_of(request).number

    def query(connection: sa.Connection) -> tuple[list[Revision], Revision | None, Revision | None]:
        found = postmortem_revisions.listed(connection, name)
        if not number:
            return found, None, None
        return (
            found,
            postmortem_revisions.numbered(connection, name, number),
            postmortem_revisions.numbered(connection, name, number - 1),
        )

    found, one, before = await read(request, query)
    if not number:
        return _History(found, None)
    if one is None or before is None or one.recorded_at is None:
        raise NotFoundError(f"the postmortem has no revision {number}")
    at, author = one.recorded_at, one.author
    sections = await compute(request, lambda: revision_diff(before.words, one.words))
    return _History(found, Comparison(one.number, author, at, sections))


async def save_form(request: web.Request) -> web.StreamResponse:
    """Save the form. A script that asks for JSON gets the words as they are now, a person the page again."""
    fields = await form_of(request, bound=FORM_BOUND)
    layout = await layout_asked(request)
    base, sections = _base_of(fields), postmortem.accepted(_sections_of(fields, layout), layout.keys)
    is_script = "application/json" in request.headers.get("Accept", "")
    try:
        written = await save(request, Sent(base, sections))
    except MovedOnError as moved:
        if is_script:
            return problem("moved-on", moved_words(moved), clashes=list(moved.clashes))
        return await _page(request, await _both(request, base, sections, moved), 412)
    if is_script:
        shown = revision_fields(written) | {"sections": _filled(written.words)}
        return answer(shown, headers={"ETag": etag(written)})
    return _back(request)


async def _both(request: web.Request, base: int, sections: Mapping[str, Any], moved: MovedOnError) -> Editing:
    """The form after a clash: the author's words kept, those of the others beside them, over the newest revision."""
    name = request.match_info["incident"]
    seen = await read(request, lambda c: postmortem_revisions.numbered(c, name, base)) or Revision()
    mine = {key: sections[key] for key in postmortem.differing(seen.words, sections) if key in sections}
    return Editing(
        words=_filled({**moved.current.words, **mine}),
        base=moved.current.number,
        theirs={key: as_text(key, moved.current.words) or "(empty)" for key in moved.clashes},
        error="Nothing is lost and nothing was saved: somebody else changed the same section meanwhile. Both texts are "
        "below; put them together and save.",
    )


async def begin_form(request: web.Request) -> web.StreamResponse:
    """Begin with the template that somebody chose."""
    fields = await form_of(request)
    await begin(request, fields.get("template", ""))
    return _back(request)


async def state_form(request: web.Request) -> web.StreamResponse:
    fields = await form_of(request)
    state = postmortem.accepted_state(fields.get("state"))
    try:
        await save(request, Sent(_base_of(fields), state=state))
    except MovedOnError as moved:
        newest = moved.current
        error = "The state was not changed: somebody wrote meanwhile. Look at it and repeat."
        return await _page(request, Editing(_filled(newest.words), newest.number, error=error), 412)
    return _back(request)


def _back(request: web.Request) -> web.Response:
    return web.Response(status=303, headers={"Location": f"/incidents/{request.match_info['incident']}/postmortem"})


def _base_of(fields: Mapping[str, str]) -> int:
    text = fields.get("base", "")
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise AskingError("base: the number of the revision that the page showed is expected")
    return int(text)


def _sections_of(fields: Mapping[str, str], layout: Template) -> dict[str, Any]:
    """The form's sections; actions are numbered fields, and an empty row is none."""
    found: dict[str, Any] = {name: fields[name] for name in layout.keys if name != "actions" and name in fields}
    rows = []
    for number in range(1, ACTIONS_BOUND + 1):
        row = {part: fields.get(f"action-{number}-{part}", "") for part in ("text", "owner", "due")}
        if any(row.values()):
            rows.append({**row, "done": fields.get(f"action-{number}-done") == "yes"})
    if any(name.startswith("action-") for name in fields):
        found["actions"] = rows
    return found
