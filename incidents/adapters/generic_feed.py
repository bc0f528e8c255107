"""A feed of Barograph's own JSON, or by a mapping of any other: asked at the source's own address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from incidents.formats import mapping
from incidents.model import Delivery, Request, Site, Source, Statement

VERSION = 2
TITLE = "Any JSON feed"
READS = ("generic-feed",)
EVERY = timedelta(minutes=5)
SETUP = {
    "snippets": [
        {
            "title": "In the configuration file",
            "language": "toml",
            "text": """\
[[sources]]
name = "plant"
adapter = "generic_feed"
url = "https://plant.example/readings.json"
every = "2m"
""",
        },
        {
            "title": "With a key of theirs, and other JSON",
            "language": "toml",
            "text": """\
[[sources]]
name = "checks"
adapter = "generic_feed"
url = "https://checks.example/api/open?token={key}"
secret_file = "checks.key"
mapping = { items = "checks[]", key = "id", title = "name", status = "state", starts_at = "since" }
""",
            "note": "`{key}` is replaced by the source's secret when the feed is asked, and nowhere else.",
        },
    ],
    "facts": [
        ["One document", "a list of items, each as the generic adapter takes it"],
        ["An item that is gone", "says nothing: send it with status resolved, or with an end"],
        ["Unchanged", "the same bytes are not stored again; that they were the same is"],
    ],
}


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001  # one address for all sites
    """The one document at the source's `url`; without one there is nothing to ask."""
    return [Request(source.url)] if source.url else []


def normalise(delivery: Delivery) -> list[Statement]:
    """One event or reading for each item of the body, after the source's mapping if it has one."""
    return mapping.statements(delivery)
