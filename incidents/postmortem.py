"""What people write about an incident afterwards: sections, states, and how the words of several authors meet. Pure.

The words are apart from the record's facts, and no section is named root cause: factors contribute, several at a time.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from incidents.redaction import redact

State = Literal["draft", "in_review", "published"]

SECTIONS = {
    "title": "Title",
    "summary": "Summary",
    "impact": "Impact",
    "timeline": "Timeline",
    "contributing_factors": "Contributing factors",
    "detection": "Detection",
    "went_well": "What went well",
    "was_hard": "What was hard",
    "not_known": "What we did not know then",
    "actions": "Actions",
    "open_questions": "Open questions",
}
"""The usual sections in their order, with their headings; all are texts but `actions`, which is a list."""
TEMPLATE = "template"
"""Where the words keep the text of the template that they were begun with; nobody writes it as a section."""
FOLLOWING: Mapping[State, tuple[State, ...]] = {
    "draft": ("in_review",),
    "in_review": ("published", "draft"),
    "published": ("draft",),
}
"""The states that may follow each state."""
STATES: Mapping[State, str] = {"draft": "draft", "in_review": "in review", "published": "published"}
"""What each state is called."""
SECTION_BOUND = 20_000
TITLE_BOUND = 300
ACTIONS_BOUND = 200
ACTION_FIELDS = ("text", "owner", "due", "done")


@dataclass(frozen=True, slots=True)
class Revision:
    """The words as one author left them. Number 0 is the empty document that nobody has written yet."""

    number: int = 0
    author: str = ""
    recorded_at: datetime | None = None
    state: State = "draft"
    words: Mapping[str, Any] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    """Sections in which it differs from the revision before."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What becomes of the words when somebody sends theirs: `clashes` are sections that others changed meanwhile."""

    words: Mapping[str, Any]
    changed: tuple[str, ...]
    clashes: tuple[str, ...]


def merge(base: Mapping[str, Any], current: Mapping[str, Any], sent: Mapping[str, Any]) -> Merged:
    """Lay the sections that were sent over the current ones; a section counts as changed where it differs from `base`.

    Two authors who changed the same section to the same words do not clash.
    """
    mine = [name for name in sent if _of(sent, name) != _of(base, name)]
    changed = tuple(name for name in mine if _of(sent, name) != _of(current, name))
    clashes = tuple(name for name in changed if _of(current, name) != _of(base, name))
    words = {**current, **{name: sent[name] for name in changed}}
    return Merged({name: words[name] for name in _ordered(words) if words.get(name)}, changed, clashes)


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """The sections in which two documents differ."""
    return tuple(name for name in _ordered({*one, *other}) if _of(one, name) != _of(other, name))


def _ordered(names: Iterable[str]) -> list[str]:
    """The usual sections in their order, then those of one's own."""
    found = set(names)
    return [*(name for name in SECTIONS if name in found), *sorted(found - set(SECTIONS))]


def _of(words: Mapping[str, Any], name: str) -> object:
    return words.get(name) or ([] if name == "actions" else "")


def accepted(sections: object, names: Collection[str] = tuple(SECTIONS)) -> dict[str, Any]:
    """The sections of a request, cleaned, without secrets pasted in. Raises ValueError naming the section.

    `names` are those of the document, by its template.
    """
    if not isinstance(sections, Mapping):
        raise ValueError("sections: an object of sections is expected")  # noqa: TRY004  # told as a bad request
    unknown = next((name for name in sections if name not in names), None)
    if unknown is not None:
        raise ValueError(f"sections: {str(unknown)[:60]!r} is none of {', '.join(names)}")
    return {
        name: _actions(value)
        if name == "actions"
        else _text(value, name, TITLE_BOUND if name == "title" else SECTION_BOUND)
        for name, value in sections.items()
    }


def are_words(words: Mapping[str, Any]) -> bool:
    """Whether these are words as a revision holds them, however old the program was that took them in."""
    return all(
        re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) is not None
        and (_are_actions(value) if name == "actions" else isinstance(value, str) and len(value) <= SECTION_BOUND)
        for name, value in words.items()
    )


def _are_actions(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= ACTIONS_BOUND
        and all(isinstance(one, dict) and set(one) == set(ACTION_FIELDS) and _is_action(one) for one in value)
    )


def _is_action(one: Mapping[str, Any]) -> bool:
    texts = isinstance(one["text"], str) and isinstance(one["owner"], str) and isinstance(one["done"], bool)
    due = one["due"]
    return texts and (due is None or (isinstance(due, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", due) is not None))


def accepted_state(value: object) -> State:
    """A state by its name, with a space or an underscore. Raises ValueError."""
    name = value.replace(" ", "_") if isinstance(value, str) else ""
    if name not in STATES:
        raise ValueError(f"state: one of {', '.join(STATES)} is expected")
    return name  # type: ignore[return-value]  # one of the three


def _text(value: object, name: str, bound: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name}: a text is expected")  # noqa: TRY004  # told as a bad request
    shown = "".join(
        c for c in value.replace("\r\n", "\n") if c in "\n\t" or ((c.isprintable() or c.isspace()) and c >= " ")
    )
    clean = shown.encode("utf-8", "ignore").decode().strip()
    if len(clean) > bound:
        raise ValueError(f"{name}: longer than {bound} characters")
    return redact(clean, named=False)


def _actions(value: object) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > ACTIONS_BOUND:
        raise ValueError(f"actions: a list of at most {ACTIONS_BOUND} actions is expected")
    return [found for one in value if (found := _action(one))]


def _action(value: object) -> dict[str, Any] | None:
    """An action as it is kept; None for one without words."""
    if not isinstance(value, Mapping) or set(value) - set(ACTION_FIELDS):
        raise ValueError(f"actions: each is an object of {', '.join(ACTION_FIELDS)}")
    text = _text(value.get("text"), "actions: text", 2000)
    owner = _text(value.get("owner"), "actions: owner", TITLE_BOUND)
    done = value.get("done", False)
    if not isinstance(done, bool):
        raise ValueError("actions: done: true or false is expected")  # noqa: TRY004  # told as a bad request
    if not text:
        if owner or value.get("due"):
            raise ValueError("actions: text: an action needs words")
        return None
    return {"text": text, "owner": owner, "due": _day(value.get("due")), "done": done}


def _day(value: object) -> str | None:
    if value in (None, ""):
        return None
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) else _no_day()
    except ValueError:
        raise ValueError("actions: due: a day such as 2026-01-31 is expected") from None


def _no_day() -> str:
    raise ValueError
