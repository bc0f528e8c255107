"""Oracle Cloud's status: `incident-summary.rss`, an item for each incident with its posts in its description."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from incidents.formats import monitors, status_posts
from incidents.formats.status_posts import Item
from incidents.geography import region_names
from incidents.model import Credit, Delivery, Event, Post, Request, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "Oracle Cloud status"
READS = ("oracle-status",)
EVERY = timedelta(minutes=2)
LANES = ("providers",)
CREDIT = Credit("OCI status", "Oracle's text; quoted with its source", "https://ocistatus.oraclecloud.com")
SETUP = {
    "snippets": [
        {
            "title": "Oracle Cloud",
            "language": "toml",
            "text": """\
[[sources]]
name = "oracle-status"
adapter = "oracle_status"
""",
        },
    ],
    "facts": [
        ["Asked", "`https://ocistatus.oraclecloud.com/api/v2/incident-summary.rss`, every 2 minutes"],
        ["Key", "none"],
        ["Limits", "it looks like a Statuspage and is none: `components.json` has no times and is not read"],
        ["Known as", "the guid, an OCID that stays"],
        ["Regions", "`oci:uk-london-1` for UK South (London); Multiple Regions is none"],
        ["Start", "the first post: Oracle claims no other"],
        ["Severity", "not said"],
    ],
}
_URL = "https://ocistatus.oraclecloud.com/api/v2/incident-summary.rss"
_STATES = {
    **dict.fromkeys(("investigating", "identified", "monitoring", "update", "in progress", "scheduled"), False),
    **dict.fromkeys(("resolved", "completed", "postmortem", "cancelled"), True),
}
_HEAD = re.compile(r"([A-Z][a-z]{2})[a-z]*\s*(\d{1,2})\s*,?\s*(\d{1,2}):(\d{2})\s*UTC\s*([A-Za-z ]{3,20}?)\s*-\s")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - one document for all sites
    """The feed."""
    return [Request(source.url or _URL)]


def normalise(delivery: Delivery) -> list[Statement]:
    """A provider incident for each item of the feed, perhaps none."""
    return monitors.several(status_posts.feed_items(delivery.body), lambda one: _incident(one, delivery), "item")


def _incident(item: object, delivery: Delivery) -> Event:
    assert isinstance(item, Item)
    at = monitors.instant(item.published, "pubDate", delivery)
    if not item.guid or at is None:
        raise UnrecognisedError("guid or pubDate is missing")
    service, region, *more = [part.strip() for part in item.title.split("|")] + ["", ""]
    said = _posts(item.description, at)
    posts = status_posts.in_order(post for post, _ in said)
    state = max(said, key=lambda one: one[0].at)[1] if said else None
    last = max(at, posts[-1].at) if posts else at
    event = monitors.event_of(
        delivery,
        key=item.guid,
        title=item.title,
        over=bool(state and monitors.state_of(state, _STATES, "the newest post's state")),
        kind="provider_incident",
        said_at=last,
        starts_at=posts[0].at if posts else at,
        ends_at=posts[-1].at if posts else None,
        labels={"provider": "oci", "service": service, "region": region, "reference": more[0], "status": state},
        url=item.link,
    )
    return status_posts.with_posts(event, posts, area=region_names.area([region_names.oci(region)]))


def _posts(description: str, at: datetime) -> list[tuple[Post, str]]:
    """Each post with its state. They say month, day and minute in UTC; the year is the one that fits `pubDate`."""
    words = " ".join((status_posts.words_of(description) or "").split())
    heads = list(_HEAD.finditer(words))
    found = []
    for head, following in pairwise([*heads, None]):
        assert head is not None
        month, day, hour, minute, state = head.groups()
        text = words[head.end() : following.start() if following else None].strip()
        number = _MONTHS.index(month.lower()) + 1 if month.lower() in _MONTHS else 0
        when = status_posts.dated((number, int(day), int(hour), int(minute)), at)
        if when and text:
            found.append((Post(when, text), state.strip()))
    return found
