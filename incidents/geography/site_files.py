"""Sites from files of other people: our own CSV columns, and NetBox's export of sites as CSV or as REST JSON. Pure.

Nothing is evaluated: a cell that looks like a formula is text. Every row ends as a site, as left out with its
reason, or as an error that names row and column; rows are counted as a spreadsheet counts them, the header being 1.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from incidents.config import SLUG, ConfigError, site_of
from incidents.model import Site

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("name", "slug", "site"),
    "title": ("title",),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng", "long"),
    "uncertainty_km": ("uncertainty_km", "uncertainty"),
    "timezone": ("timezone", "time_zone", "tz"),
    "provider_regions": ("provider_regions", "provider_region"),
    "zones": ("zones", "warning_zones", "ugc"),
    "grid_area": ("grid_area", "balancing_area"),
    "limits": ("limits", "design_limits"),
    "match": ("match", "labels"),
    "status": ("status",),
    "facility": ("facility",),
}
"""The columns that are read, each with the headers that name it, in order of preference."""
NOT_RUN: Final = frozenset({"planned", "retired"})
"""What NetBox calls a site in which nothing of ours runs: not yet, or no more."""
MOST_BYTES: Final = 10 * 2**20
_EXCEL_TEXT: Final = re.compile(r'="(.*)"', re.DOTALL)
_LISTS: Final = re.compile(r"[\s,;|]+")
_EMPTY: Final = frozenset({"", "—", "-", "none", "null", "n/a"})


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that is no site of ours, and why."""

    row: int
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that cannot be used, with the column that is wrong and what is wrong with it."""

    row: int
    column: str
    text: str


@dataclass(slots=True)
class Reading:
    """What a file of sites holds."""

    sites: list[Site] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    """Headers that no column is read from."""
    notes: list[str] = field(default_factory=list)


class _FaultyError(ValueError):
    def __init__(self, column: str, text: str) -> None:
        super().__init__(text)
        self.column = column


def read_sites(body: bytes, *, match_label: str | None = None) -> Reading:
    """The sites of a file. `match_label` names the label whose value is the site's name, for rows without `match`.

    Raises ValueError when the whole is not a table of sites: no text, no header, no name column.
    """
    if len(body) > MOST_BYTES:
        raise ValueError(f"the file is over {MOST_BYTES // 2**20} MiB")
    text = _text(body)
    found = Reading()
    rows = _json_rows(text, found) if text.lstrip()[:1] in ("{", "[") else _csv_rows(text, found)
    taken: dict[str, int] = {}
    for number, row in rows:
        try:
            _read(number, row, found, taken, match_label)
        except _FaultyError as fault:
            found.faults.append(Fault(number, fault.column, str(fault)))
    return found


def _text(body: bytes) -> str:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16")  # what Excel calls Unicode text
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the file is not UTF-8 ({error}): in Excel save it as CSV UTF-8") from None


def _csv_rows(text: str, found: Reading) -> list[tuple[int, dict[str, str]]]:
    lines = text.lstrip("\r\n")
    first, _, rest = lines.partition("\n")
    declared = re.fullmatch(r'"?sep=(.)"?\s*', first, re.IGNORECASE)  # Excel's own line, which no reader shows
    body = rest if declared else lines
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=declared[1] if declared else _delimiter(body))
    try:
        records = list(reader)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None
    if not records:
        raise ValueError("the file is empty")
    positions = _positions(records[0], found)
    rows = []
    for number, record in enumerate(records[1:], start=2):
        if any(cell.strip() for cell in record):
            cells = {column: _cell(record[at]) for column, at in positions.items() if at < len(record)}
            rows.append((number, cells))
    return rows


def _delimiter(text: str) -> str:
    """What parts the cells of the header: the commonest of the three outside quotes."""
    header = re.sub(r'"[^"]*"', "", text.partition("\n")[0])
    return max((",", ";", "\t"), key=header.count)


def _positions(header: Sequence[str], found: Reading) -> dict[str, int]:
    """Where each column stands: of several headers for one the preferred one.

    Beside `slug`, as in NetBox, `name` is what people call the site.
    """
    at: dict[str, int] = {}
    for n, title in enumerate(header):
        key = _header(title)
        if key in at:
            raise ValueError(f"the header has {title.strip()!r} twice")
        if key:
            at[key] = n
    if "slug" in at and "name" in at:
        at["title"] = at.pop("name")
    positions = {column: at[found_key] for column, keys in COLUMNS.items() if (found_key := _first(keys, at))}
    if "name" not in positions:
        raise ValueError(f"no column is called name: the header has {', '.join(t.strip() for t in header)[:200]!r}")
    found.unused = [title.strip() for n, title in enumerate(header) if title.strip() and n not in positions.values()]
    return positions


def _first(keys: Iterable[str], at: Mapping[str, int]) -> str | None:
    return next((key for key in keys if key in at), None)


def _header(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.strip().casefold()).strip("_")


def _cell(text: str) -> str:
    """The text of a cell, without the wrapping by which Excel is told that a number is text."""
    plain = text.strip()
    wrapped = _EXCEL_TEXT.fullmatch(plain)
    plain = wrapped[1].replace('""', '"').strip() if wrapped else plain.removeprefix("'")
    return "" if plain.casefold() in _EMPTY else plain


def _json_rows(text: str, found: Reading) -> list[tuple[int, dict[str, str]]]:
    """NetBox's list of sites: the answer of /api/dcim/sites/, or its results alone. Rows are counted from 1."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the file is not JSON: {error}") from None
    given = document.get("results") if isinstance(document, dict) else document
    results = given if isinstance(given, list) else None
    if results is None:
        raise ValueError("NetBox's list of sites is expected: an object with results, or a list")
    if isinstance(document, dict) and document.get("next"):
        found.notes.append(
            f"this is one page: {len(results)} of {document.get('count')} sites; ask NetBox with ?limit=0 for all"
        )
    return [(n, _netbox_row(row)) for n, row in enumerate(results, start=1)]


def _netbox_row(row: object) -> dict[str, str]:
    if not isinstance(row, Mapping):
        return {}
    status = row.get("status")
    cells = {
        "name": row.get("slug"),
        "title": row.get("name"),
        "status": status.get("value") if isinstance(status, Mapping) else status,
        "latitude": row.get("latitude"),
        "longitude": row.get("longitude"),
        "timezone": row.get("time_zone"),
        "facility": row.get("facility"),
    }
    return {column: _cell(str(cell)) for column, cell in cells.items() if cell is not None}


def _read(number: int, row: Mapping[str, str], found: Reading, taken: dict[str, int], match_label: str | None) -> None:
    """Put one row where it belongs. Raises _FaultyError."""
    given = row.get("name", "")
    if not given:
        raise _FaultyError("name", "is missing")
    name = given if SLUG.fullmatch(given) else _slug(given)
    if not name:
        raise _FaultyError("name", f"{given[:60]!r} holds no letter or digit that a name could be made of")
    if name in taken:
        raise _FaultyError("name", f"{name!r} is given in row {taken[name]} already")
    taken[name] = number
    status = row.get("status", "").casefold()
    reason = f"its status is {status}" if status in NOT_RUN else _unplaced(row)
    if reason:
        found.left_out.append(LeftOut(number, name, reason))
        return
    found.sites.append(_site(name, row, match_label))


def _unplaced(row: Mapping[str, str]) -> str | None:
    """Why a row has no place, where nothing in it is wrong: the two coordinates, and regions for them, are absent."""
    given = [row.get(column, "") for column in ("latitude", "longitude")]
    if not any(given) and not row.get("provider_regions"):
        return "it has no coordinates and no provider regions"
    if all(given) and [_as_float(text) for text in given] == [0.0, 0.0]:
        return "0, 0 is what systems write for no coordinates"
    return None


def _site(name: str, row: Mapping[str, str], match_label: str | None) -> Site:
    table: dict[str, Any] = {"name": name, "title": _title(name, row)}
    for column in ("latitude", "longitude", "uncertainty_km"):
        if row.get(column):
            table[column] = _number(column, row[column])
    for column in ("timezone", "grid_area"):
        if row.get(column):
            table[column] = row[column]
    for column in ("provider_regions", "zones"):
        if row.get(column):
            # Display words hold spaces and commas ("UK South (London)"): regions are parted by ; or | alone.
            parts = re.split(r"[;|]", row[column]) if column == "provider_regions" else _LISTS.split(row[column])
            table[column] = [part.strip() for part in parts if part.strip()]
    if row.get("limits"):
        table["limits"] = {key: _number("limits", value) for key, value in _pairs("limits", row["limits"])}
    pairs = _pairs("match", row["match"]) if row.get("match") else [(match_label, name)] if match_label else []
    table["match"] = [{"label": label, "value": value} for label, value in pairs]
    try:
        return site_of(table)
    except ConfigError as error:
        _, column, text = str(error).split(": ", 2)
        raise _FaultyError(column, text) from None


def _title(name: str, row: Mapping[str, str]) -> str:
    title = row.get("title") or row.get("name") or name
    facility = row.get("facility", "")
    return title if not facility or facility.casefold() in title.casefold() else f"{title} ({facility})"


def _number(column: str, text: str) -> float:
    """A number with a point or, as half of Europe's spreadsheets write it, with a comma."""
    number = _as_float(text)
    if number is None:
        raise _FaultyError(column, f"{text[:60]!r} is not a number")
    return number


def _as_float(text: str) -> float | None:
    plain = text.strip().replace("−", "-")
    if not re.fullmatch(r"[+-]?\d{1,6}([.,]\d{1,20})?", plain):
        return None
    return float(plain.replace(",", "."))


def _pairs(column: str, text: str) -> list[tuple[str, str]]:
    """`dry_bulb_c=43; wet_bulb_c=28`."""
    pairs = []
    for part in re.split(r"[;|\n]", text):
        if not part.strip():
            continue
        key, equals, value = part.partition("=")
        if not (equals and key.strip() and value.strip()):
            raise _FaultyError(column, f"{part.strip()[:60]!r}: key=value pairs parted by ; are expected")
        pairs.append((key.strip(), value.strip()))
    return pairs


def _slug(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].strip("-")


def toml_of(site: Site) -> str:
    """A site as a table of the configuration file; what was found for it is said in a comment."""
    lines = ["[[sites]]", f"name = {_quoted(site.name)}", f"title = {_quoted(site.title)}"]
    if site.located_by == "catalogue":
        lines.append(f"# the catalogue's place: {site.latitude:.4f}, {site.longitude:.4f} ± {site.uncertainty_km:g} km")
    else:
        lines += [f"latitude = {site.latitude!r}", f"longitude = {site.longitude!r}"]
        lines.append(f"uncertainty_km = {site.uncertainty_km:g}")
    zone = f"timezone = {_quoted(site.timezone)}"
    lines.append(zone if site.timezone_by == "given" else f"{zone}  # {_ZONE_BY[site.timezone_by]}")
    for key in ("provider_regions", "zones"):
        if names := getattr(site, key):
            lines.append(f"{key} = [{', '.join(map(_quoted, names))}]")
    if site.grid_area:
        lines.append(f"grid_area = {_quoted(site.grid_area)}")
    if site.limits:
        pairs = ", ".join(f"{_quoted(key)} = {value:g}" for key, value in site.limits.items())
        lines.append(f"limits = {{ {pairs} }}")
    if site.match:
        tables = ", ".join(f"{{ label = {_quoted(m.label)}, value = {_quoted(m.value)} }}" for m in site.match)
        lines.append(f"match = [{tables}]")
    return "\n".join(lines) + "\n"


_ZONE_BY: Final = {
    "catalogue": "of the catalogue's place",
    "coordinates": "found from the coordinates",
    "default": "none was given or found",
}


def _quoted(text: str) -> str:
    """A basic string of TOML. What does not print is escaped, a direction override among it."""
    plain = "".join(c if c.isprintable() and c not in '"\\' else _escaped(c) for c in text)
    return f'"{plain}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    code = ord(character)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
