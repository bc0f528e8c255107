"""Proposes links: finds occurrences and incidents that may meet, has them weighed, and records what is new."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from incidents import incident_fold
from incidents.config import Config
from incidents.entries import ENTRY, INCIDENT, Changes, Draft, read_incidents
from incidents.geography.outlines import distance_km
from incidents.linker import kernels, links, reach
from incidents.linker.kernels import EVER, HOUR, LONGEST_LAG
from incidents.linker.reading_counts import AROUND, NEAR_KM
from incidents.linker.surroundings import Surroundings
from incidents.model import Evidence, Incident, Link, Occurrence

MOST = 500
"""Most candidates that one incident is weighed against, the latest first."""
LONGEST_START = timedelta(days=7)
"""How wide the range of an incident's possible starts is taken to be at most when incidents are looked for."""
MOST_INCIDENTS = 2000
"""Most incidents that are looked through for those that a changed hazard may meet, the latest first."""


class Linking:
    """Weighs incidents against the outside world within one transaction."""

    def __init__(self, config: Config, changes: Changes) -> None:
        self.config, self.changes, self.connection = config, changes, changes.connection
        self._sites = {site.name: site for site in config.sites}

    def relink_incidents(self, incidents: Iterable[Incident]) -> None:
        """Weigh these incidents against every occurrence that may meet them, and append what changed."""
        for incident in incidents:
            if incident.sites and not incident.merged_into:
                weighed = self._weigh_all(incident)
                drafts = (self._draft(incident, seen, evidence) for seen, evidence in weighed)
                self.changes.append_decided([draft for draft in drafts if draft])

    def relink_occurrences(self, occurrences: Iterable[Occurrence]) -> None:
        """Weigh the incidents that these hazards and provider incidents may meet, each incident once.

        Given as they were and as they are now, a revised one is weighed anew where it no longer meets, too.
        """
        changed = [seen for seen in occurrences if seen.kind in reach.KINDS and not seen.test]
        if changed:
            self._relink(self._met_by(changed))

    def relink_readings(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Weigh the incidents anew that began nearby while these readings were taken."""
        if not rows:
            return
        since, until = min(row["at"] for row in rows) - AROUND, max(row["at"] for row in rows) + AROUND
        places = {(row["latitude"], row["longitude"]) for row in rows}
        near = {
            site.name
            for site in self.config.sites
            if any(distance_km(site.latitude, site.longitude, *at) <= NEAR_KM for at in places)
        }
        query = sa.select(INCIDENT.c.id, INCIDENT.c.sites).where(
            INCIDENT.c.merged_into.is_(None), INCIDENT.c.since.between(since - LONGEST_START, until)
        )
        names = [row.id for row in self.connection.execute(query.limit(MOST_INCIDENTS)) if near & set(row.sites)]
        found = read_incidents(self.connection, names)
        starts = {name: kernels.start_of(incident) for name, incident in found.items()}
        self.relink_incidents(
            [found[name] for name in sorted(found) if starts[name][0] <= until and starts[name][1] >= since]
        )

    def lapse(self, gone: Sequence[Occurrence]) -> None:
        """Let the rule's links with occurrences lapse that nobody speaks of any more."""
        drafts = []
        for seen in gone:
            if seen.kind not in reach.KINDS:
                continue
            names = sa.select(ENTRY.c.incident_id).where(
                ENTRY.c.kind == "link_proposed", ENTRY.c.occurrence_id == seen.id
            )
            for incident in read_incidents(
                self.connection, sorted(set(self.connection.execute(names).scalars()))
            ).values():
                was = next((link for link in incident.links if link.id == seen.id), None)
                if was:
                    drafts.append(self._draft(incident, seen, links.unmet(was.evidence)))
        self.changes.append_decided([draft for draft in drafts if draft])

    def _relink(self, names: Sequence[str]) -> None:
        found = read_incidents(self.connection, names)
        self.relink_incidents([found[name] for name in sorted(found)])

    # --- finding ----------------------------------------------------------------------------------------------------

    def _met_by(self, changed: Sequence[Occurrence]) -> list[str]:
        """Incidents at sites that these may reach, which were on while they lasted or within their lag."""
        index = reach.SiteIndex(self.config.sites)
        by_site: dict[str, list[Occurrence]] = defaultdict(list)
        for seen in changed:
            for site in index.may_meet(seen):
                by_site[site.name].append(seen)
        if not by_site:
            return []
        since = min(seen.starts_at for seen in changed) - HOUR
        until = max(kernels.later(kernels.end_of(seen), LONGEST_LAG) for seen in changed)
        query = sa.select(INCIDENT.c.id, INCIDENT.c.sites, INCIDENT.c.since, INCIDENT.c.resolved_at).where(
            INCIDENT.c.merged_into.is_(None), INCIDENT.c.resolved_at.is_(None) | (INCIDENT.c.resolved_at >= since)
        )
        if until < EVER:
            query = query.where(INCIDENT.c.since <= until)
        rows = self.connection.execute(query.order_by(INCIDENT.c.since.desc(), INCIDENT.c.id).limit(MOST_INCIDENTS))
        return sorted(
            row.id for row in rows if any(_touch(row, seen) for s in row.sites for seen in by_site.get(s, ()))
        )

    def _candidates(self, incident: Incident, around: Surroundings) -> list[Occurrence]:
        """What may meet the incident by place and time, and what its rule links are with, wherever that is by now."""
        earliest, latest = kernels.start_of(incident)
        since = min(incident.opened_at, earliest) - LONGEST_LAG
        found = reach.near(self.connection, around.sites, since, kernels.latest_start(latest), most=MOST)
        linked = {link.id for link in incident.links if _is_by_rule(link)} - {seen.id for seen in found}
        return found + reach.read(self.connection, sorted(linked))

    def _weigh_all(self, incident: Incident) -> list[tuple[Occurrence, Evidence]]:
        """The evidence of everything that meets the incident; of a rule's link that no longer does, that it lapsed."""
        around = Surroundings(self.connection, self.config, incident)
        candidates = self._candidates(incident, around)
        met = [seen for seen in candidates if links.meets(incident, around.sites, seen, around.words)]
        around.meet(met)
        found = [
            (seen, evidence)
            for seen in met
            if (evidence := links.weigh(incident, around.sites, seen, around.known_of(seen))) is not None
        ]
        own = {link.id: link for link in incident.links}
        weighed = {seen.id for seen, _ in found}
        return found + [
            (seen, links.unmet(own[seen.id].evidence))
            for seen in candidates
            if seen.id in own and seen.id not in weighed
        ]

    # --- recording --------------------------------------------------------------------------------------------------

    def _draft(self, incident: Incident, seen: Occurrence, evidence: Evidence) -> Draft | None:
        """What is worth recording of a weighing; None where nothing of it is new."""
        was = next((link for link in incident.links if link.id == seen.id), None)
        if was and (not _is_by_rule(was) or not links.differs(was.evidence, evidence)):
            return None
        told = incident_fold.evidence_params(evidence)
        params: dict[str, Any] = {"occurrence": seen.id, "title": seen.title, "kind": seen.kind, **told}
        decision = f"{links.ACTOR}|{incident.id}|{seen.id}"
        if was:
            # With the version: what was scored once may be scored so again, after it had been scored otherwise.
            decision += f"|{incident.version}|{hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()[:16]}"
        kind = "link_scored" if was else "link_proposed"
        return Draft(incident.id, kind, params, links.ACTOR, self.changes.now, decision=decision)


def _touch(row: Any, seen: Occurrence) -> bool:  # noqa: ANN401  # a row of an incident's span
    """Whether an occurrence may meet an incident in time; of one that has long been open only the start counts."""
    if seen.starts_at > kernels.latest_start(row.since + LONGEST_START) or row.since > kernels.later(
        kernels.end_of(seen), LONGEST_LAG
    ):
        return False
    return row.resolved_at is None or row.resolved_at >= seen.starts_at - HOUR


def _is_by_rule(link: Link) -> bool:
    return link.proposed_by.startswith("rule:")
