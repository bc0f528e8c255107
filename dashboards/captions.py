"""The words around an incident's figure: title, range and zone, what stands in for a picture, and the footer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dashboards.axis import (
    DASH,
    ClockChange,
    clock,
    clock_changes,
    day,
    day_in_full,
    moment,
    span,
    zone_letters,
    zone_of,
    zone_words,
)
from dashboards.dropped import dropped_words
from dashboards.typeface import clean
from dashboards.words import called, phase_lasting, phase_length
from dashboards.words import measured as measured_words
from incidents.cascade import CascadeStep
from incidents.views.view import IncidentView

CLOSING = "Marks share one time axis; none claims a cause."
_PLURALS = {
    "alert": ("alert", "alerts"),
    "hazard": ("official warning", "official warnings"),
    "provider_incident": ("provider incident", "provider incidents"),
    "change": ("change", "changes"),
}


@dataclass(frozen=True, slots=True)
class Footer:
    """Two columns, each a bold word and what follows it, and the lines that name the incident, bold the first."""

    made: tuple[str, str]
    sources: tuple[str, str]
    incident: tuple[str, ...]


def title(view: IncidentView) -> str:
    """The incident's title, one line, at most 110 characters."""
    return clean(view.incident.title, 110) or view.incident.id


def subtitle(view: IncidentView) -> str:
    """The range in the zone, its offset, the same in UTC, and as of when it is known."""
    zone, utc = zone_of(view.zone), zone_of("UTC")
    since, until = (f"{day_in_full(at, zone)} {clock(at, zone)}" for at in (view.since, view.until))
    where, after = zone_words(view.since, zone), zone_words(view.until, zone)
    if after != where:
        where += f", then {after}"
    if where != "UTC":
        where = f"{view.zone} ({where}); in UTC {span(view.since, view.until, utc, view.since)}"
    return f"{since} to {until}, {where}. {as_known(view, zone)}."


def counted(count: int, kind: str) -> str:
    """`1 alert`, `12,418 alerts`."""
    return f"{count:,} {_PLURALS[kind][count != 1]}"


def as_known(view: IncidentView, zone: ZoneInfo) -> str:
    """`As known on 20 July 2022 09:30 BST`."""
    at = view.as_of
    return f"As known on {day_in_full(at, zone)} {clock(at, zone)} {zone_letters(at, zone)}"


def described(view: IncidentView) -> str:
    """One or two sentences that say what the figure shows, for readers who cannot see it."""
    zone = zone_of(view.zone)
    words = (
        f"Timeline of {title(view)}, {span(view.since, view.until, zone, view.as_of)} {zone_words(view.since, zone)}: "
    )
    said = phases(view)
    return f"{words}{contents(view)}." + (f" Phases: {said}." if said else "")


def contents(view: IncidentView) -> str:
    """What the figure holds: "2 official warnings, 37 alerts, 11 entries"."""
    counts = Counter(bar.occurrence.kind for bar in view.bars)
    if view.density is not None:
        counts["alert"] = max(counts["alert"], view.density.total)
    parts = [counted(count, kind) for kind, count in counts.items() if count]
    parts.append(f"{len(view.marks)} {'entry' if len(view.marks) == 1 else 'entries'}")
    if view.gaps:
        parts.append(f"{len(view.gaps)} feed {'gap' if len(view.gaps) == 1 else 'gaps'}")
    return ", ".join(parts)


def phases(view: IncidentView) -> str:
    """The phases with their lengths: "impact 1 h 39 min, mitigated 8 h 12 min"; nothing where there is neither."""
    return ", ".join(
        phase_lasting(phase.name, view.incident, phase_length(phase))
        for phase in view.phases
        if phase.name in {"impact", "mitigated"}
    )


def reading(view: IncidentView, left_out: str = "") -> str:
    """The caption's third line: what is drawn, how long each phase took, what found no room, and how to read it."""
    said = phases(view)
    parts = [
        contents(view),
        *([said[0].upper() + said[1:]] if said else []),
        *([left_out] if left_out else []),
        CLOSING,
    ]
    return ". ".join(part.removesuffix(".") for part in parts) + "."


def at_length(view: IncidentView) -> str:
    """Everything that the drawing says in words, for its metadata: the long alternative to the picture."""
    zone = zone_of(view.zone)
    told = footer(view, address="", exported="")
    measured = [f"{called(each.name)}: {measured_words(each)}" for each in view.measurements]
    lines = [described(view), subtitle(view)]
    if view.cascade and view.cascade.steps:
        steps = [f"{step.words} {step_time(step, zone, view.since)}" for step in view.cascade.steps]
        lines.append(f"In the order of time: {', '.join(steps)}.")
    lines += [f"Measured: {'; '.join(measured)}."] if measured else []
    lines += [f"Clock change {moment(each.at, zone, view.since)}: {each.words}." for each in _changes(view)]
    lines += [" ".join(told.made), " ".join((told.sources[0], _every_source(view))), CLOSING]
    lines.append(f"{told.incident[0]}.")
    return " ".join(lines)


def step_time(step: CascadeStep, zone: ZoneInfo, beside: datetime) -> str:
    """When a step was, or the range it lies in: `13:36`, `13:00 – 14:00`, `about 13:00 – 14:00`."""
    about = "about " if step.is_about else ""
    if step.until is None or step.until == step.at:
        return f"{about}{moment(step.at, zone, beside)}"
    return f"{about}{span(step.at, step.until, zone, beside)}"


def _changes(view: IncidentView) -> list[ClockChange]:
    return clock_changes(view.since, view.until, zone_of(view.zone))


def footer(view: IncidentView, *, address: str, exported: str) -> Footer:
    """What stands beneath an export. `address` and `exported` are words of the caller, left out when empty."""
    incident = f"Incident {clean(view.incident.id, 60)}"
    incident += f", revision {view.revision[:12]}" if view.revision else ""
    return Footer(_made(view), ("Sources:", _sources(view)), tuple(filter(None, (incident, shown(address), exported))))


def shown(address: str) -> str:
    """An address as people read it on paper."""
    return clean(address, 160).removeprefix("https://").removeprefix("http://")


def _made(view: IncidentView) -> tuple[str, str]:
    """What of the picture was not observed, and where a whole record comes from that was played."""
    first, _, _ = view.provenance.partition("\n") if view.provenance else ("", "", "")
    told = clean(first, 420)
    unobserved = [series for series in view.series if series.basis != "observed"]
    bases = sorted({clean(series.basis, 20) for series in unobserved})
    if told and all(basis in told.lower() for basis in bases):
        return "Provenance:", told
    if not unobserved:
        return "Times:", "as each source gave them; the moment of receipt stands beside what was recorded late."
    names = ", ".join(sorted({clean(series.variable.rsplit("_", 1)[0].replace("_", " "), 20) for series in unobserved}))
    return f"{' and '.join(bases).capitalize()}:", f"{names}; these are not observations. {told}".strip()


def _sources(view: IncidentView) -> str:
    """Whom to credit and under which licence, who else spoke, and what is missing."""
    credited = [clean(credit, 160).removesuffix(".") for credit in view.credits]
    parts = ["; ".join([*credited, *_named(view)]) or "our own monitors and people", *_missing(view)]
    return ". ".join(parts) + "."


def _every_source(view: IncidentView) -> str:
    credited = [clean(credit, 600).removesuffix(".") for credit in view.credits]
    return ". ".join(["; ".join([*credited, *_named(view)]) or "our own monitors and people", *_missing(view)]) + "."


def _named(view: IncidentView) -> list[str]:
    """Sources of warnings and of providers' posts, by the names that they are configured under."""
    found = []
    for kind, said in (("hazard", "warnings"), ("provider_incident", "provider incidents")):
        names = sorted({clean(bar.occurrence.source, 30) for bar in view.bars if bar.occurrence.kind == kind})
        if names:
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            found.append(f"{said} by {', '.join(names[:4])}{more}")
    return found


def _missing(view: IncidentView) -> list[str]:
    """The unanswered stretches in words, the first three of them, and what nobody was asked."""
    zone = zone_of(view.zone)
    gaps = sorted(view.gaps, key=lambda gap: (gap.since, gap.source))
    said = [f"{clean(gap.source, 30)} missing {span(gap.since, gap.until, zone, view.since)}" for gap in gaps[:3]]
    if len(gaps) > 3:
        said.append(f"{len(gaps) - 3} more stretches missing")
    unasked = sorted({each.lane for each in view.coverage if each.lane and each.source is None})
    found = ["; ".join(said) + " (hatched)"] if said else []
    found += [f"Not asked: {', '.join(unasked)}"] if unasked else []
    return [*found, *([lost.removesuffix(".")] if (lost := dropped_words(view)) else [])]


def exported_words(view: IncidentView) -> str:
    """`known to 2022-07-20 08:30 UTC`: the instant that an export speaks of."""
    at = view.as_of.astimezone(UTC)
    return f"as of {at:%Y-%m-%d %H:%M} UTC"


def range_words(view: IncidentView) -> str:
    """The range with days and clocks, short for small screens."""
    zone = zone_of(view.zone)
    first, last = (day(at, zone) for at in (view.since, view.until))
    until = clock(view.until, zone) if first == last else f"{last} {clock(view.until, zone)}"
    return f"{first} {clock(view.since, zone)} {DASH} {until}"
