"""Bodies that are a flat set of fields: a JSON object, a URL-encoded form or a multipart form, whatever they claim."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from incidents.formats import payload
from incidents.model import Delivery, UnrecognisedError

FIELDS = 500
_NAME = re.compile(rb'name="([^"\r\n]{0,200})"', re.IGNORECASE)


def fields_in(delivery: Delivery, *wrappers: str) -> Mapping[str, Any]:
    """The body's fields, or the JSON object that the first of the `wrappers` among them holds as text.

    Raises UnrecognisedError for a body that is none of the three, and for a wrapped text that is no JSON object.
    """
    body = delivery.body.strip()
    if body.startswith(b"--"):
        fields: Any = _multipart(body)
    elif b"=" in body and body[:1] not in b'{["' and body.isascii():
        fields = _urlencoded(body)
    else:
        fields = payload.decode(delivery.body)
    if not isinstance(fields, dict):
        raise UnrecognisedError("neither a JSON object nor a form")
    wrapped = next((fields[name] for name in wrappers if isinstance(fields.get(name), str)), None)
    if wrapped is None:
        return fields
    inner = payload.decode(wrapped.encode(errors="replace"))
    if not isinstance(inner, dict):
        raise UnrecognisedError("the form's field holds no JSON object")
    return inner


def _urlencoded(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
    except ValueError:
        raise UnrecognisedError(f"a form of more than {FIELDS} fields") from None


def _multipart(body: bytes) -> dict[str, str]:
    """The fields of a multipart form, whose first line is its boundary."""
    boundary = body.partition(b"\n")[0].strip()
    fields = {}
    for part in body.split(boundary, FIELDS + 1)[1:]:
        head, _, content = part.replace(b"\r\n", b"\n").partition(b"\n\n")
        named = _NAME.search(head)
        if named:
            fields[named[1].decode(errors="replace")] = content.removesuffix(b"\n").decode(errors="replace")
    if not fields:
        raise UnrecognisedError("a multipart form without fields")
    return fields
