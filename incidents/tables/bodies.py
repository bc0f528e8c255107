"""Bodies of deliveries as a table holds them: packed where that saves room, and whole for whoever reads the column.

What is packed begins with `MARK`; a body that begins so itself is packed whatever its length, so that nothing can be
taken for what it is not. Rows of before there was packing are as they were.
"""

from __future__ import annotations

import zlib

from isal import isal_zlib
from sqlalchemy import Dialect, LargeBinary, TypeDecorator

MARK = b"\0Z1"
LEVEL = 1
"""Of isal: a hundred alerts shrink to a tenth in a third of a millisecond; a higher one takes longer than it saves."""
LEAST = 2048
"""Bytes below which a body stays as it is: to pack one alert costs a tenth of taking it in, for half a kilobyte."""


def pack(body: bytes) -> bytes:
    """The body as it is stored: packed if that makes it smaller by a tenth and more."""
    is_like_packed = body.startswith(MARK)
    if len(body) < LEAST and not is_like_packed:
        return body
    packed: bytes = MARK + isal_zlib.compress(body, LEVEL)
    return packed if is_like_packed or len(packed) < len(body) * 9 // 10 else body


def unpack(stored: bytes) -> bytes:
    """The inverse of `pack`."""
    if not stored.startswith(MARK):
        return stored
    try:
        return zlib.decompress(stored[len(MARK) :])
    except zlib.error:  # from before there was packing
        return stored


def unpack_some(begun: bytes, bound: int) -> bytes:
    """As much of a body as the first bytes of what is stored give, at most `bound` bytes: for showing."""
    if not begun.startswith(MARK):
        return begun[:bound]
    try:
        return zlib.decompressobj().decompress(begun[len(MARK) :], bound)
    except zlib.error:
        return begun[:bound]


class Body(TypeDecorator[bytes]):
    """Bytes that are packed on their way into the table and whole on their way out."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else pack(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else unpack(bytes(value))
