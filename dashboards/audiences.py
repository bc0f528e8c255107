"""Who a postmortem is for: what the internal, the customer and the public version leave out, and how each says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dashboards import sentences, words
from dashboards.recorded import roles_of
from incidents import instants
from incidents.postmortem import TEMPLATE
from incidents.postmortem_templates import STANDARD, Part, Template, layout_of

Audience = Literal["internal", "customer", "public"]
AUDIENCES: tuple[Audience, ...] = get_args(Audience)

_SECTIONS: Mapping[Audience, tuple[str, ...]] = {
    "internal": (),
    "customer": ("went_well", "was_hard", "not_known", "open_questions"),
    "public": ("detection", "went_well", "was_hard", "not_known", "open_questions"),
}
"""Sections of people's words that a version leaves out."""
_LEFT_OUT: Mapping[Audience, tuple[str, ...]] = {
    "internal": (),
    "customer": (
        "the sections What went well, What was hard, What we did not know then and Open questions",
        "owners of actions",
        "the incident's title in the record, unless the postmortem has a title of its own",
        "the chart, which names alerts",
        "alerts, notes and changes: the timeline keeps statuses and linked outside occurrences",
        "links that nobody confirmed or attributed, and the reasons of those that stay",
        "feeds that did not answer, what was recorded late, and the way back to deliveries",
    ),
    "public": (
        "the sections Detection, What went well, What was hard, What we did not know then and Open questions",
        "owners and due days of actions",
        "the incident's title in the record, unless the postmortem has a title of its own",
        "the chart, which names alerts",
        "sites, services, the count of alerts, and the times of detection and acknowledgement",
        "alerts, notes and changes: the timeline keeps mitigated, resolved and linked outside occurrences",
        "links that nobody confirmed or attributed, and the reasons of those that stay",
        "feeds that did not answer, what was recorded late, and the way back to deliveries",
    ),
}
_STATUSES: Mapping[Audience, tuple[str, ...]] = {
    "customer": ("open", "acknowledged", "mitigated", "resolved"),
    "public": ("mitigated", "resolved"),
}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a postmortem: the facts and words that its audience gets, and what they do not get."""

    audience: Audience
    names: bool
    facts: Mapping[str, Any]
    words: Mapping[str, Any]
    authors: tuple[str, ...]
    left_out: tuple[str, ...]
    layout: Template = STANDARD


def is_for(audience: Audience, part: Part) -> bool:
    """Whether a version has a section: of one's own only those that say so."""
    if part.is_own:
        return audience == "internal" or audience in part.audiences
    return part.key not in _SECTIONS[audience]


def left_out(audience: Audience, *, names: bool = False, layout: Template = STANDARD) -> tuple[str, ...]:
    """What a version leaves out, in words, before anybody exports it."""
    own = [words.plain(part.title) for part in layout.parts if part.is_own and not is_for(audience, part)]
    inside = (f"the sections of the template's own {', '.join(own)}",) if own else ()
    unnamed = (
        "names of people whom the record knows: they are told by role; names within texts stay as they were written"
    )
    return (*(() if names else (unnamed,)), *inside, *_LEFT_OUT[audience])


def version_for(
    audience: Audience,
    facts: Mapping[str, Any],
    words_: Mapping[str, Any],
    authors: tuple[str, ...],
    *,
    names: bool = False,
) -> Version:
    """The version for an audience. Everything that any format shows comes from it, so none can show more."""
    layout = layout_of(words_)
    told = {"title", *(part.key for part in layout.parts if is_for(audience, part))}
    kept = {name: value for name, value in words_.items() if name in told and name != TEMPLATE}
    shown = dict(facts) if names else _unnamed(facts)
    if audience != "internal":
        shown = _outward(shown, audience)
        if "actions" in kept:
            kept["actions"] = [_outward_action(action, audience) for action in kept["actions"]]
    by_role = _roles(facts, authors)
    writers = authors if names else tuple(by_role.get(author, author) for author in authors)
    return Version(audience, names, shown, kept, writers, left_out(audience, names=names, layout=layout), layout)


def _roles(facts: Mapping[str, Any], authors: tuple[str, ...] = ()) -> dict[str, str]:
    actors = [line["actor"] for line in facts["timeline"]]
    judges = [link[key] for link in facts["links"] for key in ("proposed_by", "judged_by")]
    return roles_of([*actors, *judges, facts["opened_by"], *authors])


def _unnamed(facts: Mapping[str, Any]) -> dict[str, Any]:
    by_role = _roles(facts)

    def called(actor: str | None) -> str | None:
        return by_role.get(actor, actor) if actor else actor

    lines = []
    for line in facts["timeline"]:
        text = "Owner changed" if line["params"].get("field") == "owner" else line["text"]
        lines.append({**line, "actor": called(line["actor"]), "text": text})
    links = [
        {**link, "proposed_by": called(link["proposed_by"]), "judged_by": called(link["judged_by"])}
        for link in facts["links"]
    ]
    incident = {**facts["incident"], "owner": "assigned" if facts["incident"]["owner"] else None}
    return {**facts, "timeline": lines, "links": links, "incident": incident, "opened_by": called(facts["opened_by"])}


def _outward(facts: Mapping[str, Any], audience: Audience) -> dict[str, Any]:
    """The facts for people outside: what they felt and what is public anyway."""
    incident = facts["incident"]
    opened = instants.parse(incident["opened_at"])
    assert opened is not None
    links = [_outward_link(link) for link in facts["links"] if link["state"] in ("confirmed", "attributed")]
    dropped: dict[str, Any] = {"owner": None}
    if audience == "public":
        dropped |= {"sites": [], "services": [], "alerts": None, "detected_at": None, "acknowledged_at": None}
        dropped |= {"measurements": []}
    return {
        **facts,
        "incident": {
            **incident,
            "title": f"Incident of {words.day(opened, facts['zone'])}",
            "version": None,
            **dropped,
        },
        "opened_by": None,
        "sites": [] if audience == "public" else facts["sites"],
        "timeline": sorted(
            _outward_lines(facts["timeline"], audience) + _occurrence_lines(links),
            key=lambda line: (line["happened_at"], line["id"]),
        ),
        "timeline_total": None,
        "links": links,
        "gaps": [],
        "alt": "",
    }


def _outward_lines(lines: list[dict[str, Any]], audience: Audience) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        status = line["params"].get("status")
        if line["kind"] == "status_changed" and status in _STATUSES[audience]:
            said = sentences.sentence("status_changed", {"status": status})
            found.append(_bare({**line, "text": said, "actor": ""}))
    return found


def _occurrence_lines(links: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line for each linked occurrence that was read, at its start."""
    found = []
    for link in links:
        occurrence = link["occurrence"]
        if occurrence:
            line = {
                "id": link["id"],
                "happened_at": occurrence["starts_at"],
                "happened_until": None,
                "lane": "outside",
                "kind": occurrence["kind"],
                "text": f"Coincided with {occurrence['title']}",
                "actor": "",
                "severity": "unknown",
            }
            found.append(_bare(line))
    return found


def _bare(line: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("id", "happened_at", "happened_until", "lane", "kind", "text", "actor", "severity")
    bare = {name: line[name] for name in kept}
    return {**bare, "recorded_at": None, "late": False, "corrected": False, "count": 1, "params": {}}


def _outward_link(link: Mapping[str, Any]) -> dict[str, Any]:
    occurrence = link["occurrence"] and {**link["occurrence"], "source": None, "key": None}
    dropped: dict[str, Any] = {"reasons": [], "would_change": "", "proposed_by": None, "judged_by": None, "note": None}
    return {**link, **dropped, "occurrence": occurrence}


def _outward_action(action: Mapping[str, Any], audience: Audience) -> dict[str, Any]:
    return {**action, "owner": "", "due": None if audience == "public" else action["due"]}
