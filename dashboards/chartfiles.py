"""PNG and PDF from our own SVG, by typst and the fonts shipped here: no browser, no network."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Literal

import typst

from dashboards.typeface import FAMILY, FontsError

_FONTS = Path(__file__).parent / "fonts"
_SIZE = re.compile(r'<svg[^>]*? width="([0-9.]+)" height="([0-9.]+)"')
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_DESCRIPTION = re.compile(r"<desc>(.*?)</desc>", re.DOTALL)
_POINTS_A_PIXEL = 0.75
_PAGE = b"""
#set page(width: float(sys.inputs.width) * 1pt, height: float(sys.inputs.height) * 1pt, margin: 0pt)
#set document(title: sys.inputs.title, author: "Barograph", description: sys.inputs.description, date: none)
#set text(lang: "en")
#image(bytes(sys.inputs.drawing), format: "svg", width: 100%, alt: sys.inputs.description)
"""


def png(svg: str, *, scale: float = 2) -> bytes:
    """A drawing of ours as PNG with `scale` pixels for each of its pixels, its words in the file's metadata."""
    inputs = _inputs(svg)
    drawn = typst.compile(_PAGE, format="png", ppi=96 * scale, font_paths=fonts(), sys_inputs=inputs, timestamp=0)
    return _described(drawn, {"Title": inputs["title"], "Description": inputs["description"]}, 96 * scale)


def _described(drawn: bytes, words: dict[str, str], dots_an_inch: float) -> bytes:
    """The PNG with texts (iTXt: UTF-8) and its resolution (pHYs) behind its header, which is always 33 bytes long."""
    dots_a_metre = round(dots_an_inch / 0.0254)
    chunks = [_chunk(b"pHYs", struct.pack(">IIB", dots_a_metre, dots_a_metre, 1))]
    said = {**words, "Author": "Barograph", "Software": "Barograph"}
    chunks += [
        _chunk(b"iTXt", key.encode() + b"\0\0\0en\0\0" + text.replace("\0", "").encode("utf-8", "ignore"))
        for key, text in said.items()
    ]
    return drawn[:33] + b"".join(chunks) + b"".join(_chunks(drawn, without=(b"pHYs", b"tEXt", b"iTXt", b"tIME")))


def _chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG: length, kind, content, CRC-32 of kind and content."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _chunks(drawn: bytes, *, without: tuple[bytes, ...]) -> Iterator[bytes]:
    """The chunks after the header, as they stand."""
    at = 33
    while at < len(drawn):
        end = at + 12 + int.from_bytes(drawn[at : at + 4])
        if drawn[at + 4 : at + 8] not in without:
            yield drawn[at:end]
        at = end


def pdf(svg: str) -> bytes:
    """A drawing of ours as a one-page PDF/UA of its size: vector, tagged, fonts embedded, equal for equal drawings.

    A script that no font here has keeps a document from being PDF/UA; it is a tagged PDF then all the same.
    """
    try:
        return _pdf(svg, ["ua-1"])
    except typst.TypstError:
        return _pdf(svg, [])


def _pdf(svg: str, standards: list[Literal["ua-1"]]) -> bytes:
    return typst.compile(
        _PAGE, format="pdf", pdf_standards=[*standards], font_paths=fonts(), sys_inputs=_inputs(svg), timestamp=0
    )


def _inputs(svg: str) -> dict[str, str]:
    size = _SIZE.search(svg)
    if size is None:
        raise ValueError("the drawing does not say its size")
    return {
        "drawing": svg,
        "width": str(float(size[1]) * _POINTS_A_PIXEL),
        "height": str(float(size[2]) * _POINTS_A_PIXEL),
        "title": _said(_TITLE, svg) or "Barograph",
        "description": _said(_DESCRIPTION, svg),
    }


@lru_cache(maxsize=1)
def fonts() -> typst.Fonts:
    """Our faces first; the machine's own stand in only for scripts that ours do not have.

    Raises FontsError: without ours a drawing would come out without its words, and nobody would be told.
    """
    found = typst.Fonts(include_system_fonts=True, include_embedded_fonts=False, font_paths=[str(_FONTS)])
    if FAMILY not in found.families():
        raise FontsError("the fonts that are shipped with Barograph are missing or damaged: install the package anew")
    return found


def _said(what: re.Pattern[str], svg: str) -> str:
    found = what.search(svg)
    return unescape(found[1]) if found else ""
