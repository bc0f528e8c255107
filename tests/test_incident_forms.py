"""What a responder does on an incident's page, as the browser posts it: entries, milestones, windows, undo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlencode

import pytest

from tests.senders import ago, served, text
from tests.servers import Answer, Barograph


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    with served(tmp_path_factory.mktemp("forms")) as running:
        yield running
        assert "Traceback" not in running.log


def opened(service: Barograph, title: str) -> str:
    body = {"title": title, "severity": "error", "impact_started_at": text(ago(hours=2))}
    return str(service.post("/api/v1/incidents", body).json()["id"])


def page(service: Barograph, name: str, query: str = "") -> str:
    answer = service.get(f"/incidents/{name}{query}")
    assert answer.status == 200, answer.text[:300]
    return unescape(answer.text)


def send(service: Barograph, name: str, path: str, *, status: int = 303, **fields: str) -> Answer:
    token = re.search(r'name="csrf" value="([^"]+)"', page(service, name))
    assert token
    body = urlencode({"csrf": token[1], **fields})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = service.call("POST", f"/incidents/{name}/{path}", body, headers=headers)
    assert answer.status == status, f"{answer.status} {answer.text[:800]}"
    return answer


def wall(**before: float) -> str:
    """A time of a form's field, in UTC."""
    return f"{ago(**before):%Y-%m-%dT%H:%M:%S}"


def test_an_entry_in_the_past_is_edited_pinned_and_shows_its_versions(service: Barograph) -> None:
    name = opened(service, "Entries")
    then = wall(hours=1)
    answer = send(service, name, "entries", text="Facility phoned", happened_at=then)
    number = answer.headers["Location"].rpartition("#e")[2]
    assert f'id="e{number}"' in page(service, name)
    same = {"text": "Facility phoned", "happened_at": then, "happened_until": ""}
    send(service, name, f"entries/{number}/correct", **same)
    assert "versions" not in page(service, name), "a form that changes nothing appends nothing"
    send(service, name, f"entries/{number}/correct", **{**same, "text": "Facility phoned twice"})
    send(service, name, f"entries/{number}/correct", pinned="yes")
    moved = {**same, "text": "Facility phoned twice", "happened_until": wall(minutes=50)}
    send(service, name, f"entries/{number}/correct", **moved)
    shown = page(service, name)
    assert "4 versions" in shown
    assert re.search(r"<ins><span class=\"vh\">put in: </span>twice</ins>", shown)
    line = next(
        line for line in service.json(f"/api/v1/incidents/{name}/timeline")["items"] if line["id"] == f"e{number}"
    )
    assert line["pinned"]
    assert line["happened_until"] > line["happened_at"]


def test_a_withdrawn_entry_is_listed_and_brought_back(service: Barograph) -> None:
    name = opened(service, "Withdrawn")
    number = send(service, name, "entries", text="Wrong room").headers["Location"].rpartition("#e")[2]
    send(service, name, f"entries/{number}/retract")
    shown = page(service, name)
    assert "1 withdrawn" in shown
    found = re.search(
        r'action="/incidents/[^"]+/undo"><input[^>]+><input type="hidden" name="entry" value="(\d+)"', shown
    )
    assert found
    assert "<del>Wrong room</del>" in shown
    send(service, name, "undo", entry=found[1])
    assert "<del>Wrong room</del>" not in page(service, name)
    send(service, name, "undo", entry="x", status=400)


def test_a_milestone_is_set_with_its_reason_and_taken_out(service: Barograph) -> None:
    name = opened(service, "Milestones")
    fields = {"field": "detected_at", "moment_at": wall(hours=1), "moment_until": wall(minutes=40)}
    send(service, name, "milestone", **fields, reason="the pager's own log")
    found = service.json(f"/api/v1/incidents/{name}")["detected_at"]
    assert [found[end][:19] for end in ("at", "until")] == [fields["moment_at"], fields["moment_until"]]
    assert "the pager's own log" in page(service, name)
    send(service, name, "milestone", field="detected_at", act="clear")
    send(service, name, "milestone", field="owner", moment_at=wall(hours=1), status=400)
    send(service, name, "milestone", field="detected_at", status=400)


def test_impact_windows_come_and_go(service: Barograph) -> None:
    name = opened(service, "Windows")
    send(service, name, "windows", window_at=wall(minutes=30), window_until=wall(minutes=20))
    send(service, name, "windows", window_at=wall(minutes=90), window_until=wall(minutes=80), reason="a second room")
    windows = service.json(f"/api/v1/incidents/{name}")["impact_windows"]
    assert [w["at"] for w in windows] == sorted(w["at"] for w in windows)
    assert len(windows) == 2
    send(service, name, "windows", remove="0")
    assert service.json(f"/api/v1/incidents/{name}")["impact_windows"] == windows[1:]
    send(service, name, "windows", remove="7", status=400)


def test_owner_and_services_are_set_and_emptied_and_undone(service: Barograph) -> None:
    name = opened(service, "Crew")
    send(service, name, "patch", owner="ana", services="checkout, search, checkout", reason="on call")
    shown = service.json(f"/api/v1/incidents/{name}")
    assert (shown["owner"], shown["services"]) == ("ana", ["checkout", "search"])
    send(service, name, "patch", owner="", services="")
    shown = service.json(f"/api/v1/incidents/{name}")
    assert (shown["owner"], shown["services"]) == (None, [])
    last = re.search(r'<form class="notice".+?name="entry" value="(\d+)"', page(service, name), re.DOTALL)
    assert last
    assert service.post(f"/api/v1/incidents/{name}/undo", {"entry": int(last[1])}).json()["owner"] == "ana"
    assert service.post(f"/api/v1/incidents/{name}/undo", {"entry": True}).status == 400
    assert service.post(f"/api/v1/incidents/{name}/undo", {"entry": 10**9}).status == 404


def test_kinds_are_hidden_by_the_address_and_counted(service: Barograph) -> None:
    name = opened(service, "Kinds")
    for n in range(3):
        number = send(service, name, "entries", text=f"Note {n}").headers["Location"].rpartition("#e")[2]
    hidden = page(service, name, "?hide=notes")
    assert "3 hidden: 3 notes" in hidden
    assert "Note 1" not in hidden.partition('id="timeline"')[2]
    assert f'id="e{number}"' in page(service, name, f"?hide=notes&line=e{number}"), "a permalink shows its line"
    assert "Every line is hidden" in page(service, name, "?hide=notes,decisions,rules")


def test_a_permalink_fixes_every_time(service: Barograph) -> None:
    name = opened(service, "Frozen")
    shown = page(service, name, "?from=now-3h/h&to=now&hide=alerts")
    found = re.search(r'data-permalink="([^"]+)"', shown)
    assert found
    assert "now" not in found[1]
    for part in ("from=20", "to=20", "as_of=20", "tz=UTC", "hide=alerts"):
        assert part in found[1]
    assert "As known at" in page(service, name, found[1])


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("from=now-6x", "from: character 6"),
        ("to=now%2F", "to: character 5"),
        ("as_of=soon", "as_of: character 1"),
        ("from=now&to=now-1h", "to: lies before from"),
    ],
)
def test_a_time_that_cannot_be_read_says_where(service: Barograph, query: str, told: str) -> None:
    name = opened(service, "Grammar")
    assert told in service.get(f"/api/v1/incidents/{name}/figure?{query}").json()["detail"]
    assert told in unescape(service.get(f"/incidents/{name}?{query}").text)


def test_windows_of_the_api_take_the_grammar(service: Barograph) -> None:
    name = opened(service, "Relative")
    for query, is_there in (("from=now-1d/d", True), ("from=now-1h&to=now%2B1h", True), ("to=now-30d", False)):
        found = [i["id"] for i in service.json(f"/api/v1/incidents?q=Relative&{query}")["items"]]
        assert (name in found) == is_there, query
    for path in ("occurrences?active_at=now-5m", "readings?from=now/d&to=now", "review?from=now-7d/d"):
        assert service.get(f"/api/v1/{path}").status == 200, path
    assert service.get("/api/v1/grafana/annotations?from=now-6h&to=now").status == 200
