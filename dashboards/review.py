"""The review's cards: each a question, the answer drawn for three widths, what it rests on, and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from itertools import zip_longest
from urllib.parse import urlencode

from dashboards import lengths, openings, rates
from dashboards.axis import DEGREE, MINUS
from dashboards.captions import Footer, shown
from dashboards.paper import signed_in
from dashboards.plates import MEDIUM, NARROW, WIDE, Card, Cells, Plate, Rows
from dashboards.words import began, count, day, instant_at, lasted, local_day, moment, plain, zone_label
from incidents import instants
from incidents.instants import length
from incidents.model import Incident, Measurement
from incidents.views import cohort, durations
from incidents.views.cohort import Cohort
from incidents.views.durations import Length, Percentile, Step
from incidents.views.view import Viewer

MEASURED = (
    ("time_to_detect", "Until detected"),
    ("time_to_acknowledge", "Until acknowledged"),
    ("time_to_mitigate", "Until mitigated"),
    ("time_to_resolve", "Until resolved"),
)


def review_page(seen: Cohort, viewer: Viewer) -> str:
    """The page of a cohort."""
    return signed_in(
        "review.html",
        viewer,
        seen.now,
        seen=seen,
        cards=cards(seen),
        summary=summary(seen),
        window=window_words(seen),
        query=file_query(seen),
        ranges=ranges(seen),
        last_day=local_day(min(seen.until, seen.now), seen.zone).isoformat(),
        first_day=local_day(seen.since, seen.zone).isoformat(),
    )


@dataclass(frozen=True, slots=True)
class _Timed:
    """One measurement of a cohort: each incident's length, the curve of their ends, and what is read off it."""

    lengths: Sequence[tuple[Incident, Length]]
    curve: Sequence[Step]
    percentiles: Sequence[Percentile]

    @classmethod
    def of(cls, seen: Cohort, name: str) -> _Timed:
        timed = cohort.lengths(seen.members, name, seen.now)
        curve = durations.kaplan_meier([one for _, one in timed])
        return cls(timed, curve, durations.percentiles_on(curve))

    @property
    def n_open(self) -> int:
        return sum(one.is_open for _, one in self.lengths)


def cards(seen: Cohort) -> tuple[Card, ...]:
    """All cards; one about which nothing is known says so."""
    timed = {name: _Timed.of(seen, name) for name, _ in MEASURED}
    return (
        _lasted(seen, timed["time_to_resolve"]),
        _steps(timed),
        _resolved(timed["time_to_resolve"]),
        _noticed(seen),
        _recurring(seen),
        _begun(seen),
        _nights(seen),
        _lagging(seen),
        _warm(seen),
    )


def summary(seen: Cohort) -> str:
    """What the window holds: "53 incidents resolved, 2 open"."""
    settled = sum(incident.status == "resolved" for incident in seen.incidents)
    said = f"{count(settled, 'incident')} resolved, {len(seen.incidents) - settled} open"
    return said + (f"; {seen.left_out:,} older ones are left out" if seen.left_out else "")


def _draw(
    question: str, told: str, draw: Callable[[float], Plate], *, whole: bool = False
) -> tuple[tuple[str, str], ...]:
    widths = [("wide", WIDE)] if whole else []
    widths += [("medium", MEDIUM), ("narrow", NARROW)]
    return tuple((name, draw(wide).svg(question, told)) for name, wide in widths)


def _row(incident: Incident, seen: Cohort) -> tuple[str, tuple[str, str]]:
    return instant_at(began(incident).at, seen.zone), (plain(incident.title, 80), f"/incidents/{incident.id}")


def _said(one: Length) -> str:
    return f"{length(one.seconds)}{' so far' if one.is_open else ''}"


def _lasted(seen: Cohort, found: _Timed) -> Card:
    timed, n_open = found.lengths, found.n_open
    question = "How long did each incident last?"
    note = "Impact began (else detected) to resolved, each incident one mark, log scale. Open ones point upwards."
    if not timed:
        return Card("lasted", question, note, empty="No incident of this window has a beginning yet.", is_whole=True)
    told = f"{len(timed)} incidents, {n_open} open; the longest {_said(max((o for _, o in timed), key=_seconds))}."

    def row(one: tuple[Incident, Length]) -> Cells:
        return *_row(one[0], seen), str(one[0].severity), lasted(one[0], seen.now)

    window = (seen.since, seen.until)
    return Card(
        "lasted",
        question,
        note,
        _draw(question, told, lambda wide: lengths.spread(timed, window, seen.zone, wide), whole=True),
        ("Began", "Incident", "Severity", "Lasted"),
        Rows(timed[::-1], row),
        foot=_without(seen, len(timed), "time_to_resolve"),
        is_whole=True,
    )


def _seconds(one: Length) -> float:
    return one.seconds


def _without(seen: Cohort, n: int, name: str) -> str:
    left, ranged = len(seen.members) - n, cohort.ranged(seen.members, name)
    said = [f"{count(left, 'incident')} without these instants not shown."] if left else []
    said += [f"{ranged} known as a range only, counted at the middle."] if ranged else []
    return " ".join(said)


def _steps(timed: Mapping[str, _Timed]) -> Card:
    question = "How long until each step?"
    note = "Each dot one incident, log scale, hollow while still to come. The blue line is the half, its bar 95 %."
    rows, table = [], []
    for name, title in MEASURED:
        one = timed[name]
        rows.append((title, one.lengths, one.percentiles))
        table.append((title, str(len(one.lengths)), str(one.n_open), *_percentile_cells(one.percentiles)))
    if not any(lengths_ for _, lengths_, _ in rows):
        return Card("steps", question, note, empty="No length between two milestones is recorded in this window.")
    told = ". ".join(f"{title}: n = {len(lengths_)}" for title, lengths_, _ in rows) + "."
    return Card(
        "steps",
        question,
        note,
        _draw(question, told, lambda wide: lengths.steps_of(rows, wide)),
        ("Step", "n", "Of them open", "P50 (95 %)", "P75 (95 %)", "P90 (95 %)"),
        tuple(table),
        foot=f"Percentiles are told from {durations.LEAST} ended lengths on.",
    )


def _percentile_cells(found: Sequence[Percentile]) -> tuple[str, ...]:
    by_share = {one.share: one for one in found}
    return tuple(_ranged(by_share[p]) if p in by_share else "not told" for p in (0.5, 0.75, 0.9))


def _ranged(one: Percentile) -> str:
    low = length(one.low) if one.low is not None else "?"
    return f"{length(one.seconds)} ({low} – {length(one.high) if one.high is not None else 'not reached'})"


def _resolved(timed: _Timed) -> Card:
    question = "What share was resolved within a given time?"
    found, told, n_open = [one for _, one in timed.lengths], timed.percentiles, timed.n_open
    note = f"n = {len(found) - n_open} resolved, {n_open} open."
    if told:
        note += " " + ", ".join(f"{one.share * 100:g} % within {_ranged(one)}" for one in told) + "."
    if n_open == len(found):
        return Card("resolved", question, note, empty="Nothing of this window is resolved yet.")

    def row(s: Step) -> Cells:
        return length(s.seconds), f"{s.ended * 100:.0f} %", f"{s.low * 100:.0f} – {s.high * 100:.0f} %", str(s.at_risk)

    return Card(
        "resolved",
        question,
        note,
        _draw(question, note, lambda wide: lengths.survival(found, timed.curve, told, wide)),
        ("Within", "Resolved", "95 % band", "Still counted"),
        Rows(timed.curve, row),
        foot="Kaplan–Meier, open incidents censored; band 95 %, Greenwood on a log–log scale. "
        "Means are not shown: one long incident moves them at will.",
    )


def _noticed(seen: Cohort) -> Card:
    question = "Who noticed first, and how late?"
    gaps = cohort.detection_gaps(seen.incidents)
    which = f"the {len(gaps)} longest" if len(gaps) > 1 else "the only one known"
    note = f"Impact began to first signal to first person, {which}."
    if not gaps:
        return Card("noticed", question, note, empty="No incident of this window says when its impact began.")
    told = f"The longest: {length(gaps[0].to_person or gaps[0].to_signal)}."
    rows = tuple(
        (*_row(g.incident, seen), length(g.to_signal), "nobody yet" if g.to_person is None else length(g.to_person))
        for g in gaps
    )
    drawings = _draw(question, told, lambda wide: rates.noticed(gaps, seen.zone, wide))
    return Card("noticed", question, note, drawings, ("Began", "Incident", "First signal", "First person"), rows)


def _recurring(seen: Cohort) -> Card:
    question = "What came again?"
    note = "Same site and same first alert, twice or more."
    found = cohort.recurrences(seen.members)
    if not found:
        return Card("recurring", question, note, empty="No first alert came twice at one site in this window.")
    titles, window = {site.name: site.title for site in seen.sites}, (seen.since, seen.until)
    told = f"{count(len(found), 'pair')} of site and alert; the most frequent {len(found[0].incidents)} times."
    rows = tuple(
        (
            plain(one.alert, 60),
            plain(titles.get(one.site, one.site), 40) or "no site",
            str(len(one.incidents)),
            instant_at(one.incidents[0].opened_at, seen.zone),
            _row(one.incidents[-1], seen)[1],
        )
        for one in found
    )
    return Card(
        "recurring",
        question,
        note,
        _draw(question, told, lambda wide: openings.recurring(found[:10], titles, window, seen.zone, wide)),
        ("First alert", "Site", "Times", "First", "Latest"),
        rows,
        foot=f"The 10 most frequent of {len(found)} are drawn." if len(found) > 10 else "",
    )


def _begun(seen: Cohort) -> Card:
    question = "When do incidents begin?"
    until = min(seen.until, max(seen.now, seen.since))
    all_days = cohort.days(seen.since, until, seen.zone)
    shown = all_days[-7 * openings.WEEKS :]
    opened = cohort.by_day(seen.incidents, seen.zone)
    note = f"Incidents opened per day, {seen.zone}."
    if len(shown) < len(all_days):
        note += f" The last {openings.WEEKS} weeks of the window."
    known = local_day(seen.record_began_at, seen.zone) if seen.record_began_at else None
    kept = openings.Calendar(shown, opened, seen.warned_days, known)
    warned = [one for one in shown if one in seen.warned_days]
    both = sum(opened.get(one, 0) > 0 for one in warned)
    busy = sum(opened.get(one, 0) > 0 for one in shown)
    foot = (
        f"A warning was in force at a site on {len(warned)} of {count(len(shown), 'day')}, "
        f"and on {both} of the {count(busy, 'day')} with an incident."
    )
    rows = tuple(
        (f"{one:%a} {one.day} {one:%b %Y}", str(opened.get(one, 0)), "in force" if one in seen.warned_days else "")
        for one in reversed(shown)
        if opened.get(one) or one in seen.warned_days
    )
    drawings = _draw(question, foot, lambda wide: openings.calendar(kept, wide), whole=True)
    return Card("begun", question, note, drawings, ("Day", "Opened", "Warning"), rows, foot=foot, is_whole=True)


def _nights(seen: Cohort) -> Card:
    question = "How many came at night?"
    found = cohort.nights(seen.incidents, seen.sites)
    note = "Incidents by the hour at which they opened, by the clock of their site; night is 22:00 to 06:00."
    if found.night is None:
        return Card("nights", question, note, empty="No incident opened in this window.")
    night = found.night
    told = (
        f"{night.k} of {night.n} at night, {night.share * 100:.0f} % "
        f"(95 %: {night.low * 100:.0f} – {night.high * 100:.0f} %); an even spread would give 33 %."
    )
    drawings = _draw(question, told, lambda wide: openings.hours(found, wide))
    rows = tuple((f"{hour:02}:00", str(n)) for hour, n in enumerate(found.by_hour))
    return Card("nights", question, note, drawings, ("Hour", "Opened"), rows, foot=told)


def _lagging(seen: Cohort) -> Card:
    question = "How late did providers speak?"
    note = "First post after our first symptom, each linked provider incident one mark."
    drawn = []
    for ledger in seen.ledgers:
        found = [m.seconds for row in ledger.rows for m in row.lag.measurements if m.name == FIRST_POST]
        values = [value for value in found if value is not None]
        if values:
            drawn.append((plain(ledger.provider, 30), values))
    if not drawn:
        return Card("lagging", question, note, empty="No linked provider incident of this window has a post.")
    rows: tuple[tuple[str | tuple[str, str], ...], ...] = tuple(
        (
            plain(ledger.provider, 30),
            _row(row.incident, seen)[1],
            (plain(row.theirs.title, 60), f"/occurrences/{row.theirs.id}"),
            *(_lag(row.lag.measurements, name) for name in (FIRST_POST, "claimed_start_after_symptom", LAST)),
        )
        for ledger in seen.ledgers
        for row in ledger.rows
    )
    drawings = _draw(question, note, lambda wide: rates.lagging(drawn, wide))
    columns = ("Provider", "Incident", "Theirs", "First post", "Claimed start", "Last update after recovery")
    return Card("lagging", question, note, drawings, columns, rows)


FIRST_POST, LAST = "first_post_after_symptom", "last_update_after_recovery"


def _lag(measured: Sequence[Measurement], name: str) -> str:
    one = next(one for one in measured if one.name == name)
    if one.seconds is None:
        return one.reason
    return f"{MINUS if one.seconds < 0 else '+'}{length(one.seconds)}"


def _warm(seen: Cohort) -> Card:
    question = "Do incidents open more often in the heat?"
    note = "Incidents per 100 site-hours at or above a temperature, with the exact 95 % interval of the count."
    thinned = _thinned_words(seen)
    if seen.heat is None:
        none = "No temperature within 50 km of a site was recorded in this window."
        return Card("warm", question, note, empty=thinned or none, is_whole=True)
    heat = seen.heat
    # From which temperature on is told where that leaves something out: all hours stand once, by the highest such row.
    telling = [
        row for row, after in zip_longest(heat.rows, heat.rows[1:]) if not after or after.rate.hours < row.rate.hours
    ]
    foot = (
        f"{heat.readings:,} readings over {heat.hours:,} site-hours ({', '.join(heat.bases)}); "
        f"{count(heat.incidents, 'incident')} opened in them, {heat.without_reading} in hours without a reading. "
        "This shows what coincided, nothing more."
    )
    foot = f"{foot} {thinned}".rstrip()
    rows = tuple(
        (
            f"from {row.above_c:g}{DEGREE}".replace("-", MINUS),
            str(row.rate.events),
            f"{row.rate.hours:,.0f}",
            f"{row.rate.per_100:.2f}",
            f"{row.rate.low:.2f} – {row.rate.high:.2f}",
        )
        for row in telling
    )
    drawings = _draw(question, foot, lambda wide: rates.warm(telling, wide), whole=True)
    columns = ("Temperature", "Incidents", "Hours", "Per 100 h", "95 %")
    return Card("warm", question, note, drawings, columns, rows, foot=foot, is_whole=True)


def _thinned_words(seen: Cohort) -> str:
    """Which hours are not counted since retention dropped readings of theirs, and how many; nothing where none were."""
    if seen.thinned is None:
        return ""
    last = moment(seen.thinned.until, seen.zone)
    return (
        f"Hours until {last} are not counted: retention dropped {count(seen.thinned.readings, 'reading')} "
        "of all kinds, at least in part of there, and kept those around incidents."
    )


def ranges(seen: Cohort) -> list[tuple[str, str]]:
    """Other windows to look at: what they are called, and their first local day."""
    today = local_day(seen.now, seen.zone)
    found = [
        (name, (today - timedelta(days=days - 1)).isoformat())
        for name, days in (("30 days", 30), ("90 days", 90), ("1 year", 365))
    ]
    if seen.first_opened_at:
        found.append(("whole record", local_day(seen.first_opened_at, seen.zone).isoformat()))
    return found


def window_words(seen: Cohort) -> str:
    """The window in local days."""
    return f"{day(seen.since, seen.zone)} – {day(min(seen.until, seen.now), seen.zone)}"


def file_query(seen: Cohort) -> str:
    """The same window, site and zone as a query."""
    asked = {"from": instants.text(seen.since), "to": instants.text(seen.until), "tz": seen.zone}
    return urlencode(asked | ({"site": seen.site.name} if seen.site else {}))


def surroundings(seen: Cohort) -> tuple[str, ...]:
    """What stands above a card on paper: the window in its zone, for which sites, and what it holds."""
    where = plain(seen.site.title, 60) if seen.site else "all sites"
    zone = seen.zone if seen.zone == "UTC" else f"{seen.zone} ({zone_label(seen.zone, seen.since)})"
    return (f"Incidents opened {window_words(seen)}, {zone}, {where}: {summary(seen)}.",)


def footer(seen: Cohort, credits_: Sequence[str], address: str) -> Footer:
    """What stands beneath a card on paper. `credits_` name everybody whose data may be in it."""
    known = min(seen.until, seen.now).astimezone(UTC)
    return Footer(
        ("Reading:", "each number stands with its n; what coincided is shown, no cause is claimed."),
        ("Sources:", "; ".join(["our own record", *credits_]) + "."),
        ("Review of incidents", shown(address), f"as of {known:%Y-%m-%d %H:%M} UTC"),
    )
