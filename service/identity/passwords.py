"""Passwords: Argon2id on threads of their own, a few at a time, and what makes one too weak to take."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from aiohttp import web
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

T = TypeVar("T")

LEAST, MOST = 12, 256
"""Characters of a password."""
LEAST_SCORE = 3
"""Of zxcvbn's 0 to 4: from 10^8 guesses on."""
LOOKED_AT = 72
"""Characters that are judged: the time that takes grows faster than their number."""
AT_ONCE = 2
"""Hashes of one process at a time: each takes a core for a tenth of a second, and 64 MiB."""
MOST_WAITING = 20
"""Sign-ins that may wait for their turn."""
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)


class BusyError(Exception):
    """So many sign-ins wait that another would wait too long."""


@cache
def _nobodys() -> str:
    """What the guesses at names that nobody has are checked against: these take as long as any."""
    return _HASHER.hash(secrets.token_urlsafe(32))


def hashed(password: str) -> str:
    """What is kept of a password; takes a tenth of a second."""
    return _HASHER.hash(_one_form(password))


def _one_form(password: str) -> str:
    """However a keyboard composes its letters: NFKC, as NIST SP 800-63B asks."""
    return unicodedata.normalize("NFKC", password)


def is_right(kept: str | None, password: str) -> bool:
    """Whether it is the password; takes as long where there is none."""
    try:
        _HASHER.verify(kept or _nobodys(), _one_form(password))
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def is_dated(kept: str) -> bool:
    """Whether it was hashed at less than today's cost."""
    return _HASHER.check_needs_rehash(kept)


def objection(password: str, name: str) -> str | None:
    """Why a password cannot be taken; None for one that can."""
    if len(password) < LEAST:
        return f"a password has at least {LEAST} characters; several words are easily kept in mind"
    if len(password) > MOST:
        return f"a password has at most {MOST} characters"
    judged = zxcvbn(password[:LOOKED_AT], user_inputs=[name, "barograph"])
    if judged["score"] < LEAST_SCORE:
        why = str(judged["feedback"]["warning"] or "it is among the first that would be tried").rstrip(".")
        return f"this password is too easily guessed: {why[0].lower()}{why[1:]}"
    return None


class Passwords:
    """The hashing of one process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="password", initializer=_nobodys)
        self._waiting = 0

    async def is_right(self, kept: str | None, password: str) -> bool:
        """As `is_right`. Raises BusyError."""
        return await self._turn(lambda: is_right(kept, password[: MOST + 1]))

    async def hashed(self, password: str) -> str:
        """As `hashed`. Raises BusyError."""
        return await self._turn(lambda: hashed(password))

    async def objection(self, password: str, name: str) -> str | None:
        """As `objection`. Raises BusyError."""
        return await self._turn(lambda: objection(password, name))

    async def _turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= AT_ONCE + MOST_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Give the threads back."""
        self._threads.shutdown(wait=False, cancel_futures=True)


PASSWORDS = web.AppKey("passwords", Passwords)
