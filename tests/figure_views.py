"""Views for the tests of the drawings: one rich by hand, and strange ones by hypothesis."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from incidents.cascade import NAMES, Cascade, CascadeStep
from incidents.measurements import measure
from incidents.model import Incident, Members, Moment, Occurrence, Post, Severity, Site
from incidents.views.view import Bar, Bin, Density, Gap, IncidentView, Mark, Phase, Point, Series

START = datetime(2022, 7, 19, 8, tzinfo=UTC)
LANES = [
    "weather",
    "warnings",
    "grid",
    "site",
    "hardware",
    "network",
    "providers",
    "changes",
    "platform",
    "service",
    "people",
]
KINDS = {"warnings": "hazard", "grid": "hazard", "providers": "provider_incident", "changes": "change"}
TITLES = [
    "Checkout error rate above 5 %, page",
    "",
    "<b onmouseover=alert(1)>&amp; \"quoted\" 'title'</b>",
    "\u202egnp.exe\u202c hidden \x1b[31mred\x1b[0m \x00\ufffe",
    "درجة الحرارة مرتفعة في القاعة الثانية",
    "🔥🔥 火災報知 ホール二番 🔥",
    "x" * 400,
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "i\nj\tk " * 9,
    "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
]


def minutes(count: float) -> datetime:
    """An instant so many minutes after the example's start."""
    return START + timedelta(minutes=count)


def bar(lane: str, title: str, severity: Severity, since: float, until: float | None, **more: Any) -> Bar:
    """A bar from minutes after the start; `service`, `late` and `relation` are the bar's, the rest the occurrence's."""
    service, late = more.pop("service", None), more.pop("late", False)
    relation = more.pop("relation", "alert")
    occurrence = Occurrence(
        id=f"{lane}-{title}-{since}",
        source=more.pop("source", "alertmanager-eu"),
        key=title or "key",
        kind=KINDS.get(lane, "alert"),  # type: ignore[arg-type]  # the lane decides it here
        title=title,
        severity=severity,
        starts_at=minutes(since),
        ends_at=None if until is None else minutes(until),
        **more,
    )
    return Bar(occurrence, lane, service, relation, late)  # type: ignore[arg-type]  # lanes are words here


def incident(**more: Any) -> Incident:
    """A resolved incident with an uncertain end."""
    told: dict[str, Any] = {
        "id": "2022-07-19-lon",
        "title": "London: instances unreachable in europe-west2-a",
        "status": "resolved",
        "severity": Severity.CRITICAL,
        "group": "site:lon",
        "sites": ("lon",),
        "opened_at": minutes(336),
        "recorded_at": minutes(336),
        "opened_by": "rule:critical-at-site@1",
        "impact_started_at": Moment(minutes(333)),
        "detected_at": Moment(minutes(336)),
        "acknowledged_at": Moment(minutes(343)),
        "mitigated_at": Moment(minutes(432)),
        "resolved_at": Moment(minutes(924), minutes(950)),
        "members": Members(41),
    }
    return Incident(**(told | more))


def series(variable: str, values: list[float], *, limit: float | None = None, basis: str = "reconstructed") -> Series:
    """Hourly readings from the start on."""
    points = tuple(Point(minutes(60 * hour), value) for hour, value in enumerate(values))
    return Series(variable, "lon", points, basis, limit=limit, limit_name="dry_bulb_c" if limit else None)


def cascaded(*known: tuple[float, str], until: float | None = None) -> Cascade:
    """These steps, each so many minutes after the start, the last of them up to `until`; the others are not known."""
    steps = [CascadeStep(name, minutes(at), None, NAMES[name], name) for at, name in known]
    if until is not None and steps:
        steps[-1] = replace(steps[-1], until=minutes(until))
    unknown = [(words, "no post linked") for name, words in NAMES.items() if name not in dict(map(reversed, known))]  # type: ignore[arg-type]  # pairs
    return Cascade(tuple(steps), tuple(unknown))


TEMPERATURES = [32, 34, 35.6, 37.5, 38.9, 39.7, 40.2, 39.9, 38.5, 36.3, 34.1, 31.5, 29.3, 27.7, 26.7, 25.8, 25.1, 24.5]


def rich_view(**more: Any) -> IncidentView:
    """A hot day in London: every kind of mark that a figure knows, in a window of 17 hours."""
    who = incident()
    posts = (Post(minutes(495), "first post"), Post(minutes(545), "powers down part of the zone"))
    told: dict[str, Any] = {
        "incident": who,
        "sites": (Site("lon", "London", 51.5, -0.1),),
        "as_of": minutes(1470),
        "as_known": False,
        "since": START,
        "until": minutes(1020),
        "zone": "Europe/London",
        "bars": (
            bar("warnings", "Red warning, extreme heat", Severity.CRITICAL, -1980, 899, source="met"),
            bar("warnings", "Heat-health alert, level 4", Severity.CRITICAL, -1980, 899, source="ukhsa"),
            bar("site", "Supply air above 27 °C, hall 2", Severity.WARNING, 292, 820),
            bar("site", "Chiller 2 tripped on head pressure", Severity.ERROR, 318, 775),
            bar("network", "Loss 18 % to europe-west2-a", Severity.WARNING, 352, 485),
            bar("providers", "Google Cloud, europe-west2-a", Severity.ERROR, 333, 2660, posts=posts),
            bar("providers", "Oracle UK South", Severity.ERROR, 150, None, starts_until=minutes(450)),
            bar("platform", "Checkout error rate above 5 %, page", Severity.CRITICAL, 336, 429, service="checkout"),
            bar("platform", "Disk latency p99 above 2 s", Severity.ERROR, 341, 440, service="storage"),
        ),
        "marks": (
            Mark("e1", minutes(325), None, minutes(530), "facility phoned", late=True),
            Mark("e2", minutes(343), None, minutes(343), "ana: acknowledged", late=False),
            Mark("e3", minutes(432), None, minutes(432), "ana: traffic moved to Frankfurt", late=False, pinned=True),
        ),
        "series": (series("temperature_c", TEMPERATURES, limit=35.0), series("wet_bulb_c", [20.0] * 18)),
        "gaps": (Gap("grid", "elexon-notices", minutes(172), minutes(250)),),
        "phases": (
            Phase("before", START, minutes(333)),
            Phase("impact", minutes(333), minutes(432)),
            Phase("mitigated", minutes(432), minutes(924)),
            Phase("resolved", minutes(924), minutes(1020)),
        ),
        "measurements": measure(who),
        "cascade": cascaded((-1980, "warning"), (97.5, "limit"), (292, "thermal"), (336, "page"), (924, "recovery")),
        "recorded": tuple(minutes(step) for step in (12, 97, 126, 330, 336, 343, 530, 924)),
        "silence": {"grid": "no notice in force"},
        "credits": ("Met Office (OGL v3.0)",),
        "revision": "7c1e94d0a3f2aa",
    }
    return IncidentView(**(told | more))


def dense_view(count: int = 12418) -> IncidentView:
    """More alerts than marks are drawn for: counts, and bars for the gravest few."""
    bins = tuple(
        Bin("platform", severity, minutes(step), 1 + step % 7)
        for step in range(0, 1020, 10)
        for severity in (Severity.ERROR, Severity.WARNING)
    )
    return rich_view(density=Density(600, bins, count))


def _bars(span: float) -> st.SearchStrategy[Bar]:
    instants = st.one_of(st.floats(-2 * span, 2 * span), st.sampled_from([0.0, span, span / 2]))

    def made(lane: str, title: str, severity: Severity, since: float, lasts: float | None, extra: str) -> Bar:
        more: dict[str, Any] = {"service": extra or None}
        if extra == "late":
            more |= {"late": True, "recorded_at": minutes(since + span / 3)}
        if extra == "uncertain":
            more["starts_until"] = minutes(since + span / 5)
        if lane == "providers":
            places = (0.0, 0.01, 0.3, 0.31, 1.5)
            more["posts"] = tuple(Post(minutes(since + span * place), f"{title} {place}") for place in places)
        return bar(lane, title, severity, since, None if lasts is None else since + lasts, **more)

    return st.builds(
        made,
        st.sampled_from(LANES[1:9]),
        st.one_of(st.sampled_from(TITLES), st.text(max_size=70)),
        st.sampled_from(list(Severity)),
        instants,
        st.one_of(st.none(), st.just(0.0), st.floats(0, 3 * span)),
        st.sampled_from(["", "checkout", "late", "uncertain"]),
    )


@st.composite
def strange_views(draw: st.DrawFn) -> IncidentView:
    """Windows of a minute to months with crowds at one instant, long and hostile titles, and odd readings."""
    span = draw(st.sampled_from([1.0, 7.0, 60.0, 1020.0, 4 * 1440.0, 100 * 1440.0]))
    bars = draw(st.lists(_bars(span), max_size=25))
    crowd = draw(st.sampled_from([0, 0, 12, 60]))
    bars += [bar("platform", f"crowd {number}", Severity.WARNING, span / 2, span / 2 + 1) for number in range(crowd)]
    values = draw(st.lists(st.floats(-1e308, 1e308) | st.floats(-40, 50), max_size=12))
    points = tuple(Point(minutes(span * step / 10), value) for step, value in enumerate(values))
    basis = draw(st.sampled_from(["observed", "modelled", "reconstructed"]))
    limit = draw(st.sampled_from([None, 35.0, -1e300]))
    marks = tuple(
        Mark(f"m{number}", minutes(at), None, minutes(at + span / 4), draw(st.sampled_from(TITLES)), late, late)
        for number, (at, late) in enumerate(draw(st.lists(st.tuples(st.floats(0, span), st.booleans()), max_size=6)))
    )
    gaps = tuple(
        Gap(draw(st.sampled_from(LANES)), name, minutes(at), minutes(at + lasts))  # type: ignore[arg-type]  # words
        for name, at, lasts in draw(
            st.lists(
                st.tuples(st.sampled_from(["nws", "g" * 60]), st.floats(-span, span), st.floats(0, span)), max_size=5
            )
        )
    )
    began, lasted = draw(st.floats(-span, span)), draw(st.floats(0, 2 * span))
    who = incident(
        title=draw(st.sampled_from(TITLES)),
        impact_started_at=Moment(minutes(began)),
        detected_at=Moment(minutes(began)),
        acknowledged_at=None,
        mitigated_at=Moment(minutes(began + lasted), minutes(began + lasted * 1.2)),
        resolved_at=None,
        status="mitigated",
    )
    return rich_view(
        incident=who,
        bars=tuple(bars),
        marks=marks,
        gaps=gaps,
        series=(
            Series("temperature_c", "lon", points, basis, limit=limit, limit_name="dry_bulb_c"),
            Series(draw(st.sampled_from(["grid_demand_mw", "grid_frequency_hz"])), "lon", points, basis, station="GB"),
        )
        if points
        else (),
        until=minutes(span),
        as_of=minutes(draw(st.sampled_from([span / 3, span, span * 2]))),
        as_known=draw(st.booleans()),
        zone=draw(st.sampled_from(["Europe/London", "UTC", "Asia/Kathmandu", "America/St_Johns"])),
        phases=(
            Phase("before", START, minutes(span / 2)),
            Phase("impact", minutes(span / 2), minutes(span), open_ended=True),
        ),
        measurements=measure(who),
        cascade=draw(
            st.sampled_from(
                [
                    None,
                    cascaded(),
                    cascaded((span / 3, "limit")),
                    cascaded((-span, "warning"), (span / 3, "limit"), (2 * span, "recovery"), until=3 * span),
                    cascaded(*((span * place / 7, name) for place, name in enumerate(NAMES)), until=span),
                ]
            )
        ),
        recorded=tuple(minutes(span * step / 5) for step in range(8)),
        density=draw(
            st.sampled_from(
                [None, None, Density(60, (Bin("platform", Severity.ERROR, minutes(span / 2), 9000),), 9000)]
            )
        ),
        silence={
            lane: draw(st.sampled_from(["no notice in force", "no post yet about our regions; both feeds answering"]))
            for lane in LANES
        },
    )
