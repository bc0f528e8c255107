"""The rules' clock: marks incidents mitigated and resolved when quiet has lasted long enough."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from incidents import entries, rules
from incidents.config import Config
from incidents.entries import ENTRY, INCIDENT, Changes
from incidents.linker.linking import Linking
from incidents.pulses import pulse
from incidents.store import Store

MOST = 200
"""Most incidents settled in one transaction."""


def settle_due(store: Store, config: Config, now: datetime, *, virtual: bool = False) -> int:
    """Settle every incident that is due by `now`; how many decisions were taken.

    In virtual time each decision is recorded at the instant at which it fell due, as it would have been live; what
    late words made due is recorded with the last of them.
    """
    taken = 0
    while True:
        with store.reading() as connection:
            due = connection.execute(sa.select(sa.func.min(INCIDENT.c.due_at)).where(INCIDENT.c.due_at <= now)).scalar()
            spoken = connection.execute(sa.select(sa.func.max(ENTRY.c.recorded_at))).scalar() if virtual else None
        if due is None:
            return taken
        taken += _settle_some(store, config, min(now, max(due, spoken)) if spoken else now, now)


def _settle_some(store: Store, config: Config, by: datetime, now: datetime) -> int:
    with store.writing() as connection:
        rows = connection.execute(
            sa.select(INCIDENT.c.id, INCIDENT.c.group_key)
            .where(INCIDENT.c.due_at <= by)
            .order_by(INCIDENT.c.due_at)
            .limit(MOST)
        ).all()
        store.lock(connection, [f"group:{row.group_key}" for row in rows])
        store.lock(connection, ["linking"])
        changes = Changes(store, connection, by, destinations=config.destinations)
        names = [row.id for row in rows]
        found = entries.read_incidents(connection, names)
        stuck = []
        for name in names:
            settling = rules.settle(found[name], by, by_rule=False)
            if settling is None:
                changes.recounts.add(name)
            elif not entries.append_status(changes, found[name], settling):
                stuck.append(name)
        folded = changes.settle()
        # A decision that was taken once and then withdrawn is not taken again: a person has the last word.
        connection.execute(sa.update(INCIDENT).where(INCIDENT.c.id.in_(stuck)).values(due_at=None))
        Linking(config, changes).relink_incidents([i for i in folded.values() if i.status == "resolved"])
        folded |= changes.settle()
        pulse(store, connection, {f"incident:{name}" for name in folded}, min(by, now))
    return len(names)
