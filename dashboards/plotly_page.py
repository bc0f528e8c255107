"""A page that draws one figure with the shipped plotly.js, for a browser that nobody looks at."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import orjson

from dashboards.paper import HERE, STATIC

WIDTH = 1392
FORMS = ("svg", "png", "pdf")
_LIBRARY = STATIC / "vendor" / "plotly-basic-4.1.1.min.js"
_FONTS = (
    ("Inter", 400, "Inter-Regular"),
    ("Inter", 600, "Inter-SemiBold"),
    ("IBM Plex Mono", 400, "IBMPlexMono-Regular"),
)
_DRAWN = re.compile(r'<pre id="drawn">([^<]*)</pre>')
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>figure</title>
<style>{fonts}
@page {{ size: {width}px {height}px; margin: 0; }} body {{ margin: 0; background: {paper}; }}
#drawn {{ display: none; }}</style>
<script>{library}</script></head>
<body><div id="shown"></div><pre id="drawn"></pre>
<script>
const figure = {figure};
const drawn = document.getElementById("drawn");
document.fonts.ready.then(() => Promise.all([...document.fonts].map((face) => face.load())))
  // A picture in a page does not know the page's fonts: what is printed or photographed is drawn in the page itself.
  .then(() => {is_shown}
    ? Plotly.newPlot("shown", figure.data, figure.layout, {{ staticPlot: true, displayModeBar: false }}).then(() => "")
    : Plotly.toImage(figure, {{ format: "svg", width: {width}, height: {height} }}))
  .then((image) => {{ drawn.textContent = image; }}, (error) => {{ drawn.textContent = "error:" + error; }});
</script></body></html>
"""


class NotDrawnError(Exception):
    """The browser ended without a drawing."""


def size(figure: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of a figure in pixels."""
    return WIDTH, int(figure["layout"]["height"])


def page(figure: Mapping[str, Any], *, is_shown: bool) -> str:
    """A page that needs no network: it shows the figure, to be printed or photographed, or holds it as SVG."""
    layout = figure["layout"]
    told = {"data": figure["data"], "layout": {**layout, "width": WIDTH, "autosize": False}}
    return _PAGE.format(
        policy=_POLICY,
        fonts=faces(),
        library=library(),
        # A stranger's text must not end the script that it stands in.
        figure=orjson.dumps(told).decode().replace("<", r"\u003c"),
        is_shown="true" if is_shown else "false",
        paper=layout.get("paper_bgcolor", "#fff"),
        width=size(figure)[0],
        height=size(figure)[1],
    )


@lru_cache(maxsize=1)
def library() -> str:
    """The shipped plotly.js, fit to stand within a page."""
    return _LIBRARY.read_text(encoding="utf-8").replace("</script", r"<\/script")


@lru_cache(maxsize=1)
def faces() -> str:
    """The shipped faces as a style that brings them along."""
    return " ".join(map(_face, _FONTS))


def _face(font: tuple[str, int, str]) -> str:
    family, weight, name = font
    content = base64.b64encode((HERE / "fonts" / f"{name}.ttf").read_bytes()).decode()
    return (
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; src: url("data:font/ttf;base64,{content}"); }}'
    )


def drawing(dumped: str) -> bytes:
    """The picture that a page holds in its text, as the browser wrote it out. Raises NotDrawnError."""
    found = _DRAWN.search(dumped)
    text = found[1] if found else ""
    kind, _, content = text.partition(",")
    if not kind.startswith("data:image/"):
        raise NotDrawnError(text.removeprefix("error:")[:200] or "it wrote nothing")
    return base64.b64decode(content) if kind.endswith(";base64") else unquote(content).encode()
