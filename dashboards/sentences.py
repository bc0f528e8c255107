"""What an entry of the log says, as a sentence; it says what coincided, never what led to what."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from dashboards.words import PAYLOAD, called, count, instant_at, plain

NOTE = 2000
"""Characters of a note, which a person wrote to be read; a row shows its beginning."""


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
