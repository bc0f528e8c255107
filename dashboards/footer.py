"""What stands beneath a drawing on paper: how it was made, its sources and licences, and what it can be checked by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.canvas import Canvas
from dashboards.captions import Footer
from dashboards.marks import Rule, Text
from dashboards.typeface import cut, width, wrap

_ROW, _TOP, _APART = 15, 16, 26
_MOST_ROWS = 7
_WIDEST = 0.42
"""The share of the page's width that the last column takes at most."""


@dataclass(frozen=True, slots=True)
class Column:
    """Lines of one column; the first begins behind the words in bold."""

    left: float
    bold: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foot:
    """A footer laid out between two pixels."""

    ends: tuple[float, float]
    columns: tuple[Column, ...]
    incident: tuple[str, ...]

    @property
    def height(self) -> float:
        """From the rule to the end of the last line."""
        rows = max([len(self.incident), *(len(column.lines) for column in self.columns)])
        return _TOP + (rows - 1) * _ROW + 8


def lay_out(said: Footer, left: float, right: float) -> Foot:
    """Two columns of text beside the incident's, each as wide as it needs, so that three lines mostly do."""
    most = (right - left) * _WIDEST
    incident = tuple(_kept(line, most, bold=number == 0) for number, line in enumerate(said.incident))
    taken = max((width(line, 11, 600 if n == 0 else 400) for n, line in enumerate(incident)), default=0)
    room = right - left - taken - 2 * _APART
    needs = [width(f"{bold} {words}") for bold, words in (said.made, said.sources)]
    share = min(max(needs[0] / max(sum(needs), 1), 0.28), 0.72)
    columns, x = [], left
    for (bold, words), part in zip((said.made, said.sources), (share, 1 - share), strict=True):
        columns.append(Column(x, bold, tuple(_flow(words, room * part, width(bold, 11, 600) + 4))))
        x += room * part + _APART
    return Foot((left, right), tuple(columns), incident)


def draw(canvas: Canvas, foot: Foot, top: float) -> None:
    """Draws a footer beneath a rule at `top`."""
    left, right = foot.ends
    canvas.rule(Rule(left, top, right, top, "ink", 1.5))
    for column in foot.columns:
        canvas.text(Text(column.left, top + _TOP, column.bold, "ink", 11, 600))
        for row, line in enumerate(column.lines):
            x = column.left + (width(column.bold, 11, 600) + 4 if row == 0 else 0)
            canvas.text(Text(x, top + _TOP + row * _ROW, line, "ink2"))
    for row, words in enumerate(foot.incident):
        ink, weight = ("ink", 600) if row == 0 else ("ink2", 400)
        canvas.text(Text(right, top + _TOP + row * _ROW, words, ink, 11, weight, "end"))


def _kept(words: str, room: float, *, bold: bool) -> str:
    """The words, where need be without their middle: of an address both ends are worth keeping."""
    weight = 600 if bold else 400
    if width(words, 11, weight) <= room or len(words) < 24:
        return cut(words, room, 11, weight)
    for kept in range(len(words) - 2, 12, -1):
        shown = f"{words[: kept // 2]}…{words[-(kept - kept // 2) :]}"
        if width(shown, 11, weight) <= room:
            return shown
    return cut(words, room, 11, weight)


def _flow(words: str, room: float, indent: float) -> Sequence[str]:
    """Text of which the first line begins `indent` further in."""
    parts = words.split()
    count = 0
    while count < len(parts) and width(" ".join(parts[: count + 1])) <= room - indent:
        count += 1
    return [" ".join(parts[:count]), *wrap(" ".join(parts[count:]), room, _MOST_ROWS - 1)]
