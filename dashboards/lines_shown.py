"""Which lines of a timeline a page shows: by kind, with what is hidden counted, and where a new one would stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from dashboards import words
from incidents.views.view import Line

SORTS = {
    "alerts": "alerts",
    "hazards": "warnings",
    "providers": "provider posts",
    "changes": "changes",
    "notes": "notes",
    "decisions": "decisions",
    "rules": "the rules’ own",
}
"""The sorts of lines that a reader can hide, by the name in the address, with what the page calls them."""
HIDDEN = frozenset({"rules"})
"""Hidden unless somebody asks: the rules' bookkeeping; what it tells stands elsewhere on the page."""
BOOKKEEPING = frozenset({"alerts_joined", "alerts_left", "link_proposed"})
_OF_PROVIDERS = frozenset({"post", "start_backdated"})
_OF_KINDS = {"alert": "alerts", "hazard": "hazards", "provider_incident": "providers", "change": "changes"}


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort of line: how many there are, whether they are shown, and the address that turns that around."""

    name: str
    called: str
    count: int
    is_shown: bool
    href: str


@dataclass(frozen=True, slots=True)
class Shown:
    """The lines that are shown, and the sorts among which a reader chooses."""

    lines: tuple[Line, ...]
    sorts: tuple[Sort, ...]
    hidden: int

    @property
    def hidden_words(self) -> str:
        """What is hidden: "81 hidden: 74 alerts, 7 the rules' own"."""
        parts = [f"{sort.count:,} {sort.called}" for sort in self.sorts if not sort.is_shown]
        return f"{self.hidden:,} hidden: {', '.join(parts)}" if parts else ""


def sort_of(line: Line) -> str:
    """The sort of a line; people's own regroupings are decisions, the rules' are not."""
    if line.kind in BOOKKEEPING:
        return "decisions" if line.actor.startswith("user:") else "rules"
    if line.kind in _OF_PROVIDERS:
        return "providers"
    kind = line.kind.removesuffix("_changed").removesuffix("_ended")
    return _OF_KINDS.get(kind) or ("notes" if line.kind == "note" else "decisions")


def hidden_by(query: Mapping[str, str]) -> frozenset[str]:
    """The sorts that an address hides: those that `hide` names, none for `lines=all`, else the usual ones."""
    if query.get("lines") == "all":
        return frozenset()
    if "hide" not in query:
        return HIDDEN
    return frozenset(query["hide"].split(",")) & set(SORTS)


def shown(lines: Sequence[Line], query: Mapping[str, str], path: str) -> Shown:
    """The lines that an address asks for; `query` is the address's own, which the chips' addresses keep."""
    hidden = hidden_by(query) - {sort_of(line) for line in lines if line.id == query.get("line")}
    counts = Counter(sort_of(line) for line in lines)
    kept = tuple(line for line in lines if sort_of(line) not in hidden)
    sorts = tuple(
        Sort(name, called, counts[name], name not in hidden, _toggled(name, hidden, query, path))
        for name, called in SORTS.items()
        if counts[name]
    )
    return Shown(kept, sorts, len(lines) - len(kept))


def _toggled(name: str, hidden: frozenset[str], query: Mapping[str, str], path: str) -> str:
    after = hidden ^ {name}
    kept = {key: value for key, value in query.items() if key not in ("hide", "lines", "page", "line", "at")}
    if after != HIDDEN:
        kept["hide"] = ",".join(sorted(after))
    return f"{path}{'?' + urlencode(kept) if kept else ''}#timeline"


def page_of(lines: Sequence[Line], query: Mapping[str, str], rows: int) -> int:
    """The page that an address asks for, counted from 1: by its number, or the one that holds the line it names."""
    at = next((n for n, line in enumerate(lines) if line.id == query.get("line")), None)
    if at is not None:
        return at // rows + 1
    asked = query.get("page", "1")
    return max(1, int(asked[:6])) if asked.isdecimal() else 1


def places_between(lines: Sequence[Line], zone: str) -> dict[str, str]:
    """For each line the wall clock time of a new one right after it, as a form's field takes it.

    Between two lines it is the middle, after the last one a minute later; to the second.
    """
    found = {}
    for n, line in enumerate(lines):
        following = lines[n + 1].happened_at if n + 1 < len(lines) else line.happened_at + timedelta(minutes=2)
        found[line.id] = local_input(line.happened_at + (following - line.happened_at) / 2, zone)
    return found


def text_of(line: Line) -> str:
    """What a person wrote in an entry, whole: a note's text, or the note of a status."""
    params = line.trace.params or {}
    return str((params.get("text", line.text) if line.kind == "note" else params.get("note")) or "")


def local_input(at: datetime | None, zone: str) -> str:
    """An instant as a form's field for date and time takes it, on the wall of the zone; "" for none."""
    return f"{words.wall(at, zone):%Y-%m-%dT%H:%M:%S}" if at else ""
