"""Words keep clear of the lines behind them: an upright rule is cut where a text stands over it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from dashboards.marks import Extent, Rule, Scene, Text

_BESIDE, _ABOVE = 2.0, 1.0
"""Pixels that stay free left and right of words, above and below them."""
_LEAST = 4.0
"""Pixels of the shortest piece that still reads as a part of its line."""


def clear(scene: Scene) -> None:
    """Cuts the scene's upright rules around all its texts; the last thing that is done to a layout.

    A halo would do the same on paper of one colour alone: words run from a tinted bar onto the panel.
    """
    scene.rules = cut(scene.rules, [*scene.texts, *scene.tick_texts()])


def cut(rules: Sequence[Rule], texts: Iterable[Text]) -> list[Rule]:
    """The rules in their order, each upright one as the pieces of it that no text covers."""
    upright = sorted(
        (rule.left, number) for number, rule in enumerate(rules) if rule.left == rule.right and not rule.fixed
    )
    places = [x for x, _ in upright]
    covered: dict[int, list[Extent]] = {}
    for text in texts:
        left, top, right, bottom = text.box
        first, last = bisect_left(places, left - _BESIDE), bisect_right(places, right + _BESIDE)
        for _, number in upright[first:last]:
            covered.setdefault(number, []).append((top - _ABOVE, bottom + _ABOVE))
    return [piece for number, rule in enumerate(rules) for piece in _pieces(rule, covered.get(number, ()))]


def _pieces(rule: Rule, covered: Sequence[Extent]) -> list[Rule]:
    if not covered:
        return [rule]
    pieces, top = [], rule.top
    for above, below in sorted(covered):
        if min(above, rule.bottom) - top >= _LEAST:
            pieces.append(rule._replace(top=top, bottom=min(above, rule.bottom)))
        top = max(top, below)
    if rule.bottom - top >= _LEAST:
        pieces.append(rule._replace(top=top))
    return pieces
