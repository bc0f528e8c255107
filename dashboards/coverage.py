"""What the feeds were asked, in words: the negative evidence beside the links."""

from __future__ import annotations

from datetime import datetime

from dashboards import words
from incidents.views.view import Coverage, Gap, IncidentView

_KINDS = {
    "weather": "Weather readings",
    "warnings": "Warnings",
    "grid": "Grid notices",
    "providers": "Provider incidents",
    "changes": "Changes",
}
_SHOWN = 3


def coverage_rows(view: IncidentView) -> list[tuple[str, str, str]]:
    """For each feed: what it speaks of, its source, and whether it was asked, answered and found something."""
    return [(kind_called(row), row.source or "", coverage_words(row, view)) for row in view.coverage]


def kind_called(row: Coverage) -> str:
    """The kind of feed, as a heading."""
    return _KINDS.get(row.lane or "", "Other feed")


def coverage_words(row: Coverage, view: IncidentView) -> str:
    """Such as "asked, nothing found", "not asked: no such source", "feed down 10:05–11:40; else asked, 2 found"."""
    if row.source is None:
        return "not asked: no such source"
    unread = f"; {words.count(row.unread, 'document')} of its index not read" if row.unread else ""
    return _asked(row, view) + unread


def _asked(row: Coverage, view: IncidentView) -> str:
    since, until = view.since, min(view.until, view.as_of) if view.as_known else view.until
    found = f"{row.found} found" if row.found else "nothing found"
    missing = [_missing(gap, view) for gap in row.gaps]
    missing += [f"not asked {_span(a, b, view)}" for a, b in row.unasked]
    if len(missing) > _SHOWN:
        missing = [*missing[:_SHOWN], f"{len(missing) - _SHOWN} more stretches without an answer"]
    if not row.heard:
        return "; ".join(("never answered, so nothing is known", *missing))
    if not missing:
        return f"asked, {found}"
    stretches = [(gap.since, gap.until) for gap in row.gaps] + list(row.unasked)
    if sum(((b - a).total_seconds() for a, b in stretches), 0.0) >= (until - since).total_seconds() - 60:
        return f"{'; '.join(missing)}" + (f"; {found}" if row.found else "")
    return f"{'; '.join(missing)}; else asked, {found}"


def _missing(gap: Gap, view: IncidentView) -> str:
    if gap.state == "waiting":
        return f"not asked yet since {words.moment(gap.since, view.zone, beside=view.since)}"
    return f"{'feed down' if gap.reason else 'no answer'} {_span(gap.since, gap.until, view)}"


def _span(since: datetime, until: datetime, view: IncidentView) -> str:
    ends = words.moment(until, view.zone, beside=since)
    return f"{words.moment(since, view.zone, beside=view.since)}\N{EN DASH}{ends}"
