"""Writes the golden texts anew; look at their difference before you keep it."""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing

from incidents.store import Store
from tests import golden


def main() -> None:
    """Play every story into a SQLite file of its own and write down what it left."""
    for name in golden.NAMES:
        with tempfile.TemporaryDirectory() as folder, closing(Store(f"sqlite:///{folder}/story.db")) as store:
            store.migrate()
            golden.path(name).write_text(golden.text(golden.played(name, store)), encoding="utf-8")
        sys.stdout.write(f"{golden.path(name)}\n")


if __name__ == "__main__":
    main()
