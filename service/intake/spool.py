"""The spool: files beside a database that is away, to which deliveries are appended and synced before their 2xx.

A record is a mark, its length, a CRC-32 and then the delivery: what a power cut tore off is told from what is whole.
What is whole stays until it stands in the database; moved there twice it is found by its id and stands there once.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path

import orjson

from incidents.deliveries import Arrival
from incidents.proofs.signatures import Proof
from incidents.tables import instant, micros
from incidents.views.source_view import Spooled
from service import clock

log = logging.getLogger(__name__)

MARK = b"\xb5spl"
_HEAD = struct.Struct("<4sII")
"""Mark, length of what follows, its CRC-32."""
_LENGTH = struct.Struct("<I")
WINDOW = 1024 * 1024
"""Bytes that are looked through at a time for the next whole record after a broken one."""
MOST_RECORD = 64 * 1024 * 1024
"""No record is longer; a length above it is no length."""


class SpoolFullError(OSError):
    """The bound of the settings is reached."""


class Spool:
    """One file of a folder, held by this process alone. `append` is for the writer, the rest for who empties it.

    Whoever starts takes over what processes that are gone have left in the folder. No file is ever deleted: another
    process may have opened it a moment ago, and would write to what nobody finds again.
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._most = most_bytes
        self._lock = threading.Lock()
        self.path, self._fd = _take_first(folder)
        self._aside = self.path.with_suffix(".aside")
        self._begin = self._end = self._count = 0
        self._since: datetime | None = None
        self._is_damaged = False
        self.filled = threading.Event()
        """Set whenever something was appended."""
        try:
            self._recover()
            self._adopt(folder)
            _sync_folder(folder)
            self.asides = sum(1 for _ in _records(self._aside.read_bytes())) if self._aside.exists() else 0
        except BaseException:
            os.close(self._fd)  # and with it the lock: another may take over what it holds
            raise
        self.in_use = self._count > 0
        """Whether it holds anything: as long as it does, what arrives goes behind it."""
        if self.in_use:
            self.filled.set()

    # --- filling ----------------------------------------------------------------------------------------------------

    def append(self, arrivals: Sequence[Arrival]) -> None:
        """Put deliveries behind all others; they are on stable storage when this returns. Raises OSError: none is."""
        packed = b"".join(_pack(a) for a in arrivals)
        with self._lock:
            if self._end + len(packed) > self._most:
                raise SpoolFullError(f"the spool {self.path} is full: {self._end} of {self._most} bytes")
            self._put(packed)
            if not self._count:
                self._since = arrivals[0].received_at
            self._count += len(arrivals)
            self.in_use = True
        self.filled.set()

    def _put(self, packed: bytes) -> None:
        try:
            _write_all(self._fd, packed, self._end)
            os.fdatasync(self._fd)
        except OSError:
            # What was written is not acknowledged; the next record overwrites it if even this fails.
            _cut_quietly(self._fd, self._end)
            raise
        self._end += len(packed)

    @property
    def has_room(self) -> bool:
        """Whether a delivery of ordinary size would be taken."""
        return self._end + WINDOW < self._most

    # --- emptying ---------------------------------------------------------------------------------------------------

    def oldest(self, *, most: int, most_bytes: int) -> tuple[list[Arrival], int]:
        """The oldest deliveries, at least one where there is any, and the place behind them for `forget`."""
        with self._lock:
            begin, end = self._begin, self._end
        found: list[Arrival] = []
        size, after = 0, begin
        for record, behind in self._walk(begin, end):
            found.append(_unpack(record))
            size, after = size + len(record), behind
            if len(found) >= most or size >= most_bytes:
                break
        return found, after

    def forget(self, after: int, deliveries: int) -> None:
        """These stand in the database now. What is empty begins anew."""
        with self._lock:
            self._begin, self._count = after, self._count - deliveries
            left = next(self._walk(after, self._end), None)
            if left is None:
                self._clear()
            else:
                self._since = _unpack(left[0]).received_at

    def _clear(self) -> None:
        if self._is_damaged:
            log.error("the spool was damaged; all of it is kept in %s", _keep(self.path, self._fd, 0, self._end))
        os.ftruncate(self._fd, 0)
        self._begin = self._end = self._count = 0
        self._since, self._is_damaged, self.in_use = None, False, False
        self.filled.clear()

    def set_aside(self, arrival: Arrival) -> None:
        """Keep a delivery that the database does not take, so that those behind it get through."""
        with os.fdopen(
            os.open(self._aside, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab"
        ) as file:
            file.write(_pack(arrival))
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(self.path.parent)
        self.asides += 1

    def depth(self) -> Spooled:
        """What it holds now. The lock is not taken: it is held during a sync, and the event loop asks this."""
        return Spooled(self._count, self._end - self._begin, self._since, self.asides)

    def close(self) -> None:
        """Let go of the file; what it holds is taken over by whoever starts next."""
        os.close(self._fd)

    # --- what was left behind ---------------------------------------------------------------------------------------

    def _recover(self) -> None:
        size = os.fstat(self._fd).st_size
        end = 0
        for record, behind in self._walk(0, size):
            if not self._count:
                self._since = _unpack(record).received_at
            self._count, end = self._count + 1, behind
        self._end = self._without_tail(end, size) if size > end else end
        if self._count:
            log.warning("the spool %s holds %d deliveries of an earlier run", self.path, self._count)

    def _without_tail(self, end: int, size: int) -> int:
        """Cut what is no whole record off, once there is a copy; where the file ends now."""
        tail = f"the spool {self.path} ends in {size - end} bytes, perhaps not acknowledged, that cannot be read"
        try:
            kept = _keep(self.path, self._fd, end, size)
        except OSError as error:
            log.error("%s; they stay, as there is no copy of them: %s", tail, error)  # noqa: TRY400  # a full disk
            self._is_damaged = True
            return size
        log.warning("%s; they are kept in %s", tail, kept)
        os.ftruncate(self._fd, end)
        return end

    def _adopt(self, folder: Path) -> None:
        """Move what processes that are gone have left into our own file, whatever the bound says."""
        for path in sorted(folder.glob("spool-*.log")):
            if path == self.path:
                continue
            try:
                self._take_over(path)
            except OSError as error:
                # What was moved already is there twice, and will stand in the database once.
                log.warning("the spool %s is left for the next start: %s", path, error)

    def _take_over(self, path: Path) -> None:
        if not path.stat().st_size or (fd := _take(path)) is None:
            return
        log.warning("taking over the spool %s of a process that is gone", path)
        try:
            size, broken, at = os.fstat(fd).st_size, 0, 0
            for record, behind in _records_of(fd, 0, size):
                broken, at = broken + behind - len(record) - _HEAD.size - at, behind
                self._put(_framed(record))
                self._since = self._since or _unpack(record).received_at
                self._count += 1
            broken += size - at
            if broken:
                kept = _keep(path, fd, 0, size)
                log.error("the spool %s was damaged in %d bytes; all of it is kept in %s", path, broken, kept)
            os.ftruncate(fd, 0)
        finally:
            os.close(fd)

    def _walk(self, begin: int, end: int) -> Iterator[tuple[bytes, int]]:
        at = begin
        for record, after in _records_of(self._fd, begin, end):
            if after - len(record) - _HEAD.size != at:
                self._is_damaged = True
            at = after
            yield record, after


def _take_first(folder: Path) -> tuple[Path, int]:
    """The first file that no other process holds."""
    for number in count():
        path = folder / f"spool-{number}.log"
        if (fd := _take(path)) is not None:
            return path, fd
    raise AssertionError("numbers do not end")


def _take(path: Path) -> int | None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return fd


def _sync_folder(folder: Path) -> None:
    """A file that was made is there after a power cut only once its folder was synced."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _keep(path: Path, fd: int, begin: int, end: int) -> Path:
    """Copy a stretch of a damaged file beside it, synced, before it is cut. No copy ever takes another's place."""
    kept = path.with_suffix(f".damaged-{clock.now():%Y%m%dT%H%M%S%fZ}-{os.getpid()}")
    copy = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        for at in range(begin, end, WINDOW):
            _write_all(copy, _read(fd, at, min(WINDOW, end - at)), at - begin)
        os.fsync(copy)
    except OSError:
        kept.unlink(missing_ok=True)  # half a copy is none, and takes room
        raise
    finally:
        os.close(copy)
    _sync_folder(path.parent)
    return kept


def _write_all(fd: int, packed: bytes, at: int) -> None:
    left = memoryview(packed)
    while left:
        done = os.pwrite(fd, left, at)
        left, at = left[done:], at + done


def _cut_quietly(fd: int, length: int) -> None:
    try:
        os.ftruncate(fd, length)
    except OSError as error:
        log.warning("what was half written to the spool stays: %s", error)


# --- records --------------------------------------------------------------------------------------------------------


def _pack(arrival: Arrival) -> bytes:
    proof = arrival.proof
    told = orjson.dumps(
        {
            "id": arrival.id,
            "source": arrival.source,
            "received_at": micros(arrival.received_at),
            "headers": arrival.headers if isinstance(arrival.headers, str) else dict(arrival.headers),
            "encoding": arrival.encoding,
            "refused": arrival.refused,
            "size": arrival.size,
            "proof": [proof.name, micros(proof.until)] if proof else None,
        }
    )
    return _framed(_LENGTH.pack(len(told)) + told + arrival.body)


def _framed(record: bytes) -> bytes:
    return _HEAD.pack(MARK, len(record), zlib.crc32(record)) + record


def _unpack(record: bytes) -> Arrival:
    (length,) = _LENGTH.unpack_from(record)
    body = _LENGTH.size + length
    told = orjson.loads(record[_LENGTH.size : body])
    proof = told["proof"]
    return Arrival(
        told["id"],
        told["source"],
        instant(told["received_at"]),
        told["headers"],
        record[body:],
        told["encoding"],
        told["refused"],
        told["size"],
        Proof(proof[0], instant(proof[1])) if proof else None,
    )


def _read(fd: int, at: int, size: int) -> bytes:
    parts = []
    while size > 0 and (part := os.pread(fd, size, at)):
        parts.append(part)
        at, size = at + len(part), size - len(part)
    return b"".join(parts)


def _records_of(fd: int, begin: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Each whole record between two places of a file with the place behind it; what is broken is passed over."""
    at = begin
    while at < end:
        record = _record_at(fd, at, end)
        if record is not None:
            at += _HEAD.size + len(record)
            yield record, at
        else:
            at = _next_mark(fd, at + 1, end)


def _record_at(fd: int, at: int, end: int) -> bytes | None:
    head = _read(fd, at, _HEAD.size)
    if len(head) < _HEAD.size:
        return None
    mark, length, checksum = _HEAD.unpack(head)
    if mark != MARK or not _LENGTH.size <= length <= min(MOST_RECORD, end - at - _HEAD.size):
        return None
    record = _read(fd, at + _HEAD.size, length)
    return record if len(record) == length and zlib.crc32(record) == checksum else None


def _next_mark(fd: int, at: int, end: int) -> int:
    """Where a record may begin at the earliest; the end where none does."""
    while at < end:
        window = _read(fd, at, min(WINDOW, end - at))
        found = window.find(MARK)
        if found >= 0:
            return at + found
        at += max(1, len(window) - len(MARK) + 1)
    return end


def _records(content: bytes) -> Iterator[bytes]:
    """The whole records of a file's content, up to the first that is not."""
    at = 0
    while at + _HEAD.size <= len(content):
        _, length, _ = _HEAD.unpack_from(content, at)
        at += _HEAD.size + length
        if at <= len(content):
            yield content[at - length : at]
