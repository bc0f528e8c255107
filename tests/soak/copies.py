"""Rounds of what is copied out of the record: a backup while it is served, the bundle of a large incident."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from incidents.deliveries import DELIVERY
from incidents.rebuild import state_digest
from incidents.receipts import receipt_of
from incidents.store import Store
from service import clock
from service.files import backup as backups
from tests.bench import filling
from tests.databases import EMPTY, Cluster, cluster, migrate
from tests.pouring import Pouring
from tests.senders import ago
from tests.servers import ROOT
from tests.soak.rounds import serving


def backup(folder: Path, seconds: float) -> dict[str, Any]:
    """Backups at many moments under load, each restored into the other database and looked at."""
    done = rows = 0
    with ExitStack() as stack:
        running: Cluster = stack.enter_context(cluster())
        service = stack.enter_context(serving(folder / "service"))
        source = stack.enter_context(closing(Store(f"sqlite:///{service.home / 'barograph.db'}")))
        pouring = stack.enter_context(Pouring([service], threads=4, pause=0.0))
        began = time.monotonic()
        while done < 100 and time.monotonic() - began < seconds:
            pouring.until(100)
            before = set(pouring.receipts)
            path = folder / "b.backup"
            told = backups.back_up(source, path, clock.now())
            name = running.make(EMPTY)
            url = running.url(name) if done % 2 else f"sqlite:///{folder}/r.db"
            with closing(Store(url)) as other:
                assert backups.restore(other, path) == told
                with other.reading() as connection:
                    stored = {receipt_of(n) for n in connection.execute(sa.select(DELIVERY.c.id)).scalars()}
                    first = state_digest(connection)
            assert before <= stored
            argv = [sys.executable, "-m", "service", "rebuild"]
            env = service.env | {"BAROGRAPH_DATABASE_URL": url}
            subprocess.run(argv, env=env, cwd=folder, check=True, capture_output=True, timeout=300)
            with closing(Store(url)) as other, other.reading() as connection:
                assert state_digest(connection) == first
            running.drop(name)
            for left in folder.glob("r.db*"):
                left.unlink()
            done, rows = done + 1, told.total
    shutil.rmtree(folder, ignore_errors=True)
    return {"backups": done, "rows_of_the_last": rows, "acknowledged": len(pouring.receipts)}


def bundle(folder: Path, seconds: float) -> dict[str, Any]:
    """The evidence of one incident of up to a million statements: written, verified, brought into PostgreSQL, again."""
    statements = min(1_000_000, max(1_000, int(seconds * 1_000_000 / 600)))
    told: dict[str, Any] = {"statements": statements}
    home, path, again = folder / "service", folder / "a.zip", folder / "b.zip"
    home.mkdir()
    url = f"sqlite:///{home / 'barograph.db'}"
    migrate(url)
    with closing(Store(url)) as store:
        incident = filling.fill(store, statements, ago(hours=12))
    with ExitStack() as stack:
        running: Cluster = stack.enter_context(cluster())
        other = running.url(running.make(EMPTY))
        for step, database, argv in (
            ("write", url, ("bundle", incident, "--out", str(path))),
            ("verify", url, ("verify", str(path))),
            ("import", other, ("import", str(path))),
            ("again", other, ("bundle", incident, "--out", str(again))),
        ):
            told |= {f"{step}_{name}": value for name, value in _measured(home, database, argv).items()}
    told["mib"] = round(path.stat().st_size / 2**20)
    assert filecmp.cmp(path, again, shallow=False)
    return told


def _measured(home: Path, database: str, argv: tuple[str, ...]) -> dict[str, float]:
    """Seconds, and the most memory in MiB, that a command took."""
    env = {"PATH": "/usr/bin:/bin", "BAROGRAPH_DATABASE_URL": database, "BAROGRAPH_DATA_DIR": str(home)}
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "service", *argv], env=env, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, argv
    return {"seconds": round(time.monotonic() - began, 1), "mib": round(used.ru_maxrss / 1024)}
