"""The report of a period as a document: incidents, how long they took, when they came, and what was not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC

from dashboards import review, sheets, words
from dashboards.blocks import Block, Bullets, Document, Paragraph, Picture, Section, Table
from dashboards.captions import shown
from dashboards.paper import count_of
from dashboards.plates import Card
from incidents import measurements
from incidents.instants import length
from incidents.model import Incident
from incidents.periods import Period
from incidents.views.cohort import Cohort
from incidents.views.view import Unknowns

_HIGHEST = 420
"""Pixels of the highest drawing that a page holds beside its words."""
_LONGEST = 28
"""Letters from which on a column gets no more of the width."""
ROWS = 300
"""Most rows of one table; how many more there are is told."""
_STATUSES = ("open", "acknowledged", "mitigated", "resolved")
_PARTS = (
    ("lengths", "How long it took", ("lasted", "steps", "resolved")),
    ("detection", "How it was noticed", ("noticed",)),
    ("openings", "When incidents began", ("begun", "nights", "recurring")),
    ("providers", "Providers", ("lagging",)),
    ("weather", "Weather", ("warm",)),
)
"""Sections with the cards of the review that they hold."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a report is written from. `provider` is the one that it is about; `credits` name whom its data are of."""

    period: Period
    seen: Cohort
    unknowns: Unknowns = field(default_factory=Unknowns)
    provider: str = ""
    credits: tuple[str, ...] = ()
    address: str = ""


def of_provider(seen: Cohort, provider: str) -> Cohort:
    """Those incidents of a cohort that are linked with incidents of one provider, and its ledger alone."""
    ledgers = tuple(ledger for ledger in seen.ledgers if ledger.provider == provider)
    linked = {row.incident.id for ledger in ledgers for row in ledger.rows}
    return replace(seen, members=tuple(m for m in seen.members if m.incident.id in linked), ledgers=ledgers)


def compose(report: Report) -> Document:
    """The document that every format is written from; equal reports give equal documents."""
    seen, period = report.seen, report.period
    cards = {card.name: card for card in review.cards(seen)}
    sections = [_overview(report)]
    sections += [Section(key, title, (), _of_cards([cards[n] for n in names])) for key, title, names in _PARTS]
    sections.insert(-1, _warned(seen))
    sections.append(_not_known(report))
    where = _where(report)
    known = min(seen.until, seen.now).astimezone(UTC)
    return Document(
        title=f"Incidents, {period.title}",
        standing=f"Report on {where}",
        range=f"{words.span(seen.since, seen.until, seen.zone)}, {_zone(seen)}",
        notes=(_standing(report),),
        sections=tuple(sections),
        about=tuple(_about(report)),
        name="-".join(filter(None, ("report", period.name, seen.site.name if seen.site else "", report.provider))),
        at=known,
        foot=f"Barograph: incidents, {period.title}, {where}",
    )


def _where(report: Report) -> str:
    site = report.seen.site
    parts = [words.plain(site.title, 60)] if site else []
    parts += [f"provider {words.plain(report.provider, 60)}"] if report.provider else []
    return ", ".join(parts) or "all sites and providers"


def _zone(seen: Cohort) -> str:
    """The zone with its offset, and the one after it where the clocks change within the period."""
    if seen.zone == "UTC":
        return "UTC"
    labels = dict.fromkeys(words.zone_label(seen.zone, at) for at in (seen.since, seen.until))
    return f"{seen.zone} ({', then '.join(labels)})"


def _standing(report: Report) -> str:
    seen = report.seen
    said = f"{review.summary(seen)}."
    if seen.until > seen.now:
        said += f" The period is not over: this is what was known at {words.full(seen.now, seen.zone)}."
    return said


def _overview(report: Report) -> Section:
    seen = report.seen
    if not seen.incidents:
        return Section("incidents", "Incidents", (), (Paragraph("No incident opened in this period."),))
    by_status = Counter(incident.status for incident in seen.incidents)
    by_severity = Counter(incident.severity for incident in seen.incidents)
    parts = (
        ("By status", [(name, by_status[name]) for name in _STATUSES]),  # type: ignore[index]  # each is a status
        ("By severity", [(str(each), n) for each, n in sorted(by_severity.items(), key=lambda p: -p[0].rank)]),
    )
    told: list[Block] = [
        Paragraph(", ".join(f"{n:,} {name}" for name, n in counts if n) + ".", lead=lead) for lead, counts in parts
    ]
    rows = [_incident_row(incident, seen) for incident in seen.incidents]
    told += _table(("Began", "Incident", "Site", "Severity", "Alerts", "Until resolved"), rows)
    return Section("incidents", "Incidents", (), tuple(told))


def _incident_row(incident: Incident, seen: Cohort) -> tuple[str, ...]:
    titles = {site.name: words.plain(site.title, 40) for site in seen.sites}
    resolved = next(m for m in measurements.measure(incident) if m.name == "time_to_resolve")
    return (
        words.instant_at(words.began(incident).at, seen.zone),
        f"{words.plain(incident.title, 120)} ({incident.id})",
        ", ".join(titles.get(name, name) for name in incident.sites) or "no site",
        str(incident.severity),
        f"{incident.members.alerts:,}",
        words.measured(resolved),
    )


def _of_cards(cards: Sequence[Card]) -> tuple[Block, ...]:
    told: list[Block] = []
    for card in cards:
        told.append(Paragraph(card.note, lead=card.question))
        if card.empty:
            told.append(Paragraph(card.empty))
            continue
        told += _pictures(card)
        told += [Paragraph(card.foot)] if card.foot else []
        rows = [tuple(sheets.cell_text(cell) for cell in row) for row in card.rows]
        told += _table(card.columns, [row for row in rows if row[1:] != ("0",)])
    return tuple(told)


def _pictures(card: Card) -> list[Block]:
    """The drawing that fits the width of a page; none where it would take the page for itself."""
    drawing = dict(card.drawings).get("medium", "")
    if not drawing or sheets.size_of(drawing)[1] > _HIGHEST:
        return []
    return [Picture(sheets.painted(drawing, "print"), f"{card.question} {card.note}")]


def _table(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> list[Block]:
    if not rows:
        return []
    lengths = [max(len(name), *(len(row[n]) for row in rows)) for n, name in enumerate(columns)]
    # A column's name is set strong, and by other faces than ours where a document is read without them.
    shares = tuple(
        max(min(most, _LONGEST), int(len(name.split()[0]) * 1.4)) + 5
        for name, most in zip(columns, lengths, strict=True)
    )
    told: list[Block] = [Table(tuple(columns), tuple(rows[:ROWS]), shares)]
    if len(rows) > ROWS:
        left = count_of(len(rows) - ROWS, "further row")
        told.append(Paragraph(f"{left} left out; the review and the API have all of them."))
    return told


def _warned(seen: Cohort) -> Section:
    """Days on which an official warning was in force at a site, and what coincided."""
    days = sorted(seen.warned_days)
    opened = {words.local_day(incident.opened_at, seen.zone) for incident in seen.incidents}
    if not days:
        said: tuple[Block, ...] = (Paragraph("No official warning is recorded for a site in this period."),)
        return Section("warned", "Days with a warning", (), said)
    both = [day for day in days if day in opened]
    told = f"An official warning was in force at a site on {count_of(len(days), 'day')}; on {len(both)} of them an "
    told += "incident opened. They coincided; nothing more is said."
    rows = [(f"{day:%a} {day.day} {day:%b %Y}", "opened" if day in opened else "none") for day in days]
    return Section("warned", "Days with a warning", (), (Paragraph(told), *_table(("Day", "Incident"), rows)))


def _not_known(report: Report) -> Section:
    """What nobody said, what did not answer, and what could not be read."""
    seen, unknowns = report.seen, report.unknowns
    told: list[Block] = []
    missing = [
        (said, sum(getattr(incident, name) is None for incident in seen.incidents))
        for name, said in (
            ("impact_started_at", "when the impact began"),
            ("detected_at", "when it was detected"),
            ("acknowledged_at", "when it was acknowledged"),
            ("resolved_at", "when it was resolved"),
        )
    ]
    n = len(seen.incidents)
    items = [f"Of {k} of {count_of(n, 'incident')} it is not recorded {said}." for said, k in missing if k]
    unread = [(words.plain(source, 60), count) for source, count in unknowns.quarantined]
    items += [f"{count:,} deliveries of {source} could not be read." for source, count in unread]
    items += [
        f"{count:,} posts to {words.plain(source, 60)} were turned away: {words.plain(reason, 80).replace('_', ' ')}."
        for source, reason, count in unknowns.refused
    ]
    told += [Bullets(tuple(items))] if items else []
    rows = [
        (
            words.plain(gap.source, 60),
            words.span(gap.since, gap.until, seen.zone),
            length((gap.until - gap.since).total_seconds()),
            words.plain(gap.reason or "not known", 80),
        )
        for gap in unknowns.gaps
    ]
    told += _table(("Source", "Did not answer", "For", "Why"), rows)
    nothing = Paragraph("Every source that is polled answered, and everything was read.")
    return Section("not_known", "What was not known", (), tuple(told or [nothing]))


def _about(report: Report) -> list[str]:
    seen = report.seen
    about = [
        "Each number stands with its n; open incidents count as not yet ended. No mean is told.",
        "Percentiles are told from twenty ended lengths on, with intervals of 95 %.",
        "What coincided is shown; no cause is claimed.",
        "Times of alerts and posts are those of their sources, days those of the zone above.",
    ]
    if seen.left_out:
        about.append(f"{count_of(seen.left_out, 'older incident')} were too many to read.")
    about += [words.plain(each, 300) for each in report.credits]
    known = min(seen.until, seen.now).astimezone(UTC)
    about.append(f"As known at {known:%Y-%m-%d %H:%M} UTC" + (f", {shown(report.address)}" if report.address else ""))
    return about
