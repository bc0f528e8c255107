"""Provider lag: how far a provider's words ran behind what we saw, each length with an outcome. Pure.

Lengths are in seconds from ours to theirs: positive where the provider was later, negative where it was earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from incidents.model import Incident, Link, Measurement, Moment, Occurrence

PAIRS = (
    ("claimed_start_after_symptom", "first_symptom", "claimed_start"),
    ("first_post_after_symptom", "first_symptom", "first_post"),
    ("first_post_after_claimed_start", "claimed_start", "first_post"),
    ("last_update_after_recovery", "recovery", "last_update"),
    ("claimed_end_after_recovery", "recovery", "claimed_end"),
)
"""Each length's name with the two instants that it runs between."""

_WORDS = {
    "first_symptom": "our first symptom",
    "claimed_start": "the provider's claimed start",
    "first_post": "the provider's first post",
    "last_update": "the provider's last update",
    "claimed_end": "the provider's claimed end",
    "recovery": "our recovery",
}


@dataclass(frozen=True, slots=True)
class Lag:
    """The instants of an incident and a linked provider incident, and the lengths between them."""

    instants: Mapping[str, Moment | None]
    measurements: tuple[Measurement, ...]


def lag(incident: Incident, theirs: Occurrence) -> Lag:
    """The lag of one provider incident behind one incident of ours."""
    known = instants(incident, theirs)
    pending = {
        "recovery": incident.status not in ("mitigated", "resolved"),
        "claimed_end": theirs.ends_at is None or theirs.ends_expected,
        "last_update": False,
    }
    return Lag(known, tuple(_length(name, since, until, known, pending) for name, since, until in PAIRS))


def instants(incident: Incident, theirs: Occurrence) -> dict[str, Moment | None]:
    """The six instants; None where one is not recorded.

    Our first symptom is the start of our first alert, else of the impact, else the opening. Our recovery is the
    mitigation, else the resolution. A start of theirs that nobody said and an end that was assumed are not claims.
    """
    alert, posts = incident.members.first_starts_at, [post.at for post in theirs.posts]
    last = max([*posts, *([theirs.said_at] if theirs.said_at else [])], default=None)
    first = min(posts, default=theirs.first_said_at)
    is_over = theirs.ends_at is not None and not theirs.ends_assumed and not theirs.ends_expected
    return {
        "first_symptom": Moment(alert) if alert else incident.impact_started_at or Moment(incident.opened_at),
        "claimed_start": Moment(theirs.starts_at, theirs.starts_until) if theirs.start_said else None,
        "first_post": Moment(first) if first else None,
        "last_update": Moment(last) if last else None,
        "claimed_end": Moment(theirs.ends_at) if is_over and theirs.ends_at else None,
        "recovery": incident.mitigated_at or incident.resolved_at,
    }


def _length(
    name: str, since: str, until: str, known: Mapping[str, Moment | None], pending: Mapping[str, bool]
) -> Measurement:
    for part in (since, until):
        if known[part] is None:
            if pending.get(part):
                return Measurement(name, "pending", reason=f"{_WORDS[part]} is still to come")
            return Measurement(name, "not_applicable", reason=f"{_WORDS[part]} is not recorded")
    start, end = known[since], known[until]
    assert start is not None
    assert end is not None
    least = (end.at - (start.until or start.at)).total_seconds()
    most = ((end.until or end.at) - start.at).total_seconds()
    ranged = start.until is not None or end.until is not None
    return Measurement(name, "recorded", seconds=least, seconds_max=most if ranged else None)


def provider_of(theirs: Occurrence) -> str:
    """Whom a ledger counts a provider incident under: its provider, its page, its regions' provider, or its source."""
    named = theirs.labels.get("provider") or theirs.labels.get("page")
    regions = theirs.area.regions if theirs.area else ()
    return named or next((region.partition(":")[0] for region in regions if ":" in region), theirs.source)


def counts(link: Link) -> bool:
    """Whether a link is one whose lag a ledger counts: judged to hold, or proposed and above context."""
    return link.state in ("confirmed", "attributed") or (link.state == "proposed" and link.evidence.tier != "context")


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One link of a ledger: our incident, their incident, and the lag between them."""

    incident: Incident
    theirs: Occurrence
    state: str
    tier: str
    lag: Lag


@dataclass(frozen=True, slots=True)
class ProviderLedger:
    """Every lag of one provider. `medians` are over what is recorded, with how many that are; of ranges the least."""

    provider: str
    rows: tuple[LedgerRow, ...]
    medians: Mapping[str, tuple[float, int]]


def ledgers(rows: Iterable[LedgerRow]) -> tuple[ProviderLedger, ...]:
    """A ledger for each provider, by name, its rows the latest incident first."""
    by_provider: dict[str, list[LedgerRow]] = {}
    for row in rows:
        by_provider.setdefault(provider_of(row.theirs), []).append(row)
    return tuple(
        ProviderLedger(name, tuple(sorted(found, key=_latest_first)), _medians(found))
        for name, found in sorted(by_provider.items())
    )


def _latest_first(row: LedgerRow) -> tuple[float, str, str]:
    return -_epoch(row.incident.opened_at), row.incident.id, row.theirs.id


def _epoch(at: datetime) -> float:
    return at.timestamp()


def _medians(rows: Iterable[LedgerRow]) -> dict[str, tuple[float, int]]:
    lengths: dict[str, list[float]] = {}
    for row in rows:
        for one in row.lag.measurements:
            if one.seconds is not None:
                lengths.setdefault(one.name, []).append(one.seconds)
    return {name: (median(values), len(values)) for name, values in lengths.items()}
