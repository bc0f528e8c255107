"""What was said of one occurrence, from its beginning: statements with their evidence, revisions, back-dated starts."""

from __future__ import annotations

import sqlalchemy as sa

from incidents import privacy, provider_lag
from incidents.adapters import adapters
from incidents.bulk import chunks
from incidents.config import Config
from incidents.deliveries import DELIVERY
from incidents.entries import ENTRY, INCIDENT, read_incidents
from incidents.model import Credit
from incidents.provider_lag import LedgerRow, ProviderLedger
from incidents.receipts import receipt_of
from incidents.records import said_of
from incidents.revisions import backdated, revisions
from incidents.statements import EVENT, SIGHTING, holds
from incidents.views.lists import titles_of
from incidents.views.view import OccurrenceView, Stated, Trace

STATEMENTS = 1000
"""Most statements that one view reads, the latest recorded first; the others are counted."""
INCIDENTS = 2000
"""Most incidents that a ledger reads, the latest first."""


def read_occurrence(connection: sa.Connection, config: Config, name: str) -> OccurrenceView | None:
    """The view of an occurrence, or None where nobody speaks of one of this id, or it is hidden from the asker."""
    occurrence = titles_of(connection, [name]).get(name)
    if occurrence is None or privacy.hidden_alerts(connection, [name]):
        return None
    # Those of one subject's several occurrences lie one after the other in the order said.
    within = EVENT.c.said_at.between(occurrence.first_said_at, occurrence.said_at)
    standing = (EVENT.c.subject == occurrence.subject) & within & holds()
    total = connection.execute(sa.select(sa.func.count()).select_from(EVENT).where(standing)).scalar() or 0
    repeats = sa.select(sa.func.count()).where(SIGHTING.c.event_id == EVENT.c.id).scalar_subquery()
    query = (
        sa.select(EVENT, DELIVERY.c.sha256, DELIVERY.c.size, repeats.label("repeats"))
        .outerjoin(DELIVERY, DELIVERY.c.id == EVENT.c.delivery_id)
        .where(standing)
        .order_by(EVENT.c.recorded_at.desc(), EVENT.c.id.desc())
        .limit(STATEMENTS)
    )
    stated = [
        Stated(
            said_of(row),
            Trace(
                event=row.id,
                delivery=receipt_of(row.delivery_id),
                adapter=row.adapter,
                sha256=row.sha256,
                size=row.size,
            ),
            row.repeats,
        )
        for row in connection.execute(query)
    ]
    stated.reverse()
    said = [one.said for one in stated]
    return OccurrenceView(
        occurrence=occurrence,
        statements=tuple(stated),
        left_out=total - len(stated),
        revisions=revisions(said),
        backdated=backdated(occurrence, said),
        credit=credit_of(config, occurrence.source),
    )


def credit_of(config: Config, source: str) -> Credit | None:
    """Whom to name for what a source says."""
    found = config.source(source)
    adapter = adapters().get(found.adapter) if found else None
    return adapter.credit if adapter else None


def read_ledgers(connection: sa.Connection) -> tuple[tuple[ProviderLedger, ...], bool]:
    """The lags of every provider over all incidents, and whether these were all.

    A link counts when a person confirmed or attributed it, or while it is proposed and weighs more than context.
    """
    # Asked of each incident in turn, so that the index on its entries finds its own: the log of all is long.
    proposed = sa.select(ENTRY.c.id).where(
        ENTRY.c.incident_id == INCIDENT.c.id,
        ENTRY.c.kind == "link_proposed",
        sa.cast(ENTRY.c.params, sa.Text).contains('"kind":"provider_incident"'),
    )
    query = sa.select(INCIDENT.c.id).where(INCIDENT.c.merged_into.is_(None), proposed.exists())
    names = list(
        connection.execute(
            query.order_by(INCIDENT.c.opened_at.desc(), INCIDENT.c.id.desc()).limit(INCIDENTS + 1)
        ).scalars()
    )
    rows: list[LedgerRow] = []
    for part in chunks(names[:INCIDENTS]):
        incidents = read_incidents(connection, part)
        theirs = titles_of(connection, sorted({link.id for one in incidents.values() for link in one.links}))
        rows += [
            LedgerRow(incident, seen, link.state, link.evidence.tier, provider_lag.lag(incident, seen))
            for incident in incidents.values()
            for link in incident.links
            if provider_lag.counts(link) and (seen := theirs.get(link.id)) and seen.kind == "provider_incident"
        ]
    return provider_lag.ledgers(rows), len(names) <= INCIDENTS
