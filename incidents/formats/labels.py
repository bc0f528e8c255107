"""Labels from several parts of a payload. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from incidents.formats import monitors


def merged(*parts: Mapping[str, object]) -> dict[str, object]:
    """The members of all parts that say anything; of those with one name the last, so that a null hides no tag."""
    return {name: value for part in parts for name, value in part.items() if monitors.is_said(value)}
