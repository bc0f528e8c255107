"""Real programs on free loopback ports, each ended by its pid: Barograph itself, Alertmanager, Prometheus."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from tests.forks import Fork, Forks, plain

ROOT = Path(__file__).resolve().parent.parent
ADMIN_TOKEN = "tests-admin-token-0123456789abcdef0123456789"
REQUEST_SECONDS = 20.0
PYTHON = (sys.executable, "-m", "service")
T = TypeVar("T")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response, read whole; redirects are not followed."""

    status: int
    headers: Message
    """Names are looked up in any case."""
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8, with marks in place of what is not."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON; ValueError when it is something else."""
        return json.loads(self.body)


class Server:
    """A program that listens on a loopback port and tells by a path when it is ready."""

    def __init__(self, argv: Sequence[str], *, port: int, ready: str, home: Path, env: Mapping[str, str]) -> None:
        self.argv = list(argv)
        self.port = port
        self.ready = ready
        self.home = home
        self.env = dict(env)
        self.log_path = home / f"{Path(argv[0]).name}-{port}.log"
        self.url = f"http://127.0.0.1:{port}"
        self._child: subprocess.Popen[bytes] | Fork | None = None

    def start(self, seconds: float = 30.0) -> Self:
        """Start it and wait until it is ready; AssertionError with its log when it is not in time."""
        self._child = self._begin()
        deadline = time.monotonic() + seconds
        while not self._answers():
            if (code := self._child.poll()) is not None:
                raise AssertionError(f"{self.argv[0]} ended with {code} before it was ready:\n{self.log}")
            if time.monotonic() > deadline:
                self.kill9()
                raise AssertionError(f"{self.argv[0]} was not ready after {seconds:.0f} s:\n{self.log}")
            time.sleep(0.05)
        return self

    def _begin(self) -> subprocess.Popen[bytes] | Fork:
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                self.argv, env=self.env, cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        """Of the program that runs now or ran last."""
        assert self._child is not None, "not started"
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def log(self) -> str:
        """Everything it printed, over all its restarts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def terminate(self, seconds: float = 30.0) -> int:
        """Send SIGTERM and wait: its exit code. AssertionError, and SIGKILL, when it stays."""
        assert self._child is not None, "not started"
        self._child.terminate()
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"{self.argv[0]} was still there {seconds:.0f} s after SIGTERM:\n{self.log}") from None

    def kill9(self) -> None:
        """Send SIGKILL, as a power cut would, and wait until it is gone."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(10)

    def restart(self) -> Self:
        """Start it again on the same port and files, after ending it politely if it still runs."""
        if self.is_running:
            self.terminate()
        return self.start()

    def end(self) -> None:
        """Make sure that it is gone: politely, then not."""
        if self.is_running:
            self.terminate()

    def request(
        self, method: str, path: str, body: bytes | str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own; OSError or HTTPException when nothing answers in time."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_SECONDS)) as connection:
            raw = body.encode() if isinstance(body, str) else body
            connection.request(method, path, raw, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def until(self, ask: Callable[[], T], seconds: float = 20.0, *, every: float = 0.05) -> T:
        """Ask again until the answer is true and give it; AssertionError with the last answer and the log else."""
        deadline = time.monotonic() + seconds
        while not (answer := ask()):
            if time.monotonic() > deadline:
                raise AssertionError(f"still {answer!r} after {seconds:.0f} s:\n{self.log}")
            time.sleep(every)
        return answer

    def _answers(self) -> bool:
        try:
            return self.request("GET", self.ready).status == 200
        except (OSError, http.client.HTTPException):
            return False


class Barograph(Server):
    """The service, with its data directory, its configuration file and the environment of its command line."""

    forks: ClassVar[Forks | None] = None
    """What starts services and commands within the tests; where there is none, and for a cold start, Python does."""

    def __init__(
        self,
        home: Path,
        config: str = "",
        *,
        database_url: str | None = None,
        args: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
        is_cold: bool = False,
        pace: Mapping[str, float] | None = None,
    ) -> None:
        """`home` must exist; `settings` are environment names without `BAROGRAPH_`; `args` follow `serve`.

        `pace` are other values for names of `service.schedule`, such as `{"HOUSE_SECONDS": 2}`; not for a cold start.
        """
        self._is_cold, self._pace = is_cold, pace
        port = free_port()
        named = {"DATA_DIR": str(home), "ADMIN_TOKEN": ADMIN_TOKEN, **(settings or {})}
        if database_url is not None:
            named["DATABASE_URL"] = database_url
        env = {name: value for name, value in plain(os.environ).items() if not name.startswith("BAROGRAPH_")}
        env |= {f"BAROGRAPH_{name}": value for name, value in named.items()} | {"PYTHONPATH": str(ROOT)}
        self.config_path = home / "config.toml"
        self.config_path.write_text(config)
        argv = [*PYTHON, "serve", "--host", "127.0.0.1", "--port", str(port)]
        argv += ["--config", str(self.config_path)] if config else []
        super().__init__([*argv, *args], port=port, ready="/livez", home=home, env=env)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = ADMIN_TOKEN,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request with a bearer token; a body that is neither bytes nor text goes as JSON."""
        sent = {} if token is None else {"Authorization": f"Bearer {token}"}
        if body is not None and not isinstance(body, bytes | str):
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        return self.request(method, path, body, headers={**sent, **(headers or {})})

    def get(self, path: str, *, token: str | None = ADMIN_TOKEN, headers: Mapping[str, str] | None = None) -> Answer:
        """GET, whatever the status of the answer."""
        return self.call("GET", path, token=token, headers=headers)

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        token: str | None = ADMIN_TOKEN,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST, whatever the status of the answer."""
        return self.call("POST", path, body, token=token, headers=headers)

    def json(self, path: str) -> Any:
        """GET that must be answered 200 with JSON."""
        answer = self.get(path)
        assert answer.status == 200, f"GET {path}: {answer.status} {answer.text[:500]}\n{self.log}"
        return answer.json()

    def send(self, source: str, body: Any, key: str, *, headers: Mapping[str, str] | None = None) -> str:
        """Deliver a body to a source with its key: the receipt. It must be answered 2xx."""
        answer = self.call("POST", f"/in/{source}", body, token=key, headers=headers)
        assert 200 <= answer.status < 300, f"POST /in/{source}: {answer.status} {answer.text[:500]}\n{self.log}"
        return str(answer.json()["receipt"])

    def read(self, receipt: str) -> dict[str, Any]:
        """The delivery, once the worker has read it or put it into quarantine."""
        path = f"/api/v1/deliveries/{receipt}"

        def ask() -> dict[str, Any] | None:
            delivery: dict[str, Any] = self.json(path)
            return None if delivery["state"] == "unread" else delivery

        delivery = self.until(ask)
        assert delivery is not None
        return delivery

    def cli(self, *args: str, text: str | None = None, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """One command of the command line in this service's environment, whatever its exit code."""
        given = (text or "").encode()
        if forks := self._forks():
            done = forks.run(args, given, seconds, env=self.env, cwd=self.home)
        else:
            argv = [*PYTHON, *args]
            done = subprocess.run(
                argv, input=given, capture_output=True, env=self.env, cwd=self.home, timeout=seconds, check=False
            )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def _begin(self) -> subprocess.Popen[bytes] | Fork:
        if not (forks := self._forks()):
            assert not self._pace
            return super()._begin()
        with Path(os.devnull).open("rb") as nothing, self.log_path.open("ab") as log:
            args, files = self.argv[len(PYTHON) :], (nothing, log, log)
            return forks.start(args, env=self.env, cwd=self.home, files=files, pace=self._pace)

    def _forks(self) -> Forks | None:
        """None where what runs must be a program of its own: nothing is preloaded into a fork."""
        return None if self._is_cold or "LD_PRELOAD" in self.env else self.forks


def alertmanager(path: str, folder: Path, config: str) -> Server:
    """Alertmanager without gossip; `config` is its YAML."""
    port = free_port()
    home = folder / f"alertmanager-{port}"
    home.mkdir()
    (home / "alertmanager.yml").write_text(config)
    argv = [
        path,
        f"--config.file={home / 'alertmanager.yml'}",
        f"--storage.path={home / 'storage'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    return Server(argv, port=port, ready="/-/ready", home=home, env=os.environ)


def prometheus(path: str, folder: Path, config: str, files: Mapping[str, str]) -> Server:
    """Prometheus; `config` is its YAML, `files` are rule files by name, to be named in the config as they are here."""
    port = free_port()
    home = folder / f"prometheus-{port}"
    home.mkdir()
    for name, text in {"prometheus.yml": config, **files}.items():
        (home / name).write_text(text)
    argv = [
        path,
        f"--config.file={home / 'prometheus.yml'}",
        f"--storage.tsdb.path={home / 'storage'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-lifecycle",
    ]
    return Server(argv, port=port, ready="/-/ready", home=home, env=os.environ)
