"""The samples of the senders show what began, what is over, several at once, and the sender's test; or say why not."""

from __future__ import annotations

import pytest

from tests import samples
from tests.sample_kinds import KINDS, absent, is_whole, senders, shown

NAMES = [adapter.name for adapter in senders()]
MOST_USED = (
    "alertmanager", "grafana", "grafana_legacy", "pagerduty", "pagerduty_events", "opsgenie", "datadog", "newrelic",
    "sentry", "aws_sns", "aws_eventbridge", "azure_monitor", "gcp_monitoring", "statuspage", "zabbix", "uptime_kuma",
    "healthchecks", "dynatrace", "elastic", "pingdom", "uptimerobot", "site24x7", "statuscake", "better_stack",
    "checkly", "honeycomb", "checkmk", "icinga", "netdata", "librenms", "prtg", "github",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_each_kind_is_shown_by_a_sample_or_is_absent_for_a_reason(name: str) -> None:
    assert shown(name).keys() | absent(name).keys() == set(KINDS)
    assert not shown(name).keys() & absent(name).keys()
    assert all(absent(name).values())


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_that_is_named_for_a_kind_shows_it(name: str) -> None:
    named = samples.exceptions(name).get("kinds", {})
    assert named.items() <= shown(name).items()


@pytest.mark.parametrize("name", MOST_USED)
def test_the_most_used_senders_have_whole_sets(name: str) -> None:
    assert is_whole(name)


def test_twenty_five_senders_have_all_four_kinds() -> None:
    assert len([name for name in NAMES if is_whole(name) and "test" in shown(name)]) >= 25
