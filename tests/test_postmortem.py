"""Postmortems: words merge without loss, facts and audiences are what they say, and no format takes text for markup."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import postmortem as document_of
from dashboards import recorded, typeset, wordfile, writings
from dashboards.audiences import AUDIENCES, Audience, version_for
from dashboards.blocks import Bullets, Document, Paragraph
from dashboards.postmortem import Standing, written
from incidents import postmortem, timeline
from incidents.model import Link
from incidents.postmortem import SECTIONS, Revision, accepted, merge
from incidents.views.view import IncidentView
from tests.london_views import HOSTILE, INCIDENT_VIEW, LINES

BANNED = re.compile(r"\b(caused|because|due to|root cause|culprit|impact of)\b", re.IGNORECASE)
HOSTILE_TEXTS = (
    HOSTILE,
    "=cmd|'/C calc'!A0",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[x](https://evil.example) ![y](https://evil.example/p.png) <https://evil.example>",
    '#let x = read("/etc/passwd") #x *bold* $x^2$ @label <label> // gone /* gone */ \\ #image("a.svg")',
    ']]></w:t><w:r><w:fldSimple w:instr="HYPERLINK evil"/> &amp; &#0; <!DOCTYPE x>',
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "| a | b |\n|---|---|\n# head\n> quote\n1. one",
    "\x00\x1b[31mred\x07 \u202eevil\u202c \ufffe\uffff \ud800 \u200b",
    "https://evil.example www.evil.example evil@example.com",
)
WORDS: dict[str, Any] = {
    "title": "London: two halls too warm",
    "summary": "Two halls were too warm.\n\n- Fans stopped.\n- Checkout moved.",
    "was_hard": "Nobody had the map of the halls.",
    "actions": [{"text": "Try the bypass each spring", "owner": "facilities", "due": "2026-12-01", "done": False}],
}


def view_with(text: str) -> IncidentView:
    """The view with this text wherever a stranger's or a person's text can be."""
    link = INCIDENT_VIEW.incident.links[0]
    links: tuple[Link, ...] = (replace(link, quote=text, speaker=text, note=text, state="attributed"),)
    incident = replace(
        INCIDENT_VIEW.incident, title=text, owner=text, services=(text,), links=links, opened_by=f"user:{text}"
    )
    bars = tuple(replace(bar, occurrence=replace(bar.occurrence, title=text)) for bar in INCIDENT_VIEW.bars)
    lines = tuple(replace(line, text=text, actor=f"user:{text}") for line in LINES)
    gaps = tuple(replace(gap, source=text) for gap in INCIDENT_VIEW.gaps)
    return replace(
        INCIDENT_VIEW, incident=incident, bars=bars, lines=lines, gaps=gaps, credits=(text,), provenance=text
    )


def words_with(text: str) -> dict[str, Any]:
    texts = {name: text if name == "title" else f"{text}\n- {text}" for name in SECTIONS if name != "actions"}
    return accepted({**texts, "actions": [{"text": f"a {text}", "owner": text, "due": None, "done": True}]})


def composed(
    view: IncidentView = INCIDENT_VIEW,
    words: dict[str, Any] = WORDS,
    *,
    audience: Audience = "internal",
    names: bool = False,
) -> Document:
    facts = recorded.facts(view)
    version = version_for(audience, facts, words, ("user:ana",), names=names)
    standing = Standing(Revision(3, "user:ana", view.as_of, "draft", words))
    drawing = recorded.drawings(view)["names" if names else "roles"]
    return document_of.compose(version, standing, drawing=drawing)


# --- words ----------------------------------------------------------------------------------------------------------


def test_disjoint_changes_over_one_base_are_both_kept() -> None:
    base = {"summary": "a", "impact": "b"}
    found = merge(base, {"summary": "A", "impact": "b"}, {"summary": "a", "impact": "B"})
    assert (found.words, found.changed, found.clashes) == ({"summary": "A", "impact": "B"}, ("impact",), ())


def test_a_section_that_both_changed_clashes_unless_they_agree() -> None:
    base = {"summary": "a"}
    assert merge(base, {"summary": "b"}, {"summary": "c"}).clashes == ("summary",)
    assert merge(base, {"summary": "b"}, {"summary": "b"}).clashes == ()
    assert merge(base, {"summary": "b"}, {"summary": "b"}).changed == ()


@given(st.dictionaries(st.sampled_from(["summary", "impact", "detection"]), st.sampled_from(["", "x", "y"])))
def test_what_is_sent_over_its_own_base_holds(sent: dict[str, str]) -> None:
    base = {"summary": "x"}
    found = merge(base, base, sent)
    assert not found.clashes
    assert all((found.words.get(name) or "") == text for name, text in sent.items())


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"root_cause": "x"}, "root_cause"),
        ({"summary": 7}, "summary"),
        ({"summary": "x" * 20_001}, "summary"),
        ({"actions": "x"}, "actions"),
        ({"actions": [{"text": "x", "due": "soon"}]}, "due"),
        ({"actions": [{"text": "", "owner": "x"}]}, "text"),
        ({"actions": [{"text": "x", "done": "yes"}]}, "done"),
        ({"actions": [{"text": "x", "who": "y"}]}, "actions"),
        ([], "sections"),
    ],
)
def test_sections_that_cannot_be_used_are_named(sections: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        accepted(sections)


def test_a_secret_that_was_pasted_in_is_not_kept() -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"
    found = accepted({"summary": f"It ran with {secret} since May", "actions": [{"text": f"Revoke {secret}"}]})
    assert secret not in str(found)
    assert accepted(found) == found


def test_no_section_is_named_root_cause() -> None:
    assert not any(BANNED.search(title) for title in SECTIONS.values())
    assert set(postmortem.FOLLOWING) == set(postmortem.STATES)


def test_words_become_paragraphs_and_bullets() -> None:
    assert written("one\ntwo\n\n- a\n* b\nthree") == [
        Paragraph("one"), Paragraph("two"), Bullets(("a", "b")), Paragraph("three"),
    ]  # fmt: skip


# --- facts ----------------------------------------------------------------------------------------------------------


def test_facts_are_plain_json_and_equal_views_do_not_differ() -> None:
    facts = recorded.facts(INCIDENT_VIEW)
    assert json.loads(json.dumps(facts)) == facts
    assert recorded.differences(facts, facts) == []


def test_differences_name_what_changed() -> None:
    was = recorded.facts(INCIDENT_VIEW)
    later = replace(INCIDENT_VIEW, incident=replace(INCIDENT_VIEW.incident, title="Renamed"), lines=LINES[1:])
    told = recorded.differences(was, recorded.facts(later))
    assert any("now Renamed" in each for each in told)
    assert sum(each.startswith("No longer in the timeline") for each in told) == 1


def test_the_record_is_told_with_links_base_rates_gaps_and_what_came_late() -> None:
    text = writings.markdown(composed())
    for link in INCIDENT_VIEW.incident.links:
        if link.evidence.tier != "context" and link.evidence.base_rate:
            assert link.evidence.base_rate.sentence in text
    assert "elexon-notices did not answer" in text
    assert "What was recorded late" in text
    assert text.count("### From the record") >= 6
    assert not BANNED.search(text)


# --- audiences ------------------------------------------------------------------------------------------------------


def everything(audience: Audience, *, names: bool = False) -> str:
    """All that any format of a version is written from."""
    facts = recorded.facts(INCIDENT_VIEW)
    version = version_for(audience, facts, WORDS, ("user:ana",), names=names)
    standing = Standing(Revision(3, "user:ana", None, "draft", WORDS))
    whole = writings.json_text(version, standing).decode()
    document = document_of.compose(version, standing, drawing=recorded.drawings(INCIDENT_VIEW)["roles"])
    return whole + writings.html(document)


def people() -> set[str]:
    return {line.actor.removeprefix("user:") for line in LINES if line.actor.startswith("user:")}


@pytest.mark.parametrize("audience", AUDIENCES)
def test_people_are_told_by_role_unless_names_are_asked_for(audience: Audience) -> None:
    assert people()
    told = everything(audience)
    assert not [name for name in people() if re.search(rf"\b{re.escape(name)}\b", told)]


def test_names_are_told_when_asked_for() -> None:
    told = everything("internal", names=True)
    assert all(name in told for name in people())
    assert "names of people" not in told


def test_the_chart_names_nobody_unless_asked() -> None:
    own = [
        replace(line, lane="people", kind="note", actor="user:Zebedee", id=f"e{n}") for n, line in enumerate(LINES[:2])
    ]
    view = replace(INCIDENT_VIEW, lines=tuple(own), marks=timeline.marks(own))
    drawn = recorded.drawings(view)
    assert "Zebedee" in drawn["names"]
    assert "Zebedee" not in drawn["roles"]
    assert "responder 1" in drawn["roles"]


def test_an_outside_timeline_holds_statuses_and_linked_occurrences_alone() -> None:
    confirmed = tuple(replace(link, state="confirmed") for link in INCIDENT_VIEW.incident.links[:1])
    view = replace(INCIDENT_VIEW, incident=replace(INCIDENT_VIEW.incident, links=confirmed))
    status = replace(
        LINES[0], id="e900", lane="people", kind="status_changed", actor="user:ana", text="Mitigated: a note"
    )
    status = replace(status, trace=replace(status.trace, params={"status": "mitigated", "note": "a note"}))
    facts = recorded.facts(replace(view, lines=(*LINES, status)))
    for audience in ("customer", "public"):
        told = version_for(audience, facts, {}, ()).facts["timeline"]
        assert "Mitigated" in {line["text"] for line in told}
        assert {line["kind"] for line in told} <= {"status_changed", "hazard", "provider_incident"}
        assert len([line for line in told if line["text"].startswith("Coincided with")]) == 1


@pytest.mark.parametrize("audience", ["customer", "public"])
def test_outside_versions_tell_no_alert_note_or_way_back(audience: Audience) -> None:
    told = everything(audience)
    for line in LINES:
        if line.kind.startswith("alert") or line.kind == "note":
            assert line.text not in told, line.text
        if line.trace.sha256:
            assert line.trace.sha256 not in told
    assert INCIDENT_VIEW.incident.title not in told
    assert "Nobody had the map" not in told
    assert "facilities" not in told
    assert "<svg" not in told
    assert "Two halls were too warm" in told


@pytest.mark.parametrize("audience", ["customer", "public"])
def test_every_section_that_is_left_out_is_listed(audience: Audience) -> None:
    facts = recorded.facts(INCIDENT_VIEW)
    full: dict[str, Any] = words_with("words")
    version = version_for(audience, facts, full, ())
    listed = " ".join(version.left_out)
    for name in set(full) - set(version.words):
        assert SECTIONS[name] in listed


# --- formats --------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_no_text_of_any_field_is_markup_in_html(text: str) -> None:
    page = Page(writings.html(composed(view_with(text), words_with(text), names=True)))
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "a", "iframe", "object", "w:fldsimple", "link"}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "src")]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_no_text_of_any_field_is_markup_in_markdown(text: str) -> None:
    found = writings.markdown(composed(view_with(text), words_with(text), names=True))
    plain = re.sub(r"\\.", "", found)
    assert "<" not in plain
    assert "](" not in plain
    assert "https:" not in plain
    assert "www." not in plain
    heads = [line for line in found.splitlines() if line.startswith("#")]
    assert set(heads[1:]) <= {
        *(f"## {title}" for title in SECTIONS.values()),
        "## About this document",
        "### From the record",
        "### In people’s words",
    }
    for row in (line for line in found.splitlines() if line.startswith("| ")):
        assert 3 <= len(re.findall(r"(?<!\\)\|", row)) <= 5


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_no_text_of_any_field_is_markup_in_word(text: str) -> None:
    content = wordfile.docx(composed(view_with(text), words_with(text), names=True))
    docx.Document(io.BytesIO(content))
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        whole = opened.read("word/document.xml")
        outside = [part for part in opened.namelist() if part.endswith(".rels") and b'"External"' in opened.read(part)]
    assert outside == []
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(whole).iter()}
    assert not tags & {"fldSimple", "instrText", "hyperlink", "altChunk"}


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_no_text_of_any_field_is_markup_in_pdf(text: str) -> None:
    content = typeset.pdf(composed(view_with(text), words_with(text), names=True))
    assert content.startswith(b"%PDF")
    assert b"/URI" not in content
    assert b"root:" not in content


def test_the_pdf_is_tagged_titled_and_equal_for_equal_documents() -> None:
    document = composed()
    content = typeset.pdf(document)
    assert content == typeset.pdf(document)
    for mark in (b"/StructTreeRoot", b"/MarkInfo", b"/FontFile", b"pdfuaid"):
        assert mark in content, mark
    assert typeset.inputs(document)["drawing"].startswith("<svg")


def test_word_opens_with_headings_tables_and_a_picture_that_is_described() -> None:
    opened = docx.Document(io.BytesIO(wordfile.docx(composed())))
    headings = [p.text for p in opened.paragraphs if p.style and p.style.name == "Heading 1"]
    assert headings == [*(title for key, title in SECTIONS.items() if key != "title"), "About this document"]
    assert opened.core_properties.title == WORDS["title"]
    assert len(opened.tables) >= 5
    (picture,) = opened.inline_shapes
    assert picture._inline.docPr.get("descr")


def test_the_zip_opens_elsewhere_with_its_pictures() -> None:
    document = composed()
    content = writings.archive(document, b"{}")
    assert content == writings.archive(document, b"{}")
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        names = opened.namelist()
        text = opened.read(f"{document.name}/postmortem.md").decode()
        assert opened.read(f"{document.name}/pictures/chart.png").startswith(b"\x89PNG")
    (picture,) = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert f"{document.name}/{picture}" in names
    assert all(name.startswith(document.name) and ".." not in name for name in names)


def test_times_of_a_table_are_not_broken_into_three_lines() -> None:
    rows = re.findall(r'<tr><td class="time">(.*?)</td><td class="time">(.*?)</td><td>', writings.html(composed()))
    assert rows
    assert all(re.search(r"\d\d:\d\d", cell) for row in rows for cell in row)


def test_a_record_without_anything_makes_every_format() -> None:
    bare = replace(INCIDENT_VIEW, lines=(), bars=(), marks=(), gaps=(), series=(), phases=(), measurements=())
    bare = replace(bare, incident=replace(bare.incident, links=(), impact_started_at=None, mitigated_at=None))
    document = composed(bare, {})
    assert "No line yet." in writings.markdown(document)
    assert "Nothing written yet." in writings.html(document)
    assert typeset.pdf(document).startswith(b"%PDF")
    assert wordfile.docx(document).startswith(b"PK")
