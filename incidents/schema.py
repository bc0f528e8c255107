"""The schema: the revision that a database is at, the one that this version wants, and whether caches are due for it.

Read without the migration library: its import takes longer than most commands do.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

import sqlalchemy as sa

_NAMED = re.compile(r'^(revision|down_revision) = "([^"]+)"', re.MULTILINE)
_VERSION = sa.table("alembic_version", sa.column("version_num"))
_DUE = sa.table("rebuild_due", sa.column("revision"))


class SchemaError(ValueError):
    """Tables that a newer version has made; what their columns mean must not be guessed."""


@cache
def steps() -> frozenset[str]:
    """Every revision that this version has a step to."""
    return frozenset(name for what, name in _named() if what == "revision")


@cache
def newest() -> str:
    """The revision that no other follows."""
    (head,) = steps() - {name for what, name in _named() if what == "down_revision"}
    return head


def _named() -> list[tuple[str, str]]:
    versions = files("incidents.migrations.versions").iterdir()
    return [
        pair
        for file in versions
        if file.name.endswith(".py")
        for pair in _NAMED.findall(file.read_text(encoding="utf-8"))
    ]


def revision(connection: sa.Connection) -> str | None:
    """The revision that the database is at; None where it has no tables of ours."""
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    found = connection.execute(sa.select(_VERSION.c.version_num)).scalar()
    return None if found is None else str(found)


def is_refill_due(connection: sa.Connection) -> bool:
    """Whether a migration asks that the caches be folded anew."""
    return connection.execute(sa.select(sa.literal(1)).select_from(_DUE).limit(1)).first() is not None
