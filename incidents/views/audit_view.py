"""Frozen views of the audit log: one act, its sentence, and which acts are asked for. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidents import instants

ACTS: Mapping[str, str] = {
    "started": "Barograph {version} started on {database}",
    "setting_changed": "the setting {subject} is {value}, and was {former} at the last start",
    "signed_in": "signed in as {role} by {way}",
    "signed_out": "signed out",
    "sign_in_refused": "a sign-in was refused ({reason}), {count} times",
    "sign_in_link_made": "a one-time link for the role {role} was made",
    "key_made": "an ingest key of {source} was made: {prefix}",
    "token_made": "an API token of {name} was made for the role {role}: {prefix}",
    "key_rotated": "the file's key of {subject} took the place of {count} former ones",
    "revoked": "{kind} {prefix} of {name} was revoked",
    "secrets_kept": "signature secrets of {subject} were changed; there are {count}",
    "configured": "{subject} was {step}",
    "raw_read": "the bytes of a delivery of {source} were read",
    "bundle_read": "an evidence bundle was made ({raw})",
    "bundle_brought_in": "an evidence bundle was brought in",
    "audit_exported": "the audit log was exported as {format}",
    "share_made": "a link with a preview of incident {incident} was made, to end at {until}",
    "share_revoked": "a link with a preview of incident {incident} was revoked",
    "view_saved": "the view {name} was saved, shared: {shared}",
    "view_removed": "the view {name} was taken out",
    "view_brought_back": "the view {name} was brought back",
    "notice_sent_again": "a notice about incident {incident} was to be sent again to {destination}",
    "destination_tested": "notice {number}, a test, was to be sent to {subject}",
    "privacy_changed": "incident {subject} was made {state}, seen by {seen_by}",
    "role_refused": "{subject} needs the role {least}; refused {count} times to {role}",
    "code_asked": "the first half of a sign-in of {subject} was right ({way}); a code was asked for",
    "session_ended": "a session of {name} was ended",
    "sessions_ended": "sessions and links of {subject} were ended, {count} in all ({why})",
    "account_added": "the account {subject} was added with the role {role}",
    "account_disabled": "the account {subject} was disabled",
    "account_enabled": "the account {subject} was enabled again",
    "role_changed": "{subject} has the role {role}, and had {former}",
    "groups_changed": "the groups of {subject} are now: {groups}",
    "password_set": "a password of {subject} was set",
    "second_factor_set": "{subject} signs in with a second factor from now on",
    "second_factor_removed": "the second factor of {subject} was taken away",
    "recovery_codes_made": "{count} recovery codes of {subject} were made; former ones are void",
    "recovery_code_used": "a recovery code of {subject} was used; {left} are left",
    "key_replaced": "{kind} {former} of {name} is replaced by {prefix}; the former ends at {until}",
    "rate_limited": "requests came too fast; {count} were answered 429",
}
"""Every act with its sentence; braces name a param, the subject or the actor."""


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did to the service itself."""

    id: int
    recorded_at: datetime
    act: str
    actor: str
    subject: str
    params: Mapping[str, Any]
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which acts are asked for; None does not narrow."""

    act: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def sentence(act: Act) -> str:
    """What was done, in words; a param that an older version did not write is left open."""
    given = {k: "none" if v is None else v for k, v in act.params.items()}
    said = defaultdict(lambda: "…", {**given, "subject": act.subject, "actor": act.actor})
    return ACTS.get(act.act, "{subject}").format_map(said)


def as_json(act: Act) -> dict[str, Any]:
    """An act as the API gives it."""
    return {
        "id": act.id,
        "recorded_at": instants.text(act.recorded_at),
        "act": act.act,
        "actor": act.actor,
        "subject": act.subject,
        "text": sentence(act),
        "params": act.params,
        "address": act.address,
    }
