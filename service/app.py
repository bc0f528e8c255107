"""The application: everything is wired in `create_app`, each resource opened and closed in one place."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import aiohttp
import orjson
from aiohttp import web
from isal import isal_zlib

from incidents import configured
from incidents.config import Config
from incidents.deliveries import BODY_BOUND
from incidents.store import Store
from service import metrics, schedule
from service.api import (
    audit_api,
    exports_api,
    grafana,
    jobs_api,
    notices_api,
    occurrences_api,
    openapi,
    reports_api,
    transcripts_api,
)
from service.api.routes import ROUTES
from service.apply import apply
from service.asking import zones
from service.auditing import AUDITING, Auditing
from service.files import jobs
from service.hub import Hub
from service.identity import identity_provider, sign_in, sign_in_answers, sign_in_code
from service.identity.access import Access
from service.identity.guesses import SharedGuesses
from service.identity.passwords import PASSWORDS, Passwords
from service.identity.throttle import Rates
from service.instruments import Instruments
from service.intake import inbox
from service.intake.inbox import BODIES, Bodies
from service.intake.spool import Spool
from service.intake.spool_drain import SpoolDrain
from service.intake.worker import Worker
from service.intake.writer import Writer
from service.keys import (
    ACCESS,
    CONFIG,
    DEMO,
    HUB,
    INSTRUMENTS,
    KEY_CHECKS,
    RATES,
    READERS,
    SETTINGS,
    SPOOL,
    STANDBY,
    STORE,
    TRACING,
    WORKER,
    WRITER,
    Configured,
)
from service.listener import Listener
from service.outside import polling, recovering, sending
from service.pages import (
    access_pages,
    factor_pages,
    incident_forms,
    people,
    postmortem_pages,
    regrouping,
    review_pages,
    saved_views,
    sharing,
    source_pages,
)
from service.readiness import READINESS, Readiness, readyz
from service.seal import secret_key
from service.settings import Settings
from service.shell import SERVER, shell
from service.standby import Standby
from service.tracing import tracing_of

log = logging.getLogger(__name__)

ADMIN_PAGES = ("/access", "/audit")
READER_THREADS = 4
READ_CONNECTIONS = READER_THREADS + 4
"""Those of the readers, and some for key checks, streams, reloads and readiness, which never wait for a reader's."""


def create_app(settings: Settings, store: Store, *, demo: bool = False) -> web.Application:
    """The service on one store, whose schema is up to date."""
    aiohttp.set_zlib_backend(isal_zlib)
    app = web.Application(middlewares=[shell], client_max_size=BODY_BOUND)
    app[SETTINGS], app[STORE], app[DEMO] = settings, store, demo
    app[READERS] = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="reader")
    # Of its own: a sender who waits behind somebody's exports until its key is checked would give up.
    app[KEY_CHECKS] = ThreadPoolExecutor(1, thread_name_prefix="key-check")
    app[BODIES] = Bodies()
    app[AUDITING] = Auditing(store)
    app[sharing.DRAWN] = OrderedDict()
    app[CONFIG] = Configured(Config())
    app[ACCESS] = Access(
        store,
        admin_token=settings.admin_token,
        secret_key=secret_key(settings),
        lasts=timedelta(hours=settings.session_hours),
        idle=timedelta(hours=settings.session_idle_hours),
        factor_from=settings.second_factor_from,
    )
    app[TRACING] = tracing_of(settings.otlp_endpoint)
    app[STANDBY] = _standby(settings, store)
    app[ACCESS].standby = app[STANDBY]
    app[RATES], app[sign_in_answers.GUESSES], app[PASSWORDS] = (
        Rates(settings.requests_per_minute),
        SharedGuesses(store),
        Passwords(),
    )
    app.cleanup_ctx.extend(
        [
            _tracing,
            _reading,
            _configuration,
            _intake,
            jobs.running,
            identity_provider.running,
            polling.running,
            recovering.running,
            sending.running,
            schedule.running,
        ]
    )
    app.on_shutdown.append(_drain)
    app.on_response_prepare.append(_unnamed)
    _routes(app)
    return app


def _standby(settings: Settings, store: Store) -> Standby | None:
    url = settings.read_database_url
    return (
        Standby(store, Store(url, readers=READ_CONNECTIONS, most_seconds=store.most_seconds))
        if url and not store.is_sqlite
        else None
    )


async def _tracing(app: web.Application) -> AsyncIterator[None]:
    """Traces end last: what ends before them is in them."""
    yield
    await asyncio.to_thread(app[TRACING].close)


async def _reading(app: web.Application) -> AsyncIterator[None]:
    """The standby, where there is one; a process starts without it as well."""
    standby = app[STANDBY]
    if standby:
        await asyncio.to_thread(standby.start)
    yield
    if standby:
        await asyncio.to_thread(standby.close)


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
    await asyncio.to_thread(app[ACCESS].refresh)
    await asyncio.to_thread(zones)
    yield


async def _intake(app: web.Application) -> AsyncIterator[None]:
    """The writer, the worker and the hub, in the order in which deliveries pass through them."""
    hub = app[HUB] = Hub(app[STORE], app[STANDBY])
    instruments = app[INSTRUMENTS] = Instruments()
    worker = app[WORKER] = Worker(
        app[STORE], lambda: app[CONFIG].now, lambda _: hub.notify(), instruments, app[TRACING]
    )
    spool = app[SPOOL] = await asyncio.to_thread(_spool, app)
    writer = app[WRITER] = Writer(app[STORE], worker.wake, spool, instruments, app[TRACING])
    drain = SpoolDrain(app[STORE], spool, worker.wake) if spool else None
    readiness = app[READINESS] = Readiness(app[SETTINGS], app[STORE], writer, worker, spool, app[STANDBY])
    listener = None if app[STORE].is_sqlite else Listener(app[STORE].url, hub.notify)
    worker.start()
    if drain:
        drain.start()
    if listener:
        listener.start()
    await readiness.checks()  # so that who asks while the database is away is told how it was
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
    readiness.close()
    app[READERS].shutdown()
    app[PASSWORDS].close()
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
        ("/incidents/{incident}/export", exports_api.export_form),
        ("/incidents/{incident}/import", transcripts_api.show),
        ("/incidents/{incident}/regroup", regrouping.show),
        ("/incidents/{incident}/share", sharing.show),
        ("/incidents/{incident}/embed", grafana.embed),
        ("/shared/{incident}/{proof}", sharing.shared),
        ("/shared/{incident}/{proof}/picture.png", sharing.picture),
        ("/compare", review_pages.compare_page),
        ("/review", review_pages.review_page),
        ("/report", reports_api.report_page),
        ("/report/file", reports_api.report_form),
        ("/sources", source_pages.sources),
        ("/sources/new", source_pages.new_source),
        ("/deliveries", source_pages.quarantine),
        ("/deliveries/{receipt}", source_pages.delivery),
        ("/sources/{source}", source_pages.source),
        ("/occurrences/{occurrence}", occurrences_api.occurrence),
        ("/sites", people.sites),
        ("/settings", people.settings),
        ("/destinations", notices_api.destinations),
        ("/audit", audit_api.audit_log),
        ("/views", saved_views.show),
        ("/jobs/{job}", jobs_api.job),
        ("/account", access_pages.account),
        ("/access", access_pages.everybody),
        ("/sign-in", sign_in.sign_in),
        (sign_in_code.PATH, sign_in_code.show),
        ("/sign-in/provider", sign_in.to_provider),
        ("/sign-in/provider/leave", sign_in.leave_provider),
        (identity_provider.CALLBACK, sign_in.from_provider),
        ("/static/{name:.+}", people.static),
    ):
        resource = router.add_get(path, page).resource
        if path in ADMIN_PAGES:
            resource.least_role = {"GET": "admin", "HEAD": "admin"}  # type: ignore[union-attr]  # read by the shell
    for path, form, role in (
        ("/incidents", people.open_form, "responder"),
        ("/incidents/{incident}/status", people.status_form, "responder"),
        ("/incidents/{incident}/privacy", incident_forms.privacy, "responder"),
        ("/incidents/{incident}/milestone", incident_forms.milestone, "responder"),
        ("/incidents/{incident}/windows", incident_forms.windows, "responder"),
        ("/incidents/{incident}/undo", incident_forms.undone, "responder"),
        ("/incidents/{incident}/entries", incident_forms.note, "responder"),
        (r"/incidents/{incident}/entries/{entry:\d{1,18}}/correct", incident_forms.correct, "responder"),
        ("/incidents/{incident}/import", transcripts_api.form, "responder"),
        ("/incidents/{incident}/share", sharing.make_form, "responder"),
        ("/incidents/{incident}/share/{share}/revoke", sharing.revoke_form, "responder"),
        (r"/incidents/{incident}/entries/{entry:\d{1,18}}/retract", people.retract_form, "responder"),
        ("/incidents/{incident}/links/{link}/verdict", people.verdict_form, "responder"),
        ("/incidents/{incident}/patch", incident_forms.patch, "responder"),
        ("/incidents/{incident}/occurrences", regrouping.regroup, "responder"),
        ("/incidents/{incident}/merge", regrouping.merge, "responder"),
        ("/incidents/{incident}/postmortem", postmortem_pages.save_form, "responder"),
        ("/incidents/{incident}/postmortem/state", postmortem_pages.state_form, "responder"),
        ("/incidents/{incident}/postmortem/template", postmortem_pages.begin_form, "responder"),
        ("/sources", source_pages.create_source, "admin"),
        ("/sources/{source}/key", source_pages.create_key, "admin"),
        ("/sources/{source}/secrets", source_pages.keep_secrets, "admin"),
        ("/sources/{source}/test", source_pages.test_source, "admin"),
        ("/sources/{source}/reread", source_pages.reread_all, "admin"),
        ("/deliveries/{receipt}/reread", source_pages.reread_form, "admin"),
        ("/destinations/{destination}/test", notices_api.test_form, "admin"),
        ("/notices/{notice}/send", notices_api.send_form, "responder"),
        ("/views", saved_views.save_form, "viewer"),
        ("/views/{view}/remove", saved_views.remove_form, "viewer"),
        ("/views/{view}/back", saved_views.back_form, "viewer"),
        ("/jobs/{job}/cancel", jobs_api.cancel_form, "viewer"),
        ("/zone", people.zone_form, "viewer"),
        ("/theme", people.theme_form, "viewer"),
        ("/account/password", access_pages.set_own_password, "viewer"),
        ("/account/sessions/{session}/end", access_pages.end_own_session, "viewer"),
        ("/account/second-factor", factor_pages.begin, "viewer"),
        ("/account/second-factor/confirm", factor_pages.confirm, "viewer"),
        ("/account/second-factor/codes", factor_pages.new_codes, "viewer"),
        ("/account/second-factor/remove", factor_pages.remove, "viewer"),
        ("/access/accounts", access_pages.add_account, "admin"),
        (
            "/access/accounts/{account}/{what:role|disable|enable|link|second-factor}",
            access_pages.change_account,
            "admin",
        ),
        ("/access/sessions/{session}/end", access_pages.end_session, "admin"),
        ("/access/tokens", access_pages.make_token, "admin"),
        ("/access/keys/{credential}/replace", access_pages.replace_key, "admin"),
        ("/access/keys/{credential}/revoke", access_pages.revoke_key, "admin"),
        ("/sign-in", sign_in.sign_in_form, "viewer"),
        (sign_in_code.PATH, sign_in_code.code_form, "viewer"),
        ("/sign-out", sign_in.sign_out, "viewer"),
    ):
        route = router.add_post(path, form)
        assert route.resource
        least = getattr(route.resource, "least_role", {})
        route.resource.least_role = {**least, "POST": role}  # type: ignore[attr-defined]  # read by the shell
