"""The palettes of drawings that stand alone: the page's two themes, one for paper, and the same in greys.

Paper's palette is safe in greyscale: severities lie apart in lightness as they do in shape, and so do phases that
follow each other. `grey` is what a printer without colour makes of it, so that nobody has to find out by printing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal, get_args

from dashboards.tokens import BAND_OPACITY, DARK, LIGHT

Ink = Literal["light", "dark", "print", "grey"]
INKS: tuple[Ink, ...] = get_args(Ink)

PRINT: Mapping[str, str] = MappingProxyType(
    {
        **LIGHT,
        "bg": "#FFFFFF",
        "not-known": "#F2F2EF",
        "line": "#D9D8D2",
        "line2": "#BDBCB5",
        "ink3": "#565C64",
        "critical": "#5C0A1E",
        "critical-tint": "#E8B9C4",
        "critical-text": "#5C0A1E",
        "error": "#D9700F",
        "error-tint": "#F8DDB9",
        "error-text": "#6B3800",
        "warning": "#85641A",
        "warning-tint": "#ECE6C8",
        "info": "#2B4C98",
        "info-tint": "#D3E0F3",
        "ok-tint": "#DFF3EF",
        "hazard": "#6B3D7D",
        "hazard-tint": "#E6D8EC",
        "provider-tint": "#DCE2EA",
        "before-tint": "#F3F3F0",
    }
)


def lightness(colour: str) -> float:
    """L* of CIELAB, 0 (black) to 100 (white), of `#RRGGBB` in sRGB."""
    luminance = sum(
        weight * _linear(int(colour[at : at + 2], 16)) for weight, at in ((0.2126, 1), (0.7152, 3), (0.0722, 5))
    )
    return 116 * luminance ** (1 / 3) - 16 if luminance > 216 / 24389 else luminance * 24389 / 27


def _linear(level: int) -> float:
    part = level / 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


@cache
def _greys() -> tuple[float, ...]:
    """The lightness of each level of grey."""
    return tuple(lightness(f"#{level:02X}{level:02X}{level:02X}") for level in range(256))


def grey(colour: str) -> str:
    """The grey of the same lightness."""
    wanted = lightness(colour)
    level = min(range(256), key=lambda level: abs(_greys()[level] - wanted))
    return f"#{level:02X}{level:02X}{level:02X}"


PALETTES: Mapping[Ink, Mapping[str, str]] = MappingProxyType(
    {
        "light": LIGHT,
        "dark": DARK,
        "print": PRINT,
        "grey": MappingProxyType({name: grey(colour) for name, colour in PRINT.items()}),
    }
)
BANDS: Mapping[Ink, float] = MappingProxyType(
    {"light": BAND_OPACITY["light"], "dark": BAND_OPACITY["dark"], "print": 0.06, "grey": 0.06}
)
"""How strongly impact and mitigated run down behind the lanes."""
