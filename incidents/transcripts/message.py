"""What a transcript holds: messages, and the lines that are none with the reason. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

MOST = 1000
"""Most messages of one transcript."""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that somebody said, or that a list tells without a speaker.

    `key` is the chat's own id where it gives one; `line` counts from 1, or is the place in an export. `notes` says what
    was settled about its time that its words leave open.
    """

    at: datetime
    text: str
    line: int
    speaker: str = ""
    until: datetime | None = None
    key: str = ""
    edited: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unread:
    """A line, or an item of an export, that is no message or could not be read as one."""

    line: int
    text: str
    reason: str


@dataclass(slots=True)
class Transcript:
    """What was read: `origin` is `slack`, `teams`, `chat` or `list`."""

    origin: str
    messages: list[Message] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    """What was taken for granted of the whole."""

    def leave_out(self, line: int, text: str, reason: str) -> None:
        """List something that is not imported."""
        self.unread.append(Unread(line, text.strip()[:200], reason))

    def assume(self, what: str) -> None:
        """Say once what was taken for granted."""
        if what not in self.assumed:
            self.assumed.append(what)


def identities(transcript: Transcript) -> list[str]:
    """What tells each message from all others, the same whenever it is read again.

    A chat's own id where there is one; else time, speaker and words, and which one it is of several that are equal.
    """
    seen: dict[str, int] = {}
    found = []
    for message in transcript.messages:
        said = f"{message.at.isoformat()}|{message.until}|{message.speaker}|{message.text}"
        digest = hashlib.sha256((message.key or said).encode(errors="surrogatepass")).hexdigest()[:32]
        identity = f"{transcript.origin}|{digest}"
        seen[identity] = seen.get(identity, 0) + 1
        found.append(identity if seen[identity] == 1 or message.key else f"{identity}|{seen[identity]}")
    return found
