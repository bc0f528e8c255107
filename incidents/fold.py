"""The fold of occurrences: from the set of the statements of one subject. Pure.

Order and repeats of the input do not matter; `extend` gives what `occurrences` gives over the whole set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from incidents import instants
from incidents.model import (
    Occurrence,
    Post,
    Said,
    Severity,
)


def subject_id(source: str, key: str) -> str:
    """The id of what a source's key names: 32 hex digits, the same after every rebuild.

    Its statements are recorded under it, and the occurrence that was heard of first has this id.
    """
    return hashlib.sha256(f"{source}\0{key}".encode()).hexdigest()[:32]


def subject_of(occurrence: str) -> str:
    """The subject that an occurrence's id belongs to: the id itself but for what the others have behind it."""
    return occurrence[:32]


def _own_id(subject: str, opening: Said) -> str:
    """The id of an occurrence that was not heard of first, by the statement that it opens with."""
    return f"{subject}-{opening.digest[:12]}"


def _place(said: Said) -> tuple[datetime, str]:
    """Where a statement stands among those of its subject; the digest parts what was said at one instant."""
    return said.said_at, said.digest


@dataclass(frozen=True, slots=True)
class Run:
    """One occurrence of a subject with the statements that it was folded from, in the order said."""

    occurrence: Occurrence
    statements: tuple[Said, ...]


def runs(statements: Iterable[Said]) -> list[Run]:
    """Fold the statements of one subject into its occurrences, the earliest first.

    What was said last holds, field by field. An end said by a `final` statement is terminal: a retried "firing" that
    is read later does not reopen it. Where the key does not hold the start, as with most checks of uptime, a
    statement of what began after the end opens the next occurrence.
    """
    ordered = sorted(
        {s.digest: s for s in sorted(statements, key=lambda s: s.recorded_at, reverse=True)}.values(), key=_place
    )
    found: list[tuple[Occurrence, list[Said]]] = []
    for said in ordered:
        if not found or _opens(found[-1][0], said):
            if found:
                found[-1] = replace(found[-1][0], followed=True), found[-1][1]
            found.append((_first(said), [said]))
        else:
            found[-1][1].append(said)
            found[-1] = _next(found[-1][0], said), found[-1][1]
    # Whatever comes late, the one that was heard of first keeps its id: links and verdicts go on to name it.
    first = min(range(len(found)), key=lambda n: min((s.recorded_at, _place(s)) for s in found[n][1]), default=0)
    if any(said.after_drop for said in ordered):
        first = -1  # that id is the dropped one's: entries name it still, and decisions about it have been taken
    return [
        Run(folded if n == first else _own(folded, heard[0]), tuple(heard)) for n, (folded, heard) in enumerate(found)
    ]


def occurrences(statements: Iterable[Said]) -> list[Occurrence]:
    """The occurrences of one subject, the earliest first."""
    said = list(statements)
    # Most alerts are new: nothing to put in order.
    is_new = len(said) == 1 and not said[0].after_drop
    return [_first(said[0])] if is_new else [run.occurrence for run in runs(said)]


def occurrence(statements: Iterable[Said]) -> Occurrence:
    """The latest occurrence of one subject, from a non-empty set of its statements."""
    return occurrences(statements)[-1]


def extend(cached: Occurrence, statements: Sequence[Said]) -> list[Occurrence] | None:
    """Fold new statements onto a subject's latest occurrence: what it is now, and those that follow it.

    None when one of them speaks from before the cache's last, or was heard before it, which asks the caller to fold the
    subject's whole set: the only cases in which order would matter.
    """
    assert cached.said_at is not None
    assert cached.recorded_at is not None
    ordered = sorted({s.digest: s for s in statements}.values(), key=_place)
    if ordered and _place(ordered[0]) <= (cached.said_at, cached.digest):
        return None
    if any(said.recorded_at < cached.recorded_at for said in ordered):
        return None
    found = [cached]
    for said in ordered:
        if _opens(found[-1], said):
            found[-1] = replace(found[-1], followed=True)
            found.append(_own(_first(said), said))
        else:
            found[-1] = _next(found[-1], said)
    return found


def _opens(was: Occurrence, said: Said) -> bool:
    """Whether a statement is of a new occurrence: what it speaks of began once the last one was over."""
    event = said.event
    if was.ends_at is None or was.ends_expected or was.final or event.final:
        return False
    is_over = event.ends_at is not None and event.ends_at <= said.said_at and not event.ends_expected
    began = event.starts_at or (None if is_over else said.said_at)
    return began is not None and began >= was.ends_at and began > was.starts_at


def _own(folded: Occurrence, opening: Said) -> Occurrence:
    """The occurrence, folded under its subject's id and its source's own key, under an id and a key of its own."""
    began = instants.text(_first(opening).starts_at)
    return replace(folded, id=_own_id(folded.subject, opening), key=f"{opening.event.key}@{began}")


def _first(said: Said) -> Occurrence:
    event = said.event
    subject = subject_id(said.source, event.key)
    return Occurrence(
        id=subject,
        subject=subject,
        source=said.source,
        key=event.key,
        kind=event.kind,
        title=event.title,
        severity=event.severity,
        starts_at=event.starts_at or min(said.said_at, event.ends_at or said.said_at),
        starts_until=event.starts_until,
        ends_at=event.ends_at,
        ends_expected=event.ends_expected,
        ends_assumed=event.ends_assumed,
        final=event.final and event.ends_at is not None,
        test=event.test,
        labels=event.labels,
        url=event.url,
        text=event.text,
        group=event.group,
        event=event.event,
        area=event.area,
        posts=tuple(sorted(set(event.posts), key=_post_order)),
        start_said=event.starts_at is not None,
        said_at=said.said_at,
        digest=said.digest,
        first_said_at=said.said_at,
        recorded_at=said.recorded_at,
        statements=1,
    )


def _post_order(post: Post) -> tuple[datetime, str]:
    return post.at, post.text


def _next(was: Occurrence, said: Said) -> Occurrence:
    """One step of the fold; `said` is later than everything folded so far."""
    event = said.event
    ended = event.final and event.ends_at is not None
    # A bare "resolved" that is said again assumes the end anew: the first one stands. A time-out does move.
    said_over = event.ends_assumed and event.ends_at is not None and event.ends_at <= said.said_at
    keeps_end = (was.final and not ended) or (said_over and was.ends_at is not None)
    starts_at, starts_until = was.starts_at, was.starts_until
    if event.starts_at is not None:
        starts_at, starts_until = event.starts_at, event.starts_until
    elif not was.start_said and event.ends_at is not None:
        starts_at = min(starts_at, event.ends_at)
    assert was.recorded_at is not None
    return replace(
        was,
        kind=event.kind,
        title=event.title or was.title,
        severity=was.severity if event.severity is Severity.UNKNOWN else event.severity,
        starts_at=starts_at,
        starts_until=starts_until,
        ends_at=was.ends_at if keeps_end else event.ends_at,
        ends_expected=was.ends_expected if keeps_end else event.ends_expected,
        ends_assumed=was.ends_assumed if keeps_end else event.ends_assumed,
        final=was.final or ended,
        test=was.test and event.test,
        labels=event.labels or was.labels,
        url=event.url or was.url,
        text=event.text or was.text,
        group=event.group or was.group,
        event=event.event or was.event,
        area=event.area or was.area,
        posts=tuple(sorted({*was.posts, *event.posts}, key=_post_order)) if event.posts else was.posts,
        start_said=was.start_said or event.starts_at is not None,
        said_at=said.said_at,
        digest=said.digest,
        recorded_at=min(was.recorded_at, said.recorded_at),
        statements=was.statements + 1,
    )
