"""Pulses: one row for each commit that changed something, by which streams learn of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from incidents.store import Store
from incidents.tables import PulseRow

PULSE = PulseRow.__table__  # type: ignore[attr-defined]
CHANNEL = "barograph_pulse"
"""Where PostgreSQL tells every process that a pulse was committed."""


def pulse(store: Store, connection: sa.Connection, topics: Iterable[str], now: datetime) -> None:
    """Tell streams what changed. Taken last, the lock makes the ids of pulses grow in commit order."""
    names = sorted(topics)
    store.lock(connection, ["pulse"])
    shown = names if len(names) <= 50 else [n for n in names if not n.startswith("incident:")] + ["incidents"]
    connection.execute(sa.insert(PULSE).values(recorded_at=now, topics=shown))
    if not store.is_sqlite:
        connection.exec_driver_sql(f"NOTIFY {CHANNEL}")
