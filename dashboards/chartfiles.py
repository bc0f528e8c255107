"""PNG and PDF from our own SVG, by typst and the fonts shipped here: no browser, no network."""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Literal

import typst

_FONTS = Path(__file__).parent / "fonts"
_SIZE = re.compile(r'<svg[^>]*? width="([0-9.]+)" height="([0-9.]+)"')
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_DESCRIPTION = re.compile(r"<desc>(.*?)</desc>", re.DOTALL)
_POINTS_A_PIXEL = 0.75
_PAGE = b"""
#set page(width: float(sys.inputs.width) * 1pt, height: float(sys.inputs.height) * 1pt, margin: 0pt)
#set document(title: sys.inputs.title, author: "Barograph", date: none)
#set text(lang: "en")
#image(bytes(sys.inputs.drawing), format: "svg", width: 100%, alt: sys.inputs.description)
"""


def png(svg: str, *, scale: float = 2) -> bytes:
    """A drawing of ours as PNG with `scale` pixels for each of its pixels."""
    return typst.compile(_PAGE, format="png", ppi=96 * scale, font_paths=fonts(), sys_inputs=_inputs(svg), timestamp=0)


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
    """Our faces first; the machine's own stand in only for scripts that ours do not have."""
    return typst.Fonts(include_system_fonts=True, include_embedded_fonts=False, font_paths=[str(_FONTS)])


def _said(what: re.Pattern[str], svg: str) -> str:
    found = what.search(svg)
    return unescape(found[1]) if found else ""
