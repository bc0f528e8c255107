"""Checkly's webhook by its default body, which every check's alert fills in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from incidents.formats import monitors, placeholders
from incidents.model import Delivery, Severity, Statement
from incidents.proofs import signatures

VERSION = 1
TITLE = "Checkly"
READS = ("checkly",)
VERIFIES = "X-Checkly-Signature, HMAC-SHA256, or bearer key"
TIMEOUT = timedelta(hours=24)
SETUP = {
    "snippets": [
        {
            "title": "Alert channel of type Webhook",
            "language": "json",
            "text": """\
{
  "url": "{url}",
  "headers": {"Authorization": "Bearer {key}"},
  "body": {
    "event": "{{ALERT_TITLE}}", "alert_type": "{{ALERT_TYPE}}",
    "check_name": "{{CHECK_NAME}}", "check_id": "{{CHECK_ID}}", "check_type": "{{CHECK_TYPE}}",
    "group_name": "{{GROUP_NAME}}", "check_error_message": "{{CHECK_ERROR_MESSAGE}}",
    "run_location": "{{RUN_LOCATION}}", "started_at": "{{STARTED_AT}}",
    "ssl_days_remaining": "{{SSL_DAYS_REMAINING}}", "ssl_check_domain": "{{SSL_CHECK_DOMAIN}}",
    "tags": "{{TAGS}}", "link": "{{RESULT_LINK}}"
  }
}
""",
            "note": "Send failure, degradation and recovery. With the webhook's secret as the source's secret the "
            "signature is checked and the header can be left out.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "tries five times more, 20 s apart"],
        [
            "On 5xx",
            "tries five times more, 20 s apart; a failure may then arrive after its recovery, and is put in order",
        ],
        ["Repeats", "as …_REMAIN; repeats change nothing here"],
        ["Resolved", "sent as ALERT_RECOVERY and ALERT_DEGRADED_RECOVERY"],
        ["Time zone", "UTC"],
    ],
}

_DEGRADED = {"alert_degraded", "alert_degraded_remain", "alert_failure_degraded"}
_FAILED = {"alert_failure", "alert_failure_remain", "alert_degraded_failure", "alert_ssl"}
_TYPES = {
    **dict.fromkeys(sorted(_FAILED | _DEGRADED), False),
    **dict.fromkeys(("alert_recovery", "alert_degraded_recovery"), True),
    "no_alert": None,
}


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """X-Checkly-Signature is the hex HMAC of the raw body."""
    return signatures.is_signed(delivery.body, signatures.offered(delivery.headers.get("x-checkly-signature")), secrets)


def proof(delivery: Delivery) -> signatures.Proof:
    """The header's time is not signed, but a check that fails twice may send the same words twice."""
    return signatures.untimed(delivery, "x-checkly-timestamp")


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the check's id, which later failures of the check share; a certificate by itself."""
    sent = placeholders.filled(monitors.object_in(delivery, "a Checkly message"))
    said = {name.casefold(): value for name, value in sent.items()}
    kind = monitors.word(said.get("alert_type")).casefold()
    over = monitors.state_of(said.get("alert_type"), _TYPES, "alert_type")
    if over is None:
        return []
    at = monitors.instant(said.get("started_at"), "started_at", delivery)
    certificate, degraded = kind == "alert_ssl", kind in _DEGRADED
    event = monitors.event_of(
        delivery,
        key=monitors.key_from(said.get("check_id"), "certificate" if certificate else None),
        title=None
        if over
        else f"{monitors.word(said.get('check_name'), default='Check without a name')} {_turn(certificate, degraded)}",
        over=over,
        severity=Severity.WARNING if certificate or degraded else monitors.down(over),
        said_at=monitors.moment(delivery.headers.get("x-checkly-timestamp"), delivery) or at,
        starts_at=at if kind in {"alert_failure", "alert_degraded"} else None,
        ends_at=at if over else None,
        timeout=TIMEOUT if certificate else None,
        labels={
            "check": said.get("check_name"),
            "check_type": said.get("check_type"),
            "group": said.get("group_name"),
            "region": said.get("run_location") or said.get("region"),
            "host": said.get("ssl_check_domain"),
            **monitors.tags_of(said.get("tags")),
        },
        url=said.get("link"),
        text=said.get("check_error_message") or said.get("event"),
    )
    return [event]


def _turn(certificate: bool, degraded: bool) -> str:
    return "certificate expires" if certificate else "is degraded" if degraded else "fails"
