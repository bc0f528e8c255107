"""Commands of postmortems: begin one with a template, and look at the templates."""

from __future__ import annotations

import click

from service.commands.incidents import acted
from service.commands.terminal import JSON_OPTION, as_json, fail, plain, plain_lines, settings_of, told


@click.group()
def postmortem() -> None:
    """Postmortems: begin one with a template."""


@postmortem.command("new")
@click.argument("id_", metavar="ID")
@click.option("--template", default="standard", show_default=True, help="The name of a template.")
@click.option("--actor", default="cli", help="Who begins it.")
def new(id_: str, template: str, actor: str) -> None:
    """Begin the postmortem of an incident; exit 5 where it is begun already."""
    from incidents import postmortem_revisions
    from service.postmortem_templates import named

    with told():
        found = named(settings_of().postmortem_templates, template)
        written = acted(actor, lambda acting: postmortem_revisions.begin(acting, id_, found))
    click.echo(f"revision {written.number}, {plain(found.title)}: {len(found.parts)} sections")


@postmortem.command("templates")
@JSON_OPTION
def templates(*, json_: bool) -> None:
    """The templates by name; exit 1 where one cannot be used, with its file and line on stderr."""
    from service.postmortem_templates import fields, listed

    found = listed(settings_of().postmortem_templates)
    if json_:
        click.echo(as_json([fields(each) for each in found]))
    for each in found:
        if each.template and not json_:
            click.echo(plain(f"{each.name:24} {each.template.title}, {len(each.template.parts)} sections"))
    faults = [each.fault for each in found if each.fault]
    for fault in faults:
        click.echo(plain(fault), err=True)
    if faults:
        raise fail(f"{len(faults)} cannot be used")


@postmortem.command("template")
@click.argument("name", default="standard")
def template(name: str) -> None:
    """Print a template; the built-in one by default, to begin your own with."""
    from service.postmortem_templates import named

    with told():
        click.echo(plain_lines(named(settings_of().postmortem_templates, name).text))
