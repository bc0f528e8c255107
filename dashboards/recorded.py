"""What the record itself says for a postmortem: facts as plain JSON that can be frozen, and what differs later.

Facts are read, never typed: people's words stand beside them and change none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dashboards import captions, words
from dashboards.documents import MILESTONES, incident_fields, line_fields, link_rows
from dashboards.lines_shown import BOOKKEEPING
from dashboards.svg import incident_svg
from incidents import instants, timeline
from incidents.views.view import IncidentView, Line

LINES = 250
"""Most lines of the timeline that a postmortem shows; the timeline's own exports have all."""
UNTOLD = BOOKKEEPING | {"postmortem_state_changed"}
_OUTSIDE = ("hazard", "provider_incident", "post", "change")
_DIFFERENCES = 20


def facts(view: IncidentView) -> dict[str, Any]:
    """The record's facts, equal for equal records but for `as_of`, `to` and `revision`."""
    told = [line for line in view.lines if line.kind not in UNTOLD]
    shown = _chosen(told)
    return {
        "incident": incident_fields(view.incident, view.measurements),
        "opened_by": view.incident.opened_by,
        "sites": [site.title for site in view.sites],
        "timeline": [_line(line) for line in shown],
        "timeline_total": len(told),
        "links": [_link(row) for row in link_rows(view)],
        "gaps": [
            {"source": gap.source, "from": instants.text(gap.since), "to": instants.text(gap.until)}
            for gap in view.gaps
        ],
        "zone": view.zone,
        "from": instants.text(view.since),
        "to": instants.text(view.until),
        "as_of": instants.text(view.as_of),
        "credits": list(view.credits),
        "provenance": view.provenance,
        "revision": view.revision,
        "alt": captions.described(view),
    }


def drawings(view: IncidentView) -> dict[str, str]:
    """The incident's chart as SVG, with people by their role and with their names."""
    return {"roles": drawing(view), "names": drawing(view, names=True)}


def drawing(view: IncidentView, *, names: bool = False) -> str:
    """One of the two."""
    if names:
        return incident_svg(view)
    by_role = by_roles(view.lines)
    people = [replace(line, actor=by_role.get(line.actor, line.actor)) for line in view.lines if line.lane == "people"]
    return incident_svg(replace(view, marks=timeline.marks(people)))


def by_roles(lines: Iterable[Line]) -> dict[str, str]:
    """What each person among the actors is called where names are left out, numbered in the order they appear."""
    return roles_of(line.actor for line in lines)


def roles_of(actors: Iterable[str | None]) -> dict[str, str]:
    """As `by_roles`, of bare actors; rules, sources and adapters keep their names."""
    people = dict.fromkeys(actor for actor in actors if actor and actor.startswith("user:"))
    return {actor: f"user:responder {n}" for n, actor in enumerate(people, 1)}


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What a reader of the frozen facts would find otherwise today, in sentences; empty where nothing is."""
    found = _milestone_differences(was, now)
    found += _line_differences(was["timeline"], now["timeline"])
    found += _link_differences(was["links"], now["links"])
    if len(found) > _DIFFERENCES:
        found = [*found[:_DIFFERENCES], f"and {words.count(len(found) - _DIFFERENCES, 'more difference')}"]
    return found


def _milestone_differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    found = []
    for name in ("title", "status", "severity", *MILESTONES, "impact_windows", "services", "owner", "alerts"):
        before, after = was["incident"][name], now["incident"][name]
        if before != after:
            what = words.called(name).capitalize()
            found.append(f"{what}: {told_of(before, was['zone'])}, now {told_of(after, now['zone'])}")
    return found


def _line_differences(was: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[str]:
    before, after = {line["id"]: line for line in was}, {line["id"]: line for line in now}
    found = [f"New in the timeline: {_told_line(line)}" for name, line in after.items() if name not in before]
    found += [f"No longer in the timeline: {_told_line(line)}" for name, line in before.items() if name not in after]
    for name in before.keys() & after.keys():
        if any(before[name][key] != after[name][key] for key in ("text", "happened_at", "happened_until")):
            found.append(f"Changed in the timeline: {_told_line(after[name])}")
    return sorted(found)


def _link_differences(was: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[str]:
    before = {link["id"]: (link["state"], link["tier"]) for link in was}
    found = []
    for link in now:
        known = before.get(link["id"])
        if known != (link["state"], link["tier"]):
            earlier = f", was {known[1]}, {known[0]}" if known else ", a new link"
            found.append(f"Link to {words.plain(link['title'], 80)}: {link['tier']}, {link['state']}{earlier}")
    return found


def told_of(value: Any, zone: str) -> str:  # noqa: ANN401  # JSON
    """A field of the incident in words: an instant, a range, a list, or "not recorded"."""
    if value in (None, "", []):
        return "not recorded"
    if isinstance(value, list):
        return ", ".join(told_of(each, zone) for each in value)
    if isinstance(value, Mapping):
        return " – ".join(told_of(value[end], zone) for end in ("at", "until") if value.get(end))
    at = instants.parse(value) if isinstance(value, str) and value.endswith("Z") and value[4:5] == "-" else None
    return f"{words.instant_at(at, zone)} {words.zone_letters(zone, at)}" if at else words.plain(str(value), 200)


def _told_line(line: Mapping[str, Any]) -> str:
    at = instants.parse(line["happened_at"])
    assert at is not None
    return f"{words.instant_at(at, 'UTC')} UTC, {words.plain(line['text'], 120)}"


def _line(line: Line) -> dict[str, Any]:
    params = line.trace.params or {}
    named = {name: params[name] for name in ("status", "field") if isinstance(params.get(name), str)}
    return line_fields(line) | {"text": words.plain(line.text), "params": named}


def _link(row: Mapping[str, Any]) -> dict[str, Any]:
    """A link of the API with a title even where its occurrence was not read."""
    occurrence = row["occurrence"]
    title = occurrence["title"] if occurrence else f"Occurrence {row['id']}"
    return {**row, "title": words.plain(title)}


def _chosen(lines: Sequence[Line]) -> list[Line]:
    """The lines in order; of too many, those that weigh most: people's, then the outside world's, then grave alerts."""
    if len(lines) <= LINES:
        return list(lines)
    kept = {line.id for line in sorted(lines, key=_weight)[:LINES]}
    return [line for line in lines if line.id in kept]


def _weight(line: Line) -> tuple[int, int]:
    if line.pinned or line.lane == "people":
        return 0, 0
    if line.kind.removesuffix("_changed").removesuffix("_ended") in _OUTSIDE:
        return 1, 0
    return 2, -line.severity.rank
