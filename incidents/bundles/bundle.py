"""The evidence bundle as a file: an archive of members under one digest, of which every changed byte is seen. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

import orjson

from incidents.bundles import archive, lines
from incidents.bundles.archive import FIRST, MARK, BundleError, DamagedError, Member, content
from incidents.bundles.lines import digest

__all__ = ["FIRST", "MANIFEST", "BundleError", "Member", "content", "digest", "digest_of", "members"]

MANIFEST = "manifest.json"
MANIFEST_BOUND = 32 * 1024 * 1024
_DIGEST = re.compile(rb"[0-9a-f]{64}")


def size_of(file: BinaryIO) -> int:
    """How large a file is. Raises BundleError for one that is larger than any bundle."""
    size = file.seek(0, 2)
    if size > archive.MOST_BYTES:
        raise BundleError(f"larger than {archive.MOST_BYTES} bytes")
    return size


def digest_of(file: BinaryIO) -> str:
    """The digest that a whole bundle carries: the name of its content."""
    return _tail(file, size_of(file), len(FIRST)).decode()


def members(file: BinaryIO) -> Iterator[Member]:
    """The members of a whole bundle, each checked. Raises BundleError that says what differs first."""
    size = size_of(file)
    told = _tail(file, size, len(FIRST))
    if not _DIGEST.fullmatch(told) or not _tail(file, size, len(MARK) + len(FIRST)).startswith(MARK):
        raise BundleError(f"it does not end with the digest of a bundle; {_difference(file, size)}")
    if archive.sha256(file, size - len(FIRST)).encode() != told:
        raise BundleError(f"its content is not what its digest says; {_difference(file, size)}")
    yield from archive.walk(file, size)


def _tail(file: BinaryIO, size: int, length: int) -> bytes:
    return b"".join(archive.pieces(file, max(0, size - length), min(size, length)))


# --- where it differs -----------------------------------------------------------------------------------------------


def _difference(file: BinaryIO, size: int) -> str:
    """The first place, in words, where damaged content differs from what was written."""
    try:
        for _ in archive.walk(file, size):
            pass
    except DamagedError as damaged:
        return _changed(file, damaged.member)
    except BundleError as error:
        return str(error)
    return f"its members are whole, byte {size - len(FIRST)} beside them, the digest, was changed"


def _changed(file: BinaryIO, member: Member) -> str:
    """A damaged member, with the line of its chain that was changed where it has one."""
    if not member.name.endswith(".jsonl"):
        return f"the member {member.name} was changed"
    number = lines.broken_line(_lines(file, member), _last_of(file, member))
    return (
        f"the member {member.name}, line {number} of the chain, was changed"
        if number
        else (f"the member {member.name} was changed")
    )


def _lines(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The lines of a member as far as it has any."""
    try:
        yield from lines.split(file, member)
    except BundleError:
        return


def _last_of(file: BinaryIO, damaged: Member) -> str | None:
    """What the manifest, which stands behind all members of lines, says of the last line of a member."""
    try:
        manifest = next(member for member in archive.behind(file, damaged) if member.name == MANIFEST)
        if manifest.size > MANIFEST_BOUND:
            return None
        rows = orjson.loads(content(file, manifest))["members"]
        return next((str(row["last"]) for row in rows if row["name"] == damaged.name), None)
    except (StopIteration, ValueError, LookupError, TypeError):
        return None
