"""Templates of postmortems: what a file may hold, what is wrong by line, and that a begun document keeps its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import wordfile, writings
from dashboards.audiences import left_out
from dashboards.blocks import Bullets, Paragraph
from incidents import postmortem_templates
from incidents.postmortem import SECTIONS, TEMPLATE, merge
from incidents.postmortem_templates import BLOCKS, FACTS, STANDARD, TemplateError, layout_of, read
from service.postmortem_templates import listed, named
from tests.london_views import INCIDENT_VIEW
from tests.test_postmortem import HOSTILE_TEXTS, composed

OUTAGE = """# Customer outage
<!-- kept by the support team -->
> For outages that customers saw.

## Summary
> One sentence.
{{ record.summary }}

## What customers saw (for customer, public)
> In their words.
Impact lasted {{ time_to_resolve }}, from {{ impact_started_at }}.
- Owner: {{ owner }}
- Who was affected:
- What they could still do:

## Timeline
{{record.timeline}}

## Lessons
"""


def begun(text: str = OUTAGE, **more: Any) -> dict[str, Any]:
    return {**read(text, "outage.md").starters(), **more}


def test_the_built_in_template_is_the_usual_sections() -> None:
    assert dict(STANDARD.headings) == SECTIONS | {TEMPLATE: "Template"}
    assert {line for part in STANDARD.parts for line in part.record} == {f"{{{{ {name} }}}}" for name in BLOCKS}


def test_a_template_is_headings_hints_places_and_first_words() -> None:
    found = read(OUTAGE, "outage.md")
    assert found.title == "Customer outage"
    keys = ("title", "summary", "own_what_customers_saw", "timeline", "own_lessons", "actions")
    assert found.keys == keys  # actions are never hidden
    own = found.parts[1]
    assert (own.hint, own.audiences) == ("In their words.", ("customer", "public"))
    assert own.starter == "- Who was affected:\n- What they could still do:"
    assert len(own.record) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "x.md, line 1: no section"),
        ("# A\n", "x.md, line 1: no section"),
        ("## Summary\n", "x.md, line 1: the first heading is the template's title"),
        ("words\n# A", "x.md, line 1: a heading such as"),
        ("# A\nwords", "x.md, line 2: a heading such as “## Summary” comes first"),
        ("# A\n## B\n# C", "x.md, line 3: the first heading"),
        ("# A\n## B\n### C", "x.md, line 3: headings are"),
        ("# A\n##B", "x.md, line 2: headings are"),
        ("# A\n## B\n\n## b\n", "x.md, line 4: the section “b” is there twice"),
        ("# A\n## Root cause\n", "x.md, line 2: no section is called so"),
        ("# A\n## B (for everybody)\n", "x.md, line 2: (for …): of customer, public"),
        ("# A\n## Summary (for public)\n", "x.md, line 2: (for …) is for sections of your own"),
        ("# A\n## B\n{{ nonsense }}", "x.md, line 3: 'nonsense' is no place"),
        ("# A\n## B\n{{#if alerts}}x{{/if}}", "x.md, line 3: '#if alerts' is no place"),
        ("# A\n## B\n{% for x in y %}{{ x }}", "x.md, line 3: 'x' is no place"),
        ("# A\n## B\n{{ title", "x.md, line 3: a place that is not closed"),
        ("# A\n## B\n{{ {{ title }} }}", "x.md, line 3: "),
        ("# A\n## B\nSee {{ record.timeline }}", "x.md, line 3: {{ record.timeline }} stands on a line of its own"),
        ("# A\n## B\n{{ record.open }}{{ record.late }}", "x.md, line 3: one part of the record on a line"),
        ("# A\n## Actions\nDo it", "x.md, line 3: actions are a table"),
        ("# A\n## B {{ title }}", "x.md, line 2: a heading holds no place"),
        ("# A\n## " + "b" * 121, "x.md, line 2: a heading of more than"),
        ("# A\n## B\n\x1b[31m", "x.md, line 3: a character that cannot be printed"),
        ("# A\n" + "".join(f"## s{n}\n" for n in range(41)), "x.md, line 42: more than 40 sections"),
        ("# A\n" + "x" * 20_000, "x.md: longer than 20000 characters"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(text: str, told: str) -> None:
    with pytest.raises(TemplateError) as caught:
        read(text, "x.md")
    assert str(caught.value).startswith(told)


@given(st.lists(st.sampled_from(["# A", "## B", "## Ü", "{{ title }}", "{{", "}}", "> h", "- x", "#", "\x00", "{%"])))
def test_any_lines_are_a_template_or_a_told_error(lines: list[str]) -> None:
    try:
        found = read("\n".join(lines), "x.md")
    except TemplateError as error:
        told = str(error)
    else:
        told = "x.md, line 0"
        assert len(set(found.keys)) == len(found.keys)
    assert told.startswith("x.md, line ")


def test_every_fact_and_part_has_words_for_every_audience() -> None:
    lines = "".join(f"{name}: {{{{ {name} }}}}\n" for name in FACTS) + "".join(f"{{{{ {name} }}}}\n" for name in BLOCKS)
    words = begun(f"# All\n## All of it (for customer, public)\n{lines}")
    everything = composed(words=words).sections[0].record
    said = {block.text.partition(": ")[0] for block in everything if isinstance(block, Paragraph)}
    assert said >= set(FACTS)
    public = composed(words=words, audience="public").sections[0].record
    told = {block.text.partition(": ")[0] for block in public if isinstance(block, Paragraph)}
    assert "detected_at" not in told
    assert "owner" not in told
    assert {"severity", "resolved_at"} <= told
    assert not any("Nothing was recorded late" in str(block) for block in public)


def test_facts_fill_their_places_apart_from_words() -> None:
    section = composed(words=begun()).sections[1]
    assert section.title == "What customers saw"
    assert isinstance(section.record[0], Paragraph)
    assert section.record[0].text.startswith("Impact lasted ")
    assert "{{" not in str(section)
    assert section.words == (Bullets(("Who was affected:", "What they could still do:")),)


def test_sections_of_ones_own_go_outside_only_where_they_say_so() -> None:
    layout = read(OUTAGE, "outage.md")
    public = [section.title for section in composed(words=begun(own_lessons="Ours alone"), audience="public").sections]
    assert public == ["Summary", "What customers saw", "Timeline", "Actions"]
    assert any("Lessons" in line for line in left_out("public", layout=layout))
    assert not any("Lessons" in line for line in left_out("internal", layout=layout))


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_no_template_is_markup_in_an_export(text: str) -> None:
    line = "".join(c for c in text.replace("\n", " ") if c.isprintable()).replace("{{", "").replace("}}", "").strip()
    words = begun(f"# T {line}\n## S {line}\n> {line}\nx {line} {{{{ title }}}}\n- {line}\n")
    document = composed(words=words)
    shown = writings.html(document)
    assert "<script>alert" not in shown
    assert "<img" not in shown
    assert "](https://evil" not in writings.markdown(document)
    assert wordfile.docx(document).startswith(b"PK")


def test_a_document_keeps_its_template_and_words_that_none_names() -> None:
    words = begun()
    merged = merge(words, words, {"own_lessons": "One"})
    assert merged.words[TEMPLATE] == OUTAGE
    assert layout_of(merged.words).title == "Customer outage"
    unnamed = layout_of({**words, "own_gone_away": "x"})
    assert unnamed.parts[-1].title == "Gone away"
    broken = layout_of({TEMPLATE: "## not one", "own_lessons": "One"})
    assert (broken.title, broken.parts[-1].key) == ("Standard", "own_lessons")


def test_a_folder_offers_what_is_right_and_names_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "outage.md").write_text(OUTAGE)
    (tmp_path / "broken.md").write_text("# A\n## B\n{{ nonsense }}\n")
    (tmp_path / "latin.md").write_bytes(b"# A\n## B\n\xff\n")
    (tmp_path / "Big Name.md").write_text(OUTAGE)
    (tmp_path / "standard.md").write_text(OUTAGE)
    (tmp_path / "notes.txt").write_text("no template")
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere")
    found = listed(tmp_path)
    assert [each.name for each in found if each.template] == ["standard", "outage"]
    faults = sorted(each.fault for each in found if each.fault)
    assert faults[0].startswith("Big Name.md: its name")
    assert faults[1].startswith("broken.md, line 3: 'nonsense' is no place")
    assert faults[2] == "folder.md: Is a directory"
    assert faults[3] == "gone.md: No such file or directory"
    assert faults[4] == "latin.md, line 3: is not UTF-8"
    assert faults[5].startswith("standard.md: its name")
    assert named(tmp_path, "outage").title == "Customer outage"
    with pytest.raises(ValueError, match="line 3"):
        named(tmp_path, "broken")
    for name in ("../outage", "nothing", "", "notes"):
        with pytest.raises(LookupError, match="there are standard, outage"):
            named(tmp_path, name)
    assert listed(tmp_path / "absent")[1].fault.endswith("No such file or directory")


def test_every_place_is_documented() -> None:
    reference = (Path(postmortem_templates.__file__).parent.parent / "docs" / "reference.md").read_text()
    for name in (*BLOCKS, *FACTS):
        assert f"`{name}`" in reference, name


def test_the_chart_stands_where_the_timeline_is_placed() -> None:
    words = begun("# A\n## What happened\n{{ record.timeline }}\n")
    assert "![" in writings.markdown(composed(INCIDENT_VIEW, words), picture="pictures/chart.svg")
