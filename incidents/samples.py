"""What each sender would post, made up and short: a file for each adapter, for the test button of the setup page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from urllib.parse import urlencode

import orjson


@dataclass(frozen=True, slots=True)
class Sample:
    """A body that its adapter reads as something that happened, and the headers that it needs beside it."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@cache
def sample_of(adapter: str) -> Sample | None:
    """The adapter's sample, if it has one: its file holds `headers` and one of `json`, `form` (fields) and `text`."""
    file = files("incidents.adapters").joinpath("samples", f"{adapter}.json")
    if not file.is_file():
        return None
    fields = orjson.loads(file.read_bytes())
    headers = fields.get("headers", {})
    if "form" in fields:
        return Sample(urlencode(fields["form"]).encode(), "application/x-www-form-urlencoded", headers)
    if "text" in fields:
        return Sample(fields["text"].encode(), "text/plain; charset=utf-8", headers)
    return Sample(orjson.dumps(fields["json"]), "application/json", headers)
