"""What a list shows of a text in which words were found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.excerpts import excerpt


@pytest.mark.parametrize(
    ("text", "sought", "shown"),
    [
        ("Fans swapped, fans cleaned", "FANS", "[Fans] swapped, [fans] cleaned"),
        ("a.b*c", ".b*", "a[.b*]c"),
        ("nothing of it", "fans", "nothing of it"),
        ("whole", " ", "whole"),
        ("", "fans", ""),
        ("x" * 100 + " fans " + "y" * 100, "fans", "…" + "x" * 39 + " [fans] " + "y" * 35 + "…"),
        ("fans " + "y" * 100, "fans", "[fans] " + "y" * 75 + "…"),
    ],
)
def test_the_words_are_marked_where_they_stand(text: str, sought: str, shown: str) -> None:
    assert "".join(f"[{piece.text}]" if piece.is_sought else piece.text for piece in excerpt(text, sought, 80)) == shown


@given(st.text(), st.text())
def test_an_excerpt_says_nothing_that_the_text_does_not(text: str, sought: str) -> None:
    said = "".join(piece.text for piece in excerpt(text, sought, 20))
    assert said.removeprefix("…").removesuffix("…") in text
