"""Commands of the audit log: read it, and write it to a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.commands.terminal import JSON_OPTION, as_json, audited, instant, opened, plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from incidents.views.audit_view import Act

MOST = 1_000_000


def _narrowed(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--act", help="Only this act, such as signed_in."),
        click.option("--actor", help="Only this actor, such as user:alice."),
        click.option("--since", callback=instant, metavar="T", help="Only from this instant on."),
        click.option("--until", callback=instant, metavar="T", help="Only before this instant."),
    ):
        command = option(command)
    return command


@click.group()
def audit() -> None:
    """The audit log: sign-ins, keys, configuration, raw bytes read, refusals."""


@audit.command("list")
@_narrowed
@click.option("--limit", type=click.IntRange(1, MOST), default=100, show_default=True)
@JSON_OPTION
def audit_list(*, limit: int, json_: bool, **asked: Any) -> None:  # noqa: ANN401  # options by name
    """List acts, the newest first."""
    from incidents.views.audit_view import as_json as act_json
    from incidents.views.audit_view import sentence

    found = _read(limit, asked)
    if json_:
        click.echo(as_json([act_json(act) for act in found]))
        return
    for act in found:
        at = act_json(act)["recorded_at"][:19]
        click.echo(f"{at}Z  {plain(act.actor):<20} {plain(sentence(act))}")


@audit.command("export")
@_narrowed
@click.option("--format", "form", type=click.Choice(["csv", "jsonl", "json"]), default="jsonl", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; stdout by default.")
def audit_export(*, form: str, out: Path | None, **asked: Any) -> None:  # noqa: ANN401  # options by name
    """Write acts, the oldest first."""
    from dashboards.audit_page import FORMATS

    text = FORMATS[form](_read(MOST, asked)[::-1]).encode()
    if out is None:
        sys.stdout.buffer.write(text)
    else:
        out.write_bytes(text)
    with opened() as store:
        audited(store, "audit_exported", "audit", format=form)


def _read(limit: int, asked: dict[str, Any]) -> list[Act]:
    from incidents import audit as log
    from incidents.views.audit_view import ACTS, Filter

    act: str | None = asked["act"]
    since: datetime | None = asked["since"]
    if act is not None and act not in ACTS:
        raise click.UsageError(f"--act: one of {', '.join(ACTS)} is expected")
    wanted = Filter(act=act, actor=asked["actor"], since=since, until=asked["until"])
    with opened() as store, store.reading() as connection:
        return log.read(connection, wanted, limit=limit)
