"""What times, lengths and decisions are called in words; it says what coincided, never what led to what."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from incidents.instants import length
from incidents.model import Incident, Measurement, Moment
from incidents.views.view import Phase

PAYLOAD = 90
"""Characters of a stranger's text that a sentence takes; the evidence has the whole."""

NOTE = 2000
"""Characters of a note, which a person wrote to be read; a row shows its beginning."""

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


def offset(at: datetime, zone: str) -> str:
    """The zone's distance from UTC at an instant: "UTC", "UTC+1", "UTC+5:30", "UTC−3"."""
    seconds = int((wall(at, zone).utcoffset() or timedelta()).total_seconds())
    if not seconds:
        return "UTC"
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"UTC{'−' if seconds < 0 else '+'}{hours}" + (f":{minutes:02}" if minutes else "")


def zone_label(zone: str, at: datetime) -> str:
    """The zone's letters and offset at an instant: "BST, UTC+1"; only the offset where it has no letters."""
    letters = wall(at, zone).tzname() or ""
    behind = offset(at, zone)
    return f"{letters}, {behind}" if letters.isalpha() and letters != behind else behind


def zone_letters(zone: str, at: datetime) -> str:
    """The short form beside a time: "BST", or "UTC+3" where the zone has no letters."""
    return zone_label(zone, at).partition(",")[0]


def local_day(at: datetime, zone: str) -> date:
    return wall(at, zone).date()


def clock(at: datetime, zone: str) -> str:
    """14:36."""
    return f"{wall(at, zone):%H:%M}"


def short_day(at: datetime, zone: str) -> str:
    """19 Jul."""
    local = wall(at, zone)
    return f"{local.day} {local:%b}"


def day(at: datetime, zone: str) -> str:
    """19 Jul 2022."""
    return f"{short_day(at, zone)} {wall(at, zone).year}"


def instant_at(at: datetime, zone: str) -> str:
    """19 Jul 2022 14:36."""
    return f"{day(at, zone)} {clock(at, zone)}"


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
_STATUSES = {"open": "Reopened", "acknowledged": "Acknowledged", "mitigated": "Mitigated", "resolved": "Resolved"}
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|\+00:00)")


def sentence(kind: str, params: Mapping[str, Any]) -> str:
    """What an entry says, written from its kind and params when it is read; a kind not known here says its name."""
    writer = _SENTENCES.get(kind)
    told = writer(params) if writer else _text(params, "text")
    name = called(kind).capitalize()
    return told if writer and told else _with(name, told)


def _text(params: Mapping[str, Any], name: str, limit: int = PAYLOAD) -> str:
    value = params.get(name)
    return "" if value is None else plain(str(value), limit)


def _with(head: str, tail: str) -> str:
    return f"{head}: {tail}" if tail else head


def _opened(params: Mapping[str, Any]) -> str:
    by = f" by rule {_text(params, 'rule')}" if params.get("rule") else ""
    severity = f", {_text(params, 'severity')}" if params.get("severity") else ""
    return _with(f"Incident opened{by}{severity}", _text(params, "title"))


def _joined(params: Mapping[str, Any]) -> str:
    names = list(dict.fromkeys(plain(str(name), 40) for name in params.get("names") or ()))
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    joined = _with(f"{count(int(params.get('count') or len(names)), 'alert')} joined", plain(listed, PAYLOAD))
    return f"{joined} ({_text(params, 'reason')})" if params.get("reason") else joined


def _left(params: Mapping[str, Any]) -> str:
    return _with(f"{count(int(params.get('count') or 0), 'alert')} left", _text(params, "reason"))


def _status(params: Mapping[str, Any]) -> str:
    status = _text(params, "status")
    return _with(_STATUSES.get(status, status.capitalize()), _text(params, "note"))


def _note(params: Mapping[str, Any]) -> str:
    said = _text(params, "text", NOTE) or "An empty note"
    edited = " (edited)" if params.get("edited") else ""
    # What its words leave open of its time was settled when it was read, unless a person has corrected that since.
    settled = "; ".join(map(str, params.get("settled", ()))) if "happened_at" not in params else ""
    edited += f" (time: {plain(settled, PAYLOAD)})" if settled else ""
    return f"{_text(params, 'speaker')}: {said}{edited}" if params.get("speaker") else f"{said}{edited}"


def _changed(params: Mapping[str, Any]) -> str:
    field = called(_text(params, "field")).capitalize()
    was, now = _value(params.get("was")), _value(params.get("now"))
    if not now:
        told = f"{field} removed, was {was}" if was else f"{field} removed"
    else:
        told = f"{field} changed from {was} to {now}" if was else f"{field} set to {now}"
    return _with(told, _text(params, "reason"))


def _value(value: object) -> str:
    """A field's value in one line: a text, a list, an instant, or a range of instants."""
    if value is None or value in ("", [], ()):
        return ""
    if isinstance(value, Mapping):
        ends = [_value(value.get(name)) for name in ("at", "until") if value.get(name)]
        return " – ".join(ends)
    if isinstance(value, list | tuple):
        return plain(", ".join(_value(item) for item in value), PAYLOAD)
    if isinstance(value, datetime):
        return f"{instant_at(value, 'UTC')} UTC"
    found = _INSTANT.fullmatch(str(value))
    return f"{_iso_day(found[1])} {found[2]} UTC" if found else plain(str(value), PAYLOAD // 2)


def _iso_day(text: str) -> str:
    of = date.fromisoformat(text)
    return f"{of.day} {of:%b %Y}"


def _weight(params: Mapping[str, Any]) -> str:
    tier, score = _text(params, "tier"), params.get("score")
    words = [tier] if tier else []
    if isinstance(score, int | float):
        words.append(f"{score:.1f} bits".replace("-", "−"))
    return f" ({', '.join(words)})" if words else ""


def _proposed(params: Mapping[str, Any]) -> str:
    return f"Link proposed: coincided with {_text(params, 'title', 60)}{_weight(params)}"


def _scored(params: Mapping[str, Any]) -> str:
    return f"Link scored again: {_text(params, 'title', 60)}{_weight(params)}"


def _judged(params: Mapping[str, Any]) -> str:
    verdict, title = _text(params, "verdict"), _text(params, "title", 60)
    quote = _text(params, "quote")
    if verdict == "attributed" and quote:
        return f"{_text(params, 'speaker', 40) or 'Operator'} on {title}: “{quote}”"
    told = {"confirmed": "Link confirmed: coincided with", "rejected": "Link rejected:"}
    head = f"{told.get(verdict, f'Link {verdict}:')} {title}"
    return _with(head, _text(params, "note"))


def _corrected(params: Mapping[str, Any]) -> str:
    was = _text(params, "was", 40)
    return f"Corrected: {_text(params, 'text', NOTE)}" + (f" (was: {was})" if was else "")


def _retracted(params: Mapping[str, Any]) -> str:
    return _with("Retracted", _text(params, "was", 60) or _text(params, "text", 60))


def _merged(params: Mapping[str, Any]) -> str:
    into = _text(params, "into", 40)
    told = f"Merged into incident {into}" if into else f"Incident {_text(params, 'from', 40)} merged into this one"
    return _with(told, _text(params, "reason"))


def _split(params: Mapping[str, Any]) -> str:
    alerts = params.get("alerts", params.get("count"))
    amount = len(alerts) if isinstance(alerts, list | tuple) else alerts
    what = count(int(amount), "alert") if isinstance(amount, int) else "Alerts"
    if params.get("from"):
        return f"{what} split from incident {_text(params, 'from', 40)}"
    into = _text(params, "into", 40)
    return _with(f"{what} split off" + (f" into incident {into}" if into else ""), _text(params, "reason"))


def _unmerged(params: Mapping[str, Any]) -> str:
    other = _text(params, "from", 40) or _text(params, "into", 40)
    return "Merge undone" + (f", incident {other} stands alone again" if other else "")


def _postmortem(params: Mapping[str, Any]) -> str:
    state = _text(params, "state").replace("_", " ")
    told = {"draft": "Postmortem is a draft again", "published": "Postmortem published"}.get(
        state, f"Postmortem {state}"
    )
    return f"{told}, revision {params['revision']}" if isinstance(params.get("revision"), int) else told


def _dropped(params: Mapping[str, Any]) -> str:
    outline = params.get("outline") or {}
    what = f"“{_text(outline, 'title', 60)}”" if outline else count(int(params.get("alerts") or 0), "alert")
    return f"Detail of {what} dropped by the retention of {count(int(params.get('days') or 0), 'day')}; sums kept"


def _privacy(params: Mapping[str, Any]) -> str:
    """Without the names: a timeline is read by others than those who look after them."""
    return _with("Made private" if params.get("private") else "Made public", _text(params, "reason"))


_SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "opened": _opened,
    "alerts_joined": _joined,
    "alerts_left": _left,
    "alerts_dropped": _dropped,
    "linked_dropped": _dropped,
    "status_changed": _status,
    "note": _note,
    "field_changed": _changed,
    "link_proposed": _proposed,
    "link_scored": _scored,
    "link_judged": _judged,
    "correction": _corrected,
    "retraction": _retracted,
    "merged": _merged,
    "merged_from": _merged,
    "split": _split,
    "unmerged": _unmerged,
    "postmortem_state_changed": _postmortem,
    "privacy_changed": _privacy,
}
