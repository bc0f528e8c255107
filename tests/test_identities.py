"""What must be there once is so by the database itself, whatever the code before it does."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
import sqlalchemy.exc

from incidents import months
from incidents.deliveries import DELIVERY
from incidents.entries import ENTRY
from incidents.receipts import first_id
from incidents.statements import EVENT, READING
from incidents.store import Store
from service import clock

NOW = clock.now()
ROWS: dict[str, tuple[Any, dict[str, Any]]] = {
    "a delivery, by its id": (
        DELIVERY,
        {"id": first_id(NOW), "source": "am", "received_at": NOW, "headers": {}, "encoding": "", "body": b"",
         "size": 0, "sha256": ""},
    ),
    "a statement, by its subject and words": (
        EVENT,
        {"subject": "s", "digest": "d", "source": "am", "said_at": NOW, "recorded_at": NOW, "delivery_id": 1,
         "adapter": "a@1", "statement": "{}"},
    ),
    "a reading, by what it says": (
        READING,
        {"digest": "d", "source": "am", "variable": "v", "at": NOW, "value": 1.0, "latitude": 1.0, "longitude": 1.0,
         "provisional": False, "basis": "b", "recorded_at": NOW, "delivery_id": 1},
    ),
    "a rule's decision, by its name": (
        ENTRY,
        {"incident_id": "i", "kind": "note", "params": {}, "actor": "rule:a@1", "happened_at": NOW, "recorded_at": NOW,
         "decision": "d"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("table", "row"), ROWS.values(), ids=ROWS)
def test_it_is_there_once(store: Store, table: Any, row: dict[str, Any]) -> None:
    months.make_ahead(store, NOW)
    with store.writing() as connection:
        connection.execute(sa.insert(table).values(row))
    with pytest.raises(sqlalchemy.exc.IntegrityError), store.writing() as connection:
        connection.execute(sa.insert(table).values(row))
