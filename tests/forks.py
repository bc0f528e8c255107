"""Barograph's command line in forks of one process that has imported it: what runs is the same, two seconds sooner.

`python -m tests.forks FD` is that process. It takes requests from the socket FD until that ends, and forks for each;
the fork runs `barograph` with the arguments, the environment, the folder and the files of the request, to the end of an
interpreter. What a command imports, what is preloaded into it and how long it takes to start cannot be seen so.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 1 << 16
"""Bytes of a request, most of which is an environment."""
COERCED = "LC_CTYPE"
"""What Python sets for itself, and those that it starts, where no locale is given."""


def is_of_start(name: str) -> bool:
    """Whether a variable says how an interpreter begins: its locale and encodings. A fork's has begun already."""
    return name.startswith(("LANG", "LC_", "PYTHON")) and name != "PYTHONPATH"


def plain(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without these: what is started in it begins alike, whoever runs the tests."""
    return {name: value for name, value in environ.items() if not is_of_start(name)}


class Fork:
    """One that runs or ran, with those methods of a `subprocess.Popen` that tests use."""

    def __init__(self, argv: Sequence[str], told: int) -> None:
        """`told` is the end of a pipe, on which its pid and, when it has ended, its exit code stand on a line each."""
        self._argv, self._told = list(argv), os.fdopen(told)
        self.pid = int(self._told.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self._argv, timeout or 0)
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode

    def terminate(self) -> None:
        """SIGTERM."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Forks:
    """The process that forks, as tests see it; it is started when the first of them asks."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def start(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        files: tuple[IO[Any], IO[Any], IO[Any]],
        is_strict: bool = False,
        pace: Mapping[str, float] | None = None,
    ) -> Fork:
        """Run `barograph ARGS` with this environment and these as its standard input, output and error.

        The environment says nothing of how an interpreter begins: what does needs a cold start. A strict one takes
        every warning for an error, as `python -W error` does; `pace` are other values for names of
        `service.schedule`, where a test would wait half a minute for a tick.
        """
        assert not any(map(is_of_start, env)), f"needs a cold start: {sorted(filter(is_of_start, env))}"
        ours, theirs = os.pipe()
        asked = {
            "args": list(args),
            "env": dict(env),
            "cwd": str(cwd),
            "is_strict": is_strict,
            "pace": dict(pace or {}),
        }
        request = json.dumps(asked).encode()
        assert len(request) < LONGEST
        socket.send_fds(self._asked(), [request], [*(file.fileno() for file in files), theirs])
        os.close(theirs)
        return Fork(["barograph", *args], ours)

    def run(
        self, args: Sequence[str], given: bytes, seconds: float, **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, as `subprocess.run` would, with this as its input. Raises TimeoutExpired."""
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            stdin.write(given)
            stdin.seek(0)
            fork = self.start(args, files=(stdin, out, err), **options)
            try:
                code = fork.wait(seconds)
            finally:
                fork.kill()
            return subprocess.CompletedProcess(["barograph", *args], code, *map(_whole, (out, err)))

    def close(self) -> None:
        """End the process; forks that still run go on."""
        if self._requests and self._process:
            self._requests.close()
            self._process.wait(10)

    def _asked(self) -> socket.socket:
        if self._requests is None:
            self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            argv = [sys.executable, "-m", "tests.forks", str(theirs.fileno())]
            with theirs:
                self._process = subprocess.Popen(
                    argv, env=plain(os.environ), cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
                )
        return self._requests


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


@dataclass(frozen=True, slots=True)
class Request:
    """What a fork is to run, and with which files."""

    args: list[str]
    env: dict[str, str]
    cwd: str
    is_strict: bool
    pace: dict[str, float]
    files: list[int]

    def take_over(self) -> None:
        """Become what would have been started with this."""
        for number, file in enumerate(self.files):
            os.dup2(file, number)
            os.close(file)
        from service import schedule

        coerced = {COERCED: os.environ[COERCED]} if COERCED in os.environ else {}
        os.environ.clear()  # the process of the tests has settings of its own
        os.environ.update(coerced | self.env)
        time.tzset()
        os.chdir(self.cwd)
        sys.argv = ["barograph", *self.args]
        for name, seconds in self.pace.items():
            assert hasattr(schedule, name), name
            setattr(schedule, name, seconds)
        if self.is_strict:
            warnings.simplefilter("error")


def requested(requests: socket.socket) -> Request:
    """Wait for requests and fork for each: only forks come back from here. Raises SystemExit after the last."""
    running: dict[int, int] = {}
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready = select.select([requests, woken], [], [])[0]
        if woken in ready:
            os.read(woken, 1024)
            _tell_of_ended(running)
        if requests not in ready:
            continue
        text, files, _, _ = socket.recv_fds(requests, LONGEST, 4)
        if not text:
            raise SystemExit(0)
        *files, tell = files
        if pid := os.fork():
            running[pid] = tell
            os.write(tell, f"{pid}\n".encode())
            for file in files:
                os.close(file)
            continue
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for file in (requests.detach(), woken, wakes, tell, *running.values()):
            os.close(file)
        return Request(**json.loads(text), files=files)


def _tell_of_ended(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with contextlib.suppress(BrokenPipeError), os.fdopen(running.pop(pid), "w") as told:
            told.write(f"{os.waitstatus_to_exitcode(status)}\n")


def main() -> None:
    """Import what commands import late, then wait; a fork goes on from here as `python -m service` would."""
    import alembic.command  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg
    import sqlalchemy.dialects.sqlite.pysqlite  # noqa: F401

    import service.serving  # noqa: F401
    from service.cli import main as barograph

    gc.collect()
    gc.freeze()
    requested(socket.socket(fileno=int(sys.argv[1]))).take_over()
    barograph(prog_name="barograph")


if __name__ == "__main__":
    main()
