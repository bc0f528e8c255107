"""What one revision of a text has that another has not, word by word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from dashboards import words
from incidents.postmortem import SECTIONS, differing

_WORDS = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text that stayed, was taken out or was put in."""

    how: Literal["same", "out", "in"]
    text: str


def diff(was: str, now: str) -> list[Piece]:
    """The pieces in order; those that stayed and came in are `now`, those that stayed and went out are `was`."""
    old, new = _WORDS.findall(words.clean(was)), _WORDS.findall(words.clean(now))
    found: list[Piece] = []
    for op, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if op == "equal":
            found.append(Piece("same", "".join(old[a:b])))
            continue
        found += [Piece("out", "".join(old[a:b]))] if b > a else []
        found += [Piece("in", "".join(new[c:d]))] if d > c else []
    return found


def revision_diff(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, list[Piece]]]:
    """The headings of the sections that differ, with their pieces."""
    return [(SECTIONS[name], diff(as_text(name, was), as_text(name, now))) for name in differing(was, now)]


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
