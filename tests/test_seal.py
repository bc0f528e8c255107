"""What is encrypted under the secret key: nobody changes it, opens it with another key or for another purpose."""

from __future__ import annotations

import pytest

from incidents.store import Store
from service import clock, seal
from service.settings import SettingsError

KEY, OTHER = b"k" * 32, b"o" * 32


def test_a_changed_character_opens_nothing() -> None:
    sealed = seal.seal_kept(KEY, "JBSWY3DPEHPK3PXP")
    assert seal.open_kept(KEY, sealed) == "JBSWY3DPEHPK3PXP"
    for at in range(len(sealed) - 3):  # the last ones are padding
        changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
        assert seal.open_kept(KEY, changed) is None, at


def test_the_same_text_is_never_sealed_alike_and_does_not_show() -> None:
    sealed = {seal.seal_kept(KEY, "JBSWY3DPEHPK3PXP") for _ in range(3)}
    assert len(sealed) == 3
    assert not any("JBSWY3DP" in one for one in sealed)


def test_another_key_another_purpose_and_another_time_open_nothing() -> None:
    kept, passing = seal.seal_kept(KEY, "text"), seal.seal_text(KEY, "text")
    assert seal.open_kept(OTHER, kept) is None
    assert seal.open_text(OTHER, passing, 60) is None
    assert seal.open_kept(KEY, passing) is None
    assert seal.open_text(KEY, kept, 60) is None
    assert seal.open_text(KEY, passing, 60) == "text"
    late = seal._fernet(KEY, b"passing").encrypt_at_time(b"text", int(clock.now().timestamp()) - 61).decode()
    assert seal.open_text(KEY, late, 60) is None
    assert seal.open_text(KEY, late, 90) == "text"


def test_a_source_secret_under_another_key_is_told_not_used(sqlite_store: Store) -> None:
    with sqlite_store.writing() as connection:
        seal.keep(connection, KEY, "am", ["first", "second"])
        assert seal.open_all(connection, KEY) == {"am": ("first", "second")}
        with pytest.raises(SettingsError, match="SECRET_KEY"):
            seal.open_all(connection, OTHER)
