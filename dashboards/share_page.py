"""Pages of shared links: the one that a chat's unfurler reads, and the one on which they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from dashboards.paper import render, signed_in
from incidents.model import Incident
from incidents.views.view import Viewer

PRIVATE_SHARED = "This incident is private. Whoever has a link sees its title and its picture all the same."


@dataclass(frozen=True, slots=True)
class Shared:
    """All that a shared link shows: a title and a picture."""

    title: str
    address: str
    picture: str
    incident: str

    @property
    def picture_path(self) -> str:
        """The picture from this very host, whatever the public address is."""
        return urlsplit(self.picture).path


def shared_page(shared: Shared, wide: int, high: int) -> str:
    """The page behind a link, for who is not signed in. `wide` and `high` are the picture's pixels."""
    return render("shared.html", viewer=None, zone_now="", shared=shared, wide=wide, high=high)


def share_page(
    incident: Incident, rows: Sequence[tuple[Any, str | None]], viewer: Viewer, *, now: datetime, days: int, most: int
) -> str:
    """`rows` are links with their addresses, None for one that has ended."""
    warning = PRIVATE_SHARED if incident.seen_by is not None else ""
    shown = {"incident": incident, "rows": rows, "now": now, "days": days, "most": most, "warning": warning}
    return signed_in("share.html", viewer, now, **shown)
