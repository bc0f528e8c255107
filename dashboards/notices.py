"""What notices look like: the body of a webhook, the message of a chat, and the page that shows what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import orjson

from dashboards import words
from dashboards.paper import signed_in
from incidents import instants
from incidents.notices.destinations import MOST_ATTEMPTS, WHAT, DestinationHealth, Notice
from incidents.views.view import Viewer

TITLE = 150
"""Characters of a title in a chat: Slack's own bound for a header."""
VERBS = {"opened": "opened", "status_changed": "now {status}", "resolved": "resolved", "test": "test"}
_COLOURS = {"critical": ":red_circle:", "error": ":large_orange_circle:", "warning": ":large_yellow_circle:"}
_RESOLVED, _OTHER = ":white_check_mark:", ":white_circle:"


def webhook(notice: Notice, address: str) -> bytes:
    """The JSON of a webhook, as Standard Webhooks lay it out: type, timestamp, data."""
    facts = dict(notice.facts)
    was = facts.pop("was", None)
    data = {"text": facts["title"]} if notice.what == "test" else {"incident": facts | _link(notice, address)}
    body = {
        "type": "test" if notice.what == "test" else f"incident.{notice.what}",
        "timestamp": instants.text(notice.recorded_at),
        "data": data | ({"was": was} if was else {}),
    }
    return orjson.dumps(body)


def slack(notice: Notice, address: str) -> bytes:
    """A message of Slack's incoming webhooks: blocks, and the text that notifications and plain receivers show."""
    title = escaped(words.plain(notice.title, TITLE))
    if notice.what == "test":
        return orjson.dumps({"text": title})
    url = _link(notice, address).get("url")
    verb = VERBS[notice.what].format(status=notice.facts["status"])
    head = f"{_mark(notice)} *{f'<{escaped(url)}|{title}>' if url else title}*: {verb}"
    return orjson.dumps(
        {
            "text": f"{title}: {verb}",
            "blocks": [
                {"type": "section", "text": {"type": "mrkdwn", "text": head}},
                {"type": "context", "elements": [{"type": "mrkdwn", "text": _beside(notice)}]},
            ],
        }
    )


def escaped(text: str) -> str:
    """Text as Slack wants it: three characters as entities, and nothing of it can be a link, a mention or a channel.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _mark(notice: Notice) -> str:
    return _RESOLVED if notice.what == "resolved" else _COLOURS.get(str(notice.facts["severity"]), _OTHER)


def _beside(notice: Notice) -> str:
    facts = notice.facts
    sites = ", ".join(words.plain(str(site), 60) for site in facts["sites"][:5])
    opened = instants.parse(facts["opened_at"])
    parts = [
        facts["severity"],
        facts["status"],
        escaped(sites),
        words.count(int(facts["alerts"]), "alert"),
        f"opened {_date(opened)}" if opened else "",
        f"owner {escaped(words.plain(str(facts['owner']), 60))}" if facts.get("owner") else "",
        facts["id"],
    ]
    return " · ".join(part for part in parts if part)


def _date(at: datetime) -> str:
    """An instant that Slack shows in each reader's zone, with what shows where it does not."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{words.instant_at(at, 'UTC')} UTC>"


def _link(notice: Notice, address: str) -> dict[str, str]:
    return {"url": f"{address}/incidents/{notice.incident}"} if address else {}


def destinations_page(
    health: Sequence[DestinationHealth],
    notices: Sequence[Notice],
    viewer: Viewer,
    *,
    now: datetime,
    state: str | None,
    next_cursor: str | None,
) -> str:
    """Each destination with how it answers, and what was sent, newest first."""
    return signed_in(
        "destinations.html",
        viewer,
        now,
        health=health,
        notices=notices,
        now=now,
        state=state,
        next_cursor=next_cursor,
        every=WHAT,
        most=MOST_ATTEMPTS,
        verb=lambda notice: VERBS[notice.what].format(status=notice.facts.get("status", "")),
    )
