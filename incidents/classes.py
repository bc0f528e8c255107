"""The classes of what a record holds, each of which ages for itself. Apart, so that settings need no database."""

from __future__ import annotations

KINDS = ("alert", "hazard", "provider_incident", "change")
CLASSES = (*KINDS, "reading", "delivery", "incident", "session", "audit")
"""`delivery` is of the bytes that nothing refers to any more; `incident` says when one is no longer kept.

`session` is of sessions and one-time links that have ended, `audit` of acts in the audit log."""
