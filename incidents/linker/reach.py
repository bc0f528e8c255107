"""Where hazards and provider incidents reach: the index by which links are found, kept in step with the folds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents.bulk import chunks, insert_many
from incidents.entries import OCCURRENCE
from incidents.linker import base_rates, cells
from incidents.linker.base_rates import Record
from incidents.linker.cells import Box
from incidents.linker.mechanisms import family_of
from incidents.model import Occurrence, Site
from incidents.records import occurrence_of
from incidents.tables import ReachRow, instant, micros

REACH = ReachRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

KINDS = ("hazard", "provider_incident")
STILL_ON = (1 << 63) - 1
"""Where one that is on ends."""
MOST_RECORDED = 5000
"""Most rows that base rates are counted from, the latest first."""
_LASTS = (timedelta(days=1), timedelta(days=8))


def write(connection: sa.Connection, changed: Iterable[tuple[Occurrence | None, Occurrence]]) -> None:
    """File occurrences anew, given as (before, now); what is no hazard or is a test is filed nowhere."""
    pairs = [(was, now) for was, now in changed if _is_filed(now) or (was is not None and _is_filed(was))]
    pairs = [(was, now) for was, now in pairs if was is None or rows_of(was) != rows_of(now)]
    forget(connection, [now.id for was, now in pairs if was is not None])
    insert_many(connection, REACH, [row for _, now in pairs for row in rows_of(now)])


def forget(connection: sa.Connection, occurrences: Sequence[str]) -> None:
    """Take occurrences out of the index."""
    for part in chunks(list(occurrences)):
        connection.execute(sa.delete(REACH).where(REACH.c.occurrence_id.in_(part)))


def rows_of(seen: Occurrence) -> list[dict[str, Any]]:
    """The rows of one occurrence."""
    if not _is_filed(seen):
        return []
    keys, box = cells.keys_of(seen)
    ends_at = None if seen.ends_at is None else max(seen.starts_at, seen.ends_at)
    common = {
        "occurrence_id": seen.id,
        "lasts": _lasts(seen.starts_at, ends_at),
        "starts_at": micros(seen.starts_at),
        "ends_at": STILL_ON if ends_at is None else micros(ends_at),
        "family": family_of(seen),
        "severity": seen.severity.rank,
        "source": seen.source,
    }
    return [{"cell": key, **common, **_bounds(box if key[0] in "gw" else None)} for key in keys]


def _is_filed(seen: Occurrence) -> bool:
    return seen.kind in KINDS and not seen.test


def _lasts(starts_at: datetime, ends_at: datetime | None) -> int:
    if ends_at is None:
        return len(_LASTS)
    return next((n for n, bound in enumerate(_LASTS) if ends_at - starts_at <= bound), len(_LASTS))


def _bounds(box: Box | None) -> dict[str, float | None]:
    names = ("south", "north", "west", "east")
    return {name: getattr(box, name) if box else None for name in names}


# --- finding --------------------------------------------------------------------------------------------------------


def _keyed(sites: Iterable[Site]) -> list[str] | None:
    """The keys that these sites look under; None where one of them must look at everything."""
    found: dict[str, None] = {}
    for site in sites:
        keys = cells.keys_of_site(site)
        if keys is None:
            return None
        found.update(dict.fromkeys(keys))
    return list(found)


def _touches(sites: Iterable[Site]) -> sa.ColumnElement[bool]:
    """That a row has no box, or one that touches the box of one of the sites."""
    boxes = [cells.box_of_site(site) for site in sites]
    return sa.or_(
        REACH.c.south.is_(None),
        *(
            (REACH.c.south <= box.north)
            & (REACH.c.north >= box.south)
            & (REACH.c.west <= box.east)
            & (REACH.c.east >= box.west)
            for box in boxes
        ),
    )


def near(
    connection: sa.Connection, sites: Sequence[Site], since: datetime, until: datetime, *, most: int
) -> list[Occurrence]:
    """What may reach these sites and touches [since, until], the latest first: a superset, to be judged by place."""
    keys = _keyed(sites)
    if not sites:
        return []
    first, last = micros(since), micros(until)
    in_time = [
        (REACH.c.lasts == n) & REACH.c.starts_at.between(first - bound // timedelta(microseconds=1), last)
        for n, bound in enumerate(_LASTS)
    ]
    in_time.append((REACH.c.lasts == len(_LASTS)) & (REACH.c.starts_at <= last))
    found: dict[str, int] = {}
    for within in in_time:  # a statement each, so that each is one range of the index
        for part in [None] if keys is None else chunks(keys):
            query = sa.select(REACH.c.occurrence_id, REACH.c.starts_at).where(within, REACH.c.ends_at >= first)
            query = (
                query.where(_touches(sites)) if part is None else query.where(_touches(sites), REACH.c.cell.in_(part))
            )
            query = query.order_by(REACH.c.starts_at.desc()).limit(most * 4)
            found |= {row.occurrence_id: row.starts_at for row in connection.execute(query)}
    return read(connection, sorted(found, key=lambda name: (-found[name], name))[:most])


def read(connection: sa.Connection, names: Sequence[str]) -> list[Occurrence]:
    """Occurrences by id, in the order of the ids; without those that are no more."""
    found = {
        row.id: occurrence_of(row)
        for part in chunks(list(names))
        for row in connection.execute(sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(part)))
    }
    return [found[name] for name in names if name in found]


@dataclass(frozen=True, slots=True)
class Stretches:
    """What the record holds of some families at some sites, in the season of one date."""

    rows: Sequence[Any]
    heard: dict[tuple[str, str], datetime]
    """From when on a source's words of a family are on record here: where the first of them ended."""

    def record(self, family: str, severity: int, source: str, *, but: Collection[str]) -> Record | None:
        """When hazards of a family, as grave and graver, were on; without those that are being weighed.

        Several sources may speak of the same hours; they are counted once.
        """
        since = self.heard.get((family, source))
        if since is None:
            return None
        stretches = {
            row.occurrence_id: (instant(row.starts_at), None if row.ends_at == STILL_ON else instant(row.ends_at))
            for row in self.rows
            if row.family == family and row.severity >= severity and row.occurrence_id not in but
        }
        return Record(since, tuple(stretches.values()))


def stretches(connection: sa.Connection, sites: Sequence[Site], families: Collection[str], at: datetime) -> Stretches:
    """What was on at these sites around this date of each year on record, in two statements for each list of keys."""
    rows: list[Any] = []
    heard: dict[tuple[str, str], datetime] = {}
    keys = _keyed(sites) or []
    for part in chunks(keys):
        here = (REACH.c.cell.in_(part), REACH.c.family.in_(sorted(families)), _touches(sites))
        first = sa.select(REACH.c.family, REACH.c.source, sa.func.min(REACH.c.ends_at).label("ended"))
        for row in connection.execute(first.where(*here).group_by(REACH.c.family, REACH.c.source)):
            if row.ended != STILL_ON:
                key = row.family, row.source
                heard[key] = min(heard.get(key, instant(row.ended)), instant(row.ended))
        if not heard:
            continue
        query = sa.select(
            REACH.c.occurrence_id, REACH.c.family, REACH.c.severity, REACH.c.starts_at, REACH.c.ends_at
        ).where(*here, _in_season(min(heard.values()), at))
        rows += connection.execute(query.order_by(REACH.c.starts_at.desc()).limit(MOST_RECORDED)).all()
    return Stretches(rows, heard)


def _in_season(since: datetime, at: datetime) -> sa.ColumnElement[bool]:
    """That a row may touch the days that `base_rates` looks at; what lasts long always may."""
    ranges = [
        REACH.c.starts_at.between(micros(first - _LASTS[-1]), micros(last))
        for first, last in base_rates.seasons(since, at)
    ]
    return sa.or_(REACH.c.lasts == len(_LASTS), *ranges)


# --- in memory: which sites a changed occurrence may reach ----------------------------------------------------------


class SiteIndex:
    """The sites by the keys that they look under."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._by_key: dict[str, list[Site]] = {}
        self._vague: list[Site] = []
        for site in sites:
            keys = cells.keys_of_site(site)
            if keys is None:
                self._vague.append(site)
            for key in keys or ():
                self._by_key.setdefault(key, []).append(site)
        self._boxes = {site.name: cells.box_of_site(site) for site in sites}

    def may_meet(self, seen: Occurrence) -> list[Site]:
        """The sites that an occurrence may reach: a superset, to be judged by place."""
        keys, box = cells.keys_of(seen)
        found: dict[str, Site] = {site.name: site for site in self._vague}
        for key in keys:
            for site in self._by_key.get(key, ()):
                if key[0] not in "gw" or box is None or box.touches(self._boxes[site.name]):
                    found[site.name] = site
        return list(found.values())
