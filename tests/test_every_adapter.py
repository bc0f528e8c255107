"""What holds for every adapter that is found, on its golden samples, on what others recorded, and on junk."""

from __future__ import annotations

import ast
import copy
import json
import random
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree as ET

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import incidents.adapters
from incidents import fold, spoken
from incidents.adapters import Adapter, adapters
from incidents.formats import payload
from incidents.model import (
    Delivery,
    Event,
    Kind,
    Loss,
    Occurrence,
    Reading,
    Reply,
    Said,
    Site,
    Source,
    Statement,
    UnrecognisedError,
)
from tests import samples

NAMES = list(adapters())
FEEDS = [name for name in NAMES if adapters()[name].kind == "feed"]
SAMPLES = [(name, sample) for name in NAMES for sample in samples.of(name)]
SHARED = [(name, sample) for name in NAMES for sample in samples.shared(name)]
LINES = 60
CUTS = 50
MOST_WAYS = 4
"""As many tabs as the style sheet knows."""

every_adapter = pytest.mark.parametrize("name", NAMES)
every_feed = pytest.mark.parametrize("name", FEEDS)


def said_id(given: object) -> str | None:
    return f"{given.parent.name}/{given.name}" if isinstance(given, Path) else None


# Golden samples


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=said_id)
def test_a_sample_says_what_is_written_beside_it(name: str, sample: Path) -> None:
    lines = sample.with_suffix(".expected.jsonl").read_text().splitlines()
    assert samples.written(name, sample) == [json.loads(line) for line in lines]


@every_adapter
def test_an_adapter_has_samples_of_which_one_is_read(name: str) -> None:
    said = [samples.written(name, sample) for sample in samples.of(name)]
    assert any(line["type"] in {"event", "reading"} for lines in said for line in lines)


@every_adapter
def test_what_resolved_says_ends_what_firing_says(name: str) -> None:
    said = {sample.stem: samples.written(name, sample) for sample in samples.of(name)}
    if not {"firing", "resolved"} <= set(said):
        return
    on, off = ([line for line in said[stem] if line["type"] == "event"] for stem in ("firing", "resolved"))
    assert {line["key"] for line in on} & {line["key"] for line in off if line["ends_at"]}
    assert not any(line["ends_at"] for line in on if not (line.get("ends_expected") or line.get("ends_assumed")))


ORDER = ("firing", "acknowledged", "resolved")


@every_adapter
def test_acknowledging_ends_nothing_and_resolving_does_whichever_is_read_first(name: str) -> None:
    for statements in spoken_by_key(name, ORDER[:2]).values():
        assert all(is_open(fold.occurrence(order)) for order in (statements, statements[::-1]))
    for statements in spoken_by_key(name, ORDER[::2]).values():
        if len(statements) > 1:
            first, second = (fold.occurrence(order) for order in (statements, statements[::-1]))
            assert first == second
            assert first.ends_at
            assert first.title


def is_open(occurrence: Occurrence) -> bool:
    return occurrence.ends_at is None or occurrence.ends_assumed or occurrence.ends_expected


def spoken_by_key(name: str, stems: tuple[str, ...]) -> dict[str, list[Said]]:
    """What the samples of these names say of each occurrence, received a minute after each other."""
    said: dict[str, list[Said]] = {}
    for sample in samples.of(name):
        if sample.stem in stems:
            delivery = samples.delivery_of(sample)
            at = delivery.received_at + timedelta(minutes=ORDER.index(sample.stem))
            for event in adapters()[name].normalise(replace(delivery, received_at=at)):
                if isinstance(event, Event):
                    one = Said(event, spoken.digest(event), "test", event.said_at or at, at)
                    said.setdefault(event.key, []).append(one)
    return said


def test_nothing_lies_in_a_folder_of_no_adapter() -> None:
    assert {path.name for path in samples.PAYLOADS.iterdir() if path.is_dir()} <= set(NAMES)


def test_what_lies_beside_a_sample_belongs_to_one() -> None:
    names = {(name, sample.stem) for name, sample in SAMPLES}
    for path in samples.PAYLOADS.glob("*/*"):
        if path.name.endswith(samples.BESIDE[:2]):
            assert (path.parent.name, path.name.removesuffix(".delivery.json").removesuffix(".expected.jsonl")) in names


# What others recorded


@pytest.mark.skipif(not samples.SHARED.exists(), reason="the shared payloads are not beside this checkout")
@pytest.mark.parametrize(("name", "sample"), SHARED, ids=said_id)
def test_a_recorded_payload_is_read_or_its_silence_has_a_reason(name: str, sample: Path) -> None:
    where = f"{sample.parent.name}/{sample.name}"
    reason = samples.exceptions(name).get("unread", {}).get(where)
    statements = read(adapters()[name], samples.delivery_of(sample))
    heard = [statement for statement in statements if not isinstance(statement, Loss)]
    assert bool(heard) == (reason is None), reason or f"nothing is read in {where}"


@pytest.mark.skipif(not samples.SHARED.exists(), reason="the shared payloads are not beside this checkout")
def test_a_reason_for_silence_names_a_payload_that_is_there() -> None:
    for name in NAMES:
        for where in samples.exceptions(name).get("unread", {}):
            assert any((folder / where).exists() for folder in samples.RECORDED), where


# The module itself


def test_each_family_has_one_adapter() -> None:
    readers = Counter(family for adapter in adapters().values() for family in adapter.reads)
    assert [family for family, count in readers.items() if count > 1] == []


@every_adapter
def test_an_adapter_says_what_it_is(name: str) -> None:
    adapter = adapters()[name]
    assert adapter.version >= 1
    assert adapter.title
    assert adapter.reads
    assert 200 <= adapter.reply < 300


@every_adapter
def test_the_set_up_can_be_pasted(name: str) -> None:
    setup = adapters()[name].setup
    assert setup
    assert set(setup) <= {"snippets", "facts", "one_of"}
    assert not setup.get("one_of") or 1 < len(setup["snippets"]) <= MOST_WAYS
    assert all(
        {"title", "language", "text"} <= set(snippet) <= {"title", "language", "text", "note"}
        for snippet in setup["snippets"]
    )
    wanted = "{url}" if adapters()[name].kind == "webhook" else f'adapter = "{name}"'
    assert any(wanted in snippet["text"] for snippet in setup["snippets"])
    assert setup["facts"]
    assert all(len(fact) == 2 and all(isinstance(word, str) and word for word in fact) for fact in setup["facts"])


@every_adapter
def test_an_adapter_is_short(name: str) -> None:
    lines, excused = code_lines(name), samples.exceptions(name).get("length", {"lines": LINES})
    assert lines <= excused["lines"]
    assert excused["lines"] == LINES or excused["reason"]


def code_lines(name: str) -> int:
    """Lines with code in an adapter's module, less its docstrings, comments, SETUP and CREDIT."""
    path = Path(incidents.adapters.__path__[0]) / f"{name}.py"
    tree = ast.parse(path.read_text())
    left_out = {
        line
        for node in ast.walk(tree)
        if is_setup(node) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for line in range(node.lineno, (node.end_lineno or 0) + 1)  # type: ignore[attr-defined]  # statements have places
    }
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    with path.open("rb") as file:
        tokens = [
            token for token in tokenize.tokenize(file.readline) if token.type not in {*nothing, tokenize.ENCODING}
        ]
    return len({line for token in tokens for line in range(token.start[0], token.end[0] + 1)} - left_out)


def is_setup(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id in {"SETUP", "CREDIT"} for target in node.targets
    )


# Feeds

SITES = (
    Site(
        "smf",
        "Sacramento",
        38.64,
        -121.52,
        timezone="America/Los_Angeles",
        zones=("CAC067", "CAZ017"),
        grid_area="BANC",
    ),
    Site("lhr", "London", 51.48, -0.45, timezone="Europe/London", zones=("UK115",), grid_area="10YGB----------A"),
    Site("yow", "Ottawa", 45.3, -75.7, timezone="America/Toronto"),
)
DAY = (samples.RECEIVED - timedelta(days=1), samples.RECEIVED)


@every_feed
def test_a_feed_says_whom_to_name_and_how_it_is_configured(name: str) -> None:
    feed = adapters()[name]
    assert feed.every
    if excused := samples.exceptions(name).get("credit"):
        assert excused["reason"]
        assert feed.credit is None
    else:
        assert feed.credit
        assert feed.credit.text
        assert feed.credit.licence
        assert payload.url_of(feed.credit.url)
    assert feed.setup
    assert feed.every >= timedelta(minutes=1)
    tables = [tomllib.loads(one["text"]) for one in feed.setup["snippets"] if one["language"] == "toml"]
    assert name in {source["adapter"] for table in tables for source in table["sources"]}


@every_feed
def test_what_a_feed_asks_for_are_addresses_in_the_same_order_each_time(name: str) -> None:
    feed = adapters()[name]
    assert feed.requests
    asked = list(feed.requests(Source("feed", name), SITES))
    if feed.history:
        asked += feed.history(Source("feed", name), SITES, *DAY)
    for request in asked:
        assert payload.url_of(request.url)
        assert request.url.startswith("https://")
        assert request.site in {None, *(site.name for site in SITES)}
    assert asked[: len(feed.requests(Source("feed", name), SITES))] == list(feed.requests(Source("feed", name), SITES))
    assert not feed.requests(Source("feed", name), ()) or all(
        not r.site for r in feed.requests(Source("feed", name), ())
    )


@every_feed
def test_the_sources_own_address_is_asked_in_place_of_the_adapters(name: str) -> None:
    feed = adapters()[name]
    assert feed.requests
    asked = feed.requests(Source("feed", name, url="https://mirror.example/feed?x=1"), SITES)
    assert asked
    assert all(request.url.startswith("https://mirror.example/feed?x=1") for request in asked)


# Any body


def read(adapter: Adapter, delivery: Delivery) -> Sequence[Statement]:
    """What is said, or nothing where it is unrecognised with a reason; the whole path to JSON and digest."""
    before = copy.deepcopy((delivery.headers, delivery.mapping))
    try:
        statements: Sequence[Statement] = adapter.normalise(delivery)
    except UnrecognisedError as error:
        statements, reason = [], str(error)
    else:
        reason = "read"
    assert reason
    assert (delivery.headers, delivery.mapping) == before
    for statement in statements:
        orjson.dumps(spoken.statement_json(statement, delivery))
        if isinstance(statement, Event):
            check(statement)
        elif isinstance(statement, Reading):
            assert len(spoken.reading_digest(statement)) == 64
        else:
            assert statement.count > 0
            assert statement.what
    return statements


def check(event: Event) -> None:
    assert len(spoken.digest(event)) == 64
    assert event.key
    assert len(event.key) <= payload.KEY_LENGTH + 100
    assert event.kind in get_args(Kind)
    assert len(event.title) <= payload.TITLE_LENGTH
    assert not (event.starts_at and event.ends_at and event.ends_at < event.starts_at)
    assert not ((event.ends_assumed or event.ends_expected) and event.ends_at is None)
    for at in (event.said_at, event.starts_at, event.starts_until, event.ends_at):
        assert at is None or at.tzinfo is UTC
    assert all(isinstance(word, str) for label in event.labels.items() for word in label)
    assert len(event.labels) <= payload.LABELS + 50
    assert "\0" not in f"{event.key}{event.title}{event.text}{event.group}{event.labels}"
    assert event.url is None or payload.url_of(event.url)


@pytest.mark.parametrize(("name", "sample"), SAMPLES + SHARED, ids=said_id)
def test_a_body_is_read_the_same_twice_and_cut_anywhere_it_is_read_or_unrecognised(name: str, sample: Path) -> None:
    adapter, delivery = adapters()[name], samples.delivery_of(sample)
    assert read(adapter, delivery) == read(adapter, delivery)
    size = len(delivery.body)
    for place in range(0, size, max(size // CUTS, 1)):
        read(adapter, replace(delivery, body=delivery.body[:place]))


STRANGE: tuple[Any, ...] = (
    None, True, False, -1, 0, 1.5, 10**18, -(2**63), 1e300, "", " ", "x", "\x00", "٣", "\u202egnp.exe", "🜁" * 300,
    "x" * 20_000, "{{ .Title }}", "2026-11-20T10:00:00Z", "9999-12-31T23:59:59-10:00", "<no value>", [], [[]], {},
    {"a": {"b": []}}, [None, 1, "x"], [{}, {}],
)  # fmt: skip


def opened(text: str) -> Any:
    """A text's JSON object or list, or None."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict | list) else None


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each member; a None in a path steps into the JSON that a text holds."""
    if isinstance(value, str):
        inner = opened(value) if value[:1] in {"{", "["} else None
        if inner is not None:
            yield from places(inner, (*path, None))
    elif isinstance(value, dict | list):
        for name, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, name)
            yield from places(member, (*path, name))


def altered(value: Any, path: tuple[Any, ...], member: object = ...) -> Any:
    """A copy of the value with another member at the path, or without it."""
    if not path:
        return member
    if path[0] is None:
        return orjson.dumps(altered(opened(value), path[1:], member)).decode()
    other = copy.copy(value)
    if len(path) == 1 and member is ...:
        del other[path[0]]
    else:
        other[path[0]] = altered(value[path[0]], path[1:], member)
    return other


def parsed(body: bytes) -> tuple[Any, bool]:
    """The body's JSON value or its form's fields, and whether it is a form; None where it is neither."""
    value = opened(body.decode(errors="replace"))
    if value is not None:
        return value, False
    fields = dict(parse_qsl(body.decode(errors="replace")))
    return fields or None, bool(fields)


def body_of(value: Any, form: bool) -> bytes:
    if not form:
        return orjson.dumps(value)
    return urlencode(
        {name: member if isinstance(member, str) else json.dumps(member) for name, member in value.items()}
    ).encode()


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=said_id)
def test_a_sample_with_any_member_replaced_or_left_out_is_read_or_unrecognised(name: str, sample: Path) -> None:
    adapter, delivery = adapters()[name], samples.delivery_of(sample)
    value, form = parsed(delivery.body)
    strange = cycle(STRANGE)
    for path in list(places(value)):
        for member in (..., next(strange), next(strange), next(strange)):
            read(adapter, replace(delivery, body=body_of(altered(value, path, member), form)))


MARKED_UP = [(name, sample) for name, sample in SAMPLES if sample.read_bytes().lstrip()[:1] == b"<"]


@pytest.mark.parametrize(("name", "sample"), MARKED_UP, ids=said_id)
def test_a_sample_with_any_element_replaced_or_left_out_is_read_or_unrecognised(name: str, sample: Path) -> None:
    adapter, delivery = adapters()[name], samples.delivery_of(sample)
    try:
        size = sum(1 for _ in ET.fromstring(delivery.body).iter())
    except ET.ParseError:
        return  # a sample of what is no XML, or of a document type
    strange = cycle(text for text in STRANGE if isinstance(text, str) and text.isprintable())
    for place in range(1, size):
        for change in range(4):
            root = ET.fromstring(delivery.body)
            element = list(root.iter())[place]
            if change == 0:
                next(parent for parent in root.iter() if element in list(parent)).remove(element)
            elif change == 1:
                element.append(copy.deepcopy(root))
            else:
                element.clear()
                element.text = next(strange)
            read(adapter, replace(delivery, body=ET.tostring(root)))


DEEP = b"[" * 500 + b"]" * 500, b'{"a":' * 500 + b"1" + b"}" * 500


@pytest.mark.parametrize(("name", "sample"), SAMPLES, ids=said_id)
def test_a_sample_with_a_member_of_five_hundred_levels_is_read_or_unrecognised(name: str, sample: Path) -> None:
    adapter, delivery = adapters()[name], samples.delivery_of(sample)
    value, form = parsed(delivery.body)
    deep = cycle(DEEP)
    for path in [] if form else [path for path in places(value) if None not in path]:
        body = orjson.dumps(altered(value, path, "five hundred"))
        read(adapter, replace(delivery, body=body.replace(b'"five hundred"', next(deep))))


@every_adapter
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    choice=st.integers(0, 10**6),
    changes=st.lists(
        st.tuples(
            st.integers(0, 10**6),
            st.sampled_from(STRANGE)
            | st.text(st.characters(codec="utf-8"), max_size=30)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.integers(-(2**63), 2**64 - 1),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_a_sample_with_many_members_replaced_is_read_or_unrecognised(
    name: str, choice: int, changes: list[tuple[int, object]]
) -> None:
    candidates = parsed_samples(name)
    if not candidates:
        return  # another test says that it should have some
    delivery, value, form = candidates[choice % len(candidates)]
    for place, member in changes:
        paths = list(places(value))
        if not paths:
            break
        value = altered(value, paths[place % len(paths)], member)
    read(adapters()[name], replace(delivery, body=body_of(value, form)))


@cache
def parsed_samples(name: str) -> list[tuple[Delivery, Any, bool]]:
    deliveries = [samples.delivery_of(sample) for sample in samples.of(name)]
    return [(delivery, value, form) for delivery in deliveries for value, form in [parsed(delivery.body)] if value]


@cache
def junk() -> list[bytes]:
    """200 bodies of no format: random bytes, JSON of the wrong shape, forms, XML, HTML, deep nesting."""
    chance = random.Random(4711)
    bodies = [
        b"",
        b" ",
        b"null",
        b"0",
        b'""',
        b"[]",
        b"{}",
        b"[{}]",
        b"[[]]",
        b"true",
        b'"x"',
        b"\xff\xfe{",
        b"\xef\xbb\xbf{}",
    ]
    bodies += [
        b"<?xml version='1.0'?><a/>",
        b"<!doctype html><p>502 Bad Gateway",
        b"payload=",
        b"payload=%7B%7D",
        b"a=b&a=c",
    ]
    bodies += [opening * 5_000 for opening in (b"[", b'{"alerts":[', b'{"data":', b'{"event":{"data":')]
    words = sorted(
        {str(part) for name in NAMES for _, value, _ in parsed_samples(name) for path in places(value) for part in path}
    )
    while len(bodies) < 120:
        value: Any = {word: chance.choice(STRANGE) for word in chance.sample(words, min(len(words), 12))}
        bodies.append(orjson.dumps(chance.choice((value, [value], {chance.choice(words): value}))))
    while len(bodies) < 200:
        bodies.append(chance.randbytes(chance.randrange(1, 400)))
    return bodies


@every_adapter
def test_junk_is_unrecognised_or_read_and_a_handshake_or_not(name: str) -> None:
    adapter = adapters()[name]
    for body in junk():
        delivery = Delivery("test", body, samples.RECEIVED, {"content-type": "application/json"})
        read(adapter, delivery)
        if adapter.challenge:
            assert isinstance(adapter.challenge(delivery), Reply | None)


@every_adapter
def test_junk_that_is_no_json_is_not_read(name: str) -> None:
    for body in (b"", b"\xff\xff\xff", b"[", b'{"alerts":[' * 5_000):
        with pytest.raises(UnrecognisedError):
            adapters()[name].normalise(Delivery("test", body, samples.RECEIVED))


# Signatures


@pytest.mark.parametrize("name", [name for name in NAMES if adapters()[name].verify])
def test_a_signature_of_junk_is_false_and_never_an_error(name: str) -> None:
    verify = adapters()[name].verify
    assert verify
    delivery = Delivery("test", b"{}", samples.RECEIVED)
    heard: set[str] = set()

    class Heard(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            heard.add(key)
            return super().get(key, default)

    assert not verify(replace(delivery, headers=Heard()), ["secret", ""])
    assert all(header == header.lower() for header in heard)
    for value in (
        "",
        "x",
        "ä",
        "v1=",
        "v1=ä",
        "sha256=" + "0" * 64,
        "0" * 64,
        "٣",
        "t=1,v1=x",
        "v1,AAAA",
        "v1," + "=" * 9,
        "\ud800",
        "9" * 400,
    ):
        for secrets in ([], ["secret"], ["", "ö", "whsec_!"], ["secret", "x" * 5_000]):
            assert not verify(replace(delivery, headers=dict.fromkeys(heard, value)), secrets)
