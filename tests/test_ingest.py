"""Ingest through the real store: order, repeats, late words, quarantine, losses, and adapters that got better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents import deliveries, instants
from incidents.adapters import Adapter, adapters
from incidents.deliveries import STAMP
from incidents.model import Delivery, Event, Severity, Statement
from incidents.statements import EVENT, SIGHTING, SUPERSESSION, occurrences_of
from incidents.store import Store
from incidents.views.occurrence_view import read_occurrence
from tests.world import DAY, World, emptied, firing, instant, kept, resolved


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def one_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store of each backend for the whole module."""
    yield from kept(request, tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(one_store: Store) -> Store:
    """A store without a row."""
    return emptied(one_store)


@pytest.fixture
def world(store: Store) -> World:
    """An empty world on either database."""
    return World(store)


def stamps(world: World) -> list[Any]:
    """How each delivery was read, in the order of arrival."""
    with world.store.reading() as connection:
        return list(connection.execute(sa.select(STAMP).order_by(STAMP.c.delivery_id)))


def count(world: World, table: Any) -> int:
    """Rows of a table."""
    with world.store.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


# --- one delivery after the other -----------------------------------------------------------------------------------


def test_a_late_firing_does_not_reopen_what_ended(world: World) -> None:
    world.at("10:00")
    late = world.notification(firing("db-1"))
    world.at("10:10").alertmanager(resolved("db-1", since="10:00"))
    world.at("10:15").send("am", late)
    assert (
        world.timeline()
        == """
10:00 Incident opened by rule critical-alert@1, critical: Sacramento: db-1 is down [rule:critical-alert@1]
10:00 db-1 is down
10:10 1 alert joined: Down [rule:span@1]
10:10 db-1 is down: ended
"""
    )


def test_the_same_label_set_at_another_time_is_another_alert(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:05").alertmanager(resolved("db-1"))
    world.at("10:07").alertmanager(firing("db-1"))
    assert [(row.starts_at, row.ends_at) for row in sorted(world.occurrences(), key=lambda r: r.starts_at)] == [
        (instant("10:00"), instant("10:05")),
        (instant("10:07"), None),
    ]
    assert world.only().members.alerts == 2


def check(status: str, **fields: str) -> dict[str, Any]:
    """What a check of uptime says: always under the same id, and nothing of when it began."""
    return {"key": "check-7", "title": "checkout is down", "status": status, "severity": "critical", **fields}


def test_each_outage_of_a_check_that_keeps_one_id_is_an_alert_of_its_own(world: World) -> None:
    at_smf = {"labels": {"datacenter": "smf-1"}}
    for clock, status in (("10:00", "down"), ("10:20", "up"), ("10:40", "down"), ("10:50", "up")):
        world.at(clock).send("any", check(status) | at_smf)
    assert [
        (row.starts_at, row.ends_at, row.key) for row in sorted(world.occurrences(), key=lambda r: r.starts_at)
    ] == [
        (instant("10:00"), instant("10:20"), "check-7"),
        (instant("10:40"), instant("10:50"), f"check-7@{instants.text(instant('10:40'))}"),
    ]
    assert world.only().members.alerts == 2
    assert (
        world.timeline()
        == """
10:00 Incident opened by rule critical-alert@1, critical: Sacramento: checkout is down [rule:critical-alert@1]
10:00 1 alert joined: checkout is down [rule:span@1]
10:00 checkout is down
10:20 checkout is down: ended (time of receipt)
10:40 1 alert joined: checkout is down [rule:span@1]
10:40 checkout is down
10:50 checkout is down: ended (time of receipt)
"""
    )
    assert [bar.occurrence.ends_at for bar in world.view(as_of="10:30").bars] == [instant("10:20")]
    with world.store.reading() as connection:
        views = [read_occurrence(connection, world.config, row.id) for row in world.occurrences()]
    assert sorted([one.said.said_at for one in view.statements] for view in views if view) == [
        [instant("10:00"), instant("10:20")],
        [instant("10:40"), instant("10:50")],
    ]
    first, second = sorted(world.occurrences(), key=lambda row: row.starts_at)
    with world.store.reading() as connection:
        events = connection.execute(sa.select(EVENT).order_by(EVENT.c.said_at)).all()
        spoken_of = occurrences_of(connection, events)
    assert [spoken_of[event.id] for event in events] == [first.id, first.id, second.id, second.id]
    assert world.digest() == world.rebuilt()


def test_a_member_that_turned_out_to_be_no_alert_is_counted_as_it_moves(world: World) -> None:
    at_smf = {"labels": {"datacenter": "smf-1"}}
    world.at("10:00").send("any", check("down", said_at=instants.text(instant("10:00"))) | at_smf)
    world.send("any", check("down", kind="hazard", said_at=instants.text(instant("10:10"))) | at_smf)
    world.send("any", check("up", kind="hazard", said_at=instants.text(instant("10:20"))) | at_smf)
    assert world.only().members.on == 0
    assert world.digest() == world.rebuilt()


def test_an_outage_months_after_the_first_opens_an_incident_of_its_own(world: World) -> None:
    at_smf = {"labels": {"datacenter": "smf-1"}}
    for clock, status in (("10:00", "down"), ("10:20", "up"), ("+60 10:40", "down")):
        world.at(clock).send("any", check(status) | at_smf)
    first, second = world.incidents()
    assert (first.status, second.status) == ("resolved", "open")
    assert (first.opened_at, second.opened_at) == (instant("10:00"), instant("+60 10:40"))
    assert world.digest() == world.rebuilt()


def test_what_comes_late_and_parts_one_outage_into_two_is_counted_anew(world: World) -> None:
    at_smf = {"labels": {"datacenter": "smf-1"}}
    said = [("10:00", "down"), ("10:40", "down"), ("10:20", "up")]
    for clock, status in said:
        world.at("11:00").send("any", check(status, said_at=instants.text(instant(clock))) | at_smf)
    assert [(row.starts_at, row.ends_at) for row in sorted(world.occurrences(), key=lambda r: r.starts_at)] == [
        (instant("10:00"), instant("10:20")),
        (instant("10:40"), None),
    ]
    assert world.only().members.alerts == 2
    assert world.digest() == world.rebuilt()
    world.at("11:05").send("any", check("down", said_at=instants.text(instant("10:10")), starts_at="") | at_smf)
    assert world.only().members.alerts == 2


def test_of_what_is_no_more_nothing_is_counted(world: World) -> None:
    """Two outages that a late word shows to have been one: the second is gone, and its incident counts one alert."""
    at_smf = {"labels": {"datacenter": "smf-1"}}
    for clock, status in (("10:00", "down"), ("10:20", "up"), ("10:40", "down")):
        world.at(clock).send("any", check(status, said_at=instants.text(instant(clock))) | at_smf)
    assert world.only().members.alerts == 2
    late = {"said_at": instants.text(instant("10:30")), "starts_at": instants.text(instant("10:00"))}
    world.at("10:50").send("any", check("down", **late) | at_smf)
    assert [(row.starts_at, row.ends_at) for row in world.occurrences()] == [(instant("10:00"), None)]
    assert world.only().members.alerts == 1
    assert world.digest() == world.rebuilt()
    assert len(world.view(as_of="10:45").bars) == 2


def test_a_repeat_is_a_sighting_and_no_statement(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    for minute in ("10:05", "10:10"):
        world.at(minute).alertmanager(firing("db-1", since="10:00"))
    assert (world.statements(), count(world, SIGHTING)) == (1, 2)
    assert world.occurrences()[0].statements == 1


def test_a_repeat_within_one_batch_is_told_from_two_statements(world: World) -> None:
    world.at("10:00")
    body = world.notification(firing("db-1"), firing("db-2"))
    for _ in range(3):
        world.deliver("am", body)
    world.work()
    assert (world.statements(), count(world, SIGHTING)) == (2, 4)


def test_what_was_heard_hours_late_is_marked_so(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("14:00").alertmanager(firing("ups-1", "warning", since="10:05"))
    assert "10:05 ups-1 is down (late)" in world.timeline()
    assert "ups-1" not in world.timeline(as_of="13:59")


def test_a_change_of_severity_is_a_line_and_a_graver_incident(world: World) -> None:
    body = {"key": "k", "title": "Queue grows", "labels": {"datacenter": "smf-1"}, "status": "firing"}
    opening = {"key": "db", "title": "Down", "severity": "critical", "labels": {"datacenter": "smf-1"}}
    world.at("10:00").send("any", opening | {"severity": "error", "starts_at": instants.text(instant("10:00"))})
    assert world.incidents() == []
    world.at("10:02").send("any", opening | {"starts_at": instants.text(instant("10:00"))})
    assert world.only().severity is Severity.CRITICAL
    assert "10:02 Down: error → critical" in world.timeline()
    world.at("10:03").send("any", body)
    assert world.only().members.alerts == 2


def test_a_hazard_is_no_member_and_is_linked_where_its_zone_is_ours(world: World) -> None:
    world.at("09:00").hazard("Extreme Heat Warning", since="08:00", until="20:00", zones=["CAC067"], severity="extreme")
    world.at("09:30").hazard("Flash Flood Warning", since="09:00", until="20:00", zones=["ALC003"], severity="extreme")
    assert world.incidents() == []
    world.at("10:00").alertmanager(firing("crac-1", name="HighInletTemperature"))
    links = world.only().links
    titles = {row.id: row.title for row in world.occurrences()}
    assert [titles[link.id] for link in links] == ["Extreme Heat Warning"]
    assert world.members() == ["crac-1"]


def test_a_hazard_that_is_heard_of_later_is_linked_then(world: World) -> None:
    world.at("10:00").alertmanager(firing("crac-1", name="HighInletTemperature"))
    assert world.only().links == ()
    world.at("11:00").hazard("Extreme Heat Warning", since="08:00", until="20:00", zones=["CAC067"], severity="extreme")
    (link,) = world.only().links
    assert link.proposed_at == instant("11:00")
    assert "Extreme Heat Warning" not in world.timeline(as_of="10:59")


def test_a_test_message_changes_nothing_that_people_see(world: World) -> None:
    world.at("10:00").send("any", {"key": "t", "title": "Test", "severity": "critical", "test": True})
    assert world.incidents() == []
    assert [row.test for row in stamps(world)] == [True]


# --- what cannot be read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "body", "reason"),
    [
        ("am", b"\xff\x00", "JSON"),
        ("am", b'{"alerts": 5}', "no list of alerts"),
        ("any", b"[]]", "JSON"),
        ("gone", b"{}", "the source gone is not configured any more"),
    ],
)
def test_what_cannot_be_read_is_quarantined_with_its_reason(
    world: World, source: str, body: bytes, reason: str
) -> None:
    world.at("10:00")
    world.deliver(source, body)
    world.deliver("am", world.notification(firing("db-1")))
    world.work()
    bad, good = stamps(world)
    assert (bad.state, good.state) == ("quarantined", "read")
    assert reason in bad.reason
    assert world.members() == ["db-1"]


def test_an_adapter_that_fails_quarantines_its_own_delivery_alone(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(delivery: Delivery) -> list[Statement]:
        raise KeyError(delivery.source)

    broken = replace(adapters()["generic"], normalise=fails)
    world.adapters = {**adapters(), "generic": broken}
    world.at("10:00")
    world.deliver("any", {"title": "lost"})
    world.deliver("am", world.notification(firing("db-1")))
    world.work()
    bad, good = stamps(world)
    assert (bad.state, bad.reason) == ("quarantined", f"the adapter generic@{broken.version} failed: KeyError: 'any'")
    assert good.state == "read"
    assert "adapter generic failed on delivery 1" in caplog.text
    # The fault repaired, the same bytes are read again.
    world.reread({**adapters(), "generic": replace(adapters()["generic"], version=broken.version + 1)})
    assert [row.state for row in stamps(world)] == ["read", "read"]
    assert [row.title for row in world.occurrences() if row.source == "any"] == ["lost"]


def test_what_the_sender_left_out_is_counted(world: World) -> None:
    world.at("10:00").send("am", world.notification(firing("db-1")) | {"truncatedAlerts": 7})
    (stamp,) = stamps(world)
    assert (stamp.state, stamp.events, stamp.losses) == ("read", 1, 7)
    assert "truncatedAlerts" in stamp.loss_reason


# --- an adapter that got better -------------------------------------------------------------------------------------


def version(number: int, key: str, **fields: Any) -> Mapping[str, Adapter]:
    """The adapters with a generic one of this version, which names occurrences by this field of the body."""

    def normalise(delivery: Delivery) -> list[Statement]:
        item = orjson.loads(delivery.body)
        return [
            replace(
                Event(
                    item[key], "alert", item["title"], Severity.CRITICAL, starts_at=DAY, labels={"datacenter": "smf"}
                ),
                **fields,
            )
        ]

    return {**adapters(), "generic": replace(adapters()["generic"], version=number, normalise=normalise)}


BODY = {"id": "4711", "host": "db-1", "title": "Down"}


def test_equal_output_of_a_newer_adapter_writes_only_the_stamp(world: World) -> None:
    world.adapters = version(1, "id")
    world.at("10:00").send("any", BODY)
    before = world.digest()
    world.at("11:00").reread(version(2, "id"))
    assert world.digest() == before
    assert (world.statements(), count(world, SUPERSESSION)) == (1, 0)
    (stamp,) = stamps(world)
    assert (stamp.adapter_version, stamp.stamped_at) == (2, instant("11:00"))


def test_other_output_of_a_newer_adapter_supersedes_and_appends(world: World) -> None:
    world.adapters = version(1, "id")
    world.at("10:00").send("any", BODY)
    world.at("11:00").reread(version(2, "host"))
    assert [row.key for row in world.occurrences()] == ["db-1"]
    assert (world.statements(), count(world, SUPERSESSION)) == (2, 1)
    assert world.only().members.alerts == 1
    assert world.digest() == world.rebuilt()


def test_other_words_of_a_newer_adapter_replace_the_old_ones(world: World) -> None:
    world.adapters = version(1, "id")
    world.at("10:00").send("any", BODY)
    world.at("11:00").reread(version(2, "id", title="Database down"))
    assert [(row.title, row.statements) for row in world.occurrences()] == [("Database down", 1)]
    assert world.digest() == world.rebuilt()


@pytest.mark.parametrize("most", [1, 64])
def test_what_several_deliveries_said_is_gone_when_none_says_it_any_more(world: World, most: int) -> None:
    world.adapters = version(1, "id")
    for minute in ("10:00", "10:05", "10:10"):
        world.at(minute).send("any", BODY)
    world.at("11:00").reread(version(2, "host"), most=most)
    assert [row.key for row in world.occurrences()] == ["db-1"]
    assert world.digest() == world.rebuilt()


@pytest.mark.parametrize("most", [1, 64])
def test_what_another_delivery_still_says_stays(world: World, most: int) -> None:
    world.adapters = version(1, "id")
    world.at("10:00").send("any", BODY | {"host": "4711"}).at("10:05").send("any", BODY)
    # The one that is recorded first goes on saying it, the one that repeated it does not.
    world.at("11:00").reread(version(2, "host"), most=most)
    assert sorted(row.key for row in world.occurrences()) == ["4711", "db-1"]
    assert world.digest() == world.rebuilt()


@pytest.mark.parametrize("most", [1, 64])
def test_what_only_the_repeat_still_says_stays_too(world: World, most: int) -> None:
    world.adapters = version(1, "id")
    world.at("10:00").send("any", BODY).at("10:05").send("any", BODY | {"host": "4711"})
    world.at("11:00").reread(version(2, "host"), most=most)
    assert sorted(row.key for row in world.occurrences()) == ["4711", "db-1"]
    assert world.digest() == world.rebuilt()


def test_what_was_superseded_and_is_said_anew_holds_again(world: World) -> None:
    world.adapters = version(1, "id")
    world.at("10:00").send("any", BODY)
    world.at("11:00").reread(version(2, "host"))
    world.at("12:00").send("any", BODY | {"host": "4711"})
    assert sorted(row.key for row in world.occurrences()) == ["4711", "db-1"]
    assert world.digest() == world.rebuilt()


def test_an_older_adapter_never_undoes_a_newer_one(world: World) -> None:
    world.adapters = version(2, "host")
    world.at("10:00").send("any", BODY)
    before = world.digest()
    world.reread(version(1, "id"))
    with world.store.writing() as connection:
        deliveries.queue_again(connection, sa.true())
    world.work()
    assert world.digest() == before
    assert stamps(world)[0].adapter_version == 2


# --- order, repeats and batches -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """A delivery as generated: its source, its body, and the minute at which it was received."""

    source: str
    body: Any
    minute: int


def minute_text(minute: int) -> str:
    """A minute of the day as RFC 3339."""
    return instants.text(instant(f"{minute // 60}:{minute % 60:02}"))


alert_bodies = st.builds(
    lambda host, start, end, severity, words: {
        "status": "firing" if end is None else "resolved",
        "labels": {"alertname": "Down", "instance": f"h-{host}", "severity": severity, "datacenter": "smf-1"},
        "annotations": {"summary": words},
        "startsAt": minute_text(600 + start),
        "endsAt": "0001-01-01T00:00:00Z" if end is None else minute_text(600 + start + end),
        "fingerprint": f"f{host}",
    },
    host=st.integers(0, 2),
    start=st.integers(0, 2).map(lambda n: n * 20),
    end=st.none() | st.integers(0, 15),
    severity=st.sampled_from(["critical", "warning", "none"]),
    words=st.sampled_from(["Down", "Still down"]),
)
generic_bodies = st.builds(
    lambda key, kind, said, start, resolved_, severity: {
        "key": f"k-{key}",
        "kind": kind,
        "title": f"Thing {key}",
        "said_at": minute_text(600 + said),
        "status": "resolved" if resolved_ else "firing",
        "severity": severity,
        "labels": {"datacenter": "smf-1"},
        **({"starts_at": minute_text(600 + start)} if start is not None else {}),
        **({"ends_at": minute_text(600 + said)} if resolved_ else {}),
    },
    key=st.integers(0, 2),
    kind=st.sampled_from(["alert", "hazard", "change"]),
    said=st.integers(0, 30),
    start=st.none() | st.integers(0, 10),
    resolved_=st.booleans(),
    severity=st.sampled_from(["critical", "warning"]),
)
sent = st.one_of(
    st.builds(
        lambda alerts, minute: Sent("am", {"alerts": alerts}, 660 + minute),
        st.lists(alert_bodies, min_size=1, max_size=3),
        st.integers(0, 60),
    ),
    st.builds(
        lambda items, minute: Sent("any", items, 660 + minute),
        st.lists(generic_bodies, min_size=1, max_size=3),
        st.integers(0, 60),
    ),
)


def heard(store: Store, deliveries: list[Sent], cuts: set[int], most: int) -> World:
    """A world that heard these deliveries in this order, read after each cut and at the end."""
    world = World(emptied(store)).at("13:00")
    for n, one in enumerate(deliveries):
        world.deliver(one.source, one.body, received_at=instant(f"{one.minute // 60}:{one.minute % 60:02}"))
        if n in cuts:
            world.work(most)
    return world.work(most)


def facts(world: World) -> list[Any]:
    """What must not depend on the way in which it was heard: all but when we knew."""
    return [{k: v for k, v in row._mapping.items() if k != "recorded_at"} for row in world.occurrences()]


def without_repeats(deliveries: list[Sent]) -> list[Sent]:
    """The deliveries without the alerts that an earlier one says in the same words: their receipt dates the words."""
    seen: set[bytes] = set()
    found = []
    for one in deliveries:
        items = one.body["alerts"] if one.source == "am" else one.body
        fresh = []
        for item in items:
            words = orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
            if words not in seen:
                fresh.append(item)
            seen.add(words)
        if fresh:
            found.append(Sent(one.source, {"alerts": fresh} if one.source == "am" else fresh, one.minute))
    return found


@given(st.lists(sent, min_size=1, max_size=6), st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_neither_order_nor_batches_nor_repeats_change_an_occurrence(
    store: Store, deliveries: list[Sent], data: st.DataObject
) -> None:
    distinct = without_repeats(deliveries)
    whole = facts(heard(store, distinct, set(), most=64))
    # What says its own time may be repeated at will; an alert that repeats is dated by its first receipt.
    dated = [one for one in distinct if one.source == "any"]
    again = data.draw(st.lists(st.sampled_from(dated), max_size=3)) if dated else []
    shuffled = data.draw(st.permutations(distinct + again))
    cuts = data.draw(st.sets(st.integers(0, len(shuffled)), max_size=4))
    world = heard(store, shuffled, cuts, most=data.draw(st.sampled_from([1, 2, 64])))
    assert facts(world) == whole
    assert world.digest() == world.rebuilt()
