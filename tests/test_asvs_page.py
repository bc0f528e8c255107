"""docs/asvs.md: a row for each requirement of levels 1 and 2, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.servers import ROOT

PAGE = (ROOT / "docs" / "asvs.md").read_text()
SECTIONS = {
    "V1": (2, 9, 11, 3, 2), "V2": (3, 3, 4, 1), "V3": (0, 2, 4, 6, 5, 0, 2), "V4": (3, 1, 2, 4), "V5": (1, 3, 2, 3),
    "V6": (3, 12, 4, 4, 5, 3, 0, 4), "V7": (3, 4, 2, 5, 2, 2), "V8": (2, 3, 1, 1), "V9": (3, 4),
    "V10": (2, 2, 4, 11, 5, 2, 3), "V11": (2, 3, 3, 4, 1, 1), "V12": (3, 2, 4), "V13": (1, 5, 2, 5), "V14": (2, 4, 3),
    "V15": (3, 3, 7), "V16": (1, 5, 4, 3, 3), "V17": (1, 4, 2),
}  # fmt: skip
"""How many requirements of levels 1 and 2 each section has: within a section those of level 3 stand last."""
ROWS = re.findall(r"^\| (V\d[\d.]*)(?: to (V[\d.]+))? \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`(tests/[^`:]+\.py)::([^`]+)`", PAGE)))


def expected() -> list[str]:
    return [
        f"{chapter}.{section}.{number}"
        for chapter, counts in SECTIONS.items()
        for section, count in enumerate(counts, 1)
        for number in range(1, count + 1)
    ]


def test_every_requirement_of_level_2_has_one_row_in_order() -> None:
    assert len(expected()) == 253
    found = []
    for first, last, _, _ in ROWS:
        section, _, number = first.rpartition(".")
        end = int(last.rpartition(".")[2]) if last else int(number)
        assert not last or last.rpartition(".")[0] == section
        found += [f"{section}.{n}" for n in range(int(number), end + 1)]
    assert found == expected()


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_what_shows_it_or_says_why_nothing_does(row: tuple[str, str, str, str]) -> None:
    asked, shown = row[2:]
    assert asked
    is_reason = shown.startswith(("Does not apply", "Not ", "None ", "No ", "In part", "There are none"))
    is_operators = re.search("proxy|operator|settings?", shown) is not None
    assert "`tests/" in shown or "](" in shown or "`make " in shown or is_reason or is_operators, shown


@cache
def known_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    assert name in known_in(path)
