"""Bars and entries as they stand in a row: how far each one reaches with its words, before any row is chosen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from dashboards.axis import DASH, clock, day, local, moment, span, zone_letters
from dashboards.marks import SEVERITY_SHAPES, SHAPE_SIZES, Anchor, Extent, Frame, Shape
from dashboards.typeface import clean, longest, width
from incidents.model import Occurrence
from incidents.redaction import key_of
from incidents.views.view import Bar, Mark

Place = Literal["on", "behind", "before"]
"""Where the words of a bar stand."""
_WHOLE = 160
"""Characters of somebody's words at most, where there is room for them."""
_UTC = ZoneInfo("UTC")
_DAY_S = 86400
_POST_APART = 24
"""Room that a post takes beside a title, at least."""
_WHOLE_POST = 32
"""Characters of a post that are still shown whole."""
_ARROW = 14
"""Room that the arrow of what goes on takes."""
_COVERED = 0.5
"""Share of its words that a bar covers at least where they stand on it; those of a shorter one stand behind it."""
TINTS = {
    "hazard": ("hazard-tint", "hazard"),
    "provider_incident": ("provider-tint", "provider"),
    "change": ("unknown-tint", "ink2"),
}
"""Bar and edge of the kinds that have a colour of their own; alerts have their severity's."""
KINDS = {"alert": "alert", "hazard": "official warning", "provider_incident": "provider incident", "change": "change"}


@dataclass(slots=True)
class Note:
    """A provider's post on its bar."""

    x: float
    words: str
    tip: str
    title: str
    whole: str = ""


@dataclass(slots=True)
class Item:
    """One thing in a row, in pixels. `label_x` with `anchor` is where its words stand once they are settled."""

    x: float
    end: float
    rank: int
    labels: tuple[str, ...]
    tip: str
    ink: str
    bar: Bar | None = None
    """What an empty `tip` is written from, for those that are drawn."""
    shape: Shape | None = None
    tint: str = ""
    label_ink: str = "ink"
    pinned: bool = False
    service: str = ""
    begins_before: bool = False
    tails: tuple[str, ...] = ()
    goes_on: bool = False
    """Whether it ends where it does only because no more is known or shown: it has an arrow in place of an end."""
    whisker: Extent | None = None
    capped: bool = True
    vague: Extent | None = None
    """What the whisker spanned that gave way to the words: dots beneath them."""
    late_x: float | None = None
    posts: list[Note] = field(default_factory=list)
    label: str = ""
    label_x: float = 0
    anchor: Anchor = "start"
    tail: str = ""
    extent: Extent = (0, 0)
    cut: tuple[str, str] = ("", "")
    """Words that were cut, and whole: where a row has room for them there is more of them, once it is packed."""

    @property
    def reach(self) -> float:
        """Where the last of its strokes ends: the whisker over its start, the line to when it was recorded."""
        return max(self.x, self.whisker[1] if self.whisker else self.x, self.late_x or self.x)

    @property
    def arrow_x(self) -> float:
        """Where the arrow is centred: inside the bar's end, or behind it where the bar is too short."""
        return self.end - 7 if self.end - self.reach >= _ARROW + 6 else self.end + 7


def of_bar(bar: Bar, frame: Frame, as_of: datetime, beside: str = "") -> Item | None:
    """An occurrence within the frame, or None when no part of it is.

    What has no end reaches up to now and no further. `beside` tells it apart from others of its title.
    """
    said = bar.occurrence
    x, end = ends_of(said, frame)
    if x > frame.edge or max(end, x) < frame.left:
        return None
    title = title_of(bar)
    tint, ink = TINTS.get(said.kind, (f"{said.severity}-tint", str(said.severity)))
    shape = None if said.kind in TINTS else SEVERITY_SHAPES[said.severity]
    item = Item(
        max(x, frame.left), min(max(end, x), frame.edge), said.severity.rank,
        (f"{title}{beside}", f"{clean(title, 24)}{beside}") if beside else (title,), "", ink, bar,
        shape, tint, "ink2" if bar.relation == "context" else "ink", service=clean(bar.service or "", 30),
    )  # fmt: skip
    item.begins_before = x < frame.left
    item.goes_on = (said.ends_at is None and x < frame.now) or end > frame.edge
    if item.goes_on and frame.edge >= frame.right:
        item.tails = _tails(said, frame)
    _uncertain(item, said.starts_at, said.starts_until, frame, title)
    if bar.late and said.recorded_at is not None and not item.begins_before:
        _late(item, said.starts_at, min(said.recorded_at, as_of), frame, title)
    if item.begins_before and said.kind in TINTS and said.ends_at is not None:
        since, until = _dated(said.starts_at, frame), _dated(said.ends_at, frame)
        item.labels = (f"{title}: from {since} to {until}", *item.labels)
    if said.kind == "provider_incident":
        item.posts = _posts(said, frame)
    return item


def ends_of(said: Occurrence, frame: Frame) -> Extent:
    """Where it begins and ends, also beyond the frame; what has no end reaches up to now."""
    x = frame.x(said.starts_at)
    return x, max(frame.now, x) if said.ends_at is None else frame.x(said.ends_at)


def of_mark(mark: Mark, frame: Frame) -> Item | None:
    """An entry within the frame, or None."""
    x = frame.x(mark.happened_at)
    if x > frame.edge or frame.x(mark.happened_until or mark.happened_at) < frame.left:
        return None
    begins_before, x = x < frame.left, max(x, frame.left)
    words = clean(mark.label)
    tip = f"{clean(mark.label, 120)}\n{_when(mark.happened_at, mark.happened_until, frame.zone)}"
    item = Item(x, x, 3, (words,), tip, "ink", shape="square", pinned=mark.pinned, begins_before=begins_before)
    item.cut = _cut(mark.label, words)
    _uncertain(item, mark.happened_at, mark.happened_until, frame, words)
    if mark.late and not begins_before:
        _late(item, mark.happened_at, mark.recorded_at, frame, words)
    return item


def of_post(note: Note, rank: int) -> Item:
    """A post that found no room on its own bar."""
    shorter = _shorter(note.words)
    labels = (f"{note.title}: {shorter[0]}", f"{note.title}: {shorter[-1]}", shorter[-1])
    return Item(note.x, note.x, rank, labels, note.tip, "ink2", shape="ring", cut=_cut(note.whole, shorter[0]))


def _cut(text: str, words: str) -> tuple[str, str]:
    whole = clean(text, _WHOLE)
    return ("", "") if whole == words else (words, whole)


def lengthened(item: Item, limit: float) -> Item:
    """The item with more of its words where it has room for them up to `limit`; itself where it has not."""
    words, whole = item.cut
    if not words or item.anchor != "start" or words not in item.label:
        return item
    room = limit - item.label_x
    parts = whole.split()
    for count in range(len(parts), 0, -1):
        said = " ".join(parts[:count])
        more = said if count == len(parts) else f"{said.rstrip('.,;:')}\u2026"
        label = item.label.replace(words, more, 1)
        if len(label) <= len(item.label):
            return item
        if width(label) <= room:
            return replace(item, label=label)
    return item


def settle(item: Item, frame: Frame) -> None:
    """Chooses the words and their side, and computes how far the item reaches with them.

    A whisker that leaves no room for any words gives way to them: it is dots beneath them.
    """
    _settle(item, frame)
    if item.whisker is not None and not item.label:
        item.vague, item.whisker = item.whisker, None
        _settle(item, frame)
        item.extent = (min(item.extent[0], item.vague[0]), max(item.extent[1], item.vague[1]))
    _settle_tail(item)


def _settle(item: Item, frame: Frame) -> None:
    limit, half = frame.edge - 2, SHAPE_SIZES[item.shape] / 2 if item.shape else 1
    left = min(item.x - half, item.whisker[0] if item.whisker else item.x)
    right = max(item.end, item.x + half, item.reach)
    after = item.x + (16 if item.begins_before else 9 if item.shape else 7)
    if item.late_x is not None or item.reach > item.x:
        after = item.reach + 8
    before, behind = left - 8, right + 7
    if item.goes_on:
        right = max(right, item.arrow_x + 4)
        behind = right + 5
    inside = item.end - _ARROW if item.goes_on else limit
    rooms: dict[Place, float] = {
        "on": min(inside, limit) - after,
        "behind": limit - behind,
        "before": 0.0 if item.begins_before else before - frame.left - 2,
    }
    item.label, place = _choose(item, frame, rooms, covered=item.end - after)
    item.anchor = "end" if place == "before" else "start"
    item.label_x = {"on": after, "behind": behind, "before": before}[place]
    room = width(item.label)
    if item.label and item.anchor == "end":
        left = min(left, item.label_x - room)
    elif item.label:
        right = max(right, item.label_x + room)
    item.extent = (left, max(right, left))


def _choose(item: Item, frame: Frame, rooms: dict[Place, float], *, covered: float) -> tuple[str, Place]:
    """The longest words that fit at the place they belong, else at another; cut at the roomiest at the last.

    They belong on their bar, from its start on, and behind one that would cover less than half of them: words with an
    edge through them are hard to read, and a sliver of tint under the first letter looks like a mistake.
    """
    places: list[Place] = ["on", "behind", "before"] if item.tint else ["on", "before"]
    uncertain = item.whisker is not None and item.tint != ""
    crowded = bool(item.posts) and item.posts[0].x - item.x < width(item.labels[-1]) + _POST_APART
    if uncertain or (crowded and item.posts[0].x < frame.edge - _POST_APART):
        places = ["before", "on"]
    for words in item.labels:
        room = width(words)
        for place in places:
            if place == "on" and "behind" in places and not item.posts and covered < room * _COVERED:
                continue
            if room <= rooms[place]:
                return words, place
    place = max(places, key=lambda place: rooms[place])
    return longest(item.labels, rooms[place]), place


def _settle_tail(item: Item) -> None:
    free_from = item.label_x + width(item.label) if item.label and item.anchor == "start" else item.x
    free_from = max(free_from, item.reach)
    if item.arrow_x > item.end or (item.label_x > item.end and item.anchor == "start" and item.label):
        return
    for words in item.tails:
        if free_from + 16 + width(words) <= item.end - _ARROW:
            item.tail = words
            return


def settle_posts(item: Item, frame: Frame) -> list[Note]:
    """Keeps the posts that have room on the item's bar, with as many words as fit clear of its strokes.

    Returns the others.
    """
    kept: list[Note] = []
    others: list[Note] = []
    label_end = item.label_x + width(item.label) if item.anchor == "start" and item.label else item.x + 2
    free_from = label_end + 10
    last = item.end if item.goes_on else frame.edge
    last -= 22 + width(item.tail) if item.tail else 22 if item.goes_on else 8
    for number, note in enumerate(item.posts):
        following = next((other.x for other in item.posts[number + 1 :] if other.x > note.x + 12), last + 14)
        if note.x - 5 < free_from or note.x + 5 > last:
            others.append(note)
            continue
        room = min(following - 14, last) - note.x - 8 if note.x + 8 >= item.reach else 0
        words = next((words for words in _shorter(note.words) if width(words) <= room), "")
        kept.append(replace(note, words=words))
        free_from = note.x + 8 + (width(words) + 6 if words else 0)
    item.posts = kept
    if kept:
        item.extent = (item.extent[0], max(item.extent[1], free_from))
    return others


def tip_of(bar: Bar, zone: ZoneInfo) -> str:
    """What a bar says when pointed at: title, kind, severity, times in the zone and in UTC, when it was recorded."""
    said = bar.occurrence
    facts = [KINDS[said.kind], str(said.severity), clean(bar.service or "", 30), clean(said.source, 40)]
    if bar.link is not None:
        facts.append(f"{bar.link.evidence.tier}, {bar.link.state}")
    elif bar.relation == "context":
        facts.append("context")
    lines = [
        clean(said.title, 120),
        ", ".join(fact for fact in facts if fact),
        _when(said.starts_at, said.ends_at, zone),
    ]
    if said.starts_until is not None:
        lines.append(f"began {span(said.starts_at, said.starts_until, zone, said.starts_at)}")
    lines.append("still on" if said.ends_at is None else "end is a forecast" if said.ends_expected else "")
    if said.posts:
        lines.append(f"{len(said.posts)} {'post' if len(said.posts) == 1 else 'posts'}")
    if said.ends_assumed:
        lines.append("end assumed: no time was given for it")
    if bar.late and said.recorded_at is not None:
        lines.append(f"recorded {moment(said.recorded_at, zone, said.starts_at)}")
    return "\n".join(line for line in lines if line)


def _when(since: datetime, until: datetime | None, zone: ZoneInfo) -> str:
    letters = zone_letters(since, zone)

    def words(where: ZoneInfo) -> str:
        start = moment(since, where, datetime.min.replace(tzinfo=UTC))
        return start if until is None or until == since else f"{start} {DASH} {moment(until, where, since)}"

    return words(zone) + (f" {letters} ({words(_UTC)} UTC)" if letters != "UTC" else " UTC")


def title_of(bar: Bar) -> str:
    """What a bar is called: its title, else its key."""
    return clean(bar.occurrence.title) or clean(key_of(bar.occurrence.key)) or "untitled"


def _dated(at: datetime, frame: Frame) -> str:
    """A time with its day, which goes without saying only where the view is of that one day."""
    here, first, last = (local(each, frame.zone).date() for each in (at, frame.since, frame.until))
    if here == last and first != last:
        return f"{day(at, frame.zone, year=False)} {clock(at, frame.zone)}"
    return moment(at, frame.zone, frame.until)


def _tails(said: Occurrence, frame: Frame) -> tuple[str, ...]:
    if said.ends_at is None:
        return ("still on",)
    until = f"until {_dated(said.ends_at, frame)}"
    return (f"forecast {until}", until) if said.ends_expected else (until,)


def _uncertain(item: Item, at: datetime, until: datetime | None, frame: Frame, title: str) -> None:
    """A whisker over the span in which it began, with the span in words; a whole day is told as one."""
    if until is None or until <= at:
        return
    first, last = max(frame.x(at), frame.left), min(frame.x(until), frame.edge)
    if last < first:
        return
    item.whisker = (first, last)
    whole_day = _DAY_S - 60 <= (until - at).total_seconds() <= _DAY_S and clock(at, frame.zone) == "00:00"
    item.capped = not whole_day
    words = "start: day only" if whole_day else span(at, until, frame.zone, frame.since)
    item.labels = (f"{title}, {words}", title)


def _late(item: Item, at: datetime, recorded_at: datetime, frame: Frame, title: str) -> None:
    item.shape = "hollow"
    item.late_x = max(frame.inside(recorded_at), item.x)
    happened, recorded = clock(at, frame.zone), moment(recorded_at, frame.zone, at)
    item.labels = (f"{title} at {happened}, recorded {recorded}", f"{title}, recorded {recorded}", title)


def _posts(said: Occurrence, frame: Frame) -> list[Note]:
    title = clean(said.title)
    notes = []
    for post in sorted(said.posts, key=lambda post: post.at):
        x = frame.x(post.at)
        if frame.left <= x <= frame.edge:
            words = clean(post.text)
            tip = f"{title}\n{clean(post.text, 200)}\n{_when(post.at, None, frame.zone)}"
            notes.append(Note(x, words, tip, title, post.text))
    return notes


def _shorter(words: str) -> tuple[str, ...]:
    """The text whole when it is short, else its first words, down to two."""
    parts = words.split()
    shorter = tuple(" ".join(parts[:count]).rstrip(".,;:") + "\u2026" for count in (4, 3, 2) if count < len(parts))
    return (words, *shorter) if len(words) <= _WHOLE_POST else shorter or (words,)
