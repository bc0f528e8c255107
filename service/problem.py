"""Problems as RFC 9457 says: one shape for every error that a program gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

PROBLEMS = {
    "bad-request": (400, "The request cannot be used"),
    "not-signed-in": (401, "A token is needed"),
    "wrong-key": (401, "The key is not known"),
    "wrong-signature": (401, "The signature is not right"),
    "forbidden": (403, "The role does not allow this"),
    "not-found": (404, "There is no such thing"),
    "no-such-source": (404, "There is no such source"),
    "wrong-method": (405, "The method is not offered here"),
    "conflict": (409, "The incident does not allow this now"),
    "moved-on": (412, "The incident has moved on"),
    "too-large": (413, "The body is too large"),
    "precondition-needed": (428, "If-Match is needed"),
    "too-many-requests": (429, "Too many requests; come back after Retry-After"),
    "no-browser": (501, "No browser is installed for this rendering"),
    "not-drawn": (503, "The browser did not draw"),
    "not-made": (500, "The file could not be made"),
    "fault": (500, "The service failed; the request id leads to its log"),
    "overloaded": (503, "Not now; come back after Retry-After"),
}
"""Every problem type: its status and title. The `type` of a problem is `about:blank#` with this name."""


def problem(name: str, detail: str = "", *, headers: Mapping[str, str] | None = None, **more: Any) -> web.Response:  # noqa: ANN401
    """The response of a problem; `more` are extension members."""
    status, title = PROBLEMS[name]
    body = {
        "type": f"about:blank#{name}",
        "title": title,
        "status": status,
        **({"detail": detail} if detail else {}),
        **more,
    }
    return web.Response(
        status=status, body=orjson.dumps(body), content_type="application/problem+json", headers=headers
    )
