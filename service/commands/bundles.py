"""Commands of evidence bundles: write one, verify one, bring one in."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from service.commands.progress import progress
from service.commands.terminal import audited, fail, opened, plain, told


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; stdout by default.")
@click.option("--raw", is_flag=True, help="With deliveries as they came, not redacted.")
def bundle(id_: str, *, out: Path | None, raw: bool) -> None:
    """Write the evidence bundle of an incident: one file that `verify` finds a changed byte in."""
    from service.files import bundles

    with told(), opened() as store, _written(out) as file:
        with progress() as shown:
            made = bundles.export(store, id_, file, raw=raw, tell=shown.tell)
        audited(store, "bundle_read", f"incident {id_}", raw="with deliveries as they came" if raw else "redacted")
        if out is None:
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer)
    click.echo(f"SHA-256 {made.digest}", err=True)


@contextmanager
def _written(out: Path | None) -> Iterator[BinaryIO]:
    """An empty file that becomes `out` when all went well; one without a name where there is none."""
    if out is None:
        with tempfile.TemporaryFile() as file:
            yield file
        return
    handle, beside = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
        # As any file that this process writes: what made it is its owner's alone, which nobody asked for.
        Path(beside).chmod(0o644)
        Path(beside).replace(out)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def verify(file: Path) -> None:
    """Say whether an evidence bundle is whole; exit 1 with the first difference when it is not."""
    from incidents.bundles.archive import BundleError
    from service.files import bundles

    with told():
        try:
            with file.open("rb") as content, progress() as shown:
                checked = bundles.check(content, tell=shown.tell)
                said = bundles.told(checked)
        except BundleError as error:
            raise fail(f"not whole: {error}") from None
    click.echo(plain(f"whole: {said}"))
    _tell_other_drawings(checked.differs)


def import_bundle(path: Path) -> None:
    """Bring an evidence bundle into the store of the settings; exit 1 when it is not whole, 5 when it conflicts."""
    from service import clock
    from service.files import bundles

    with told(), path.open("rb") as content, opened() as store:
        with progress() as shown:
            checked, done = bundles.restore(store, content, clock.now(), tell=shown.tell)
        audited(store, "bundle_brought_in", path.name)
        click.echo(plain(bundles.told(checked)))
    if done.is_nothing:
        click.echo("all of it was here before; nothing was changed")
    else:
        added = f"{done.entries} entries, {done.events} events, {done.readings} readings, {done.deliveries} deliveries"
        added += f", {done.revisions} revisions of the postmortem" if done.revisions else ""
        click.echo(f"added: {added}")
        for name in done.configured:
            click.echo(plain(f"added: {name}"))
    _tell_other_drawings(checked.differs)


def _tell_other_drawings(names: tuple[str, ...]) -> None:
    if names:
        click.echo(f"note: this version would make {', '.join(names)} otherwise from the same evidence", err=True)
