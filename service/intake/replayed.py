"""What a replay gives: incidents with links and timelines, as JSON, as text for a terminal, and as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dashboards import documents, sentences, words
from incidents import instants
from incidents.config import Config
from incidents.store import Store
from incidents.views import lists
from incidents.views.incident_view import Asked, gather
from incidents.views.view import IncidentView
from service.files import exports

MOST_LINES = 5000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that a played story left behind."""

    views: tuple[IncidentView, ...]
    quarantined: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """As `replay --json` prints it."""
        return {
            "incidents": [
                {
                    **documents.incident_fields(view.incident, view.measurements),
                    "timeline": [documents.line_fields(line) for line in view.lines[:MOST_LINES]],
                    "links": documents.link_rows(view),
                }
                for view in self.views
            ],
            "quarantined": list(self.quarantined),
        }


def outcome(store: Store, config: Config, now: datetime) -> Outcome:
    """Read everything back, incidents in the order in which they opened."""
    views = []
    with store.reading() as connection:
        for incident in reversed(lists.list_incidents(connection, lists.IncidentFilter(merged=True), 500)):
            view = gather(connection, config, incident.id, Asked(now), sentences.sentence)
            assert view is not None
            views.append(view)
        rows = lists.list_deliveries(connection, state="quarantined", source=None, before=None, limit=500)
    quarantined = [{"at": instants.text(r.received_at), "source": r.source, "reason": r.reason} for r in reversed(rows)]
    return Outcome(tuple(views), tuple(quarantined))


def outcome_text(found: Outcome) -> str:
    """For a terminal."""
    parts = [view_text(view) for view in found.views] or ["no incident"]
    parts += [f"quarantined {row['at']} {row['source']}: {row['reason']}" for row in found.quarantined]
    return "\n\n".join(parts)


def view_text(view: IncidentView) -> str:
    """One incident for a terminal: its facts, its links with their reasons, its lines in its zone."""
    return "\n".join(_text(view))


def _text(view: IncidentView) -> Iterator[str]:
    incident = view.incident
    yield f"{incident.id}  {incident.title}"
    sites = ", ".join(incident.sites) or "no site"
    yield f"  {incident.status}, {incident.severity}, {sites}, {words.count(incident.members.alerts, 'alert')}"
    for measurement in view.measurements:
        yield f"  {measurement.name}: {words.measured(measurement)}"
    bars = {bar.occurrence.id: bar.occurrence for bar in view.bars}
    for link in incident.links:
        title = bars[link.id].title if link.id in bars else link.id
        yield f"  link, {link.state}: {title}: {link.evidence.tier}, {link.evidence.score:.1f} bits"
        for reason in link.evidence.reasons:
            yield f"    {reason.bits:+5.1f}  {reason.sentence}"
    yield f"  times in {view.zone}"
    for line in view.lines[:MOST_LINES]:
        yield (
            f"  {words.full(line.happened_at, view.zone)}  {line.lane:<9} {line.text}  [{line.actor}]"
            + ("  late" if line.late else "")
        )


def write_exports(found: Outcome, folder: Path) -> Iterator[Path]:
    """Write every export of every incident into a folder; the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for view in found.views:
        for form in exports.KINDS:
            name, _, content = exports.export(view, form)
            path = folder / name
            path.write_bytes(content)
            yield path
