"""How the deliveries of a source prove who sent them: as its adapter says, or as the source's `verify` does. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from incidents.adapters import Adapter
from incidents.model import Delivery, Source
from incidents.proofs import signatures
from incidents.proofs.signatures import Proof


@dataclass(frozen=True, slots=True)
class Scheme:
    """`holds` judges a delivery by the source's secrets; `proof` says what it is then remembered by.

    That is None where nothing tells one delivery from another: a token is the same in all of them.
    """

    holds: Callable[[Delivery, Sequence[str]], bool]
    proof: Callable[[Delivery], Proof | None]


SCHEMES: Mapping[str, Scheme] = {
    "standard-webhooks": Scheme(signatures.is_standard_webhook, signatures.standard_proof),
}
"""What any source may choose as its `verify`, whatever its adapter."""

_TIMES = ("webhook-timestamp", "svix-timestamp", "x-grafana-alerting-timestamp")
_PROOFS = ("signature", "hmac", "token")
_IN_BODIES = (b'"SigningCertURL"', b"Token")  # where Amazon SNS and StatusCake put theirs


def scheme_of(source: Source, adapter: Adapter | None) -> Scheme | None:
    """How this source's deliveries are proved; None where nothing but a key does."""
    if source.verify is not None:
        return SCHEMES.get(source.verify)
    if adapter is None or adapter.verify is None:
        return None
    return Scheme(adapter.verify, adapter.proof)


def complaint(delivery: Delivery) -> str:
    """What can be said of a delivery whose signature does not hold, in words for the operator; no header's value."""
    said = [name for name in delivery.headers if any(word in name for word in _PROOFS)]
    seconds = next((value for name in _TIMES if (value := delivery.headers.get(name))), None)
    if seconds is not None and not signatures.is_recent(seconds, delivery):
        if not seconds.isascii() or not seconds.isdecimal() or len(seconds) > 12:
            return "the signed time is not one in epoch seconds"
        off = round(delivery.received_at.timestamp() - int(seconds))
        return f"the signed time is {abs(off):,} s {'old' if off > 0 else 'ahead'}; {_minutes()} are allowed"
    if not said and not any(word in delivery.body[:100_000] for word in _IN_BODIES):
        return "there is no key, and neither a signature nor a token"
    return "no secret of this source fits the signature"


def _minutes() -> str:
    return f"{signatures.TOLERANCE.total_seconds() / 60:.0f} min"
