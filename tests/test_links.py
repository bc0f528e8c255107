"""Tests of incidents.linker.links: what a link rests on, what it never claims, and what is never proposed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import fsum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.formats import zones
from incidents.linker.kernels import length
from incidents.linker.links import ACTOR, Known, weigh
from incidents.linker.mechanisms import family_of, named_by, software_words
from incidents.linker.priors import prior_of, shipped
from incidents.model import Area, BaseRate, Evidence, Incident, Kind, Moment, Occurrence, Severity, Site

TIERS = ["context", "coincident", "plausible", "strong"]
BANNED = re.compile(
    r"\b(because|caus\w*|due to|root cause|culprit|impact of|led to|resulted|blame\w*)\b|→", re.IGNORECASE
)

SMF = Site(
    "smf",
    "Sacramento",
    38.64,
    -121.52,
    timezone="America/Los_Angeles",
    provider_regions=("aws:us-west-1",),
    zones=("CAC067", "CAZ017"),
    grid_area="BANC",
)
LON = Site("lon", "London", 51.51, -0.6, uncertainty_km=30, provider_regions=("gcp:europe-west2-a", "oci:uk-london-1"))
SITES = (SMF, LON)
PHYSICAL = ("Chiller2TripOnHeadPressure", "InletHot")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def incident(site: str | None, opened: str, resolved: str | None = None, **rest: Any) -> Incident:
    return Incident(
        id="i",
        title="t",
        status="resolved" if resolved else "open",
        severity=Severity.CRITICAL,
        group="g",
        sites=(site,) if site else (),
        opened_at=at(opened),
        recorded_at=at(opened),
        opened_by="user:alice",
        resolved_at=Moment(at(resolved)) if resolved else None,
        **rest,
    )


def hazard(event: str, since: str, until: str | None, area: Area | None, kind: Kind = "hazard") -> Occurrence:
    return Occurrence(
        "o",
        "s",
        "k",
        kind,
        event,
        Severity.WARNING,
        at(since),
        ends_at=at(until) if until else None,
        event=event,
        area=area,
    )


def weighed(*args: Any, **known: Any) -> Evidence | None:
    """`weigh` with what is known given by name."""
    return weigh(*args, Known(**known))


def judge(*args: Any, **known: Any) -> Evidence:
    evidence = weighed(*args, **known)
    assert evidence is not None
    return evidence


def bits(evidence: Evidence) -> dict[str, float]:
    return {reason.part: reason.bits for reason in evidence.reasons}


def said(evidence: Evidence, part: str) -> str:
    return next(reason.sentence for reason in evidence.reasons if reason.part == part)


# The founding example: the day is all that is known, 5 September 2022 in Sacramento.
SACRAMENTO = incident(
    "smf",
    "2022-09-05T07:00",
    "2022-09-09T07:00",
    impact_started_at=Moment(at("2022-09-05T07:00"), at("2022-09-06T07:00")),
)
HEAT = hazard("Excessive Heat Warning", "2022-09-03T18:00", "2022-09-07T03:00", Area(zones=("CAZ017",)))
EEA3 = hazard("Energy Emergency Alert 3", "2022-09-07T00:17", "2022-09-07T03:00", Area(grid_areas=("BANC",)))


@pytest.mark.parametrize("signals", [(), PHYSICAL, ("UtilityPowerLost", "UPSOnBattery")])
def test_a_grid_emergency_of_the_day_after_is_context_and_says_so(signals: tuple[str, ...]) -> None:
    evidence = judge(SACRAMENTO, SITES, EEA3, signals=signals)
    assert evidence.tier == "context"
    assert bits(evidence)["time"] == -2
    assert said(evidence, "time") == "It began at least 17 h 17 min after the incident did, so it is context at most."


def test_a_heat_warning_in_force_all_that_day_is_above_context() -> None:
    bare = judge(SACRAMENTO, SITES, HEAT)
    assert bare.tier == "coincident"
    assert said(bare, "time") == "In force for 100 % of the 24 h in which the incident can have begun."
    named = judge(SACRAMENTO, SITES, HEAT, signals=PHYSICAL)
    assert named.tier == "strong"
    assert bits(named) == {"space": 1, "time": 1.3, "surprise": 5.3, "mechanism": 2}
    assert said(named, "mechanism") == "Our own alerts name chiller, head pressure and inlet."


def test_a_start_known_to_the_minute_gives_the_delay_to_the_minute() -> None:
    known = replace(SACRAMENTO, impact_started_at=Moment(at("2022-09-06T00:00")))
    assert "began 24 h 17 min after the incident did" in said(judge(known, SITES, EEA3), "time")


def test_a_notice_for_the_neighbours_grid_is_not_linked() -> None:
    assert (
        weighed(SACRAMENTO, SITES, replace(EEA3, starts_at=at("2022-09-05T08:00"), area=Area(grid_areas=("CISO",))))
        is None
    )
    nearby = Area(latitude=38.64, longitude=-121.52, radius_km=100, zones=("CAC067",))
    assert weighed(SACRAMENTO, SITES, replace(EEA3, area=nearby)) is None


def test_london_red_warning_and_the_providers_own_post() -> None:
    england = {"type": "Polygon", "coordinates": [[[-3, 50.5], [1, 50.5], [1, 54], [-3, 54], [-3, 50.5]]]}
    london = incident("lon", "2022-07-19T13:36", "2022-07-19T23:24", impact_started_at=Moment(at("2022-07-19T13:33")))
    red = hazard("Red extreme heat warning", "2022-07-17T23:00", "2022-07-19T22:59", Area(geometry=england))
    evidence = judge(london, SITES, red, signals=("Chiller 2 tripped", "Inlet above 32 °C, 9 racks"))
    assert evidence.tier == "strong"
    assert "for 38 h 33 min by then" in said(evidence, "time")

    post = hazard(
        "Cooling failure", "2022-07-19T13:45", None, Area(regions=("gcp:europe-west2-a",)), "provider_incident"
    )
    linked = judge(london, SITES, post)
    assert linked.tier == "plausible"
    assert "12 min after the incident did" in said(linked, "time")
    oracle = replace(post, starts_at=at("2022-07-19T12:00"), area=Area(regions=("oci:uk-london-1",)))
    assert judge(london, SITES, oracle).tier == "plausible"


@pytest.mark.parametrize(("delay_min", "tier"), [(30, "plausible"), (31, "context"), (180, "context")])
def test_a_status_page_may_lag_by_half_an_hour(delay_min: int, tier: str) -> None:
    ours = incident("lon", "2022-07-19T13:30")
    theirs = hazard("Outage", "2022-07-19T13:30", None, Area(regions=("oci:uk-london-1",)), "provider_incident")
    assert judge(ours, SITES, replace(theirs, starts_at=theirs.starts_at + timedelta(minutes=delay_min))).tier == tier


def test_a_provider_incident_open_for_months_says_little() -> None:
    ours = incident("lon", "2022-07-19T13:30")
    old = hazard("Outage", "2022-03-01T12:30", None, Area(regions=("oci:uk-london-1",)), "provider_incident")
    fresh = replace(old, starts_at=at("2022-07-19T13:00"))
    assert bits(judge(ours, SITES, old))["time"] == 0
    assert bits(judge(ours, SITES, fresh))["time"] == 2
    assert bits(judge(ours, SITES, replace(old, starts_at=at("2022-07-19T10:29"))))["time"] == 1
    assert bits(judge(ours, SITES, replace(old, starts_at=at("2022-07-18T13:29"))))["time"] == 0
    assert bits(judge(ours, SITES, replace(fresh, ends_at=at("2022-07-19T13:10"))))["time"] == 0.9


@pytest.mark.parametrize(
    "area",
    [
        None,
        Area(),
        Area(zones=("NVZ020", "FLC086")),
        Area(latitude=25.8, longitude=-80.2, radius_km=300),
        Area(geometry={"type": "Polygon", "coordinates": [[[-81, 25], [-80, 25], [-80, 26], [-81, 25]]]}),
        Area(regions=("aws:us-east-1",)),
    ],
)
def test_a_warning_elsewhere_is_not_proposed(area: Area | None) -> None:
    assert weighed(SACRAMENTO, SITES, replace(HEAT, area=area), signals=PHYSICAL) is None


def test_a_configuration_outage_without_a_place_meets_no_weather() -> None:
    everywhere = incident(None, "2021-10-04T15:39", "2021-10-04T22:45")
    warning = hazard("Heat Advisory", "2021-10-04T12:00", "2021-10-05T00:00", Area(zones=("CAZ017",)))
    post = hazard("Outage", "2021-10-04T15:40", None, Area(regions=("aws:us-west-1",)), "provider_incident")
    assert weighed(everywhere, SITES, warning, signals=("BGPRoutesWithdrawn",)) is None
    assert weighed(everywhere, SITES, post) is None


def test_software_words_speak_against_a_hazard_at_the_same_place() -> None:
    here = incident("smf", "2026-07-15T20:00")
    advisory = hazard("Heat Advisory", "2026-07-15T16:00", "2026-07-16T03:00", Area(zones=("CAC067",)))
    plain = judge(here, SITES, advisory, signals=("CheckoutErrorRate",))
    config = judge(here, SITES, advisory, signals=("ConfigPushFailed", "DNSResolutionErrors"))
    assert config.tier == "context"
    assert config.score == pytest.approx(
        plain.score - 3
    )  # -4 in place of -1: silence about power and cooling weighs as well
    both = judge(here, SITES, advisory, signals=("ConfigPushFailed", "ChillerTripped"))
    assert bits(both)["mechanism"] == 0


@pytest.mark.parametrize("event", ["Severe Thunderstorm Warning", "High Wind Warning", "Excessive Heat Warning"])
@pytest.mark.parametrize("signals", [(), ("CheckoutErrorRate",), ("RetryStorm", "ConnectionStorm: flood of requests")])
def test_a_rare_warning_beside_a_software_incident_is_at_most_coincident(event: str, signals: tuple[str, ...]) -> None:
    loudoun = incident("smf", "2024-07-30T21:45", "2024-07-31T04:37")
    outline = {"type": "Polygon", "coordinates": [[[-122, 38], [-121, 38], [-121, 39], [-122, 39], [-122, 38]]]}
    evidence = judge(
        loudoun, SITES, hazard(event, "2024-07-30T21:00", "2024-07-30T22:00", Area(outline)), signals=signals
    )
    assert evidence.tier == "coincident"
    assert "would raise" in evidence.would_change


@pytest.mark.parametrize(
    ("signal", "family", "named"),
    [
        ("ChillerTripped", "heat", ("chiller",)),
        ("ChillerTripped", "grid", ()),
        ("UPS2OnBattery", "grid", ("on battery", "ups")),
        ("PDUs lost utility feed", "wind", ("pdus", "utility")),
        ("UtilityPowerLost", "heat", ()),
        ("Water in basement", "flood", ("basement", "water")),
        ("ConnectionStorm", "wind", ()),
        ("Flood of requests", "flood", ()),
        ("SYN flood", "flood", ()),
        ("HeatmapRenderSlow", "heat", ()),
        ("ColdStartsHigh", "cold", ()),
        ("HighWatermarkExceeded", "flood", ()),
        ("SmokeTestFailed", "smoke", ()),
        ("PowerUserSyncLag", "grid", ()),
        ("ReportGeneratorStuck", "grid", ()),
        ("CodeFreezeViolated", "cold", ()),
        ("SignUpsDropped", "grid", ()),
        ("ChillerTripped", "other", ()),
    ],
)
def test_signals_name_a_family_by_whole_words_and_no_metaphor(signal: str, family: Any, named: tuple[str, ...]) -> None:
    assert named_by([signal], family) == named


def test_software_words_are_whole_words() -> None:
    assert software_words(["BGPSessionDown", "debugging", "deployed v2", "CertificateExpiry"]) == (
        "bgp",
        "certificate",
        "deployed",
    )


@pytest.mark.parametrize(
    ("event", "family"),
    [
        ("Heat Advisory", "heat"),
        ("Orange high-temperature warning", "heat"),
        ("Wind Chill Advisory", "cold"),
        ("Ice Storm Warning", "snow"),
        ("Severe Thunderstorm Warning", "thunderstorm"),
        ("Flash Flood Watch", "flood"),
        ("Storm Surge Warning", "flood"),
        ("Tropical Storm Warning", "wind"),
        ("Red Flag Warning", "smoke"),
        ("Air Quality Alert", "smoke"),
        ("M 5.1 - 10 km NE of Parkfield", "earthquake"),
        ("Voltage disturbance", "grid"),
        ("Law Enforcement Warning", "other"),
    ],
)
def test_families_follow_the_feeds_words(event: str, family: str) -> None:
    thing = hazard(event, "2026-01-01T00:00", None, None)
    assert family_of(thing) == family
    assert family_of(replace(thing, event=None)) == family
    assert family_of(replace(thing, kind="provider_incident")) == "provider"


def test_an_hour_after_the_shock_the_earthquake_still_counts_and_a_day_after_it_does_not() -> None:
    shock = hazard("M 6.0", "2026-01-01T00:00", "2026-01-01T00:00", Area(latitude=38.6, longitude=-121.5, radius_km=80))
    evidence = judge(incident("smf", "2026-01-01T01:00"), SITES, shock)
    assert bits(evidence)["time"] == 1.5
    assert said(evidence, "time") == ("It began 1 h before the incident did; damage after a shock is given 3 h.")
    assert weighed(incident("smf", "2026-01-02T01:00"), SITES, shock) is None


@pytest.mark.parametrize(("opened", "meets"), [("2022-09-07T08:59", True), ("2022-09-07T09:01", False)])
def test_heat_lags_six_hours(opened: str, meets: bool) -> None:
    assert (weighed(incident("smf", opened), SITES, HEAT) is not None) is meets


def test_what_began_after_the_incident_was_over_is_not_linked() -> None:
    over = incident("smf", "2022-09-03T10:00", "2022-09-03T17:59")
    assert weighed(over, SITES, HEAT) is None
    assert judge(replace(over, resolved_at=Moment(at("2022-09-03T18:01"))), SITES, HEAT).tier == "context"


def test_a_warning_that_began_within_the_span_of_possible_starts_scores_its_share() -> None:
    noon = replace(HEAT, starts_at=at("2022-09-05T19:00"))
    evidence = judge(SACRAMENTO, SITES, noon)
    assert bits(evidence)["time"] == -0.7  # half the day at -2, half at 0.5 and rising: heat adds up
    assert "50 %" in said(evidence, "time")


def test_a_vague_place_holds_a_link_down() -> None:
    beside = {"type": "Polygon", "coordinates": [[[-0.3, 51], [1, 51], [1, 52], [-0.3, 52], [-0.3, 51]]]}
    storm = hazard("Severe Thunderstorm Warning", "2026-07-01T10:00", "2026-07-01T11:00", Area(beside))
    london = incident("lon", "2026-07-01T10:30")
    signals = ("UPSOnBattery", "UtilityPowerLost")
    vague = judge(london, SITES, storm, signals=signals)
    assert (vague.score >= 8, vague.tier) == (True, "coincident")
    somewhere = replace(LON, uncertainty_km=200.0)
    assert judge(london, (somewhere,), storm, signals=signals).tier == "context"


def test_the_base_rate_names_its_denominator_and_where_it_comes_from() -> None:
    assert prior_of("Heat Advisory").base_rate().sentence == (
        "Heat Advisory: in force in 17.7 % of 3,144 counties on one July afternoon; "
        "a shipped prior, not this place's record."
    )
    generic = prior_of("Law Enforcement Warning")
    assert generic.generic
    assert "no shipped figure of its own" in generic.base_rate().sentence
    assert prior_of("Excessive Heat Warning").measured == "Extreme Heat Warning"
    assert prior_of("Extreme Heat Watch").measured == "Heat Advisory"
    assert prior_of("").generic
    assert all(0 < row.share < 1 and row.n > 0 and row.source for row in shipped())


def test_a_prior_of_elsewhere_says_that_it_is_not_known_here() -> None:
    outline = {"type": "Polygon", "coordinates": [[[-1, 51], [1, 51], [1, 52], [-1, 52], [-1, 51]]]}
    heat = hazard("Heat Advisory", "2026-07-01T00:00", "2026-07-02T00:00", Area(outline))
    there = judge(incident("lon", "2026-07-01T10:30"), SITES, heat)
    assert there.base_rate is not None
    assert there.base_rate.sentence.startswith(
        "How often the like is on here is not known. A count of counties of the United States stands in: Heat Advisory"
    )
    assert "of 3,144 counties" in there.base_rate.sentence
    told = {reason.part: reason.sentence for reason in there.reasons}
    assert told["surprise"].startswith("Not known here; by a shipped prior of counties of the United States, ")
    here = judge(SACRAMENTO, SITES, HEAT)
    assert here.base_rate is not None
    assert "not known" not in here.base_rate.sentence
    assert not zones.is_american(Site("yyz", "Toronto", 43.7, -79.4, timezone="America/Toronto"))


def test_a_record_of_the_place_goes_before_the_prior_and_a_short_one_claims_little() -> None:
    never_in_ten = BaseRate(0.0, 10, "record", "On in 0 of 10 July days here.")
    evidence = judge(SACRAMENTO, SITES, HEAT, base_rate=never_in_ten)
    assert evidence.base_rate == never_in_ten
    assert bits(evidence)["surprise"] == 3.6  # log2 of 12
    assert bits(judge(SACRAMENTO, SITES, HEAT, base_rate=replace(never_in_ten, n=10**6)))["surprise"] == 6
    assert bits(judge(SACRAMENTO, SITES, HEAT, base_rate=replace(never_in_ten, share=1.0)))[
        "surprise"
    ] == pytest.approx(0.1)
    no_record = judge(SACRAMENTO, SITES, HEAT, base_rate=replace(never_in_ten, n=0))
    assert no_record.base_rate is not None
    assert no_record.base_rate.basis == "prior"


def test_each_reason_moves_the_score_by_its_own_bits() -> None:
    once = judge(SACRAMENTO, SITES, HEAT)
    tried = judge(SACRAMENTO, SITES, HEAT, tried=4)
    named = judge(SACRAMENTO, SITES, HEAT, tried=4, signals=PHYSICAL)
    assert tried.score == pytest.approx(once.score + bits(tried)["tried"])
    assert bits(tried)["tried"] == -2
    assert named.score == pytest.approx(tried.score + bits(named)["mechanism"])


def test_alerts_changes_and_tests_are_not_weighed() -> None:
    assert weighed(SACRAMENTO, SITES, replace(HEAT, kind="alert")) is None
    assert weighed(SACRAMENTO, SITES, replace(HEAT, kind="change")) is None
    assert weighed(SACRAMENTO, SITES, replace(HEAT, test=True)) is None


def test_the_rule_signs_with_its_version() -> None:
    assert re.fullmatch(r"rule:overlap@\d+", ACTOR)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "under a minute"), (34, "34 min"), (60, "1 h"), (1457, "24 h 17 min"), (72 * 60, "3 d"), (7500, "5 d 5 h")],
)
def test_lengths_in_words(minutes: int, words: str) -> None:
    assert length(timedelta(minutes=minutes, seconds=30)) == words


EVENTS = [
    "Heat Advisory",
    "Excessive Heat Warning",
    "Severe Thunderstorm Warning",
    "Flood caused by a dam",
    "EEA3",
    "Outage",
]
AREAS = [
    Area(zones=("CAC067",)),
    Area(grid_areas=("BANC",)),
    Area(regions=("aws:us-west-1",)),
    Area(latitude=38.7, longitude=-121.5, radius_km=8),
    Area(latitude=38.7, longitude=-121.5, radius_km=2),
]
HOURS = st.integers(-120, 120)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Incident, Occurrence, tuple[str, ...], int]:
    zero = at("2026-06-01T00:00")
    opened = zero + timedelta(hours=draw(HOURS))
    began = opened + timedelta(minutes=draw(st.integers(-300, 300)))
    moment = Moment(began, draw(st.none() | st.just(began + timedelta(hours=draw(st.integers(0, 48))))))
    start = zero + timedelta(minutes=draw(st.integers(-9000, 9000)))
    thing = replace(
        hazard(draw(st.sampled_from(EVENTS)), "2026-01-01T00:00", None, draw(st.sampled_from(AREAS))),
        kind=draw(st.sampled_from(["hazard", "provider_incident"])),
        starts_at=start,
        ends_at=draw(st.none() | st.just(start + timedelta(minutes=draw(st.integers(0, 9000))))),
    )
    ours = replace(
        incident("smf", "2026-01-01T00:00"),
        opened_at=opened,
        impact_started_at=draw(st.sampled_from([None, moment])),
        detected_at=draw(st.sampled_from([None, moment])),
        resolved_at=draw(st.none() | st.just(Moment(opened + timedelta(hours=draw(st.integers(0, 90)))))),
    )
    signals = draw(
        st.lists(st.sampled_from([*PHYSICAL, "UPSOnBattery", "DNSDown", "QueueLag", "due to heat"]), max_size=4)
    )
    return ours, thing, tuple(signals), draw(st.integers(1, 9))


@given(cases())
def test_what_always_holds(case: tuple[Incident, Occurrence, tuple[str, ...], int]) -> None:
    ours, thing, signals, tried = case
    evidence = weighed(ours, SITES, thing, signals=signals, tried=tried)
    if evidence is None:
        return
    assert evidence.score == pytest.approx(fsum(reason.bits for reason in evidence.reasons))
    assert len({reason.part for reason in evidence.reasons}) == len(evidence.reasons)
    by_score = TIERS[sum(evidence.score >= floor for floor in (2, 5, 8))]
    assert TIERS.index(evidence.tier) <= TIERS.index(by_score)
    assert evidence.base_rate is not None
    for sentence in [r.sentence for r in evidence.reasons] + [evidence.base_rate.sentence, evidence.would_change]:
        assert not BANNED.search(sentence)
        assert sentence[0].isupper()
        assert sentence.endswith(".")
    began = ours.impact_started_at
    latest = (began.until or began.at) if began else ours.opened_at
    tolerance = timedelta(minutes=30) if thing.kind == "provider_incident" else timedelta(0)
    if thing.starts_at - latest > tolerance:
        assert evidence.tier == "context"
        assert bits(evidence)["time"] < 0
        assert re.search(r"It began .* after the incident did", said(evidence, "time"))


@given(cases())
def test_a_later_occurrence_never_scores_more_in_time_once_it_is_late(
    case: tuple[Incident, Occurrence, tuple[str, ...], int],
) -> None:
    ours, thing, _, _ = case
    evidence = weighed(ours, SITES, thing)
    late = weighed(ours, SITES, replace(thing, starts_at=thing.starts_at + timedelta(days=30), ends_at=None))
    if evidence is not None and late is not None:
        assert bits(late)["time"] <= bits(evidence)["time"]
