"""Alertmanager messages of any number of alerts, each alert new, as cheap to make as to send."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import orjson

from incidents import instants
from service import clock

SOURCE = "am"
KEY = "bench-alertmanager-key-0123456789abcdef"
CONFIG = f"""
[[sites]]
name = "smf"
title = "Sacramento"
latitude = 38.64
longitude = -121.52
timezone = "America/Los_Angeles"
match = [{{ label = "datacenter", value = "smf*" }}]

[[sources]]
name = "{SOURCE}"
adapter = "alertmanager"
key = "{KEY}"
"""
_MARK = "0123456789abcdef"
_SECONDS = 240
"""Over how many seconds before the run the alerts of a message began."""


class Messages:
    """Messages of `alerts` alerts of ten labels and three annotations: 1.2 kB with one alert, 0.9 kB for each more.

    All alerts are critical and at one site, so that they belong to one incident. `run` parts the alerts of
    two senders. `bare` ones are what Alertmanager itself is sent: the list of alerts, without what it adds to it.
    """

    def __init__(self, alerts: int, run: str = "", *, bare: bool = False) -> None:
        self.alerts = alerts
        self._run = hashlib.sha256(run.encode()).hexdigest()[:6]
        now = clock.now().replace(microsecond=0)
        starts = [instants.text(now - timedelta(seconds=60 + i % _SECONDS)) for i in range(alerts)]
        made = [_alert(i, at) for i, at in enumerate(starts)]
        text = orjson.dumps([_without_verdict(one) for one in made] if bare else _message(made))
        self._parts = text.split(_MARK.encode())
        self._names = 1 if bare else 2
        assert len(self._parts) == self._names * alerts + 1, "how often each alert is named"
        self.size = len(self.body(0))

    def body(self, number: int) -> bytes:
        """The message of this number; equal numbers give equal bytes, all have one length."""
        first = number * self.alerts
        parts = self._parts
        pieces = [parts[0]]
        for i in range(self.alerts):
            mark = b"%s%010x" % (self._run.encode(), first + i)
            for part in parts[self._names * i + 1 : self._names * (i + 1) + 1]:
                pieces += (mark, part)
        return b"".join(pieces)


def _without_verdict(alert: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in alert.items() if name not in ("status", "fingerprint")}


def _message(alerts: list[dict[str, object]]) -> dict[str, object]:
    return {
        "version": "4",
        "groupKey": '{}/{team="storage"}:{alertname="DiskLatencyHigh"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "barograph",
        "groupLabels": {"alertname": "DiskLatencyHigh"},
        "commonLabels": {"team": "storage"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "alerts": alerts,
    }


def _alert(index: int, starts_at: str) -> dict[str, object]:
    return {
        "status": "firing",
        "labels": {
            "alertname": "DiskLatencyHigh",
            "severity": "critical",
            "datacenter": "smf1",
            "cluster": "storage-main-1",
            "namespace": "ceph",
            "service": "osd",
            "team": "storage",
            "job": "node-exporter",
            "env": "production",
            "instance": f"storage-{_MARK}.smf1.example:9100",
        },
        "annotations": {
            "summary": "The write latency of a disk is above 200 ms at the 99th percentile",
            "description": f"Disk nvme{index % 8}n1 has answered writes slowly for ten minutes; its queue is full and "
            "placement groups on it may become degraded soon.",
            "runbook_url": "https://runbooks.example/storage/disk-latency-high",
        },
        "startsAt": starts_at,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=histogram_quantile%280.99%2C+write_seconds%29",
        "fingerprint": _MARK,
    }
