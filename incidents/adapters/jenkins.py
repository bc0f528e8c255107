"""Jenkins by its Notification plugin: builds."""

from __future__ import annotations

from datetime import timedelta

from incidents.formats import monitors, payload
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Jenkins"
READS = ("jenkins",)
SETUP = {
    "snippets": [
        {
            "title": "Pipeline, with the Notification plugin",
            "language": "groovy",
            "text": """\
properties([[$class: 'HudsonNotificationProperty', endpoints: [[
  urlInfo: [urlOrId: '{url}/{key}', urlType: 'PUBLIC'],
  protocol: 'HTTP', format: 'JSON', event: 'all', retries: 3, timeout: 30000]]]])
""",
            "note": "Or in a job's page: Job Notifications → Add Endpoint, with the same values.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "tries again as often as the endpoint's retries say, which is never by default"],
        ["On 5xx", "tries again as often as the endpoint's retries say, which is never by default"],
        ["Repeats", "one build speaks several times, once for each phase"],
        ["Resolved", "a build ends with the phase COMPLETED"],
        ["Time zone", "epoch milliseconds, in newer versions of the plugin"],
    ],
}

_PHASES = {"queued": False, "started": False, "completed": True, "finalized": True, "finished": True}
_GRAVITY = {"FAILURE": Severity.ERROR, "UNSTABLE": Severity.WARNING, "ABORTED": Severity.WARNING}


def normalise(delivery: Delivery) -> list[Statement]:
    """One change by the build's address, or by the job's name and the build's number."""
    said = monitors.object_in(delivery, "a message of the Notification plugin")
    build = payload.object_of(said.get("build"))
    if not build:
        raise UnrecognisedError("not a message of the Notification plugin: it has no build")
    phase, status = build.get("phase"), payload.title_of(build.get("status"))
    over = bool(monitors.state_of(phase, _PHASES, "build.phase"))
    starts_at = monitors.instant(build.get("timestamp"), "build.timestamp", delivery)
    length = payload.number_of(build.get("duration"))
    ends_at = None
    if starts_at and length and 0 < length < 10**11:
        ends_at = monitors.shifted(starts_at, timedelta(milliseconds=length))
    source, name = payload.object_of(build.get("scm")), monitors.first(said, "display_name", "name")
    event = monitors.event_of(
        delivery,
        key=monitors.first(build, "full_url", "url") or monitors.key_from(said.get("name"), build.get("number")),
        kind="change",
        title=f"Build {monitors.word(build.get('number'))} of {monitors.word(name, default='a job')}",
        over=over,
        severity=_GRAVITY.get(status or "", Severity.INFO),
        starts_at=starts_at,
        ends_at=ends_at if over else None,
        final=True,
        labels={
            "job": name,
            "service": name,
            "state": status or phase,
            "ref": source.get("branch"),
            "sha": source.get("commit"),
        },
        url=build.get("full_url"),
        text=build.get("notes"),
    )
    return [event]
