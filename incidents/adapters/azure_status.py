"""Azure's status feed: an RSS document that is empty while all is well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from incidents.formats import monitors, status_posts
from incidents.formats.status_posts import Item
from incidents.geography import region_names
from incidents.model import Credit, Delivery, Event, Post, Request, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "Azure status"
READS = ("azure",)
EVERY = timedelta(minutes=2)
LANES = ("providers",)
CREDIT = Credit("Azure status", "Microsoft's text; quoted with its source", "https://azure.status.microsoft")
SETUP = {
    "snippets": [
        {
            "title": "Azure",
            "language": "toml",
            "text": """\
[[sources]]
name = "azure-status"
adapter = "azure_status"
""",
        },
    ],
    "facts": [
        ["Asked", "`https://rssfeed.azure.status.microsoft/en-us/status/feed/`, every 2 minutes"],
        ["Key", "none"],
        ["Limits", "only broad incidents are posted: that nothing stands there proves nothing"],
        ["Known as", "the guid with its date: Azure uses guids again"],
        ["End", "never said, items vanish: 24 hours after `pubDate`, marked as assumed"],
        ["Regions", "`azure:westus` for the category West US; other categories are services"],
        ["Severity", "not said"],
    ],
}
_URL = "https://rssfeed.azure.status.microsoft/en-us/status/feed/"


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - one document for all sites
    """The feed."""
    return [Request(source.url or _URL)]


def normalise(delivery: Delivery) -> list[Statement]:
    """A provider incident for each item; none is the usual state."""
    return monitors.several(status_posts.feed_items(delivery.body), lambda one: _incident(one, delivery), "item")


def _incident(item: object, delivery: Delivery) -> Event:
    assert isinstance(item, Item)
    at = monitors.instant(item.published, "pubDate", delivery)
    if not item.guid or at is None:
        raise UnrecognisedError("guid or pubDate is missing")
    regions = {name: region_names.azure(name) for name in item.categories}
    services = [name for name, region in regions.items() if region is None]
    words = status_posts.words_of(item.description)
    event = monitors.event_of(
        delivery,
        key=f"{item.guid}@{at:%Y-%m-%dT%H:%M:%SZ}",
        title=item.title,
        over=False,
        kind="provider_incident",
        starts_at=at,
        labels={"provider": "azure", "services": status_posts.joined(services)},
        url="https://azure.status.microsoft/en-us/status",
    )
    posts = (Post(at, words),) if words else ()
    area = region_names.area(regions.values())
    return status_posts.unsaid_end(status_posts.with_posts(event, posts, area=area), at)
