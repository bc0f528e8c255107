"""Accounts over HTTP and on the command line: signing in and out, links, sessions, keys, and throttles of people."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from tests.conftest import StartBarograph
from tests.senders import CONFIG
from tests.senders import KEY as INGEST_KEY
from tests.servers import Answer, Barograph
from tests.test_access import csrf, form
from tests.test_accounts import OTHER, PASSWORD


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    running = Barograph(tmp_path_factory.mktemp("people"), CONFIG, settings={"TRUSTED_PROXIES": "127.0.0.0/8"})
    running.start()
    for name, role in (("alice", "admin"), ("victor", "viewer")):
        done = here(running, "user", "add", name, "--role", role, text=f"{PASSWORD}\n")
        assert done.exit_code == 0, done.stderr
    yield running
    running.end()


def here(service: Barograph, *args: str, text: str | None = None) -> Result:
    """A command in this process, which is far quicker than one of its own; on the database that the service has."""
    env = {name: value for name, value in service.env.items() if name.startswith("BAROGRAPH_")}
    return CliRunner().invoke(main, args, input=text, env=env)


def signed_in(service: Barograph, name: str, password: str = PASSWORD, address: str = "192.0.2.1") -> Answer:
    return form(service, "/sign-in", {"name": name, "password": password}, {"X-Forwarded-For": address})


def cookie_of(answer: Answer) -> dict[str, str]:
    assert answer.status == 303, answer.text
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def test_a_password_signs_in_and_everything_else_is_refused_alike(service: Barograph) -> None:
    headers = cookie_of(signed_in(service, " Alice "))
    page = service.get("/account", token=None, headers=headers)
    assert "alice, admin" in page.text
    assert "192.0.2.1" in page.text
    here(service, "user", "add", "gone", "--role", "admin", text=f"{PASSWORD}\n")
    here(service, "user", "disable", "gone")
    here(service, "user", "add", "linked", "--role", "admin", "--link")
    answers = [
        signed_in(service, name, password, f"192.0.2.{n}")
        for n, (name, password) in enumerate(
            [("alice", OTHER), ("nobody", PASSWORD), ("gone", PASSWORD), ("linked", ""), ("", ""), ("alice\x00", "x")],
            50,
        )
    ]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert all("Set-Cookie" not in answer.headers for answer in answers)
    service.restart()  # refusals are written at the end
    refused = service.json("/api/v1/audit?act=sign_in_refused")["items"]
    assert {act["subject"] for act in refused} == {"account alice", "account gone", "account linked", "sign-in"}
    assert {act["address"] for act in refused} == {f"192.0.2.{n}" for n in range(50, 56)}
    assert PASSWORD not in service.log + service.get("/api/v1/audit").text


def test_what_a_stranger_writes_before_the_proxy_is_not_believed(service: Barograph) -> None:
    spoofed = {"X-Forwarded-For": "198.51.100.77, 192.0.2.201", "Forwarded": "for=203.0.113.99"}
    spoofed["X-Real-Ip"] = "203.0.113.98"
    headers = cookie_of(form(service, "/sign-in", {"name": "alice", "password": PASSWORD}, spoofed))
    (session,) = [one for one in service.json("/api/v1/sessions")["items"] if one["address"] == "192.0.2.201"]
    page = service.get("/account", token=None, headers=headers).text
    assert "192.0.2.201" in page
    assert not any(address in page for address in ("198.51.100.77", "203.0.113.99", "203.0.113.98"))
    assert service.json("/api/v1/audit?act=signed_in&actor=user:alice")["items"][0]["address"] == session["address"]


def test_a_form_of_another_site_signs_nobody_in(service: Barograph) -> None:
    fields = {"name": "alice", "password": PASSWORD}
    answer = form(service, "/sign-in", fields, {"Sec-Fetch-Site": "cross-site", "X-Forwarded-For": "192.0.2.60"})
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers


def test_guesses_are_answered_429_and_the_owner_elsewhere_is_let_in(service: Barograph) -> None:
    statuses = [signed_in(service, "victor", OTHER, "198.51.100.9").status for _ in range(40)]
    # However slow the machine is: the pauses grow faster than it asks.
    assert statuses[:6] == [401] * 6
    assert statuses.count(429) > 20
    waiting = signed_in(service, "victor", PASSWORD, "198.51.100.9")
    assert waiting.status == 429
    assert 1 <= int(waiting.headers["Retry-After"]) <= 900
    assert signed_in(service, "victor", PASSWORD, "198.51.100.10").status == 303


def test_a_password_is_changed_by_who_knows_the_former(service: Barograph) -> None:
    here(service, "user", "add", "petra", "--role", "viewer", text=f"{PASSWORD}\n")
    first, second = (cookie_of(signed_in(service, "petra", address="192.0.2.70")) for _ in range(2))
    proof = csrf(service.get("/account", token=None, headers=first))

    def change(**fields: str) -> Answer:
        return form(service, "/account/password", {"csrf": proof, **fields}, first)

    assert change(former=OTHER, password=OTHER, again=OTHER).status == 400
    assert change(former=PASSWORD, password=OTHER, again=PASSWORD).status == 400
    assert change(former=PASSWORD, password="password1234", again="password1234").status == 400
    assert service.get("/account", token=None, headers=second).status == 200
    assert change(former=PASSWORD, password=OTHER, again=OTHER).status == 303
    assert service.get("/account", token=None, headers=first).status == 200
    service.until(lambda: service.get("/account", token=None, headers=second).status == 303)
    assert signed_in(service, "petra", PASSWORD, "192.0.2.71").status == 401
    assert signed_in(service, "petra", OTHER, "192.0.2.72").status == 303


def test_a_link_lets_its_owner_set_a_password_once(service: Barograph) -> None:
    link = here(service, "user", "add", "lena", "--role", "responder", "--link").stdout.strip()
    path = link.partition(str(service.port))[2] or "/" + link.split("/", 3)[3]
    answer = service.get(path, token=None)
    assert answer.headers["Location"] == "/account"
    headers = cookie_of(answer)
    assert service.get(path, token=None).status == 401
    page = service.get("/account", token=None, headers=headers)
    assert "Your present password" not in page.text
    fields = {"csrf": csrf(page), "password": OTHER, "again": OTHER}
    assert form(service, "/account/password", fields, headers).status == 303
    assert signed_in(service, "lena", OTHER, "192.0.2.80").status == 303


def test_signing_in_again_leaves_no_session_behind(service: Barograph) -> None:
    first = cookie_of(signed_in(service, "alice", address="192.0.2.90"))
    again = form(
        service, "/sign-in", {"name": "alice", "password": PASSWORD}, {**first, "X-Forwarded-For": "192.0.2.90"}
    )
    assert again.status == 303
    assert service.get("/account", token=None, headers=first).status == 303
    assert service.get("/account", token=None, headers=cookie_of(again)).status == 200


def test_admins_see_and_end_sessions_on_the_page_by_the_api_and_the_command_line(service: Barograph) -> None:
    here(service, "user", "add", "sam", "--role", "viewer", text=f"{PASSWORD}\n")
    three = [cookie_of(signed_in(service, "sam", address=f"192.0.2.{n}")) for n in (101, 102, 103)]
    listed = {one["address"]: one for one in service.json("/api/v1/sessions")["items"] if one["name"] == "sam"}
    assert set(listed) == {"192.0.2.101", "192.0.2.102", "192.0.2.103"}
    by_cli = json.loads(here(service, "session", "list", "--json").stdout)
    assert listed["192.0.2.101"] in by_cli
    assert service.call("DELETE", f"/api/v1/sessions/{listed['192.0.2.101']['id']}").status == 200
    assert here(service, "session", "end", listed["192.0.2.102"]["id"]).exit_code == 0
    assert here(service, "session", "end", listed["192.0.2.102"]["id"]).exit_code == 3
    admin = cookie_of(signed_in(service, "alice", address="192.0.2.104"))
    page = service.get("/access", token=None, headers=admin)
    ending = f"/access/sessions/{listed['192.0.2.103']['id']}/end"
    assert ending in page.text
    assert form(service, ending, {"csrf": "x"}, admin).status == 400
    assert form(service, ending, {"csrf": csrf(page)}, admin).status == 303
    for headers in three:
        service.until(lambda headers=headers: service.get("/account", token=None, headers=headers).status == 303)  # type: ignore[misc]  # bound at once


def test_a_viewer_ends_only_their_own_sessions(service: Barograph) -> None:
    victor = cookie_of(signed_in(service, "victor", address="192.0.2.110"))
    alice = cookie_of(signed_in(service, "alice", address="192.0.2.111"))
    sam = next(one for one in service.json("/api/v1/sessions")["items"] if one["address"] == "192.0.2.111")
    proof = csrf(service.get("/account", token=None, headers=victor))
    assert form(service, f"/account/sessions/{sam['id']}/end", {"csrf": proof}, victor).status == 404
    assert form(service, f"/access/sessions/{sam['id']}/end", {"csrf": proof}, victor).status == 403
    assert service.get("/access", token=None, headers=victor).status == 403
    assert service.get("/account", token=None, headers=alice).status == 200
    mine = next(one for one in service.json("/api/v1/sessions")["items"] if one["address"] == "192.0.2.110")
    assert form(service, f"/account/sessions/{mine['id']}/end", {"csrf": proof}, victor).status == 303
    assert service.get("/account", token=None, headers=victor).status == 303


def test_a_stream_ends_with_its_session(service: Barograph) -> None:
    import http.client

    here(service, "user", "add", "stella", "--role", "viewer", text=f"{PASSWORD}\n")
    headers = cookie_of(signed_in(service, "stella", address="192.0.2.115"))
    listening = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    listening.request("GET", "/api/v1/stream", headers=headers)
    answer = listening.getresponse()
    assert answer.status == 200
    service.call("PATCH", "/api/v1/accounts/stella", {"disabled": True})
    service.until(lambda: service.get("/account", token=None, headers=headers).status == 303)
    service.post("/api/v1/incidents", {"title": "nothing for stella", "severity": "info"})
    service.post("/api/v1/incidents", {"title": "nothing for stella either", "severity": "info"})
    told = answer.read()
    listening.close()
    assert told.count(b"event: change") <= 1


def test_accounts_and_keys_by_the_api(service: Barograph) -> None:
    assert service.post("/api/v1/accounts", {"name": "Ada", "role": "viewer", "groups": ["sre"]}).status == 201
    assert service.post("/api/v1/accounts", {"name": "ada", "role": "viewer"}).status == 409
    assert service.post("/api/v1/accounts", {"name": "a b", "role": "viewer"}).status == 400
    changed = service.call("PATCH", "/api/v1/accounts/ada", {"role": "admin", "groups": [], "disabled": True}).json()
    assert (changed["role"], changed["groups"], bool(changed["disabled_at"])) == ("admin", [], True)
    for wrong in ({}, {"role": "root"}, {"disabled": 1}, {"groups": "x"}):
        assert service.call("PATCH", "/api/v1/accounts/ada", wrong).status == 400, wrong
    assert service.call("PATCH", "/api/v1/accounts/none", {"role": "admin"}).status == 404
    assert service.post("/api/v1/accounts/ada/link", {}).status == 409
    assert service.post("/api/v1/accounts/victor/link", {}).json()["url"].startswith(f"{service.url}/sign-in?token=bl_")

    made = service.post("/api/v1/keys", {"kind": "token", "role": "viewer", "name": "bot", "days": 7}).json()
    assert service.get("/api/v1/incidents", token=made["key"]).status == 200
    new = service.post(f"/api/v1/keys/{made['id']}/replace", {"overlap_hours": 1}).json()
    assert new["former"]["id"] == made["id"]
    for key in (made["key"], new["key"]):
        assert service.get("/api/v1/incidents", token=key).status == 200
    assert service.call("DELETE", f"/api/v1/keys/{made['id']}").status == 200
    assert service.call("DELETE", f"/api/v1/keys/{made['id']}").status == 404
    assert service.get("/api/v1/incidents", token=made["key"]).status == 401
    mistyped = new["key"][:-3] + ("AAA" if new["key"][-3:] != "AAA" else "BBB")
    assert "mistyped" in service.get("/api/v1/incidents", token=mistyped).json()["detail"]
    assert "mistyped" in form(service, "/sign-in", {"token": mistyped}, {"X-Forwarded-For": "192.0.2.120"}).text
    for wrong in (
        {"kind": "session"},
        {"kind": "token", "role": "root"},
        {"kind": "token", "role": "viewer", "days": 0},
    ):
        assert service.post("/api/v1/keys", wrong).status == 400, wrong
    assert service.post("/api/v1/keys", {"kind": "ingest", "source": "none"}).status == 404
    ingest = service.post("/api/v1/keys", {"kind": "ingest", "source": "am"}).json()["key"]
    assert service.post("/in/am", {"x": 1}, token=ingest).status == 202
    for key in (made["key"], new["key"], ingest):
        assert key not in service.get("/api/v1/keys").text + service.get("/access").text + service.log


def test_keys_on_the_command_line(service: Barograph) -> None:
    token = here(service, "token", "create", "--role", "viewer", "--name", "cli-bot", "--days", "3").stdout.strip()
    checked = here(service, "key", "check", text=f"{token}\n")
    assert (checked.exit_code, "token of cli-bot, viewer, until" in checked.stdout) == (0, True), checked.stderr
    assert token not in checked.stdout + checked.stderr
    wrong = here(service, "key", "check", text=token[:-1] + ("A" if token[-1] != "A" else "B"))
    assert (wrong.exit_code, "mistyped" in wrong.stderr) == (4, True)
    ident = checked.stdout.split()[0]
    rotated = here(service, "key", "rotate", ident, "--overlap-hours", "0")
    assert rotated.exit_code == 0, rotated.stderr
    assert here(service, "key", "check", text=token).exit_code == 4
    assert here(service, "key", "check", text=rotated.stdout).exit_code == 0
    assert here(service, "key", "rotate", ident).exit_code == 3
    rows = json.loads(here(service, "key", "list", "--json").stdout)
    of_file = next(row for row in rows if row["owner"] == "file")
    assert here(service, "key", "rotate", of_file["id"]).exit_code == 5
    assert "used_at" in of_file


def test_passwords_on_the_command_line_come_from_stdin(service: Barograph) -> None:
    weak = here(service, "user", "add", "weak", "--role", "viewer", text="password1234\n")
    assert (weak.exit_code, "easily guessed" in weak.stderr) == (1, True)
    assert here(service, "user", "add", "weak", "--role", "viewer", text="").exit_code == 1
    assert here(service, "users", "list").stdout == here(service, "user", "list").stdout, "both names are typed"
    assert here(service, "user", "password", "none", text=f"{PASSWORD}\n").exit_code == 3
    assert here(service, "user", "password", "victor", text=f"{OTHER}\n").exit_code == 0
    assert signed_in(service, "victor", OTHER, "192.0.2.130").status == 303
    assert here(service, "user", "role", "victor", "responder").exit_code == 0
    assert here(service, "user", "groups", "victor", "sre", "leads").exit_code == 0
    assert here(service, "user", "role", "none", "viewer").exit_code == 3
    (one,) = [one for one in json.loads(here(service, "user", "list", "--json").stdout) if one["name"] == "victor"]
    assert (one["role"], one["groups"], one["sessions"]) == ("responder", ["sre", "leads"], 0)
    assert "argon2" not in json.dumps(one)


# --- rates ----------------------------------------------------------------------------------------------------------


def test_people_have_a_rate_and_monitors_none_and_the_first_start_has_no_account(barograph: StartBarograph) -> None:
    service = barograph(CONFIG, settings={"REQUESTS_PER_MINUTE": "30"})
    assert service.json("/api/v1/accounts")["items"] == []
    assert form(service, "/sign-in", {"name": "admin", "password": "admin"}, {}).status == 401
    token = service.post("/api/v1/keys", {"kind": "token", "role": "viewer"}).json()["key"]
    other = service.post("/api/v1/keys", {"kind": "token", "role": "viewer"}).json()["key"]
    asked = [service.get("/api/v1/sites", token=token) for _ in range(70)]
    assert [answer.status for answer in asked[:30]] == [200] * 30
    slow = next(answer for answer in asked if answer.status == 429)
    assert slow.json()["type"].endswith("#too-many-requests")
    assert int(slow.headers["Retry-After"]) >= 1
    page = next(answer for _ in range(30) if (answer := service.get("/incidents", token=token)).status == 429)
    assert "Content-Security-Policy" in page.headers
    assert {service.get("/api/v1/sites", token="x").status for _ in range(70)} == {401, 429}
    assert 429 in {service.get("/sign-in", token=None).status for _ in range(30)}
    assert service.get("/api/v1/sites", token=other).status == 200, "a key that is known is let in from there"
    # Neither what is asked by an admin's automation, nor probes, nor any monitor, right or wrong.
    assert {service.get("/api/v1/sites").status for _ in range(40)} == {200}
    assert {service.get("/livez", token=None).status for _ in range(40)} == {200}
    assert {service.post("/in/am", {"x": 1}, token=INGEST_KEY).status for _ in range(60)} == {202}
    assert {service.post("/in/am", {"x": 1}, token="wrong").status for _ in range(60)} == {401}
    service.restart()
    noted = service.json("/api/v1/audit?act=rate_limited")["items"]
    assert sum(act["params"]["count"] for act in noted) >= 10


# --- seen -----------------------------------------------------------------------------------------------------------
