"""Commands of backups: write one while the service runs, bring one back into an empty database."""

from __future__ import annotations

from pathlib import Path

import click

from service.commands.terminal import fail, opened, plain, settings_of, told


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write all of the record into FILE, while the service runs; verified before it is done."""
    from service import clock
    from service.files import backup as backups

    with told():
        if file.is_dir() or not file.parent.is_dir():
            raise fail(f"{file}: there is no such folder")
        with opened() as store:
            done = backups.back_up(store, file, clock.now())
        backups.check(file)
    click.echo(plain(f"{file}: {done.total} rows as of {done.made_at}, schema {done.revision}"))
    click.echo("the secret key is not in it: keep secret.key of the data directory beside it", err=True)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(file: Path) -> None:
    """Bring a backup into the database of the settings, SQLite or PostgreSQL, which must be empty; all or nothing."""
    import sqlalchemy.exc

    from incidents.store import Store
    from service.commands.terminal import UNAVAILABLE
    from service.files import backup as backups

    settings = settings_of()
    with told():
        store = Store(settings.database_url)
        try:
            done = backups.restore(store, file)
        except sqlalchemy.exc.OperationalError as error:
            raise fail(f"the database does not answer: {error.orig}", UNAVAILABLE) from None
        finally:
            store.close()
    click.echo(plain(f"restored {done.total} rows as of {done.made_at}"))
    click.echo("`barograph rebuild` folds the caches again, should you doubt them", err=True)
