"""The golden samples of the adapters: bodies of our own making in `payloads/ADAPTER/`, and what is read in them.

`firing.json` (or `.txt`, `.form`, `.http`) has `firing.expected.jsonl` beside it and may have `firing.delivery.json`
with `headers`, `timezone`, `mapping` and `received_at`. A `.http` file is a whole request: a request line, headers, an
empty line, the body. `exceptions.toml` of a folder gives reasons: `[length]` with `lines` and `reason` for an adapter
that is longer than the aim, and under `[unread]` the `"family/file"` of the recorded samples in which nothing is read.

`python -m tests.samples ADAPTER` writes the expected lines that are absent. Read them before you keep them.
"""

from __future__ import annotations

import json
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from incidents import instants, spoken
from incidents.adapters import adapters
from incidents.model import Delivery, UnrecognisedError

PAYLOADS = Path(__file__).parent / "payloads"
SHARED = Path(__file__).parents[1] / "../shared/payloads"
RECORDED = (SHARED, SHARED.parent / "context")
"""Where what others recorded lies in folders of families: of webhooks, and of feeds."""

RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
BESIDE = (".delivery.json", ".expected.jsonl", "exceptions.toml")


def of(adapter: str) -> list[Path]:
    """The golden samples of an adapter in the order of names."""
    return sorted(path for path in (PAYLOADS / adapter).glob("*.*") if not path.name.endswith(BESIDE))


def shared(adapter: str) -> list[Path]:
    """What others recorded of the families that the adapter reads; none where those samples are not beside us."""
    families = adapters()[adapter].reads
    return sorted(path for folder in RECORDED for family in families for path in (folder / family).glob("*.*"))


def exceptions(adapter: str) -> dict[str, Any]:
    """The reasons that an adapter gives for what it does unlike the others."""
    path = PAYLOADS / adapter / "exceptions.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}


def delivery_of(sample: Path) -> Delivery:
    """The sample as it would have arrived, with what is declared beside it."""
    beside = sample.with_suffix(".delivery.json")
    declared = json.loads(beside.read_bytes()) if beside.exists() else {}
    body, headers = sample.read_bytes(), declared.get("headers", {})
    if sample.suffix == ".http" or sample.name.endswith(".http.txt"):
        head, _, body = body.replace(b"\r\n", b"\n").partition(b"\n\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines()[1:]) | headers
    return Delivery(
        "test",
        body,
        instants.parse(declared.get("received_at")) or RECEIVED,
        {name.lower(): value for name, value in headers.items()},
        declared.get("timezone"),
        declared.get("mapping", {}),
    )


def written(adapter: str, sample: Path) -> list[dict[str, Any]]:
    """What the adapter says of a sample, as JSON objects."""
    delivery = delivery_of(sample)
    try:
        statements = adapters()[adapter].normalise(delivery)
    except UnrecognisedError as error:
        return [{"type": "unrecognised", "reason": str(error)}]
    return [spoken.statement_json(statement, delivery) for statement in statements]


def write(adapter: str) -> None:
    """Write the expected lines of the samples that have none."""
    for sample in of(adapter):
        expected = sample.with_suffix(".expected.jsonl")
        if not expected.exists():
            lines = (json.dumps(line, ensure_ascii=False) for line in written(adapter, sample))
            expected.write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write(name)
