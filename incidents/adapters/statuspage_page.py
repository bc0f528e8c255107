"""Any Atlassian Statuspage, read from its public page: incidents and maintenances of an upstream provider."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from incidents.formats import monitors, payload
from incidents.formats.statuspages import incident_of
from incidents.model import Credit, Delivery, Request, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "Statuspage (a provider's page)"
READS = ("statuspage-page", "cloudflare-status", "github-status")
EVERY = timedelta(minutes=2)
LANES = ("providers",)
CREDIT = Credit(
    "The provider's own status page", "the provider's text; quoted with its source", "https://statuspage.io"
)
SETUP = {
    "snippets": [
        {
            "title": "Cloudflare",
            "language": "toml",
            "text": """\
[[sources]]
name = "cloudflare-status"
adapter = "statuspage_page"
url = "https://www.cloudflarestatus.com"
""",
        },
        {
            "title": "GitHub",
            "language": "toml",
            "text": """\
[[sources]]
name = "github-status"
adapter = "statuspage_page"
url = "https://www.githubstatus.com"
""",
            "note": "Any page that is made with Statuspage, and incident.io's pages, which answer in the same way.",
        },
    ],
    "facts": [
        ["Asked", "`/api/v2/incidents.json` and `/api/v2/scheduled-maintenances.json`, every 2 minutes"],
        ["Key", "none"],
        ["Limits", "the newest 50 incidents and no older page; the page's own terms hold"],
        ["Known as", "the page's id of the incident, as the webhook `statuspage` has it"],
        ["Start", "`started_at` is what the provider claims; it may be set back, and that is shown"],
        ["Regions", "read from components that name one: `cloudflare:LHR`, `aws:us-east-1`; others have none"],
        ["Components", "a component's own state is not read: it has no time"],
    ],
}
_PATHS = ("incidents.json", "scheduled-maintenances.json")


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - one page for all sites
    """The page's two documents; an `url` that is a document itself is asked for as it is."""
    if not source.url:
        return []
    if source.url.endswith(".json"):
        return [Request(source.url)]
    return [Request(f"{source.url.rstrip('/').removesuffix('/api/v2')}/api/v2/{path}") for path in _PATHS]


def normalise(delivery: Delivery) -> list[Statement]:
    """A provider incident for each incident and maintenance of incidents.json, summary.json and their kin."""
    document = monitors.object_in(delivery, "a document of a Statuspage")
    if not {"incidents", "scheduled_maintenances"} & set(document):
        raise UnrecognisedError("not a document of a Statuspage: neither incidents nor scheduled_maintenances")
    page = payload.object_of(document.get("page"))
    found = [*payload.list_of(document.get("incidents")), *payload.list_of(document.get("scheduled_maintenances"))]
    return monitors.several(found, lambda one: incident_of(payload.object_of(one), page, delivery), "incident")
