"""Throttles for people: guesses at a sign-in are slowed down, requests have a rate. Never for `/in/`. Pure.

Both stand in the memory of one process, within a bound; times are seconds of a monotonic clock that the caller reads.
What all processes count together is in `guesses`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

MOST_KEPT = 20_000
"""Keys that are kept; above that the one that was heard of longest ago is forgotten."""
FORGIVEN_SECONDS = 900.0
"""How long after its last pause a key is a stranger again."""
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Guard:
    """A key of guesses: so many are free, then the pause doubles from a second up to the longest."""

    key: tuple[str, ...]
    free: int
    longest: float
    is_shared: bool = False
    """Whether it counts guesses at several accounts."""
    forgiven: float = FORGIVEN_SECONDS


def guards(name: str, address: str, *, known: bool) -> list[Guard]:
    """What slows a guess at this account from this address.

    Nobody is locked out by others: what many addresses do to an account does not touch one that is `known`, from which
    its owner has signed in before.
    """
    found = [Guard(("pair", name, address), 5, 900.0), Guard(("address", address), 30, 60.0, is_shared=True)]
    return found if known else [*found, Guard(("account", name), 100, 30.0)]


def code_guards(name: str, address: str, *, known: bool) -> list[Guard]:
    """What slows a guess at the code of a second factor, by somebody who has the password.

    Six digits are few: many addresses together have ten guesses, and then four an hour, for as long as they go on; who
    rests has ten more a day later.
    """
    found = [Guard(("code pair", name, address), 5, 900.0, forgiven=DAY_SECONDS)]
    return found if known else [*found, Guard(("code", name), 10, 900.0, forgiven=DAY_SECONDS)]


def counted(guard: Guard, count: int, until: float, now: float) -> tuple[int, float]:
    """One guess more than `count`, of which the last had to wait `until`; and until when the next has to."""
    count = 1 if now - until > guard.forgiven else count + 1
    over = count - guard.free
    return count, now + (min(2.0 ** min(over - 1, 20), guard.longest) if over > 0 else 0.0)


class Guesses:
    """Guesses at sign-ins, counted before they are judged, so that many at once gain nothing."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], tuple[int, float]] = OrderedDict()
        """How many, and until when the next has to wait."""

    def begin(self, asked: Iterable[Guard], now: float) -> float:
        """Count a guess; the seconds it has to wait, where it is not to be judged at all."""
        asked = list(asked)
        if pause := self.owed(asked, now):
            return pause
        self._count(asked, now)
        return 0.0

    def owed(self, asked: Iterable[Guard], now: float) -> float:
        """The seconds that a guess would have to wait; it is not counted."""
        return max(0.0, max(self._until(guard.key, now) for guard in asked) - now)

    def _until(self, key: tuple[str, ...], now: float) -> float:
        _, until = self._kept.get(key, (0, now))
        return until

    def _count(self, asked: list[Guard], now: float) -> None:
        for guard in asked:
            self._kept[guard.key] = counted(guard, *self._kept.pop(guard.key, (0, now)), now)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)

    def forgive(self, asked: Iterable[Guard]) -> None:
        """It was right: what was guessed at this account counts no more, and of the address not this guess.

        What an address has guessed at others stays: whoever has an account of their own must not wipe it out by it.
        """
        for guard in asked:
            count, until = self._kept.pop(guard.key, (0, 0.0))
            if guard.is_shared and count > 1:
                self._kept[guard.key] = (count - 1, until)


class Rates:
    """Requests by who asks: a bucket of a minute's worth that fills again all the time."""

    def __init__(self, per_minute: int) -> None:
        """With 0 there is no limit."""
        self._most = float(per_minute)
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What was left, and when."""

    def owed(self, key: str, now: float) -> float:
        """Seconds until the next request of this key may come; 0 where it may now. Nothing is taken."""
        if not self._most:
            return 0.0
        left = self._left(key, now)
        return 0.0 if left >= 1 else (1 - left) * 60 / self._most

    def take(self, key: str, now: float) -> float:
        """Take one request out; as `owed`, and nothing is taken where there is none."""
        if not self._most:
            return 0.0
        if pause := self.owed(key, now):
            return pause
        self._kept[key] = (self._left(key, now) - 1, now)
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return 0.0

    def _left(self, key: str, now: float) -> float:
        left, at = self._kept.get(key, (self._most, now))
        return min(self._most, left + (now - at) * self._most / 60)
