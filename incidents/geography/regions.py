"""The catalogue of provider regions: names, zones and display words to places with a stated error. Pure.

`regions.csv` holds a row for each region and colo; how sure it is of a place stands in the row. Zones have no
rows: which buildings a zone is in is not public, so a zone is at its region's place.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Literal

Granularity = Literal["region", "metro", "zone", "colo"]

PROVIDERS: Final[Mapping[str, str]] = {
    "aws": "aws",
    "amazon": "aws",
    "amazon web services": "aws",
    "azure": "azure",
    "microsoft": "azure",
    "microsoft azure": "azure",
    "gcp": "gcp",
    "google": "gcp",
    "google cloud": "gcp",
    "oci": "oci",
    "oracle": "oci",
    "oracle cloud": "oci",
    "cloudflare": "cloudflare",
    "cf": "cloudflare",
    "digitalocean": "digitalocean",
    "do": "digitalocean",
    "hetzner": "hetzner",
    "linode": "linode",
    "akamai": "linode",
    "ovh": "ovh",
    "ovhcloud": "ovh",
    "scaleway": "scaleway",
    "vultr": "vultr",
}
"""What providers are called before the colon, and the catalogue's word for each."""
MOST_LETTERS: Final = 120
"""Longer texts are sentences, not names."""

_ZONE_NOTE: Final = "which buildings the zone is in is not public: this is the place of its region"
_NUMBERED: Final = re.compile(r"[a-z]+(-[a-z]+)+-?\d+")
_ID_OF_ZONE: Final = re.compile(r"([a-z]{2,4}\d)-?az(\d{1,2})")
_TENANCY: Final = re.compile(r"[A-Za-z0-9]{4}:(?=.*\bAD-\d$)", re.IGNORECASE)
_IN_PARENTHESES: Final = re.compile(r"(.+?)[\s–-]*\(([^()]+)\)\s*")
# How each provider writes a zone of a region, after the region's own name. A bare digit would be another region of
# Google (europe-west1 and europe-west12), and us-west-2-lax-1a is in Los Angeles, not in Oregon.
_ZONES: Final[Mapping[str, re.Pattern[str]]] = {
    "aws": re.compile(r"-?([a-z])"),
    "gcp": re.compile(r"-([a-z])"),
    "azure": re.compile(r"-(?:az|zone)?-?([1-9])|az([1-9])"),
    "oci": re.compile(r"-ad-?([1-9])"),
    "scaleway": re.compile(r"-([1-9])"),
}
_LETTERS_OF: Final[Mapping[str, str]] = {
    "gov": "g", "north": "n", "south": "s", "east": "e", "west": "w", "central": "c",
    "northeast": "ne", "southeast": "se", "northwest": "nw", "southwest": "sw",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where a region, zone or colo is, and how far off that may be.

    `granularity` says what the coordinates stand for: `region` the middle of the region's own buildings (or of the
    state, where no more is public: the uncertainty tells), `metro` the centre of the city that the provider names,
    `colo` the airport whose code an edge location bears, `zone` the place of the zone's region.
    """

    name: str
    title: str
    latitude: float
    longitude: float
    uncertainty_km: float
    timezone: str
    granularity: Granularity
    provider: str
    source: str
    country: str
    note: str = ""
    region: str = ""
    """The name of the region that a zone is in; a region's own name elsewhere."""
    aliases: tuple[str, ...] = field(default=(), repr=False)


Candidates = tuple[Place, ...]


def resolve(text: str) -> Place | Candidates | None:
    """The place that a name means; every place that it may mean when there are several; None when none is known.

    Names are codes with or without their provider (`aws:us-west-1`, `uksouth`), zones (`europe-west2-a`,
    `usw1-az2`), airport codes, and the words of status pages ("N. California", "UK South (London)").
    """
    found = candidates(text)
    return found[0] if len(found) == 1 else found or None


def candidates(text: str) -> Candidates:
    """Every place that a name may mean, by provider and name: none, one or several."""
    return _candidates(text) if len(text) <= MOST_LETTERS else ()


@lru_cache(maxsize=16_384)
def _candidates(text: str) -> Candidates:
    plain = _plain(_TENANCY.sub("", text.strip()))
    if not plain:
        return ()
    head, colon, rest = plain.partition(":")
    if not colon:
        return _search(plain, None)
    provider = PROVIDERS.get(head.strip())
    return _search(rest.strip(), provider) if provider else ()


@cache
def catalogue() -> Candidates:
    """All rows, by provider and name."""
    text = files("incidents.geography").joinpath("regions.csv").read_text(encoding="utf-8")
    return tuple(_place(row) for row in csv.DictReader(text.splitlines()))


def _place(row: Mapping[str, str]) -> Place:
    granularity: Granularity = "region"
    match row["granularity"]:
        case "metro" | "colo" as known:
            granularity = known
    return Place(
        name=row["name"],
        title=row["title"],
        latitude=float(row["latitude"]),
        longitude=float(row["longitude"]),
        uncertainty_km=float(row["uncertainty_km"]),
        timezone=row["timezone"],
        granularity=granularity,
        provider=row["name"].partition(":")[0],
        source=row["source"],
        country=row["country"],
        note=row["note"],
        region=row["name"],
        aliases=tuple(filter(None, row["aliases"].split("|"))),
    )


def _search(text: str, provider: str | None) -> Candidates:
    """What a name means to one provider, or to any: as a code, as a zone, then as a status page's words."""
    code = _hyphened(text)
    found = _listed(code, provider) or _zones(code, provider)
    if not provider and found and _stems().get(code):
        # Linode calls a region us-east, and everybody else means a coast by it.
        found = _all((*found, *_stems()[code]))
    return found or _squashed(text, provider) or _in_words(text, provider)


def _in_words(text: str, provider: str | None) -> Candidates:
    """`London (europe-west2)`: both parts must mean it; where they mean different places, each is a candidate."""
    parts = _IN_PARENTHESES.fullmatch(text)
    if not parts:
        return ()
    outer, inner = (_search(part.strip(), provider) for part in parts.groups())
    both = tuple(place for place in inner if place in outer)
    return both or _all((*outer, *inner))


def _all(places: Candidates) -> Candidates:
    return tuple(dict.fromkeys(places))


def _of(provider: str | None, places: Candidates) -> Candidates:
    return tuple(place for place in places if provider in (None, place.provider))


def _listed(code: str, provider: str | None) -> Candidates:
    return _of(provider, _by_code().get(code, ()))


def _squashed(text: str, provider: str | None) -> Candidates:
    """What is called so but for spaces, punctuation and accents.

    A bare code that only another provider would write with a hyphen is not that provider's: me-west-1 may be a region
    newer than the catalogue, and me-west1 is Google's in Tel Aviv.
    """
    letters = _letters(text)
    found = _of(provider, _by_letters().get(letters, ()))
    if provider or not _NUMBERED.fullmatch(_hyphened(text)):
        return found
    return tuple(place for place in found if "-" not in _code(place) or _letters(_code(place)) != letters)


def _zones(code: str, provider: str | None) -> Candidates:
    by_id = _ID_OF_ZONE.fullmatch(code)
    if by_id and provider in (None, "aws") and (region := _by_zone_id().get(by_id[1])):
        return (_zone(region, f"aws:{by_id[1]}-az{by_id[2]}", f"az{by_id[2]}"),)
    found = []
    for prefix, suffix in _split(code):
        for region in _listed(prefix, provider):
            zone = _ZONES.get(region.provider)
            # An airport code or a display word has no zones; only the region's own code does.
            if zone and _code(region) == prefix and (match := zone.fullmatch(suffix)):
                letter = next(part for part in match.groups() if part)
                found.append(_zone(region, f"{region.name}{suffix}", letter))
    return _all(tuple(found))


def _split(code: str) -> Iterator[tuple[str, str]]:
    """The code in two, the second part short enough to name a zone."""
    for length in range(1, min(8, len(code))):
        yield code[:-length], code[-length:]


def _zone(region: Place, name: str, letter: str) -> Place:
    return replace(region, name=name, title=f"{region.title}, zone {letter}", granularity="zone", note=_ZONE_NOTE)


def _code(place: Place) -> str:
    return place.name.partition(":")[2].casefold()


@cache
def _by_code() -> Mapping[str, Candidates]:
    """Codes and airport keys, lower case, to places. `us-east-1` and `us-east1` are two regions of two providers."""
    index: dict[str, Candidates] = {}
    for place in catalogue():
        for code in (_code(place), *(alias.casefold() for alias in place.aliases if " " not in alias)):
            index[code] = _all((*index.get(code, ()), place))
    return index


@cache
def _by_letters() -> Mapping[str, Candidates]:
    """Everything a place is called, as letters and digits alone: its code, its title and the parts of its title."""
    index: dict[str, Candidates] = {}
    for place in catalogue():
        for called in {_letters(name) for name in _called(place)}:
            index[called] = (*index.get(called, ()), place)
    return index


def _called(place: Place) -> Iterator[str]:
    yield _code(place)
    for title in (place.title, *(alias for alias in place.aliases if " " in alias)):
        yield title
        parts = _IN_PARENTHESES.fullmatch(_plain(title))
        # "AWS GovCloud (US-West)": a coast is what everybody's regions are on, not a name of this one.
        if parts and _hyphened(parts[2]) not in _stems():
            yield parts[2]
        elif place.provider == "cloudflare":
            yield title.partition(",")[0]


@cache
def _by_zone_id() -> Mapping[str, Place]:
    """`use1` of `use1-az2` to its region: AWS shortens the words of the region's code."""
    places = (place for place in catalogue() if place.provider == "aws")
    return {_short(_code(place)): place for place in places}


def _short(code: str) -> str:
    continent, *words = code.split("-")
    return continent + "".join(_LETTERS_OF.get(word, word) for word in words)


@cache
def _stems() -> Mapping[str, Candidates]:
    """Codes without their number to the regions that are numbered: `us-east` to us-east-1, us-east-2 and us-east1."""
    index: dict[str, Candidates] = {}
    for place in catalogue():
        stem = re.sub(r"-?\d+$", "", _code(place))
        if stem != _code(place):
            index[stem] = (*index.get(stem, ()), place)
    return index


def _plain(text: str) -> str:
    """Lower case, one kind of space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _hyphened(text: str) -> str:
    return re.sub(r"[\s_./-]+", "-", text).strip("-")


def _letters(text: str) -> str:
    """Letters and digits alone, without accents: `São Paulo` and `Sao Paulo` are one place.

    What stands between two digits stays: europe-west1-2 is not europe-west12.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"(?<!\d)[\W_]+|[\W_]+(?!\d|[\W_])", "", plain)
