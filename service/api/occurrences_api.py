"""One occurrence in the API and as a page: its revisions; and how far providers' words run behind what we see."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from aiohttp import web

from dashboards import documents, pages, words
from incidents import instants, spoken_times
from incidents.provider_lag import LedgerRow, ProviderLedger
from incidents.receipts import receipt_of
from incidents.refusals import NotFoundError
from incidents.revisions import Backdating, Revision, sentence
from incidents.views import occurrence_view
from incidents.views.view import OccurrenceView
from service import clock
from service.asking import answer, read
from service.keys import CONFIG
from service.pages.people import html, viewer_of


async def _view(request: web.Request) -> OccurrenceView:
    name, config = request.match_info["occurrence"], request.app[CONFIG].now
    found = await read(request, lambda c: occurrence_view.read_occurrence(c, config, name))
    if found is None:
        raise NotFoundError(f"there is no occurrence {name[:80]}")
    return found


async def list_revisions(request: web.Request) -> web.Response:
    view = await _view(request)
    return answer(
        {
            "items": [_revision_json(one) for one in view.revisions],
            "next": None,
            "backdated": [_backdating_json(one) for one in view.backdated],
            "statements": len(view.statements),
            "left_out": view.left_out,
            "posts": [
                {"at": instants.text(post.at), "text": words.clean(post.text), "times": times_json(view, post)}
                for post in view.occurrence.posts
            ],
        }
    )


def times_json(view: OccurrenceView, post: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # Post
    """The times in a post's text; `at` is null where the words leave it open, and `doubt` says why."""
    return [
        {
            "words": words.clean(time.words),
            "at": instants.text(time.at) if time.at else None,
            "until": instants.text(time.until) if time.until else None,
            "doubt": time.doubt,
        }
        for time in spoken_times.times_of(post, view.occurrence)
    ]


def _revision_json(one: Revision) -> dict[str, Any]:
    return {
        "subject": one.subject,
        "post_at": instants.text(one.post_at) if one.post_at else None,
        "recorded_at": instants.text(one.said.recorded_at),
        "said_at": instants.text(one.said.said_at),
        "was": words.clean(one.was),
        "now": words.clean(one.now),
        "diff": [{"kind": part.kind, "words": words.clean(part.words)} for part in one.parts],
        "event": one.said.id,
        "delivery": receipt_of(int(one.said.delivery)),
    }


def _backdating_json(one: Backdating) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "at": instants.text(one.at),
        "start": instants.text(one.start),
        "before": instants.text(one.before),
        "seconds": one.by.total_seconds(),
        "sentence": sentence(one),
        "event": one.said.id,
    }


async def occurrence(request: web.Request) -> web.Response:
    return html(pages.occurrence_page(await _view(request), viewer_of(request), now=clock.now()))


async def provider_lags(request: web.Request) -> web.Response:
    def query(connection: sa.Connection) -> tuple[tuple[ProviderLedger, ...], bool]:
        return occurrence_view.read_ledgers(connection)

    found, complete = await read(request, query)
    return answer({"items": [_ledger_json(one) for one in found], "next": None, "complete": complete})


def _ledger_json(one: ProviderLedger) -> dict[str, Any]:
    return {
        "provider": words.clean(one.provider),
        "n": len(one.rows),
        "medians": {name: {"seconds": seconds, "n": n} for name, (seconds, n) in one.medians.items()},
        "rows": [_row_json(row) for row in one.rows],
    }


def _row_json(row: LedgerRow) -> dict[str, Any]:
    return {
        "incident": row.incident.id,
        "incident_title": words.clean(row.incident.title),
        "occurrence": row.theirs.id,
        "title": words.clean(row.theirs.title),
        "state": row.state,
        "tier": row.tier,
        **documents.lag_fields(row.lag),
    }
