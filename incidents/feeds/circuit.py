"""When a feed is asked next: its interval, the back-off after a failure, and the circuit that opens after several."""

from __future__ import annotations

from datetime import datetime, timedelta

OPENS_AFTER = 5
"""Failures in a row after which the circuit opens: then one asking an interval tries whether the feed is back."""
FIRST_PAUSE = timedelta(seconds=30)
"""After a first failure, or a quarter of the interval where that is shorter; each further one doubles it."""
LONGEST_PAUSE = timedelta(minutes=30)
"""A circuit stays open no longer than this, or than one interval where that is longer."""
DOUBLINGS = 3
LEAST_WHILE_LEFT = timedelta(seconds=10)
LONGEST_ASKED = timedelta(days=1)
"""A server that asks for a longer pause than this is asked again after it all the same."""
LATE = 0.1
"""How much later than meant a turn may be, so that turns are spread."""


def after_answer(every: timedelta, now: datetime, jitter: float) -> datetime:
    """The next turn after an answer. `jitter`, from 0 to 1, spreads feeds that were first asked together."""
    return now + every * (0.95 + 0.1 * jitter)


def while_left(every: timedelta) -> timedelta:
    """The pause before the next turn while documents of an index are left to be read."""
    return min(every, max(every / 10, LEAST_WHILE_LEFT))


def latest(every: timedelta) -> timedelta:
    """No turn is further away than this, unless the server asked for a pause."""
    return max(every * (1 + LATE), LONGEST_PAUSE)


def latest_asked(every: timedelta) -> timedelta:
    """No turn is further away than this."""
    return max(latest(every), LONGEST_ASKED * (1 + LATE))


def after_failure(
    every: timedelta, failures: int, now: datetime, jitter: float, asked_to_wait: timedelta | None = None
) -> tuple[datetime, datetime | None]:
    """The next turn after so many failures in a row, and until when the circuit is open; None while it is closed.

    Before it opens the pauses are shorter than the interval, so that a feed that stumbled once has lost nothing. The
    pause that a server asks for is kept.
    """
    if failures < OPENS_AFTER:
        pause = min(every, min(every / 4, FIRST_PAUSE) * 2 ** (failures - 1)) * (0.75 + 0.25 * jitter)
    else:
        doubled = every * 2 ** min((failures - OPENS_AFTER) // OPENS_AFTER, DOUBLINGS)
        pause = min(doubled, max(every, LONGEST_PAUSE)) * (0.75 + 0.25 * jitter)
    if asked_to_wait is not None:
        pause = max(pause, min(asked_to_wait, LONGEST_ASKED) * (1 + LATE * jitter))
    return now + pause, now + pause if failures >= OPENS_AFTER else None
