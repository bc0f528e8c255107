"""What times, lengths, names and strangers' texts are in words."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from incidents.instants import length
from incidents.model import Incident, Measurement, Moment
from incidents.views.view import Phase

PAYLOAD = 90
"""Characters of a stranger's text that a sentence takes; the evidence has the whole."""
_KEPT = 8192
"""Instants whose words are kept: a page says each several times, and the next reader asks for the same ones."""


_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_BREAKS = re.compile("\r\n|[\r\x85\u2028\u2029]")
"""What a terminal, an editor or a parser of some format takes for the end of a line."""
_TURNING = re.compile(f"{_UNSEEN.pattern}|[\x85\u2028\u2029]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_SPACES = re.compile("[\\s\x85\u2028\u2029]+")


def clean(text: str) -> str:
    """The text without control, bidirectional and invisible characters; line breaks stay."""
    seen = _UNSEEN.sub("", _BREAKS.sub("\n", text))
    return unicodedata.normalize("NFC", _SURROGATES.sub("\ufffd", seen))


def escaped(json_text: str) -> str:
    """A JSON text whose strings have escapes for what would turn the text around or move a cursor where it is shown."""
    return _TURNING.sub(_as_escapes, json_text)


def _as_escapes(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))


def plain(text: str, limit: int | None = None) -> str:
    """The cleaned text on one line, cut at `limit` characters with an ellipsis."""
    line = _SPACES.sub(" ", clean(text)).strip()
    if limit is None or len(line) <= limit:
        return line
    return line[: limit - 1].rstrip() + "…"


def lengths(least: float, most: float | None) -> str:
    """A length of which only the bounds are known: "2 h 39 min – 3 h 37 min", "at most 4 d" where it may be nothing."""
    low = length(least)
    if most is None or length(most) == low:
        return low
    return f"at most {length(most)}" if least <= 0 else f"{low} – {length(most)}"


def wall(at: datetime, zone: str) -> datetime:
    """The wall clock in the zone; in UTC where the zone would carry it off the calendar's ends."""
    try:
        return at.astimezone(ZoneInfo(zone))
    except OverflowError:
        return at.astimezone(UTC)


@lru_cache(_KEPT)
def offset(at: datetime, zone: str) -> str:
    """The zone's distance from UTC at an instant: "UTC", "UTC+1", "UTC+5:30", "UTC−3"."""
    seconds = int((wall(at, zone).utcoffset() or timedelta()).total_seconds())
    if not seconds:
        return "UTC"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"UTC{'−' if seconds < 0 else '+'}{hours}" + (f":{minutes:02}" if minutes else "")


@lru_cache(_KEPT)
def zone_label(zone: str, at: datetime) -> str:
    """The zone's letters and offset at an instant: "BST, UTC+1"; only the offset where it has no letters."""
    letters = wall(at, zone).tzname() or ""
    behind = offset(at, zone)
    return f"{letters}, {behind}" if letters.isalpha() and letters != behind else behind


def zone_in_full(zone: str, at: datetime) -> str:
    """The zone by name, letters and offset: "Europe/London time, BST, UTC+1"; "UTC" alone for itself."""
    label = zone_label(zone, at)
    return label if label == zone else f"{zone} time, {label}"


def zone_letters(zone: str, at: datetime) -> str:
    """The short form beside a time: "BST", or "UTC+3" where the zone has no letters."""
    return zone_label(zone, at).partition(",")[0]


@lru_cache(_KEPT)
def local_day(at: datetime, zone: str) -> date:
    return wall(at, zone).date()


@lru_cache(_KEPT)
def clock(at: datetime, zone: str) -> str:
    """14:36."""
    return f"{wall(at, zone):%H:%M}"


@lru_cache(_KEPT)
def short_day(at: datetime, zone: str) -> str:
    """19 Jul."""
    local = wall(at, zone)
    return f"{local.day} {local:%b}"


def day(at: datetime, zone: str) -> str:
    """19 Jul 2022."""
    return f"{short_day(at, zone)} {wall(at, zone).year}"


@lru_cache(_KEPT)
def instant_at(at: datetime, zone: str) -> str:
    """19 Jul 2022 14:36."""
    return f"{day(at, zone)} {clock(at, zone)}"


@lru_cache(_KEPT)
def full(at: datetime, zone: str) -> str:
    """Both zones to the second, for hover texts: "19 Jul 2022 14:36:08 BST, 13:36:08 UTC"."""
    words = f"{day(at, zone)} {wall(at, zone):%H:%M:%S} {zone_letters(zone, at)}"
    return words if offset(at, zone) == "UTC" else f"{words}, {at.astimezone(UTC):%H:%M:%S} UTC"


def moment(value: Moment | datetime, zone: str, *, beside: datetime | None = None) -> str:
    """A time, or the range it lies in: "14:36", "17:15 – 18:13".

    The day is named where it is not the local day of `beside`; with no `beside`, always.
    """
    known = value if isinstance(value, Moment) else Moment(value)
    first = _beside(known.at, zone, beside)
    if known.until is None or known.until == known.at:
        return first
    return f"{first} – {_beside(known.until, zone, known.at)}"


def _beside(at: datetime, zone: str, beside: datetime | None) -> str:
    if beside is None:
        return instant_at(at, zone)
    if local_day(at, zone) == local_day(beside, zone):
        return clock(at, zone)
    same_year = local_day(at, zone).year == local_day(beside, zone).year
    return f"{short_day(at, zone)} {clock(at, zone)}" if same_year else instant_at(at, zone)


def span(since: datetime, until: datetime, zone: str) -> str:
    """19 Jul 2022 09:00 – 20 Jul 02:00."""
    return f"{instant_at(since, zone)} – {_beside(until, zone, since)}"


def window(since: datetime, until: datetime, zone: str) -> str:
    """A span that is looked at: of less than ten minutes with its seconds, "19 Jul 2022 09:00:10 – 09:00:45"."""
    if until - since >= timedelta(minutes=10):
        return span(since, until, zone)
    return f"{day(since, zone)} {wall(since, zone):%H:%M:%S} – {wall(until, zone):%H:%M:%S}"


def began(incident: Incident) -> Moment:
    """When an incident's length is counted from: the impact, else the detection, else its first occurrence."""
    return incident.impact_started_at or incident.detected_at or Moment(incident.opened_at)


def lasted(incident: Incident, now: datetime) -> str:
    """From its beginning to its resolution, a range where either is one; of one that goes on, up to now."""
    start, end = began(incident), incident.resolved_at
    if end is None:
        return f"{length((now - start.at).total_seconds())} so far"
    least = (end.at - (start.until or start.at)).total_seconds()
    most = ((end.until or end.at) - start.at).total_seconds()
    return lengths(max(least, 0), max(most, 0))


def phase_called(name: str, incident: Incident) -> str:
    """A phase as people read it: it is not called impact before somebody said when that began."""
    return "since detection" if name == "impact" and incident.impact_started_at is None else name


def phase_length(phase: Phase) -> str:
    """How long a phase lasted, a range where one of its ends is one."""
    return lengths(phase.seconds, phase.seconds_most)


def phase_lasting(name: str, incident: Incident, lasted: str) -> str:
    """A phase with its length: "impact 1 h 39 min", "detected, 2 h 35 min so far"."""
    called_so = phase_called(name, incident)
    return f"{name} {lasted}" if called_so == name else f"detected, {lasted}"


def after(value: Moment, start: Moment) -> str:
    """How long after `start` something was: "after 1 h 39 min", a range where either is one, or "3 min before"."""
    least = (value.at - (start.until or start.at)).total_seconds()
    most = ((value.until or value.at) - start.at).total_seconds()
    if most < 0:
        return f"{lengths(-most, -least)} before"
    return f"after {lengths(max(least, 0), most)}"


def measured(measurement: Measurement) -> str:
    """What a measurement came to: a length, a range, "1 h 54 min so far", or why there is none."""
    if measurement.outcome == "recorded" and measurement.seconds is not None:
        return lengths(measurement.seconds, measurement.seconds_max)
    if measurement.outcome == "pending":
        return "not yet" if measurement.seconds is None else f"{length(measurement.seconds)} so far"
    nothing = {"not_applicable": "does not apply", "invalid": "cannot be told"}.get(measurement.outcome, "none")
    return f"{nothing}: {plain(measurement.reason, PAYLOAD)}" if measurement.reason else nothing


def lagged(measurement: Measurement) -> str:
    """A provider's lag as a sentence: "First post: 22 min after our first symptom"; before it where it was earlier."""
    name, _, since = called(measurement.name).partition(" after ")
    ours = f"our {since}" if since in ("symptom", "recovery") else f"its {since}"
    if measurement.outcome != "recorded" or measurement.seconds is None:
        return f"{name.capitalize()}, after {ours}: {called(measurement.outcome)}, {measurement.reason}"
    seconds, most = measurement.seconds, measurement.seconds_max
    if most is not None and seconds < 0 < most:
        return f"{name.capitalize()}: between {length(-seconds)} before and {length(most)} after {ours}"
    if seconds < 0:
        return f"{name.capitalize()}: {lengths(-seconds if most is None else -most, None if most is None else -seconds)} before {ours}"  # noqa: E501 - one sentence
    return f"{name.capitalize()}: {lengths(seconds, most)} after {ours}"


def count(amount: int, noun: str, plural: str | None = None) -> str:  # 1 alert, 1,204 alerts
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"


def called(name: str) -> str:
    """A field, kind or variable as people read it: "impact_started_at" is "impact began"."""
    return _NAMES.get(name, name.replace("_", " "))


def quantity(variable: str, value: float) -> str:
    """A value with its variable's name and unit: "dry bulb 35 °C"."""
    name, _, unit = called(variable).partition(", ")
    return f"{name} {value:g}\N{NO-BREAK SPACE}{unit}".strip()


def who(actor: str) -> str:
    """An actor without its sort: "user:ana" is "ana", "rule:links@3" is "links@3"."""
    sort, colon, name = actor.partition(":")
    return plain(name if colon and sort in {"user", "source", "rule", "adapter"} else actor, 60)


def bits(amount: float) -> str:
    """A score with its sign as a true minus: "+5.3", "−2.3"."""
    return f"{'−' if amount < 0 else '+'}{abs(amount):.1f}"


_NAMES = {
    "impact_started_at": "impact began",
    "detected_at": "detected",
    "acknowledged_at": "acknowledged",
    "mitigated_at": "mitigated",
    "resolved_at": "resolved",
    "impact_windows": "impact windows",
    "provider_incident": "provider incident",
    "dry_bulb_c": "dry bulb, °C",
    "wet_bulb_c": "wet bulb, °C",
    "temperature_c": "temperature, °C",
    "wind_gust_m_s": "wind gust, m/s",
}
