"""Reads a transcript of any of the formats that are known, by its name or by what it looks like. Pure."""

from __future__ import annotations

from incidents.transcripts import copied, exports, lists
from incidents.transcripts.clocks import Clock
from incidents.transcripts.message import MOST, Transcript

FORMATS = {
    "auto": "Find out",
    "slack": "Slack: export or copied",
    "teams": "Teams: export or copied",
    "list": "A list with times",
}
MOST_BYTES = 2 * 1024 * 1024


def read(text: str, form: str, clock: Clock) -> Transcript:
    """What a text holds. Raises ValueError for one that is too long, or of no format that is known."""
    if form not in FORMATS:
        raise ValueError(f"format: one of {', '.join(FORMATS)} is expected")
    if len(text.encode(errors="surrogatepass")) > MOST_BYTES:
        raise ValueError(f"text: larger than {MOST_BYTES // 1024 // 1024} MiB")
    found = _read(text, form, clock)
    for one in found.messages[MOST:]:
        found.leave_out(one.line, one.text, f"is beyond the first {MOST:,} messages: import the rest in another turn")
    del found.messages[MOST:]
    return found


def _read(text: str, form: str, clock: Clock) -> Transcript:
    document = None if form == "list" else exports.document_of(text)
    if document is not None:
        found = exports.read(document)
        if found is None:
            raise ValueError("text: is JSON, but neither an export of Slack nor messages of Microsoft Graph")
        return found
    if form == "list" or (form == "auto" and _is_list(text)):
        return lists.read(text, clock)
    return copied.read(text, clock, "chat" if form == "auto" else form)


def _is_list(text: str) -> bool:
    """Whether more lines begin with a time than speakers are named."""
    return sum(lists.is_line(line) for line in text.splitlines()) > copied.headers(text)
