"""Backups: made while others write, whole or not there, brought back into either database, and folded to the same."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from incidents import deliveries
from incidents.adapters import adapters
from incidents.deliveries import DELIVERY, Arrival
from incidents.ingest import Ingest
from incidents.notices import outbox
from incidents.rebuild import rebuild, state_digest
from incidents.receipts import DeliveryIds
from incidents.refusals import ConflictError
from incidents.store import Store
from service import clock
from service.files import backup
from service.files.backup import BackupError, back_up, check, restore
from tests.conftest import StartBarograph
from tests.senders import CONFIG, ago, alert, incident_of
from tests.servers import ROOT
from tests.world import DAY, TWO_SITES, World, firing, resolved

GENERIC = b'{"key": "k", "status": "firing", "title": "t", "starts_at": "2026-03-02T09:00:00Z"}'


def lived(store: Store) -> World:
    """A store in which something of every kind has happened."""
    world = World(store)
    world.at("10:00").alertmanager(firing("db-1", "critical"), firing("db-2", "error"))
    world.at("10:05").alertmanager(resolved("db-1"))
    with store.intake() as connection:
        deliveries.append(connection, [Arrival(DeliveryIds().next(DAY), "any", DAY, {}, b"\0\xff no JSON")])
    Ingest(store, adapters()).work(TWO_SITES, DAY)
    return world


def rows_of(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Everything that the tables hold, as values of ours."""
    with store.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))]
            for table in backup._tables()
        }


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """An empty SQLite file and an empty PostgreSQL database."""
    with (
        closing(Store(f"sqlite:///{tmp_path / 'empty.db'}")) as file,
        closing(Store(request.getfixturevalue("postgresql_url"))) as server,
    ):
        yield file, server


def test_a_backup_comes_back_on_either_database_and_folds_to_the_same(
    store: Store, empty: tuple[Store, Store], tmp_path: Path
) -> None:
    lived(store)
    wanted = rows_of(store)
    with store.reading() as connection:
        state = state_digest(connection)
    path = tmp_path / "b.backup"
    done = back_up(store, path, DAY)
    assert done.total == sum(len(rows) for rows in wanted.values())
    assert check(path) == done
    for other in empty:
        assert restore(other, path) == done
        assert rows_of(other) == wanted
        rebuild(other, TWO_SITES, DAY)
        with other.reading() as connection:
            assert state_digest(connection) == state
        with other.intake() as connection:
            deliveries.append(connection, [Arrival(DeliveryIds().next(clock.now()), "any", DAY, {}, GENERIC)])
        worked = Ingest(other, adapters()).work(TWO_SITES, DAY)  # ids go on where they were
        assert worked is not None
        assert worked.statements == 1
        with pytest.raises(ConflictError, match="not empty"):
            restore(other, path)


def test_a_restored_copy_sends_nothing_that_its_original_may_send(
    store: Store, empty: tuple[Store, Store], tmp_path: Path
) -> None:
    lived(store)
    with store.writing() as connection:
        sent = outbox.tell_test(connection, "pager", "user:alice", DAY)
        connection.execute(sa.update(outbox.NOTICE).values(state="sent"))
        waits = outbox.tell_test(connection, "pager", "user:alice", DAY)
    path = tmp_path / "b.backup"
    back_up(store, path, DAY)
    for other in empty:
        restore(other, path)
        with other.writing() as connection:
            assert not outbox.has_due(connection, clock.now())
            told = {one.id: (one.state, [a.reason for a in one.attempts]) for one in outbox.listed(connection)}
            assert told == {sent: ("sent", []), waits: ("dead", ["restored from a backup"])}
            again = outbox.send_again(connection, waits, "user:bob", clock.now())
        assert again is not None
        assert again.state == "waiting"


def test_a_backup_of_an_earlier_schema_is_brought_to_this_one(sqlite_url: str, tmp_path: Path) -> None:
    with closing(Store(sqlite_url)) as old:
        old.migrate()
        lived(old)
        wanted = rows_of(old)
        path = tmp_path / "b.backup"
        back_up(old, path, DAY)
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    # 0009 renamed a column of the events.
    lines = [line.replace('"subject"', '"occurrence_id"') if '"table":"event"' in line else line for line in lines]
    # 0019 renamed one of the deliveries, and counts what it finds stamped.
    lines = [line.replace('"content"', '"body"') if '"table":"delivery"' in line else line for line in lines]
    for later in ("stamp_count", "crowd_part"):  # a table that came after it
        first = next(n for n, line in enumerate(lines) if f'"table":"{later}"' in line) + 1
        counts = json.loads(lines[-1])["end"]
        del lines[first : first + counts[later]]
        lines[-1] = json.dumps({"end": counts | {later: 0}})
    lines = without_last_column(lines, "entry")  # which 0020 added
    for table in ("incident", "member_count"):  # of which 0021 added one each
        lines = without_last_column(lines, table)
    lines[0] = lines[0].replace(json.loads(lines[0])["revision"], "0008")
    path.write_bytes(gzip.compress(sealed(lines)))
    with closing(Store(f"sqlite:///{tmp_path / 'new.db'}")) as new:
        new.migrate()
        restore(new, path)
        found = rows_of(new)
        assert all(found[name] == wanted[name] for name in ("event", "delivery", "stamp", "stamp_count"))


def without_last_column(lines: list[str], table: str) -> list[str]:
    """Lines of a backup without the last column of a table."""
    found, within = [], False
    for line in lines:
        told = json.loads(line)
        if isinstance(told, dict):
            within = told.get("table") == table
            cut = {name: told[name][:-1] for name in ("columns", "kinds")} if within else {}
            found.append(json.dumps(told | cut, separators=(",", ":")))
        else:
            found.append(json.dumps(told[:-1], separators=(",", ":")) if within else line)
    return found


def sealed(lines: list[str]) -> bytes:
    """Lines of a backup with the right digest at their end."""
    import hashlib

    text = "".join(f"{line}\n" for line in lines[:-1])
    end = json.loads(lines[-1]) | {"sha256": hashlib.sha256(text.encode()).hexdigest()}
    return text.encode() + json.dumps(end).encode() + b"\n"


def test_a_file_that_is_not_whole_is_refused_before_anything_is_written(store: Store, tmp_path: Path) -> None:
    lived(store)
    path, bad = tmp_path / "b.backup", tmp_path / "bad.backup"
    back_up(store, path, DAY)
    content = path.read_bytes()
    lines = gzip.decompress(content).decode().splitlines()
    newer = [lines[0].replace(json.loads(lines[0])["revision"], "9999"), *lines[1:]]
    for broken in (
        content[:-1],
        content[: len(content) // 2],
        content[:200] + bytes([content[200] ^ 1]) + content[201:],
        gzip.compress(gzip.decompress(content).replace(b"db-1", b"db-7")),
        gzip.compress("\n".join(lines[:-2] + lines[-1:]).encode()),
        gzip.compress("\n".join(lines[:-1]).encode()),
        gzip.compress(gzip.decompress(content) + b"{}\n"),
        gzip.compress(b'{"format": "barograph-backup", "version": 2}\n'),
        gzip.compress(b"[1]\n"),
        gzip.compress(sealed(newer)),
        gzip.compress(sealed([line.replace('"event"', '"nothing"') for line in lines])),
        b"SQLite format 3\0",
        b"",
    ):
        bad.write_bytes(broken)
        with closing(Store(f"sqlite:///{tmp_path / 'other.db'}")) as other:
            with pytest.raises((BackupError, sa.exc.NoSuchTableError)):
                restore(other, bad)
            with other.reading() as connection:
                tables = sa.inspect(connection).get_table_names()
                assert "delivery" not in tables or not rows_of(other)["delivery"]


def test_a_backup_holds_all_that_was_committed_before_it_began(store: Store, tmp_path: Path) -> None:
    ids, ended, told = DeliveryIds(), threading.Event(), list[int]()

    def write() -> None:
        while not ended.is_set():
            arrival = Arrival(ids.next(clock.now()), "any", DAY, {}, b"{}")
            with store.intake() as connection:
                deliveries.append(connection, [arrival])
            told.append(arrival.id)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for n in range(3):
            before = set(told)
            back_up(store, tmp_path / f"{n}.backup", DAY)
            with closing(Store(f"sqlite:///{tmp_path / f'{n}.db'}")) as other:
                restore(other, tmp_path / f"{n}.backup")
                with other.reading() as connection:
                    assert before <= set(connection.execute(sa.select(DELIVERY.c.id)).scalars())
    finally:
        ended.set()
        writer.join(30)


def test_a_backup_that_is_killed_leaves_no_file_under_its_name(sqlite_store: Store, tmp_path: Path) -> None:
    lived(sqlite_store)
    path = tmp_path / "b.backup"
    path.write_bytes(b"the one before")
    code = (
        "import os, signal, sys; from pathlib import Path; from incidents.store import Store\n"
        "from service.files import backup\n"
        "from tests.world import DAY\n"
        "backup.os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)\n"
        "backup.back_up(Store(sys.argv[1]), Path(sys.argv[2]), DAY)"
    )
    argv = [sys.executable, "-c", code, sqlite_store.url.render_as_string(), str(path)]
    assert subprocess.run(argv, cwd=ROOT, timeout=60, check=False).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"the one before"
    back_up(sqlite_store, path, DAY)
    assert check(path).rows["delivery"] == 3


def test_the_commands_back_up_a_service_that_runs_and_bring_it_back(barograph: StartBarograph) -> None:
    service = barograph(CONFIG)
    incident = incident_of(service, alert("kept", ago(minutes=5)))
    done = service.cli("backup", "all.backup")
    assert done.returncode == 0, done.stderr
    assert "secret.key" in done.stderr
    service.terminate()
    assert service.cli("restore", "all.backup").returncode == 5
    for path in service.home.glob("barograph.db*"):
        path.unlink()
    back = service.cli("restore", "all.backup")
    assert back.returncode == 0, back.stderr
    service.start()
    assert service.json("/api/v1/incidents")["items"][0]["id"] == incident["id"]
