"""The command line: results on stdout, the rest on stderr.

Exit codes: 0 ok, 1 failure, 2 usage, 3 unrecognised or not found, 4 auth, 5 conflict, 6 unavailable.
Imports stand in the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import atexit
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from datetime import datetime


from service.commands import (
    audit,
    backup,
    bundles,
    doctor,
    feeds,
    incidents,
    keys,
    notices,
    postmortems,
    reports,
    reread,
    retention,
    shares,
    sites,
    stories,
    users,
)
from service.commands.terminal import (
    CONFLICT,
    JSON_OPTION,
    NOT_FOUND,
    UNAVAILABLE,
    as_json,
    config_in,
    fail,
    instant,
    opened,
    operator,
    plain,
    plain_lines,
    settings_of,
    told,
)

RARELY = 10_000
"""New objects after which the collector looks for garbage while a command imports what it needs and runs."""
OFTEN = 700
"""The same while it serves: what holds a large body is not to wait for ten thousand others."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="barograph")
def main() -> None:
    """Barograph: infrastructure incident timelines."""
    # What is imported stays: looked through every 700 objects and once more at the end it costs a third of a command.
    gc.set_threshold(RARELY)
    atexit.register(gc.freeze)


@main.command()
@click.option("--demo/--no-demo", default=False, help="Load the demo stories, in a database of their own.")
@click.option(
    "--config", type=click.Path(dir_okay=False), help="TOML file of sites, sources and rules, applied at start."
)
@click.option("--host", help="Address to listen on.")
@click.option("--port", help="Port to listen on.")
@click.option("--database-url", help="sqlite:///FILE or postgresql://…")
@click.option("--data-dir", help="Where files are kept.")
@click.option("--public-url", help="How people reach the service.")
@click.option("--log-format", help="console or json.")
def serve(*, demo: bool, **flags: str | None) -> None:
    """Serve until SIGTERM. The settings are also environment variables, BAROGRAPH_PORT and so on."""
    import sqlalchemy.exc

    from incidents.config import ConfigError
    from incidents.schema import SchemaError
    from service.serving import serve as run
    from service.settings import SettingsError

    # From here on what is there stays out of every collection, each of which would halt all requests meanwhile.
    gc.freeze()
    gc.set_threshold(OFTEN)
    try:
        run(settings_of(**flags), demo=demo)
    except (ConfigError, SettingsError) as error:
        raise fail(str(error), 2) from None
    except SchemaError as error:
        raise fail(str(error), CONFLICT) from None
    except sqlalchemy.exc.OperationalError as error:
        raise fail(f"the database does not answer: {error.orig}", UNAVAILABLE) from None
    except OSError as error:
        raise fail(str(error), 1) from None


@main.command()
@JSON_OPTION
def adapters(*, json_: bool) -> None:
    """List the adapters: name, version, kind, what each verifies."""
    from incidents.adapters import listing

    rows = listing()
    if json_:
        click.echo(as_json(rows))
        return
    for row in rows:
        click.echo(f"{row['name']:<20} {row['version']:>3}  {row['kind']:<8} {row['verifies']:<20} {row['title']}")


@main.command()
@click.argument("adapter")
@click.argument("file", type=click.File("rb"))
@click.option("--header", "headers", multiple=True, metavar="'K: V'", help="A header of the delivery; may be repeated.")
@click.option("--received-at", callback=instant, metavar="T", help="When it was received; now by default.")
@click.option("--timezone", help="The zone of the payload's zoneless times.")
def read(adapter: str, file: Any, headers: tuple[str, ...], received_at: datetime | None, timezone: str | None) -> None:  # noqa: ANN401
    """Say what ADAPTER reads in FILE (- is stdin): one JSON object a line. Exit 3 when it does not recognise it."""
    from incidents.adapters import adapters as known
    from incidents.model import Delivery, Event, UnrecognisedError
    from incidents.spoken import recordable, statement_json
    from service import clock

    found = known().get(adapter)
    if found is None:
        raise fail(f"there is no adapter {adapter}; `barograph adapters` lists them", NOT_FOUND)
    given = {}
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon:
            raise click.UsageError(f"--header {plain(header)}: 'Name: value' is expected")
        given[name.strip().lower()] = value.strip()
    delivery = Delivery("stdin", file.read(), received_at or clock.now(), given, timezone)
    try:
        statements = recordable(found.normalise(delivery), delivery)
    except UnrecognisedError as error:
        raise fail(str(error), NOT_FOUND) from None
    for statement in statements:
        if not (isinstance(statement, Event) and statement.test):
            click.echo(as_json(statement_json(statement, delivery)))


@main.command()
@click.argument("story", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@JSON_OPTION
@click.option("--as-of", callback=instant, metavar="T", help="Stop the story's clock at T.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write the exports into this folder.")
def replay(story: Path, *, json_: bool, as_of: datetime | None, out: Path | None) -> None:
    """Play STORY in virtual time against a throw-away database; print incidents, links and timeline."""
    import tempfile

    from incidents.store import Store
    from service import clock
    from service.intake.replayed import outcome, outcome_text, write_exports
    from service.replay import Player, story_of

    with told(), tempfile.TemporaryDirectory() as folder:
        now = clock.now()
        played = story_of(story.read_bytes(), story.stem, now)
        until = as_of or max(now, played.ends_at)
        store = Store(f"sqlite:///{folder}/replay.db")
        try:
            store.migrate()
            Player(store).play(played, until)
            found = outcome(store, played.config, until)
            click.echo(as_json(found.as_json()) if json_ else plain_lines(outcome_text(found)))
            for path in write_exports(found, out) if out else ():
                click.echo(str(path), err=True)
        finally:
            store.close()


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--prune", is_flag=True, help="Retire file-owned rows that the file no longer has.")
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
def apply(file: Path, *, prune: bool, dry_run: bool) -> None:
    """Apply a configuration FILE; prints its plan. Applying it again changes nothing."""
    from service.apply import apply as run
    from service.seal import secret_key

    settings = settings_of()
    with told(), opened(settings) as store:
        for step in run(store, file, secret_key=secret_key(settings), prune=prune, dry_run=dry_run, by=operator()):
            click.echo(step.text)


@main.command()
def check() -> None:
    """Check settings, configuration file and database; exit 1 with what is wrong."""
    from service.apply import config_in as config_of_file
    from service.durability import check_durability
    from service.settings import SettingsError

    settings = settings_of()
    with told():
        if settings.config:
            config = config_of_file(settings.config)
            click.echo(f"configuration: {len(config.sites)} sites, {len(config.sources)} sources")
        with opened(settings) as store:
            try:
                check_durability(store)
            except SettingsError as error:
                raise fail(str(error)) from None
            durable = ", ".join(f"{k} {v}" for k, v in store.durability().items())
            click.echo(f"database: {'SQLite' if store.is_sqlite else 'PostgreSQL'}, {durable}")


@main.command()
def migrate() -> None:
    """Bring the database's schema to this version. `serve` does it too."""
    with opened():
        click.echo("the schema is up to date")


@main.command()
def rebuild() -> None:
    """Drop the caches and fold them again from the logs."""
    from incidents.rebuild import rebuild as run
    from service import clock

    with opened() as store:
        occurrences, incidents = run(store, config_in(store), clock.now())
    click.echo(f"{occurrences} occurrences and {incidents} incidents folded")


for command in (
    backup.backup,
    backup.restore,
    audit.audit,
    doctor.doctor,
    bundles.bundle,
    bundles.verify,
    postmortems.postmortem,
    reports.report,
    reread.reread,
    incidents.incident,
    incidents.export,
    keys.key,
    keys.token,
    keys.sign_in,
    notices.destination,
    notices.notice,
    shares.share,
    feeds.backfill,
    feeds.import_,
    feeds.recover,
    sites.site,
    stories.story,
    retention.retention,
    retention.hold,
    users.user,
    users.users,
    users.session,
):
    main.add_command(command)
