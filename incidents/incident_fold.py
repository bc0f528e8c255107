"""The fold of an incident: from its entries and the sums over its members. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
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
    Reason,
    Severity,
)

STATUSES = ("open", "acknowledged", "mitigated", "resolved")
MILESTONES = ("impact_started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at")


def members(alerts: Iterable[Occurrence]) -> Members:
    """The sums over an incident's alerts, from all of them."""
    return _count_in(Members(), list(alerts))


def _count_in(sums: Members, alerts: Sequence[Occurrence]) -> Members:
    if not alerts:
        return sums
    starts = [alert.starts_at for alert in alerts]
    ends = [alert.ends_at for alert in alerts if alert.ends_at is not None]
    return Members(
        alerts=sums.alerts + len(alerts),
        on=sums.on + len(alerts) - len(ends),
        first_starts_at=min([*starts, sums.first_starts_at] if sums.first_starts_at else starts),
        last_ends_at=max([*ends, sums.last_ends_at] if sums.last_ends_at else ends, default=None),
        gravest=max(sums.gravest, *{alert.severity for alert in alerts}, key=lambda s: s.rank),
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
        sums = _count_in(replace(sums, alerts=sums.alerts - 1, on=sums.on - (was.ends_at is None)), [now])
    return _count_in(sums, list(joined))


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
            live[entry.supersedes] = corrected(live[entry.supersedes], entry)
    return live


def corrected(was: Entry, correction: Entry) -> Entry:
    """An entry with the words and the time that a correction gives it; what it does not name stays."""
    at = correction if "happened_at" in correction.params else was
    return replace(
        was,
        params={**was.params, **correction.params},
        happened_at=at.happened_at,
        happened_until=at.happened_until,
    )


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
        responders=tuple(fields.get("responders", ())),
        members=sums,
        links=links(live),
        merged_into=str(merges[-1].params["into"]) if merges and merges[-1].kind == "merged" else None,
        seen_by=_seen_by(live),
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


def _seen_by(live: Sequence[Entry]) -> tuple[str, ...] | None:
    """Who may see a private incident; None where it is not private."""
    last = next((entry for entry in reversed(live) if entry.kind == "privacy_changed"), None)
    return tuple(last.params.get("seen_by", ())) if last and last.params.get("private") else None


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
