"""Which alerts belong together: puts changed alerts into groups, joins them to incidents, opens new ones by rule."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import rules
from incidents.bulk import insert, insert_many, listed
from incidents.config import Config
from incidents.entries import INCIDENT, MEMBER, OCCURRENCE, Changes, Draft, name_base
from incidents.geography.places import SiteMatcher
from incidents.model import Lane, Occurrence
from incidents.records import occurrence_of
from incidents.tables import AlertGroupRow, micros

GROUP = AlertGroupRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
STILL_ON = (1 << 63) - 1
"""Where an alert that is on ends, in `alert_group`."""
ABSORBED = 20_000
"""Most alerts that one opening takes in at once; the rest join with the next statement about them."""


@dataclass(frozen=True, slots=True)
class Change:
    """One occurrence before and after a transaction's fold; `was` is None for a new one."""

    was: Occurrence | None
    now: Occurrence
    lane: Lane
    """Where `now` is drawn; found once, as words of a new alert take a while to search."""


def _is_grouped(seen: Occurrence) -> bool:
    """Whether rules look at it."""
    return seen.kind == "alert" and not seen.test


def groups_of(alert: Occurrence, matcher: SiteMatcher, kinds: Iterable[str]) -> tuple[str, ...]:
    """The keys of the groups that rules look at an alert in: its sites, else the sender's own group."""
    sites = matcher.sites_of(alert.labels)
    own = _own_group(alert)
    found = [f"site:{name}" for name in sites] if "site" in kinds and sites else []
    if not found or "group" in kinds:
        found.append(own)
    return tuple(dict.fromkeys(found))


def _own_group(alert: Occurrence) -> str:
    name = alert.group or alert.labels.get("service") or alert.labels.get("alertname") or alert.title
    if len(name) > 160:
        name = f"{name[:120]}…{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return f"source:{alert.source}:{name}"


class Grouping:
    """Applies the rules of one configuration to the alerts that a transaction changed."""

    def __init__(self, config: Config, changes: Changes, *, story: str | None = None) -> None:
        self.config, self.changes, self.story = config, changes, story
        self.connection, self.now = changes.connection, changes.now
        self._matcher = SiteMatcher(config.sites)
        self._kinds = {rule.group_by for rule in config.rules}
        self._sited: set[str] = set()

    def apply(self, changed: Sequence[Change]) -> None:
        """Join, open and absorb for these alerts. Locks their groups until the transaction ends."""
        self._leave_groups(changed)
        alerts = [c for c in changed if _is_grouped(c.now)]
        keys = {c.now.id: groups_of(c.now, self._matcher, self._kinds) for c in alerts}
        by_group: dict[str, list[Change]] = defaultdict(list)
        for change in alerts:
            for key in keys[change.now.id]:
                by_group[key].append(change)
        self._sited = {name for name, found in keys.items() if found[0].startswith("site:")}
        self.changes.store.lock(self.connection, [f"group:{key}" for key in by_group])
        if alerts:
            self._write_groups(alerts, keys)
        # All of them: what was an alert once and joined is counted still, and what comes back had its place.
        bonds = self._bonds([c.now.id for c in changed])
        self._move(changed, bonds)
        for key in sorted(by_group):
            self._apply_group(key, by_group[key], bonds)

    def _leave_groups(self, changed: Sequence[Change]) -> None:
        """Take alerts out of groups that they were in and are no more, as their labels, group or kind changed."""
        for change in changed:
            if change.was is None or not _is_grouped(change.was):
                continue
            left = set(groups_of(change.was, self._matcher, self._kinds))
            if _is_grouped(change.now):
                left -= set(groups_of(change.now, self._matcher, self._kinds))
            if left:
                self.connection.execute(
                    sa.delete(GROUP).where(GROUP.c.occurrence_id == change.now.id, GROUP.c.group_key.in_(sorted(left)))
                )

    def _write_groups(self, alerts: Sequence[Change], keys: dict[str, tuple[str, ...]]) -> None:
        rows = [
            {
                "group_key": key,
                "occurrence_id": c.now.id,
                "starts_at": micros(c.now.starts_at),
                "ends_at": STILL_ON if c.now.ends_at is None else micros(c.now.ends_at),
                "severity": c.now.severity.rank,
                "lane": c.lane,
            }
            for c in alerts
            for key in keys[c.now.id]
        ]
        statement = insert(self.connection, GROUP)
        fresh = [row for row, c in zip(rows, (c for c in alerts for _ in keys[c.now.id]), strict=True) if c.was is None]
        if len(fresh) == len(rows):
            insert_many(self.connection, GROUP, rows)
            return
        new = {name: statement.excluded[name] for name in ("starts_at", "ends_at", "severity", "lane")}
        self.connection.execute(
            statement.on_conflict_do_update(index_elements=["group_key", "occurrence_id"], set_=new), rows
        )

    def _bonds(self, alerts: Sequence[str]) -> dict[str, dict[str, bool]]:
        """By alert, the incidents it is bound to: True where it is a member, False where it was taken out."""
        found: dict[str, dict[str, bool]] = defaultdict(dict)
        asked = listed(self.connection, alerts)
        query = sa.select(MEMBER).select_from(asked.join(MEMBER, MEMBER.c.occurrence_id == asked.c.a))
        for row in self.connection.execute(query.order_by(MEMBER.c.entry_id)):
            found[row.occurrence_id][row.incident_id] = row.joined
        return found

    def _move(self, alerts: Sequence[Change], bonds: dict[str, dict[str, bool]]) -> None:
        for change in alerts:
            for incident, joined in bonds.get(change.now.id, {}).items():
                if joined and change.was is None:
                    self.changes.recounts.add(incident)
                elif joined and change.was is not None:
                    self.changes.moved[incident].append((change.was, change.now))

    def _apply_group(self, key: str, changed: Sequence[Change], bonds: dict[str, dict[str, bool]]) -> None:
        alerts = sorted((c.now for c in changed), key=lambda a: (a.starts_at, a.id))
        spans = self._spans(key, alerts)
        names = {name for name, _, _ in spans}
        begins = {name: since for name, since, _ in spans}
        joining: dict[str, list[Occurrence]] = defaultdict(list)
        loose = []
        for alert in alerts:
            bound = bonds.get(alert.id, {})
            if names & set(bound):
                continue
            home = next((name for name, since, until in spans if rules.meets(alert, since, until)), None)
            if home:
                joining[home].append(alert)
            elif not any(bound.values()):
                loose.append(alert)
        for home, joined in joining.items():
            self.changes.join(home, joined, rules.MEMBER_ACTOR)
            earliest = min(a.starts_at for a in joined)
            if earliest - rules.LEAD < begins[home]:
                self._absorb(key, home, earliest, before=begins[home])
        if loose:
            self._open(key, loose)

    def _spans(self, key: str, alerts: Sequence[Occurrence]) -> list[tuple[str, datetime, datetime]]:
        """Incidents of a group that these alerts may meet, the unresolved first, then the latest."""
        least = min(a.starts_at for a in alerts)
        query = sa.select(INCIDENT.c.id, INCIDENT.c.since, INCIDENT.c.resolved_at, INCIDENT.c.merged_into).where(
            INCIDENT.c.group_key == key
        )
        if all(a.ends_at is not None for a in alerts):
            query = query.where(INCIDENT.c.since <= max(a.ends_at for a in alerts if a.ends_at))
        query = query.where(INCIDENT.c.resolved_at.is_(None) | (INCIDENT.c.resolved_at >= least))
        rows = self.connection.execute(
            query.order_by(INCIDENT.c.resolved_at.is_(None).desc(), INCIDENT.c.since.desc()).limit(200)
        ).all()
        far = max([self.now, *(a.starts_at for a in alerts)])
        homes = self._homes([row.id for row in rows if row.merged_into])
        return [(homes.get(row.id, row.id), row.since, row.resolved_at or far) for row in rows]

    def _homes(self, merged: Sequence[str]) -> dict[str, str]:
        """Where the alerts of merged incidents go: by incident, the one at the end of its chain of merges."""
        into: dict[str, str] = {}
        wanted = set(merged)
        while wanted:
            query = sa.select(INCIDENT.c.id, INCIDENT.c.merged_into).where(
                INCIDENT.c.id.in_(sorted(wanted)), INCIDENT.c.merged_into.is_not(None)
            )
            found = {row.id: row.merged_into for row in self.connection.execute(query)}
            into |= found
            wanted = set(found.values()) - set(into)
        return {name: _last(into, name) for name in merged}

    def _open(self, key: str, loose: list[Occurrence]) -> None:
        own = key.startswith("source:")
        sited = any(a.id in self._sited for a in loose)
        usable = [r for r in self.config.rules if (own if r.group_by == "group" else not (own and sited))]
        pool = {a.id: a for a in loose}
        pool.update({a.id: a for a in self._neighbours(key, loose, usable)})
        while opening := rules.find_opening(list(pool.values()), usable):
            incident = self._open_at(key, opening)
            if incident is None:
                pool.pop(opening.anchor.id)
                continue
            taken = self._absorb(key, incident, opening.anchor.starts_at)
            for alert in taken:
                pool.pop(alert, None)
            pool.pop(opening.anchor.id, None)

    def _neighbours(self, key: str, loose: Sequence[Occurrence], usable: Sequence[Any]) -> list[Occurrence]:
        """Alerts of the group in no incident that began close enough to these to be counted with them."""
        counting = [r.within_seconds for r in usable if r.count is not None]
        if not counting:
            return []
        within = timedelta(seconds=max(counting))
        first, last = min(a.starts_at for a in loose) - within, max(a.starts_at for a in loose) + within
        query = (
            sa.select(OCCURRENCE)
            .join(GROUP, GROUP.c.occurrence_id == OCCURRENCE.c.id)
            .where(GROUP.c.group_key == key, GROUP.c.starts_at.between(micros(first), micros(last)), _free(key))
        )
        return [occurrence_of(row) for row in self.connection.execute(query.limit(ABSORBED))]

    def _open_at(self, key: str, opening: rules.Opening) -> str | None:
        anchor, rule = opening.anchor, opening.rule
        sites = [key.removeprefix("site:")] if key.startswith("site:") else []
        site = self.config.site(sites[0]) if sites else None
        params = {
            "title": f"{site.title}: {anchor.title}" if site else anchor.title,
            "severity": anchor.severity.value,
            "group": key,
            "sites": sites,
            "rule": rule.actor.removeprefix("rule:"),
            "reason": opening.reason,
            "alert": anchor.id,
            **({"story": self.story} if self.story else {}),
        }
        draft = Draft("", "opened", params, rule.actor, anchor.starts_at, decision=f"{rule.actor}|{key}|{anchor.id}")
        # What opens is weighed against the outside world later on; that lock comes before the one on names.
        self.changes.store.lock(self.connection, ["linking"])
        return self.changes.open(draft, name_base(anchor.starts_at, key, sites))

    def _absorb(self, key: str, incident: str, since: datetime, *, before: datetime | None = None) -> set[str]:
        """Join the group's free alerts that meet the span, which grows with each precursor; their ids.

        `before` is where the span began so far: alerts that ended later have joined already.
        """
        taken: set[str] = set()
        while True:
            query = (
                sa.select(OCCURRENCE)
                .join(GROUP, GROUP.c.occurrence_id == OCCURRENCE.c.id)
                .where(
                    GROUP.c.group_key == key,
                    GROUP.c.ends_at >= micros(since - rules.LEAD),
                    GROUP.c.starts_at <= micros(max(self.now, since)),
                    _free(key),
                )
            )
            if before is not None:
                query = query.where(GROUP.c.ends_at < micros(before))
            found = [occurrence_of(row) for row in self.connection.execute(query.limit(ABSORBED))]
            if not found:
                return taken
            self.changes.join(incident, found, rules.MEMBER_ACTOR)
            taken |= {a.id for a in found}
            since, before = min(since, *(a.starts_at for a in found)), since - rules.LEAD


def _last(into: Mapping[str, str], name: str) -> str:
    """The end of a chain; where it runs in a ring, as two merges at once could once make it, the name itself."""
    passed = [name]
    while (following := into.get(passed[-1])) is not None:
        if following in passed:
            return name
        passed.append(following)
    return passed[-1]


def _free(key: str) -> sa.ColumnElement[bool]:
    """Alerts that no entry ever joined to an incident of this group, or took out of one."""
    return ~sa.exists().where(
        MEMBER.c.occurrence_id == OCCURRENCE.c.id, MEMBER.c.incident_id == INCIDENT.c.id, INCIDENT.c.group_key == key
    )
