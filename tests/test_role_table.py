"""The table of routes and roles: it holds every route, and a route that is too open is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests import role_table, routed
from tests.role_table import ENDLESS, SENDERS, Line

SHUT = {"nobody": 401, "ingest": 403, "viewer": 403, "responder": 403, "admin": 404}
LINE = Line("DELETE", "/api/v1/keys/{credential}", "admin", SHUT)


def test_every_route_is_in_it() -> None:
    known = {one for one in routed.routes() if not one[1].startswith((SENDERS, *ENDLESS))}
    assert set(role_table.least_roles()) == known


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("nobody", 404),
        ("nobody", 303),
        ("ingest", 404),
        ("viewer", 400),
        ("responder", 200),
        ("admin", 403),
        ("admin", 500),
    ],
)
def test_a_hole_is_seen(role: str, status: int) -> None:
    assert LINE.holes == []
    assert replace(LINE, statuses={**SHUT, role: status}).holes == [role]


def test_a_page_sends_strangers_to_the_sign_in() -> None:
    page = Line("GET", "/access", "admin", {**SHUT, "nobody": 303})
    assert page.holes == []
    assert replace(page, statuses=SHUT).holes == ["nobody"]


def test_what_is_open_is_open_to_all() -> None:
    line = Line("GET", "/sign-in", "open", dict.fromkeys(SHUT, 200))
    assert line.holes == []
    assert replace(line, statuses={**line.statuses, "ingest": 403}).holes == ["ingest"]
