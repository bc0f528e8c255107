"""The evidence bundle as a file: an archive of members under one digest, of which every changed byte is seen. Pure.

The archive is a ZIP that anybody can open, written in one way only: members in the order of their names, not compressed
(what a compressor writes depends on its version), with one fixed time. The comment at its end holds the SHA-256 of all
bytes before the digest itself. What is not, byte for byte, what `write` makes of its own members is refused: so there
are no members twice, no paths out of it, no symbolic links, and nothing that inflates.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

MANIFEST = "manifest.json"
MOST_BYTES = 256 * 1024 * 1024
"""Most bytes of one bundle: it is held in memory as a whole."""
MOST_LINES = 500_000
"""Most lines of one member."""
FIRST = "0" * 64
"""What the first line of a chain carries in place of the digest of the line before it."""

_COMMENT = b"barograph-bundle sha256:"
_NAME = re.compile(r"[a-z]+(?:/[a-z0-9-]+)*(?:\.[a-z]+)?", re.ASCII)
_NAME_BOUND = 120
_DIGEST = re.compile(rb"[0-9a-f]{64}")
_LOCAL_HEADER = 30
"""Bytes before the name in the header of a member."""
_UNREADABLE = (
    zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, ValueError, LookupError, struct.error,
)  # fmt: skip
"""What the library raises for archives that are none."""


class BundleError(ValueError):
    """A bundle that is not whole or not one; the message says where and in what it differs."""


def digest(content: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(content).hexdigest()


# --- the archive ----------------------------------------------------------------------------------------------------


def write(members: Mapping[str, bytes]) -> bytes:
    """The file that holds these members: the same bytes for the same members."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as written:
        for name in sorted(members):
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            member.external_attr = 0o100644 << 16
            written.writestr(member, members[name])
        written.comment = _COMMENT + FIRST.encode()
    content = archive.getvalue()[: -len(FIRST)]
    return content + digest(content).encode()


def digest_of(content: bytes) -> str:
    """The digest that a whole bundle carries: the name of its content."""
    return content[-len(FIRST) :].decode()


def read(content: bytes) -> dict[str, bytes]:
    """The members of a whole bundle. Raises BundleError that says what differs first."""
    if len(content) > MOST_BYTES:
        raise BundleError(f"larger than {MOST_BYTES} bytes")
    told = content[-len(FIRST) :]
    if not _DIGEST.fullmatch(told) or not content[: -len(FIRST)].endswith(_COMMENT):
        raise BundleError(f"it does not end with the digest of a bundle; {_difference(content)}")
    if digest(content[: -len(FIRST)]).encode() != told:
        raise BundleError(f"its content is not what its digest says; {_difference(content)}")
    try:
        members = _members(content)
    except _UNREADABLE as error:
        raise BundleError(f"the archive cannot be read: {error}") from None
    if write(members) != content:
        raise BundleError("the archive is not written as bundles are")
    return members


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = archive.infolist()
        _check_members(found, len(content))
        return {member.filename: archive.read(member) for member in found}


def _check_members(found: list[zipfile.ZipInfo], most: int) -> None:
    """Before anything is read: plain names, each once, not compressed, and together no more than the file."""
    seen: set[str] = set()
    for member in found:
        name = member.filename
        if len(name) > _NAME_BOUND or not _NAME.fullmatch(name):
            raise BundleError(f"a member is called {name[:60]!r}, which no bundle has")
        if name in seen:
            raise BundleError(f"the member {name} is there twice")
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise BundleError(f"the member {name} is compressed, which no bundle is")
        if member.external_attr >> 16 != 0o100644:
            raise BundleError(f"the member {name} is not a plain file")
        seen.add(name)
        most -= member.file_size
    if most < 0:
        raise BundleError("its members say that they are larger than the file")


# --- where it differs -----------------------------------------------------------------------------------------------


def _difference(content: bytes) -> str:
    """The first place, in words, where damaged content differs from what was written."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = sorted(archive.infolist(), key=lambda member: member.header_offset)
            _check_members(found, len(content))
            held = {member.filename: _slice(content, member) for member in found}
            for member in found:
                if not _is_intact(archive, member):
                    return f"the member {_changed(member.filename, held)} was changed"
    except _UNREADABLE as error:
        return f"the archive's directory cannot be read ({error})"
    written = write(held)
    pairs = enumerate(zip(written, content, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(written), len(content)))
    return f"its members are whole, byte {at} beside them (a header, the directory or the digest) was changed"


def _slice(content: bytes, member: zipfile.ZipInfo) -> bytes:
    start = member.header_offset + _LOCAL_HEADER + len(member.filename)
    return content[start : start + member.file_size]


def _is_intact(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    try:
        archive.read(member)
    except _UNREADABLE:
        return False
    return True


def _changed(name: str, held: Mapping[str, bytes]) -> str:
    """A damaged member, with the line of its chain that was changed where it has one."""
    if not name.endswith(".jsonl"):
        return name
    number = broken_line(held[name], _last_of(name, held.get(MANIFEST, b"")))
    return f"{name}, line {number} of the chain," if number else name


def _last_of(name: str, manifest: bytes) -> str | None:
    """What the manifest says of the last line of a member."""
    try:
        rows = orjson.loads(manifest)["members"]
        return next((str(row["last"]) for row in rows if row["name"] == name), None)
    except (ValueError, LookupError, TypeError):
        return None


# --- lines in a chain -----------------------------------------------------------------------------------------------


def write_lines(rows: Iterable[Mapping[str, Any]]) -> tuple[bytes, str]:
    """JSON lines, each with the SHA-256 of the line before it; and the digest of the last one."""
    written, previous = [], FIRST
    for row in rows:
        line = orjson.dumps({"previous": previous, **row})
        previous = digest(line)
        written.append(line + b"\n")
    return b"".join(written), previous


def read_lines(name: str, content: bytes) -> list[dict[str, Any]]:
    """The rows of a member without what chains them. Raises BundleError that names the line."""
    if content and not content.endswith(b"\n"):
        raise BundleError(f"{name}: the last line is cut off")
    if content.count(b"\n") > MOST_LINES:
        raise BundleError(f"{name}: more than {MOST_LINES} lines")
    rows, previous = [], FIRST
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        row = read_object(f"{name}, line {number}", line)
        if next(iter(row), None) != "previous" or row.pop("previous") != previous:
            raise BundleError(f"{name}, line {number}: the chain is broken: it does not follow the line before it")
        previous = digest(line)
        rows.append(row)
    return rows


def read_object(where: str, content: bytes) -> dict[str, Any]:
    """A JSON object, written as we write it, without NUL in any text. Raises BundleError."""
    try:
        found = orjson.loads(content)
        is_ours = orjson.dumps(found) == content
    except (ValueError, TypeError, RecursionError) as error:
        raise BundleError(f"{where}: is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BundleError(f"{where}: an object is expected")
    if not is_ours:
        raise BundleError(f"{where}: is not written as bundles are")
    if b"\\u0000" in content and _holds_nul(found):
        raise BundleError(f"{where}: holds NUL")
    return found


def _holds_nul(value: Any) -> bool:  # noqa: ANN401  # JSON
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(name) or _holds_nul(below) for name, below in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


def broken_line(content: bytes, last: str | None) -> int | None:
    """The number of the first line that is not what the next one, or for the last line `last`, says of it."""
    lines = content.split(b"\n")
    lines = lines[:-1] if lines[-1] == b"" else lines
    expected = [_previous(line) for line in lines]
    if expected and expected[0] != FIRST:
        return 1
    for number, line in enumerate(lines, 1):
        follows = expected[number] if number < len(lines) else last
        if follows == digest(line):
            continue
        # Where the next line is broken towards its own next one as well, it is what it says of this one that changed.
        after = expected[number + 1] if number + 1 < len(lines) else last
        is_next = number < len(lines) and (follows is None or after != digest(lines[number]))
        return number + 1 if is_next else number
    return None


def _previous(line: bytes) -> str | None:
    try:
        row = orjson.loads(line)
    except ValueError:
        return None
    found = row.get("previous") if isinstance(row, dict) else None
    return found if isinstance(found, str) else None
