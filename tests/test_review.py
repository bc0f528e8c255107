"""The review: what it reads of a real record on both databases, what it draws, and its pages over HTTP."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dashboards import comparison as side_by_side
from dashboards import maps, openings, rates, review
from dashboards.plates import MEDIUM, NARROW, WIDE, Plate, Rows, log_scale
from dashboards.words import count
from incidents import instants, measurements, moves, timeline
from incidents.model import Area, Incident, Moment, Occurrence, Severity, Site
from incidents.store import Store
from incidents.views import cohort
from incidents.views.cohort import Cohort, Member
from incidents.views.comparison import compare
from incidents.views.review import ReviewAsked, default_window, read_review
from incidents.views.view import Bin, Compared, Density, Viewer
from tests.conftest import StartBarograph
from tests.world import TWO_SITES, World, firing, instant, resolved

HOSTILE = "<script>alert(1)</script>\u202e " + "x" * 300
START = datetime(2026, 3, 2, tzinfo=UTC)
VIEWER = Viewer(name="vera", role="viewer", zone="Europe/London")


def reading(at: str, value: float, **more: Any) -> dict[str, Any]:
    place = {"latitude": 38.6, "longitude": -121.5, "station": "KSAC"}
    return {"reading": "temperature_c", "at": instants.text(instant(at)), "value": value, **place, **more}


@pytest.fixture
def world(store: Store) -> World:
    """Two incidents of one name at Sacramento, one of them at night, a warning, and a hot and a cool hour."""
    world = World(store)
    world.send("sky", reading("10:10", 41.0)).send("sky", reading("10:40", 38.0)).send("sky", reading("11:05", 21.0))
    world.hazard("Heat Advisory", since="09:00", until="18:00", zones=["CAC067"])
    world.at("10:20").alertmanager(firing("db-1"))
    first = world.only().id
    world.at("10:30").act(lambda a: a.patch(first, {"impact_started_at": instants.text(instant("10:00"))}))
    world.status("acknowledged", incident=first).at("11:00").status("mitigated", incident=first)
    world.at("12:00").alertmanager(resolved("db-1")).status("resolved", incident=first)
    return world.at("+1 23:00").alertmanager(firing("db-2"))


def read(world: World, since: str = "00:00", until: str = "+3 00:00", site: str | None = None) -> Cohort:
    asked = ReviewAsked(
        now=world.now,
        since=instant(since),
        until=instant(until),
        zone="UTC",
        site=TWO_SITES.site(site) if site else None,
    )
    with world.store.reading() as connection:
        return read_review(connection, TWO_SITES, asked)


def test_what_a_review_reads(world: World) -> None:
    seen = read(world)
    assert [member.alert for member in seen.members] == ["Down", "Down"]
    timed = [one for _, one in cohort.lengths(seen.members, "time_to_resolve", seen.now)]
    assert [(one.seconds, one.is_open) for one in timed] == [(7200, False), (0, True)]
    (gap,) = cohort.detection_gaps(seen.incidents)
    assert (gap.to_signal, gap.to_person) == (1200, 1800)
    (again,) = cohort.recurrences(seen.members)
    assert (again.site, again.alert, len(again.incidents)) == ("smf", "Down", 2)
    nights = cohort.nights(seen.incidents, seen.sites)
    assert nights.night is not None
    assert (nights.night.k, nights.night.n, nights.by_hour[10], nights.by_hour[23]) == (1, 2, 1, 1)
    assert date(2026, 3, 2) in seen.warned_days
    assert seen.left_out == 0


def test_a_window_and_a_site_are_kept_to(world: World) -> None:
    assert len(read(world, until="20:00").members) == 1
    assert len(read(world, site="smf").members) == 2
    assert read(world, site="iad").members == ()
    assert read(world, site="iad").warned_days == frozenset()


def test_incidents_are_counted_against_the_hours_of_the_heat(world: World) -> None:
    heat = read(world).heat
    assert heat is not None
    assert (heat.hours, heat.readings, heat.incidents, heat.without_reading) == (2, 3, 1, 1)
    by_threshold = {row.above_c: (row.rate.events, row.rate.hours) for row in heat.rows}
    assert by_threshold[20] == (1, 2)
    assert by_threshold[40] == (1, 1)


def test_a_corrected_reading_counts_with_its_last_value(world: World) -> None:
    world.send("sky", reading("10:10", 12.0)).send("sky", reading("10:40", 12.5))
    heat = read(world).heat
    assert heat is not None
    assert 40 not in {row.above_c for row in heat.rows}


def test_merged_incidents_are_not_counted(world: World) -> None:
    first, second = (one.id for one in world.incidents())
    world.act(lambda acting: moves.merge(acting, second, into=first))
    assert [member.incident.id for member in read(world).members] == [first]


def test_incidents_are_compared_in_the_order_asked_for(world: World) -> None:
    first, second = (one.id for one in world.incidents())
    with world.store.reading() as connection:
        views = compare(connection, [second, "nobody", first], world.now)
    assert [one.incident.id for one in views] == [second, first]
    assert views[1].density.total == 1
    assert side_by_side.best_anchor(views) == "detected_at"
    assert "resolved after 2 h" in side_by_side.intervals(views[1])


def test_the_usual_window_is_ninety_local_days() -> None:
    since, until = default_window(datetime(2026, 4, 2, 12, tzinfo=UTC), "Europe/London")
    assert (since, until) == (datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 4, 2, 12, tzinfo=UTC))


# --- what is drawn --------------------------------------------------------------------------------------------------


def incident(number: int, *, minutes: float = 60, title: str = "Down", is_open: bool = False) -> Incident:
    """An incident that opened a day after the one before it; even ones are critical."""
    at = START + timedelta(days=number, hours=number % 24)

    def after(length: float) -> Moment:
        return Moment(at + timedelta(minutes=length))

    return Incident(
        id=f"i-{number}",
        title=title,
        status="open" if is_open else "resolved",
        severity=list(Severity)[number % 5],
        group="g",
        sites=("smf",),
        opened_at=at,
        recorded_at=at,
        opened_by="rule:x@1",
        impact_started_at=after(0),
        detected_at=after(minutes / 10),
        acknowledged_at=None if is_open else after(minutes / 5),
        mitigated_at=None if is_open else after(minutes / 2),
        resolved_at=None if is_open else after(minutes),
    )


def many(n: int) -> Cohort:
    """A cohort of so many incidents, each seventh of them open, with lengths from a minute to weeks."""
    incidents = [
        incident(k, minutes=1.35 ** (k % 30), title=HOSTILE if k % 3 else "", is_open=k % 7 == 6) for k in range(n)
    ]
    names = itertools.cycle(["Down", HOSTILE, "DiskFull"])
    members = tuple(Member(one, name) for one, name in zip(incidents, names, strict=False))
    until = START + timedelta(days=max(n, 1))
    hours = {"smf": cohort.SiteHours({int(START.timestamp() // 3600) + k: float(k % 45) for k in range(500)}, 500, "m")}
    return Cohort(
        since=START,
        until=until,
        now=until,
        zone="Europe/London",
        site=None,
        sites=TWO_SITES.sites,
        members=members,
        record_began_at=START + timedelta(days=3),
        first_opened_at=START,
        warned_days=frozenset({date(2026, 3, 9)}),
        heat=cohort.heat(incidents, hours) if n else None,
    )


def check(plate: Plate) -> None:
    """No two texts overlap and none leaves the plate."""
    boxes = [(text.words, text.box) for text in plate.said]
    for words, (left, top, right, bottom) in boxes:
        assert left >= -1, words
        assert right <= plate.wide + 1, words
        assert top >= -1, words
        assert bottom <= plate.high + 1, words
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (one, other)


@pytest.fixture
def plates(monkeypatch: pytest.MonkeyPatch) -> list[Plate]:
    """Every plate that is turned into SVG while a test runs."""
    seen: list[Plate] = []
    drawn = Plate.svg

    def svg(self: Plate, title: str, description: str) -> str:
        seen.append(self)
        return drawn(self, title, description)

    monkeypatch.setattr(Plate, "svg", svg)
    return seen


@pytest.mark.parametrize("n", [0, 1, 2, 25, 150, 400])
def test_no_text_of_a_card_overlaps_or_is_cut(plates: list[Plate], n: int) -> None:
    cards = review.cards(many(n))
    for plate in plates:
        check(plate)
    for card in cards:
        assert card.question.endswith("?")
        assert bool(card.drawings) != bool(card.empty)
        for _, svg in card.drawings:
            ET.fromstring(svg)  # our own SVG
        assert all(len(row) == len(card.columns) for row in card.rows)


@pytest.mark.parametrize("n", [0, 40])
def test_the_page_is_whole_and_quotes_nothing_as_markup(n: int) -> None:
    page = review.review_page(many(n), VIEWER)
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert " style=" not in page
    assert not re.search(r"\b(caused|due to|root cause|average|mean time)\b", page, re.IGNORECASE)
    assert page.partition("<main")[2].partition("</main>")[0].count("<h2") == 9


def test_rows_that_a_table_leaves_out_are_counted() -> None:
    assert "The first 100 of 150 rows" in review.review_page(many(150), VIEWER)
    assert "The first 100 of" not in review.review_page(many(40), VIEWER)


@pytest.mark.parametrize(
    ("most", "rounded"), [(0.1, 0.1), (0.9, 1), (1.2, 2), (3, 4), (9.64, 10), (4.82, 5), (61, 80), (99, 100)]
)
def test_scales_end_with_a_number_that_reads_easily(most: float, rounded: float) -> None:
    assert rates._round(most) == pytest.approx(rounded)


def test_a_row_is_written_when_it_is_asked_for() -> None:
    written: list[int] = []

    def cells(number: int) -> tuple[str]:
        written.append(number)
        return (str(number),)

    rows = Rows(range(1000), cells)
    assert (len(rows), written) == (1000, [])
    assert (rows[:2], rows[-1], written) == ((("0",), ("1",)), ("999",), [0, 1, 999])
    assert len(list(rows)) == 1000


def test_percentiles_vanish_under_twenty() -> None:
    def half(n: int) -> str:
        steps = next(card for card in review.cards(many(n)) if card.name == "steps")
        return str(steps.rows[-1][3])

    assert half(20) == "not told"
    assert half(40) != "not told"


def test_days_before_the_record_are_hatched_and_days_with_a_warning_framed() -> None:
    days = [date(2026, 3, 2) + timedelta(days=n) for n in range(14)]
    shown = openings.Calendar(days, {days[5]: 2}, frozenset({days[6]}), days[3])
    svg = openings.calendar(shown, MEDIUM).svg("t", "d")
    assert svg.count("before the record") == 3
    assert "7 Mar 2026: 2 opened" in svg
    assert "8 Mar 2026: 0 opened, warning in force" in svg


def test_providers_that_spoke_first_stand_left_of_zero() -> None:
    plate = rates.lagging([("aws", [-600.0, 1200.0])], MEDIUM)
    check(plate)
    assert any("earlier" in text.words for text in plate.said)


def test_a_log_scale_keeps_lengths_inside() -> None:
    scale = log_scale([0, 5, 1e9], 10, 110)
    assert scale.at(0) == 10
    assert 10 < scale.at(5) < scale.at(1e9) <= 110


# --- the map --------------------------------------------------------------------------------------------------------


def site(name: str, latitude: float, longitude: float) -> Site:
    return Site(name, HOSTILE if name == "x" else name.title(), latitude, longitude)


def hazard(area: Area | None) -> Occurrence:
    return Occurrence("h", "nws", "k", "hazard", HOSTILE, Severity.ERROR, START, area=area)


ROUND_TOKYO = [Site(f"t{n}", f"Tokyo {n}", 35.6 + n / 50, 139.7 + n / 50) for n in range(12)]
BOX = {"type": "Polygon", "coordinates": [[[170, 50], [-170, 50], [-170, 60], [170, 60], [170, 50]]]}


@pytest.mark.parametrize("wide", [WIDE, 464, NARROW])
@pytest.mark.parametrize(
    "sites",
    [
        [site("london", 51.5, -0.1), site("paris", 48.9, 2.4), site("x", 52.4, 4.9), site("fra", 50.1, 8.7)],
        ROUND_TOKYO,
        [site("suva", -18, 179.9), site("apia", -14, -179.9), site("pole", 89, 0), site("south", -89, 0)],
    ],
)
def test_no_name_on_the_map_covers_another(sites: list[Site], wide: float) -> None:
    plate = maps.compose_map(sites, [hazard(Area(geometry=BOX))], [], wide=wide)
    check(plate)
    assert plate.said


def test_an_outline_over_the_antimeridian_does_not_cross_the_map() -> None:
    svg = maps.compose_map([], [hazard(Area(geometry=BOX))]).svg("t", "d")
    for points in re.findall(r'<polygon points="([^"]+)"', svg):
        places = [float(pair.split(",")[0]) for pair in points.split()]
        assert max(places) - min(places) < 40
    assert len(re.findall("<polygon", svg)) == 2


def test_the_coastline_holds_no_line_across_the_map() -> None:
    for ring in maps.land_rings():
        assert all(abs(there[0] - here[0]) < 90 for here, there in itertools.pairwise(ring))


@pytest.mark.parametrize(
    "area",
    [
        None,
        Area(zones=("CAC067",)),
        Area(geometry={"type": "Polygon", "coordinates": "junk"}),
        Area(geometry={"type": "Polygon", "coordinates": [[[float("nan"), 1], ["a", 2], [1e9, 3]]]}),
        Area(latitude=10.0, longitude=20.0),
        Area(latitude=10.0, longitude=20.0, radius_km=1e9),
    ],
)
def test_any_area_leaves_a_readable_map(area: Area | None) -> None:
    card = maps.map_card([site("x", 1, 2)], [hazard(area)], [incident(0)])
    assert card is not None
    for _, svg in card.drawings:
        ET.fromstring(svg)
        assert "nan" not in svg


def test_names_that_a_map_leaves_out_are_counted_for_its_width_alone() -> None:
    card = maps.map_card([site("a", 51.5, -0.1), site("b", 38.6, -121.5)], [], wide=WIDE)
    assert card is not None
    assert card.notes == ()
    crowd = maps.map_card(ROUND_TOKYO, [], wide=WIDE)
    assert crowd is not None
    for (name, svg), (of, words) in zip(crowd.drawings, crowd.notes, strict=True):
        assert name == of
        written = svg.count(">Tokyo ") - svg.count("<title>Tokyo ")
        assert words.startswith(f"{count(12 - written, 'name')} left out for want of room.")
    assert "Up to" not in crowd.foot


def test_two_marks_on_one_spot_are_told_with_their_distance() -> None:
    near = [site("headquarters", 37.48, -122.15), site("smf", 38.64, -121.52)]
    card = maps.map_card([*near, site("lon", 51.5, -0.1)], [], wide=WIDE)
    assert card is not None
    notes = dict(card.notes)
    assert set(notes) == {"medium", "narrow"}
    assert re.search(r"Headquarters and Smf, 14\d km from each other, are one spot", notes["narrow"], re.IGNORECASE)
    same = maps.map_card([near[0], near[0]], [])
    assert same is not None
    assert "at one place" in same.notes[0][1]


def test_without_a_site_there_is_no_map() -> None:
    assert maps.map_card([], []) is None


# --- side by side ---------------------------------------------------------------------------------------------------


def compared(one: Incident) -> Compared:
    since, until = one.opened_at, one.opened_at + timedelta(hours=3)
    bins = tuple(Bin("platform", Severity.ERROR, since + timedelta(minutes=10 * n), n + 1) for n in range(6))
    return Compared(
        one, since, until, timeline.phases(one, since, until), measurements.measure(one), Density(600, bins, 21)
    )


@pytest.mark.parametrize("wide", [WIDE, MEDIUM, NARROW])
@pytest.mark.parametrize("anchor", side_by_side.ANCHORS)
def test_no_text_of_a_comparison_overlaps(anchor: str, wide: float) -> None:
    views = [compared(incident(n, minutes=10**n, title=HOSTILE, is_open=n == 3)) for n in range(1, 6)]
    plate = side_by_side.compose(views, anchor, "Europe/London", wide)
    check(plate)


def test_marks_that_are_near_stand_above_one_another() -> None:
    assert side_by_side.levels([10, 14, 21, 23, 60]) == [0, 1, 2, 0, 0]
    assert side_by_side.levels([10, 22]) == [0, 0]
    assert side_by_side.levels([10, 10, 10, 10]) == [0, 1, 2, 2]


def test_an_incident_without_the_anchor_says_so() -> None:
    plain = compared(incident(1))
    without = replace(plain, incident=replace(plain.incident, mitigated_at=None))
    page = side_by_side.compare_page([plain, without], ["nobody"], VIEWER, anchor="mitigated_at", now=START)
    assert "mitigated: not recorded, aligned at its opening" in page
    assert "<code>nobody</code>" in page


# --- over HTTP ------------------------------------------------------------------------------------------------------


def test_pages_and_numbers_over_http(barograph: StartBarograph, database_url: str) -> None:
    service = barograph(database_url=database_url, args=("--demo",))
    ids = [one["id"] for one in service.json("/api/v1/incidents")["items"]]
    told = service.json("/api/v1/review?from=2021-01-01T00:00:00Z")
    assert told["incidents"] == len(ids)
    assert told["durations"]["time_to_resolve"]["n"] == len(ids)
    assert told["durations"]["time_to_resolve"]["percentiles"] == []
    assert told["heat"]["hours"] > 0
    assert service.json("/api/v1/review?from=2021-01-01&site=lon")["incidents"] == 1
    assert "How long did each incident last?" in service.get("/review?from=2022-01-01&to=2022-12-31").text
    page = service.get(f"/compare?ids={ids[0]}&ids={ids[1]},nobody")
    assert "Compare" in page.text
    assert "nobody" in page.text
    for path, status in (
        ("/compare?ids=nobody", 404),
        ("/compare", 400),
        ("/compare?ids=" + ",".join("abcdefghi"), 400),
        (f"/compare?ids={ids[0]}&anchor=never", 400),
        ("/review?site=nowhere", 400),
        ("/review?from=2022-02-02&to=2022-01-01", 400),
        ("/review?from=junk", 400),
        ("/api/v1/review?from=2022-02-02&to=2022-01-01", 400),
    ):
        assert service.get(path).status == status, path
    assert 'aria-label="World map' in service.get("/").text
    assert 'aria-label="World map' in service.get("/sites").text
    assert f'value="{ids[0]}" form="compare"' in service.get("/incidents").text


def test_of_thousands_a_mark_stands_for_those_that_it_would_hide_and_all_are_counted() -> None:
    incidents = [incident(k, minutes=12) for k in range(3000)]
    members = tuple(Member(one, "Down") for one in incidents)
    seen = replace(many(0), members=members, until=START + timedelta(days=3000), now=START + timedelta(days=3000))
    drawn = {card.name: card for card in review.cards(seen)}
    for name in ("lasted", "steps", "recurring"):
        marks = {width: svg.count("<circle") + svg.count("<polygon") for width, svg in drawn[name].drawings}
        assert 0 < marks["narrow"] <= marks["medium"] < 2000, name
    assert len(drawn["lasted"].rows) == 3000
    assert "3000 incidents" in dict(drawn["lasted"].drawings)["wide"]
    assert "3000×" in dict(drawn["recurring"].drawings)["medium"]


def test_of_a_hundred_none_is_hidden() -> None:
    drawn = dict({card.name: card for card in review.cards(many(90))}["lasted"].drawings)["wide"]
    assert drawn.count("<title>") == 90
