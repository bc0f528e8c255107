"""The audit log: what is written down, by whom, and that nobody can change it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from dashboards.audit_page import csv as as_csv
from dashboards.audit_page import json_lines
from incidents import audit, saved_views, shares
from incidents.audit import AUDIT
from incidents.notices import outbox
from incidents.retention import Retention
from incidents.store import Store
from incidents.tombstones import TOMBSTONE
from incidents.views.audit_view import ACTS, Act, Filter, sentence
from service.auditing import MOST_KEPT, Auditing
from tests.conftest import StartBarograph
from tests.servers import ADMIN_TOKEN, Barograph
from tests.test_docs import section
from tests.world import World

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
KEY = "an-ingest-key-of-32-or-more-characters"
CONFIG = f"""
[[sources]]
name = "am"
adapter = "alertmanager"
key = "{KEY}"
secret = "a-signature-secret-nobody-may-read"
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    running = Barograph(tmp_path_factory.mktemp("audited"), CONFIG)
    yield running.start()
    running.end()


def acts(service: Barograph, **asked: str) -> list[dict[str, Any]]:
    """The acts of the log, the newest first."""
    query = "&".join(f"{k}={v}" for k, v in asked.items())
    found: list[dict[str, Any]] = service.json(f"/api/v1/audit?limit=500&{query}")["items"]
    return found


def test_a_log_cannot_be_edited(store: Store) -> None:
    with store.writing() as connection:
        audit.append(connection, "signed_out", by="user:alice", of="x", now=NOW)
    for statement in (sa.update(AUDIT).values(actor="user:mallory"), sa.delete(AUDIT)):
        with pytest.raises(DBAPIError, match="never edited"), store.writing() as connection:
            connection.execute(statement)
    with store.reading() as connection:
        (kept,) = audit.read(connection, Filter(), limit=10)
    assert kept.actor == "user:alice"


def test_old_acts_go_with_a_tombstone_and_no_other_way(store: Store) -> None:
    days = [timedelta(days=day) for day in (0, 1, 300, 500, 500)]
    with store.writing() as connection:
        audit.append(connection, "started", by="system", of="service", now=NOW - timedelta(days=600))
        for number, ago in enumerate(days):
            audit.append(connection, "signed_out", by=f"user:u{number}", of="x", now=NOW - ago)
    run = Retention(store, {"audit": 365}, NOW)
    assert [(one.kind, one.count) for one in run.rehearse()] == [("audit", 2)]
    assert [(one.kind, one.count) for one in run.run()] == [("audit", 2)]
    assert run.run() == []
    with store.reading() as connection:
        kept = {act.actor for act in audit.read(connection, Filter(), limit=10)}
        (stone,) = connection.execute(sa.select(TOMBSTONE)).all()
    assert kept == {"system", "user:u0", "user:u1", "user:u2"}, "the newest start stays"
    assert (stone.kind, stone.count, stone.last_at) == ("audit", 2, NOW - timedelta(days=500))
    with pytest.raises(DBAPIError, match="never edited"), store.writing() as connection:
        connection.execute(sa.delete(AUDIT).where(AUDIT.c.actor == "user:u2"))
    assert Retention(store, {"alert": 1}, NOW).run() == [], "it is off unless it is set"


def test_acts_are_found_by_what_they_are_by_whom_and_when(store: Store) -> None:
    with store.writing() as connection:
        for hour, who in enumerate(("user:a", "user:b", "user:a")):
            at = NOW + timedelta(hours=hour)
            audit.append(connection, "signed_in", by=who, of=str(hour), now=at, role="viewer")
        audit.append(connection, "signed_out", by="user:a", of="3", now=NOW + timedelta(hours=3))

    def found(**asked: Any) -> list[str]:
        with store.reading() as connection:
            return [act.subject for act in audit.read(connection, Filter(**asked), limit=10)]

    assert found() == ["3", "2", "1", "0"]
    assert found(act="signed_in", actor="user:a") == ["2", "0"]
    assert found(since=NOW + timedelta(hours=1), until=NOW + timedelta(hours=3)) == ["2", "1"]


def test_a_strangers_text_is_kept_short_and_without_secrets(store: Store) -> None:
    with store.writing() as connection:
        told = "password=hunter2hunter2 \0 \ud800" + "x" * 9000
        audit.append(connection, "configured", by="cli:root", of="source a", now=NOW, step="add", why=told)
    with store.reading() as connection:
        (act,) = audit.read(connection, Filter(), limit=1)
    assert "hunter2" not in act.params["why"]
    assert len(act.params["why"]) <= 320


def test_every_act_has_a_sentence_and_is_documented() -> None:
    without = ("signed_out", "bundle_brought_in", "account_disabled", "account_enabled", "password_set")
    without += ("second_factor_set", "second_factor_removed")
    for name in ACTS:
        assert "…" in sentence(Act(1, NOW, name, "user:a", "s", {})) or name in without
    table = re.findall(r"^\| (`.+?`) \|", section("reference.md", "Audit log"), re.MULTILINE)
    assert {name for cell in table for name in re.findall(r"`(\w+)`", cell)} == set(ACTS)


def test_files_are_safe_in_a_spreadsheet_and_a_terminal() -> None:
    act = Act(1, NOW, "signed_in", '=HYPERLINK("http://evil")', "@sum", {"role": "\x1b[2Jadmin"}, "::1")
    (_, row) = csv.reader(io.StringIO(as_csv([act])))
    assert row[3].startswith("'=")
    assert row[4].startswith("'@")
    assert "\x1b" not in as_csv([act])
    assert "\x1b" not in json_lines([act])
    assert json.loads(json_lines([act]))["params"] == {"role": "\x1b[2Jadmin"}


def test_starts_keys_and_sign_ins_are_written_down(service: Barograph) -> None:
    token = service.cli("token", "create", "--role", "viewer", "--name", "=cmd").stdout.strip()
    made = service.cli("key", "create", "am").stdout.strip()
    ident = next(k["id"] for k in json.loads(service.cli("key", "list", "--json").stdout) if k["name"] == "am")
    assert service.cli("key", "revoke", ident).returncode == 0
    link = service.cli("sign-in").stdout.partition("token=")[2].split()[0]
    assert service.get(f"/sign-in?token={link}", token=None).status == 303
    found = {act["act"]: act for act in acts(service)}
    wanted = {"started", "configured", "secrets_kept", "key_made", "token_made", "revoked", "sign_in_link_made"}
    assert wanted <= set(found)
    assert found["signed_in"]["actor"] == "user:admin"
    assert found["signed_in"]["address"] == "127.0.0.1"
    assert found["token_made"]["actor"].startswith("cli:")
    text = json.dumps(acts(service)) + service.get("/audit").text + service.get("/api/v1/audit/export.csv").text
    for secret in (token, made, link, KEY, ADMIN_TOKEN, "a-signature-secret-nobody-may-read"):
        assert secret not in text
    assert "'=cmd" not in service.get("/audit").text


def test_shares_views_and_notices_sent_by_hand_are_written_down(store: Store) -> None:
    world = World(store)
    incident = world.at("10:00").act(lambda acting: acting.open({"title": "x", "severity": "error"})).id
    with store.writing() as connection:
        share = shares.make(connection, incident, "user:alice", world.now, shares.LASTS, address="::1")
        number = outbox.tell_test(connection, "wall", "user:alice", world.now)
        outbox.send_again(connection, number, "user:bob", world.now)
    assert share
    with store.writing() as connection:
        for _ in range(2):
            assert shares.revoke(connection, incident, share.id, "user:bob", world.now)
    view = saved_views.save(store, "user:alice", "Mine", "/incidents", shared=True, now=world.now)
    assert saved_views.take_out(store, "user:bob", view.id, world.now, may_share=True)
    assert not saved_views.take_out(store, "user:bob", view.id, world.now, may_share=True)
    assert saved_views.bring_back(store, "user:alice", view.id, world.now, may_share=False)
    with store.reading() as connection:
        found = [(act.act, act.actor, sentence(act)) for act in audit.read(connection, Filter(), limit=20)][::-1]
    preview = f"a link with a preview of incident {incident}"
    assert found == [
        ("share_made", "user:alice", f"{preview} was made, to end at 2026-03-16T10:00:00.000000Z"),
        ("destination_tested", "user:alice", f"notice {number}, a test, was to be sent to wall"),
        ("notice_sent_again", "user:bob", "a notice about incident none was to be sent again to wall"),
        ("share_revoked", "user:bob", f"{preview} was revoked"),
        ("view_saved", "user:alice", "the view Mine was saved, shared: yes"),
        ("view_removed", "user:bob", "the view Mine was taken out"),
        ("view_brought_back", "user:alice", "the view Mine was brought back"),
    ]  # fmt: skip


def test_raw_bytes_and_refusals_are_written_down(service: Barograph) -> None:
    receipt = service.send("am", b'{"zebra": 1}', KEY)
    assert service.get(f"/api/v1/deliveries/{receipt}/raw").status == 200
    (read,) = acts(service, act="raw_read")
    assert (read["actor"], read["subject"], read["params"]) == ("user:admin", receipt, {"source": "am"})
    viewer = service.cli("token", "create", "--role", "viewer", "--name", "eve").stdout.strip()
    service.until(lambda: service.get("/api/v1/sites", token=viewer).status == 200)
    for path in ("/api/v1/audit", "/api/v1/audit/export.csv", "/audit", "/audit"):
        assert service.get(path, token=viewer).status == 403, path
    assert service.request("HEAD", "/audit", headers={"Authorization": f"Bearer {viewer}"}).status == 403
    assert service.get("/sign-in?token=bl_wrong", token=None).status == 401
    service.restart()
    refused = {act["subject"]: act for act in acts(service, act="role_refused")}
    assert refused["GET /audit"]["actor"] == "user:eve"
    assert refused["GET /audit"]["params"]["count"] == 2
    assert acts(service, act="sign_in_refused")[0]["params"] == {"count": 1, "reason": "link"}
    assert "zebra" not in json.dumps(acts(service))


def test_the_file_and_the_pages_say_the_same(service: Barograph) -> None:
    lines = service.get("/api/v1/audit/export.jsonl").text.splitlines()
    ids = [json.loads(line)["id"] for line in lines]
    assert ids == sorted(ids)
    assert acts(service)[0]["act"] == "audit_exported"
    first = service.json("/api/v1/audit?limit=2")
    following = service.json(f"/api/v1/audit?limit=2&cursor={first['next']}")
    seen = [act["id"] for act in (*first["items"], *following["items"])]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 4
    assert service.get("/api/v1/audit?act=nonsense").status == 400
    assert service.get("/api/v1/audit/export.exe").status == 400
    printed = service.cli("audit", "export", "--format", "csv")
    assert printed.stdout.splitlines()[0] == "id,recorded_at,act,actor,subject,text,address,params"
    assert "started" in service.cli("audit", "list", "--act", "started").stdout
    assert service.cli("audit", "list", "--act", "nonsense").returncode == 2


def test_a_setting_that_changed_between_starts_is_told(barograph: StartBarograph) -> None:
    service = barograph(CONFIG)
    assert acts(service, act="setting_changed") == []
    service.env["BAROGRAPH_CONTACT"] = "ops@example.com"
    service.env["BAROGRAPH_SECRET_KEY"] = "s" * 40
    service.terminate()
    service.config_path.write_text(CONFIG.replace(KEY, f"{KEY}-2").replace("secret =", "#"))
    with Store(f"sqlite:///{service.home / 'barograph.db'}").writing() as connection:
        connection.execute(sa.text("DELETE FROM secret"))  # it was sealed under the former key
    service.start()
    told = {act["subject"]: act["params"] for act in acts(service, act="setting_changed")}
    assert told["CONTACT"] == {"former": "", "value": "ops@example.com"}
    assert told["SECRET_KEY"] == {"former": "not set", "value": "set"}
    assert [act["subject"] for act in acts(service, act="key_rotated")] == ["am"]


async def test_a_flood_of_refusals_costs_a_bounded_number_of_rows(sqlite_store: Store) -> None:
    auditing = Auditing(sqlite_store)
    for number in range(MOST_KEPT + 500):
        auditing.note("role_refused", f"user:{number}", "GET /audit", "127.0.0.1", role="viewer", least="admin")
    await auditing.flush()
    with sqlite_store.reading() as connection:
        found = audit.read(connection, Filter(), limit=MOST_KEPT * 2)
    assert len(found) == MOST_KEPT + 1
    assert sum(act.params["count"] for act in found) == MOST_KEPT + 500
    await auditing.flush()
