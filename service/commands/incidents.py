"""Commands that look at incidents, act on them and export them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from datetime import datetime

    from dashboards.audiences import Audience
    from dashboards.palettes import Ink
    from dashboards.svg import Preset
    from incidents.acts import Acting
    from incidents.store import Store
    from incidents.views.incident_view import Asked
    from incidents.views.view import IncidentView

from service.commands.progress import progress
from service.commands.terminal import (
    JSON_OPTION,
    UNAVAILABLE,
    as_json,
    config_in,
    fail,
    instant,
    opened,
    plain,
    plain_lines,
    settings_of,
    told,
)

T = TypeVar("T")
DOCUMENTS = {
    "timeline": ("svg", "png", "pdf", "html", "md", "csv", "json", "ics"),
    "postmortem": ("md", "html", "pdf", "docx", "zip", "json", "ics"),
}
"""What can be exported, and as what."""
FORMATS = list(dict.fromkeys(form for forms in DOCUMENTS.values() for form in forms))


@click.group()
def incident() -> None:
    """Look at incidents and act on them."""


@incident.command("list")
@JSON_OPTION
@click.option("--status", help="open, acknowledged, mitigated or resolved.")
@click.option("--limit", type=click.IntRange(1, 500), default=50)
def incident_list(*, json_: bool, status: str | None, limit: int) -> None:
    """List incidents, newest first."""
    from incidents.views import lists
    from service.api.incidents_api import incident_json

    with opened() as store, store.reading() as connection:
        wanted = lists.IncidentFilter(status=(status,) if status else ())
        found = lists.list_incidents(connection, wanted, limit)
    if json_:
        click.echo(as_json([incident_json(i) for i in found]))
        return
    for one in found:
        click.echo(
            f"{one.id:<28} {one.status:<12} {one.severity:<8} {one.opened_at:%Y-%m-%d %H:%M}Z "
            f"{one.members.alerts:>6} alerts  {plain(one.title)}"
        )


@incident.command("show")
@click.argument("id_", metavar="ID")
@JSON_OPTION
@click.option("--as-of", callback=instant, metavar="T", help="As known at T.")
def incident_show(id_: str, *, json_: bool, as_of: datetime | None) -> None:
    """Show an incident with its links and its timeline."""
    from dashboards import documents
    from incidents.views.incident_view import Asked
    from service import clock
    from service.intake.replayed import view_text

    with told(), opened() as store:
        view = view_in(store, id_, Asked(clock.now(), as_of=as_of))
    click.echo(documents.json_export(view).decode() if json_ else plain_lines(view_text(view)))


def view_in(store: Store, id_: str, asked: Asked) -> IncidentView:
    """The view of an incident. Raises NotFoundError."""
    from dashboards import sentences
    from incidents.refusals import NotFoundError
    from incidents.views.incident_view import gather

    config = config_in(store)
    with store.reading() as connection:
        view = gather(connection, config, id_, asked, sentences.sentence)
    if view is None:
        raise NotFoundError(f"there is no incident {id_}")
    return view


@incident.command("note")
@click.argument("id_", metavar="ID")
@click.argument("text")
@click.option("--happened-at", metavar="T", help="When it happened; now by default.")
@click.option("--actor", default="cli", help="Who says so.")
def incident_note(id_: str, text: str, happened_at: str | None, actor: str) -> None:
    """Add a note to an incident."""
    fields = {"text": text, **({"happened_at": happened_at} if happened_at else {})}
    click.echo(acted(actor, lambda acting: acting.note(id_, fields)))


@incident.command("status")
@click.argument("id_", metavar="ID")
@click.argument("status")
@click.option("--happened-at", metavar="T", help="When it came about; now by default.")
@click.option("--note", help="Why.")
@click.option("--actor", default="cli", help="Who says so.")
def incident_status(id_: str, status: str, happened_at: str | None, note: str | None, actor: str) -> None:
    """Change the status of an incident: open, acknowledged, mitigated or resolved."""
    fields: Mapping[str, Any] = {
        "status": status,
        **({"happened_at": happened_at} if happened_at else {}),
        **({"note": note} if note else {}),
    }
    click.echo(acted(actor, lambda acting: acting.status(id_, fields).status))


@incident.command("private")
@click.argument("id_", metavar="ID")
@click.option("--to", "seen_by", multiple=True, metavar="NAME", help="Who may see it; group:NAME for a group.")
@click.option("--reason", help="Why.")
@click.option("--actor", default="cli", help="Who says so.")
def incident_private(id_: str, seen_by: tuple[str, ...], reason: str | None, actor: str) -> None:
    """Make an incident private to those named and to admins; its links with a preview are revoked."""
    changed_sight(id_, actor, {"private": True, "seen_by": list(seen_by), "reason": reason})


@incident.command("public")
@click.argument("id_", metavar="ID")
@click.option("--reason", help="Why.")
@click.option("--actor", default="cli", help="Who says so.")
def incident_public(id_: str, reason: str | None, actor: str) -> None:
    """Let everybody who may sign in see an incident again."""
    changed_sight(id_, actor, {"private": False, "reason": reason})


def changed_sight(id_: str, actor: str, fields: Mapping[str, Any]) -> None:
    """Change who may see an incident, and print who does."""
    from incidents import private_acts

    done = acted(actor, lambda acting: private_acts.change(acting, id_, fields))
    click.echo(plain(", ".join((*done.seen_by, "admins")) if done.seen_by is not None else "everybody"))


@incident.command("import")
@click.argument("id_", metavar="ID")
@click.argument("file", type=click.File("rb"))
@click.option("--format", "form", type=click.Choice(["auto", "slack", "teams", "list"]), default="auto")
@click.option("--tz", default="UTC", help="The zone of its times; an export brings its own instants.")
@click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), help="The day that it begins on; beside the opening by default."
)
@click.option("--day-first", is_flag=True, help="9/5 is the 9th of May.")
@click.option("--dry-run", is_flag=True, help="Print what would be written and write nothing.")
@click.option("--actor", default="cli", help="Who imports it.")
@JSON_OPTION
def incident_import(  # noqa: PLR0917  # click passes by name
    id_: str,
    file: IO[bytes],
    form: str,
    tz: str,
    day: datetime | None,
    actor: str,
    *,
    day_first: bool,
    dry_run: bool,
    json_: bool,
) -> None:
    """Add what was said in a chat or stands in a list: FILE (- is stdin) of Slack, of Teams, or lines with times."""
    from zoneinfo import available_timezones

    from incidents import transcribing
    from incidents.transcribing import Pasted
    from service import clock

    if tz not in available_timezones():
        raise click.BadParameter("is not a time zone of the IANA database", param_hint="--tz")
    text = file.read(reading_bound() + 1).decode("utf-8-sig", errors="replace")
    pasted = Pasted(text, tz, form, day.date() if day else None, day_first=day_first)

    def read(acting: Acting) -> tuple[transcribing.Preview, list[int] | None]:
        found = transcribing.preview(acting.connection, id_, pasted, clock.now())
        return found, None if dry_run else transcribing.write(acting, id_, found)

    found, numbers = acted(actor, read)
    if json_:
        click.echo(as_json(transcribing.preview_fields(found, numbers)))
        return
    for row in found.rows:
        speaker = f"{row.speaker}: " if row.speaker else ""
        known = "  (known)" if row.entry else ""
        click.echo(plain(f"{row.message.at:%Y-%m-%d %H:%M:%S}Z  {speaker}{row.text}{known}"))
    for one in found.transcript.unread:
        click.echo(plain(f"left out, line {one.line}: {one.reason}: {one.text}"), err=True)
    for assumed in found.transcript.assumed:
        click.echo(plain(f"taken for granted: {assumed}"), err=True)
    done = "would be written" if dry_run else "written"
    click.echo(f"{len(found.new)} {done}, {len(found.rows) - len(found.new)} known before", err=True)


def reading_bound() -> int:
    """Most bytes of a transcript."""
    from incidents.transcripts.reading import MOST_BYTES

    return MOST_BYTES


def acted(actor: str, deed: Callable[[Acting], T]) -> T:
    """Do something to an incident as somebody."""
    from incidents.acts import Acting
    from incidents.entries import Changes
    from incidents.pulses import pulse
    from service import clock

    with told(), opened() as store:
        config, now = config_in(store), clock.now()
        with store.writing() as connection:
            changes = Changes(store, connection, now, destinations=config.destinations)
            done = deed(Acting(config, changes, f"user:{actor}"))
            pulse(store, connection, ["incidents"], now)
    return done


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--format", "form", type=click.Choice(FORMATS), required=True)
@click.option("--document", type=click.Choice(list(DOCUMENTS)), default="timeline", help="What to write.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; stdout by default.")
@click.option("--tz", help="Time zone of the export; the site's by default.")
@click.option("--theme", type=click.Choice(["light", "dark", "print", "grey"]), default="light")
@click.option("--preset", type=click.Choice(["a4", "letter", "slide", "wide"]), default="a4")
@click.option("--scale", type=click.Choice(["2", "3"]), default="2", help="Pixels of a PNG for each of the drawing's.")
@click.option("--from", "since", callback=instant, metavar="T")
@click.option("--to", "until", callback=instant, metavar="T")
@click.option("--as-of", callback=instant, metavar="T", help="As known at T.")
@click.option(
    "--audience", type=click.Choice(["internal", "customer", "public"]), default="internal", help="Postmortem."
)
@click.option("--names", is_flag=True, help="Postmortem: people by name, not by role.")
@click.option("--interactive", is_flag=True, help="HTML with a figure that can be zoomed, by a script in the file.")
@click.option("--plotly", is_flag=True, help="As Plotly draws it, by a browser installed here: svg, png or pdf.")
def export(  # noqa: PLR0917  # click passes by name
    id_: str,
    form: str,
    out: Path | None,
    tz: str | None,
    theme: Ink,
    preset: Preset,
    scale: str,
    since: datetime | None,
    until: datetime | None,
    as_of: datetime | None,
    document: str,
    audience: Audience,
    *,
    names: bool,
    plotly: bool,
    interactive: bool,
) -> None:
    """Export an incident's timeline, or its postmortem, as a file."""
    from zoneinfo import available_timezones

    from incidents.views.incident_view import Asked
    from service import clock
    from service.files import exports

    if tz is not None and tz not in available_timezones():
        raise click.BadParameter("is not a time zone of the IANA database", param_hint="--tz")
    if form not in DOCUMENTS[document]:
        raise click.BadParameter(f"a {document} is written as {', '.join(DOCUMENTS[document])}", param_hint="--format")
    if interactive and (document, form) != ("timeline", "html"):
        raise click.BadParameter("is for a timeline as html", param_hint="--interactive")
    settings = settings_of()
    if document == "postmortem":
        with told(), progress() as shown:
            content = postmortem_file(id_, form, audience, names=names, tz=tz, tell=shown.tell)
        write_out(content, out)
        return
    with told(), opened(settings) as store, progress() as shown:
        shown.tell("reading the record")
        view = view_in(store, id_, Asked(clock.now(), as_of, since, until, tz))
        shown.tell("drawing")
        address = f"{settings.public_url}/incidents/{id_}" if settings.public_url else ""
        if plotly:
            content = _rendered(view, form, theme, int(scale), settings.browser)
        else:
            content = exports.export(view, form, exports.Look(theme, preset, int(scale), interactive), address=address)[
                2
            ]
    write_out(content, out)


def _rendered(view: IncidentView, form: str, theme: Ink, scale: int, named: str) -> bytes:
    """The figure as Plotly draws it; exit 6 without a browser, 1 where it did not draw."""
    from service.files import browser
    from service.files.renderings import THEMES, rendered

    if form not in ("svg", "png", "pdf"):
        raise click.BadParameter("Plotly draws svg, png and pdf", param_hint="--format")
    shade = next((one for one in THEMES if one == theme), None)
    if shade is None:
        raise click.BadParameter(f"Plotly draws {' and '.join(THEMES)}", param_hint="--theme")
    try:
        return rendered(view, form, shade, scale, named)
    except browser.MissingError as error:
        raise fail(str(error), UNAVAILABLE) from None
    except browser.FailedError as error:
        raise fail(str(error)) from None


def postmortem_file(
    id_: str, form: str, audience: Audience, *, names: bool, tz: str | None, tell: Callable[[str], None]
) -> bytes:
    """The postmortem of an incident as the bytes of a file. Raises NotFoundError."""
    from incidents.views.incident_view import Asked
    from service import clock, postmortems

    with opened() as store:
        config, asked = config_in(store), Asked(clock.now(), zone=tz)
        wanted = postmortems.Wanted(audience, names)
        tell("reading the record")
        with store.reading() as connection:
            found = postmortems.read(connection, config, id_, asked, wanted)
    tell("writing")
    return postmortems.export(found, form)[2]


def write_out(content: bytes, out: Path | None) -> None:
    """Write to the file, else to stdout."""
    if out is None:
        sys.stdout.buffer.write(content)
    else:
        with told():
            out.write_bytes(content)
        click.echo(str(out), err=True)
