"""What adapters of monitors share: events from raw values, forms, unfilled variables, and what a fold makes of them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incidents import fold, spoken
from incidents.adapters import adapters
from incidents.formats import forms, items, monitors, nagios, placeholders
from incidents.model import Delivery, Event, Occurrence, Said, Severity, UnrecognisedError
from tests import samples

RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
HERE = Delivery("test", b"", RECEIVED)


def delivered(body: bytes | str, **rest: Any) -> Delivery:
    return Delivery("test", body.encode() if isinstance(body, str) else body, RECEIVED, **rest)


# Events from raw values


def test_an_end_that_was_not_said_is_assumed_at_the_receipt() -> None:
    event = monitors.event_of(HERE, key=7, title="x", over=True)
    assert (event.key, event.ends_at, event.ends_assumed, event.said_at) == ("7", RECEIVED, True, RECEIVED)


def test_the_moment_of_speaking_is_an_end_that_was_said() -> None:
    event = monitors.event_of(HERE, key="a", title="x", over=True, said_at=TEN)
    assert (event.ends_at, event.ends_assumed) == (TEN, False)


def test_an_end_before_the_start_is_the_start_and_assumed() -> None:
    event = monitors.event_of(HERE, key="a", title="x", over=True, starts_at=RECEIVED, ends_at=TEN)
    assert (event.ends_at, event.ends_assumed) == (RECEIVED, True)


@pytest.mark.parametrize(
    ("starts_at", "said_at", "ends_at"),
    [(TEN, None, TEN), (None, TEN, TEN), (TEN, RECEIVED, TEN), (None, None, RECEIVED)],
)
def test_a_time_out_runs_from_the_start_else_from_the_word_else_from_the_receipt(
    starts_at: datetime | None, said_at: datetime | None, ends_at: datetime
) -> None:
    timeout = timedelta(minutes=30)
    event = monitors.event_of(
        HERE, key="a", title="x", over=False, starts_at=starts_at, said_at=said_at, timeout=timeout
    )
    assert (event.ends_at, event.ends_assumed) == (ends_at + timeout, True)


def test_a_repeat_with_a_time_of_its_own_has_one_digest_and_one_without_has_another() -> None:
    later = Delivery("test", b"", RECEIVED + timedelta(hours=1))
    for starts_at, same in ((TEN, True), (None, False)):
        first, again = (
            spoken.digest(monitors.event_of(d, key="a", title="x", over=False, starts_at=starts_at))
            for d in (HERE, later)
        )
        assert (first == again) is same


def test_what_says_nothing_is_no_label() -> None:
    labels = {"a": None, "b": " ", "c": [], "d": {}, "e": 0, "f": "x"}
    event = monitors.event_of(HERE, key="a", title=None, over=False, labels=labels)
    assert (event.labels, event.title) == ({"e": "0", "f": "x"}, "a")


@pytest.mark.parametrize("key", [None, "", " ", [], {}])
def test_without_a_key_nothing_is_said(key: object) -> None:
    with pytest.raises(UnrecognisedError, match="names"):
        monitors.event_of(HERE, key=key, title="x", over=False)


def test_a_key_ends_with_its_first_part_and_skips_absent_others() -> None:
    assert monitors.key_from("a", None, 3) == "a/3"
    assert monitors.key_from(None, "a") is None


@pytest.mark.parametrize(
    ("said", "labels"),
    [
        ("env:prod, web,team=shop", {"env": "prod", "team": "shop", "tags": "web"}),
        (["https://x.example", "a:b:c"], {"a": "b:c", "tags": "https://x.example"}),
        ([{"tag": "dc", "value": "smf"}, {"name": "bare", "value": ""}, 7], {"dc": "smf", "tags": "bare, 7"}),
        (None, {}),
        ({"a": 1}, {}),
    ],
)
def test_tags(said: object, labels: dict[str, str]) -> None:
    assert monitors.tags_of(said) == labels


def test_a_word_that_is_in_no_table_is_told() -> None:
    with pytest.raises(UnrecognisedError, match=r"^status 'Sideways' is none of up, down$"):
        monitors.state_of("Sideways", {"up": True, "down": False}, "status")
    with pytest.raises(UnrecognisedError, match=r"^status is missing$"):
        monitors.state_of({}, {"up": True}, "status")


# Forms


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ('{"a": "b=c"}', {"a": "b=c"}),
        ("a=1&b=%20x+y&c=", {"a": "1", "b": " x y", "c": ""}),
        ('--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n2\r\n--B--\r\n', {"a": "1\n2"}),
        ('--B\nContent-Disposition: form-data; name="a"\n\nx\n--B--', {"a": "x"}),
    ],
)
def test_a_form_is_told_by_its_bytes(body: str, fields: dict[str, str]) -> None:
    assert forms.fields_in(delivered(body)) == fields


def test_a_field_that_holds_json_is_opened() -> None:
    assert forms.fields_in(delivered("payload=%7B%22a%22%3A1%7D"), "payload") == {"a": 1}
    assert forms.fields_in(delivered('{"payload": {"a": 1}}'), "payload") == {"payload": {"a": 1}}


@pytest.mark.parametrize("body", ["", "[1]", "7", "payload=x", "payload=[]", "--B", "--B\r\n\r\n--B--", "a=1&" * 501])
def test_what_is_no_form_is_unrecognised(body: str) -> None:
    with pytest.raises(UnrecognisedError):
        forms.fields_in(delivered(body), "payload")


# Variables that were not filled in


@pytest.mark.parametrize(
    "said",
    [
        "{EVENT.ID}", "{$ZABBIX.URL}", "{#IFNAME}", "$SERVICE", "${SERVICE}", "$host.name$", "*alertDuration*",
        "*UNKNOWN*", "*insert computer name*", "{{ .Title }}", "{{alert.uuid}}", "<no value>", "%sensorid", "|NAME|",
        " $SERVICE ",
    ],
)  # fmt: skip
def test_a_variable_says_nothing(said: str) -> None:
    assert placeholders.filled({"a": [said]}) == {"a": [None]}


@pytest.mark.parametrize(
    "said",
    ["100 %", "$5", "*****", "{}", "a {EVENT.ID} b", "{not a variable}", "* bold *", "|", "%", "{{", 7, True, None],
)
def test_other_words_stay(said: object) -> None:
    assert placeholders.filled([said]) == [said]


def test_a_thousand_levels_are_no_stack() -> None:
    deep: Any = "$SERVICE"
    for _ in range(5_000):
        deep = [deep]
    assert placeholders.filled(deep)


# Nagios


@pytest.mark.parametrize(
    "kind", ["ACKNOWLEDGEMENT", "CUSTOM", "FLAPPINGSTART", "DOWNTIMEEND", "DowntimeRemoved", "FLAPPINGSTOP"]
)
def test_a_notification_that_starts_and_ends_nothing_is_no_event(kind: str) -> None:
    assert nagios.alerts(HERE, kind=kind, host="h", service="s", state="CRITICAL") == []


def test_only_the_first_notification_says_where_a_problem_began() -> None:
    starts = [
        event.starts_at
        for number in ("1", "2", None)
        for event in nagios.alerts(
            HERE, kind="PROBLEM", host="h", service=None, state="DOWN", changed_at=TEN, number=number
        )
        if isinstance(event, Event)
    ]
    assert starts == [TEN, None, None]


# Our own JSON


def test_an_item_is_told_by_what_it_names() -> None:
    assert items.is_item({"key": "a"})
    assert not items.is_item({"status": "firing", "title": " "})
    statement = items.statement_of({"key": "a", "status": "firing", "title": "Disk full"}, HERE)
    assert isinstance(statement, Event)
    assert statement.title == "Disk full"


# What a fold makes of an adapter's samples

PAIRS = [
    (name, on, off)
    for name in adapters()
    for on, off in (
        ("firing", "resolved"), ("nested", "nested_resolved"), ("flat", "flat_ok"), ("deployment", "deployment_done"),
        ("started", "completed"), ("run_started", "run_finished"), ("sync", "sync_done"),
        ("server_zone", "server_zone_resolved"),
        ("notifications_firing", "notifications_resolved"), ("pipeline", "pipeline_failed"), ("run", "run_failed"),
    )
    if {on, off} <= {sample.stem for sample in samples.of(name)}
]  # fmt: skip


def said(name: str, stem: str, received_at: datetime) -> list[Said]:
    sample = next(sample for sample in samples.of(name) if sample.stem == stem)
    delivery = samples.delivery_of(sample)
    delivery = Delivery("test", delivery.body, received_at, delivery.headers, delivery.timezone)
    return [
        Said(event, spoken.digest(event), "test", event.said_at or received_at, received_at)
        for event in adapters()[name].normalise(delivery)
        if isinstance(event, Event)
    ]


@pytest.mark.parametrize(("name", "on", "off"), PAIRS)
def test_an_occurrence_ends_keeps_its_gravity_and_does_not_care_for_order(name: str, on: str, off: str) -> None:
    began = said(name, on, RECEIVED)
    ended = said(name, off, RECEIVED + timedelta(hours=6))
    keys = {one.event.key for one in began} & {one.event.key for one in ended}
    assert keys
    for key in keys:
        statements = [one for one in (*began, *ended) if one.event.key == key]
        folded = [fold.occurrence(order) for order in itertools.permutations(statements)]
        assert folded.count(folded[0]) == len(folded)
        check(folded[0], statements[0].event)


def check(folded: Occurrence, began: Event) -> None:
    assert folded.ends_at is not None
    assert folded.ends_at >= folded.starts_at
    assert folded.title
    if began.kind == "alert":
        assert folded.severity is began.severity or began.severity is Severity.UNKNOWN


@pytest.mark.parametrize(
    ("name", "on", "off"),
    # The flat shape of Zabbix has no id of a problem: a later problem has the same key.
    [
        (name, on, off)
        for name, on, off in PAIRS
        if name in {"zabbix", "better_stack", "github", "gitlab", "jenkins", "dash0"} and on != "flat"
    ],
)
def test_a_firing_that_is_sent_again_late_reopens_nothing_where_ids_are_used_once(name: str, on: str, off: str) -> None:
    ended = said(name, off, RECEIVED)
    late = said(name, on, RECEIVED + timedelta(hours=6))
    assert fold.occurrence([*ended, *late]).ends_at == ended[0].event.ends_at
