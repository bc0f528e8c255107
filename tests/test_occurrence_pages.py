"""One occurrence over HTTP: revisions, back-dated starts, times in posts, provider lag, and readings of a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from tests.senders import CONFIG, HOOK_KEY, ago, alert, incident_of, problem_of, served, text
from tests.servers import Barograph

PAGE_KEY = "tests-status-page-key-0123456789abcdef01"
EIA_KEY = "tests-eia-key-0123456789abcdef0123456789"
FEEDS = f"""
[[sources]]
name = "tallow"
adapter = "statuspage_page"
key = "{PAGE_KEY}"
url = "https://status.tallow.example"

[[sources]]
name = "eia"
adapter = "eia_930"
key = "{EIA_KEY}"
"""
HOSTILE = "<script>alert(1)</script>"


@dataclass(frozen=True)
class Ground:
    """A service with one incident, a linked provider incident that was revised, and a grid's demand."""

    service: Barograph
    incident: str
    occurrence: str
    begun: datetime


def page(
    *posts: tuple[datetime, str], begun: datetime, over: datetime | None = None, title: str = "Writes fail"
) -> Any:
    """What a Statuspage says of one incident in a region that we run in."""
    last = max(at for at, _ in posts)
    incident = {
        "id": "zq1",
        "name": title,
        "status": "resolved" if over else "investigating",
        "impact": "major",
        "started_at": text(begun),
        "created_at": text(posts[0][0]),
        "updated_at": text(last),
        "resolved_at": text(over) if over else None,
        "components": [{"name": "AWS ec2-us-west-1"}],
        "incident_updates": [{"display_at": text(at), "body": words} for at, words in posts],
    }
    return {"page": {"name": "Tallow", "url": "https://status.tallow.example"}, "incidents": [incident]}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with served(tmp_path_factory.mktemp("service"), CONFIG + FEEDS) as service:
        begun = ago(hours=2)
        incident = incident_of(service, alert("a", begun + timedelta(minutes=5)))["id"]
        first = begun + timedelta(minutes=30)
        words = f"Writes fail since {begun:%H:%M} UTC. Next words at 09:15 PDT. {HOSTILE}"
        service.read(service.send("tallow", page((first, words), begun=begun + timedelta(minutes=25)), PAGE_KEY))
        later = first + timedelta(minutes=30)
        revised = words.replace("Writes fail", "Some writes failed")
        service.read(
            service.send("tallow", page((first, revised), (later, "Over."), begun=begun, over=later), PAGE_KEY)
        )
        (found,) = service.json("/api/v1/occurrences?kind=provider_incident")["items"]
        service.post(f"/api/v1/incidents/{incident}/links", {"occurrence": found["id"]})
        service.post(f"/api/v1/incidents/{incident}/links/{found['id']}/verdict", {"verdict": "confirmed"})
        hour = f"{ago(hours=1):%Y-%m-%dT%H}"
        rows = [{"period": hour, "respondent": "BANC", "type": "D", "value": 2100}]
        service.read(service.send("eia", {"response": {"data": rows}}, EIA_KEY))
        yield Ground(service, incident, found["id"], begun)


def test_a_revised_post_is_told_with_its_diff_and_its_delivery(ground: Ground) -> None:
    told = ground.service.json(f"/api/v1/occurrences/{ground.occurrence}/revisions")
    post = next(one for one in told["items"] if one["subject"] == "post")
    assert [(part["kind"], part["words"]) for part in post["diff"]][:3] == [
        ("gone", "Writes fail"), ("new", "Some writes failed"), ("same", post["diff"][2]["words"]),
    ]  # fmt: skip
    assert ground.service.json(f"/api/v1/deliveries/{post['delivery']}")["source"] == "tallow"
    assert told["statements"] == 2
    assert {one["subject"] for one in told["items"]} == {"post", "start"}


def test_a_start_that_was_moved_is_flagged_on_the_page_in_the_api_and_in_the_timeline(ground: Ground) -> None:
    (moved,) = ground.service.json(f"/api/v1/occurrences/{ground.occurrence}/revisions")["backdated"]
    assert (moved["kind"], moved["seconds"]) == ("moved", 1500)
    assert moved["sentence"] in ground.service.get(f"/occurrences/{ground.occurrence}").text
    lines = ground.service.json(f"/api/v1/incidents/{ground.incident}/timeline")["items"]
    (line,) = [one for one in lines if one["kind"] == "start_backdated"]
    assert moved["sentence"] in line["text"]
    assert line["evidence"]["delivery"]


def test_times_in_a_post_are_instants_and_stand_in_its_line(ground: Ground) -> None:
    told = ground.service.json(f"/api/v1/occurrences/{ground.occurrence}/revisions")
    utc, pacific = told["posts"][0]["times"]
    assert utc["at"][11:16] == f"{ground.begun:%H:%M}"
    assert (pacific["words"], pacific["at"][11:16]) == ("09:15 PDT", "16:15")
    lines = ground.service.json(f"/api/v1/incidents/{ground.incident}/timeline")["items"]
    assert any("09:15 PDT = " in one["text"] and "16:15 UTC" in one["text"] for one in lines if one["kind"] == "post")


def test_the_page_shows_what_changed_and_a_strangers_text_as_text(ground: Ground) -> None:
    shown = ground.service.get(f"/occurrences/{ground.occurrence}").text
    assert HOSTILE not in shown
    assert "&lt;script&gt;" in shown
    assert "Writes fail</del>" in shown
    assert "Some writes failed</ins>" in shown
    assert (shown.count(">replaced<"), shown.count(">as revised<")) == (1, 1)
    assert f"{ground.begun + timedelta(minutes=25):%H:%M}</del>" in shown
    assert shown.count('href="/deliveries/') >= 3
    assert "the provider&#39;s text; quoted with its source" in shown
    assert f'href="/occurrences/{ground.occurrence}"' in ground.service.get(f"/incidents/{ground.incident}").text


def test_the_lag_stands_beside_the_link_in_the_api_and_on_the_page(ground: Ground) -> None:
    (link,) = ground.service.json(f"/api/v1/incidents/{ground.incident}/links")["items"]
    found = {one["name"]: (one["outcome"], one["seconds"]) for one in link["lag"]["measurements"]}
    assert found["claimed_start_after_symptom"] == ("recorded", -300)
    assert found["first_post_after_symptom"] == ("recorded", 1500)
    assert found["claimed_end_after_recovery"] == ("pending", None)
    assert link["lag"]["instants"]["recovery_at"] is None
    shown = ground.service.get(f"/incidents/{ground.incident}").text
    assert "First post: 25 min after our symptom" in shown
    assert "Claimed start: 5 min before our symptom" in shown


def test_a_ledger_has_every_lag_of_a_provider(ground: Ground) -> None:
    told = ground.service.json("/api/v1/providers/lag")
    (ledger,) = told["items"]
    assert (ledger["provider"], ledger["n"], told["complete"]) == ("Tallow", 1, True)
    assert ledger["medians"]["first_post_after_symptom"] == {"seconds": 1500, "n": 1}
    (row,) = ledger["rows"]
    assert (row["incident"], row["occurrence"], row["state"]) == (ground.incident, ground.occurrence, "confirmed")


def test_a_hazard_linked_by_hand_has_no_lag(ground: Ground) -> None:
    service = ground.service
    body = {"kind": "hazard", "key": "far", "title": "A storm far away", "starts_at": text(ago(hours=1))}
    service.read(service.send("hook", body, HOOK_KEY))
    (storm,) = service.json("/api/v1/occurrences?kind=hazard")["items"]
    other = incident_of(service, alert("b", ago(minutes=5), datacenter="iad1"), site="iad")["id"]
    service.post(f"/api/v1/incidents/{other}/links", {"occurrence": storm["id"]})
    (link,) = service.json(f"/api/v1/incidents/{other}/links")["items"]
    assert link["lag"] is None
    assert [one["n"] for one in service.json("/api/v1/providers/lag")["items"]] == [1]


def test_what_does_not_exist_is_told_so(ground: Ground) -> None:
    for name in ("0" * 32, "nothing", "%00", "x" * 3000):
        answer = ground.service.get(f"/api/v1/occurrences/{name}/revisions")
        assert answer.status in (400, 404), name
        assert problem_of(answer)
        assert ground.service.get(f"/occurrences/{name}").status in (400, 404)


def test_a_reading_of_a_grid_area_is_found_by_the_site_and_credited(ground: Ground) -> None:
    (reading,) = ground.service.json("/api/v1/readings?site=smf&variable=grid_demand_mw")["items"]
    assert (reading["value"], reading["grid_area"], reading["latitude"]) == (2100, "BANC", None)
    assert ground.service.json("/api/v1/readings?site=iad&variable=grid_demand_mw")["items"] == []
    shown = ground.service.get(f"/incidents/{ground.incident}").text
    assert "U.S. Energy Information Administration" in shown
    assert "2100.0" in shown
    named = orjson.loads(ground.service.get(f"/api/v1/incidents/{ground.incident}/export.json").body)["credits"]
    assert any(one.startswith("The provider's own status page") for one in named)
