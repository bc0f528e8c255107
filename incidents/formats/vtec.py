"""VTEC, by which the US National Weather Service names a hazard through all messages about it (NWSI 10-1703)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from incidents.instants import EPOCH, LATEST

OVER = frozenset({"CAN", "EXP", "UPG"})
"""Actions after which the event is no longer on."""

_PATTERN = re.compile(
    r"/?(?P<mode>[OTEX])\.(?P<action>[A-Z]{3})\.(?P<office>[A-Z0-9]{4})\.(?P<phenomenon>[A-Z]{2})\.(?P<significance>[A-Z])"
    r"\.(?P<number>\d{4})\.(?P<begin>\d{6}T\d{4}Z)-(?P<end>\d{6}T\d{4}Z)/?",
    re.ASCII,
)
_NEVER = "000000T0000Z"
_SIGNIFICANCES = {
    "W": "Warning",
    "A": "Watch",
    "Y": "Advisory",
    "S": "Statement",
    "F": "Forecast",
    "O": "Outlook",
    "N": "Synopsis",
}
_OWN_NAMES = {("FW", "W"): "Red Flag Warning", ("FA", "Y"): "Flood Advisory", ("FA", "W"): "Flood Warning"}
_OWN_NAMES |= {("FA", "A"): "Flood Watch", ("SV", "A"): "Severe Thunderstorm Watch"}
_PHENOMENA = {
    "AF": "Ashfall",
    "AS": "Air Stagnation",
    "AV": "Avalanche",
    "BH": "Beach Hazard",
    "BS": "Blowing Snow",
    "BW": "Brisk Wind",
    "BZ": "Blizzard",
    "CF": "Coastal Flood",
    "CW": "Cold Weather",
    "DF": "Debris Flow",
    "DS": "Dust Storm",
    "DU": "Blowing Dust",
    "EC": "Extreme Cold",
    "EH": "Excessive Heat",
    "EW": "Extreme Wind",
    "FA": "Areal Flood",
    "FF": "Flash Flood",
    "FG": "Dense Fog",
    "FL": "Flood",
    "FR": "Frost",
    "FW": "Fire Weather",
    "FZ": "Freeze",
    "GL": "Gale",
    "HF": "Hurricane Force Wind",
    "HS": "Heavy Snow",
    "HT": "Heat",
    "HU": "Hurricane",
    "HW": "High Wind",
    "HY": "Hydrologic",
    "HZ": "Hard Freeze",
    "IS": "Ice Storm",
    "LE": "Lake Effect Snow",
    "LO": "Low Water",
    "LS": "Lakeshore Flood",
    "LW": "Lake Wind",
    "MA": "Marine",
    "MF": "Dense Fog",
    "MH": "Ashfall",
    "MS": "Dense Smoke",
    "RB": "Small Craft for Rough Bar",
    "RP": "Rip Current",
    "SC": "Small Craft",
    "SE": "Hazardous Seas",
    "SI": "Small Craft for Winds",
    "SM": "Dense Smoke",
    "SQ": "Snow Squall",
    "SR": "Storm",
    "SS": "Storm Surge",
    "SU": "High Surf",
    "SV": "Severe Thunderstorm",
    "SW": "Small Craft for Hazardous Seas",
    "TO": "Tornado",
    "TR": "Tropical Storm",
    "TS": "Tsunami",
    "TY": "Typhoon",
    "UP": "Heavy Freezing Spray",
    "WC": "Wind Chill",
    "WI": "Wind",
    "WS": "Winter Storm",
    "WW": "Winter Weather",
    "XH": "Extreme Heat",
    "ZF": "Freezing Fog",
    "ZR": "Freezing Rain",
}


@dataclass(frozen=True, slots=True)
class Vtec:
    """One P-VTEC string. `begins_at` None: already in effect; `ends_at` None: until further notice."""

    mode: str
    action: str
    office: str
    phenomenon: str
    significance: str
    number: int
    begins_at: datetime | None
    ends_at: datetime | None
    text: str

    @property
    def is_test(self) -> bool:
        """Whether it is of the test class; experimental products (E, X) speak of real weather."""
        return self.mode == "T"

    @property
    def is_over(self) -> bool:
        """Whether its action ends the event."""
        return self.action in OVER

    def key(self, year: int) -> str:
        """The event's name through all its messages, given the year of its first one: numbers begin anew each year."""
        return key(self.office, self.phenomenon, self.significance, self.number, year)


def key(office: str, phenomenon: str, significance: str, number: int, year: int) -> str:
    """`KSTO.XH.W.0004.2026`: office, phenomenon, significance, event tracking number, year of first issue."""
    return f"{office}.{phenomenon}.{significance}.{number:04d}.{year}"


def year_of(code: Vtec, sent: datetime | None, earlier: Iterable[datetime | None]) -> int:
    """The year in which the event was first issued, by one message about it and the times of the `earlier` ones.

    A message of January about an event of December keeps December's year, though its own string holds no start.
    """
    if code.action == "NEW" and sent:
        return sent.year
    known = [at for at in (sent, *earlier) if at]
    begins = code.begins_at or code.ends_at
    return min(known).year if known else begins.year if begins else 0


def strings_in(text: str) -> tuple[Vtec, ...]:
    """Every P-VTEC string of a text, in order; H-VTEC beside it and what is damaged are passed over."""
    return tuple(
        Vtec(
            mode=found["mode"],
            action=found["action"],
            office=found["office"],
            phenomenon=found["phenomenon"],
            significance=found["significance"],
            number=int(found["number"]),
            begins_at=_instant(found["begin"]),
            ends_at=_instant(found["end"]),
            text=found.group().strip("/"),
        )
        for found in _PATTERN.finditer(text)
    )


def name_of(phenomenon: str, significance: str) -> str:
    """The product's usual English name (`Extreme Heat Warning`); the codes themselves where they are not known."""
    own = _OWN_NAMES.get((phenomenon, significance))
    named, level = _PHENOMENA.get(phenomenon), _SIGNIFICANCES.get(significance)
    return own or (f"{named} {level}" if named and level else f"{phenomenon}.{significance}")


def _instant(said: str) -> datetime | None:
    if said == _NEVER:
        return None
    try:
        at = datetime.strptime(f"20{said}", "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return at if EPOCH < at < LATEST else None
