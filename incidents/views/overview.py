"""The view of now: open incidents, a strip for each site, and the health of sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import privacy
from incidents.adapters import adapters, credit_of
from incidents.config import Config
from incidents.configured import owners
from incidents.deliveries import DELIVERY, UNREAD, is_setup_test
from incidents.entries import ENTRY, OCCURRENCE
from incidents.feeds.asked import joined
from incidents.feeds.coverage import Asked
from incidents.feeds.health import feed_health
from incidents.feeds.silence import gaps_at, source_gaps
from incidents.geography.places import SiteMatcher, concerns
from incidents.grouping import GROUP
from incidents.lanes import lane_of, service_of
from incidents.model import Occurrence, Severity, Site
from incidents.proofs.repeats import REFUSAL, REPEATED
from incidents.records import occurrence_of
from incidents.stamp_counts import STAMP_COUNT
from incidents.tables import KeyRow, instant, micros
from incidents.views.crowds import bin_seconds
from incidents.views.lists import IncidentFilter, OccurrenceFilter, incident_rows, list_incidents, list_occurrences
from incidents.views.now_view import NowView, SiteStrip
from incidents.views.series import WEATHER, credits_of, series
from incidents.views.source_view import SourceHealth
from incidents.views.view import Bar, Bin, Density, Gap, Series

KEY = KeyRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

STRIP = timedelta(hours=24)


def hazards_on(connection: sa.Connection, now: datetime) -> list[Occurrence]:
    """The hazards in force at this instant, the latest first, at most 500."""
    return list_occurrences(connection, OccurrenceFilter(kind="hazard", active_at=now), 500)


def is_at(seen: Occurrence, site: Site, config: Config) -> bool:
    """Whether an occurrence concerns a site: alerts and changes by their labels, the outside world by its area."""
    if seen.kind in ("alert", "change"):
        return site.name in SiteMatcher(config.sites).sites_of(seen.labels)
    return concerns(site, seen.area)


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
        GROUP.c.group_key == f"site:{site.name}",
        GROUP.c.starts_at.between(micros(since), micros(until)),
        privacy.is_shown(connection, GROUP.c.occurrence_id),
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
