"""A power cut at any moment: what was acknowledged is on the disk, though all that was not synced is gone."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from service.intake.spool import Spool
from tests import power
from tests.databases import MIGRATED, cluster, migrate
from tests.senders import CONFIG, KEY, ago, alert, message
from tests.servers import ROOT, Barograph

CUTS = 60
POSTS = 120


def pour(service: Barograph, posts: int = POSTS) -> None:
    """Alerts over eight connections at once; each must be acknowledged."""
    starts_at = ago(minutes=5)
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(service.send, "am", message(alert(f"a{n}", starts_at)), KEY) for n in range(posts)]
    assert all(each.result() for each in sent)


def on_sqlite(home: Path, shim: Path, *, posts: int = POSTS, code: Path = ROOT) -> power.Run:
    """What a service with a database that was there before does to it while alerts pour in."""
    home.mkdir()
    migrate(f"sqlite:///{home / 'barograph.db'}")
    began_with = {str(path): path.read_bytes() for path in home.glob("barograph.db*")}
    with power.journalled(home, shim, CONFIG) as (service, log):
        service.env["PYTHONPATH"] = str(code)
        service.start()
        pour(service, posts)
    return power.Run.of(began_with, log)


def lost(run: power.Run, folder: Path, *, cuts: int = CUTS, seed: int = 0) -> tuple[int, int, int]:
    """Of so many cuts: after how many an acknowledged delivery was missing; all cuts; acknowledged in the end."""
    chance = random.Random(seed)
    count = missing = 0
    disk = None
    for count, disk in enumerate(run.cuts(cuts, chance), 1):  # told at the end
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        disk.leave(folder, chance if count % 2 else None)
        with closing(sqlite3.connect(folder / "barograph.db")) as file:
            assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            there = {f"{row[0]:016x}" for row in file.execute("SELECT id FROM delivery")}
        missing += not set(disk.acknowledged) <= there
    assert disk is not None
    return missing, count, len(disk.acknowledged)


def test_no_power_cut_loses_what_was_acknowledged_on_sqlite(shim: Path, tmp_path: Path) -> None:
    run = on_sqlite(tmp_path / "home", shim)
    missing, cuts, acknowledged = lost(run, tmp_path / "disk")
    assert (missing, cuts) == (0, CUTS)
    assert acknowledged > POSTS // 2


def test_a_power_cut_is_one_without_full_synchronisation_it_loses(shim: Path, tmp_path: Path) -> None:
    code = tmp_path / "code"
    shutil.copytree(ROOT / "incidents", code / "incidents", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "service", code / "service", ignore=shutil.ignore_patterns("__pycache__"))
    (code / "dashboards").symlink_to(ROOT / "dashboards")
    # The service refuses to start on such a database: what it guards against is shown without the guard.
    guard = code / "service" / "durability.py"
    refused = '"synchronous": ("0", "1")'
    assert refused in guard.read_text()
    guard.write_text(guard.read_text().replace(refused, '"synchronous": ("0",)'))
    store = code / "incidents" / "store.py"
    text = store.read_text()
    assert '"synchronous=FULL"' in text
    store.write_text(text.replace('"synchronous=FULL"', '"synchronous=NORMAL"'))
    run = on_sqlite(tmp_path / "home", shim, code=code, posts=POSTS // 3)
    missing, cuts, _ = lost(run, tmp_path / "disk", cuts=CUTS // 5)
    assert missing > cuts // 2


def spooled(home: Path, shim: Path, *, posts: int = POSTS) -> power.Run:
    """What a service whose PostgreSQL has stopped does to its spool while alerts pour in."""
    with (
        cluster() as running,
        power.journalled(home, shim, CONFIG, database_url=running.url(running.make(MIGRATED))) as (one, log),
    ):
        one.start()
        one.until(lambda: "Sign in once" in one.log)
        running.stop()
        pour(one, posts)
    return power.Run.of({}, log)


def check_spool(run: power.Run, folder: Path, *, cuts: int = CUTS, seed: int = 0) -> int:
    """Look at what so many cuts leave of a spool; how many deliveries were acknowledged in the end."""
    chance = random.Random(seed)
    told: list[str] = []
    for n, disk in enumerate(run.cuts(cuts, chance)):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        disk.leave(folder, chance if n % 2 else None)
        with closing(Spool(folder, most_bytes=1 << 26)) as held:
            found = held.oldest(most=100_000, most_bytes=1 << 28)[0]
        told = disk.acknowledged
        assert set(told) <= {a.receipt for a in found}
        assert all(json.loads(a.body)["alerts"] for a in found)
    return len(told)


def test_no_power_cut_loses_what_was_spooled(shim: Path, tmp_path: Path) -> None:
    run = spooled(tmp_path / "home", shim)
    assert check_spool(run, tmp_path / "disk") > POSTS // 2
