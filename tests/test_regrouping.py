"""Alerts attached, detached and split, incidents merged, as the browser posts it: with reasons, and undone again."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from tests.senders import HOOK_KEY, KEY, ago, alert, message, served, text
from tests.servers import Barograph
from tests.test_incident_forms import opened, page, send


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    with served(tmp_path_factory.mktemp("regrouping")) as running:
        yield running
        assert "Traceback" not in running.log


def with_alerts(service: Barograph, group: str, count: int = 3) -> tuple[str, dict[str, str]]:
    """An incident with alerts of its own: its id, and the ids of the alerts by their titles."""
    alerts = [alert(f"{group}-{n}", ago(minutes=50 - n), datacenter=group) for n in range(count)]
    service.read(service.send("am", {**message(*alerts), "groupKey": group}, KEY))
    name = str(service.json(f"/api/v1/incidents?q={group}")["items"][0]["id"])
    return name, members(service, name)


def members(service: Barograph, name: str) -> dict[str, str]:
    return {a["title"]: a["id"] for a in service.json(f"/api/v1/incidents/{name}/alerts")["items"]}


def box(occurrence: str) -> dict[str, str]:
    return {f"chosen:{occurrence}": "yes"}


def undo(service: Barograph, name: str) -> str:
    """Press the button of the page's notice; where that leads."""
    shown = page(service, name)
    found = re.search(r'<form class="notice".+?name="entry" value="(\d+)"', shown, re.DOTALL)
    assert found, "the page offers to undo"
    return send(service, name, "undo", entry=found[1]).headers["Location"].rpartition("/")[2]


def lines(service: Barograph, name: str) -> list[str]:
    return [line["text"] for line in service.json(f"/api/v1/incidents/{name}/timeline")["items"]]


def test_an_alert_is_detached_from_its_own_line_with_a_reason_and_comes_back(service: Barograph) -> None:
    name, alerts = with_alerts(service, "detach")
    chosen = alerts["detach-1 is on"]
    assert f'name="chosen:{chosen}"' in page(service, name), "the line's own menu has the form"
    send(service, name, "occurrences", act="detach", reason="of the lab", **box(chosen))
    assert chosen not in members(service, name).values()
    assert "1 alert left: of the lab" in lines(service, name)
    assert "detach-1 is on" in page(service, name, "/regroup").partition('id="near"')[2]
    assert undo(service, name) == name
    assert members(service, name) == alerts


def test_a_cursor_beyond_all_time_is_refused(service: Barograph) -> None:
    name = opened(service, "Beyond")
    for at in (-1, 10**18):
        cursor = base64.urlsafe_b64encode(orjson.dumps([at, "x"])).decode()
        assert service.get(f"/incidents/{name}/regroup?cursor={cursor}").status == 400


def test_an_alert_that_is_near_is_attached_and_belongs_to_both(service: Barograph) -> None:
    name, _ = with_alerts(service, "host")
    other, guests = with_alerts(service, "guest")
    chosen = guests["guest-0 is on"]
    shown = page(service, name, "/regroup?near=guest-0").partition('id="near"')[2]
    assert f'name="chosen:{chosen}"' in shown
    assert f'<a href="/incidents/{other}">' in shown, "it says where the alert belongs"
    send(service, name, "occurrences", act="attach", reason="same switch", **box(chosen))
    assert chosen in members(service, name).values()
    assert chosen in members(service, other).values()
    assert any("joined" in line and "(same switch)" in line for line in lines(service, name))
    undo(service, name)
    assert chosen not in members(service, name).values()


def test_what_is_no_alert_is_linked_and_the_link_is_undone_by_rejecting_it(service: Barograph) -> None:
    name = opened(service, "Linked by hand")
    hazard = {"key": "flood", "kind": "hazard", "title": "Flood", "event": "Flood", "status": "firing"}
    service.read(service.send("hook", {**hazard, "starts_at": text(ago(hours=1))}, HOOK_KEY))
    chosen = service.json("/api/v1/occurrences?kind=hazard")["items"][0]["id"]
    send(service, name, "occurrences", act="attach", reason="water in the hall", **box(chosen))
    (link,) = service.json(f"/api/v1/incidents/{name}/links")["items"]
    assert link["reasons"][0]["sentence"] == "water in the hall"
    undo(service, name)
    assert service.json(f"/api/v1/incidents/{name}/links")["items"][0]["state"] == "rejected"
    send(service, name, "occurrences", act="attach", **box(chosen))
    assert service.json(f"/api/v1/incidents/{name}/links")["items"][0]["state"] == "proposed"


def test_chosen_alerts_become_an_incident_and_go_back_where_they_came_from(service: Barograph) -> None:
    name, alerts = with_alerts(service, "split", 4)
    two = box(alerts["split-0 is on"]) | box(alerts["split-2 is on"])
    answer = send(service, name, "occurrences", act="split", title="Two rooms", reason="another feed", **two)
    new = answer.headers["Location"].rpartition("/")[2]
    assert service.json(f"/api/v1/incidents/{new}")["title"] == "Two rooms"
    assert set(members(service, new)) == {"split-0 is on", "split-2 is on"}
    assert set(members(service, name)) == {"split-1 is on", "split-3 is on"}
    assert any("split off" in line and "another feed" in line for line in lines(service, name))
    assert undo(service, new) == name, "the reader goes on where the alerts went"
    assert members(service, name) == alerts


def test_all_that_have_the_words_are_split_off(service: Barograph) -> None:
    name, _ = with_alerts(service, "words", 4)
    answer = send(service, name, "occurrences", act="split", all="yes", q="words-1")
    new = answer.headers["Location"].rpartition("/")[2]
    assert list(members(service, new)) == ["words-1 is on"]
    send(service, name, "occurrences", act="detach", status=400)
    send(service, name, "occurrences", act="keep", status=400)


def test_an_incident_is_found_by_its_title_and_merged_into_and_taken_apart(service: Barograph) -> None:
    name, alerts = with_alerts(service, "merged")
    into, others = with_alerts(service, "target")
    shown = page(service, name, "/regroup?into=target").partition('id="into"')[2]
    assert f'name="into" value="{into}"' in shown
    assert f'name="into" value="{name}"' not in shown
    answer = send(service, name, "merge", into=into, reason="one and the same")
    assert answer.headers["Location"] == f"/incidents/{into}"
    assert members(service, into) == others | alerts
    assert any("merged into this one: one and the same" in line for line in lines(service, into))
    assert "Take them apart again" in page(service, name, "/regroup")
    assert undo(service, into) == into
    assert members(service, name) == alerts
    send(service, name, "merge", into=into)
    send(service, name, "merge", act="unmerge")
    assert members(service, into) == others
    send(service, name, "merge", status=400)


def test_the_api_takes_reasons_too(service: Barograph) -> None:
    name, alerts = with_alerts(service, "asked")
    path = f"/api/v1/incidents/{name}"
    chosen = [alerts["asked-0 is on"]]
    service.post(f"{path}/alerts", {"remove": chosen, "reason": "not ours"})
    assert "1 alert left: not ours" in lines(service, name)
    assert service.post(f"{path}/alerts", {"add": chosen, "reason": 7}).status == 400
    made = service.post(f"{path}/split", {"alerts": [alerts["asked-1 is on"]], "title": "Alone", "reason": "why"})
    assert made.json()["title"] == "Alone"


def test_responders_are_named_beside_those_who_acted(service: Barograph) -> None:
    name = opened(service, "Crew of many")
    send(service, name, "patch", responders="ana, ben , ana", reason="paged")
    shown: dict[str, Any] = service.json(f"/api/v1/incidents/{name}")
    assert shown["responders"] == ["ana", "ben"]
    assert "<dd>ana, ben, admin" in page(service, name).replace("\n", "")
    assert any("Responders set to ana, ben: paged" in line for line in lines(service, name))


def test_there_is_no_page_for_an_incident_that_is_not_there(service: Barograph) -> None:
    assert service.get("/incidents/nothing-here/regroup").status == 404
