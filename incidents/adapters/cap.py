"""Any publisher's alerts in the Common Alerting Protocol: one alert, or an Atom or RSS index that carries them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from incidents.formats import cap, cap_links
from incidents.model import Credit, Delivery, Request, Site, Source, Statement

VERSION = 2
TITLE = "Common Alerting Protocol (CAP)"
READS = ("cap",)
LANES = ("warnings",)
EVERY = timedelta(minutes=5)
CREDIT = Credit(
    "The sender that each alert names", "the publisher's own", "https://docs.oasis-open.org/emergency/cap/v1.2/"
)
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "national-alerts"
adapter = "cap"
every = "5m"
url = "https://alerts.example/cap/feed.atom"
""",
            "note": "The address of a CAP document, or of an Atom or RSS index that holds alerts or points to them.",
        },
    ],
    "facts": [
        [
            "What is asked",
            "the address that you give, and once each what an index there points to on the same host",
        ],
        ["Terms", "the publisher's: name it as the licence of its feed asks"],
        ["History", "none: a feed holds what is on"],
        ["Languages", "English where an alert has it, else its first language; all headlines are kept as labels"],
        ["Updates", "one occurrence for each chain of references, known by its first message"],
        ["End", "`expires`, a cancellation, or AllClear; without any, a day after it was sent"],
        ["Refused", "documents with a document type, or above 5 MiB"],
    ],
}


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - a CAP feed is asked whole
    """The source's own address; without one there is nothing to ask."""
    return [Request(source.url)] if source.url else []


def normalise(delivery: Delivery) -> list[Statement]:
    """One event for each alert of the document."""
    return cap.statements_of(cap.alerts_in(delivery.body), delivery, followed=len(linked(delivery)))


def linked(delivery: Delivery) -> list[str]:
    """The alerts that a polled index only points to."""
    return cap_links.links_of(delivery)
