"""Conversations and lists become entries: previewed and written, in the API and on a page with a box to paste into."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from aiohttp import web

from dashboards.transcript_page import Pasting, transcript_page
from incidents import entries, transcribing
from incidents.refusals import NotFoundError
from incidents.transcribing import Pasted, Preview
from incidents.transcripts.reading import MOST_BYTES
from service import clock
from service.asking import AskingError, act, answer, compute, fields_of, read, zones
from service.pages.people import form_of, html, shown_zone, viewer_of

FORM_BOUND = 3 * MOST_BYTES + 64 * 1024
"""Most bytes of the form: its letters may be percent-encoded."""


async def import_entries(request: web.Request) -> web.Response:
    fields = await fields_of(request)
    dry = fields.get("dry_run", False)
    if not isinstance(dry, bool):
        raise AskingError("dry_run: true or false is expected")
    pasted = await _pasted(request, fields)
    found = await _preview(request, pasted)
    if dry:
        return answer(transcribing.preview_fields(found))
    return answer(transcribing.preview_fields(found, await _write(request, found)), status=201)


async def _pasted(request: web.Request, fields: Mapping[str, Any]) -> Pasted:
    """What the request gives. Raises AskingError naming the field."""
    text, zone, day = fields.get("text"), fields.get("tz") or None, fields.get("day") or None
    if not isinstance(text, str) or not text.strip():
        raise AskingError("text: a text is expected")
    if zone is not None and zone not in zones():
        raise AskingError(f"tz: {str(zone)[:60]!r} is not a time zone of the IANA database")
    try:
        on = date.fromisoformat(day) if day else None
    except (TypeError, ValueError):
        raise AskingError("day: a day such as 2026-09-05 is expected") from None
    first = fields.get("day_first", False)
    return Pasted(
        text,
        zone or await shown_zone(request),
        str(fields.get("format") or "auto"),
        on,
        day_first=first in (True, "on", "1"),
    )


async def _preview(request: web.Request, pasted: Pasted) -> Preview:
    name, now = request.match_info["incident"], clock.now()
    try:
        return await read(request, lambda c: transcribing.preview(c, name, pasted, now))
    except NotFoundError:
        raise
    except ValueError as error:
        raise AskingError(str(error)) from None


async def _write(request: web.Request, found: Preview) -> list[int]:
    name = request.match_info["incident"]
    return await act(request, lambda acting: transcribing.write(acting, name, found))


# --- the page -------------------------------------------------------------------------------------------------------


async def show(request: web.Request) -> web.Response:
    return await _page(request, Pasting(zone=await shown_zone(request)))


async def _page(request: web.Request, pasting: Pasting, status: int = 200) -> web.Response:
    incident = await read(request, lambda c: entries.read_incident(c, request.match_info["incident"]))
    if incident is None:
        raise NotFoundError(f"there is no incident {request.match_info['incident'][:80]}")
    viewer = viewer_of(request)
    return html(await compute(request, lambda: transcript_page(incident, viewer, pasting)), status)


async def form(request: web.Request) -> web.StreamResponse:
    """Show what would be written, or write it."""
    fields = await form_of(request, bound=FORM_BOUND)
    pasting = Pasting(
        text=fields.get("text", ""),
        form=fields.get("format", "auto"),
        zone=fields.get("tz", ""),
        day=fields.get("day", ""),
        day_first="day_first" in fields,
    )
    try:
        found = await _preview(request, await _pasted(request, fields))
    except AskingError as error:
        return await _page(request, pasting.failed(str(error)), 400)
    if fields.get("step") != "write":
        return await _page(request, pasting.read(found))
    numbers = await _write(request, found)
    fragment = f"#e{numbers[0]}" if numbers else "#timeline"
    name = request.match_info["incident"]
    return web.Response(status=303, headers={"Location": f"/incidents/{name}?lines=all{fragment}"})
