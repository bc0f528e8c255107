"""Folds: occurrences from the set of their statements, an incident from its entries and members. Pure.

Order and repeats of the input do not matter; `extend` gives what `occurrences` gives over the whole set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from incidents import instants
from incidents.model import (
    BaseRate,
    Entry,
    Evidence,
    Incident,
    Link,
    Members,
    Moment,
    Occurrence,
    Post,
    Reason,
    Said,
    Severity,
)

STATUSES = ("open", "acknowledged", "mitigated", "resolved")
MILESTONES = ("impact_started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at")


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
            found.append((_own(said), [said]))
        else:
            found[-1][1].append(said)
            found[-1] = _next(found[-1][0], said), found[-1][1]
    # Whatever comes late, the one that was heard of first keeps its id: links and verdicts go on to name it.
    first = min(range(len(found)), key=lambda n: min((s.recorded_at, _place(s)) for s in found[n][1]), default=0)
    return [
        Run(_bare(folded, heard[0]) if n == first else folded, tuple(heard)) for n, (folded, heard) in enumerate(found)
    ]


def occurrences(statements: Iterable[Said]) -> list[Occurrence]:
    """The occurrences of one subject, the earliest first."""
    return [run.occurrence for run in runs(statements)]


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
            found.append(_own(said))
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


def _own(said: Said) -> Occurrence:
    """An occurrence that opens with this statement, under an id and a key of its own."""
    first = _first(said)
    return replace(first, id=_own_id(first.subject, said), key=f"{first.key}@{instants.text(first.starts_at)}")


def _bare(folded: Occurrence, opening: Said) -> Occurrence:
    """The occurrence under its subject's id and its source's own key."""
    return replace(folded, id=folded.subject, key=opening.event.key)


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


def members(alerts: Iterable[Occurrence]) -> Members:
    """The sums over an incident's alerts, from all of them."""
    total = Members()
    for alert in alerts:
        total = _count_in(total, alert)
    return total


def _count_in(sums: Members, alert: Occurrence) -> Members:
    ends = alert.ends_at
    return Members(
        alerts=sums.alerts + 1,
        on=sums.on + (ends is None),
        first_starts_at=alert.starts_at if sums.first_starts_at is None else min(sums.first_starts_at, alert.starts_at),
        last_ends_at=ends if sums.last_ends_at is None else max(sums.last_ends_at, ends or sums.last_ends_at),
        gravest=max(sums.gravest, alert.severity, key=lambda s: s.rank),
    )


def move_members(
    sums: Members, joined: Iterable[Occurrence], moved: Iterable[tuple[Occurrence, Occurrence]]
) -> Members | None:
    """Add alerts that joined and apply (was, now) of those that changed; None when only a recount can tell.

    A recount is due when the alert that held a least or a greatest gives it up.
    """
    for was, now in moved:
        gives_up = (
            (was.starts_at == sums.first_starts_at and now.starts_at > was.starts_at)
            or (
                was.ends_at is not None
                and was.ends_at == sums.last_ends_at
                and (now.ends_at is None or now.ends_at < was.ends_at)
            )
            or (was.severity is sums.gravest and now.severity.rank < was.severity.rank)
        )
        if gives_up:
            return None
        sums = _count_in(replace(sums, alerts=sums.alerts - 1, on=sums.on - (was.ends_at is None)), now)
    for alert in joined:
        sums = _count_in(sums, alert)
    return sums


def standing(entries: Iterable[Entry]) -> dict[int, Entry]:
    """The entries that hold, by id, in the order of the log: without those withdrawn, corrected ones as corrected.

    Corrections add up (one of the words, one of the time); a withdrawn correction or retraction has no effect.
    """
    ordered = sorted(entries, key=lambda e: e.id)
    withdrawn: set[int | None] = set()
    for entry in reversed(ordered):
        if entry.kind == "retraction" and entry.id not in withdrawn:
            withdrawn.add(entry.supersedes)
    live = {e.id: e for e in ordered if e.id not in withdrawn and e.kind not in ("retraction", "correction")}
    for entry in ordered:
        if entry.kind == "correction" and entry.id not in withdrawn and entry.supersedes in live:
            was = live[entry.supersedes]
            at = entry if "happened_at" in entry.params else was
            live[entry.supersedes] = replace(
                was,
                params={**was.params, **entry.params},
                happened_at=at.happened_at,
                happened_until=at.happened_until,
            )
    return live


def _statuses(live: Iterable[Entry]) -> list[Entry]:
    """Changes of status in the order in which they happened.

    A person who says afterwards that a stage had been reached earlier overrules what rules derived below it since.
    """
    changes = sorted((e for e in live if e.kind == "status_changed"), key=lambda e: (e.happened_at, e.id))
    return [e for n, e in enumerate(changes) if not any(_overrules(p, e) for p in changes[:n])]


def _overrules(word: Entry, derived: Entry) -> bool:
    return (
        derived.actor.startswith("rule:")
        and not word.actor.startswith("rule:")
        and word.id > derived.id
        and STATUSES.index(word.params["status"]) > STATUSES.index(derived.params["status"])
    )


def is_status_of_rule(entries: Iterable[Entry]) -> bool:
    """Whether the present status was set by a rule, or by nobody."""
    statuses = _statuses(standing(entries).values())
    return not statuses or statuses[-1].actor.startswith("rule:")


def incident(entries: Iterable[Entry], sums: Members, *, version: int | None = None) -> Incident:
    """Fold an incident from its entries (`alerts_joined` may be left out: they only move the sums) and members.

    Statuses hold in the order in which they happened, so a late "acknowledged" does not undo "resolved";
    what a person set by hand holds over what a rule derived. Raises ValueError without an `opened` entry.
    """
    log = list(entries)
    live = list(standing(log).values())
    opened = next((e for e in live if e.kind == "opened"), None)
    if opened is None:
        raise ValueError("an incident has no opened entry")
    fields = _fields(live)
    statuses = _statuses(live)
    status = str(statuses[-1].params["status"]) if statuses else "open"
    title = fields.get("title", opened.params["title"])
    severity = (
        Severity(fields["severity"])
        if "severity" in fields
        else max(Severity(opened.params.get("severity", "unknown")), sums.gravest, key=lambda s: s.rank)
    )
    merges = [e for e in live if e.kind in ("merged", "unmerged")]
    return Incident(
        id=opened.incident,
        title=title,
        status=status,  # type: ignore[arg-type]  # only STATUSES are ever written
        severity=severity,
        group=str(opened.params.get("group", "")),
        sites=tuple(opened.params.get("sites", ())),
        opened_at=sums.first_starts_at
        if sums.first_starts_at and not opened.params.get("by_hand")
        else opened.happened_at,
        recorded_at=opened.recorded_at,
        opened_by=opened.actor,
        set_by_hand_at=statuses[-1].happened_at if statuses and statuses[-1].actor.startswith("user:") else None,
        impact_windows=tuple(_moment(w) for w in fields.get("impact_windows", ())),
        owner=fields.get("owner"),
        services=tuple(fields.get("services", ())),
        members=sums,
        links=links(live),
        merged_into=str(merges[-1].params["into"]) if merges and merges[-1].kind == "merged" else None,
        version=len(log) if version is None else version,
        **_milestones(opened, statuses, fields, status),
    )


def _fields(live: Sequence[Entry]) -> dict[str, Any]:
    """What was set by hand, field by field, the last entry holding."""
    set_by_hand: dict[str, Any] = {}
    for entry in live:
        if entry.kind == "opened":
            set_by_hand.update({name: entry.params[name] for name in MILESTONES if entry.params.get(name)})
        if entry.kind == "field_changed":
            set_by_hand[str(entry.params["field"])] = entry.params["now"]
    return set_by_hand


def _milestones(
    opened: Entry, statuses: Sequence[Entry], fields: dict[str, Any], status: str
) -> dict[str, Moment | None]:
    rank = STATUSES.index(status)
    reached: dict[str, Moment | None] = {
        "impact_started_at": None,
        "detected_at": None
        if opened.params.get("by_hand") and fields.get("impact_started_at")
        else Moment(opened.happened_at, opened.happened_until),
        "acknowledged_at": _first_moment(statuses, "acknowledged"),
        "mitigated_at": _last_moment(statuses, "mitigated") if rank >= STATUSES.index("mitigated") else None,
        "resolved_at": _last_moment(statuses, "resolved") if status == "resolved" else None,
    }
    for name in MILESTONES:
        if fields.get(name):
            reached[name] = _moment(fields[name])
    return reached


def _first_moment(statuses: Sequence[Entry], status: str) -> Moment | None:
    return next((Moment(e.happened_at, e.happened_until) for e in statuses if e.params["status"] == status), None)


def _last_moment(statuses: Sequence[Entry], status: str) -> Moment | None:
    """The start of the last unbroken run of this status: said twice, the first time is when it came about."""
    last = None
    was = ""
    for entry in statuses:
        now = str(entry.params["status"])
        if now == status and was != status:
            last = Moment(entry.happened_at, entry.happened_until)
        was = now
    return last


def _moment(value: Any) -> Moment:  # noqa: ANN401  # entry params: {"at", "until"} or an instant's text
    if isinstance(value, dict):
        at, until = instants.parse(value["at"]), instants.parse(value.get("until"))
    else:
        at, until = instants.parse(value), None
    assert at is not None
    return Moment(at, until)


def links(live: Iterable[Entry]) -> tuple[Link, ...]:
    """The links of an incident from its live entries: last evidence, last verdict, strongest first."""
    found: dict[str, Link] = {}
    for entry in live:
        params = entry.params
        if entry.kind in ("link_proposed", "link_scored"):
            evidence = evidence_of(params)
            was = found.get(str(params["occurrence"]))
            found[str(params["occurrence"])] = (
                replace(was, evidence=evidence)
                if was
                else Link(
                    id=str(params["occurrence"]),
                    evidence=evidence,
                    state="proposed",
                    proposed_by=entry.actor,
                    proposed_at=entry.recorded_at,
                )
            )
        elif entry.kind == "link_judged" and str(params["link"]) in found:
            found[str(params["link"])] = replace(
                found[str(params["link"])],
                state=params["verdict"],
                judged_by=entry.actor,
                judged_at=entry.recorded_at,
                note=params.get("note"),
                quote=params.get("quote"),
                speaker=params.get("speaker"),
            )
    return tuple(sorted(found.values(), key=lambda link: (-link.evidence.score, link.id)))


def evidence_params(evidence: Evidence) -> dict[str, Any]:
    """Evidence as entry params."""
    rate = evidence.base_rate
    return {
        "tier": evidence.tier,
        "score": evidence.score,
        "reasons": [{"part": r.part, "bits": r.bits, "sentence": r.sentence} for r in evidence.reasons],
        "base_rate": None
        if rate is None
        else {"share": rate.share, "n": rate.n, "basis": rate.basis, "sentence": rate.sentence},
        "would_change": evidence.would_change,
    }


def evidence_of(params: Any) -> Evidence:  # noqa: ANN401  # entry params
    """Evidence from entry params: the inverse of `evidence_params`."""
    rate = params.get("base_rate")
    return Evidence(
        tier=params["tier"],
        score=params["score"],
        reasons=tuple(Reason(**r) for r in params["reasons"]),
        base_rate=BaseRate(**rate) if rate else None,
        would_change=params.get("would_change", ""),
    )
