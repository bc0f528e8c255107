"""The sender: posts Alertmanager messages over keep-alive connections and prints what it saw as one JSON line.

A process of its own, with plain non-blocking sockets, so that it costs a small part of what it measures.
`python -m tests.bench.load --help` tells its options.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import selectors
import socket
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field

import orjson

from tests.bench.payloads import KEY, SOURCE, Messages

_RETRY = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ANSWER_SECONDS = 30.0
"""How long after the last message answers are waited for."""


@dataclass(slots=True, eq=False)
class _Connection:
    socket: socket.socket
    due_at: float = 0.0
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    answer: bytes = b""


class Sender:
    """Posts messages until `requests` were sent or `seconds` have passed.

    Without `rate` each connection posts again as soon as it was answered. With `rate` messages a second, each is due at
    its own moment whatever became of those before it, and its latency counts from that moment, or with `from_sending`
    from when a connection was free for it.
    """

    def __init__(
        self,
        port: int,
        messages: Messages,
        *,
        connections: int,
        rate: float | None,
        path: str,
        key: str,
        from_sending: bool = False,
    ) -> None:
        self.port, self.messages, self.rate, self._from_sending = port, messages, rate, from_sending
        shown = f"Authorization: Bearer {key}\r\n" if key else ""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: Alertmanager/0.28.1\r\n"
            f"Content-Type: application/json\r\n{shown}Content-Length: {messages.size}\r\n\r\n"
        )
        self._head = head.encode()
        self._selector = selectors.DefaultSelector()
        self._idle = deque(self._connect() for _ in range(connections))
        self.sent = 0
        self.latencies: list[float] = []
        self.refusals: list[float] = []
        """Latencies of what was not answered 2xx."""
        self.statuses: Counter[int] = Counter()
        """Of those; 0 is a connection that ended without an answer."""
        self.retry_after: Counter[int] = Counter()
        """The seconds that they were asked to wait."""

    @property
    def refused(self) -> int:
        """How many were not answered 2xx."""
        return len(self.refusals)

    def run(self, *, requests: int, seconds: float) -> float:
        """Send and wait for the answers; the seconds from the first message to the last answer."""
        began = time.perf_counter()
        until = began + seconds
        while True:
            now = time.perf_counter()
            if now < until:
                self._send_due(now, began, requests)
            if self.sent == len(self.latencies) + self.refused and (now >= until or self.sent >= requests):
                return time.perf_counter() - began
            if now > until + _ANSWER_SECONDS:
                raise TimeoutError(f"{self.sent - len(self.latencies) - self.refused} messages were not answered")
            for key, _ in self._selector.select(self._patience(now, began, requests)):
                self._serve(key.data)

    def _patience(self, now: float, began: float, requests: int) -> float:
        if self.rate is None or self.sent >= requests or not self._idle:
            return 0.1
        return max(0.0, min(0.1, began + self.sent / self.rate - now))

    def _send_due(self, now: float, began: float, requests: int) -> None:
        while self._idle and self.sent < requests:
            due_at = now if self.rate is None else began + self.sent / self.rate
            if due_at > now:
                return
            connection = self._idle.popleft()
            connection.due_at = time.perf_counter() if self._from_sending else due_at
            connection.unsent = memoryview(self._head + self.messages.body(self.sent))
            self.sent += 1
            self._write(connection)

    def _connect(self) -> _Connection:
        connected = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 512 * 1024)
        connected.setblocking(False)
        connection = _Connection(connected)
        self._selector.register(connected, selectors.EVENT_READ, connection)
        return connection

    def _write(self, connection: _Connection) -> None:
        with contextlib.suppress(BlockingIOError):
            connection.unsent = connection.unsent[connection.socket.send(connection.unsent) :]
        if connection.unsent:
            self._selector.modify(connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)

    def _serve(self, connection: _Connection) -> None:
        if connection.unsent:
            self._write(connection)
            if connection.unsent:
                return
            self._selector.modify(connection.socket, selectors.EVENT_READ, connection)
        try:
            part = connection.socket.recv(65536)
        except BlockingIOError:
            return
        connection.answer += part
        head, gap, body = connection.answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if part and not (gap and length and len(body) >= int(length[1])):
            return
        took = time.perf_counter() - connection.due_at
        if connection.answer.startswith(b"HTTP/1.1 2"):
            self.latencies.append(took)
        else:
            self.refusals.append(took)
            self.statuses[int(connection.answer[9:12] or 0)] += 1
            if asked := _RETRY.search(head):
                self.retry_after[int(asked[1])] += 1
        connection.answer = b""
        if not part or b"\r\nConnection: close" in head:
            self._selector.unregister(connection.socket)
            connection.socket.close()
            connection = self._connect()
        self._idle.append(connection)


def main() -> None:
    """Send as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.load", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--alerts", type=int, default=1, help="alerts in one message")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--requests", type=int, default=10_000_000, help="most messages")
    parser.add_argument("--seconds", type=float, default=5.0, help="longest time of sending")
    parser.add_argument("--rate", type=float, help="messages a second, in place of as many as are answered")
    parser.add_argument("--from-sending", action="store_true", help="with a rate: latencies do not count from it")
    parser.add_argument("--run", default="", help="parts these alerts from those of another sender")
    parser.add_argument("--path", default=f"/in/{SOURCE}")
    parser.add_argument("--key", default=KEY, help="shown as a bearer token; none where it is empty")
    parser.add_argument("--bare", action="store_true", help="lists of alerts, as Alertmanager itself is sent")
    asked = parser.parse_args()
    sender = Sender(
        asked.port,
        Messages(asked.alerts, asked.run, bare=asked.bare),
        connections=asked.connections,
        rate=asked.rate,
        path=asked.path,
        key=asked.key,
        from_sending=asked.from_sending,
    )
    cpu = time.process_time()
    seconds = sender.run(requests=asked.requests, seconds=asked.seconds)
    told = {
        "acknowledged": len(sender.latencies),
        "refused": sender.refused,
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu,
        "bytes": sender.sent * sender.messages.size,
        "latencies_ms": sorted(round(latency * 1000, 3) for latency in sender.latencies),
        "refusals_ms": sorted(round(latency * 1000, 3) for latency in sender.refusals),
        "statuses": {str(status): count for status, count in sender.statuses.items()},
        "retry_after": {str(seconds): count for seconds, count in sender.retry_after.items()},
    }
    sys.stdout.buffer.write(orjson.dumps(told) + b"\n")


if __name__ == "__main__":
    main()
