"""Exports of an incident's timeline: one view in, the bytes of a file out."""

from __future__ import annotations

import re

from dashboards import chartfiles, documents, svg
from dashboards.svg import Preset
from dashboards.tokens import Theme
from incidents.views.view import IncidentView

PRESETS: tuple[Preset, ...] = ("a4", "letter", "slide", "wide")
THEMES = ("light", "dark", "print")
"""Print is light on white."""
KINDS = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "html": "text/html",
    "md": "text/markdown",
    "csv": "text/csv",
    "json": "application/json",
}


def is_text(form: str) -> bool:
    """Whether a format is text in UTF-8."""
    return form not in ("png", "pdf")


def export(
    view: IncidentView, form: str, *, theme: str = "light", preset: Preset = "a4", address: str = ""
) -> tuple[str, str, bytes]:
    """The file's name, its media type and its bytes. The same view and options give the same SVG, byte for byte."""
    return f"{_name(view)}.{form}", KINDS[form], _content(view, form, theme, preset, address)


def _content(view: IncidentView, form: str, theme: str, preset: Preset, address: str) -> bytes:
    if form == "md":
        return documents.markdown(view).encode()
    if form == "csv":
        return documents.csv(view).encode()
    if form == "json":
        return documents.json_export(view)
    ink: Theme = "dark" if theme == "dark" else "light"
    drawing = svg.incident_svg(view, theme=ink, preset=preset, address=address)
    if form == "svg":
        return drawing.encode()
    if form == "png":
        return chartfiles.png(drawing, scale=2)
    if form == "pdf":
        return chartfiles.pdf(drawing)
    return documents.html(view, svg=drawing).encode()


def _name(view: IncidentView) -> str:
    return re.sub(r"[^a-z0-9-]", "-", f"barograph-{view.incident.id}")
