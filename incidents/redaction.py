"""Secrets in strangers' text: found by their names and shapes, and replaced before anybody sees them. Pure.

Each pattern is RE2's, which reads a text once whatever it holds. What marks no secret is told apart by one small
automaton of marks, so that ordinary text costs one pass over it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, unquote_plus

import orjson
import re2

from incidents.model import Area, Event, Loss, Occurrence, Post, Reading, Statement
from incidents.secret_shapes import NAME, SHAPES, Shape, is_given, is_random

T = TypeVar("T")
Told = TypeVar("Told", Event, Occurrence)
SHOWN = 64 * 1024
"""Characters of a body that are shown at once."""
MOST_PARSED = 1024 * 1024
"""Characters of a body up to which it is parsed and shown by its structure."""
DEEPEST = 200
DECODED = 2
"""How often a text is percent-decoded in search of secrets: an address within an address is encoded twice."""
_MARGIN = 8 * 1024
"""What is read beyond the cut, so that a secret across it is known for one."""

_SECRET_NAME = re.compile(
    r"(?:passw(?:or)?d|passwort|pwd|passphrase|passcode|[_.-]pass|secret|token|credentials?|authorization|cookie|"
    r"session[_.-]?(?:id|key)|(?:amz|goog)-signature|"
    r"(?:secret|private|api|app(?:lication)?|access|account|auth|encryption|signing|master|license|subscription|instrumentation|ingest(?:ion)?|storage|webhook|shared[_.-]?access|genie)[_.-]?key|"
    r"secret[_.-]?id)\Z",
    re.IGNORECASE,
)
"""At the end of the name of a label or a member: its value is a secret."""


def _automaton(shapes: Iterable[Shape]) -> Any:  # noqa: ANN401  # re2.Set has no stubs
    marks = re2.Set.SearchSet()
    for shape in shapes:
        marks.Add(shape.mark)
    marks.Compile()
    return marks


_MARKS = _automaton(SHAPES)
_PATTERNS = [re2.compile(shape.pattern.encode()) for shape in SHAPES]


def mark(kind: str) -> str:
    """What stands in a secret's place."""
    return f"‹redacted: {kind}›"


def redact(text: str, *, named: bool = True) -> str:
    """The text without its secrets; the same text where it has none. Without `named` only those of known shapes go."""
    content = text.encode(errors="replace")
    marked = _MARKS.Match(content)
    if not marked:
        return text
    shown = plain = _cleared(content, marked, named=named)
    for _ in range(DECODED):
        # Within an address the words around a secret are encoded, and so are the signs that tell it.
        if "%" not in plain:
            break
        encoded = unquote_plus(plain, errors="replace").encode(errors="replace")
        plain = encoded.decode()
        cleared = _cleared(encoded, _MARKS.Match(encoded) or (), named=named)
        if cleared != plain:
            shown = plain = cleared
    return text if shown == text else shown


def _cleared(content: bytes, marked: Iterable[int], *, named: bool) -> str:
    for index in sorted(marked):
        shape = SHAPES[index]
        if named or not shape.named:
            content = _PATTERNS[index].sub(lambda found, shape=shape: _replaced(found, shape), content)
    return content.decode()


def _replaced(found: Any, shape: Shape) -> bytes:  # noqa: ANN401  # a match of re2
    number = found.lastindex or 0
    secret: bytes = found[number]
    told = secret.decode(errors="replace").rstrip(".")
    if told.startswith("‹redacted") or (shape.secret and not shape.secret(told)):
        return bytes(found[0])
    start, end = found.span(number)
    whole: bytes = found[0]
    return whole[: start - found.start()] + mark(shape.kind).encode() + whole[end - found.start() :]


def secret_name(name: str) -> str | None:
    """The end of a label's, a header's or a member's name that says that its value is a secret."""
    found = _SECRET_NAME.search(name[-60:])
    return found[0].casefold() if found else None


def value_of(name: str, value: str) -> str:
    """A label's or a header's value: replaced whole where its name says that it is a secret."""
    kind = secret_name(name)
    if value and kind and not value.startswith("‹redacted") and is_given(value):
        kept = kind in ("secret", "cookie", "credentials") and NAME.fullmatch(value)
        if not kept:
            return mark(kind)
    lead = f"{name}="
    shown = redact(lead + value)
    return shown.removeprefix(lead) if shown.startswith(lead) else redact(value)


def values_of(fields: Mapping[str, str]) -> dict[str, str]:
    """Labels or headers without their secrets."""
    return {key_of(name): value_of(name, value) for name, value in fields.items()}


def key_of(key: str) -> str:
    """A key without its secrets; keys that differ only in a secret stay different."""
    shown = redact(key)
    return key if shown == key else f"{shown} {hashlib.sha256(key.encode()).hexdigest()[:12]}"


def url_of(url: str) -> str:
    """An address without its secrets, still an address: without spaces."""
    shown = redact(url)
    if shown == url:
        return url
    shown = shown.replace("‹redacted: ", "‹redacted:")
    return "".join(c if c.isprintable() and c != " " else quote(c) for c in shown)


# --- statements -----------------------------------------------------------------------------------------------------


def statement(said: Statement) -> Statement:
    """A statement without secrets; the very same one where it has none."""
    match said:
        case Event():
            return event(said)
        case Reading():
            if said.station is None and said.credit is None:
                return said
            return replace(said, station=_maybe(redact, said.station), credit=_maybe(redact, said.credit))
        case Loss():
            return replace(said, what=redact(said.what))


def event(said: Event) -> Event:
    """An event without secrets in its words, labels, address, group and key."""
    shown, key = recorded(said), key_of(said.key)
    return shown if key == said.key else replace(shown, key=key)


def recorded(said: Told) -> Told:
    """As `event`, of what was recorded under its key already: the key, which tells what it speaks of, stays."""
    parts = [said.title, said.text or "", said.url or "", said.group or "", *said.labels.values()]
    if said.posts or said.event or said.area:
        parts += _rare_words(said)
    # The names of labels stand before an equals sign, as marks of secrets do.
    content = ("=\n".join(said.labels) + "=\n" + "\n".join(parts)).encode(errors="replace")
    if not _MARKS.Match(content):
        return said
    shown = replace(
        said,
        title=redact(said.title),
        text=_maybe(redact, said.text),
        url=_maybe(url_of, said.url),
        group=_maybe(key_of, said.group),
        labels=values_of(said.labels),
        event=_maybe(redact, said.event),
        area=_maybe(_area, said.area),
        posts=tuple(Post(post.at, redact(post.text)) for post in said.posts),
    )
    return said if shown == said else shown


_OF_LINKS = ("link_proposed", "link_judged")


def params(kind: str, said: Mapping[str, Any], *, named: bool) -> Mapping[str, Any]:
    """What an entry of the log was written with, without secrets; the group, which is an identity, stays.

    Without `named` only secrets of known shapes go, but the title of what was linked is a sender's.
    """
    if not _MARKS.Match("\n".join(_strings(said)).encode(errors="replace")):
        return said
    return {
        name: value if name == "group" else _said(value, named=named or (kind in _OF_LINKS and name == "title"))
        for name, value in said.items()
    }


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401  # JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for below in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(below)


def _said(value: Any, *, named: bool) -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, str):
        return redact(value, named=named)
    if isinstance(value, Mapping):
        return {name: _said(below, named=named) for name, below in value.items()}
    return [_said(below, named=named) for below in value] if isinstance(value, list) else value


def _maybe(change: Callable[[T], T], value: T | None) -> T | None:
    return None if value is None else change(value)


def _rare_words(said: Event | Occurrence) -> list[str]:
    words = [post.text for post in said.posts] + ([said.event] if said.event else [])
    return words + ([*said.area.regions, *said.area.zones, *said.area.grid_areas] if said.area else [])


def _area(area: Area) -> Area:
    regions, zones, grid_areas = (tuple(map(redact, names)) for names in (area.regions, area.zones, area.grid_areas))
    return replace(area, regions=regions, zones=zones, grid_areas=grid_areas)


# --- bodies ---------------------------------------------------------------------------------------------------------


def body(text: str, limit: int = SHOWN) -> tuple[str, bool]:
    """A body for a page: JSON by its structure, without secrets, cut to `limit` characters; and whether it was cut."""
    text = text.replace("\0", "")
    shown = _json(text, limit) if len(text) <= MOST_PARSED else None
    if shown is None:
        shown = redact(text[: limit + _MARGIN])
    return shown[:limit], len(shown) > limit or len(text) > max(MOST_PARSED, limit + _MARGIN)


def _json(text: str, limit: int) -> str | None:
    """The document with its secrets redacted; None for what is neither an object nor a list."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict | list):
        return None
    # Written out, a member takes more than one character: what is beyond so many members is beyond the cut.
    return orjson.dumps(_member(value, budget=iter(range(limit))), option=orjson.OPT_INDENT_2).decode()


def _member(value: Any, name: str = "", depth: int = 0, *, budget: Iterator[int], inside: bool = False) -> Any:  # noqa: ANN401  # JSON
    """A member of JSON without its secrets; all that a member with a secret's name holds is one."""
    if depth > DEEPEST or next(budget, None) is None:
        return "…"
    if isinstance(value, dict):
        return {
            key_of(n): _member(
                v, n, depth + 1, budget=budget, inside=inside or bool(secret_name(n) and not isinstance(v, str))
            )
            for n, v in value.items()
        }
    if isinstance(value, list):
        return [_member(v, name, depth + 1, budget=budget, inside=inside) for v in value]
    if isinstance(value, str):
        return mark("secret") if inside and is_given(value) and is_random(value) else value_of(name, value)
    kind = secret_name(name) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return mark(kind) if kind else value
