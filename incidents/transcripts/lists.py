"""A list that somebody wrote: a time at the beginning of each line, what happened behind it. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from incidents.transcripts.clocks import WHEN, Clock, NoTimeError
from incidents.transcripts.message import Message, Transcript

_LINE = re.compile(
    rf"(?P<mark>\s*(?:[-*•]\s+|\d{{1,3}}[.)]\s+)?)\[?(?P<when>{WHEN})(?:\s*(?:-|–|—|to)\s*(?P<until>{WHEN}))?\]?"
    r"(?:\s*[-–—:|,]\s+|\s*[-–—:|]\s*|\s+)(?P<text>\S.*)",
    re.IGNORECASE,
)


def is_line(line: str) -> bool:
    """Whether a line begins with a time and goes on."""
    return _LINE.fullmatch(line.rstrip()) is not None


def read(text: str, clock: Clock) -> Transcript:
    """The entries of a list. A line that is indented and has no time goes on with the one above it."""
    found = Transcript("list")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        parts = _LINE.fullmatch(line.rstrip())
        try:
            if parts:
                found.messages.append(_message(parts, clock, number))
            elif clock.set_day(line):
                pass
            elif line[0].isspace() and found.messages:
                last = found.messages[-1]
                found.messages[-1] = replace(last, text=f"{last.text}\n{line.strip()}")
            else:
                found.leave_out(number, line, "does not begin with a time")
        except NoTimeError as error:
            found.leave_out(number, line, str(error))
        for one in clock.assumed:
            found.assume(one)
    return found


def _message(parts: re.Match[str], clock: Clock, number: int) -> Message:
    at, notes = clock.place(parts["when"])
    until = None
    if parts["until"]:
        until, more = clock.place(parts["until"])
        notes += more
        if until < at:
            raise NoTimeError("ends before it begins")
    return Message(at, parts["text"].strip(), number, until=until, notes=notes)
