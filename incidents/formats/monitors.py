"""What monitors have in common: an occurrence that is on or over, the times that its sender gave, labels and tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from incidents import instants
from incidents.formats import payload
from incidents.model import Delivery, Event, Kind, Loss, Severity, Statement, UnrecognisedError


def event_of(
    delivery: Delivery,
    *,
    key: object,
    title: object,
    over: bool,
    kind: Kind = "alert",
    severity: Severity = Severity.UNKNOWN,
    said_at: datetime | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    timeout: timedelta | None = None,
    final: bool = False,
    test: bool = False,
    labels: Mapping[str, object] | None = None,
    url: object = None,
    text: object = None,
    group: object = None,
) -> Event:
    """An event of a stranger's raw values; `over` says whether the sender takes the occurrence for ended.

    An end that was not said is the moment of speaking, and assumed when that too is the receipt's. `timeout` gives
    what is on an assumed end, for senders that never say that it is over. Without any time of its own the same words
    may be said of another time, so that only the receipt tells them apart. Raises UnrecognisedError without a key.
    """
    named = payload.key_of(key)
    if named is None:
        raise UnrecognisedError("nothing in it names what it speaks of")
    assumed = False
    if over:
        assumed = ends_at is None and said_at is None
        ends_at = ends_at or said_at or delivery.received_at
        if starts_at and ends_at < starts_at:
            ends_at, assumed = starts_at, True
    elif timeout:
        assumed = True
        ends_at = shifted(starts_at or said_at or delivery.received_at, timeout) or delivery.received_at + timeout
    else:
        ends_at = None
    if said_at is None and starts_at is None and (ends_at is None or assumed):
        said_at = delivery.received_at
    return Event(
        key=named,
        kind=kind,
        # What ends without a title does not rename what it ends: the fold keeps the title that it has.
        title=payload.title_of(title) or ("" if over else payload.title_of(named) or ""),
        severity=severity,
        said_at=said_at,
        starts_at=starts_at,
        ends_at=ends_at,
        ends_assumed=assumed,
        final=final,
        test=test,
        labels=payload.labels_of({name: value for name, value in (labels or {}).items() if is_said(value)}),
        url=payload.url_of(url),
        text=payload.text_of(text),
        group=payload.key_of(group),
    )


def down(over: bool) -> Severity:
    """What a monitor that knows only up and down says of gravity: down is critical, and up says nothing of it."""
    return Severity.UNKNOWN if over else Severity.CRITICAL


def is_said(value: object) -> bool:
    """Whether a member says anything: not null, blank, an empty list or an empty object."""
    return value is not None and value not in ([], {}) and not (isinstance(value, str) and not value.strip())


def object_in(delivery: Delivery, what: str) -> Mapping[str, Any]:
    """The body's JSON object; `what` is what it should be, for the reason of the UnrecognisedError."""
    found = payload.decode(delivery.body)
    if not isinstance(found, dict):
        raise UnrecognisedError(f"not {what}: the body is no JSON object")
    return found


def first(fields: Mapping[str, Any], *names: str) -> Any:  # noqa: ANN401 - a member of JSON
    """The first of these members that says anything."""
    return next((fields[name] for name in names if is_said(fields.get(name))), None)


def word(*values: object, default: str = "") -> str:
    """The first value that is text or a number, on one line, else `default`: for titles made of several."""
    return next((found for value in values if (found := payload.title_of(value))), default)


def key_from(*parts: object) -> str | None:
    """The parts joined by `/`, without those that are absent; None when the first is."""
    said = [payload.key_of(part) for part in parts]
    return "/".join(part for part in said if part) if said[0] else None


def state_of(word: object, states: Mapping[str, bool | None], name: str) -> bool | None:
    """What a word says by a table in lower case: over, on, or (None) neither. UnrecognisedError for another word."""
    said = payload.title_of(word, 60)
    if said is None:
        raise UnrecognisedError(f"{name} is missing")
    if said.casefold() not in states:
        raise UnrecognisedError(f"{name} {said!r} is none of {', '.join(states)}")
    return states[said.casefold()]


def instant(value: object, name: str, delivery: Delivery) -> datetime | None:
    """The instant that a member says; its UnrecognisedError names the member."""
    try:
        return instants.parse(value, zone=delivery.timezone)
    except ValueError as error:
        raise UnrecognisedError(f"{name}: {error}") from None


def moment(value: object, delivery: Delivery) -> datetime | None:
    """The instant, None where none can be read: for ends and moments of speaking, which have the receipt to fall to."""
    try:
        return instants.parse(value, zone=delivery.timezone)
    except ValueError:
        return None


def shifted(at: datetime, by: timedelta) -> datetime | None:
    """The instant so much later (or earlier), None where the calendar ends."""
    try:
        return at + by
    except OverflowError:
        return None


def several(items: Iterable[object], read: Callable[[object], Statement], what: str) -> list[Statement]:
    """What is read in each of a batch; those that cannot be read are a loss of so many `what`, with the first reason.

    Raises UnrecognisedError when there are some and none can be read.
    """
    statements: list[Statement] = []
    reasons = []
    for index, item in enumerate(items):
        try:
            statements.append(read(item))
        except ValueError as error:
            reasons.append(f"{what} {index}: {error}")
    if reasons and not statements:
        raise UnrecognisedError(reasons[0])
    if reasons:
        statements.append(Loss(len(reasons), f"{what}s that could not be read: {reasons[0]}"))
    return statements


def tags_of(value: object) -> dict[str, str]:
    """Tags as labels: `name:value` and `name=value` by their names, bare ones joined under `tags`.

    Reads a list of them, one text with commas, and a list of objects with `tag` (or `key`, `name`) and `value`.
    """
    labels: dict[str, str] = {}
    bare = []
    for item in value.split(",") if isinstance(value, str) else payload.list_of(value):
        name, word = _tag(item)
        if name and word:
            labels[name] = word
        elif name:
            bare.append(name)
    return labels | ({"tags": ", ".join(bare)} if bare else {})


def joined(value: object) -> str | None:
    """A list of words as one text with commas; one word as it is."""
    words = [payload.title_of(item) for item in (value if isinstance(value, list) else [value])]
    return ", ".join(word for word in words if word) or None


def _tag(item: object) -> tuple[str | None, str | None]:
    fields = payload.object_of(item)
    if fields:
        return payload.title_of(first(fields, "tag", "key", "name")), payload.title_of(fields.get("value"))
    said = payload.title_of(item) or ""
    if said.startswith(("http:", "https:")):
        return said, None
    name, _, word = said.partition(":") if ":" in said else said.partition("=")
    return name.strip() or None, word.strip() or None
