"""The ingest keys that a configuration file gives: the one in force, its predecessors revoked."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from incidents import audit
from incidents.config import ConfigError
from incidents.configured import Step
from service import clock
from service.identity.access import KEY, digest, write_key


def plan(connection: sa.Connection, source: str, key: str) -> list[Step]:
    """What giving this key to a source does beyond keeping it. Raises ConfigError for one that is somebody else's."""
    row = _row(connection, key)
    if row is not None and (row.kind != "ingest" or (row.owner != "file" and row.revoked_at is None)):
        raise ConfigError(f"sources {source}: key: is in use as another key, {row.id}; give the source its own")
    steps = []
    if _was_revoked_by_hand(row):
        steps.append(Step("revoked", "key", source, "revoked by hand, and stays so; give the source another key"))
    if former := connection.execute(sa.select(KEY.c.prefix).where(_former(source, key))).scalars().all():
        steps.append(Step("change", "key", source, f"{', '.join(former)} is replaced and revoked"))
    return steps


def write(connection: sa.Connection, source: str, key: str, *, by: str) -> None:
    """Give this key to a source and revoke those that the file gave it before; one revoked by hand stays so."""
    row = _row(connection, key)
    if row is None:
        write_key(
            connection, key, kind="ingest", role="ingest", name=f"{source} (file)", source=source, owner="file", by=by
        )
    elif not _was_revoked_by_hand(row):
        fields = {"source": source, "name": f"{source} (file)", "owner": "file", "revoked_at": None, "revoked_by": None}
        connection.execute(sa.update(KEY).where(KEY.c.id == row.id).values(**fields))
    now = clock.now()
    former = sa.update(KEY).where(_former(source, key)).values(revoked_at=now, revoked_by="file")
    if count := connection.execute(former).rowcount:
        audit.append(connection, "key_rotated", by=by, of=source, now=now, count=count)


def _row(connection: sa.Connection, key: str) -> Any:  # noqa: ANN401  # a row of KeyRow's columns
    return connection.execute(sa.select(KEY).where(KEY.c.sha256 == digest(key))).first()


def _was_revoked_by_hand(row: Any) -> bool:  # noqa: ANN401  # a row of KeyRow's columns
    return row is not None and row.revoked_at is not None and row.revoked_by != "file"


def _former(source: str, key: str) -> sa.ColumnElement[bool]:
    """The live keys that the file gave this source before."""
    return sa.and_(
        KEY.c.kind == "ingest",
        KEY.c.owner == "file",
        KEY.c.source == source,
        KEY.c.sha256 != digest(key),
        KEY.c.revoked_at.is_(None),
    )
