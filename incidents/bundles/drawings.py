"""Whether a drawing that a stranger's file brings is one that we could have made: shapes and text alone. Pure.

Drawings of published postmortems are shown in pages as they are, so whatever could run or load is refused. XML and HTML
read a few forms otherwise (CDATA, comments, entities): none of ours has them, so they are refused as well.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

MOST_CHARACTERS = 8 * 1024 * 1024
_SPACE = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset(
    f"{_SPACE}{name}"
    for name in ("svg", "g", "title", "desc", "rect", "line", "polyline", "polygon", "path", "circle", "text")
)
_ATTRIBUTES = frozenset(
    {
        "width", "height", "viewBox", "role", "font-family", "font-size", "font-weight", "text-anchor", "x", "y", "x1",
        "y1", "x2", "y2", "rx", "ry", "cx", "cy", "r", "d", "points", "fill", "fill-opacity", "stroke", "stroke-width",
        "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "stroke-opacity", "opacity", "paint-order",
        "pointer-events", "transform", "overflow",
    }
)  # fmt: skip
_VALUE = re.compile(r"[-A-Za-z0-9 #.,()'%+]*", re.ASCII)


def is_ours(svg: str) -> bool:
    """Whether it is well-formed SVG of known elements and attributes, with values that name nothing outside."""
    if len(svg) > MOST_CHARACTERS or "<!" in svg or "<?" in svg or re.search(r"&(?!#|amp;|lt;|gt;|quot;)", svg):
        return False
    try:
        root = ET.fromstring(svg)  # noqa: S314  # without a document type there is no entity to expand
    except ET.ParseError:
        return False
    return root.tag == f"{_SPACE}svg" and all(
        each.tag in _ELEMENTS and all(name in _ATTRIBUTES and _VALUE.fullmatch(v) for name, v in each.attrib.items())
        for each in root.iter()
    )
