"""Commands of accounts and sessions. A password is asked for at the terminal or read from stdin, never an argument."""

from __future__ import annotations

import sys
from typing import Any

import click

from service.commands.terminal import (
    JSON_OPTION,
    NOT_FOUND,
    access,
    as_json,
    fail,
    opened,
    operator,
    plain,
    settings_of,
    told,
)

ROLE = click.Choice(["viewer", "responder", "admin"])


def _password(name: str) -> str:
    """A new password's hash, from the terminal twice or from the first line of stdin."""
    from service.identity import passwords

    if sys.stdin.isatty():
        given: str = click.prompt("New password", hide_input=True, confirmation_prompt=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    if why := passwords.objection(given, name):
        raise fail(why)
    return passwords.hashed(given)


@click.group()
def user() -> None:
    """Accounts of people, who sign in by a password or the identity provider."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=ROLE, required=True)
@click.option("--group", "groups", multiple=True, help="A group; may be repeated.")
@click.option("--link", is_flag=True, help="Print a one-time link by which its owner sets a password.")
def user_add(name: str, role: str, groups: tuple[str, ...], *, link: bool) -> None:
    """Add the account NAME; its password is asked for, or read from stdin."""
    from service.identity import accounts

    with told():
        name = accounts.checked_name(name)
        password = None if link else _password(name)
        settings = settings_of()
        with opened(settings) as store:
            accounts.add(store, name, role, by=operator(), groups=groups, password=password)
            click.echo(_link(settings, store, name) if link else f"{name} may sign in as {role}")


def _link(settings: Any, store: Any, name: str) -> str:  # noqa: ANN401  # Settings, Store
    from service.identity import accounts

    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    return f"{base}/sign-in?token={accounts.link(store, name, by=operator())}&next=/account"


@user.command("list")
@JSON_OPTION
def user_list(*, json_: bool) -> None:
    """List accounts by name, the disabled ones too."""
    from incidents.views.access_view import account_json
    from service.identity import accounts

    with opened() as store, store.reading() as connection:
        found = accounts.listed(connection)
    if json_:
        click.echo(as_json([account_json(one) for one in found]))
        return
    for one in found:
        last = f"last signed in {one.signed_in_at:%Y-%m-%dT%H:%M}Z" if one.signed_in_at else "never signed in"
        state = "disabled" if one.disabled_at else f"by {one.signs_in_by}"
        click.echo(plain(f"{one.name:<24} {one.role:<10} {state}; {last}; {one.sessions} sessions"))


@user.command("password")
@click.argument("name")
def user_password(name: str) -> None:
    """Set the password of NAME, asked for or read from stdin; its sessions end."""
    from service.identity import accounts

    with told(), opened() as store:
        with store.reading() as connection:
            row = accounts.read(connection, name)
        if row is None:
            raise fail(f"there is no account {name}", NOT_FOUND)
        accounts.set_password(store, row.name, _password(row.name), by=operator())
        click.echo(f"the password of {row.name} is set; its sessions have ended")


@user.command("link")
@click.argument("name")
def user_link(name: str) -> None:
    """Print a one-time link by which NAME signs in and sets a password."""
    settings = settings_of()
    with told(), opened(settings) as store:
        click.echo(_link(settings, store, name.lower()))


@user.command("role")
@click.argument("name")
@click.argument("role", type=ROLE)
def user_role(name: str, role: str) -> None:
    """Give NAME another role; its sessions end."""
    from service.identity import accounts

    with told(), opened() as store:
        accounts.set_role(store, name.lower(), role, by=operator())
        click.echo(plain(f"{name.lower()} has the role {role}"))


@user.command("groups")
@click.argument("name")
@click.argument("groups", nargs=-1)
def user_groups(name: str, groups: tuple[str, ...]) -> None:
    """Put NAME into these GROUPS and no others."""
    from service.identity import accounts

    with told(), opened() as store:
        accounts.set_groups(store, name.lower(), groups, by=operator())
        click.echo(plain(f"{name.lower()} is in: {', '.join(groups) or 'no group'}"))


@user.command("disable")
@click.argument("name")
def user_disable(name: str) -> None:
    """Let NAME in no more; its sessions end."""
    from service.identity import accounts

    with told(), opened() as store:
        accounts.disable(store, name.lower(), by=operator())
        click.echo(plain(f"{name.lower()} is disabled; processes that run forget its sessions within 5 s"))


@user.command("enable")
@click.argument("name")
def user_enable(name: str) -> None:
    """Let NAME in again."""
    from service.identity import accounts

    with told(), opened() as store:
        accounts.enable(store, name.lower(), by=operator())
        click.echo(plain(f"{name.lower()} may sign in again"))


@user.command("reset-factor")
@click.argument("name")
def user_reset_factor(name: str) -> None:
    """Take away the second factor of NAME, who has lost it; its sessions end."""
    from service.identity import accounts

    with told(), opened() as store:
        accounts.reset_factor(store, name.lower(), by=operator())
        click.echo(plain(f"{name.lower()} signs in without a second factor, until another is set up"))


users = click.Group("users", commands=user.commands, hidden=True, help=user.help)
"""The same by another name: both are typed."""


@click.group()
def session() -> None:
    """Who is signed in."""


@session.command("list")
@JSON_OPTION
def session_list(*, json_: bool) -> None:
    """List sessions, the one last used first."""
    from datetime import timedelta

    from incidents.views.access_view import session_json
    from service.identity import sessions

    settings = settings_of()
    with opened(settings) as store, store.reading() as connection:
        keys = access(store)
        keys.idle = timedelta(hours=settings.session_idle_hours)
        found = sessions.listed(connection, keys)
    if json_:
        click.echo(as_json([session_json(one) for one in found]))
        return
    for one in found:
        click.echo(
            plain(
                f"{one.id}  {one.name:<24} {one.role:<10} last used {one.used_at:%Y-%m-%dT%H:%M}Z  "
                f"from {one.address or 'unknown'} by {one.way}"
            )
        )


@session.command("end")
@click.argument("id_", metavar="ID")
def session_end(id_: str) -> None:
    """End a session by its id."""
    from service.identity import sessions

    with opened() as store:
        if not sessions.end(access(store), id_, None, by=operator()):
            raise fail(f"there is no session {id_}", NOT_FOUND)
    click.echo("ended; processes that run forget it within 5 s")
