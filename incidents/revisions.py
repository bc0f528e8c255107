"""What a source changed of its own words: revisions of posts, warnings and starts, from statements alone. Pure.

Statements are immutable, so that a text that changed since we last read it stands in two of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final, Literal

from incidents import instants
from incidents.model import Event, Occurrence, Said

BACK: Final = timedelta(minutes=10)
"""How far before the first post a claimed start may lie without being called back-dated."""
MOST: Final = 500
"""Revisions that are told of one occurrence, the first ones."""
_PAIRS: Final = 20_000
"""Pairs of equal words up to which two texts are compared: the comparison takes their number times its results."""
_ALL_PAIRS: Final = 200_000
"""The same over all revisions of one occurrence."""
_WORD: Final = re.compile(r"\S+\s*")
_SENTENCE: Final = re.compile(r"[^.!?\n]+[.!?\n]*\s*|[.!?\n]+\s*")

Subject = Literal["post", "text", "title", "severity", "start", "end"]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text: in both versions, only in the older, or only in the newer."""

    kind: Literal["same", "gone", "new"]
    words: str


@dataclass(frozen=True, slots=True)
class Revision:
    """One change between what was said before and what was said at `recorded_at`; `post_at` dates a post."""

    subject: Subject
    was: str
    now: str
    parts: tuple[Part, ...]
    said: Said
    post_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Backdating:
    """A start that lies earlier than it could be known from the first words: `by` is how much earlier.

    `kind` is "claimed" where the first post came later than the claimed start by more than `BACK`, and "moved" where a
    later statement set the start earlier than the one before it.
    """

    kind: Literal["claimed", "moved"]
    at: datetime
    start: datetime
    before: datetime
    said: Said

    @property
    def by(self) -> timedelta:
        return self.before - self.start


def revisions(statements: Iterable[Said]) -> tuple[Revision, ...]:
    """The revisions of one occurrence's words in the order in which we came to know of them."""
    ordered = _in_order(statements)
    found: list[Revision] = []
    left = _ALL_PAIRS
    for before, after in pairwise(ordered):
        for one in (*_posts(before.event, after), *_fields(before.event, after)):
            parts, cost = _compared(one.was, one.now, min(left, _PAIRS))
            left -= cost
            found.append(replace(one, parts=parts))
            if len(found) == MOST:
                return tuple(found)
    return tuple(found)


def _in_order(statements: Iterable[Said]) -> list[Said]:
    return sorted(statements, key=lambda said: (said.recorded_at, said.said_at, said.digest))


def _posts(before: Event, said: Said) -> Iterable[Revision]:
    """Posts of one instant whose words are others now. A post that is only absent is no revision: feeds drop posts."""
    older: dict[datetime, list[str]] = {}
    newer: dict[datetime, list[str]] = {}
    for post in before.posts:
        older.setdefault(post.at, []).append(post.text)
    for post in said.event.posts:
        newer.setdefault(post.at, []).append(post.text)
    for at in sorted(older.keys() & newer.keys()):
        gone = [text for text in older[at] if text not in newer[at]]
        come = [text for text in newer[at] if text not in older[at]]
        for was, now in zip(gone, come, strict=False):
            yield Revision("post", was, now, (), said, at)


def _fields(before: Event, said: Said) -> Iterable[Revision]:
    after = said.event
    changed: list[tuple[Subject, str | None, str | None]] = [
        ("title", before.title or None, after.title or None),
        ("start", _instant(before.starts_at), _instant(after.starts_at)),
        ("severity", None if before.severity == "unknown" else before.severity.value,
         None if after.severity == "unknown" else after.severity.value),
    ]  # fmt: skip
    if not before.posts and not after.posts:
        changed.append(("text", before.text, after.text))
    if not before.ends_assumed and not after.ends_assumed:
        changed.append(("end", _instant(before.ends_at), _instant(after.ends_at)))
    for subject, was, now in changed:
        if was and now and was != now:
            yield Revision(subject, was, now, (), said)


def _instant(at: datetime | None) -> str | None:
    return instants.text(at) if at else None


def diff(was: str, now: str) -> tuple[Part, ...]:
    """Two texts word by word; joined by spaces, the parts that are not new give the older, those not gone the newer.

    Texts whose words repeat so often that this would take long are compared by sentences, and else as wholes.
    """
    return _compared(was, now, _PAIRS)[0]


def _compared(was: str, now: str, most: int) -> tuple[tuple[Part, ...], int]:
    """The parts, and how many pairs of equal words or sentences were looked at."""
    for token in (_WORD, _SENTENCE):
        old, new = token.findall(was.strip()), token.findall(now.strip())
        a, b = [one.strip() for one in old], [one.strip() for one in new]
        counts = Counter(b)
        pairs = sum(counts[word] for word in a)
        if pairs <= most:
            return _parts(old, new, SequenceMatcher(None, a, b, autojunk=False)), pairs
    return tuple(part for part in (Part("gone", was.strip()), Part("new", now.strip())) if part.words), 0


def _parts(old: Sequence[str], new: Sequence[str], matcher: SequenceMatcher[str]) -> tuple[Part, ...]:
    found: list[Part] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            found.append(Part("same", "".join(new[c:d]).strip()))
            continue
        found += [Part("gone", "".join(old[a:b]).strip())] if b > a else []
        found += [Part("new", "".join(new[c:d]).strip())] if d > c else []
    return tuple(part for part in found if part.words)


def backdated(occurrence: Occurrence, statements: Sequence[Said]) -> tuple[Backdating, ...]:
    """Where a start was set earlier than the words before it: by the first post, or by a later statement.

    What a later statement moved is said once, as moved: that it then lies before the first post as well follows.
    """
    if occurrence.kind not in ("provider_incident", "hazard"):
        return ()
    ordered = _in_order(statements)
    found: list[Backdating] = []
    was: datetime | None = None
    for said in ordered:
        now = said.event.starts_at
        if now and was and now < was:
            found.append(Backdating("moved", said.said_at, now, was, said))
        was = now or was
    first = min((post.at for said in ordered for post in said.event.posts), default=None)
    if first and _claims_start(occurrence) and first - occurrence.starts_at > BACK:
        told = next((said for said in ordered if said.event.starts_at == occurrence.starts_at), ordered[0])
        if all(one.said is not told for one in found):
            found.append(Backdating("claimed", max(first, told.said_at), occurrence.starts_at, first, told))
    return tuple(found)


def _claims_start(occurrence: Occurrence) -> bool:
    planned = occurrence.event == "Scheduled maintenance"
    return occurrence.kind == "provider_incident" and occurrence.start_said and not planned


def sentence(one: Backdating) -> str:
    """What a back-dating is, in words; clocks are in UTC."""
    length = instants.length(one.by.total_seconds())
    if one.kind == "claimed":
        return f"Back-dated: the claimed start, {_clock(one.start, one.before)} UTC, lies {length} before the first post, {_clock(one.before, one.before)} UTC."  # noqa: E501 - one sentence
    return f"Back-dated: the start was moved {length} earlier, from {_clock(one.before, one.before)} to {_clock(one.start, one.before)} UTC."  # noqa: E501 - one sentence


def _clock(at: datetime, beside: datetime) -> str:
    return f"{at:%H:%M}" if at.date() == beside.date() else f"{at.day} {at:%B} {at:%H:%M}"
