"""The adapters of Alertmanager's webhook and of our own JSON, and how adapters are found."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents import spoken
from incidents.adapters import adapters, alertmanager, generic, listing
from incidents.formats import payload
from incidents.model import Area, Delivery, Event, Loss, Post, Reading, Severity, Statement, UnrecognisedError

ROOT = Path(__file__).parents[1]
PAYLOADS = Path(__file__).parent / "payloads"
SAMPLES = sorted(
    path
    for name in ("alertmanager", "generic")
    for path in (PAYLOADS / name).glob("*.json")
    if not path.name.endswith(".delivery.json")
)
RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOTH = (alertmanager, generic)


def delivered(body: object, **rest: Any) -> Delivery:
    return Delivery("test", body if isinstance(body, bytes) else orjson.dumps(body), RECEIVED, **rest)


def written(sample: Path) -> list[dict[str, Any]]:
    """What the adapter of the sample's folder says of it, as a list of JSON objects."""
    beside = sample.with_suffix(".delivery.json")
    delivery = delivered(sample.read_bytes(), **(json.loads(beside.read_bytes()) if beside.exists() else {}))
    try:
        statements = adapters()[sample.parent.name].normalise(delivery)
    except UnrecognisedError as error:
        return [{"type": "unrecognised", "reason": str(error)}]
    return [spoken.statement_json(statement, delivery) for statement in statements]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_sample_says_what_is_written_beside_it(sample: Path) -> None:
    lines = sample.with_suffix(".expected.jsonl").read_text().splitlines()
    assert written(sample) == [json.loads(line) for line in lines]


def events(adapter: Any, body: object, **rest: Any) -> list[Event]:
    return [found for found in adapter.normalise(delivered(body, **rest)) if isinstance(found, Event)]


def firing(**rest: object) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "DiskFull", "severity": "critical"},
        "annotations": {"summary": "Disk full"},
        "startsAt": "2026-11-20T10:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "c2ea85182f28cbd9",
        **rest,
    }


# Finding adapters


def test_both_adapters_are_found_by_their_module_names() -> None:
    assert adapters()["alertmanager"].normalise is alertmanager.normalise
    assert adapters()["generic"].normalise is generic.normalise
    assert list(adapters()) == sorted(adapters())


def test_the_listing_is_json_and_each_family_has_one_adapter() -> None:
    listed = orjson.loads(orjson.dumps(listing()))
    assert all(
        set(entry) == {"name", "version", "kind", "title", "reads", "verifies", "credit"}
        and entry["kind"] in {"webhook", "feed"}
        and entry["version"] >= 1
        and entry["title"]
        for entry in listed
    )
    families = [family for entry in listed for family in entry["reads"]]
    assert len(families) == len(set(families))
    assert {"alertmanager", "generic"} <= set(families)


def test_setup_snippets_hold_the_address_and_the_key() -> None:
    for module in BOTH:
        snippets = adapters()[module.__name__.rpartition(".")[2]].setup["snippets"]  # type: ignore[index]  # both have one
        assert all({"title", "language", "text"} <= set(snippet) for snippet in snippets)
        assert {"{url}", "{key}"} <= set(re.findall(r"\{(?:url|key)\}", snippets[0]["text"]))


def test_a_curl_snippet_of_alertmanager_is_read_as_it_stands() -> None:
    text = next(s["text"] for s in alertmanager.SETUP["snippets"] if s["title"] == "curl")  # type: ignore[index]
    body = re.search(r"-d '(.*)'\n", text, re.DOTALL)[1].replace("'\"$(date -u +%FT%TZ)\"'", "2026-11-20T10:00:00Z")  # type: ignore[index]
    assert [event.severity for event in events(alertmanager, body.encode())] == [Severity.WARNING]


def test_importing_the_adapters_opens_no_database_and_no_socket() -> None:
    script = "import sys, incidents.adapters as a; a.adapters(); print([*{'sqlalchemy', 'aiohttp'} & {*sys.modules}])"
    shown = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


# Alertmanager


def test_a_repeat_has_the_same_digest_and_a_new_episode_another_key() -> None:
    (first,) = events(alertmanager, {"alerts": [firing()], "groupKey": "g"})
    (again,) = alertmanager.normalise(
        replace(delivered({"alerts": [firing()], "groupKey": "g"}), received_at=RECEIVED + timedelta(hours=4))
    )
    (later,) = events(alertmanager, {"alerts": [firing(startsAt="2026-11-20T11:00:00Z")], "groupKey": "g"})
    assert isinstance(again, Event)
    assert spoken.digest(first) == spoken.digest(again)
    assert first.said_at is None
    assert first.final
    assert later.key != first.key


def test_resolved_ends_with_its_newest_update_where_no_end_is_given() -> None:
    told = {"key": "k", "title": "API errors", "status": "resolved", "starts_at": "2026-11-20T10:00:00Z"}
    posts = [{"at": f"2026-11-20T{hour:02}:00:00Z", "text": "We look into it"} for hour in (9, 11)]
    said: list[Event] = []
    for updates in (posts, posts[:1]):
        said += events(adapters()["generic"], told | {"updates": updates})
    newest = datetime(2026, 11, 20, 11, tzinfo=UTC)
    assert [(one.ends_at, one.ends_assumed) for one in said] == [(newest, False), (RECEIVED, True)]


def test_resolved_has_the_key_of_firing_and_its_assumed_end_is_no_part_of_the_digest() -> None:
    body = {"alerts": [firing(status="resolved")]}
    (fired,) = events(alertmanager, {"alerts": [firing()]})
    (resolved,) = events(alertmanager, body)
    (repeat,) = alertmanager.normalise(replace(delivered(body), received_at=RECEIVED + timedelta(hours=4)))
    assert isinstance(repeat, Event)
    assert resolved.key == fired.key
    assert resolved.ends_at == RECEIVED
    assert resolved.ends_assumed
    assert spoken.digest(resolved) == spoken.digest(repeat)
    assert spoken.digest(resolved) != spoken.digest(fired)


def test_without_a_start_the_same_words_at_another_time_are_another_statement() -> None:
    for adapter, body in (
        (alertmanager, {"alerts": [firing(startsAt=None)]}),
        (generic, {"key": "a", "status": "firing"}),
    ):
        one, other = (
            adapter.normalise(replace(delivered(body), received_at=at))[0]
            for at in (RECEIVED, RECEIVED + timedelta(hours=1))
        )
        assert isinstance(one, Event)
        assert isinstance(other, Event)
        assert not one.final
        assert one.key == other.key
        assert spoken.digest(one) != spoken.digest(other)


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_an_alert_without_a_status_has_that_of_its_group(status: str) -> None:
    (event,) = events(alertmanager, {"status": status, "alerts": [firing(status=None)]})
    assert (event.ends_at is not None) == (status == "resolved")


def test_labels_without_a_fingerprint_make_the_key_whatever_their_order() -> None:
    labels = {"alertname": "A", "host": "b", "zone": "c"}
    turned = dict(reversed(labels.items()))
    (one,), (other,) = (
        events(alertmanager, {"alerts": [firing(fingerprint=None, labels=x)]}) for x in (labels, turned)
    )
    assert one.key == other.key
    assert one.key.startswith(hashlib.sha256(orjson.dumps(labels, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16] + "/")


def test_a_hundred_alerts_are_a_hundred_events_in_their_order() -> None:
    body = {"alerts": [firing(fingerprint=f"{n:016x}") for n in range(100)]}
    assert [event.key.split("/")[0] for event in events(alertmanager, body)] == [f"{n:016x}" for n in range(100)]


def test_a_count_of_truncated_alerts_fits_a_database() -> None:
    statements = alertmanager.normalise(delivered({"alerts": [firing()], "truncatedAlerts": 1e300}))
    assert isinstance(statements[-1], Loss)
    assert statements[-1].count == 2**31 - 1


# Our own JSON


def test_a_derived_key_holds_title_and_labels_and_not_the_time() -> None:
    body = {"title": "Disk full", "labels": {"a": "1", "b": "2"}}
    (one,) = events(generic, body)
    (ended,) = events(generic, {"labels": {"b": "2", "a": "1"}, "title": "Disk full", "status": "resolved"})
    (other,) = events(generic, {**body, "labels": {"a": "2", "b": "2"}})
    assert one.key == ended.key != other.key


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (None, False, False)),
        ({"status": "resolved"}, (RECEIVED, False, True)),
        ({"status": "resolved", "ends_at": "2026-11-20T11:00:00Z", "ends_expected": True}, (11, False, False)),
        ({"status": "resolved", "ends_expected": "2026-11-20T11:00:00Z"}, (RECEIVED, False, True)),
        ({"ends_at": "2026-11-20T11:00:00Z"}, (11, False, False)),
        ({"ends_at": "2026-11-20T11:00:00Z", "ends_expected": True}, (11, True, False)),
        ({"ends_at": "2026-11-20T11:00:00Z", "ends_expected": "true"}, (11, True, False)),
        ({"ends_expected": "2026-11-20T11:00:00Z"}, (11, True, False)),
        ({"ends_expected": True}, (None, False, False)),
        ({"status": "firing", "ends_at": "2026-11-20T11:00:00Z"}, (11, True, False)),
        ({"status": "firing", "ends_at": "2026-11-20T11:00:00Z", "ends_expected": False}, (11, False, False)),
        ({"ends_at": "2026-11-20T09:00:00Z"}, (10, False, True)),
    ],
)
def test_ends(fields: dict[str, Any], expected: tuple[datetime | int | None, bool, bool]) -> None:
    (event,) = events(generic, {"key": "a", "starts_at": "2026-11-20T10:00:00Z", **fields})
    end = RECEIVED.replace(hour=expected[0]) if isinstance(expected[0], int) else expected[0]
    assert (event.ends_at, event.ends_expected, event.ends_assumed) == (end, *expected[1:])


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (7, "item 0: no JSON object"),
        ({"key": "a", "status": "flapping"}, "item 0: status 'flapping' is neither firing nor resolved"),
        ({"key": "a", "starts_at": "soon"}, "item 0: starts_at: not an instant: 'soon'"),
        ({"key": "a", "starts_at": {"until": "2026-11-20T11:00:00Z"}}, "item 0: starts_at.at is missing"),
        ({"key": "a", "ends_expected": {}}, "item 0: ends_expected: not an instant: an object"),
        ({"key": "a", "updates": [{"text": "x"}]}, "item 0: updates[0] needs at and text"),
        ({"key": "a", "updates": [{"at": "x", "text": "x"}]}, "item 0: updates[0].at: not an instant: 'x'"),
        ({"key": "a", "area": "here"}, "item 0: area is no JSON object"),
        ({"key": "a", "area": {"latitude": 1}}, "item 0: area.longitude is no finite number"),
        (
            {"key": "a", "area": {"latitude": 1, "longitude": 181}},
            "item 0: area.longitude 181 is not between -180 and 180",
        ),
        (
            {"key": "a", "area": {"latitude": 1, "longitude": 1, "radius_km": -1}},
            "item 0: area.radius_km -1 is not between 0 and 20038",
        ),
        ({"key": "a", "area": {"type": "Circle"}}, "item 0: area is neither a GeoJSON geometry nor a circle"),
        (
            {"key": "a", "area": {"type": "Point", "coordinates": [0, 95]}},
            "item 0: area.latitude 95 is not between -90 and 90",
        ),
        (
            {"key": "a", "area": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}},
            "item 0: area has a ring of fewer than three corners",
        ),
        ({"key": "a", "area": {"type": "Point", "coordinates": []}}, "item 0: area has no coordinates"),
        ({"reading": "Temp", "at": 1}, "item 0: reading: a variable is lower case with its unit, like temperature_c"),
        ({"reading": "a_c", "at": None}, "item 0: at is missing"),
        (
            {"reading": "a_c", "at": 5, "value": True, "latitude": 1, "longitude": 1},
            "item 0: value is no finite number",
        ),
        ({"reading": "a_c", "at": 5, "basis": "guessed"}, "item 0: basis is none of observed, modelled, reconstructed"),
    ],
)
def test_an_item_that_cannot_be_read_says_which_field_and_why(item: object, reason: str) -> None:
    with pytest.raises(UnrecognisedError) as caught:
        generic.normalise(delivered([item]))
    assert str(caught.value) == reason


def test_a_geometry_of_too_many_positions_is_refused() -> None:
    line = {"type": "LineString", "coordinates": [[0, 0]] * (payload.POSITIONS + 1)}
    with pytest.raises(UnrecognisedError, match="more than 50,000 positions"):
        generic.normalise(delivered({"key": "a", "area": line}))


def test_above_five_hundred_updates_one_stands_for_the_earliest() -> None:
    updates = [{"at": 1_795_168_800 + n, "text": f"update {n}"} for n in range(503)]
    (event,) = events(generic, {"key": "a", "updates": updates})
    assert (len(event.posts), event.posts[0].text, event.posts[1].text) == (
        501,
        "… 3 earlier updates left out",
        "update 3",
    )


def test_a_feature_and_a_collection_are_geometries_too() -> None:
    feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}
    (event,) = events(generic, {"key": "a", "area": {"type": "FeatureCollection", "features": [feature]}})
    assert event.area == Area(
        geometry={"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1.0, 2.0]}]}
    )


@pytest.mark.parametrize("expression", ["[", "abs(key)", "`[1]`[::0]", "nothing(key)", "join(key, key)", ""])
def test_a_mapping_that_fails_is_a_reason(expression: str) -> None:
    with pytest.raises(UnrecognisedError, match=r"mapping\.title: ."):
        generic.normalise(delivered({"key": "a"}, mapping={"title": expression}))


def test_a_selection_that_finds_nothing_is_a_reason() -> None:
    with pytest.raises(UnrecognisedError, match=r"mapping\.items finds nothing"):
        generic.normalise(delivered({"key": "a"}, mapping={"items": "checks", "key": "key"}))


# Any bytes, any JSON

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
TIMES = st.sampled_from(
    [
        "",
        "0001-01-01T00:00:00Z",
        "2026-11-20T10:00:00Z",
        "9999-12-31T23:59:59-10:00",
        "2016-12-31T23:59:60Z",
        "x",
        0,
        -1,
        1e300,
    ]
)
ALERTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("labels", "annotations", "fingerprint", "generatorURL"), JSON)
    | dict.fromkeys(("startsAt", "endsAt"), TIMES | JSON)
    | {"status": st.sampled_from(["firing", "resolved"]) | JSON},
)
MESSAGES = st.fixed_dictionaries(
    {"alerts": st.lists(ALERTS | JSON, max_size=4)}, optional={"groupKey": JSON, "truncatedAlerts": JSON}
)
NAMES = (
    "key",
    "title",
    "severity",
    "labels",
    "url",
    "event",
    "updates",
    "reading",
    "value",
    "latitude",
    "longitude",
    "regions",
    "basis",
)
ITEMS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(NAMES, JSON)
    | dict.fromkeys(("starts_at", "ends_at", "ends_expected", "said_at", "at"), TIMES | JSON)
    | {
        "area": JSON
        | st.fixed_dictionaries({"type": st.sampled_from(["Point", "Polygon", "Feature"]), "coordinates": JSON}),
        "kind": st.sampled_from(["alert", "hazard", "change"]) | JSON,
        "status": st.sampled_from(["firing", "resolved"]) | JSON,
    },
)


def read(module: Any, delivery: Delivery) -> list[Statement]:
    """What is said, or nothing where it is unrecognised with a reason; the whole path to JSON and digest."""
    before = copy.deepcopy((delivery.body, dict(delivery.headers), dict(delivery.mapping)))
    try:
        statements: list[Statement] = module.normalise(delivery)
    except UnrecognisedError as error:
        statements, reason = [], str(error)
    else:
        reason = "read"
    assert reason
    assert (delivery.body, delivery.headers, delivery.mapping) == before
    for statement in statements:
        orjson.dumps(spoken.statement_json(statement, delivery))
        if isinstance(statement, Event):
            assert len(spoken.digest(statement)) == 64
            assert statement.key
            assert len(statement.title) <= payload.TITLE_LENGTH
            assert not (statement.starts_at and statement.ends_at and statement.ends_at < statement.starts_at)
            assert "\0" not in f"{statement.title}{statement.text}{statement.labels}"
        elif isinstance(statement, Reading):
            assert len(spoken.reading_digest(statement)) == 64
    return statements


@given(st.binary())
def test_any_bytes_are_read_or_unrecognised(body: bytes) -> None:
    for module in BOTH:
        read(module, delivered(body))


@given(JSON | MESSAGES | ITEMS | st.lists(ITEMS, max_size=3))
def test_any_json_is_read_or_unrecognised(value: object) -> None:
    for module in BOTH:
        read(module, delivered(value, timezone="Europe/London"))
    read(generic, delivered(value, mapping={"items": "@", "key": "key", "title": "join('-', title)", "labels.x": "@"}))


STRANGE = (
    None,
    True,
    -1,
    0,
    1.5,
    10**18,
    1e300,
    "",
    "x",
    "\x00",
    "x" * 20_000,
    [],
    [[]],
    {},
    {"a": {"b": []}},
    [None, 1, "x"],
)


def altered(value: Any) -> Iterator[Any]:
    """The value with each of its members in turn replaced by each strange value, and left out."""
    if isinstance(value, dict):
        for name in value:
            yield {key: member for key, member in value.items() if key != name}
            yield from ({**value, name: member} for member in (*STRANGE, *altered(value[name])))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from ([*value[:index], other, *value[index + 1 :]] for other in (*STRANGE, *altered(member)))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_sample_with_any_member_replaced_is_read_or_unrecognised(sample: Path) -> None:
    for value in altered(json.loads(sample.read_bytes())):
        read(adapters()[sample.parent.name], delivered(value))


@pytest.mark.parametrize("module", BOTH)
def test_a_body_cut_at_any_byte_is_unrecognised(module: Any) -> None:
    name = module.__name__.rpartition(".")[2]
    body = orjson.dumps(orjson.loads((PAYLOADS / name / "mixed.json").read_bytes()))
    for length in range(len(body)):
        with pytest.raises(UnrecognisedError):
            module.normalise(delivered(body[:length]))


@pytest.mark.parametrize("module", BOTH)
@pytest.mark.parametrize(
    "opening", [b"[", b'{"alerts":', b'{"alerts":[{"labels":', b'[{"key":', b'{"area":{"coordinates":[']
)
def test_a_hundred_thousand_levels_are_unrecognised(module: Any, opening: bytes) -> None:
    with pytest.raises(UnrecognisedError, match="nested deeper"):
        module.normalise(delivered(opening * 100_000))


def test_a_thousand_levels_within_a_label_are_read() -> None:
    deep = b'{"alerts": [{"labels": {"alertname": "A", "deep": ' + b"[" * 1000 + b"]" * 1000 + b"}}]}"
    (event,) = events(alertmanager, deep)
    assert event.labels["deep"] == "…"


def test_a_hostile_payload_stays_small() -> None:
    labels = {f"label {n}": "x" * 5_000 for n in range(1_000)}
    body = {
        "alerts": [
            firing(
                labels=labels, annotations={"summary": "y" * 10**6, "description": "z" * 10**6}, fingerprint="k" * 10**5
            )
        ]
    }
    (event,) = events(alertmanager, body)
    assert len(event.labels) == 201
    assert event.labels["…"] == "800 more labels left out"
    assert {len(value) for name, value in event.labels.items() if name != "…"} == {2_000}
    assert (len(event.title), len(event.text or ""), len(event.key) < 600) == (500, 10_000, True)


# Bytes to JSON


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty body"),
        (b" \n", "empty body"),
        (b"{", "not JSON: unexpected end of data at byte 1"),
        ('["ä", x]'.encode(), "not JSON: unexpected character, expected a JSON value at byte 7"),
        (b"\xff", "not JSON: not UTF-8 at byte 0"),
        (b'{"a": NaN}', "NaN and infinities are not JSON"),
        (b"[-Infinity]", "NaN and infinities are not JSON"),
        (b"\xff\xfe\x00", "not UTF-16 as its byte order mark says"),
    ],
)
def test_what_is_no_json_is_told_in_words(body: bytes, reason: str) -> None:
    with pytest.raises(UnrecognisedError) as caught:
        payload.decode(body)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marked_encodings_are_read(encoding: str) -> None:
    assert payload.decode('{"a": "ä☃"}'.encode(encoding)) == {"a": "ä☃"}


def test_of_a_key_held_twice_the_last_value_counts() -> None:
    assert payload.decode(b'{"a": 1, "a": 2}') == {"a": 2}


def test_a_lone_surrogate_is_no_json_and_is_stripped_where_it_comes_from_elsewhere() -> None:
    with pytest.raises(UnrecognisedError, match="not JSON"):
        payload.decode(rb'["\ud800"]')
    assert payload.text_of("a\ud800\0b") == "ab"
    assert payload.labels_of({"a\ud800": "b\udfff"}) == {"a": "b"}


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        ("1.5", 1.5),
        (" -2e3 ", -2000.0),
        ("1e999", None),
        ("nan", None),
        ("1_0", None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_numbers(value: object, number: float | None) -> None:
    assert payload.number_of(value) == number


@pytest.mark.parametrize(
    "value",
    ["javascript:alert(1)", "//x", "http://a b", "http://a\nb", "ftp://x", "http://" + "x" * 9_000, "", None, 7],
)
def test_what_is_no_web_address_is_no_url(value: object) -> None:
    assert payload.url_of(value) is None


def test_text_is_never_a_container_and_numbers_are_written_as_in_json() -> None:
    assert [payload.text_of(value) for value in ({}, [], None, "  ", True, 7, 0.5)] == [
        None,
        None,
        None,
        None,
        "true",
        "7",
        "0.5",
    ]


# The identity of a statement


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))), st.randoms())
def test_the_digest_does_not_depend_on_the_order_of_labels(labels: dict[str, str], chance: Any) -> None:
    names = list(labels)
    chance.shuffle(names)
    event = Event("k", "alert", "t", labels=labels)
    assert spoken.digest(event) == spoken.digest(replace(event, labels={name: labels[name] for name in names}))


def test_each_field_is_part_of_the_digest() -> None:
    event = Event("k", "alert", "t")
    other: dict[str, Any] = {
        "key": "l", "kind": "change", "title": "u", "severity": Severity.INFO, "said_at": RECEIVED,
        "starts_at": RECEIVED, "starts_until": RECEIVED, "ends_at": RECEIVED, "ends_expected": True,
        "ends_assumed": True, "final": True, "test": True, "labels": {"a": "b"}, "url": "http://x", "text": "x",
        "group": "x", "event": "x", "area": Area(zones=("x",)), "posts": (Post(RECEIVED, "x"),),
    }  # fmt: skip
    assert set(other) == set(Event.__dataclass_fields__)
    digests = [spoken.digest(event), *(spoken.digest(replace(event, **{name: value})) for name, value in other.items())]
    assert len(set(digests)) == len(digests)


def test_a_digest_stays_what_it_was() -> None:
    """A changed digest would make every statement on record a new one."""
    assert (
        spoken.digest(Event("k", "alert", "t", labels={"b": "1", "a": "ä"}, starts_at=RECEIVED))
        == "1bf21e2044fbb5c405f6bcdc33995e1c6c649c2d9f8d979863b34ba03631ba16"
    )
    assert (
        spoken.reading_digest(Reading("temperature_c", RECEIVED, 1.5, 2.0, 3.0))
        == "400b612e32e986b444d8d12502c7f6bcb34f04e31064c3aba23b1f682575cd5c"
    )
