"""The Common Alerting Protocol (OASIS CAP 1.2, and 1.0 and 1.1): alerts in XML or JSON, and indexes that hold them.

An alert is read as the JSON of it that MeteoAlarm publishes: `info`, `area`, `parameter` and `geocode` are lists,
`polygon` and `circle` are lists of text. Its occurrence is known by the first message of its chain of references, by
VTEC where it holds one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

from incidents import instants
from incidents.formats import hazards, monitors, payload, vtec, xml_documents
from incidents.model import Area, Delivery, Event, Loss, Severity, Statement, UnrecognisedError

Alert = Mapping[str, Any]
Chains = Mapping[str, Sequence[tuple[str, datetime | None]]]
"""Of each alert of a document: the messages that it refers to, with their times."""

LARGEST = 5 * 1024 * 1024
"""Bytes of a document: many times what any country publishes at once."""

_LISTS = frozenset({"info", "area", "parameter", "geocode", "eventCode", "polygon", "circle", "category"})
_LISTS |= {"responseType", "code"}
_PAIRED = frozenset({"parameter", "geocode", "eventCode"})
_OVER = frozenset({"cancel", "error"})
_CORNER = re.compile(r"([+-]?\d{1,3}(?:\.\d{1,20})?),([+-]?\d{1,3}(?:\.\d{1,20})?)(?![\d.])", re.ASCII)
_CIRCLE = re.compile(
    r"\s*([+-]?\d{1,3}(?:\.\d{1,20})?)\s*,\s*([+-]?\d{1,3}(?:\.\d{1,20})?)\s+(\d{1,6}(?:\.\d{1,20})?)\s*"
)
# Codes that stand for themselves among a site's zones; all others carry the name of their scheme.
_OWN_SCHEMES = frozenset({"ugc", "same", "fips6", "emma_id", "nuts2", "nuts3", "warncellid"})
_AWARENESS = {"4": Severity.CRITICAL, "3": Severity.ERROR, "2": Severity.WARNING, "1": Severity.INFO}


def alerts_in(body: bytes) -> list[Alert]:
    """Every alert of an XML document: one alert, or an Atom or RSS index that embeds alerts or carries CAP's elements.

    Entries of an index that only point to their alert come without a `msgType`. Raises UnrecognisedError for any other
    document.
    """
    if len(body) > LARGEST:
        raise UnrecognisedError(f"CAP of more than {LARGEST // 1024 // 1024} MiB")
    root = xml_documents.parse(body)
    embedded = [one for one in xml_documents.every(root, "alert") if xml_documents.children(one, "identifier")]
    if embedded or xml_documents.local(root) == "alert":
        return [fields_of(one) for one in embedded or [root]]
    if xml_documents.local(root) not in {"feed", "rss", "RDF"}:
        raise UnrecognisedError(f"neither a CAP alert nor an index of them, but <{xml_documents.local(root)[:40]}>")
    return _gathered([of_entry(entry) for entry in entries_of(root)])


def entries_of(root: Element) -> list[Element]:
    """The entries of an Atom or RSS index."""
    return [*xml_documents.every(root, "entry"), *xml_documents.every(root, "item")]


def fields_of(element: Element) -> dict[str, Any]:
    """An element in the JSON shape of this module."""
    fields: dict[str, Any] = {}
    for one in element:
        name = xml_documents.local(one)
        if name in _PAIRED:
            # Old indexes of the NWS hold several pairs in one element, each with several values.
            fields.setdefault(name, []).extend(_pairs(one))
        elif name in _LISTS:
            fields.setdefault(name, []).append(_value(one))
        else:
            fields.setdefault(name, _value(one))
    return fields


def _value(element: Element) -> Any:  # noqa: ANN401 - text or an object
    return fields_of(element) if len(element) else (element.text or "").strip()


def _pairs(element: Element) -> list[dict[str, str]]:
    texts = [(xml_documents.local(one), (one.text or "").strip()) for one in element]
    names = [text for name, text in texts if name == "valueName"]
    values = [text for name, text in texts if name == "value"]
    return [{"valueName": name, "value": value} for name, value in zip(names, values, strict=False)]


def of_entry(entry: Element) -> Alert:
    """An index's entry as an alert: CAP's elements stand flat in it, MeteoAlarm's link names one more code."""
    fields = fields_of(entry)
    links = [one.get("href") or (one.text or "").strip() for one in entry if xml_documents.local(one) == "link"]
    named = [link.partition("geocode=EMMA_ID:")[2] for link in links if "geocode=EMMA_ID:" in link]
    geocodes = [*fields.get("geocode", ()), *({"valueName": "EMMA_ID", "value": code} for code in named)]
    area = {name: fields.get(name) for name in ("areaDesc", "polygon", "circle")} | {"geocode": geocodes}
    info = {"headline": fields.get("title"), "description": fields.get("summary")} | fields
    return {
        "identifier": monitors.first(fields, "identifier", "id", "guid", "title"),
        "sender": fields.get("sender"),
        "sent": monitors.first(fields, "sent", "updated", "published", "pubDate"),
        "status": fields.get("status"),
        "msgType": monitors.first(fields, "msgType", "message_type"),
        "references": fields.get("references"),
        "web": next((link for link in links if payload.url_of(link) and "geocode=" not in link), None),
        "info": [{**info, "area": [area]}],
    }


def _gathered(alerts: Sequence[Alert]) -> list[Alert]:
    """MeteoAlarm's index has an entry for each place of an alert, under the identifier of the alert."""
    by_name: dict[str, dict[str, Any]] = {}
    for alert in alerts:
        name = payload.key_of(alert["identifier"]) or str(len(by_name))
        if name in by_name:
            by_name[name]["info"][0]["area"] += alert["info"][0]["area"]
        else:
            by_name[name] = dict(alert)
    return list(by_name.values())


def statements_of(alerts: Sequence[object], delivery: Delivery, *, followed: int = 0) -> list[Statement]:
    """The events of these alerts, those that cannot be read as a loss; acknowledgements of messages say nothing.

    Of entries that only point to their alert, so many are `followed`: whoever asks for them counts what is unread.
    """
    known = [payload.object_of(alert) for alert in alerts]
    chains = {name: earlier_of(alert) for alert in known if (name := payload.key_of(alert.get("identifier")))}
    speaking = [alert for alert in known if not alert or speaks(alert)]
    told = [alert for alert in speaking if _word(alert, "msgType") != "ack"]
    roots, unread = roots_of(chains), list[str]()
    statements = monitors.several(told, lambda one: event_of(payload.object_of(one), delivery, roots, unread), "alert")
    statements += hazards.lost(unread)
    if (pointing := len(known) - len(speaking) - followed) > 0:
        statements.append(Loss(pointing, "entries that only point to their alert, where it is not followed"))
    return statements


def event_of(alert: Alert, delivery: Delivery, roots: Mapping[str, str], unread: list[str]) -> Event:
    """The event of one alert; outlines, circles and times that cannot be read are named in `unread`."""
    identifier = payload.key_of(alert.get("identifier"))
    if identifier is None:
        raise UnrecognisedError("an alert without an identifier")
    root = roots.get(identifier, identifier)
    sent = hazards.instant_of(alert.get("sent"), "sent", delivery, unread)
    infos = [payload.object_of(info) for info in payload.list_of(alert.get("info"))]
    chosen = spoken_infos(infos)
    info: Alert = chosen[0] if chosen else {}
    over = _word(alert, "msgType") in _OVER or bool(chosen and all(_is_clear(info) for info in chosen))
    codes = list(dict.fromkeys(found for one in chosen for name in ("VTEC", "NWSVTEC") for found in _vtec(one, name)))
    # Of an upgrade that ends a watch and begins a warning, it is the warning that the alert tells.
    codes = [code for code in codes if not code.is_over] or codes
    over = over or bool(codes and all(code.is_over for code in codes))
    first = _word(alert, "msgType") != "update" and all(code.action == "NEW" for code in codes)
    times = {
        member: [at for one in chosen if (at := hazards.instant_of(one.get(member), member, delivery, unread))]
        for member in ("onset", "effective", "expires")
    }
    onset = min(times["onset"] or times["effective"], default=sent)
    endings = [code.ends_at for code in codes if code.ends_at] + _endings(chosen, delivery)
    ends_at = max(endings or times["expires"], default=None)
    areas = [payload.object_of(one) for each in chosen for one in payload.list_of(each.get("area"))]
    places = list(dict.fromkeys(place for one in areas for place in hazards.places_of(one.get("areaDesc"))))
    level = _parameter(info, "awareness_level")
    return hazards.event_of(
        delivery,
        # Where there is VTEC, it names the hazard through all messages, whatever they refer to.
        key=codes[0].key(vtec.year_of(codes[0], sent, [at for _, at in earlier_of(alert)])) if codes else root,
        event=info.get("event"),
        over=over,
        places=places,
        title="" if monitors.is_said(info.get("event")) else payload.title_of(info.get("headline")) or "",
        said_at=sent,
        starts_at=hazards.start_of(onset, sent, first=first, over=over),
        ends_at=ends_at,
        area=hazards.together([_area(one, unread) for one in areas]),
        severity=_AWARENESS.get((level or "")[:1])
        or hazards.gravest(hazards.severity_of(one.get("severity")) for one in chosen),
        test=(_word(alert, "status") or "actual") != "actual" or any(code.is_test for code in codes),
        labels={
            "severity": info.get("severity"),
            "urgency": info.get("urgency"),
            "certainty": info.get("certainty"),
            "status": alert.get("status"),
            "message_type": alert.get("msgType"),
            "sender": info.get("senderName") or alert.get("sender"),
            "area": "; ".join(places),
            "response": monitors.joined(info.get("responseType")),
            "awareness_level": level,
            "awareness_type": _parameter(info, "awareness_type"),
            "vtec": " ".join(code.text for code in codes),
            **headlines(infos, info),
        },
        url=payload.url_of(info.get("web")) or alert.get("web"),
        text=info.get("description") or info.get("headline"),
    )


def spoken_infos(infos: Sequence[Alert]) -> list[Alert]:
    """The blocks in English, else those in the language of the first; blocks of one language are its parts."""
    languages = [(payload.title_of(info.get("language"), 40) or "en-US").casefold() for info in infos]
    wanted = next((language for language in languages if language.startswith("en")), languages[0] if languages else "")
    return [info for info, language in zip(infos, languages, strict=True) if language == wanted]


def headlines(infos: Sequence[Alert], info: Alert) -> dict[str, object]:
    """The headline of the block that is told, and those of the other languages under their names."""
    others = {
        f"headline ({language})": other.get("headline")
        for other in infos[:40]
        if other is not info and (language := payload.title_of(other.get("language"), 40))
    }
    others.pop(f"headline ({payload.title_of(info.get('language'), 40)})", None)
    return {"headline": info.get("headline"), **others}


def earlier_of(alert: Alert) -> list[tuple[str, datetime | None]]:
    """The messages that an alert refers to, as `sender,identifier,sent` parted by blanks: identifiers and times."""
    found = []
    for reference in (payload.text_of(alert.get("references"), 100_000) or "").split()[:2_000]:
        parts = reference.split(",")
        name = payload.key_of(",".join(parts[1:-1]) if len(parts) > 2 else parts[-1])
        if name:
            found.append((name, _time(parts[-1]) if len(parts) > 2 else None))
    return found


def roots_of(chains: Chains) -> dict[str, str]:
    """The first message of each alert's chain, as far as it and the other alerts of its document tell."""
    roots: dict[str, str] = {}
    for identifier in chains:
        path = {identifier: None}
        last = identifier
        while last not in roots:
            earlier = [one for one in chains.get(last, ()) if one[0] not in path]
            if not earlier:
                break
            # The earliest by its time; of those without a time the one that is named first.
            last = min(earlier, key=lambda one: one[1] or instants.LATEST)[0]
            path[last] = None
        roots |= dict.fromkeys(path, roots.get(last, last))
    return roots


def _time(said: str) -> datetime | None:
    try:
        return instants.parse(said)
    except ValueError:
        return None


def speaks(alert: Alert) -> bool:
    """Whether it is an alert and not only an index's pointer to one."""
    infos = [payload.object_of(info) for info in payload.list_of(alert.get("info"))]
    return monitors.is_said(alert.get("msgType")) or any(monitors.is_said(info.get("event")) for info in infos)


def _word(fields: Alert, name: str) -> str | None:
    said = payload.title_of(fields.get(name), 40)
    return said.casefold() if said else None


def _is_clear(info: Alert) -> bool:
    said = info.get("responseType")
    return "AllClear" in (said if isinstance(said, list) else [said])


def _parameter(info: Alert, name: str) -> str | None:
    pairs = (payload.object_of(one) for one in payload.list_of(info.get("parameter"))[:500])
    return next((payload.text_of(pair.get("value")) for pair in pairs if pair.get("valueName") == name), None)


def _vtec(info: Alert, name: str) -> tuple[vtec.Vtec, ...]:
    return vtec.strings_in(_parameter(info, name) or "")


def _endings(infos: Sequence[Alert], delivery: Delivery) -> list[datetime]:
    """The end of the hazard, where a national profile says it beside the end of the message."""
    found = (monitors.moment(_parameter(info, "eventEndingTime"), delivery) for info in infos)
    return [at for at in found if at]


def _area(fields: Alert, unread: list[str]) -> Area | None:
    """One area: outlines as latitude,longitude (GeoJSON wants the other order), circles, codes."""
    polygons = [corners for text in _texts(fields.get("polygon")) if (corners := _corners(text))]
    circles = [found for text in _texts(fields.get("circle")) if (found := _circle(text, unread))]
    outlines: list[Area | None] = [
        hazards.area_of({"type": "Polygon", "coordinates": [corners]}, unread=unread) for corners in polygons
    ]
    zones = [zone for one in payload.list_of(fields.get("geocode")) for zone in zones_of(payload.object_of(one))]
    return hazards.together(
        [*outlines, *(hazards.area_of(circle=circle) for circle in circles), hazards.area_of(zones=zones)]
    )


def zones_of(geocode: Alert) -> list[str]:
    """A geocode's values: as they are in schemes that sites name their zones by, else as `CLC:041420`."""
    parts = re.split(r"[:/?=]", payload.title_of(geocode.get("valueName"), 200) or "")
    scheme = next((part for part in reversed(parts) if not part.replace(".", "").isdecimal() and part), "")
    values = (payload.text_of(geocode.get("value"), 100_000) or "").split()
    return values if scheme.casefold() in _OWN_SCHEMES else [f"{scheme}:{value}"[:200] for value in values]


def _texts(value: object) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    return [text for text in texts if isinstance(text, str) and text.strip()]


def _corners(text: str) -> list[list[float]]:
    return [[float(longitude), float(latitude)] for latitude, longitude in _CORNER.findall(text)]


def _circle(text: str, unread: list[str]) -> tuple[float, float, float] | None:
    found = _CIRCLE.fullmatch(text)
    latitude, longitude, radius_km = map(float, found.groups()) if found else (999.0, 0.0, 0.0)
    if abs(latitude) > 90 or abs(longitude) > 180 or radius_km > 20_100:
        unread.append(f"circle {text[:60]!r} is no place with a radius in km")
        return None
    return latitude, longitude, radius_km
