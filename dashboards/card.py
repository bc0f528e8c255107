"""The picture that a chat shows beside a shared link: 1200 by 630 pixels, large words above the incident's lanes."""

from __future__ import annotations

from dashboards import captions, words
from dashboards.canvas import Canvas, document, number
from dashboards.marks import TIGHT, Box, Glyph, Rule, Text
from dashboards.scene import compose
from dashboards.tokens import Theme
from dashboards.typeface import longest, wrap
from incidents.model import Moment
from incidents.views.view import IncidentView

WIDE, HIGH = 1200, 630
"""The proportions that Open Graph pictures are shown in."""
MARGIN = 48
SCALES = (1.45, 1.3, 1.15, 1.0, 0.9)
"""How much larger the lanes are drawn than on a page, the first that fits: a chat shows the picture at a third."""
FOOT = 34
_SHAPES = {"critical": "diamond", "error": "triangle", "warning": "circle", "info": "square", "unknown": "ring"}


def card_svg(view: IncidentView, *, theme: Theme = "light") -> str:
    """The picture as SVG text, equal for equal views. What people wrote and said is not on it."""
    canvas = Canvas(theme)
    canvas.box(Box(0, 0, WIDE, HIGH, "panel"))
    top = _head(canvas, view)
    end = _lanes(canvas, view, top)
    canvas.box(Box(0, end, WIDE, HIGH, "panel"))
    canvas.box(Box(0, 0, 10, HIGH, view.incident.severity.value))
    return document(canvas.parts, WIDE, HIGH, scale=1, title=captions.title(view), description=captions.title(view))


def _head(canvas: Canvas, view: IncidentView) -> float:
    """Severity and status, the title in at most two lines, the range; where they end."""
    incident, room = view.incident, WIDE - 2 * MARGIN
    severity = incident.severity.value
    canvas.glyph(Glyph(MARGIN + 8, 50, _SHAPES[severity], severity))  # type: ignore[arg-type]  # names of shapes
    said = f"{severity}, {incident.status}" + (f", {', '.join(incident.sites[:3])}" if incident.sites else "")
    canvas.text(Text(MARGIN + 26, 50, longest((said,), room - 240, 24, 600), "ink2", 24, 600))
    canvas.text(Text(WIDE - MARGIN, 50, "Barograph", "ink", 24, 600, "end"))
    rows = wrap(captions.title(view), room, 2, 46, 600)
    for row, line in enumerate(rows):
        canvas.text(Text(MARGIN, 104 + row * 54, line, "ink", 46, 600))
    y = 104 + len(rows) * 54 - 8
    canvas.text(Text(MARGIN, y, longest((_range(view),), room, 24), "ink2", 24))
    return y + 30


def _range(view: IncidentView) -> str:
    zone, end = view.zone, view.incident.resolved_at
    since = view.incident.impact_started_at or Moment(view.incident.opened_at)
    until = words.moment(end, zone, beside=since.at) if end else "now"
    return f"{words.day(since.at, zone)} {words.clock(since.at, zone)} – {until} {words.zone_letters(zone, since.at)}"


def _lanes(canvas: Canvas, view: IncidentView, top: float) -> float:
    """The lanes down to those of people, at the largest scale that has room for them; where they end."""
    canvas.rule(Rule(MARGIN, top - 6, WIDE - MARGIN, top - 6, "line2", 1))
    room = HIGH - FOOT - top
    for scale in SCALES:
        scene = compose(view, width=int((WIDE - 2 * MARGIN) / scale), rows=1, sizes=TIGHT)
        if scene.lanes["people"][0] * scale <= room:
            break
    canvas.parts.append(f'<g transform="translate({number(MARGIN)} {number(top)}) scale({number(scale)})">')
    canvas.scene(scene)
    canvas.parts.append("</g>")
    ends = [end * scale for _, end in scene.lanes.values() if end <= scene.lanes["people"][0]]
    return top + max((end for end in ends if end <= room), default=room)
