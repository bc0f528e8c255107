"""Secrets of every kind through several senders: in no page, file, log line or metric; in the raw bytes for admins."""

from __future__ import annotations

import http.client
import json
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
import re2

from incidents import redaction
from tests.planted import PLANTED, Planted
from tests.senders import CONFIG, HOOK_KEY, KEY, ago, alert, message, served, text
from tests.servers import ADMIN_TOKEN, Barograph

MORE_KEY = "tests-more-senders-key-0123456789abcdef"
MORE = "".join(
    f"""
[[sources]]
name = "{name}"
adapter = "{name}"
key = "{MORE_KEY}-{name}"
"""
    for name in ("grafana", "pagerduty_events", "cloudevents")
)
EXPORTS = ("svg", "png", "pdf", "html", "md", "csv", "json", "ics")


@dataclass(frozen=True, slots=True)
class Served:
    """The service after everything was sent: tokens by role, receipts, and the incident that it opened."""

    service: Barograph
    tokens: dict[str, str]
    receipts: list[str]
    incident: str


def everywhere(planted: Planted, number: int) -> list[tuple[str, Any, str]]:
    """Source, body and key of deliveries that have the secret wherever a sender may put one."""
    words, began = planted.text, ago(minutes=30)
    told = alert(f"Planted{number}", began, note=words)
    told["annotations"] = {"summary": words, "description": f"It said: {words}"}
    told["generatorURL"] = f"http://m.example/graph?q={words}".replace(" ", "%20").replace("\n", "%0A")
    any_json = {
        "key": f"any-{number} {words}",
        "title": words,
        "text": words,
        "url": told["generatorURL"],
        "group": words,
        "severity": "critical",
        "status": "firing",
        "starts_at": text(began),
        "labels": {"datacenter": "smf1", "words": words},
        "updates": [{"at": text(began), "text": words}],
    }
    grafana = message(alert(f"Grafana{number}", began, words=words)) | {"orgId": 1, "title": words, "message": words}
    event = {
        "routing_key": "R" * 32,
        "event_action": "trigger",
        "dedup_key": f"d{number} {words}",
        "payload": {"summary": words, "source": "web-2", "severity": "critical", "custom_details": {"out": words}},
    }
    cloud = {
        "specversion": "1.0",
        "id": str(number),
        "source": "/tests",
        "type": "example.alert",
        "subject": words,
        "time": text(began),
        "data": {"title": words, "key": f"c{number}", "status": "firing", "severity": "error", "text": words},
    }
    return [
        ("am", message(told), KEY),
        ("hook", any_json, HOOK_KEY),
        ("grafana", grafana, f"{MORE_KEY}-grafana"),
        ("pagerduty_events", event, f"{MORE_KEY}-pagerduty_events"),
        ("cloudevents", cloud, f"{MORE_KEY}-cloudevents"),
        ("hook", {"nonsense": words, "nested": [{"deep": words}]}, HOOK_KEY),
        ("am", f"no JSON: {words}", KEY),
    ]


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Everything is sent once; the tests look at what is shown of it."""
    with served(tmp_path_factory.mktemp("secrets"), CONFIG + MORE) as service:
        sent = [
            service.send(source, body, key, headers={"X-Webhook-Note": planted.text.replace("\n", " ")})
            for number, planted in enumerate(PLANTED)
            for source, body, key in everywhere(planted, number)
        ]
        for receipt in sent:
            service.read(receipt)
        incident = service.json("/api/v1/incidents?site=smf")["items"][0]["id"]
        for planted in of_known_shape():
            assert service.post(f"/api/v1/incidents/{incident}/entries", {"text": planted.text}).status == 201
        title = {"title": PLANTED[0].text, "severity": "error"}
        assert service.post("/api/v1/incidents", title).status == 201
        made = {role: service.cli("token", "create", "--role", role) for role in ("viewer", "responder")}
        tokens = {role: done.stdout.split()[-1] for role, done in made.items()}
        yield Served(service, tokens | {"admin": ADMIN_TOKEN}, sent, incident)


def of_known_shape() -> list[Planted]:
    """Those that are found without a name beside them: people's own words are looked through for these."""
    return [planted for planted in PLANTED if redaction.redact(planted.text, named=False) != planted.text]


PIECES = {planted.secret[n : n + 9]: planted.name for planted in PLANTED for n in range(len(planted.secret) - 8)}
"""All nine letters in a row of each secret, and whose they are."""
ANY = re2.compile("|".join(map(re2.escape, PIECES)))
"""Finds the first of three thousand pieces in one pass, where as many searches take a thousand times as long."""


def assert_clean(where: str, content: str) -> None:
    """No nine letters in a row of any secret are in it."""
    found = ANY.search(content)
    assert not found, f"{where} shows {PIECES[found.group()]}"


def paths(after: Served) -> list[str]:
    """Pages and answers that show what was sent; the raw bytes are another matter."""
    api, incident = "/api/v1", after.incident
    found = ["/", "/incidents", "/sources", "/deliveries?state=quarantined", "/sites", "/settings", "/metrics"]
    found += [f"/sources/{name}" for name in ("am", "hook", "grafana", "pagerduty_events", "cloudevents")]
    found += [f"/deliveries?source={name}" for name in ("am", "hook")]
    found += [f"/incidents/{incident}?lines=all", f"{api}/incidents", f"{api}/incidents/{incident}"]
    found += [f"{api}/incidents/{incident}/{part}" for part in ("alerts", "links", "timeline?limit=500", "figure")]
    found += [f"{api}/occurrences?limit=500", f"{api}/sources", f"{api}/deliveries?limit=500"]
    found += [f"{api}/deliveries?state=quarantined&limit=500", f"{api}/grafana/annotations?from=0&to=4102444800000"]
    found += [f"{api}/incidents/{incident}/export.{form}" for form in EXPORTS]
    found += [f"{api}/deliveries/{receipt}" for receipt in after.receipts]
    return found + [f"/deliveries/{receipt}?payload=more" for receipt in after.receipts]


def test_there_is_something_to_find(after: Served) -> None:
    shown = after.service.json("/api/v1/occurrences?limit=500")["items"]
    assert len(shown) >= 4 * len(PLANTED)
    assert sum("‹redacted: " in json.dumps(one, ensure_ascii=False) for one in shown) >= 4 * len(PLANTED)
    timeline = after.service.json(f"/api/v1/incidents/{after.incident}/timeline?limit=500")["items"]
    notes = [line for line in timeline if line["kind"] == "note"]
    assert len(notes) == len(of_known_shape()) > 30
    assert all("‹redacted: " in line["text"] for line in notes)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["viewer", "responder", "admin"])
def test_no_page_and_no_answer_shows_one(after: Served, role: str) -> None:
    looked = paths(after) if role != "admin" else [path for path in paths(after) if "/api/" not in path]
    for path in looked:
        answer = after.service.get(path, token=after.tokens[role])
        assert answer.status == 200, f"{path}: {answer.status} {answer.text[:300]}"
        assert_clean(path, answer.text)


def test_no_line_of_the_log_and_no_stream_of_a_pdf_has_one(after: Served) -> None:
    assert_clean("the log", after.service.log)
    pdf = after.service.get(f"/api/v1/incidents/{after.incident}/export.pdf").body
    parts = pdf.split(b"stream\n")
    assert len(parts) > 2
    for part in parts[1:]:
        assert_clean("the PDF", zlib.decompressobj().decompress(part).decode("latin-1") if part[:1] == b"\x78" else "")


def test_the_stream_of_changes_has_none(after: Served) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", after.service.port, timeout=20)) as connection:
        headers = {"Authorization": f"Bearer {after.tokens['viewer']}", "Last-Event-ID": "0"}
        connection.request("GET", "/api/v1/stream", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200
        after.service.send("hook", {"key": PLANTED[3].text, "title": PLANTED[3].text, "status": "firing"}, HOOK_KEY)
        heard = ""
        while "event: change" not in heard:
            line = answer.readline().decode()
            assert line
            heard += line
    assert_clean("the stream", heard)


def test_the_command_line_shows_none(after: Served, tmp_path: Any) -> None:
    told = after.service.cli("incident", "show", after.incident)
    assert told.returncode == 0
    assert_clean("incident show", told.stdout + told.stderr)
    body = tmp_path / "body.json"
    body.write_text(json.dumps(everywhere(PLANTED[0], 0)[1][1]))
    read = after.service.cli("read", "generic", str(body))
    assert "redacted: AWS access key" in read.stdout
    assert_clean("read", read.stdout)


def test_the_raw_bytes_have_them_for_admins_alone(after: Served) -> None:
    per_secret = len(everywhere(PLANTED[0], 0))
    for number, planted in enumerate(PLANTED):
        receipt = after.receipts[number * per_secret + 1]
        path = f"/api/v1/deliveries/{receipt}/raw"
        raw = after.service.get(path)
        assert raw.json()["title"] == planted.text
        for role in ("viewer", "responder"):
            assert after.service.get(path, token=after.tokens[role]).status == 403


def test_a_viewer_is_shown_no_payload_at_all(after: Served) -> None:
    for path in ("/deliveries?state=quarantined", f"/deliveries/{after.receipts[0]}"):
        shown = after.service.get(path, token=after.tokens["viewer"]).text
        assert "What it holds" not in shown
        assert "What it holds" in after.service.get(path, token=after.tokens["responder"]).text
