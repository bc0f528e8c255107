"""Evidence bundles: an incident out of one store as a file, and out of a file into another store."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

import orjson
import sqlalchemy as sa

from dashboards import documents, sentences, svg, writings
from dashboards.figure import incident_figure
from incidents import configured, instants, redaction
from incidents.bundles import archive, bundle, bundling, evidence, restoring
from incidents.bundles.archive import BundleError
from incidents.bundles.carried import Redaction
from incidents.bundles.evidence import Evidence
from incidents.bundles.lines import Room, digest
from incidents.bundles.restoring import Restored
from incidents.config import Config
from incidents.privacy import ALL, Asker
from incidents.refusals import ConflictError
from incidents.store import Store
from incidents.tables import METADATA
from incidents.views.incident_view import Asked, gather
from incidents.views.view import IncidentView
from service import postmortems
from service.files import job_process
from service.files.job_process import Desk

Tell = Callable[[str], None]
"""Hears what is being done, in words of ours."""
_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError, RecursionError)
"""What evidence that is well-formed and makes no sense can raise where it is folded, shown or drawn."""


def redacted_body(body: bytes) -> bytes:
    """A body without its secrets; the same bytes where it has none. JSON that has some is written anew."""
    text = body.decode("utf-8", "surrogateescape")
    try:
        document = orjson.loads(body) if len(text) <= redaction.MOST_PARSED else None
    except ValueError:
        document = None
    if isinstance(document, dict | list):
        shown = redaction.body(text, sys.maxsize - redaction.MOST_PARSED)[0]
        return body if orjson.loads(shown) == document else shown.encode()
    shown = redaction.redact(text)
    return body if shown == text else shown.encode()


MEDIA = "application/zip"
REDACTION = Redaction(headers=redaction.values_of, body=redacted_body)


@dataclass(frozen=True, slots=True)
class Checked:
    """A bundle that is whole: its evidence, its digest, and which of its derived members we would make otherwise."""

    evidence: Evidence
    digest: str
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle that was written: its digest, the SHA-256 of the whole file, and its bytes."""

    digest: str
    whole: str
    size: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """The bundle that somebody asked for, and who it was."""

    incident: str
    asker: Asker = ALL
    raw: bool = False


def make(wanted: Wanted, desk: Desk) -> job_process.Made:
    """The work of a job: a bundle. Raises NotFoundError and ConflictError."""
    with desk.place.open("w+b") as file:
        made = export(desk.store, wanted.incident, file, raw=wanted.raw, asker=wanted.asker, tell=desk.tell)
    return job_process.Made(name_of(wanted.incident), MEDIA, None, made.digest, made.whole)


def export(
    store: Store,
    incident: str,
    file: BinaryIO,
    *,
    raw: bool = False,
    asker: Asker = ALL,
    tell: Tell = lambda _: None,
) -> Made:
    """Write the bundle of an incident into an empty file, deliveries redacted unless asked `raw`.

    Raises NotFoundError, and ConflictError for what is larger than a bundle can be.
    """
    tell("reading the record")
    with Room() as room:
        with store.reading(asker) as connection:
            config, cleared = configured.load(connection), None if raw else REDACTION
            found = bundling.gather(
                connection, config, incident, sentences.sentence, room, redaction=cleared, tell=tell
            )
        tell("checking it")
        evidence.check(found)
        tell("folding it anew, from the evidence alone")
        view = view_of(found)
        tell("writing the bundle")
        try:
            told = evidence.write(file, found, _summary(view), view.revision, derive(view))
        except BundleError as error:
            raise ConflictError(str(error)) from None
    size = file.tell()
    return Made(told, archive.sha256(file, size), size)


def view_of(found: Evidence) -> IncidentView:
    """What the evidence alone shows, in a store of its own, so that every instance draws the same of it.

    Gaps of feeds, and whether a feed was asked, are no part of the evidence: nothing is told of them.
    Raises ValueError where it cannot be folded or shown.
    """
    with tempfile.TemporaryDirectory() as folder, closing(Store(f"sqlite:///{folder}/evidence.db", readers=1)) as store:
        with store.writing() as connection:
            METADATA.create_all(connection)
        restoring.restore(store, found, found.known_at)
        with store.reading() as connection:
            config = configured.load(connection)
            try:
                view = gather(connection, config, found.incident, Asked(found.known_at), sentences.sentence)
                if found.postmortem:
                    _write_postmortem(connection, config, found)
            except _FAULTS as error:
                # Params of entries are of no fixed shape: what a page cannot show must not come in by a file.
                raise ValueError(f"the evidence cannot be shown: {type(error).__name__}: {error}") from error
    if view is None:
        raise ValueError("the evidence holds no incident")
    return replace(view, gaps=(), coverage=(), silence=dict.fromkeys(view.silence, "not told by this file"))


def _write_postmortem(connection: sa.Connection, config: Config, found: Evidence) -> None:
    """Raises what `_FAULTS` names where the postmortem that a file brings could not be shown afterwards."""
    asked = Asked(found.known_at)
    for number in [row["number"] for row in found.postmortem if row["snapshot"]] + [len(found.postmortem)]:
        read = postmortems.read(connection, config, found.incident, asked, postmortems.Wanted(number=number))
        writings.html(read.document())
        writings.json_text(read.version, read.standing)


def derive(view: IncidentView) -> dict[str, bytes]:
    """The derived members: timeline, links and chart."""
    return {
        "derived/figure.json": orjson.dumps(incident_figure(view)),
        "derived/figure.svg": svg.incident_svg(view).encode(),
        "derived/links.json": orjson.dumps(documents.link_rows(view)),
        "derived/timeline.json": documents.json_export(view),
    }


def _summary(view: IncidentView) -> dict[str, object]:
    fields = documents.incident_fields(view.incident, view.measurements)
    return {
        name: fields[name] for name in ("title", "status", "severity", "sites", "opened_at", "resolved_at", "version")
    }


def check(file: BinaryIO, *, tell: Tell = lambda _: None) -> Checked:
    """A whole bundle that can be restored and shown. Raises BundleError that says what differs first.

    The evidence stays in the file: keep it open.
    """
    tell("reading it line by line")
    found, derived = evidence.read(file)
    tell("folding it anew, from the evidence alone")
    try:
        made = derive(view_of(found))
    except BundleError:
        raise
    except _FAULTS as error:
        # A well-made file may still hold words that no fold and no page can take; they must not come in.
        raise BundleError(f"{error}") from error
    differs = tuple(name for name in evidence.DERIVED if derived[name].sha256 != digest(made[name]))
    return Checked(found, bundle.digest_of(file), differs)


def restore(store: Store, file: BinaryIO, now: datetime, *, tell: Tell = lambda _: None) -> tuple[Checked, Restored]:
    """Check a bundle and bring it into a store. Raises BundleError and ConflictError; then nothing is written."""
    checked = check(file, tell=tell)
    tell("bringing it in")
    return checked, restoring.restore(store, checked.evidence, now)


def name_of(incident: str) -> str:
    """What the file of an incident is called."""
    return re.sub(r"[^a-z0-9-]", "-", f"barograph-{incident}") + ".evidence.zip"


def told(checked: Checked) -> str:
    """A whole bundle in one sentence."""
    found = checked.evidence
    counts = found.counts()
    kind = "as they came" if found.is_raw else "redacted"
    return (
        f"the evidence of {found.incident} as known at {instants.text(found.known_at)}: {counts['entries']} entries, "
        f"{counts['events']} events, {counts['readings']} readings, {counts['deliveries']} deliveries {kind}; "
        f"SHA-256 {checked.digest}"
    )
