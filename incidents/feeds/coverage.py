"""Coverage: what each feed knew of a window at some sites: asked throughout, in part, not yet, down, or never."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import cast

import sqlalchemy as sa

from incidents.adapters import adapters
from incidents.config import Config
from incidents.configured import owners
from incidents.deliveries import STAMP
from incidents.entries import OCCURRENCE
from incidents.feeds import indexes
from incidents.feeds.asked import Record, Span, filled_of, gaps_in, joined, records_of, without
from incidents.feeds.polls import ASKED, NOT_ASKED, POLL
from incidents.feeds.scope import is_feed, tells_of
from incidents.lanes import reading_lane
from incidents.model import Lane, Site, Source
from incidents.statements import READING
from incidents.views.view import Coverage, Gap

OUTSIDE: tuple[Lane, ...] = ("weather", "warnings", "grid", "providers")
"""The lanes of the outside world, which feeds speak of."""
OTHER: Lane = "warnings"
"""Where the silence of a feed is drawn of which it is not known what it speaks of."""


def polled(connection: sa.Connection, config: Config) -> list[Source]:
    """The feeds that are asked, or should be; those whose words are played or brought only where they ever were."""
    owned = owners(connection)
    return [
        source
        for source in config.sources
        if is_feed(source)
        and (owned.get(("source", source.name)) not in NOT_ASKED or _is_polled(connection, source.name))
    ]


def _is_polled(connection: sa.Connection, source: str) -> bool:
    about_to_be = sa.select(POLL.c.source).where(POLL.c.source == source).limit(1)
    asked = sa.select(ASKED.c.source).where(ASKED.c.source == source).limit(1)
    return any(connection.execute(query).first() is not None for query in (about_to_be, asked))


class Asked:
    """What is known of the askings of all feeds around one window; read once, told for any sites."""

    def __init__(
        self,
        connection: sa.Connection,
        config: Config,
        since: datetime,
        until: datetime,
        *,
        as_of: datetime | None = None,
    ) -> None:
        self.connection, self.config, self.window = connection, config, (since, until)
        self._known: dict[str, tuple[list[Record], Mapping[str | None, Sequence[Span]]]] = {}
        self._by_lane: dict[Lane | None, list[Source]] = defaultdict(list)
        spoken = lanes_spoken(connection)
        for source in polled(connection, config):
            records = records_of(connection, source, since, until, sites=config.sites, as_of=as_of)
            self._known[source.name] = records, filled_of(connection, source.name, since, until)
            for lane in lanes_of(connection, source, spoken) or (None,):
                self._by_lane[lane].append(source)
        self._heard = set().union(*spoken.values()) | ({"weather"} if _has_reading(connection) else set())

    def rows(self, sites: Sequence[Site]) -> tuple[Coverage, ...]:
        """What each feed that would tell of these sites knows; without any, of all that is asked for no one site.

        A lane that only senders speak of, who speak when something happens, has no row: their silence says nothing.
        """
        rows: list[Coverage] = []
        for lane in (*OUTSIDE, None):
            told = [self._row(source, lane, sites) for source in self._by_lane[lane] if _concerns(source, sites)]
            rows += told
            if lane and not told and lane not in self._heard:
                rows.append(Coverage(lane, None, unasked=(self.window,)))
        return tuple(rows)

    def feeds(self, site: Site) -> tuple[str, ...]:
        """The names of the feeds that would tell of a site."""
        by_name = {source.name: source for sources in self._by_lane.values() for source in sources}
        return tuple(sorted(name for name, source in by_name.items() if tells_of(source, site)))

    def knows(self, source: str) -> bool:
        """Whether it is one of the feeds."""
        return source in self._known

    def gaps(self, site: Site) -> list[Gap]:
        """Where the feeds that would tell of a site did not: of one that has never answered, all of the window."""
        found: dict[str, tuple[Gap, ...]] = {}
        for row in self.rows([site]):
            if row.source is not None:
                never = (Gap(row.lane or OTHER, row.source, *self.window, state="never"),)
                # A feed that speaks in several lanes has been silent once.
                found.setdefault(row.source, row.gaps if row.heard else never)
        return [gap for gaps in found.values() for gap in gaps]

    def _row(self, source: Source, lane: Lane | None, sites: Sequence[Site]) -> Coverage:
        known, filled = self._known[source.name]
        names = frozenset(site.name for site in sites)
        records = [record for record in known if _is_of(record, names)]
        holes = [span for site, spans in filled.items() if site is None or site in names for span in spans]
        since, until = self.window
        first = min((r.began_at for r in records if r.began_at is not None), default=until)
        unasked = without([(since, min(first, until))] if first > since else [], holes)
        gaps = joined(gaps_in(records, filled, source.name, lane or OTHER, self.window))
        heard = any(record.heard for record in records) or bool(holes)
        unread = sum(indexes.unread(self.connection, source.name, as_of=until, since=since))
        return Coverage(lane, source.name, tuple(gaps), tuple(unasked), heard=heard, unread=unread)


def _concerns(source: Source, sites: Sequence[Site]) -> bool:
    return not sites or any(tells_of(source, site) for site in sites)


def _is_of(record: Record, names: Collection[str]) -> bool:
    if not names:
        return record.site is None
    return record.sites is None or not record.sites.isdisjoint(names)


def coverage(
    connection: sa.Connection,
    config: Config,
    since: datetime,
    until: datetime,
    sites: Sequence[str],
    *,
    as_of: datetime | None = None,
) -> tuple[Coverage, ...]:
    """What each kind of feed knows of a window at these sites, by their names."""
    known = [site for name in sites if (site := config.site(name))]
    return Asked(connection, config, since, until, as_of=as_of).rows(known)


def lanes_spoken(connection: sa.Connection) -> dict[str, set[str]]:
    """The lanes in which each source has spoken of the outside world, its readings left out."""
    found: dict[str, set[str]] = defaultdict(set)
    # With the kinds named, the index on them is used: alerts may be many.
    outside = OCCURRENCE.c.kind.in_(("hazard", "provider_incident", "change"))
    for row in connection.execute(sa.select(OCCURRENCE.c.source, OCCURRENCE.c.lane).where(outside).distinct()):
        found[row.source].add(row.lane)
    return found


def lanes_of(connection: sa.Connection, source: Source, spoken: Mapping[str, Collection[str]]) -> tuple[Lane, ...]:
    """The lanes that a feed speaks of: those that its adapter declares, and those it has spoken in."""
    adapter = adapters().get(source.adapter)
    declared = adapter.lanes if adapter else ()
    lanes = {*declared, *cast("Collection[Lane]", spoken.get(source.name, ()))}
    if not declared and _has_measured(connection, source.name):
        query = sa.select(READING.c.variable).where(READING.c.source == source.name).limit(1)
        lanes |= {reading_lane(variable) for variable in connection.execute(query).scalars()}
    return tuple(sorted(lanes))


def _has_measured(connection: sa.Connection, source: str) -> bool:
    # Stamps have an index on their source, readings have none.
    query = sa.select(STAMP.c.delivery_id).where(
        STAMP.c.source == source, STAMP.c.state == "read", STAMP.c.readings > 0
    )
    return connection.execute(query.limit(1)).first() is not None


def _has_reading(connection: sa.Connection) -> bool:
    return connection.execute(sa.select(READING.c.id).limit(1)).first() is not None
