"""What is configured, as rows with an owner: `apply` plans and writes, `load` reads what is in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from incidents.config import Config, Configured, spec_of, value_of
from incidents.rules import DEFAULT_RULES
from incidents.tables import SettingRow

CONFIGURED = SettingRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan."""

    act: Literal["add", "change", "keep", "retire", "absent", "taken", "revoked"]
    kind: str
    name: str
    why: str = ""

    @property
    def text(self) -> str:
        """The line as it is printed."""
        return f"{self.act:<7} {self.kind} {self.name}{f' ({self.why})' if self.why else ''}"


def load(connection: sa.Connection) -> Config:
    """The configuration in force: rows that are not retired, in the order in which they were given."""
    query = sa.select(CONFIGURED).where(CONFIGURED.c.retired_at.is_(None), CONFIGURED.c.kind != "story")
    found: dict[str, list[Any]] = {"site": [], "source": [], "rule": [], "destination": []}
    for row in connection.execute(query.order_by(CONFIGURED.c.position, CONFIGURED.c.name)):
        found[row.kind].append(value_of(row.kind, row.spec))
    rules, destinations = tuple(found["rule"]) or DEFAULT_RULES, tuple(found["destination"])
    return Config(tuple(found["site"]), tuple(found["source"]), rules, destinations)


def owners(connection: sa.Connection, *, retired: bool = False) -> dict[tuple[str, str], str]:
    """Who owns each row in force, by (kind, name); on request the retired ones too."""
    query = sa.select(CONFIGURED.c.kind, CONFIGURED.c.name, CONFIGURED.c.owner)
    if not retired:
        query = query.where(CONFIGURED.c.retired_at.is_(None))
    return {(row.kind, row.name): row.owner for row in connection.execute(query)}


def plan(connection: sa.Connection, config: Config, *, owner: str, prune: bool) -> list[Step]:
    """What applying this configuration would do. Rows of another owner are not touched."""
    now = {(row.kind, row.name): row for row in connection.execute(sa.select(CONFIGURED))}
    wanted = dict(rows_of(config))
    steps = []
    for (kind, name), spec in wanted.items():
        row = now.get((kind, name))
        if row is None:
            steps.append(Step("add", kind, name))
        elif row.owner != owner and row.retired_at is None:
            steps.append(Step("taken", kind, name, f"owned by {row.owner}"))
        elif row.spec == spec and row.retired_at is None:
            steps.append(Step("keep", kind, name))
        else:
            changed = sorted(k for k in {*spec, *row.spec} if spec.get(k) != row.spec.get(k))
            steps.append(Step("change", kind, name, ", ".join(changed) or "in force again"))
    for (kind, name), row in now.items():
        if (kind, name) not in wanted and row.owner == owner and row.retired_at is None and kind != "story":
            steps.append(Step("retire" if prune else "absent", kind, name, "" if prune else "kept; --prune retires it"))
    return steps


def rows_of(config: Config) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    """The rows of a configuration; rules that nobody gave are not rows."""
    given: Sequence[tuple[str, Sequence[Configured]]] = (
        ("site", config.sites),
        ("source", config.sources),
        ("rule", () if config.rules == DEFAULT_RULES else config.rules),
        ("destination", config.destinations),
    )
    return [((kind, value.name), spec_of(value)) for kind, values in given for value in values]


def write(connection: sa.Connection, config: Config, steps: Sequence[Step], *, owner: str, now: datetime) -> None:
    """Carry out a plan. History is never deleted: what is retired stays, with the instant."""
    specs = dict(rows_of(config))
    order = {key: n for n, key in enumerate(specs)}
    for step in steps:
        key = step.kind, step.name
        where = (CONFIGURED.c.kind == step.kind) & (CONFIGURED.c.name == step.name)
        if step.act == "add":
            put(connection, key, specs[key], owner=owner, now=now, position=order[key])
        elif step.act == "change":
            connection.execute(
                sa.update(CONFIGURED)
                .where(where)
                .values(spec=specs[key], owner=owner, applied_at=now, retired_at=None, position=order[key])
            )
        elif step.act == "retire":
            connection.execute(sa.update(CONFIGURED).where(where).values(retired_at=now))


def put(
    connection: sa.Connection,
    key: tuple[str, str],
    spec: Mapping[str, Any],
    *,
    owner: str,
    now: datetime,
    position: int = 0,
) -> None:
    """Write one new row."""
    connection.execute(
        sa.insert(CONFIGURED).values(
            kind=key[0], name=key[1], spec=dict(spec), owner=owner, position=position, applied_at=now
        )
    )
