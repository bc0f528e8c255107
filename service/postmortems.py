"""Postmortems read from the store and written as files: one way for the API, the pages and the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dashboards import ics, postmortem, recorded, sentences, typeset, wordfile, writings
from dashboards.audiences import Audience, Version, version_for
from dashboards.blocks import Document
from dashboards.postmortem import Standing
from incidents import instants, postmortem_revisions
from incidents.config import Config
from incidents.privacy import ALL, Asker
from incidents.refusals import NotFoundError
from incidents.views import incident_view
from incidents.views.incident_view import Asked
from incidents.views.view import IncidentView
from service.files.job_process import Desk, Made

KINDS = {
    "md": "text/markdown",
    "html": "text/html",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "zip": "application/zip",
    "json": "application/json",
    "ics": "text/calendar",
}
"""Every format with its media type."""
DRAWN = ("md", "html", "pdf", "docx", "zip")
"""Those that take a while: they may be made by a job."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which version of which revision (None: the newest) somebody asked for."""

    audience: Audience = "internal"
    names: bool = False
    number: int | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """A postmortem as it stands: the version for its audience and, for the internal one, the chart."""

    version: Version
    standing: Standing
    drawing: str

    def document(self) -> Document:
        """The tree that every format is written from."""
        return postmortem.compose(self.version, self.standing, drawing=self.drawing)


def read(connection: sa.Connection, config: Config, incident: str, asked: Asked, wanted: Wanted) -> Read:
    """The postmortem of an incident: a published one on its frozen facts, any other on today's.

    Raises NotFoundError.
    """
    if wanted.number is None:
        revision = postmortem_revisions.newest(connection, incident)
    else:
        found = postmortem_revisions.numbered(connection, incident, wanted.number)
        if found is None:
            raise NotFoundError(f"the postmortem has no revision {wanted.number}")
        revision = found
    view = incident_view.gather(connection, config, incident, asked, sentences.sentence)
    if view is None:
        raise NotFoundError(f"there is no incident {incident[:80]}")
    frozen = (
        postmortem_revisions.snapshot(connection, incident, revision.number) if revision.state == "published" else None
    )
    authors = tuple(postmortem_revisions.authors(connection, incident, revision.number))

    def version_of(facts: Mapping[str, Any]) -> Version:
        return version_for(wanted.audience, facts, revision.words, authors, names=wanted.names)

    today = version_of(recorded.facts(view))
    if frozen is None:
        return Read(today, Standing(revision), _drawing(view, wanted))
    version = version_of(frozen["facts"])
    standing = Standing(
        revision, instants.parse(frozen["facts"]["as_of"]), tuple(recorded.differences(version.facts, today.facts))
    )
    return Read(version, standing, frozen["drawings"]["names" if wanted.names else "roles"])


def _drawing(view: IncidentView, wanted: Wanted) -> str:
    return recorded.drawing(view, names=wanted.names) if wanted.audience == "internal" else ""


def freeze(connection: sa.Connection, config: Config, incident: str, asked: Asked) -> dict[str, Any]:
    """The record's facts and charts as they stand, for a postmortem that is about to be published."""
    view = incident_view.gather(connection, config, incident, asked, sentences.sentence)
    if view is None:
        raise NotFoundError(f"there is no incident {incident[:80]}")
    return {"facts": recorded.facts(view), "drawings": recorded.drawings(view)}


@dataclass(frozen=True, slots=True)
class Asking:
    """The file of a postmortem that somebody asked for, and who it was."""

    incident: str
    asked: Asked
    wanted: Wanted
    form: str
    asker: Asker = ALL


def make(asking: Asking, desk: Desk) -> Made:
    """The work of a job: a postmortem as a file. Raises NotFoundError."""
    return desk.make(
        asking.asker,
        lambda connection, config: read(connection, config, asking.incident, asking.asked, asking.wanted),
        lambda found: Made(*export(found, asking.form)),
    )


def export(found: Read, form: str) -> tuple[str, str, bytes]:
    """The file's name, its media type and its bytes."""
    name = re.sub(r"[^a-z0-9-]", "-", found.document().name.lower())
    return f"{name}.{form}", KINDS[form], _content(found, form)


def _content(found: Read, form: str) -> bytes:
    if form == "json":
        return writings.json_text(found.version, found.standing)
    document = found.document()
    if form == "ics":
        actions, revision = found.version.words.get("actions") or (), found.standing.revision
        return ics.of_actions(found.version.facts["incident"]["id"], document.title, actions, at=revision.recorded_at)
    if form == "md":
        return writings.markdown(document).encode()
    if form == "html":
        return writings.html(document).encode()
    if form == "pdf":
        return typeset.pdf(document)
    if form == "docx":
        return wordfile.docx(document)
    return writings.archive(document, writings.json_text(found.version, found.standing))
