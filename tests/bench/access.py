"""What it costs to ask who somebody is: pages for who is signed in beside the same pages with nobody asked.

In turns, in one process; first with nothing hidden from anybody, then with some incidents of many private to others.
"""

from __future__ import annotations

import secrets
import shutil
import statistics
import tempfile
import time
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import sqlalchemy as sa

from incidents.privacy import NOBODY, VIEWER
from incidents.store import Store
from service import clock
from service.identity import accounts, sessions
from service.identity.access import Access
from service.identity.sessions import Origin
from service.shell import SESSION_COOKIE
from tests.bench import figures, filling
from tests.bench.measured import Plan, Row
from tests.bench.open_door import HEADER
from tests.bench.payloads import CONFIG
from tests.servers import Barograph

MOST_RATIO = 1.2
INCIDENTS, EACH_ALERTS = 10_000, 5
ONE_IN = 100
"""Of so many incidents one is made private."""
YEAR = timedelta(days=365)
EACH, LEAST = 30, 12
"""Requests of each page, each way, in a round; and how many there are of a page in any case."""
MOST_SECONDS = 12.0
"""How long one page is asked for."""
_PATIENCE = 60.0


def measure(plan: Plan) -> list[Row]:
    """A store is filled, pages are asked for both ways in turn, and the store is removed."""
    home = Path(tempfile.mkdtemp(prefix="barograph-bench-"))
    incidents = INCIDENTS if max(plan.stored) >= 1_000_000 else INCIDENTS // 20
    running = Barograph(home, CONFIG)
    running.argv[running.argv.index("-m") + 1] = "tests.bench.open_door"
    try:
        with closing(Store(f"sqlite:///{home / 'barograph.db'}")) as store:
            store.migrate()
            names = filling.fill_many(store, incidents, EACH_ALERTS, clock.now() - YEAR, YEAR)
            running.start(120.0)
            cookie = _signed_in(store)
            rows = _rows(running, plan, cookie, names[-2], f"{incidents:,} incidents, none private")
            hidden = names[::ONE_IN]
            _hide(store, hidden)
            rows += _rows(
                running, plan, cookie, names[-2], f"{incidents:,} incidents, {len(hidden)} hidden from the asker"
            )
        return rows
    finally:
        running.kill9()
        shutil.rmtree(home, ignore_errors=True)


def _signed_in(store: Store) -> str:
    """The cookie of a viewer's session."""
    accounts.add(store, "alice", "viewer", by="cli:bench", password=secrets.token_hex(32))
    access = Access(store, admin_token=None, secret_key=b"")
    key = sessions.of_account(access, "alice", "password", Origin())
    return f"{SESSION_COOKIE}={key}"


def _hide(store: Store, names: list[str]) -> None:
    """Write that these are private to somebody else, as folding them would."""
    rows = [{"incident_id": name, "viewer": viewer} for name in names for viewer in (NOBODY, "user:bob")]
    with store.writing() as connection:
        connection.execute(sa.insert(VIEWER), rows)


def _rows(running: Barograph, plan: Plan, cookie: str, incident: str, when: str) -> list[Row]:
    pages = {
        "/": "/",
        "/incidents": "/incidents",
        "/incidents, a search": "/incidents?q=pump",
        "an incident": f"/incidents/{incident}",
        "its figure": f"/api/v1/incidents/{incident}/figure",
        "/review": "/review",
    }
    return [_row(running, plan, cookie, what, path, when) for what, path in pages.items()]


def _row(running: Barograph, plan: Plan, cookie: str, what: str, path: str, when: str) -> Row:
    """Medians of many answers: with the cookie, beside the open door."""
    ways = {"signed in": {"Cookie": cookie}, "open": {HEADER: "1"}}
    took: dict[str, list[float]] = {name: [] for name in ways}
    with closing(HTTPConnection("127.0.0.1", running.port, timeout=_PATIENCE)) as connection:
        over_at = time.monotonic() + MOST_SECONDS
        for number in range(EACH * max(2, plan.rounds) + 2):
            if number > LEAST + 2 and time.monotonic() > over_at:
                break
            for name, headers in ways.items():
                spent = figures.milliseconds(lambda headers=headers: _get(connection, path, headers))  # type: ignore[misc]  # headers are a dict
                if number >= 2:  # both have been asked before
                    took[name].append(spent)
    return Row(
        f"Access: pages for a viewer who is signed in, {when}, SQLite",
        what,
        statistics.median(took["signed in"]),
        "ms",
        statistics.median(took["open"]),
        "nobody asked",
        most_ratio=MOST_RATIO,
        rounds=took,
    )


def _get(connection: HTTPConnection, path: str, headers: dict[str, str]) -> None:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body[:500]
