"""Lines in a chain and bodies by their digests, kept in files: counted, read again and again, never held together.

Each line is a JSON object that begins with the SHA-256 of the line before it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import orjson

from incidents.bundles import archive
from incidents.bundles.archive import FIRST, BundleError, Member, pieces

MOST_LINES = 5_000_000
"""Most lines of one member."""
LINE_BOUND = 64 * 1024 * 1024
"""Most bytes of one line."""

Row = dict[str, Any]


def digest(content: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(content).hexdigest()


class Rows(Protocol):
    """Rows of a member: a list, or a file that is read again for each pass."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Row]: ...


# --- lines ----------------------------------------------------------------------------------------------------------


def chained(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """JSON lines, each with the SHA-256 of the line before it."""
    previous = FIRST
    for row in rows:
        line = orjson.dumps({"previous": previous, **row})
        previous = digest(line)
        yield line + b"\n"


@dataclass(frozen=True, slots=True)
class Read:
    """The lines of a member as they lie in a bundle, without what chains them; each pass checks chain and form."""

    file: BinaryIO
    member: Member
    count: int = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Row]:
        name, previous = self.member.name, FIRST
        for number, line in enumerate(split(self.file, self.member), 1):
            if number > MOST_LINES:
                raise BundleError(f"{name}: more than {MOST_LINES} lines")
            row = read_object(f"{name}, line {number}", line)
            if next(iter(row), None) != "previous" or row.pop("previous") != previous:
                raise BundleError(f"{name}, line {number}: the chain is broken: it does not follow the line before it")
            previous = digest(line)
            yield row


def split(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The lines of a member, each without its end. Raises BundleError for one that is cut off or has no bound."""
    rest = b""
    for piece in pieces(file, member.offset, member.size):
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > LINE_BOUND:
            raise BundleError(f"{member.name}: a line of more than {LINE_BOUND} bytes")
        yield from whole
    if rest:
        raise BundleError(f"{member.name}: the last line is cut off")


def read_object(where: str, content: bytes) -> Row:
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


def broken_line(lines: Iterable[bytes], last: str | None) -> int | None:
    """The number of the first line that is not what the next one, or for the last line `last`, says of it."""
    told, found = [], []
    for line in lines:
        told.append(_previous(line))
        found.append(digest(line))
    if told and told[0] != FIRST:
        return 1
    for number, one in enumerate(found, 1):
        follows = told[number] if number < len(found) else last
        if follows == one:
            continue
        # Where the next line is broken towards its own next one as well, it is what it says of this one that changed.
        after = told[number + 1] if number + 1 < len(found) else last
        is_next = number < len(found) and (follows is None or after != found[number])
        return number + 1 if is_next else number
    return None


def _previous(line: bytes) -> str | None:
    try:
        row = orjson.loads(line)
    except ValueError:
        return None
    found = row.get("previous") if isinstance(row, dict) else None
    return found if isinstance(found, str) else None


# --- what is gathered -----------------------------------------------------------------------------------------------


class Gathered:
    """Rows on their way into a bundle, in a file of their own."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._count = file, 0

    def append(self, row: Row) -> None:
        self._file.write(orjson.dumps(row) + b"\n")
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        self._file.flush()
        return map(orjson.loads, split(self._file, Member("gathered", 0, self._file.tell())))


class Bodies:
    """Bodies by their SHA-256, in one file: here as they were gathered, or where they lie in a bundle."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._places = file, dict[bytes, int]()

    def add(self, name: str, body: bytes) -> None:
        """Keep a body, once."""
        if name not in self:
            self.place(name, self._file.tell(), len(body))
            self._file.write(body)
            self._file.flush()

    def place(self, name: str, offset: int, size: int) -> None:
        """Say where one lies already."""
        self._places[bytes.fromhex(name)] = offset << 32 | size  # one number takes a third of two in a tuple

    def size(self, name: str) -> int:
        """How many bytes one has."""
        return self._places[bytes.fromhex(name)] & 0xFFFFFFFF

    def __contains__(self, name: str) -> bool:
        return bytes.fromhex(name) in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return (name.hex() for name in sorted(self._places))

    def __getitem__(self, name: str) -> bytes:
        place = self._places[bytes.fromhex(name)]
        return archive.content(self._file, Member(name, place >> 32, place & 0xFFFFFFFF))


class Room:
    """Files for what is gathered, gone when it is left."""

    def __init__(self) -> None:
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held.close()

    def file(self) -> BinaryIO:
        """An empty file without a name."""
        return self._held.enter_context(tempfile.TemporaryFile())

    def lines(self) -> Gathered:
        """Where rows are put."""
        return Gathered(self.file())

    def bodies(self) -> Bodies:
        """Where bodies are put."""
        return Bodies(self.file())


class Marks:
    """A set of texts of which sixteen bytes each are kept: whoever makes two of them meet is told so, and no more."""

    def __init__(self) -> None:
        self._held = set[bytes]()

    def add(self, text: str) -> bool:
        """Whether it is new."""
        mark, before = _mark(text), len(self._held)
        self._held.add(mark)
        return len(self._held) > before

    def __contains__(self, text: str) -> bool:
        return _mark(text) in self._held


def _mark(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
