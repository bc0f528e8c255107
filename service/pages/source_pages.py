"""The pages of sources: their health, connecting one, testing it, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlencode

import sqlalchemy as sa
from aiohttp import web

from dashboards import pages
from dashboards import senders as sender_pages
from incidents import audit, deliveries, redaction
from incidents.adapters import adapters, listing
from incidents.config import ConfigError, source_of, spec_of
from incidents.configured import owners, put
from incidents.deliveries import STAMP, inflate_some
from incidents.feeds.silence import source_gaps
from incidents.model import Source
from incidents.proofs.signatures import secrets_in
from incidents.proofs.verification import SCHEMES, scheme_of
from incidents.receipts import delivery_id_of, receipt_of
from incidents.refusals import ConflictError, NotFoundError
from incidents.samples import sample_of
from incidents.views import lists, overview, senders
from incidents.views.source_view import Payload, SourceHealth, Spooled, Trial
from service import clock
from service.api.deliveries_api import queue_reread, read_delivery, receipt_number
from service.api.incidents_api import public_url
from service.asking import AskingError, compute, cursor_of, cursor_text, identity, read
from service.intake import trials
from service.keys import ACCESS, CONFIG, SETTINGS, SPOOL, STORE, WORKER
from service.pages import shown_once
from service.pages.people import form_of, html, viewer_of
from service.schedule import reload_now
from service.seal import keep, secret_key

PER_PAGE = 20
"""Quarantined deliveries on one page."""
SHOWN_IN_LIST, SHOWN, SHOWN_MORE = 2_000, 20_000, 256 * 1024
"""Characters of a payload in a list, on its own page, and there when more is asked for."""
NO_KEY = ("secret", "key", "key_file", "secret_file")


async def sources(request: web.Request) -> web.Response:
    viewer, found = viewer_of(request), await _health(request)
    rows = await read(
        request, lambda c: lists.list_deliveries(c, state="quarantined", source=None, before=None, limit=50)
    )
    return html(
        pages.sources_page(
            found,
            lists.quarantine_rows(rows),
            listing(),
            viewer,
            public_url=public_url(request),
            now=clock.now(),
            spooled=spool.depth() if (spool := request.app[SPOOL]) else Spooled(),
        )
    )


async def _health(request: web.Request) -> tuple[SourceHealth, ...]:
    config, at = request.app[CONFIG].now, clock.now()

    def query(connection: sa.Connection) -> tuple[SourceHealth, ...]:
        return overview.source_health(
            connection, config, at, source_gaps(connection, config, at - timedelta(days=1), at)
        )

    return await read(request, query)


def _known(request: web.Request) -> Source:
    """The source in the address. Raises NotFoundError."""
    name = request.match_info["source"]
    found = request.app[CONFIG].now.source(name)
    if found is None:
        raise NotFoundError(f"there is no source {name[:80]}")
    return found


# --- one source -----------------------------------------------------------------------------------------------------


async def source(request: web.Request) -> web.Response:
    """A source's page; with its new key in full, once, where this browser has just made one."""
    name, may = request.match_info["source"], viewer_of(request).role == "admin"
    key = shown_once.handed_over(request, name) if may else None
    answer = html(await _source_html(request, name, key))
    if shown_once.COOKIE in request.cookies:
        shown_once.forget(answer, shown_once.path_of(name))
    return answer


def _to_source(name: str) -> web.Response:
    return web.Response(status=303, headers={"Location": f"/sources/{name}"})


async def _source_html(request: web.Request, name: str, key: str | None) -> str:
    found = next((s for s in await _health(request) if s.name == name), None)
    if found is None:
        raise NotFoundError(f"there is no source {name[:80]}")
    state = await read(request, lambda c: senders.sender_state(c, name))
    adapter = adapters().get(found.adapter)
    return sender_pages.source_page(
        found,
        adapter.setup if adapter else None,
        state,
        viewer_of(request),
        public_url(request),
        now=clock.now(),
        title=adapter.title if adapter else None,
        key=key,
        verifies=_verifies(request, name),
        secrets=len(request.app[ACCESS].secrets_of(name)),
        trial=await _trial(request, name),
        has_sample=sample_of(found.adapter) is not None,
    )


def _verifies(request: web.Request, name: str) -> str | None:
    """By what the source's deliveries may prove who sent them, in words, beside its key; None where by nothing."""
    configured = request.app[CONFIG].now.source(name)
    adapter = adapters().get(configured.adapter) if configured else None
    if configured is None or scheme_of(configured, adapter) is None:
        return None
    return configured.verify or (adapter.verifies if adapter else None)


async def _trial(request: web.Request, name: str) -> Trial | None:
    """The test that the address tells of: `test_source` leads here with how it was answered.

    An address may be anybody's: that a test was taken is believed only of one that is found.
    """
    query = request.query
    if "answered" not in query:
        return None
    status, took = (int(n) if (n := query.get(k, "")).isdecimal() and len(n) < 7 else 0 for k in ("answered", "took"))
    number = delivery_id_of(query.get("tested", ""))
    if number is None:
        return None if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES else Trial(status, took)
    return await read(request, lambda c: senders.trial(c, number, name, status=status, took_ms=took))


async def test_source(request: web.Request) -> web.Response:
    """Send the adapter's sample through the real path and go back to the page, which tells how it went."""
    await form_of(request)
    tested = _known(request)
    sample = sample_of(tested.adapter)
    if sample is None:
        raise NotFoundError(f"there is no sample of {tested.adapter}")
    sent = await trials.send(request, tested.name, sample)
    told = urlencode({"tested": sent.receipt, "answered": sent.status, "took": sent.took_ms})
    return web.Response(status=303, headers={"Location": f"/sources/{tested.name}?{told}#test"})


async def keep_secrets(request: web.Request) -> web.Response:
    """Put these signature secrets in the place of those that a source of the pages has."""
    given = secrets_in((await form_of(request)).get("secret", ""))
    name = _known(request).name
    owner = await read(request, lambda c: owners(c).get(("source", name)))
    if owner != "page":
        raise ConflictError(f"the secrets of {name} are the configuration file's; change them there")
    await compute(request, lambda: request.app[ACCESS].keep_secrets(name, given, by=identity(request).actor))
    return _to_source(name)


async def create_key(request: web.Request) -> web.Response:
    """Make another key for a source; its page shows it once."""
    await form_of(request)
    name = _known(request).name
    key, _ = await compute(
        request,
        lambda: request.app[ACCESS].make("ingest", role="ingest", name=name, source=name, by=identity(request).actor),
    )
    answer = _to_source(name)
    shown_once.hand_over(request, answer, name, key)
    return answer


# --- a new source ---------------------------------------------------------------------------------------------------


async def new_source(request: web.Request) -> web.Response:
    return html(_new_source_html(request, request.query.get("adapter", "")))


def _new_source_html(
    request: web.Request, chosen: str, fields: Mapping[str, str] | None = None, error: str = ""
) -> str:
    return sender_pages.new_source_page(
        listing(),
        viewer_of(request),
        now=clock.now(),
        chosen=chosen,
        fields=fields,
        q=request.query.get("q", "")[:80],
        error=error,
        schemes=tuple(SCHEMES),
    )


async def create_source(request: web.Request) -> web.Response:
    """Make a source of the pages' own, a sender's with its first key, and go to its page, which shows what to paste."""
    fields = {k: v.strip() for k, v in (await form_of(request)).items() if v.strip()}
    secret = fields.pop("secret", None)

    try:
        name, key = await compute(request, lambda: _make(request, fields, secret))
    except ConfigError as error:
        return html(_new_source_html(request, fields.get("adapter", ""), fields, str(error)), 400)
    await compute(request, lambda: reload_now(request.app))
    answer = _to_source(name)
    if key is not None:
        shown_once.hand_over(request, answer, name, key)
    return answer


def _make(request: web.Request, fields: Mapping[str, str], secret: str | None) -> tuple[str, str | None]:
    """Write the source, its secret and its key; its name and the key, which a feed has not. Raises ConfigError."""
    if unknown := set(fields) & set(NO_KEY):
        raise ConfigError(f"{min(unknown)}: is not given here")
    made = source_of(fields, adapters(), "source")
    # A form that is sent twice, by a second press of the button, makes another key; the page shows the last.
    known, by = request.app[CONFIG].now.source(made.name), identity(request).actor
    with request.app[STORE].writing() as connection:
        owner = owners(connection, retired=True).get(("source", made.name))
        if owner is None:
            put(connection, ("source", made.name), spec_of(made), owner="page", now=clock.now(), position=1000)
            audit.append(connection, "configured", by=by, of=f"source {made.name}", now=clock.now(), step="added")
        elif owner != "page" or known is None or known.adapter != made.adapter:
            raise ConfigError(f"a source called {made.name} exists or existed; choose another name")
        if given := secrets_in(secret or ""):
            keep(connection, secret_key(request.app[SETTINGS]), made.name, given)
            audit.append(connection, "secrets_kept", by=by, of=made.name, now=clock.now(), count=len(given))
    request.app[ACCESS].refresh()
    if adapters()[made.adapter].kind == "feed":
        return made.name, None  # nobody sends for a feed
    return made.name, request.app[ACCESS].make("ingest", role="ingest", name=made.name, source=made.name, by=by)[0]


# --- deliveries -----------------------------------------------------------------------------------------------------


async def quarantine(request: web.Request) -> web.Response:
    """What could not be read, with what it holds."""
    if request.query.get("state", "quarantined") != "quarantined":
        raise AskingError("state: quarantined is the one list that there is a page of")
    name, cursor = request.query.get("source", ""), cursor_of(request, int)
    if name and request.app[CONFIG].now.source(name) is None:
        raise NotFoundError(f"there is no source {name[:80]}")

    def query(connection: sa.Connection) -> tuple[list[Payload], int]:
        found = senders.quarantined(
            connection,
            source=name or None,
            before=cursor[0] if cursor else None,
            limit=PER_PAGE + 1,
            shown=SHOWN_IN_LIST,
        )
        return found, senders.count_quarantined(connection, name or None)

    found, total = await read(request, query)
    last = delivery_id_of(found[PER_PAGE - 1].row.receipt) if len(found) > PER_PAGE else None
    page = sender_pages.deliveries_page(
        found[:PER_PAGE],
        viewer_of(request),
        now=clock.now(),
        source=name,
        total=total,
        next_cursor=cursor_text(last) if last else None,
    )
    return html(page)


async def delivery(request: web.Request) -> web.Response:
    number = receipt_number(request)
    found = await read(request, lambda c: read_delivery(c, number))
    if found is None:
        raise NotFoundError("there is no delivery with this receipt")
    row = found.row
    more = request.query.get("payload") == "more"
    limit = SHOWN_MORE if more else SHOWN

    def shown() -> tuple[str, bool] | None:
        if found.is_partial:
            return None
        body = inflate_some(row.body, row.encoding, deliveries.BODY_BOUND)
        return redaction.body(body.decode("utf-8", "replace"), limit)

    page = sender_pages.delivery_page(
        {**found.fields, "received_at": row.received_at},
        found.said,
        redaction.values_of(row.headers),
        await compute(request, shown),
        viewer_of(request),
        now=clock.now(),
        whole=more,
    )
    return html(page)


async def reread_form(request: web.Request) -> web.StreamResponse:
    """Read one delivery again, and go to its page once that is done."""
    await form_of(request)
    await queue_reread(request)
    number = receipt_number(request)
    await trials.until_read(request, receipt_of(number))
    return web.Response(status=303, headers={"Location": f"/deliveries/{request.match_info['receipt']}"})


async def reread_all(request: web.Request) -> web.StreamResponse:
    """Read all that is quarantined of a source again."""
    await form_of(request)
    name, store = _known(request).name, request.app[STORE]

    def queue() -> int | None:
        with store.writing() as connection:
            which = (STAMP.c.source == name) & (STAMP.c.state == "quarantined")
            deliveries.queue_again(connection, which)
            return connection.execute(sa.select(sa.func.max(STAMP.c.delivery_id)).where(which)).scalar()

    last = await compute(request, queue)
    request.app[WORKER].wake.set()
    if last is not None:
        await trials.until_read(request, receipt_of(last))
    query = urlencode({"state": "quarantined", "source": name})
    return web.Response(status=303, headers={"Location": f"/deliveries?{query}"})
