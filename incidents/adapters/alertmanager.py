"""Prometheus Alertmanager's webhook, versions 3 and 4, and what other tools post in its shape."""

from __future__ import annotations

from incidents.formats import alert_groups
from incidents.model import Delivery, Statement

VERSION = 1
TITLE = "Alertmanager"
READS = ("alertmanager",)
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "alertmanager.yml",
            "language": "yaml",
            "text": """\
receivers:
  - name: barograph
    webhook_configs:
      - url: {url}
        send_resolved: true
        max_alerts: 0
        http_config:
          authorization:
            credentials: {key}
""",
            "note": "Then add `receiver: barograph` with `continue: true` as the first route, and reload.",
        },
        {
            "title": "Helm values",
            "language": "yaml",
            "text": """\
alertmanager:
  config:
    route:
      routes:
        - receiver: barograph
          continue: true
    receivers:
      - name: barograph
        webhook_configs:
          - url: {url}
            send_resolved: true
            http_config:
              authorization:
                credentials: {key}
""",
        },
        {
            "title": "Prometheus Operator",
            "language": "yaml",
            "text": """\
apiVersion: v1
kind: Secret
metadata:
  name: barograph
stringData:
  key: {key}
---
apiVersion: monitoring.coreos.com/v1alpha1
kind: AlertmanagerConfig
metadata:
  name: barograph
spec:
  route:
    receiver: barograph
    continue: true
  receivers:
    - name: barograph
      webhookConfigs:
        - url: {url}
          sendResolved: true
          httpConfig:
            authorization:
              credentials:
                name: barograph
                key: key
""",
        },
        {
            "title": "curl",
            "language": "shell",
            "text": """\
curl -H 'Authorization: Bearer {key}' {url} -d '{"alerts": [{
  "status": "firing", "labels": {"alertname": "FromCurl", "severity": "warning"},
  "annotations": {"summary": "A line from curl"}, "startsAt": "'"$(date -u +%FT%TZ)"'"}]}'
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "drops the notification for good; we answer 4xx only for a wrong key or an unknown source"],
        ["On 5xx", "tries again until the group interval ends; we answer 503 with Retry-After when overloaded"],
        ["Repeats", "every repeat_interval; repeats change nothing here"],
        ["Resolved", "sent when send_resolved is true; it ends the alert of the same labels and startsAt"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event for each alert of the group."""
    return alert_groups.read(delivery, "an Alertmanager")
