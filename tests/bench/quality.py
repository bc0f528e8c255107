"""How good links are on documented outages, beside the two plain rules; `tests/link_quality.py` says of what."""

from __future__ import annotations

from tests import link_quality
from tests.bench.measured import Plan, Row
from tests.link_quality import Track

PART = "9. Links on documented outages, the part that is reported"


def measure(plan: Plan) -> list[Row]:
    """Recall at each number of false links allowed, in outages; a case in which weather only helped counts half."""
    del plan  # the table is read whole, whatever the plan
    true, false = link_quality.pairs_of("report")
    tracks: tuple[Track, ...] = ("onset", "found")
    return [
        _row(track, allowed, link_quality.told("links", track, true, false, allowed),
             link_quality.told("warning and word", track, true, false, allowed))
        for track in tracks
        for allowed in link_quality.ALLOWED
    ]  # fmt: skip


def _row(track: str, allowed: float, ours: link_quality.Told, plain: link_quality.Told) -> Row:
    known = "at its onset" if track == "onset" else "mechanism published"
    return Row(
        PART,
        f"{known}, ≤ {allowed:g} false in 100: found of {ours.of:g} ({ours.low:.0%} to {ours.high:.0%})",
        ours.found,
        "outages",
        plain.found,
        "by warning and word",
        rounds={"found": [ours.found], "plain": [plain.found]},
    )
