"""Words among curves: each stands where it keeps clear of every line and of all words before it, else nowhere."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.curves import Curve, crosses, holds
from dashboards.marks import Anchor, Scene, Text

ANCHORS: tuple[Anchor, ...] = ("middle", "start", "end")


class Placer:
    """Finds room for words between the curves; what finds none is not drawn."""

    def __init__(self, scene: Scene, curves: Sequence[Curve], body: tuple[float, float]) -> None:
        self.scene, self.frame, self.body = scene, scene.frame, body
        self._paths = [[place for place, _ in run] for curve in curves for run in curve.runs]
        self._levels: list[float] = []
        self._taken: list[tuple[float, float, float, float]] = []

    def avoid(self, level: float) -> None:
        self._levels.append(level)

    def put(self, text: Text) -> bool:
        """Draws the text when it is inside the lane, clear of all words before it and of every curve."""
        left, top, right, bottom = text.box
        inside = left >= self.frame.left + 2 and right <= self.frame.right - 2
        if not (inside and top >= self.body[0] and bottom <= self.body[1]):
            return False
        if any(left < box[2] + 4 and box[0] < right + 4 and top < box[3] and box[1] < bottom for box in self._taken):
            return False
        if any(top < level < bottom for level in self._levels):
            return False
        if any(holds(area.points, ((left + right) / 2, text.y)) for area in self.scene.areas):
            return False
        if any(crosses(path, (left - 3, top - 1, right + 3, bottom + 1)) for path in self._paths):
            return False
        self._taken.append(text.box)
        self.scene.texts.append(text)
        return True
