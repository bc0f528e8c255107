"""What is known around one incident when it is weighed: our own words, second witnesses, the record, the readings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

import sqlalchemy as sa

from incidents.config import Config
from incidents.counting import current_members
from incidents.entries import ENTRY, INCIDENT, MEMBER, OCCURRENCE
from incidents.geography.outlines import distance_km
from incidents.geography.places import SiteMatcher, relation
from incidents.incident_fold import standing
from incidents.linker import base_rates, kernels, reach, reading_counts
from incidents.linker.corroboration import FAR_KM
from incidents.linker.extremes import Extreme
from incidents.linker.links import Known
from incidents.linker.mechanisms import Family, family_of
from incidents.model import BaseRate, Incident, Occurrence, Site
from incidents.privacy import STRANGER, hidden_from
from incidents.records import entry_of
from incidents.redaction import redact

MOST_BESIDE: Final = 60
"""Most second witnesses that are asked, those that began nearest to it."""
MOST_MEMBERS: Final = 1000
"""Most of an incident's alerts whose sources are asked for."""
MOST_ROWS: Final = 200
TOGETHER: Final = timedelta(minutes=15)
"""Within this time of each other, incidents at several sites count as one start."""
CHANGE_LEAD: Final = timedelta(hours=1)
_WORDS: Final = ("note", "status_changed", "correction", "retraction")


class Surroundings:
    """Reads what each weighing asks for once for an incident, and what few ask for only when it is asked for."""

    def __init__(self, connection: sa.Connection, config: Config, incident: Incident) -> None:
        self.connection, self.config, self.incident = connection, config, incident
        self.sites: list[Site] = [site for name in incident.sites if (site := config.site(name))]
        self._start = kernels.start_of(incident)
        self._met: Sequence[Occurrence] = ()
        self._beside: Sequence[Occurrence] = ()
        self._rates: dict[tuple[str, int, str], BaseRate | None] = {}
        self._extremes: dict[Family, Extreme | None] = {}

    def meet(self, met: Sequence[Occurrence]) -> None:
        """What met the incident: the classes that were compared, and the witnesses for each other."""
        self._met = met
        sure = [seen for seen in met if any(self._is_sure(site, seen) for site in self.sites)]
        self._beside = sorted(sure, key=lambda s: (abs(s.starts_at - self._start[0]), s.id))[:MOST_BESIDE]

    @staticmethod
    def _is_sure(site: Site, seen: Occurrence) -> bool:
        near = relation(site, seen.area)
        return near is not None and near.how != "uncertain"

    def known_of(self, seen: Occurrence) -> Known:
        """All that is known when this occurrence is weighed."""
        family = family_of(seen)
        return Known(
            signals=self.signals,
            notes=self.notes,
            changes=self._changes,
            base_rate=self._rate(family, seen),
            tried=len({family_of(other) for other in self._met if other.kind == "hazard"}),
            extreme=self._extreme(family),
            beside=self._beside,
            elsewhere=self._elsewhere,
            heard_from=self._heard_from,
        )

    # --- our own words ----------------------------------------------------------------------------------------------

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """Names of the incident's alerts, its title and its services."""
        row = self.connection.execute(sa.select(INCIDENT.c.names).where(INCIDENT.c.id == self.incident.id)).first()
        return (*map(redact, row.names if row else ()), self.incident.title, *self.incident.services)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What people wrote, as corrected; what was withdrawn is not among it."""
        query = sa.select(ENTRY).where(ENTRY.c.incident_id == self.incident.id, ENTRY.c.kind.in_(_WORDS))
        live = standing(entry_of(row) for row in self.connection.execute(query.order_by(ENTRY.c.id)))
        said = [e.params.get("text" if e.kind == "note" else "note") for e in live.values() if _is_persons(e.actor)]
        return tuple(str(text) for text in said if text)[-MOST_ROWS:]

    @property
    def words(self) -> tuple[str, ...]:
        """Both: what decides by which lag a disturbance is weighed."""
        return (*self.signals, *self.notes)

    @cached_property
    def _changes(self) -> tuple[str, ...]:
        """Titles of changes at the incident's sites within the hour before its start."""
        earliest, latest = self._start
        query = sa.select(OCCURRENCE.c.title, OCCURRENCE.c.rest).where(
            OCCURRENCE.c.kind == "change",
            OCCURRENCE.c.test.is_(False),
            OCCURRENCE.c.starts_at.between(earliest - CHANGE_LEAD, latest),
        )
        rows = self.connection.execute(query.order_by(OCCURRENCE.c.starts_at.desc(), OCCURRENCE.c.id).limit(MOST_ROWS))
        matcher = SiteMatcher(self.sites)
        return tuple(redact(row.title) for row in rows if matcher.sites_of(row.rest["labels"]))

    @cached_property
    def _heard_from(self) -> frozenset[str]:
        members = current_members(self.incident.id).order_by(MEMBER.c.occurrence_id).limit(MOST_MEMBERS).subquery()
        query = sa.select(OCCURRENCE.c.source).where(OCCURRENCE.c.id.in_(sa.select(members.c.occurrence_id)))
        return frozenset(self.connection.execute(query.distinct()).scalars())

    @cached_property
    def _elsewhere(self) -> int:
        """How many other incidents began together with this one at sites out of one hazard's reach."""
        earliest, _ = self._start
        query = sa.select(INCIDENT.c.sites).where(
            INCIDENT.c.opened_at.between(earliest - TOGETHER, earliest + TOGETHER),
            INCIDENT.c.id != self.incident.id,
            INCIDENT.c.merged_into.is_(None),
            # A reason is read by everybody who sees this incident: what is private counts in none.
            INCIDENT.c.id.not_in(hidden_from(STRANGER)),
        )
        rows = self.connection.execute(query.order_by(INCIDENT.c.opened_at, INCIDENT.c.id).limit(MOST_ROWS)).scalars()
        return len({tuple(names) for names in rows if names and all(self._is_far(name) for name in names)})

    def _is_far(self, name: str) -> bool:
        other = self.config.site(name)
        return other is not None and all(
            distance_km(site.latitude, site.longitude, other.latitude, other.longitude) > FAR_KM for site in self.sites
        )

    # --- the record -------------------------------------------------------------------------------------------------

    def _rate(self, family: Family, seen: Occurrence) -> BaseRate | None:
        key = family, seen.severity.rank, seen.source
        if key not in self._rates:
            record = self._stretches.record(*key, but={other.id for other in self._met})
            self._rates[key] = base_rates.rate_of(record, self._start[0])
        return self._rates[key]

    @cached_property
    def _stretches(self) -> reach.Stretches:
        families = {family_of(seen) for seen in self._met}
        return reach.stretches(self.connection, self.sites, families, self._start[0])

    def _extreme(self, family: Family) -> Extreme | None:
        if family not in self._extremes:
            found = (
                reading_counts.extreme_of(self.connection, site, family, self._start, rows)
                for site, rows in self._readings
            )
            self._extremes[family] = next((extreme for extreme in found if extreme is not None), None)
        return self._extremes[family]

    @cached_property
    def _readings(self) -> list[tuple[Site, Sequence[Any]]]:
        """The readings around the start near each site; of many sites the first few stand for all."""
        return [(site, reading_counts.around(self.connection, site, *self._start)) for site in self.sites[:5]]


def _is_persons(actor: str) -> bool:
    return actor.startswith("user:")
