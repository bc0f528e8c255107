"""What became of entries: how one was worded before, what was withdrawn, and what an act consisted of. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incidents import incident_fold
from incidents.model import Entry

OFFERED = timedelta(minutes=10)
"""For how long a page offers to undo what its reader did last; an entry can be withdrawn at any time."""
WITHDRAWABLE = ("note", "status_changed", "field_changed", "link_judged", "correction", "retraction")
"""The kinds that a retraction undoes; the others moved something."""
MOVES = (
    "alerts_joined", "alerts_left", "merged", "merged_from", "unmerged", "split", "link_proposed", "privacy_changed",
)  # fmt: skip
"""The kinds that are undone by moving back what they moved, or by letting in again who was let in."""
INSTEAD = {
    "opened": "resolve the incident instead",
    "alerts_joined": "detach the alerts instead",
    "alerts_left": "attach the alerts again instead",
    "link_proposed": "reject the link instead",
    "link_scored": "reject the link instead",
    "merged": "take the incidents apart again (unmerge) instead",
    "merged_from": "take the incidents apart again (unmerge) instead",
    "unmerged": "merge the incidents again instead",
    "split": "merge the incidents again instead",
    "postmortem_state_changed": "change the state of the postmortem instead",
    "privacy_changed": "change who may see the incident instead",
}
"""What undoes an entry that moved something, by its kind: withdrawing it would leave what it moved where it is."""


@dataclass(frozen=True, slots=True)
class Wording:
    """An entry as one correction left it; the first one is the entry itself."""

    entry: int
    text: str
    happened_at: datetime
    happened_until: datetime | None
    pinned: bool
    actor: str
    recorded_at: datetime
    is_withdrawn: bool = False
    """Its correction was taken back, so it no longer holds."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """An entry that does not hold, and the retraction that says so."""

    entry: Entry
    retraction: Entry


@dataclass(frozen=True, slots=True)
class Amendments:
    """What a page knows of an incident's entries beside its lines."""

    wordings: Mapping[int, Sequence[Wording]] = field(default_factory=dict)
    """Of each entry that was corrected, the oldest first."""
    withdrawn: Sequence[Withdrawal] = ()
    """The latest withdrawal first."""
    responders: Sequence[str] = ()
    """The people who acted, in the order in which they came."""
    last_act: Sequence[Entry] = ()
    """What the reader did last, where that can be undone: the entries of one act."""


def withdrawals(log: Iterable[Entry]) -> dict[int, Entry]:
    """The entries that do not hold, each with its retraction; one that was withdrawn itself counts for nothing."""
    found: dict[int, Entry] = {}
    for entry in sorted(log, key=lambda e: e.id, reverse=True):
        if entry.kind == "retraction" and entry.supersedes is not None and entry.id not in found:
            found.setdefault(entry.supersedes, entry)
    return found


def wordings(log: Sequence[Entry]) -> dict[int, tuple[Wording, ...]]:
    """Of each entry that was ever corrected every wording, the oldest first."""
    gone = withdrawals(log)
    entries = {entry.id: entry for entry in log}
    corrections: dict[int, list[Entry]] = defaultdict(list)
    for entry in sorted(log, key=lambda e: e.id):
        if entry.kind == "correction" and entry.supersedes in entries:
            corrections[entry.supersedes].append(entry)
    found = {}
    for number, later in corrections.items():
        held = entries[number]
        versions = [_wording(held, held, is_withdrawn=False)]
        for one in later:
            after = incident_fold.corrected(held, one)
            versions.append(_wording(after, one, is_withdrawn=one.id in gone))
            held = held if one.id in gone else after
        found[number] = tuple(versions)
    return found


def _wording(entry: Entry, by: Entry, *, is_withdrawn: bool) -> Wording:
    params = entry.params
    return Wording(
        entry=by.id,
        text=str(params.get("text") or params.get("note") or params.get("title") or ""),
        happened_at=entry.happened_at,
        happened_until=entry.happened_until,
        pinned=bool(params.get("pinned")),
        actor=by.actor,
        recorded_at=by.recorded_at,
        is_withdrawn=is_withdrawn,
    )


def withdrawn(log: Sequence[Entry]) -> tuple[Withdrawal, ...]:
    """What does not hold, the latest withdrawal first.

    A retraction taken back is told by the entry that is back, a correction among the wordings of its entry.
    """
    entries = {entry.id: entry for entry in log}
    pairs = [
        Withdrawal(entries[number], by)
        for number, by in withdrawals(log).items()
        if number in entries and entries[number].kind not in ("retraction", "correction")
    ]
    return tuple(sorted(pairs, key=lambda pair: pair.retraction.id, reverse=True))


def responders(log: Iterable[Entry]) -> tuple[str, ...]:
    """The people who acted on an incident, in the order in which they came."""
    return tuple(dict.fromkeys(e.actor for e in log if e.actor.startswith("user:")))


def act_of(log: Iterable[Entry], one: Entry) -> tuple[Entry, ...]:
    """All that was recorded in the same act as an entry, in the order of the log."""
    return tuple(e for e in log if e.actor == one.actor and e.recorded_at == one.recorded_at)


def last_act(log: Sequence[Entry], actor: str, now: datetime) -> tuple[Entry, ...]:
    """What somebody did last, where it was a moment ago, still holds and can be undone."""
    mine = [e for e in sorted(log, key=lambda e: e.id) if e.actor == actor and now - e.recorded_at <= OFFERED]
    if not mine:
        return ()
    gone = withdrawals(log)
    act = act_of(log, mine[-1])
    undoable = [e for e in act if e.kind in (*WITHDRAWABLE, *MOVES) and e.id not in gone]
    is_opening = any(e.kind == "opened" and "split_from" not in e.params for e in act)
    return tuple(undoable) if undoable and not is_opening else ()
