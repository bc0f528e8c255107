"""Charts as files: palettes for paper, captions, legends, footers, metadata, the review and the map on a page."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from dashboards import captions, chartfiles, footer, review, sheets
from dashboards.captions import Footer
from dashboards.palettes import INKS, PALETTES, Ink, grey, lightness
from dashboards.plates import Card
from dashboards.sheets import Surroundings
from dashboards.svg import PRESETS, Preset, incident_svg
from dashboards.typeface import width
from incidents.model import Severity, Site
from incidents.views.view import Coverage, Gap, IncidentView, Phase
from tests.figure_views import bar, dense_view, minutes, rich_view
from tests.test_review import HOSTILE, many
from tests.test_svg import NAMESPACE, assert_harmless

SAID = Surroundings(
    ("Incidents opened in March.",), Footer(("Reading:", "so."), ("Sources:", "us."), ("Review", "x", "y"))
)


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(svg).iter(f"{NAMESPACE}text")]


def bare() -> IncidentView:
    return rich_view(bars=(), marks=(), series=(), gaps=(), phases=(), credits=(), silence={})


def clock_change_view() -> IncidentView:
    """The night in which London's clocks go back."""
    since, until = datetime(2022, 10, 29, 20, tzinfo=UTC), datetime(2022, 10, 30, 8, tzinfo=UTC)
    return replace(bare(), since=since, until=until, phases=(Phase("impact", since, until),))


@pytest.mark.parametrize("ink", ["print", "grey"])
def test_paper_keeps_severities_and_phases_apart_in_greyscale(ink: Ink) -> None:
    told = {name: lightness(PALETTES[ink][name]) for name in PALETTES[ink]}
    severities = sorted(told[name] for name in ("critical", "error", "warning", "info"))
    assert all(after - before >= 9 for before, after in pairwise(severities))
    phases = [told[name] for name in ("before-tint", "critical-tint", "error-tint", "ok-tint")]
    assert all(abs(after - before) >= 4 for before, after in pairwise(phases))


def test_greys_are_grey_and_as_light_as_the_colour() -> None:
    assert all(re.fullmatch(r"#(..)\1\1", colour) for colour in PALETTES["grey"].values())
    assert grey("#FFFFFF") == "#FFFFFF"
    assert abs(lightness(grey("#D9700F")) - lightness("#D9700F")) < 0.5


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("ink", INKS)
def test_nothing_of_a_page_is_cut_or_lies_over_another(ink: Ink, preset: Preset) -> None:
    """Head and foot of the page: the figure's own words are measured elsewhere."""
    long = ("A publisher of forecasts with a long name (Creative Commons Attribution 4.0)",) * 3
    view = rich_view(credits=tuple(f"{each} {n}" for n, each in enumerate(long)), provenance="As published. " * 12)
    svg = incident_svg(view, theme=ink, preset=preset, address="https://barograph.example.net/incidents/2022-07-19-lon")
    root = assert_harmless(svg)
    _, _, wide, high = map(float, root.attrib["viewBox"].split())
    boxes = []
    for text in root.findall(f"{NAMESPACE}text"):
        words, size = text.text or "", float(text.attrib["font-size"])
        assert "…" not in words
        room = width(words, size, int(text.attrib.get("font-weight", "400"))) / 1.04
        x = float(text.attrib["x"]) - (room if text.attrib.get("text-anchor") == "end" else 0)
        y = float(text.attrib["y"])
        boxes.append((x, y - size * 0.75, x + room, y + size * 0.2))
    for box in boxes:
        assert box[0] >= 0
        assert box[2] <= wide
        assert box[3] <= high
        assert not [
            b for b in boxes if b != box and b[0] < box[2] and box[0] < b[2] and b[1] < box[3] and box[1] < b[3]
        ]


def test_caption_has_title_range_and_contents() -> None:
    said = texts(incident_svg(rich_view()))
    assert said[0] == "London: instances unreachable in europe-west2-a"
    assert any(line.startswith("19 July 2022 09:00 to 20 July 2022 02:00, Europe/London (BST, UTC+1)") for line in said)
    assert any("Impact 1 h 39 min, mitigated 8 h 12 min. Marks share one time axis" in line for line in said)


def test_legend_holds_what_is_drawn_and_nothing_else() -> None:
    rich, empty = texts(incident_svg(rich_view())), texts(incident_svg(bare()))
    for name in ("critical alert", "error", "official warning", "recorded late", "uncertain time", "feed gap", "entry"):
        assert name in rich
        assert name not in empty
    assert "warning" in texts(incident_svg(dense_view()))
    unknown = bar("platform", "what", Severity.UNKNOWN, 10, 60)
    assert "severity not told" in texts(incident_svg(replace(bare(), bars=(unknown,))))


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_change_of_the_clock_is_named_with_both_offsets(preset: Preset) -> None:
    svg = incident_svg(clock_change_view(), preset=preset)
    assert "clock change 30 Oct 01:00, UTC+1 → UTC" in texts(svg)
    description = ET.fromstring(svg).findtext(f"{NAMESPACE}desc") or ""
    assert "UTC+1 → UTC" in description


def test_missing_and_unasked_feeds_and_every_credit_are_told() -> None:
    gaps = tuple(Gap("grid", f"feed-{n}", minutes(n), minutes(n + 30)) for n in range(5))
    coverage = (Coverage("weather", None, unasked=((minutes(0), minutes(9)),)),)
    credits_ = tuple(f"Publisher {n} (licence {n})" for n in range(40))
    view = rich_view(gaps=gaps, coverage=coverage, credits=credits_)
    said = captions.footer(view, address="", exported="").sources[1]
    assert "feed-0 missing" in said
    assert "2 more stretches missing (hatched)" in said
    assert "Not asked: weather" in said
    description = ET.fromstring(incident_svg(view)).findtext(f"{NAMESPACE}desc") or ""
    assert all(each in description for each in credits_)


def test_reconstructed_readings_are_named_also_beside_a_provenance_that_does_not() -> None:
    made, told = captions.footer(rich_view(provenance="Alerts are invented."), address="", exported="").made
    assert made == "Reconstructed:"
    assert told == "temperature, wet bulb; these are not observations. Alerts are invented."


def test_a_long_address_keeps_both_its_ends() -> None:
    said = Footer(("Reading:", "so."), ("Sources:", "us."), ("Incident", "barograph.example.net/" + "a" * 200 + "/lon"))
    foot = footer.lay_out(said, 0, 1000)
    assert foot.incident[1].startswith("barograph.example")
    assert foot.incident[1].endswith("/lon")


# --- metadata -------------------------------------------------------------------------------------------------------


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + content) == int.from_bytes(png[at + 8 + size : at + 12 + size])
        yield kind, content
        at += 12 + size


@pytest.mark.parametrize("scale", [2, 3])
def test_png_says_in_its_metadata_what_it_shows(scale: int) -> None:
    svg = incident_svg(rich_view())
    found = list(chunks(chartfiles.png(svg, scale=scale)))
    assert found[0][0] == b"IHDR"
    assert found[-1][0] == b"IEND"
    said = {
        content.split(b"\0")[0]: content.split(b"\0\0\0en\0\0")[1].decode()
        for kind, content in found
        if kind == b"iTXt"
    }
    assert said[b"Title"] == "London: instances unreachable in europe-west2-a"
    assert said[b"Description"] == ET.fromstring(svg).findtext(f"{NAMESPACE}desc")
    assert "revision 7c1e94d0a3f2" in said[b"Description"]
    [resolution] = [content for kind, content in found if kind == b"pHYs"]
    assert struct.unpack(">IIB", resolution) == (round(96 * scale / 0.0254), round(96 * scale / 0.0254), 1)


def test_pdf_says_in_its_metadata_what_it_shows() -> None:
    made = chartfiles.pdf(incident_svg(rich_view()))
    assert b"2 official warnings, 5 alerts, 2 provider incidents" in made
    assert b"/Alt" in made


# --- the review and the map -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_card_of_the_review_stands_alone_on_a_page(preset: Preset) -> None:
    seen = many(30)
    for card in review.cards(seen):
        svg = sheets.card_svg(card, SAID, ink="print", preset=preset)
        root = ET.fromstring(svg)
        assert "class=" not in svg
        assert root.findtext(f"{NAMESPACE}title") == card.question
        _, _, wide, high = map(float, root.attrib["viewBox"].split())
        for text in root.findall(f"{NAMESPACE}text"):
            assert 0 <= float(text.attrib["x"]) <= wide
            assert 0 < float(text.attrib["y"]) < high
        inner = root.find(f"{NAMESPACE}svg")
        assert inner is not None
        assert float(inner.attrib["y"]) + float(inner.attrib["height"]) <= high


def test_a_card_without_an_answer_says_so_on_its_page() -> None:
    card = Card("warm", "Is it?", "A note.", empty="No temperature was recorded.")
    assert "No temperature was recorded." in texts(sheets.card_svg(card, SAID))


def test_a_strangers_words_never_become_colours_or_markup() -> None:
    site = Site("lon", f'London" class="f-critical" {HOSTILE}', 51.5, -0.1)
    svg = sheets.card_svg(sheets.map_of([site], [], []), SAID, ink="light")
    root = ET.fromstring(svg)
    assert not [each for each in root.iter() if each.tag.endswith("script") or "class" in each.attrib]


def test_map_on_paper_lists_every_site() -> None:
    sites = [Site(f"s{n}", f"Site {n}", 10 + n / 50, 20) for n in range(8)]
    said = texts(sheets.card_svg(sheets.map_of(sites, [], []), SAID, preset="a4"))
    assert all(any(f"Site {n}" in each for each in said) for n in range(8))
    assert chartfiles.png(sheets.card_svg(sheets.map_of(sites, [], []), SAID), scale=2).startswith(b"\x89PNG")
