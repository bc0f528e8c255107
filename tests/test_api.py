"""The API over HTTP on both databases: lists, acts, corrections, the timeline and its views, stream and document."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any, Self

import icalendar
import plotly.graph_objects as go
import pytest

from incidents import instants
from incidents.store import Store
from service.api.routes import ROUTES
from tests import databases
from tests.senders import HOOK_KEY, KEY, ago, alert, head, message, problem_of, raw_connection, served, text, walk
from tests.servers import ADMIN_TOKEN, Barograph

API = "/api/v1"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    """One service on each database; every test keeps to incidents of its own."""
    home, url = tmp_path_factory.mktemp("service"), None
    if request.param == "postgresql":
        cluster: databases.Cluster = request.getfixturevalue("postgresql_cluster")
        url = cluster.url(cluster.make(databases.EMPTY))
    with served(home, database_url=url) as running:
        yield running
        assert "Traceback" not in running.log


def lone(name: str, starts_at: datetime, **fields: Any) -> dict[str, Any]:
    """An alert of no site, so that its incident is that of its sender's group."""
    return alert(name, starts_at, datacenter="elsewhere", **fields)


def opened(service: Barograph, title: str, **fields: Any) -> dict[str, Any]:
    """An incident opened by hand."""
    answer = service.post(f"{API}/incidents", {"title": title, "severity": "error", **fields})
    assert answer.status == 201, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"{API}/incidents/{found['id']}"
    return found


def alarmed(service: Barograph, group: str, *alerts: dict[str, Any]) -> dict[str, Any]:
    """The incident of a group of alerts that belongs to no site."""
    service.read(service.send("am", {**message(*alerts), "groupKey": group}, KEY))
    items = service.json(f"{API}/incidents?q={group}")["items"]
    assert len(items) == 1, items
    found: dict[str, Any] = items[0]
    return found


def told(service: Barograph, incident: str, query: str = "") -> list[dict[str, Any]]:
    """The lines of a timeline."""
    lines: list[dict[str, Any]] = service.json(f"{API}/incidents/{incident}/timeline{query}")["items"]
    return lines


def act(service: Barograph, incident: str, path: str, body: Any, expected: int = 200) -> Any:
    """POST something about an incident."""
    answer = service.post(f"{API}/incidents/{incident}/{path}", body)
    assert answer.status == expected, answer.text
    return answer.json()


# --- lists ----------------------------------------------------------------------------------------------------------


def test_lists_are_filtered_and_walked_without_gap_or_repeat(service: Barograph) -> None:
    at = ago(days=400)
    made = [
        opened(service, f"walked {n}", impact_started_at=text(at), severity=("critical", "info")[n % 2])
        for n in range(7)
    ]
    assert len({one["id"] for one in made}) == 7, "of one day and one title beginning, each has a name of its own"
    everything = walk(service, f"{API}/incidents", 2)
    assert len({one["id"] for one in everything}) == len(everything)
    assert {one["id"] for one in made} <= {one["id"] for one in everything}
    assert [one["opened_at"] for one in everything] == sorted((one["opened_at"] for one in everything), reverse=True)
    found = walk(service, f"{API}/incidents?q=walked", 3)
    assert {one["id"] for one in found} == {one["id"] for one in made}
    assert len(walk(service, f"{API}/incidents?q=WALKED&severity=critical", 2)) == 4
    assert len(walk(service, f"{API}/incidents?q=walked&severity=critical,info", 5)) == 7
    assert service.json(f"{API}/incidents?q=walked&status=resolved,mitigated")["items"] == []
    act(service, made[3]["id"], "status", {"status": "resolved"})
    assert [one["id"] for one in service.json(f"{API}/incidents?q=walked&status=resolved")["items"]] == [made[3]["id"]]
    assert service.json(f"{API}/incidents?q=walked&to={text(ago(days=500))}")["items"] == []
    assert (
        len(service.json(f"{API}/incidents?q=walked&from={text(ago(days=500))}&to={text(ago(days=300))}")["items"]) == 7
    )
    assert service.json(f"{API}/incidents?q=%25walked")["items"] == [], "a percent sign is a percent sign"
    assert service.json(f"{API}/incidents?q=walked_")["items"] == [], "an underscore is an underscore"


def test_incidents_are_found_by_site(service: Barograph) -> None:
    at_site = opened(service, "found by site", site="iad")
    assert at_site["sites"] == ["iad"]
    assert at_site["id"] in {one["id"] for one in service.json(f"{API}/incidents?site=iad")["items"]}
    assert at_site["id"] not in {one["id"] for one in service.json(f"{API}/incidents?site=smf")["items"]}
    assert service.json(f"{API}/incidents?site=ia")["items"] == []
    assert problem_of(service.post(f"{API}/incidents", {"title": "x", "severity": "error", "site": "nowhere"}))


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "cursor=x", "cursor=W10", "status=gone", "severity=bad", "from=then"]
)
def test_queries_that_cannot_be_used_say_which_part(service: Barograph, query: str) -> None:
    answer = service.get(f"{API}/incidents?{query}")
    assert answer.status == 400
    assert problem_of(answer)["detail"].startswith(query.partition("=")[0])


def test_what_is_not_there_or_not_offered(service: Barograph) -> None:
    for method, path, status in (
        ("GET", "/incidents/nothing", 404),
        ("GET", "/incidents/nothing/timeline", 404),
        ("GET", "/incidents/nothing/figure", 404),
        ("GET", "/incidents/nothing/export.svg", 404),
        ("GET", "/incidents/nothing/alerts", 404),
        ("GET", "/incidents/nothing/links", 404),
        ("POST", "/incidents/nothing/status", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/incidents", 405),
        ("PUT", "/sites", 405),
    ):
        body = {"status": "resolved"} if method == "POST" else None
        answer = service.call(method, API + path, body)
        assert answer.status == status, (method, path)
        assert problem_of(answer)
    assert service.get("/nothing").status == 404
    assert service.get("/nothing").headers["Content-Type"].startswith("text/html")


# --- acts -----------------------------------------------------------------------------------------------------------


def test_a_patch_needs_the_version_that_was_seen(service: Barograph) -> None:
    path = f"{API}/incidents/{opened(service, 'patched')['id']}"
    seen = service.get(path)
    tag = seen.headers["ETag"]
    assert problem_of(service.call("PATCH", path, {"title": "no"}))["status"] == 428
    assert service.call("PATCH", path, {"title": "no"}, headers={"If-Match": "nonsense"}).status == 400
    done = service.call("PATCH", path, {"title": "patched anew", "owner": "alice"}, headers={"If-Match": tag})
    assert done.status == 200
    assert (done.json()["title"], done.json()["owner"]) == ("patched anew", "alice")
    assert done.headers["ETag"] != tag
    assert service.get(path).headers["ETag"] == done.headers["ETag"]
    stale = service.call("PATCH", path, {"title": "too late"}, headers={"If-Match": tag})
    assert problem_of(stale)["status"] == 412
    assert service.json(path)["title"] == "patched anew"
    changes = [line for line in told(service, done.json()["id"]) if line["kind"] == "field_changed"]
    assert len(changes) == 2, "each change is an entry"
    assert {line["actor"] for line in changes} == {"user:admin"}
    same = service.call("PATCH", path, {"title": "patched anew"}, headers={"If-Match": "*"})
    assert same.headers["ETag"] == done.headers["ETag"], "nothing changed, so nothing is recorded"
    for fields in (
        {"colour": "red"},
        {"title": ""},
        {"title": 5},
        {"severity": "awful"},
        {"services": "x"},
        {"resolved_at": "x"},
    ):
        answer = service.call("PATCH", path, fields, headers={"If-Match": "*"})
        assert problem_of(answer)["status"] == 400, fields
        assert problem_of(answer)["detail"].startswith(next(iter(fields)))
    half = service.call("PATCH", path, {"title": "half", "severity": "awful"}, headers={"If-Match": "*"})
    assert half.status == 400
    assert service.json(path)["title"] == "patched anew", "all of a change or nothing of it"


def test_instants_of_which_only_a_range_is_known(service: Barograph) -> None:
    path = f"{API}/incidents/{opened(service, 'ranges')['id']}"
    since, until = text(ago(hours=3)), text(ago(hours=2))
    fields = {
        "impact_started_at": {"at": since, "until": until},
        "detected_at": text(ago(hours=1)),
        "impact_windows": [{"at": since, "until": until}],
        "services": ["web", "mail"],
    }
    done = service.call("PATCH", path, fields, headers={"If-Match": "*"}).json()
    assert {name: done[name] for name in fields} == fields
    to_detect = next(m for m in done["measurements"] if m["seconds_max"] is not None)
    assert (to_detect["seconds"], to_detect["seconds_max"]) == (3600, 7200)
    wrong = service.call("PATCH", path, {"detected_at": {"at": until, "until": since}}, headers={"If-Match": "*"})
    assert wrong.status == 400
    offset = service.call("PATCH", path, {"detected_at": "2026-01-01T01:00:00+01:00"}, headers={"If-Match": "*"})
    assert offset.json()["detected_at"] == "2026-01-01T00:00:00.000000Z"
    cleared = service.call("PATCH", path, {"impact_started_at": None}, headers={"If-Match": "*"})
    assert cleared.json()["impact_started_at"] != fields["impact_started_at"]


def test_statuses_with_their_own_times(service: Barograph) -> None:
    name = opened(service, "statuses", impact_started_at=text(ago(hours=5)))["id"]
    acknowledged, mitigated = text(ago(hours=4)), text(ago(hours=2))
    act(service, name, "status", {"status": "acknowledged", "happened_at": acknowledged, "note": "on it"})
    act(service, name, "status", {"status": "mitigated", "happened_at": mitigated})
    done = act(service, name, "status", {"status": "resolved", "happened_at": text(ago(hours=1))})
    assert (done["status"], done["acknowledged_at"], done["mitigated_at"]) == ("resolved", acknowledged, mitigated)
    assert done["resolved_at"] == text(ago(hours=1)) or INSTANT.fullmatch(done["resolved_at"])
    again = act(service, name, "status", {"status": "open"})
    assert (again["status"], again["resolved_at"]) == ("open", None)
    changes = [line for line in told(service, name) if line["kind"] == "status_changed"]
    assert len(changes) == 4
    assert changes[0]["happened_at"] == acknowledged
    assert "on it" in changes[0]["text"]
    assert changes[0]["late"], "said hours after it happened"


def test_notes_of_the_past_and_of_ranges(service: Barograph) -> None:
    name = opened(service, "notes")["id"]
    at, until = text(ago(hours=7)), text(ago(hours=6))
    added = act(
        service,
        name,
        "entries",
        [{"text": "first", "happened_at": at, "happened_until": until, "pinned": True}, {"text": "second"}],
        201,
    )
    assert len(added["entries"]) == 2
    lines = {line["text"]: line for line in told(service, name) if line["kind"] == "note"}
    first = next(line for words, line in lines.items() if "first" in words)
    assert (first["happened_at"], first["happened_until"], first["pinned"], first["late"]) == (at, until, True, True)
    assert first["recorded_at"] > first["happened_at"]
    assert first["evidence"]["entry"] == added["entries"][0]
    for wrong in (
        {"text": "x", "happened_at": "9999-01-01T00:00:00Z"},
        {"text": "x", "happened_at": until, "happened_until": at},
    ):
        assert service.post(f"{API}/incidents/{name}/entries", wrong).status == 400
    count = len(told(service, name))
    assert service.post(f"{API}/incidents/{name}/entries", [{"text": "good"}, {"text": ""}]).status == 400
    assert len(told(service, name)) == count, "all of a list or nothing of it"


def test_corrections_supersede_and_the_past_stays_as_it_was_known(service: Barograph) -> None:
    name = opened(service, "corrections", impact_started_at=text(ago(hours=2)))["id"]
    entry = act(service, name, "entries", {"text": "the primary failed"}, 201)["entry"]
    gone = act(service, name, "entries", {"text": "a mistake"}, 201)["entry"]
    before = max(line["recorded_at"] for line in told(service, name))
    path = f"{API}/incidents/{name}/entries"
    corrected = service.call(
        "PATCH", f"{path}/{entry}", {"text": "the replica failed", "happened_at": text(ago(hours=1))}
    )
    assert corrected.status == 200
    assert corrected.json()["supersedes"] == entry
    withdrawn = service.call("DELETE", f"{path}/{gone}")
    assert withdrawn.status == 200
    assert withdrawn.json()["supersedes"] == gone
    now = told(service, name)
    line = next(line for line in now if line["evidence"]["entry"] == entry)
    assert "the replica failed" in line["text"]
    assert line["corrected"]
    assert line["happened_at"] == text(ago(hours=1)) or INSTANT.fullmatch(line["happened_at"])
    assert not any(line["text"] == "a mistake" for line in now)
    then = told(service, name, f"?as_of={before}")
    assert any("the primary failed" in line["text"] and not line["corrected"] for line in then)
    assert any("a mistake" in line["text"] for line in then)
    assert not any("replica" in line["text"] for line in then)
    assert service.call("PATCH", f"{path}/{entry}", {}).status == 400
    opening = next(line for line in now if line["kind"] == "opened")["evidence"]["entry"]
    assert problem_of(service.call("DELETE", f"{path}/{opening}"))["status"] == 409
    assert service.call("PATCH", f"{path}/999999999", {"text": "x"}).status == 404
    other = opened(service, "corrections elsewhere")["id"]
    assert service.call("DELETE", f"{API}/incidents/{other}/entries/{entry}").status == 404


def test_merging_splitting_and_moving_alerts(service: Barograph) -> None:
    at = ago(hours=1)
    one = alarmed(service, "merge-one", *[lone(f"MergeOne{n}", at) for n in range(3)])
    two = alarmed(service, "merge-two", *[lone(f"MergeTwo{n}", at) for n in range(2)])
    assert (one["alerts"], two["alerts"]) == (3, 2)

    def names(incident: str) -> set[str]:
        return {a["labels"]["alertname"] for a in walk(service, f"{API}/incidents/{incident}/alerts", 2)}

    merged = act(service, two["id"], "merge", {"into": one["id"]})
    assert (merged["id"], merged["alerts"]) == (one["id"], 5)
    assert service.json(f"{API}/incidents/{two['id']}")["merged_into"] == one["id"]
    assert two["id"] not in {i["id"] for i in walk(service, f"{API}/incidents", 100)}
    assert any(line["kind"] == "merged_from" for line in told(service, one["id"]))
    for body in ({"into": one["id"]}, {"into": two["id"]}):
        assert service.post(f"{API}/incidents/{two['id']}/merge", body).status == 409
    assert service.post(f"{API}/incidents/{one['id']}/merge", {"into": "nothing"}).status == 404
    back = act(service, two["id"], "merge", {})
    assert (back["id"], back["merged_into"], back["alerts"]) == (two["id"], None, 2)
    assert names(one["id"]) == {f"MergeOne{n}" for n in range(3)}
    assert names(two["id"]) == {f"MergeTwo{n}" for n in range(2)}

    ids = {a["labels"]["alertname"]: a["id"] for a in service.json(f"{API}/incidents/{one['id']}/alerts")["items"]}
    apart = act(service, one["id"], "split", {"alerts": [ids["MergeOne2"]]}, 201)
    assert names(apart["id"]) == {"MergeOne2"}
    assert names(one["id"]) == {"MergeOne0", "MergeOne1"}
    assert service.post(f"{API}/incidents/{one['id']}/split", {"alerts": [ids["MergeOne2"]]}).status == 404
    assert service.post(f"{API}/incidents/{one['id']}/split", {"alerts": []}).status in (400, 404)
    assert act(service, apart["id"], "merge", {"into": one["id"]})["alerts"] == 3

    moved = act(service, two["id"], "alerts", {"add": [ids["MergeOne0"]], "remove": []})
    assert moved["alerts"] == 3
    moved = act(service, one["id"], "alerts", {"remove": [ids["MergeOne0"]]})
    assert names(one["id"]) == {"MergeOne1", "MergeOne2"}
    assert moved["alerts"] == 2
    service.send("am", {**message(lone("MergeOne0", at)), "groupKey": "merge-one"}, KEY)
    ended = {**message(lone("MergeOne0", at, ends_at=ago(minutes=2))), "groupKey": "merge-one"}
    service.read(service.send("am", ended, KEY))
    assert names(one["id"]) == {"MergeOne1", "MergeOne2"}, "what was detached stays so"
    assert service.post(f"{API}/incidents/{one['id']}/alerts", {"add": ["nothing"]}).status == 404


# --- links ----------------------------------------------------------------------------------------------------------


def hazard(key: str, **fields: Any) -> dict[str, Any]:
    """A warning for Sacramento as the generic adapter takes it."""
    return {
        "key": key,
        "kind": "hazard",
        "status": "firing",
        "title": f"Excessive heat {key}",
        "event": "Excessive Heat Warning",
        "severity": "critical",
        "starts_at": text(ago(hours=30)),
        "area": {"latitude": 38.6, "longitude": -121.5, "radius_km": 60},
        **fields,
    }


def test_links_are_proposed_with_reasons_and_judged_by_people(service: Barograph) -> None:
    service.read(service.send("hook", hazard("judged"), HOOK_KEY))
    name = opened(service, "too hot", site="smf", impact_started_at=text(ago(hours=26)))["id"]
    links = service.json(f"{API}/incidents/{name}/links")["items"]
    link = next(one for one in links if one["occurrence"]["key"] == "judged")
    assert link["state"] == "proposed"
    assert link["tier"] in ("context", "coincident", "plausible", "strong")
    assert {"space", "time"} <= {reason["part"] for reason in link["reasons"]}
    assert round(sum(reason["bits"] for reason in link["reasons"]), 1) == link["score"]
    assert link["base_rate"]["n"] > 0
    assert link["base_rate"]["basis"] in ("record", "prior")
    sentences = " ".join(reason["sentence"] for reason in link["reasons"]).lower()
    assert "because" not in sentences
    assert "caused" not in sentences
    path = f"links/{link['id']}/verdict"
    confirmed = act(service, name, path, {"verdict": "confirmed", "note": "the chillers said so"})
    assert (confirmed["state"], confirmed["note"]) == ("confirmed", "the chillers said so")
    for wrong in (
        {"verdict": "attributed"},
        {"verdict": "attributed", "quote": "it was the heat"},
        {"verdict": "attributed", "speaker": "the facility"},
        {"verdict": "true"},
        {},
    ):
        assert service.post(f"{API}/incidents/{name}/{path}", wrong).status == 400, wrong
    said = {"verdict": "attributed", "quote": "it was the heat", "speaker": "the facility"}
    attributed = act(service, name, path, said)
    assert (attributed["state"], attributed["quote"], attributed["speaker"]) == tuple(said.values())
    assert act(service, name, path, {"verdict": "retracted"})["state"] == "retracted"
    assert service.json(f"{API}/incidents/{name}/links")["items"], "a retracted link stays visible"
    judged = [line for line in told(service, name) if line["kind"] == "link_judged"]
    assert len(judged) == 3
    assert service.post(f"{API}/incidents/{name}/links/nothing/verdict", {"verdict": "confirmed"}).status == 404


def test_a_link_by_hand_has_a_persons_reason_and_no_bits(service: Barograph) -> None:
    far = hazard("by-hand", area={"latitude": -33.9, "longitude": 151.2, "radius_km": 20})
    delivery = service.read(service.send("hook", far, HOOK_KEY))
    name = opened(service, "linked by hand", site="iad")["id"]
    occurrence = delivery["events"][0]["occurrence"]
    act(service, name, "links", {"occurrence": occurrence, "note": "our transit runs through Sydney"}, 201)
    link = next(one for one in service.json(f"{API}/incidents/{name}/links")["items"] if one["id"] == occurrence)
    assert link["score"] == 0
    assert [reason["sentence"] for reason in link["reasons"]] == ["our transit runs through Sydney"]
    act(service, name, "links", {"occurrence": occurrence}, 201)
    assert len([one for one in service.json(f"{API}/incidents/{name}/links")["items"] if one["id"] == occurrence]) == 1
    assert service.post(f"{API}/incidents/{name}/links", {"occurrence": "nothing"}).status == 404


# --- the timeline and its views -------------------------------------------------------------------------------------


def test_the_timeline_is_in_order_paged_and_as_known_at_a_moment(service: Barograph) -> None:
    at = ago(hours=9)
    incident = alarmed(service, "timeline", *[lone(f"Timeline{n}", at) for n in range(12)])
    name = incident["id"]
    before = max(line["recorded_at"] for line in told(service, name))
    act(service, name, "entries", [{"text": f"n{n}", "happened_at": text(at)} for n in range(8)], 201)
    lines = told(service, name)
    order = [(line["happened_at"], line["recorded_at"], line["id"]) for line in lines]
    assert order == sorted(order)
    assert len(set(order)) == len(order)
    assert len({line["id"] for line in lines}) == len(lines)
    assert walk(service, f"{API}/incidents/{name}/timeline", 3) == lines
    for line in lines:
        assert INSTANT.fullmatch(line["happened_at"])
        assert INSTANT.fullmatch(line["recorded_at"])
        evidence = line["evidence"]
        if evidence["entry"] is None:
            assert evidence["adapter"] == "alertmanager@1"
            delivery = service.json(f"{API}/deliveries/{evidence['delivery']}")
            assert evidence["event"] in {event["id"] for event in delivery["events"]}
            assert delivery["sha256"] == evidence["sha256"]
        else:
            assert line["actor"].startswith(("user:", "rule:"))
    people = told(service, name, "?lane=people")
    assert people == [line for line in lines if line["lane"] == "people"]
    then = told(service, name, f"?as_of={before}")
    assert len(then) == len(lines) - 8
    assert then == [line for line in lines if line["kind"] != "note"]
    assert service.get(f"{API}/incidents/{name}/timeline?as_of={text(ago(days=9))}").status == 404
    assert service.get(f"{API}/incidents/{name}/timeline?as_of={text(ago(days=9))}").json()["detail"]


def test_the_figure_is_one_that_plotly_takes(service: Barograph) -> None:
    name = alarmed(service, "figure", lone("Figure", ago(hours=2)), lone("FigureB", ago(hours=1), severity="info"))[
        "id"
    ]
    act(service, name, "entries", {"text": "<b>bold</b> & <a href='x'>"}, 201)
    answer = service.get(f"{API}/incidents/{name}/figure")
    figure = answer.json()
    checked = go.Figure({"data": figure["data"], "layout": figure["layout"]})
    assert len(checked.data) > 0
    assert "<a href" not in answer.text
    path = f"{API}/incidents/{name}/figure"
    window = f"from={text(ago(hours=3))}&to={text(ago(minutes=30))}"
    known = told(service, name)[-1]["recorded_at"]
    for query in ("theme=dark", "width=400", window, f"as_of={known}"):
        found = service.json(f"{path}?{query}")
        go.Figure({"data": found["data"], "layout": found["layout"]})
    assert service.get(f"{path}?from={text(ago(hours=1))}&to={text(ago(hours=2))}").status == 400
    fixed = f"{path}?{window}&as_of={known}"
    first = service.get(fixed)
    assert service.get(fixed, headers={"If-None-Match": first.headers["ETag"]}).status == 304


def test_exports_in_every_form(service: Barograph) -> None:
    name = alarmed(service, "exports", lone("Exports", ago(hours=2)))["id"]
    starts = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "html": b"<!doctype html", "md": b"#", "json": b"{"}
    for form in ("svg", "png", "pdf", "html", "md", "csv", "json", "ics"):
        answer = service.get(f"{API}/incidents/{name}/export.{form}?tz=America/Los_Angeles")
        assert answer.status == 200, form
        tag = {"If-None-Match": answer.headers["ETag"]}
        assert service.get(f"{API}/incidents/{name}/export.{form}?tz=America/Los_Angeles", headers=tag).status == 304
        assert answer.body.lstrip().lower().startswith(starts.get(form, b"").lower()), (form, answer.body[:60])
        assert f".{form}" in answer.headers["Content-Disposition"]
    assert b"UTC" in service.get(f"{API}/incidents/{name}/export.svg?tz=America/Los_Angeles").body
    assert service.get(f"{API}/incidents/{name}/export.exe").status == 404
    assert service.get(f"{API}/incidents/{name}/export.svg?tz=Mars/Olympus").status == 400
    for query in ("preset=poster", "theme=sepia", "scale=40"):
        assert service.get(f"{API}/incidents/{name}/export.png?{query}").status == 400


@pytest.mark.parametrize(
    ("preset", "wide", "high"), [("a4", 1122.52, 793.7), ("letter", 1056, 816), ("slide", 1280, 720)]
)
def test_a_picture_has_the_size_and_colours_asked_for(
    service: Barograph, preset: str, wide: float, high: float
) -> None:
    name = alarmed(service, "exports", lone("Exports", ago(hours=2)))["id"]
    path = f"{API}/incidents/{name}/export"
    png = service.get(f"{path}.png?preset={preset}&theme=grey&scale=3").body
    assert abs(int.from_bytes(png[16:20]) - 3 * wide) <= 2
    assert abs(int.from_bytes(png[20:24]) - 3 * high) <= 2
    svg = service.get(f"{path}.svg?preset={preset}&theme=grey").body.decode()
    assert all(each[0:2] == each[2:4] == each[4:6] for each in re.findall(r'"#([0-9A-F]{6})"', svg))


def test_the_form_of_the_page_leads_to_the_file(service: Barograph) -> None:
    name = alarmed(service, "exports", lone("Exports", ago(hours=2)))["id"]
    answer = service.get(f"/incidents/{name}/export?format=png&preset=slide&theme=print&scale=3&tz=UTC&evil=1")
    assert answer.status == 303
    assert "evil" not in answer.headers["Location"]
    assert service.get(answer.headers["Location"]).body.startswith(b"\x89PNG")
    assert service.get(f"/incidents/{name}/export?format=exe").status == 400


def test_the_review_and_the_map_are_files_too(service: Barograph) -> None:
    alarmed(service, "exports", lone("Exports", ago(hours=2)))
    for path in ("review/lasted", "review/begun", "sites/map"):
        for form, magic in (("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
            answer = service.get(f"{API}/{path}.{form}?preset=slide&theme=print")
            assert (answer.status, answer.body[: len(magic)]) == (200, magic)
    assert service.get(f"{API}/review/nothing.svg").status == 404
    assert service.get(f"{API}/review/lasted.docx").status == 404


def test_incidents_of_a_filter_are_a_calendar(service: Barograph) -> None:
    name = alarmed(service, "exports", lone("Exports", ago(hours=2)))["id"]
    answer = service.get(f"{API}/incidents.ics?q=Exports")
    assert answer.headers["Content-Type"].startswith("text/calendar")
    events = {str(each["uid"]) for each in icalendar.Calendar.from_ical(answer.body).walk("VEVENT")}
    assert f"incident-{name}@barograph" in events
    assert not icalendar.Calendar.from_ical(service.get(f"{API}/incidents.ics?q=nothing-at-all").body).walk("VEVENT")


# --- the record -----------------------------------------------------------------------------------------------------


def test_occurrences_by_kind_moment_site_and_source(service: Barograph) -> None:
    over = hazard("over", starts_at=text(ago(days=40)), ends_at=text(ago(days=39)), status="resolved")
    for body in (over, hazard("on"), {**hazard("change"), "kind": "change", "labels": {"datacenter": "smf2"}}):
        service.read(service.send("hook", body, HOOK_KEY))

    def keys(query: str) -> set[str]:
        return {o["key"] for o in walk(service, f"{API}/occurrences?{query}", 200)}

    hazards = keys("kind=hazard")
    assert {"over", "on"} <= hazards
    assert "change" not in hazards
    assert "over" in keys(f"kind=hazard&active_at={text(ago(days=39, hours=12))}")
    assert "over" not in keys(f"kind=hazard&active_at={text(ago(days=1))}")
    assert "over" not in keys(f"from={text(ago(days=20))}")
    assert "over" in keys(f"from={text(ago(days=50))}&to={text(ago(days=20))}")
    assert {"on", "change"} <= keys("site=smf")
    assert not {"on", "change"} & keys("site=iad")
    assert keys("source=hook") >= {"on", "over", "change"}
    assert not keys("source=nobody")
    assert service.get(f"{API}/occurrences?site=nowhere").status == 400
    everything = walk(service, f"{API}/occurrences", 3)
    assert len({o["id"] for o in everything}) == len(everything)
    assert [o["starts_at"] for o in everything] == sorted((o["starts_at"] for o in everything), reverse=True)


def test_readings_by_site_variable_and_window(service: Barograph) -> None:
    values = [
        {"reading": name, "at": text(ago(hours=hours)), "value": 30.5 + hours, "latitude": 38.6, "longitude": -121.5}
        for name in ("temperature_c", "wind_m_s")
        for hours in (1, 2, 30)
    ]
    service.read(service.send("hook", values, HOOK_KEY))
    service.read(service.send("hook", values, HOOK_KEY))
    found = service.json(f"{API}/readings?site=smf&variable=temperature_c")["items"]
    assert [r["value"] for r in found] == [32.5, 31.5], "the last day, in order, each once"
    window = f"from={text(ago(hours=31))}&to={text(ago(hours=29))}"
    assert {r["variable"] for r in service.json(f"{API}/readings?site=smf&{window}")["items"]} == {
        "temperature_c",
        "wind_m_s",
    }
    assert service.json(f"{API}/readings?site=iad")["items"] == []
    assert found[0]["source"] == "hook"
    assert found[0]["basis"] == "observed"


def test_sites_sources_adapters_and_deliveries(service: Barograph) -> None:
    sites = {site["name"]: site for site in service.json(f"{API}/sites")["items"]}
    assert set(sites) == {"smf", "iad"}
    assert sites["smf"]["grid_area"] == "BANC"
    receipts = [service.send("hook", {"key": f"d{n}", "title": "d", "status": "firing"}, HOOK_KEY) for n in range(5)]
    for receipt in receipts:
        service.read(receipt)
    sources = {source["name"]: source for source in service.json(f"{API}/sources")["items"]}
    assert set(sources) == {"am", "hook"}
    assert sources["hook"]["adapter"] == "generic"
    assert sources["hook"]["deliveries"] >= 5
    assert sources["hook"]["unread"] == 0
    assert KEY not in service.get(f"{API}/sources").text
    adapters = {adapter["name"] for adapter in service.json(f"{API}/adapters")["items"]}
    assert {"alertmanager", "generic"} <= adapters
    listed = [d["receipt"] for d in walk(service, f"{API}/deliveries?source=hook", 2)]
    assert listed == sorted(listed, reverse=True), "newest first"
    assert len(listed) == len(set(listed))
    assert set(receipts) <= set(listed)
    assert not set(receipts) & {d["receipt"] for d in walk(service, f"{API}/deliveries?source=am&state=read", 100)}
    assert service.get(f"{API}/deliveries?state=lost").status == 400


def test_grafana_gets_epoch_milliseconds(service: Barograph) -> None:
    since = ago(days=90)
    name = opened(service, "annotated", site="smf", impact_started_at=text(since))["id"]
    act(service, name, "status", {"status": "resolved", "happened_at": text(ago(days=89))})
    begin, end = (int(ago(days=days).timestamp() * 1000) for days in (91, 88))
    found = service.json(f"{API}/grafana/annotations?from={begin}&to={end}")
    mark = next(one for one in found if one["title"] == "annotated")
    assert abs(mark["time"] - int(since.timestamp() * 1000)) < 60_000
    assert abs(mark["timeEnd"] - mark["time"] - 86_400_000) < 60_000
    assert {"smf", "resolved", "error"} <= set(mark["tags"])
    assert isinstance(mark["text"], str)
    later = service.json(f"{API}/grafana/annotations?from={end}&to={int(ago(days=80).timestamp() * 1000)}")
    assert "annotated" not in {one["title"] for one in later}


# --- the stream -----------------------------------------------------------------------------------------------------


class Listener:
    """An open stream of server-sent events, read event by event."""

    def __init__(self, service: Barograph, last: str | None = None) -> None:
        self._socket: socket.socket = raw_connection(service, 30)
        fields = [f"Last-Event-ID: {last}"] if last is not None else []
        self._socket.sendall(head(f"{API}/stream", *fields, key=ADMIN_TOKEN, method="GET"))
        self._text = b""

    def __enter__(self) -> Self:
        while b"retry:" not in self._text:
            self._receive()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _receive(self) -> None:
        part = self._socket.recv(65536)
        assert part, "the stream ended"
        self._text += part

    def next(self) -> dict[str, str]:
        """The fields of the next event; TimeoutError when none comes."""
        while True:
            # Chunks of the transfer lie between events, one event in each.
            if found := re.search(rb"((?:(?:id|event|data): [^\n]*\n)+)\n", self._text):
                self._text = self._text[found.end() :]
                lines = found[1].decode().splitlines()
                return dict(line.split(": ", 1) for line in lines)
            self._receive()


def test_the_stream_tells_of_changes_and_a_reconnect_misses_nothing(service: Barograph) -> None:
    name = opened(service, "streamed")["id"]
    with Listener(service) as listener:
        act(service, name, "entries", {"text": "one"}, 201)
        while name not in (first := listener.next())["data"]:
            pass
        assert first["event"] == "change"
    for n in range(5):
        act(service, name, "entries", {"text": f"while away {n}"}, 201)
    with Listener(service, first["id"]) as listener:
        heard = [listener.next() for _ in range(5)]
        act(service, name, "entries", {"text": "live again"}, 201)
        heard.append(listener.next())
    numbers = [int(event["id"]) for event in heard]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > int(first["id"])
    assert all(name in event["data"] for event in heard)


def test_a_cursor_that_is_too_old_asks_to_start_over(service: Barograph) -> None:
    url = service.env.get("BAROGRAPH_DATABASE_URL", f"sqlite:///{service.home / 'barograph.db'}")
    name = opened(service, "aged")["id"]
    with closing(Store(url)) as store, store.writing() as connection:
        connection.exec_driver_sql("DELETE FROM pulse WHERE id < (SELECT max(id) FROM pulse)")
    with Listener(service, "0") as listener:
        assert listener.next()["event"] == "resync"
        act(service, name, "entries", {"text": "after"}, 201)
        assert name in listener.next()["data"]
    for nonsense in ("x", "-1", "9" * 40):
        with Listener(service, nonsense) as listener:
            act(service, name, "entries", {"text": "after"}, 201)
            assert name in listener.next()["data"]


# --- the document ---------------------------------------------------------------------------------------------------


def test_the_document_is_openapi_3_1_and_names_every_route(service: Barograph) -> None:
    document = service.json(f"{API}/openapi.json")
    assert document["openapi"].startswith("3.1")
    assert {"title", "version"} <= set(document["info"])
    assert document["servers"][0]["url"] == API
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {(route.method, route.path) for route in ROUTES} | {("GET", "/openapi.json")}
    names = [op["operationId"] for item in document["paths"].values() for op in item.values()]
    assert len(set(names)) == len(names)
    for path, item in document["paths"].items():
        for operation in item.values():
            declared = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert declared == set(re.findall(r"\{(\w+)\}", path))
            assert all("schema" in parameter for parameter in operation["parameters"])
            assert any(code.startswith("2") for code in operation["responses"])
            assert {"401", "403"} <= set(operation["responses"])
    for reference in _references(document):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert isinstance(place, dict), reference


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_answers_hold_what_the_document_promises(service: Barograph) -> None:
    document = service.json(f"{API}/openapi.json")
    incident = alarmed(service, "promised", lone("Promised", ago(hours=1)))
    name = incident["id"]
    alert = service.json(f"{API}/incidents/{name}/alerts")["items"][0]["id"]
    job = service.get(f"{API}/incidents/{name}/export.csv", headers={"Prefer": "respond-async"}).json()["id"]
    for path, item in document["paths"].items():
        operation = item.get("get")
        if operation is None or "text/event-stream" in operation["responses"]["200"]["content"]:
            continue
        schema = operation["responses"]["200"]["content"].get("application/json", {}).get("schema")
        if schema is None or "receipt" in path:
            continue
        real = {"{incident}": name, "{format}": "json", "{occurrence}": alert, "{job}": job}
        for place, value in real.items():
            path = path.replace(place, value)  # noqa: PLW2901 - filled step by step
        given = service.json(API + path)
        _holds(document, schema, given, path)


def _holds(document: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> None:
    """Required members are there and enumerations are kept, as far down as the schema describes."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        assert value in schema["enum"], (where, value)
    if schema.get("format") == "date-time" and isinstance(value, str):
        assert INSTANT.fullmatch(value), (where, value)
        assert instants.parse(value)
    if isinstance(value, dict):
        missing = set(schema.get("required", ())) - set(value)
        assert not missing, (where, missing)
        for key, inner in schema.get("properties", {}).items():
            if value.get(key) is not None:
                _holds(document, inner, value[key], f"{where}.{key}")
    if isinstance(value, list) and "items" in schema:
        for inner in value[:50]:
            _holds(document, schema["items"], inner, f"{where}[]")
