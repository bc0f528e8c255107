"""The page of a postmortem: to read, to write, to look back at revisions, and to take away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dashboards import words
from dashboards.audiences import AUDIENCES, left_out
from dashboards.blocks import Document
from dashboards.paper import render
from incidents.postmortem import ACTIONS_BOUND, FOLLOWING, SECTION_BOUND, STATES, TITLE_BOUND, Revision, State
from incidents.postmortem_templates import STANDARD, Template
from incidents.revisions import Part
from incidents.views.view import Viewer

FORMS = (
    ("pdf", "PDF"),
    ("docx", "Word"),
    ("html", "HTML"),
    ("md", "Markdown"),
    ("zip", "Markdown with pictures"),
    ("ics", "Actions as calendar"),
    ("json", "JSON"),
)
EMPTY_ACTIONS = 2
"""How many empty rows for new actions the form offers."""
_BUTTONS: Mapping[tuple[State, State], str] = {
    ("draft", "in_review"): "Send to review",
    ("in_review", "draft"): "Back to draft",
    ("in_review", "published"): "Publish",
    ("published", "draft"): "Make it a draft again",
}


@dataclass(frozen=True, slots=True)
class Editing:
    """What the form holds: the words, the revision they lie over, and what others wrote in the same sections."""

    words: Mapping[str, Any]
    base: int
    theirs: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two revisions, and how their sections differ."""

    number: int
    author: str
    recorded_at: datetime
    sections: Sequence[tuple[str, Sequence[Part]]]


def postmortem_page(
    document: Document,
    revision: Revision,
    viewer: Viewer,
    *,
    incident: str,
    editing: Editing,
    revisions: Sequence[Revision],
    compared: Comparison | None = None,
    names: bool = False,
    layout: Template = STANDARD,
    offered: Sequence[tuple[str, str, str]] = (),
) -> str:
    """`revisions` are the newest ones, newest first; `offered` are templates by name, title and fault."""
    may_write = viewer.role in ("responder", "admin")
    zone_now = words.zone_label(viewer.zone, document.at)
    actions = list(editing.words.get("actions") or ())
    return render(
        "postmortem.html",
        viewer=viewer,
        zone_now=zone_now,
        zone_words=words.zone_in_full(viewer.zone, document.at),
        may_write=may_write,
        is_admin=viewer.role == "admin",
        writable=may_write and revision.state != "published",
        document=document,
        revision=revision,
        incident=incident,
        editing=editing,
        title=editing.words.get("title") or "",
        actions=[*actions, *[{"text": "", "owner": "", "due": None, "done": False}] * _empty_rows(len(actions))],
        revisions=revisions,
        compared=compared,
        names=names,
        state_called=STATES[revision.state],
        steps=[(state, _BUTTONS[revision.state, state]) for state in FOLLOWING[revision.state]],
        exports=[(audience, left_out(audience, names=names, layout=layout)) for audience in AUDIENCES],
        forms=FORMS,
        hints={part.key: part.hint for part in layout.parts},
        offered=offered,
        headings=layout.headings,
        section_bound=SECTION_BOUND,
        title_bound=TITLE_BOUND,
        states=STATES,
    )


def _empty_rows(filled: int) -> int:
    return min(EMPTY_ACTIONS, ACTIONS_BOUND - filled)
