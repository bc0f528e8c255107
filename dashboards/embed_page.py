"""An incident's figure alone, for a frame on somebody else's dashboard."""

from __future__ import annotations

from dashboards.paper import render
from dashboards.tokens import Theme
from incidents.views.view import IncidentView

REFRESH_SECONDS = 60


def embed_page(view: IncidentView, figure: str, phone: str, *, theme: Theme, alt: str) -> str:
    """`figure` and `phone` are SVG of our own making, for wide frames and narrow ones."""
    return render(
        "embed.html",
        incident=view.incident,
        figure=figure,
        phone=phone,
        theme=theme,
        alt=alt,
        refresh=None if view.incident.status == "resolved" else REFRESH_SECONDS,
    )
