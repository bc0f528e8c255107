"""Files of an incident and of a period: what making one costs, and what ten at once cost those who send.

CPU time of one process where one process works, so that neighbours count for little.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

from dashboards.period import Report
from incidents.periods import Period
from incidents.store import Store
from incidents.views.view import Unknowns
from service import clock
from service.files import exports, reports
from service.files.exports import Look
from tests.bench import figures, filling
from tests.bench.contenders import SQLITE, Contender, deliveries_read, service, started
from tests.bench.measured import Plan, Row, median
from tests.servers import ADMIN_TOKEN
from tests.test_review import many

PART = "14. Files of {marks:,} marks, in process, CPU time"
MOST_MS = {"svg": 150.0, "png": 400.0}
PAGES = 20
MOST_REPORT_SECONDS = 10.0
AT_ONCE = 10
"""Exports that run while somebody sends."""
RATE = 100.0
"""Messages a second of the paced sender, one alert each."""
MOST_RATIO = 1.1
_PATIENCE = 300.0


def measure(plan: Plan) -> list[Row]:
    """Files in process, a report in process, and a service that is sent to while it exports."""
    return [*_files(plan), _report(plan), *_beside_intake(plan)]


def _files(plan: Plan) -> list[Row]:
    home = Path(tempfile.mkdtemp(prefix="barograph-bench-"))
    since = clock.now().replace(microsecond=0) - filling.SPAN
    try:
        with closing(Store(f"sqlite:///{home / 'barograph.db'}")) as store:
            store.migrate()
            name = filling.fill(store, figures.MARKS, since)
            view = figures.view_of(store, name, (since - figures.LEAD, since + filling.SPAN))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    seen: dict[str, list[float]] = defaultdict(list)
    exports.export(view, "png")  # the faces are read once in a process's life
    for _ in range(max(3, plan.rounds)):
        for form in ("svg", "png", "pdf", "html"):
            seen[form].append(milliseconds(lambda form=form: exports.export(view, form, Look())))  # type: ignore[misc]  # form is text
    part = PART.format(marks=len(view.bars))
    return [
        Row(part, f"{form.upper()} from the view, A4", median(took), "ms",
            None if form == "svg" else median(seen["svg"]), "the SVG alone",
            most_value=MOST_MS.get(form), rounds={"CPU ms": took})
        for form, took in seen.items()
    ]  # fmt: skip


def milliseconds(step: Callable[[], object]) -> float:
    """The CPU time of this process, all its threads, that a step takes."""
    began = time.process_time()
    step()
    return (time.process_time() - began) * 1000


def _report(plan: Plan) -> Row:
    """A report of a period with as many incidents as fill the pages; a heartbeat tells what a loop would feel."""
    report, pages = _filled_report()
    took, stalls = [], []
    for _ in range(max(2, plan.rounds)):
        with _Heartbeat() as beat:
            began = time.perf_counter()
            reports.export(report, "pdf")
            took.append(time.perf_counter() - began)
        stalls.append(beat.longest * 1000)
    return Row(
        "15. A report", f"{pages} pages as PDF", median(took), "s", most_value=MOST_REPORT_SECONDS,
        cpu=f"another thread waited {median(stalls):.0f} ms at most", rounds={"s": took, "stall ms": stalls},
    )  # fmt: skip


def _filled_report() -> tuple[Report, int]:
    pages, incidents = 0, 100
    while pages < PAGES and incidents < 3000:
        seen = many(incidents)
        report = Report(Period("2026-03", "March 2026", seen.since, seen.until), seen, Unknowns())
        pages = len(re.findall(rb"/Type\s*/Page\b", reports.export(report, "pdf")[1]))
        incidents += 100
    return report, pages


class _Heartbeat:
    """A thread that wants to run each 5 ms: how long it was kept from it at the most."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._beat)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _beat(self) -> None:
        last = time.perf_counter()
        while not self._ends.wait(0.005):
            now = time.perf_counter()
            self.longest, last = max(self.longest, now - last - 0.005), now


def _beside_intake(plan: Plan) -> list[Row]:
    """Rounds of a paced sender in turn without and with exports of the largest incident that is drawn mark by mark."""
    seen: dict[str, list[float]] = defaultdict(list)
    files = 0
    with started(SQLITE) as contender:
        sent = contender.load(alerts=100, requests=figures.MARKS // 100 - 2, run="marks").acknowledged
        service(contender).until(lambda: deliveries_read(contender) >= sent, _PATIENCE)
        name = service(contender).json("/api/v1/incidents")["items"][0]["id"]
        for number in range(max(3, plan.rounds)):
            for when in ("alone", "exporting"):
                with _Exporting(contender, name, AT_ONCE if when == "exporting" else 0) as exporting:
                    load = contender.load(
                        alerts=1,
                        connections=16,
                        rate=RATE,
                        requests=int(RATE * plan.seconds * 1.5),
                        run=f"{when}{number}",
                    )
                files += exporting.files
                seen[f"{when} p99"].append(load.p99)
                seen[f"{when} p50"].append(load.latencies_ms[len(load.latencies_ms) // 2])
    part = f"16. Acknowledgement of a paced sender while {AT_ONCE} exports run, SQLite"
    return [
        Row(part, word, median(seen[f"exporting {word}"]), "ms", median(seen[f"alone {word}"]), "without exports",
            most_ratio=MOST_RATIO if word == "p99" else None, cpu=f"{files} files were made meanwhile",
            rounds=dict(seen))
        for word in ("p50", "p99")
    ]  # fmt: skip


class _Exporting:
    """So many askers, each of whom asks for the next file as soon as it has one."""

    def __init__(self, contender: Contender, incident: str, askers: int) -> None:
        self.files = 0
        self._port = contender.server.port
        self._path = f"/api/v1/incidents/{incident}/export."
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(askers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        if self._threads:
            time.sleep(1.0)  # until the first is being made
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _ask(self, number: int) -> None:
        form = ("svg", "png", "pdf", "html")[number % 4]
        while not self._ends.is_set():
            with closing(HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)) as connection:
                connection.request("GET", f"{self._path}{form}", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
                answer = connection.getresponse()
                answer.read()
            if answer.status == 200:
                self.files += 1
            else:
                time.sleep(0.5)
