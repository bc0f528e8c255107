"""AWS in public: open events from `currentevents` (UTF-16), and their ends from the RSS feed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from incidents.formats import aws_posts, payload, status_posts
from incidents.model import Credit, Delivery, Request, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "AWS status"
READS = ("aws",)
EVERY = timedelta(minutes=2)
LANES = ("providers",)
CREDIT = Credit("AWS Health Dashboard", "Amazon's text; quoted with its source", "https://health.aws.amazon.com")
SETUP = {
    "snippets": [
        {
            "title": "AWS",
            "language": "toml",
            "text": """\
[[sources]]
name = "aws-status"
adapter = "aws_status"
""",
        },
        {
            "title": "One service in one region",
            "language": "toml",
            "text": """\
[[sources]]
name = "aws-ec2-us-east-1"
adapter = "aws_status"
url = "https://status.aws.amazon.com/rss/ec2-us-east-1.rss"
""",
        },
    ],
    "facts": [
        [
            "Asked",
            "`https://health.aws.amazon.com/public/currentevents` and `https://status.aws.amazon.com/rss/all.rss`",
        ],
        ["Key", "none; the account's own events need the AWS Health API or EventBridge: adapter `aws_eventbridge`"],
        ["Limits", "open events only; AWS takes them down without a word, and some stay for months"],
        ["Known as", "service, region and the second of the first post, in both documents: `ec2-us-east-1_1772369485`"],
        ["End", "a post of the RSS feed that says so; absence is no end"],
        ["Regions", "`aws:us-east-1`; zones by their ids (`use1-az4`) in the label `zones`"],
        ["Times in texts", "PST and PDT"],
    ],
}
_URLS = ("https://health.aws.amazon.com/public/currentevents", "https://status.aws.amazon.com/rss/all.rss")


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - one document for all sites
    """The open events and the feed of all posts."""
    return [Request(url) for url in ([source.url] if source.url else _URLS)]


def normalise(delivery: Delivery) -> list[Statement]:
    """A provider incident for each event of either document, perhaps none."""
    if delivery.body.lstrip()[:1] == b"<":
        return aws_posts.feed(status_posts.feed_items(delivery.body), delivery)
    found = payload.decode(delivery.body)
    if not isinstance(found, list):
        raise UnrecognisedError("not AWS's currentevents: the body is no list")
    return aws_posts.current(found, delivery)
