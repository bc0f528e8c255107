"""An incident's timeline as a document: Markdown, CSV, JSON, and one self-contained HTML file."""

from __future__ import annotations

import csv as csv_format
import io
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from dashboards import words
from dashboards.coverage import coverage_rows
from dashboards.dropped import dropped_words
from dashboards.interactive import Live
from dashboards.paper import by_phase, is_of_alert, render, standing
from incidents import instants, provider_lag, redaction
from incidents.instants import length
from incidents.model import Incident, Link, Measurement, Moment, Occurrence
from incidents.provider_lag import Lag
from incidents.views.view import IncidentView, Line

MILESTONES = ("impact_started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at")
COLUMNS = (
    "happened_at_utc",
    "happened_until_utc",
    "recorded_at_utc",
    "happened_at_local",
    "zone",
    "lane",
    "kind",
    "severity",
    "text",
    "actor",
    "count",
    "late",
    "corrected",
    "line",
    "entry",
    "event",
    "delivery",
    "adapter",
    "sha256",
)
_FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
"""What makes a spreadsheet compute a cell, the full-width forms too."""
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~!#&$])")
_AUTOLINK = re.compile(r"(?i)\b(?:https?|ftp)(?=:)|\bwww(?=\.)")
_LIST = re.compile(r"^(\d{0,9})([-+=.)])")


def markdown(view: IncidentView) -> str:
    """CommonMark with tables; payload text is escaped, so it shows as it was sent and links nowhere."""
    incident = view.incident
    parts = [
        f"# {md(incident.title)}",
        "",
        f"{incident.status.capitalize()}, {incident.severity}. {_subtitle(view)}",
        "",
        *_md_facts(view),
        "",
        "## Timeline",
        "",
        *_md_timeline(view),
        "## Context links",
        "",
        *_md_links(view),
        "## About this record",
        "",
        *(f"- {md(each)}" for each in _about(view)),
    ]
    return "\n".join(parts).rstrip() + "\n"


def md(text: str, limit: int | None = None) -> str:
    """A stranger's text on one line of Markdown, with all that Markdown would read as markup or address escaped."""
    shown = _MARKDOWN.sub(r"\\\1", words.plain(text, limit))
    return _LIST.sub(r"\1\\\2", _AUTOLINK.sub(r"\g<0>\\", shown))


def csv(view: IncidentView) -> str:
    """RFC 4180 with a header row; no cell of a stranger's text is one that a spreadsheet computes."""
    out = io.StringIO()
    writer = csv_format.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in view.lines:
        writer.writerow([inert(value) for value in _cells(line, view.zone)])
    return out.getvalue()


def inert(value: object) -> object:
    """The cell, with an apostrophe before a text that would be a formula; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = words.plain(value)
    return f"'{text}" if value.startswith(_FORMULA) or text.startswith(_FORMULA) else text


def _cells(line: Line, zone: str) -> tuple[object, ...]:
    trace = line.trace
    return (
        instants.text(line.happened_at),
        instants.text(line.happened_until) if line.happened_until else "",
        instants.text(line.recorded_at),
        words.wall(line.happened_at, zone).isoformat(timespec="seconds"),
        zone,
        line.lane,
        line.kind,
        str(line.severity),
        line.text,
        line.actor,
        line.count,
        _yes(line.late),
        _yes(line.corrected),
        line.id,
        "" if trace.entry is None else trace.entry,
        "" if trace.event is None else trace.event,
        trace.delivery or "",
        trace.adapter or "",
        trace.sha256 or "",
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def html(view: IncidentView, *, svg: str, live: Live | None = None) -> str:
    """One file that needs nothing beside it: `svg` is a drawing of our own making; no outside reference.

    There is no script in it but those of `live`, which put a figure in the drawing's place that can be zoomed.
    """
    occurrences = _occurrences(view)
    return render(
        "document.html",
        viewer=None,
        view=view,
        svg=svg,
        live=live,
        subtitle=_subtitle(view),
        facts=_facts(view),
        groups=by_phase(view.lines, view.phases),
        links=sorted(view.incident.links, key=standing),
        occurrence_of=lambda link: occurrences.get(link.id),
        about=_about(view),
    )


def json_export(view: IncidentView) -> bytes:
    """The incident, its timeline and its links, each as the API shapes it, and what they were read at."""
    whole = {
        "incident": incident_fields(view.incident, view.measurements),
        "timeline": [line_fields(line) for line in view.lines],
        "links": link_rows(view),
        "as_of": instants.text(view.as_of),
        "from": instants.text(view.since),
        "to": instants.text(view.until),
        "zone": view.zone,
        "complete": view.more_lines is None,
        "coverage": [
            {"kind": kind, "source": source or None, "said": said} for kind, source, said in coverage_rows(view)
        ],
        "credits": list(view.credits),
        "provenance": view.provenance,
        "dropped": dropped_words(view) or None,
        "revision": view.revision,
    }
    text = orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    return words.escaped(text).encode()


def incident_fields(incident: Incident, measurements: Iterable[Measurement] = ()) -> dict[str, Any]:
    """An incident as the API gives it; an instant of which only a range is known is `{"at", "until"}`."""
    return {
        "id": incident.id,
        "title": incident.title,
        "status": incident.status,
        "severity": str(incident.severity),
        "sites": list(incident.sites),
        "opened_at": instants.text(incident.opened_at),
        **{name: moment_field(getattr(incident, name)) for name in MILESTONES},
        "impact_windows": [moment_field(window) for window in incident.impact_windows],
        "owner": incident.owner,
        "services": list(incident.services),
        "responders": list(incident.responders),
        "measurements": [measurement_fields(each) for each in measurements],
        "alerts": incident.members.alerts,
        "merged_into": incident.merged_into,
        "version": incident.version,
    }


def moment_field(moment: Moment | None) -> str | dict[str, str] | None:
    """An instant as text, a range as its two ends, nothing as null."""
    if moment is None:
        return None
    if moment.until is None:
        return instants.text(moment.at)
    return {"at": instants.text(moment.at), "until": instants.text(moment.until)}


def line_fields(line: Line) -> dict[str, Any]:
    """A line of the timeline as the API gives it."""
    trace = line.trace
    return {
        "id": line.id,
        "happened_at": instants.text(line.happened_at),
        "happened_until": _instant(line.happened_until),
        "recorded_at": instants.text(line.recorded_at),
        "lane": line.lane,
        "kind": line.kind,
        "text": words.clean(line.text),
        "actor": line.actor,
        "severity": str(line.severity),
        "evidence": {
            "delivery": trace.delivery,
            "event": trace.event,
            "entry": trace.entry,
            "adapter": trace.adapter,
            "sha256": trace.sha256,
            "size": trace.size,
        },
        "corrected": line.corrected,
        "late": line.late,
        "pinned": line.pinned,
        "count": line.count,
    }


def link_rows(view: IncidentView) -> list[dict[str, Any]]:
    """The links of the incident as the API gives them, in the incident's order."""
    occurrences = _occurrences(view)
    return [link_fields(link, occurrences.get(link.id), view.incident) for link in view.incident.links]


def lag_fields(lag: Lag) -> dict[str, Any]:
    """A provider's lag behind an incident as the API gives it."""
    return {
        "instants": {f"{name}_at": moment_field(at) for name, at in lag.instants.items()},
        "measurements": [measurement_fields(each) for each in lag.measurements],
    }


def measurement_fields(each: Measurement) -> dict[str, Any]:
    """A measurement as the API gives it."""
    return {
        "name": each.name,
        "outcome": each.outcome,
        "seconds": each.seconds,
        "seconds_max": each.seconds_max,
        "reason": each.reason,
    }


def link_fields(link: Link, occurrence: Occurrence | None, incident: Incident) -> dict[str, Any]:
    """A link as the API gives it; `occurrence` is null where it lies outside what was read.

    `lag` is null but for provider incidents.
    """
    is_providers = occurrence is not None and occurrence.kind == "provider_incident"
    evidence, rate = link.evidence, link.evidence.base_rate
    return {
        "id": link.id,
        "occurrence": _occurrence_fields(occurrence) if occurrence else None,
        "tier": evidence.tier,
        "score": evidence.score,
        "reasons": [{"part": each.part, "bits": each.bits, "sentence": each.sentence} for each in evidence.reasons],
        "base_rate": rate and {"share": rate.share, "n": rate.n, "basis": rate.basis, "sentence": rate.sentence},
        "would_change": evidence.would_change,
        "state": link.state,
        "proposed_by": link.proposed_by,
        "proposed_at": instants.text(link.proposed_at),
        "judged_by": link.judged_by,
        "judged_at": _instant(link.judged_at),
        "note": link.note,
        "quote": link.quote,
        "speaker": link.speaker,
        "lag": lag_fields(provider_lag.lag(incident, occurrence)) if occurrence and is_providers else None,
    }


def _occurrence_fields(occurrence: Occurrence) -> dict[str, Any]:
    return {
        "kind": occurrence.kind,
        "key": redaction.key_of(occurrence.key),
        "title": words.clean(occurrence.title),
        "starts_at": instants.text(occurrence.starts_at),
        "ends_at": _instant(occurrence.ends_at),
        "source": occurrence.source,
        "url": occurrence.url,
    }


def _instant(at: datetime | None) -> str | None:
    return instants.text(at) if at else None


def _occurrences(view: IncidentView) -> Mapping[str, Occurrence]:
    """Every drawn occurrence by its id, which is its link's id."""
    return {bar.occurrence.id: bar.occurrence for bar in view.bars} | {
        bar.link.id: bar.occurrence for bar in view.bars if bar.link
    }


def _subtitle(view: IncidentView) -> str:
    """The absolute range, the zone with its offset, UTC beside it, and as of when."""
    zone = words.zone_label(view.zone, view.since)
    known = "as known at" if view.as_known else "as of"
    beside = "" if view.zone == "UTC" else f" (UTC: {words.span(view.since, view.until, 'UTC')})"
    return (
        f"{words.span(view.since, view.until, view.zone)}, {view.zone}, {zone}{beside}; "
        f"{known} {words.instant_at(view.as_of, view.zone)} {words.zone_letters(view.zone, view.as_of)}"
    )


def _facts(view: IncidentView) -> list[tuple[str, str]]:
    """Names and words of the milestones, the measurements and the counts."""
    incident = view.incident
    facts = [("Severity", str(incident.severity)), ("Status", incident.status)]
    for name in MILESTONES:
        known: Moment | None = getattr(incident, name)
        told = f"{words.moment(known, view.zone)} (UTC: {words.moment(known, 'UTC')})" if known else "not recorded"
        facts.append((words.called(name).capitalize(), told))
    facts += [(words.called(each.name).capitalize(), words.measured(each)) for each in view.measurements]
    facts.append(("Sites", ", ".join(site.title for site in view.sites) or "none"))
    facts.append(("Alerts", f"{incident.members.alerts:,}"))
    return facts


def _about(view: IncidentView) -> list[str]:
    """Where it comes from: provenance, credits, missing stretches, and the revision that it can be checked by."""
    about = [lost] if (lost := dropped_words(view)) else []
    about += [view.provenance] if view.provenance else []
    about += view.credits
    about += [f"{kind}{f' ({source})' if source else ''}: {said}" for kind, source, said in coverage_rows(view)]
    for gap in view.gaps:
        seconds = (gap.until - gap.since).total_seconds()
        silent = "was not asked" if gap.state == "waiting" else "did not answer"
        about.append(f"{gap.source} {silent} from {words.span(gap.since, gap.until, view.zone)}, {length(seconds)}")
    if view.more_lines:
        about.append(f"Only the first {len(view.lines):,} lines are here; the rest is in the record.")
    about.append(f"Incident {view.incident.id}, version {view.incident.version}, revision {view.revision or 'none'}")
    return about


def _md_facts(view: IncidentView) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {name} | {md(value)} |" for name, value in _facts(view))]


def _md_timeline(view: IncidentView) -> list[str]:
    if not view.lines:
        return ["No line yet.", ""]
    written = []
    letters = words.zone_letters(view.zone, view.since)
    for phase, lines in by_phase(view.lines, view.phases):
        written += [f"### {(words.phase_called(phase.name, view.incident) if phase else 'all').capitalize()}", ""]
        written += [f"| {letters} | UTC | Lane | What | Who |", "|---|---|---|---|---|"]
        written += [_md_line(line, view.zone) for line in lines]
        written.append("")
    return written


def _md_line(line: Line, zone: str) -> str:
    happened = words.moment(Moment(line.happened_at, line.happened_until), zone)
    notes = [f"\N{MULTIPLICATION SIGN} {line.count:,}"] if line.count > 1 else []
    notes += [f"recorded {words.moment(line.recorded_at, zone, beside=line.happened_at)}"] if line.late else []
    notes += ["corrected"] if line.corrected else []
    severity = f"{line.severity}: " if is_of_alert(line) else ""
    text = severity + md(line.text, 400) + (f" ({', '.join(notes)})" if notes else "")
    return (
        f"| {happened} | {words.moment(line.happened_at, 'UTC')} | {line.lane} | {text} | {md(words.who(line.actor))} |"
    )


def _md_links(view: IncidentView) -> list[str]:
    if not view.incident.links:
        return ["None.", ""]
    occurrences = _occurrences(view)
    written = []
    for link in sorted(view.incident.links, key=standing):
        occurrence = occurrences.get(link.id)
        title = occurrence.title if occurrence else f"Occurrence {link.id}"
        written += [f"### {md(title, 100)}: {link.evidence.tier}, {_score(link)} bits, {link.state}", ""]
        if link.quote:
            written += [f"> “{md(link.quote, 400)}” ({md(link.speaker or 'the operator', 80)})", ""]
        written += [f"- {words.bits(reason.bits)} bits: {md(reason.sentence, 300)}" for reason in link.evidence.reasons]
        if link.evidence.base_rate:
            rate = link.evidence.base_rate
            prior = ", a shipped prior" if rate.basis == "prior" else ""
            written.append(f"- Base rate{prior}: {md(rate.sentence, 300)} (n = {rate.n:,})")
        if link.evidence.would_change:
            written.append(f"- What would change this: {md(link.evidence.would_change, 300)}")
        written.append("")
    return written


def _score(link: Link) -> str:
    return f"{link.evidence.score:.1f}".replace("-", "\N{MINUS SIGN}")
