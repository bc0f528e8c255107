"""Official warning zones as the US services name them: UGC (`CAC067`, `CAZ017`) and SAME (`006067`)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from incidents.formats import payload
from incidents.model import Site

_UGC = re.compile(r"[A-Z]{2}[CZ](?:\d{3}|ALL)", re.ASCII)
_SAME = re.compile(r"\d{6}", re.ASCII)
# FIPS 5-2 codes of states and territories.
_FIPS = (
    "01AL 02AK 04AZ 05AR 06CA 08CO 09CT 10DE 11DC 12FL 13GA 15HI 16ID 17IL 18IN 19IA 20KS 21KY 22LA 23ME 24MD 25MA"
    " 26MI 27MN 28MS 29MO 30MT 31NE 32NV 33NH 34NJ 35NM 36NY 37NC 38ND 39OH 40OK 41OR 42PA 44RI 45SC 46SD 47TN 48TX"
    " 49UT 50VT 51VA 53WA 54WV 55WI 56WY 60AS 66GU 69MP 72PR 78VI"
)
_STATES: dict[str, str] = dict(re.findall(r"(\d\d)([A-Z]{2})", _FIPS))
STATES = frozenset(_STATES.values())
"""Postal codes of the states and territories that have counties in SAME."""


def is_ugc(zone: str) -> bool:
    """Whether it has the form of a US zone or county code."""
    return _UGC.fullmatch(zone) is not None


def ugc_of(values: Iterable[object]) -> list[str]:
    """The UGC codes among these values, and the last parts of zone addresses (`…/zones/forecast/CAZ017`); each once."""
    found = ((payload.title_of(value) or "").rpartition("/")[2].upper() for value in values)
    return list(dict.fromkeys(zone for zone in found if is_ugc(zone)))


def same_of(values: Iterable[object]) -> list[str]:
    """The SAME codes among these values, each once."""
    found = (payload.title_of(value) or "" for value in values)
    return list(dict.fromkeys(code for code in found if _SAME.fullmatch(code)))


def county_of(same: str) -> str | None:
    """The UGC of the county that a SAME code means: `006067` → `CAC067`; its first digit is a part of the county."""
    state = _STATES.get(same[1:3]) if _SAME.fullmatch(same) else None
    return f"{state}C{same[3:]}" if state and same[3:] != "000" else None


def states_of(zones: Iterable[str]) -> list[str]:
    """The states in which these zones lie, sorted; zones of other countries and of the sea say nothing."""
    return sorted({zone[:2].upper() for zone in zones if is_ugc(zone.upper()) and zone[:2].upper() in STATES})


def is_american(site: Site) -> bool:
    """Whether a site has a US zone or, without any, lies where the National Weather Service warns."""
    if any(is_ugc(zone.upper()) for zone in site.zones):
        return True
    return (
        not site.zones
        and site.timezone not in _NEIGHBOURS
        and any(
            south <= site.latitude <= north and west <= site.longitude <= east for south, north, west, east in _BOXES
        )
    )


# Time zones of Canada, Mexico and the Caribbean whose places lie within these boxes.
_NEIGHBOURING = """
Toronto Montreal Vancouver Winnipeg Edmonton Calgary Regina Halifax Moncton Glace_Bay Thunder_Bay
Swift_Current Dawson_Creek Fort_Nelson Creston Atikokan Whitehorse Dawson Inuvik Yellowknife Mexico_City
Monterrey Tijuana Ensenada Hermosillo Chihuahua Ciudad_Juarez Ojinaga Matamoros Mazatlan Bahia_Banderas
Merida Cancun Havana Nassau Santo_Domingo Tortola
"""
_NEIGHBOURS = frozenset(f"America/{name}" for name in _NEIGHBOURING.split())
# South, north, west, east: the lower states, Alaska and Hawaii, the Caribbean, Guam and the Marianas, Samoa.
_BOXES = (
    (24, 49.5, -125, -66.5),
    (18, 72, -180, -129),
    (17.5, 18.7, -68, -64),
    (13, 21, 144, 147),
    (-15, -14, -171, -169),
)
