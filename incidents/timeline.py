"""The timeline: an incident's entries merged with what was said of its occurrences, as things happened. Pure.

A query, never a table: given entries and statements as known at a moment, the lines, bars, marks and phases follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from incidents import fold, incident_fold, revisions, spoken_times
from incidents.instants import length
from incidents.lanes import lane_of, service_of
from incidents.model import Entry, Incident, Lane, Link, Moment, Occurrence, Post, Said, Severity
from incidents.sums import ALERTS_DROPPED, Group, Sums
from incidents.views.view import Bar, Line, Mark, Phase, Trace

RECOVERED_BY = "prometheus_recovered@"
"""How the adapter is named that reads what never arrived and was asked for afterwards."""
LATE = timedelta(minutes=10)
"""Known this long after it happened, a line is marked as a late arrival."""

CLOCKS_APART = timedelta(minutes=5)
"""By how much a monitor's clock may be ahead of ours unremarked: what it tells of has happened already."""

Sentence = Callable[[str, Mapping[str, Any]], str]
"""Writes an entry's sentence from its kind and params."""


@dataclass(frozen=True)
class Known:
    """An occurrence as known at a moment, with the statements that it was folded from, in the order said."""

    occurrence: Occurrence
    statements: tuple[Said, ...]
    traces: Mapping[int, Trace]
    """By event id."""

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """As `occurrence_lines`, written once: an occurrence is kept for the next who looks at its incident."""
        return tuple(occurrence_lines(self))


def known(statements: Iterable[Said], traces: Mapping[int, Trace], as_of: datetime) -> list[Known]:
    """Fold what had been recorded of one subject by `as_of` into its occurrences, the earliest first."""
    by_then = [s for s in statements if s.recorded_at <= as_of]
    return [Known(run.occurrence, run.statements, traces) for run in fold.runs(by_then)]


def bar(seen: Occurrence, link: Link | None, *, alert: bool) -> Bar:
    """The occurrence as drawn."""
    assert seen.recorded_at is not None
    return Bar(
        occurrence=seen,
        lane=lane_of(seen),
        service=service_of(seen),
        relation="alert" if alert else "linked" if link and link.state != "rejected" else "context",
        late=seen.recorded_at - _latest_start(seen) > LATE,
        link=link,
    )


def _latest_start(seen: Occurrence) -> datetime:
    return seen.starts_until or seen.starts_at


def lines(entries: Iterable[Entry], items: Iterable[Known], sentence: Sentence) -> list[Line]:
    """All lines, ascending by (happened_at, recorded_at, id)."""
    drawn = [line for item in items for line in item.lines]
    drawn += entry_lines(list(entries), sentence)
    return sorted(drawn, key=place)


def place(line: Line) -> tuple[datetime, datetime, int, str]:
    """Where a line stands: by what happened, then by when it was known, then by id, e9 before e10."""
    return line.happened_at, line.recorded_at, len(line.id), line.id


def occurrence_lines(item: Known) -> list[Line]:
    """What was said of one occurrence: its start, changes of severity, posts, its end."""
    seen = item.occurrence
    lane = lane_of(seen)
    if not item.statements:
        return _outline_lines(seen, lane)
    first = item.statements[0]
    assert seen.recorded_at is not None
    starts = [s.event.starts_at for s in item.statements if s.event.starts_at]
    found = [
        Line(
            id=f"o{seen.id}",
            happened_at=seen.starts_at,
            happened_until=seen.starts_until,
            recorded_at=seen.recorded_at,
            lane=lane,
            kind=seen.kind,
            text=f"{seen.title}{_ahead(seen, seen.starts_at, seen.recorded_at)}"
            f"{_recovered(min(item.statements, key=lambda s: s.recorded_at))}",
            actor=f"source:{seen.source}",
            severity=seen.severity,
            trace=item.traces.get(first.id, Trace(event=first.id)),
            corrected=len(set(starts)) > 1,
            late=seen.recorded_at - _latest_start(seen) > LATE,
        )
    ]
    found += _severity_lines(item, lane)
    found += _post_lines(item, lane)
    found += _backdated_lines(item, lane)
    found += _end_line(item, lane)
    return found


def _outline_lines(seen: Occurrence, lane: Lane) -> list[Line]:
    """Start and end of an occurrence whose statements were dropped for their age."""
    assert seen.recorded_at is not None
    began = Line(
        id=f"o{seen.id}",
        happened_at=seen.starts_at,
        happened_until=seen.starts_until,
        recorded_at=seen.recorded_at,
        lane=lane,
        kind=seen.kind,
        text=seen.title,
        actor=f"source:{seen.source}",
        severity=seen.severity,
        trace=Trace(),
        late=seen.recorded_at - _latest_start(seen) > LATE,
    )
    if seen.ends_at is None or seen.ends_expected or seen.ends_at == seen.starts_at:
        return [began]
    told = f"{seen.title}: ended{' (end assumed)' if seen.ends_assumed else ''}"
    ended = replace(
        began,
        id=f"o{seen.id}.{seen.kind}_ended",
        happened_at=seen.ends_at,
        happened_until=None,
        kind=f"{seen.kind}_ended",
        text=told,
        late=False,
    )
    return [began, ended]


def sum_lines(kept: Sums) -> list[Line]:
    """A counted line for each group of alerts of which only sums are kept."""
    assert kept.known_at is not None or not kept.groups
    return [
        Line(
            id=f"s{kept.entry}.{nth}",
            happened_at=group.first_at,
            happened_until=group.last_at if group.last_at > group.first_at else None,
            recorded_at=kept.known_at or group.last_at,
            lane=group.lane,
            kind="alert",
            text=_summed(group),
            actor=f"source:{group.source}" if group.source else "source:several",
            severity=group.severity,
            trace=Trace(entry=kept.entry),
            count=group.count,
        )
        for nth, group in enumerate(kept.groups)
    ]


def _summed(group: Group) -> str:
    service = f" of {group.service}" if group.service else ""
    many = f"{group.count:,} alerts" if group.count > 1 else "1 alert"
    return f"{many}{service}, {group.severity}; the detail was dropped, sums kept"


def _severity_lines(item: Known, lane: Any) -> Iterable[Line]:  # noqa: ANN401  # Lane
    was = item.statements[0].event.severity
    for said in item.statements[1:]:
        now = said.event.severity
        if now not in (was, Severity.UNKNOWN):
            if was is not Severity.UNKNOWN:
                yield _said_line(
                    item,
                    said,
                    said.said_at,
                    lane=lane,
                    kind=f"{item.occurrence.kind}_changed",
                    text=f"{item.occurrence.title}: {was} → {now}",
                    severity=now,
                )
            was = now


def _post_lines(item: Known, lane: Any) -> Iterable[Line]:  # noqa: ANN401  # Lane
    seen_posts = set()
    for said in item.statements:
        for post in said.event.posts:
            if post not in seen_posts:
                seen_posts.add(post)
                yield _said_line(
                    item,
                    said,
                    post.at,
                    lane=lane,
                    kind="post",
                    text=f"{item.occurrence.title}{_in_utc(post, item.occurrence)}: {_quoted(post.text)}",
                    severity=item.occurrence.severity,
                )


def _in_utc(post: Post, seen: Occurrence) -> str:
    """The times that a provider's post names in another zone, as instants; before the text, which may be cut."""
    if seen.kind != "provider_incident":
        return ""
    told = spoken_times.told(spoken_times.times_of(post, seen), post.at)
    return f" ({told})" if told else ""


def _backdated_lines(item: Known, lane: Any) -> Iterable[Line]:  # noqa: ANN401  # Lane
    for nth, one in enumerate(revisions.backdated(item.occurrence, item.statements)):
        line = _said_line(
            item,
            one.said,
            one.at,
            lane=lane,
            kind="start_backdated",
            text=f"{item.occurrence.title}: {revisions.sentence(one)}",
            severity=item.occurrence.severity,
        )
        yield replace(line, id=f"{line.id}.{nth}")


def _quoted(text: str) -> str:
    """A provider's words as a quotation, unless they hold one already."""
    return text if "“" in text else f"“{text}”"


def _end_line(item: Known, lane: Any) -> Iterable[Line]:  # noqa: ANN401  # Lane
    seen = item.occurrence
    at_one_moment = seen.kind == "change" and seen.ends_at == seen.starts_at
    if seen.ends_at is None or seen.ends_expected or at_one_moment:
        return
    told = next(s for s in item.statements if s.event.ends_at == seen.ends_at)
    earlier = {s.event.ends_at for s in item.statements if s.event.ends_at} - {seen.ends_at}
    yield _said_line(
        item,
        told,
        seen.ends_at,
        lane=lane,
        kind=f"{seen.kind}_ended",
        text=f"{seen.title}: ended{_assumed(seen, told)}{_ahead(seen, seen.ends_at, told.recorded_at)}"
        f"{_recovered(told)}",
        severity=seen.severity,
        corrected=bool(earlier),
    )


def _recovered(said: Said) -> str:
    """That the monitor did not deliver it: it was fetched afterwards."""
    return " (recovered)" if said.adapter.startswith(RECOVERED_BY) else ""


def _assumed(seen: Occurrence, told: Said) -> str:
    """What is not known of an end: nothing, or that it was said without a time, or that nobody said it."""
    if not seen.ends_assumed:
        return ""
    return " (time of receipt)" if seen.ends_at in (told.said_at, told.recorded_at) else " (end assumed)"


def _ahead(seen: Occurrence, at: datetime, recorded_at: datetime) -> str:
    """What a monitor's time is worth that lies ahead of when it was heard: only what its own clock says."""
    if seen.kind != "alert" or at - recorded_at <= CLOCKS_APART:
        return ""
    return f" (by its sender’s clock, {length((at - recorded_at).total_seconds())} after we were told)"


def _said_line(item: Known, said: Said, at: datetime, **fields: Any) -> Line:  # noqa: ANN401  # fields of Line
    nth = item.statements.index(said)
    return Line(
        id=f"o{item.occurrence.id}.{fields['kind']}.{nth}.{int(at.timestamp())}",
        happened_at=at,
        happened_until=None,
        recorded_at=said.recorded_at,
        actor=f"source:{said.source}",
        trace=item.traces.get(said.id, Trace(event=said.id)),
        late=said.recorded_at - at > LATE,
        **fields,
    )


def entry_lines(entries: Sequence[Entry], sentence: Sentence) -> list[Line]:
    """A line for each entry that was not withdrawn; a corrected one shows its newest words and says so."""
    standing = incident_fold.standing(entries)
    found = []
    # One run of retention may write several: the last of them stands for all.
    dropped = [entry for entry in entries if entry.kind == ALERTS_DROPPED]
    told_before = {entry.id for entry in dropped[:-1]}
    for entry in entries:
        now = standing.get(entry.id)
        if now is None or entry.kind == "link_scored" or entry.id in told_before:
            continue
        if entry.kind == ALERTS_DROPPED:
            now = replace(now, params={"days": now.params["days"], "alerts": sum(e.params["alerts"] for e in dropped)})
        found.append(
            Line(
                id=f"e{entry.id}",
                happened_at=now.happened_at,
                happened_until=now.happened_until,
                recorded_at=entry.recorded_at,
                lane="people",
                kind=entry.kind,
                text=sentence(entry.kind, now.params),
                actor=entry.actor,
                severity=Severity.UNKNOWN,
                trace=Trace(entry=entry.id, params=now.params),
                corrected=now is not entry and entry.kind != ALERTS_DROPPED,
                late=entry.kind in ("note", "status_changed") and entry.recorded_at - now.happened_at > LATE,
                pinned=bool(now.params.get("pinned")),
            )
        )
    return found


SHOWN_MARKS = {"note", "status_changed", "opened", "link_judged", "merged", "split"}
"""The kinds of entry that the people lane draws; bookkeeping of rules stays in the list of lines."""


def marks(entry_lines_: Iterable[Line]) -> tuple[Mark, ...]:
    """The people lane's marks from the entries' lines."""
    return tuple(
        Mark(
            line.id,
            line.happened_at,
            line.happened_until,
            line.recorded_at,
            f"{_who(line.actor)}: {line.text}" if line.actor.startswith("user:") else line.text,
            line.late,
            line.pinned,
        )
        for line in entry_lines_
        if line.kind in SHOWN_MARKS and (line.actor.startswith("user:") or line.kind != "note")
    )


def _who(actor: str) -> str:
    return actor.partition(":")[2] or actor


def window(incident: Incident, items: Iterable[Known], now: datetime) -> tuple[datetime, datetime]:
    """What a figure shows when nobody asked for a range: the incident with a tenth of its length on either side.

    Where its alerts are too many to be given one by one, or were dropped for their age, their sums stand for them.
    """
    since = min([incident.opened_at, *(m.at for m in (incident.impact_started_at,) if m)])
    ends = [m.until or m.at for m in (incident.mitigated_at, incident.resolved_at) if m]
    alerts = [item.occurrence for item in items if item.occurrence.kind == "alert"]
    since = min([since, *(a.starts_at for a in alerts)])
    ends += [a.ends_at or now for a in alerts]
    if incident.members.alerts:
        sums = incident.members
        since = min(since, sums.first_starts_at or since)
        ends += [end for end in (sums.last_ends_at, now if sums.on else None) if end]
    if incident.impact_started_at and incident.impact_started_at.until:
        ends.append(incident.impact_started_at.until)
    until = max(ends) if ends and incident.status in ("mitigated", "resolved") else max([now, *ends])
    until = max(until, since + timedelta(minutes=30))
    margin = max((until - since) / 10, timedelta(minutes=10))
    return since - margin * 2, min(until + margin, max(now, until)) if incident.status != "resolved" else until + margin


def phases(incident: Incident, since: datetime, until: datetime, now: datetime | None = None) -> tuple[Phase, ...]:
    """The phase strip over [since, until]: before, impact, mitigated, resolved, each cut to the window.

    What is still going on lasts up to `now`, which may lie beyond the window.
    """
    impact = incident.impact_started_at or incident.detected_at or Moment(incident.opened_at)
    steps = [("before", Moment(since)), ("impact", impact)]
    if incident.mitigated_at:
        steps.append(("mitigated", incident.mitigated_at))
    if incident.resolved_at:
        steps.append(("resolved", incident.resolved_at))
    found = []
    for n, (name, start) in enumerate(steps):
        last = n == len(steps) - 1
        end = Moment(until) if last else steps[n + 1][1]
        left, right = max(start.at, since), min(end.at, until)
        if left < right:
            whole, most = _lasting(start, Moment(max(now or until, until)) if last else end)
            vague = min(start.until, until) if start.until and start.until > left else None
            found.append(Phase(name, left, right, last and name != "resolved", whole, most, vague))  # type: ignore[arg-type]  # the four names above
    return tuple(found)


def _lasting(start: Moment, end: Moment) -> tuple[timedelta, timedelta | None]:
    """The least and the most between two moments; the most is None where both are instants."""
    least = max(end.at - (start.until or start.at), timedelta())
    is_range = start.until is not None or end.until is not None
    return least, max((end.until or end.at) - start.at, least) if is_range else None
