"""The report: rows as a table of ratios, and the line that names what did not reach its target."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from incidents import instants
from tests.bench.measured import Row

_HEAD = ("what", "measured", "beside", "ratio", "target", "", "CPU")


def machine(at: datetime) -> dict[str, Any]:
    """When and on what the run was made. `load` is the machine's one-minute load when the run began."""
    return {
        "at": instants.text(at),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "aiohttp": version("aiohttp"),
        "sqlalchemy": version("sqlalchemy"),
        "load": round(os.getloadavg()[0], 2),
    }


def table(rows: Sequence[Row]) -> str:
    """The rows under the headings of their parts."""
    lines = [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in [_HEAD, *lines]) for i in range(len(_HEAD))]
    told: list[str] = [_line(_HEAD, widths)]
    part = ""
    for row, cells in zip(rows, lines, strict=True):
        if row.part != part:
            part = row.part
            told += ["", part]
        told.append(_line(cells, widths))
    return "\n".join(told)


def verdict(rows: Sequence[Row]) -> str:
    """One line that names what did not reach its target."""
    missed = [row for row in rows if row.is_reached is False]
    if not missed:
        return "Every target was reached."
    return "Not reached: " + "; ".join(f"{_name(row)} ({_short(row)}, not {row.target})" for row in missed)


def _name(row: Row) -> str:
    """The number of its part and what it measures."""
    return f"{row.part.partition(' ')[0]} {row.what}"


def _short(row: Row) -> str:
    return _amount(row.value, row.unit) if row.most_value is not None else f"{row.ratio:.2f}"


def _cells(row: Row) -> tuple[str, ...]:
    beside = "" if row.beside is None else f"{_amount(row.beside, row.unit)} {row.of}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    mark = {None: "", True: "yes", False: "NO"}[row.is_reached]
    return row.what, _amount(row.value, row.unit), beside, ratio, row.target, mark, row.cpu


def _amount(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{number} {unit}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = [
        cell.rjust(wide) if i in (1, 3) else cell.ljust(wide)
        for i, (cell, wide) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(aligned).rstrip()


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except FileNotFoundError:
        return platform.machine()
    return next((line.partition(": ")[2] for line in text.splitlines() if line.startswith("model name")), "unknown")
