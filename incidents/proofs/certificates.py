"""Messages that Amazon SNS signs, judged under certificates that the operator gave: nothing is ever fetched. Pure.

The canonical text and the rules for `SigningCertURL` are those of Amazon's "Verifying the signatures of Amazon SNS
messages". A certificate is trusted because it stands among the source's secrets, not because a message names it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from incidents import instants
from incidents.formats import payload
from incidents.model import Delivery, UnrecognisedError
from incidents.proofs.signatures import TOLERANCE, Proof

WINDOW = timedelta(hours=1) + TOLERANCE
"""How old a message may be: a delivery policy can have SNS try for an hour."""
CERTIFICATE_URL = re.compile(
    r"https://sns\.[a-z0-9-]{3,40}\.amazonaws\.com(?:\.cn)?/[A-Za-z0-9_-]{1,120}\.pem", re.ASCII
)
_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}  # the versions of the format
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_HANDSHAKE = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Mapping[str, Sequence[str]] = {
    "Notification": _NOTIFICATION,
    "SubscriptionConfirmation": _HANDSHAKE,
    "UnsubscribeConfirmation": _HANDSHAKE,
}


def is_signed_by_sns(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """Whether the body is an SNS envelope, recent, and signed by the key of one of these certificates (PEM)."""
    envelope = _envelope(delivery)
    content, algorithm = _content(envelope), _HASHES.get(str(envelope.get("SignatureVersion", "")))
    if content is None or algorithm is None or not _is_recent(envelope, delivery):
        return False
    try:
        signature = base64.b64decode(str(envelope.get("Signature", "")), validate=True)
    except (binascii.Error, ValueError):
        return False
    keys = [key for secret in secrets if (key := _key(secret, delivery.received_at))]
    return any(_is_signed(key, signature, content, algorithm) for key in keys)


def proof(delivery: Delivery) -> Proof:
    """The proof of a delivery that `is_signed_by_sns`: its signed text, which is the same at each attempt."""
    envelope = _envelope(delivery)
    at = _time(envelope) or delivery.received_at
    return Proof(hashlib.sha256(_content(envelope) or delivery.body).hexdigest(), at + WINDOW)


def _envelope(delivery: Delivery) -> Mapping[str, Any]:
    try:
        return payload.object_of(payload.decode(delivery.body))
    except UnrecognisedError:
        return {}


def _content(envelope: Mapping[str, Any]) -> bytes | None:
    """The text that is signed; None where a member is missing or the certificate's address is not one of SNS."""
    names = _SIGNED.get(str(envelope.get("Type", "")))
    url = envelope.get("SigningCertURL")
    if names is None or not isinstance(url, str) or not CERTIFICATE_URL.fullmatch(url):
        return None
    present = [name for name in names if name != "Subject" or envelope.get("Subject") is not None]
    if not all(isinstance(envelope.get(name), str) for name in present):
        return None
    return "".join(f"{name}\n{envelope[name]}\n" for name in present).encode(errors="surrogatepass")


def _time(envelope: Mapping[str, Any]) -> datetime | None:
    try:
        return instants.parse(envelope.get("Timestamp"))
    except ValueError:
        return None


def _is_recent(envelope: Mapping[str, Any], delivery: Delivery) -> bool:
    at = _time(envelope)
    return at is not None and -TOLERANCE <= delivery.received_at - at <= WINDOW


def _key(secret: str, at: datetime) -> RSAPublicKey | None:
    """The certificate's key while the certificate is valid."""
    found = _certificate(secret)
    if found is None or not found.not_valid_before_utc <= at <= found.not_valid_after_utc:
        return None
    try:
        key = found.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None


@lru_cache(maxsize=64)
def _certificate(secret: str) -> x509.Certificate | None:
    if not secret.startswith("-----BEGIN CERTIFICATE-----"):
        return None
    try:
        return x509.load_pem_x509_certificate(secret.encode())
    except ValueError:
        return None


def _is_signed(key: RSAPublicKey, signature: bytes, content: bytes, algorithm: type[hashes.HashAlgorithm]) -> bool:
    try:
        key.verify(signature, content, PKCS1v15(), algorithm())
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
