"""Tokens of forms as pages carry them: masked anew in each answer.

Pages are compressed, and some repeat what an address says; what never changes between two answers could be guessed
from their lengths.
"""

from __future__ import annotations

import secrets


def masked(token: str) -> str:
    """A token of hex digits under a mask of its own length, which stands before it."""
    plain = bytes.fromhex(token)
    mask = secrets.token_bytes(len(plain))
    return mask.hex() + bytes(a ^ b for a, b in zip(mask, plain, strict=True)).hex()


def unmasked(text: str) -> str:
    """The token; "" for what is none of ours."""
    try:
        both = bytes.fromhex(text) if text.isascii() and len(text) <= 1024 else b""
    except ValueError:
        return ""
    half = len(both) // 2
    return bytes(a ^ b for a, b in zip(both[:half], both[half : 2 * half], strict=True)).hex()
