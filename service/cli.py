"""The command line: results on stdout, the rest on stderr.

Exit codes: 0 ok, 1 failure, 2 usage, 3 unrecognised or not found, 4 auth, 5 conflict, 6 unavailable.
Imports stand in the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from datetime import datetime

    from dashboards.svg import Preset
    from incidents.acts import Acting
    from incidents.config import Config
    from incidents.incident_view import Asked
    from incidents.store import Store
    from incidents.view import IncidentView
    from service.settings import Settings

NOT_FOUND, AUTH, CONFLICT, UNAVAILABLE = 3, 4, 5, 6


def fail(text: str, code: int = 1) -> click.exceptions.Exit:
    """Say why on stderr, and give the exit to raise."""
    click.echo(plain(text), err=True)
    return click.exceptions.Exit(code)


def plain(text: object) -> str:
    """A stranger's text for a terminal: no control characters, no escapes, no direction overrides."""
    from dashboards.words import clean

    return clean(str(text))


def as_json(value: object) -> str:
    """One JSON text for stdout."""
    return json.dumps(value, ensure_ascii=True)


def settings_of(**flags: Any) -> Settings:  # noqa: ANN401  # settings by name
    """The settings in force, or a usage error that names the bad one."""
    from service import settings

    try:
        return settings.read({k: v for k, v in flags.items() if v is not None})
    except settings.SettingsError as error:
        raise click.UsageError(plain(error)) from None


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Store]:
    """The migrated store of the settings; exit 6 when the database does not answer."""
    import sqlalchemy.exc

    from incidents.store import Store

    store = Store((settings or settings_of()).database_url)
    try:
        store.migrate()
        yield store
    except sqlalchemy.exc.OperationalError as error:
        raise fail(f"the database does not answer: {error.orig}", UNAVAILABLE) from None
    finally:
        store.close()


@contextmanager
def told() -> Iterator[None]:
    """Errors of the parts as exits of the command."""
    from incidents.acts import ConflictError, NotFoundError
    from incidents.config import ConfigError

    try:
        yield
    except NotFoundError as error:
        raise fail(str(error), NOT_FOUND) from None
    except ConflictError as error:
        raise fail(str(error), CONFLICT) from None
    except ConfigError as error:
        raise fail(str(error), 1) from None
    except (OSError, ValueError) as error:
        raise fail(str(error), 1) from None


def instant(_context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """An instant on the command line."""
    from incidents import instants

    if value is None:
        return None
    try:
        at = instants.parse(value)
    except ValueError as error:
        raise click.BadParameter(plain(error), param=parameter) from None
    if at is None:
        raise click.BadParameter("an instant such as 2022-09-05T07:00:00Z is expected", param=parameter)
    return at


JSON_OPTION = click.option("--json", "json_", is_flag=True, help="Print JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="barograph")
def main() -> None:
    """Barograph: infrastructure incident timelines."""


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
    from service.serving import serve as run
    from service.settings import SettingsError

    try:
        run(settings_of(**flags), demo=demo)
    except (ConfigError, SettingsError) as error:
        raise fail(str(error), 2) from None
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
    from incidents.spoken import statement_json
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
        statements = found.normalise(delivery)
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
    from service.replay import Player, story_of
    from service.replayed import outcome, outcome_text, write_exports

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


def plain_lines(text: str) -> str:
    """Several lines of strangers' text for a terminal."""
    return "\n".join(plain(line) for line in text.splitlines())


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
        for step in run(store, file, secret_key=secret_key(settings), prune=prune, dry_run=dry_run):
            click.echo(step.text)


@main.command()
def check() -> None:
    """Check settings, configuration file and database; exit 1 with what is wrong."""
    from incidents.adapters import adapters as known
    from incidents.config import config_of
    from service.apply import read_file
    from service.serving import check_durability
    from service.settings import SettingsError

    settings = settings_of()
    with told():
        if settings.config:
            config = config_of(read_file(settings.config), known())
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


def config_in(store: Store) -> Config:
    """The configuration in force."""
    from incidents import configured

    with store.reading() as connection:
        return configured.load(connection)


@main.command()
@click.argument("source")
@click.option("--since", callback=instant, metavar="T", help="Only what was received from T on.")
@click.option("--dry-run", is_flag=True, help="Only count.")
def reread(source: str, since: datetime | None, *, dry_run: bool) -> None:
    """Read the deliveries of SOURCE again with the adapter as it is now."""
    import sqlalchemy as sa

    from incidents import deliveries
    from incidents.adapters import adapters as known
    from incidents.deliveries import STAMP
    from incidents.ingest import Ingest
    from incidents.tables import micros
    from service import clock

    with opened() as store:
        config = config_in(store)
        if config.source(source) is None:
            raise fail(f"there is no source {source}", NOT_FOUND)
        where = STAMP.c.source == source
        if since is not None:
            where &= STAMP.c.delivery_id >= micros(since) << 12
        if dry_run:
            with store.reading() as connection:
                count = connection.execute(sa.select(sa.func.count()).select_from(STAMP).where(where)).scalar()
            click.echo(f"{count} deliveries would be read again")
            return
        with store.writing() as connection:
            count = deliveries.queue_again(connection, where)
        ingest = Ingest(store, known())
        while ingest.work(config, clock.now()):
            pass
    click.echo(f"{count} deliveries read again")


# --- incidents ------------------------------------------------------------------------------------------------------


@main.group()
def incident() -> None:
    """Look at incidents and act on them."""


@incident.command("list")
@JSON_OPTION
@click.option("--status", help="open, acknowledged, mitigated or resolved.")
@click.option("--limit", type=click.IntRange(1, 500), default=50)
def incident_list(*, json_: bool, status: str | None, limit: int) -> None:
    """List incidents, newest first."""
    from incidents import overview
    from service.api import incident_json

    with opened() as store, store.reading() as connection:
        wanted = overview.IncidentFilter(status=(status,) if status else ())
        found = overview.list_incidents(connection, wanted, limit)
    if json_:
        click.echo(as_json([incident_json(i) for i in found]))
        return
    for one in found:
        click.echo(
            f"{one.id:<28} {one.status:<12} {one.severity:<8} {one.opened_at:%Y-%m-%d %H:%M}Z "
            f"{one.members.alerts:>6} alerts  {plain(one.title)}"
        )


@incident.command("show")
@click.argument("id_", metavar="ID")
@JSON_OPTION
@click.option("--as-of", callback=instant, metavar="T", help="As known at T.")
def incident_show(id_: str, *, json_: bool, as_of: datetime | None) -> None:
    """Show an incident with its links and its timeline."""
    from dashboards import documents
    from incidents.incident_view import Asked
    from service import clock
    from service.replayed import view_text

    with told(), opened() as store:
        view = view_in(store, id_, Asked(clock.now(), as_of=as_of))
    click.echo(documents.json_export(view).decode() if json_ else plain_lines(view_text(view)))


def view_in(store: Store, id_: str, asked: Asked) -> IncidentView:
    """The view of an incident. Raises NotFoundError."""
    from dashboards import words
    from incidents.acts import NotFoundError
    from incidents.incident_view import gather

    config = config_in(store)
    with store.reading() as connection:
        view = gather(connection, config, id_, asked, words.sentence)
    if view is None:
        raise NotFoundError(f"there is no incident {id_}")
    return view


@incident.command("note")
@click.argument("id_", metavar="ID")
@click.argument("text")
@click.option("--happened-at", metavar="T", help="When it happened; now by default.")
@click.option("--actor", default="cli", help="Who says so.")
def incident_note(id_: str, text: str, happened_at: str | None, actor: str) -> None:
    """Add a note to an incident."""
    fields = {"text": text, **({"happened_at": happened_at} if happened_at else {})}
    click.echo(acted(actor, lambda acting: acting.note(id_, fields)))


@incident.command("status")
@click.argument("id_", metavar="ID")
@click.argument("status")
@click.option("--happened-at", metavar="T", help="When it came about; now by default.")
@click.option("--note", help="Why.")
@click.option("--actor", default="cli", help="Who says so.")
def incident_status(id_: str, status: str, happened_at: str | None, note: str | None, actor: str) -> None:
    """Change the status of an incident: open, acknowledged, mitigated or resolved."""
    fields: Mapping[str, Any] = {
        "status": status,
        **({"happened_at": happened_at} if happened_at else {}),
        **({"note": note} if note else {}),
    }
    click.echo(acted(actor, lambda acting: acting.status(id_, fields).status))


def acted(actor: str, deed: Callable[[Acting], object]) -> object:
    """Do something to an incident as somebody."""
    from incidents.acts import Acting
    from incidents.entries import Changes
    from incidents.ingest import pulse
    from service import clock

    with told(), opened() as store:
        config, now = config_in(store), clock.now()
        with store.writing() as connection:
            done = deed(Acting(config, Changes(store, connection, now), f"user:{actor}"))
            pulse(store, connection, ["incidents"], now)
    return done


@main.command()
@click.argument("id_", metavar="ID")
@click.option("--format", "form", type=click.Choice(["svg", "png", "pdf", "html", "md", "csv", "json"]), required=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; stdout by default.")
@click.option("--tz", help="Time zone of the export; the site's by default.")
@click.option("--theme", type=click.Choice(["light", "dark", "print"]), default="light")
@click.option("--preset", type=click.Choice(["a4", "letter", "slide", "wide"]), default="a4")
@click.option("--from", "since", callback=instant, metavar="T")
@click.option("--to", "until", callback=instant, metavar="T")
@click.option("--as-of", callback=instant, metavar="T", help="As known at T.")
def export(  # noqa: PLR0917  # click passes by name
    id_: str,
    form: str,
    out: Path | None,
    tz: str | None,
    theme: str,
    preset: Preset,
    since: datetime | None,
    until: datetime | None,
    as_of: datetime | None,
) -> None:
    """Export an incident's timeline as a file."""
    from zoneinfo import available_timezones

    from incidents.incident_view import Asked
    from service import clock, exports

    if tz is not None and tz not in available_timezones():
        raise click.BadParameter("is not a time zone of the IANA database", param_hint="--tz")
    settings = settings_of()
    with told(), opened(settings) as store:
        view = view_in(store, id_, Asked(clock.now(), as_of, since, until, tz))
        address = f"{settings.public_url}/incidents/{id_}" if settings.public_url else ""
        _, _, content = exports.export(view, form, theme=theme, preset=preset, address=address)
    if out is None:
        sys.stdout.buffer.write(content)
    else:
        with told():
            out.write_bytes(content)
        click.echo(str(out), err=True)


# --- keys and tokens ------------------------------------------------------------------------------------------------


@main.group()
def key() -> None:
    """Ingest keys: they may only post to their source."""


@key.command("create")
@click.argument("source")
def key_create(source: str) -> None:
    """Make a key for SOURCE; it is shown once."""
    with opened() as store:
        if config_in(store).source(source) is None:
            raise fail(f"there is no source {source}", NOT_FOUND)
        text, _ = access(store).make("ingest", role="ingest", name=source, source=source)
    click.echo(text)


@key.command("list")
@JSON_OPTION
def key_list(*, json_: bool) -> None:
    """List keys and tokens by their prefixes."""
    from incidents import instants
    from service.access import list_keys

    with opened() as store, store.reading() as connection:
        rows = [
            {
                "id": r.id,
                "kind": r.kind,
                "role": r.role,
                "source": r.source,
                "name": r.name,
                "prefix": r.prefix,
                "made_at": instants.text(r.made_at),
            }
            for r in list_keys(connection, ("ingest", "token"))
        ]
    if json_:
        click.echo(as_json(rows))
        return
    for row in rows:
        click.echo(
            f"{row['id']}  {row['kind']:<7} {row['role']:<10} {row['prefix']:<8} {row['made_at'][:16]}Z  "
            f"{plain(row['source'] or row['name'])}"
        )


@key.command("revoke")
@click.argument("id_", metavar="ID")
def key_revoke(id_: str) -> None:
    """Revoke a key or token by its id."""
    with opened() as store:
        if not access(store).revoke(id_):
            raise fail(f"there is no live key {id_}", NOT_FOUND)
    click.echo("revoked; processes that run forget it within 5 s")


@main.group()
def token() -> None:
    """API tokens."""


@token.command("create")
@click.option("--role", type=click.Choice(["viewer", "responder", "admin"]), required=True)
@click.option("--name", default="token", help="Whose acts these are, in the log.")
def token_create(role: str, name: str) -> None:
    """Make an API token; it is shown once."""
    with opened() as store:
        text, _ = access(store).make("token", role=role, name=name)
    click.echo(text)


@main.command("sign-in")
def sign_in() -> None:
    """Print a one-time link that signs an admin in."""
    from service.people import sign_in_link

    settings = settings_of()
    with opened(settings) as store:
        base = settings.public_url or f"http://{settings.host}:{settings.port}"
        click.echo(sign_in_link(access(store), base))


def access(store: Store) -> Any:  # noqa: ANN401  # Access
    """Keys of a store, for making and revoking."""
    from service.access import Access

    return Access(store, admin_token=None, secret_key=b"")
