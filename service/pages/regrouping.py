"""The page on which alerts and links are attached and detached, incidents split and merged, and its forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa
from aiohttp import web

from dashboards.regroup_page import regroup_page
from incidents import moves
from incidents.acts import Acting
from incidents.entries import OCCURRENCE
from incidents.refusals import NotFoundError
from incidents.tables import micros
from incidents.views.regroup_view import SHOWN, Wanted
from incidents.views.regrouping import MOST_MOVED, fitting, read_regrouping
from service import clock
from service.asking import AskingError, act, compute, cursor_of, cursor_text, read
from service.pages.people import back, form_of, html, shown_zone, viewer_of

LAST = micros(datetime.max.replace(tzinfo=UTC))
"""The last instant that there is."""
CHOSEN = "chosen:"
"""How the name of a box begins that stands before an occurrence; its id follows."""


async def show(request: web.Request) -> web.Response:
    """The page; `q`, `near` and `into` narrow its lists down, `chosen` has the ids whose boxes are marked.

    `cursor` names the last alert of the page before.
    """
    name, query, now = request.match_info["incident"], request.query, clock.now()
    after = cursor_of(request, int, str)
    if after and not 0 <= after[0] <= LAST:
        raise AskingError("cursor: is not one of this list")
    members, near, into = (query.get(field, "")[:200] for field in ("q", "near", "into"))
    wanted = Wanted(members, near, into, (after[0], after[1]) if after else None)
    found = await read(request, lambda c: read_regrouping(c, name, wanted, now))
    if found is None:
        raise NotFoundError(f"there is no incident {name[:80]}")
    viewer = replace(viewer_of(request), zone=await shown_zone(request))
    chosen = frozenset(query.get("chosen", "").split(","))
    last = found.members[SHOWN - 1] if len(found.members) > SHOWN else None
    following = cursor_text(micros(last.starts_at), last.id) if last else None
    return html(
        await compute(
            request,
            lambda: regroup_page(found, viewer, wanted=wanted, chosen=chosen, following=following, now=now),
        )
    )


async def regroup(request: web.Request) -> web.StreamResponse:
    """Attach, detach, or split off what was chosen; a split leads to the new incident."""
    name, form = request.match_info["incident"], await form_of(request)
    deed = form.get("act")
    if deed not in ("attach", "detach", "split"):
        raise AskingError("act: attach, detach or split is expected")

    def regrouped(acting: Acting) -> str:
        ids = _chosen(acting, name, form)
        reason = form.get("reason", "")
        if deed == "split":
            return moves.split(acting, name, ids, title=form.get("title", "").strip(), reason=reason).id
        if deed == "detach":
            moves.regroup(acting, name, [], ids, reason=reason)
        else:
            _attach(acting, name, ids, reason)
        return name

    return back(await act(request, regrouped))


def _chosen(acting: Acting, incident: str, form: Mapping[str, str]) -> list[str]:
    """The ids whose boxes are marked, or those of all alerts that have the words of the list. Raises AskingError."""
    ids = [field.removeprefix(CHOSEN) for field in form if field.startswith(CHOSEN)]
    if form.get("all") == "yes" and form.get("act") != "attach":
        ids = fitting(acting.connection, incident, form.get("q", ""))
    if not ids:
        raise AskingError("nothing was chosen: mark at least one")
    if len(ids) > MOST_MOVED:
        raise AskingError(f"more than {MOST_MOVED:,} alerts are not moved at once: narrow them down by their words")
    return ids


def _attach(acting: Acting, incident: str, ids: list[str], reason: str) -> None:
    """Let alerts join, and link the rest; what had been rejected is proposed again."""
    kinds = sa.select(OCCURRENCE.c.id, OCCURRENCE.c.kind).where(OCCURRENCE.c.id.in_(ids))
    kind_of = {row.id: row.kind for row in acting.connection.execute(kinds)}
    alerts = [one for one in ids if kind_of.get(one, "alert") == "alert"]
    if alerts:
        moves.regroup(acting, incident, alerts, [], reason=reason)
    note = {"note": reason.strip()} if reason.strip() else {}
    linked = {link.id for link in acting.seen(incident).links}
    for one in ids:
        if kind_of.get(one, "alert") == "alert":
            continue
        if one in linked:
            acting.judge(incident, one, {"verdict": "proposed", **note})
        else:
            acting.link(incident, {"occurrence": one, **note})


async def merge(request: web.Request) -> web.StreamResponse:
    """Merge into the chosen incident and go there; without one, take a merge apart."""
    name, form = request.match_info["incident"], await form_of(request)
    into = form.get("into", "")
    if form.get("act") == "unmerge":
        await act(request, lambda acting: moves.unmerge(acting, name))
        return back(name)
    if not into:
        raise AskingError("into: nothing was chosen: mark the incident to merge into")
    await act(request, lambda acting: moves.merge(acting, name, into, reason=form.get("reason", "")))
    return back(into)
