"""Measured words, and strangers' text made fit for one line."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.typeface import clean, cut, longest, width, wrap


def test_widths_are_inters_with_a_margin() -> None:
    assert width("i", 1000) == pytest.approx(237 * 1.04)
    assert width("W", 1000) == pytest.approx(949 * 1.04)
    assert width("W", 1000, 600) == pytest.approx(1007 * 1.04)
    assert width("", 11) == 0
    assert width("14:36") < width("14:36", weight=600) * 1.01
    assert width("火災") > width("ab") * 1.5


def test_text_is_one_line_without_what_steers_a_screen() -> None:
    assert clean("  a\n\tb\x00\x1b[31m  c\u202e\u2066d\ufeff ") == "a b [31m cd"
    assert clean("x" * 61) == "x" * 59 + "…"
    assert clean("x" * 60) == "x" * 60
    assert clean("a\u0301" * 3) == "a\u0301" * 3
    assert clean("a" + "\u0301" * 40) == "a" + "\u0301" * 3


@given(st.text(max_size=200), st.integers(8, 80))
def test_clean_text_is_drawable_and_stays_clean(text: str, limit: int) -> None:
    drawn = clean(text, limit)
    assert len(drawn) <= limit
    assert clean(drawn, limit) == drawn
    assert not [c for c in drawn if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or c in "\u202a\u202e\u2067"]


@given(st.text(alphabet="abcW i", max_size=60), st.floats(0, 300))
def test_cut_text_fits(text: str, room: float) -> None:
    assert width(cut(text, room)) <= room or not cut(text, room)


def test_longest_variant_that_fits_is_chosen() -> None:
    variants = ("impact 1 h 39 min", "impact 1 h 39", "impact")
    assert longest(variants, 200) == variants[0]
    assert longest(variants, width(variants[1]) + 0.1) == variants[1]
    assert longest(variants, width("impact") + 0.1) == "impact"
    assert longest(variants, 10) == ""


@given(st.text(alphabet="abcdefgh ", max_size=200), st.floats(40, 300), st.integers(1, 4))
def test_wrapped_lines_fit(text: str, room: float, lines: int) -> None:
    broken = wrap(text, room, lines)
    assert len(broken) <= lines
    assert all(width(line) <= room for line in broken)
