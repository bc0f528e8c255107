"""Proposes links: finds occurrences and incidents that may meet, has them weighed, and records what is new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from incidents import fold, links, rules
from incidents.config import Config
from incidents.entries import INCIDENT, OCCURRENCE, Changes, Draft, read_incidents
from incidents.model import Evidence, Incident, Link, Occurrence
from incidents.records import occurrence_of

LINKED_KINDS = ("hazard", "provider_incident")
REACH = timedelta(days=3)
"""How long after its end an occurrence may still be weighed; `links` decides by mechanism."""
MOST = 500
"""Most candidates that one incident is weighed against, the latest first."""


class Linking:
    """Weighs incidents against the outside world within one transaction."""

    def __init__(self, config: Config, changes: Changes) -> None:
        self.config, self.changes, self.connection = config, changes, changes.connection

    def relink_incidents(self, incidents: Iterable[Incident]) -> None:
        """Weigh these incidents against every occurrence that may meet them."""
        for incident in incidents:
            if incident.sites and not incident.merged_into:
                signals = self._signals([incident.id])
                for found in self._candidates(incident):
                    self._weigh(incident, found, signals.get(incident.id, ()))

    def relink_occurrences(self, occurrences: Iterable[Occurrence]) -> None:
        """Weigh these hazards and provider incidents against every incident that they may meet."""
        for seen in occurrences:
            if seen.kind not in LINKED_KINDS or seen.test:
                continue
            names = self._met_by(seen)
            incidents, signals = read_incidents(self.connection, names), self._signals(names)
            for name in names:
                self._weigh(incidents[name], seen, signals.get(name, ()))

    def _candidates(self, incident: Incident) -> list[Occurrence]:
        since, until = rules.span_of(incident, self.changes.now)
        query = sa.select(OCCURRENCE).where(
            OCCURRENCE.c.kind.in_(LINKED_KINDS),
            OCCURRENCE.c.test.is_(False),
            OCCURRENCE.c.starts_at <= until,
            OCCURRENCE.c.ends_at.is_(None) | (OCCURRENCE.c.ends_at >= since - REACH),
        )
        rows = self.connection.execute(query.order_by(OCCURRENCE.c.starts_at.desc(), OCCURRENCE.c.id).limit(MOST))
        return [occurrence_of(row) for row in rows]

    def _met_by(self, seen: Occurrence) -> list[str]:
        query = sa.select(INCIDENT.c.id).where(
            INCIDENT.c.merged_into.is_(None),
            INCIDENT.c.resolved_at.is_(None) | (INCIDENT.c.resolved_at >= seen.starts_at),
        )
        if seen.ends_at is not None:
            query = query.where(INCIDENT.c.since <= seen.ends_at + REACH)
        rows = self.connection.execute(query.order_by(INCIDENT.c.since.desc(), INCIDENT.c.id).limit(MOST)).scalars()
        return sorted(rows)

    def _signals(self, names: Sequence[str]) -> dict[str, Sequence[str]]:
        rows = self.connection.execute(
            sa.select(INCIDENT.c.id, INCIDENT.c.names, INCIDENT.c.title).where(INCIDENT.c.id.in_(names))
        )
        return {row.id: [*row.names, row.title] for row in rows}

    def _weigh(self, incident: Incident, seen: Occurrence, signals: Sequence[str]) -> None:
        sites = [site for name in incident.sites if (site := self.config.site(name))]
        evidence = links.weigh(incident, sites, seen, signals=signals)
        was = next((link for link in incident.links if link.id == seen.id), None)
        if evidence is None or (was and not _differs(was, evidence)):
            return
        params: dict[str, Any] = {
            "occurrence": seen.id,
            "title": seen.title,
            "kind": seen.kind,
            **fold.evidence_params(evidence),
        }
        decision = None if was else f"{links.ACTOR}|{incident.id}|{seen.id}"
        self.changes.append(
            Draft(
                incident.id,
                "link_scored" if was else "link_proposed",
                params,
                links.ACTOR,
                self.changes.now,
                decision=decision,
            )
        )


def _differs(was: Link, evidence: Evidence) -> bool:
    return was.evidence.tier != evidence.tier or abs(was.evidence.score - evidence.score) >= 0.1
