"""A document as PDF by typst: tagged, fonts embedded. Every text goes in as a value, never as markup."""

from __future__ import annotations

from typing import Any, Literal

import orjson
import typst

from dashboards.blocks import Block, Bullets, Document, Paragraph, Picture, Quote, Table
from dashboards.chartfiles import fonts

_SOURCE = b"""
#let doc = json(bytes(sys.inputs.document))
#set document(title: doc.title, author: "Barograph", date: none)
#set page(paper: "a4", margin: (x: 19mm, top: 18mm, bottom: 20mm), footer: context [
  #set text(size: 8pt, fill: rgb("#555B63"))
  #doc.foot #h(1fr) #counter(page).display("1 / 1", both: true)
])
#set text(font: "Inter", size: 9.5pt, lang: "en", fill: rgb("#1A1D21"))
#set par(leading: 0.62em, spacing: 0.85em)
#show heading.where(level: 1): set text(size: 17pt)
#show heading.where(level: 2): set text(size: 12.5pt)
#show heading.where(level: 2): set block(above: 1.7em, below: 0.8em)
#show heading.where(level: 3): set text(size: 8.5pt, fill: rgb("#555B63"), weight: "semibold")
#show heading.where(level: 3): set block(above: 1.1em, below: 0.6em)
#set table(stroke: (x, y) => (bottom: 0.5pt + rgb("#D3D2CC")), inset: (left: 0pt, right: 9pt, y: 3.2pt))
#set table.cell(breakable: false)
#show table: set text(size: 8.5pt)
#show table: set par(justify: false)
#show table.cell.where(y: 0): set text(weight: "semibold", fill: rgb("#555B63"))

#let widths = ("Fact": 45mm, "Owner": 33mm, "Due": 27mm, "State": 16mm, "Who": 31mm, "What": 1fr, "As recorded": 1fr,
  "Action": 1fr, "What was recorded late": 1fr)
// A short table stays on one page: a row of it alone on the next one tells nothing.
#let held(block_, content) = if block_.is_short { block(breakable: false, content) } else { content }
#let shown(block_) = {
  if block_.kind == "paragraph" {
    let leads = block_.lead != ""
    block(sticky: leads, above: if leads { 1.25em } else { auto }, par[#if leads [#strong(block_.lead) ]#block_.text])
  } else if block_.kind == "bullets" {
    list(..block_.items.map(item => [#item]))
  } else if block_.kind == "quote" {
    quote(block: true, attribution: block_.speaker, block_.text)
  } else if block_.kind == "picture" {
    block(above: 1em, below: 1em, image(bytes(block_.svg), format: "svg", width: 100%, alt: block_.alt))
  } else if block_.shares.len() > 0 {
    held(block_, table(columns: block_.shares.map(share => share * 1fr),
      table.header(..block_.head.map(cell => [#cell])),
      ..block_.rows.flatten().map(cell => [#cell])))
  } else {
    held(block_, table(columns: block_.head.map(name => widths.at(name, default: 31.5mm)),
      table.header(..block_.head.map(cell => [#cell])),
      ..block_.rows.flatten().map(cell => [#cell])))
  }
}

#heading(level: 1, doc.title)
#text(fill: rgb("#555B63"))[#doc.standing. #doc.range.]
#for note in doc.notes {
  block(width: 100%, inset: 7pt, radius: 4pt, fill: rgb("#F4F4F1"), note)
}
#for section in doc.sections {
  heading(level: 2, section.title)
  if section.record.len() > 0 {
    block(width: 100%, inset: (left: 9pt), stroke: (left: 1.5pt + rgb("#D3D2CC")), {
      heading(level: 3, "From the record")
      if section.has_chart { par(text(fill: rgb("#555B63"), "Drawn on the last page.")) }
      for each in section.record { shown(each) }
    })
  }
  if section.words.len() > 0 {
    if section.record.len() > 0 { v(3pt) + heading(level: 3, "In people\\u{2019}s words") }
    for each in section.words { shown(each) }
  } else if section.record.len() == 0 {
    text(fill: rgb("#555B63"), "Nothing written yet.")
  }
}
#heading(level: 2, "About this document")
#[
  #set text(size: 8pt)
  #list(..doc.about.map(item => [#item]))
]
#if sys.inputs.drawing != "" {
  page(flipped: true, margin: 8mm, footer: none, align(horizon, figure(
    image(bytes(sys.inputs.drawing), format: "svg", width: 100%, alt: doc.alt))))
}
"""


def pdf(document: Document) -> bytes:
    """The document as PDF/UA with the chart as vector on a page of its own, equal for equal documents.

    A script that no font here has keeps it from being PDF/UA; it is a tagged PDF then all the same.
    """
    try:
        return _compile(document, ["ua-1"])
    except typst.TypstError:
        return _compile(document, [])


def _compile(document: Document, standards: list[Literal["ua-1"]]) -> bytes:
    return typst.compile(
        _SOURCE, format="pdf", pdf_standards=[*standards], font_paths=fonts(), sys_inputs=inputs(document), timestamp=0
    )


def inputs(document: Document) -> dict[str, str]:
    """What the source reads: the document as JSON, and the drawing."""
    told = {
        "title": document.title,
        "standing": document.standing,
        "range": document.range,
        "foot": document.foot or document.standing.partition(", written by")[0],
        "notes": list(document.notes),
        "about": list(document.about),
        "alt": document.alt or document.title,
        "sections": [
            {
                "title": section.title,
                "has_chart": section.has_chart and bool(document.drawing),
                "record": [_value(block) for block in section.record],
                "words": [_value(block) for block in section.words],
            }
            for section in document.sections
        ],
    }
    return {"document": orjson.dumps(told).decode(), "drawing": document.drawing}


def _value(block: Block) -> dict[str, Any]:
    match block:
        case Paragraph(text):
            return {"kind": "paragraph", "text": text, "lead": block.begun}
        case Bullets(items):
            return {"kind": "bullets", "items": items}
        case Quote(text, speaker):
            return {"kind": "quote", "text": text, "speaker": speaker}
        case Picture(svg, alt):
            return {"kind": "picture", "svg": svg, "alt": alt}
        case Table(head, rows, shares):
            return {"kind": "table", "head": head, "rows": rows, "shares": shares, "is_short": block.is_short}
