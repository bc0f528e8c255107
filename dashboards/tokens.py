"""The colours of both themes by name, and the style sheet that gives them to pages and inline drawings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Theme = Literal["light", "dark"]
Paint = Literal["light", "dark", "page"]
"""A theme with literal colours, or classes that follow the page's theme."""

LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "bg": "#FAFAF8",
        "panel": "#FFFFFF",
        "sunk": "#F4F4F1",
        "line": "#E6E5E0",
        "line2": "#D3D2CC",
        "ink": "#1A1D21",
        "ink2": "#555B63",
        "ink3": "#686E76",
        "accent": "#2458B3",
        "critical": "#8F1533",
        "critical-tint": "#F6DFE4",
        "critical-text": "#8F1533",
        "error": "#E5750E",
        "error-tint": "#FBE9D3",
        "error-text": "#8A4700",
        "warning": "#74550B",
        "warning-tint": "#EFE9CF",
        "info": "#2A4A95",
        "info-tint": "#E0EAF8",
        "unknown": "#686E76",
        "unknown-tint": "#ECECE8",
        "ok": "#0F8080",
        "ok-tint": "#DBF0EC",
        "ok-text": "#0B6464",
        "hazard": "#7A4B8C",
        "hazard-tint": "#EFE6F3",
        "provider": "#44546A",
        "provider-tint": "#E6EAF0",
        "temperature": "#B4471F",
        "wet-bulb": "#2F6C96",
        "gap": "#8B9098",
        "not-known": "#F7F7F4",
        "before-tint": "#ECECE8",
    }
)
DARK: Mapping[str, str] = MappingProxyType(
    {
        "bg": "#0E1013",
        "panel": "#14171C",
        "sunk": "#1A1E24",
        "line": "#262B32",
        "line2": "#3A414B",
        "ink": "#E8EAED",
        "ink2": "#A9B0BA",
        "ink3": "#8B939E",
        "accent": "#86B1F5",
        "critical": "#E8456A",
        "critical-tint": "#471C2A",
        "critical-text": "#FF9DB0",
        "error": "#FA9B1F",
        "error-tint": "#452E12",
        "error-text": "#FA9B1F",
        "warning": "#F0E7A5",
        "warning-tint": "#3C371D",
        "info": "#4A8DF5",
        "info-tint": "#1C2E4D",
        "unknown": "#8B939E",
        "unknown-tint": "#262B32",
        "ok": "#7FECEA",
        "ok-tint": "#163B37",
        "ok-text": "#7FECEA",
        "hazard": "#C79ADB",
        "hazard-tint": "#33263D",
        "provider": "#AEBBCF",
        "provider-tint": "#28303B",
        "temperature": "#F28A5B",
        "wet-bulb": "#77B6E0",
        "gap": "#8B939E",
        "not-known": "#0E1013",
        "before-tint": "#262B32",
    }
)
THEMES: Mapping[Theme, Mapping[str, str]] = MappingProxyType({"light": LIGHT, "dark": DARK})

PHASE_TINTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "before": ("before-tint", "ink2"),
        "impact": ("critical-tint", "critical-text"),
        "mitigated": ("error-tint", "error-text"),
        "resolved": ("ok-tint", "ok-text"),
    }
)
"""Strip and text of each phase."""
BAND_OPACITY: Mapping[Theme, float] = MappingProxyType({"light": 0.04, "dark": 0.05})
"""How strongly impact and mitigated run down behind the lanes."""


def css() -> str:
    """The style sheet: custom properties for both themes, and `f-…` and `s-…` classes for fills and strokes."""
    light, dark = _properties(LIGHT), _properties(DARK)
    rules = [
        f":root {{ color-scheme: light; {light} }}",
        '@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) { color-scheme: dark; ' + dark + " } }",
        f':root[data-theme="dark"] {{ color-scheme: dark; {dark} }}',
    ]
    for name in LIGHT:
        rules.append(f".f-{name} {{ fill: var(--{name}); }}")
        rules.append(f".s-{name} {{ stroke: var(--{name}); }}")
    return "/* Written by dashboards.tokens.css(); a test holds the two equal. */\n" + "\n".join(rules) + "\n"


def _properties(theme: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in theme.items())
