"""Three processes on one PostgreSQL beside one: what they acknowledge, and who spends the CPU time meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.bench.contenders import postmaster
from tests.bench.intake import CONNECTIONS
from tests.bench.measured import Plan, Row, cpu_seconds, median
from tests.bench.payloads import CONFIG
from tests.databases import MIGRATED, Cluster
from tests.servers import ROOT, Barograph

COUNT = 3
SIZES = (1, 100)
LEAST = 1.6


@dataclass(frozen=True, slots=True)
class Run:
    """What the senders saw of one run, and the cores that each part kept busy on average."""

    rate: float
    """Messages acknowledged a second."""
    cores: dict[str, float]


def measure(plan: Plan, cluster: Cluster) -> list[Row]:
    """One process and three in turn, each on an empty store, under the same three senders."""
    runs: dict[tuple[int, int], list[Run]] = defaultdict(list)
    for _ in range(plan.rounds):
        for size in SIZES:
            for count in (1, COUNT):
                with _started(cluster, count) as ports_and_cpu:
                    runs[size, count].append(_run(*ports_and_cpu, size, plan.seconds))
    return [_row(size, runs[size, 1], runs[size, COUNT]) for size in SIZES]


Cpu = dict[str, Callable[[], float]]


@contextmanager
def _started(cluster: Cluster, count: int) -> Iterator[tuple[list[int], Cpu]]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="barograph-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        name = cluster.make(MIGRATED)
        stack.callback(cluster.drop, name)
        services = []
        for n in range(count):
            (folder / f"{n}").mkdir()
            service = Barograph(folder / f"{n}", CONFIG, database_url=cluster.url(name))
            stack.callback(service.kill9)
            services.append(service.start())
        postgres = postmaster(cluster)
        cpu: Cpu = {
            "Barograph": lambda: sum(cpu_seconds(service.pid) for service in services),
            "PostgreSQL": lambda: cpu_seconds(postgres, with_children=True),
        }
        yield [service.port for service in services], cpu


def _run(ports: Sequence[int], cpu: Cpu, size: int, seconds: float) -> Run:
    """As many senders as there are processes at the most, whose connections are shared among those that there are."""
    _send(ports, size, "warm", ("--requests", "20"))
    before = {name: spent() for name, spent in cpu.items()}
    told = _send(ports, size, "measured", ("--seconds", str(seconds)))
    took = max(one["seconds"] for one in told)
    cores = {name: (spent() - before[name]) / took for name, spent in cpu.items()}
    cores["senders"] = sum(one["cpu_seconds"] for one in told) / took
    return Run(sum(one["acknowledged"] for one in told) / took, cores)


def _send(ports: Sequence[int], size: int, run: str, options: Sequence[str]) -> list[dict[str, Any]]:
    begun = []
    for n in range(COUNT):
        argv = [sys.executable, "-m", "tests.bench.load", "--port", str(ports[n % len(ports)])]
        argv += ["--alerts", str(size), "--connections", str(CONNECTIONS // COUNT), "--run", f"{run}-{n}", *options]
        begun.append(subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE))
    told = []
    for one in begun:
        out, _ = one.communicate(timeout=600)
        assert one.returncode == 0
        told.append(orjson.loads(out))
    return told


def _row(size: int, alone: list[Run], together: list[Run]) -> Row:
    rounds = {}
    for who, runs in (("one", alone), ("three", together)):
        rounds[f"{who} messages a second"] = [run.rate for run in runs]
        for part in runs[0].cores:
            rounds[f"{who} cores of {part}"] = [run.cores[part] for run in runs]
    return Row(
        part=f"11. Three processes on one PostgreSQL, folds running, {len(os.sched_getaffinity(0))} cores for all",
        what=f"three, {size} alert{'s' if size > 1 else ''} a message",
        value=median([run.rate for run in together]),
        unit="/s",
        beside=median([run.rate for run in alone]),
        of="one",
        least_ratio=LEAST,
        cpu=f"busy cores: three {_cores(together)}; one {_cores(alone)}",
        rounds=rounds,
    )


def _cores(runs: Sequence[Run]) -> str:
    return ", ".join(f"{part} {median([run.cores[part] for run in runs]):.2f}" for part in runs[0].cores)
