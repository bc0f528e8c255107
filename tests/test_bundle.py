"""Evidence bundles as files: the same bytes for the same evidence, every changed byte seen, hostile ones refused."""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, BinaryIO

import orjson
import pytest

from incidents import configured
from incidents.bundles import archive, bundle, evidence
from incidents.bundles.bundle import FIRST, MANIFEST, BundleError, digest
from incidents.bundles.evidence import Evidence
from incidents.bundles.evidence_shapes import LINES
from incidents.bundles.restoring import Restored
from incidents.store import Store
from service.files import bundles
from tests import databases
from tests.world import World, firing, resolved

ENTRIES = "evidence/entries.jsonl"
EVENTS = "evidence/events.jsonl"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bundle of an incident with two alerts, a linked warning, a deploy beside it, a note and its correction."""
    url = f"sqlite:///{tmp_path_factory.mktemp('bundle') / 'barograph.db'}"
    databases.migrate(url)
    with closing(Store(url)) as store:
        return exported(store, lived(World(store)).only().id)


def lived(world: World) -> World:
    """An incident from its beginning to its end, in a store that is configured."""
    with world.store.writing() as connection:
        steps = configured.plan(connection, world.config, owner="file", prune=False)
        configured.write(connection, world.config, steps, owner="file", now=world.now)
    world.at("09:50").hazard("Wind Advisory", since="09:00", until="+2 18:00", zones=["CAC067"], severity="warning")
    deploy = {"kind": "change", "key": "d", "title": "Deploy 7", "status": "firing", "labels": {"datacenter": "smf-1"}}
    world.at("09:58").send("any", deploy)
    world.at("10:00").alertmanager(firing("db-1"), firing("db-2", "warning"))
    world.at("10:05").alertmanager(firing("db-1", since="10:00"), firing("db-2", "warning", since="10:00"))
    world.at("10:10")
    name = world.only().id
    note = world.act(lambda acting: acting.note(name, {"text": "a fuse, {perhaps}"}))
    world.act(lambda acting: acting.correct(name, note, {"text": "two fuses"}))
    world.at("10:30").alertmanager(resolved("db-1"), resolved("db-2", "warning"))
    world.status("resolved")
    return world


@contextmanager
def as_file(content: bytes) -> Iterator[BinaryIO]:
    """A file that holds this and is gone afterwards."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file


def exported(store: Store, incident: str, *, raw: bool = False) -> bytes:
    """The bundle of an incident as bytes."""
    with as_file(b"") as file:
        bundles.export(store, incident, file, raw=raw)
        file.seek(0)
        return file.read()


def checked(content: bytes) -> bundles.Checked:
    with as_file(content) as file:
        return bundles.check(file)


def restored(store: Store, content: bytes, now: datetime) -> Restored:
    with as_file(content) as file:
        return bundles.restore(store, file, now)[1]


def members_in(content: bytes) -> dict[str, bytes]:
    """The members of a whole archive."""
    with as_file(content) as file:
        return {member.name: bundle.content(file, member) for member in bundle.members(file)}


def bundled(members: Mapping[str, bytes]) -> bytes:
    """The file of these members."""
    with as_file(b"") as file, closing(archive.Writer(file)) as writer:
        for name in sorted(members):
            writer.add(name, [members[name]])
        writer.end()
        file.seek(0)
        return file.read()


def evidence_in(content: bytes) -> tuple[Evidence, dict[str, bytes]]:
    """The evidence of a bundle, its rows in lists that a test may change, and the derived members."""
    with as_file(content) as file:
        found, derived = evidence.read(file)
        for member in LINES:
            setattr(found, member.removeprefix("evidence/").removesuffix(".jsonl"), list(found.rows(member)))
        found.bodies = {name: found.bodies[name] for name in found.bodies}
        return found, {name: bundle.content(file, member) for name, member in derived.items()}


def forged(whole: bytes, change: Callable[[Any], Any]) -> bytes:
    """The bundle with other evidence, its hashes, chains and counts made anew: what a forger would send."""
    found, derived = evidence_in(whole)
    change(found)
    with as_file(b"") as file:
        evidence.write(file, found, {}, "0", derived)
        file.seek(0)
        return file.read()


def rewritten(whole: bytes, members: Mapping[str, bytes | None]) -> bytes:
    """The bundle with some members replaced (None: left out), told of in the manifest and signed as ours are."""
    kept = members_in(whole) | members
    found = {name: content for name, content in kept.items() if content is not None}
    if MANIFEST in found and MANIFEST not in members:
        manifest = orjson.loads(found[MANIFEST])
        manifest["members"] = [
            {"name": n, "bytes": len(found[n]), "sha256": digest(found[n])} for n in sorted(found) if n != MANIFEST
        ]
        found[MANIFEST] = orjson.dumps(manifest)
    return bundled(found)


def signed(archive: zipfile.ZipFile, file: io.BytesIO) -> bytes:
    """An archive of anybody's making under a digest that holds."""
    archive.comment = b"barograph-bundle sha256:" + FIRST.encode()
    archive.close()
    content = file.getvalue()[: -len(FIRST)]
    return content + digest(content).encode()


# --- whole ----------------------------------------------------------------------------------------------------------


def test_a_bundle_is_whole_and_says_what_it_holds(whole: bytes) -> None:
    found = checked(whole)
    counts = found.evidence.counts()
    assert (counts["entries"], counts["events"], counts["deliveries"]) == (6, 6, 5)
    assert not found.differs
    assert found.digest == digest(whole[:-64]) == whole[-64:].decode()


def test_anybody_can_open_it_and_follow_the_chain(whole: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == sorted(names)
        lines = archive.read(ENTRIES).splitlines()
        manifest = orjson.loads(archive.read(MANIFEST))
        text = archive.read("readme.txt").decode()
    assert "sha256sum" in text
    assert orjson.loads(lines[0])["previous"] == FIRST
    for one, next_ in itertools.pairwise(lines):
        assert orjson.loads(next_)["previous"] == digest(one)
    assert {row["name"]: row.get("last") for row in manifest["members"]}[ENTRIES] == digest(lines[-1])
    assert manifest["counts"]["entries"] == len(lines)
    assert b"two fuses" in lines[-2]


def test_it_holds_no_number_of_a_database(whole: bytes) -> None:
    found, _ = evidence_in(whole)
    assert [row["position"] for row in found.entries] == list(range(1, len(found.entries) + 1))
    correction = next(row for row in found.entries if row["kind"] == "correction")
    assert found.entries[correction["supersedes"] - 1]["kind"] == "note"
    (repeated,) = [row for row in found.events if row["sightings"] and row["statement"]["labels"]["instance"] == "db-1"]
    assert len(repeated["sightings"]) == 1


# --- tampered -------------------------------------------------------------------------------------------------------


def places(size: int) -> Iterator[int]:
    """Some hundred places spread over a file, its first and last bytes among them."""
    yield from range(0, size, max(1, size // 150))
    yield from range(size - 90, size)


def test_one_changed_byte_anywhere_is_seen(whole: bytes) -> None:
    for at in places(len(whole)):
        damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with pytest.raises(BundleError):
            evidence_in(damaged)


@pytest.mark.parametrize("length", [0, 1, 22, 63, 64, 100, -1, -64])
def test_a_bundle_that_is_cut_off_is_seen(whole: bytes, length: int) -> None:
    with pytest.raises(BundleError):
        evidence_in(whole[:length])


def test_bytes_behind_or_before_a_bundle_are_seen(whole: bytes) -> None:
    for damaged in (whole + b"\n", b"\n" + whole, whole + whole):
        with pytest.raises(BundleError):
            evidence_in(damaged)


@pytest.mark.parametrize("number", [1, 2, 4, 6])
@pytest.mark.parametrize("of", ["middle", "previous"])
def test_the_changed_line_is_named(whole: bytes, number: int, of: str) -> None:
    lines = members_in(whole)[ENTRIES].splitlines(keepends=True)
    start = whole.index(lines[number - 1])
    at = start + (len(b'{"previous":"') + 3 if of == "previous" else lines[number - 1].index(b'"actor":"') + 10)
    other = b"0" if whole[at : at + 1] != b"0" else b"1"
    damaged = whole[:at] + other + whole[at + 1 :]
    with pytest.raises(BundleError, match=rf"member {ENTRIES}, line {number} of the chain, was changed"):
        evidence_in(damaged)


def test_a_changed_body_drawing_or_header_is_named(whole: bytes) -> None:
    members = members_in(whole)
    body = next(name for name in members if name.startswith(evidence.BODIES))
    for name in (body, "derived/figure.svg", MANIFEST):
        at = whole.index(members[name]) + len(members[name]) // 2
        with pytest.raises(BundleError, match=f"the member {name} was changed"):
            evidence_in(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    at = len(whole) - 10
    other = b"0" if whole[at : at + 1] != b"0" else b"1"
    with pytest.raises(BundleError, match="its members are whole, byte"):
        evidence_in(whole[:at] + other + whole[at + 1 :])


# --- hostile archives -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "evidence/../x.json", "C:\\x", "a\x00b", "evidence//x", "Evidence/x", "é"],
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    file = io.BytesIO()
    archive = zipfile.ZipFile(file, "w")
    info = zipfile.ZipInfo("x", date_time=(1980, 1, 1, 0, 0, 0))
    info.filename = name
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    archive.writestr(info, b"x")
    with pytest.raises(BundleError):
        evidence_in(signed(archive, file))


def crafted(build: Callable[[zipfile.ZipFile], Any]) -> bytes:
    """A signed archive that somebody else wrote."""
    file = io.BytesIO()
    archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
    build(archive)
    return signed(archive, file)


def plain_file(name: str) -> zipfile.ZipInfo:
    """A member as bundles have them."""
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    return info


def test_a_symbolic_link_is_refused() -> None:
    link = plain_file("readme.txt")
    link.external_attr = 0o120777 << 16
    with pytest.raises(BundleError, match="not a plain file"):
        evidence_in(crafted(lambda archive: archive.writestr(link, b"/etc/passwd")))


def test_what_inflates_is_refused_before_it_does() -> None:
    bomb = b"\0" * 50_000_000
    content = crafted(lambda archive: archive.writestr(plain_file("readme.txt"), bomb, zipfile.ZIP_DEFLATED))
    assert len(content) < 100_000
    with pytest.raises(BundleError, match="compressed"):
        evidence_in(content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused() -> None:
    def twice(archive: zipfile.ZipFile) -> None:
        archive.writestr(plain_file("readme.txt"), b"one")
        archive.writestr(plain_file("readme.txt"), b"two")

    with pytest.raises(BundleError, match="twice"):
        evidence_in(crafted(twice))


def test_members_that_share_their_bytes_are_refused() -> None:
    def overlapping(archive: zipfile.ZipFile) -> None:
        archive.writestr(plain_file("a.txt"), b"x" * 10_000)
        for n in range(50):
            again = copy.copy(archive.filelist[0])
            again.filename = f"evidence/bodies/{n}"
            archive.filelist.append(again)

    with pytest.raises(BundleError):
        evidence_in(crafted(overlapping))


def test_another_order_another_time_and_a_comment_are_refused(whole: bytes) -> None:
    def reversed_(archive: zipfile.ZipFile) -> None:
        for name, content in sorted(members_in(whole).items(), reverse=True):
            archive.writestr(plain_file(name), content)

    def dated(archive: zipfile.ZipFile) -> None:
        for name, content in sorted(members_in(whole).items()):
            info = plain_file(name)
            info.date_time = (2026, 1, 1, 0, 0, 0)
            archive.writestr(info, content)

    for build in (reversed_, dated):
        with pytest.raises(BundleError, match="not written as bundles are"):
            evidence_in(crafted(build))


def test_what_is_no_archive_is_refused_in_words() -> None:
    for content in (b"", b"PK", b"hello", b"x" * 1000, b"PK\x05\x06" + b"\0" * 18, b"\xff" * 5000):
        with pytest.raises(BundleError, match="does not end with the digest"):
            evidence_in(content)
    lone = b"barograph-bundle sha256:"
    with pytest.raises(BundleError, match="cannot be read"):
        evidence_in(lone + digest(lone).encode())


def test_a_file_larger_than_a_bundle_is_not_read(monkeypatch: pytest.MonkeyPatch, whole: bytes) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    with pytest.raises(BundleError, match="larger than 1000 bytes"):
        evidence_in(whole)


# --- hostile content under hashes that hold ---------------------------------------------------------------------------


def test_an_unknown_version_or_format_is_refused(whole: bytes) -> None:
    manifest = orjson.loads(members_in(whole)[MANIFEST])
    for change, why in (
        ({"version": 4}, "version 4 is not known"),
        ({"version": "1"}, "version 1 is not known"),
        ({"format": "other"}, "format"),
        ({"members": 7}, "is not listed"),
        ({"incident": 7}, "names no incident"),
        ({"known_at": "soon"}, "names no incident"),
        ({"counts": {}}, "counts other lines"),
    ):
        with pytest.raises(BundleError, match=why):
            evidence_in(rewritten(whole, {MANIFEST: orjson.dumps(manifest | change)}))


def test_members_that_are_missing_or_not_known_are_refused(whole: bytes) -> None:
    for members, why in (
        ({ENTRIES: None}, "missing"),
        ({MANIFEST: None}, "it has no manifest.json"),
        ({"other.txt": b"x"}, "of no kind"),
        ({"derived/figure.svg": None}, "missing"),
        ({f"{evidence.BODIES}{digest(b'x')}": b"x"}, "a body without its delivery"),
        ({f"{evidence.BODIES}{digest(b'y')}": b"x"}, "is not of this digest"),
    ):
        with pytest.raises(BundleError, match=why):
            evidence_in(rewritten(whole, members))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"[]", "an object is expected"),
        (b"7", "an object is expected"),
        (b"{", "is not JSON"),
        (b"", "is not JSON"),
        (b'{"previous": "%s"}' % FIRST.encode(), "is not written as bundles are"),
        (b'{"previous":"%s","previous":"x"}' % FIRST.encode(), "is not written as bundles are"),
        (b'{"previous":7}', "the chain is broken"),
        (b'{"previous":"%s"}' % (b"1" * 64), "the chain is broken"),
        (b'{"previous":"%s"}' % FIRST.encode(), "other fields than"),
        (b'{"previous":"%s","kind":"\\u0000"}' % FIRST.encode(), "holds NUL"),
        (b'{"previous":"%s","kind":"\\ud800"}' % FIRST.encode(), "is not JSON"),
        (b'{"previous":"%s","kind":"\xff"}' % FIRST.encode(), "is not JSON"),
        (b'{"previous":"%s","kind":%s}' % (FIRST.encode(), b"[" * 5000 + b"]" * 5000), "is not JSON"),
        (b'{"previous":"%s","kind":NaN}' % FIRST.encode(), "is not JSON"),
    ],
)
def test_lines_that_are_not_ours_are_refused(whole: bytes, line: bytes, why: str) -> None:
    with pytest.raises(BundleError, match=why):
        evidence_in(rewritten(whole, {ENTRIES: line + b"\n"}))


def test_a_chain_that_was_taken_apart_is_refused(whole: bytes) -> None:
    lines = members_in(whole)[ENTRIES].splitlines(keepends=True)
    for damaged in ([lines[0], *lines[2:]], [lines[1], lines[0], *lines[2:]], [*lines, lines[-1]], lines[1:]):
        with pytest.raises(BundleError, match="the chain is broken"):
            evidence_in(rewritten(whole, {ENTRIES: b"".join(damaged)}))
    with pytest.raises(BundleError, match="cut off"):
        evidence_in(rewritten(whole, {ENTRIES: b"".join(lines)[:-1]}))


def test_a_member_of_too_many_or_too_long_lines_is_refused(monkeypatch: pytest.MonkeyPatch, whole: bytes) -> None:
    monkeypatch.setattr("incidents.bundles.lines.MOST_LINES", 3)
    with pytest.raises(BundleError, match="more than 3 lines"):
        evidence_in(whole)
    monkeypatch.undo()
    monkeypatch.setattr("incidents.bundles.lines.LINE_BOUND", 1000)
    with pytest.raises(BundleError, match="a line of more than 1000 bytes"):
        evidence_in(rewritten(whole, {ENTRIES: b"x" * 2000}))


WRONG = (
    7,
    -1,
    1.5,
    True,
    None,
    "x",
    "\x00",
    [],
    [[]],
    {},
    {"x": 1},
    "9" * 5000,
    1 << 63,
    "0000-00-00T00:00:00.000000Z",
)


def test_values_of_wrong_kinds_are_refused_or_restored_and_never_a_fault(whole: bytes) -> None:
    """Each field of the first line of each member, of each wrong kind."""
    found, _ = evidence_in(whole)
    for member in ("deliveries", "entries", "events", "configuration"):
        for field in getattr(found, member)[0]:
            for value in WRONG:

                def change(one: Evidence, member: str = member, field: str = field, value: Any = value) -> None:
                    getattr(one, member)[0][field] = value

                _refused_or_whole(lambda change=change: evidence_in(forged(whole, change)))


def _refused_or_whole(read: Callable[[], Any]) -> None:
    with contextlib.suppress(BundleError):
        read()


@pytest.mark.parametrize("member", ["params", "statement", "spec"])
def test_values_within_objects_of_wrong_kinds_are_refused_or_shown(whole: bytes, member: str) -> None:
    """Params of entries have no fixed shape: a rehearsal finds what cannot be folded or drawn."""
    found, _ = evidence_in(whole)
    rows = {"params": found.entries, "statement": found.events, "spec": found.configuration}[member]
    chosen = [(n, name) for n, row in enumerate(rows) for name in row[member]]
    for nth, (number, name) in enumerate(chosen):

        def change(one: Evidence, number: int = number, name: str = name, nth: int = nth) -> None:
            held = {"params": one.entries, "statement": one.events, "spec": one.configuration}[member]
            held[number][member][name] = WRONG[nth % len(WRONG)]

        _refused_or_whole(lambda change=change: checked(forged(whole, change)))


def test_rows_that_do_not_fit_each_other_are_refused(whole: bytes) -> None:
    changes: dict[str, Callable[[Evidence], Any]] = {
        "out of order": lambda e: e.deliveries.reverse(),
        "evidence/events.jsonl, line 2: is out of order": lambda e: e.events.reverse(),
        "position: 1 is expected": lambda e: e.entries[0].update(position=2),
        "supersedes": lambda e: e.entries[1].update(supersedes=2),
        "subject": lambda e: e.events[0].update(source="other"),
        "nothing is said of its member": lambda e: e.entries[1].update(joined=["0" * 32]),
        "joined and left at once": lambda e: e.entries[1].update(left=e.entries[1]["joined"]),
        "never opened": lambda e: e.entries[0].update(kind="note", params={"text": "x"}),
        "its body is not the one that came": lambda e: e.deliveries[0].update(sha256="0" * 64),
        "not known here": lambda e: e.events[0]["statement"].update(status="x"),
        "not carried": lambda e: next(r for r in e.configuration if r["kind"] == "source")["spec"].update(
            url="http://x"
        ),
    }
    for why, change in changes.items():
        with pytest.raises(BundleError, match=why):
            evidence_in(forged(whole, change))


def test_what_no_page_could_show_does_not_come_in(whole: bytes) -> None:
    """Well-formed, and its hashes hold: only folding it tells."""
    for change in (
        lambda e: e.entries[0].update(params={}),
        lambda e: e.entries[-1].update(params={"status": "gone"}),
        lambda e: next(r for r in e.entries if r["kind"] == "link_proposed")["params"].pop("reasons"),
    ):
        content = forged(whole, change)
        evidence_in(content)
        with pytest.raises(BundleError):
            checked(content)


def test_drawings_that_we_would_make_otherwise_are_told_of(whole: bytes) -> None:
    assert checked(rewritten(whole, {"derived/figure.svg": b"<svg/>"})).differs == ("derived/figure.svg",)
