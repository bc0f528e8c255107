"""What is read in the payloads that others recorded: `python -m tests.shared_table` prints a row for each of them."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from incidents.adapters import adapters
from incidents.model import Delivery, Event, Loss, Reading, UnrecognisedError
from tests import samples

WEBHOOKS = {name: adapter for name, adapter in adapters().items() if adapter.kind == "webhook"}
READERS = {family: name for name, adapter in WEBHOOKS.items() for family in adapter.reads}
FAMILIES = sorted(path.name for path in samples.SHARED.glob("*") if path.is_dir())
SHARED = [path for family in FAMILIES for path in sorted((samples.SHARED / family).glob("*.*"))]


class Row(NamedTuple):
    """One payload; `read` says what was heard in it, `silence` why it was nothing."""

    sample: str
    adapter: str
    read: str
    silence: str


def rows() -> Iterator[Row]:
    """A row for each payload, in the order of families."""
    for sample in SHARED:
        where, reader = f"{sample.parent.name}/{sample.name}", READERS.get(sample.parent.name, "")
        why = samples.exceptions(reader).get("unread", {}).get(where, "") if reader else "no adapter reads this family"
        read = told(reader, sample) if reader else ""
        yield Row(where, reader or "–", read or "nothing", "" if read else why or "it has no reason")


def told(adapter: str, sample: Path) -> str:
    """What an adapter says of a payload, counted: "2 × alert on, 1 × alert over"; empty for nothing."""
    delivery = samples.delivery_of(sample)
    try:
        said = adapters()[adapter].normalise(delivery)
    except UnrecognisedError:
        return ""
    words = Counter(_event_word(one, delivery) for one in said if isinstance(one, Event))
    words["reading"] = sum(isinstance(one, Reading) for one in said)
    words["left out by the sender"] = sum(one.count for one in said if isinstance(one, Loss))
    return ", ".join(f"{n} × {word}" for word, n in words.items() if n)


def _event_word(event: Event, delivery: Delivery) -> str:
    kind = "test" if event.test else event.kind.replace("_", " ")
    if event.ends_at is None or event.ends_expected:
        return f"{kind} on"
    if not event.ends_assumed:
        return f"{kind} over"
    is_told = event.ends_at in {delivery.received_at, event.starts_at}
    return f"{kind} over, no end given" if is_told else f"{kind} on, an end assumed"


def printed() -> Iterator[str]:
    """The rows as a table in Markdown, and below it what they add up to."""
    found = list(rows())
    yield "| payload | adapter | read |"
    yield "|---|---|---|"
    for row in found:
        read = f"{row.read}: {row.silence}" if row.silence else row.read
        yield f"| {row.sample} | {row.adapter} | {re.sub(r'[|]', '/', read)} |"
    silent = [row for row in found if row.silence]
    yield ""
    heard = len(found) - len(silent)
    yield f"{len(found)} payloads of {len(FAMILIES)} families: {heard} read, {len(silent)} silent for a reason"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in printed())
