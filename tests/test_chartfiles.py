"""PNG and PDF: right sizes, fonts embedded, tagged and titled, equal for equal drawings."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards import chartfiles
from dashboards.svg import incident_svg
from dashboards.typeface import FontsError
from tests.figure_views import rich_view


@pytest.fixture(scope="module")
def drawing() -> str:
    return incident_svg(rich_view())


def test_png_has_the_size_asked_for(drawing: str) -> None:
    made = chartfiles.png(drawing, scale=2)
    assert made.startswith(b"\x89PNG\r\n")
    wide, high = struct.unpack(">II", made[16:24])
    assert abs(wide - 2 * 1122.52) <= 1
    assert abs(high - 2 * 793.7) <= 1


def test_pdf_is_a_titled_tagged_page_with_our_fonts(drawing: str) -> None:
    made = chartfiles.pdf(drawing)
    assert made.startswith(b"%PDF-")
    assert b"/MarkInfo" in made
    assert b"London: instances unreachable in europe-west2-a" in made
    assert b"Inter" in made
    assert b"pdfuaid:part" in made


def test_equal_drawings_give_equal_files(drawing: str) -> None:
    assert chartfiles.pdf(drawing) == chartfiles.pdf(drawing)
    assert chartfiles.png(drawing, scale=1) == chartfiles.png(drawing, scale=1)


def test_words_are_drawn(drawing: str) -> None:
    blank = "\n".join(line for line in drawing.splitlines() if "<text" not in line)
    assert len(chartfiles.png(drawing, scale=1)) > len(chartfiles.png(blank, scale=1)) * 1.5


def test_drawing_without_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size"):
        chartfiles.png("<svg/>")


@pytest.fixture
def no_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in the place of that of the fonts."""
    monkeypatch.setattr(chartfiles, "_FONTS", tmp_path)
    chartfiles.fonts.cache_clear()
    yield tmp_path
    chartfiles.fonts.cache_clear()


@pytest.mark.parametrize("content", [None, b"", b"\0\1\0\0 this is no font"])
def test_missing_and_damaged_fonts_are_told(drawing: str, no_fonts: Path, content: bytes | None) -> None:
    """A drawing without words would be a wrong file that looks like a right one."""
    if content is not None:
        (no_fonts / "Inter-Regular.ttf").write_bytes(content)
    for draw in (chartfiles.png, chartfiles.pdf):
        with pytest.raises(FontsError, match="install the package anew"):
            draw(drawing)
