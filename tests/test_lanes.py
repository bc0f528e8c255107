"""Tests of incidents.lanes: where things are drawn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.lanes import lane_of, plain_words, reading_lane, service_of
from incidents.model import Area, Occurrence, Severity


def thing(kind: Any = "alert", title: str = "t", **rest: Any) -> Occurrence:
    at = datetime(2026, 11, 20, 10, tzinfo=UTC)
    return Occurrence("o", "s", "k", kind, title, Severity.WARNING, at, **rest)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("UPSOnBattery", "ups on battery"),
        ("ups_on-battery", "ups on battery"),
        ("InletAbove32C", "inlet above32 c"),
        ("PDUs tripped", "pdus tripped"),
        ("CRAC2HighPressure", "crac2 high pressure"),
        ("", ""),
        ("…", ""),
    ],
)
def test_words_are_plain(text: str, words: str) -> None:
    assert plain_words(text) == words


@pytest.mark.parametrize(
    ("name", "lane"),
    [
        ("InletHot", "site"),
        ("Supply air above 27 °C, hall 2", "site"),
        ("Chiller 2 tripped on head pressure", "site"),
        ("UPSOnBattery", "site"),
        ("PDUBreakerOpen", "site"),
        ("GeneratorFailedToStart", "site"),
        ("CRAH3SupplyAirHigh", "site"),
        ("UtilityPowerLost", "site"),
        ("AmbientTemperatureHigh", "site"),
        ("Inlet above 32 °C, 9 racks", "hardware"),
        ("RackInletTemperature", "hardware"),
        ("CPU throttled, 22 hosts", "hardware"),
        ("HostDown", "hardware"),
        ("DiskWillFillIn4Hours", "hardware"),
        ("SMARTPredictedFailure", "hardware"),
        ("NodePowerSupplyFailed", "hardware"),
        ("FanFailure", "hardware"),
        ("CPUTemperatureHigh", "hardware"),
        ("BGPSessionDown", "network"),
        ("Loss 18 % to europe-west2-a", "network"),
        ("PacketLossHigh", "network"),
        ("LinkDown", "network"),
        ("NodeNetworkInterfaceFlapping", "network"),
        ("CoreDNSErrors", "network"),
        ("CheckoutErrorRate above 5 %", "service"),
        ("Disk latency p99 above 2 s", "service"),
        ("SLOBurnRate", "service"),
        ("QueueLag", "platform"),
        ("PodCrashLooping", "platform"),
        ("BrokenLinks", "platform"),
        ("FanOutLag", "platform"),
        ("ReportGeneratorStuck", "platform"),
        ("KillSwitchEngaged", "platform"),
        ("StartUpsSlow", "platform"),
        ("Hallucinations", "platform"),
        ("", "platform"),
    ],
)
def test_an_alerts_name_says_where_it_is_drawn(name: str, lane: str) -> None:
    assert lane_of(thing(labels={"alertname": name})) == lane
    assert lane_of(thing(title=name)) == lane


def test_a_label_of_the_senders_own_goes_first_when_it_is_one_of_ours() -> None:
    assert lane_of(thing(labels={"alertname": "InletHot", "layer": "Platform"})) == "platform"
    assert lane_of(thing(labels={"alertname": "InletHot", "lane": "network", "layer": "site"})) == "network"
    assert lane_of(thing(labels={"alertname": "InletHot", "lane": "people"})) == "site"
    assert lane_of(thing(labels={"alertname": "InletHot", "layer": "service"})) == "service"
    assert lane_of(thing(title="host gone", labels={"alertname": "QueueLag"})) == "platform"


@pytest.mark.parametrize(
    ("occurrence", "lane"),
    [
        (thing("hazard", event="Excessive Heat Warning"), "warnings"),
        (thing("hazard", event="Energy Emergency Alert 3"), "grid"),
        (thing("hazard", "EEA3 declared"), "grid"),
        (thing("hazard", "Flex Alert"), "grid"),
        (thing("hazard", event="Voltage disturbance"), "grid"),
        (thing("hazard", event="Load shedding stage 2"), "grid"),
        (thing("hazard", "notice", area=Area(grid_areas=("ERCO",))), "grid"),
        (thing("hazard", "gridlock on the ring road"), "warnings"),
        (thing("provider_incident", "chillers in one hall"), "providers"),
        (thing("change", "deploy bgp"), "changes"),
    ],
)
def test_other_kinds_have_lanes_of_their_own(occurrence: Occurrence, lane: str) -> None:
    assert lane_of(occurrence) == lane


@given(st.text(max_size=60))
def test_every_name_has_a_lane(name: str) -> None:
    assert lane_of(thing(labels={"alertname": name})) in {"site", "hardware", "network", "platform", "service"}


def test_readings_are_drawn_with_the_sky_or_the_grid() -> None:
    assert [reading_lane(v) for v in ("temperature_c", "grid_load_mw", "grid_frequency_hz")] == [
        "weather",
        "grid",
        "grid",
    ]


def test_a_service_is_the_first_label_that_names_one() -> None:
    assert service_of(thing(labels={"namespace": "n", "job": "j"})) == "j"
    assert service_of(thing(labels={"service": "", "app": "a", "namespace": "n"})) == "a"
    assert service_of(thing()) is None
