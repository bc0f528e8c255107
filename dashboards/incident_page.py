"""The page of one incident: its facts, its figure, its links and its lines, with every control's address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import urlencode

from dashboards import lines_shown, rows, sentences, words
from dashboards.coverage import coverage_rows
from dashboards.dropped import dropped_words
from dashboards.figure import slider_of
from dashboards.paper import bar_scale, by_phase, standing
from dashboards.paper import signed_in as _page
from incidents import instants, provider_lag, revisions
from incidents.amendments import MOVES, Amendments
from incidents.model import Incident, Link, Moment, Occurrence
from incidents.views.view import IncidentView, Line, Phase, Viewer

EXPORTS = (
    ("pdf", "PDF, A4"),
    ("svg", "SVG"),
    ("png", "PNG"),
    ("html", "HTML, one file"),
    ("md", "Markdown"),
    ("csv", "CSV"),
    ("json", "JSON"),
    ("ics", "Calendar"),
)


ROWS = 200
"""Most lines of a timeline on one page."""
_NOTHING: Mapping[str, str] = {}
_UNAMENDED = Amendments()
_STEPS = {"open": "acknowledged", "acknowledged": "mitigated", "mitigated": "resolved", "resolved": "open"}
_PHASE_STARTS = {"impact": "impact", "mitigated": "mitigated", "resolved": "resolved"}
"""The milestone with which each phase begins, by the key of its form."""
_MILESTONES = (
    ("impact", "Impact began", "impact_started_at"),
    ("detected", "Detected", "detected_at"),
    ("acknowledged", "Acknowledged", "acknowledged_at"),
    ("mitigated", "Mitigated", "mitigated_at"),
    ("resolved", "Resolved", "resolved_at"),
)


def incident_page(
    view: IncidentView,
    viewer: Viewer,
    *,
    phone_svg: str,
    alt: str,
    figure_url: str,
    figure_height: int = 760,
    query: Mapping[str, str] = _NOTHING,
    amended: Amendments = _UNAMENDED,
    frozen_at: datetime | None = None,
) -> str:
    """`phone_svg` is SVG of our own making; `figure_url` answers with a Plotly figure for `?theme=&width=`.

    `query` is the address's own: the page counted from 1, the sorts of lines that are hidden, where a new entry
    would stand (`at`). A permalink tells what was known at `frozen_at`.
    """
    incident = view.incident
    found = lines_shown.shown(view.lines, {**query, **_known(view)}, f"/incidents/{incident.id}")
    kept = found.lines
    page = lines_shown.page_of(kept, query, ROWS)
    view = replace(
        view, lines=kept[(page - 1) * ROWS : page * ROWS], more_lines=str(page + 1) if len(kept) > page * ROWS else None
    )
    weighty = sorted((link for link in incident.links if _is_weighty(link)), key=standing)
    pinned = sum(line.pinned for line in kept)
    last = tuple(reversed(kept[-5:]))
    occurrences = {bar.link.id: bar.occurrence for bar in view.bars if bar.link}
    occurrences |= {bar.occurrence.id: bar.occurrence for bar in view.bars}
    places, new_days = lines_shown.places_between(view.lines, view.zone), _new_days(view.lines, view.zone)
    printed = _page(
        "incident.html",
        replace(viewer, csrf=rows.FORM_TOKEN),
        view.since,
        view=view,
        zone=view.zone,
        phone_svg=phone_svg,
        alt=alt,
        figure_url=figure_url,
        figure_height=figure_height,
        facts=_facts(view),
        statements=_statements(view),
        all_ended=_all_ended(view),
        asked=coverage_rows(view),
        provenance=_provenance(view),
        exports=EXPORTS,
        dropped=dropped_words(view),
        export_query="?" + urlencode({"tz": view.zone, **_known(view)}),
        export_kept=tuple({"tz": view.zone, **_known(view), **_window(view)}.items()),
        permalink="?" + urlencode(_frozen(view, query, frozen_at or view.as_of)),
        following=_STEPS[incident.status],
        amended=amended,
        responders=_responders(incident, amended),
        link_state={link.id: link.state for link in incident.links},
        moves=MOVES,
        query=query,
        windows=incident.impact_windows,
        places=places,
        row_of=rows.rows_of(view, viewer, places=places, new_days=new_days),
        prefill=query.get("at", "")[:19],
        diff_of=revisions.diff,
        text_of=lines_shown.text_of,
        undo_words=_undo_words(amended),
        phase_starts=_PHASE_STARTS,
        groups=by_phase(view.lines, view.phases),
        phase_words=lambda phase: _phase_words(phase, view),
        new_days=new_days,
        last=last,
        last_days=_new_days(last, view.zone),
        line_count=len(kept),
        found=found,
        pinned_only=pinned >= 3 and len(kept) > 40,
        timeline_words=_timeline_words(len(kept), pinned),
        more=_href(view, {**_without(query, "line", "at"), "page": str(page + 1)}) + "#timeline",
        weighty=weighty,
        slight=[link for link in incident.links if not _is_weighty(link)],
        scale=bar_scale(weighty),
        occurrence_of=lambda link: occurrences.get(link.id),
        link_title=lambda link: _link_title(link, occurrences),
        lag_of=lambda link: _lag(incident, occurrences.get(link.id)),
        slider=slider_of(view),
        local_input=lambda at: lines_shown.local_input(at, view.zone),
        around=lambda at, minutes: _around(view, at, timedelta(minutes=minutes)),
        **_moves(view),
    )
    return printed.replace(rows.FORM_TOKEN, escape(viewer.csrf))


def _facts(view: IncidentView) -> list[dict[str, Any]]:
    """The milestones in order: value and words beside it, or what stands in for one that is missing."""
    incident = view.incident
    start: Moment | None = None
    facts: list[dict[str, Any]] = []
    for key, name, field in _MILESTONES:
        known: Moment | None = getattr(incident, field)
        if known is None:
            missing = "not recorded" if incident.status == "resolved" or key == "impact" else "not yet"
            facts.append(
                {
                    "key": key,
                    "name": name,
                    "field": field,
                    "value": "",
                    "beside": missing,
                    "at": None,
                    "until": None,
                    "long": False,
                }
            )
            continue
        first = start is None
        start = start or known
        facts.append(
            {
                "key": key,
                "name": name,
                "field": field,
                "at": known.at,
                "until": known.until,
                **_told(known, start, view.zone, first=first),
            }
        )
    return facts


def _told(known: Moment, start: Moment, zone: str, *, first: bool) -> dict[str, Any]:
    """A milestone's clock with its day and distance beside it; of one over several days each end has its own day."""
    passed = "" if first else words.after(known, start)
    if known.until is not None and words.local_day(known.until, zone) != words.local_day(known.at, zone):
        value = words.span(known.at, known.until, zone) if first else words.moment(known, zone, beside=start.at)
        # A line breaks between the ends of the range, never within one of them.
        value = " – ".join(end.replace(" ", "\N{NO-BREAK SPACE}") for end in value.split(" – "))
        return {"value": value, "beside": passed, "long": True}
    value = words.moment(known, zone, beside=known.at)
    if first:
        return {"value": value, "beside": words.day(known.at, zone), "long": False}
    same_day = words.local_day(known.at, zone) == words.local_day(start.at, zone)
    beside = passed if same_day else f"{words.short_day(known.at, zone)}, {passed}"
    return {"value": value, "beside": beside, "long": False}


def _responders(incident: Incident, amended: Amendments) -> list[str]:
    """Who works on it: those who were named, then those who acted without being named."""
    return list(dict.fromkeys([*incident.responders, *map(words.who, amended.responders)]))


def _statements(view: IncidentView) -> str:
    late, members = sum(line.late for line in view.lines), view.incident.members
    parts = ["alert" if members.alerts == 1 else "alerts"]
    parts += [f"{members.on:,} still on"] if 0 < members.on < members.alerts else []
    parts += [words.count(len(view.gaps), "feed gap")] if view.gaps else []
    parts += [words.count(late, "late arrival")] if late else []
    return ", ".join(parts)


def _all_ended(view: IncidentView) -> str:
    """That no alert is on any more though the incident is not over: nobody should wait for one that has ended."""
    incident, members = view.incident, view.incident.members
    if incident.status == "resolved" or incident.merged_into or not members.alerts or members.on:
        return ""
    whose = "Its only alert has ended" if members.alerts == 1 else f"All of its {members.alerts:,} alerts have ended"
    if members.last_ends_at is None:
        return f"{whose}; the incident is still {incident.status}."
    when = words.moment(members.last_ends_at, view.zone, beside=view.since)
    last = "" if members.alerts == 1 else "the last "
    ends = [bar.occurrence for bar in view.bars if bar.occurrence.ends_at == members.last_ends_at]
    assumed = " (assumed: its source gave no time)" if ends and all(said.ends_assumed for said in ends) else ""
    return f"{whose}, {last}at {when}{assumed}; the incident is still {incident.status}."


def _timeline_words(lines: int, pinned: int) -> str:
    if pinned >= 3 and lines > 40:
        return f"{pinned} of {lines:,} lines, the pinned ones"
    return f"{lines:,} line{'' if lines == 1 else 's'}, in the order things happened"


def _provenance(view: IncidentView) -> tuple[str, str]:
    """A story's note: its first line, and the others, whole."""
    first, _, rest = words.clean(view.provenance or "").partition("\n")
    return first.strip(), rest.strip()


def _phase_words(phase: Phase, view: IncidentView) -> str:
    if phase.name == "before":
        return f"until {words.moment(phase.until, view.zone, beside=view.since)}"
    since = words.moment(Moment(phase.since, phase.since_until), view.zone, beside=view.since)
    if phase.since <= view.since:  # the window begins in the middle of it
        since = f"before {since}"
    return f"since {since}" if words.phase_called(phase.name, view.incident) == phase.name else since


def _new_days(lines: Sequence[Line], zone: str) -> set[str]:
    """The ids of lines that are the first of their local day, so that a bare clock time is never ambiguous."""
    found = set()
    day = None
    for line in lines:
        if words.local_day(line.happened_at, zone) != day:
            day = words.local_day(line.happened_at, zone)
            found.add(line.id)
    return found


def _is_weighty(link: Link) -> bool:
    """Whether a link is shown with its reasons: it weighs more than context, or a person made it or judged it."""
    judged = link.state in ("confirmed", "attributed", "rejected")
    return link.evidence.tier != "context" or judged or link.proposed_by.startswith("user:")


def _lag(incident: Incident, theirs: Occurrence | None) -> list[str]:
    """How far the provider's words ran behind what we saw, a sentence each; none for what is no provider incident."""
    if theirs is None or theirs.kind != "provider_incident":
        return []
    return [words.lagged(one) for one in provider_lag.lag(incident, theirs).measurements]


def _link_title(link: Link, occurrences: Mapping[str, Occurrence]) -> str:
    occurrence = occurrences.get(link.id)
    return occurrence.title if occurrence else f"Occurrence {link.id}"


def _known(view: IncidentView) -> dict[str, str]:
    return {"as_of": instants.text(view.as_of)} if view.as_known else {}


def _window(view: IncidentView) -> dict[str, str]:
    return {"from": instants.text(view.since), "to": instants.text(view.until)}


def _frozen(view: IncidentView, query: Mapping[str, str], at: datetime) -> dict[str, str]:
    """What a permalink says: the sorts that are shown, and every time and zone as it is now, absolute."""
    kept = {name: query[name] for name in ("hide", "lines", "page") if name in query}
    times = {"from": view.since, "to": view.until, "as_of": view.as_of if view.as_known else at}
    return {**kept, "tz": view.zone, **{name: instants.text(value) for name, value in times.items()}}


def _undo_words(amended: Amendments) -> str:
    """What the reader did last, in a sentence; nothing where that cannot be undone."""
    if not amended.last_act:
        return ""
    told = [sentences.sentence(entry.kind, entry.params) for entry in amended.last_act]
    return told[0] if len(told) == 1 else f"{told[0]}, and {words.count(len(told) - 1, 'more entry', 'more entries')}"


def _without(query: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in query.items() if name not in names}


def _href(view: IncidentView, query: Mapping[str, str]) -> str:
    """The page with what `query` asks for and nothing else, but for the moment of knowledge."""
    asked = {name: value for name, value in {**query, **_known(view)}.items() if value}
    return f"/incidents/{view.incident.id}" + (f"?{urlencode(asked)}" if asked else "")


def _moves(view: IncidentView) -> dict[str, str]:
    """Where the controls lead: half a range earlier or later, half or twice of it, and the whole incident."""
    half = (view.until - view.since) / 2
    return {
        "earlier": _range(view, -half, -half),
        "later": _range(view, half, half),
        "closer": _range(view, half / 2, -half / 2),
        "further": _range(view, -half, half),
        "fit": _href(view, {}) + "#figure",
    }


def _around(view: IncidentView, at: datetime, margin: timedelta) -> str:
    """Where the window around an instant is shown; where the calendar ends, the window as it is."""
    try:
        since, until = at - margin, at + margin
    except OverflowError:
        return _range(view, timedelta(), timedelta())
    # A page has hundreds of these, and `urlencode` takes longer than all else that is done for one.
    first, last = (instants.text(end).replace(":", "%3A") for end in (since, until))
    known = f"&{urlencode(_known(view))}" if view.as_known else ""
    return f"/incidents/{view.incident.id}?from={first}&to={last}{known}#figure"


def _range(view: IncidentView, since: timedelta, until: timedelta) -> str:
    """The window with its ends moved by so much, by at least a second in all; as it is where the calendar ends."""
    try:
        ends = view.since + since, max(view.until + until, view.since + since + timedelta(seconds=1))
    except OverflowError:
        ends = view.since, view.until
    return _href(view, {"from": instants.text(ends[0]), "to": instants.text(ends[1])}) + "#figure"
