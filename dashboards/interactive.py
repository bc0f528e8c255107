"""What lets the figure of a saved HTML file be zoomed: plotly.js, and a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from dashboards.paper import STATIC
from dashboards.plotly_page import faces, library

WIDTH = 1086
"""Pixels of the figure: those of the page's column between its frame."""
_DRAW = (STATIC / "saved.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Live:
    """The parts of the page, each as it stands in it."""

    policy: str
    style: str
    library: str
    told: str
    draw: str


def live(figure: Mapping[str, Any]) -> Live:
    """The parts for a figure of ours."""
    layout = {**figure["layout"], "width": WIDTH, "autosize": False}
    # A stranger's text must not end the element that it stands in.
    told = orjson.dumps({"data": figure["data"], "layout": layout}).decode().replace("<", r"\u003c")
    return Live(_policy(), _style(), library(), told, _DRAW)


@lru_cache(maxsize=1)
def _style() -> str:
    return faces() + (STATIC / "vendor" / "plotly-4.1.1.css").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _policy() -> str:
    """Nothing is fetched, and of scripts these two run: whatever a stranger had slipped in would not."""
    known = " ".join(f"'sha256-{_digest(text)}'" for text in (library(), _DRAW))
    return (
        f"default-src 'none'; script-src {known}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
