"""What happens by the clock: APScheduler in memory on each process; a tick that several run does no harm twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from aiohttp import web
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from sqlalchemy.exc import SQLAlchemyError

from incidents import configured, months
from incidents.bulk import insert
from incidents.feeds.retention import keep_bounded
from incidents.proofs import repeats
from incidents.proofs.repeats import REFUSAL
from incidents.pulses import PULSE
from incidents.retention import Retention
from incidents.settling import settle_due
from incidents.store import Store
from service import clock
from service.auditing import AUDITING
from service.files import reports
from service.identity import guesses
from service.keys import ACCESS, CONFIG, HUB, KEY_CHECKS, SETTINGS, STORE, WORKER
from service.outside.polling import POLLING
from service.outside.recovering import RECOVERING
from service.outside.sending import SENDING

log = logging.getLogger(__name__)

RULES_SECONDS = 5
"""How often the rules' clock ticks."""
REPORT_SECONDS = 60
"""How often it is looked whether a period has ended of which no report is written."""
POLL_SECONDS = 1
"""How often it is looked whose turn it is to be asked."""
RECOVER_SECONDS = 15
"""How often it is said that deliveries can be taken; well under the gap after which they are asked for."""
SEND_SECONDS = 1
"""How often it is looked whether destinations are to be told something."""
RELOAD_SECONDS = 2
"""How long a configuration or a key that another process wrote may go unnoticed; well under FRESH_SECONDS."""
HOUSE_SECONDS = 30
ASKED_SECONDS = 3600
"""How often the log of askings is kept within its bounds."""
RETENTION_SECONDS = 3600
USE_SECONDS = 60
"""How often it is written down which keys were used."""
MONTHS_SECONDS = 3600
"""How often it is looked whether a partition for a month to come is missing."""
PULSES_KEPT = timedelta(days=1)
LAST_SECONDS = 5.0
"""How long ticks under way may take to end with the process."""


async def running(app: web.Application) -> AsyncIterator[None]:
    """The scheduler, for as long as the application runs."""
    scheduler = AsyncIOScheduler(timezone="UTC")
    under_way: set[asyncio.Task[None]] = set()
    ticks = (
        (RULES_SECONDS, _settle),
        (RELOAD_SECONDS, _reload),
        (HOUSE_SECONDS, _keep_house),
        (POLL_SECONDS, _poll),
        (SEND_SECONDS, _send),
        (RECOVER_SECONDS, _recover),
        *(((REPORT_SECONDS, _report),) if app[SETTINGS].report_dir else ()),
        (ASKED_SECONDS, _sum_asked),
        (RETENTION_SECONDS, _retain),
        (USE_SECONDS, _write_uses),
        (MONTHS_SECONDS, _make_months),
    )
    for seconds, tick in ticks:
        # A late tick still runs, and only once however many were missed.
        scheduler.add_job(
            _kept(_guarded(tick, app), under_way),
            "interval",
            seconds=seconds,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            id=tick.__name__,
            name=tick.__name__.strip("_"),
        )
    scheduler.start()
    yield
    await _end(scheduler, under_way)
    await _guarded(_keep_house, app)()
    await _guarded(_write_uses, app)()


async def _end(scheduler: AsyncIOScheduler, under_way: set[asyncio.Task[None]]) -> None:
    """Begin no tick more, and let those under way end: the scheduler would cut them off and log an error for each."""
    scheduler.pause()
    await asyncio.sleep(0)  # what was handed to the loop a moment ago begins, and is among those under way
    if under_way:
        await asyncio.wait(under_way, timeout=LAST_SECONDS)
    scheduler.shutdown(wait=False)


def _kept(run: Callable[[], Awaitable[None]], under_way: set[asyncio.Task[None]]) -> Callable[[], Awaitable[None]]:
    """A tick that is among those `under_way` while it runs."""

    async def kept() -> None:
        task = asyncio.current_task()
        assert task
        under_way.add(task)
        try:
            await run()
        finally:
            under_way.discard(task)

    return kept


def _guarded(tick: Callable[[web.Application], Awaitable[None]], app: web.Application) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        try:
            await tick(app)
        except (SQLAlchemyError, OSError) as error:  # the database is away: the next tick tries again
            log.warning("%s: %s", tick.__name__.strip("_"), str(error).partition("\n")[0])

    return run


async def _settle(app: web.Application) -> None:
    if await asyncio.to_thread(settle_due, app[STORE], app[CONFIG].now, clock.now()):
        app[HUB].notify()


async def _poll(app: web.Application) -> None:
    await app[POLLING].tick()


async def _send(app: web.Application) -> None:
    await app[SENDING].tick()


async def _recover(app: web.Application) -> None:
    await app[RECOVERING].tick()


async def _report(app: web.Application) -> None:
    """Write what is due: whichever process claims a period first writes it."""
    settings = app[SETTINGS]
    assert settings.report_dir
    address = f"{settings.public_url}/report" if settings.public_url else ""
    plan = reports.Plan(
        settings.report_dir, settings.report_every, settings.report_formats, settings.report_zone, address
    )
    await asyncio.to_thread(reports.write_due, app[STORE], plan, clock.now())


async def _sum_asked(app: web.Application) -> None:
    settings = app[SETTINGS]
    gone = await asyncio.to_thread(
        keep_bounded, app[STORE], clock.now(), days=settings.asked_days, rows=settings.asked_rows
    )
    if gone:
        log.info("askings of feeds: %d rows were summed into others", gone)


async def _retain(app: web.Application) -> None:
    """Drop what is aged: short transactions, on each process; who comes second finds less."""
    if not (days := app[SETTINGS].retention):
        return
    for one in await asyncio.to_thread(Retention(app[STORE], days, clock.now()).run):
        log.info("dropped for its age: %d of %s, %s", one.count, one.source, one.kind)


async def _write_uses(app: web.Application) -> None:
    await asyncio.to_thread(app[ACCESS].write_uses)


async def _make_months(app: web.Application) -> None:
    for month in await asyncio.to_thread(months.make_ahead, app[STORE], clock.now()):
        log.info("a partition was made for the deliveries of %s", month.ending)


async def _reload(app: web.Application) -> None:
    """Keys first, on their own thread: nothing that reads for long may make a sender's key go stale."""
    await asyncio.get_running_loop().run_in_executor(app[KEY_CHECKS], app[ACCESS].refresh)
    await asyncio.to_thread(_reload_configuration, app)


def reload_now(app: web.Application) -> None:
    """Read the configuration and the keys in force."""
    _reload_configuration(app)
    app[ACCESS].refresh()


def _reload_configuration(app: web.Application) -> None:
    with app[STORE].reading() as connection:
        app[CONFIG].now = configured.load(connection)


async def _keep_house(app: web.Application) -> None:
    """Write down what was refused; what cannot be written is counted on and tried again at the next tick."""
    await app[AUDITING].flush()
    refusals, last = app[WORKER].take_refusals(), dict(app[WORKER].last_refusals)
    try:
        await asyncio.to_thread(_keep_house_now, app[STORE], refusals, last)
    except (SQLAlchemyError, OSError):
        app[WORKER].refusals.update(refusals)
        raise


def _keep_house_now(
    store: Store, refusals: Mapping[tuple[str, str], int], last: Mapping[tuple[str, str], tuple[str, datetime]]
) -> None:
    """Write down refusals at the door, and drop what nobody can ask for any more: pulses, proofs, guesses."""
    now = clock.now()
    with store.writing() as connection:
        repeats.forget(connection, now)
        guesses.forget(connection, now)
        connection.execute(
            sa.delete(PULSE).where(
                PULSE.c.recorded_at < now - PULSES_KEPT,
                # The newest stays, so that SQLite never gives its number, the cursor of streams, a second time.
                PULSE.c.id < sa.select(sa.func.max(PULSE.c.id)).scalar_subquery(),
            )
        )
        for (source, reason), count in refusals.items():
            detail, at = last.get((source, reason), (None, now))
            told = {"detail": detail, "last_at": at}
            statement = insert(connection, REFUSAL).values(
                source=source, day=f"{now:%Y-%m-%d}", reason=reason, count=count, **told
            )
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["source", "day", "reason"], set_={"count": REFUSAL.c.count + count, **told}
                )
            )
