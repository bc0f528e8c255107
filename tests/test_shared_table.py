"""The table of what others recorded: every payload of a family that is ours is read by one adapter and by no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents.adapters import adapters
from incidents.model import Event, Loss, Statement, UnrecognisedError
from tests import samples, shared_table
from tests.shared_table import FAMILIES, READERS, WEBHOOKS
from tests.shared_table import SHARED as TABLE

ALIKE = {
    "alertmanager": {"grafana"},
    "grafana": {"alertmanager"},
    "aws-eventbridge-cloudwatch": {"aws_sns"},
    "aws-cloudwatch-lambda": {"aws_sns"},
    "aws-health": {"aws_sns"},
    "dynatrace": {"cloudevents"},
}
"""Families that another adapter reads as well: Grafana posts in Alertmanager's shape, a topic passes on any notice, and
one of Dynatrace's messages is a CloudEvent. `generic` reads whatever has a title and a status, which is its purpose."""

pytestmark = pytest.mark.skipif(not TABLE, reason="the shared payloads are not beside this checkout")


def heard(adapter: str, sample: Path) -> list[Statement] | None:
    """What this adapter hears in a sample, losses left out; None where it does not recognise it."""
    try:
        said = adapters()[adapter].normalise(samples.delivery_of(sample))
    except UnrecognisedError:
        return None
    return [statement for statement in said if not isinstance(statement, Loss)]


def test_every_family_has_its_reader() -> None:
    assert [family for family in FAMILIES if family not in READERS] == []


@pytest.mark.parametrize("sample", TABLE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_payload_is_read_by_the_adapter_of_its_family_alone(sample: Path) -> None:
    family = sample.parent.name
    reader = READERS[family]
    silent = f"{family}/{sample.name}" in samples.exceptions(reader).get("unread", {})
    assert bool(heard(reader, sample)) is not silent, "it is read, or its silence has a reason beside the samples"
    others = {name for name in WEBHOOKS if name not in {reader, "generic"} and heard(name, sample)}
    assert others <= ALIKE.get(family, set())


@pytest.mark.parametrize("family", sorted(ALIKE))
def test_what_reads_alike_says_the_same_of_when(family: str) -> None:
    """A source that was given the neighbour's adapter by mistake shows the same alerts at the same times."""
    for sample in sorted((samples.SHARED / family).glob("*.*")):
        own = heard(READERS[family], sample)
        for other in ALIKE[family] - {"cloudevents"}:
            told = heard(other, sample)
            assert times(own) == times(told)


def times(said: list[Statement] | None) -> list[tuple[str, object]]:
    return [(event.key, event.starts_at) for event in said or [] if isinstance(event, Event)]


def test_nearly_all_of_it_is_read() -> None:
    """What no adapter hears anything in: handshakes, notes, quiet states, and text that is no payload."""
    read = [sample for sample in TABLE if heard(READERS[sample.parent.name], sample)]
    assert len(read) >= len(TABLE) * 0.85


def test_the_printed_table_has_a_row_for_each_and_a_reason_for_each_silence() -> None:
    lines = list(shared_table.printed())
    assert len(lines) == len(TABLE) + 4
    assert not [line for line in lines if "it has no reason" in line or "no adapter" in line]
    assert lines[-1].startswith(f"{len(TABLE)} payloads of {len(FAMILIES)} families: ")
