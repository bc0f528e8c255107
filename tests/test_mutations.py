"""The code changes of `make mutations` can be made: what they change is there once, and what must notice exists."""

from __future__ import annotations

import ast

import pytest

from tests.servers import ROOT
from tests.soak.mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_a_mutation_can_be_made_and_is_code(mutation: Mutation) -> None:
    text = (ROOT / mutation.path).read_text()
    assert text.count(mutation.was) == 1
    ast.parse(text.replace(mutation.was, mutation.becomes))
    path, _, name = mutation.test.partition("::")
    names = {
        node.name
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not name or name in names
    assert f"| {mutation.name} | `{mutation.test}` |" in (ROOT / "docs" / "reliability.md").read_text()
