"""Writes docs/licences.md: `python -m tests.licences`. What each dependency says of its own licence."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
PINNED = re.compile(r"^([a-z0-9._-]+)==([^ ]+)", re.MULTILINE)
HEAD = """# Licences of what Barograph stands on

Made by `python -m tests.licences` from what each package says of itself; the vendored files of the pages have theirs
beside them in `dashboards/static/vendor/`. Versions are those of `requirements.lock`; `make sbom` writes both for
machines.

| package | licence |
|---|---|
"""


def licence_of(name: str) -> str | None:
    """The licence of an installed package; None where it is not installed here."""
    try:
        about = distribution(name).metadata
    except PackageNotFoundError:
        return None
    classified = [c.rpartition(" :: ")[2] for c in about.get_all("Classifier") or () if c.startswith("License :: OSI")]
    said = about.get("License-Expression") or ", ".join(classified) or (about.get("License") or "").partition("\n")[0]
    return said.strip() or "not said; see the package"


def page() -> str:
    """The whole page, a row for each package of requirements.lock."""
    rows = []
    for name, _ in PINNED.findall((ROOT / "requirements.lock").read_text()):
        rows.append(f"| {name} | {licence_of(name) or 'needed on other platforms only; see the package'} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
