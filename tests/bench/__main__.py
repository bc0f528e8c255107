"""`python -m tests.bench`: all measurements in one run, as a table of ratios that ends with what missed its target."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import orjson

from service import clock
from tests.bench import (
    access,
    answering,
    beside,
    burst,
    exports,
    feeds,
    figures,
    intake,
    linking,
    pages,
    paint,
    quality,
    reading,
    replicated,
    report,
    size,
    storm,
    zooming,
)
from tests.bench.measured import FULL, QUICK, Plan, Row
from tests.databases import Cluster, cluster

PARTS = (
    "intake",
    "feeds",
    "answering",
    "burst",
    "storm",
    "figures",
    "zoom",
    "exports",
    "pages",
    "access",
    "paint",
    "reading",
    "links",
    "quality",
    "replicas",
    "beside",
    "size",
)
ASKED_ONLY = ("size",)
"""What is measured only when it is named: it stores gigabytes."""


def run(plan: Plan, parts: tuple[str, ...], show: Callable[[str], None]) -> list[Row]:
    """Measure these parts one after the other, and show the table of each as soon as it is there."""
    rows: list[Row] = []
    for part in parts:
        print(f"measuring {part} …", file=sys.stderr, flush=True)
        if part in _WITH_POSTGRESQL:
            with cluster() as running:
                found = _WITH_POSTGRESQL[part](plan, running)
        else:
            found = _MEASURES[part](plan)
        show(report.table(found) + "\n")
        rows += found
    return rows


_WITH_POSTGRESQL: dict[str, Callable[[Plan, Cluster], list[Row]]] = {
    "intake": intake.measure,
    "beside": beside.measure,
    "replicas": replicated.measure,
    "size": size.measure,
    "storm": storm.measure,
}


_MEASURES: dict[str, Callable[[Plan], list[Row]]] = {
    "feeds": feeds.measure,
    "answering": answering.measure,
    "burst": burst.measure,
    "figures": figures.measure,
    "zoom": zooming.measure,
    "exports": exports.measure,
    "pages": pages.measure,
    "access": access.measure,
    "paint": paint.measure,
    "reading": reading.measure,
    "links": linking.measure,
    "quality": quality.measure,
}


def main() -> int:
    """Always 0: this measures, it does not judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each, about a minute")
    parser.add_argument(
        "--json", action="store_true", help="the values of every round as JSON on stdout, the tables on stderr"
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; may be given several times")
    parser.add_argument("--events", type=int, help="of the large history of `size`; 2,000,000 if not given")
    parser.add_argument("--on", choices=FULL.databases, help="the one database of `size`; both if not given")
    parser.add_argument("--rounds", type=int, help="in place of three, or of one with --quick")
    asked = parser.parse_args()
    machine = report.machine(clock.now())
    plan = QUICK if asked.quick else FULL
    plan = replace(plan, history=asked.events or plan.history, rounds=asked.rounds or plan.rounds)
    plan = replace(plan, databases=(asked.on,) if asked.on else plan.databases)
    chosen = tuple(part for part in PARTS if part in (asked.only or set(PARTS) - set(ASKED_ONLY)))
    out = sys.stderr if asked.json else sys.stdout
    show = partial(print, file=out, flush=True)
    show(", ".join(f"{name} {value}" for name, value in machine.items()) + "\n")
    rows = run(plan, chosen, show)
    show(report.verdict(rows))
    if asked.json:
        told = {"machine": machine, "quick": asked.quick, "rows": [row.fields() for row in rows]}
        print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
