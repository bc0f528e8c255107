"""A document as DOCX: headings, lists and tables by the standard styles, which other programs map to their own."""

from __future__ import annotations

import io

import docx as library
from docx.document import Document as Docx
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.table import Table as DocxTable
from docx.table import _Row as DocxRow

from dashboards import chartfiles
from dashboards.blocks import Block, Bullets, Document, Paragraph, Picture, Quote, Table

_WIDE = Mm(172)
_INK = RGBColor(0x1A, 0x1D, 0x21)


def docx(document: Document) -> bytes:
    """The document with its chart as a picture. XML cannot hold a few characters; those are left out."""
    made = library.Document()
    _set_page(made)
    made.core_properties.title = xml_text(document.title)
    made.core_properties.author = "Barograph"
    made.core_properties.comments = ""
    made.core_properties.language = "en"
    made.core_properties.created = made.core_properties.modified = document.at.replace(tzinfo=None)
    made.add_heading(xml_text(document.title), level=0)
    made.add_paragraph(xml_text(f"{document.standing}. {document.range}."))
    for note in document.notes:
        made.add_paragraph(xml_text(note), style="Intense Quote")
    for section in document.sections:
        made.add_heading(xml_text(section.title), level=1)
        if section.has_chart and document.drawing:
            _add_picture(made, document)
        if section.record:
            made.add_heading("From the record", level=2)
            _add(made, section.record)
        if section.words:
            if section.record:
                made.add_heading("In people’s words", level=2)
            _add(made, section.words)
        elif not section.record:
            made.add_paragraph("Nothing written yet.")
    made.add_heading("About this document", level=1)
    for each in document.about:
        made.add_paragraph(style="List Bullet").add_run(xml_text(each)).font.size = Pt(8.5)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def xml_text(text: str) -> str:
    """The text without what XML 1.0 refuses: noncharacters, and controls that were not cleaned away before."""
    return "".join(
        c for c in text if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    )


def _set_page(made: Docx) -> None:
    section = made.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(19)
    section.top_margin = section.bottom_margin = Mm(18)
    made.styles["Normal"].font.name = "Calibri"
    made.styles["Normal"].font.size = Pt(10)
    for name, size in (("Title", 20), ("Heading 1", 14), ("Heading 2", 10.5)):
        made.styles[name].font.size, made.styles[name].font.color.rgb = Pt(size), _INK


def _add_picture(made: Docx, document: Document) -> None:
    _add_drawing(made, document.drawing, document.alt)


def _add_drawing(made: Docx, svg: str, alt: str) -> None:
    picture = made.add_picture(io.BytesIO(chartfiles.png(svg, scale=2)), width=_WIDE)
    picture._inline.docPr.set("descr", xml_text(alt))  # noqa: SLF001  # the library offers no other way
    picture._inline.docPr.set("title", "Chart")  # noqa: SLF001


def _add(made: Docx, blocks: tuple[Block, ...]) -> None:
    for block in blocks:
        match block:
            case Paragraph(text, lead):
                paragraph = made.add_paragraph()
                if lead:
                    # It leads to what follows: on the foot of a page alone it would lead nowhere.
                    paragraph.paragraph_format.keep_with_next = True
                    paragraph.add_run(xml_text(f"{block.begun} ")).bold = True
                paragraph.add_run(xml_text(text))
            case Bullets(items):
                for item in items:
                    made.add_paragraph(xml_text(item), style="List Bullet")
            case Quote(text, speaker):
                made.add_paragraph(xml_text(f"“{text}” ({speaker})"), style="Quote")
            case Picture(svg, alt):
                _add_drawing(made, svg, alt)
            case Table():
                _add_table(made, block)


def _add_table(made: Docx, block: Table) -> None:
    table = made.add_table(rows=1 + len(block.rows), cols=len(block.head), style="Table Grid")
    # Programs that do not lay a table out anew go by the widths of its cells, all others by those of its columns.
    table.autofit = False
    widths = [Mm(width) for width in widths_of(block)]
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    for number, (row, cells) in enumerate(zip(table.rows, (block.head, *block.rows), strict=True)):
        _keep_whole(row)
        for cell, text, width in zip(row.cells, cells, widths, strict=True):
            cell.width = width
            cell.text = xml_text(text)
            for run in cell.paragraphs[0].runs:
                run.font.size = Pt(8.5)
                run.bold = number == 0 or None
            cell.paragraphs[0].paragraph_format.space_after = Pt(0)
            # A short table stays on one page, a long one has no head without a row.
            cell.paragraphs[0].paragraph_format.keep_with_next = number < (len(block.rows) if block.is_short else 1)
    _repeat_head(table)
    made.add_paragraph().paragraph_format.space_after = Pt(0)  # tables that touch are taken for one


def widths_of(block: Table) -> list[int]:
    """The width of each column in mm, together that of the text: of known names their own, the rest is for words."""
    whole = round(_WIDE.mm)
    if block.shares:
        return [whole * share // sum(block.shares) for share in block.shares]
    told = [_WIDTHS.get(name, 0 if name in _WORDS else _USUAL) for name in block.head]
    wordy = told.count(0)
    return [width or (whole - sum(told)) // wordy for width in told]


_WIDTHS = {"Fact": 45, "Owner": 33, "Due": 27, "State": 16, "Who": 31}
_WORDS = ("What", "As recorded", "Action", "What was recorded late")
_USUAL = 31


def _keep_whole(row: DocxRow) -> None:
    """Let no row of a table be cut in two by the end of a page."""
    row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))  # noqa: SLF001  # the library offers no other way


def _repeat_head(table: DocxTable) -> None:
    """Mark the first row as the head, which repeats on every page and which screen readers announce."""
    mark = OxmlElement("w:tblHeader")
    mark.set(qn("w:val"), "true")
    table.rows[0]._tr.get_or_add_trPr().append(mark)  # noqa: SLF001  # the library offers no other way
