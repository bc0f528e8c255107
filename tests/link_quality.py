"""How good links are: documented outages, with the warnings that were on and with those warnings moved onto others.

`link_cases.csv` holds published facts, each with its source. A case with a hazard is a pair that ought to be linked.
Every hazard is moved onto every outage that had another course, so that it lies to that outage's start as it lay to its
own. Such pairs are made, not facts: they ask what a rule would say on a day on which such a warning happens to be on.
Two readings of each case: at its `onset` only the symptom is known, `found` adds the mechanism as it was published.
Words of weather are left out of both.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path
from typing import Final, Literal

from incidents.linker.links import TIERS, Known, meets, weigh
from incidents.linker.mechanisms import physical_words
from incidents.model import Area, Evidence, Incident, Moment, Occurrence, Severity, Site

FILE: Final = Path(__file__).parent / "link_cases.csv"
Track = Literal["onset", "found"]
Score = Callable[["Pair", Track], float]

_FLOORS: Final = {"context": 0.0, "coincident": 2.0, "plausible": 5.0, "strong": 8.0}
REACH_KM: Final = 60.0
"""The radius that a hazard of the table is given around its outage: wide enough for a metropolitan area."""
ALLOWED: Final = (1.0, 2.0, 5.0)
"""False links in a hundred at which recall is told."""
PHYSICAL_SHARE: Final = 0.005
"""Of a hundred published incidents half a one is of power, cooling or fire: one in 819 of GitHub's, the upper guess."""


@dataclass(frozen=True, slots=True)
class Case:
    """One documented outage. `site` is None where no facility was named."""

    name: str
    part: str
    """`fit`: weights and words were made with it in view; `report`: what is told is told of these."""
    truth: str
    """weather, contributing, unproven, physical (another course of events) or software."""
    site: Site | None
    starts: Moment
    symptom: str
    found: str
    hazard: Occurrence | None
    source: str

    @property
    def weight(self) -> float:
        """Where weather contributed only, the case counts half."""
        return 0.5 if self.truth == "contributing" else 1.0


@dataclass(frozen=True, slots=True)
class Pair:
    """An outage and a hazard that was on, or that was moved onto it."""

    case: Case
    hazard: Occurrence

    @property
    def incident(self) -> Incident:
        """The outage as an incident whose start is what was published."""
        starts, site = self.case.starts, self.case.site
        return Incident(
            id=self.case.name, title="", status="open", severity=Severity.CRITICAL, group="",
            sites=(site.name,) if site else (), opened_at=starts.at, recorded_at=starts.at, opened_by="user:archivist",
            impact_started_at=starts,
        )  # fmt: skip

    def words(self, track: Track) -> tuple[str, ...]:
        """What is known of the outage itself."""
        return (self.case.symptom,) if track == "onset" else (self.case.symptom, self.case.found)

    def evidence(self, track: Track) -> Evidence | None:
        """What the rule says of it."""
        sites = [self.case.site] if self.case.site else []
        return weigh(self.incident, sites, self.hazard, Known(signals=self.words(track)))


# --- the three that are compared --------------------------------------------------------------------------------------


def ours(pair: Pair, track: Track) -> float:
    """The score; what is held in a tier below its score counts as the least of that tier."""
    evidence = pair.evidence(track)
    if evidence is None:
        return -99.0
    is_held = any(evidence.score >= floor for floor in _FLOORS.values() if floor > _FLOORS[evidence.tier])
    return _FLOORS[evidence.tier] if is_held else evidence.score


def any_warning(pair: Pair, track: Track) -> float:
    """1 where a warning was on at the place, whatever of."""
    del track
    sites = [pair.case.site] if pair.case.site else []
    return float(meets(pair.incident, sites, pair.hazard))


def warning_and_word(pair: Pair, track: Track) -> float:
    """1 where a warning was on and the outage's words name power, cooling, water or fire."""
    return any_warning(pair, track) * bool(physical_words(pair.words(track)))


METHODS: Final[dict[str, Score]] = {"links": ours, "warning and word": warning_and_word, "any warning": any_warning}


# --- pairs ------------------------------------------------------------------------------------------------------------


def cases() -> list[Case]:
    """The table."""
    with FILE.open(encoding="utf-8", newline="") as rows:
        return [_case(row) for row in csv.DictReader(rows)]


def true_pairs(found: Sequence[Case]) -> list[Pair]:
    """Outages with the hazard that is part of their published story."""
    return [Pair(case, case.hazard) for case in found if case.hazard and case.truth in {"weather", "contributing"}]


def false_pairs(found: Sequence[Case], hazards: Sequence[Case]) -> list[Pair]:
    """Outages of another course with every hazard of the others moved onto them."""
    beside = [case for case in found if case.truth in {"physical", "software"} and case.site]
    return [moved for case in beside for other in hazards if (moved := _moved(other, case))]


def shifted_pairs(found: Sequence[Case], *, days: int) -> list[Pair]:
    """True pairs with the hazard so many days away: the same place and clock hour on another day."""
    away = timedelta(days=days)
    return [
        Pair(p.case, replace(p.hazard, starts_at=p.hazard.starts_at + away, ends_at=(p.hazard.ends_at or EVER) + away))
        for p in true_pairs(found)
    ]


def misplaced_pairs(found: Sequence[Case]) -> list[Pair]:
    """True pairs' hazards at their own time, beside outages that are put at that time elsewhere."""
    pairs = true_pairs(found)
    return [
        Pair(replace(one.case, site=other.case.site), one.hazard)
        for one in pairs
        for other in pairs
        if one.case.site and other.case.site and _apart(one.case.site, other.case.site)
    ]


EVER: Final = datetime(2100, 1, 1, tzinfo=UTC)


def _moved(other: Case, case: Case) -> Pair | None:
    if other.hazard is None or case.site is None:
        return None
    by = case.starts.at - other.starts.at
    hazard = replace(other.hazard, starts_at=other.hazard.starts_at + by, area=_area(case.site))
    return Pair(case, replace(hazard, ends_at=other.hazard.ends_at + by if other.hazard.ends_at else None))


def _apart(one: Site, other: Site) -> bool:
    return abs(one.latitude - other.latitude) > 2 or abs(one.longitude - other.longitude) > 2


def _area(site: Site) -> Area:
    return Area(latitude=site.latitude, longitude=site.longitude, radius_km=REACH_KM)


def _case(row: dict[str, str]) -> Case:
    site = None
    if row["latitude"]:
        site = Site(row["case"], row["place"], float(row["latitude"]), float(row["longitude"]),
                    uncertainty_km=float(row["uncertainty_km"]))  # fmt: skip
    starts = Moment(_at(row["starts_at"]), _at(row["starts_until"]) if row["starts_until"] else None)
    hazard = None
    if row["hazard"] and site:
        hazard = Occurrence(
            f"hazard of {row['case']}", "table", row["case"], "hazard", row["hazard"], Severity.ERROR,
            _at(row["hazard_from"]), ends_at=_at(row["hazard_until"]), event=row["hazard"], area=_area(site),
        )  # fmt: skip
    return Case(
        row["case"], row["part"], row["truth"], site, starts, row["symptom"], row["found"], hazard, row["source"]
    )


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- what is told -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """Recall at a number of false links in a hundred, with what it rests on."""

    method: str
    track: Track
    allowed: float
    """False links in a hundred that were allowed."""
    false_per_100: float
    found: float
    of: float
    low: float
    high: float
    """Wilson's interval of the recall, 95 %."""

    @property
    def recall(self) -> float:
        """The share of true pairs found."""
        return self.found / self.of if self.of else 0.0


def told(
    method: str, track: Track, true: Sequence[Pair], false: Sequence[Pair], allowed: float, *, mixed: bool = False
) -> Told:
    """The most that a method finds without more false links in a hundred than allowed.

    `mixed` counts outages of software and of plants as often as they are, not as often as the table has them.
    """
    score = METHODS[method]
    right = sorted(((score(pair, track), pair.case.weight) for pair in true), reverse=True)
    wrong = list(zip((score(pair, track) for pair in false), _weights(false, mixed=mixed), strict=True))
    best, rate = 0.0, 0.0
    for bound in sorted({value for value, _ in right if value > 0}, reverse=True):
        share = 100 * sum(weight for value, weight in wrong if value >= bound)
        if share > allowed:
            break
        best, rate = sum(weight for value, weight in right if value >= bound), share
    whole = sum(weight for _, weight in right)
    low, high = wilson(best, whole)
    return Told(method, track, allowed, rate, best, whole, low, high)


def _weights(false: Sequence[Pair], *, mixed: bool) -> list[float]:
    """What each false pair counts, one in sum."""
    counts = {truth: sum(pair.case.truth == truth for pair in false) for truth in ("physical", "software")}
    if not mixed or 0 in counts.values():
        return [1 / len(false)] * len(false)
    share = {"physical": PHYSICAL_SHARE, "software": 1 - PHYSICAL_SHARE}
    return [share[pair.case.truth] / counts[pair.case.truth] for pair in false]


def at_tier(track: Track, pairs: Sequence[Pair], tier: str) -> float:
    """How many pairs in weight reach a tier."""
    least = TIERS.index(tier)  # type: ignore[arg-type]  # a tier's name
    reached = ((pair, pair.evidence(track)) for pair in pairs)
    return sum(pair.case.weight for pair, said in reached if said is not None and TIERS.index(said.tier) >= least)


def false_interval(track: Track, false: Sequence[Pair], tier: str, *, draws: int = 1000) -> tuple[float, float]:
    """Bootstrap over outages, not over pairs, of the false links in a hundred at a tier: 95 %."""
    least = TIERS.index(tier)  # type: ignore[arg-type]  # a tier's name
    by_case: dict[str, list[bool]] = {}
    for pair in false:
        said = pair.evidence(track)
        by_case.setdefault(pair.case.name, []).append(said is not None and TIERS.index(said.tier) >= least)
    names, chance = sorted(by_case), random.Random(1)
    rates = sorted(
        100 * sum(sum(by_case[n]) for n in drawn) / sum(len(by_case[n]) for n in drawn)
        for drawn in ([chance.choice(names) for _ in names] for _ in range(draws))
    )
    return rates[int(draws * 0.025)], rates[int(draws * 0.975)]


def wilson(found: float, of: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share."""
    if of <= 0:
        return 0.0, 1.0
    share = found / of
    middle, half = share + z * z / (2 * of), z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, (middle - half) / (1 + z * z / of)), min(1.0, (middle + half) / (1 + z * z / of))


def table(part: str) -> str:
    """All of it for one part of the cases, as text."""
    true, false = pairs_of(part)
    lines = [f"{part}: {len(true)} true pairs, {len(false)} false ones of {len({p.case.name for p in false})} outages"]
    tracks: tuple[Track, ...] = ("onset", "found")
    for track in tracks:
        for mixed in (False, True):
            for method in METHODS:
                rows = [told(method, track, true, false, allowed, mixed=mixed) for allowed in ALLOWED]
                most = told(method, track, true, false, 101.0, mixed=mixed)
                pairs = "as often as they are" if mixed else "each pair alike"
                told_ = [f"≤ {r.allowed:g}: {r.found:g} of {r.of:g} ({r.low:.0%}–{r.high:.0%})" for r in rows]
                all_ = f"all: {most.found:g} at {most.false_per_100:.1f}"
                lines.append(f"  {track:<6}{pairs:<21}{method:<17}{'  '.join(told_)}  {all_}")
        for tier in ("coincident", "plausible", "strong"):
            low, high = false_interval(track, false, tier)
            rates = [
                f"{100 * at_tier(track, some, tier) / len(some):.1f} of {truth} ones"
                for truth in ("software", "physical")
                if (some := [pair for pair in false if pair.case.truth == truth])
            ]
            lines.append(f"  {track:<6}{tier}: {at_tier(track, true, tier):g} true; in 100 false pairs "
                         f"{' and '.join(rates)} (together {low:.1f}–{high:.1f})")  # fmt: skip
    return "\n".join(lines)


def pairs_of(part: str) -> tuple[list[Pair], list[Pair]]:
    """The true pairs of a part, and its other outages with every hazard of the table moved onto them."""
    found = cases()
    own = [case for case in found if case.part == part]
    return true_pairs(own), false_pairs(own, [case for case in found if case.hazard])


if __name__ == "__main__":
    print("\n".join(table(part) for part in ("fit", "report")))  # noqa: T201  # a report
