"""Large evidence bundles: streamed to and from files, the same bytes as a ZIP library writes, bounded in memory."""

from __future__ import annotations

import io
import struct
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incidents.bundles import archive, evidence
from incidents.bundles.archive import FIRST, BundleError
from incidents.bundles.lines import Bodies, Gathered, Room
from incidents.store import Store
from tests import databases
from tests.test_bundle import as_file, bundled, checked, evidence_in, exported, lived, members_in, plain_file, restored
from tests.world import World, firing, resolved

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def by_library(members: dict[str, bytes]) -> bytes:
    """What Python's own library writes of these members, but for the digest."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as written:
        for name in sorted(members):
            written.writestr(plain_file(name), members[name])
        written.comment = archive.MARK + FIRST.encode()
    return file.getvalue()[: -len(FIRST)]


def test_the_archive_is_what_a_library_writes() -> None:
    members = {"readme.txt": b"x", "evidence/empty.jsonl": b"", "evidence/bodies/a1": bytes(range(256)) * 9000}
    content = bundled(members)
    assert content[: -len(FIRST)] == by_library(members)
    assert members_in(content) == members


def test_more_members_than_two_bytes_count_are_written_and_read() -> None:
    members = {f"evidence/bodies/{n:06x}": b"%d" % n for n in range(65_540)}
    content = bundled(members)
    assert content[: -len(FIRST)] == by_library(members)
    with as_file(content) as file:
        assert sum(1 for _ in archive.walk(file, len(content))) == len(members)
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert len(opened.infolist()) == len(members)


def test_a_bundle_that_would_be_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 5000)
    with pytest.raises(BundleError, match="larger than the 5000 bytes"):
        bundled({"a": b"x" * 6000})
    with pytest.raises(BundleError, match="larger than the 5000 bytes"):
        bundled({f"evidence/bodies/{n}": b"x" for n in range(40)})


def test_sizes_that_are_not_there_are_refused_and_not_read() -> None:
    """A header that claims four gigabytes costs nothing."""
    content = bundled({"readme.txt": b"hello"})
    for size in (6, 0xFFFFFFFF, 1 << 31):
        claimed = content[:18] + struct.pack("<LL", size, size) + content[26:]
        with as_file(claimed) as file, pytest.raises(BundleError):
            list(archive.walk(file, len(claimed)))


def test_many_bodies_are_not_listed_and_the_bundle_comes_back_the_same(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "LISTED", 2)
    name = lived(World(store)).only().id
    content = exported(store, name)
    manifest = members_in(content)["manifest.json"]
    assert b'"version":3' in manifest
    assert b"evidence/bodies" not in manifest
    assert not checked(content).differs
    url = f"sqlite:///{tmp_path / 'other.db'}"
    databases.migrate(url)
    with closing(Store(url)) as other:
        assert restored(other, content, NOW).entries
        assert exported(other, name) == content
    for other_body in (b"", b"other"):
        found = {**members_in(content)}
        body = next(each for each in found if each.startswith(evidence.BODIES))
        found[body] = other_body
        with pytest.raises(BundleError, match="is not of this digest"):
            evidence_in(bundled(found))


def test_hundreds_of_statements_go_there_and_back(store: Store, tmp_path: Path) -> None:
    """More than are fetched, inserted or asked for at once, a repeat and an end of each among them."""
    world = World(store)
    many = [f"db-{n}" for n in range(260)]
    world.at("10:00").alertmanager(*[firing(name, "critical") for name in many])
    world.at("10:05").alertmanager(*[firing(name, "critical", since="10:00") for name in many])
    world.at("10:30").alertmanager(*[resolved(name) for name in many])
    incident = world.only()
    content = exported(store, incident.id)
    url = f"sqlite:///{tmp_path / 'other.db'}"
    databases.migrate(url)
    with closing(Store(url)) as other:
        assert restored(other, content, NOW).events >= 520
        assert exported(other, incident.id) == content
        assert restored(other, content, NOW).is_nothing


def test_what_is_gathered_is_read_again_and_again() -> None:
    with Room() as room:
        rows = Gathered(room.file())
        assert list(rows) == []
        for n in range(3):
            rows.append({"n": n, "text": "ü\n" * n})
        assert list(rows) == list(rows) == [{"n": n, "text": "ü\n" * n} for n in range(3)]
        rows.append({"n": 3})
        assert len(rows) == len(list(rows)) == 4
        bodies = Bodies(room.file())
        names = ["b" * 64, "a" * 64]
        for name in names * 2:
            bodies.add(name, name[:3].encode())
        assert list(bodies) == sorted(names)
        assert (len(bodies), bodies["b" * 64], bodies.size("a" * 64)) == (2, b"bbb", 3)
