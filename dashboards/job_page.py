"""The page of a file that is being made: how far it is, and a button that ends it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dashboards.paper import signed_in
from incidents.views.view import Viewer


def words_of(state: str, step: str, error: str, before: int) -> str:
    """How far it is in one sentence."""
    match state:
        case "waiting":
            ahead = "One other is" if before == 1 else f"{before} others are"
            return f"Waiting. {ahead} made before it." if before else "Waiting for its turn."
        case "running":
            return f"Being made: {step}."
        case "done":
            return "It is there."
        case "cancelled":
            return "It was cancelled."
        case _:
            return f"There will be no file: {error}."


def job_page(job: Mapping[str, Any], viewer: Viewer, now: datetime) -> str:
    """The page; `job` is as the API gives it."""
    return signed_in("job.html", viewer, now, job=job)
