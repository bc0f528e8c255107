"""The page of saved views: what was kept under a name, one's own and what others share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dashboards.paper import signed_in
from incidents.views.saved_view import SavedView
from incidents.views.view import Viewer


def views_page(kept: Sequence[SavedView], removed: Sequence[SavedView], viewer: Viewer, *, now: datetime) -> str:
    """`removed` were taken out a moment ago and can be brought back."""
    mine = f"user:{viewer.name}"
    may_share = viewer.role in ("responder", "admin")
    return signed_in(
        "views.html",
        viewer,
        now,
        kept=kept,
        removed=removed,
        now=now,
        is_mine=lambda view: view.owner == mine,
        may_remove=lambda view: view.owner == mine or may_share,
    )
