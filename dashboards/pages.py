"""The pages: each function takes a frozen view and who looks, and returns a complete HTML document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from dashboards import excerpts, tracks, words
from dashboards.paper import render
from dashboards.paper import signed_in as _page
from dashboards.plates import Card
from dashboards.senders import troubles
from dashboards.strips import UNHEARD, is_unheard, unknown_words
from incidents import instants, revisions, spoken_times
from incidents.geography.sites import survey
from incidents.model import Incident, Moment, Site
from incidents.views.now_view import NowView
from incidents.views.source_view import QuarantineRow, SourceHealth, Spooled
from incidents.views.view import Hit, IncidentRow, OccurrenceView, Viewer

_NO_HITS: Mapping[str, Sequence[Hit]] = {}
_ZONE_BY = {
    "given": "given",
    "catalogue": "of the catalogue's place",
    "coordinates": "found from the coordinates",
    "default": "none was given or found",
}


def now_page(view: NowView, viewer: Viewer, *, strips: str, map_card: Card | None = None) -> str:
    """`strips` is SVG of our own making; it enters the page as it is, and so do the drawings of `map_card`."""
    # Those whose silence means something stand first, and of them who does not answer; else the order stays.
    order = sorted(view.sources, key=lambda source: (not _should_speak(source), not _is_troubled(source, view.now)))
    view = replace(view, sources=tuple(order))
    silent = [source for source in view.sources if tracks.is_silent(source, view.now)]
    expected = [source for source in view.sources if _should_speak(source)]
    answered = bool(expected) and not silent
    return _page(
        "now.html",
        viewer,
        view.now,
        view=view,
        strips=strips,
        map=map_card,
        calm=answered and not view.hazards and not view.providers,
        outside=f"{words.count(len(view.hazards), 'warning')} in force, "
        f"{words.count(len(view.providers), 'provider incident')}",
        silent=len(silent),
        own=sum(row.incident.id not in view.stories for row in view.open),
        expected=len(expected),
        today=f"{words.wall(view.now, view.zone):%a} {words.instant_at(view.now, view.zone)} "
        f"{words.zone_letters(view.zone, view.now)}",
        reached=lambda incident: _reached(incident, view),
        should_speak=_should_speak,
        gap_now=lambda source: tracks.gap_now(source, view.now),
        heard_at=tracks.heard_at,
        gap_boxes=lambda source: tracks.gap_boxes(source, view),
        hatch=tracks.hatch,
        is_unheard=is_unheard,
        unknown_words=unknown_words,
        unheard=UNHEARD,
        provider_silence=_silence("No provider reports trouble in regions we run in", view, answered=answered),
        hazard_silence=_silence("No warning in force", view, answered=answered),
    )


def _should_speak(source: SourceHealth) -> bool:
    return bool(source.every_seconds) or source.kind == "feed"


def _is_troubled(source: SourceHealth, now: datetime) -> bool:
    stale = source.feed is not None and source.feed.stale_since is not None
    return stale or tracks.is_silent(source, now) or tracks.gap_now(source, now) is not None


def incidents_page(
    rows: Sequence[IncidentRow],
    viewer: Viewer,
    *,
    filters: Mapping[str, str],
    next_cursor: str | None,
    now: datetime,
    hits: Mapping[str, Sequence[Hit]] = _NO_HITS,
) -> str:
    """`filters` are the query's own names (status, severity, site, from, to, q) as the reader gave them.

    `hits` are the places beyond title and id in which the words of `q` stand, by incident.
    """
    sought = filters.get("q", "")
    given = {name: value for name, value in filters.items() if value and name != "cursor"}
    return _page(
        "incidents.html",
        viewer,
        now,
        rows=rows,
        filters=filters,
        filtered=bool(given),
        now=now,
        hits=hits,
        marked=lambda text, most=160: excerpts.excerpt(words.plain(text), sought, most),
        next_href="/incidents?" + urlencode({**given, "cursor": next_cursor}) if next_cursor else None,
    )


def occurrence_page(view: OccurrenceView, viewer: Viewer, *, now: datetime) -> str:
    """One occurrence from its beginning: what it is, its posts, what was changed of them, every statement."""
    return _page(
        "occurrence.html",
        viewer,
        now,
        view=view,
        zone=viewer.zone,
        backdating=revisions.sentence,
        revised={one.post_at for one in view.revisions if one.post_at},
        replaced={(one.post_at, one.was) for one in view.revisions if one.post_at},
        clock_of=lambda text: words.instant_at(instants.parse(text) or now, viewer.zone),
        times_told=lambda post: spoken_times.told(spoken_times.times_of(post, view.occurrence), post.at, most=20),
        receipt=lambda said: next((one.trace.delivery for one in view.statements if one.said is said), ""),
    )


def sources_page(
    sources: Sequence[SourceHealth],
    quarantine: Sequence[QuarantineRow],
    adapters: Sequence[Mapping[str, Any]],
    viewer: Viewer,
    *,
    public_url: str,
    now: datetime | None = None,
    spooled: Spooled = Spooled(),  # noqa: B008  # frozen
) -> str:
    """`adapters` are rows as `barograph adapters --json` prints them."""
    looked_at = [(source, troubles(source, now) if now else []) for source in sources]
    return _page(
        "sources.html",
        viewer,
        now,
        spooled=spooled,
        sources=sources,
        groups=[
            ("troubled", [row for row in looked_at if row[1]]),
            ("well", [row for row in looked_at if not row[1]]),
        ],
        quarantine=quarantine,
        adapters=adapters,
        public_url=public_url,
        gap_words=tracks.gap_words,
        heard_at=tracks.heard_at,
    )


def sites_page(
    sites: Sequence[Site], viewer: Viewer, *, now: datetime | None = None, map_card: Card | None = None
) -> str:
    known = [survey(site) for site in sites]
    return _page("sites.html", viewer, now, known=known, map=map_card, coordinates=_coordinates, zone_by=_ZONE_BY)


def settings_page(settings: Sequence[tuple[str, object, str]], viewer: Viewer, *, now: datetime | None = None) -> str:
    """`settings` are name, value and where it came from; the caller leaves secrets out."""
    return _page("settings.html", viewer, now, settings=settings)


def sign_in_page(
    *,
    error: str | None = None,
    next: str = "/",  # noqa: A002  the form field's name
    provider: str | None = None,
    has_left: bool = False,
) -> str:
    """`next` is where to go afterwards; anything but a path of ours becomes "/".

    `provider` is the host of an identity provider; `has_left` says that a session of it was ended just now, here.
    """
    inside = next.startswith("/") and not next.startswith("//") and "\\" not in next
    return render(
        "sign_in.html",
        viewer=None,
        zone_now="",
        error=error,
        next=next if inside else "/",
        provider=provider,
        has_left=has_left,
    )


def sign_in_code_page(*, error: str | None = None) -> str:
    """The second half of a sign-in: a code."""
    return render("sign_in_code.html", viewer=None, zone_now="", error=error)


def error_page(status: int, title: str, detail: str, request_id: str | None, viewer: Viewer | None = None) -> str:
    """`detail` says what went wrong and what still works."""
    return render(
        "error.html",
        viewer=viewer,
        zone_now=viewer.zone if viewer else "",
        status=status,
        title=title,
        detail=detail,
        request_id=request_id,
    )


def _reached(incident: Incident, view: NowView) -> str:
    """The furthest status with its time: "mitigated 16:12", or what is missing."""
    for name in ("mitigated", "acknowledged"):
        known: Moment | None = getattr(incident, f"{name}_at")
        if known and incident.status in (name, "mitigated"):
            return f"{name} {words.moment(known, view.zone, beside=view.now)}"
    return "not acknowledged" if incident.status == "open" else incident.status


def _silence(what: str, view: NowView, *, answered: bool) -> str:
    """What an empty card says; calm is claimed only when every source answered."""
    if not view.sources:
        return "Nothing is asked yet: no source is connected."
    return f"{what}; all sources that should speak did." if answered else f"{what} that we know of."


def _coordinates(site: Site) -> str:
    north, east = ("N" if site.latitude >= 0 else "S"), ("E" if site.longitude >= 0 else "W")
    return f"{abs(site.latitude):.2f}° {north}, {abs(site.longitude):.2f}° {east}"
