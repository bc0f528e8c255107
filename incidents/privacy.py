"""The gate before private incidents: a reading transaction has an asker, and every query in it is narrowed to them.

A query that touches a table which names incidents gets the condition that none of them is hidden from the asker; it
need not know of it, so none can forget it. What is written asks `sees` before it acts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors
from sqlalchemy.sql.selectable import AliasedReturnsRows, FromGrouping

from incidents.bulk import chunks
from incidents.model import Entry, Incident
from incidents.tables import METADATA, PrivateViewerRow

VIEWER = PrivateViewerRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
CHANGED = "privacy_changed"
"""The kind of the entry that makes an incident private, or public again."""
NOBODY = ""
"""The row that says that an incident is private, whoever may see it."""
_OPTION = "barograph_asker"
_NAMES = "barograph_asker_names"
"""The parameter of every narrowed query that holds the names of who asks."""
_COLUMNS = (*map(sa.column, ("incident_id", "occurrence_id", "entry_id")), sa.column("joined", sa.Boolean))
_MEMBER = sa.table("member", *_COLUMNS)
"""The members as the gate itself asks for them: only our own `Table`s are narrowed, so hidden ones are found here."""
MOST_FORMS = 2_000
"""Forms of queries that are kept; the service has some hundreds."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who reads, by the names under which a private incident may be shown: `user:alice`, `group:sre`."""

    names: frozenset[str] = frozenset()
    sees_all: bool = False

    def may_see(self, seen_by: Collection[str] | None) -> bool:
        """Whether an incident that these may see is shown; None is everybody."""
        return seen_by is None or self.sees_all or not self.names.isdisjoint(seen_by)


STRANGER = Asker()
"""Somebody of whom nothing is known, and what is written for everybody."""
ALL = Asker(sees_all=True)
"""An admin, and whoever has shown another proof."""


def hidden_from(asker: Asker) -> sa.Select[Any]:
    """The ids of the incidents that are hidden, as a query to be put into others."""
    return _hidden_from(_names(asker))


def hidden_now(connection: sa.Connection, asker: Asker) -> frozenset[str]:
    """The ids of the incidents that are hidden from somebody at this moment."""
    return frozenset() if asker.sees_all else frozenset(connection.execute(hidden_from(asker)).scalars())


def _names(asker: Asker) -> list[str]:
    return sorted(asker.names - {NOBODY})


def _hidden_from(names: Any) -> sa.Select[Any]:  # noqa: ANN401  # a list, or a parameter that stands for one
    own = VIEWER.alias("own_viewer")
    shown = sa.select(own.c.incident_id).where(own.c.viewer.in_(names)).correlate(None)
    return (
        sa.select(VIEWER.c.incident_id)
        .where(VIEWER.c.viewer == NOBODY, VIEWER.c.incident_id.not_in(shown))
        .correlate(None)
    )


def narrow(connection: sa.Connection, asker: Asker) -> None:
    """Hide from this asker, for as long as this transaction lasts, whatever belongs to incidents private to others."""
    # One look at an index, so that nobody pays for the gate from whom nothing is hidden.
    if not asker.sees_all and connection.execute(hidden_from(asker).limit(1)).first():
        connection.execution_options(**{_OPTION: asker})


def narrowed(
    _connection: sa.Connection,
    statement: Any,  # noqa: ANN401  # here and below as SQLAlchemy's event gives them
    many: Any,  # noqa: ANN401
    params: Any,  # noqa: ANN401
    options: Mapping[str, Any],
) -> tuple[Any, Any, Any]:
    """Every statement on its way to the database, narrowed where its transaction has an asker."""
    asker = options.get(_OPTION)
    if asker is None:
        return statement, many, params
    if isinstance(statement, sa.TextClause):
        raise TypeError("a query that is text cannot be narrowed: write it with the tables")

    # Narrowing a query costs several times what running it does, so it is done once for all of the same form.
    form = None if many else statement._generate_cache_key()  # noqa: SLF001  # as the compiled statements are found
    if form is None:
        return _narrow(statement), many, {**params, _NAMES: _names(asker)}
    known = _FORMS.get(form.key)
    if known is None:
        if len(_FORMS) >= MOST_FORMS:
            _FORMS.clear()
        known = _FORMS[form.key] = _Form.of(statement, form.bindparams)
    if known.narrowed is None:
        return statement, many, params
    if known.keys is None:
        return _narrow(statement), many, {**params, _NAMES: _names(asker)}
    given = {
        key: bound.effective_value
        for key, bound in zip(known.keys, form.bindparams, strict=True)
        if key is not None and not bound.required
    }
    return known.narrowed, many, {**given, **params, _NAMES: _names(asker)}


@dataclass(frozen=True, slots=True)
class _Form:
    """Queries that differ in their values alone: one of them narrowed, and the keys under which it takes the values."""

    narrowed: Any
    """None where there is nothing to narrow."""
    keys: tuple[str | None, ...] | None
    """In the order of the form's values; None where these could not be told, and each query is narrowed for itself."""

    @classmethod
    def of(cls, statement: Any, values: Sequence[sa.BindParameter[Any]]) -> _Form:  # noqa: ANN401
        narrowed = _narrow(statement)
        form = narrowed._generate_cache_key()  # noqa: SLF001
        if form is None:
            return cls(narrowed, None)
        if not any(bound.key == _NAMES for bound in form.bindparams):
            return cls(None, None)
        copies = {former: bound.key for bound in form.bindparams for former in bound._cloned_set}  # noqa: SLF001
        is_told = all(value in copies for value in values)
        return cls(narrowed, tuple(copies[value] for value in values) if is_told else None)


_FORMS: dict[Any, _Form] = {}


def _narrow(statement: Any) -> Any:  # noqa: ANN401
    """A copy in which every query hides what the names that are given at its execution may not see."""

    def narrow_one(select: sa.Select[Any]) -> None:
        more = [_shown(column) for column in _incidents_in(select)]
        # In place: the traversal has copied it already.
        select._where_criteria += tuple(more)  # noqa: SLF001

    return visitors.cloned_traverse(statement, {}, {"select": narrow_one})


def _shown(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return column.is_(None) | column.not_in(_hidden_from(sa.bindparam(_NAMES, expanding=True)))


def _incidents_in(select: sa.Select[Any]) -> Iterator[sa.ColumnElement[Any]]:
    """The columns of a query's tables that hold ids of incidents."""
    names = naming()
    for source in _surface(select.get_final_froms()):
        table = source.element if isinstance(source, AliasedReturnsRows) else source
        if isinstance(table, sa.Table) and table.name in names:
            yield source.c[names[table.name]]


def _surface(sources: Iterable[sa.FromClause]) -> Iterator[sa.FromClause]:
    for source in sources:
        if isinstance(source, sa.Join):
            yield from _surface((source.left, source.right))
        elif isinstance(source, FromGrouping):
            yield from _surface((source.element,))
        else:
            yield source


@cache
def naming() -> dict[str, str]:
    """The tables that name incidents, each with its column: found in the tables, so that a new one is among them."""
    named = {table.name: "incident_id" for table in METADATA.tables.values() if "incident_id" in table.c}
    # Not the gate's own table: what it hides it must be able to ask.
    return {name: column for name, column in named.items() if name != VIEWER.name} | {"incident": "id"}


def hidden_among(connection: sa.Connection, asker: Asker, incidents: Iterable[str]) -> set[str]:
    """Those of these incidents that are hidden from the asker."""
    if asker.sees_all:
        return set()
    query = hidden_from(asker)
    return {
        name
        for part in chunks(sorted(set(incidents)))
        for name in connection.execute(query.where(VIEWER.c.incident_id.in_(part))).scalars()
    }


# --- alerts ---------------------------------------------------------------------------------------------------------


def is_narrowed(connection: sa.Connection) -> bool:
    """Whether anything is hidden from whoever asks in this transaction."""
    return _OPTION in connection.get_execution_options()


def is_shown(connection: sa.Connection, occurrence: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """The condition that an occurrence is no alert of private incidents alone, for whoever asks in this transaction.

    For lists of what monitors said. An alert that belongs to an incident which the asker sees as well is shown.
    """
    asker = connection.get_execution_options().get(_OPTION)
    return sa.true() if asker is None else ~_is_of_hidden(occurrence)


def hidden_alerts(connection: sa.Connection, alerts: Iterable[str], asker: Asker | None = None) -> set[str]:
    """Those of these occurrences that are hidden, as `is_shown` has it; from another asker than the transaction's."""
    asker = asker or connection.get_execution_options().get(_OPTION)
    if asker is None or asker.sees_all:
        return set()
    found = METADATA.tables["occurrence"].c.id
    return {
        name
        for part in chunks(sorted(set(alerts)))
        for name in connection.execute(
            sa.select(found).where(found.in_(part), _is_of_hidden(found)), {_NAMES: _names(asker)}
        ).scalars()
    }


@cache  # one for each column that is asked about: making it costs more than running it
def _is_of_hidden(occurrence: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    hidden = _hidden_from(sa.bindparam(_NAMES, expanding=True))

    def belongs(*, to_hidden: bool) -> sa.Exists:
        member, later = _MEMBER.alias(), _MEMBER.alias()
        newer = sa.select(later.c.joined).where(
            later.c.incident_id == member.c.incident_id,
            later.c.occurrence_id == member.c.occurrence_id,
            later.c.entry_id > member.c.entry_id,
        )
        # Not the bare column: SQLite would look for each hidden incident in the index, and not for the one alert.
        incident = sa.func.coalesce(member.c.incident_id, "")
        now = sa.select(member.c.incident_id).where(
            member.c.occurrence_id == occurrence,
            incident.in_(hidden) if to_hidden else incident.not_in(hidden),
            member.c.joined.is_(True),
            ~newer.correlate(member).exists(),
        )
        return now.correlate_except(member).exists()

    return belongs(to_hidden=True) & ~belongs(to_hidden=False)


# --- acts -----------------------------------------------------------------------------------------------------------


def sees(connection: sa.Connection, asker: Asker, incident: str | None) -> bool:
    """Whether the asker may see an incident, or what belongs to none."""
    return incident is None or not hidden_among(connection, asker, [incident])


def viewers(connection: sa.Connection, incidents: Iterable[str]) -> dict[str, frozenset[str]]:
    """Who may see those of these incidents that are private; public ones are left out."""
    found: dict[str, set[str]] = {}
    for part in chunks(sorted(set(incidents))):
        for row in connection.execute(sa.select(VIEWER).where(VIEWER.c.incident_id.in_(part))):
            found.setdefault(row.incident_id, set()).update({row.viewer} - {NOBODY})
    return {name: frozenset(names) for name, names in found.items()}


def keep(connection: sa.Connection, incident: Incident, log: Iterable[Entry]) -> None:
    """Write who may see an incident, in the transaction that folds it. Most never were private: that costs nothing."""
    if not any(entry.kind == CHANGED for entry in log):
        return
    connection.execute(sa.delete(VIEWER).where(VIEWER.c.incident_id == incident.id))
    if incident.seen_by is not None:
        rows = [{"incident_id": incident.id, "viewer": name} for name in {NOBODY, *incident.seen_by}]
        connection.execute(sa.insert(VIEWER), rows)
