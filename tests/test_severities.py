"""Senders' words for how grave a thing is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.formats.severities import WORDS, severity
from incidents.model import Severity


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("critical CRIT page P1 sev1 SEV-1 [P1] S1 fatal emergency Disaster p0 urgent", Severity.CRITICAL),
        ("error err major P2 high severe sev2", Severity.ERROR),
        ("warning WARN minor average P3 moderate ticket", Severity.WARNING),
        ("info information Informational notice none ok P4 P5 low debug", Severity.INFO),
        ("green not-classified 1 5 critical-ish -", Severity.UNKNOWN),
    ],
)
def test_words(words: str, expected: Severity) -> None:
    assert {word: severity(word) for word in words.split()} == dict.fromkeys(words.split(), expected)


@pytest.mark.parametrize("value", [None, "", 1, True, [], {}, ["critical"], "critical" * 100])
def test_what_is_no_word_is_unknown(value: object) -> None:
    assert severity(value) is Severity.UNKNOWN


def test_spaces_and_punctuation_do_not_matter() -> None:
    assert severity(" Sev 2 ") is Severity.ERROR


def test_an_extension_adds_words_and_wins_over_the_table() -> None:
    words = {"minor": Severity.INFO, "tier1": Severity.CRITICAL}
    assert severity("Minor", words) is Severity.INFO
    assert severity("tier-1", words) is Severity.CRITICAL
    assert severity("major", words) is Severity.ERROR
    assert severity("Minor") is Severity.WARNING


def test_no_word_stands_for_two_severities() -> None:
    from incidents.formats import severities

    written = [word for words in severities._SENT.values() for word in words.split()]
    assert len(written) == len(set(written)) == len(WORDS)


@given(st.text() | st.none() | st.integers())
def test_any_value_has_a_severity(value: object) -> None:
    assert severity(value) in Severity
