"""What the commands share: errors as exit codes, strangers' text made plain, the store of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from datetime import datetime

    from incidents.config import Config
    from incidents.store import Store
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

    from incidents import schema
    from incidents.store import Store

    settings = settings or settings_of()
    if not settings.names_a_database and (settings.data_dir / "demo.db").exists():
        demo = settings.data_dir / "demo.db"
        click.echo(
            f"note: this is {settings.database_url}; the demo's record is another: set "
            f"BAROGRAPH_DATABASE_URL=sqlite:///{demo} to reach it",
            err=True,
        )
    store = Store(settings.database_url)
    try:
        store.migrate()
        with store.reading() as connection:
            is_due = schema.is_refill_due(connection)
        if is_due:
            from incidents.rebuild import refill
            from service import clock

            refill(store, clock.now())
        yield store
    except schema.SchemaError as error:
        raise fail(str(error), CONFLICT) from None
    except sqlalchemy.exc.OperationalError as error:
        raise fail(f"the database does not answer: {error.orig}", UNAVAILABLE) from None
    finally:
        store.close()


@contextmanager
def told() -> Iterator[None]:
    """Errors of the parts as exits of the command."""
    from dashboards.typeface import FontsError
    from incidents.config import ConfigError
    from incidents.refusals import ConflictError, NotFoundError

    try:
        yield
    except NotFoundError as error:
        raise fail(str(error), NOT_FOUND) from None
    except ConflictError as error:
        raise fail(str(error), CONFLICT) from None
    except (ConfigError, FontsError) as error:
        raise fail(str(error), 1) from None
    except (OSError, ValueError) as error:
        raise fail(str(error), 1) from None


def instant(_context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """An instant on the command line, in the grammar of `clock_words`, in UTC."""
    from incidents import clock_words
    from service import clock

    if value is None:
        return None
    try:
        return clock_words.read(value, now=clock.now(), end=parameter.name == "until")
    except ValueError as error:
        raise click.BadParameter(plain(error), param=parameter) from None


def operator() -> str:
    """Who runs the command, for the audit log: the user of the operating system."""
    import os
    import pwd

    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # a container's user need not have a name
        return f"cli:{os.getuid()}"


def audited(store: Store, act: str, of: str, **params: str) -> None:
    """Write down what the command does."""
    from incidents import audit
    from service import clock

    with store.writing() as connection:
        audit.append(connection, act, by=operator(), of=of, now=clock.now(), **params)


JSON_OPTION = click.option("--json", "json_", is_flag=True, help="Print JSON.")


def config_in(store: Store) -> Config:
    """The configuration in force."""
    from incidents import configured

    with store.reading() as connection:
        return configured.load(connection)


def plain_lines(text: str) -> str:
    """Several lines of strangers' text for a terminal."""
    return "\n".join(plain(line) for line in text.splitlines())


def access(store: Store) -> Any:  # noqa: ANN401  # Access
    """Keys of a store, for making and revoking."""
    from service.identity.access import Access

    return Access(store, admin_token=None, secret_key=b"")
