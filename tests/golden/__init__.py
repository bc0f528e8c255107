"""The shipped stories as they must read: played into an empty store and written out, one file for each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from dashboards import words
from incidents.model import Moment
from incidents.store import Store
from incidents.views.view import IncidentView, Line
from service.intake.replayed import Outcome, outcome
from service.replay import Player, Story, story_of

FOLDER = Path(__file__).parent
STORIES = Path(__file__).parent.parent.parent / "service" / "stories"
NAMES = tuple(sorted(path.stem for path in STORIES.glob("*.json")))
LOADED_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
"""The now of a relative story; the past ones are over long before."""
TEXT = 160
"""Characters of a line's text that are compared."""
MILESTONES = ("impact_started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at")


def story(name: str) -> Story:
    """A shipped story, a relative one placed at `LOADED_AT`."""
    return story_of((STORIES / f"{name}.json").read_bytes(), name, LOADED_AT)


def played(name: str, store: Store) -> Outcome:
    """What a shipped story leaves in an empty store."""
    told = story(name)
    Player(store).play(told, LOADED_AT)
    return outcome(store, told.config, LOADED_AT)


def text(found: Outcome) -> str:
    """An outcome as a golden file has it; all times are UTC."""
    parts = ["\n".join(_told(view)) for view in found.views]
    parts += [f"quarantined {row['at']} {row['source']}: {row['reason']}" for row in found.quarantined]
    return "\n\n".join(parts) + "\n"


def _told(view: IncidentView) -> Iterator[str]:
    incident = view.incident
    yield f"# {incident.id}: {incident.title}"
    alerts = words.count(incident.members.alerts, "alert")
    yield f"{incident.status}, {incident.severity}, {alerts}, by {incident.opened_by}"
    for name in MILESTONES:
        moment: Moment | None = getattr(incident, name)
        if moment:
            yield f"{name}: {_at(moment.at)}" + (f" to {_at(moment.until)}" if moment.until else "")
    for measurement in view.measurements:
        yield f"{measurement.name}: {words.measured(measurement)}"
    titles = {bar.occurrence.id: bar.occurrence.title for bar in view.bars}
    for link in incident.links:
        yield f"link {link.state}: {link.evidence.tier} {link.evidence.score:.1f} {titles[link.id]}"
    yield ""
    for line in view.lines:
        yield _line(line)


def _line(line: Line) -> str:
    when = _at(line.happened_at) + (f" to {_at(line.happened_until)}" if line.happened_until else "")
    marks = "".join(f" ({mark})" for mark in ("late", "corrected", "pinned") if getattr(line, mark))
    return f"{when} {line.lane}/{line.kind} {words.plain(line.text, TEXT)}{marks}"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"


def path(name: str) -> Path:
    """Where the golden text of a story is kept."""
    return FOLDER / f"{name}.txt"
