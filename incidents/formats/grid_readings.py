"""What grid feeds have in common: power of a whole network at the end of an interval, and the sites' networks. Pure.

A mean over an interval stands at the interval's end, as EIA-930 counts ("hour ending"), whoever published it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from incidents.formats import payload
from incidents.model import Basis, Delivery, Reading, Site, UnrecognisedError

MOST_MW: Final = 3_000_000
"""Above the load of all the world's largest networks together; what is said beyond it is not power."""
REVISED_FOR: Final = timedelta(days=3)
"""How long after its hour an operator still revises a value."""


def of_area(
    variable: str, area: str, at: datetime, value: object, delivery: Delivery, *, credit: str, basis: Basis = "observed"
) -> Reading:
    """A reading of a grid area, provisional while its operator still revises it. Raises UnrecognisedError."""
    number = payload.number_of(value)
    if number is None or abs(number) > MOST_MW:
        raise UnrecognisedError(f"{variable} is no number that a grid can have")
    return Reading(
        variable=variable,
        at=at,
        value=number,
        latitude=None,
        longitude=None,
        provisional=delivery.received_at - at < REVISED_FOR,
        basis=basis,
        credit=credit,
        grid_area=area,
    )


def areas_like(pattern: re.Pattern[str], sites: Sequence[Site]) -> list[str]:
    """The grid areas of sites that are written as this feed writes them, each once."""
    return sorted({site.grid_area for site in sites if site.grid_area and pattern.fullmatch(site.grid_area)})


def days_between(since: datetime, until: datetime, most: int = 400) -> Iterable[datetime]:
    """An instant in each day from `since` to `until`, at most `most`."""
    day = since
    for _ in range(most):
        if day.date() > until.date():
            return
        yield day
        day += timedelta(days=1)
