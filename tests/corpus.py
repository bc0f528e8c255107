"""What strangers write to be run, followed or obeyed: one corpus, and each adapter's sample with it in every string.

`ran(…)` is what a page would call, `evil.example` whom it would ask, `forged` what a log or a file would have to say.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree as ET

import orjson

from incidents.adapters import Adapter, adapters
from incidents.model import Delivery, Loss, Statement, UnrecognisedError
from tests import samples

FOREIGN = "evil.example"
CORPUS: dict[str, tuple[str, ...]] = {
    "script": (
        "<script>ran('script')</script>",
        "<img src=x onerror=ran('image')><svg onload=ran('svg')>",
        "\"><iframe srcdoc='<script>parent.ran(1)</script>'></iframe>",
        "' onmouseover='ran(1)' autofocus onfocus='ran(1)' x='",
        "<a href=\"javascript:ran('anchor')\">x</a><b>bold</b><br>",
        ']]><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;<![CDATA[</svg></style></title></textarea>',
    ),
    "link": (
        "javascript:ran('link')",
        "java\tscript:ran('tab')",
        "\x01javascript:ran('control')",
        "data:text/html,<script>ran('data')</script>",
        "vbscript:ran(1)",
        f"//{FOREIGN}/scheme-relative",
        f'<a href="https://{FOREIGN}/a">a</a><img src="//{FOREIGN}/i.png"><link rel=stylesheet href="//{FOREIGN}/c">',
        f"[x](javascript:ran(1)) ![x](https://{FOREIGN}/i.png) <https://{FOREIGN}> www.{FOREIGN}\n# heading\n| a | b |",
        f'#link("https://{FOREIGN}")[x] #read("/etc/passwd") $x$ @label <label>',
    ),
    "direction": ("abc\u202egnp.exe\u202c", "\u2066\u2067x\u2069\u200f\u200e\u061c", "a\u200bb\ufeff\U000e0041c"),
    "control": (
        "\x00\x01\x02\x07\x08\x0b\x0c\x0e\x1f\x7f",
        "\x80\x85\x90\x9b31m\x9d0;t\x9c\x9f",
        "a\r\nSet-Cookie: ran=1\r\n\r\nforged",
        "a\n2026-11-20T12:00:00Z ERROR forged",
        f"a\r\nATTACH:https://{FOREIGN}/f\r\nEND:VEVENT\r\nBEGIN:VALARM",
        "\u2028\u2029\ufffe\uffff\U0010ffff",
    ),
    "formula": (
        f'=HYPERLINK("https://{FOREIGN}","x")',
        "+cmd|' /C calc'!A0",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1+1)*cmd|' /C calc'!A0",
        "\t=1+1",
        "\r=1+1",
        "\uff1d1+1",
        '"\r\n=1+1,"=1+1"',
    ),
    "escape": (
        "\x1b]0;owned\x07\x1b[31mred\x1b[2J\x1b[6n",
        f"\x1b]8;;https://{FOREIGN}\x07x\x1b]8;;\x07\x1bc\x1bP+q\x1b\\",
        "[red]x[/red] disk [/var] full [link=https://evil.example]x[/link]",
    ),
    "template": ("{{ 7*7 }} {% raw %} ${7*7} #{7*7} <%= 7*7 %>", "%s %n {0} {incident.__class__}"),
}
"""By kind, so that a finding can be named."""
KINDS = tuple(CORPUS)


def texts() -> list[str]:
    """Every item stands at the beginning of a text of its own kind once, or is all of it where only a whole one bites.

    Several in one text keep the deliveries few; each formula begins one, and each link is whole.
    """
    whole = [*CORPUS["link"][:6]]
    rest = [text for name in KINDS for text in CORPUS[name] if text not in whole and name != "formula"]
    heads = CORPUS["formula"]
    return whole + [head + " ".join(["", *rest[number :: len(heads)]]) for number, head in enumerate(heads)]


# --- every string of a sample ----------------------------------------------------------------------------------------

Fill = Callable[[dict[tuple[Any, ...], str]], bytes]
"""A body whose strings at some places are others."""


def filled(name: str) -> list[Delivery]:
    """The adapter's own sample once for each of `texts`, with it in every string that may hold any words.

    Where a word is one of a few that the format knows, or an instant, the payload would not be read with another in its
    place: there it stands behind the word where that is read, else the word stays.
    """
    delivery, fill, ways = _ways(name)
    found = []
    for text in texts():
        body = fill({place: was + text for place, was in ways.items()})
        found.append(replace(delivery, body=body))
    return found


@cache
def _ways(name: str) -> tuple[Delivery, Fill, dict[tuple[Any, ...], str]]:
    """A sample, how to fill it, and what must stand before a stranger's words at each place that takes them."""
    adapter = adapters()[name]
    for sample in _in_order(name):
        delivery = samples.delivery_of(sample)
        said = _count(adapter, delivery)
        shape = _shape(delivery.body)
        if not said or shape is None:
            continue
        fill, places = shape
        ways: dict[tuple[Any, ...], str] = {}
        for place, was in places.items():
            for before in ("", f"{was} "):
                tried = {**ways, place: before}
                body = fill({each: start + PROBE for each, start in tried.items()})
                if _count(adapter, replace(delivery, body=body)) >= said:
                    ways = tried
                    break
        if ways:
            return delivery, fill, ways
    raise LookupError(f"no sample of {name} takes any words")


PROBE = "'<probe>\""


def _in_order(name: str) -> list[Path]:
    """The samples of what is on first: they say most."""
    return sorted(samples.of(name), key=lambda path: (path.stem != "firing", path.stem != "several", path.name))


def _count(adapter: Adapter, delivery: Delivery) -> int:
    return len(statements(adapter, delivery))


def statements(adapter: Adapter, delivery: Delivery) -> list[Statement]:
    """What is read, without what was lost; nothing where it is not recognised."""
    try:
        return [one for one in adapter.normalise(delivery) if not isinstance(one, Loss)]
    except UnrecognisedError:
        return []


def _shape(body: bytes) -> tuple[Fill, dict[tuple[Any, ...], str]] | None:
    """How a body of JSON, XML, a form or lines is filled, and its strings by their places."""
    text = body.decode("utf-8", "replace")
    if (value := _json(text)) is not None:
        return lambda put: orjson.dumps(_put(value, put)), dict(_strings(value))
    if text.lstrip()[:1] == "<":
        return _xml(body)
    fields = dict(parse_qsl(text)) if "\n" not in text.strip() else {}
    if fields:
        return lambda put: urlencode(_put(fields, put)).encode(), dict(_strings(fields))
    return _lines(text)


def _json(text: str) -> Any:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict | list) else None


def _strings(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Each string with its path, a None stepping into the JSON that a string holds; names of a table of words too."""
    if isinstance(value, str):
        inner = _json(value) if value[:1] in ("{", "[") else None
        if inner is None:
            yield path, value
        else:
            yield from _strings(inner, (*path, None))
    elif isinstance(value, dict | list):
        for name, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _strings(member, (*path, name))
        if isinstance(value, dict) and value and all(isinstance(member, str) for member in value.values()):
            yield (*path, NEW), ""


class _New:
    """A name that is not there yet: the words are put under themselves."""


NEW = _New()


def _put(value: Any, put: dict[tuple[Any, ...], str]) -> Any:
    found = copy.deepcopy(value)
    for path, text in put.items():
        found = _put_one(found, path, text)
    return found


def _put_one(value: Any, path: tuple[Any, ...], text: str) -> Any:
    if not path:
        return text
    step, rest = path[0], path[1:]
    if step is None:
        return orjson.dumps(_put_one(_json(value), rest, text)).decode()
    if step is NEW:
        value[text] = text
    else:
        value[step] = _put_one(value[step], rest, text)
    return value


def _xml(body: bytes) -> tuple[Fill, dict[tuple[Any, ...], str]] | None:
    try:
        root = ET.fromstring(body)
    except ET.ParseError:
        return None
    places = {(number, None): each.text or "" for number, each in enumerate(root.iter()) if not len(each)}
    places |= {(number, name): was for number, each in enumerate(root.iter()) for name, was in each.attrib.items()}

    def fill(put: dict[tuple[Any, ...], str]) -> bytes:
        copied = copy.deepcopy(root)
        elements = list(copied.iter())
        for (number, name), text in put.items():
            # XML itself refuses control characters: a sender can write none.
            legal = "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff"))
            if name is None:
                elements[number].text = legal
            else:
                elements[number].set(name, legal)
        return ET.tostring(copied)

    return fill, places


def _lines(text: str) -> tuple[Fill, dict[tuple[Any, ...], str]]:
    """A table of text: each cell."""
    rows = [line.split(",") for line in text.split("\n")]

    def fill(put: dict[tuple[Any, ...], str]) -> bytes:
        copied = [list(row) for row in rows]
        for (row, cell), words in put.items():
            # What would end the cell or the row ends the table: no sender of one writes it there.
            copied[row][cell] = "".join(c for c in " ".join(words.splitlines()) if c not in ',"')
        return "\n".join(",".join(row) for row in copied).encode()

    return fill, {(r, c): cell for r, row in enumerate(rows) for c, cell in enumerate(row) if r}
