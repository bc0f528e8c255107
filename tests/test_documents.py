"""The documents of a timeline: nothing in them is a stranger's markup, formula or address, and nothing is lost."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from dashboards import documents
from incidents.model import Moment
from tests.london_views import HOSTILE, INCIDENT_VIEW, LINES, at

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
BANNED = re.compile(r"\b(caused|because|due to|root cause|culprit|impact of)\b", re.IGNORECASE)
FORMULAS = ("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", " =1", "\u202e=1")


def with_text(text: str) -> documents.IncidentView:
    return replace(INCIDENT_VIEW, lines=(replace(LINES[0], text=text),))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_is_rfc_4180_with_both_times() -> None:
    text = documents.csv(INCIDENT_VIEW)
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    found = rows(text)
    assert len(found) == len(LINES)
    assert found[0]["happened_at_utc"] == "2022-07-19T09:37:00.000000Z"
    assert found[0]["happened_at_local"] == "2022-07-19T10:37:00+01:00"
    assert {row["zone"] for row in found} == {"Europe/London"}


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_csv_cell_is_a_formula(formula: str) -> None:
    [row] = rows(documents.csv(with_text(formula)))
    assert row["text"].startswith("'")


def test_csv_keeps_quotes_commas_and_plain_text_as_they_are() -> None:
    [row] = rows(documents.csv(with_text('a, "b" and c=d')))
    assert row["text"] == 'a, "b" and c=d'


def test_markdown_shows_hostile_text_without_markup() -> None:
    text = documents.markdown(INCIDENT_VIEW)
    [line] = [each for each in text.splitlines() if "alert(1)" in each]
    assert "\\<script\\>" in line
    assert "\\[x\\](https\\://evil.example)" in line
    assert "\\`a\\` \\*b\\* \\| c" in line
    assert "\u202e" not in text
    assert len(re.findall(r"(?<!\\)\|", line)) == 6


@pytest.mark.parametrize(
    "text",
    ["# head", "- item", "1. item", "+ item", "> quote", "a | b", "`x`", "<!-- x -->", "~~~", "www.evil.example"],
)
def test_markdown_escapes_what_would_be_markup(text: str) -> None:
    shown = documents.md(text)
    assert "\\" in shown
    assert shown.replace("\\", "") == text


def test_markdown_names_the_zone_and_utc_and_every_reason() -> None:
    text = documents.markdown(INCIDENT_VIEW)
    assert "BST, UTC+1" in text
    assert "UTC: 19 Jul 2022 08:00" in text
    for link in INCIDENT_VIEW.incident.links:
        for reason in link.evidence.reasons:
            assert reason.sentence in text
    assert "elexon-notices did not answer" in text
    assert "(OGL v3)" in text
    assert INCIDENT_VIEW.revision in text
    assert not BANNED.search(text)


def test_json_is_shaped_as_the_api_shapes_it() -> None:
    whole = json.loads(documents.json_export(INCIDENT_VIEW))
    incident = "id title status severity sites opened_at impact_started_at detected_at acknowledged_at mitigated_at"
    assert set(f"{incident} resolved_at measurements alerts version".split()) <= set(whole["incident"])
    line = "happened_at happened_until recorded_at lane kind text actor severity evidence corrected"
    assert set(line.split()) <= set(whole["timeline"][0])
    assert {"id", "occurrence", "tier", "score", "reasons", "base_rate", "state"} <= set(whole["links"][0])
    assert set(whole["links"][0]["occurrence"]) == {"kind", "key", "title", "starts_at", "ends_at", "source", "url"}
    for line in whole["timeline"]:
        assert RFC_3339.fullmatch(line["happened_at"])
    assert whole["complete"] is True


def test_json_gives_a_range_as_its_two_ends() -> None:
    ranged = replace(INCIDENT_VIEW.incident, impact_started_at=Moment(at("13:00"), at("13:30")), resolved_at=None)
    fields = documents.incident_fields(ranged)
    assert fields["impact_started_at"] == {"at": "2022-07-19T13:00:00.000000Z", "until": "2022-07-19T13:30:00.000000Z"}
    assert fields["resolved_at"] is None


class Page(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_html_document_needs_nothing_beside_it() -> None:
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" id="drawing"><text>40.2</text></svg>'
    page = Page(documents.html(INCIDENT_VIEW, svg=drawing))
    assert [tag for tag, _ in page.tags if tag in {"script", "link", "img", "iframe", "object", "a"}] == []
    for _, attributes in page.tags:
        assert not {"src", "href", "onclick", "onload", "style"} & set(attributes)
    assert ("svg", {"xmlns": "http://www.w3.org/2000/svg", "id": "drawing"}) in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert "\u202e" not in page.text
    for link in INCIDENT_VIEW.incident.links:
        for reason in link.evidence.reasons:
            assert reason.sentence in page.text
    assert "BST, UTC+1" in page.text
    assert not BANNED.search(page.text)


def test_every_document_takes_an_empty_incident() -> None:
    empty = replace(
        INCIDENT_VIEW, lines=(), bars=(), phases=(), gaps=(), measurements=(), credits=(), provenance=None,
        incident=replace(INCIDENT_VIEW.incident, links=(), title=HOSTILE, impact_started_at=None),
    )  # fmt: skip
    assert "No line yet." in documents.markdown(empty)
    assert rows(documents.csv(empty)) == []
    assert json.loads(documents.json_export(empty))["timeline"] == []
    assert "No line yet." in documents.html(empty, svg="")
