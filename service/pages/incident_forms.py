"""The forms of an incident's page that change what is recorded: each appends, and goes back to the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from dashboards.lines_shown import local_input
from incidents import entries, incident_fold, instants, private_acts
from incidents.acts import Acting
from incidents.incident_fold import MILESTONES
from incidents.refusals import NotFoundError
from incidents.undoing import undo
from service.asking import AskingError, act
from service.pages.people import back, form_of, placed, shown_zone

MOST_NAMED = 100
"""Most services, and most responders, that a form names."""


async def milestone(request: web.Request) -> web.StreamResponse:
    """Set one milestone or take it out, with the reason."""
    name, zone, form = request.match_info["incident"], await shown_zone(request), await form_of(request)
    field = form.get("field", "")
    if field not in MILESTONES:
        raise AskingError("field: a milestone is expected")
    at = None if form.get("act") == "clear" else _stretch(form, "moment", zone)
    change = {field: at, **_reason(form)}
    await act(request, lambda acting: acting.patch(name, change))
    return back(name)


async def windows(request: web.Request) -> web.StreamResponse:
    """Add an impact window or take one out."""
    name, zone, form = request.match_info["incident"], await shown_zone(request), await form_of(request)
    added = None if "remove" in form else _stretch(form, "window", zone)

    def change(acting: Acting) -> None:
        now: list[Any] = [
            {"at": instants.text(one.at), "until": instants.text(one.until) if one.until else None}
            for one in acting.seen(name).impact_windows
        ]
        if added:
            now.append(added)
        else:
            del now[_place(form["remove"], len(now))]
        acting.patch(name, {"impact_windows": sorted(now, key=lambda one: str(one["at"])), **_reason(form)})

    await act(request, change)
    return back(name)


def _place(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text[:9]) >= most:
        raise AskingError("remove: there is no such window any more; open the page again")
    return int(text[:9])


def _stretch(form: Mapping[str, str], name: str, zone: str) -> dict[str, Any]:
    """The ends that a form gives as `NAME_at` and `NAME_until`. Raises AskingError."""
    given = placed(form, zone)
    if f"{name}_at" not in given:
        raise AskingError(f"{name}_at: a time is expected")
    return {"at": given[f"{name}_at"], "until": given.get(f"{name}_until")}


def _reason(form: Mapping[str, str]) -> dict[str, str]:
    reason = form.get("reason", "").strip()
    return {"reason": reason} if reason else {}


async def patch(request: web.Request) -> web.StreamResponse:
    """Change title, severity, owner, responders and services, as they were seen; an empty owner is nobody."""
    name, form = request.match_info["incident"], await form_of(request)
    version = form.pop("version", "")
    change: dict[str, Any] = {field: form[field] for field in ("title", "severity", "owner") if field in form}
    for field in ("services", "responders"):
        if field in form:
            named = (one.strip() for one in form[field].split(","))
            change[field] = list(dict.fromkeys(one for one in named if one))[:MOST_NAMED]

    def deed(acting: Acting) -> None:
        acting.seen(name, expected=int(version[:18]) if version.isdecimal() else None)
        acting.patch(name, change | _reason(form))

    await act(request, deed)
    return back(name)


async def privacy(request: web.Request) -> web.StreamResponse:
    """Make the incident private to those who are named, or public again."""
    name, form = request.match_info["incident"], await form_of(request)
    named = [one.strip() for one in form.get("seen_by", "").split(",") if one.strip()]
    change = {"private": form.get("private") == "yes", "seen_by": named, **_reason(form)}
    await act(request, lambda acting: private_acts.change(acting, name, change))
    return back(name)


async def note(request: web.Request) -> web.StreamResponse:
    """Add an entry at its time, and go to it."""
    name, zone = request.match_info["incident"], await shown_zone(request)
    fields = placed(await form_of(request), zone)
    number = await act(request, lambda acting: acting.note(name, fields))
    return back(name, f"?line=e{number}#e{number}")


async def correct(request: web.Request) -> web.StreamResponse:
    """Correct what a form changed of an entry: words, time, pin. A form that changes nothing appends nothing."""
    name, number = request.match_info["incident"], int(request.match_info["entry"])
    zone, form = await shown_zone(request), await form_of(request)

    def deed(acting: Acting) -> None:
        log = entries.decisions(acting.connection, [name])[name]
        now = incident_fold.standing(log).get(number)
        if now is None:
            raise NotFoundError(f"the incident has no entry {number} that holds")
        change: dict[str, Any] = {}
        words = form.get("text", "").replace("\r\n", "\n")
        if words and words != now.params.get("note" if now.kind == "status_changed" else "text"):
            change["text"] = words
        if form.get("pinned") and (form["pinned"] == "yes") != bool(now.params.get("pinned")):
            change["pinned"] = form["pinned"] == "yes"
        if _is_moved(form, now.happened_at, "happened_at", zone) or _is_moved(
            form, now.happened_until, "happened_until", zone
        ):
            moved = placed(form, zone)
            change |= {end: moved[end] for end in ("happened_at", "happened_until") if end in moved}
        if change:
            acting.correct(name, number, change)

    await act(request, deed)
    return back(name, f"?line=e{number}#e{number}")


def _is_moved(form: Mapping[str, str], was: Any, name: str, zone: str) -> bool:  # noqa: ANN401  # datetime or None
    """Whether a field that shows whole seconds says something else than it was filled with."""
    if name not in form:
        return False
    shown = local_input(was, zone)
    return form[name] not in (shown, shown.removesuffix(":00"))


async def undone(request: web.Request) -> web.StreamResponse:
    """Undo the act to which an entry belongs."""
    name, form = request.match_info["incident"], await form_of(request)
    number = form.get("entry", "")
    if not (number.isascii() and number.isdecimal()) or len(number) > 18:
        raise AskingError("entry: the number of an entry is expected")

    def deed(acting: Acting) -> str:
        undo(acting, name, int(number))
        # What was split off is merged back where it came from: there the reader goes on.
        return acting.seen(name).merged_into or name

    return back(await act(request, deed))
