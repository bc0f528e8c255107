"""What the system tests post and where: a configuration with two sites, and payloads as Alertmanager sends them."""

from __future__ import annotations

import hashlib
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from incidents import instants
from service import clock
from tests.servers import Answer, Barograph

KEY = "tests-alertmanager-key-0123456789abcdef"
HOOK_KEY = "tests-generic-key-0123456789abcdef012345"
CONFIG = f"""
[[sites]]
name = "smf"
title = "Sacramento"
latitude = 38.64
longitude = -121.52
timezone = "America/Los_Angeles"
provider_regions = ["aws:us-west-1"]
grid_area = "BANC"
match = [{{ label = "datacenter", value = "smf*" }}]

[[sites]]
name = "iad"
title = "Ashburn"
latitude = 39.04
longitude = -77.49
timezone = "America/New_York"
match = [{{ label = "datacenter", value = "iad*" }}]

[[sources]]
name = "am"
adapter = "alertmanager"
key = "{KEY}"

[[sources]]
name = "hook"
adapter = "generic"
key = "{HOOK_KEY}"
"""
ZERO = "0001-01-01T00:00:00Z"


@contextmanager
def served(home: Path, config: str = CONFIG, **options: Any) -> Iterator[Barograph]:
    """The real service for a block of tests that do not get in each other's way; its log is printed at the end."""
    service = Barograph(home, config, **options)
    try:
        yield service.start()
    finally:
        service.end()
        sys.stdout.write(f"--- {service.url}\n{service.log[-20_000:]}\n")


def ago(**length: float) -> datetime:
    """The instant this long before now, in whole seconds."""
    return clock.now().replace(microsecond=0) - timedelta(**length)


def text(at: datetime) -> str:
    """As the API writes instants."""
    return instants.text(at.astimezone(UTC))


def alert(name: str, starts_at: datetime, *, ends_at: datetime | None = None, **labels: Any) -> dict[str, Any]:
    """One alert of a message, critical at the site smf unless its labels, which are texts, say otherwise."""
    labels = {"alertname": name, "severity": "critical", "datacenter": "smf1", **labels}
    return {
        "status": "resolved" if ends_at else "firing",
        "labels": labels,
        "annotations": {"summary": f"{name} is on"},
        "startsAt": text(starts_at),
        "endsAt": text(ends_at) if ends_at else ZERO,
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": hashlib.sha256(repr(sorted(labels.items())).encode("utf-8", "backslashreplace")).hexdigest()[
            :16
        ],
    }


def message(*alerts: dict[str, Any]) -> dict[str, Any]:
    """What Alertmanager posts, version 4."""
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing" if any(a["status"] == "firing" for a in alerts) else "resolved",
        "receiver": "barograph",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": list(alerts),
    }


def incident_of(service: Barograph, *alerts: dict[str, Any], site: str = "smf") -> dict[str, Any]:
    """The newest incident of the site after these alerts were read."""
    service.read(service.send("am", message(*alerts), KEY))
    items = service.json(f"/api/v1/incidents?site={site}")["items"]
    assert items, service.log
    found: dict[str, Any] = items[0]
    return found


def walk(service: Barograph, path: str, limit: int) -> list[dict[str, Any]]:
    """All items of a list, page after page."""
    items: list[dict[str, Any]] = []
    mark = "&" if "?" in path else "?"
    cursor: str | None = ""
    while cursor is not None:
        found = service.json(f"{path}{mark}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert len(found["items"]) <= limit
        assert found["items"] or not cursor, "a cursor led to nothing"
        items += found["items"]
        cursor = found["next"]
    return items


def raw_connection(service: Barograph, seconds: float = 30.0) -> socket.socket:
    """A connection on which anything may be written."""
    return socket.create_connection(("127.0.0.1", service.port), timeout=seconds)


def head(path: str, *fields: str, key: str | None = KEY, method: str = "POST") -> bytes:
    """The head of a request up to its empty line."""
    signed = [f"Authorization: Bearer {key}"] if key else []
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *signed, *fields, "", ""]).encode("latin-1")


def rest_of(connection: socket.socket) -> bytes:
    """All that comes until the other side closes; a reset after the answer counts as the end."""
    got = b""
    try:
        while part := connection.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    return got


def problem_of(answer: Answer) -> dict[str, Any]:
    """The problem that an answer tells, after a look at its shape."""
    assert answer.headers["Content-Type"].startswith("application/problem+json"), answer.text[:300]
    told: dict[str, Any] = answer.json()
    assert told["status"] == answer.status
    assert told["type"]
    assert told["title"]
    return told
