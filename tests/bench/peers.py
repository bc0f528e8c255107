"""Programs that others run for the same work: Alerta on PostgreSQL, as installed and at its best, and Alertmanager.

Alerta comes from the package index into a virtual environment of its own under `build/`, once. What cannot be had here
says why, in place of being measured.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import orjson

from tests.bench.contenders import POSTGRESQL, SQLITE, Contender, postmaster, service, started, watched
from tests.databases import EMPTY, Cluster
from tests.machine import ALERTMANAGER as ALERTMANAGER_PROGRAM
from tests.servers import ROOT, Server, alertmanager, free_port

ALERTA, ALERTA_BEST, ALERTMANAGER = "Alerta", "Alerta without its forwarder", "Alertmanager"
OURS = (SQLITE, POSTGRESQL)
HOME = ROOT / "build" / "bench" / "alerta"
WANTED = ("alerta-server==9.1.0", "gunicorn==27.0.1", "psycopg2-binary==2.9.13")
WORKERS = 2
"""Of gunicorn: one for each core of the machine on which the page's figures were taken."""
BEST_PLUGINS = "remote_ip,reject,heartbeat,blackout"
"""What is switched on as installed but for `forwarder`, which looks alerts up by a pattern and writes them twice."""
_INSTALL_SECONDS = 600
_ROUTES = """
route:
  receiver: nobody
  group_by: [alertname]
receivers:
  - name: nobody
"""


class AbsentError(Exception):
    """Why a program cannot be measured on this machine."""


@cache
def alerta_python() -> Path:
    """The interpreter of Alerta's own environment, made at the first call. AbsentError where it cannot be installed."""
    python, stamp = HOME / "bin" / "python", HOME / ".installed"
    if stamp.exists() and stamp.read_text() == "\n".join(WANTED):
        return python
    shutil.rmtree(HOME, ignore_errors=True)
    for argv in (
        [sys.executable, "-m", "venv", str(HOME)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *WANTED],
    ):
        try:
            subprocess.run(argv, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
        except (OSError, subprocess.SubprocessError) as failure:
            told = (getattr(failure, "stderr", "") or str(failure)).strip().splitlines()
            raise AbsentError(f"{WANTED[0]} could not be installed: {told[-1] if told else failure}"[:300]) from None
    stamp.write_text("\n".join(WANTED))
    return python


@contextmanager
def running(name: str, cluster: Cluster) -> Iterator[Contender]:
    """One of ours or theirs on an empty store, ended and removed with the block. AbsentError where it is not here."""
    if name in OURS:
        with started(name, cluster) as contender:
            yield contender
        return
    home = Path(tempfile.mkdtemp(prefix="barograph-bench-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        if name == ALERTMANAGER:
            program = ALERTMANAGER_PROGRAM.path()
            if not program:
                raise AbsentError("Alertmanager is not on the PATH")
            server = alertmanager(program, home, _ROUTES)
            contender = watched(server, sender=("--path", "/api/v2/alerts", "--key", "", "--bare"))
        else:
            python = alerta_python()
            database = cluster.make(EMPTY)
            stack.callback(cluster.drop, database)
            server = _alerta(home, python, cluster.url(database), is_best=name == ALERTA_BEST)
            sender = ("--path", "/webhooks/prometheus", "--key", "")
            contender = watched(server, postmaster(cluster), forks=True, sender=sender)
        stack.callback(server.end)
        server.start()
        yield contender


def _alerta(home: Path, python: Path, url: str, *, is_best: bool) -> Server:
    """Its tables are made before its workers start: two workers on an empty database race for them and one dies."""
    port, settings = free_port(), home / "alertad.conf"
    settings.write_text("")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("BAROGRAPH_", "PYTHON"))}
    env |= {"DATABASE_URL": url, "ALERTA_SVR_CONF_FILE": str(settings)}
    env |= {"PLUGINS": BEST_PLUGINS} if is_best else {}
    once = [str(python), "-c", "import alerta; alerta.create_app()"]
    done = subprocess.run(once, env=env, cwd=home, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise AbsentError(f"Alerta did not start: {(done.stderr.strip().splitlines() or ['no word'])[-1]}"[:300])
    argv = [str(python.parent / "gunicorn"), "--workers", str(WORKERS), "--bind", f"127.0.0.1:{port}"]
    argv += ["--timeout", "120", "--log-level", "warning", "alerta:create_app()"]
    return Server(argv, port=port, ready="/alerts/count", home=home, env=env)


def shown(name: str, contender: Contender) -> Callable[[], int]:
    """How many alerts its API shows."""
    if name in OURS:
        return lambda: _of_incidents(contender)
    path, count = ("/api/v2/alerts", _listed) if name == ALERTMANAGER else ("/alerts/count", _total)
    return lambda: count(contender.server.request("GET", path).body)


def _of_incidents(contender: Contender) -> int:
    """The alerts of the one incident into which all of them fold."""
    ours = service(contender)
    items = ours.json("/api/v1/incidents")["items"]
    return sum(int(ours.json(f"/api/v1/incidents/{item['id']}")["alerts"]) for item in items)


def _listed(body: bytes) -> int:
    """The whole list, for it has neither count nor pages, and its gauge leaves out what no receiver was told yet."""
    return body.count(b'"fingerprint"')


def _total(body: bytes) -> int:
    return int(orjson.loads(body)["total"])
