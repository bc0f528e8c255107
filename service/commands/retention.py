"""Commands of retention: drop what is aged, or only tell it; hold an incident's evidence; list the tombstones."""

from __future__ import annotations

import click

from service.commands.terminal import JSON_OPTION, NOT_FOUND, as_json, fail, opened, plain, settings_of


@click.command()
@click.option("--dry-run", is_flag=True, help="Drop nothing; tell what would be dropped.")
@click.option("--tombstones", is_flag=True, help="Drop nothing; list what was dropped so far.")
@JSON_OPTION
def retention(*, dry_run: bool, tombstones: bool, json_: bool) -> None:
    """Drop what is older than BAROGRAPH_RETENTION says and no kept incident needs. `serve` does it every hour."""
    import sqlalchemy as sa

    from incidents.retention import Retention
    from incidents.tombstones import TOMBSTONE
    from service import clock

    settings = settings_of()
    with opened(settings) as store:
        if tombstones:
            with store.reading() as connection:
                told = [dict(row._mapping) for row in connection.execute(sa.select(TOMBSTONE).order_by(TOMBSTONE.c.id))]  # noqa: SLF001  # SQLAlchemy's name
        else:
            run = Retention(store, settings.retention, clock.now())
            aged = run.rehearse() if dry_run else run.run()
            told = [{"kind": one.kind, "source": one.source, "count": one.count} for one in aged]
    if json_:
        click.echo(as_json([{k: v if isinstance(v, int) else str(v) for k, v in row.items()} for row in told]))
        return
    for row in told:
        since = f"  {row['first_at']:%Y-%m-%d} to {row['last_at']:%Y-%m-%d}  {row['sha256']}" if tombstones else ""
        click.echo(plain(f"{row['count']:>10}  {row['kind']:<18} {row['source']}{since}"))
    if not told:
        click.echo(
            "nothing" if settings.retention or tombstones else "nothing: BAROGRAPH_RETENTION is not set", err=True
        )


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--release", is_flag=True, help="Hold it no longer.")
@click.option("--reason", default="", help="Why; kept with the hold.")
def hold(id_: str, *, release: bool, reason: str) -> None:
    """Hold the evidence of an incident, whatever its age."""
    from incidents import retention as retaining
    from service import clock

    with opened() as store:
        if not retaining.hold(store, id_, held=not release, actor="user:cli", reason=reason[:2000], now=clock.now()):
            raise fail(f"there is no incident {id_}", NOT_FOUND)
    click.echo(plain(f"{id_} is {'no longer held' if release else 'held'}"))
