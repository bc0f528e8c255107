"""Conversations as Slack and Microsoft Graph export them, in JSON. Pure.

Slack: an export's file of a day, or an answer of `conversations.history` or `conversations.replies`
(https://docs.slack.dev/reference/events/message). Teams: `chatMessage` of Microsoft Graph, in `value`, with `replies`
(https://learn.microsoft.com/graph/api/resources/chatmessage). Times are the chats' own instants.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Any

import orjson

from incidents import instants
from incidents.transcripts.message import Message, Transcript

_TS = re.compile(r"\d{9,11}(?:\.\d{1,6})?")
_MARKUP = re.compile(r"<([^<>\n]{1,2000})>")
_NOT_SAID = ("channel_", "group_", "reminder", "pinned_item", "unpinned_item", "bot_add", "bot_remove", "huddle_thread")
LONGEST_BODY = 200_000
"""Characters of a message's HTML; Teams takes some 28,000."""
_BLOCKS = frozenset({"p", "div", "br", "li", "tr", "blockquote", "pre", "h1", "h2", "h3"})


def document_of(text: str) -> Any:  # noqa: ANN401  # JSON, or None
    """The JSON of an export; None where the text is none."""
    if text.lstrip("\ufeff \t\r\n")[:1] not in ("[", "{"):
        return None
    try:
        return orjson.loads(text.lstrip("\ufeff"))
    except orjson.JSONDecodeError:
        return None


def read(document: Any) -> Transcript | None:  # noqa: ANN401  # JSON
    """What an export holds; None where it is neither Slack's nor Graph's."""
    items = list(_items(document))
    if any("createdDateTime" in item for item in items):
        return _teams(items)
    if any("ts" in item or "deleted_ts" in item for item in items):
        return _slack(items, _names(document, items))
    return None


def _items(document: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401  # JSON
    """Messages with the replies that hang on them, each once, in the order of the export."""
    if isinstance(document, Mapping):
        inner = next((document[key] for key in ("messages", "value") if isinstance(document.get(key), list)), None)
        if inner is not None:
            yield from _items(inner)
            return
        yield document
        replies = document.get("replies")
        yield from _items([r for r in replies if isinstance(r, Mapping) and len(r) > 2] if replies else [])
    elif isinstance(document, list):
        for one in document:
            if isinstance(one, Mapping):
                yield from _items(one)


# --- Slack ----------------------------------------------------------------------------------------------------------


def _slack(items: list[Mapping[str, Any]], names: Mapping[str, str]) -> Transcript:
    found, gone = Transcript("slack"), {str(item["deleted_ts"]) for item in items if item.get("deleted_ts")}
    for n, outer in enumerate(items, 1):
        changed = outer.get("subtype") == "message_changed" and isinstance(outer.get("message"), Mapping)
        item = {**outer["message"], "edited": True} if changed else outer
        text, ts = _slack_text(item, names), str(item.get("ts", ""))
        if reason := _slack_objection(item, ts, text, gone):
            found.leave_out(n, text or str(item.get("subtype") or item.get("type") or "an item"), reason)
            continue
        at = datetime.fromtimestamp(0, UTC) + _seconds(ts)
        found.messages.append(
            Message(at, text, n, _slack_speaker(item, names), key=ts, edited=bool(item.get("edited")))
        )
    return _in_order(found)


def _slack_objection(item: Mapping[str, Any], ts: str, text: str, gone: set[str]) -> str | None:
    subtype = str(item.get("subtype") or "")
    if subtype in ("message_deleted", "tombstone") or ts in gone or (item.get("hidden") is True and not text):
        return "was deleted in the chat"
    if item.get("type", "message") != "message" or subtype.startswith(_NOT_SAID):
        return "a line of the chat's own, not a message"
    if not _TS.fullmatch(ts):
        return "has no time"
    return None if text else "has no words: a picture or a file"


def _seconds(ts: str) -> timedelta:
    whole, _, fraction = ts.partition(".")
    return timedelta(seconds=int(whole), microseconds=int(fraction.ljust(6, "0") or 0))


def _slack_speaker(item: Mapping[str, Any], names: Mapping[str, str]) -> str:
    user = str(item.get("user") or "")
    profile = item.get("bot_profile")
    by_bot = item.get("username") or (profile.get("name") if isinstance(profile, Mapping) else None)
    return str(names.get(user) or by_bot or user or item.get("bot_id") or "somebody")


def _names(document: Any, items: list[Mapping[str, Any]]) -> dict[str, str]:  # noqa: ANN401  # JSON
    """Names of users by their ids: from the profiles beside the messages, and from a list of users."""
    users = document.get("users") if isinstance(document, Mapping) else None
    rows = [(str(u.get("id")), u.get("profile") or u) for u in users or () if isinstance(u, Mapping)]
    rows += [(str(item.get("user")), item.get("user_profile")) for item in items]
    found = {}
    for user, profile in rows:
        if isinstance(profile, Mapping):
            keys = ("display_name", "real_name", "name")
            found[user] = next((str(profile[k]) for k in keys if profile.get(k)), user)
    return found


def _slack_text(item: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The words, with mentions and links as text, and the names of files; emoji stay the codes that they are."""
    text = unescape(_MARKUP.sub(lambda found: _mention(found[1], names), str(item.get("text") or "")))
    files = [f.get("name") or f.get("title") for f in item.get("files") or () if isinstance(f, Mapping)]
    named = [f"[file: {name}]" for name in files if name]
    return "\n".join(part for part in (text.strip(), *named) if part)


def _mention(inner: str, names: Mapping[str, str]) -> str:
    target, _, label = inner.partition("|")
    if target.startswith("@"):
        return f"@{label or names.get(target[1:], target[1:])}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return label or f"@{target[1:].partition('^')[0]}"
    return f"{label} ({target})" if label and label != target else target


# --- Teams ----------------------------------------------------------------------------------------------------------


def _teams(items: list[Mapping[str, Any]]) -> Transcript:
    found = Transcript("teams")
    for n, item in enumerate(items, 1):
        text = _teams_text(item)
        try:
            at = instants.parse(item.get("createdDateTime"))
        except ValueError:
            at = None
        if reason := _teams_objection(item, at, text):
            found.leave_out(n, text or str(item.get("messageType") or "an item"), reason)
            continue
        assert at is not None
        speaker, edited = _teams_speaker(item), bool(item.get("lastEditedDateTime"))
        found.messages.append(Message(at, text, n, speaker, key=str(item.get("id") or ""), edited=edited))
    return _in_order(found)


def _teams_objection(item: Mapping[str, Any], at: datetime | None, text: str) -> str | None:
    if item.get("deletedDateTime"):
        return "was deleted in the chat"
    if item.get("messageType", "message") != "message":
        return "a line of the chat's own, not a message"
    if at is None:
        return "has no time"
    return None if text else "has no words: a picture or a file"


def _teams_speaker(item: Mapping[str, Any]) -> str:
    sender = item.get("from")
    for kind in ("user", "application", "device"):
        one = sender.get(kind) if isinstance(sender, Mapping) else None
        if isinstance(one, Mapping) and one.get("displayName"):
            return str(one["displayName"])
    return "somebody"


def _teams_text(item: Mapping[str, Any]) -> str:
    body = item.get("body")
    content = str(body.get("content") or "") if isinstance(body, Mapping) else ""
    is_html = isinstance(body, Mapping) and body.get("contentType") == "html"
    files = [a.get("name") for a in item.get("attachments") or () if isinstance(a, Mapping)]
    parts = [
        _plain_of(content[:LONGEST_BODY]) if is_html else content.strip(),
        *(f"[file: {name}]" for name in files if name),
    ]
    return "\n".join(part for part in parts if part)


class _Plain(HTMLParser):
    """The words of a message's HTML: mentions as @name, emoji as what they stand for, blocks as lines."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _BLOCKS:
            self.parts.append("\n")
        elif tag == "at":
            self.parts.append("@")
        elif tag in ("emoji", "img"):
            self.parts.append(given.get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS and tag != "br":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _plain_of(html: str) -> str:
    parser = _Plain()
    parser.feed(html)
    parser.close()
    lines = (re.sub(r"[^\S\n]+", " ", line).strip() for line in "".join(parser.parts).split("\n"))
    return re.sub(r"\n{2,}", "\n", "\n".join(lines)).strip()


def _in_order(found: Transcript) -> Transcript:
    found.messages.sort(key=lambda message: (message.at, message.line))
    return found
