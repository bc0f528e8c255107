"""A conversation as it is copied out of Slack's or Teams' window: speakers and times stand on lines of their own. Pure.

Slack: "Ada Byron  10:32 AM", "Ada Byron [10:32 AM]", or the name and below it the time; a time alone goes on with the
same speaker, a day stands on a line of its own. Teams: "[9/5/2026 10:32 AM] Ada Byron", perhaps with ": words".
Whatever is no message is listed: reactions, counts of replies, what stands before the first speaker.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from incidents.transcripts.clocks import WHEN, Clock, NoTimeError
from incidents.transcripts.message import Message, Transcript

_BRACKETED = re.compile(
    rf"\[(?P<when>{WHEN})\]\s+(?P<name>[^:\s][^:]{{0,80}}?)\s*(?::\s*(?P<text>.*))?$", re.IGNORECASE
)
_NAMED = re.compile(rf"(?P<name>\S.{{0,80}}?)(?:\s{{2,}}|\t|\s+(?=\[))\[?(?P<when>{WHEN})\]?", re.IGNORECASE)
_LOOSELY = re.compile(rf"(?P<name>\S+(?:\s\S+){{0,3}})\s(?P<when>{WHEN})", re.IGNORECASE)
_ALONE = re.compile(rf"(?P<indent>\s*)\[?(?P<when>{WHEN})\]?\s*", re.IGNORECASE)
_EDITED = re.compile(r"\s*\(edited\)\s*$", re.IGNORECASE)
_EMOJI = re.compile(r":[a-z0-9_'+-]+:(?::skin-tone-\d:)?")
_OF_THE_APP = re.compile(
    r"new|\d+ repl(?:y|ies)|last reply .+|view (?:thread|newer replies)|also sent to the channel|replied to a thread.*"
    r"|.{1,80} (?:joined|left) #?\S+\.?|(?:set|changed) the channel .+|saved for later.*|pinned by .+|edited"
    r"|\d+ \w+ reactions?\.?|has context menu|meeting (?:started|ended).*|seen|unread",
    re.IGNORECASE,
)
_PARTICLES = ("de", "da", "del", "der", "di", "du", "la", "le", "van", "von", "den", "bin", "al", "el", "dos")
_NO_NAMES = ("at", "by", "since", "until", "from", "around", "before", "after", "and", "on", "till", "eta", "update")
LONGEST_HEADER = 250
"""A longer line is words, whatever it begins with; a bracketed one is split before."""


@dataclass(slots=True)
class _Said:
    """A message whose words are still coming."""

    at: datetime
    speaker: str
    line: int
    notes: tuple[str, ...]
    words: list[str] = field(default_factory=list)


def headers(text: str) -> int:
    """How many lines of a text look like a speaker with a time."""
    lines = text.splitlines()
    return sum(_header(lines, n) is not None for n in range(len(lines)))


def read(text: str, clock: Clock, origin: str = "chat") -> Transcript:
    """The messages of a conversation that was copied."""
    return _Reading(text.splitlines(), clock, Transcript(origin)).read()


class _Reading:
    def __init__(self, lines: list[str], clock: Clock, found: Transcript) -> None:
        self._lines, self._clock, self._found = lines, clock, found
        self._said: _Said | None = None

    def read(self) -> Transcript:
        skip = -1
        for n, line in enumerate(self._lines):
            if n == skip or not line.strip():
                if self._said and n != skip:
                    self._said.words.append("")
                continue
            try:
                skip = self._line(n, line, skip)
            except NoTimeError as error:
                self._found.leave_out(n + 1, line, str(error))
            for one in self._clock.assumed:
                self._found.assume(one)
        self._finish()
        return self._found

    def _line(self, n: int, line: str, skip: int) -> int:
        """Take one line; the number of the one that went with it."""
        if header := _header(self._lines, n):
            self._begin(header.name, header.when, n + 1)
            if header.text and self._said:
                self._said.words.append(header.text)
            return header.used
        if self._said and (alone := _ALONE.fullmatch(_spaces(line)[:LONGEST_HEADER])):
            self._begin(self._said.speaker, alone["when"], n + 1)
        elif self._goes_before_a_header(n) and self._clock.set_day(line):
            self._finish()
        elif _OF_THE_APP.fullmatch(line.strip()[:LONGEST_HEADER]) or _is_reaction(self._lines, n):
            self._found.leave_out(n + 1, line, "a line of the chat's own, not a message")
        elif self._said is None:
            self._found.leave_out(n + 1, line, "stands before the first speaker")
        else:
            self._said.words.append(line.rstrip())
        return skip

    def _goes_before_a_header(self, n: int) -> bool:
        """Whether a speaker follows: a day has a line of its own there, within a message it is a word of it."""
        following = next((m for m in range(n + 1, len(self._lines)) if self._lines[m].strip()), None)
        return following is not None and _header(self._lines, following) is not None

    def _begin(self, name: str, when: str, line: int) -> None:
        self._finish()
        at, notes = self._clock.place(when)
        self._said = _Said(at, _speaker(name), line, notes)

    def _finish(self) -> None:
        said, self._said = self._said, None
        if said is None:
            return
        words = "\n".join(said.words).strip()
        text = _EDITED.sub("", words)
        if not text:
            self._found.leave_out(said.line, said.speaker, "has no words: a picture or a file")
            return
        self._found.messages.append(
            Message(said.at, text, said.line, said.speaker, edited=text != words, notes=said.notes)
        )


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    when: str
    used: int = -1
    """Which line beside this one belongs to it."""
    text: str = ""


def _header(lines: list[str], n: int) -> _Header | None:
    """The speaker and the time that begin at a line; None where none does."""
    line = _spaces(lines[n])
    if found := _BRACKETED.match(line.strip()[:LONGEST_HEADER]):
        text = line.strip()[found.start("text") :] if found["text"] is not None else ""
        return _Header(found["name"], found["when"], text=text.strip())
    if not line.strip() or len(line) > LONGEST_HEADER:
        return None
    if _ALONE.fullmatch(line):
        return None
    if found := _NAMED.fullmatch(line.strip()):
        return _Header(found["name"], found["when"])
    following = _spaces(lines[n + 1])[:LONGEST_HEADER] if n + 1 < len(lines) else ""
    stands_free = n == 0 or not lines[n - 1].strip()
    below = _ALONE.fullmatch(following)
    if below and len(line.strip()) <= 80 and (below["indent"] or (stands_free and _is_name(line))):
        return _Header(line.strip(), below["when"], used=n + 1)
    loose = _LOOSELY.fullmatch(line.strip())
    if (
        stands_free
        and following.strip()
        and loose
        and loose["name"].lower() not in _NO_NAMES
        and _is_name(loose["name"])
    ):
        return _Header(loose["name"], loose["when"])
    return None


def _spaces(line: str) -> str:
    """The line with plain spaces: chats put narrow ones before AM and PM."""
    return re.sub(r"[\u00a0\u202f]", " ", line)


def _is_name(text: str) -> bool:
    """Whether a text that stands alone is written as names are: a few words with capitals, or one handle."""
    words = _EMOJI.sub("", text).split()
    if not 1 <= len(words) <= 4 or text.rstrip()[-1:] in ".!?,;:":
        return False
    return len(words) == 1 or all(word[0].isupper() or word.lower() in _PARTICLES for word in words)


def _is_reaction(lines: list[str], n: int) -> bool:
    """Whether a line is an emoji alone below a message, or the count below one."""
    line = lines[n].strip()
    if _EMOJI.fullmatch(line):
        return n + 1 < len(lines) and lines[n + 1].strip().isdecimal()
    return line.isdecimal() and n > 0 and bool(_EMOJI.fullmatch(lines[n - 1].strip()))


def _speaker(name: str) -> str:
    """A name without the emoji of a status, the mark of an app, and spaces."""
    bare = _EMOJI.sub("", name)
    return re.sub(r"\s+", " ", re.sub(r"\s+(?:APP|WORKFLOW)$", "", bare.strip())).strip() or name.strip()
