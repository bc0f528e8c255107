"""Rows of a timeline that were printed before: most of a page is equal to what the last reader of it was shown.

A row rests on its line and on a few words of its page. Lines of entries are printed each time: what was corrected,
withdrawn or undone of them stands in their rows as well.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from operator import attrgetter

from incidents.views.kept import Kept
from incidents.views.view import IncidentView, Line, Viewer

FORM_TOKEN = secrets.token_hex(16)
"""Stands in rows for the reader's own form token, which is another one on each page."""
_ROWS: Kept[str] = Kept(4096)
_OF_LINE = attrgetter(
    "id", "happened_at", "happened_until", "recorded_at", "lane", "kind", "text", "actor", "severity", "corrected",
    "late", "pinned", "count", "trace.event", "trace.delivery", "trace.adapter", "trace.sha256", "trace.size",
)  # fmt: skip
Print = Callable[[Line], str]


def rows_of(
    view: IncidentView, viewer: Viewer, *, places: Mapping[str, str], new_days: set[str]
) -> Callable[[Line, Print], str]:
    """What gives the row of a line, printed where it is not kept.

    `places` are where an entry after each line would stand, by its id; `new_days` the ids of lines that name their day.
    """
    states = {link.id: link.state for link in view.incident.links}
    page = view.incident.id, view.zone, viewer.role, view.as_of if view.as_known else None

    def row_of(line: Line, print_row: Print) -> str:
        if line.trace.entry is not None or line.trace.params:
            return print_row(line)
        own = places.get(line.id), line.id in new_days, states.get(line.id[1:])
        return _ROWS.get((page, own, _OF_LINE(line)), lambda: print_row(line))

    return row_of
