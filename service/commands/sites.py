"""Commands that show sites, find places in the catalogue of provider regions, and import sites from files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from incidents.configured import Step
    from incidents.geography.regions import Place
    from incidents.geography.site_files import Reading
    from incidents.geography.sites import PointZones
    from incidents.model import Site
    from incidents.store import Store

from service.commands.terminal import (
    JSON_OPTION,
    NOT_FOUND,
    UNAVAILABLE,
    as_json,
    config_in,
    fail,
    opened,
    operator,
    plain,
    plain_lines,
    settings_of,
    told,
)

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def site() -> None:
    """The places you run in, and where provider regions are."""


@site.command("list")
@JSON_OPTION
def site_list(*, json_: bool) -> None:
    """List the sites: where each is, how well that is known, and by whom it was given."""
    with opened() as store:
        sites = config_in(store).sites
        owners = _owners(store)
    if json_:
        click.echo(as_json([_json(one, owners.get(one.name)) for one in sites]))
        return
    for one in sites:
        where = f"{one.latitude:.4f}, {one.longitude:.4f} ±{one.uncertainty_km:g} km"
        click.echo(
            f"{one.name:<20} {where:<32} {one.located_by:<10} {one.timezone:<20} {owners.get(one.name, ''):<6} "
            f"{plain(one.title)}"
        )


@site.command("show")
@click.argument("name")
@JSON_OPTION
def site_show(name: str, *, json_: bool) -> None:
    """Show the site NAME: its place and where that comes from, and what is missing for linking."""
    with opened() as store:
        one = config_in(store).site(name)
        owner = _owners(store).get(name)
    if one is None:
        raise fail(f"there is no site {name}", NOT_FOUND)
    click.echo(as_json(_json(one, owner)) if json_ else plain_lines(_site_text(one, owner)))


@site.command("resolve")
@click.argument("text")
@JSON_OPTION
def site_resolve(text: str, *, json_: bool) -> None:
    """Find the place of a provider's region, zone, colo or status-page word; every candidate where TEXT has several."""
    from incidents.geography.regions import candidates
    from incidents.geography.sites import place_json

    found = candidates(text)
    if not found:
        raise fail(f"the catalogue of provider regions has no {text[:80]!r}", NOT_FOUND)
    if json_:
        rows = [place_json(place) for place in found]
        click.echo(as_json({"text": text, "place": rows[0] if len(rows) == 1 else None, "candidates": rows}))
        return
    for place in found:
        click.echo(plain_lines(_place_text(place)))
    if len(found) > 1:
        click.echo(f"{len(found)} places have this name; say which, as in {found[0].name}", err=True)


@site.command("zones")
@click.argument("name")
@click.option("--file", "file", type=FILE, help="A saved answer of api.weather.gov/points/LAT,LON; nobody is asked.")
@click.option("--url", default=None, help="Another address than https://api.weather.gov that answers as it does.")
@JSON_OPTION
def site_zones(name: str, file: Path | None, url: str | None, *, json_: bool) -> None:
    """Find the warning zones of the site NAME: api.weather.gov is asked, or its saved answer read."""
    from incidents.geography.outlines import distance_km
    from incidents.geography.sites import zones_of_point

    with told():
        with opened() as store:
            one = config_in(store).site(name)
        if one is None:
            raise fail(f"there is no site {name}", NOT_FOUND)
        point = zones_of_point(json.loads(file.read_bytes())) if file else _asked_zones(one, url)
    away = None
    if point.latitude is not None and point.longitude is not None:
        away = distance_km(one.latitude, one.longitude, point.latitude, point.longitude)
        if away > max(one.uncertainty_km, 5):
            click.echo(f"warning: this answer is for a point {away:.0f} km from {plain(one.title)}", err=True)
    if json_:
        fields = {"county": point.county, "forecast": point.forecast, "fire": point.fire, "timezone": point.timezone}
        click.echo(as_json({"site": name, "zones": list(point.zones), **fields, "distance_km": away}))
        return
    click.echo(f"zones = {json.dumps(list(point.zones))}")
    if point.fire:
        click.echo(f"# fire weather zone {point.fire}: numbered apart from the forecast zones, so not one of them")


def _asked_zones(one: Site, url: str | None) -> PointZones:
    """The zones as the network tells them; what it does not tell is said in words."""
    from service.outside import zones
    from service.outside.outbound import FetchError

    asked = url or zones.ADDRESS
    try:
        return zones.ask(settings_of(), one, asked)
    except zones.NoZonesError as error:
        raise fail(f"{asked}: {error}", NOT_FOUND) from None
    except FetchError as error:
        raise fail(f"{asked}: {error}; --file reads an answer that you saved", UNAVAILABLE) from None


@site.command("import")
@click.argument("file", type=FILE)
@click.option("--apply", "apply_", is_flag=True, help="Write the sites; without it the plan is only printed.")
@click.option("--match-label", metavar="LABEL", help="Alerts whose LABEL is the site's name belong to it.")
@JSON_OPTION
def site_import(file: Path, *, apply_: bool, match_label: str | None, json_: bool) -> None:
    """Read sites from FILE: CSV, or NetBox's export of sites as CSV or JSON. Prints the plan as TOML."""
    from incidents.geography.site_files import read_sites, toml_of

    with told():
        found = read_sites(file.read_bytes(), match_label=match_label)
    for fault in found.faults:
        click.echo(plain(f"row {fault.row}: {fault.column}: {fault.text}"), err=True)
    for row in found.left_out:
        click.echo(plain(f"row {row.row}: {row.name} is left out: {row.reason}"), err=True)
    if found.unused:
        click.echo(plain(f"columns that are not used: {', '.join(found.unused)}"), err=True)
    for note in found.notes:
        click.echo(plain(note), err=True)
    written = apply_ and not found.faults
    steps = _written(found.sites) if written else []
    if json_:
        click.echo(as_json(_import_json(found, steps, applied=written)))
    elif written:
        for step in steps:
            click.echo(step.text)
    else:
        click.echo("\n".join(toml_of(one) for one in found.sites), nl=False)
    if found.faults:
        rows = len({fault.row for fault in found.faults})
        raise fail(f"{rows} {'row' if rows == 1 else 'rows'} cannot be used{'; nothing was written' if apply_ else ''}")
    if not apply_:
        click.echo(f"{len(found.sites)} sites; nothing was written: --apply writes them", err=True)


def _written(sites: Sequence[Site]) -> list[Step]:
    """Write the sites as rows of the page; those of the file or of a story are left alone and told as taken."""
    from incidents import configured
    from incidents.config import Config
    from service import clock
    from service.apply import tell

    config = Config(sites=tuple(sites))
    with told(), opened() as store, store.writing() as connection:
        store.lock(connection, ["apply"])
        steps = configured.plan(connection, config, owner="page", prune=False)
        configured.write(connection, config, steps, owner="page", now=clock.now())
        tell(connection, steps, by=operator())
    return [step for step in steps if step.act != "absent"]


def _owners(store: Store) -> dict[str, str]:
    from incidents import configured

    with store.reading() as connection:
        return {name: owner for (kind, name), owner in configured.owners(connection).items() if kind == "site"}


def _json(one: Site, owner: str | None) -> dict[str, Any]:
    from incidents.config import spec_of
    from incidents.geography.sites import survey

    return {**spec_of(one), "owner": owner, **survey(one).as_json()}


def _import_json(found: Reading, steps: Sequence[Step], *, applied: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from incidents.config import spec_of

    return {
        "sites": [spec_of(one) for one in found.sites],
        "left_out": [asdict(row) for row in found.left_out],
        "errors": [asdict(fault) for fault in found.faults],
        "unused_columns": found.unused,
        "notes": found.notes,
        "applied": applied,
        "plan": [asdict(step) for step in steps],
    }


def _place_text(place: Place) -> str:
    where = f"{place.latitude:.4f}, {place.longitude:.4f} ± {place.uncertainty_km:g} km ({place.granularity})"
    lines = [
        f"{place.name}  {place.title}",
        f"  {where}  {place.timezone}  {place.country}",
        f"  source: {place.source}",
    ]
    return "\n".join([*lines, f"  note: {place.note}"] if place.note else lines)


def _site_text(one: Site, owner: str | None) -> str:
    from incidents.geography.sites import survey

    known = survey(one)
    lines = [
        f"{one.name}  {one.title}",
        f"  place: {one.latitude:.4f}, {one.longitude:.4f} ± {one.uncertainty_km:g} km, "
        + (f"the catalogue's for {known.place.name}" if known.place else f"{one.located_by} by the {owner}"),
        f"  time zone: {one.timezone}, by {one.timezone_by}",
        f"  provider regions: {', '.join(one.provider_regions) or 'none'}",
        f"  warning zones: {', '.join(one.zones) or 'none'}",
        f"  grid area: {one.grid_area or 'none'}",
        "  limits: " + (", ".join(f"{key} {value:g}" for key, value in one.limits.items()) or "none"),
        "  labels: " + (", ".join(f"{m.label}={m.value}" for m in one.match) or "none"),
    ]
    return "\n".join([*lines, *(f"  missing: {text}" for text in known.missing)])
