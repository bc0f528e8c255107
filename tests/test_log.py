"""The log: one object a line, ids that lead from an answer to its lines, nothing of a stranger unescaped."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from service.log import REQUEST, JsonLines, TextLines, request_id_of
from tests.conftest import StartBarograph

HOSTILE = "a\x1b[31m\nINFO forged\r\u202e \ud800 password=hunter2hunter2 \x9b2J\u2028"


def record(text: str) -> logging.LogRecord:
    try:
        int(text)
    except ValueError:
        return logging.LogRecord("service.x", logging.ERROR, "x.py", 1, "failed: %s", (text,), sys.exc_info())


def test_a_json_line_is_one_line_of_json() -> None:
    line = JsonLines().format(record(HOSTILE))
    assert "\n" not in line
    assert "\x1b" not in line
    told = json.loads(line)
    assert set(told) == {"at", "level", "logger", "text", "error", "trace"}
    assert (told["level"], told["logger"], told["error"]) == ("error", "service.x", "ValueError")
    assert told["at"].endswith("Z")
    assert "hunter2" not in line


def test_a_line_for_people_moves_no_cursor() -> None:
    line = TextLines("%(levelname)s %(message)s").format(record(HOSTILE))
    assert not {"\x1b", "\r", "\u202e", "\x9b", "\u2028"} & set(line)
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abc-123", True),
        ("00-4bf92f35-00", True),
        ("x" * 65, False),
        ("a b", False),
        ("a\x1b", False),
        ("", False),
        (None, False),
    ],
)
def test_a_request_is_called_by_its_own_id_where_that_is_plain(given: str | None, kept: bool) -> None:
    found = request_id_of(given)
    assert (found == given) == kept
    assert found
    token = REQUEST.set(found)
    try:
        assert json.loads(JsonLines().format(record("x")))["request"] == found
    finally:
        REQUEST.reset(token)


def test_every_answer_bears_its_id_and_every_line_of_the_service_is_json(barograph: StartBarograph) -> None:
    service = barograph(settings={"LOG_FORMAT": "json"}, is_cold=True)
    assert service.get("/api/v1/sites", headers={"X-Request-Id": "mine-1"}).headers["X-Request-Id"] == "mine-1"
    first, second = (service.get("/incidents").headers["X-Request-Id"] for _ in range(2))
    assert first != second
    service.terminate()
    lines = [line for line in service.log.splitlines() if not line.startswith(("Barograph serves", "Sign in once"))]
    assert lines
    assert all({"at", "level", "logger", "text"} <= set(json.loads(line)) for line in lines)
