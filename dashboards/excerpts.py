"""The part of a text in which words that were searched for stand, and which characters of it they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BEFORE = 40
"""Characters of a long text that are shown before the first place."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, and whether it is what was searched for."""

    text: str
    is_sought: bool = False


def excerpt(text: str, sought: str, most: int) -> list[Piece]:
    """At most about `most` characters of a text around the first place of the words, every place in them marked."""
    if not sought.strip():
        return [Piece(text if len(text) <= most else text[: most - 1] + "…")]
    pattern = re.compile(re.escape(sought), re.IGNORECASE)
    first = pattern.search(text)
    begin = max(0, first.start() - _BEFORE) if first and first.end() > most else 0
    shown = text[begin : begin + most]
    before, behind = "…" if begin else "", "…" if begin + most < len(text) else ""
    pieces = [Piece(before)] if before else []
    place = 0
    for found in pattern.finditer(shown):
        pieces += [Piece(shown[place : found.start()]), Piece(found.group(), is_sought=True)]
        place = found.end()
    pieces.append(Piece(shown[place:] + behind))
    return [piece for piece in pieces if piece.text]
