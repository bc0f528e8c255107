"""What one revision of a postmortem has that another has not, section by section and word by word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboards import words
from incidents.postmortem import differing
from incidents.postmortem_templates import layout_of
from incidents.revisions import Part, diff


def revision_diff(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, tuple[Part, ...]]]:
    """The headings of the sections that differ, with their parts."""
    texts = ((name, words.clean(as_text(name, was)), words.clean(as_text(name, now))) for name in differing(was, now))
    headings = layout_of(now).headings
    return [(headings.get(name, name), diff(older, newer)) for name, older, newer in texts]


def as_text(name: str, content: Mapping[str, Any]) -> str:
    """A section as text; an action is a line."""
    if name != "actions":
        return str(content.get(name) or "")
    return "\n".join(
        ", ".join(
            part
            for part in (
                action["text"],
                action["owner"],
                f"due {action['due']}" if action["due"] else "",
                "done" if action["done"] else "open",
            )
            if part
        )
        for action in content.get(name) or ()
    )
