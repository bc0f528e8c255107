"""`python -m tests.promises R3 …`: runs what shows these rows of docs/reliability.md; without a row it lists them all.

The tests that the row names run in one pytest, then the commands that it names one by one.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.servers import ROOT

PAGE = ROOT / "docs" / "reliability.md"
MODULES = {"soak": "tests.soak", "bench": "tests.bench"}
"""What the targets of the Makefile run that rows name."""

_ROW = re.compile(r"^\| (R\d+) \| (.*?) \| (.*?) \| (.*) \|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[^`:]+\.py::[^`]+)`")
_COMMAND = re.compile(r'`make (\w+) ARGS="([^"`]*)"`')


@dataclass(frozen=True, slots=True)
class Row:
    """One promise: its number, what is promised, and the cells that say what shows it and with which figures."""

    number: str
    promise: str
    shown: str
    figures: str

    @property
    def tests(self) -> list[str]:
        """The tests that show it."""
        return _TEST.findall(self.shown)

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """The targets of the Makefile that show it, each with its arguments."""
        return [(target, shlex.split(args)) for target, args in _COMMAND.findall(self.shown)]

    def steps(self) -> Iterator[list[str]]:
        """What is to be run, one after the other, as arguments of Python."""
        if self.tests:
            yield ["-m", "pytest", *self.tests]
        for target, args in self.commands:
            yield ["-m", MODULES[target], *args]


def rows() -> dict[str, Row]:
    """Every row of the page, by its number."""
    return {found[1]: Row(*found.groups()) for found in _ROW.finditer(PAGE.read_text())}


def main() -> int:
    """Exit 1 where anything that was run failed."""
    found = rows()
    parser = argparse.ArgumentParser(prog="python -m tests.promises", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="R1 to R28")
    asked = parser.parse_args().rows
    if unknown := [number for number in asked if number not in found]:
        parser.error(f"there is no row {', '.join(unknown)}")
    if not asked:
        for row in found.values():
            print(f"{row.number:4} {row.promise}")
        return 0
    failed = 0
    for row in (found[number] for number in asked):
        print(f"{row.number}: {row.promise}", flush=True)
        for step in row.steps():
            print(f"$ python {shlex.join(step)}", flush=True)
            failed += subprocess.run([sys.executable, *step], cwd=ROOT, check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
