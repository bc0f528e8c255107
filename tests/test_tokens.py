"""The colours: severities stay apart for every eye, marks and words stand out, the style sheet is the written one."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import pytest

from dashboards import tokens
from dashboards.tokens import PHASE_TINTS, THEMES, Theme

Rgb = tuple[float, float, float]
SEVERITIES = ("critical", "error", "warning", "info")
# Machado, Oliveira and Fernandes 2009, severity 1.0, applied to linear RGB.
EYES: dict[str, tuple[Rgb, Rgb, Rgb]] = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(colour: str) -> Rgb:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return r, g, b


def seen(colour: str, eye: str) -> Rgb:
    rgb = linear(colour)
    r, g, b = (min(max(sum(a * c for a, c in zip(row, rgb, strict=True)), 0), 1) for row in EYES[eye])
    return r, g, b


def lab(rgb: Rgb) -> Rgb:
    """CIE L*a*b* under D65."""
    r, g, b = rgb
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    fx, fy, fz = (v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    bright, dark = sorted(
        (0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other))), reverse=True
    )
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("eye", list(EYES))
def test_severities_are_told_apart_by_colour(theme: Theme, eye: str) -> None:
    colours = {name: lab(seen(THEMES[theme][name], eye)) for name in SEVERITIES}
    distances = {(a, b): math.dist(colours[a], colours[b]) for a, b in combinations(SEVERITIES, 2)}
    assert min(distances.values()) >= 20, distances


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_stand_out_from_the_panel(theme: Theme) -> None:
    colours = THEMES[theme]
    marks = [*SEVERITIES, "unknown", "ok", "hazard", "provider", "temperature", "wet-bulb", "accent", "ink", "gap"]
    ratios = {mark: round(contrast(colours[mark], colours["panel"]), 2) for mark in marks}
    assert min(ratios.values()) >= 3, ratios
    on_tint = {mark: round(contrast(colours[mark], colours[f"{mark}-tint"]), 2) for mark in SEVERITIES}
    assert min(on_tint.values()) >= 2.5, on_tint


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_are_readable_where_they_stand(theme: Theme) -> None:
    colours = THEMES[theme]
    tints = [name for name in colours if name.endswith("-tint")]
    pairs = [(ink, ground) for ink in ("ink", "ink2", "ink3") for ground in ("bg", "panel", "sunk", "not-known")]
    pairs += [("ink", tint) for tint in tints] + [("ink2", tint) for tint in tints]
    pairs += [(ink, tint) for tint, ink in PHASE_TINTS.values()]
    pairs += [("temperature", "panel"), ("wet-bulb", "panel"), ("temperature", "not-known")]
    ratios = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert min(ratios.values()) >= 4.5, {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5}


def test_themes_name_the_same_colours() -> None:
    assert set(tokens.LIGHT) == set(tokens.DARK)


def test_style_sheet_on_disk_is_the_one_written_here() -> None:
    path = Path(tokens.__file__).parent / "static" / "tokens.css"
    assert path.read_text(encoding="utf-8") == tokens.css()


def test_style_sheet_has_both_themes_and_a_class_for_each_colour() -> None:
    css = tokens.css()
    assert "prefers-color-scheme: dark" in css
    assert css.count("--critical: #8F1533;") == 1
    assert css.count("--critical: #E8456A;") == 2
    for name in tokens.LIGHT:
        assert f".f-{name} {{ fill: var(--{name}); }}" in css
        assert f".s-{name} {{ stroke: var(--{name}); }}" in css
