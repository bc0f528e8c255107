"""Tests of the tests: code changes that must each turn a test red, made by `make mutations` in a copy, one by one.

Each test is first run in the copy as it is and must be green: else its red would say nothing.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.servers import ROOT

SECONDS = 600
FAILED = 1
"""Pytest's exit code when tests ran and one failed."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """What is changed in words, where, from what to what, and the test that must notice."""

    name: str
    path: str
    was: str
    becomes: str
    test: str


MUTATIONS = (
    Mutation(
        "a sender is answered before the commit",
        "service/intake/writer.py",
        "            error = self._commit(arrivals)\n            if self._spool is not None and error",
        "            self._loop.call_soon_threadsafe(self._answer, batch, None, self._firsts)\n"
        "            time.sleep(0.05)  # a slow disk\n"
        "            error = self._commit(arrivals)\n            if self._spool is not None and error",
        "tests/test_intake.py::test_what_is_acknowledged_is_stored_before_the_answer",
    ),
    Mutation(
        "SQLite does not wait for the disk (`synchronous=NORMAL`)",
        "incidents/store.py",
        '"synchronous=FULL"',
        '"synchronous=NORMAL"',
        "tests/test_power_cut.py::test_no_power_cut_loses_what_was_acknowledged_on_sqlite",
    ),
    Mutation(
        "the spool does not wait for the disk",
        "service/intake/spool.py",
        "            os.fdatasync(self._fd)",
        "            os.fstat(self._fd)",
        "tests/test_power_cut.py::test_no_power_cut_loses_what_was_spooled",
    ),
    Mutation(
        "the unique index of statements is dropped",
        "incidents/migrations/versions/0001_first_schema.py",
        '["occurrence_id", "digest"], unique=True)',
        '["occurrence_id", "digest"], unique=False)',
        "tests/test_identities.py",
    ),
    Mutation(
        "a signature is taken over the body as JSON reads it",
        "incidents/proofs/signatures.py",
        "    keys = [_bytes(secret) for secret in secrets if is_shared(secret)]\n    expected",
        "    import json\n\n"
        "    content = json.dumps(json.loads(content)).encode() if content[:1] in (b'{', b'[') else content\n"
        "    keys = [_bytes(secret) for secret in secrets if is_shared(secret)]\n    expected",
        "tests/test_signature_vectors.py",
    ),
    Mutation(
        "a cursor is a plain id, in no order of commits",
        "incidents/pulses.py",
        '    store.lock(connection, ["pulse"])\n',
        "",
        "tests/test_trouble.py::test_who_reads_on_by_cursor_misses_no_change_of_eight_writers",
    ),
    Mutation(
        "too much is answered 429 and not 503",
        "service/problem.py",
        '"overloaded": (503,',
        '"overloaded": (429,',
        "tests/test_intake.py::test_when_too_much_waits_senders_are_asked_to_come_back",
    ),
    Mutation(
        "all who are turned away come back at once",
        "service/intake/inbox.py",
        "str(random.randint(2, 12))",
        'str(len("12345"))',
        "tests/test_intake.py::test_those_who_are_turned_away_come_back_apart",
    ),
    Mutation(
        "a body has no deadline",
        "service/intake/inbox.py",
        "BODY_SECONDS = 10.0",
        "BODY_SECONDS = 3600.0",
        "tests/test_bad_input.py::test_slow_senders_are_cut_off_and_others_served",
    ),
    Mutation(
        "bodies are inflated before the key is known (`auto_decompress`)",
        "service/serving.py",
        "auto_decompress=False",
        "auto_decompress=True",
        "tests/test_bad_input.py::test_ten_gzip_bombs_at_once_harm_nobody",
    ),
    Mutation(
        "a held incident gives its evidence up",
        "incidents/retention.py",
        " or row.id in held",
        "",
        "tests/test_retention.py::test_an_aged_incident_gives_its_evidence_up_unless_it_is_held",
    ),
    Mutation(
        "a month is dropped unexamined",
        "incidents/months.py",
        "[month for month in aged if not is_needed(connection, month)]",
        "aged\n    is_needed = lambda _connection, _month: False  # noqa: E731",
        "tests/test_months.py::test_a_month_of_which_one_delivery_is_needed_stays_and_the_others_go",
    ),
    Mutation(
        "a fold forgets what was said before",
        "incidents/recording.py",
        "now = fold.extend(was, statements) if was else fold.occurrences(statements)",
        "now = fold.occurrences(statements)",
        "tests/test_ingest.py::test_neither_order_nor_batches_nor_repeats_change_an_occurrence",
    ),
)


def copied(folder: Path) -> Path:
    """The project without what was made in it, in a folder of its own."""
    left_out = shutil.ignore_patterns(".git", ".venv", "build", "dist", "var", "__pycache__", ".*_cache", ".hypothesis")
    return Path(shutil.copytree(ROOT, folder / "copy", ignore=left_out))


def run(copy: Path, test: str) -> int:
    """Pytest's exit code for this test in the copy."""
    argv = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    done = subprocess.run(argv, cwd=copy, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode not in (0, FAILED):
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    return done.returncode


def main() -> int:
    """A line for each mutation; 1 where a test stayed green, or was not green before."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.mutations", description=__doc__)
    parser.add_argument("--only", help="only those whose name has this in it")
    only = parser.parse_args().only or ""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="barograph-mutations-") as folder:
        copy = copied(Path(folder))
        for mutation in (one for one in MUTATIONS if only in one.name):
            file = copy / mutation.path
            text = file.read_text()
            before = run(copy, mutation.test)
            file.write_text(text.replace(mutation.was, mutation.becomes))
            began = time.monotonic()
            after = run(copy, mutation.test)
            seconds = time.monotonic() - began
            file.write_text(text)
            told = "red" if after == FAILED else "GREEN" if after == 0 else f"exit {after}"
            told = told if before == 0 else f"was not green before (exit {before})"
            failed += told != "red"
            print(f"{told:<5}  {seconds:5.1f} s  {mutation.name}  {mutation.test}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
