"""The tree is as it should be: packages, lock files, package data, container file, the two commands."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path, PurePosixPath

import pytest

from tests import licences
from tests.servers import ROOT

PACKAGES = ("service", "dashboards", "incidents")
LOCKS = ("requirements-setup.lock", "requirements.lock", "requirements-dev.lock")
RELEASE_LOCK = "requirements-release.lock"
LARGEST_BYTES = 1_000_000
LARGE = re.compile(r"^dashboards/static/vendor/plotly[^/]*$")
NOT_OURS = (".git", ".venv", "var", "build", "dist", "__pycache__", "barograph.egg-info")


def files(*folders: str) -> list[Path]:
    """The files of the tree, or of these folders, that git would keep: relative to the root, sorted."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, check=False, timeout=60)
    if listed.returncode == 0:
        names = [Path(name) for name in listed.stdout.decode().split("\0") if name]
    else:  # an unpacked archive has no git
        names = [path.relative_to(ROOT) for folder in folders or (".",) for path in (ROOT / folder).rglob("*")]
        names = [name for name in names if not set(name.parts) & set(NOT_OURS) and not name.parts[0].endswith("_cache")]
    return sorted(name for name in set(names) if (ROOT / name).is_file())


def pins(lock: str) -> dict[str, str]:
    """Each requirement of a lock file, by name and marker, with its version."""
    found = re.findall(r"^([a-z0-9-]+)==([^ ]+)(?: ; (.+?))? \\$", (ROOT / lock).read_text(), re.MULTILINE)
    return {f"{name} {marker}".strip(): version for name, version, marker in found}


def canonical(requirement: str) -> str:
    """The name of the distribution that a requirement asks for, as lock files write it."""
    return re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


@pytest.mark.parametrize("lock", [*LOCKS, RELEASE_LOCK])
def test_lock_files_hold_pins_and_hashes_and_nothing_of_a_machine(lock: str) -> None:
    logical = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    requirement = re.compile(r"[a-z0-9-]+==[^ ]+( ; [^#/]+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert len(logical) > 1
    assert [line for line in logical if not requirement.fullmatch(line)] == []


def test_lock_files_agree() -> None:
    setup, run, dev = (pins(lock) for lock in LOCKS)
    assert run
    assert (setup | run).items() <= dev.items()


@pytest.mark.parametrize(("table", "lock"), [("project", "requirements.lock"), ("dev", "requirements-dev.lock")])
def test_every_declared_dependency_is_locked(table: str, lock: str) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = declared["project"]["dependencies"] if table == "project" else declared["dependency-groups"]["dev"]
    wanted = {canonical(each) for each in named if isinstance(each, str)}
    assert wanted - {name.split()[0] for name in pins(lock)} == set()


def test_every_import_is_of_a_declared_dependency() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for extra in declared.get("optional-dependencies", {}).values() for each in extra]
    names = {canonical(each) for each in [*declared["dependencies"], *extras]}
    imported: set[str] = set()
    for path in files(*PACKAGES):
        for node in ast.walk(ast.parse((ROOT / path).read_text())) if path.suffix == ".py" else ():
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                imported.add(node.module.partition(".")[0])
    foreign = imported - sys.stdlib_module_names - set(PACKAGES)
    assert "sqlalchemy" in foreign
    providers = packages_distributions()
    # What an extra brings need not be installed: it goes by its own name then.
    unknown = {name for name in foreign if not names & {canonical(each) for each in providers.get(name, [name])}}
    assert unknown == set()


def test_what_the_image_leaves_out_is_imported_by_nothing() -> None:
    (left,) = re.findall(r"pip uninstall --yes ([\w ]+)", (ROOT / "Dockerfile").read_text())
    assert "plotly" in left
    named = re.compile(rf"^\s*(?:import|from) (?:{'|'.join(left.split())})\b", re.MULTILINE)
    texts = {path: (ROOT / path).read_text() for path in files(*PACKAGES) if path.suffix == ".py"}
    assert [str(path) for path, text in texts.items() if named.search(text)] == []


def test_no_key_lies_in_the_tree() -> None:
    """Keys of ours, private keys, and those of clouds and forges; the tests' own are made to be found."""
    shapes = (r"\bb[ktsl]_[0-9A-Za-z]{43}\b", r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+\S{40}", r"\bAKIA[0-9A-Z]{16}\b",
              r"\bgh[pousr]_[0-9A-Za-z]{36}\b", r"\bxox[abprs]-[0-9A-Za-z-]{20}")  # fmt: skip
    found = re.compile("|".join(shapes).encode())
    assert found.search(b"bk_" + b"a1" * 21 + b"b")
    ours = [path for path in files() if path.parts[0] != "tests"]
    assert [str(path) for path in ours if found.search((ROOT / path).read_bytes())] == []


def test_top_level_packages_say_what_they_are() -> None:
    for package in PACKAGES:
        assert ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text())), package


def test_every_module_says_what_it_is() -> None:
    modules = [path for path in files(*PACKAGES, "tests") if path.suffix == ".py" and (ROOT / path).read_text().strip()]
    assert len(modules) > len(PACKAGES)
    assert [str(path) for path in modules if not ast.get_docstring(ast.parse((ROOT / path).read_text()))] == []


def test_no_other_top_level_package_has_crept_in() -> None:
    found = {path.parts[0] for path in files() if path.suffix == ".py"}
    assert found == {*PACKAGES, "tests"}


def test_files_are_small_but_for_the_vendored_plotly() -> None:
    large = [path.as_posix() for path in files() if (ROOT / path).stat().st_size > LARGEST_BYTES]
    assert [path for path in large if not LARGE.match(path)] == []


def test_no_machine_path_is_written_into_the_tree() -> None:
    # Built of parts, so that this line is not found itself.
    homes = re.compile("|".join(["/ro" + "ot/", "/ho" + "me/[a-z]", "/Us" + "ers/"]).encode())
    texts = [path for path in files() if path.suffix not in {".js", ".gz", ".br", ".woff2", ".ttf"}]
    assert [str(path) for path in texts if homes.search((ROOT / path).read_bytes())] == []


def test_the_console_script_exists() -> None:
    (script,) = entry_points(group="console_scripts", name="barograph")
    assert script.value == "service.cli:main"
    assert callable(script.load())


def test_an_installed_copy_holds_every_file_of_the_packages(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    wanted = files(*PACKAGES)
    for name in [*wanted, *map(Path, ("pyproject.toml", "LICENSE", "README.md"))]:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tree / name)
    argv = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    built = subprocess.run(
        [*argv, "--wheel-dir", tmp_path, tree], capture_output=True, text=True, timeout=100, check=False
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("barograph-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if PurePosixPath(name).parts[0] in PACKAGES}
    assert held == {path.as_posix() for path in wanted}


def test_the_container_file_copies_only_what_exists_and_is_let_in() -> None:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    sources = [
        source for line in lines if line.startswith("COPY ") and "--from=" not in line for source in line.split()[1:-1]
    ]
    assert set(PACKAGES) | {"pyproject.toml", "README.md", "LICENSE", "requirements.lock"} <= set(sources)
    assert [source for source in sources if not (ROOT / source).exists()] == []
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert [source for source in sources if not any(PurePosixPath(source).match(each) for each in let_in)] == []


def test_the_container_runs_the_service_as_an_ordinary_user() -> None:
    final = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    said = dict(re.findall(r"^(USER|VOLUME|EXPOSE|ENTRYPOINT|CMD) (.+)$", final, re.MULTILINE))
    assert said == {
        "USER": "barograph",
        "VOLUME": "/data",
        "EXPOSE": "8080",
        "ENTRYPOINT": '["barograph"]',
        "CMD": '["serve", "--host", "0.0.0.0"]',
    }
    assert "/livez" in final
    assert "BAROGRAPH_DATA_DIR=/data" in final


def test_pre_commit_calls_only_tools_that_are_installed() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    tools = re.findall(r"entry: \.venv/bin/([a-z-]+)", text)
    assert tools
    assert [tool for tool in tools if shutil.which(tool, path=str(Path(sys.executable).parent)) is None] == []
    assert re.findall(r"repo: (.+)", text) == ["local"]


def test_make_passes_options_on_to_serve() -> None:
    argv = ["make", "--dry-run", "--always-make", "--no-print-directory", "run", "ARGS=--port 9000 --no-demo"]
    said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.rstrip().endswith("exec .venv/bin/barograph serve --demo --port 9000 --no-demo")


def test_ci_fails_when_a_part_fails(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    makefile = tmp_path / "Makefile"
    for lint, test, code in (("true", "true", 0), ("false", "true", 2), ("true", "false", 2)):
        makefile.write_text(f"lint:\n\t@{lint}\ntest:\n\t@{test}\n")
        ended = subprocess.run(["bash", tmp_path / ".ci/run"], capture_output=True, timeout=60, check=False)
        assert ended.returncode == code, (lint, test)


def test_the_licences_of_all_that_runs_are_listed() -> None:
    text = licences.PAGE.read_text()
    listed = dict(re.findall(r"^\| ([a-z0-9.-]+) \| (.+?) \|$", text.partition("|---|")[2], re.MULTILINE))
    locked = {name.split()[0] for name in pins("requirements.lock")}
    assert set(listed) == locked, "python -m tests.licences writes the page anew"
    for name in locked:
        assert licences.licence_of(name) in (listed[name], None), name
        # What asks for the source of all that stands on it is not for a service that others change for themselves.
        assert not re.search(r"(?<!L)GPL", listed[name]), name
