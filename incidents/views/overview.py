"""Lists and the view of now: incidents, occurrences, readings, sources and what waits in quarantine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import sqlalchemy as sa

from incidents import entries, remains
from incidents.adapters import adapters, credit_of
from incidents.bulk import CHUNK, chunks
from incidents.config import Config
from incidents.configured import owners
from incidents.deliveries import DELIVERY, STAMP, UNREAD, is_setup_test
from incidents.entries import ENTRY, INCIDENT, OCCURRENCE
from incidents.feeds.asked import joined
from incidents.feeds.coverage import Asked
from incidents.feeds.health import feed_health
from incidents.feeds.silence import gaps_at, source_gaps
from incidents.geography.places import SiteMatcher, concerns
from incidents.grouping import GROUP
from incidents.lanes import lane_of, service_of
from incidents.model import Incident, Occurrence, Severity, Site
from incidents.proofs.repeats import REFUSAL, REPEATED
from incidents.receipts import receipt_of
from incidents.records import occurrence_of
from incidents.stamp_counts import STAMP_COUNT
from incidents.statements import READING
from incidents.tables import KeyRow, instant, micros
from incidents.views.crowds import bin_seconds
from incidents.views.finding import found_by
from incidents.views.folded import read_folded
from incidents.views.now_view import NowView, SiteStrip
from incidents.views.series import WEATHER, credits_of, series
from incidents.views.source_view import QuarantineRow, SourceHealth
from incidents.views.view import Bar, Bin, Density, Gap, IncidentRow, Series

KEY = KeyRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

STRIP = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents a list shows; None leaves a field open. `after` is a cursor's (opened_at, id)."""

    status: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    site: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None
    after: tuple[datetime, str] | None = None
    merged: bool = False


def list_incidents(connection: sa.Connection, wanted: IncidentFilter, limit: int) -> list[Incident]:
    """Incidents newest first, at most `limit`."""
    query = sa.select(INCIDENT.c.id)
    if not wanted.merged:
        query = query.where(INCIDENT.c.merged_into.is_(None))
    if wanted.status:
        query = query.where(INCIDENT.c.status.in_(wanted.status))
    if wanted.severity:
        query = query.where(INCIDENT.c.severity.in_([Severity(s).rank for s in wanted.severity]))
    if wanted.site:
        query = query.where(sa.cast(INCIDENT.c.sites, sa.Text).contains(f'"{wanted.site}"', autoescape=True))
    if wanted.since:
        query = query.where(INCIDENT.c.resolved_at.is_(None) | (INCIDENT.c.resolved_at >= wanted.since))
    if wanted.until:
        query = query.where(INCIDENT.c.opened_at <= wanted.until)
    if wanted.q:
        words = INCIDENT.c.title.icontains(wanted.q, autoescape=True) | INCIDENT.c.id.contains(
            wanted.q, autoescape=True
        )
        query = query.where(words | INCIDENT.c.id.in_(found_by(connection, wanted.q)))
    if wanted.after:
        at, name = wanted.after
        # Without the first bound SQLite walks the index from its end.
        query = query.where(INCIDENT.c.opened_at <= at, (INCIDENT.c.opened_at < at) | (INCIDENT.c.id < name))
    names = list(
        connection.execute(query.order_by(INCIDENT.c.opened_at.desc(), INCIDENT.c.id.desc()).limit(limit)).scalars()
    )
    found = read_folded(connection, names)
    return [found[name] for name in names]


def incident_rows(incidents: Sequence[Incident]) -> tuple[IncidentRow, ...]:
    """Incidents as lists show them."""
    return tuple(
        IncidentRow(i, sum(link.state == "proposed" and link.evidence.tier != "context" for link in i.links))
        for i in incidents
    )


@dataclass(frozen=True, slots=True)
class OccurrenceFilter:
    """Which occurrences a list shows."""

    kind: str | None = None
    active_at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None
    after: tuple[datetime, str] | None = None


def list_occurrences(connection: sa.Connection, wanted: OccurrenceFilter, limit: int) -> list[Occurrence]:
    """Occurrences in the order in which they began, the latest first; tests are left out."""
    query = sa.select(OCCURRENCE).where(OCCURRENCE.c.test.is_(False))
    kinds = (wanted.kind,) if wanted.kind else ("alert", "hazard", "provider_incident", "change")
    query = query.where(OCCURRENCE.c.kind.in_(kinds))
    if wanted.active_at:
        query = query.where(OCCURRENCE.c.starts_at <= wanted.active_at)
        if (names := _over_after(connection, kinds, wanted.active_at)) is not None:
            query = query.where(OCCURRENCE.c.id.in_(names))
        else:
            query = query.where(OCCURRENCE.c.ends_at.is_(None) | (OCCURRENCE.c.ends_at > wanted.active_at))
    if wanted.since:
        query = query.where(OCCURRENCE.c.ends_at.is_(None) | (OCCURRENCE.c.ends_at >= wanted.since))
    if wanted.until:
        query = query.where(OCCURRENCE.c.starts_at <= wanted.until)
    if wanted.source:
        query = query.where(OCCURRENCE.c.source == wanted.source)
    if wanted.after:
        at, name = wanted.after
        query = query.where(OCCURRENCE.c.starts_at <= at, (OCCURRENCE.c.starts_at < at) | (OCCURRENCE.c.id < name))
    rows = connection.execute(query.order_by(OCCURRENCE.c.starts_at.desc(), OCCURRENCE.c.id.desc()).limit(limit))
    return [occurrence_of(row) for row in rows]


def _over_after(connection: sa.Connection, kinds: Sequence[str], at: datetime) -> list[str] | None:
    """What was not over at an instant, by the index of ends; None where that is so much that few will do.

    Of a long record little goes on now. By the index of starts one would look at all of it to find that little.
    """
    found: list[str] = []
    for kind, still in product(kinds, (OCCURRENCE.c.ends_at.is_(None), OCCURRENCE.c.ends_at > at)):
        query = sa.select(OCCURRENCE.c.id).where(OCCURRENCE.c.kind == kind, still)
        found += connection.execute(query.limit(CHUNK + 1 - len(found))).scalars()
        if len(found) > CHUNK:
            return None
    return found


def hazards_on(connection: sa.Connection, now: datetime) -> list[Occurrence]:
    """The hazards in force at this instant, the latest first, at most 500."""
    return list_occurrences(connection, OccurrenceFilter(kind="hazard", active_at=now), 500)


def is_at(seen: Occurrence, site: Site, config: Config) -> bool:
    """Whether an occurrence concerns a site: alerts and changes by their labels, the outside world by its area."""
    if seen.kind in ("alert", "change"):
        return site.name in SiteMatcher(config.sites).sites_of(seen.labels)
    return concerns(site, seen.area)


def list_readings(
    connection: sa.Connection, site: Site | None, variable: str | None, *, since: datetime, until: datetime, limit: int
) -> list[Any]:
    """Rows of readings in a window in the order of their instants; of a site those near it and of its grid area."""
    query = sa.select(READING).where(READING.c.at.between(since, until))
    if variable:
        query = query.where(READING.c.variable == variable)
    if site:
        near = READING.c.latitude.between(site.latitude - 0.5, site.latitude + 0.5) & READING.c.longitude.between(
            site.longitude - 0.7, site.longitude + 0.7
        )
        query = query.where(near | (READING.c.grid_area == site.grid_area) if site.grid_area else near)
    return list(connection.execute(query.order_by(READING.c.at, READING.c.id).limit(limit)))


def now_view(connection: sa.Connection, config: Config, now: datetime, zone: str, *, demo: bool = False) -> NowView:
    """What is burning, since when, and what the outside world is doing."""
    since = now - STRIP
    open_ = list_incidents(connection, IncidentFilter(status=("open", "acknowledged", "mitigated")), 50)
    recent = list(list_incidents(connection, IncidentFilter(status=("resolved",)), 5))
    around = _around(connection, since, now)
    gaps = source_gaps(connection, config, since, now)
    asked = Asked(connection, config, since, now)
    on = [o for o in around if o.is_on(now)]
    shown = [found for site in config.sites for found in series(connection, site, since, now, as_of=now, config=config)]
    return NowView(
        now=now,
        zone=zone,
        since=since,
        open=incident_rows(sorted(open_, key=lambda i: (i.status == "mitigated", -i.severity.rank, i.opened_at))),
        recent=incident_rows(recent),
        strips=tuple(
            _strip(connection, site, around, _gaps(connection, site, gaps, asked), shown, asked)
            for site in config.sites
        ),
        providers=tuple(o for o in on if o.kind == "provider_incident"),
        hazards=tuple(o for o in on if o.kind == "hazard"),
        sources=source_health(connection, config, now, gaps),
        sites=config.sites,
        last_event_at=connection.execute(
            sa.select(sa.func.max(OCCURRENCE.c.said_at)).where(OCCURRENCE.c.said_at <= now)
        ).scalar(),
        demo=demo,
        stories=_of_stories(connection, [incident.id for incident in (*open_, *recent)]) if demo else frozenset(),
        credits=credits_of(config, around, shown),
    )


def _of_stories(connection: sa.Connection, names: Sequence[str]) -> frozenset[str]:
    """Those of these incidents that a story opened."""
    query = sa.select(ENTRY.c.incident_id, ENTRY.c.params).where(ENTRY.c.kind == "opened")
    rows = connection.execute(query.where(ENTRY.c.incident_id.in_(names)))
    return frozenset(row.incident_id for row in rows if row.params.get("story"))


def _around(connection: sa.Connection, since: datetime, until: datetime) -> list[Occurrence]:
    query = sa.select(OCCURRENCE).where(
        OCCURRENCE.c.kind.in_(("hazard", "provider_incident")),
        OCCURRENCE.c.test.is_(False),
        OCCURRENCE.c.starts_at <= until,
        OCCURRENCE.c.ends_at.is_(None) | (OCCURRENCE.c.ends_at >= since),
    )
    rows = connection.execute(query.order_by(OCCURRENCE.c.starts_at.desc()).limit(1000))
    return [occurrence_of(row) for row in rows]


def _gaps(connection: sa.Connection, site: Site, gaps: Sequence[Gap], asked: Asked) -> list[Gap]:
    """Where nothing is known of a site: of what senders left out, and of the feeds that would tell of it."""
    told = [gap for gap in gaps if not asked.knows(gap.source)] + asked.gaps(site)
    never = [gap for gap in told if gap.state == "never"]
    here = gaps_at(connection, (gap for gap in told if gap.state != "never"), [site])
    return sorted((*never, *here), key=lambda gap: (gap.since, gap.source))


def _strip(  # noqa: PLR0917  # what all strips are made from
    connection: sa.Connection,
    site: Site,
    around: Sequence[Occurrence],
    gaps: Sequence[Gap],
    shown: Sequence[Series],
    asked: Asked,
) -> SiteStrip:
    since, now = asked.window
    bars = tuple(
        Bar(occurrence=o, lane=lane_of(o), service=service_of(o), relation="context", late=False)
        for o in sorted(around, key=lambda o: (o.starts_at, o.id))
        if concerns(site, o.area)
    )
    found = [s for s in shown if s.site == site.name and s.variable == "temperature_c"]
    latest = max((p for s in found for p in s.points if since <= p.at <= now), key=lambda p: p.at, default=None)
    return SiteStrip(
        site=site,
        bars=bars,
        density=_site_density(connection, site, since, now),
        gaps=tuple(gaps),
        latest=latest,
        latest_basis=next((s.basis for s in found if latest in s.points), None),
        limit=site.limits.get(WEATHER["temperature_c"]),
        feeds=asked.feeds(site),
    )


def _site_density(connection: sa.Connection, site: Site, since: datetime, until: datetime) -> Density | None:
    width = bin_seconds(since, until) * 1_000_000
    number = (GROUP.c.starts_at - GROUP.c.starts_at % width).label("bin")
    query = sa.select(GROUP.c.lane, GROUP.c.severity, number, sa.func.count().label("n")).where(
        GROUP.c.group_key == f"site:{site.name}", GROUP.c.starts_at.between(micros(since), micros(until))
    )
    rows = connection.execute(query.group_by(GROUP.c.lane, GROUP.c.severity, number)).all()
    if not rows:
        return None
    bins = tuple(Bin(row.lane, Severity.of_rank(row.severity), instant(row.bin), row.n) for row in rows)
    return Density(width // 1_000_000, tuple(sorted(bins, key=lambda b: (b.at, b.lane))), sum(b.count for b in bins))


def source_health(
    connection: sa.Connection, config: Config, now: datetime, gaps: Sequence[Gap] = ()
) -> tuple[SourceHealth, ...]:
    """Each source as its counters tell it."""
    counts = _counts(connection)
    wrong = {row.source: row for row in connection.execute(_last_wrong_signatures())}
    owned = owners(connection)
    feeds = feed_health(connection, config, owned, now)
    keys: dict[str, list[str]] = defaultdict(list)
    live = sa.select(KEY.c.source, KEY.c.prefix).where(
        KEY.c.kind == "ingest", KEY.c.revoked_at.is_(None), KEY.c.expires_at.is_(None) | (KEY.c.expires_at > now)
    )
    for row in connection.execute(live.order_by(KEY.c.made_at)):
        keys[row.source].append(row.prefix)
    found = []
    for source in config.sources:
        adapter = adapters().get(source.adapter)
        count = counts[source.name]
        found.append(
            SourceHealth(
                name=source.name,
                adapter=source.adapter,
                kind=adapter.kind if adapter else "webhook",
                owner=owned.get(("source", source.name), "file"),
                deliveries=count["read"] + count["quarantined"],
                quarantined=count["quarantined"],
                unread=count["unread"],
                refused=count["refused"],
                losses=count["losses"],
                last_received_at=connection.execute(
                    sa.select(DELIVERY.c.received_at)
                    .where(DELIVERY.c.source == source.name, ~is_setup_test())
                    .order_by(DELIVERY.c.id.desc())
                    .limit(1)
                ).scalar(),
                keys=tuple(keys[source.name]),
                gaps=tuple(joined(g for g in gaps if g.source == source.name and g.state != "waiting")),
                every_seconds=source.every_seconds,
                wrong_signatures=count["wrong-signature"],
                wrong_signature=wrong[source.name].detail if source.name in wrong else None,
                wrong_signature_at=wrong[source.name].last_at if source.name in wrong else None,
                repeated=count[REPEATED],
                feed=feeds.get(source.name),
                credit=credit_of(source.adapter),
            )
        )
    return tuple(found)


def _counts(connection: sa.Connection) -> Mapping[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(("read", "quarantined", "unread", "refused", "losses", "wrong-signature", REPEATED), 0)
    )
    for row in connection.execute(sa.select(STAMP_COUNT)):
        counts[row.source][row.state] += row.deliveries
        counts[row.source]["losses"] += row.losses
    waiting = sa.select(DELIVERY.c.source, sa.func.count().label("n")).join(
        UNREAD, UNREAD.c.delivery_id == DELIVERY.c.id
    )
    for row in connection.execute(waiting.group_by(DELIVERY.c.source)):
        counts[row.source]["unread"] = row.n
    refused = sa.select(REFUSAL.c.source, REFUSAL.c.reason, sa.func.sum(REFUSAL.c.count).label("n"))
    for row in connection.execute(refused.group_by(REFUSAL.c.source, REFUSAL.c.reason)):
        counts[row.source]["refused"] += int(row.n) if row.reason != REPEATED else 0
        if row.reason in counts[row.source]:
            counts[row.source][row.reason] = int(row.n)
    return counts


def _last_wrong_signatures() -> sa.Select[Any]:
    """Of each source the row of the day on which a signature was last wrong; within a day it holds the last one."""
    wrong = REFUSAL.c.reason == "wrong-signature"
    last = sa.select(REFUSAL.c.source, sa.func.max(REFUSAL.c.day).label("day")).where(wrong)
    days = last.group_by(REFUSAL.c.source).subquery()
    same = (days.c.source == REFUSAL.c.source) & (days.c.day == REFUSAL.c.day)
    return sa.select(REFUSAL.c.source, REFUSAL.c.detail, REFUSAL.c.last_at).join(days, same).where(wrong)


def list_deliveries(
    connection: sa.Connection, *, state: str | None, source: str | None, before: int | None, limit: int
) -> list[Any]:
    """Deliveries with how they were read, the newest first, as rows without their bodies."""
    columns = (
        DELIVERY.c.id,
        DELIVERY.c.source,
        DELIVERY.c.received_at,
        DELIVERY.c.size,
        DELIVERY.c.sha256,
        DELIVERY.c.refused,
        STAMP.c.state,
        STAMP.c.reason,
        STAMP.c.adapter,
        STAMP.c.adapter_version,
        STAMP.c.events,
        STAMP.c.readings,
        STAMP.c.losses,
        STAMP.c.loss_reason,
        STAMP.c.stamped_at,
    )
    query = sa.select(*columns).outerjoin(STAMP, STAMP.c.delivery_id == DELIVERY.c.id)
    if state == "unread":
        query = query.where(DELIVERY.c.id.in_(sa.select(UNREAD.c.delivery_id)))
    elif state:
        query = query.where(STAMP.c.state == state)
    if source:
        query = query.where(DELIVERY.c.source == source)
    if before is not None:
        query = query.where(DELIVERY.c.id < before)
    return list(connection.execute(query.order_by(DELIVERY.c.id.desc()).limit(limit)))


def quarantine_rows(rows: Sequence[Any]) -> tuple[QuarantineRow, ...]:
    """Quarantined deliveries as pages show them."""
    return tuple(QuarantineRow(receipt_of(r.id), r.source, r.received_at, r.reason or "", r.size) for r in rows)


def alerts_in(connection: sa.Connection, incident: str) -> int | None:
    """How many alerts an incident has; None where there is none of this id."""
    return connection.execute(sa.select(INCIDENT.c.alerts).where(INCIDENT.c.id == incident)).scalar()


def alerts_of(connection: sa.Connection, incident: str, *, after: str, limit: int) -> list[Occurrence]:
    """The alerts of an incident, a page in the order of their ids."""
    return entries.member_alerts(connection, incident, limit=limit, after=after)


def titles_of(connection: sa.Connection, names: Sequence[str]) -> dict[str, Occurrence]:
    """Occurrences by id; of linked ones whose statements were dropped what is kept of them."""
    found = {
        row.id: occurrence_of(row)
        for part in chunks(list(names))
        for row in connection.execute(sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(part)))
    }
    return found | remains.outlines(connection, set(names) - set(found))
