"""Signatures and tokens that senders put into headers, judged over the raw bytes in constant time. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Literal

from incidents.model import Delivery

TOLERANCE = timedelta(minutes=5)

_SECONDS = re.compile(r"\d{1,12}", re.ASCII)


def offered(header: str | None, prefix: str = "", separator: str = ",") -> list[str]:
    """The signatures of a header that begin with `prefix`, without it: "v1=ab,v1=cd" holds two during a rotation."""
    parts = (part.strip() for part in (header or "").split(separator))
    return [part[len(prefix) :] for part in parts if part.startswith(prefix) and len(part) > len(prefix)]


def is_signed(
    content: bytes,
    signatures: Iterable[str],
    secrets: Iterable[str | bytes],
    encoding: Literal["hex", "base64"] = "hex",
) -> bool:
    """Whether one of the signatures is the content's HMAC-SHA256 under one of the secrets; empty ones sign not."""
    keys = [_bytes(secret) for secret in secrets if secret]
    expected = [_written(hmac.digest(key, content, hashlib.sha256), encoding) for key in keys]
    given = [_bytes(signature.lower() if encoding == "hex" else signature) for signature in signatures]
    return _any_equal(given, expected)


def is_token(given: str | None, secrets: Iterable[str]) -> bool:
    """Whether a header is one of the secrets themselves; an absent or empty one never is."""
    return bool(given) and _any_equal([_bytes(given or "")], [_bytes(secret) for secret in secrets if secret])


def is_recent(seconds: str | None, delivery: Delivery, tolerance: timedelta = TOLERANCE) -> bool:
    """Whether a moment in epoch seconds lies no further than `tolerance` from the receipt, before or after."""
    if seconds is None or not _SECONDS.fullmatch(seconds):
        return False
    return abs(delivery.received_at.timestamp() - int(seconds)) <= tolerance.total_seconds()


def is_standard_webhook(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """Whether it is signed as Standard Webhooks 1.0 say: `webhook-id`, `-timestamp` and `-signature` ("v1,…").

    Secrets are base64 after `whsec_`; one that is not is taken as it stands.
    """
    headers = delivery.headers
    seconds = headers.get("webhook-timestamp")
    if not is_recent(seconds, delivery):
        return False
    content = b".".join((_bytes(headers.get("webhook-id", "")), _bytes(seconds or ""), delivery.body))
    signatures = offered(headers.get("webhook-signature"), "v1,", " ")
    return is_signed(content, signatures, [_unwrapped(secret) for secret in secrets], "base64")


def _unwrapped(secret: str) -> bytes:
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            pass
    return _bytes(secret)


def _written(digest: bytes, encoding: str) -> bytes:
    return digest.hex().encode() if encoding == "hex" else base64.b64encode(digest)


def _any_equal(given: Sequence[bytes], expected: Sequence[bytes]) -> bool:
    """Compares each with each, so that the time tells nothing of which one was near."""
    return sum(hmac.compare_digest(one, other) for one in given[:16] for other in expected) > 0


def _bytes(text: str | bytes) -> bytes:
    # Header values may hold lone surrogates for bytes that are no UTF-8; they must differ, not fail.
    return text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
