"""The page on which an incident takes in, gives away, splits and merges."""

from __future__ import annotations

from datetime import datetime

from dashboards.paper import signed_in
from incidents.views.regroup_view import SHOWN, Regrouping, Wanted
from incidents.views.view import Viewer


def regroup_page(found: Regrouping, viewer: Viewer, *, wanted: Wanted, chosen: frozenset[str], now: datetime) -> str:
    """`chosen` are ids of occurrences whose boxes are marked when the page opens."""
    return signed_in(
        "regroup.html",
        viewer,
        now,
        found=found,
        incident=found.incident,
        wanted=wanted,
        chosen=chosen,
        zone=viewer.zone,
        now=now,
        shown=SHOWN,
    )
