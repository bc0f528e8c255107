"""Counts of readings by bin, kept while they are recorded, and what they say of a value at the start of an incident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from incidents.bulk import chunks, insert
from incidents.geography.outlines import distance_km
from incidents.linker import cells, extremes
from incidents.linker.extremes import Extreme
from incidents.linker.mechanisms import Family
from incidents.model import Site
from incidents.tables import ReadingCountRow, ReadingRow

READING = ReadingRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
READING_COUNT = ReadingCountRow.__table__  # type: ignore[attr-defined]

NEAR_KM: Final = 100.0
AROUND: Final = timedelta(minutes=90)
"""How far from the start of an incident a reading may lie to stand for it."""
MOST: Final = 5000
_BASES: Final = ("observed", "modelled", "reconstructed")
"""The first that there is: what was measured goes before what was computed."""
_KEY: Final = ("source", "variable", "basis", "place", "month", "slot", "bin")


def fresh(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of the rows about to be recorded that are not known yet, each once. Their sources must be locked."""
    by_digest = {str(row["digest"]): row for row in rows}
    for part in chunks(list(by_digest)):
        for digest in connection.execute(sa.select(READING.c.digest).where(READING.c.digest.in_(part))).scalars():
            by_digest.pop(digest)
    return list(by_digest.values())


def count(connection: sa.Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Count recorded readings by bin. Provisional ones wait for their final word; forecasts were never so."""
    counts = Counter(key for row in rows if (key := _key_of(row)) is not None)
    if not counts:
        return
    statement = insert(connection, READING_COUNT)
    statement = statement.on_conflict_do_update(
        index_elements=list(_KEY), set_={"n": READING_COUNT.c.n + statement.excluded.n}
    )
    connection.execute(statement, [{**dict(zip(_KEY, key, strict=True)), "n": n} for key, n in sorted(counts.items())])


def uncount(connection: sa.Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Take readings that are dropped out of the counts again."""
    for key, n in sorted(Counter(key for row in rows if (key := _key_of(row)) is not None).items()):
        is_it = sa.and_(*(READING_COUNT.c[name] == value for name, value in zip(_KEY, key, strict=True)))
        connection.execute(sa.update(READING_COUNT).where(is_it).values(n=READING_COUNT.c.n - n))
        connection.execute(sa.delete(READING_COUNT).where(is_it, READING_COUNT.c.n <= 0))


def fill(connection: sa.Connection) -> None:
    """Count all readings anew. It names its columns, so that it runs within a migration of any later schema."""
    names = ("id", "source", "variable", "at", "value", "latitude", "longitude", "provisional", "basis", "recorded_at")
    columns = [READING.c[name] for name in names]
    connection.execute(sa.delete(READING_COUNT))
    after = 0
    while rows := connection.execute(
        sa.select(*columns).where(READING.c.id > after).order_by(READING.c.id).limit(MOST)
    ).all():
        after = rows[-1].id
        count(connection, [dict(row._mapping) for row in rows])  # noqa: SLF001  # SQLAlchemy's name for a row as a mapping


def _key_of(row: Mapping[str, Any]) -> tuple[str, str, str, str, int, int, int] | None:
    nth = extremes.bin_of(row["variable"], row["value"])
    if nth is None or row["provisional"] or row["at"] > row["recorded_at"]:
        return None
    at = row["at"]
    place = _place(row["latitude"], row["longitude"])
    return row["source"], row["variable"], row["basis"], place, at.month, extremes.slot_of(at), nth


def _place(latitude: float, longitude: float) -> str:
    return f"{latitude + 0.0:.1f},{longitude + 0.0:.1f}"


def extreme_of(
    connection: sa.Connection, site: Site, family: Family, start: tuple[datetime, datetime], rows: Sequence[Any]
) -> Extreme | None:
    """Of the readings `around` a start the one nearest to the site, with the counts that it is ranked among.

    Where the start is a range, the highest value in it stands for it (for cold the lowest).
    """
    earliest, latest = start
    for variable in extremes.variables_of(family):
        for basis in _BASES:
            if found := [row for row in rows if row.basis == basis and row.variable == variable]:
                return _extreme(connection, site, family, found, earliest if earliest == latest else None)
    return None


def around(connection: sa.Connection, site: Site, earliest: datetime, latest: datetime) -> list[Any]:
    """The readings near a site from shortly before the earliest to shortly after the latest start."""
    box = cells.box_of_site(Site("", "", site.latitude, site.longitude, uncertainty_km=NEAR_KM))
    query = sa.select(READING).where(
        READING.c.variable.in_(sorted(extremes.counted_variables())),
        READING.c.at.between(earliest - AROUND, latest + AROUND),
        READING.c.latitude.between(box.south, box.north),
        READING.c.longitude.between(box.west, box.east),
    )
    rows = connection.execute(query.order_by(READING.c.recorded_at.desc(), READING.c.id.desc()).limit(MOST)).all()
    # A revised value is a new row; what was recorded last holds.
    held = {(r.source, r.variable, r.basis, r.station, r.latitude, r.longitude, r.at): r for r in rows[::-1]}
    return [row for row in held.values() if _away(site, row) <= NEAR_KM]


def _away(site: Site, row: Any) -> float:  # noqa: ANN401  # a row of ReadingRow's columns
    return distance_km(site.latitude, site.longitude, row.latitude, row.longitude)


def _extreme(
    connection: sa.Connection, site: Site, family: Family, rows: Sequence[Any], at: datetime | None
) -> Extreme:
    nearest = min(rows, key=lambda row: (_away(site, row), row.source, row.station or ""))
    place = (nearest.source, nearest.latitude, nearest.longitude)
    own = [row for row in rows if (row.source, row.latitude, row.longitude) == place]
    if at is not None:
        row = min(own, key=lambda r: (abs(r.at - at), r.at))
    else:
        row = (min if family == "cold" else max)(own, key=lambda r: (r.value, r.at))
    query = (
        sa.select(READING_COUNT.c.bin, READING_COUNT.c.n)
        .where(READING_COUNT.c.source == row.source, READING_COUNT.c.variable == row.variable)
        .where(READING_COUNT.c.basis == row.basis, READING_COUNT.c.place == _place(row.latitude, row.longitude))
        .where(READING_COUNT.c.month == row.at.month, READING_COUNT.c.slot == extremes.slot_of(row.at))
    )
    limit = extremes.limit_name(row.variable)
    return Extreme(
        variable=row.variable,
        value=row.value,
        at=row.at,
        basis=row.basis,
        station=row.station or f"{row.latitude:.2f}, {row.longitude:.2f}",
        distance_km=_away(site, row),
        counts={found.bin: found.n for found in connection.execute(query)},
        limit=site.limits.get(limit) if limit else None,
    )
