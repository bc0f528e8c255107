"""docs/reliability.md: a row for each promise, and every test and command that it names exists."""

from __future__ import annotations

import ast
import re

import pytest

from tests.servers import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text()
ROWS = {found[1]: found[0] for found in re.finditer(r"^\| (R\d+) \|.*\|$", PAGE, re.MULTILINE)}
NAMED = sorted(set(re.findall(r"`(tests/[^`:]+\.py)::([^`]+)`", PAGE)))


def test_every_promise_has_a_row_in_order() -> None:
    assert list(ROWS) == [f"R{n}" for n in range(1, 29)]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_names_what_shows_it_or_says_that_nothing_does(row: str) -> None:
    promise, shown, _ = (cell.strip() for cell in row.split("|")[2:5])
    assert promise
    assert "`tests/" in shown or "`make " in shown or shown == "not shown yet"


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
