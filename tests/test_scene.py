"""The layout: nothing collides, nothing leaves the view, whatever is thrown at it."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings

from dashboards.marks import COMPACT, Scene
from dashboards.phone import compose_phone
from dashboards.scene import compose
from incidents.view import IncidentView
from tests.figure_views import dense_view, rich_view, strange_views

WIDTHS = (1440, 1123, 390, 320)


def assert_clear(scene: Scene) -> None:
    """No two text boxes overlap and none leaves the view."""
    texts = [text for text in (*scene.texts, *scene.tick_texts()) if text.words]
    boxes = [(text.box, text.words) for text in texts]
    for (left, top, right, bottom), words in boxes:
        assert left >= -0.01, f"{words!r} begins at {left}"
        assert right <= scene.width + 0.01, f"{words!r} ends at {right} of {scene.width}"
        assert top >= -0.01, f"{words!r} is above the view"
        assert bottom <= scene.height + 0.01, f"{words!r} is below the view"
    for (one, words), (other, others) in combinations(boxes, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] + 0.3 or other[3] <= one[1] + 0.3
        assert apart, f"{words!r} {one} and {others!r} {other} overlap"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("view", [rich_view(), dense_view()], ids=["rich", "dense"])
def test_labels_of_the_examples_keep_clear(view: IncidentView, width: int) -> None:
    assert_clear(compose(view, width=width, track=True))
    assert_clear(compose(view, width=width, sizes=COMPACT, rows=2))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(view=strange_views())
def test_labels_keep_clear_in_strange_views(view: IncidentView) -> None:
    for width in WIDTHS:
        assert_clear(compose(view, width=width, track=True))
    assert_clear(compose(view, width=1123, sizes=COMPACT, rows=2))
    assert_clear(compose_phone(view))
