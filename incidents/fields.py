"""Fields of a request as what an act needs: instants, stretches, texts and severities, bounded and redacted.

Every refusal is a ValueError that begins with the field's name, in words for the person.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from incidents import instants
from incidents.incident_fold import MILESTONES
from incidents.model import Incident, Moment, Severity
from incidents.redaction import redact

TEXT_BOUND = 20_000
TITLE_BOUND = 300
FAR_AHEAD = timedelta(days=1)


def when(fields: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime | None]:
    """From `happened_at`, or now, to `happened_until` where it is given. Raises ValueError."""
    at = _instant(fields["happened_at"], "happened_at", now) if fields.get("happened_at") else now
    until = _instant(fields["happened_until"], "happened_until", now) if fields.get("happened_until") else None
    if until is not None and until < at:
        raise ValueError("happened_until: lies before happened_at")
    return at, until


def _instant(value: Any, field: str, now: datetime) -> datetime:  # noqa: ANN401  # JSON
    """An instant of a request, at most a day ahead. Raises ValueError naming the field."""
    try:
        at = instants.parse(value) if isinstance(value, str) else None
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None
    if at is None:
        raise ValueError(f"{field}: an instant since 1970 such as 2022-09-05T07:00:00Z is expected")
    if at > now + FAR_AHEAD:
        raise ValueError(f"{field}: lies more than a day ahead")
    return at


def stretch(value: Any, field: str, now: datetime) -> tuple[datetime, datetime | None]:  # noqa: ANN401  # JSON
    """An instant, or the ends of {"at", "until"} where only a range is known. Raises ValueError."""
    fields = value if isinstance(value, Mapping) else {"at": value}
    at = _instant(fields.get("at"), field, now)
    until = _instant(fields["until"], field, now) if fields.get("until") else None
    if until is not None and until < at:
        raise ValueError(f"{field}: until lies before at")
    return at, until


def change(incident: Incident, field: str, value: Any, now: datetime) -> tuple[Any, Any]:  # noqa: ANN401  # JSON in, JSON out
    """What a field of the incident is as JSON, and what it is to be. Raises ValueError."""
    if field in MILESTONES:
        was = getattr(incident, field)
        return _moment_json(was), None if value is None else stretch_json(*stretch(value, field, now))
    if field == "title":
        return incident.title, text({"title": value}, "title", TITLE_BOUND)
    if field == "severity":
        return incident.severity.value, severity_of(value).value
    if field == "owner":
        return incident.owner, None if value in (None, "") else text({"owner": value}, "owner", TITLE_BOUND)
    if field in ("services", "responders"):
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise ValueError(f"{field}: a list of names is expected")
        return list(getattr(incident, field)), [redact(v[:TITLE_BOUND], named=False) for v in value[:100]]
    if field == "impact_windows":
        if not isinstance(value, list):
            raise ValueError("impact_windows: a list of {at, until} is expected")
        windows = [stretch_json(*stretch(w, field, now)) for w in value[:100]]
        return [_moment_json(w) for w in incident.impact_windows], windows
    raise ValueError(f"{field[:60]}: is not a field that can be changed")


def reason_of(reason: str) -> dict[str, str]:
    """A reason as params of an entry; nothing where none was given."""
    return {"reason": text({"reason": reason}, "reason", TITLE_BOUND)} if reason.strip() else {}


def text(fields: Mapping[str, Any], name: str, bound: int) -> str:
    """A non-empty text of a request without control characters. Raises ValueError naming the field.

    A key of a shape that is known is not written into a log that is never edited: its place is marked.
    """
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name}: a text is expected")  # noqa: TRY004  # what callers tell people as a bad request
    clean = "".join(c for c in value if c in "\n\t" or ((c.isprintable() or c.isspace()) and c >= " ")).strip()
    clean = clean.encode("utf-8", "ignore").decode()
    if not clean:
        raise ValueError(f"{name}: is empty")
    if len(clean) > bound:
        raise ValueError(f"{name}: longer than {bound} characters")
    return redact(clean, named=False)


def severity_of(value: Any) -> Severity:  # noqa: ANN401  # JSON
    """A severity by its own name. Raises ValueError naming the field."""
    try:
        return Severity(value)
    except ValueError:
        raise ValueError(f"severity: one of {', '.join(Severity)} is expected") from None


def stretch_json(at: datetime, until: datetime | None) -> dict[str, str | None]:
    return {"at": instants.text(at), "until": instants.text(until) if until else None}


def _moment_json(value: Moment | None) -> dict[str, str | None] | None:
    return None if value is None else stretch_json(value.at, value.until)
