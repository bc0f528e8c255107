"""Amazon SNS's HTTPS subscription: CloudWatch alarms, AWS Health events and plain text in its envelope."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from incidents.formats import aws_notices, monitors, payload
from incidents.model import Delivery, Event, Statement, UnrecognisedError
from incidents.proofs import certificates

VERSION = 1
TITLE = "Amazon SNS"
READS = ("aws-sns", "aws-cloudwatch-sns")
VERIFIES = "bearer key, or Signature under certificates given as secrets"
REPLY = 200
TIMEOUT = timedelta(hours=1)
"""How long a plain message is taken to be on: nothing will say that it is over."""
SETUP = {
    "snippets": [
        {
            "title": "AWS CLI",
            "language": "shell",
            "text": """\
aws sns subscribe --topic-arn arn:aws:sns:eu-west-1:123456789012:alarms \\
  --protocol https --notification-endpoint {url}/{key}
""",
            "note": "SNS sends no header of ours, so the key stands in the address. Or leave it out and give the"
            " source the certificate of SNS as its `secret_file`: the signature is checked then, nothing is fetched.",
        },
        {
            "title": "Confirm the subscription",
            "language": "shell",
            "text": """\
# The delivery that has just arrived holds the Token; we never open its SubscribeURL ourselves.
aws sns confirm-subscription --topic-arn arn:aws:sns:eu-west-1:123456789012:alarms --token TOKEN
""",
        },
        {
            "title": "The certificate, for signatures in place of the key",
            "language": "shell",
            "text": """\
# A message's SigningCertURL names it; take it only from https://sns.REGION.amazonaws.com/ (or .com.cn)
curl -fsS https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-NAME.pem >> sns.pem
openssl x509 -in sns.pem -noout -subject -issuer -dates
""",
            "note": '`secret_file = "sns.pem"` in the source\'s table; append the next one before the first expires.',
        },
        {
            "title": "Terraform",
            "language": "hcl",
            "text": """\
resource "aws_sns_topic_subscription" "barograph" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "https"
  endpoint  = "{url}/{key}"
}
resource "aws_cloudwatch_metric_alarm" "cpu" {
  # …
  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}
""",
            "note": "Without ok_actions an alarm never says that it is over.",
        },
    ],
    "facts": [
        ["On 2xx", "delivered"],
        ["On 4xx", "counts as delivered too: the message is lost; we answer 4xx only for a wrong key or source"],
        ["On 5xx", "three more tries, 20 s apart; a delivery policy can ask for up to 100"],
        ["Repeats", "the same MessageId; repeats change nothing here"],
        ["Resolved", "state OK, where the alarm has ok_actions; plain text is taken to last an hour"],
        ["Handshake", "SubscriptionConfirmation is kept and not followed: confirm it yourself"],
        ["Time zone", "UTC"],
    ],
}
_HANDSHAKES = {"SubscriptionConfirmation", "UnsubscribeConfirmation"}


verify = certificates.is_signed_by_sns
proof = certificates.proof


def normalise(delivery: Delivery) -> list[Statement]:
    """The events of the envelope's message, of each envelope that a Lambda function passes on, or of a raw message."""
    body = monitors.object_in(delivery, "an SNS message")
    records = [payload.object_of(payload.object_of(r).get("Sns")) for r in payload.list_of(body.get("Records"))]
    if not records and "Type" not in body:
        events = aws_notices.events_of(body, delivery)
        if events is None:
            raise UnrecognisedError("neither an SNS envelope nor a message of CloudWatch or AWS Health")
        return list(events)
    return [event for envelope in records or [body] for event in _events(envelope, delivery)]


def _events(envelope: Mapping[str, Any], delivery: Delivery) -> list[Event]:
    if payload.text_of(envelope.get("Type")) in _HANDSHAKES:
        return []
    message = envelope.get("Message")
    if envelope.get("Type") != "Notification" or not isinstance(message, str):
        raise UnrecognisedError("an SNS envelope without a Notification's Message")
    inner = _inner(message)
    topic = (payload.text_of(envelope.get("TopicArn")) or "").split(":")
    region, account, name = topic[3:] if len(topic) == 6 else ("", "", "")
    events = aws_notices.events_of(inner, delivery, region) if inner else None
    if events is not None:
        return events
    labels = {"region": region, "account": account, "topic": name}
    return [_plain(envelope, message, labels, delivery)]


def _inner(message: str) -> Mapping[str, Any] | None:
    try:
        return payload.object_of(payload.decode(message.encode(errors="replace")))
    except UnrecognisedError:
        return None


def _plain(envelope: Mapping[str, Any], message: str, labels: Mapping[str, str], delivery: Delivery) -> Event:
    at = monitors.instant(envelope.get("Timestamp"), "Timestamp", delivery)
    return monitors.event_of(
        delivery,
        key=envelope.get("MessageId"),
        title=monitors.first(envelope, "Subject") or message.strip().partition("\n")[0],
        over=False,
        starts_at=at,
        timeout=TIMEOUT,
        final=True,
        labels=labels,
        text=message,
        group=envelope.get("TopicArn"),
    )
