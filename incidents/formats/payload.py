"""A stranger's bytes as JSON, and a stranger's JSON as clean text, numbers, labels and places of bounded size."""

from __future__ import annotations

import codecs
import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from incidents.model import UnrecognisedError

TITLE_LENGTH = 500
TEXT_LENGTH = 10_000
LABEL_LENGTH = 2_000
LABELS = 200
KEY_LENGTH = 500
URL_LENGTH = 8_000
POSITIONS = 50_000
KEPT_POSITIONS = 2_000
"""Corners that an area keeps: each is walked for every site and incident that it may meet."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LEVELS = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
_NOT_NUMBERS = ("NaN", "Infinity", "-Infinity", "nan", "inf", "-inf")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def decode(body: bytes) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """The JSON value of a body: UTF-8, or UTF-16 and UTF-32 with a byte order mark.

    Of a key that an object holds twice the last value counts. Raises UnrecognisedError, and nothing else:
    for no JSON, for NaN and infinities, for lone surrogates and for more than 1,024 levels.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        failure = error
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return decode(_recoded(body[len(mark) :], encoding))
    raise UnrecognisedError(_reason(body, failure)) from None


def _recoded(body: bytes, encoding: str) -> bytes:
    try:
        return body.decode(encoding).encode()
    except UnicodeError:
        raise UnrecognisedError(f"not {encoding[:-3].upper()} as its byte order mark says") from None


def _reason(body: bytes, failure: orjson.JSONDecodeError) -> str:
    if not body.strip():
        return "empty body"
    try:
        content = body.decode()
    except UnicodeDecodeError as error:
        return f"not JSON: not UTF-8 at byte {error.start}"
    said, place = failure.msg.split(": line ")[0], failure.pos
    if "depth" in said:
        return "nested deeper than 1,024 levels"
    if content.startswith(_NOT_NUMBERS, place) or content.startswith(_NOT_NUMBERS, max(place - 1, 0)):
        return "NaN and infinities are not JSON"
    return f"not JSON: {said} at byte {len(content[:place].encode())}"


def object_of(value: object) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Any]:
    """The value if it is a JSON list, else an empty one."""
    return value if isinstance(value, list) else []


def text_of(value: object, limit: int = TEXT_LENGTH) -> str | None:
    """Text without NUL and lone surrogates, cut to `limit` characters with a `…`; None for none and for blank.

    Numbers and booleans become text as JSON writes them; objects and lists are not text.
    """
    if not isinstance(value, str):
        value = _scalar(value)
        if value is None:
            return None
    cleaned = value if value.isascii() and "\0" not in value else _clean(value)
    cleaned = cleaned.strip()
    return _cut(cleaned, limit) if cleaned else None


def title_of(value: object, limit: int = TITLE_LENGTH) -> str | None:
    """As `text_of`, on one line."""
    found = text_of(value, limit)
    return found if found is None or found.isprintable() else " ".join(found.split()) or None


def key_of(value: object) -> str | None:
    """As `text_of`; what is longer than 500 characters ends in its SHA-256, so that different keys stay different."""
    found = text_of(value, URL_LENGTH * 100)
    if found is None or len(found) <= KEY_LENGTH:
        return found
    return f"{found[: KEY_LENGTH - 65]}…{hashlib.sha256(found.encode()).hexdigest()}"


def url_of(value: object) -> str | None:
    """An http or https address, or None: a cut or a mended address would lead elsewhere."""
    if not isinstance(value, str) or not value[:8].casefold().startswith(("http://", "https://")):
        return None
    return value if len(value) <= URL_LENGTH and value.isprintable() and " " not in value else None


def number_of(value: object) -> float | None:
    """A finite number, also when it was sent as digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) <= 64 and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def count_of(value: object) -> int:
    """A number of things, whole and at most 2,147,483,647; 0 for anything else."""
    number = number_of(value)
    return min(int(number), 2_147_483_647) if number and number > 0 else 0


def flag_of(value: object) -> bool | None:
    """True or false, also when sent as the words; None for anything else."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().casefold())
    return value if isinstance(value, bool) else None


def labels_of(value: object) -> dict[str, str]:
    """Labels as text in a mapping of their own, empty when the value is no object.

    Values that are numbers or booleans become text, nested ones JSON, null none. Above 200 labels the label
    `…` says how many were left out.
    """
    if not isinstance(value, dict):
        return {}
    try:
        joined = "".join([*value, *value.values()])
    except TypeError:  # some value is no text
        return _cleaned_labels(value)
    if len(joined) <= LABEL_LENGTH and len(value) <= LABELS and joined.isascii() and "\0" not in joined:
        return value.copy()
    return _cleaned_labels(value)


def number_at(fields: Mapping[str, Any], path: str, least: float = -math.inf, most: float = math.inf) -> float:
    """The finite number under the last name of `path`; else UnrecognisedError, which names `path`."""
    number = number_of(fields.get(path.rpartition(".")[2]))
    if number is None:
        raise UnrecognisedError(f"{path} is no finite number")
    if not least <= number <= most:
        raise UnrecognisedError(f"{path} {number:g} is not between {least:g} and {most:g}")
    return number


def place_of(fields: Mapping[str, Any], within: str = "") -> tuple[float, float]:
    """`latitude` and `longitude` in degrees; UnrecognisedError when one is missing or out of range."""
    return number_at(fields, f"{within}latitude", -90, 90), number_at(fields, f"{within}longitude", -180, 180)


def geometry_of(value: object, level: int = 0) -> dict[str, Any]:
    """A GeoJSON geometry (or a feature's, or a collection's) in clean two-dimensional form, with closed rings.

    Raises UnrecognisedError for other types, coordinates out of range and a member of more than 50,000 positions.
    """
    fields = object_of(value)
    kind = text_of(fields.get("type"), 40) or ""
    if level > 4:
        raise UnrecognisedError("area: collections within collections")
    if kind == "Feature":
        return geometry_of(fields.get("geometry"), level + 1)
    if kind in {"FeatureCollection", "GeometryCollection"}:
        members = list_of(fields.get("features" if kind == "FeatureCollection" else "geometries"))
        return {"type": "GeometryCollection", "geometries": [geometry_of(member, level + 1) for member in members]}
    if kind not in _LEVELS:
        raise UnrecognisedError("area is neither a GeoJSON geometry nor a circle")
    coordinates = _coordinates(fields.get("coordinates"), _LEVELS[kind], iter(range(POSITIONS)))
    if kind.endswith("Polygon"):
        rings = coordinates if kind == "Polygon" else [ring for polygon in coordinates for ring in polygon]
        every = -(-sum(map(len, rings)) // KEPT_POSITIONS)
        for ring in rings:
            _close(ring)
            _thin(ring, every)
    return {"type": kind, "coordinates": coordinates}


def _coordinates(value: object, level: int, budget: Iterator[int]) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise UnrecognisedError("area has no coordinates")
    if level:
        return [_coordinates(part, level - 1, budget) for part in value]
    if next(budget, None) is None:
        raise UnrecognisedError(f"area has more than {POSITIONS:,} positions")
    latitude, longitude = place_of({"longitude": value[0], "latitude": value[1] if len(value) > 1 else None}, "area.")
    return [longitude, latitude]


def _thin(ring: list[list[float]], every: int) -> None:
    """Keep every n-th corner of a ring, its ends, and never fewer than a triangle."""
    if every > 1 and len(ring) > 4 * every:
        ring[:] = [*ring[:-1:every], ring[-1]]


def _close(ring: list[list[float]]) -> None:
    if ring[0] != ring[-1]:
        ring.append(list(ring[0]))
    if len(ring) < 4:
        raise UnrecognisedError("area has a ring of fewer than three corners")


def _cleaned_labels(value: Mapping[str, object]) -> dict[str, str]:
    labels: dict[str, str] = {}
    left_out = 0
    for name, content in value.items():
        written = content if isinstance(content, str) else _scalar(content) or _nested(content)
        key = _cut(_clean(name), LABEL_LENGTH)
        if written is None or not key:
            continue
        if len(labels) < LABELS:
            labels[key] = _cut(_clean(written), LABEL_LENGTH)
        else:
            left_out += 1
    if left_out:
        labels["…"] = f"{left_out} more labels left out"
    return labels


def _scalar(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else None


def _nested(value: object) -> str | None:
    if value is None:
        return None
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # deeper than orjson writes
        return "…"


def _clean(value: str) -> str:
    value = value.replace("\0", "")
    return value if value.isascii() else value.encode(errors="ignore").decode()


def _cut(value: str, limit: int) -> str:
    return value if len(value) <= limit else value[: limit - 1] + "…"
