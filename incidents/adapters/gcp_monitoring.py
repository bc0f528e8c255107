"""Google Cloud Monitoring's webhook channel, schema versions 1.1 and 1.2."""

from __future__ import annotations

from incidents.formats import labels, monitors, payload, severities
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "Google Cloud Monitoring"
READS = ("gcp-monitoring",)
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "gcloud",
            "language": "shell",
            "text": """\
gcloud beta monitoring channels create --display-name=barograph --type=webhook_basicauth \\
  --channel-labels=url={url},username=barograph,password={key}
""",
            "note": "Then add the channel to the alerting policies, and let them notify on incident closure.",
        },
        {
            "title": "Terraform",
            "language": "hcl",
            "text": """\
resource "google_monitoring_notification_channel" "barograph" {
  display_name = "barograph"
  type         = "webhook_basicauth"
  labels = {
    url      = "{url}"
    username = "barograph"
  }
  sensitive_labels {
    password = "{key}"
  }
}
""",
        },
    ],
    "facts": [
        ["On 2xx", "delivered"],
        ["On 4xx and 5xx", "not documented"],
        ["Repeats", "where the policy repeats notifications; they change nothing here"],
        ["Resolved", "state closed for the same incident_id"],
        ["Test", "version test; kept as a test"],
        ["Time zone", "epoch seconds"],
    ],
}
_STATES = {"open": False, "acknowledged": False, "closed": True}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event for the incident."""
    message = monitors.object_in(delivery, "a Cloud Monitoring notification")
    incident = message.get("incident")
    if not isinstance(incident, dict) or "incident_id" not in incident:
        raise UnrecognisedError("not a Cloud Monitoring notification: it has no incident with an incident_id")
    over = monitors.state_of(incident.get("state"), _STATES, "incident.state") or False
    resource, metric = payload.object_of(incident.get("resource")), payload.object_of(incident.get("metric"))
    metadata, document = payload.object_of(incident.get("metadata")), incident.get("documentation")
    written = document if isinstance(document, str) else payload.object_of(document).get("content")
    name, place = payload.title_of(incident.get("condition_name")), payload.title_of(_place(incident))
    return [
        monitors.event_of(
            delivery,
            key=incident["incident_id"],
            title=f"{name} on {place}"
            if name and place and " on " not in name
            else name or incident.get("policy_name"),
            over=over,
            severity=severities.severity(incident.get("severity")),
            starts_at=monitors.instant(incident.get("started_at"), "incident.started_at", delivery),
            ends_at=monitors.instant(incident.get("ended_at"), "incident.ended_at", delivery),
            final=True,
            test=message.get("version") == "test",
            labels=labels.merged(
                payload.object_of(metadata.get("user_labels")),
                payload.object_of(metric.get("labels")),
                payload.object_of(incident.get("policy_user_labels")),
                payload.object_of(resource.get("labels")),
                {"resource": incident.get("resource_name"), "resource_type": resource.get("type")},
                {"project": incident.get("scoping_project_id"), "metric": metric.get("type")},
                {"policy": incident.get("policy_name")},
            ),
            url=incident.get("url"),
            text="\n\n".join(text for said in (incident.get("summary"), written) if (text := payload.text_of(said))),
            group=incident.get("policy_name"),
        )
    ]


def _place(incident: dict[str, object]) -> object:
    return monitors.first(incident, "resource_display_name", "resource_name")
