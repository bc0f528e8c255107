"""The page on which an incident takes in, gives away, splits and merges."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from dashboards.paper import signed_in
from incidents.views.regroup_view import NEAR_SHOWN, OTHERS_SHOWN, SHOWN, Regrouping, Wanted
from incidents.views.view import Viewer


def regroup_page(
    found: Regrouping, viewer: Viewer, *, wanted: Wanted, chosen: frozenset[str], following: str | None, now: datetime
) -> str:
    """`chosen` are ids of occurrences whose boxes are marked when the page opens.

    `following` is the cursor of the next page of its alerts; None on the last.
    """
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
        near_shown=NEAR_SHOWN,
        others_shown=OTHERS_SHOWN,
        members_next=_href(found, wanted, following) if following else None,
        members_first=_href(found, wanted, None) if wanted.after else None,
    )


def _href(found: Regrouping, wanted: Wanted, cursor: str | None) -> str:
    """A page of its alerts with the same words in every list."""
    asked = {"q": wanted.members, "near": wanted.near, "into": wanted.into, "cursor": cursor}
    kept = urlencode({name: value for name, value in asked.items() if value})
    return f"/incidents/{found.incident.id}/regroup" + (f"?{kept}" if kept else "") + "#members"
