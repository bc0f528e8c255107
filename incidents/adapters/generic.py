"""Barograph's own JSON, for anything that can send JSON, and any other JSON by way of JMESPath expressions.

An item without a `key` is known by the SHA-256 of its kind, title and labels.
"""

from __future__ import annotations

from incidents.formats import mapping
from incidents.model import Delivery, Statement

VERSION = 3
TITLE = "Any JSON"
READS = ("generic",)
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "curl",
            "language": "shell",
            "text": """\
curl -H 'Authorization: Bearer {key}' {url} -d '{
  "key": "db-1/disk", "status": "firing", "title": "Disk full on db-1", "severity": "critical",
  "labels": {"host": "db-1", "datacenter": "smf"}}'
""",
        },
        {
            "title": "A change",
            "language": "shell",
            "text": """\
curl -H 'Authorization: Bearer {key}' {url} -d '{
  "kind": "change", "key": "deploy-4711", "title": "Deploy 4711 of checkout",
  "starts_at": "'"$(date -u +%FT%TZ)"'", "labels": {"service": "checkout"}}'
""",
        },
        {
            "title": "A reading",
            "language": "shell",
            "text": """\
curl -H 'Authorization: Bearer {key}' {url} -d '{
  "reading": "temperature_c", "at": "'"$(date -u +%FT%TZ)"'", "value": 31.5,
  "latitude": 38.64, "longitude": -121.52, "station": "roof"}'
""",
        },
        {
            "title": "Other JSON",
            "language": "toml",
            "text": """\
# In the source's table of the configuration: where each field is found, as JMESPath.
mapping = { items = "checks[]", key = "id", title = "name", status = "state", "labels.host" = "host.name" }
""",
        },
    ],
    "facts": [
        ["On 2xx", "the bytes are on stable storage"],
        ["On 503", "send again after Retry-After"],
        ["Repeats", "the same content again changes nothing"],
        [
            "Resolved",
            "the same key with status resolved, and no starts_at or the same; without ends_at its receipt is the end",
        ],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One event or reading for each item of the body, after the source's mapping if it has one."""
    return mapping.statements(delivery)
