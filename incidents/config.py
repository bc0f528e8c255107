"""The configuration from TOML or a story: sites, sources, rules, destinations; errors name table and key. Pure."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from incidents.formats import severities
from incidents.geography import sites
from incidents.geography.regions import Place
from incidents.model import Match, Rule, Severity, Site, Source
from incidents.notices.destinations import KINDS, WHAT, Destination
from incidents.proofs.verification import SCHEMES
from incidents.rules import DEFAULT_RULES

SLUG = re.compile(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?")
_SPAN = re.compile(r"(\d+)\s*(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LEAST_KEY_LENGTH = 32


@cache
def _zones() -> frozenset[str]:
    """The names of the IANA database; listing them walks through a folder of files."""
    return frozenset(zoneinfo.available_timezones())


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the table, the row and the key."""


@dataclass(frozen=True, slots=True)
class Config:
    """What is in force: sites, sources, rules and destinations by the names that people gave them."""

    sites: tuple[Site, ...] = ()
    sources: tuple[Source, ...] = ()
    rules: tuple[Rule, ...] = DEFAULT_RULES
    destinations: tuple[Destination, ...] = ()

    by_name: Mapping[str, Source] = field(init=False, repr=False, compare=False)
    """The sources by their names: every delivery asks for its own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {source.name: source for source in self.sources})

    def source(self, name: str) -> Source | None:
        """The source of this name."""
        return self.by_name.get(name)

    def site(self, name: str) -> Site | None:
        """The site of this name."""
        return next((s for s in self.sites if s.name == name), None)


Configured = Site | Source | Rule | Destination


class _Table:
    """One row of a table, read key by key; keys that nothing asked for are errors."""

    def __init__(self, where: str, row: Any) -> None:  # noqa: ANN401  # TOML or JSON
        if not isinstance(row, Mapping):
            raise ConfigError(f"{where}: a table is expected")
        self.where, self._row, self._left = where, row, set(row)

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = None, *, needed: bool = False) -> Any:  # noqa: ANN401
        self._left.discard(key)
        value = self._row.get(key)
        if value is None:
            if needed:
                raise self.error(key, "is missing")
            return default
        if (isinstance(value, bool) and kind is not bool) or not isinstance(value, kind):
            raise self.error(key, f"{str(value)[:60]!r} is not of the kind expected")
        return value

    def names(self, key: str) -> tuple[str, ...]:
        found = self.take(key, list, [])
        if not all(isinstance(n, str) for n in found):
            raise self.error(key, "a list of strings is expected")
        return tuple(found)

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        value = float(self.take(key, (int, float), default, needed=default is None))
        if not low <= value <= high:
            raise self.error(key, f"{value} is not between {low} and {high}")
        return value

    def slug(self, key: str = "name") -> str:
        value = str(self.take(key, str, needed=True))
        if not SLUG.fullmatch(value):
            raise self.error(key, f"{value[:60]!r}: lower case letters, digits, '.', '_' and '-' are expected")
        self.where = f"{self.where.partition(' ')[0]} {value}"
        return value

    def matches(self, key: str) -> tuple[Match, ...]:
        found = []
        for n, row in enumerate(self.take(key, list, [])):
            inner = _Table(f"{self.where}: {key}[{n}]", row)
            found.append(Match(str(inner.take("label", str, needed=True)), str(inner.take("value", str, needed=True))))
            inner.done()
        return tuple(found)

    def error(self, key: str, what: str) -> ConfigError:
        return ConfigError(f"{self.where}: {key}: {what}")

    def done(self) -> None:
        if self._left:
            raise self.error(min(self._left), "is not a key that is known here")


def site_of(row: Any, where: str = "sites") -> Site:  # noqa: ANN401  # TOML or JSON
    """A site from its table."""
    table = _Table(where, row)
    name = table.slug()
    zone = table.take("timezone", str)
    if zone is not None and zone not in _zones():
        raise table.error("timezone", f"{zone[:60]!r} is not a time zone of the IANA database")
    regions = table.names("provider_regions")
    place = _catalogued(table, regions)
    latitude = table.number("latitude", -90, 90, place.latitude if place else None)
    longitude = table.number("longitude", -180, 180, place.longitude if place else None)
    timezone, timezone_by = _zone_of(zone, place, latitude, longitude)
    limits = table.take("limits", dict, {})
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in limits.values()):
        raise table.error("limits", "numbers by variable are expected")
    site = Site(
        name=name,
        title=str(table.take("title", str, name)),
        latitude=latitude,
        longitude=longitude,
        uncertainty_km=table.number("uncertainty_km", 0, 20_000, place.uncertainty_km if place else 5.0),
        timezone=timezone,
        provider_regions=regions,
        zones=table.names("zones"),
        grid_area=table.take("grid_area", str),
        limits={k: float(v) for k, v in limits.items()},
        match=table.matches("match"),
        located_by="catalogue" if place else "given",
        timezone_by=timezone_by,
        depends_on=table.names("depends_on"),
        operator=table.take("operator", str),
    )
    table.done()
    return site


def _zone_of(
    given: str | None, place: Place | None, latitude: float, longitude: float
) -> tuple[str, Literal["given", "catalogue", "coordinates", "default"]]:
    """The time zone of a site, and where it comes from."""
    if given:
        return given, "given"
    if place:
        return place.timezone, "catalogue"
    found = sites.zone_at(latitude, longitude)
    return (found, "coordinates") if found else ("UTC", "default")


def _catalogued(table: _Table, regions: Sequence[str]) -> Place | None:
    """The place that stands in for coordinates which the table leaves out; None where it gives any of them."""
    given = [table.take(key, (int, float)) for key in ("latitude", "longitude")]
    if not regions or given != [None, None]:
        return None
    try:
        return sites.one_place(regions)
    except ValueError as error:
        raise table.error("latitude", f"is missing, and {error}") from None


SECRET_KEYS = ("key", "key_file", "secret", "secret_file")
"""Keys of a source's table that never become part of a Source."""


def source_of(row: Any, adapters: Iterable[str], where: str = "sources") -> Source:  # noqa: ANN401  # TOML or JSON
    """A source from its table. Keys and secrets are checked here and stored elsewhere."""
    table = _Table(where, row)
    name = table.slug()
    adapter = str(table.take("adapter", str, needed=True))
    if adapter not in adapters:
        raise table.error("adapter", f"{adapter[:60]!r} is not an adapter; `barograph adapters` lists them")
    for key in SECRET_KEYS:
        table.take(key, str)
    if (row.get("key") is not None) and len(row["key"]) < LEAST_KEY_LENGTH:
        raise table.error("key", f"shorter than {LEAST_KEY_LENGTH} characters")
    every = table.take("every", str)
    zone = table.take("timezone", str)
    if zone is not None and zone not in _zones():
        raise table.error("timezone", f"{zone[:60]!r} is not a time zone of the IANA database")
    mapping = table.take("mapping", dict, {})
    if not all(isinstance(v, str) for v in mapping.values()):
        raise table.error("mapping", "JMESPath expressions by field are expected")
    verify = table.take("verify", str)
    if verify is not None and verify not in SCHEMES:
        raise table.error("verify", f"{verify[:60]!r} is not a scheme that is known here; {', '.join(SCHEMES)} is")
    external = table.take("external_labels", dict, {})
    if not all(isinstance(v, str) for v in external.values()):
        raise table.error("external_labels", "texts by name are expected")
    prometheus = table.take("prometheus", str)
    if prometheus is not None:
        _host(table, prometheus, "prometheus")
    source = Source(
        name=name,
        adapter=adapter,
        every_seconds=None if every is None else span(table, "every", every),
        url=table.take("url", str),
        timezone=zone,
        mapping=dict(mapping),
        verify=verify,
        prometheus=prometheus,
        external_labels=dict(external),
    )
    table.done()
    return source


def rule_of(row: Any, where: str = "rules") -> Rule:  # noqa: ANN401  # TOML or JSON
    """A rule from its table: `when` holds a severity, or a count with the stretch it is counted in."""
    table = _Table(where, row)
    name = table.slug()
    when = _Table(f"{table.where}: when", table.take("when", dict, needed=True))
    if when.take("kind", str, "alert") != "alert":
        raise when.error("kind", "rules open incidents for alerts only")
    least = when.take("severity_at_least", str)
    severity = None if least is None else severities.severity(least)
    if severity is Severity.UNKNOWN and least != "unknown":
        raise when.error("severity_at_least", f"{least!r} is not a severity")
    count = when.take("count", int)
    if count is not None and count < 1:
        raise when.error("count", "at least 1 is expected")
    if severity is None and count is None:
        raise when.error("severity_at_least", "give this, or count and within")
    within = when.take("within", str)
    group_by = str(table.take("group_by", str, "site"))
    if group_by not in ("site", "group"):
        raise table.error("group_by", "site or group is expected")
    rule = Rule(
        name=name,
        severity_at_least=severity,
        count=count,
        within_seconds=600 if within is None else span(when, "within", within),
        open=bool(table.take("open", bool, True)),
        group_by="site" if group_by == "site" else "group",
        match=table.matches("match"),
        unless=table.matches("unless"),
    )
    when.done()
    table.done()
    return rule


def destination_of(row: Any, where: str = "destinations") -> Destination:  # noqa: ANN401  # TOML or JSON
    """A destination from its table. Its address and secrets are checked here and stored elsewhere."""
    table = _Table(where, row)
    name, kind = table.slug(), table.take("kind", str, needed=True)
    if kind not in KINDS:
        raise table.error("kind", f"one of {', '.join(KINDS)} is expected")
    given = {key: table.take(key, str) for key in DESTINATION_SECRET_KEYS}
    if not (given["url"] or given["url_file"]):
        raise table.error("url", "is missing")
    if (kind == "webhook") != bool(given["secret"] or given["secret_file"]):
        needed = "is missing: a webhook is signed" if kind == "webhook" else "is for webhooks alone"
        raise table.error("secret", needed)
    what = table.names("what")
    if set(what) - set(WHAT):
        raise table.error("what", f"of {', '.join(WHAT)} some are expected")
    least = table.take("severity_at_least", str)
    severity = None if least is None else severities.severity(least)
    if severity is Severity.UNKNOWN and least != "unknown":
        raise table.error("severity_at_least", f"{least[:60]!r} is not a severity")
    host = _host(table, given["url"]) if given["url"] else ""
    private = table.take("private", bool)
    destination = Destination(name, kind, host, what, severity, table.names("sites"), private)
    table.done()
    return destination


DESTINATION_SECRET_KEYS = ("url", "url_file", "secret", "secret_file")
"""Keys of a destination's table that never become part of a Destination."""


def _host(table: _Table, address: str, key: str = "url") -> str:
    """The host of an address; the error does not repeat it, for a chat's address is a secret."""
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme in ("http", "https") and parts.hostname and parts.username is None
    except ValueError:
        is_usable = False
    if not is_usable:
        raise table.error(key, "an http or https address without a name or password is expected")
    return parts.netloc


def span(table: _Table, key: str, text: str) -> int:
    """A length such as "2m" in seconds."""
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise table.error(key, f"{text[:60]!r} is not a length such as 30s, 10m, 2h or 1d")
    return int(found[1]) * _SECONDS[found[2]]


def config_of(document: Any, adapters: Iterable[str]) -> Config:  # noqa: ANN401  # TOML or JSON
    """A whole configuration. Raises ConfigError for what is unknown, missing, out of range or named twice."""
    known = list(adapters)
    table = _Table("configuration", document)
    rows = {kind: table.take(kind, list, []) for kind in ("sites", "sources", "rules", "destinations")}
    table.done()
    sites = tuple(site_of(row, f"sites[{n}]") for n, row in enumerate(rows["sites"]))
    sources = tuple(source_of(row, known, f"sources[{n}]") for n, row in enumerate(rows["sources"]))
    rules = tuple(rule_of(row, f"rules[{n}]") for n, row in enumerate(rows["rules"]))
    destinations = tuple(destination_of(row, f"destinations[{n}]") for n, row in enumerate(rows["destinations"]))
    given = (("sites", sites), ("sources", sources), ("rules", rules), ("destinations", destinations))
    for kind, found in given:
        names = [row.name for row in found]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ConfigError(f"{kind} {twice}: name: is given twice")
    return Config(sites, sources, rules or DEFAULT_RULES, destinations)


def spec_of(value: Configured) -> dict[str, Any]:
    """A configured value as plain JSON, lists and all, as a row holds it; `value_of` reads it back."""
    spec: dict[str, Any] = orjson.loads(
        orjson.dumps({k: v for k, v in asdict(_plain(value)).items() if v not in (None, (), {})})
    )
    return spec


def _plain(value: Any) -> Any:  # noqa: ANN401  # asdict copies mappings that it can rebuild only
    from dataclasses import replace

    changed = {
        name: dict(getattr(value, name)) for name in ("limits", "mapping", "external_labels") if hasattr(value, name)
    }
    return replace(value, **changed)


def value_of(kind: str, spec: Mapping[str, Any]) -> Configured:
    """A configured value from its JSON."""
    fields = dict(spec)
    for name in ("match", "unless"):
        if name in fields:
            fields[name] = tuple(Match(**m) for m in fields[name])
    for name in ("provider_regions", "zones", "depends_on", "what", "sites"):
        if name in fields:
            fields[name] = tuple(fields[name])
    if fields.get("severity_at_least"):
        fields["severity_at_least"] = Severity(fields["severity_at_least"])
    kinds: dict[str, Any] = {"site": Site, "source": Source, "rule": Rule, "destination": Destination}
    value: Configured = kinds[kind](**fields)
    return value
