"""What feeds of hazards have in common: the words of CAP, forecast ends, and ends that nobody will say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from incidents.formats import monitors, payload
from incidents.model import Area, Delivery, Event, Loss, Severity, Statement, UnrecognisedError

SEVERITIES = {
    "extreme": Severity.CRITICAL,
    "severe": Severity.ERROR,
    "moderate": Severity.WARNING,
    "minor": Severity.INFO,  # the words of status pages say more with "minor" than CAP does
}
"""CAP's severities as ours; `Unknown` and everything else is unknown."""

MOST_ZONES = 5_000
"""Zones that an area keeps: more than any service has of one kind."""

PATIENCE = timedelta(hours=24)
"""For how long what was said without an end is taken to hold: CAP 1.2 leaves that to the recipient."""


def instant_of(value: object, name: str, delivery: Delivery, unread: list[str]) -> datetime | None:
    """The instant that a member says. One that cannot be read is absent, and named in `unread`.

    A warning is worth more than the hour at which it was to end.
    """
    try:
        return monitors.instant(value, name, delivery)
    except UnrecognisedError as error:
        unread.append(str(error))
        return None


def lost(unread: Sequence[str]) -> list[Statement]:
    """The loss of what could not be read within statements that were."""
    return [Loss(len(unread), f"parts that could not be read: {unread[0]}")] if unread else []


def severity_of(word: object) -> Severity:
    """Our severity for CAP's word."""
    return SEVERITIES.get((payload.title_of(word, 40) or "").casefold(), Severity.UNKNOWN)


def gravest(severities: Iterable[Severity]) -> Severity:
    """The gravest of these, unknown of none."""
    return max(severities, key=lambda severity: severity.rank, default=Severity.UNKNOWN)


def event_of(
    delivery: Delivery,
    *,
    key: object,
    event: object,
    over: bool = False,
    places: Sequence[str] = (),
    title: str = "",
    said_at: datetime | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    holds_until: datetime | None = None,
    patience: timedelta = PATIENCE,
    area: Area | None = None,
    severity: Severity = Severity.UNKNOWN,
    test: bool = False,
    labels: Mapping[str, object] | None = None,
    url: object = None,
    text: object = None,
) -> Event:
    """A hazard's event. `ends_at` is the hazard's end as far as it was said.

    Without one it ends when the message stops holding (`holds_until`), else after `patience`; both are assumptions.
    An end that is later than the moment of speaking is a forecast. What is `over` ended when that was said, or at
    `ends_at` where that is earlier; what was called off before its start has no length. Feeds drop what is over, so an
    end that is never said would keep a hazard on for ever. Raises UnrecognisedError without a key.
    """
    spoken_at = said_at or delivery.received_at
    word = payload.title_of(event)
    told = monitors.event_of(
        delivery,
        key=key,
        title=title or titled(word, places),
        over=over,
        kind="hazard",
        severity=severity,
        said_at=said_at,
        starts_at=starts_at,
        ends_at=min(ends_at, spoken_at) if ends_at and over else None,
        test=test,
        labels=labels,
        url=url,
        text=text,
    )
    told = replace(told, event=word, area=area)
    if over:
        return told
    assumed = ends_at is None
    if ends_at is None:
        latest = max(spoken_at, starts_at or spoken_at)
        lapse = monitors.shifted(latest, patience) or latest
        ends_at = holds_until if holds_until and holds_until > latest else lapse
    elif starts_at and ends_at < starts_at:
        ends_at, assumed = starts_at, True
    return replace(told, ends_at=ends_at, ends_assumed=assumed, ends_expected=ends_at > spoken_at)


def titled(event: str | None, places: Sequence[str]) -> str:
    """`Flood Watch, Willapa Hills and 3 more`."""
    if not event:
        return ""
    named = f", {payload.title_of(places[0], 80)}" if places else ""
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    return f"{event[0].upper()}{event[1:]}{named}{more}"


def places_of(described: object) -> list[str]:
    """The places of a description that parts them by semicolons, each once."""
    names = (payload.text_of(described) or "").split(";")
    return list(dict.fromkeys(place for name in names if (place := " ".join(name.split()))))


def start_of(onset: datetime | None, said_at: datetime | None, *, first: bool, over: bool) -> datetime | None:
    """When a hazard starts by one message about it; None where the message does not say.

    A message that is not the first (or calls it off) gives its own hour for what is on already: that would move the
    start with each message.
    """
    if onset is None or ((over or not first) and said_at is not None and onset <= said_at):
        return None
    return onset


def area_of(
    geometry: object = None,
    *,
    zones: Iterable[str] = (),
    circle: tuple[float, float, float] | None = None,
    unread: list[str] | None = None,
) -> Area | None:
    """An area, None of nothing. An outline that cannot be read is left out, with its reason among the `unread`."""
    outline = None
    if geometry is not None:
        try:
            outline = payload.geometry_of(geometry)
        except UnrecognisedError as error:
            if unread is not None:
                unread.append(str(error))
    named = tuple(dict.fromkeys(zones))[:MOST_ZONES]
    latitude, longitude, radius_km = circle or (None, None, None)
    if not (outline or named or circle):
        return None
    return Area(geometry=outline, latitude=latitude, longitude=longitude, radius_km=radius_km, zones=named)


def together(areas: Iterable[Area | None]) -> Area | None:
    """The union of these areas; of several circles the first counts."""
    known = [area for area in areas if area]
    outlines = [area.geometry for area in known if area.geometry]
    circle = next((area for area in known if area.latitude is not None), None)
    if not known:
        return None
    return Area(
        geometry=_collected(outlines),
        latitude=circle.latitude if circle else None,
        longitude=circle.longitude if circle else None,
        radius_km=circle.radius_km if circle else None,
        zones=tuple(dict.fromkeys(zone for area in known for zone in area.zones))[:MOST_ZONES],
        regions=tuple(dict.fromkeys(region for area in known for region in area.regions)),
    )


def _collected(outlines: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The outlines as one, thinned as one where they are polygons: each corner is walked for every site."""
    if len(outlines) < 2:
        return outlines[0] if outlines else None
    single = [outline["coordinates"] for outline in outlines if outline["type"] == "Polygon"]
    several = [part for outline in outlines if outline["type"] == "MultiPolygon" for part in outline["coordinates"]]
    if all(outline["type"] in {"Polygon", "MultiPolygon"} for outline in outlines):
        try:
            return payload.geometry_of({"type": "MultiPolygon", "coordinates": single + several})
        except UnrecognisedError:
            pass  # too many corners for one
    return {"type": "GeometryCollection", "geometries": [dict(outline) for outline in outlines]}
