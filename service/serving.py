"""Serving: opens the store, migrates, loads the demo, listens, prints the sign-in link, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import sqlalchemy as sa
from aiohttp import http_parser, web, web_response

from incidents import audit, months
from incidents.configured import CONFIGURED
from incidents.rebuild import refill
from incidents.store import Store
from service import clock
from service.app import READ_CONNECTIONS, create_app
from service.durability import check_durability
from service.identity.sign_in import sign_in_link
from service.intake.shortcut import Shortcut
from service.keys import ACCESS
from service.log import set_up_log
from service.replay import Player, story_of
from service.settings import Settings, SettingsError, shown
from service.shell import SERVER

log = logging.getLogger(__name__)

DRAIN_SECONDS = 8.0
LINGER_SECONDS = 3.0
MOST_QUERY_SECONDS = 30
"""How long PostgreSQL works on one query of a page: who asks for more is told 503, others get the connection."""


def serve(settings: Settings, *, demo: bool) -> None:
    """Serve until SIGTERM or SIGINT."""
    set_up_log(settings.log_format)
    check_parser()
    # What is no HTTP is answered by aiohttp itself, before anything of ours could take the versions out.
    web_response.SERVER_SOFTWARE = SERVER  # type: ignore[attr-defined]  # a name that the module does not export
    # Folds hold the interpreter in long stretches; a short turn lets the loop answer between them.
    sys.setswitchinterval(0.001)
    url = settings.database_url
    if demo and not settings.names_a_database:
        url = f"sqlite:///{demo_file(settings)}"
    store = Store(url, readers=READ_CONNECTIONS, most_seconds=MOST_QUERY_SECONDS)
    store.migrate()
    months.make_ahead(store, clock.now())
    check_durability(store)
    if refill(store, clock.now()):
        log.info("the caches were rebuilt from the logs")
    told_of_start(store, settings)
    if demo:
        load_stories(store)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings, store, demo=demo))
    finally:
        store.close()


def check_parser() -> None:
    """Refuse to serve with aiohttp's parser in Python: both have read one request as two, and each in its own way."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise SettingsError(
            "aiohttp lacks its compiled parser: install its wheel, and unset AIOHTTP_NO_EXTENSIONS where that is set"
        )


def told_of_start(store: Store, settings: Settings) -> None:
    """Write the start into the audit log, and each setting that is not what it was at the last one."""
    now, values = clock.now(), {name: value for name, value, _ in shown(settings)}
    with store.writing() as connection:
        was = audit.last_settings(connection)
        for name in sorted(values):
            if was and was.get(name, values[name]) != values[name]:
                told = {"value": values[name], "former": was[name]}
                audit.append(connection, "setting_changed", by="system", of=name, now=now, **told)
        about = {"version": version("barograph"), "database": "SQLite" if store.is_sqlite else "PostgreSQL"}
        audit.append(connection, "started", by="system", of="service", now=now, **about, **values)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop's event loop where the extra of that name is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def demo_file(settings: Settings) -> str:
    """The demo's own database file; one whose "now" story has aged is put aside and begun afresh."""
    path = settings.data_dir / "demo.db"
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and _aged(path):
        for suffix in ("", "-wal", "-shm"):
            old = path.with_name(f"demo.db{suffix}")
            if old.exists():
                old.replace(path.with_name(f"demo.previous.db{suffix}"))
    return str(path)


def _aged(path: Path) -> bool:
    store = Store(f"sqlite:///{path}", readers=1)
    try:
        store.migrate()
        with store.reading() as connection:
            loaded = connection.execute(
                sa.select(sa.func.max(CONFIGURED.c.applied_at)).where(CONFIGURED.c.kind == "story")
            ).scalar()
        return bool(loaded and clock.now() - loaded > timedelta(hours=8))
    finally:
        store.close()


def load_stories(store: Store) -> None:
    """Play the shipped stories into a store that has not seen them."""
    with store.reading() as connection:
        known = set(connection.execute(sa.select(CONFIGURED.c.name).where(CONFIGURED.c.kind == "story")).scalars())
    now = clock.now()
    for file in sorted(files("service").joinpath("stories").iterdir(), key=lambda f: f.name):
        name = file.name.removesuffix(".json")
        if file.name.endswith(".json") and name not in known:
            Player(store).play(story_of(file.read_bytes(), name, now), now)
            log.info("story %s is loaded", name)


async def _serve(settings: Settings, store: Store, *, demo: bool) -> None:
    app = create_app(settings, store, demo=demo)
    # Bodies are inflated by us, after the key was checked. What a refused sender still sends is thrown away for some
    # seconds: closed at once, its connection would be reset before it reads our 401 or 413, and it would try for ever.
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        lingering_time=LINGER_SECONDS,
        keepalive_timeout=15,
        shutdown_timeout=DRAIN_SECONDS,
        handle_signals=False,
    )
    # Before the first answer: a SIGTERM that comes between listening and this would skip the draining.
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    # The address first: a start that fails for it must not have applied a configuration.
    listening = socket.create_server(
        (settings.host, settings.port), family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    )
    await runner.setup()
    assert runner.server
    runner.server.request_handler = Shortcut(app, runner.server.request_handler).answer
    await web.SockSite(runner, listening, backlog=1024).start()
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = settings.public_url or f"http://{'127.0.0.1' if settings.host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
    link = await asyncio.to_thread(sign_in_link, app[ACCESS], base)
    print(f"Barograph serves {base}\nSign in once with this link: {link}", flush=True)  # noqa: T201  # the command's result
    await ending.wait()
    log.info("draining")
    await runner.cleanup()
