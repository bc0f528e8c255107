"""Receipts: ids of deliveries, which grow with time and name a delivery to its sender."""

from __future__ import annotations

import random
from datetime import datetime

from incidents.tables import micros

ID_SHIFT = 10
"""Random bits at the end of a delivery's id; the rest are microseconds, enough until the year 2255."""


def first_id(at: datetime) -> int:
    """The least id of a delivery received at this instant."""
    return micros(at) << ID_SHIFT


class DeliveryIds:
    """Ids of deliveries: microseconds since 1970 and some random bits, strictly growing within a process."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, at: datetime) -> int:
        """An id for a delivery received at this instant. Not safe to call from two threads at once."""
        self._last = max(self._last + 1, first_id(at) | random.getrandbits(ID_SHIFT))  # apart, not secret
        return self._last


def receipt_of(delivery_id: int) -> str:
    """The receipt that names a delivery to its sender: its id as sixteen hex digits."""
    return f"{delivery_id:016x}"


def delivery_id_of(receipt: str) -> int | None:
    """The inverse of `receipt_of`; None for what cannot be a receipt."""
    if len(receipt) != 16 or not set(receipt) <= set("0123456789abcdef"):
        return None
    number = int(receipt, 16)
    return number if number < 1 << 63 else None
