"""`python -m tests.soak`: what `make test` shows in small, in large; a line of JSON each, exit 1 where one fails."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import orjson

from tests.soak import copies, histories, lasting, overload, replicated, rounds

ROUNDS: dict[str, Callable[[Path, float], dict[str, Any]]] = {
    "kills": rounds.kills,
    "kills-postgresql": rounds.kills_postgresql,
    "cuts": rounds.cuts,
    "cuts-spool": rounds.cuts_spool,
    "outages": rounds.outages,
    "full": rounds.full,
    "overload": overload.overload,
    "herd": rounds.herd,
    "restarts": rounds.restarts,
    "stuck": rounds.stuck,
    "migrations": rounds.migrations,
    "tailing": rounds.tailing,
    "backup": copies.backup,
    "replicas": replicated.troubles,
    "lasting": lasting.lasting,
    "bundle": copies.bundle,
    "rebuild": histories.rebuilt,
    "restore": histories.restored,
    "retention": histories.aged,
}


def main() -> int:
    """Run the rounds that were asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--only", choices=ROUNDS, action="append", help="only this round; may be given several times")
    parser.add_argument("--seconds", type=float, default=600.0, help="after which a round begins nothing more")
    asked = parser.parse_args()
    failed = 0
    for name in asked.only or ROUNDS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"barograph-soak-{name}-") as folder:
            told: dict[str, Any] = {"round": name}
            try:
                with redirect_stdout(sys.stderr):  # the logs of services that were killed
                    told |= ROUNDS[name](Path(folder), asked.seconds)
            except Exception as error:  # each round stands for itself; the exit code tells
                failed += 1
                told["failed"] = f"{type(error).__name__}: {error}"[:500]
                traceback.print_exc()
        print(orjson.dumps(told | {"seconds": round(time.monotonic() - began, 1)}).decode(), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
