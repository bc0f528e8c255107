"""Making an incident private and public again: an act with a reason, which can be undone, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from incidents import audit, shares
from incidents.acts import Acting
from incidents.entries import INCIDENT, Draft
from incidents.fields import TITLE_BOUND, text
from incidents.model import Entry, Incident
from incidents.notices import outbox
from incidents.privacy import CHANGED
from incidents.refusals import ConflictError

MOST_VIEWERS = 100
NAME_BOUND = 100


def change(acting: Acting, incident: str, fields: Mapping[str, Any]) -> Incident:
    """Set who may see an incident: private, seen_by and reason.

    Whoever makes it private stays among those who see it. What was merged into it follows. Raises ValueError and
    ConflictError.
    """
    now = acting.seen(incident)
    private = fields.get("private")
    if not isinstance(private, bool):
        raise ValueError("private: true or false is expected")  # noqa: TRY004  # told as a bad request
    reason = text(fields, "reason", TITLE_BOUND) if fields.get("reason") else None
    return _set(acting, now, viewers_of(acting, fields.get("seen_by", [])) if private else None, reason)


def viewers_of(acting: Acting, given: Any) -> tuple[str, ...]:  # noqa: ANN401  # JSON
    """Those who may see it: names of people, or of groups as `group:NAME`. Raises ValueError."""
    if not isinstance(given, list) or len(given) > MOST_VIEWERS:
        raise ValueError(f"seen_by: a list of at most {MOST_VIEWERS} names is expected")
    named = [text({"seen_by": one}, "seen_by", NAME_BOUND) for one in given]
    found = {name if name.startswith(("user:", "group:")) else f"user:{name}" for name in named}
    if not acting.asker.may_see(found):
        found.add(acting.actor)
    return tuple(sorted(found))


def undo(acting: Acting, incident: str, entry: Entry) -> None:
    """Let those see it again who did before an entry. Raises ConflictError where that was changed since."""
    now = acting.seen(incident)
    if now.seen_by != _of(entry.params):
        raise ConflictError("who may see it was changed since")
    _set(acting, now, _of(entry.params.get("was", {})), None)


def _of(params: Mapping[str, Any]) -> tuple[str, ...] | None:
    return tuple(params.get("seen_by", ())) if params.get("private") else None


def _params(seen_by: Sequence[str] | None) -> dict[str, Any]:
    return {"private": seen_by is not None, "seen_by": list(seen_by or ())}


def _set(acting: Acting, now: Incident, seen_by: tuple[str, ...] | None, reason: str | None) -> Incident:
    if now.merged_into:
        raise ConflictError(f"it is merged into {now.merged_into}: change who may see that one")
    if seen_by == now.seen_by:
        return now
    guests = sa.select(INCIDENT.c.id).where(INCIDENT.c.merged_into == now.id).order_by(INCIDENT.c.id)
    told = (
        {"state": "public", "seen_by": "all"}
        if seen_by is None
        else {"state": "private", "seen_by": ", ".join(seen_by)}
    )
    audit.append(acting.connection, CHANGED, by=acting.actor, of=now.id, now=acting.now, **told)
    for one in acting.seen_together([now.id, *acting.connection.execute(guests).scalars()]):
        params = {**_params(seen_by), "was": _params(one.seen_by), **({"reason": reason} if reason else {})}
        acting.changes.append(Draft(one.id, CHANGED, params, acting.actor, acting.now))
        if seen_by is not None:
            _close(acting, one)
    return acting.changes.settle()[now.id]


def _close(acting: Acting, incident: Incident) -> None:
    """End what shows a private incident to others: links with a preview, and notices that were not sent yet."""
    if incident.seen_by is None:
        shares.revoke_all(acting.connection, incident.id, acting.actor, acting.now)
    told = [one.name for one in acting.config.destinations if one.private]
    outbox.withhold(acting.connection, incident.id, told, acting.now)
