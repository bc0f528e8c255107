"""The postmortem as a document: a tree of sections that every format is written from, facts and words apart in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dashboards import words
from dashboards.audiences import Audience, Version, is_for
from dashboards.blocks import Block, Bullets, Document, Paragraph, Quote, Section, Table
from dashboards.documents import MILESTONES
from dashboards.recorded import told_of
from incidents import instants
from incidents.instants import length
from incidents.model import Measurement, Moment
from incidents.postmortem import STATES, Revision
from incidents.postmortem_templates import Part, pieces

_MEASURED = {
    "impact": ("time_to_mitigate", "time_to_resolve"),
    "detection": ("time_to_detect", "time_to_acknowledge"),
}
_SLIGHT = "context"
_NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a postmortem stands: the revision shown, when its facts were frozen, what is otherwise since."""

    revision: Revision
    frozen_at: datetime | None = None
    differences: tuple[str, ...] = field(default=())


def compose(version: Version, standing: Standing, *, drawing: str = "") -> Document:
    """The document of a version. Sections that the audience does not get are absent, not empty."""
    facts, zone = version.facts, version.facts["zone"]
    at = _instant(facts["as_of"])
    title = version.words.get("title") or facts["incident"]["title"]
    return Document(
        title=words.plain(title) or facts["incident"]["id"],
        standing=_standing(version, standing),
        range=_range(facts),
        notes=tuple(_notes(standing, zone)),
        sections=tuple(_section(part, version) for part in version.layout.parts if is_for(version.audience, part)),
        about=tuple(_about(facts)),
        name=f"postmortem-{facts['incident']['id']}"
        + ("" if version.audience == "internal" else f"-{version.audience}"),
        at=at,
        drawing=drawing if version.audience == "internal" else "",
        alt=facts["alt"],
    )


def _section(part: Part, version: Version) -> Section:
    content = version.words.get(part.key)
    said = _actions(content or ()) if part.key == "actions" else written(content or "")
    has_chart = any("record.timeline" in pieces(line) for line in part.record)
    return Section(part.key, words.plain(part.title), tuple(_record(part, version)), tuple(said), has_chart)


def _record(part: Part, version: Version) -> list[Block]:
    """What the template takes from the record: its parts, and lines with facts filled in as paragraphs and bullets."""
    found: list[Block] = []
    lines: list[str] = []
    for line in part.record:
        places = pieces(line)[1::2]
        told = _RECORD.get(places[0])
        if told is None:
            lines += [filled] if (filled := _filled_in(line, version)) else []
            continue
        found += written("\n".join(lines))
        lines = []
        if places[0] not in _UNTOLD[version.audience]:
            found += told(version.facts)
    return found + written("\n".join(lines))


_UNTOLD: Mapping[Audience, tuple[str, ...]] = {
    "internal": (),
    "customer": ("record.late", "record.open"),
    "public": ("record.late", "record.open", "record.detection"),
}
"""Parts of the record that a version has nothing of: empty they would say that nothing was."""


def _filled_in(line: str, version: Version) -> str:
    """A template's line with its facts; nothing where the audience does not get one of them."""
    cut = pieces(line)
    values = [_fact(name, version.facts) for name in cut[1::2]]
    if version.audience != "internal" and None in values:
        return ""
    told = [value or "not recorded" for value in values]
    return "".join(text for both in zip(cut[::2], [*told, ""], strict=True) for text in both)


def _fact(name: str, facts: Mapping[str, Any]) -> str | None:
    """A fact in words; None where it is not recorded, or not for this audience."""
    incident = facts["incident"]
    if name in ("incident", "zone"):
        return words.plain(str(incident["id"] if name == "incident" else facts["zone"]))
    if name.startswith("time_to_"):
        rows = [each for each in incident["measurements"] if each["name"] == name]
        return words.measured(_measurement(rows[0])) if rows else None
    value = facts["sites"] if name == "sites" else incident[name]
    if value in (None, "", []):
        return None
    if name == "alerts":
        return f"{value:,}"
    return ", ".join(map(words.plain, value)) if name in ("sites", "services") else told_of(value, facts["zone"])


def written(text: str) -> list[Block]:
    """A person's text as paragraphs, one a line, and bullets where lines begin with a dash or an asterisk."""
    found: list[Block] = []
    items: list[str] = []
    for raw in [*words.clean(text).split("\n"), ""]:
        line = words.plain(raw)
        if line[:2] in ("- ", "* ", "• "):
            items.append(line[2:].strip())
            continue
        if items:
            found.append(Bullets(tuple(items)))
            items = []
        if line:
            found.append(Paragraph(line))
    return found


def _actions(actions: Sequence[Mapping[str, Any]]) -> list[Block]:
    if not actions:
        return []
    rows = tuple(
        (
            words.plain(action["text"]),
            words.plain(action["owner"]) or _NOTHING,
            _day(action["due"]),
            "done" if action["done"] else "open",
        )
        for action in actions
    )
    return [_filled(Table(("Action", "Owner", "Due", "State"), rows))]


def _filled(table: Table) -> Table:
    """The table without the columns that say nothing in any row."""
    kept = [n for n in range(len(table.head)) if not table.rows or any(row[n] != _NOTHING for row in table.rows)]
    return Table(tuple(table.head[n] for n in kept), tuple(tuple(row[n] for n in kept) for row in table.rows))


def _day(due: str | None) -> str:
    return words.day(datetime.fromisoformat(f"{due}T00:00:00+00:00"), "UTC") if due else _NOTHING


def _instant(text: str) -> datetime:
    at = instants.parse(text)
    assert at is not None
    return at


def _moment(text: str, until: str | None, zone: str) -> str:
    return words.moment(Moment(_instant(text), _instant(until) if until else None), zone)


def _standing(version: Version, standing: Standing) -> str:
    revision, incident = standing.revision, version.facts["incident"]["id"]
    parts = [f"Postmortem of incident {incident}", STATES[revision.state]]
    parts.append(f"revision {revision.number}" if revision.number else "not written yet")
    if version.authors and version.audience == "internal":
        parts.append("written by " + ", ".join(words.who(author) for author in version.authors))
    if version.audience != "internal":
        parts.append(f"the {version.audience} version")
    return ", ".join(parts)


def _range(facts: Mapping[str, Any]) -> str:
    since, until, zone = _instant(facts["from"]), _instant(facts["to"]), facts["zone"]
    beside = "" if zone == "UTC" else f" (UTC: {words.span(since, until, 'UTC')})"
    return f"{words.span(since, until, zone)}, {zone}, {words.zone_label(zone, since)}{beside}"


def _notes(standing: Standing, zone: str) -> Iterable[str]:
    if standing.revision.state != "published":
        yield (
            f"This is a {STATES[standing.revision.state]} copy: it may still change."
            if (standing.revision.state == "draft")
            else "This is in review: it may still change."
        )
    if standing.frozen_at:
        at = f"{words.instant_at(standing.frozen_at, zone)} {words.zone_letters(zone, standing.frozen_at)}"
        yield f"The record's facts are those of {at}, when this was published; later data does not change them."
    if standing.differences:
        yield "The record says otherwise today: " + "; ".join(standing.differences) + "."


def _about(facts: Mapping[str, Any]) -> list[str]:
    found = [words.plain(facts["provenance"])] if facts["provenance"] else []
    found += [words.plain(credit) for credit in facts["credits"]]
    zone, at = facts["zone"], _instant(facts["as_of"])
    found.append(
        f"What stands under “from the record” was filled in from incident {facts['incident']['id']} as known at "
        f"{words.instant_at(at, zone)} {words.zone_letters(zone, at)}, revision {facts['revision'] or 'none'}; "
        "the rest are people's words."
    )
    return found


# --- what the record says, section by section -----------------------------------------------------------------------


def _summary(facts: Mapping[str, Any]) -> list[Block]:
    incident, zone = facts["incident"], facts["zone"]
    pairs = [("Status", incident["status"]), ("Severity", incident["severity"])]
    pairs += [("Sites", words.plain(", ".join(facts["sites"])))] if facts["sites"] else []
    pairs += [("Alerts", f"{incident['alerts']:,}")] if incident["alerts"] is not None else []
    pairs += [("First alert or opening", told_of(incident["opened_at"], zone))]
    pairs += [("Owner", words.plain(incident["owner"]))] if incident["owner"] else []
    return [_pairs(pairs)]


def _impact(facts: Mapping[str, Any]) -> list[Block]:
    incident, zone = facts["incident"], facts["zone"]
    names = ("impact_started_at", "mitigated_at", "resolved_at")
    pairs = [(words.called(name).capitalize(), told_of(incident[name], zone)) for name in names]
    pairs += [(f"Impact window {n}", told_of(window, zone)) for n, window in enumerate(incident["impact_windows"], 1)]
    pairs += [("Services", words.plain(", ".join(incident["services"])))] if incident["services"] else []
    return [_pairs(pairs + _measured(incident, "impact"))]


def _detection(facts: Mapping[str, Any]) -> list[Block]:
    incident, zone = facts["incident"], facts["zone"]
    pairs = [
        (words.called(name).capitalize(), told_of(incident[name], zone)) for name in ("detected_at", "acknowledged_at")
    ]
    pairs += [("Opened by", words.who(facts["opened_by"]))] if facts["opened_by"] else []
    first = next((line for line in facts["timeline"] if line["kind"] == "alert"), None)
    if first:
        at = _moment(first["happened_at"], first["happened_until"], zone)
        pairs.append(("First alert", f"{at}: {words.plain(first['text'], 200)}, from {words.who(first['actor'])}"))
    return [_pairs(pairs + _measured(incident, "detection"))]


def _timeline(facts: Mapping[str, Any]) -> list[Block]:
    zone, lines = facts["zone"], facts["timeline"]
    if not lines:
        return [Paragraph("No line yet.")]
    since = _instant(facts["from"])
    local = words.zone_letters(zone, since)
    head = ("UTC", "What", "Who") if zone == "UTC" else (local, "UTC", "What", "Who")
    rows = []
    for line in lines:
        at = [_moment(line["happened_at"], line["happened_until"], each) for each in dict.fromkeys((zone, "UTC"))]
        rows.append((*at, _line_words(line, zone), words.who(line["actor"]) if line["actor"] else _NOTHING))
    told: list[Block] = [_filled(Table(head, tuple(rows)))]
    left = (facts["timeline_total"] or len(lines)) - len(lines)
    if left > 0:
        told.append(
            Paragraph(f"{words.count(left, 'further line')} of lesser weight are in the timeline's own exports.")
        )
    return told


def _line_words(line: Mapping[str, Any], zone: str) -> str:
    happened = _instant(line["happened_at"])
    notes = [f"\N{MULTIPLICATION SIGN} {line['count']:,}"] if line["count"] > 1 else []
    if line["late"]:
        notes.append(f"recorded {words.moment(_instant(line['recorded_at']), zone, beside=happened)}")
    notes += ["corrected"] if line["corrected"] else []
    severity = f"{line['severity']}: " if line["kind"] in ("alert", "alert_changed", "alert_ended") else ""
    return severity + words.plain(line["text"], 600) + (f" ({', '.join(notes)})" if notes else "")


_JUDGE = "What coincided with the incident, as the record has it. Whether any of it contributed is for people to say."


def _links(facts: Mapping[str, Any]) -> list[Block]:
    weighty = [link for link in facts["links"] if link["tier"] != _SLIGHT or link["state"] != "proposed"]
    found: list[Block] = [Paragraph(_JUDGE)] if weighty else []
    for link in weighty:
        found += _link(link, facts["zone"])
    slight = len(facts["links"]) - len(weighty)
    if slight:
        found.append(Paragraph(f"{words.count(slight, 'further link')} weighed no more than context."))
    return found


def _link(link: Mapping[str, Any], zone: str) -> list[Block]:
    occurrence = link["occurrence"]
    when = ""
    if occurrence:
        ended = f" to {told_of(occurrence['ends_at'], zone)}" if occurrence["ends_at"] else ""
        when = f", {words.called(occurrence['kind'])} from {told_of(occurrence['starts_at'], zone)}{ended}"
    score = f"{link['score']:.1f}".replace("-", "\N{MINUS SIGN}")
    told: list[Block] = [
        Paragraph(f"{when.removeprefix(', ')}{'; ' if when else ''}{link['tier']}, {score} bits, {link['state']}",
                  lead=f"Coincided with {words.plain(link['title'], 160)}")
    ]  # fmt: skip
    if link["quote"]:
        told.append(Quote(words.plain(link["quote"], 600), words.plain(link["speaker"] or "the operator", 120)))
    items = [f"{words.bits(each['bits'])} bits: {words.plain(each['sentence'], 300)}" for each in link["reasons"]]
    if rate := link["base_rate"]:
        prior = ", a shipped prior" if rate["basis"] == "prior" else ""
        items.append(f"Base rate{prior}: {words.plain(rate['sentence'], 300)} (n = {rate['n']:,})")
    if link["would_change"]:
        items.append(f"What would change this: {words.plain(link['would_change'], 300)}")
    return [*told, Bullets(tuple(items))] if items else told


def _not_known(facts: Mapping[str, Any]) -> list[Block]:
    zone = facts["zone"]
    late = [line for line in facts["timeline"] if line["late"]]
    found: list[Block] = []
    if late:
        rows = tuple(
            (
                _moment(line["happened_at"], line["happened_until"], zone),
                words.moment(_instant(line["recorded_at"]), zone),
                words.plain(line["text"], 300),
            )
            for line in late
        )
        found.append(Table(("Happened", "Recorded", "What was recorded late"), rows))
    for gap in facts["gaps"]:
        since, until = _instant(gap["from"]), _instant(gap["to"])
        lasted = length((until - since).total_seconds())
        found.append(
            Paragraph(
                f"{words.plain(gap['source'], 80)} did not answer from {words.span(since, until, zone)}, {lasted}."
            )
        )
    return found or [Paragraph("Nothing was recorded late, and no feed fell silent.")]


def _open_questions(facts: Mapping[str, Any]) -> list[Block]:
    waiting = [link for link in facts["links"] if link["state"] == "proposed" and link["tier"] != _SLIGHT]
    items = tuple(f"Nobody has judged the link to {words.plain(link['title'], 160)}." for link in waiting)
    missing = [name for name in MILESTONES if facts["incident"][name] is None]
    unsaid = tuple(
        f"It is not recorded when the incident was {words.called(name)}."
        for name in missing
        if name != "impact_started_at"
    )
    begun = ("It is not recorded when the impact began.",) if "impact_started_at" in missing else ()
    return [Bullets((*begun, *unsaid, *items))] if begun or unsaid or items else []


def _measured(incident: Mapping[str, Any], part: str) -> list[tuple[str, str]]:
    return [
        (words.called(each["name"]).capitalize(), words.measured(_measurement(each)))
        for each in incident["measurements"]
        if each["name"] in _MEASURED[part]
    ]


def _measurement(each: Mapping[str, Any]) -> Measurement:
    return Measurement(each["name"], each["outcome"], each["seconds"], each["seconds_max"], each["reason"])


def _pairs(pairs: Sequence[tuple[str, str]]) -> Table:
    return Table(("Fact", "As recorded"), tuple(pairs))


_RECORD = {
    "record.summary": _summary,
    "record.impact": _impact,
    "record.timeline": _timeline,
    "record.coincided": _links,
    "record.detection": _detection,
    "record.late": _not_known,
    "record.open": _open_questions,
}
