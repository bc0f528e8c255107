"""Commands that show who is told of incidents, what was sent, and let it be sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from service.commands.terminal import CONFLICT, JSON_OPTION, NOT_FOUND, as_json, config_in, fail, opened, plain

if TYPE_CHECKING:
    from incidents.notices.destinations import Attempt


@click.group()
def destination() -> None:
    """Destinations: who is told when an incident opens, changes its status or is resolved."""


@destination.command("list")
@JSON_OPTION
def destination_list(*, json_: bool) -> None:
    """List destinations with what waits, was sent and was given up, and the last answer."""
    from incidents.notices import outbox
    from service.api.notices_api import destination_fields

    with opened() as store:
        destinations = config_in(store).destinations
        with store.reading() as connection:
            found = outbox.health(connection, destinations)
    if json_:
        click.echo(as_json([destination_fields(one) for one in found]))
        return
    for one in found:
        counts = ", ".join(f"{n} {'given up' if state == 'dead' else state}" for state, n in one.counts.items())
        last = f"; last {_told(one.last)}" if one.last else ""
        click.echo(plain(f"{one.destination.name:<20} {one.destination.kind:<8} {counts}{last}"))


@click.group()
def notice() -> None:
    """Notices: what destinations were told of incidents."""


@notice.command("list")
@JSON_OPTION
@click.option("--state", type=click.Choice(["waiting", "sent", "dead"]), help="Only those in this state.")
@click.option("--destination", help="Only those to this destination.")
@click.option("--limit", type=click.IntRange(1, 500), default=50)
def notice_list(*, json_: bool, state: str | None, destination: str | None, limit: int) -> None:
    """List notices, newest first, with their last attempt."""
    from incidents.notices import outbox
    from service.api.notices_api import notice_fields

    with opened() as store, store.reading() as connection:
        found = outbox.listed(connection, state=state, destination=destination, limit=limit)
    if json_:
        click.echo(as_json([notice_fields(one) for one in found]))
        return
    for one in found:
        last = f"  {_told(one.attempts[-1])}" if one.attempts else ""
        told = f"{one.id:>8}  {one.state:<8} {one.destination:<20} {one.what:<15} {one.incident or '-'}{last}"
        click.echo(plain(told))


@notice.command("send")
@click.argument("id_", metavar="ID", type=click.IntRange(1, (1 << 62) - 1))
@click.option("--actor", default="cli", help="Who asks for it.")
def notice_send(id_: int, actor: str) -> None:
    """Send a notice again that was given up or waits; the service that runs sends it at once."""
    from incidents.notices import outbox
    from service import clock

    with opened() as store, store.writing() as connection:
        found = outbox.send_again(connection, id_, f"user:{actor}", clock.now())
    if found is None:
        raise fail(f"there is no notice {id_}", NOT_FOUND)
    if found.state == "sent":
        raise fail(f"notice {id_} was sent: its destination has it", CONFLICT)
    click.echo(f"notice {id_} waits to be sent")


def _told(one: Attempt) -> str:
    status = f" {one.status}" if one.status else ""
    return f"{one.at:%Y-%m-%d %H:%M}Z {one.outcome}{status}" + (f": {one.reason}" if one.reason else "")
