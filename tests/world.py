"""A world in virtual time: what monitors, the sky and people do at each moment, played through the real store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
import sqlalchemy as sa

from dashboards import sentences
from incidents import deliveries, instants
from incidents.acts import Acting
from incidents.adapters import Adapter, adapters
from incidents.config import Config, config_of
from incidents.deliveries import Arrival
from incidents.entries import INCIDENT, OCCURRENCE, Changes, current_members, everything, read_incident
from incidents.grouping import GROUP
from incidents.ingest import Ingest
from incidents.model import Entry, Incident
from incidents.rebuild import rebuild, state_digest
from incidents.settling import settle_due
from incidents.statements import EVENT
from incidents.store import Store
from incidents.tables import METADATA
from incidents.views import lists
from incidents.views.incident_view import Asked, gather
from incidents.views.view import IncidentView
from tests import databases

T = TypeVar("T")

DAY = datetime(2026, 3, 2, tzinfo=UTC)
"""The day that a clock time such as "10:00" is on; "+1 10:00" is on the next one."""

SITES = [
    {
        "name": "smf",
        "title": "Sacramento",
        "latitude": 38.64,
        "longitude": -121.52,
        "timezone": "UTC",
        "provider_regions": ["aws:us-west-1"],
        "zones": ["CAC067"],
        "grid_area": "BANC",
        "match": [{"label": "datacenter", "value": "smf*"}, {"label": "region", "value": "us-west-1"}],
    },
    {
        "name": "iad",
        "title": "Ashburn",
        "latitude": 39.04,
        "longitude": -77.49,
        "timezone": "UTC",
        "zones": ["VAC107"],
        "match": [{"label": "datacenter", "value": "iad*"}],
    },
]
SOURCES = [
    {"name": "am", "adapter": "alertmanager"},
    {"name": "am-2", "adapter": "alertmanager"},
    {"name": "sky", "adapter": "generic"},
    {"name": "any", "adapter": "generic"},
]


def config(*rules: Mapping[str, Any], sites: Sequence[Mapping[str, Any]] = SITES) -> Config:
    """Two sites, two Alertmanagers and two senders of our own JSON; the default rules where none are given."""
    return config_of({"sites": list(sites), "sources": SOURCES, "rules": list(rules)}, adapters())


TWO_SITES = config()


def instant(clock: str) -> datetime:
    """The instant of "10:00" or "10:00:30" on `DAY`, or of "+2 10:00" two days later."""
    days, _, time = clock.rpartition(" ")
    hours, minutes, *seconds = (int(part) for part in time.split(":"))
    return DAY + timedelta(days=int(days or 0), hours=hours, minutes=minutes, seconds=seconds[0] if seconds else 0)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of a payload. `since` None is the moment of sending, or of its last firing where it is resolved."""

    instance: str
    severity: str
    name: str
    labels: Mapping[str, str]
    since: str | None
    until: str | None
    is_resolved: bool
    says: str | None = None


def firing(
    instance: str,
    severity: str = "critical",
    *,
    name: str = "Down",
    site: str | None = "smf",
    since: str | None = None,
    says: str | None = None,
    **labels: str,
) -> Alert:
    """An alert that fires at one site (None: at no site), since now or since a clock time, perhaps in other words."""
    return Alert(instance, severity, name, _labels(site, labels), since, None, is_resolved=False, says=says)


def resolved(
    instance: str,
    severity: str = "critical",
    *,
    name: str = "Down",
    site: str | None = "smf",
    since: str | None = None,
    until: str | None = None,
    says: str | None = None,
    **labels: str,
) -> Alert:
    """The end of an alert: of the one that fired last, or of the one that began at `since`."""
    return Alert(instance, severity, name, _labels(site, labels), since, until, is_resolved=True, says=says)


def _labels(site: str | None, labels: Mapping[str, str]) -> dict[str, str]:
    return {**({"datacenter": f"{site}-1"} if site else {}), **labels}


@dataclass(slots=True)
class World:
    """The clock goes forward with `at`; everything else happens at that moment."""

    store: Store
    config: Config = TWO_SITES
    adapters: Mapping[str, Adapter] = field(default_factory=adapters)
    now: datetime = DAY
    _starts: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _deliveries: int = 0

    def at(self, clock: str) -> World:
        """Let time go on until then; the rules' clock strikes on the way."""
        return self.go_on(instant(clock) - self.now)

    def go_on(self, length: timedelta) -> World:
        """Let this much time go by; the rules' clock strikes on the way."""
        assert length >= timedelta(0), "time goes forward"
        self.now += length
        settle_due(self.store, self.config, self.now, virtual=True)
        return self

    # --- what is sent -----------------------------------------------------------------------------------------------

    def alertmanager(self, *alerts: Alert, source: str = "am", group: str = "g") -> World:
        """One notification of an Alertmanager, read at once."""
        return self.send(source, self.notification(*alerts, group=group))

    def notification(self, *alerts: Alert, group: str = "g") -> dict[str, Any]:
        """The body of a notification, as Alertmanager would write it now."""
        written = [self._written(alert) for alert in alerts]
        return {
            "version": "4",
            "groupKey": f'{{}}:{{group="{group}"}}',
            "status": "firing" if any(a["status"] == "firing" for a in written) else "resolved",
            "receiver": "barograph",
            "alerts": written,
        }

    def _written(self, alert: Alert) -> dict[str, Any]:
        labels = {"alertname": alert.name, "instance": alert.instance, "severity": alert.severity, **alert.labels}
        which = alert.name, f"{alert.instance} {alert.labels.get('datacenter')}"
        starts_at = instant(alert.since) if alert.since else self.now
        if alert.is_resolved and not alert.since:
            starts_at = self._starts[which]
        self._starts[which] = starts_at
        ends_at = instant(alert.until) if alert.until else self.now
        return {
            "status": "resolved" if alert.is_resolved else "firing",
            "labels": labels,
            "annotations": {"summary": alert.says or f"{alert.instance} is {alert.name.lower()}"},
            "startsAt": instants.text(starts_at),
            "endsAt": instants.text(ends_at) if alert.is_resolved else "0001-01-01T00:00:00Z",
        }

    def hazard(self, title: str, *, since: str, until: str | None = None, **fields: Any) -> World:
        """A warning of the outside world: `zones`, `grid_areas`, `severity` and what else the generic adapter reads."""
        body = {"kind": "hazard", "key": title, "title": title, "event": title, "status": "firing", **fields}
        body |= {"starts_at": instants.text(instant(since)), "said_at": instants.text(self.now)}
        return self.send("sky", body | ({"ends_expected": instants.text(instant(until))} if until else {}))

    def send(self, source: str, body: object) -> World:
        """One delivery with this body, received now and read at once."""
        self.deliver(source, body)
        return self.work()

    def deliver(self, source: str, body: object, *, received_at: datetime | None = None) -> int:
        """Put a delivery into the log and leave it unread; its id. Ids follow the order of arrival."""
        self._deliveries += 1
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        arrival = Arrival(self._deliveries, source, received_at or self.now, {}, raw)
        with self.store.intake() as connection:
            deliveries.append(connection, [arrival])
        return self._deliveries

    def work(self, most: int = 64) -> World:
        """Read all that waits, at most so many deliveries in one transaction."""
        ingest = Ingest(self.store, self.adapters)
        while ingest.work(self.config, self.now, most=most):
            pass
        return self

    def reread(self, adapters_: Mapping[str, Adapter], *, most: int = 64) -> World:
        """Read again what older versions of these adapters have read, as a new release would at its start."""
        self.adapters = adapters_
        with self.store.writing() as connection:
            deliveries.queue_older(connection, {a.name: a.version for a in adapters_.values()})
        return self.work(most)

    # --- what people do ---------------------------------------------------------------------------------------------

    def act(self, deed: Callable[[Acting], T], who: str = "alice") -> T:
        """Somebody does something in a transaction of its own."""
        with self.store.writing() as connection:
            changes = Changes(self.store, connection, self.now, destinations=self.config.destinations)
            return deed(Acting(self.config, changes, f"user:{who}"))

    def status(self, status: str, happened_at: str | None = None, incident: str | None = None) -> World:
        """Somebody sets the status, now or as of an earlier moment."""
        fields = {"status": status} | ({"happened_at": instants.text(instant(happened_at))} if happened_at else {})
        self.act(lambda acting: acting.status(incident or self.only().id, fields))
        return self

    # --- what is seen -----------------------------------------------------------------------------------------------

    def incidents(self) -> list[Incident]:
        """All incidents, merged ones too, in the order in which they opened."""
        with self.store.reading() as connection:
            found = lists.list_incidents(connection, lists.IncidentFilter(merged=True), 500)
            whole = [read_incident(connection, one.id) for one in reversed(found)]
        return [one for one in whole if one is not None]

    def only(self) -> Incident:
        """The one incident that there is."""
        (found,) = self.incidents()
        return found

    def log(self, incident: str | None = None) -> list[Entry]:
        """All entries of an incident, in the order of the log."""
        with self.store.reading() as connection:
            return everything(connection, incident or self.only().id)

    def members(self, incident: str | None = None) -> list[str]:
        """Which alerts belong to an incident now, by their instances, sorted."""
        with self.store.reading() as connection:
            query = sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(current_members(incident or self.only().id)))
            return sorted(str(row.rest["labels"].get("instance", row.title)) for row in connection.execute(query))

    def alert(self, instance: str) -> str:
        """The id of the alert of this instance."""
        (found,) = (row.id for row in self.occurrences() if row.rest["labels"].get("instance") == instance)
        return str(found)

    def occurrences(self) -> list[Any]:
        """The rows of the cache, by id."""
        with self.store.reading() as connection:
            return list(connection.execute(sa.select(OCCURRENCE).order_by(OCCURRENCE.c.id)))

    def statements(self) -> int:
        """How many statements the log of events holds."""
        with self.store.reading() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(EVENT)).scalar_one()

    def view(self, incident: str | None = None, *, as_of: str | None = None) -> IncidentView:
        """An incident as a page would show it."""
        asked = Asked(self.now, as_of=instant(as_of) if as_of else None)
        with self.store.reading() as connection:
            found = gather(connection, self.config, incident or self.only().id, asked, sentences.sentence)
        assert found is not None
        return found

    def timeline(self, incident: str | None = None, *, as_of: str | None = None) -> str:
        """What a person would read, one line each: when, what, who where it was a person or a rule."""
        lines = self.view(incident, as_of=as_of).lines
        return "\n" + "".join(
            f"{moment_text(line.happened_at, line.happened_until)} {line.text}"
            + (f" [{line.actor}]" if line.actor.startswith(("user:", "rule:")) else "")
            + ("".join(f" ({mark})" for mark in ("late", "corrected") if getattr(line, mark)))
            + "\n"
            for line in lines
        )

    def digest(self) -> str:
        """The state of the caches."""
        with self.store.reading() as connection:
            return state_digest(connection)

    def rebuilt(self) -> str:
        """The state of the caches after they were dropped and folded again from the logs."""
        rebuild(self.store, self.config, self.now)
        return self.digest()

    def cached(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of all caches but for marks, for a readable difference where digests differ."""
        with self.store.reading() as connection:
            return {
                table.name: [
                    {name: value for name, value in row._mapping.items() if name != "mark"}
                    for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
                ]
                for table in (OCCURRENCE, GROUP, INCIDENT)
            }


def moment_text(at: datetime, until: datetime | None = None) -> str:
    """10:00, +1 10:00 on the next day, 10:00-11:00 for a range."""
    days = (at - DAY).days
    text = f"{f'+{days} ' if days else ''}{at:%H:%M}"
    return f"{text}-{moment_text(until)}" if until else text


def kept(request: pytest.FixtureRequest, folder: Path) -> Iterator[Store]:
    """A migrated store for all tests of a module, of the backend that `request` names: empty it before each."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{folder / 'barograph.db'}"
            databases.migrate(url)
        else:
            cluster: databases.Cluster = request.getfixturevalue("postgresql_cluster")
            name = cluster.make(databases.MIGRATED)
            stack.callback(cluster.drop, name)
            url = cluster.url(name)
        yield stack.enter_context(closing(Store(url)))


def emptied(store: Store) -> Store:
    """The store without a row, for the next test or the next example of a generated one."""
    with store.writing() as connection:
        for table in reversed(METADATA.sorted_tables):
            if table.name != "audit":  # which the database refuses to edit; no world looks at it
                connection.execute(sa.delete(table))
    return store
