"""Incidents seen together: the review as a page and as JSON, and a few of them side by side."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from dashboards import comparison as side_by_side
from dashboards import review as drawn
from incidents import clock_words, instants
from incidents.measurements import PAIRS
from incidents.refusals import NotFoundError
from incidents.views import cohort, comparison, durations, review
from incidents.views.cohort import Cohort
from incidents.views.durations import Length, Rate, Share
from incidents.views.review import ReviewAsked
from service import clock
from service.asking import AskingError, answer, choice_of, compute, instant_of, read, site_of, zone_of
from service.keys import CONFIG
from service.pages.people import html, viewer_of

MOST_COMPARED = 8


async def review_page(request: web.Request) -> web.Response:
    """The page; its days are those of the reader's zone."""
    viewer = viewer_of(request)
    seen = await read_cohort(request, viewer.zone)
    return html(await compute(request, lambda: drawn.review_page(seen, viewer)))


async def get_review(request: web.Request) -> web.Response:
    """The same numbers as JSON."""
    seen = await read_cohort(request)
    return answer(await compute(request, lambda: review_json(seen)))


async def read_cohort(request: web.Request, default_zone: str = "UTC") -> Cohort:
    """The incidents of the window, the site and the zone that a query asks for."""
    zone, now, config = zone_of(request) or default_zone, clock.now(), request.app[CONFIG].now
    since, until = _window(request, now, zone)
    asked = ReviewAsked(now=now, since=since, until=until, zone=zone, site=site_of(request))
    return await read(request, lambda connection: review.read_review(connection, config, asked))


def _window(request: web.Request, now: datetime, zone: str) -> tuple[datetime, datetime]:
    """From and to of the query; a `to` that is a day alone holds that day."""
    first, last = review.default_window(now, zone)
    since, until = instant_of(request, "from", zone), instant_of(request, "to", zone)
    if until is not None and _is_day(request.query["to"].strip()):
        wall = until.astimezone(ZoneInfo(zone)).replace(tzinfo=None) + timedelta(days=1)
        until = wall.replace(tzinfo=ZoneInfo(zone)).astimezone(now.tzinfo) - timedelta(microseconds=1)
    until = until or last
    since = since or min(first, until - timedelta(days=89))
    if since >= until:
        raise AskingError("from: lies after to")
    return since, until


def _is_day(text: str) -> bool:
    return len(text) == len("2026-03-01") and not clock_words.is_relative(text)


async def compare_page(request: web.Request) -> web.Response:
    """Two to eight incidents side by side; one alone is shown as well. 404 where none of them is known."""
    viewer, now = viewer_of(request), clock.now()
    asked_anchor = choice_of(request, "anchor", ("", *side_by_side.ANCHORS), "")
    asked = [name.strip() for given in request.query.getall("ids", []) for name in given.split(",")]
    names = list(dict.fromkeys(name for name in asked if name))
    if not names or len(names) > MOST_COMPARED:
        raise AskingError(f"ids: the ids of two to {MOST_COMPARED} incidents, separated by commas, are expected")
    views = await read(request, lambda connection: comparison.compare(connection, names, now))
    if not views:
        raise NotFoundError("none of these incidents is known")
    anchor = asked_anchor or side_by_side.best_anchor(views)
    unknown = [name for name in names if name not in {one.incident.id for one in views}]
    page = await compute(request, lambda: side_by_side.compare_page(views, unknown, viewer, anchor=anchor, now=now))
    return html(page)


def review_json(seen: Cohort) -> dict[str, Any]:
    """Everything that the page draws, in numbers. Lengths are in seconds."""
    nights = cohort.nights(seen.incidents, seen.sites)
    return {
        "from": instants.text(seen.since),
        "to": instants.text(seen.until),
        "zone": seen.zone,
        "site": seen.site.name if seen.site else None,
        "incidents": len(seen.incidents),
        "left_out": seen.left_out,
        "durations": {name: _durations(seen, name) for name, _, _ in PAIRS},
        "detection_gaps": [
            {"incident": gap.incident.id, "to_signal": gap.to_signal, "to_person": gap.to_person}
            for gap in cohort.detection_gaps(seen.incidents)
        ],
        "recurrences": [
            {"site": one.site or None, "alert": one.alert, "incidents": [i.id for i in one.incidents]}
            for one in cohort.recurrences(seen.members)
        ],
        "days": {str(day): n for day, n in sorted(cohort.by_day(seen.incidents, seen.zone).items())},
        "warned_days": [str(day) for day in sorted(seen.warned_days)],
        "hours": list(nights.by_hour),
        "night": _share(nights.night) if nights.night else None,
        "providers": [
            {
                "provider": ledger.provider,
                "rows": [
                    {
                        "incident": row.incident.id,
                        "occurrence": row.theirs.id,
                        "seconds": {m.name: m.seconds for m in row.lag.measurements},
                    }
                    for row in ledger.rows
                ],
            }
            for ledger in seen.ledgers
        ],
        "heat": _heat(seen),
        "thinned": {"until": instants.text(seen.thinned.until), "readings": seen.thinned.readings}
        if seen.thinned
        else None,
    }


def _durations(seen: Cohort, name: str) -> dict[str, Any]:
    timed = cohort.lengths(seen.members, name, seen.now)
    found = [one for _, one in timed]
    steps = durations.kaplan_meier(found)
    return {
        "n": len(found),
        "open": sum(one.is_open for one in found),
        "incidents": [{"incident": i.id, **_length(one)} for i, one in timed],
        "percentiles": [
            {"share": p.share, "seconds": p.seconds, "low": p.low, "high": p.high}
            for p in durations.percentiles_on(steps)
        ],
        "kaplan_meier": [
            {"seconds": s.seconds, "ended": s.ended, "low": s.low, "high": s.high, "at_risk": s.at_risk} for s in steps
        ],
    }


def _length(one: Length) -> dict[str, Any]:
    return {"seconds": one.seconds, "open": one.is_open}


def _share(one: Share) -> dict[str, Any]:
    return {"k": one.k, "n": one.n, "share": one.share, "low": one.low, "high": one.high}


def _rate(one: Rate) -> dict[str, Any]:
    return {
        "incidents": one.events,
        "hours": one.hours,
        "per_100_hours": one.per_100,
        "low": one.low,
        "high": one.high,
    }


def _heat(seen: Cohort) -> dict[str, Any] | None:
    if seen.heat is None:
        return None
    return {
        "hours": seen.heat.hours,
        "readings": seen.heat.readings,
        "incidents": seen.heat.incidents,
        "without_reading": seen.heat.without_reading,
        "bases": list(seen.heat.bases),
        "above": [{"temperature_c": row.above_c, **_rate(row.rate)} for row in seen.heat.rows],
    }
