"""The audit log as a page and as files: CSV whose cells no spreadsheet computes, and JSON lines."""

from __future__ import annotations

import csv as csv_format
import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode

import orjson

from dashboards import words
from dashboards.documents import inert
from dashboards.paper import signed_in
from incidents import instants
from incidents.views.audit_view import ACTS, Act, Filter, as_json, sentence
from incidents.views.view import Viewer

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
COLUMNS = ("id", "recorded_at", "act", "actor", "subject", "text", "address", "params")


def audit_page(rows: Sequence[Act], viewer: Viewer, wanted: Filter, *, next_cursor: str | None, now: datetime) -> str:
    """`rows` are the newest first."""
    asked = {
        "act": wanted.act,
        "actor": wanted.actor,
        "from": instants.text(wanted.since) if wanted.since else None,
        "to": instants.text(wanted.until) if wanted.until else None,
    }
    kept = urlencode({k: v for k, v in asked.items() if v})
    acts = [(row, _told(row, viewer.zone)) for row in rows]
    return signed_in(
        "audit.html", viewer, now, acts=acts, known=list(ACTS), asked=asked, kept=kept, next_cursor=next_cursor
    )


def _told(row: Act, zone: str) -> str:
    """What was done, its instants as the page writes them."""

    def said(found: re.Match[str]) -> str:
        at = instants.parse(found[0])
        return f"{words.instant_at(at, zone)} {words.zone_letters(zone, at)}" if at else found[0]

    return _INSTANT.sub(said, sentence(row))


def csv(rows: Sequence[Act]) -> str:
    """RFC 4180 with a header row."""
    out = io.StringIO()
    writer = csv_format.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        told = as_json(row)
        told["params"] = orjson.dumps(told["params"]).decode()
        writer.writerow([inert("" if told[name] is None else told[name]) for name in COLUMNS])
    return out.getvalue()


def json_lines(rows: Sequence[Act]) -> str:
    """One JSON object a line; control characters are escaped by JSON itself."""
    return "".join(f"{orjson.dumps(as_json(row)).decode()}\n" for row in rows)


def json(rows: Sequence[Act]) -> str:
    """One JSON object with all of them."""
    return orjson.dumps({"items": [as_json(row) for row in rows]}).decode()


FORMATS: Mapping[str, Callable[[Sequence[Act]], str]] = {"csv": csv, "jsonl": json_lines, "json": json}
