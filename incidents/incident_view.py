"""Gathers the view of one incident from the store: as known at a moment, within a window."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import entries, fold, measurements, places, timeline
from incidents.config import Config
from incidents.configured import CONFIGURED
from incidents.deliveries import DELIVERY
from incidents.entries import INCIDENT, MEMBER, OCCURRENCE
from incidents.ingest import EVENT, READING, holds
from incidents.model import Entry, Incident, Lane, Severity, Site
from incidents.places import SiteMatcher
from incidents.records import members_of, said_of
from incidents.silence import gaps_at, silence_of, source_gaps
from incidents.store import chunks, receipt_of
from incidents.tables import instant
from incidents.timeline import Known, Sentence
from incidents.view import Bin, Density, Gap, IncidentView, Line, Point, Series, Trace

MARKS = 5000
"""Most alerts that are drawn and listed one by one."""
GRAVEST = 200
"""Above that, how many of the gravest alerts are still drawn."""
BINS = 90
"""About how many bins a window is cut into."""
STEPS = (10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)
NEAR_KM = 50.0
"""How far a station may lie from a site to stand for its weather."""
WEATHER = {"temperature_c": "dry_bulb_c", "wet_bulb_c": "wet_bulb_c", "dew_point_c": "dew_point_c"}
"""Variables that the weather lane draws, with the design limit that each is held against."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader asked to see: the moment of knowledge, the window (None: the incident's own), the zone."""

    now: datetime
    as_of: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    zone: str | None = None


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
        crowded = row.alerts > MARKS
        alerts = self._known(self._gravest(row.id) if crowded else self._members(row.id))
        incident = self._incident(row, log, alerts, crowded=crowded)
        sites = tuple(site for name in incident.sites if (site := self.config.site(name)))
        shown_at = self._shown_at(incident, log)
        since, until = timeline.window(incident, alerts, shown_at)
        since, until = self.asked.since or since, self.asked.until or until
        links = {link.id: link for link in incident.links}
        context = self._known(sorted(links)) + self._known(self._changes(incident, since, until))
        bars = [timeline.bar(item, None, alert=True) for item in alerts]
        bars += [timeline.bar(item, links.get(item.occurrence.id), alert=False) for item in context]
        own = timeline.entry_lines(log, self.sentence)
        long = row.alerts * 2 - row.alerts_on > MARKS
        lines = self._lines(row.id, own, alerts, context, crowded=crowded or long)
        series = tuple(found for site in sites for found in self._series(site, since, until))
        heard = {bar.lane for bar in bars} | ({"weather"} if series else set()) | ({"people"} if own else set())
        return self._finish(
            IncidentView(
                incident=incident,
                sites=sites,
                as_of=shown_at,
                as_known=self.asked.as_of is not None,
                since=since,
                until=until,
                zone=self.asked.zone or (sites[0].timezone if sites else "UTC"),
                bars=tuple(sorted(bars, key=lambda b: (b.occurrence.starts_at, b.occurrence.id))),
                marks=timeline.marks(own),
                series=series,
                gaps=self._gaps(sites, since, until),
                density=self._density(row.id, since, until) if crowded else None,
                phases=timeline.phases(incident, since, until),
                measurements=measurements.measure(incident),
                lines=tuple(lines),
                recorded=tuple(sorted({line.recorded_at for line in lines})),
                silence=silence_of(self.connection, self.config, heard),
                credits=tuple(sorted({s.credit for s in series if s.credit})),
                provenance=self._provenance(log),
            )
        )

    def _shown_at(self, incident: Incident, log: Sequence[Entry]) -> datetime:
        """The moment that the view names: asked for, else the last word on a settled incident, else this minute.

        It steps by minutes, so that two exports of one record are equal to the byte.
        """
        if self.asked.as_of is not None:
            return self.asked.as_of
        if incident.status == "resolved":
            return max(e.recorded_at for e in log)
        return max(self.asked.now.replace(second=0, microsecond=0), incident.recorded_at)

    def _finish(self, view: IncidentView) -> IncidentView:
        shown = [
            view.incident.version,
            view.since,
            view.until,
            view.zone,
            *((line.id, line.happened_at, line.recorded_at, line.text) for line in view.lines),
            *((bar.occurrence.id, bar.occurrence.digest, bar.occurrence.ends_at) for bar in view.bars),
            *((s.variable, s.site, s.points) for s in view.series),
        ]
        return replace(view, revision=hashlib.sha256(repr(shown).encode()).hexdigest()[:12])

    def _incident(self, row: Any, log: list[Entry], alerts: Sequence[Known], *, crowded: bool) -> Incident:  # noqa: ANN401
        if self.asked.as_of is None or crowded:
            sums = members_of(row)
        else:
            sums = fold.members(item.occurrence for item in alerts)
        return fold.incident([e for e in log if e.kind != "alerts_joined"], sums, version=len(log))

    def _members(self, incident: str) -> list[str]:
        query = entries.current_members(incident)
        if self.asked.as_of is not None:
            then = sa.select(entries.ENTRY.c.id).where(
                entries.ENTRY.c.incident_id == incident, entries.ENTRY.c.recorded_at <= self.as_of
            )
            later = MEMBER.alias("later_then")
            query = sa.select(MEMBER.c.occurrence_id).where(
                MEMBER.c.incident_id == incident,
                MEMBER.c.joined.is_(True),
                MEMBER.c.entry_id.in_(then),
                ~sa.exists().where(
                    later.c.incident_id == MEMBER.c.incident_id,
                    later.c.entry_id.in_(then),
                    later.c.occurrence_id == MEMBER.c.occurrence_id,
                    later.c.entry_id > MEMBER.c.entry_id,
                ),
            )
        return sorted(set(self.connection.execute(query).scalars()))

    def _gravest(self, incident: str) -> list[str]:
        query = sa.select(OCCURRENCE.c.id).where(
            OCCURRENCE.c.id.in_(entries.current_members(incident)), OCCURRENCE.c.recorded_at <= self.as_of
        )
        return list(
            self.connection.execute(
                query.order_by(OCCURRENCE.c.severity.desc(), OCCURRENCE.c.starts_at, OCCURRENCE.c.id).limit(GRAVEST)
            ).scalars()
        )

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
        said = defaultdict(list)
        traces: dict[str, dict[int, Trace]] = defaultdict(dict)
        for part in chunks(list(names)):
            query = (
                sa.select(EVENT, DELIVERY.c.sha256, DELIVERY.c.size)
                .outerjoin(DELIVERY, DELIVERY.c.id == EVENT.c.delivery_id)
                .where(
                    EVENT.c.occurrence_id.in_(part),
                    EVENT.c.recorded_at <= self.as_of,
                    holds(),
                )
            )
            for row in self.connection.execute(query):
                said[row.occurrence_id].append(said_of(row))
                traces[row.occurrence_id][row.id] = Trace(
                    event=row.id,
                    delivery=receipt_of(row.delivery_id),
                    adapter=row.adapter,
                    sha256=row.sha256,
                    size=row.size,
                )
        known = (timeline.known(said[name], traces[name], self.as_of) for name in names)
        return [item for item in known if item is not None]

    def _lines(
        self, incident: str, own: list[Line], alerts: Sequence[Known], context: Iterable[Known], *, crowded: bool
    ) -> list[Line]:
        found = [line for item in context for line in timeline.occurrence_lines(item)] + own
        if crowded:
            found += runs(self.connection, incident, self.as_of)
        else:
            found += [line for item in alerts for line in timeline.occurrence_lines(item)]
        shown = (line for line in found if line.happened_at <= self.as_of or not self.asked.as_of)
        return sorted(shown, key=lambda line: (line.happened_at, line.recorded_at, line.id))

    def _density(self, incident: str, since: datetime, until: datetime) -> Density:
        return density(self.connection, incident, since, until, as_of=self.asked.as_of)

    def _series(self, site: Site, since: datetime, until: datetime) -> list[Series]:
        return series(self.connection, site, since, until, as_of=self.as_of)

    def _gaps(self, sites: Sequence[Site], since: datetime, until: datetime) -> tuple[Gap, ...]:
        found = source_gaps(self.connection, self.config, since, min(until, self.as_of))
        return gaps_at(self.connection, found, sites)

    def _provenance(self, log: Iterable[Entry]) -> str | None:
        name = next((e.params.get("story") for e in log if e.kind == "opened"), None)
        if not name:
            return None
        spec = self.connection.execute(
            sa.select(CONFIGURED.c.spec).where(CONFIGURED.c.kind == "story", CONFIGURED.c.name == name)
        ).scalar()
        return str(spec["provenance"]) if spec else None


def bin_seconds(since: datetime, until: datetime) -> int:
    """The round step that cuts a window into about `BINS` bins, in seconds."""
    wanted = (until - since).total_seconds() / BINS
    return next((step for step in STEPS if step >= wanted), STEPS[-1])


def density(
    connection: sa.Connection, incident: str, since: datetime, until: datetime, *, as_of: datetime | None = None
) -> Density:
    """How many of an incident's alerts began in each bin of a window, by lane and severity: counted by the database."""
    seconds = bin_seconds(since, until)
    width = seconds * 1_000_000
    start = sa.type_coerce(OCCURRENCE.c.starts_at, sa.BigInteger)
    number = (start - start % width).label("bin")
    query = (
        sa.select(OCCURRENCE.c.lane, OCCURRENCE.c.severity, number, sa.func.count().label("n"))
        .join(MEMBER, MEMBER.c.occurrence_id == OCCURRENCE.c.id)
        .where(
            MEMBER.c.incident_id == incident, MEMBER.c.joined.is_(True), OCCURRENCE.c.starts_at.between(since, until)
        )
    )
    if as_of is not None:
        query = query.where(OCCURRENCE.c.recorded_at <= as_of)
    rows = connection.execute(query.group_by(OCCURRENCE.c.lane, OCCURRENCE.c.severity, number)).all()
    bins = tuple(Bin(row.lane, Severity.of_rank(row.severity), instant(row.bin), row.n) for row in rows)
    return Density(
        seconds, tuple(sorted(bins, key=lambda b: (b.at, b.lane, -b.severity.rank))), sum(b.count for b in bins)
    )


def runs(connection: sa.Connection, incident: str, as_of: datetime) -> list[Line]:
    """The alerts of a crowded incident as counted lines: unbroken runs of one name, in the order they began."""
    members = (
        sa.select(
            OCCURRENCE.c.id,
            OCCURRENCE.c.name,
            OCCURRENCE.c.lane,
            OCCURRENCE.c.severity,
            OCCURRENCE.c.source,
            OCCURRENCE.c.starts_at,
            OCCURRENCE.c.ends_at,
            OCCURRENCE.c.recorded_at,
            (
                sa.func.row_number().over(order_by=(OCCURRENCE.c.starts_at, OCCURRENCE.c.id))
                - sa.func.row_number().over(
                    partition_by=OCCURRENCE.c.name, order_by=(OCCURRENCE.c.starts_at, OCCURRENCE.c.id)
                )
            ).label("run"),
        )
        .where(OCCURRENCE.c.id.in_(entries.current_members(incident)), OCCURRENCE.c.recorded_at <= as_of)
        .subquery()
    )
    query = sa.select(
        members.c.name,
        members.c.run,
        sa.func.count().label("n"),
        sa.func.min(members.c.starts_at).label("since"),
        sa.func.max(members.c.starts_at).label("until"),
        sa.func.min(members.c.recorded_at).label("recorded_at"),
        sa.func.max(members.c.severity).label("severity"),
        sa.func.min(members.c.lane).label("lane"),
        sa.func.min(members.c.source).label("source"),
        sa.func.min(members.c.id).label("first"),
        sa.func.count(members.c.ends_at).label("ended"),
        sa.func.max(members.c.ends_at).label("last_end"),
    ).group_by(members.c.name, members.c.run)
    rows = connection.execute(query.order_by(sa.literal_column("since"), members.c.name).limit(MARKS + 1)).all()
    found = [_run_line(row) for row in rows[:MARKS]]
    if len(rows) > MARKS:
        found = _coarser(found)
    return found


def _run_line(row: Any) -> Line:  # noqa: ANN401  # a row of `runs`
    many = f"{row.n:,} × {row.name}" if row.n > 1 else row.name
    ended = f", {row.ended:,} ended" if row.ended else ""
    return Line(
        id=f"r{row.first}",
        happened_at=row.since,
        happened_until=row.until if row.until > row.since else None,
        recorded_at=row.recorded_at,
        lane=row.lane,
        kind="alert",
        text=f"{many}{ended}",
        actor=f"source:{row.source}",
        severity=Severity.of_rank(row.severity),
        trace=Trace(),
        count=row.n,
    )


def _coarser(found: Sequence[Line]) -> list[Line]:
    """Alternating names make runs of one: then a line stands for all alerts that began in the same minute."""
    by_minute: dict[tuple[datetime, Lane], list[Line]] = defaultdict(list)
    for line in found:
        by_minute[line.happened_at.replace(second=0, microsecond=0), line.lane].append(line)
    merged = []
    for same in by_minute.values():
        count = sum(line.count for line in same)
        worst = max((line.severity for line in same), key=lambda s: s.rank)
        names = sorted({line.text.partition(" × ")[2] or line.text for line in same})
        words = f"{count:,} alerts of {len(names):,} names, {names[0]} among them" if len(names) > 1 else same[0].text
        merged.append(
            replace(
                same[0],
                text=words,
                count=count,
                severity=worst,
                happened_until=max(line.happened_until or line.happened_at for line in same),
            )
        )
    return merged


def series(connection: sa.Connection, site: Site, since: datetime, until: datetime, *, as_of: datetime) -> list[Series]:
    """The weather at a site as known at a moment: for each variable the nearest station, one series for each basis."""
    near = sa.select(READING).where(
        READING.c.variable.in_(tuple(WEATHER)),
        READING.c.at.between(since - timedelta(hours=1), until + timedelta(hours=1)),
        READING.c.recorded_at <= as_of,
        READING.c.latitude.between(site.latitude - 1, site.latitude + 1),
    )
    by_station: dict[tuple[str, str], dict[tuple[str, datetime], Any]] = defaultdict(dict)
    distances: dict[tuple[str, str], float] = {}
    for row in connection.execute(near.order_by(READING.c.recorded_at, READING.c.id).limit(20_000)):
        distance = places.distance_km(site.latitude, site.longitude, row.latitude, row.longitude)
        if distance <= NEAR_KM:
            station = row.variable, row.station or f"{row.latitude:.2f}, {row.longitude:.2f}"
            distances[station] = distance
            by_station[station][row.basis, row.at] = row
    found = []
    for variable, limit in WEATHER.items():
        stations = sorted((distances[key], key) for key in by_station if key[0] == variable)
        if not stations:
            continue
        distance, key = stations[0]
        rows = by_station[key]
        for basis in sorted({b for b, _ in rows}):
            points = sorted((row.at, row.value) for (b, _), row in rows.items() if b == basis)
            credit = next((row.credit for (b, _), row in rows.items() if b == basis and row.credit), None)
            found.append(
                Series(
                    variable=variable,
                    site=site.name,
                    points=tuple(Point(at, value) for at, value in points),
                    basis=basis,
                    station=key[1],
                    limit=site.limits.get(limit),
                    limit_name=limit if limit in site.limits else None,
                    distance_km=round(distance, 1),
                    credit=credit,
                )
            )
    return found
