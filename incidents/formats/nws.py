"""Alerts of the US National Weather Service, as GeoJSON of api.weather.gov.

A feature is one message about one part of a hazard. All messages with one VTEC name speak of one occurrence, several at
a time: each covers other zones. So the area said at a moment is that of all messages that stood then, which are those
that no later one refers to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidents.formats import hazards, monitors, payload, vtec, zones
from incidents.model import Area, Delivery, Event, Loss, Statement, UnrecognisedError

MOMENTS = 20
"""How many moments of one occurrence a document tells; of a longer history the latest."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message about one occurrence: who it is, what it follows, and what it says."""

    key: str
    name: str
    sent: datetime
    earlier: tuple[tuple[str, datetime | None], ...]
    over: bool
    starts_at: datetime | None
    ends_at: datetime | None
    expires_at: datetime | None
    area: Area | None
    event: str | None
    code: vtec.Vtec | None
    properties: Mapping[str, Any]
    url: object


def statements_of(features: Sequence[object], delivery: Delivery) -> list[Statement]:
    """The events of a collection's features; those that cannot be read, and outlines and times in others, are losses.

    Raises UnrecognisedError when there are features and none can be read.
    """
    messages: list[Message] = []
    reasons: list[str] = []
    unread: list[str] = []
    for index, feature in enumerate(features):
        try:
            messages += messages_of(payload.object_of(feature), delivery, unread)
        except ValueError as error:
            reasons.append(f"alert {index}: {error}")
    if reasons and not messages:
        raise UnrecognisedError(reasons[0])
    statements: list[Statement] = []
    for group in _by_key(messages).values():
        statements += _told(group, delivery)
    if reasons:
        statements.append(Loss(len(reasons), f"alerts that could not be read: {reasons[0]}"))
    return statements + hazards.lost(unread)


def messages_of(feature: Mapping[str, Any], delivery: Delivery, unread: list[str]) -> list[Message]:
    """A feature as the message about its own occurrence and any other that it names, such as the watch that it ends."""
    properties = payload.object_of(feature.get("properties"))
    name = payload.key_of(properties.get("id")) or payload.key_of(feature.get("id"))
    if name is None or not monitors.is_said(properties.get("event")):
        raise UnrecognisedError("neither an id nor an event" if name is None else "no event")
    sent = hazards.instant_of(properties.get("sent"), "sent", delivery, unread) or delivery.received_at
    earlier = tuple(_references(properties, delivery))
    said = payload.list_of(payload.object_of(properties.get("parameters")).get("VTEC"))
    codes = [code for one in said for code in vtec.strings_in(payload.text_of(one) or "")]
    own = next((code for code in codes if not code.is_over), codes[0] if codes else None)
    is_cancel = (payload.title_of(properties.get("messageType"), 40) or "").casefold() in {"cancel", "error"}
    times = {
        member: hazards.instant_of(properties.get(member), member, delivery, unread)
        for member in ("onset", "effective", "expires", "ends")
    }
    area = _area(feature, properties, unread)
    found = []
    for code in codes or (None,):
        over = is_cancel or (code is not None and code.is_over)
        begins = code.begins_at if code else None
        first = not earlier and (code is None or code.action == "NEW")
        onset = begins or times["onset"] or times["effective"] or sent
        found.append(
            Message(
                key=code.key(vtec.year_of(code, sent, [at for _, at in earlier])) if code else _first(name, earlier),
                name=name,
                sent=sent,
                earlier=earlier,
                over=over,
                # A start in the code is the hazard's own; every other time may be that of the message.
                starts_at=hazards.start_of(onset, sent, first=first or begins is not None, over=over),
                ends_at=(times["ends"] if code is own else None) or (code.ends_at if code else None),
                expires_at=times["expires"],
                area=area,
                event=None if code is own or code is None else vtec.name_of(code.phenomenon, code.significance),
                code=code,
                properties=properties,
                url=monitors.first(feature, "id") or properties.get("@id"),
            )
        )
    return found


def _references(properties: Mapping[str, Any], delivery: Delivery) -> Iterable[tuple[str, datetime | None]]:
    for one in map(payload.object_of, payload.list_of(properties.get("references"))[:2_000]):
        name = payload.key_of(one.get("identifier")) or (payload.key_of(one.get("@id")) or "").rpartition("/")[2]
        if name:
            yield name, monitors.moment(one.get("sent"), delivery)


def _first(name: str, earlier: Sequence[tuple[str, datetime | None]]) -> str:
    """The first message of a chain: each refers to all before it."""
    dated = [one for one in earlier if one[1]]
    return min(dated, key=lambda one: str(one[1]))[0] if dated else earlier[-1][0] if earlier else name


def _area(feature: Mapping[str, Any], properties: Mapping[str, Any], unread: list[str]) -> Area | None:
    """The outline, if any, with UGC and SAME codes.

    SAME lists every county that a zone touches, so counties are made of it only where no zone is named.
    """
    geocode = payload.object_of(properties.get("geocode"))
    same = zones.same_of(payload.list_of(geocode.get("SAME")))
    ugc = zones.ugc_of([*payload.list_of(geocode.get("UGC")), *payload.list_of(properties.get("affectedZones"))])
    counties = [] if ugc else [county for code in same if (county := zones.county_of(code))]
    return hazards.area_of(feature.get("geometry"), zones=[*ugc, *counties, *same], unread=unread)


def _by_key(messages: Iterable[Message]) -> dict[str, list[Message]]:
    groups: dict[str, list[Message]] = {}
    for message in messages:
        groups.setdefault(message.key, []).append(message)
    return groups


def _told(messages: Sequence[Message], delivery: Delivery) -> list[Event]:
    """What was said of one occurrence: how it stands, and before that each moment of which the document holds all.

    A document of what is on lacks the messages that were followed, so that it tells of no moment but the last.
    """
    followed = _followed(messages)
    moments = {message.sent for message in messages if message.name in followed}
    moments.add(max(message.sent for message in messages))
    return [_at(moment, [m for m in messages if m.sent <= moment], delivery) for moment in sorted(moments)[-MOMENTS:]]


def _followed(messages: Iterable[Message]) -> set[str]:
    return {name for message in messages for name, _ in message.earlier}


def _at(moment: datetime, messages: Sequence[Message], delivery: Delivery) -> Event:
    """One occurrence as it stood at a moment, by the messages up to then."""
    followed = _followed(messages)
    standing = [m for m in messages if m.name not in followed and not m.over]
    told = standing or [m for m in messages if m.sent == moment]
    newest = max(told, key=lambda m: (m.sent, m.name))
    starts, ends = [m.starts_at for m in told], [m.ends_at for m in told]
    properties, code = newest.properties, newest.code
    status = payload.title_of(properties.get("status"), 40)
    return hazards.event_of(
        delivery,
        key=newest.key,
        event=newest.event or properties.get("event"),
        over=not standing,
        places=_places(told),
        said_at=moment,
        # Where one part does not say when it began, the earliest start that was said before stands.
        starts_at=min((at for at in starts if at), default=None) if all(starts) else None,
        ends_at=max((at for at in ends if at), default=None) if all(ends) else None,
        holds_until=max((m.expires_at for m in told if m.expires_at), default=None),
        area=hazards.together([m.area for m in told]),
        severity=hazards.gravest(hazards.severity_of(m.properties.get("severity")) for m in told),
        test=(status or "Actual").casefold() != "actual" or bool(code and code.is_test),
        labels={
            "severity": properties.get("severity"),
            "urgency": properties.get("urgency"),
            "certainty": properties.get("certainty"),
            "status": status,
            "message_type": properties.get("messageType"),
            "sender": properties.get("senderName"),
            "area": "; ".join(_places(told)),
            "response": properties.get("response"),
            "headline": properties.get("headline"),
            "vtec": code.text if code else None,
        },
        url=newest.url,
        text=monitors.first(properties, "description", "headline"),
    )


def _places(messages: Sequence[Message]) -> list[str]:
    return list(dict.fromkeys(n for m in messages for n in hazards.places_of(m.properties.get("areaDesc"))))
