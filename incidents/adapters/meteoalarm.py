"""MeteoAlarm, the warnings of Europe's weather services: its JSON, its Atom indexes, the CAP documents behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from incidents.formats import cap, payload
from incidents.model import Credit, Delivery, Request, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "MeteoAlarm (Europe)"
READS = ("meteoalarm",)
LANES = ("warnings",)
EVERY = timedelta(minutes=5)
CREDIT = Credit(
    "EUMETNET – MeteoAlarm, and the weather service that each warning names. Time delays between this page and"
    " www.meteoalarm.org are possible: see there for the most recent warnings",
    "CC BY 4.0",
    "https://meteoalarm.org/en/live/page/terms-and-conditions",
)
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "meteoalarm"
adapter = "meteoalarm"
every = "5m"
""",
            "note": "Give each site its `zones`, such as `UK115` (EMMA_ID) or `FR718` (NUTS3): most warnings have no"
            " outline. Their first two letters say which country is asked for; without them the site's time zone does.",
        },
    ],
    "facts": [
        ["What is asked", "the JSON of each country that has a site, a document of some megabytes at worst"],
        ["Limits", "not published; five minutes between two turns are usual"],
        ["Terms", "CC BY 4.0; name EUMETNET – MeteoAlarm and the issuing service, and show when a warning was issued"],
        ["History", "none: a feed holds what is on"],
        ["Severity", "the colour of `awareness_level`: red, orange, yellow, green"],
        ["End", "`expires`, a cancellation, or an update whose response is AllClear"],
    ],
}
_ADDRESS = "https://feeds.meteoalarm.org/api/v1/warnings/feeds-"
# Country letters of EMMA_ID and NUTS codes, the feed's word for the country, its time zones.
_COUNTRIES = """\
AT austria Europe/Vienna
BE belgium Europe/Brussels
BA bosnia-herzegovina Europe/Sarajevo
BG bulgaria Europe/Sofia
HR croatia Europe/Zagreb
CY cyprus Asia/Nicosia
CZ czechia Europe/Prague
DK denmark Europe/Copenhagen
EE estonia Europe/Tallinn
FI finland Europe/Helsinki
FR france Europe/Paris
DE germany Europe/Berlin
GR greece Europe/Athens
EL greece Europe/Athens
HU hungary Europe/Budapest
IS iceland Atlantic/Reykjavik
IE ireland Europe/Dublin
IL israel Asia/Jerusalem
IT italy Europe/Rome
LV latvia Europe/Riga
LT lithuania Europe/Vilnius
LU luxembourg Europe/Luxembourg
MT malta Europe/Malta
MD moldova Europe/Chisinau
ME montenegro Europe/Podgorica
NL netherlands Europe/Amsterdam
MK republic-of-north-macedonia Europe/Skopje
NO norway Europe/Oslo
PL poland Europe/Warsaw
PT portugal Europe/Lisbon
RO romania Europe/Bucharest
RS serbia Europe/Belgrade
SK slovakia Europe/Bratislava
SI slovenia Europe/Ljubljana
ES spain Europe/Madrid
SE sweden Europe/Stockholm
CH switzerland Europe/Zurich
UK united-kingdom Europe/London
"""
_ROWS = [line.split() for line in _COUNTRIES.splitlines()]
_BY_LETTERS = {letters: country for letters, country, _ in _ROWS}
_BY_ZONE = {zone: country for _, country, zone in _ROWS}


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:
    """The warnings of each country in which there is a site."""
    if source.url:
        return [Request(source.url)]
    countries = sorted({country for site in sites for country in countries_of(site)})
    return [Request(_ADDRESS + country, {"Accept": "application/json"}) for country in countries]


def countries_of(site: Site) -> set[str]:
    """The countries of a site's zones, else of its time zone, in the feed's words; none outside Europe."""
    if any(zone[2:3] in {"C", "Z"} and zone[:2].isupper() and zone[3:].isdigit() for zone in site.zones):
        return set()  # American zones: DEC001 is in Delaware
    named = {country for zone in site.zones if (country := _BY_LETTERS.get(zone[:2].upper()))}
    return named or {country for country in [_BY_ZONE.get(site.timezone)] if country}


def normalise(delivery: Delivery) -> list[Statement]:
    """One event for each warning of the document."""
    if delivery.body.lstrip()[:1] != b"{":
        return cap.statements_of(cap.alerts_in(delivery.body), delivery)
    warnings = payload.object_of(payload.decode(delivery.body)).get("warnings")
    if not isinstance(warnings, list):
        raise UnrecognisedError("not MeteoAlarm's JSON: no list of warnings")
    return cap.statements_of([payload.object_of(warning).get("alert") for warning in warnings], delivery)
