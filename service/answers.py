"""What an answer of a feed amounts to, and how a source's secret goes into a request and never into the record."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, quote_plus

from incidents.feeds.polls import Came
from incidents.formats import addresses
from incidents.model import Request
from service import clock
from service.outside.outbound import Fetched, FetchError

KEY = "{key}"
"""What stands for a source's secret in an address or a header."""
LEAST_MASKED = 6
"""A secret shorter than this is not looked for in answers: it would be found everywhere."""


class MissingSecretError(FetchError):
    """A request needs the source's secret, and none is configured."""


def judged(found: Fetched, *, conditional: bool) -> Came:
    """What an answer amounts to by its status alone."""
    if found.status == 304 and conditional:
        return Came("unchanged", status=304)
    if 200 <= found.status < 300 and found.body:
        return Came("answered", None, found.status, found.etag, found.last_modified)
    if found.status == 304:
        reason = "said that nothing had changed, unasked"
    elif 200 <= found.status < 300:
        reason = f"answered {found.status} without a body"
    else:
        reason = f"answered {found.status}"
    return Came("failed", reason, found.status, asked_to_wait=found.retry_after)


def with_key(url: str, headers: Mapping[str, str], secrets: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Address and headers with the source's secret in its place. Raises MissingSecretError where there is none."""
    if KEY not in url and not any(KEY in value for value in headers.values()):
        return url, dict(headers)
    if not secrets:
        raise MissingSecretError("needs a key: give the source a `secret`")
    secret = secrets[0]
    if not (secret.isascii() and secret.isprintable()):
        raise MissingSecretError("the source's `secret` cannot stand in a request: printable ASCII is expected")
    filled = {name: value.replace(KEY, secret) for name, value in headers.items()}
    return url.replace(KEY, quote(secret, safe="")), filled


def masked(body: bytes, secrets: Sequence[str]) -> tuple[bytes, int]:
    """The body without the secrets that some feeds repeat in their answers, and how often one was taken out."""
    count = 0
    forms = {form.encode() for secret in secrets for form in _forms(secret)}
    # The longest first: one may hold another.
    for form in sorted(forms, key=lambda form: (-len(form), form)):
        if len(form) >= LEAST_MASKED:
            count += body.count(form)
            body = body.replace(form, KEY.encode())
    return body, count


def _forms(secret: str) -> set[str]:
    """The ways in which an answer may write a secret: as it is, escaped for JSON or an address, in base64."""
    written = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    written |= {form.replace("/", "\\/") for form in written}
    percent = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    percent |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in percent}
    coded = {code(secret.encode()).decode() for code in (base64.b64encode, base64.urlsafe_b64encode)}
    return written | percent | coded | {form.rstrip("=") for form in coded}


def without_keys(found: Fetched, secrets: Sequence[str]) -> Fetched:
    """An answer whose headers may be stored."""
    return replace(
        found,
        content_type=masked_text(found.content_type, secrets),
        etag=found.etag and masked_text(found.etag, secrets),
        last_modified=found.last_modified and masked_text(found.last_modified, secrets),
    )


def masked_text(text: str, secrets: Sequence[str]) -> str:
    """Words that may be stored and shown."""
    return masked(text.encode(), secrets)[0].decode()


def asked_now(request: Request) -> Request:
    """The request as it is to be asked at this moment: an address may name a window that ends now."""
    return replace(request, url=addresses.filled(request.url, clock.now()))


def delivery_headers(request: Request, found: Fetched, hidden: int = 0) -> dict[str, str]:
    """The headers that a polled body is stored with: where it was asked for, with `{key}` where the key was."""
    headers = {"request-url": request.url}
    headers |= {"request-site": request.site} if request.site else {}
    headers |= {"content-type": found.content_type} if found.content_type else {}
    # The bytes are not quite as they came, so they say so.
    headers |= {"request-keys-hidden": str(hidden)} if hidden else {}
    return headers
