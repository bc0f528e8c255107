"""What the adapters of on-call tools, clouds and APM vendors say over several deliveries."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incidents import fold, spoken
from incidents.adapters import adapters
from incidents.model import Delivery, Event, Occurrence, Said, Severity, UnrecognisedError
from tests import samples

RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)


def sample(adapter: str, stem: str) -> Any:
    return json.loads((samples.PAYLOADS / adapter / f"{stem}.json").read_bytes())


def events(adapter: str, body: Any, at: datetime = RECEIVED, **headers: str) -> list[Event]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    delivery = Delivery("test", json.dumps(body).encode(), at, named)
    return [said for said in adapters()[adapter].normalise(delivery) if isinstance(said, Event)]


def folded(adapter: str, bodies: Sequence[Any]) -> Occurrence:
    """The one occurrence of which these bodies speak, received a minute after each other."""
    receipts = [(RECEIVED + timedelta(minutes=minute), body) for minute, body in enumerate(bodies)]
    statements = [
        Said(event, spoken.digest(event), "test", event.said_at or at, at)
        for at, body in receipts
        for event in events(adapter, body, at)
    ]
    assert len({said.event.key for said in statements}) == 1
    forwards, backwards = fold.occurrence(statements), fold.occurrence(statements[::-1])
    assert forwards == backwards
    return forwards


def test_a_routing_key_is_part_of_the_key_and_is_not_shown() -> None:
    body = sample("pagerduty_events", "firing")
    (one,), (other,) = (events("pagerduty_events", body | {"routing_key": key}) for key in ("a" * 32, "b" * 32))
    assert one.key != other.key
    assert "a" * 32 not in json.dumps(spoken.statement_json(one, Delivery("test", b"", RECEIVED)))


def test_an_acknowledged_page_keeps_title_and_severity() -> None:
    names = ("firing", "acknowledged", "resolved")
    page = folded("pagerduty_events", [sample("pagerduty_events", name) for name in names])
    assert (page.title, page.severity) == ("Chiller 2 supplies 14.1 °C", Severity.CRITICAL)
    assert page.starts_at == datetime(2026, 11, 20, 10, 40, 0, 412_000, tzinfo=UTC)
    assert page.ends_at == RECEIVED + timedelta(minutes=2)
    assert page.ends_assumed


def test_the_same_trigger_without_a_dedup_key_is_one_alert_and_another_is_another() -> None:
    body = sample("pagerduty_events", "without_dedup_key")
    (one,), (again,), (other,) = (events("pagerduty_events", b) for b in (body, body, body | {"client": "x"}))
    assert one == again
    assert one.key != other.key


def test_a_reopened_page_is_on_again() -> None:
    page = folded("pagerduty", [sample("pagerduty", name) for name in ("firing", "resolved", "reopened")])
    assert page.ends_at is None


def test_an_alarm_that_lacks_values_stays_on_and_ends_when_it_is_ok() -> None:
    bodies = [sample("aws_sns", name) for name in ("firing", "insufficient_data", "resolved")]
    assert folded("aws_sns", bodies[:2]).ends_at is None
    alarm = folded("aws_sns", bodies)
    assert alarm.starts_at == datetime(2026, 11, 20, 10, 40, 0, 123_000, tzinfo=UTC)
    assert alarm.ends_at == datetime(2026, 11, 20, 10, 52, tzinfo=UTC)


def test_an_alarm_and_a_health_event_have_one_key_whichever_way_they_come() -> None:
    routes = [("aws_sns", "firing"), ("aws_eventbridge", "firing"), ("aws_eventbridge", "lambda")]
    assert len({events(adapter, sample(adapter, stem))[0].key for adapter, stem in routes}) == 1
    assert events("aws_sns", sample("aws_sns", "health")) == events(
        "aws_eventbridge", sample("aws_eventbridge", "several")[1]
    )


def test_a_health_event_gathers_its_posts_and_ends() -> None:
    open_, closed = sample("aws_eventbridge", "several")[1], sample("aws_eventbridge", "health_closed")
    closed["detail"]["eventDescription"] = [{"language": "en_US", "latestDescription": "Resolved."}]
    found = folded("aws_eventbridge", [open_, closed])
    assert [post.text.split()[0] for post in found.posts] == ["We", "Resolved."]
    assert found.ends_at == datetime(2026, 11, 20, 11, 20, tzinfo=UTC)


def test_a_subscription_is_never_followed_and_says_nothing() -> None:
    delivery = samples.delivery_of(samples.PAYLOADS / "aws_sns" / "handshake.json")
    assert adapters()["aws_sns"].normalise(delivery) == []
    assert adapters()["aws_sns"].challenge is None


def test_azure_names_one_alert_whatever_the_letters_case() -> None:
    alert = folded("azure_monitor", [sample("azure_monitor", name) for name in ("firing", "resolved")])
    assert alert.ends_at == datetime(2026, 11, 20, 10, 58, 0, 765_432, tzinfo=UTC)
    metric = folded("azure_monitor", [sample("azure_monitor", f"metric_{name}ated") for name in ("activ", "deactiv")])
    assert metric.starts_at < (metric.ends_at or RECEIVED) < RECEIVED


@pytest.mark.parametrize(("level", "severity"), [("Sev0", 4), ("Sev1", 3), ("Sev2", 2), ("Sev3", 1), ("Sev4", 1)])
def test_azure_has_levels_of_its_own(level: str, severity: int) -> None:
    body = sample("azure_monitor", "firing")
    body["data"]["essentials"]["severity"] = level
    assert events("azure_monitor", body)[0].severity.rank == severity


def test_a_service_health_incident_ends_with_its_mitigation() -> None:
    names = ("service_health", "service_health_resolved")
    bodies = [sample("azure_monitor", name) for name in names]
    bodies[1]["data"]["context"]["activityLog"]["eventTimestamp"] = "2026-11-20T11:05:00Z"
    found = folded("azure_monitor", bodies)
    assert found.kind == "provider_incident"
    assert (found.ends_at, len(found.posts)) == (datetime(2026, 11, 20, 10, 59, tzinfo=UTC), 2)


@pytest.mark.parametrize("adapter", ["opsgenie", "newrelic", "datadog", "gcp_monitoring", "grafana"])
def test_a_retried_start_that_is_said_after_the_end_does_not_reopen(adapter: str) -> None:
    firing, resolved = sample(adapter, "firing"), sample(adapter, "resolved")
    (late,) = events(adapter, firing)
    (end,) = events(adapter, resolved)
    said = [
        Said(event, spoken.digest(event), "test", at, at)
        for event, at in ((end, RECEIVED), (replace(late, said_at=None), RECEIVED + timedelta(hours=1)))
    ]
    assert fold.occurrence(said).ends_at == end.ends_at


def test_a_note_after_the_close_does_not_reopen_an_opsgenie_alert() -> None:
    note = sample("opsgenie", "custom_action")
    note["alert"]["updatedAt"] = 1_795_179_000_000_000_000
    bodies = [sample("opsgenie", "firing"), sample("opsgenie", "resolved"), note]
    assert folded("opsgenie", bodies).ends_at == datetime(2026, 11, 20, 10, 53, 20, tzinfo=UTC)


def test_a_warning_that_gets_worse_is_one_alert_from_the_warning_on() -> None:
    warn, worse = (events("datadog", sample("datadog", name))[0] for name in ("warn", "firing"))
    assert warn.key == worse.key
    assert (warn.severity, worse.severity) == (Severity.WARNING, Severity.ERROR)


@pytest.mark.parametrize(
    ("heading", "title"),
    [
        ("[P2] [Triggered on {host:a}] Disk [/var] full", "Disk [/var] full"),
        ("[Re-Triggered] Disk", "Disk"),
        ("[No Data on {a:b,c:d}] Disk", "Disk"),
        ("[Triggered]", "[Triggered]"),
    ],
)
def test_datadog_s_marks_are_no_part_of_a_title(heading: str, title: str) -> None:
    assert events("datadog", sample("datadog", "firing") | {"alert_title": heading})[0].title == title


def test_an_issue_that_returns_is_on_from_its_return() -> None:
    bodies = [sample("sentry", name) for name in ("firing", "resolved", "regressed")]
    # Without the header that says when it was sent, the receipt counts.
    bodies[2]["data"]["issue"]["lastSeen"] = "2026-11-20T12:01:30Z"
    issue = folded("sentry", bodies)
    assert (issue.starts_at, issue.ends_at) == (RECEIVED + timedelta(seconds=90), None)


def test_an_error_of_an_issue_is_on_for_an_hour_and_each_new_one_prolongs_it() -> None:
    first, later = (sample("sentry", "issue_alert") for _ in range(2))
    later["data"]["event"]["datetime"] = "2026-11-20T11:20:00Z"
    issue = folded("sentry", [first, later])
    assert issue.starts_at == datetime(2026, 11, 20, 10, 41, 0, 250_000, tzinfo=UTC)
    assert (issue.ends_at, issue.ends_assumed) == (datetime(2026, 11, 20, 12, 20, tzinfo=UTC), True)


@pytest.mark.parametrize("resource", ["installation", "comment"])
def test_sentry_s_header_tells_what_says_nothing(resource: str) -> None:
    assert events("sentry", sample("sentry", "firing"), sentry_hook_resource=resource) == []


def test_a_merged_problem_is_over_without_losing_its_title() -> None:
    problem = folded("dynatrace", [sample("dynatrace", name) for name in ("firing", "merged")])
    assert (problem.title, problem.text) == ("Response time degradation", "Merged into another problem")
    assert problem.ends_at


def test_a_component_is_on_from_the_first_trouble_until_it_is_operational() -> None:
    names = ("component", "component_worse", "component_operational")
    found = folded("statuspage", [sample("statuspage", name) for name in names])
    assert found.starts_at == datetime(2026, 11, 20, 10, 44, tzinfo=UTC)
    assert found.ends_at == datetime(2026, 11, 20, 11, 38, tzinfo=UTC)
    assert (found.title, found.severity) == ("Databases: major outage", Severity.CRITICAL)


def test_a_message_of_the_other_grafana_is_refused_in_words() -> None:
    with pytest.raises(UnrecognisedError, match="no list of alerts"):
        events("grafana", sample("grafana_legacy", "firing"))
    with pytest.raises(UnrecognisedError, match="no ruleId"):
        events("grafana_legacy", sample("grafana", "firing"))


# The payloads of the set-up page


def snippet(adapter: str, language: str) -> str:
    setup = adapters()[adapter].setup
    assert setup
    return str(next(s["text"] for s in setup["snippets"] if s["language"] == language))


def test_the_payload_given_to_datadog_is_read_when_it_is_filled_in() -> None:
    told = sample("datadog", "firing")
    told["text"] = "/var is 96 % full."
    filled = json.loads(snippet("datadog", "json"))
    assert set(filled) == set(told)
    assert events("datadog", {name: told[name] for name in filled}) == events("datadog", told)


def test_the_payload_given_to_new_relic_is_its_sample_s() -> None:
    template = json.loads(re.sub(r"\{\{[^}]*\}\}", "null", snippet("newrelic", "json")))
    assert set(template) <= set(sample("newrelic", "firing"))


def test_the_payload_given_to_dynatrace_is_its_sample_s() -> None:
    template = re.sub(r"(: )\{(?:ImpactedEntities|ProblemDetailsJSON)\}", r"\1[]", snippet("dynatrace", "json"))
    assert set(json.loads(template)) == set(sample("dynatrace", "firing"))


def test_the_curl_line_for_the_events_api_is_read_as_it_stands() -> None:
    body = re.search(r"-d '(.*)'", snippet("pagerduty_events", "shell"), re.DOTALL)
    assert body
    (event,) = events("pagerduty_events", json.loads(body[1]))
    assert (event.title, event.severity, event.ends_at) == ("Disk full on db-1", Severity.CRITICAL, None)
