"""What reading a delivery again would change: the difference between two lists of statements. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from incidents import instants
from incidents.model import Area, Event, Post

APART = ("labels", "area", "posts", "key")
"""Fields that are not compared whole: labels one by one, areas and posts by what they are made of, the key never."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a statement, as it was said and as it would be said now; None where it is absent."""

    name: str
    was: str | None
    now: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes in what is said of one occurrence: one statement for another, one more, or one less."""

    change: Literal["changed", "new", "gone"]
    key: str
    title: str
    fields: tuple[Field, ...] = ()


def differences(was: Mapping[str, Event], now: Mapping[str, Event]) -> list[Difference]:
    """What differs between the statements of a delivery, by their digests, as recorded and as read now.

    Statements of one key are paired in the order of what they say; those left over are gone or new. A key that changed
    is one occurrence gone and another one new.
    """
    found: list[Difference] = []
    gone = _by_key(event for digest, event in was.items() if digest not in now)
    new = _by_key(event for digest, event in now.items() if digest not in was)
    for key in sorted({*gone, *new}):
        found += _of_key(key, gone[key], new[key])
    return found


def _by_key(events: Iterable[Event]) -> defaultdict[str, list[Event]]:
    """The events of each key in the order of what they say."""
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda e: (_text(e.starts_at) or "", _text(e.ends_at) or "", e.title)):
        found[event.key].append(event)
    return found


def _of_key(key: str, gone: Sequence[Event], new: Sequence[Event]) -> Iterator[Difference]:
    for one, other in zip(gone, new, strict=False):
        yield Difference("changed", key, other.title or one.title, tuple(_fields(one, other)))
    for one in gone[len(new) :]:
        yield Difference("gone", key, one.title, tuple(_fields(one, None)))
    for other in new[len(gone) :]:
        yield Difference("new", key, other.title, tuple(_fields(None, other)))


def _fields(was: Event | None, now: Event | None) -> list[Field]:
    """The fields that differ. Where nobody said when he spoke the receipt stands in: that alone makes no difference."""
    before, after = _written(was), _written(now)
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    if now and now.said_at is None and len(names) > 1 and "said_at" in names:
        names.remove("said_at")
    return [Field(name, before.get(name), after.get(name)) for name in names]


def _written(event: Event | None) -> dict[str, str]:
    """What an event says, field by field, as text; an end that nobody said is told as assumed, without its instant."""
    if event is None:
        return {}
    said = {f.name: _text(getattr(event, f.name)) for f in fields(event) if f.name not in APART}
    if event.ends_assumed:
        said["ends_at"] = None
    said |= {f"labels.{name}": value for name, value in event.labels.items()}
    said |= {f"area.{name}": value for name, value in _area_texts(event.area)}
    said |= {f"posts[{n}]": _post(post) for n, post in enumerate(event.posts)}
    return {name: value for name, value in said.items() if value}


def _area_texts(area: Area | None) -> list[tuple[str, str | None]]:
    return [(f.name, _text(getattr(area, f.name))) for f in fields(area)] if area else []


def _post(post: Post) -> str:
    return f"{instants.text(post.at)} {post.text}"


def _text(value: Any) -> str | None:  # noqa: ANN401  # a field of an event
    if value is None or value is False or value == ():
        return None
    if isinstance(value, datetime):
        return instants.text(value)
    if isinstance(value, Mapping):
        return repr(dict(value))
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "yes" if value is True else str(value)
