"""The documentation has unit tests: what exists is documented, what is documented exists, and its examples run."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jmespath
import pytest

from tests.conftest import StartBarograph, StartServer
from tests.servers import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
KEY = "an-ingest-key-of-32-or-more-characters"


def page(name: str) -> str:
    """The text of one page of docs/."""
    return (ROOT / "docs" / name).read_text()


def section(name: str, heading: str) -> str:
    """What stands under a heading of a page, up to the next heading of its level or a higher one."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,3}} |\Z)", page(name), re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no heading {heading!r}"
    return found[2]


def rows(name: str, heading: str) -> list[str]:
    """The first cell of each table row under a heading, without its backticks."""
    return re.findall(r"^\| `([^`]+)`", section(name, heading), re.MULTILINE)


def examples(text: str, *languages: str) -> list[str]:
    """The fenced blocks of these languages, in order, without their indentation."""
    return [
        re.sub(rf"^{indent}", "", body, flags=re.MULTILINE)
        for indent, language, body in FENCE.findall(text)
        if language in languages
    ]


def anchors(path: Path) -> set[str]:
    """The fragments that a page's headings can be linked by."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(command: click.Command, path: tuple[str, ...] = ("barograph",)) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its whole name."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            if not below.hidden:
                yield from commands(below, (*path, name))
    else:
        yield " ".join(path), command


def documented_commands() -> dict[str, str]:
    """Each row of the table of commands: the first cell to the whole row."""
    table = section("reference.md", "Commands")
    return {match[1]: match[0] for match in re.finditer(r"^\| `([^`]+)` \|.*$", table, re.MULTILINE)}


def existing_commands() -> dict[str, click.Command]:
    """Every command of the program by its whole name."""
    return dict(commands(importlib.import_module("service.cli").main))


def route(method: str, path: str) -> str:
    """A route with its parameters left unnamed."""
    return f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}"


@pytest.mark.parametrize("name", NAMES)
def test_links_between_pages_lead_somewhere(name: str) -> None:
    here = ROOT / name
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", here.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        there = (here.parent / path).resolve() if path else here
        assert there.exists(), target
        assert not fragment or fragment in anchors(there), target


@pytest.mark.parametrize("name", NAMES)
def test_configuration_and_json_in_the_pages_is_well_formed(name: str) -> None:
    text = (ROOT / name).read_text()
    for block in examples(text, "toml"):
        assert tomllib.loads(block)
    for block in examples(text, "json"):
        assert json.loads(block)


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    settings = importlib.import_module("service.settings").SETTINGS
    assert set(rows("reference.md", "Settings")) == {f"BAROGRAPH_{setting.name.upper()}" for setting in settings}


def test_settings_are_documented_with_their_defaults_and_as_secret_where_they_are() -> None:
    table = section("reference.md", "Settings")
    for setting in importlib.import_module("service.settings").SETTINGS:
        name = f"BAROGRAPH_{setting.name.upper()}"
        (row,) = re.findall(rf"^\| `{name}` \| (.+?) \| (.+?) \|$", table, re.MULTILINE)
        assert not setting.default or row[0] == f"`{setting.default}`", name
        assert bool(setting.secret) == row[1].startswith("secret: "), name


def test_every_command_is_documented_and_every_documented_one_exists() -> None:
    first_words = {re.split(r" [A-Z-]", row)[0] for row in documented_commands()}
    assert first_words == set(existing_commands())


def test_documented_options_exist() -> None:
    existing = existing_commands()
    for usage, row in documented_commands().items():
        command = existing[re.split(r" [A-Z-]", usage)[0]]
        known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
        assert set(re.findall(r"(?<![\w-])--[a-z-]+", row)) <= known, usage


def test_every_adapter_is_documented_and_every_documented_one_exists() -> None:
    modules = pkgutil.iter_modules(importlib.import_module("incidents.adapters").__path__)
    named = {module.name for module in modules if not module.name.startswith("_")}
    assert set(rows("reference.md", "Adapters")) == named


def test_every_problem_type_is_documented_and_every_documented_one_exists() -> None:
    problems = importlib.import_module("service.problem").PROBLEMS
    documented = re.findall(r"^\| `([^`]+)` \| (\d+) \|", section("reference.md", "Problems"), re.MULTILINE)
    assert dict(documented) == {name: str(status) for name, (status, *_) in problems.items()}


def test_every_route_is_documented_and_every_documented_one_exists(barograph: StartBarograph) -> None:
    described = barograph().json("/api/v1/openapi.json")
    server = described.get("servers", [{"url": ""}])[0]["url"].rstrip("/").removesuffix("/api/v1")
    served = {
        route(method, f"{server}{path}".removeprefix("/api/v1"))
        for path, methods in described["paths"].items()
        for method in methods
        if method in {"get", "post", "put", "patch", "delete"}
    }
    outside = {"GET /livez", "GET /readyz", "GET /metrics", "POST /in/{}", "POST /in/{}/{}"}
    documented = {route(*row.split(" ", 1)) for row in rows("reference.md", "API")}
    assert documented == served - outside


def test_the_configuration_of_the_reference_applies(barograph: StartBarograph) -> None:
    (example,) = examples(section("reference.md", "Configuration file"), "toml")
    service = barograph()
    (service.home / "billing-cron.key").write_text("another-ingest-key-of-32-or-more-characters\n")
    service.config_path.write_text(example)
    first = service.cli("apply", str(service.config_path))
    assert first.returncode == 0, first.stderr
    service.until(lambda: service.json("/api/v1/sites")["items"])
    assert {site["name"] for site in service.json("/api/v1/sites")["items"]} == {"smf"}
    assert {source["name"] for source in service.json("/api/v1/sources")["items"]} == {
        "alertmanager-eu",
        "billing-cron",
    }


def test_the_payloads_of_the_generic_adapter_are_read(barograph: StartBarograph) -> None:
    service = barograph()
    for number, example in enumerate(examples(section("reference.md", "The generic adapter"), "json")):
        payload = service.home / f"{number}.json"
        payload.write_text(example)
        read = service.cli("read", "generic", str(payload))
        assert read.returncode == 0, read.stderr
        assert json.loads(read.stdout)["type"] == ("reading" if "reading" in json.loads(example) else "event")


def test_the_mapping_of_the_reference_maps() -> None:
    (example,) = examples(section("reference.md", "Other JSON shapes"), "toml")
    sent = {"job": {"id": "b-7", "ok": False, "host": "db-1"}, "level": "error"}
    mapping: dict[str, str] = tomllib.loads(example)["sources"][0]["mapping"]
    assert {name: jmespath.search(expression, sent) for name, expression in mapping.items()} == {
        "key": "b-7",
        "status": "firing",
        "title": "Backup of db-1",
        "severity": "error",
    }


def test_the_story_of_the_reference_replays(barograph: StartBarograph) -> None:
    (example,) = examples(section("reference.md", "Story file"), "json")
    service = barograph()
    story = service.home / "story.json"
    story.write_text(example)
    replayed = service.cli("replay", str(story), "--json")
    assert replayed.returncode == 0, replayed.stderr
    told: dict[str, Any] = json.loads(replayed.stdout)
    assert told["quarantined"] == []
    (incident,) = told["incidents"]
    assert incident["sites"] == ["smf"]
    assert any("Rotating the old logs away" in line["text"] for line in incident["timeline"])


def test_the_tutorial_works_word_for_word(barograph: StartBarograph, tmp_path: Path) -> None:
    text = page("tutorial.md")
    (config,) = examples(text, "toml")
    token = re.search(r"^export TOKEN=(\S+)$", text, re.MULTILINE)
    assert token
    assert f"export BAROGRAPH_ADMIN_TOKEN={token[1]}\n" in text
    service = barograph(config, settings={"ADMIN_TOKEN": token[1]})

    def unread() -> bool:
        deliveries = service.call("GET", "/api/v1/deliveries", token=token[1]).json()["items"]
        return any(delivery["state"] == "unread" for delivery in deliveries)

    exported = tmp_path / "exported"
    env = dict(service.env)
    for block in examples(text, "sh"):
        # What a block exports is there in the next, as it is in the reader's terminal.
        script = block.replace("http://127.0.0.1:8080", service.url) + f"env -0 > {exported}\n"
        argv = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        env = dict(each.split("=", 1) for each in exported.read_text().split("\0") if each)
        service.until(lambda: not unread())
    assert "Disk full on db-1" in done.stdout
    assert "Rotating the old logs away" in done.stdout


def test_the_alertmanager_of_the_how_to_delivers(
    barograph: StartBarograph, alertmanager: StartServer, tmp_path: Path
) -> None:
    text = section("how-to.md", "Connect Alertmanager")
    (config,) = examples(text, "toml")
    service = barograph(f'{config}\nkey = "{KEY}"\n')
    (tmp_path / "key").write_text(KEY)
    (snippet,) = examples(text, "yaml")
    for written, meant in (
        ("http://127.0.0.1:8080", service.url),
        ("/etc/alertmanager/barograph.key", str(tmp_path / "key")),
        ("  group_by:", "  group_wait: 1s\n  group_by:"),
    ):
        assert written in snippet
        snippet = snippet.replace(written, meant)
    monitor = alertmanager(snippet)
    alert = {"labels": {"alertname": "DiskFull", "severity": "critical", "instance": "db-1"}}
    posted = monitor.request(
        "POST", "/api/v2/alerts", json.dumps([alert]), headers={"Content-Type": "application/json"}
    )
    assert posted.status == 200, posted.text
    (incident,) = service.until(lambda: service.json("/api/v1/incidents")["items"])
    assert incident["severity"] == "critical"


def test_commands_of_the_pages_exist() -> None:
    known = {tuple(name.split()[1:]) for name in existing_commands()}
    for name in NAMES:
        for block in examples((ROOT / name).read_text(), "console", "sh"):
            for words in re.findall(r"^(?:[A-Z_]+=\S+ )*barograph ((?:[a-z]+ ?)+)", block, re.MULTILINE):
                said = tuple(words.split())
                assert said[:1] in known or said[:2] in known, f"{name}: barograph {words}"
