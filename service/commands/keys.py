"""Commands for ingest keys, API tokens and sign-in links."""

from __future__ import annotations

import sys
from datetime import timedelta

import click

from service.commands.terminal import (
    AUTH,
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
    told,
)

DAYS = click.option("--days", type=click.IntRange(1, 3650), help="After how many days it ends; never by default.")


@click.group()
def key() -> None:
    """Ingest keys: they may only post to their source."""


@key.command("create")
@click.argument("source")
@DAYS
def key_create(source: str, days: int | None) -> None:
    """Make a key for SOURCE; it is shown once."""
    with opened() as store:
        if config_in(store).source(source) is None:
            raise fail(f"there is no source {source}", NOT_FOUND)
        text, _ = access(store).make(
            "ingest", role="ingest", name=source, source=source, lasts=_lasting(days), by=operator()
        )
    click.echo(text)


def _lasting(days: int | None) -> timedelta | None:
    return timedelta(days=days) if days else None


@key.command("list")
@JSON_OPTION
def key_list(*, json_: bool) -> None:
    """List keys and tokens by their prefixes, with their last use."""
    from incidents.views.access_view import key_json
    from service.identity import credentials

    with opened() as store, store.reading() as connection:
        found = credentials.listed(connection)
    if json_:
        click.echo(as_json([key_json(one) for one in found]))
        return
    for one in found:
        used = f"used {one.used_at:%Y-%m-%dT%H:%M}Z" if one.used_at else "never used"
        ends = f", ends {one.expires_at:%Y-%m-%dT%H:%M}Z" if one.expires_at else ""
        click.echo(
            f"{one.id}  {one.kind:<7} {one.role:<10} {one.prefix:<8} {one.made_at:%Y-%m-%dT%H:%M}Z  "
            f"{plain(one.source or one.name)}  {used}{ends}"
        )


@key.command("revoke")
@click.argument("id_", metavar="ID")
def key_revoke(id_: str) -> None:
    """Revoke a key or token by its id."""
    with opened() as store:
        if not access(store).revoke(id_, by=operator()):
            raise fail(f"there is no live key {id_}", NOT_FOUND)
    click.echo("revoked; processes that run forget it within 5 s")


@key.command("rotate")
@click.argument("id_", metavar="ID")
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, 2160),
    default=24,
    show_default=True,
    help="How long the former one holds beside the new one.",
)
@DAYS
def key_rotate(id_: str, overlap_hours: int, days: int | None) -> None:
    """Make a key or token in the place of one; the new one is shown once."""
    from service.identity import credentials

    with told(), opened() as store:
        text, _, until = credentials.replace(
            access(store), id_, by=operator(), overlap=timedelta(hours=overlap_hours), lasts=_lasting(days)
        )
    click.echo(text)
    click.echo(f"the former one holds until {until:%Y-%m-%dT%H:%M}Z", err=True)


@key.command("check")
def key_check() -> None:
    """Say what the key or token on stdin is, and whether it holds; exit 4 where it does not."""
    from service.identity import key_texts

    if sys.stdin.isatty():
        text: str = click.prompt("Key or token", hide_input=True)
    else:
        text = sys.stdin.readline()
    text = text.strip()
    with opened() as store:
        found = access(store).check(text)
    if found is None:
        raise fail(key_texts.slip(text) or "it is not known here, or holds no more", AUTH)
    until = f", until {found.expires_at:%Y-%m-%dT%H:%M}Z" if found.expires_at else ""
    click.echo(plain(f"{found.key}  {found.kind} of {found.source or found.name}, {found.role}{until}"))


@click.group()
def token() -> None:
    """API tokens."""


@token.command("create")
@click.option("--role", type=click.Choice(["viewer", "responder", "admin"]), required=True)
@click.option("--name", default="token", help="Whose acts these are, in the log.")
@DAYS
def token_create(role: str, name: str, days: int | None) -> None:
    """Make an API token; it is shown once."""
    with opened() as store:
        text, _ = access(store).make("token", role=role, name=name, lasts=_lasting(days), by=operator())
    click.echo(text)


@click.command("sign-in")
def sign_in() -> None:
    """Print a one-time link that signs an admin in."""
    from service.identity.sign_in import sign_in_link

    settings = settings_of()
    with opened(settings) as store:
        base = settings.public_url or f"http://{settings.host}:{settings.port}"
        click.echo(sign_in_link(access(store), base, by=operator()))
