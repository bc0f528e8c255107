"""Commands for ingest keys, API tokens and sign-in links."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    pass

from service.terminal import (
    JSON_OPTION,
    NOT_FOUND,
    access,
    as_json,
    config_in,
    fail,
    opened,
    operator,
    plain,
    settings_of,
)


@click.group()
def key() -> None:
    """Ingest keys: they may only post to their source."""


@key.command("create")
@click.argument("source")
def key_create(source: str) -> None:
    """Make a key for SOURCE; it is shown once."""
    with opened() as store:
        if config_in(store).source(source) is None:
            raise fail(f"there is no source {source}", NOT_FOUND)
        text, _ = access(store).make("ingest", role="ingest", name=source, source=source, by=operator())
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
        if not access(store).revoke(id_, by=operator()):
            raise fail(f"there is no live key {id_}", NOT_FOUND)
    click.echo("revoked; processes that run forget it within 5 s")


@click.group()
def token() -> None:
    """API tokens."""


@token.command("create")
@click.option("--role", type=click.Choice(["viewer", "responder", "admin"]), required=True)
@click.option("--name", default="token", help="Whose acts these are, in the log.")
def token_create(role: str, name: str) -> None:
    """Make an API token; it is shown once."""
    with opened() as store:
        text, _ = access(store).make("token", role=role, name=name, by=operator())
    click.echo(text)


@click.command("sign-in")
def sign_in() -> None:
    """Print a one-time link that signs an admin in."""
    from service.people import sign_in_link

    settings = settings_of()
    with opened(settings) as store:
        base = settings.public_url or f"http://{settings.host}:{settings.port}"
        click.echo(sign_in_link(access(store), base, by=operator()))
