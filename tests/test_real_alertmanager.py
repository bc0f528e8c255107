"""A real Prometheus and a real Alertmanager post to the real service: an incident opens by itself, nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from incidents import instants
from service import clock
from tests.conftest import StartBarograph, StartServer
from tests.listening import listening
from tests.senders import CONFIG, KEY
from tests.servers import Barograph, Server

ROUTING = """
route:
  receiver: barograph
  group_by: [alertname]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: barograph
    webhook_configs:
      - url: {url}/in/am
        send_resolved: true
        max_alerts: 0
        http_config:
          authorization:
            credentials: {key}
"""
PROMETHEUS = """
global:
  evaluation_interval: 1s
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: room
    static_configs:
      - targets: ["127.0.0.1:{room}"]
alerting:
  alertmanagers:
    - static_configs:
        - targets: ["127.0.0.1:{router}"]
rule_files: [rules.yml]
"""
RULES = """
groups:
  - name: room
    rules:
      - alert: RoomTooHot
        expr: room_temperature_celsius > 30
        labels: {severity: critical, datacenter: smf1}
        annotations: {summary: "Too hot in Sacramento"}
      - alert: PumpStopped
        expr: pump_running == 0
        labels: {severity: critical, datacenter: smf1}
        annotations: {summary: "A pump stands still in Sacramento"}
"""


@contextmanager
def room() -> Iterator[tuple[dict[str, int], int]]:
    """A room that Prometheus scrapes: its gauges, to be set by the test, and its port."""
    gauges = {"room_temperature_celsius": 24, "pump_running": 1}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = "".join(f"{name} {value}\n" for name, value in gauges.items()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with listening(Handler) as port:
        yield gauges, port


def starts_by_prometheus(prometheus: Server) -> dict[str, datetime]:
    """When each alert that is on began, as Prometheus itself says."""
    found = {}
    for alert in prometheus.request("GET", "/api/v1/alerts").json()["data"]["alerts"]:
        at = instants.parse(alert["activeAt"])
        assert at
        found[alert["labels"]["alertname"]] = at
    return found


def evaluations(prometheus: Server) -> int:
    """At how many evaluations an alert has fired."""
    query = "/api/v1/query?query=sum(count_over_time(ALERTS%7Balertstate=%22firing%22%7D%5B1h%5D))"
    found = prometheus.request("GET", query).json()["data"]["result"]
    return int(found[0]["value"][1]) if found else 0


def recover(service: Barograph, monitor: Server, since: datetime) -> str:
    """Name the Prometheus in the configuration, and ask it what fired since then; what the command printed."""
    named = f'adapter = "alertmanager"\nprometheus = "{monitor.url}"'
    service.config_path.write_text(CONFIG.replace('adapter = "alertmanager"', named))
    applied = service.cli("apply", str(service.config_path))
    assert applied.returncode == 0, applied.stderr
    window = ("--from", instants.text(since - timedelta(minutes=1)), "--to", instants.text(clock.now()))
    done = service.cli("recover", "--source", "am", *window)
    assert done.returncode == 0, done.stderr
    return done.stdout


def alerts_of(barograph: Barograph, incident: str) -> dict[str, dict[str, Any]]:
    """Alerts by name."""
    items = barograph.json(f"/api/v1/incidents/{incident}/alerts")["items"]
    found = {item["labels"]["alertname"]: item for item in items}
    assert len(found) == len(items), "an alert is there twice"
    return found


@pytest.mark.slow
def test_an_alert_opens_an_incident_and_resolves(
    barograph: StartBarograph, alertmanager: StartServer, prometheus: StartServer
) -> None:
    service = barograph(CONFIG, settings={"ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8"})
    router = alertmanager(ROUTING.format(url=service.url, key=KEY))
    with room() as (gauges, port):
        monitor = prometheus(PROMETHEUS.format(room=port, router=router.port), {"rules.yml": RULES})
        # What fires before Prometheus knows its Alertmanager is sent again only a minute later.
        monitor.until(lambda: monitor.request("GET", "/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"], 60)
        gauges["room_temperature_celsius"] = 41
        incident = service.until(lambda: service.json("/api/v1/incidents")["items"], 60)[0]
        began = starts_by_prometheus(monitor)["RoomTooHot"]
        # Prometheus tells its own users nanoseconds and Alertmanager milliseconds of the same evaluation.
        opened = instants.parse(incident["opened_at"])
        assert opened
        assert abs((opened - began).total_seconds()) < 0.002
        assert (incident["status"], incident["severity"], incident["sites"]) == ("open", "critical", ["smf"])
        alert = alerts_of(service, incident["id"])["RoomTooHot"]
        assert alert["title"] == "Too hot in Sacramento"
        assert alert["starts_at"] == incident["opened_at"]
        assert alert["ends_at"] is None

        service.kill9()
        gauges["pump_running"] = 0
        router.until(lambda: _failed(router) > 0, 60)
        service.start()
        service.until(lambda: "PumpStopped" in alerts_of(service, incident["id"]), 90)

        gauges |= {"room_temperature_celsius": 24, "pump_running": 1}
        service.until(lambda: all(a["ends_at"] for a in alerts_of(service, incident["id"]).values()), 90)
        arrived = alerts_of(service, incident["id"])
        recover(service, monitor, began)
        after = alerts_of(service, incident["id"])
        assert all(after[name].pop("statements") > alert.pop("statements") for name, alert in arrived.items())
        assert after == arrived, "what arrived is the same alert, and its words hold"
    lines = service.json(f"/api/v1/incidents/{incident['id']}/timeline")["items"]
    told = [(line["kind"], line["text"]) for line in lines]
    for title in ("Too hot in Sacramento", "A pump stands still"):
        assert any(kind == "alert" and title in text for kind, text in told), told
        assert any(kind == "alert_ended" and title in text for kind, text in told), told
    assert any(kind == "opened" for kind, _ in told), told
    for line in lines:
        evidence = line["evidence"]
        assert evidence["entry"] or (evidence["event"] and evidence["delivery"]), line
    items = service.json("/api/v1/incidents")["items"]
    assert [item["id"] for item in items] == [incident["id"]]
    assert service.json("/api/v1/deliveries?state=quarantined")["items"] == []


def test_what_never_arrived_is_asked_of_prometheus_and_marked(
    barograph: StartBarograph, prometheus: StartServer
) -> None:
    service = barograph(CONFIG, settings={"ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8"})
    with room() as (gauges, port):
        # Nobody listens where its Alertmanager should be.
        monitor = prometheus(PROMETHEUS.format(room=port, router=1), {"rules.yml": RULES})
        gauges["room_temperature_celsius"] = 41
        began = monitor.until(lambda: starts_by_prometheus(monitor), 60)["RoomTooHot"]
        # One sample alone tells of no interval.
        monitor.until(lambda: evaluations(monitor) >= 3, 60)
        gauges["room_temperature_celsius"] = 24
        monitor.until(lambda: not starts_by_prometheus(monitor), 60)
        # One more evaluation tells that it is over.
        ended = clock.now()
        monitor.until(lambda: clock.now() - ended > timedelta(seconds=2))
        assert "recovered as" in recover(service, monitor, began)
    (incident,) = service.json("/api/v1/incidents")["items"]
    opened = instants.parse(incident["opened_at"])
    assert opened
    assert abs((opened - began).total_seconds()) < 0.002
    (alert,) = alerts_of(service, incident["id"]).values()
    assert alert["ends_at"]
    lines = service.json(f"/api/v1/incidents/{incident['id']}/timeline")["items"]
    told = {line["kind"]: line["text"] for line in lines}
    assert told["alert"].endswith("(recovered)")
    assert told["alert_ended"].endswith("(recovered)")
    receipt = next(line for line in lines if line["kind"] == "alert")["evidence"]["delivery"]
    assert service.json(f"/api/v1/deliveries/{receipt}")["adapter"] == "prometheus_recovered"


BORROWED = """
route:
  receiver: borrowed
  group_by: [alertname]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: borrowed
    pagerduty_configs:
      - url: {url}/in/pages/{key}
        routing_key: barograph
        send_resolved: true
    victorops_configs:
      - api_url: {url}/in/
        api_key: calls
        routing_key: {key}
        send_resolved: true
"""
RECEIVERS = f"""
[[sources]]
name = "pages"
adapter = "pagerduty_events"
key = "{KEY}-pages"

[[sources]]
name = "calls"
adapter = "victorops"
key = "{KEY}-calls"
"""


def test_what_it_sends_to_other_services_is_read_as_theirs(
    barograph: StartBarograph, alertmanager: StartServer
) -> None:
    service = barograph(CONFIG + RECEIVERS)
    config = BORROWED.format(url=service.url, key="{key}")
    config = config.replace("pages/{key}", f"pages/{KEY}-pages").replace("{key}", f"{KEY}-calls")
    router = alertmanager(config)
    began = clock.now() - timedelta(minutes=3)
    alert = {"labels": {"alertname": "RoomTooHot", "severity": "critical"}, "startsAt": instants.text(began)}

    def tell(**rest: str) -> None:
        headers = {"Content-Type": "application/json"}
        assert router.request("POST", "/api/v2/alerts", json.dumps([alert | rest]), headers=headers).status == 200

    def told(*, over: bool) -> dict[str, dict[str, Any]]:
        items = service.json("/api/v1/occurrences?kind=alert")["items"]
        return {item["source"]: item for item in items if bool(item["ends_at"]) is over}

    tell()
    service.until(lambda: told(over=False).keys() == {"pages", "calls"}, 60)
    tell(endsAt=instants.text(clock.now()))
    service.until(lambda: told(over=True).keys() == {"pages", "calls"}, 60)
    assert told(over=False) == {}
    assert service.json("/api/v1/deliveries?state=quarantined")["items"] == []


def _failed(router: Server) -> float:
    """How many attempts to notify the webhook have failed, as Alertmanager counts them."""
    lines = router.request("GET", "/metrics").text.splitlines()
    name = 'alertmanager_notification_requests_failed_total{integration="webhook"}'
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))
