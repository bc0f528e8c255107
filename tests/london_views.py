"""Hand-made views of one hot day in London, with hostile text where a stranger's text can stand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from incidents.model import (
    Area,
    BaseRate,
    Evidence,
    Incident,
    Link,
    Match,
    Measurement,
    Members,
    Moment,
    Occurrence,
    Post,
    Reason,
    Severity,
    Site,
)
from incidents.views.view import Bar, Gap, IncidentView, Line, Phase, Point, Series, Trace, Viewer

ZONE = "Europe/London"
HOSTILE = (
    "<script>alert(1)</script> =cmd|' /C calc'!A0 [x](https://evil.example) `a` *b* | c \u202egpj.exe \"q\" & more"
)


def at(text: str, day: int = 19) -> datetime:
    """An instant of July 2022, UTC, from "13:36"."""
    hour, minute = text.split(":")
    return datetime(2022, 7, day, int(hour), int(minute), tzinfo=UTC)


def viewer(role: str = "admin", theme: str = "auto") -> Viewer:
    return Viewer(name="ana", role=role, zone=ZONE, theme=theme, csrf="csrf-of-ana")  # type: ignore[arg-type]  # literals


LONDON = Site(
    name="lon",
    title="London",
    latitude=51.51,
    longitude=-0.12,
    uncertainty_km=30,
    timezone=ZONE,
    provider_regions=("gcp:europe-west2", "oci:uk-london-1"),
    zones=("UKI",),
    grid_area="GB",
    limits={"dry_bulb_c": 35.0},
    match=(Match("region", "eu-west-2"), Match("datacenter", "lon*")),
)
SACRAMENTO = Site(name="smf", title="Sacramento", latitude=38.64, longitude=-121.52, timezone="America/Los_Angeles")


def occurrence(name: str, kind: str, title: str, **fields: object) -> Occurrence:
    given = {"source": "src", "key": name, "severity": Severity.UNKNOWN, "starts_at": at("13:00"), **fields}
    return Occurrence(id=name, kind=kind, title=title, **given)  # type: ignore[arg-type]  # keyword table


WARNING = occurrence(
    "o-met",
    "hazard",
    "Met Office red warning, extreme heat",
    source="ukmo-warnings",
    starts_at=at("23:00", 17),
    ends_at=at("22:59"),
    severity=Severity.CRITICAL,
    url="https://example.org/warning",
)
ORACLE = occurrence(
    "o-oci",
    "provider_incident",
    "Oracle Cloud, UK South",
    source="oci-status",
    starts_at=at("11:00"),
    starts_until=at("15:00"),
    ends_at=at("12:00", 21),
    ends_expected=True,
    area=Area(regions=("oci:uk-london-1",)),
    posts=(
        Post(
            at("16:38"),
            "two cooler units in the data center failed when they were required to operate above their design limits",
        ),
    ),
)
GOOGLE = occurrence(
    "o-gcp",
    "provider_incident",
    "Google Cloud, europe-west2-a",
    source="gcp-status",
    starts_at=at("13:33"),
    area=Area(regions=("gcp:europe-west2",)),
    posts=(Post(at("16:15"), "cooling related failure in one of our buildings"),),
)
FIRE = occurrence("o-fire", "hazard", "Grass fire, Wennington", source="press", starts_at=at("12:30"))
SLIGHT = occurrence("o-slight", "hazard", "M 2.1 earthquake, North Sea", source="usgs", starts_at=at("12:10"))


def _link(occurrence_id: str, tier: str, score: float, *reasons: tuple[str, float, str], **fields: object) -> Link:
    evidence = Evidence(
        tier=tier,  # type: ignore[arg-type]  # literal
        score=score,
        reasons=tuple(Reason(*reason) for reason in reasons),
        base_rate=BaseRate(0.025, 1944, "record", "In force in 2.5 % of July and August hours here."),
        would_change="a facility report that names another reason.",
    )
    given = {"state": "proposed", "proposed_by": "rule:links@3", "proposed_at": at("13:37"), **fields}
    return Link(id=occurrence_id, evidence=evidence, **given)  # type: ignore[arg-type]  # keyword table


LINKS = (
    _link(
        "o-met",
        "strong",
        9.2,
        ("area", 1.0, "The warning area contains the site (metro precision, 30 km)."),
        ("time", 1.2, "In force 34 h 37 min before the limit was crossed, and throughout."),
        ("surprise", 5.3, "In force in 48 of 1,944 summer hours since the service began."),
        ("labels", 2.0, "Our own alerts name cooling and inlet temperature."),
        ("company", 2.0, "Another operator in the metro reported cooling trouble within 3 h."),
        ("tried", -2.3, "Five hazard classes were tried."),
    ),
    _link(
        "o-oci",
        "plausible",
        5.4,
        ("time", 3.0, "Began within 2 h."),
        ("area", 2.4, "Same metro."),
        state="attributed",
        judged_by="user:ana",
        judged_at=at("19:00"),
        quote="above their design limits",
        speaker="Oracle status page",
        note="Quoted from the page.",
    ),
    _link(
        "o-fire",
        "coincident",
        2.4,
        ("time", 2.4, "Began within 1 h."),
        state="rejected",
        judged_by="user:ben",
        judged_at=at("08:12", 20),
    ),
    _link("o-slight", "context", 0.4, ("time", 0.4, "Same day.")),
)
INCIDENT = Incident(
    id="2022-07-19-lon",
    title="London: instances unreachable in europe-west2-a",
    status="resolved",
    severity=Severity.CRITICAL,
    group="lon",
    sites=("lon",),
    opened_at=at("13:36"),
    recorded_at=at("13:36"),
    opened_by="rule:critical-at-site@1",
    detected_at=Moment(at("13:36")),
    impact_started_at=Moment(at("13:33")),
    acknowledged_at=Moment(at("13:43")),
    mitigated_at=Moment(at("15:12")),
    resolved_at=Moment(at("23:24")),
    owner="ana",
    members=Members(alerts=41, gravest=Severity.CRITICAL),
    links=LINKS,
    version=12,
)


def line(name: str, when: datetime, kind: str, text: str, **fields: object) -> Line:
    trace = (
        Trace(
            entry=7,
        )
        if fields.get("lane", "people") == "people"
        else Trace(
            event=4711,
            delivery="01G8BT3M0000000000000000K7",
            adapter="alertmanager@4",
            sha256="9f41c0" + "0" * 56 + "e2",
            size=2214,
        )
    )
    given = {
        "happened_until": None,
        "recorded_at": when + timedelta(seconds=1),
        "lane": "people",
        "actor": "user:ana",
        "severity": Severity.UNKNOWN,
        "trace": trace,
        **fields,
    }
    return Line(id=name, happened_at=when, kind=kind, text=text, **given)  # type: ignore[arg-type]  # keyword table


LINES = (
    line(
        "o1",
        at("9:37"),
        "reading",
        "Dry bulb at London crossed the site design limit, 35.0 °C",
        lane="weather",
        actor="source:ukmo-obs",
    ),
    line(
        "o2",
        at("13:06"),
        "alert",
        "Inlet above 32 °C, 9 racks",
        lane="hardware",
        actor="source:bms-lon",
        severity=Severity.WARNING,
    ),
    line(
        "o3",
        at("13:18"),
        "alert",
        "Chiller 2 tripped on head pressure",
        lane="site",
        actor="source:bms-lon",
        severity=Severity.ERROR,
    ),
    line(
        "e4", at("13:25"), "note", "Facility phoned: two of three chillers in alarm", late=True, recorded_at=at("16:50")
    ),
    line(
        "o5",
        at("13:36"),
        "alert",
        "Checkout error rate above 5 %",
        lane="platform",
        actor="source:alertmanager-eu",
        severity=Severity.CRITICAL,
    ),
    line(
        "e5",
        at("13:36"),
        "opened",
        "Incident opened by rule critical-at-site, critical",
        actor="rule:critical-at-site@1",
    ),
    line("e6", at("13:43"), "status_changed", "Acknowledged"),
    line(
        "o7",
        at("13:52"),
        "alert",
        "Loss 18 % to europe-west2-a",
        lane="network",
        actor="source:blackbox",
        severity=Severity.WARNING,
        count=12,
    ),
    line("e8", at("15:12"), "status_changed", "Mitigated: traffic moved to Frankfurt", corrected=True),
    line(
        "o9",
        at("16:15"),
        "post",
        "Google Cloud: first post on europe-west2-a",
        lane="providers",
        actor="source:gcp-status",
        happened_until=at("17:13"),
    ),
    line(
        "o10",
        at("16:38"),
        "post",
        "Oracle UK South: “two cooler units … above their design limits”",
        lane="providers",
        actor="source:oci-status",
    ),
    line("o11", at("17:00"), "alert", HOSTILE, lane="platform", actor="source:stranger", severity=Severity.INFO),
    line(
        "o11b",
        at("20:00"),
        "alert_ended",
        "Checkout error rate above 5 %: ended",
        lane="platform",
        actor="source:alertmanager-eu",
        severity=Severity.CRITICAL,
    ),
    line("e12", at("23:24"), "status_changed", "Resolved"),
)
_HOURS = (32.0, 34, 35.8, 37.2, 38.6, 39.5, 40.2, 39.9, 38.3, 36.4, 34.1, 31, 29, 27.5, 26.5, 26, 25, 24.4)
INCIDENT_VIEW = IncidentView(
    incident=INCIDENT,
    sites=(LONDON,),
    as_of=at("08:30", 20),
    as_known=False,
    since=at("8:00"),
    until=at("1:00", 20),
    zone=ZONE,
    bars=(
        Bar(WARNING, "warnings", None, "linked", late=False, link=LINKS[0]),
        Bar(ORACLE, "providers", None, "linked", late=False, link=LINKS[1]),
        Bar(GOOGLE, "providers", None, "context", late=False),
        Bar(FIRE, "warnings", None, "context", late=False, link=LINKS[2]),
        Bar(SLIGHT, "warnings", None, "context", late=False, link=LINKS[3]),
    ),
    series=(
        Series(
            "temperature_c",
            "London",
            tuple(Point(at("8:00") + timedelta(hours=n), v) for n, v in enumerate(_HOURS)),
            "reconstructed",
            limit=35.0,
            limit_name="site design limit, dry bulb",
            credit="Met Office (OGL v3)",
        ),
    ),
    gaps=(Gap("grid", "elexon-notices", at("10:52"), at("12:10")),),
    phases=(
        Phase("before", at("8:00"), at("13:33")),
        Phase("impact", at("13:33"), at("15:12")),
        Phase("mitigated", at("15:12"), at("23:24")),
        Phase("resolved", at("23:24"), at("1:00", 20)),
    ),
    measurements=(
        Measurement("time_to_detect", "recorded", 180.0),
        Measurement("time_to_first_post", "recorded", 9540.0, 13020.0),
        Measurement("time_to_review", "pending"),
    ),
    lines=LINES,
    recorded=tuple(each.recorded_at for each in LINES),
    credits=("Warnings: Met Office, UKHSA (OGL v3)",),
    provenance="Worked example. Provider times as published; temperature reconstructed; alerts and people invented.",
    revision="a1b2c3d4e5f60718",
)
