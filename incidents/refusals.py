"""Refusals: what an act is told that cannot be done, in words for the person."""

from __future__ import annotations


class NotFoundError(LookupError):
    """There is no such incident, entry, link or alert."""


class ConflictError(Exception):
    """The incident is not as the caller last saw it, or does not allow this."""
