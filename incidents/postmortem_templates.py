"""Templates of postmortems: headings, hints and named places for facts of the record, read from Markdown. Pure.

A template has no logic: no condition, no loop, no call. What it may hold is told line by line in `read`, so that
whoever writes one is told the file and the line that cannot be used. A document keeps the text of the template that it
was begun with among its words: a template that changes later changes no document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from incidents.postmortem import SECTION_BOUND, SECTIONS, TEMPLATE

BLOCKS = {
    "record.summary": "status, severity, sites, alerts and owner",
    "record.impact": "when the impact began, was mitigated and resolved, its windows, services and measures",
    "record.timeline": "the lines of the timeline, and the chart",
    "record.coincided": "what coincided with the incident, each with its base rate",
    "record.detection": "when it was detected and acknowledged, the first alert",
    "record.late": "what was recorded late, and which feeds did not answer",
    "record.open": "links that nobody judged, instants that nobody recorded",
}
"""The places that stand on a line of their own: parts of the record."""
FACTS = {
    "incident": "its id",
    "title": "its title in the record",
    "severity": "critical, error, warning, info or unknown",
    "status": "open, acknowledged, mitigated or resolved",
    "sites": "the sites concerned",
    "services": "the services concerned",
    "owner": "who owns it",
    "alerts": "how many alerts joined",
    "opened_at": "when it was opened",
    "impact_started_at": "when the impact began",
    "detected_at": "when it was detected",
    "acknowledged_at": "when it was acknowledged",
    "mitigated_at": "when it was mitigated",
    "resolved_at": "when it was resolved",
    "impact_windows": "the windows of impact",
    "time_to_detect": "from the impact's beginning to its detection",
    "time_to_acknowledge": "from detection to acknowledgement",
    "time_to_mitigate": "to the mitigation",
    "time_to_resolve": "to the resolution",
    "zone": "the time zone of the document",
}
"""The places that may stand within a line."""
OUTWARD = ("customer", "public")
HEADING_BOUND = 120
PARTS_BOUND = 40
OWN = "own_"
"""What the key of a section of one's own begins with."""

_PLACE = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_FOR = re.compile(r"^(.*\S)\s+\(for ([a-z, ]+)\)$")
_BLAMING = re.compile(r"\broot[ -]?causes?\b", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*-->")


class TemplateError(ValueError):
    """A template that cannot be used; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Part:
    """A section: what it is called, what it takes from the record, and whom an own one is for besides the inside."""

    key: str
    title: str
    hint: str = ""
    record: tuple[str, ...] = ()
    """Lines of the record: a block's place alone, or a text with places of facts."""
    starter: str = ""
    """The words that the section begins with."""
    audiences: tuple[str, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether it is a section that only this template has."""
        return self.key not in SECTIONS


@dataclass(frozen=True, slots=True)
class Template:
    """Sections in their order; `text` is the file as it was read."""

    title: str
    parts: tuple[Part, ...]
    text: str = ""

    @property
    def headings(self) -> dict[str, str]:
        """What every section is called, with the document's own title and template, by key."""
        return {"title": SECTIONS["title"], **{part.key: part.title for part in self.parts}, TEMPLATE: "Template"}

    @property
    def keys(self) -> tuple[str, ...]:
        """The sections that people write in."""
        return ("title", *(part.key for part in self.parts))

    def starters(self) -> dict[str, Any]:
        """The words that a document begins with: the template itself among them."""
        return {TEMPLATE: self.text, **{part.key: part.starter for part in self.parts if part.starter}}


def layout_of(words: Mapping[str, Any]) -> Template:
    """The template of a document; sections that it has words of and its template does not name come at the end."""
    text = words.get(TEMPLATE)
    found = _of_text(text) if text else STANDARD
    unnamed = [key for key in words if key not in found.headings]
    more = tuple(Part(key, key.removeprefix(OWN).replace("_", " ").capitalize()) for key in unnamed)
    return Template(found.title, (*found.parts, *more), found.text) if more else found


@lru_cache(maxsize=64)
def _of_text(text: str) -> Template:
    """A text that was read once may be one that a later program refuses: its words are shown all the same."""
    try:
        return read(text, "the template of this document")
    except TemplateError:
        return STANDARD


# --- the grammar ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Begun:
    """A section whose lines are still being read."""

    key: str
    title: str
    audiences: tuple[str, ...]
    hint: list[str] = field(default_factory=list)
    record: list[str] = field(default_factory=list)
    starter: list[str] = field(default_factory=list)

    def end(self) -> Part:
        starter = "\n".join(self.starter).strip()
        return Part(self.key, self.title, " ".join(self.hint), tuple(self.record), starter, self.audiences)


def read(text: str, name: str) -> Template:
    """A template from its file's text; `name` is what an error calls the file. Raises TemplateError.

    `# Title` comes first, once. `## Heading` begins a section: one of ours by its usual heading, else one's own, which
    only the inside sees unless it ends with `(for customer, public)`. In a section a line `> hint` tells its author
    what to write, a line with `{{ place }}` is filled in from the record, `<!-- -->` is for nobody, and all else are
    the words that the section begins with.
    """
    if len(text) > SECTION_BOUND:
        raise TemplateError(f"{name}: longer than {SECTION_BOUND} characters")
    title, parts = "", list[_Begun]()
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        line, where = raw.strip(), f"{name}, line {number}"
        if _COMMENT.fullmatch(line):
            continue
        if not all(c.isprintable() or c == "\t" for c in line):
            raise TemplateError(f"{where}: a character that cannot be printed")
        if line.startswith("#"):
            level, _, heading = line.partition(" ")
            heading = heading.strip()
            _check_heading(level, heading, where, is_first=not title)
            if level == "#":
                title = heading
            else:
                parts.append(_begin(heading, parts, where))
        elif parts:
            _add(parts[-1], line, where)
        elif line and not (title and line.startswith(">")):
            raise TemplateError(f"{where}: a heading such as “{'## Summary' if title else '# Title'}” comes first")
    if not parts:
        raise TemplateError(f"{name}, line 1: no section; one begins with “## ” and its heading")
    if all(part.key != "actions" for part in parts):
        parts.append(_Begun("actions", SECTIONS["actions"], ()))  # what was promised is never hidden by a template
    return Template(title, tuple(part.end() for part in parts), text)


def _check_heading(level: str, heading: str, where: str, *, is_first: bool) -> None:
    if level not in ("#", "##") or not heading:
        raise TemplateError(f"{where}: headings are “# Title” and “## Section”")
    if (level == "#") != is_first:
        raise TemplateError(f"{where}: the first heading is the template's title, “# Title”, and there is one")
    if len(heading) > HEADING_BOUND:
        raise TemplateError(f"{where}: a heading of more than {HEADING_BOUND} characters")
    if "{{" in heading:
        raise TemplateError(f"{where}: a heading holds no place")
    if _BLAMING.search(heading):
        raise TemplateError(f"{where}: no section is called so: factors contribute, several at a time")


def _begin(heading: str, parts: list[_Begun], where: str) -> _Begun:
    if len(parts) >= PARTS_BOUND:
        raise TemplateError(f"{where}: more than {PARTS_BOUND} sections")
    audiences: tuple[str, ...] = ()
    if told := _FOR.fullmatch(heading):
        heading, audiences = told[1], tuple(word.strip() for word in told[2].split(","))
        if not set(audiences) <= set(OUTWARD):
            raise TemplateError(f"{where}: (for …): of {', '.join(OUTWARD)}")
    usual = {called.casefold(): key for key, called in SECTIONS.items() if key != "title"}
    key = usual.get(heading.casefold()) or _own_key(heading, len(parts) + 1)
    if key in SECTIONS and audiences:
        raise TemplateError(f"{where}: (for …) is for sections of your own; this one is told as always")
    if key in (part.key for part in parts):
        raise TemplateError(f"{where}: the section “{heading}” is there twice")
    return _Begun(key, SECTIONS.get(key, heading), audiences)


def _own_key(heading: str, number: int) -> str:
    """By its letters of ASCII, which an API's user can guess; by its number where it has none."""
    slug = re.sub(r"[^a-z0-9]+", "_", heading.casefold()).strip("_")[:32].strip("_")
    return f"{OWN}{slug or number}"


def _add(part: _Begun, line: str, where: str) -> None:
    if part.key == "actions" and line and not line.startswith(">"):
        raise TemplateError(f"{where}: actions are a table that people fill in; only a hint may stand here")
    if line.startswith(">"):
        part.hint += [hint] if (hint := line[1:].strip()) else []
    elif "{{" in line or "}}" in line:
        _check_places(line, where)
        part.record.append(line)
    else:
        part.starter.append(line)


def _check_places(line: str, where: str) -> None:
    rest = _PLACE.sub("", line)
    if "{{" in rest or "}}" in rest:
        raise TemplateError(f"{where}: a place that is not closed; one looks like {{{{ opened_at }}}}")
    for place in _PLACE.findall(line):
        if place in BLOCKS and rest.strip():
            raise TemplateError(f"{where}: {{{{ {place} }}}} stands on a line of its own")
        if place not in BLOCKS and place not in FACTS:
            raise TemplateError(
                f"{where}: {place[:40]!r} is no place; there are {', '.join((*BLOCKS, *FACTS))}, and no logic"
            )
    if sum(place in BLOCKS for place in _PLACE.findall(line)) > 1:
        raise TemplateError(f"{where}: one part of the record on a line")


def pieces(line: str) -> tuple[str, ...]:
    """A line of the record cut at its places: texts at even positions, names of places at odd ones."""
    return tuple(_PLACE.split(line))


STANDARD = read(
    Path(__file__).with_name("postmortem_standard.md").read_text(encoding="utf-8"), "postmortem_standard.md"
)
"""What every document is that was begun with no template of one's own."""
