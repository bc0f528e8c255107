"""Commands that make, list and revoke links with a preview."""

from __future__ import annotations

from typing import Any

import click

from service.commands.terminal import JSON_OPTION, NOT_FOUND, as_json, fail, opened, plain, settings_of


@click.group()
def share() -> None:
    """Links that show an incident's title and picture to whoever has them."""


@share.command("create")
@click.argument("id_", metavar="ID")
@click.option("--days", type=click.IntRange(1, 90), default=14, help="After how many days it ends.")
@click.option("--actor", default="cli", help="Who shares it.")
def share_create(id_: str, days: int, actor: str) -> None:
    """Make a link of an incident and print it."""
    from datetime import timedelta

    from incidents import shares
    from service import clock
    from service.pages.sharing import address_of
    from service.seal import secret_key

    settings = settings_of()
    with opened(settings) as store, store.writing() as connection:
        made = shares.make(connection, id_, f"user:{actor}", clock.now(), timedelta(days=days))
    if made is None:
        raise fail(f"there is no incident {id_}", NOT_FOUND)
    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    click.echo(address_of(base, secret_key(settings), made))


@share.command("list")
@click.argument("id_", metavar="ID")
@JSON_OPTION
def share_list(id_: str, *, json_: bool) -> None:
    """List the links of an incident, newest first, those that ended too."""
    from incidents import shares
    from service import clock
    from service.pages.sharing import share_fields
    from service.seal import secret_key

    settings = settings_of()
    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    with opened(settings) as store, store.reading() as connection:
        found = shares.listed(connection, id_)
    rows: list[dict[str, Any]] = [share_fields(base, secret_key(settings), one, clock.now()) for one in found]
    if json_:
        click.echo(as_json(rows))
        return
    for row in rows:
        state = "revoked" if row["revoked_at"] else row["url"] or "ended"
        click.echo(plain(f"{row['id']}  until {row['expires_at'][:16]}Z  {row['made_by']}  {state}"))


@share.command("revoke")
@click.argument("id_", metavar="ID")
@click.argument("share_", metavar="SHARE")
@click.option("--actor", default="cli", help="Who revokes it.")
def share_revoke(id_: str, share_: str, actor: str) -> None:
    """Revoke a link of an incident, by the link's id."""
    from incidents import shares
    from service import clock

    with opened() as store, store.writing() as connection:
        known = shares.revoke(connection, id_, share_, f"user:{actor}", clock.now())
    if not known:
        raise fail(f"the incident has no shared link {share_}", NOT_FOUND)
    click.echo(f"{share_} shows nothing any more")
