"""A receiver of notices on the loopback, which takes them, refuses them or misbehaves as it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from incidents.model import Delivery
from service import clock
from tests.listening import listening


@dataclass(slots=True)
class Receiver:
    """Behaves by `mood`; what it was sent stands in `heard`, in order."""

    port: int = 0
    mood: str = "ok"
    heard: list[Delivery] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)
    """What `hang` waits for."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook?token=of-the-address"

    def names(self) -> list[str]:
        """The idempotency keys of what it was sent."""
        return [one.headers.get("webhook-id", "") for one in self.heard]


ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "ok": (200, {}, b"ok"),
    "no content": (204, {}, b""),
    "refuses": (403, {}, b"invalid_token"),
    "fails": (500, {}, b"oops \x1b[31m of-the-address"),
    "gone": (410, {}, b""),
    "busy": (429, {"Retry-After": "7200"}, b""),
    "moved": (307, {"Location": "/elsewhere"}, b""),
    "junk": (200, {"Content-Encoding": "gzip"}, b"\x00\xffnot gzip at all"),
}


@contextmanager
def receiver() -> Iterator[Receiver]:
    """One that listens until the block ends."""
    told = Receiver()
    with listening(_handler(told)) as port:
        told.port = port
        try:
            yield told
        finally:
            told.release.set()


def _handler(told: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            told.heard.append(Delivery(self.path, body, clock.now(), headers))
            if told.mood == "hang":
                told.release.wait(30)
                return
            if told.mood == "no http":
                self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
                self.close_connection = True
                return
            status, more, said = ANSWERS[told.mood]
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(said))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

    return Handler


def until(ask: Any, seconds: float = 15.0) -> Any:
    """Ask again until the answer is true."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r}"
        time.sleep(0.05)
    return answer
