"""The commands of feeds: ask them about the past, and bring what somebody downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.commands.bundles import import_bundle
from service.commands.terminal import (
    CONFLICT,
    NOT_FOUND,
    UNAVAILABLE,
    config_in,
    fail,
    instant,
    opened,
    plain,
    settings_of,
    told,
)

if TYPE_CHECKING:
    from datetime import datetime

    from incidents.config import Config
    from incidents.receipts import DeliveryIds
    from incidents.store import Store

GZIP = b"\x1f\x8b"


@click.command()
@click.option("--site", required=True, help="The site whose past is asked for.")
@click.option("--from", "since", required=True, callback=instant, metavar="T", help="The beginning of the window.")
@click.option("--to", "until", required=True, callback=instant, metavar="T", help="Its end.")
@click.option("--source", help="Only this feed; all that have a history by default.")
def backfill(site: str, since: datetime, until: datetime, source: str | None) -> None:
    """Ask feeds about a window in the past of a site; what was answered before is not asked again."""
    import asyncio

    from service.outside.backfill import Backfill, asked_of, read_all
    from service.outside.outbound import Outbound
    from service.seal import open_all, secret_key

    if until <= since:
        raise click.UsageError("--to: lies before --from")
    settings = settings_of()
    with told(), opened(settings) as store:
        config = config_in(store)
        place = config.site(site)
        if place is None:
            raise fail(f"there is no site {site}", NOT_FOUND)
        if source is not None and config.source(source) is None:
            raise fail(f"there is no source {source}", NOT_FOUND)
        sources = asked_of(config, source)
        if not sources:
            raise fail(
                f"{source or 'no source'} has {'no' if source else 'a'} history that can be asked for", NOT_FOUND
            )
        with store.reading() as connection:
            secrets = open_all(connection, secret_key(settings))

        async def run() -> Any:  # noqa: ANN401  # Tally by source
            outbound = Outbound(settings)
            try:
                say = lambda words: click.echo(plain(words), err=True)  # noqa: E731
                return await Backfill(store, config, secrets, outbound, say).run(sources, place, (since, until))
            finally:
                await outbound.close()

        tallies = asyncio.run(run())
        read_all(store, config)
    for name, tally in tallies.items():
        click.echo(f"{name}: {tally.fetched} fetched, {tally.known} known before, {tally.failed} failed")
    if any(tally.failed for tally in tallies.values()):
        raise fail("some were not answered; the same command asks them again, and only them", UNAVAILABLE)


@click.command()
@click.option("--source", required=True, help="A source that names its `prometheus`.")
@click.option("--from", "since", required=True, callback=instant, metavar="T", help="The beginning of the window.")
@click.option("--to", "until", required=True, callback=instant, metavar="T", help="Its end.")
def recover(source: str, since: datetime, until: datetime) -> None:
    """Ask a source's Prometheus what fired in a window, for alerts that never arrived; what did is the same alert."""
    import asyncio

    from incidents import deliveries
    from incidents.deliveries import Arrival
    from incidents.receipts import DeliveryIds, receipt_of
    from service import clock
    from service.outside.backfill import read_all
    from service.outside.outbound import FetchError, Outbound
    from service.outside.recovering import ask, recoverable
    from service.seal import open_all, secret_key

    if until <= since:
        raise click.UsageError("--to: lies before --from")
    settings = settings_of()
    with told(), opened(settings) as store:
        config = config_in(store)
        found = recoverable(config).get(source)
        if found is None:
            raise fail(f"no source {source} names its `prometheus`", NOT_FOUND)
        with store.reading() as connection:
            secrets = open_all(connection, secret_key(settings)).get(source, ())

        async def run() -> Any:  # noqa: ANN401  # the answers
            outbound = Outbound(settings)
            try:
                return await ask(outbound, found, secrets, since, until)
            finally:
                await outbound.close()

        try:
            answers = asyncio.run(run())
        except FetchError as error:
            raise fail(f"{source}: {error}", UNAVAILABLE) from None
        ids = DeliveryIds()
        arrivals = [Arrival(ids.next(now := clock.now()), source, now, one.headers, one.body) for one in answers]
        with store.intake(len(arrivals)) as connection:
            deliveries.append(connection, arrivals)
        read_all(store, config)
    for one in arrivals:
        click.echo(f"{source}: recovered as {receipt_of(one.id)}")
    if not arrivals:
        click.echo(f"{source}: nothing fired")


@click.command(name="import")
@click.argument("what")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", help="Whose deliveries they become; a source named like the adapter by default.")
@click.option("--received-at", callback=instant, metavar="T", help="When they were received; now by default.")
def import_(what: str, files: tuple[Path, ...], source: str | None, received_at: datetime | None) -> None:
    """Bring FILES that somebody downloaded in as deliveries of an adapter, or an evidence bundle where WHAT is one."""
    from incidents.adapters import adapters
    from incidents.receipts import DeliveryIds

    if not files:
        if source is not None or received_at is not None:
            raise click.UsageError("--source and --received-at are for files of an adapter; a bundle tells both")
        if not Path(what).is_file():
            raise click.UsageError(f"{plain(what)} is no file; give an evidence bundle, or an adapter and its files")
        import_bundle(Path(what))
        return
    if what not in adapters():
        raise fail(f"there is no adapter {what}; `barograph adapters` lists them", NOT_FOUND)
    with told(), opened() as store:
        name = _source_for(store, source or what, what)
        numbers = DeliveryIds()
        ids = [_bring(store, name, file, received_at, numbers) for file in files]
        unread = _tell(store, config_in(store), dict(zip(ids, files, strict=True)))
    if unread:
        raise fail(f"{unread} of {len(files)} files could not be read; they are kept in quarantine", NOT_FOUND)


def _source_for(store: Store, name: str, adapter: str) -> str:
    """The name of a source of this adapter, made where there is none; it is not asked, whatever its adapter can."""
    from incidents.adapters import adapters
    from incidents.config import source_of, spec_of
    from incidents.configured import owners, put
    from service import clock

    made = source_of({"name": name, "adapter": adapter}, adapters())
    known = config_in(store).source(name)
    if known is not None and known.adapter != adapter:
        raise fail(f"the source {name} is one of {known.adapter}; give another with --source", CONFLICT)
    if known is None:
        with store.writing() as connection:
            if ("source", name) in owners(connection, retired=True):
                raise fail(f"a source called {name} existed; give another with --source", CONFLICT)
            put(connection, ("source", name), spec_of(made), owner="import", now=clock.now(), position=1000)
    return name


def _bring(store: Store, source: str, file: Path, received_at: datetime | None, ids: DeliveryIds) -> int:
    """Append one file to the log; the id of its delivery."""
    import sqlalchemy.exc

    from incidents import deliveries
    from incidents.deliveries import BODY_BOUND, Arrival
    from service import clock

    body = file.read_bytes()
    if len(body) > BODY_BOUND:
        raise fail(f"{file}: larger than {BODY_BOUND} bytes; split it")
    at = received_at or clock.now()
    encoding = "gzip" if body.startswith(GZIP) else ""
    while True:
        arrival = Arrival(ids.next(at), source, at, {"file-name": plain(file.name)[:200]}, body, encoding)
        try:
            with store.intake() as connection:
                deliveries.append(connection, [arrival])
        except sqlalchemy.exc.IntegrityError:
            continue  # another file was given the same instant, and the same bits by chance: the next number
        return arrival.id


def _tell(store: Store, config: Config, files: dict[int, Path]) -> int:
    """Read them and print what each said; how many could not be read."""
    import time

    import sqlalchemy as sa

    from incidents.deliveries import STAMP
    from incidents.receipts import receipt_of
    from service.outside.backfill import read_all

    query = sa.select(STAMP).where(STAMP.c.delivery_id.in_(list(files)))
    for _ in range(300):
        read_all(store, config)
        with store.reading() as connection:
            rows = {row.delivery_id: row for row in connection.execute(query)}
        if len(rows) == len(files):
            break
        time.sleep(0.1)  # a service on the same database has taken some and is reading them
    for ident, file in files.items():
        row = rows.get(ident)
        if row is None:
            said = "not read yet"
        elif row.state == "quarantined":
            said = f"quarantined: {row.reason}"
        else:
            lost = f", {row.losses} left out ({row.loss_reason})" if row.losses else ""
            said = f"{row.events} events, {row.readings} readings{lost}"
        click.echo(plain(f"{file}: {receipt_of(ident)} {said}"))
    return sum(row.state == "quarantined" for row in rows.values())
