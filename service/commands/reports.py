"""The command that writes the report of a period."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.commands.progress import progress
from service.commands.terminal import NOT_FOUND, config_in, fail, opened, settings_of, told

if TYPE_CHECKING:
    from datetime import datetime

    from incidents.periods import Period


@click.command()
@click.argument("period", default="last-month", metavar="[PERIOD]")
@click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="From this day, with --to.")
@click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="To this day and with it.")
@click.option("--site", help="Only incidents of this site.")
@click.option("--provider", default="", help="Only incidents linked with incidents of this provider.")
@click.option("--tz", default="UTC", help="The time zone by whose days the period begins and ends.")
@click.option("--format", "form", type=click.Choice(["pdf", "html", "docx", "md"]), default="pdf")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; stdout by default.")
def report(  # noqa: PLR0917  # click passes by name
    period: str,
    since: datetime | None,
    until: datetime | None,
    site: str | None,
    provider: str,
    tz: str,
    form: str,
    out: Path | None,
) -> None:
    """Write the report of PERIOD: 2026-10, 2026-Q3, 2026, last-month (the default), last-quarter or last-year."""
    from zoneinfo import available_timezones

    from service import clock
    from service.commands.incidents import write_out
    from service.files import reports

    if out is None and form in {"pdf", "docx"} and sys.stdout.isatty():
        raise click.UsageError(f"a terminal shows no {form.upper()}: name a file with --out")
    if tz not in available_timezones():
        raise click.BadParameter("is not a time zone of the IANA database", param_hint="--tz")
    stretch, settings = _period(period, since, until, tz), settings_of()
    address = f"{settings.public_url}/report" if settings.public_url else ""
    with told(), opened(settings) as store:
        config = config_in(store)
        place = config.site(site) if site else None
        if site and place is None:
            raise fail(f"there is no site {site}", NOT_FOUND)
        wanted = reports.Wanted(stretch, tz, place, provider, address)
        with progress() as shown:
            shown.tell("reading the record")
            with store.reading() as connection:
                found = reports.read(connection, config, wanted, clock.now())
            shown.tell("writing")
            content = reports.export(found, form)[-1]
    write_out(content, out)


def _period(name: str, since: datetime | None, until: datetime | None, zone: str) -> Period:
    from incidents import periods
    from service import clock

    try:
        if since or until:
            if since is None or until is None:
                raise click.UsageError("--from and --to belong together")
            return periods.between(since.date(), until.date(), zone)
        return periods.named(name, zone, clock.now())
    except ValueError as error:
        raise click.UsageError(str(error)) from None
