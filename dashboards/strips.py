"""The last 24 hours by site: what was in force, what providers and monitors said, and the latest reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from dashboards import counts as counting
from dashboards.axis import DEGREE, Tick, clock, day, ticks, zone_letters, zone_of
from dashboards.canvas import Canvas, inline
from dashboards.captions import counted
from dashboards.clearings import clear
from dashboards.items import Item, of_bar
from dashboards.lane_items import begun_of, of_items
from dashboards.lanes import Packing, draw
from dashboards.marks import Frame, Glyph, Rule, Scene, Text
from dashboards.tokens import Paint
from dashboards.typeface import clean, longest, width, wrap
from incidents.instants import length
from incidents.views.now_view import NowView, SiteStrip

GUTTER, READING = 152, 112
_NARROW = 560
_PAD = 5
_LEAST = 46
_NAME, _WALL = 16, 15
"""The heights of a line of a site's name, and of its wall clock under it."""
_NAME_LINES = 3
_COUNTS = 20
_ROWS = 5
"""At most; the last of them gives way to counts when they do not hold everything."""
UNHEARD = "nothing heard of this site"
_OLD_S = 2 * 3600
"""A reading older than this says so."""


def strips_svg(view: NowView, *, theme: Paint = "page", width: int = 848) -> str:
    """The strips of all sites as an inline SVG; in a narrow one each site's name stands above its strip."""
    scene = compose_strips(view, wide=width)
    canvas = Canvas(theme)
    canvas.scene(scene)
    return inline(canvas.parts, scene.width, scene.height, title="Last 24 hours by site", description=described(view))


def described(view: NowView) -> str:
    """What the strips show, in a sentence for each site."""
    said = []
    for strip in view.strips:
        kinds = Counter(bar.occurrence.kind for bar in strip.bars)
        if strip.density is not None:
            kinds["alert"] = max(kinds["alert"], strip.density.total)
        parts = [counted(kinds[kind], kind) for kind in ("hazard", "provider_incident", "alert") if kinds[kind]]
        if strip.gaps:
            parts.append(unknown_words(strip))
        parts += [UNHEARD] if is_unheard(strip) else [] if parts else ["nothing reported"]
        said.append(f"{clean(strip.site.title)}: {', '.join(parts)}.")
    return " ".join(said)


@dataclass(slots=True)
class _Row:
    """One site's strip before it is drawn: what stands in rows, and the counts of its alerts."""

    strip: SiteStrip
    items: list[Item]
    counts: counting.Counts


def _row(strip: SiteStrip, frame: Frame, view: NowView) -> _Row:
    """Alerts are counted where they begin; those that were on before the window stand in rows of their own."""
    alerts: list[Item] = []
    others: list[Item] = []
    for bar in strip.bars:
        item = of_bar(bar, frame, view.now)
        if item is None:
            continue
        item.labels, item.tails, item.goes_on = item.labels[-1:], (), False
        item.pinned = bar.occurrence.ends_at is None or bar.occurrence.ends_at > view.now
        (alerts if bar.occurrence.kind == "alert" and not item.begins_before else others).append(item)
    counts = counting.count(begun_of(alerts, frame), strip.density, frame, kind="alert", left_out=0)
    return _Row(strip, others, counts)


def compose_strips(view: NowView, *, wide: int) -> Scene:
    """The marks of all strips."""
    scene = _empty(view, wide)
    y = 0.0
    rows = [_row(strip, scene.frame, view) for strip in view.strips]
    peak = max((row.counts.peak for row in rows), default=0)
    for number, row in enumerate(rows):
        if number:
            scene.rules.append(Rule(0, y, wide, y, "line"))
        y = _strip(scene, view, row, y, peak)
    frame = scene.frame
    for tick in scene.ticks:
        x = frame.x(tick.at)
        scene.rules.insert(0, Rule(x, 0, x, y, "line2" if tick.level == 2 else "line"))
    scene.rules.append(Rule(frame.right, 0, frame.right, y, "ink", 1.25))
    scene.body, scene.bottom_axis, scene.height = (0, y), y + 11, y + 24
    scene.texts.append(
        Text(frame.right, scene.bottom_axis, "now", "ink", weight=600, anchor="end" if wide < _NARROW else "middle")
    )
    letters = zone_letters(view.now, frame.zone)
    if wide >= _NARROW:
        scene.texts.append(Text(wide, scene.bottom_axis, letters, "ink3", anchor="end"))
    else:
        scene.texts.append(Text(0, scene.bottom_axis + 15, letters, "ink3"))
        scene.height += 15
    clear(scene)
    return scene


def _empty(view: NowView, wide: int) -> Scene:
    narrow = wide < _NARROW
    left, right = (0, wide) if narrow else (GUTTER, wide - READING)
    frame = Frame(view.since, view.now, left, right, right, zone_of(view.zone))
    scene = Scene(frame, wide, left)
    now_from = right - (width("now", 11, 600) + 8 if narrow else width("now", 11, 600) / 2 + 8)
    for tick in ticks(view.since, view.now, frame.zone, right - left):
        midnight = tick.level == 2
        words = day(tick.at, frame.zone, weekday=not narrow) if midnight else tick.words
        half, x = width(words, 11, 600) / 2, frame.x(tick.at)
        free_from = (
            frame.x(scene.ticks[-1].at) + width(scene.ticks[-1].words, 11, 600) / 2 + 8 if scene.ticks else left - 24
        )
        if x - half >= max(free_from, 0) and x + half <= now_from:
            scene.ticks.append(Tick(tick.at, words, "", tick.level))
    return scene


def _strip(scene: Scene, view: NowView, row: _Row, top: float, peak: int) -> float:
    """Draws one site and returns where it ends; all sites share the scale of `peak`."""
    narrow = scene.gutter == 0
    if narrow:
        _head(scene, view, row.strip, top)
        top += 22
    silence = "" if row.counts.bins or row.items else _silence(row.strip)
    most = _ROWS + (1 if row.strip.gaps else 0)
    packed = Packing(
        of_items(row.items, scene.frame),
        row.strip.gaps,
        scene.frame,
        kind=_kind(row),
        silence=silence,
        feeds=row.strip.feeds,
        insists=True,
    ).pack(most)
    inner = packed.height(scene.sizes) if packed.rows or packed.counts else 2.0 * _PAD
    high = max(0 if narrow else _beside_high(view, row.strip), inner + (_COUNTS if row.counts.bins else 0))
    draw(scene, packed, top if not packed.silence else top + (high - inner) / 2)
    if row.counts.bins:
        counting.draw(scene, row.counts, top + high - _COUNTS, top + high - 1, words=False, peak=peak)
    if not narrow:
        _beside(scene, view, row.strip, top + high / 2)
    return top + high


def _kind(row: _Row) -> str:
    """What a count of the row's bars is named after: their kind, or all that is reported where there are several."""
    kinds = {item.bar.occurrence.kind for item in row.items if item.bar is not None}
    return kinds.pop() if len(kinds) == 1 else "report"


def is_unheard(strip: SiteStrip) -> bool:
    """Whether nothing at all is known of a site: no bar, no count, no reading, and no feed that has ever answered."""
    return not strip.bars and strip.density is None and strip.latest is None and _never(strip) >= set(strip.feeds)


def _never(strip: SiteStrip) -> set[str]:
    return {gap.source for gap in strip.gaps if gap.state == "never"}


def unknown_words(strip: SiteStrip) -> str:
    """What of a strip is unknown: how many feeds never answered, and how often others did not."""
    never, others = _never(strip), [gap for gap in strip.gaps if gap.state != "never"]
    parts = [f"{len(never)} of {len({*never, *strip.feeds})} feeds never answered ({_named(never)})"] if never else []
    if others:
        gaps = f"{len(others)} feed {'gap' if len(others) == 1 else 'gaps'}"
        parts.append(f"{gaps} ({_named({gap.source for gap in others})})")
    return ", ".join(parts)


def _named(sources: Collection[str]) -> str:
    first = [clean(name, 24) for name in sorted(sources)[:3]]
    return ", ".join([*first, f"{len(sources) - 3} more"] if len(sources) > 3 else first)


def _silence(strip: SiteStrip) -> str:
    """What a strip without a mark says. A feed that was silent is named at its gap: the strip is not calm."""
    if is_unheard(strip):
        return UNHEARD
    if strip.gaps:
        return ""
    return "nothing reported; all feeds answered" if strip.feeds else "nothing reported"


def _name(strip: SiteStrip) -> list[str]:
    return wrap(clean(strip.site.title), GUTTER - 16, _NAME_LINES, 13, 600)


def _beside_high(view: NowView, strip: SiteStrip) -> float:
    """The least height of a strip: that of the name left of it, and of the reading right of it."""
    name = 2 * _PAD + _NAME * len(_name(strip)) + _WALL
    return max(_LEAST, name, 16 + 15 * len(_reading(view, strip)))


def _beside(scene: Scene, view: NowView, strip: SiteStrip, middle: float) -> None:
    """The site's name and wall clock left of its strip, the latest reading right of it."""
    name = _name(strip)
    y = middle - len(name) * _NAME / 2 - 1
    for line in name:
        scene.texts.append(Text(0, y, line, "ink", 13, 600))
        y += _NAME
    scene.texts.append(Text(0, y + 2, _wall(view, strip), "ink3"))
    lines = _reading(view, strip)
    ink = "temperature" if _is_above(strip) else "ink3"
    y = middle - (len(lines) - 1) * 8
    for number, words in enumerate(lines):
        strong = number == 0 and strip.latest is not None
        colour = "ink" if strong and ink == "ink3" else ink if number < 2 else "ink3"
        fitted = longest((words,), READING - 22, 13 if strong else 11, 600 if strong else 400)
        scene.texts.append(Text(scene.width, y, fitted, colour, 13 if strong else 11, 600 if strong else 400, "end"))
        if number == 1 and _is_above(strip):
            scene.glyphs.append(Glyph(scene.width - width(fitted) - 8, y, "triangle", ink))
        y += 17 if number == 0 else 14


def _head(scene: Scene, view: NowView, strip: SiteStrip, top: float) -> None:
    """Name, reading and wall clock in one line above a narrow strip."""
    said = ", ".join(_reading(view, strip))
    ink = "temperature" if _is_above(strip) else "ink" if strip.latest else "ink3"
    said = longest((said,), scene.width * 0.68)
    scene.texts.append(Text(scene.width, top + 13, said, ink, anchor="end"))
    room = scene.width - width(said) - 12
    title = longest((clean(strip.site.title),), room, 13, 600)
    scene.texts.append(Text(0, top + 13, title, "ink", 13, 600))
    wall = _wall(view, strip)
    after = width(title, 13, 600) + 8
    if after + width(wall) <= room:
        scene.texts.append(Text(after, top + 13, wall, "ink3"))


def _wall(view: NowView, strip: SiteStrip) -> str:
    return f"{clock(view.now, zone_of(strip.site.timezone))} local"


def _is_above(strip: SiteStrip) -> bool:
    return strip.latest is not None and strip.limit is not None and strip.latest.value > strip.limit


def _reading(view: NowView, strip: SiteStrip) -> list[str]:
    """The latest value, what it stands against, and how it came about where it was not just observed."""
    if strip.latest is None:
        return ["no reading"]
    lines = [f"{strip.latest.value:.1f}{DEGREE}".replace("-", "\u2212")]
    if strip.limit is not None:
        lines.append(f"{'above' if _is_above(strip) else 'limit'} {strip.limit:g}")
    age = (view.now - strip.latest.at).total_seconds()
    told = [clean(strip.latest_basis, 16)] if strip.latest_basis and strip.latest_basis != "observed" else []
    told += [f"{length(age // 3600 * 3600)} old"] if age > _OLD_S else []
    return lines + told
