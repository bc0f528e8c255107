"""The text of a key: what it is for, chance, and a checksum by which a slip of the hand, or a scanner's find, is told.

`bk_` and so on, 37 letters and digits at random (220 bits), 6 that are the CRC-32 of all before, in base 62. Operators
may give keys of any other form, and those of the first versions had no checksum: both are as good as ever.
"""

from __future__ import annotations

import re
import secrets
import string
import zlib

PREFIXES = {"ingest": "bk_", "token": "bt_", "session": "bs_", "sign_in": "bl_"}
PATTERN = re.compile(r"b[ktsl]_[0-9A-Za-z]{43}", re.ASCII)
_LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECK = 37, 6
LENGTH = 3 + _RANDOM + _CHECK


def make(kind: str) -> str:
    """A new key's text."""
    text = PREFIXES[kind] + "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM))
    return text + checksum(text)


def checksum(text: str) -> str:
    """Six characters for all that stands before them."""
    number, found = zlib.crc32(text.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_LETTERS))
        found = _LETTERS[digit] + found
    return found


def kind_of(text: str) -> str | None:
    """What a text that begins like one of our keys would be for."""
    return next((kind for kind, prefix in PREFIXES.items() if text.startswith(prefix)), None)


def is_whole(text: str) -> bool:
    """Whether it is a key's text as we make them, checksum and all."""
    return bool(PATTERN.fullmatch(text)) and checksum(text[:-_CHECK]) == text[-_CHECK:]


def slip(text: str) -> str | None:
    """What is wrong with the text of a key that is not known, where its form tells; never the text itself."""
    if kind_of(text) is None or is_whole(text):
        return None
    if len(text) != LENGTH:
        return f"the key has {len(text)} characters where ours have {LENGTH}: a part is missing, or was added"
    return "the key's checksum does not fit: it was mistyped"
