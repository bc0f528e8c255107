"""The pages of sources: their health, connecting one, its key shown once, and what each delivery said."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from aiohttp import web

from dashboards import pages
from incidents import overview
from incidents.acts import ConflictError, NotFoundError
from incidents.adapters import adapters, listing
from incidents.config import ConfigError, source_of, spec_of
from incidents.configured import owners, put
from incidents.signatures import secrets_in
from incidents.silence import source_gaps
from incidents.store import receipt_of
from incidents.verification import SCHEMES, scheme_of
from incidents.view import SourceHealth
from service import clock
from service.asking import compute, read
from service.deliveries_api import plain_body, queue_reread, read_delivery, receipt_number
from service.incidents_api import public_url
from service.keys import ACCESS, CONFIG, STORE
from service.people import form_of, html, viewer_of
from service.schedule import reload_now


async def sources(request: web.Request) -> web.Response:
    viewer, found = viewer_of(request), await _health(request)
    rows = await read(
        request, lambda c: overview.list_deliveries(c, state="quarantined", source=None, before=None, limit=50)
    )
    return html(
        pages.sources_page(
            found, overview.quarantine_rows(rows), listing(), viewer, public_url=public_url(request), now=clock.now()
        )
    )


async def _health(request: web.Request) -> tuple[SourceHealth, ...]:
    config, at = request.app[CONFIG].now, clock.now()

    def query(connection: sa.Connection) -> tuple[SourceHealth, ...]:
        return overview.source_health(
            connection, config, at, source_gaps(connection, config, at - timedelta(days=1), at)
        )

    return await read(request, query)


async def source(request: web.Request) -> web.Response:
    return html(await _source_html(request, request.match_info["source"], None))


async def _source_html(request: web.Request, name: str, key: str | None) -> str:
    viewer = viewer_of(request)
    found = next((s for s in await _health(request) if s.name == name), None)
    if found is None:
        raise NotFoundError(f"there is no source {name[:80]}")
    rows = await read(request, lambda c: overview.list_deliveries(c, state=None, source=name, before=None, limit=20))
    recent = [
        {
            "receipt": receipt_of(r.id),
            "received_at": r.received_at,
            "state": r.state or "unread",
            "size": r.size,
            "reason": r.reason,
        }
        for r in rows
    ]
    adapter = adapters().get(found.adapter)
    return pages.source_page(
        found,
        adapter.setup if adapter else None,
        recent,
        viewer,
        public_url(request),
        now=clock.now(),
        title=adapter.title if adapter else None,
        key=key,
        verifies=_verifies(request, name),
        secrets=len(request.app[ACCESS].secrets_of(name)),
    )


def _verifies(request: web.Request, name: str) -> str | None:
    """By what the source's deliveries may prove who sent them, in words, beside its key; None where by nothing."""
    configured = request.app[CONFIG].now.source(name)
    adapter = adapters().get(configured.adapter) if configured else None
    if configured is None or scheme_of(configured, adapter) is None:
        return None
    return configured.verify or (adapter.verifies if adapter else None)


async def new_source(request: web.Request) -> web.Response:
    return html(
        pages.new_source_page(
            listing(),
            viewer_of(request),
            now=clock.now(),
            chosen=request.query.get("adapter", ""),
            schemes=tuple(SCHEMES),
        )
    )


async def create_source(request: web.Request) -> web.Response:
    """Make a source of the pages' own with its first key, and show what to paste."""
    fields = {k: v.strip() for k, v in (await form_of(request)).items() if v.strip()}
    store, access = request.app[STORE], request.app[ACCESS]

    def make() -> tuple[str, str | None]:
        made = source_of(fields, adapters(), "source")
        # The page that shows the key is the answer to this form: sent again, by a reload, it makes another key.
        known = request.app[CONFIG].now.source(made.name)
        with store.writing() as connection:
            owner = owners(connection, retired=True).get(("source", made.name))
            if owner is None:
                put(connection, ("source", made.name), spec_of(made), owner="page", now=clock.now(), position=1000)
            elif owner != "page" or known is None or known.adapter != made.adapter:
                raise ConfigError(f"a source called {made.name} exists or existed; choose another name")
        if given := secrets_in(fields.get("secret", "")):
            access.keep_secrets(made.name, given)
        if adapters()[made.adapter].requests is not None:
            return made.name, None  # nobody sends for a feed
        return made.name, access.make("ingest", role="ingest", name=made.name, source=made.name)[0]

    try:
        name, key = await compute(request, make)
    except ConfigError as error:
        page = pages.new_source_page(
            listing(),
            viewer_of(request),
            now=clock.now(),
            chosen=fields.get("adapter", ""),
            name=fields.get("name", ""),
            error=str(error),
            schemes=tuple(SCHEMES),
        )
        return html(page, 400)
    await compute(request, lambda: reload_now(request.app))
    return html(await _source_html(request, name, key))


async def keep_secrets(request: web.Request) -> web.Response:
    """Put these signature secrets in the place of those that a source of the pages has."""
    given = secrets_in((await form_of(request)).get("secret", ""))
    name = request.match_info["source"]
    owner = await read(request, lambda c: owners(c).get(("source", name)))
    if owner is None:
        raise NotFoundError(f"there is no source {name[:80]}")
    if owner != "page":
        raise ConflictError(f"the secrets of {name[:80]} are the configuration file's; change them there")
    await compute(request, lambda: request.app[ACCESS].keep_secrets(name, given))
    return html(await _source_html(request, name, None))


async def create_key(request: web.Request) -> web.Response:
    """Make another key for a source; this answer is the one time that it is shown."""
    await form_of(request)
    name = request.match_info["source"]
    if request.app[CONFIG].now.source(name) is None:
        raise NotFoundError(f"there is no source {name[:80]}")
    key, _ = await compute(request, lambda: request.app[ACCESS].make("ingest", role="ingest", name=name, source=name))
    return html(await _source_html(request, name, key))


async def delivery(request: web.Request) -> web.Response:
    number = receipt_number(request)
    found = await read(request, lambda c: read_delivery(c, number))
    if found is None:
        raise NotFoundError("there is no delivery with this receipt")
    fields, said, row = found
    fields = {**fields, "received_at": row.received_at}
    viewer = viewer_of(request)
    body = plain_body(row.body, row.encoding) if viewer.role == "admin" else ""
    return html(pages.delivery_page(fields, said, row.headers, body, viewer, now=clock.now()))


async def reread_form(request: web.Request) -> web.StreamResponse:
    await form_of(request)
    await queue_reread(request)
    return web.Response(status=303, headers={"Location": f"/deliveries/{request.match_info['receipt']}"})
