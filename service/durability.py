"""Durability: whether the database keeps what it acknowledged through a power cut, told by its own settings."""

from __future__ import annotations

from collections.abc import Mapping

from incidents.store import Store
from service.settings import SettingsError

FORGETFUL = {
    "fsync": ("off",),
    "synchronous_commit": ("off",),
    # 0 is OFF and 1 NORMAL: in WAL mode a power cut then takes the last commits with it.
    "synchronous": ("0", "1"),
    "journal_mode": ("off", "memory"),
}
"""Values with which a 2xx could be untrue, by the setting of the database."""
DOUBTFUL = {"full_page_writes": ("off",)}
"""Values that are safe only on a file system which never tears a page."""


def faults(told: Mapping[str, str]) -> list[str]:
    """What makes an acknowledgement untrue, a sentence for each setting."""
    return [
        f"{name} is {value}: what is acknowledged could be lost"
        for name, value in told.items()
        if _in(FORGETFUL, name, value)
    ]


def doubts(told: Mapping[str, str]) -> list[str]:
    """What is safe only under conditions that we cannot see."""
    return [
        f"{name} is {value}: pages may tear in a power cut"
        for name, value in told.items()
        if _in(DOUBTFUL, name, value)
    ]


def _in(bad: Mapping[str, tuple[str, ...]], name: str, value: str) -> bool:
    return value in bad.get(name, ())


def check_durability(store: Store) -> None:
    """Refuse a database that forgets what it acknowledged."""
    for fault in faults(store.durability()):
        raise SettingsError(f"DATABASE_URL: {fault}")
