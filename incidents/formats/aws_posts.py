"""What AWS says in public: `currentevents` as JSON and the RSS feeds, whose keys agree. Pure.

An event is known by its service, its region and the second of its first post: `ec2-us-east-1_1772369485`. The JSON has
them as `service` and `date`, the RSS in the `guid` of the first post of each episode.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from incidents import instants
from incidents.formats import monitors, payload, status_posts
from incidents.formats.status_posts import Item
from incidents.geography import region_names
from incidents.model import Delivery, Event, Loss, Post, Severity, Statement, UnrecognisedError

# Codes and words stand for the same four: 0 normal, 1 informational, 2 degraded, 3 disrupted.
_SEVERITIES: Final = {"0": Severity.INFO, "1": Severity.WARNING, "2": Severity.ERROR, "3": Severity.CRITICAL}
_WORDS: Final = {
    "informational message": Severity.WARNING,
    "performance issues": Severity.ERROR,
    "service degradation": Severity.ERROR,
    "service impact": Severity.ERROR,
    "service disruption": Severity.CRITICAL,
}
_GUID: Final = re.compile(r"#([a-z0-9._-]{1,120})_(\d{9,11})\s*$", re.ASCII | re.IGNORECASE)
_REGION: Final = re.compile(r"(?:^|-)([a-z]{2}(?:-(?:gov|iso|isob))?-[a-z]+-\d)$", re.ASCII)
_ZONE: Final = re.compile(r"\b[a-z]{2,4}\d-az\d\b", re.ASCII)
_OVER: Final = re.compile(r"^(?:service is operating normally|resolved|\[resolved\])", re.IGNORECASE)
_LEAD: Final = re.compile(r"^(?:(?:[A-Z][a-z ]{3,40}):\s*)?(?:\[[A-Z]+\]\s*)?")
_SILENCE: Final = timedelta(days=30)
"""Posts about a service in a region that lie further apart speak of two events."""
_PAGE: Final = "https://health.aws.amazon.com/health/status"


def current(events: Sequence[object], delivery: Delivery) -> list[Statement]:
    """A provider incident for each open event of `currentevents`."""
    return monitors.several(events, lambda one: _current(payload.object_of(one), delivery), "event")


def _current(event: Mapping[str, Any], delivery: Delivery) -> Event:
    service, region = monitors.word(event.get("service")), _region_of_arn(event.get("arn"))
    starts_at = monitors.instant(event.get("date"), "date", delivery)
    posts = status_posts.posts_of(payload.list_of(event.get("event_log")), ("timestamp",), "message", delivery)
    status = monitors.word(event.get("status"))
    if not service or starts_at is None:
        raise UnrecognisedError("service or date is missing")
    services = (
        payload.object_of(one).get("service_name") for one in payload.object_of(event.get("impacted_services")).values()
    )
    said = monitors.event_of(
        delivery,
        key=_key(service, starts_at),
        title=f"{monitors.word(event.get('service_name'), default=service)}: {monitors.word(event.get('summary'))}",
        over=status == "0",
        kind="provider_incident",
        severity=_SEVERITIES.get(status, Severity.UNKNOWN),
        said_at=posts[-1].at if posts else starts_at,
        starts_at=starts_at,
        labels={
            "provider": "aws",
            "service": service,
            "region": event.get("region_name"),
            "zones": _zones(posts),
            "services": status_posts.joined(services),
            "arn": event.get("arn"),
        },
        url=_PAGE,
    )
    return status_posts.with_posts(said, posts, area=region_names.area([region]))


@dataclass(frozen=True, slots=True)
class _Said:
    """One item of the RSS feed: when and of which service in which region it speaks."""

    at: datetime
    about: str
    item: Item


def feed(items: Iterable[Item], delivery: Delivery) -> list[Statement]:
    """A provider incident for each episode: the posts about one service in one region up to the one that ends it."""
    read = [_read(item) for item in items]
    said = sorted((one for one in read if one), key=lambda one: (one.about, one.at))
    episodes: list[list[_Said]] = []
    for one in said:
        last = episodes[-1][-1] if episodes else None
        fresh = last is None or last.about != one.about or _is_over(last.item) or one.at - last.at > _SILENCE
        if fresh:
            episodes.append([])
        episodes[-1].append(one)
    statements: list[Statement] = [_episode(episode, delivery) for episode in episodes]
    if None in read:
        statements.append(Loss(read.count(None), "items of the feed whose guid says neither service nor time"))
    return statements


def _read(item: Item) -> _Said | None:
    found = _GUID.search(item.guid)
    at = instants.parse(found[2]) if found else None
    return _Said(at, found[1].lower(), item) if found and at else None


def _episode(said: Sequence[_Said], delivery: Delivery) -> Event:
    first, last = said[0], said[-1]
    region = _REGION.search(first.about)
    words = ((one.at, status_posts.words_of(one.item.description)) for one in said)
    posts = status_posts.in_order(Post(at, text) for at, text in words if text)
    over = _is_over(last.item)
    title = next((one.item.title for one in said if not _is_over(one.item)), last.item.title)
    lead = max(
        (_WORDS.get(one.item.title.partition(":")[0].strip().lower(), Severity.UNKNOWN) for one in said),
        key=lambda severity: severity.rank,
    )
    event = monitors.event_of(
        delivery,
        key=_key(first.about, first.at),
        title=f"{first.about}: {_LEAD.sub('', title) or title}",
        over=over,
        kind="provider_incident",
        severity=lead,
        said_at=last.at,
        starts_at=first.at,
        labels={"provider": "aws", "service": first.about, "zones": _zones(posts)},
        url=_PAGE,
    )
    code = region[1] if region else None
    return status_posts.with_posts(event, posts, area=region_names.area([region_names.spelt("aws", code)]))


def _is_over(item: Item) -> bool:
    return _OVER.match(item.title) is not None or "[RESOLVED]" in item.title


def _key(service: str, at: datetime) -> str:
    return f"{service.lower()}_{int(at.timestamp())}"


def _region_of_arn(arn: object) -> str | None:
    """arn:aws:health:me-central-1::event/… ; the fourth part is empty for what is global."""
    parts = (payload.text_of(arn, 300) or "").split(":")
    return region_names.spelt("aws", parts[3]) if len(parts) >= 6 and parts[3] else None


def _zones(posts: Iterable[Post]) -> str | None:
    """Ids of availability zones (`mec1-az2`) in the posts: ids are everybody's, names differ by account."""
    return ", ".join(sorted({zone for post in posts for zone in _ZONE.findall(post.text)})) or None
