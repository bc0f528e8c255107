"""The application: everything is wired in `create_app`, each resource opened and closed in one place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import orjson
import sqlalchemy as sa
from aiohttp import web
from isal import isal_zlib
from sqlalchemy.exc import SQLAlchemyError

from incidents import configured
from incidents.config import Config
from incidents.deliveries import BODY_BOUND
from incidents.store import Store
from incidents.views.source_view import Spooled
from service import (
    clock,
    inbox,
    metrics,
    occurrences_api,
    openapi,
    people,
    polling,
    postmortem_pages,
    review_pages,
    schedule,
    source_pages,
)
from service.access import Access
from service.apply import apply
from service.asking import zones
from service.hub import Hub
from service.inbox import BODIES, Bodies
from service.keys import (
    ACCESS,
    CONFIG,
    DEMO,
    DURABILITY,
    HUB,
    KEY_CHECKS,
    READERS,
    SETTINGS,
    SPOOL,
    STORE,
    WORKER,
    WRITER,
    Configured,
)
from service.listener import Listener
from service.routes import ROUTES
from service.seal import secret_key
from service.settings import Settings
from service.shell import SERVER, shell
from service.spool import Spool
from service.spool_drain import SpoolDrain
from service.worker import Worker
from service.writer import Writer

log = logging.getLogger(__name__)

READER_THREADS = 4
READ_CONNECTIONS = READER_THREADS + 4
"""Those of the readers, and some for key checks, streams, reloads and readiness, which never wait for a reader's."""
ANSWER_SECONDS = 5.0
"""How long the database may take to answer before we say that we are not ready."""


def create_app(settings: Settings, store: Store, *, demo: bool = False) -> web.Application:
    """The service on one store, whose schema is up to date."""
    aiohttp.set_zlib_backend(isal_zlib)
    app = web.Application(middlewares=[shell], client_max_size=BODY_BOUND)
    app[SETTINGS], app[STORE], app[DEMO] = settings, store, demo
    app[READERS] = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="reader")
    # Of its own: a sender who waits behind somebody's exports until its key is checked would give up.
    app[KEY_CHECKS] = ThreadPoolExecutor(1, thread_name_prefix="key-check")
    app[BODIES] = Bodies()
    app[CONFIG] = Configured(Config())
    app[ACCESS] = Access(store, admin_token=settings.admin_token, secret_key=secret_key(settings))
    app.cleanup_ctx.extend([_configuration, _intake, polling.running, schedule.running])
    app.on_shutdown.append(_drain)
    app.on_response_prepare.append(_unnamed)
    _routes(app)
    return app


async def _configuration(app: web.Application) -> AsyncIterator[None]:
    """Apply the file and read what is in force."""
    store, settings = app[STORE], app[SETTINGS]

    def load() -> Config:
        with store.reading() as connection:
            return configured.load(connection)

    if settings.config:
        for step in await asyncio.to_thread(apply, store, settings.config, secret_key=secret_key(settings)):
            log.log(
                logging.WARNING if step.act in ("taken", "revoked") else logging.INFO,
                "%s: %s",
                settings.config,
                step.text,
            )
    app[CONFIG].now = await asyncio.to_thread(load)
    app[DURABILITY] = await asyncio.to_thread(store.durability)
    await asyncio.to_thread(app[ACCESS].refresh)
    await asyncio.to_thread(zones)
    yield


async def _intake(app: web.Application) -> AsyncIterator[None]:
    """The writer, the worker and the hub, in the order in which deliveries pass through them."""
    hub = app[HUB] = Hub(app[STORE])
    worker = app[WORKER] = Worker(app[STORE], lambda: app[CONFIG].now, lambda _: hub.notify())
    spool = app[SPOOL] = await asyncio.to_thread(_spool, app)
    writer = app[WRITER] = Writer(app[STORE], worker.wake, spool)
    drain = SpoolDrain(app[STORE], spool, worker.wake) if spool else None
    listener = None if app[STORE].is_sqlite else Listener(app[STORE].url, hub.notify)
    worker.start()
    if drain:
        drain.start()
    if listener:
        listener.start()
    async with asyncio.TaskGroup() as group:
        broadcasting = group.create_task(hub.run())
        yield
        await writer.close()
        if drain and spool:
            await asyncio.to_thread(drain.close)
            spool.close()
        await asyncio.to_thread(worker.close)
        if listener:
            await asyncio.to_thread(listener.close)
        broadcasting.cancel()
    app[READERS].shutdown()
    app[KEY_CHECKS].shutdown()


def _spool(app: web.Application) -> Spool | None:
    """Where deliveries are kept while the database is away; SQLite's is away only with the disk that this is on."""
    settings = app[SETTINGS]
    if app[STORE].is_sqlite or not settings.spool_mib:
        return None
    try:
        return Spool(settings.data_dir / "spool", most_bytes=settings.spool_mib << 20)
    except OSError as error:
        log.warning("nothing will be spooled while the database is away, senders will be told 503: %s", error)
        return None


async def _drain(app: web.Application) -> None:
    """Take nothing more and end every stream, so that the process can go."""
    app[WRITER].draining = True
    app[HUB].close()


async def _unnamed(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER


async def livez(_request: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Whether deliveries can be taken, with reasons that tell a stranger nothing of the database.

    While the spool takes them a process whose database is away is as ready as any: who left it out would lose them.
    """
    writer, worker, spool = request.app[WRITER], request.app[WORKER], request.app[SPOOL]
    reasons = [
        reason
        for reason in (
            "draining" if writer.draining else None,
            None if writer.is_alive or writer.draining else "the thread that writes deliveries has ended",
            None if worker.is_alive or writer.draining else "the thread that reads deliveries has ended",
            f"deliveries cannot be written: {writer.failing}" if writer.failing else None,
            "the spool is nearly full" if spool and not spool.has_room else None,
        )
        if reason
    ]
    unread = [f"deliveries cannot be read: {worker.failing}"] if worker.failing else []
    away: list[str] = []
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await asyncio.to_thread(_answers, request.app[STORE])
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        away = [*unread, f"the database does not answer: {type(error).__name__}"]
    else:
        (away if worker.is_away else reasons).extend(unread)
    is_ready = not reasons and (not away or spool is not None)
    held = spool.depth() if spool else Spooled()
    body = {
        "status": "not ready" if not is_ready else "spooling" if away or held.deliveries else "ready",
        "reasons": reasons + away,
        "durability": request.app[DURABILITY],
        "waiting": writer.waiting,
        "spool": {
            "deliveries": held.deliveries,
            "bytes": held.bytes,
            "age_seconds": round((clock.now() - held.since).total_seconds(), 1) if held.since else 0,
            "aside": held.aside,
        },
    }
    return web.json_response(body, status=200 if is_ready else 503)


def _answers(store: Store) -> None:
    with store.reading() as connection:
        connection.execute(sa.select(1))


async def openapi_document(_request: web.Request) -> web.Response:
    """The OpenAPI document."""
    return web.Response(body=orjson.dumps(openapi.document(ROUTES)), content_type="application/json")


def _routes(app: web.Application) -> None:
    router = app.router
    router.add_post("/in/{source}", inbox.post)
    router.add_post("/in/{source}/{key}", inbox.post)
    roles: dict[str, dict[str, str]] = {}
    for route in ROUTES:
        roles.setdefault(route.path, {})[route.method] = route.role
    for path, by_method in roles.items():
        resource = router.add_resource(f"/api/v1{path}")
        resource.least_role = by_method  # type: ignore[attr-defined]  # read by the shell
        for route in ROUTES:
            if route.path == path:
                resource.add_route(route.method, route.handler)
    router.add_get("/api/v1/openapi.json", openapi_document)
    router.add_get("/livez", livez)
    router.add_get("/readyz", readyz)
    router.add_get("/metrics", metrics.metrics)
    _page_routes(app)


def _page_routes(app: web.Application) -> None:
    router = app.router
    for path, page in (
        ("/", people.now),
        ("/incidents", people.incidents),
        ("/incidents/{incident}", people.incident),
        ("/incidents/{incident}/postmortem", postmortem_pages.show),
        ("/compare", review_pages.compare_page),
        ("/review", review_pages.review_page),
        ("/sources", source_pages.sources),
        ("/sources/new", source_pages.new_source),
        ("/deliveries", source_pages.quarantine),
        ("/deliveries/{receipt}", source_pages.delivery),
        ("/sources/{source}", source_pages.source),
        ("/occurrences/{occurrence}", occurrences_api.occurrence),
        ("/sites", people.sites),
        ("/settings", people.settings),
        ("/sign-in", people.sign_in),
        ("/static/{name:.+}", people.static),
    ):
        router.add_get(path, page)
    for path, form, role in (
        ("/incidents", people.open_form, "responder"),
        ("/incidents/{incident}/status", people.status_form, "responder"),
        ("/incidents/{incident}/entries", people.entry_form, "responder"),
        (r"/incidents/{incident}/entries/{entry:\d{1,18}}/correct", people.correct_form, "responder"),
        (r"/incidents/{incident}/entries/{entry:\d{1,18}}/retract", people.retract_form, "responder"),
        ("/incidents/{incident}/links/{link}/verdict", people.verdict_form, "responder"),
        ("/incidents/{incident}/patch", people.patch_form, "responder"),
        ("/incidents/{incident}/postmortem", postmortem_pages.save_form, "responder"),
        ("/incidents/{incident}/postmortem/state", postmortem_pages.state_form, "responder"),
        ("/sources", source_pages.create_source, "admin"),
        ("/sources/{source}/key", source_pages.create_key, "admin"),
        ("/sources/{source}/secrets", source_pages.keep_secrets, "admin"),
        ("/sources/{source}/test", source_pages.test_source, "admin"),
        ("/sources/{source}/reread", source_pages.reread_all, "admin"),
        ("/deliveries/{receipt}/reread", source_pages.reread_form, "admin"),
        ("/zone", people.zone_form, "viewer"),
        ("/theme", people.theme_form, "viewer"),
        ("/sign-in", people.sign_in_form, "viewer"),
        ("/sign-out", people.sign_out, "viewer"),
    ):
        route = router.add_post(path, form)
        assert route.resource
        least = getattr(route.resource, "least_role", {})
        route.resource.least_role = {**least, "POST": role}  # type: ignore[attr-defined]  # read by the shell
