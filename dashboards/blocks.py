"""Blocks: the tree that a document is made of, and that every format is written from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One line of text, with a `lead` that is set strong before it."""

    text: str
    lead: str = ""

    @property
    def begun(self) -> str:
        """The lead as it stands before the text: with a full stop, where it asks nothing."""
        return self.lead if not self.lead or self.lead.endswith("?") else f"{self.lead}."


@dataclass(frozen=True, slots=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Every row is as long as `head`."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shares: tuple[int, ...] = ()
    """How the width is shared out among the columns; none where the columns' names say it."""

    @property
    def is_short(self) -> bool:
        """Whether it stays on one page: a row or two of it alone on the next one tell nothing."""
        return len(self.rows) <= 12 and all(len(cell) <= 90 for row in self.rows for cell in row)


@dataclass(frozen=True, slots=True)
class Quote:
    """Somebody's own words, with their speaker."""

    text: str
    speaker: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing of our own making, as SVG with literal colours, and what it shows in words."""

    svg: str
    alt: str


Block = Paragraph | Bullets | Table | Quote | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """What the record says of a section, and what people wrote in it."""

    key: str
    title: str
    record: tuple[Block, ...] = ()
    words: tuple[Block, ...] = ()
    has_chart: bool = False
    """Whether the document's drawing belongs here."""


@dataclass(frozen=True, slots=True)
class Document:
    """A whole postmortem for one audience. Every text in it is one plain line; `drawing` is SVG of our own making."""

    title: str
    standing: str
    """State, revision, authors."""
    range: str
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    about: tuple[str, ...]
    name: str
    """Of the file, without its ending."""
    at: datetime
    drawing: str = ""
    alt: str = ""
    foot: str = ""
    """What every page says at its foot; the standing without its authors where it is not given."""
