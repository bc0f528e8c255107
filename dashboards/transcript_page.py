"""The page on which a conversation or a list is pasted, and what would be written of it is seen first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dashboards import words
from dashboards.paper import signed_in
from incidents.model import Incident
from incidents.transcripts.reading import FORMATS
from incidents.views.view import Viewer


@dataclass(frozen=True, slots=True)
class Pasting:
    """What the form holds, what was read of it, and what could not be done."""

    text: str = ""
    form: str = "auto"
    zone: str = "UTC"
    day: str = ""
    day_first: bool = False
    preview: Any = None
    """A Preview: `transcript`, `zone`, `rows`, `new`."""
    error: str = ""

    def read(self, preview: Any) -> Pasting:  # noqa: ANN401  # of a module that knows the database
        """With what was read."""
        return replace(self, preview=preview)

    def failed(self, error: str) -> Pasting:
        """With what went wrong."""
        return replace(self, error=error)


def transcript_page(incident: Incident, viewer: Viewer, pasting: Pasting) -> str:
    """The box, and below it the preview; `incident` is whose entries they become."""
    return signed_in(
        "transcript.html",
        viewer,
        incident.opened_at,
        incident=incident,
        pasting=pasting,
        found=pasting.preview,
        formats=FORMATS,
        origins={"slack": "Slack", "teams": "Teams", "chat": "a chat", "list": "a list"},
        spoken=lambda at: f"{words.day(at, pasting.zone)} {words.wall(at, pasting.zone):%H:%M:%S}",
    )
