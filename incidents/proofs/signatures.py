"""Signatures and tokens that senders put into headers, judged over the raw bytes in constant time. Pure.

A source's secrets may be shared texts, public keys (`whpk_…`) and certificates (PEM), several during a rotation.
What is public never serves as a shared secret: anybody could sign with it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from incidents.model import Delivery

TOLERANCE = timedelta(minutes=5)
"""How far a signed time may lie from the receipt."""
REMEMBERED = timedelta(hours=1)
"""How long a signature without a time is remembered: the same bytes again within it are a repeat."""
MOST_OFFERED = 16
"""How many signatures of one header are tried."""

_SECONDS = re.compile(r"\d{1,12}", re.ASCII)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----.*?-----END \1-----", re.DOTALL)
_PUBLIC, _PRIVATE = "whpk_", "whsk_"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a signed delivery is remembered by, so that nobody can send it a second time as new.

    `name` tells it from all others of its source; after `until` it is forgotten, and refused where its time is signed.
    """

    name: str
    until: datetime


def secrets_in(text: str) -> list[str]:
    """The secrets of a text: each PEM block whole, everything else line by line."""
    blocks = [found[0] for found in _PEM.finditer(text)]
    return [*blocks, *(line.strip() for line in _PEM.sub("\n", text).splitlines() if line.strip())]


def is_shared(secret: str | bytes) -> bool:
    """Whether a secret is one that only we and the sender know: neither empty, nor a public key, nor a certificate."""
    if isinstance(secret, bytes):
        return bool(secret)
    return bool(secret) and not secret.startswith((_PUBLIC, _PRIVATE, "-----BEGIN"))


def untimed(delivery: Delivery, *headers: str) -> Proof:
    """The proof of a signature that holds no time: the body, with the headers that tell one delivery from the next."""
    said = "\n".join(delivery.headers.get(header, "") for header in headers)
    return Proof(hashlib.sha256(_bytes(said) + b"\n" + delivery.body).hexdigest(), delivery.received_at + REMEMBERED)


def timed(delivery: Delivery, seconds: str) -> Proof:
    """The proof of a signature over this time and the body: replayed later than `until`, its time refuses it."""
    name = hashlib.sha256(_bytes(seconds) + b"\n" + delivery.body).hexdigest()
    return Proof(name, datetime.fromtimestamp(int(seconds), UTC) + TOLERANCE)


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
    keys = [_bytes(secret) for secret in secrets if is_shared(secret)]
    expected = [_written(hmac.digest(key, content, hashlib.sha256), encoding) for key in keys]
    given = [_bytes(signature.lower() if encoding == "hex" else signature) for signature in signatures]
    return _any_equal(given, expected)


def is_token(given: str | None, secrets: Iterable[str]) -> bool:
    """Whether a header is one of the secrets themselves; an absent or empty one never is."""
    return bool(given) and _any_equal(
        [_bytes(given or "")], [_bytes(secret) for secret in secrets if is_shared(secret)]
    )


def is_recent(seconds: str | None, delivery: Delivery, tolerance: timedelta = TOLERANCE) -> bool:
    """Whether a moment in epoch seconds lies no further than `tolerance` from the receipt, before or after."""
    if seconds is None or not _SECONDS.fullmatch(seconds):
        return False
    return abs(delivery.received_at.timestamp() - int(seconds)) <= tolerance.total_seconds()


def is_standard_webhook(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """Whether it is signed as Standard Webhooks 1.0 say, under the header names of that or of Svix.

    `webhook-signature` holds "v1,…" (HMAC-SHA256; secrets are base64 after `whsec_`, one that is not is taken as it
    stands) or "v1a,…" (Ed25519; the public key is base64 after `whpk_`), over "id.seconds.body".
    """
    identifier, seconds, header = _standard_headers(delivery)
    if not identifier or not is_recent(seconds, delivery):
        return False
    content = b".".join((_bytes(identifier), _bytes(seconds), delivery.body))
    shared = [_unwrapped(secret) for secret in secrets if is_shared(secret)]
    return is_signed(content, offered(header, "v1,", " "), shared, "base64") or any(
        _is_signed_by(key, content, signature)
        for signature in offered(header, "v1a,", " ")[:MOST_OFFERED]
        for secret in secrets
        if secret.startswith(_PUBLIC) and (key := _public_key(secret))
    )


def standard_headers(identifier: str, seconds: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The headers by which `is_standard_webhook` knows what we send: one signature for each secret of a rotation."""
    content = b".".join((_bytes(identifier), _bytes(str(seconds)), body))
    keys = [_unwrapped(secret) for secret in secrets if is_shared(secret)]
    signed = (_written(hmac.digest(key, content, hashlib.sha256), "base64").decode() for key in keys)
    values = (identifier, str(seconds), " ".join(f"v1,{one}" for one in signed))
    return dict(zip((f"webhook-{name}" for name in _STANDARD), values, strict=True))


def standard_proof(delivery: Delivery) -> Proof:
    """The proof of a delivery that `is_standard_webhook`: its signed id, which is the same at each attempt."""
    identifier, seconds, _ = _standard_headers(delivery)
    name = hashlib.sha256(b"id " + _bytes(identifier)).hexdigest()
    return Proof(name, datetime.fromtimestamp(int(seconds), UTC) + TOLERANCE)


def _standard_headers(delivery: Delivery) -> tuple[str, str, str]:
    """Id, time and signatures; of the two sets of names the one that has signatures."""
    prefix = "webhook" if delivery.headers.get("webhook-signature") else "svix"
    identifier, seconds, header = (delivery.headers.get(f"{prefix}-{name}", "") for name in _STANDARD)
    return identifier, seconds, header


_STANDARD = ("id", "timestamp", "signature")


@lru_cache(maxsize=256)
def _public_key(secret: str) -> Ed25519PublicKey | None:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(secret.removeprefix(_PUBLIC), validate=True))
    except (binascii.Error, ValueError):
        return None


def _is_signed_by(key: Ed25519PublicKey, content: bytes, signature: str) -> bool:
    try:
        key.verify(base64.b64decode(_bytes(signature), validate=True), content)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True


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
    return sum(hmac.compare_digest(one, other) for one in given[:MOST_OFFERED] for other in expected) > 0


def _bytes(text: str | bytes) -> bytes:
    # Header values may hold lone surrogates for bytes that are no UTF-8; they must differ, not fail.
    return text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
