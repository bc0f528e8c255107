"""The sheet that pages and the HTML export are printed on: the Jinja environment, its filters and static addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Sized
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dashboards import words
from dashboards.sentences import sentence
from incidents import instants
from incidents.model import Link, Moment, Occurrence, Reason, Severity
from incidents.views.view import Line, Phase, Viewer

HERE = Path(__file__).parent
STATIC = HERE / "static"
PIXELS_PER_BIT = 12.5
ROW_TEXT = 160
"""Characters of a line's text in its row; the opened row has the whole."""

_TIER_SQUARES = {"context": 1, "coincident": 2, "plausible": 3, "strong": 4}
_LINE_GLYPHS = {
    "hazard": "hazard",
    "provider_incident": "provider",
    "post": "post",
    "change": "change",
    "reading": "reading",
    "gap": "gap",
}


@lru_cache(maxsize=64)
def _fingerprint(name: str, _changed: int) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def static(name: str) -> str:
    """The address of a static file, which changes when its bytes do; bare for a file that is not there."""
    try:
        changed = (STATIC / name).stat().st_mtime_ns
    except FileNotFoundError:
        return f"/static/{name}"
    return f"/static/{name}?v={_fingerprint(name, changed)}"


def glyph_of(line: Line) -> str:
    """The glyph before a line: the severity of an alert, the kind's own of the outside world, a square for people.

    What ended has the same shape hollow, under the name with "-end".
    """
    kind, ended = line.kind.removesuffix("_changed").removesuffix("_ended"), line.kind.endswith("_ended")
    shape = str(line.severity) if kind == "alert" else _LINE_GLYPHS.get(kind)
    if shape is None:
        return "late" if line.late else "entry"
    return f"{shape}-end" if ended else shape


def is_of_alert(line: Line) -> bool:
    """Whether the line tells of an alert, so that its severity is the sender's word for it."""
    return line.kind in {"alert", "alert_changed", "alert_ended"}


def by_phase(lines: Iterable[Line], phases: Sequence[Phase]) -> list[tuple[Phase | None, list[Line]]]:
    """The lines in order, cut where a new phase of the incident begins; None where there are no phases."""
    groups: list[tuple[Phase | None, list[Line]]] = []
    for line in lines:
        begun = [phase for phase in phases if phase.since <= line.happened_at]
        phase = begun[-1] if begun else (phases[0] if phases else None)
        if not groups or groups[-1][0] is not phase:
            groups.append((phase, []))
        groups[-1][1].append(line)
    return groups


def standing(link: Link) -> tuple[int, float]:
    """Sorts links: judged and weighty ones first, rejected and retracted ones last."""
    rank = {"attributed": 0, "confirmed": 0, "proposed": 0, "retracted": 1, "rejected": 1}
    return rank[link.state], -link.evidence.score


def bar_scale(links: Iterable[Link]) -> tuple[float, float]:
    """Pixels left and right of the common zero that the reasons of all links need."""
    parts = [reason.bits for link in links for reason in link.evidence.reasons]
    left = max((-bits for bits in parts if bits < 0), default=0.0)
    right = max((bits for bits in parts if bits > 0), default=0.0)
    return round(min(left, 8) * PIXELS_PER_BIT, 1) + 1, round(min(right, 8) * PIXELS_PER_BIT, 1) + 1


def bar_at(reason: Reason, scale: tuple[float, float]) -> tuple[float, float]:
    """Where a reason's bar begins, in pixels from the left of the scale, and how wide it is; cut at eight bits."""
    width = max(min(abs(reason.bits), 8) * PIXELS_PER_BIT, 0.5)
    return round(scale[0] - width if reason.bits < 0 else scale[0], 1), round(width, 1)


def squares(tier: str) -> int:
    """How many of the four squares a tier fills."""
    return _TIER_SQUARES.get(tier, 1)


def happened_span(occurrence: Occurrence, zone: str, beside: datetime | None = None) -> str:
    """From when to when an occurrence was on: "from 13:00 to 17:00 expected"."""
    began = _began(occurrence, zone, beside)
    if occurrence.ends_at is None:
        return f"since {began}"
    ended = words.moment(occurrence.ends_at, zone, beside=beside)
    note = (
        " expected" if occurrence.ends_expected else " (assumed: no end was given)" if occurrence.ends_assumed else ""
    )
    return f"from {began} to {ended}{note}"


def since_when(occurrence: Occurrence, zone: str, beside: datetime) -> str:
    """Since when an occurrence is on, for one that still is: "since 14:33"."""
    return f"since {_began(occurrence, zone, beside)}"


def _began(occurrence: Occurrence, zone: str, beside: datetime | None) -> str:
    return words.moment(Moment(occurrence.starts_at, occurrence.starts_until), zone, beside=beside)


def count_of(amount: int | Sized, noun: str, plural: str | None = None) -> str:
    """How many: "3 warnings" of a number or of the things themselves."""
    return words.count(amount if isinstance(amount, int) else len(amount), noun, plural)


def without_provider(region: str) -> str:
    """A region's own name: "gcp:europe-west2" is "europe-west2"."""
    return region.partition(":")[2] or region


def params_text(params: Mapping[str, Any]) -> str:
    """An entry's params as JSON, for the row that shows its evidence."""
    return orjson.dumps(params, default=str).decode()


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        plain=words.plain,
        clean=words.clean,
        bits=words.bits,
        called=words.called,
        who=words.who,
        rfc3339=instants.text,
        count_of=count_of,
        without_provider=without_provider,
        params=params_text,
    )
    made.globals.update(
        words=words,
        sentence=sentence,
        length=instants.length,
        static=static,
        glyph_of=glyph_of,
        is_of_alert=is_of_alert,
        bar_at=bar_at,
        squares=squares,
        happened_span=happened_span,
        since_when=since_when,
        row_text=ROW_TEXT,
        severities=[str(severity) for severity in Severity],
    )
    return made


ENVIRONMENT = _environment()


def render(template: str, **values: object) -> str:
    """The template filled in; a name it uses that is not given raises jinja2.UndefinedError."""
    return ENVIRONMENT.get_template(template).render(**values)


def signed_in(template: str, viewer: Viewer, at: datetime | None, **values: object) -> str:
    """A signed-in page; `at` decides which offset of the viewer's zone the header shows, None leaves it out."""
    zone_now = words.zone_label(viewer.zone, at) if at else viewer.zone
    return render(
        template,
        viewer=viewer,
        zone_now=zone_now,
        zone_words=words.zone_in_full(viewer.zone, at) if at else viewer.zone,
        may_write=viewer.role in ("responder", "admin"),
        is_admin=viewer.role == "admin",
        **values,
    )
