"""Amazon EventBridge, and CloudWatch's calls of Lambda functions: alarms and AWS Health events as they come."""

from __future__ import annotations

from incidents.formats import aws_notices, monitors, payload
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "Amazon EventBridge"
READS = ("aws-eventbridge-cloudwatch", "aws-cloudwatch-lambda", "aws-health")
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "AWS CLI",
            "language": "shell",
            "text": """\
aws events create-connection --name barograph --authorization-type API_KEY \\
  --auth-parameters 'ApiKeyAuthParameters={ApiKeyName=X-Api-Key,ApiKeyValue={key}}'
aws events create-api-destination --name barograph --connection-arn CONNECTION_ARN \\
  --http-method POST --invocation-endpoint {url}
aws events put-rule --name barograph --event-pattern '{
  "source": ["aws.cloudwatch", "aws.health"],
  "detail-type": ["CloudWatch Alarm State Change", "AWS Health Event"]}'
aws events put-targets --rule barograph --targets Id=barograph,Arn=API_DESTINATION_ARN,RoleArn=ROLE_ARN
""",
            "note": "Each region has a rule of its own; AWS Health speaks of global services in us-east-1.",
        },
        {
            "title": "Terraform",
            "language": "hcl",
            "text": """\
resource "aws_cloudwatch_event_connection" "barograph" {
  name               = "barograph"
  authorization_type = "API_KEY"
  auth_parameters {
    api_key {
      key   = "X-Api-Key"
      value = "{key}"
    }
  }
}
resource "aws_cloudwatch_event_api_destination" "barograph" {
  name                = "barograph"
  invocation_endpoint = "{url}"
  http_method         = "POST"
  connection_arn      = aws_cloudwatch_event_connection.barograph.arn
}
""",
        },
    ],
    "facts": [
        ["On 2xx", "delivered; the answer must come within 5 s"],
        ["On 4xx", "drops the event, or puts it into the rule's dead-letter queue (401, 407, 409, 429: tries again)"],
        ["On 5xx", "tries again for up to 24 hours"],
        ["Repeats", "at least once; repeats change nothing here"],
        ["Resolved", "state OK; statusCode closed or an endTime of AWS Health"],
        ["Time zone", "UTC"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """The events of one EventBridge event, or of each of a list of them."""
    body = payload.decode(delivery.body)
    notices = [payload.object_of(notice) for notice in body] if isinstance(body, list) else [payload.object_of(body)]
    read = [aws_notices.events_of(notice, delivery) for notice in notices]
    if None in read:
        kind = payload.title_of(monitors.first(notices[read.index(None)], "detail-type"), 80)
        raise UnrecognisedError(f"neither an alarm's state nor an AWS Health event: detail-type {kind}")
    return [event for events in read for event in events or []]
