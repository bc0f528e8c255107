"""The spool: what PostgreSQL cannot take is on the disk before its 2xx, and in the database once, in order, after."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from incidents import deliveries
from incidents.adapters import adapters
from incidents.config import Config, config_of
from incidents.deliveries import DELIVERY, STAMP, Arrival
from incidents.ingest import Ingest
from incidents.proofs.repeats import REFUSAL
from incidents.proofs.signatures import Proof
from incidents.receipts import DeliveryIds, receipt_of
from incidents.store import Store
from service import clock, settings
from service.identity.access import FRESH_SECONDS, KEPT_SECONDS, Access
from service.intake import spool
from service.intake.spool import Spool, SpoolFullError
from service.intake.spool_drain import SpoolDrain
from service.intake.worker import Worker
from service.intake.writer import OverloadedError, Writer
from service.readiness import LACKS_SPOOL, Readiness
from tests.conftest import StartBarograph
from tests.databases import MIGRATED, cluster
from tests.pouring import Pouring
from tests.senders import CONFIG
from tests.world import DAY

FILE = "spool/spool-0.log"
IDS = DeliveryIds()
MIB = 1 << 20


def arrival(body: bytes, **more: Any) -> Arrival:
    """One delivery to be spooled."""
    return Arrival(IDS.next(clock.now()), "am", DAY, {"user-agent": "test"}, body, **more)


def bodies(held: Spool) -> list[bytes]:
    """What a spool holds."""
    return [a.body for a in held.oldest(most=10_000, most_bytes=64 * MIB)[0]]


@contextmanager
def opened(folder: Path, most: int = MIB) -> Iterator[Spool]:
    """A spool, and its file given back."""
    with closing(Spool(folder, most_bytes=most)) as held:
        yield held


# --- the file -------------------------------------------------------------------------------------------------------


def test_what_was_spooled_comes_back_as_it_was(tmp_path: Path) -> None:
    told = [
        arrival(b"{}", proof=Proof("p", DAY + timedelta(minutes=5))),
        arrival(b"", refused="too large", size=99),
        replace(arrival(b"\0\xff" * 3, encoding="gzip"), headers='{"a":"b"}'),
    ]
    with opened(tmp_path) as held:
        held.append(told[:2])
        held.append(told[2:])
        assert held.oldest(most=10, most_bytes=MIB)[0] == told
        depth = held.depth()
        assert (depth.deliveries, depth.since) == (3, DAY)
        found, after = held.oldest(most=2, most_bytes=MIB)
        held.forget(after, len(found))
        assert held.oldest(most=10, most_bytes=MIB)[0] == told[2:]
        assert held.in_use
        held.forget(held.oldest(most=10, most_bytes=MIB)[1], 1)
        assert not held.in_use
        assert held.depth() == spool.Spooled()
        assert held.path.stat().st_size == 0


@pytest.mark.parametrize("cut", [1, 5, 11, 13, 60])
def test_a_torn_tail_is_told_from_what_is_whole(tmp_path: Path, cut: int) -> None:
    with opened(tmp_path) as held:
        held.append([arrival(b"first"), arrival(b"second")])
        whole = held.path.stat().st_size
        held.append([arrival(b"torn" * 20)])
        os.truncate(held.path, whole + cut)
    with opened(tmp_path) as held:
        assert bodies(held) == [b"first", b"second"]
        assert held.path.stat().st_size == whole
        held.append([arrival(b"third")])
        assert bodies(held) == [b"first", b"second", b"third"]


def test_a_damaged_last_record_is_kept_as_it_may_have_been_acknowledged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(tmp_path) as held:
        held.append([arrival(b"first")])
        whole = held.path.read_bytes()
        held.append([arrival(b"last")])
        content = held.path.read_bytes().replace(b"last", b"lasT")
        held.path.write_bytes(content)
    with opened(tmp_path) as held:
        assert bodies(held) == [b"first"]
        assert held.path.read_bytes() == whole
    (copy,) = tmp_path.glob("*.damaged-*")
    assert whole + copy.read_bytes() == content
    assert "perhaps not acknowledged" in caplog.text


def test_a_tail_of_which_there_can_be_no_copy_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as held:
        held.append([arrival(b"first"), arrival(b"last")])
        content = held.path.read_bytes().replace(b"last", b"lasT")
        held.path.write_bytes(content)

    def full(*_stretch: object) -> Path:
        raise OSError(28, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(spool, "_keep", full)
        held = Spool(tmp_path, most_bytes=MIB)
    with closing(held):
        assert held.path.read_bytes() == content
        held.forget(held.oldest(most=9, most_bytes=MIB)[1], 1)
        (copy,) = tmp_path.glob("*.damaged-*")
        assert copy.read_bytes() == content
        held.append([arrival(b"next")])
        assert bodies(held) == [b"next"]


def test_zeros_that_a_power_cut_leaves_are_no_record(tmp_path: Path) -> None:
    with opened(tmp_path) as held:
        held.append([arrival(b"first")])
        os.truncate(held.path, held.path.stat().st_size + 8192)
    with opened(tmp_path) as held:
        assert bodies(held) == [b"first"]


def test_a_damaged_record_costs_its_neighbours_nothing_and_is_kept(tmp_path: Path) -> None:
    with opened(tmp_path) as held:
        held.append([arrival(b"first"), arrival(b"broken"), arrival(b"third")])
        content = held.path.read_bytes()
    held.path.write_bytes(content.replace(b"broken", b"brokeN"))
    with opened(tmp_path) as held:
        assert bodies(held) == [b"first", b"third"]
        held.forget(held.oldest(most=9, most_bytes=MIB)[1], 2)
        assert not held.in_use
    assert [path.read_bytes() for path in tmp_path.glob("*.damaged-*")] == [content.replace(b"broken", b"brokeN")]


def test_a_copy_of_a_damaged_file_is_synced_and_takes_no_other_ones_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damage(held: Spool, body: bytes) -> bytes:
        held.append([arrival(body), arrival(b"whole")])
        content = held.path.read_bytes().replace(body, body.swapcase())
        held.path.write_bytes(content)
        return content

    def empty(held: Spool) -> None:
        found, after = held.oldest(most=9, most_bytes=MIB)
        held.forget(after, len(found) + 1)

    synced: list[int] = []
    now = clock.now()
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    monkeypatch.setattr(clock, "now", lambda: now)
    with opened(tmp_path) as held:
        content = damage(held, b"one")
        empty(held)
        (copy,) = tmp_path.glob("*.damaged-*")
        assert f"{now:%Y%m%dT%H%M%S%f}" in copy.name
        assert len(content) in synced
        other = damage(held, b"two")
        with pytest.raises(FileExistsError):
            empty(held)
        assert (copy.read_bytes(), held.path.read_bytes()) == (content, other)


def test_half_a_copy_is_taken_away_and_what_is_damaged_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as held:
        held.append([arrival(b"broken"), arrival(b"whole")])
        content = held.path.read_bytes().replace(b"broken", b"brokeN")
        held.path.write_bytes(content)

        def full(fd: int, _packed: bytes, _at: int) -> None:
            os.pwrite(fd, b"half", 0)
            raise OSError(28, "no space left")

        after = held.oldest(most=9, most_bytes=MIB)[1]
        with monkeypatch.context() as patch:
            patch.setattr(spool, "_write_all", full)
            with pytest.raises(OSError, match="no space"):
                held.forget(after, 2)
        assert list(tmp_path.glob("*.damaged-*")) == []
        assert held.path.read_bytes() == content
        held.forget(after, 0)
        (copy,) = tmp_path.glob("*.damaged-*")
        assert copy.read_bytes() == content


def test_what_senders_said_is_for_nobody_else_to_read(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    before = os.umask(0o022)
    try:
        with opened(folder) as held:
            held.append([arrival(b"broken"), arrival(b"whole")])
            held.path.write_bytes(held.path.read_bytes().replace(b"broken", b"brokeN"))
            held.set_aside(arrival(b"refused"))
            held.forget(held.oldest(most=9, most_bytes=MIB)[1], 2)
    finally:
        os.umask(before)
    modes = {path.suffix.partition("-")[0]: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    assert modes == {"": 0o700, ".log": 0o600, ".aside": 0o600, ".damaged": 0o600}


def test_nothing_is_taken_beyond_the_bound(tmp_path: Path) -> None:
    with opened(tmp_path, 2000) as held:
        held.append([arrival(b"x" * 1000)])
        with pytest.raises(SpoolFullError):
            held.append([arrival(b"y" * 1000)])
        assert bodies(held) == [b"x" * 1000]
        held.append([arrival(b"small")])
        assert held.depth().deliveries == 2


def test_a_disk_that_is_full_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as held:
        held.append([arrival(b"first")])

        def sync(_fd: int) -> None:
            raise OSError(28, "no space left")

        with monkeypatch.context() as patch:
            patch.setattr(spool.os, "fdatasync", sync)
            with pytest.raises(OSError, match="no space"):
                held.append([arrival(b"refused")])
        assert bodies(held) == [b"first"]
        held.append([arrival(b"second")])
    with opened(tmp_path) as held:
        assert bodies(held) == [b"first", b"second"]


def test_each_process_has_a_file_and_takes_over_those_of_processes_that_are_gone(tmp_path: Path) -> None:
    with opened(tmp_path) as first:
        first.append([arrival(b"a")])
        with opened(tmp_path) as second:
            assert second.path != first.path
            second.append([arrival(b"b")])
            assert bodies(second) == [b"b"]
    with opened(tmp_path) as again:
        assert sorted(bodies(again)) == [b"a", b"b"]
        assert again.depth().deliveries == 2
        with opened(tmp_path) as other:
            assert not other.in_use


def test_a_file_that_cannot_be_taken_over_is_left_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as first, opened(tmp_path) as second:
        first.append([arrival(b"a")])
        second.append([arrival(b"b"), arrival(b"c")])
        left = second.path
    write = spool._write_all
    written: list[int] = []

    def full(fd: int, packed: bytes, at: int) -> None:
        if written:
            raise OSError(28, "no space left")
        write(fd, packed, at)
        written.append(at)

    with monkeypatch.context() as patch:
        patch.setattr(spool, "_write_all", full)
        with opened(tmp_path) as held:
            assert bodies(held) == [b"a", b"b"]
            assert left.stat().st_size, "it is there still"
    with opened(tmp_path) as again:
        assert bodies(again) == [b"a", b"b", b"b", b"c"], "the database keeps one of the two"


@pytest.mark.parametrize("broken", [b"first", b"second", b"last"])
def test_a_damaged_file_that_is_taken_over_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: bytes
) -> None:
    told = [b"first", b"second", b"last"]
    with opened(tmp_path), opened(tmp_path) as gone:
        gone.append([arrival(body) for body in told])
        whole = gone.path.read_bytes()
    content = whole.replace(broken, broken.swapcase())
    gone.path.write_bytes(content)
    with opened(tmp_path) as held:
        assert bodies(held) == [body for body in told if body != broken]
    assert gone.path.stat().st_size == 0
    (copy,) = tmp_path.glob("*.damaged-*")
    assert (copy.stem, copy.read_bytes()) == ("spool-1", content)
    lost = len(whole) - sum(len(spool._pack(arrival(body))) for body in told if body != broken)
    assert f"{lost} bytes; all of it is kept in {copy}" in caplog.text


def test_a_spool_that_cannot_be_opened_lets_go_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sync(_folder: Path) -> None:
        raise OSError(5, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(spool, "_sync_folder", sync)
        with pytest.raises(OSError, match="input/output") as kept:
            Spool(tmp_path, most_bytes=MIB)
    with opened(tmp_path) as held:
        assert held.path == tmp_path / "spool-0.log", kept


async def test_readiness_warns_of_a_spool_that_could_not_be_opened() -> None:
    with closing(Store("postgresql://nobody@/nothing?host=/nowhere")) as nowhere:
        writer, worker = Writer(nowhere, threading.Event()), Worker(nowhere, Config, lambda _: None)
        found = []
        for mib in ("512", "0"):
            given = settings.read({}, {"BAROGRAPH_SPOOL_MIB": mib})
            readiness = Readiness(given, nowhere, writer, worker)
            found.append([c for c in await readiness.checks() if c.name == "spool"])
            readiness.close()
        await writer.close()
    (check,), none = found
    assert (check.reason, check.warning) == (None, LACKS_SPOOL)
    assert none == [], "who wants none lacks none"


# --- into the database ----------------------------------------------------------------------------------------------


def stored(store: Store) -> list[bytes]:
    """The bodies in the log, in the order of their ids."""
    with store.reading() as connection:
        return [
            bytes(body) for body in connection.execute(sa.select(DELIVERY.c.body).order_by(DELIVERY.c.id)).scalars()
        ]


def drained(store: Store, held: Spool) -> None:
    """Move all that is spooled."""
    drain = SpoolDrain(store, held, threading.Event())
    while held.in_use:
        drain._turn()


def test_what_was_moved_before_a_crash_is_there_once(store: Store, tmp_path: Path) -> None:
    told = [arrival(b"%d" % n) for n in range(5)]
    with opened(tmp_path) as held:
        held.append(told)
        with store.intake() as connection:  # committed, and killed before it was forgotten
            deliveries.append(connection, told[:3])
    with opened(tmp_path) as held:
        drained(store, held)
        assert held.path.stat().st_size == 0
        assert held.depth().aside == 0
    assert stored(store) == [a.body for a in told]


def test_what_the_database_never_takes_is_set_aside(store: Store, tmp_path: Path) -> None:
    told = [arrival(b"1"), replace(arrival(b"2"), source="\0" if not store.is_sqlite else None), arrival(b"3")]  # type: ignore[arg-type]  # what cannot be
    with opened(tmp_path) as held:
        held.append(told)
        drained(store, held)
        assert held.depth().aside == 1
    assert stored(store) == [b"1", b"3"]
    with opened(tmp_path) as held:
        assert held.depth().aside == 1


def test_a_signed_repeat_is_kept_as_such_and_another_of_the_same_id_as_well(store: Store, tmp_path: Path) -> None:
    proof = Proof("signature", DAY + timedelta(minutes=5))
    first, repeat = arrival(b"signed", proof=proof), arrival(b"signed", proof=proof)
    twin, other = arrival(b"one"), arrival(b"two")
    with store.intake() as connection:
        deliveries.append(connection, [twin])
    with opened(tmp_path) as held:
        held.append([first, repeat, replace(other, id=twin.id)])
        drained(store, held)
    assert sorted(stored(store)) == [b"", b"one", b"signed", b"two"]
    with store.reading() as connection:
        refused = dict(connection.execute(sa.select(DELIVERY.c.id, DELIVERY.c.refused)).all())
    assert refused[repeat.id] == f"it repeats the delivery {receipt_of(first.id)}"


def test_a_signed_repeat_that_is_moved_twice_is_counted_once(store: Store, tmp_path: Path) -> None:
    proof = Proof("signature", DAY + timedelta(minutes=5))
    first, repeat = arrival(b"[]", proof=proof), arrival(b"[]", proof=proof)
    with store.intake() as connection:
        deliveries.append(connection, [first])
    for _ in range(2):  # committed, and killed before it was forgotten
        with opened(tmp_path) as held:
            held.append([repeat])
            drained(store, held)
    Ingest(store, adapters()).work(config_of({"sources": [{"name": "am", "adapter": "generic"}]}, adapters()), DAY)
    with store.reading() as connection:
        kept = connection.execute(sa.select(DELIVERY.c.id, DELIVERY.c.sha256).order_by(DELIVERY.c.id)).all()
        counted = connection.execute(sa.select(REFUSAL.c.reason, REFUSAL.c.count)).all()
        states = connection.execute(sa.select(STAMP.c.state).order_by(STAMP.c.delivery_id)).scalars().all()
    assert [row.id for row in kept] == [first.id, repeat.id]
    assert len({row.sha256 for row in kept}) == 1
    assert counted == [("repeated", 1)]
    assert states == ["read", "read"], "a repeat is no quarantine"


# --- the service ----------------------------------------------------------------------------------------------------


async def test_a_writer_whose_database_is_away_answers_from_the_spool_until_that_is_full(tmp_path: Path) -> None:
    with closing(Store("postgresql://nobody@/nothing?host=/nowhere")) as nowhere, opened(tmp_path, 3000) as held:
        writer = Writer(nowhere, threading.Event(), held)
        try:
            receipts = [await writer.submit("am", DAY, {}, b"%d" % n) for n in range(3)]
            assert bodies(held) == [b"0", b"1", b"2"]
            assert [a.receipt for a in held.oldest(most=9, most_bytes=MIB)[0]] == receipts
            assert writer.failing is None
            with pytest.raises(OverloadedError):
                await writer.submit("am", DAY, {}, b"x" * 3000)
            assert writer.failing == "SpoolFullError"
            assert await writer.submit("am", DAY, {}, b"3")
            with pytest.raises(OverloadedError):
                await writer.submit("am", DAY, {"user-agent": "\udcff"}, b"4")
            assert writer.failing is None
            assert await writer.submit("am", DAY, {}, b"5")
        finally:
            await writer.close()
        assert bodies(held) == [b"0", b"1", b"2", b"3", b"5"]


def test_keys_of_senders_hold_while_the_database_in_which_they_would_be_revoked_is_away(sqlite_store: Store) -> None:
    access = Access(sqlite_store, admin_token=None, secret_key=b"k" * 32)
    key, _ = access.make("ingest", role="ingest", name="am", source="am")
    token, _ = access.make("token", role="viewer", name="somebody")
    access._read_at -= FRESH_SECONDS + 1
    assert access.recall(key) is None, "it is read again first"
    with closing(Store("postgresql://nobody@/nothing?host=/nowhere")) as nowhere:
        access.store = nowhere
        with pytest.raises(sa.exc.OperationalError):
            access.refresh()
    found = access.recall(key)
    assert found is not None
    assert found.source == "am"
    assert access.recall(token) is None
    assert not access.ageing, "the reload tries often enough"
    access.store = sqlite_store
    access.refresh()
    assert access.recall(token) is not None
    access._is_away, access._read_at = True, access._read_at - KEPT_SECONDS - 1
    assert access.recall(key) is None


def test_a_database_that_stops_under_load_costs_no_acknowledged_delivery(barograph: StartBarograph) -> None:
    with cluster() as running:
        url = running.url(running.make(MIGRATED))
        service = barograph(CONFIG, database_url=url)
        with Pouring([service]) as pouring:
            pouring.until(20)
            running.stop()
            pouring.until(40)
            ready = service.get("/readyz")
            assert (ready.status, ready.json()["status"]) == (200, "spooling"), ready.text
            assert ready.json()["checks"]["spool"]["deliveries"] > 0
            assert ready.json()["checks"]["spool"]["age_seconds"] > 0
            assert "barograph_spool_deliveries 0.0" not in service.get("/metrics").text
            assert service.get("/incidents").status == 503
            service.kill9()
            running.start()
            service.start()
            service.until(lambda: service.json("/readyz")["status"] == "ready")
            pouring.until(10)
        assert (service.json("/readyz")["checks"]["spool"]["deliveries"], (service.home / FILE).stat().st_size) == (
            0,
            0,
        )
        assert "the spool is empty" in service.log
        pouring.check(url, service)
