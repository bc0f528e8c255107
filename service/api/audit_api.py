"""The audit log for admins: as a list, as a page, as a file."""

from __future__ import annotations

from aiohttp import web

from dashboards import audit_page
from incidents import audit
from incidents.views.audit_view import ACTS, Act, Filter, as_json
from service import clock
from service.asking import AskingError, compute, cursor_of, cursor_text, identity, instant_of, limit_of, page, read
from service.auditing import record
from service.keys import STORE
from service.pages.people import html, viewer_of

MEDIA = {"csv": "text/csv", "jsonl": "application/x-ndjson", "json": "application/json"}
MOST_EXPORTED = 200_000
"""Rows of one file; `from` and `to` cut a longer log."""
ROWS = 100


def _filter(request: web.Request, zone: str | None = None) -> Filter:
    act = request.query.get("act") or None
    if act is not None and act not in ACTS:
        raise AskingError(f"act: one of {', '.join(ACTS)} is expected")
    return Filter(
        act=act,
        actor=request.query.get("actor") or None,
        since=instant_of(request, "from", zone),
        until=instant_of(request, "to", zone),
    )


async def _rows(request: web.Request, wanted: Filter, limit: int) -> tuple[list[Act], str | None]:
    cursor = cursor_of(request, int)
    before = cursor[0] if cursor else None
    rows = await read(request, lambda connection: audit.read(connection, wanted, before=before, limit=limit + 1))
    return rows[:limit], cursor_text(rows[limit - 1].id) if len(rows) > limit else None


async def list_audit(request: web.Request) -> web.Response:
    rows, following = await _rows(request, _filter(request), limit_of(request))
    return page([as_json(row) for row in rows], following)


async def export_audit(request: web.Request) -> web.Response:
    """The log as a file, the oldest first; that it was exported is its own last act, in the next file."""
    form, wanted = request.match_info["format"], _filter(request)
    if form not in audit_page.FORMATS:
        raise AskingError(f"format: one of {', '.join(audit_page.FORMATS)} is expected")
    rows = await read(request, lambda connection: audit.read(connection, wanted, limit=MOST_EXPORTED))
    text = await compute(request, lambda: audit_page.FORMATS[form](rows[::-1]))
    who, store = identity(request), request.app[STORE]
    await compute(request, lambda: record(store, who, "audit_exported", "audit", request.remote, format=form))
    return web.Response(
        body=text.encode(),
        content_type=MEDIA[form],
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="barograph-audit.{form}"'},
    )


async def audit_log(request: web.Request) -> web.Response:
    """The page."""
    viewer = viewer_of(request)
    wanted = _filter(request, viewer.zone)
    rows, following = await _rows(request, wanted, ROWS)
    return html(audit_page.audit_page(rows, viewer, wanted, next_cursor=following, now=clock.now()))
