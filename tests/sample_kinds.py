"""What the golden samples of each sender show: that it is on, that it is over, several at once, the sender's own test.

A kind counts by what is read in its sample and not by its name alone. `exceptions.toml` of a folder says under
`[kinds]` which sample shows a kind where the usual name would not do, and under `[absent]` why there is none.
"""

from __future__ import annotations

from typing import Any

from incidents.adapters import Adapter, adapters
from tests import samples

KINDS = ("firing", "resolved", "several", "test")
USUAL = {
    "firing": ("firing",),
    "resolved": ("resolved",),
    "several": ("several", "second"),
    "test": ("test", "test_button", "test_token", "handshake", "ping"),
}
"""The names that samples of a kind have. `second` speaks of another occurrence than `firing`, in a body of its own."""


def senders() -> list[Adapter]:
    """The adapters of what is sent to us."""
    return [adapter for adapter in adapters().values() if adapter.kind == "webhook"]


def shown(name: str) -> dict[str, str]:
    """The kinds that an adapter's samples show, each with the stem of the sample that shows it."""
    named = samples.exceptions(name).get("kinds", {})
    said = {sample.stem: samples.written(name, sample) for sample in samples.of(name)}
    found = {}
    for kind in KINDS:
        stems = (named[kind],) if kind in named else USUAL[kind]
        first = said.get(found.get("firing", ""), [])
        for stem in stems:
            if stem in said and _shows(kind, stem, said[stem], first):
                found[kind] = stem
                break
    return found


def absent(name: str) -> dict[str, str]:
    """Why samples of a kind are absent, in words."""
    reasons: dict[str, str] = samples.exceptions(name).get("absent", {})
    return reasons


def is_whole(name: str) -> bool:
    """Whether what is on, what is over and several are shown, and the sender's test where it is known."""
    found = shown(name)
    return {"firing", "resolved", "several"} <= found.keys() and ("test" in found or "test" in absent(name))


def _shows(kind: str, stem: str, lines: list[dict[str, Any]], first: list[dict[str, Any]]) -> bool:
    events = [line for line in lines if line["type"] == "event" and not line.get("test")]
    keys = {event["key"] for event in events}
    if kind == "firing":
        return any(_is_on(event) for event in events)
    if kind == "resolved":
        over = {event["key"] for event in events if event["ends_at"] and not event.get("ends_expected")}
        return bool(over & {line["key"] for line in first if line["type"] == "event"})
    if kind == "several":
        others = keys - {line.get("key") for line in first} if stem == "second" else keys
        return len(others) > (0 if stem == "second" else 1)
    return not events and all(line["type"] != "unrecognised" for line in lines)


def _is_on(event: dict[str, Any]) -> bool:
    return event["ends_at"] is None or bool(event.get("ends_assumed") or event.get("ends_expected"))
