"""Rows that are kept are those that would be printed: whoever reads them, in whatever zone, at whatever moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from dashboards import incident_page, rows, sentences
from incidents.config import Config
from incidents.store import Store
from incidents.views import incident_view
from incidents.views.incident_view import Asked
from incidents.views.kept import Kept
from incidents.views.view import IncidentView, Viewer
from tests.bench import filling

SINCE = datetime(2026, 11, 20, 23, tzinfo=UTC)
ALERTS = 30


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[IncidentView]]:
    """One incident in two zones, now and as known at a moment."""
    path: Path = tmp_path_factory.mktemp("rows")
    with closing(Store(f"sqlite:///{path / 'rows.db'}")) as store:
        store.migrate()
        name = filling.fill(store, ALERTS, SINCE)
        found = []
        for zone, as_of in product(("UTC", "Asia/Tokyo"), (None, SINCE + timedelta(hours=4))):
            asked = Asked(SINCE + 2 * filling.SPAN, as_of=as_of, zone=zone)
            with store.reading() as connection:
                view = incident_view.gather(connection, Config(), name, asked, sentences.sentence)
            assert view
            found.append(view)
        yield found


def printed(view: IncidentView, role: str, token: str) -> str:
    viewer = Viewer("ana", role, "UTC", csrf=token)  # type: ignore[arg-type]  # one of the three
    return incident_page.incident_page(view, viewer, phone_svg="", alt="", figure_url="/f", frozen_at=view.as_of)


def test_a_page_of_kept_rows_is_the_one_that_is_printed_anew(
    views: list[IncidentView], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [(view, role) for view in views for role in ("viewer", "responder", "admin")]
    # A line that says something else under the same name, as after a correction of what its sender said.
    first = views[0]
    again = [replace(line, text=f"{line.text}, again") for line in first.lines]
    late = [replace(line, late=not line.late) for line in first.lines]
    pages += [(replace(first, lines=tuple(lines)), "admin") for lines in (again, late, first.lines[3:])]
    fresh = []
    for view, role in pages:
        monkeypatch.setattr(rows, "_ROWS", Kept(4096))
        fresh.append(printed(view, role, "t"))
    monkeypatch.setattr(rows, "_ROWS", Kept(4096))
    for _ in range(2):
        assert [printed(view, role, "t") for view, role in pages] == fresh
    assert len(set(fresh)) == len(pages)


def test_a_kept_row_has_the_form_token_of_its_reader(views: list[IncidentView]) -> None:
    one, other = (printed(views[0], "admin", token) for token in ("token-one", 'token-"two"'))
    assert "token-one" not in other
    assert other.count("token-&quot;two&quot;") == one.count("token-one") > ALERTS / 2
    assert rows.FORM_TOKEN not in one
