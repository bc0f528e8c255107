"""Evidence bundles between instances: restored on either database, exported again to the same bytes, and refused."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from incidents import configured, deliveries, moves, postmortem_revisions
from incidents.acts import Acting
from incidents.bundles import bundle
from incidents.bundles.bundle import MANIFEST, BundleError
from incidents.configured import CONFIGURED
from incidents.deliveries import DELIVERY
from incidents.entries import Changes
from incidents.postmortem_revisions import REVISION, Sent, write
from incidents.rebuild import rebuild, state_digest
from incidents.refusals import ConflictError, NotFoundError
from incidents.statements import EVENT
from incidents.store import Store
from incidents.tables import METADATA
from incidents.views import lists
from incidents.views.incident_view import Asked
from service import postmortems
from service.api import bundles_api
from service.files import bundles
from service.files.bundles import Wanted
from tests import databases, golden
from tests.conftest import StartBarograph
from tests.test_bundle import as_file, bundled, checked, evidence_in, exported, forged, lived, members_in, restored
from tests.world import World, firing

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """Another instance, on SQLite."""
    url = f"sqlite:///{tmp_path / 'other.db'}"
    databases.migrate(url)
    with closing(Store(url)) as store:
        yield store


def incidents_in(store: Store) -> list[str]:
    """All incidents of a store."""
    with store.reading() as connection:
        found = lists.list_incidents(connection, lists.IncidentFilter(merged=True), 500)
    return sorted(one.id for one in found)


def rows_in(store: Store) -> dict[str, int]:
    """How many rows each table holds."""
    with store.reading() as connection:
        count = sa.select(sa.func.count())
        return {t.name: connection.execute(count.select_from(t)).scalar_one() for t in METADATA.sorted_tables}


def folded(store: Store) -> str:
    """The state of the caches, checked to be what a rebuild makes of the logs."""
    with store.reading() as connection:
        state, config = state_digest(connection), configured.load(connection)
    rebuild(store, config, NOW)
    with store.reading() as connection:
        assert state_digest(connection) == state
    return state


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", golden.NAMES)
def test_stories_go_from_sqlite_to_postgresql_and_back(
    sqlite_store: Store, postgresql_store: Store, other: Store, name: str
) -> None:
    golden.played(name, sqlite_store)
    there = incidents_in(sqlite_store)
    assert len(there) >= 1
    for incident in there:
        first = exported(sqlite_store, incident)
        done = restored(postgresql_store, first, NOW)
        assert done.entries > 0
        second = exported(postgresql_store, incident)
        assert second == first
        restored(other, second, NOW)
        assert exported(other, incident) == first
    assert incidents_in(postgresql_store) == incidents_in(other) == there
    assert folded(postgresql_store) == folded(other)


def test_an_incident_reads_the_same_where_it_was_brought(store: Store, other: Store) -> None:
    world = lived(World(store))
    name = world.only().id
    before = world.timeline(name)
    assert "Deploy 7" in before
    restored(other, exported(store, name), NOW)
    there = World(other, now=world.now)
    assert there.timeline(name) == before
    assert there.timeline(name, as_of="10:02") == world.timeline(name, as_of="10:02")
    assert there.members(name) == world.members(name)
    one, two = there.only(), world.only()
    assert replace(one, links=()) == replace(two, links=())
    assert [(link.id, link.state, link.evidence) for link in one.links] == [
        (link.id, link.state, link.evidence) for link in two.links
    ]


def with_postmortem(store: Store) -> str:
    """An incident whose postmortem was written twice, published, and taken back."""
    world = lived(World(store))
    name, asked = world.only().id, Asked(NOW)
    action = {"text": "Test", "owner": "ben", "due": "2026-12-01", "done": False}
    with store.writing() as connection:
        acting = Acting(world.config, Changes(store, connection, NOW), "user:ana")
        write(acting, name, Sent(0, {"summary": "It was hot. <script>alert(1)</script>"}))
        write(acting, name, Sent(1, {"actions": [action]}))
        write(acting, name, Sent(2, {}, "in_review"))
        snapshot = postmortems.freeze(connection, configured.load(connection), name, asked)
        write(acting, name, Sent(3, {}, "published", snapshot))
        write(acting, name, Sent(4, {}, "draft"))
    return name


def test_a_postmortem_goes_with_its_incident_and_back(store: Store, other: Store) -> None:
    name = with_postmortem(store)
    content = exported(store, name)
    assert restored(other, content, NOW).revisions == 5
    assert restored(other, content, NOW).is_nothing
    assert exported(other, name) == content
    with other.reading() as connection:
        found = postmortem_revisions.listed(connection, name)
        assert [each.state for each in found] == ["draft", "published", "in_review", "draft", "draft"]
        assert found[0].words["actions"][0]["owner"] == "ben"


def test_a_postmortem_that_is_here_with_other_words_is_refused(store: Store, other: Store) -> None:
    name = with_postmortem(store)
    content = exported(store, name)
    restored(other, content, NOW)
    with other.writing() as connection:
        connection.execute(sa.update(REVISION).where(REVISION.c.number == 2).values(words={"summary": "other"}))
    before = rows_in(other)
    with pytest.raises(ConflictError, match="revision 2 of the postmortem"):
        restored(other, content, NOW)
    assert rows_in(other) == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda rows: rows[0].update(number=7), "number"),
        (lambda rows: rows[0].update(words={"summary": 7}), "words"),
        (lambda rows: rows[1].update(words={"actions": [{"text": "x"}]}), "words"),
        (lambda rows: rows[3]["snapshot"]["drawings"].update(roles="<svg onload='alert(1)'/>"), "drawing"),
        (lambda rows: rows[3]["snapshot"]["drawings"].update(extra=""), "drawings"),
        (lambda rows: rows[3]["snapshot"].update(facts={"incident": {}}), "cannot be shown"),
        (lambda rows: rows[3]["snapshot"].update(facts=[]), "facts"),
    ],
)
def test_a_postmortem_that_could_not_be_ours_is_refused(sqlite_store: Store, change: Any, why: str) -> None:
    content = exported(sqlite_store, with_postmortem(sqlite_store))
    broken = forged(content, lambda found: change(found.postmortem))
    with pytest.raises(BundleError, match=why):
        checked(broken)


def test_a_bundle_of_the_first_version_is_whole_and_comes_in(store: Store, other: Store) -> None:
    name = lived(World(store)).only().id
    members = members_in(exported(store, name))
    manifest = orjson.loads(members[MANIFEST])
    del members["evidence/postmortem.jsonl"]
    del manifest["counts"]["postmortem"]
    manifest["version"] = 1
    manifest["members"] = [each for each in manifest["members"] if each["name"] != "evidence/postmortem.jsonl"]
    first = bundled({**members, MANIFEST: orjson.dumps(manifest)})
    assert not checked(first).differs
    assert restored(other, first, NOW).entries
    assert exported(other, name) == exported(store, name)


def test_one_changed_byte_is_found_in_every_member(sqlite_store: Store) -> None:
    content = exported(sqlite_store, with_postmortem(sqlite_store))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [member for member in archive.infolist() if member.file_size]
    assert "evidence/postmortem.jsonl" in {member.filename for member in members}
    for member in members:
        at = member.header_offset + 30 + len(member.filename) + member.file_size // 2
        broken = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        with pytest.raises(BundleError, match=re.escape(member.filename)):
            checked(broken)


def test_importing_twice_changes_nothing(store: Store, other: Store) -> None:
    content = exported(store, lived(World(store)).only().id)
    assert not restored(other, content, NOW).is_nothing
    before = rows_in(other)
    assert restored(other, content, NOW).is_nothing
    assert rows_in(other) == before
    assert restored(store, content, NOW).is_nothing


def test_a_used_instance_takes_it_beside_its_own(other: Store, store: Store) -> None:
    """Its own rows come first: positions, not numbers of rows, are what a bundle tells."""
    name = lived(World(other)).only().id
    content = exported(other, name)
    own = World(store, _deliveries=100)
    own.at("+1 09:00").alertmanager(firing("web-1", site="iad"), source="am-2")
    own.act(lambda acting: acting.note(own.only().id, {"text": "ours"}))
    mine = own.only().id
    before = own.timeline(mine)
    restored(store, content, NOW)
    assert exported(store, name) == content
    assert incidents_in(store) == sorted([name, mine])
    assert own.timeline(mine) == before
    folded(store)


def test_incidents_that_share_a_warning_and_an_alert_come_one_after_the_other(store: Store, other: Store) -> None:
    world = lived(World(store))
    world.at("+1 10:00").alertmanager(firing("web-9"))
    names = [one.id for one in world.incidents()]
    assert len(names) == 2
    world.act(lambda acting: moves.regroup(acting, names[0], [world.alert("web-9")], []))
    made = {name: exported(store, name) for name in names}
    shared = [{row["subject"] for row in evidence_in(content)[0].events} for content in made.values()]
    assert shared[0] & shared[1]
    for content in made.values():
        restored(other, content, NOW)
    assert {name: exported(other, name) for name in names} == made
    folded(other)


def test_what_left_was_superseded_or_withdrawn_is_carried(store: Store, other: Store) -> None:
    world = lived(World(store))
    name = world.only().id
    world.act(lambda acting: moves.regroup(acting, name, [], [world.alert("db-2")]))
    note = world.act(lambda acting: acting.note(name, {"text": "withdrawn"}))
    world.act(lambda acting: acting.retract(name, note))
    with store.writing() as connection:
        event = connection.execute(sa.select(sa.func.min(EVENT.c.id))).scalar_one()
        supersession = METADATA.tables["supersession"]
        connection.execute(sa.insert(supersession).values(event_id=event, recorded_at=world.now, adapter="generic@9"))
    world.rebuilt()
    content = exported(store, name)
    restored(other, content, NOW)
    assert exported(other, name) == content
    assert World(other, now=world.now).timeline(name) == world.timeline(name)
    assert World(other).members(name) == ["db-1"]
    folded(other)


def test_a_subject_of_several_occurrences_comes_whole(store: Store, other: Store) -> None:
    """A check that uses one key for ever: the incident's member is its second outage."""
    world = World(store)
    check = {"key": "ping", "title": "Ping", "severity": "critical", "labels": {"datacenter": "smf-1"}}
    world.at("01:00").send("any", {**check, "status": "firing", "severity": "info"})
    world.at("01:10").send("any", {**check, "status": "resolved", "severity": "info"})
    world.at("12:00").send("any", {**check, "status": "firing"})
    name = world.only().id
    content = exported(store, name)
    found, _ = evidence_in(content)
    assert len({row["subject"] for row in found.events}) == 1
    assert len(found.events) == 3
    restored(other, content, NOW)
    assert exported(other, name) == content
    assert len(World(other).occurrences()) == 2


# --- refused --------------------------------------------------------------------------------------------------------


def test_an_incident_that_is_there_with_other_content_is_refused(store: Store, other: Store) -> None:
    world = lived(World(store))
    name = world.only().id
    content = exported(store, name)
    restored(other, content, NOW)
    world.act(lambda acting: acting.note(name, {"text": "one more"}))
    later = exported(store, name)
    before = rows_in(other)
    with pytest.raises(ConflictError, match="the first difference is entry"):
        restored(other, later, NOW)
    assert rows_in(other) == before


def test_statements_and_deliveries_that_are_there_with_other_content_are_refused(store: Store, other: Store) -> None:
    content = exported(store, lived(World(store)).only().id)

    def other_time(found: Any) -> None:
        found.incident = "another"
        for row in found.entries:
            row["decision"] = None
        found.events[0]["adapter"] = "generic@7"

    def other_source(found: Any) -> None:
        found.deliveries[0]["received_at"] = "2026-03-02T09:50:00.000001Z"

    def other_decision(found: Any) -> None:
        found.incident = "another"

    restored(other, content, NOW)
    before = rows_in(other)
    for change, why in (
        (other_time, "a statement of sky is here with other content"),
        (other_source, "the delivery .* is here with other content"),
        (other_decision, "a decision of this incident has been taken here"),
    ):
        with pytest.raises(ConflictError, match=why):
            restored(other, forged(content, change), NOW)
    assert rows_in(other) == before


def test_what_cannot_be_folded_writes_nothing(store: Store) -> None:
    name = lived(World(store)).only().id
    content = exported(store, name)
    databases_before = rows_in(store)
    hostile = forged(content, lambda found: found.entries[0].update(params={}))
    with pytest.raises(BundleError):
        restored(store, hostile, NOW)
    assert rows_in(store) == databases_before


# --- configuration --------------------------------------------------------------------------------------------------


def test_missing_configuration_is_added_and_what_is_there_stays(store: Store, other: Store) -> None:
    rule = {"name": "one-is-enough", "when": {"severity_at_least": "warning"}}
    world = World(store)
    world.config = replace(world.config, rules=(_rule(rule),))
    content = exported(store, lived(world).only().id)
    with other.writing() as connection:
        key, spec = ("site", "smf"), {"name": "smf", "title": "Ours", "latitude": 1.0, "longitude": 2.0}
        configured.put(connection, key, spec, owner="file", now=NOW)
    restored(other, content, NOW)
    with other.reading() as connection:
        rows = {(r.kind, r.name): r for r in connection.execute(sa.select(CONFIGURED))}
        config = configured.load(connection)
    assert rows["site", "smf"].spec["title"] == "Ours"
    assert rows["source", "am"].owner == "import"
    assert set(rows["source", "am"].spec) == {"name", "adapter"}
    assert rows["rule", "one-is-enough"].retired_at == NOW
    assert config.source("am") is not None
    assert config.rules == configured.DEFAULT_RULES


def _rule(row: dict[str, Any]) -> Any:
    from incidents.config import rule_of

    return rule_of(row)


# --- redaction ------------------------------------------------------------------------------------------------------

SECRET = "hunter2-hunter2-Zk4Qp9vX"


def with_secrets(store: Store) -> str:
    """An incident whose delivery holds a password, gzipped, and a header that names one."""
    world = World(store)
    body = world.at("10:00").notification(firing("db-1"), firing("db-2")) | {"password": SECRET}
    arrival = deliveries.Arrival(
        7, "am", world.now, {"x-db-password": SECRET, "user-agent": "am"}, gzip.compress(orjson.dumps(body)), "gzip"
    )
    with store.intake() as connection:
        deliveries.append(connection, [arrival])
    return world.work().only().id


def test_deliveries_are_redacted_unless_asked(store: Store, other: Store) -> None:
    name = with_secrets(store)
    content, raw = exported(store, name), exported(store, name, raw=True)
    assert SECRET.encode() not in content
    found, _ = evidence_in(content)
    (row,) = found.deliveries
    assert row["redacted"]
    assert row["headers"]["user-agent"] == "am"
    assert b"redacted" in found.bodies[row["body"]].lower()
    as_it_came, _ = evidence_in(raw)
    (whole,) = as_it_came.deliveries
    assert SECRET.encode() in gzip.decompress(as_it_came.bodies[whole["body"]])
    assert (whole["sha256"], whole["body"], whole["redacted"]) == (row["sha256"], row["sha256"], False)
    restored(other, content, NOW)
    assert exported(other, name) == content
    assert SECRET.encode() not in exported(other, name, raw=True)
    assert restored(store, content, NOW).is_nothing


def test_a_raw_bundle_restores_the_bytes_as_they_came(store: Store, other: Store) -> None:
    name = with_secrets(store)
    raw = exported(store, name, raw=True)
    restored(other, raw, NOW)
    assert exported(other, name, raw=True) == raw
    assert exported(other, name) == exported(store, name)


def test_a_redacted_body_is_not_read_again(store: Store, other: Store) -> None:
    """What a better adapter would read in it is not what came: what was said of the whole body holds."""
    world = World(store)
    name = lived(world).only().id

    def redact(found: Any) -> None:
        found.bodies.clear()
        for row in found.deliveries:
            row["body"], row["redacted"] = bundle.digest(b"(redacted)"), True
            found.bodies[row["body"]] = b"(redacted)"

    restored(other, forged(exported(store, name), redact), NOW)
    there = World(other, now=world.now)
    before = there.timeline(name)
    better = {n: replace(a, version=a.version + 1) for n, a in there.adapters.items()}
    there.reread(better)
    assert there.timeline(name) == before


@given(st.binary(max_size=200) | st.recursive(st.text(max_size=20), st.lists).map(orjson.dumps))
def test_a_body_without_secrets_stays_as_it_is_and_redacting_again_changes_nothing(body: bytes) -> None:
    once = bundles.redacted_body(body)
    assert bundles.redacted_body(once) == once


@given(st.dictionaries(st.text(max_size=12) | st.sampled_from(["authorization", "x-token"]), st.text(max_size=30)))
def test_headers_cleared_once_are_clear(headers: dict[str, str]) -> None:
    once = bundles.REDACTION.headers(headers)
    assert bundles.REDACTION.headers(once) == once


# --- bounds ---------------------------------------------------------------------------------------------------------


def test_an_incident_larger_than_a_bundle_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    name = lived(World(store)).only().id
    monkeypatch.setattr("incidents.bundles.bundling.MOST_EVENTS", 3)
    with pytest.raises(ConflictError, match="a bundle holds at most 3"):
        exported(store, name)
    with pytest.raises(NotFoundError):
        exported(store, "nothing")


def test_bodies_of_repeats_are_left_out_above_a_bound(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = lived(World(store)).only().id
    monkeypatch.setattr("incidents.bundles.carried.REPEATS_BYTES", 100)
    content = exported(store, name)
    found, _ = evidence_in(content)
    (left_out,) = [row for row in found.deliveries if row["body"] is None]
    (repeat,) = {receipt for row in found.events for receipt in row["sightings"]}
    assert left_out["receipt"] == repeat
    restored(other, content, NOW)
    assert exported(other, name) == content
    monkeypatch.undo()
    assert exported(other, name) == content
    with other.reading() as connection:
        row = connection.execute(sa.select(DELIVERY).where(DELIVERY.c.id == int(repeat, 16))).one()
    assert (row.body, row.sha256) == (b"", left_out["sha256"])


# --- over HTTP and by the command line ------------------------------------------------------------------------------

CONFIG = """\
[[sources]]
name = "am"
adapter = "alertmanager"
key = "an-ingest-key-of-32-or-more-characters"
"""


def test_a_bundle_is_fetched_verified_and_imported(barograph: StartBarograph, tmp_path: Path) -> None:
    one, two = barograph(CONFIG), barograph()
    body = {
        "version": "4",
        "groupKey": "g",
        "status": "firing",
        "receiver": "r",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "Down", "severity": "critical", "instance": "db-1"},
                "annotations": {},
                "startsAt": "2026-03-02T10:00:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
            }
        ],
    }
    one.read(one.send("am", body, "an-ingest-key-of-32-or-more-characters"))
    (incident,) = one.json("/api/v1/incidents")["items"]
    path = f"/api/v1/incidents/{incident['id']}/bundle"
    answer = one.get(path)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["ETag"] == f'"{answer.body[-64:].decode()}"'
    assert one.get(path + "?raw=2").status == 400
    assert one.get("/api/v1/incidents/nothing/bundle").status == 404
    file = tmp_path / "incident.zip"
    file.write_bytes(answer.body)
    assert "whole: the evidence of" in one.cli("verify", str(file)).stdout
    done = two.cli("import", str(file))
    assert (done.returncode, "added: " in done.stdout) == (0, True), done.stderr
    assert two.get(path).body == answer.body
    assert "nothing was changed" in two.cli("import", str(file)).stdout
    assert two.cli("bundle", incident["id"], "--out", str(tmp_path / "again.zip")).returncode == 0
    assert (tmp_path / "again.zip").read_bytes() == answer.body

    one.post(f"/api/v1/incidents/{incident['id']}/entries", {"text": "later"})
    (tmp_path / "later.zip").write_bytes(one.get(path).body)
    conflict = two.cli("import", str(tmp_path / "later.zip"))
    assert (conflict.returncode, "is here with other content" in conflict.stderr) == (5, True)

    damaged = bytearray(answer.body)
    damaged[answer.body.index(b'"position":1,"kind":"opened"') + 25] ^= 1
    file.write_bytes(bytes(damaged))
    for command in ("verify", "import"):
        ran = one.cli(command, str(file))
        assert (ran.returncode, ran.stdout) == (1, "")
        assert "line 1 of the chain, was changed" in ran.stderr
    assert one.cli("import", str(tmp_path / "nothing.zip")).returncode == 2


@pytest.mark.parametrize(("role", "plain", "raw"), [("viewer", 403, 403), ("responder", 404, 403), ("admin", 404, 404)])
def test_who_may(barograph: StartBarograph, role: str, plain: int, raw: int) -> None:
    service = barograph()
    token = service.cli("token", "create", "--role", role).stdout.split()[-1]
    assert service.get("/api/v1/incidents/nothing/bundle", token=token).status == plain
    assert service.get("/api/v1/incidents/nothing/bundle?raw=1", token=token).status == raw


def test_one_bundle_is_made_at_a_time(store: Store) -> None:
    """Each takes a disk and a processor; whoever comes meanwhile is told to come back."""
    name = lived(World(store)).only().id
    with as_file(b"") as file:
        with bundles_api._TURN:
            assert bundles_api._made_alone(store, Wanted(name), file) is None
        made = bundles_api._made_alone(store, Wanted(name), file)
        assert made is not None
        assert made.whole == bundle.digest(exported(store, name))
        with pytest.raises(NotFoundError):
            bundles_api._made_alone(store, Wanted("nothing"), file)
    assert not bundles_api._TURN.locked()
