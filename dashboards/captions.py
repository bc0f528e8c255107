"""The words around an incident's figure: title, range and zone, what stands in for a picture, and the footer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC
from zoneinfo import ZoneInfo

from dashboards.axis import DASH, clock, day, day_in_full, length, moment, span, zone_letters, zone_of, zone_words
from dashboards.typeface import clean
from dashboards.words import phase_lasting
from incidents.views.view import IncidentView

_PLURALS = {
    "alert": ("alert", "alerts"),
    "hazard": ("official warning", "official warnings"),
    "provider_incident": ("provider incident", "provider incidents"),
    "change": ("change", "changes"),
}


@dataclass(frozen=True, slots=True)
class Footer:
    """Three columns: each a bold word and what follows it; the last is one line per item."""

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
    counts = Counter(bar.occurrence.kind for bar in view.bars)
    if view.density is not None:
        counts["alert"] = max(counts["alert"], view.density.total)
    parts = [counted(count, kind) for kind, count in counts.items() if count]
    parts.append(f"{len(view.marks)} {'entry' if len(view.marks) == 1 else 'entries'}")
    if view.gaps:
        parts.append(f"{len(view.gaps)} feed {'gap' if len(view.gaps) == 1 else 'gaps'}")
    words = (
        f"Timeline of {title(view)}, {span(view.since, view.until, zone, view.as_of)} {zone_words(view.since, zone)}: "
    )
    words += ", ".join(parts) + "."
    if view.cascade and view.cascade.steps:
        told = [f"{step.words} {moment(step.at, zone, view.since)}" for step in view.cascade.steps]
        words += f" In the order of time: {', '.join(told)}."
    phases = [
        phase_lasting(phase.name, view.incident, length(phase.seconds))
        for phase in view.phases
        if phase.name in {"impact", "mitigated"}
    ]
    return words + (f" Phases: {', '.join(phases)}." if phases else "")


def footer(view: IncidentView, *, address: str, exported: str) -> Footer:
    """What stands beneath an export. `address` and `exported` are words of the caller, left out when empty."""
    sources = "; ".join(clean(credit, 160) for credit in view.credits) or "our own monitors and people"
    lines = [f"Incident {clean(view.incident.id, 60)}", f"revision {view.revision[:12]}" if view.revision else ""]
    lines += [clean(address, 90), exported]
    return Footer(_made(view), ("Sources:", f"{sources}. {_missing(view)}".strip()), tuple(filter(None, lines)))


def _made(view: IncidentView) -> tuple[str, str]:
    """What of the picture was not observed, or where the whole record comes from."""
    closing = "Marks share one time axis; none claims a cause."
    if view.provenance:
        first, _, _ = view.provenance.partition("\n")
        return "Provenance:", f"{clean(first, 420)} {closing}"
    unobserved = [series for series in view.series if series.basis != "observed"]
    if not unobserved:
        return "Reading:", closing
    bases = " and ".join(sorted({clean(series.basis, 20) for series in unobserved}))
    names = ", ".join(sorted({clean(series.variable.rsplit("_", 1)[0].replace("_", " "), 20) for series in unobserved}))
    return f"{bases.capitalize()}:", f"{names}; these are not observations. {closing}"


def _missing(view: IncidentView) -> str:
    """The unanswered stretches in words, the first three of them."""
    zone = zone_of(view.zone)
    gaps = sorted(view.gaps, key=lambda gap: (gap.since, gap.source))
    said = [f"{clean(gap.source, 30)} missing {span(gap.since, gap.until, zone, view.since)}" for gap in gaps[:3]]
    if len(gaps) > 3:
        said.append(f"{len(gaps) - 3} more stretches missing")
    return "; ".join(said) + " (hatched)." if said else ""


def exported_words(view: IncidentView) -> str:
    """`known to 2022-07-20 08:30 UTC`: the instant that an export speaks of."""
    at = view.as_of.astimezone(UTC)
    return f"as of {at:%Y-%m-%d %H:%M} UTC"


def range_words(view: IncidentView) -> str:
    """The range with days and clocks, short for small screens."""
    zone = zone_of(view.zone)
    return f" {DASH} ".join(f"{day(at, zone)} {clock(at, zone)}" for at in (view.since, view.until))
