"""The command that looks at everything and says what to do."""

from __future__ import annotations

import click

from service.commands.terminal import JSON_OPTION, as_json, plain


@click.command()
@JSON_OPTION
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
def doctor(*, json_: bool, strict: bool) -> None:
    """Look at settings, files, disk, database, sources and feeds; change nothing; exit 1 where something fails."""
    from service import doctor as practice
    from service import settings

    try:
        found = list(practice.examine(settings.read()))
    except settings.SettingsError as error:
        advice = "mend or remove it; docs/reference.md has every setting"
        found = [practice.Finding("failure", "settings", str(error), advice)]
    counts = practice.summary(found)
    if json_:
        click.echo(as_json({"findings": [finding.as_json() for finding in found], "counts": counts}))
    else:
        marks = {"ok": "ok     ", "warning": "warning", "failure": "FAILURE"}
        for finding in found:
            click.echo(f"{marks[finding.level]} {finding.check:<13} {plain(finding.text)}")
            if finding.advice:
                click.echo(f"{'':<21} → {plain(finding.advice)}")
        click.echo(f"{counts['failure']} failures, {counts['warning']} warnings", err=True)
    raise click.exceptions.Exit(1 if strict and counts["warning"] else practice.worst(found))
