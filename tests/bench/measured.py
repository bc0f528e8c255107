"""What is measured and in what words: rows of a table, medians of rounds, CPU seconds of processes."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. Every load ends after a number of messages or seconds, whichever comes first."""

    rounds: int
    seconds: float
    """Of each load at full speed."""
    probes: int
    backlog: int
    """Messages of 100 alerts that are folded while acknowledgements are timed."""
    burst: int
    """Alerts of the one incident."""
    stored: tuple[int, ...]
    """Events behind the figure."""
    warnings: int
    """Stored hazards that an incident is judged beside."""
    hours: int
    """Of readings behind it."""
    storm: int
    """Most alerts of one run beside others: enough for two seconds of most of them."""
    history: int
    """Events of the large history."""
    databases: tuple[str, ...] = ("SQLite", "PostgreSQL")
    """On which it is stored."""


FULL = Plan(rounds=3, seconds=2.0, probes=200, backlog=300, burst=100_000, stored=(100, 5_000, 1_000_000),
            warnings=100_000, hours=87_600, storm=50_000, history=2_000_000)  # fmt: skip
QUICK = Plan(rounds=1, seconds=0.5, probes=30, backlog=60, burst=5_000, stored=(100, 5_000, 20_000),
             warnings=5_000, hours=8_760, storm=6_000, history=150_000)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a measurement, what it stands beside, and their ratio.

    At most one of the three bounds is given: two for the ratio, `most_value` for the value itself.
    """

    part: str
    what: str
    value: float
    unit: str
    beside: float | None = None
    of: str = ""
    """What `beside` is."""
    least_ratio: float | None = None
    most_ratio: float | None = None
    most_value: float | None = None
    cpu: str = ""
    """CPU time, of servers alone unless it says otherwise."""
    rounds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Of the value to what it stands beside."""
        return self.value / self.beside if self.beside else None

    @property
    def target(self) -> str:
        """The target in words, empty where there is none."""
        if self.least_ratio is not None:
            return f"≥ {self.least_ratio:g}"
        if self.most_ratio is not None:
            return f"≤ {self.most_ratio:g}"
        return f"≤ {self.most_value:g} {self.unit}" if self.most_value is not None else ""

    @property
    def is_reached(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.least_ratio is not None:
            return self.ratio is not None and self.ratio >= self.least_ratio
        if self.most_ratio is not None:
            return self.ratio is not None and self.ratio <= self.most_ratio
        return None if self.most_value is None else self.value <= self.most_value

    def fields(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"ratio": self.ratio, "target": self.target, "is_reached": self.is_reached}


def median(values: Sequence[float]) -> float:
    """The middle one; 0 of none."""
    return statistics.median(values) if values else 0.0


def share(ordered: Sequence[float], part: float) -> float:
    """The value below which this part of ascending values lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """User and system time of a process so far; of those it has started too, the ended ones included, if asked."""
    ticks = _ticks(pid, slice(11, 15 if with_children else 13))
    if with_children:
        ticks += sum(_ticks(child, slice(11, 13)) for child in _children(pid))
    return ticks / TICKS


def resident_mib(pid: int) -> float:
    """MiB that a process and those it has started hold, each shared page divided among all who share it."""
    return sum(_pss(one) for one in (pid, *_children(pid))) / 1024


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def _ticks(pid: int, which: slice) -> int:
    try:
        # After the name in brackets: state, parent, …; the 12th to 15th are utime, stime, cutime, cstime.
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return 0
    return sum(int(word) for word in text.rpartition(")")[2].split()[which])


def _children(pid: int) -> list[int]:
    return [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]
