"""Gathers the view of one incident from the store: as known at a moment, within a window."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import counting, entries, incident_fold, measurements, remains, timeline
from incidents.cascade import Cascade, Found
from incidents.cascade import cascade as cascade_of
from incidents.config import Config
from incidents.configured import CONFIGURED
from incidents.entries import ENTRY, INCIDENT, MEMBER, OCCURRENCE
from incidents.feeds.coverage import coverage
from incidents.feeds.silence import gaps_at, silence_of, source_gaps
from incidents.geography.places import SiteMatcher
from incidents.lanes import lane_of, reading_lane
from incidents.model import Entry, Incident, Members, Occurrence, Severity, Site
from incidents.records import members_of
from incidents.sums import DROPPED, LINKED_DROPPED, Sums, added
from incidents.timeline import Known, Sentence
from incidents.views import cascades, crowd_window
from incidents.views.crowd_lines import runs, runs_now
from incidents.views.crowd_window import Crowd
from incidents.views.crowds import MARKS, density, with_kept
from incidents.views.kept import Kept
from incidents.views.known import read_known
from incidents.views.series import credits_of, grid_series, series
from incidents.views.view import Bar, Coverage, Density, Dropped, Gap, IncidentView, Line, Series

MANY = 1000
"""Above that a figure is drawn from the caches, and holds what its window shows alone."""

_RUNS: Kept[Sequence[Line]] = Kept(8)
_FIRST: Kept[Sequence[Occurrence]] = Kept(32)
"""What is derived from all of a crowd, by its incident and the mark of that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader asked to see: the moment of knowledge, the window (None: the incident's own), the zone."""

    now: datetime
    as_of: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    zone: str | None = None
    lines: bool = True
    """Whether the lines of a crowded incident's alerts are wanted; a figure does without them."""


def gather(
    connection: sa.Connection, config: Config, incident: str, asked: Asked, sentence: Sentence
) -> IncidentView | None:
    """The view of an incident, or None where there is none of this id, or was none at `as_of`."""
    row = connection.execute(sa.select(INCIDENT).where(INCIDENT.c.id == incident)).first()
    if row is None:
        return None
    as_of = asked.as_of or asked.now
    log = entries.everything(connection, incident, asked.as_of)
    if not any(e.kind == "opened" for e in log):
        return None
    return _Gathering(connection, config, asked, as_of, sentence).view(row, log)


class _Gathering:
    def __init__(
        self, connection: sa.Connection, config: Config, asked: Asked, as_of: datetime, sentence: Sentence
    ) -> None:
        self.connection, self.config, self.asked, self.as_of, self.sentence = connection, config, asked, as_of, sentence

    def view(self, row: Any, log: list[Entry]) -> IncidentView:  # noqa: ANN401  # a row of IncidentRow's columns
        everything = remains.sums_kept(self.connection, row.id)
        # Of those that were dropped it is not kept when each became known: at an earlier moment none is counted.
        kept = everything if (everything.known_at or self.as_of) <= self.as_of else Sums()
        here = row.alerts - everything.members.alerts
        crowded = here > MARKS
        quick = here > MANY and not self.asked.lines and self.asked.as_of is None
        alerts = [] if crowded or quick else self._known(self._members(row.id))
        incident = self._incident(row, log, alerts, kept, crowded=crowded)
        sites = tuple(site for name in incident.sites if (site := self.config.site(name)))
        shown_at = self._shown_at(incident, log)
        # A window that ends with the minute that has begun holds what was heard within it.
        now = shown_at if incident.status == "resolved" or self.asked.as_of else shown_at + timedelta(minutes=1)
        since, until = timeline.window(incident, alerts, now)
        since, until = self.asked.since or since, self.asked.until or until
        on_until = self._on_until(shown_at, until)
        crowd = self._crowd(row, since, until) if crowded or quick else None
        shown = crowd.shown if crowd else tuple(item.occurrence for item in alerts)
        links = {link.id: link for link in incident.links}
        context = self._known(sorted(links)) + self._known(self._changes(incident, since, until))
        bars = [timeline.bar(seen, None, alert=True) for seen in shown]
        bars += [timeline.bar(item.occurrence, links.get(item.occurrence.id), alert=False) for item in context]
        own = timeline.entry_lines(log, self.sentence)
        long = here * 2 - row.alerts_on > MARKS
        counted = self._runs(row, here) if (crowded or long) and self.asked.lines else ()
        lines = self._lines([*own, *counted], () if crowded or long or quick else alerts, context)
        lines = sorted((*lines, *timeline.sum_lines(kept)), key=timeline.place)
        counts = self._density(row.id, crowd, kept, shown, since, until)
        series = tuple(found for site in sites for found in self._series(site, since, until))
        heard = {bar.lane for bar in bars} | {reading_lane(s.variable) for s in series} | ({"people"} if own else set())
        heard |= {bin_.lane for bin_ in counts.bins} if counts else set()
        heard |= set(crowd.standing) if crowd else set()
        covered = self._coverage(incident, bars, series, (since, min(until, self.as_of)))
        cascade = self._cascade(row, incident, shown if alerts or not crowd else None, kept, context, own)
        zone = self.asked.zone or (sites[0].timezone if sites else "UTC")
        return self._finish(
            IncidentView(
                incident=incident,
                sites=sites,
                as_of=shown_at,
                as_known=self.asked.as_of is not None,
                since=since,
                until=until,
                zone=zone,
                on_until=on_until,
                bars=tuple(sorted(bars, key=lambda b: (b.occurrence.starts_at, b.occurrence.id))),
                marks=timeline.marks(own),
                series=series,
                gaps=self._gaps(sites, since, until),
                density=counts,
                standing=crowd.standing if crowd else {},
                cascade=cascade,
                phases=timeline.phases(incident, since, on_until, None if incident.status == "resolved" else shown_at),
                measurements=measurements.measure(incident),
                lines=tuple(lines),
                recorded=_recorded(lines, bars),
                silence=silence_of(
                    self.connection, self.config, heard, covered, until=min(until, self.as_of), zone=zone, since=since
                ),
                coverage=covered,
                credits=credits_of(self.config, (bar.occurrence for bar in bars), series),
                provenance=self._provenance(log),
                dropped=self._dropped(row.id, everything, is_counted=kept is everything),
            )
        )

    def _coverage(
        self, incident: Incident, bars: Sequence[Bar], shown: Sequence[Series], window: tuple[datetime, datetime]
    ) -> tuple[Coverage, ...]:
        """What the feeds knew of the window, each with how much it had to say of the incident's sites."""
        if window[0] >= window[1]:
            return ()
        found: Counter[tuple[str | None, str | None]] = Counter((bar.lane, bar.occurrence.source) for bar in bars)
        read = Counter(reading_lane(one.variable) for one in shown)
        return tuple(
            replace(row, found=found[row.lane, row.source] + (read[row.lane] if row.lane else 0))
            for row in coverage(self.connection, self.config, *window, incident.sites, as_of=self.as_of)
        )

    def _shown_at(self, incident: Incident, log: Sequence[Entry]) -> datetime:
        """The moment that the view names: asked for, else the last word on a settled incident, else this minute.

        It steps by minutes, so that two exports of one record are equal to the byte.
        """
        if self.asked.as_of is not None:
            return self.asked.as_of
        if incident.status == "resolved":
            return max(e.recorded_at for e in log if e.kind not in DROPPED)
        return max(self.asked.now.replace(second=0, microsecond=0), incident.recorded_at)

    def _on_until(self, shown_at: datetime, until: datetime) -> datetime:
        """Up to when what has no end is known to be on, and a phase to last: never into what is yet to come."""
        if self.asked.as_of is not None:
            return min(until, self.as_of)
        return min(until, max(shown_at, self.asked.now.replace(second=0, microsecond=0)))

    def _finish(self, view: IncidentView) -> IncidentView:
        shown = [
            view.incident.version,
            view.since,
            view.until,
            view.zone,
            *([view.on_until] if any(bar.occurrence.ends_at is None for bar in view.bars) else ()),
            *((line.id, line.happened_at, line.recorded_at, line.text) for line in view.lines),
            *((bar.occurrence.id, bar.occurrence.digest, bar.occurrence.ends_at) for bar in view.bars),
            *((s.variable, s.site, s.points) for s in view.series),
        ]
        return replace(view, revision=hashlib.sha256(repr(shown).encode()).hexdigest()[:12])

    def _incident(
        self,
        row: Any,  # noqa: ANN401  # IncidentRow's columns
        log: list[Entry],
        alerts: Sequence[Known],
        kept: Sums,
        *,
        crowded: bool,
    ) -> Incident:
        if self.asked.as_of is None:
            sums = members_of(row)
        elif crowded:
            sums = added(self._counted(row.id), kept.members)
        else:
            sums = added(incident_fold.members(item.occurrence for item in alerts), kept.members)
        decisions = [e for e in log if e.kind not in ("alerts_joined", *DROPPED)]
        return incident_fold.incident(decisions, sums, version=len(log))

    def _density(  # noqa: PLR0917  # what a window is counted from
        self,
        incident: str,
        crowd: Crowd | None,
        kept: Sums,
        shown: Sequence[Occurrence],
        since: datetime,
        until: datetime,
    ) -> Density | None:
        """The counts that a figure shows; None where each alert stands for itself."""
        counts = crowd.density if crowd else None
        if not kept.members.alerts:
            return counts
        if crowd and self.asked.as_of is None:  # the caches hold the kept sums already
            return counts or density(self.connection, incident, since, until)
        return with_kept(counts, kept, () if counts else shown, since, until)

    def _dropped(self, incident: str, kept: Sums, *, is_counted: bool) -> Dropped | None:
        query = sa.select(ENTRY.c.recorded_at, ENTRY.c.params).where(
            ENTRY.c.incident_id == incident, ENTRY.c.kind == LINKED_DROPPED
        )
        linked = self.connection.execute(query.order_by(ENTRY.c.id)).all()
        last = [(kept.dropped_at, kept.days)] if kept.dropped_at else []
        last += [(row.recorded_at, row.params["days"]) for row in linked]
        if not last:
            return None
        at, days = max(last)
        return Dropped(at, days, kept.members.alerts, len(linked), is_counted)

    def _counted(self, incident: str) -> Members:
        """What was known of a crowd's sums; of none of them is it said that it had ended."""
        members = counting.members_at(self.connection, incident, self.asked.as_of)
        n, first, gravest = self.connection.execute(
            sa.select(sa.func.count(), sa.func.min(OCCURRENCE.c.starts_at), sa.func.max(OCCURRENCE.c.severity)).where(
                OCCURRENCE.c.id.in_(members), OCCURRENCE.c.recorded_at <= self.as_of
            )
        ).one()
        return Members(alerts=n, on=n, first_starts_at=first, gravest=Severity.of_rank(gravest or 0))

    def _members(self, incident: str) -> list[str]:
        members = counting.members_at(self.connection, incident, self.asked.as_of)
        return sorted(set(self.connection.execute(members).scalars()))

    def _changes(self, incident: Incident, since: datetime, until: datetime) -> list[str]:
        """Changes in the window at the incident's sites, or that name no site."""
        matcher = SiteMatcher(self.config.sites)
        query = sa.select(OCCURRENCE.c.id, OCCURRENCE.c.rest).where(
            OCCURRENCE.c.kind == "change", OCCURRENCE.c.test.is_(False), OCCURRENCE.c.starts_at.between(since, until)
        )
        found = []
        for row in self.connection.execute(query.order_by(OCCURRENCE.c.starts_at).limit(500)):
            at = set(matcher.sites_of(row.rest["labels"]))
            if at & set(incident.sites) or not (at or incident.sites):
                found.append(row.id)
        return found

    def _known(self, names: Sequence[str]) -> list[Known]:
        return read_known(self.connection, names, self.as_of, as_of=self.asked.as_of)

    def _lines(self, own: list[Line], alerts: Iterable[Known], context: Iterable[Known]) -> list[Line]:
        found = own + [line for item in (*context, *alerts) for line in item.lines]
        shown = (line for line in found if line.happened_at <= self.as_of or not self.asked.as_of)
        return sorted(shown, key=timeline.place)

    def _runs(self, row: Any, alerts: int) -> Sequence[Line]:  # noqa: ANN401  # IncidentRow's columns
        """A crowd's counted lines: of now they are kept while the incident has the same mark."""
        if self.asked.as_of is not None or not row.mark:
            return runs(self.connection, row.id, self.asked.as_of)
        return _RUNS.get((row.id, row.mark), lambda: runs_now(self.connection, row.id, alerts))

    def _crowd(self, row: Any, since: datetime, until: datetime) -> Crowd:  # noqa: ANN401  # IncidentRow's columns
        """What stands for a crowd in a window: now from the caches, at another moment from what was said by then."""
        as_of = self.asked.as_of
        if as_of is None:
            return crowd_window.crowd(self.connection, row, since, until)
        counts = density(self.connection, row.id, since, until, as_of=as_of)
        if counts.total <= crowd_window.FEW:
            begun = crowd_window.begun_at(self.connection, row.id, since, until, as_of=as_of)
            return Crowd(tuple(item.occurrence for item in self._known(begun)), None, {})
        found = crowd_window.gravest(self.connection, row, counts)
        members = counting.members_at(self.connection, row.id, as_of).where(MEMBER.c.occurrence_id.in_(found))
        then = self._known(list(self.connection.execute(members).scalars()))
        return Crowd(tuple(item.occurrence for item in then), counts, {})

    def _cascade(  # noqa: PLR0917  # what its steps are looked for in
        self,
        row: Any,  # noqa: ANN401  # IncidentRow's columns
        incident: Incident,
        alerts: Sequence[Occurrence] | None,
        kept: Sums,
        context: Iterable[Known],
        own: Sequence[Line],
    ) -> Cascade:
        """The steps of the whole incident; `alerts` is None where they are a crowd."""
        if alerts is None:
            alerts = self._first_alerts(row)
        linked = {link.id for link in incident.links if link.state != "rejected"}
        others = [(lane_of(item.occurrence), item.occurrence) for item in context if item.occurrence.id in linked]
        weather = [
            found
            for name in incident.sites
            if (site := self.config.site(name))
            for found in series(
                self.connection, site, *cascades.span_of(incident, self.as_of), as_of=self.as_of, config=self.config
            )
        ]
        crossing, why = cascades.crossing(incident, weather)
        found = Found(
            warnings=[one for lane, one in others if lane == "warnings"],
            crossing=crossing,
            why_no_crossing=why,
            alerts=[(lane_of(one), one) for one in (*alerts, *kept.firsts)],
            acts=cascades.acts(own),
            providers=[one for lane, one in others if lane == "providers"],
        )
        return cascade_of(incident, found)

    def _first_alerts(self, row: Any) -> Sequence[Occurrence]:  # noqa: ANN401  # IncidentRow's columns
        """Of a crowd the alerts that may be steps."""
        if self.asked.as_of is not None:
            return [item.occurrence for item in self._known(cascades.first_alerts(self.connection, row))]

        def found() -> Sequence[Occurrence]:
            return crowd_window.occurrences(self.connection, row.id, cascades.first_alerts(self.connection, row))

        return _FIRST.get((row.id, row.mark), found) if row.mark else found()

    def _series(self, site: Site, since: datetime, until: datetime) -> list[Series]:
        near = series(self.connection, site, since, until, as_of=self.as_of, config=self.config)
        return near + grid_series(self.connection, self.config, site, since, until, as_of=self.as_of)

    def _gaps(self, sites: Sequence[Site], since: datetime, until: datetime) -> tuple[Gap, ...]:
        found = source_gaps(self.connection, self.config, since, min(until, self.as_of), as_of=self.as_of)
        return gaps_at(self.connection, found, sites)

    def _provenance(self, log: Iterable[Entry]) -> str | None:
        name = next((e.params.get("story") for e in log if e.kind == "opened"), None)
        if not name:
            return None
        spec = self.connection.execute(
            sa.select(CONFIGURED.c.spec).where(CONFIGURED.c.kind == "story", CONFIGURED.c.name == name)
        ).scalar()
        return str(spec["provenance"]) if spec else None


def _recorded(lines: Iterable[Line], bars: Iterable[Bar]) -> tuple[datetime, ...]:
    """When something of what is shown became known."""
    known = {line.recorded_at for line in lines}
    return tuple(sorted(known | {at for bar in bars if (at := bar.occurrence.recorded_at)}))
