"""What stands on every picture of an incident of which retention has dropped the detail."""

from __future__ import annotations

from dashboards.words import count, day
from incidents.views.view import IncidentView


def dropped_words(view: IncidentView) -> str:
    """What was dropped and what is kept, in a sentence or two; nothing where nothing was dropped."""
    lost = view.dropped
    if lost is None:
        return ""
    parts = [count(lost.alerts, "alert")] if lost.alerts else []
    parts += [count(lost.linked, "linked occurrence")] if lost.linked else []
    told = (
        f"Detail dropped on {day(lost.at, view.zone)} by the retention of {count(lost.days, 'day')}; "
        f"sums kept: {' and '.join(parts)}."
    )
    return (
        told if lost.is_counted else f"{told} Which of the alerts were known at this moment nobody can tell any more."
    )
