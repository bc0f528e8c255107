"""Hand-made views of the pages around incidents on one hot day in London: Now, sources, quarantine, set-up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from incidents.model import (
    Members,
    Moment,
    Severity,
)
from incidents.views.now_view import NowView, SiteStrip
from incidents.views.source_view import QuarantineRow, SourceHealth
from incidents.views.view import Gap, IncidentRow, Point
from tests.london_views import GOOGLE, INCIDENT, INCIDENT_VIEW, LONDON, ORACLE, SACRAMENTO, WARNING, ZONE, at

NOW = at("16:40")


FRANKFURT_ROW = IncidentRow(
    replace(
        INCIDENT,
        id="2022-07-19-fra",
        title="Frankfurt: queue lag above 10 min",
        status="open",
        severity=Severity.WARNING,
        sites=("fra",),
        opened_at=at("16:15"),
        opened_by="rule:burst-at-site@1",
        acknowledged_at=None,
        mitigated_at=None,
        resolved_at=None,
        links=(),
        members=Members(alerts=5),
    )
)


LONDON_ROW = IncidentRow(replace(INCIDENT, status="mitigated", resolved_at=None), links_proposed=3)


RESOLVED_ROW = IncidentRow(
    replace(
        INCIDENT,
        id="2022-07-12-iad",
        title="Ashburn: API latency",
        severity=Severity.ERROR,
        opened_at=at("01:00", 12),
        resolved_at=Moment(at("03:20", 12)),
    )
)


def source(name: str, minutes: float | None = 1, **fields: object) -> SourceHealth:
    given = {
        "adapter": "alertmanager",
        "kind": "webhook",
        "owner": "file",
        "deliveries": 1204,
        "quarantined": 0,
        "unread": 0,
        "refused": 0,
        "losses": 0,
        "last_received_at": None if minutes is None else NOW - timedelta(minutes=minutes),
        "keys": ("bk_7Qm4",),
        **fields,
    }
    return SourceHealth(name=name, **given)  # type: ignore[arg-type]  # keyword table


SOURCES = (
    source("alertmanager-eu", 0.07),
    source("bms-lon", 0.6),
    source("ukmo-warnings", 2, kind="feed", adapter="ukmo"),
    source(
        "oci-status",
        1,
        kind="feed",
        adapter="statuspage",
        gaps=(Gap("providers", "oci-status", at("4:30"), at("5:00")),),
        quarantined=2,
    ),
    source("nws", 1, kind="feed", adapter="nws_alerts", gaps=(Gap("warnings", "nws", at("22:10", 18), at("0:40")),)),
    source(
        "elexon-notices",
        42,
        kind="feed",
        adapter="elexon",
        gaps=(Gap("grid", "elexon-notices", at("11:00"), at("12:10")), Gap("grid", "elexon-notices", at("15:58"), NOW)),
    ),
)


NOW_VIEW = NowView(
    now=NOW,
    zone=ZONE,
    since=NOW - timedelta(hours=24),
    open=(LONDON_ROW, FRANKFURT_ROW),
    recent=(RESOLVED_ROW,),
    strips=(
        SiteStrip(LONDON, INCIDENT_VIEW.bars[:3], None, (), Point(NOW, 38.0), "observed", 35.0),
        SiteStrip(
            SACRAMENTO,
            (),
            None,
            (Gap("weather", "nws", at("22:10", 18), at("0:40")),),
            Point(NOW, 24.4),
            "observed",
            43.0,
        ),
    ),
    providers=(GOOGLE, ORACLE),
    hazards=(WARNING,),
    sources=SOURCES,
    sites=(LONDON, SACRAMENTO),
    last_event_at=NOW - timedelta(seconds=4),
)


EMPTY_NOW = replace(
    NOW_VIEW, open=(), recent=(), strips=(), providers=(), hazards=(), sources=(), sites=(), last_event_at=None
)


QUARANTINE = (
    QuarantineRow(
        "01G8BT3M0000000000000000Q1",
        "oci-status",
        at("12:00"),
        "not a feed: the body is an HTML page <title>Sign in</title>",
        18211,
    ),
    QuarantineRow("01G8BT3M0000000000000000Q2", "oci-status", at("12:05"), "not a feed: the body is empty", 0),
)


ADAPTERS = (
    {
        "name": "alertmanager",
        "version": 1,
        "kind": "webhook",
        "title": "Alertmanager",
        "reads": ["alertmanager"],
        "verifies": "bearer key",
    },
    {
        "name": "nws_alerts",
        "version": 3,
        "kind": "feed",
        "title": "US weather alerts",
        "reads": ["nws"],
        "verifies": "nothing: we fetch it",
    },
)


SETUP = {
    "snippets": [
        {
            "title": "alertmanager.yml",
            "language": "yaml",
            "text": "receivers:\n  - name: barograph\n    webhook_configs:\n      - url: {url}\n"
            "        send_resolved: true\n        http_config:\n"
            "          authorization:\n            credentials: {key}\n",
            "note": "Then add receiver: barograph with continue: true as the first route, and reload.",
        }
    ],
    "facts": [
        ("On 2xx", "moves on"),
        ("On 4xx", "drops the notification for good"),
        ("On 5xx", "tries again until the group interval ends"),
    ],
}
