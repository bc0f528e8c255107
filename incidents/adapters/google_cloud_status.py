"""Google Cloud's service health: `incidents.json` of status.cloud.google.com, a provider incident for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from incidents.formats import monitors, payload, status_posts
from incidents.geography import region_names
from incidents.model import Credit, Delivery, Event, Request, Severity, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "Google Cloud status"
READS = ("gcp",)
EVERY = timedelta(minutes=2)
LANES = ("providers",)
CREDIT = Credit(
    "Google Cloud Service Health", "Google's text; quoted with its source", "https://status.cloud.google.com"
)
SETUP = {
    "snippets": [
        {
            "title": "Google Cloud",
            "language": "toml",
            "text": """\
[[sources]]
name = "google-cloud-status"
adapter = "google_cloud_status"
""",
        },
    ],
    "facts": [
        ["Asked", "`https://status.cloud.google.com/incidents.json`, every 2 minutes"],
        ["Key", "none"],
        ["Limits", "a rolling window of recent incidents; what was read stays here when it leaves the window"],
        ["Regions", "`gcp:europe-west2`, a zone as `gcp:europe-west2-a`; after the end those that were affected"],
        ["Start", "`begin` is the start of the impact on customers; its physical trigger may be earlier"],
        ["One event, many incidents", "Google writes one incident for each group of products"],
        ["Times in texts", "US/Pacific, sometimes headed PST in summer"],
    ],
}
_URL = "https://status.cloud.google.com/incidents.json"
_SEVERITIES = {"low": Severity.WARNING, "medium": Severity.ERROR, "high": Severity.CRITICAL}


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - one document for all sites
    """The one document of all incidents."""
    return [Request(source.url or _URL)]


def normalise(delivery: Delivery) -> list[Statement]:
    """A provider incident for each of the list, perhaps none."""
    found = payload.decode(delivery.body)
    if not isinstance(found, list):
        raise UnrecognisedError("not Google Cloud's incidents.json: the body is no list")
    return monitors.several(found, lambda one: _incident(payload.object_of(one), delivery), "incident")


def _incident(incident: Mapping[str, Any], delivery: Delivery) -> Event:
    ends_at = monitors.instant(incident.get("end"), "end", delivery)
    products = [payload.object_of(one).get("title") for one in payload.list_of(incident.get("affected_products"))]
    places = [
        payload.object_of(place).get("id")
        for name in ("currently_affected_locations", "previously_affected_locations")
        for place in payload.list_of(incident.get(name))
    ]
    uri, key = payload.text_of(incident.get("uri"), 300), incident.get("id")
    event = monitors.event_of(
        delivery,
        key=key,
        title=monitors.first(incident, "external_desc", "service_name"),
        over=ends_at is not None,
        kind="provider_incident",
        severity=status_posts.severity_of(incident.get("severity"), _SEVERITIES),
        said_at=monitors.instant(incident.get("modified"), "modified", delivery),
        starts_at=monitors.instant(incident.get("begin"), "begin", delivery),
        ends_at=ends_at,
        labels={
            "provider": "gcp",
            "product": status_posts.joined(products),
            "impact": incident.get("status_impact"),
            "posted_at": incident.get("created"),
        },
        url=f"https://status.cloud.google.com/{uri.lstrip('/')}" if uri else None,
    )
    posts = status_posts.posts_of(payload.list_of(incident.get("updates")), ("when", "created"), "text", delivery)
    return status_posts.with_posts(event, posts, area=region_names.area(region_names.spelt("gcp", p) for p in places))
