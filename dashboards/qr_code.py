"""A QR code as SVG within a page: black on white in either theme, since not every camera reads the contrary."""

from __future__ import annotations

import segno

QUIET = 4
"""Modules of white around it, as ISO/IEC 18004 asks."""


def qr_svg(text: str) -> str:
    """The code of a text: paths alone, not a word of the text, and no style."""
    code = segno.make(text, error="m", micro=False)
    return code.svg_inline(scale=4, border=QUIET, dark="#000", light="#fff", svgclass="qr", lineclass=None)
