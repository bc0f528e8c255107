"""Forks are what a program of their own would be: its own environment, folder, files and exit code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import StartBarograph
from tests.forks import Forks, plain
from tests.servers import Barograph


@pytest.fixture
def forks() -> Forks:
    assert Barograph.forks is not None
    return Barograph.forks


def test_a_command_has_its_own_output_and_code(forks: Forks, tmp_path: Path) -> None:
    done = forks.run(["--version"], b"", 20, env={}, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"barograph, version ")
    refused = forks.run(["nonsense"], b"", 20, env={}, cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert b"No such command" in refused.stderr


def test_a_command_reads_its_own_input_environment_and_folder(
    forks: Forks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAROGRAPH_LOG_FORMAT", "xml")
    said = forks.run(["read", "generic", "-"], b'{"key": "k", "title": "Here"}', 20, env={}, cwd=tmp_path)
    assert (said.returncode, b'"Here"' in said.stdout) == (0, True), said.stderr
    refused = forks.run(["check"], b"", 20, env={"BAROGRAPH_LOG_FORMAT": "xml"}, cwd=tmp_path)
    assert (refused.returncode, b"LOG_FORMAT" in refused.stderr) == (2, True)
    assert forks.run(["migrate"], b"", 20, env={"BAROGRAPH_DATA_DIR": "here"}, cwd=tmp_path).returncode == 0
    assert (tmp_path / "here" / "barograph.db").exists()


def test_a_command_begins_as_a_cold_one_would_whoever_runs_the_tests(forks: Forks, tmp_path: Path) -> None:
    whose = {"LC_ALL": "POSIX", "LANG": "de_DE.ISO-8859-1", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"}
    kept = {"PATH": "/bin", "PYTHONPATH": "here"}
    assert plain(whose | kept) == kept
    words = ["read", "generic", "-"]
    said = forks.run(words, '{"key": "k", "title": "H\u00ebre"}'.encode(), 20, env=kept, cwd=tmp_path)
    assert json.loads(said.stdout)["title"] == "H\u00ebre"
    for name, value in whose.items():
        with pytest.raises(AssertionError, match="cold start"):
            forks.run(words, b"", 20, env={**kept, name: value}, cwd=tmp_path)


def test_a_service_that_is_killed_tells_by_what(barograph: StartBarograph) -> None:
    service = barograph()
    child = service._child
    assert child is not None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0)
    service.kill9()
    assert (child.poll(), service.is_running) == (-9, False)
    assert service.start().terminate() == 0
