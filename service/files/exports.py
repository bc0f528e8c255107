"""Exports of an incident's timeline: one view in, the bytes of a file out."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa

from dashboards import chartfiles, documents, ics, interactive, sentences, svg
from dashboards.figure import incident_figure
from dashboards.palettes import INKS, Ink
from dashboards.svg import Preset
from incidents.config import Config
from incidents.privacy import Asker
from incidents.refusals import NotFoundError
from incidents.views import incident_view
from incidents.views.incident_view import Asked
from incidents.views.view import IncidentView
from service.files.job_process import Desk, Made

PRESETS: tuple[Preset, ...] = ("a4", "letter", "slide", "wide")
THEMES = INKS
SCALES = ("2", "3")
"""Pixels of a PNG for each pixel of the drawing."""
KINDS = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "html": "text/html",
    "md": "text/markdown",
    "csv": "text/csv",
    "json": "application/json",
    "ics": "text/calendar",
}
INTERACTIVE = "interactive.html"
"""How the name ends of an HTML file that holds a script; such a file is saved, and runs nothing on our own pages."""
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"}
"""A file that is looked at in the browser runs nothing and fetches nothing."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a drawing is to look: its palette, its page, and the pixels of a PNG for each of its own."""

    theme: Ink = "light"
    preset: Preset = "a4"
    scale: int = 2
    interactive: bool = False
    """Of HTML: whether its figure can be zoomed, by a script in the file."""


USUAL = Look()


def is_text(form: str) -> bool:
    """Whether a format is text in UTF-8."""
    return form not in ("png", "pdf")


def export(view: IncidentView, form: str, look: Look = USUAL, *, address: str = "") -> tuple[str, str, bytes]:
    """The file's name, its media type and its bytes. The same view and options give the same bytes."""
    kind = INTERACTIVE if form == "html" and look.interactive else form
    return f"{_name(view)}.{kind}", KINDS[form], _content(view, form, look, address)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The export of an incident that somebody asked for, and who it was: what is private to others is not in it."""

    incident: str
    asked: Asked
    asker: Asker
    form: str
    look: Look
    address: str


def make(wanted: Wanted, desk: Desk) -> Made:
    """The work of a job: the export of an incident. Raises NotFoundError."""
    return desk.make(
        wanted.asker,
        lambda connection, config: read_view(connection, config, wanted.incident, wanted.asked),
        lambda view: Made(*export(view, wanted.form, wanted.look, address=wanted.address)),
        writing="drawing" if wanted.form in ("svg", "png", "pdf", "html") else "writing",
    )


def read_view(connection: sa.Connection, config: Config, incident: str, asked: Asked) -> IncidentView:
    """What is drawn of an incident. Raises NotFoundError."""
    view = incident_view.gather(connection, config, incident, asked, sentences.sentence)
    if view is None:
        raise NotFoundError(f"there is no incident {incident[:80]}")
    return view


def _content(view: IncidentView, form: str, look: Look, address: str) -> bytes:
    if form == "md":
        return documents.markdown(view).encode()
    if form == "csv":
        return documents.csv(view).encode()
    if form == "json":
        return documents.json_export(view)
    if form == "ics":
        return ics.of_incidents([view.incident], address=lambda _: address)
    drawing = svg.incident_svg(view, theme=look.theme, preset=look.preset, address=address)
    if form == "html":
        live = interactive.live(incident_figure(view, width=interactive.WIDTH)) if look.interactive else None
        return documents.html(view, svg=drawing, live=live).encode()
    return drawn(drawing, form, look.scale)


def drawn(drawing: str, form: str, scale: int = 2) -> bytes:
    """A drawing of ours as SVG, PNG or PDF."""
    if form == "svg":
        return drawing.encode()
    return chartfiles.png(drawing, scale=scale) if form == "png" else chartfiles.pdf(drawing)


def _name(view: IncidentView) -> str:
    return re.sub(r"[^a-z0-9-]", "-", f"barograph-{view.incident.id}")
