"""The command that makes a story of past incidents from elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from service.commands.terminal import fail, plain, told


@click.group()
def story() -> None:
    """Stories: files of what happened, which `replay` plays."""


@story.command("make")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "form", type=click.Choice(["statuspage", "csv"]), required=True, help="What FILE is.")
@click.option("--map", "mapping", multiple=True, metavar="FIELD=COLUMN", help="Of a table; may be given several times.")
@click.option("--tz", default="UTC", help="The zone of a table's times that name none.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The story's file; stdout by default.")
def story_make(  # click passes by name
    file: Path, form: str, mapping: tuple[str, ...], tz: str, out: Path | None
) -> None:
    """Make a story of the incidents in FILE; what could not be carried over is listed on stderr."""
    from zoneinfo import available_timezones

    import orjson

    from incidents import histories

    if tz not in available_timezones():
        raise click.BadParameter("is not a time zone of the IANA database", param_hint="--tz")
    columns = dict(_pair(each) for each in mapping)
    with told():
        content = file.read_bytes()
    try:
        is_table = form == "csv"
        made = histories.of_csv(content, columns, zone=tz) if is_table else histories.of_statuspage(content)
    except ValueError as error:
        raise fail(f"{file}: {error}") from None
    written = orjson.dumps(made.story, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if out is None:
        sys.stdout.buffer.write(written)
    else:
        with told():
            out.write_bytes(written)
    click.echo(f"{made.incidents} incidents; {len(made.left_out)} things are not carried over", err=True)
    for each in made.left_out:
        click.echo(plain(f"not carried over: {each}"), err=True)


def _pair(text: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    if not equals:
        raise click.UsageError(f"--map {plain(text)}: FIELD=COLUMN is expected")
    return name.strip(), column.strip()
