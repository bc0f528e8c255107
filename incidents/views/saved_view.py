"""A view that somebody kept under a name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SavedView:
    """A name for an address of ours; `removed_at` says since when it is taken out."""

    id: int
    owner: str
    name: str
    address: str
    shared: bool
    saved_at: datetime
    removed_at: datetime | None = None
