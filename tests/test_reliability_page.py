"""docs/reliability.md: a row for each promise, and every test and command that it names exists."""

from __future__ import annotations

import ast
import re
from itertools import pairwise

import pytest

from tests import promises
from tests.bench.__main__ import PARTS
from tests.servers import ROOT
from tests.soak.__main__ import ROUNDS

PAGE = promises.PAGE.read_text()
ROWS = promises.rows()
NAMED = sorted(set(re.findall(r"`(tests/[^`:]+\.py)::([^`]+)`", PAGE)))


def test_every_promise_has_a_row_in_order() -> None:
    assert list(ROWS) == [f"R{n}" for n in range(1, 29)]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_one_command_runs_what_a_row_names(row: promises.Row) -> None:
    assert row.promise
    assert row.shown.startswith(f"`make promise ARGS={row.number}`: ")
    assert list(row.steps()), "it names a test or a round"
    rounds = {"soak": set(ROUNDS), "bench": set(PARTS)}
    for target, args in row.commands:
        only = [after for word, after in pairwise(args) if word == "--only"]
        assert only
        assert set(only) <= rounds[target]


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
