"""The SVG exports: standalone, harmless, equal for equal views, with all that a reader on paper needs."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings

from dashboards.canvas import Canvas, number, xml
from dashboards.marks import Box
from dashboards.scene import Layout
from dashboards.svg import PRESETS, Preset, incident_svg, phone_svg
from dashboards.tokens import LIGHT
from dashboards.typeface import width
from incidents.model import Severity
from incidents.views.view import IncidentView, Mark
from tests.figure_views import LANES, TITLES, bar, dense_view, minutes, rich_view, strange_views
from tests.test_scene import assert_clear

NAMESPACE = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "g", "title", "desc", "rect", "line", "polyline", "polygon", "path", "circle", "text"}
ATTRIBUTES = re.compile(r"^(on.*|href|style|.*\}href|src)$")


def assert_harmless(svg: str) -> ET.Element:
    """Well-formed, of known elements only, without handlers, styles and references."""
    root = ET.fromstring(svg)
    for element in root.iter():
        assert element.tag.removeprefix(NAMESPACE) in ELEMENTS
        for name, value in element.attrib.items():
            assert not ATTRIBUTES.match(name), name
            assert "url(" not in value
    return root


def words_of(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NAMESPACE}text")]


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("view", [rich_view(), dense_view()], ids=["rich", "dense"])
def test_pages_hold_their_content(view: IncidentView, preset: Preset) -> None:
    root = assert_harmless(incident_svg(view, preset=preset))
    _, _, wide, high = map(float, root.attrib["viewBox"].split())
    page = PRESETS[preset]
    assert wide * page.scale == pytest.approx(page.width, abs=0.02)
    group = root.find(f"{NAMESPACE}g")
    assert group is not None
    found = re.fullmatch(r"translate\(([\d.]+) ([\d.]+)\) scale\(([\d.]+)\)", group.attrib["transform"])
    assert found is not None
    left, top, scale = map(float, found.groups())
    rule = [line for line in root.findall(f"{NAMESPACE}line") if line.attrib["stroke"] == LIGHT["ink"]][-1]
    for text in group.iter(f"{NAMESPACE}text"):
        assert left + float(text.attrib["x"]) * scale <= wide
        assert top + float(text.attrib["y"]) * scale < float(rule.attrib["y1"])
    assert float(rule.attrib["y1"]) < high


@pytest.mark.parametrize("preset", ["a4", "letter"])
@pytest.mark.parametrize("crowded", [4, 5, 6, 7, 9])
def test_a_crowded_page_is_filled(preset: Preset, crowded: int) -> None:
    crowd = tuple(
        bar(lane, f"alert {n}", Severity.ERROR, 50 * n, 900) for lane in LANES[1 : 1 + crowded] for n in range(9)
    )
    root = ET.fromstring(incident_svg(rich_view(bars=rich_view().bars + crowd), preset=preset))
    group = root.find(f"{NAMESPACE}g")
    assert group is not None
    lowest = max(float(text.attrib["y"]) for text in group.iter(f"{NAMESPACE}text"))
    found = re.fullmatch(r"translate\([\d.]+ ([\d.]+)\) scale\(([\d.]+)\)", group.attrib["transform"])
    assert found is not None
    foot = [line for line in root.findall(f"{NAMESPACE}line") if line.attrib["stroke"] == LIGHT["ink"]][-1]
    free = float(foot.attrib["y1"]) - float(found[1]) - lowest * float(found[2])
    assert free < 40 or all("more" not in words for words in words_of(root))


@pytest.mark.parametrize("preset", ["a4", "letter"])
def test_nothing_on_a_page_is_under_eight_points(preset: Preset) -> None:
    crowd = tuple(bar(lane, f"alert {n}", Severity.ERROR, n, n + 200) for lane in LANES[1:9] for n in range(40))
    svg = incident_svg(rich_view(bars=rich_view().bars + crowd), preset=preset)
    scale = float(re.findall(r"scale\(([\d.]+)\)", svg)[0]) * PRESETS[preset].scale
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', svg)]
    assert min(sizes) * scale * 0.75 >= 8


def test_page_says_range_zone_utc_moment_sources_and_incident() -> None:
    root = assert_harmless(incident_svg(rich_view(), address="barograph.example.net/incidents/2022-07-19-lon"))
    words = " ".join(words_of(root))
    for said in (
        "London: instances unreachable in europe-west2-a",
        "19 July 2022 09:00 to 20 July 2022 02:00, Europe/London (BST, UTC+1); in UTC 08:00",
        "As known on 20 July 2022 09:30 BST",
        "Met Office (OGL v3.0)",
        "elexon-notices missing 11:52",
        "Incident 2022-07-19-lon",
        "revision 7c1e94d0a3f2",
        "barograph.example.net/incidents/2022-07-19-lon",
        "none claims a cause",
        "Reconstructed:",
    ):
        assert said in words
    title, description = root.find(f"{NAMESPACE}title"), root.find(f"{NAMESPACE}desc")
    assert title is not None
    assert title.text == "London: instances unreachable in europe-west2-a"
    assert description is not None
    assert "2 official warnings" in (description.text or "")
    assert "Phases: impact 1 h 39 min" in (description.text or "")


def test_basis_is_named_in_every_rendering() -> None:
    for svg in (incident_svg(rich_view()), phone_svg(rich_view(), "light")):
        assert "reconstructed" in " ".join(words_of(ET.fromstring(svg)))


def test_equal_views_give_equal_bytes_and_themes_differ() -> None:
    assert incident_svg(rich_view()) == incident_svg(rich_view())
    assert incident_svg(rich_view()) != incident_svg(rich_view(), theme="dark")


def test_provenance_of_a_story_is_told() -> None:
    svg = incident_svg(rich_view(provenance="Warnings as published; alerts invented."))
    assert "Warnings as published; alerts invented." in svg


def test_strangers_text_is_text() -> None:
    hostile = '</text><script>alert(1)</script>\x00\x1b[31m\u202e"&'
    view = rich_view(bars=(bar("platform", hostile, Severity.ERROR, 30, 90),), credits=(hostile,))
    svg = incident_svg(view)
    assert_harmless(svg)
    assert "&lt;script&gt;" in svg
    assert "\u202e" not in svg
    assert "\x1b" not in svg


def test_xml_drops_what_xml_may_not_hold() -> None:
    assert xml("a\x00\x08\ufffe\ud800<&\"'b") == "a&lt;&amp;&quot;&#x27;b"


def test_page_paint_has_classes_and_no_colours() -> None:
    svg = phone_svg(rich_view())
    assert "#" not in svg
    assert 'class="f-critical-tint"' in svg
    ET.fromstring(svg)
    assert "#" in phone_svg(rich_view(), "dark")


def test_hatch_stays_within_its_box() -> None:
    canvas = Canvas("light")
    canvas.hatch(Box(10, 20, 57, 35, "gap"))
    found = re.findall(r"[ML]([\d.]+) ([\d.]+)", canvas.parts[0])
    assert len(found) > 10
    assert all(10 <= float(x) <= 57 and 20 <= float(y) <= 35 for x, y in found)


def test_words_on_paper_are_as_long_as_there_is_room_for() -> None:
    long = "alice: " + "the second pump stood still and nobody had been told of it " * 2
    said = Mark("e1", minutes(30), None, minutes(30), long, late=False)
    late = Mark("e2", minutes(500), None, minutes(500), "ben: after", late=False)
    alone = words_of(ET.fromstring(incident_svg(rich_view(bars=(), marks=(said,)), preset="wide")))
    assert any(len(words) > 100 and words.startswith("alice: the second") for words in alone)
    view = rich_view(bars=(), marks=(said, late))
    assert_clear(Layout(view, 1123, on_paper=True).scene())
    (short,) = [text.words for text in Layout(view, 1123).scene().texts if text.words.startswith("alice")]
    assert len(short) <= 60


@pytest.mark.parametrize("view", [rich_view(), dense_view()], ids=["rich", "dense"])
def test_longer_words_keep_clear_of_all_others(view: IncidentView) -> None:
    posts = Layout(view, 1000, on_paper=True)
    for rows in (1, 2, 3, 4):
        assert_clear(posts.scene(rows=rows))


@pytest.mark.parametrize("preset", list(PRESETS))
def test_words_of_the_figure_keep_clear_of_curves_and_of_rules(preset: Preset) -> None:
    svg = incident_svg(rich_view(), preset=preset)
    group = ET.fromstring(svg).find(f"{NAMESPACE}g")
    assert group is not None
    boxes = [_measured(text) for text in group.iter(f"{NAMESPACE}text")]
    for line in group.iter(f"{NAMESPACE}line"):
        x, top, bottom = float(line.attrib["x1"]), float(line.attrib["y1"]), float(line.attrib["y2"])
        if x == float(line.attrib["x2"]) and line.attrib["stroke"] != LIGHT["sunk"] and bottom - top > 30:
            assert not [words for words, (left, y, right) in boxes if left < x < right and top < y < bottom]


def _measured(text: ET.Element) -> tuple[str, tuple[float, float, float]]:
    """Words with their left end, middle and right end."""
    words, size = text.text or "", float(text.attrib["font-size"])
    room = width(words, size, int(text.attrib.get("font-weight", 400)))
    shift = {"start": 0.0, "middle": room / 2, "end": room}[text.attrib.get("text-anchor", "start")]
    left = float(text.attrib["x"]) - shift
    return words, (left, float(text.attrib["y"]) - size * 0.36, left + room)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(view=strange_views())
def test_strange_views_are_still_harmless(view: IncidentView) -> None:
    for preset in ("a4", "wide"):
        assert_harmless(incident_svg(view, preset=preset))  # type: ignore[arg-type]  # both are presets
    assert_harmless(phone_svg(view))


def test_titles_are_cut_and_on_one_line() -> None:
    view = rich_view(
        bars=tuple(bar("platform", title, Severity.ERROR, 60 * n, 60 * n + 5) for n, title in enumerate(TITLES))
    )
    for words in words_of(ET.fromstring(incident_svg(view, preset="wide"))):
        assert len(words) <= 150
        assert "\n" not in words


def test_known_at_hides_what_lies_right_of_it() -> None:
    svg = incident_svg(rich_view(as_known=True, as_of=minutes(450)))
    assert "nothing to the right was known at 16:30" in svg
    assert "As known on 19 July 2022 16:30 BST" in svg


@pytest.mark.parametrize("preset", ["a4", "slide", "wide"])
def test_a_cascade_that_finds_no_room_is_said_to_be_left_out(preset: Preset) -> None:
    crowd = tuple(bar(lane, f"alert {n}", Severity.ERROR, n, n + 200) for lane in LANES[1:9] for n in range(40))
    told = {}
    for name, view in (("crowded", rich_view(bars=rich_view().bars + crowd)), ("roomy", rich_view())):
        words = [each.text or "" for each in ET.fromstring(incident_svg(view, preset=preset)).iter(f"{NAMESPACE}text")]
        is_drawn = "Cascade" in words
        told[name] = is_drawn
        assert is_drawn != any("Left out for want of room: the cascade (5 steps" in line for line in words), name
    assert told["roomy"] == (preset != "slide")
    assert told["crowded"] == (preset == "wide")


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (-0.001, "0"), (10, "10"), (100.0, "100"), (1.5, "1.5"), (1.05, "1.05"), (-2.999, "-3"), (0.5, "0.5")],
)
def test_lengths_have_no_idle_zeros(value: float, said: str) -> None:
    assert number(value) == said
