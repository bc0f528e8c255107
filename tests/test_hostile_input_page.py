"""docs/hostile-input.md: a row for each requirement, every test that it names exists, and what the tree alone shows."""

from __future__ import annotations

import ast
import re
from functools import cache

import click
import pytest

from service.cli import main
from service.settings import SETTINGS
from tests.servers import ROOT

PAGE = (ROOT / "docs" / "hostile-input.md").read_text()
ROWS = re.findall(r"^\| (L?\d+) \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`(tests/[^`:]+\.py)::([^`]+)`", PAGE)))
NEWEST_HOLE = (3, 14, 1)
"""The first aiohttp without the holes that were known when the page was written."""


def test_every_requirement_has_one_row_in_order() -> None:
    assert [number for number, _, _ in ROWS] == [*map(str, range(9, 39)), *(f"L{n}" for n in range(1, 11))]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_what_shows_it(row: tuple[str, str, str]) -> None:
    assert "`tests/" in row[2]


@cache
def known_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    assert name in known_in(path)


def test_no_known_hole_of_the_edge_is_locked() -> None:
    locked = re.search(r"^aiohttp==([\d.]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked
    assert tuple(map(int, locked[1].split("."))) >= NEWEST_HOLE


def options(command: click.Command) -> set[str]:
    """The names of all options of a command and of those below it."""
    found = {option for parameter in command.params for option in parameter.opts}
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return found.union(*map(options, below))


def test_no_secret_is_an_option_of_a_command() -> None:
    secret = {f"--{setting.name.lower().replace('_', '-')}" for setting in SETTINGS if setting.secret}
    assert "--admin-token" in secret
    assert options(main) & secret <= {"--database-url"}


def test_every_link_to_a_sender_says_nothing_of_us() -> None:
    """An address that a sender gave is a link in one place. A new place must be looked at, and named here."""
    links = [
        link
        for template in (ROOT / "dashboards" / "templates").glob("*.html")
        for link in re.findall(r'<a [^>]*href="\{\{ [a-z_.]*url\b[^>]*>', template.read_text())
    ]
    of_senders = [link for link in links if 'href="{{ url }}"' not in link]  # of a shared picture: ours
    assert ["seen.url" in link for link in of_senders] == [True]
    assert 'rel="noreferrer noopener nofollow"' in of_senders[0]
