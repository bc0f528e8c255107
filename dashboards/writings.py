"""A postmortem written in each text format, and the zip that holds the Markdown with its pictures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from typing import Any

import orjson

from dashboards import chartfiles, words
from dashboards.audiences import Version, is_for
from dashboards.blocks import Block, Bullets, Document, Paragraph, Picture, Quote, Table
from dashboards.documents import md
from dashboards.paper import render
from dashboards.postmortem import Standing
from incidents import instants
from incidents.postmortem import FOLLOWING

_ZIP_DAY = (1980, 1, 1, 0, 0, 0)
"""The oldest day that a zip can hold: equal documents make equal files."""


_ELSEWHERE = "The drawings are in the PDF, HTML and DOCX of this document; their numbers stand in the tables above."


def markdown(document: Document, *, picture: str = "") -> str:
    """CommonMark with tables; every text is escaped. `picture` is the relative address of the chart."""
    parts = [f"# {md(document.title)}", "", f"{md(document.standing)}. {md(document.range)}.", ""]
    for note in document.notes:
        parts += [f"> {md(note)}", ""]
    for section in document.sections:
        parts += [f"## {md(section.title)}", ""]
        if section.has_chart and document.drawing and picture:
            parts += [f"![{md(document.alt)}]({picture})", ""]
        parts += ["### From the record", "", *_md_blocks(section.record)] if section.record else []
        if section.words:
            parts += ["### In people’s words", ""] if section.record else []
            parts += _md_blocks(section.words)
        elif not section.record:
            parts += ["Nothing written yet.", ""]
    is_drawn = any(
        isinstance(block, Picture) for section in document.sections for block in section.record + section.words
    )
    about = [*document.about, *([_ELSEWHERE] if is_drawn else [])]
    parts += ["## About this document", "", *(f"- {md(each)}" for each in about)]
    return "\n".join(parts).rstrip() + "\n"


def _md_blocks(blocks: Iterable[Block]) -> list[str]:
    parts: list[str] = []
    for block in blocks:
        match block:
            case Paragraph(text, lead):
                parts.append(f"**{md(block.begun)}** {md(text)}" if lead else md(text))
            case Bullets(items):
                parts += [f"- {md(item)}" for item in items]
            case Quote(text, speaker):
                parts.append(f"> “{md(text)}” ({md(speaker)})")
            case Picture():
                # What it shows stands in words before it already, and its numbers in a table behind it.
                continue
            case Table(head, rows):
                parts.append(f"| {' | '.join(head)} |")
                parts.append("|" + "---|" * len(head))
                parts += [f"| {' | '.join(md(cell) for cell in row)} |" for row in rows]
        parts.append("")
    return parts


def html(document: Document, *, kind: str = "postmortem") -> str:
    """One file that needs nothing beside it: no script, no outside reference, the chart as inline SVG."""
    return render("postmortem_document.html", viewer=None, document=document, kind=kind)


def archive(document: Document, whole: bytes) -> bytes:
    """A zip with `postmortem.md`, its chart as SVG and PNG by relative links, and `whole`, the JSON, beside them."""
    files = {"postmortem.md": markdown(document, picture="pictures/chart.svg").encode(), "postmortem.json": whole}
    if document.drawing:
        files["pictures/chart.svg"] = document.drawing.encode()
        files["pictures/chart.png"] = chartfiles.png(document.drawing, scale=2)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(zipfile.ZipInfo(f"{document.name}/{name}", _ZIP_DAY), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def fields(version: Version, standing: Standing) -> dict[str, Any]:
    """The postmortem as the API gives it: people's words as `sections`, the record's facts as `record`."""
    revision = standing.revision
    return {
        "incident": version.facts["incident"]["id"],
        "state": revision.state,
        "may_become": list(FOLLOWING[revision.state]),
        "revision": revision.number,
        "recorded_at": instants.text(revision.recorded_at) if revision.recorded_at else None,
        "authors": [author.removeprefix("user:") for author in version.authors],
        "audience": version.audience,
        "names": version.names,
        "left_out": list(version.left_out),
        "sections": {
            name: version.words.get(name) or ([] if name == "actions" else "")
            for name in version.layout.keys
            if name in version.words or version.audience == "internal"
        },
        "template": {
            "title": version.layout.title,
            "sections": [
                {"name": part.key, "title": part.title}
                for part in version.layout.parts
                if is_for(version.audience, part)
            ],
        },
        "frozen_at": instants.text(standing.frozen_at) if standing.frozen_at else None,
        "differences": list(standing.differences),
        "record": dict(version.facts),
    }


def json_text(version: Version, standing: Standing) -> bytes:
    """As `fields`, as a file."""
    text = orjson.dumps(fields(version, standing), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    return words.escaped(text).encode()
