"""The archive of a bundle: a ZIP written in one way only, and read as nothing else, whatever its size. Pure.

Members stand in the order of their names, not compressed (what a compressor writes depends on its version), with one
fixed time; the comment at the end holds the SHA-256 of all bytes before the digest itself. The reader knows what the
writer writes and takes no other byte: so there are no members twice, no paths out of it, no symbolic links, and nothing
that inflates. Both hold one member's piece at a time and a few bytes for each member.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

MOST_BYTES = 0xFFFFFFFE
"""Most bytes of one bundle: more than four bytes can tell would need another form of the archive."""
NAME_BOUND = 120
FIRST = "0" * 64
MARK = b"barograph-bundle sha256:"
PIECE = 1 << 20

_NAME = re.compile(rb"[a-z]+(?:/[a-z0-9-]+)*(?:\.[a-z]+)?")
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_VERSION, _UNIX, _DAY = 20, 3, 33
"""What is needed to read it; whose file attributes they are; the first of January 1980, at midnight."""
_PLAIN_FILE = 0o100644 << 16
_MANY = 0xFFFF


class BundleError(ValueError):
    """A bundle that is not whole or not one; the message says where and in what it differs."""


@dataclass(frozen=True, slots=True)
class Member:
    """Where the content of a member lies in the file; `sha256` is of the content, hex."""

    name: str
    offset: int
    size: int
    sha256: str = ""


def pieces(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    """A stretch of a file, piece by piece. Other readers of the same file are not disturbed."""
    end = offset + size
    while offset < end:
        piece = os.pread(file.fileno(), min(PIECE, end - offset), offset)
        if not piece:
            raise BundleError("it is cut off")
        yield piece
        offset += len(piece)


def content(file: BinaryIO, member: Member) -> bytes:
    """The whole content of a member that is known to be small."""
    return b"".join(pieces(file, member.offset, member.size))


# --- written --------------------------------------------------------------------------------------------------------


def _local(name: bytes, crc: int, size: int) -> bytes:
    return _LOCAL.pack(b"PK\3\4", _VERSION, 0, 0, 0, _DAY, crc, size, size, len(name), 0) + name


def _central(name: bytes, crc: int, size: int, offset: int) -> bytes:
    fields = (_VERSION, _UNIX, _VERSION, 0, 0, 0, 0, _DAY, crc, size, size, len(name), 0, 0, 0, 0, _PLAIN_FILE, offset)
    return _CENTRAL.pack(b"PK\1\2", *fields) + name


def _end(count: int, size: int, offset: int) -> bytes:
    """What stands behind the directory, up to the digest."""
    more, told = b"", count
    if count > _MANY:
        more = _END_64.pack(b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
        more += _LOCATOR_64.pack(b"PK\6\7", 0, offset + size, 1)
        told = _MANY
    comment = len(MARK) + len(FIRST)
    return more + _END.pack(b"PK\5\6", 0, 0, told, told, size, offset, comment) + MARK


class Writer:
    """Writes a bundle into an empty file that can be read as well; members come in the order of their names.

    What only fits into more than `MOST_BYTES` raises BundleError.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._count, self._at = file, 0, 0
        self._directory = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `end` and `close`
        self._last = b""

    def add(self, name: str, parts: Iterable[bytes]) -> Member:
        """Add a member; where it lies and its SHA-256."""
        raw = name.encode("ascii")
        assert raw > self._last, "members are written in their order"
        start = self._at + len(_local(raw, 0, 0))
        self._file.seek(start)
        crc, size, seen = 0, 0, hashlib.sha256()
        for part in parts:
            size += len(part)
            if start + size > MOST_BYTES:
                raise BundleError(f"it would be larger than the {MOST_BYTES} bytes of a bundle")
            crc = zlib.crc32(part, crc)
            seen.update(part)
            self._file.write(part)
        self._file.seek(self._at)
        self._file.write(_local(raw, crc, size))
        self._directory.write(_central(raw, crc, size, self._at))
        self._at, self._count, self._last = start + size, self._count + 1, raw
        return Member(name, start, size, seen.hexdigest())

    def end(self) -> str:
        """Write the directory and the digest, which is told."""
        self._file.seek(self._at)
        size = self._directory.tell()
        if self._at + size > MOST_BYTES - 1024:
            raise BundleError(f"it would be larger than the {MOST_BYTES} bytes of a bundle")
        self._directory.seek(0)
        while piece := self._directory.read(PIECE):
            self._file.write(piece)
        self._file.write(_end(self._count, size, self._at))
        self._file.flush()
        told = sha256(self._file, self._file.tell())
        self._file.write(told.encode())
        self._file.flush()
        return told

    def close(self) -> None:
        """Give back what the directory was gathered in."""
        self._directory.close()


def sha256(file: BinaryIO, size: int) -> str:
    """The SHA-256 of the first bytes of a file, hex."""
    seen = hashlib.sha256()
    for piece in pieces(file, 0, size):
        seen.update(piece)
    return seen.hexdigest()


# --- read -----------------------------------------------------------------------------------------------------------


class DamagedError(BundleError):
    """A member whose content is not what its header says; `member` is where it lies."""

    def __init__(self, member: Member) -> None:
        super().__init__(f"the member {member.name} was changed")
        self.member = member


def walk(file: BinaryIO, size: int) -> Iterator[Member]:
    """Every member, from the first byte to the last before the digest. Raises BundleError at what no writer wrote."""
    at, last, count = 0, b"", 0
    directory, listed = hashlib.sha256(), 0
    while (header := _header(file, at)) is not None:
        name, crc, length = header
        _check(name, last)
        start = at + _LOCAL.size + len(name)
        if start + length > size:
            raise BundleError("its members say that they are larger than the file")
        found, seen = 0, hashlib.sha256()
        for piece in pieces(file, start, length):
            found = zlib.crc32(piece, found)
            seen.update(piece)
        member = Member(name.decode(), start, length, seen.hexdigest())
        if found != crc:
            raise DamagedError(member)
        record = _central(name, crc, length, at)
        directory.update(record)
        listed, count, last, at = listed + len(record), count + 1, name, start + length
        yield member
    _check_end(file, at, size, _Directory(directory.digest(), listed, count))


def behind(file: BinaryIO, member: Member) -> Iterator[Member]:
    """The members behind one by what their headers say, not checked."""
    at = member.offset + member.size
    while (header := _header(file, at)) is not None:
        name, _, length = header
        found = Member(name.decode("ascii", "replace"), at + _LOCAL.size + len(name), length)
        yield found
        at = found.offset + length


@dataclass(frozen=True, slots=True)
class _Directory:
    """What the directory of the members that were walked through is: digest, bytes, and how many it lists."""

    digest: bytes
    size: int
    count: int


def _header(file: BinaryIO, at: int) -> tuple[bytes, int, int] | None:
    """Name, CRC-32 and size of the member at a place; None where the directory begins."""
    head = os.pread(file.fileno(), _LOCAL.size, at)
    if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
        return None
    _, _, flags, method, time, day, crc, packed, length, long, extra = _LOCAL.unpack(head)
    name = os.pread(file.fileno(), min(long, NAME_BOUND + 1), at + _LOCAL.size)
    shown = name[:60].decode("ascii", "replace")
    if method or packed != length or flags & 1:
        raise BundleError(f"the member {shown!r} is compressed or encrypted, which no bundle is")
    if head + name != _local(name, crc, length) or flags or time or day != _DAY or extra:
        raise BundleError(f"the header of {shown!r} is not written as bundles are")
    return name, crc, length


def _check(name: bytes, last: bytes) -> None:
    shown = name[:60].decode("ascii", "replace")
    if len(name) > NAME_BOUND or not _NAME.fullmatch(name):
        raise BundleError(f"a member is called {shown!r}, which no bundle has")
    if name == last:
        raise BundleError(f"the member {shown} is there twice")
    if name < last:
        raise BundleError(f"the member {shown} is out of order: the archive is not written as bundles are")


def _check_end(file: BinaryIO, at: int, size: int, directory: _Directory) -> None:
    """The directory, byte for byte, and nothing behind it but the digest. Raises BundleError."""
    end = _end(directory.count, directory.size, at)
    if not directory.count:
        raise BundleError("the archive cannot be read: it has no member")
    if at + directory.size + len(end) + len(FIRST) != size:
        raise BundleError(f"byte {at}: neither a member nor the directory of these: not written as bundles are")
    seen = hashlib.sha256()
    for piece in pieces(file, at, directory.size):
        seen.update(piece)
    if seen.digest() != directory.digest:
        raise BundleError(f"the directory at byte {at} {_odd(file, at, directory)}: not written as bundles are")
    behind = at + directory.size
    for number, (a, b) in enumerate(zip(end, os.pread(file.fileno(), len(end), behind), strict=True)):
        if a != b:
            raise BundleError(f"its members are whole, byte {behind + number} beside them was changed")


def _odd(file: BinaryIO, at: int, directory: _Directory) -> str:
    """What the first record of another form is, in words."""
    end = at + directory.size
    while at + _CENTRAL.size <= end:
        record = _CENTRAL.unpack(os.pread(file.fileno(), _CENTRAL.size, at))
        if record[16] != _PLAIN_FILE:
            return "lists what is not a plain file"
        at += _CENTRAL.size + record[12] + record[13] + record[14]
    return "was changed"
