"""Two documents in which the Iowa Environmental Mesonet tells of past US warnings: outlines and a table of zones."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from incidents import instants
from incidents.formats import hazards, monitors, payload, vtec, zones
from incidents.model import Delivery, Event, Loss, Severity, Statement, UnrecognisedError

Row = Mapping[str, str]
Name = tuple[str, str, str, int, int]

# Offices whose four letters do not begin with K.
_OFFICES = {"AFC": "PAFC", "AFG": "PAFG", "AJK": "PAJK", "HFO": "PHFO", "GUM": "PGUM", "PPG": "NSTU"}
_OFFICES |= {"JSJ": "TJSJ", "SJU": "TJSJ"}
_SEVERITIES = {"W": Severity.ERROR, "A": Severity.WARNING, "Y": Severity.WARNING}
# The table's columns, by the names of its CSV and of the table within its shapefiles.
_COLUMNS = {
    "wfo": "wfo",
    "utc_issue": "issued",
    "utc_expire": "expired",
    "utc_prodissue": "init_iss",
    "utc_init_expire": "init_exp",
    "phenomena": "phenom",
    "significance": "sig",
    "eventid": "etn",
    "gtype": "gtype",
    "status": "status",
    "ugc": "nws_ugc",
    "utc_updated": "updated",
    "is_emergency": "is_emergency",
}


def outlines_of(delivery: Delivery) -> list[Statement]:
    """One event for each outline: a storm-based warning as one message drew it."""
    features = monitors.object_in(delivery, "a collection of warnings").get("features")
    if not isinstance(features, list):
        raise UnrecognisedError("not a collection of warnings: no features")
    unread: list[str] = []
    statements = monitors.several(features, lambda one: _outlined(payload.object_of(one), delivery, unread), "warning")
    return statements + hazards.lost(unread)


def _outlined(feature: Mapping[str, Any], delivery: Delivery, unread: list[str]) -> Event:
    told = payload.object_of(feature.get("properties"))
    issued = _instant(monitors.first(told, "issue", "utc_issue"))
    begins = _instant(monitors.first(told, "polygon_begin", "utc_polygon_begin")) or issued
    expires = _instant(monitors.first(told, "expire", "expire_utc", "utc_expire"))
    product = (payload.title_of(told.get("product_id"), 80) or "")[:12]
    said_at = _instant(product) if product.isdecimal() else begins
    if said_at is None:
        raise UnrecognisedError("neither product_id nor polygon_begin says when")
    year = payload.count_of(told.get("year")) or (issued or said_at).year
    status = (payload.title_of(told.get("status"), 10) or "NEW").upper()
    name = _name(told.get("wfo"), told.get("phenomena"), told.get("significance"), told.get("eventid"), year)
    return _event(
        delivery,
        name,
        said_at=said_at,
        starts_at=issued,
        ends_at=expires,
        over=status in vtec.OVER,
        geometry=feature.get("geometry"),
        unread=unread,
        event=monitors.first(told, "ps", "event_label"),
        emergency=payload.flag_of(told.get("is_emergency")) or False,
        labels={
            "status": status,
            "sender": told.get("wfo"),
            "wind": told.get("windtag"),
            "hail": told.get("hailtag"),
            "damage": told.get("damagetag"),
        },
        url=told.get("href"),
    )


def table_of(delivery: Delivery) -> list[Statement]:
    """Two events for each warning of the table: as first issued, and as it ended. Its zones are those of all its rows.

    A warning that has an outline says nothing of zones here: they only name the counties that its outline touches.
    """
    rows = _rows(delivery.body)
    by_name: dict[Name, list[Row]] = {}
    reasons: list[str] = []
    for number, row in enumerate(rows, 2):
        try:
            said = _instant(row["init_iss"])
            if said is None:
                raise UnrecognisedError("no instant of issue")
            name = _name(row["wfo"], row["phenom"], row["sig"], row["etn"], said.year)
        except ValueError as error:
            reasons.append(f"line {number}: {error}")
        else:
            by_name.setdefault(name, []).append(row)
    if rows and not by_name:
        raise UnrecognisedError(reasons[0])
    statements: list[Statement] = []
    for name, found in by_name.items():
        try:
            statements += _ruled(name, found, delivery)
        except ValueError as error:
            reasons.append(f"{'.'.join(map(str, name))}: {error}")
    if reasons:
        statements.append(Loss(len(reasons), f"rows that could not be read: {reasons[0]}"))
    return statements


def _rows(body: bytes) -> list[Row]:
    try:
        reader = csv.DictReader(io.StringIO(body.decode()))
        names = {name: (name or "").strip().casefold() for name in reader.fieldnames or ()}
        renamed = {name: _COLUMNS.get(plain, plain) for name, plain in names.items()}
        missing = set(_COLUMNS.values()) - {"is_emergency"} - set(renamed.values())
        if missing:
            raise UnrecognisedError(f"not the table of warnings: no column {min(missing)}")
        # A short row has None in its last columns, a long one a list under None.
        return [{renamed[name]: value or "" for name, value in row.items() if name in renamed} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnrecognisedError(f"not CSV: {error}") from None


def _ruled(name: Name, rows: Sequence[Row], delivery: Delivery) -> list[Event]:
    outlined = any(row["gtype"] == "P" for row in rows)
    named = [] if outlined else zones.ugc_of(row["nws_ugc"] for row in rows)
    issues, ends = _instants(rows, "issued"), _instants(rows, "expired")
    said, forecast, updates = _instants(rows, "init_iss"), _instants(rows, "init_exp"), _instants(rows, "updated")
    emergency = any((row.get("is_emergency") or "").casefold() in {"true", "t"} for row in rows)
    states = sorted({(row["status"] or "").upper() for row in rows})
    known_end = bool(updates and ends) and max(updates) > min(said)
    first = _event(
        delivery,
        name,
        said_at=min(said),
        starts_at=min(issues, default=None),
        ends_at=max(forecast, default=None) or max(ends, default=None),
        zones=named,
        # That it was an emergency may have been said later.
        emergency=emergency and not known_end,
        labels={"status": "NEW", "sender": name[0]},
    )
    if not known_end:
        return [first]
    last = _event(
        delivery,
        name,
        said_at=max(updates),
        starts_at=min(issues, default=None),
        ends_at=max(ends),
        zones=named,
        emergency=emergency,
        labels={"status": " ".join(states), "sender": name[0]},
    )
    return [first, last]


def _event(
    delivery: Delivery,
    name: Name,
    *,
    said_at: datetime,
    starts_at: datetime | None,
    ends_at: datetime | None,
    over: bool = False,
    geometry: object = None,
    zones: Iterable[str] = (),
    unread: list[str] | None = None,
    event: object = None,
    emergency: bool = False,
    labels: Mapping[str, object],
    url: object = None,
) -> Event:
    office, phenomenon, significance, number, year = name
    word = payload.title_of(event) or vtec.name_of(phenomenon, significance)
    return hazards.event_of(
        delivery,
        key=vtec.key(office, phenomenon, significance, number, year),
        event=word,
        title=f"{word}, NWS {office}",
        over=over,
        said_at=said_at,
        starts_at=starts_at,
        ends_at=ends_at,
        area=hazards.area_of(geometry, zones=zones, unread=unread),
        severity=Severity.CRITICAL if emergency else _SEVERITIES.get(significance, Severity.INFO),
        labels={**labels, "emergency": "true" if emergency else None},
        url=url,
    )


def _name(office: object, phenomenon: object, significance: object, number: object, year: int) -> Name:
    wfo, kind, level = (payload.title_of(part, 10) or "" for part in (office, phenomenon, significance))
    count = payload.count_of(number)
    if not (wfo.isalnum() and len(kind) == 2 and len(level) == 1 and 0 < count < 10_000):
        raise UnrecognisedError("no VTEC name: wfo, phenomena, significance and eventid")
    return (wfo if len(wfo) == 4 else _OFFICES.get(wfo, f"K{wfo}")), kind, level, count, year


def _instants(rows: Iterable[Row], column: str) -> list[datetime]:
    return [at for row in rows if (at := _instant(row[column]))]


def _instant(said: object) -> datetime | None:
    """The archive's times, all UTC: RFC 3339, `2022-09-03 18:00`, and `202209031800`, also as `202209031800.0`."""
    text = (payload.title_of(said, 40) or "").removesuffix(".0")
    if len(text) == 12 and text.isdecimal():
        text = f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:]}"
    return instants.parse(text)
