"""The DOCX as other programs read it, by the rules that importers of wikis and office services are known by."""

from __future__ import annotations

import io
import itertools
import re
import zipfile
from xml.etree import ElementTree as ET

import docx
import pytest
from docx.document import Document as Docx
from docx.oxml.ns import qn

from dashboards import wordfile
from dashboards.blocks import Table
from tests.test_postmortem import HOSTILE_TEXTS, composed, view_with, words_with

MILLIMETRE = 36_000


@pytest.fixture(scope="module")
def content() -> bytes:
    return wordfile.docx(composed())


@pytest.fixture(scope="module")
def opened(content: bytes) -> Docx:
    return docx.Document(io.BytesIO(content))


def test_headings_are_of_the_standard_styles_and_leave_no_level_out(opened: Docx) -> None:
    styles = [p.style.name for p in opened.paragraphs if p.style and p.style.name]
    assert styles[0] == "Title"
    levels = [int(name.removeprefix("Heading ")) for name in styles if name.startswith("Heading ")]
    assert levels[0] == 1
    assert set(levels) == {1, 2}
    assert all(two - one <= 1 for one, two in itertools.pairwise(levels))
    assert set(styles) <= {"Title", "Heading 1", "Heading 2", "Normal", "List Bullet", "Quote", "Intense Quote"}


def test_tables_are_plain_fit_the_page_and_repeat_their_head(opened: Docx) -> None:
    assert opened.tables
    for table in opened.tables:
        xml = table._tbl.xml
        assert "w:gridSpan" not in xml
        assert "w:vMerge" not in xml
        assert "w:tblHeader" in table.rows[0]._tr.xml
        assert all("w:cantSplit" in row._tr.xml for row in table.rows)
        widths = [column.width or 0 for column in table.columns]
        assert sum(widths) < 173 * MILLIMETRE  # a twentieth of a point is the unit
        assert min(widths) > 15 * MILLIMETRE
        assert [cell.width for cell in table.rows[-1].cells] == widths
        assert not table._tbl.findall(f".//{qn('w:tbl')}")


def test_no_page_ends_with_what_leads_to_the_next(opened: Docx) -> None:
    """Short tables and the paragraphs that lead to something stay with it; long ones keep a row with their head."""
    for table in opened.tables:
        kept = [all(cell.paragraphs[0].paragraph_format.keep_with_next for cell in row.cells) for row in table.rows]
        texts = [cell.text for row in table.rows[1:] for cell in row.cells]
        is_short = len(table.rows) <= 13 and max(map(len, texts)) <= 90
        assert kept == ([True] * (len(kept) - 1) + [False] if is_short else [True] + [False] * (len(kept) - 1))
    leading = [p for p in opened.paragraphs if p.text.startswith("Coincided with")]
    assert leading
    assert all(p.paragraph_format.keep_with_next for p in leading)


def test_no_two_tables_touch(opened: Docx) -> None:
    kinds = [each.tag for each in opened.element.body]
    assert (qn("w:tbl"), qn("w:tbl")) not in set(itertools.pairwise(kinds))


def test_pictures_stand_in_the_text_as_png_and_are_described(opened: Docx, content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        media = [name for name in archive.namelist() if "/media/" in name]
        assert media
        assert all(archive.read(name).startswith(b"\x89PNG") for name in media)
    assert "wp:anchor" not in opened.element.xml  # a picture beside the text is lost or moved by importers
    for picture in opened.inline_shapes:
        assert picture._inline.docPr.get("descr")
        assert picture.width <= 172 * MILLIMETRE


def test_nothing_in_it_runs_or_leads_elsewhere(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert not any(word in name for name in names for word in ("vba", "embeddings", "activeX", ".bin", ".."))
        for name in names:
            if name.endswith(".rels"):
                assert b'TargetMode="External"' not in archive.read(name), name


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_every_part_is_whole_xml_whatever_it_says(text: str) -> None:
    content = wordfile.docx(composed(view_with(text), words_with(text)))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                part = archive.read(name)
                ET.fromstring(part)
                assert b"<!DOCTYPE" not in part
                assert not re.search(rb"<w:(fldSimple|instrText|hyperlink|altChunk|object)\b", part), name


def test_the_properties_say_what_it_is(opened: Docx) -> None:
    said = opened.core_properties
    assert said.title
    assert (said.author, said.language) == ("Barograph", "en")
    assert said.created == said.modified


@pytest.mark.parametrize(
    ("table", "widths"),
    [
        (Table(("Fact", "As recorded"), ()), [45, 127]),
        (Table(("UTC", "What", "Who"), ()), [31, 110, 31]),
        (Table(("a", "b"), (), shares=(1, 3)), [43, 129]),
        (Table(("a", "b"), ()), [31, 31]),
    ],
)
def test_columns_of_words_get_what_the_others_leave(table: Table, widths: list[int]) -> None:
    assert wordfile.widths_of(table) == widths
