"""The folder of a process's jobs, and those that processes left behind which were killed.

A folder holds a file that its process has locked. The system lets go of the lock with the process, however it ended,
and a number that another process has got meanwhile misleads nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from service import clock

PREFIX = "barograph-jobs-"
MARK = "owner"
"""The file that is locked for as long as its process lives."""
UNMARKED = timedelta(days=1)
"""A folder without a mark, of a version that made none or of a process that was killed before, stays so long."""


class JobFolder:
    """A new folder that only its owner may enter."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = _marked(self.path)

    def keep(self) -> None:
        """Make it anew where what clears idle folders has taken it or its mark."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        if not (self.path / MARK).exists():
            os.close(self._lock)
            self._lock = _marked(self.path)

    def remove(self) -> None:
        """Take it away with all it holds."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _marked(folder: Path) -> int:
    """A locked mark. It gets its name when it is locked, so that nobody finds one which seems to be nobody's."""
    draft = folder / f"{MARK}.draft"
    lock = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    draft.rename(folder / MARK)
    return lock


def clear_orphans() -> None:
    """Take away the folders of this user whose process is gone."""
    now = clock.now()
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another process may be clearing as well
            if _is_own(folder) and _is_left(folder, now):
                shutil.rmtree(folder, ignore_errors=True)


def _is_own(folder: Path) -> bool:
    """Whether it is a folder, no link to one, and of this user: anybody may put names into a folder for all."""
    return not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.geteuid()


def _is_left(folder: Path, now: datetime) -> bool:
    try:
        lock = os.open(folder / MARK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return folder.stat().st_mtime < (now - UNMARKED).timestamp()
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
