"""The doctor finds what is wrong and says what to do; errors of a configuration name their line."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from incidents.config import ConfigError
from incidents.store import Store
from service import doctor, settings
from service.apply import config_in
from service.doctor import Finding
from service.toml_lines import line_of
from tests.conftest import StartBarograph

KEY = "an-ingest-key-of-32-or-more-characters"
TOML = """# a comment
[[sites]]
name = "smf"
latitude = 38.6
longitude = -121.5

[[sites]]
name = "iad"
latitude = 39.0
longitude = -77.5
limits = { dry_bulb_c = 43.0 }

[[sources]]
adapter = "alertmanager"
name = "am"

[[rules]]
name = "storm"
when = { kind = "alert", count = 5 }
match = [
  { label = "env", value = "prod" },
]
"""


def found(database_url: str, folder: Path, **given: str) -> dict[str, list[Finding]]:
    """What the doctor finds, by check, with the levels that are not ok first."""
    named = {"DATABASE_URL": database_url, "DATA_DIR": str(folder), **given}
    by_check: dict[str, list[Finding]] = {}
    for finding in doctor.examine(settings.read({}, {f"BAROGRAPH_{k}": v for k, v in named.items()})):
        by_check.setdefault(finding.check, []).append(finding)
    return by_check


def levels(findings: list[Finding]) -> set[str]:
    return {finding.level for finding in findings}


def test_a_healthy_store_has_no_finding_but_ok(store: Store, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    seen = found(store.url.render_as_string(hide_password=False), tmp_path)
    assert set(seen) >= {"files", "disk", "durability", "schema", "clock", "backlog", "sources", "feeds", "quarantine"}
    assert {f.text for all_ in seen.values() for f in all_ if f.level != "ok"} == set()


def test_the_doctor_changes_nothing(tmp_path: Path) -> None:
    seen = found(f"sqlite:///{tmp_path}/none/barograph.db", tmp_path / "none")
    assert levels(seen["database"]) == {"warning"}
    assert list(tmp_path.iterdir()) == []


def test_tables_of_another_revision_fail_with_what_to_do(sqlite_store: Store, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "barograph.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    (finding,) = found(str(sqlite_store.url), tmp_path)["schema"]
    assert (finding.level, "barograph migrate" in finding.advice) == ("failure", True)
    assert doctor.worst([finding]) == 1


def test_files_that_others_may_read(sqlite_store: Store, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "secret.key").write_text("s" * 64)
    (folder / "secret.key").chmod(0o644)
    token = tmp_path / "token"
    token.write_text("t" * 40)
    token.chmod(0o640)
    config = tmp_path / "c.toml"
    config.write_text(f'[[sources]]\nname = "am"\nadapter = "alertmanager"\nkey = "{KEY}"\n')
    config.chmod(0o644)
    files = found(str(sqlite_store.url), folder, ADMIN_TOKEN_FILE=str(token), CONFIG=str(config))["files"]
    told = {Path(f.advice.rpartition(" ")[2]).name: f.level for f in files if f.level != "ok"}
    assert told == {"secret.key": "failure", "token": "warning", "c.toml": "warning", "barograph.db": "warning"}
    folder.chmod(0o700)
    assert all("secret.key" not in f.advice for f in found(str(sqlite_store.url), folder)["files"])


def test_a_full_disk_a_dead_proxy_and_a_bad_file(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**10, 10**10 - 10**7, 10**7))
    config = tmp_path / "c.toml"
    config.write_text(TOML.replace("38.6", "380.6"))
    seen = found(str(sqlite_store.url), tmp_path, OUTBOUND_PROXY="http://127.0.0.1:9", CONFIG=str(config))
    assert levels(seen["disk"]) == levels(seen["outbound"]) == levels(seen["configuration"]) == {"failure"}
    assert seen["configuration"][0].text.startswith(f"{config}:4: sites[0] smf: latitude: 380.6")


def test_senders_feeds_and_quarantine_in_the_command(barograph: StartBarograph) -> None:
    config = f'[[sources]]\nname = "am"\nadapter = "alertmanager"\nkey = "{KEY}"\n'
    config += '[[sources]]\nname = "quiet"\nadapter = "grafana"\n[[sources]]\nname = "used"\nadapter = "generic"\n'
    config += '[[sources]]\nname = "sky"\nadapter = "nws_alerts"\nurl = "http://127.0.0.1:9/none"\n'
    service = barograph(config)
    service.read(service.send("used", b"\x1b[31mnot json", service.cli("key", "create", "used").stdout.strip()))
    service.until(lambda: service.json("/api/v1/sources")["items"][-1]["feed"]["stale_since"])
    done = service.cli("doctor", "--json")
    assert done.returncode == 0, done.stderr
    told = {(f["check"], f["text"]): f for f in json.loads(done.stdout)["findings"] if f["level"] == "warning"}
    assert ("sources", "am has a key that nobody has used") in told
    assert ("sources", "quiet has no key and was never heard") in told
    assert ("quarantine", "1 deliveries of used could not be read") in told
    assert any(check == "feeds" and text.startswith("sky is stale since") for check, text in told)
    assert all(finding["advice"] for finding in told.values())
    assert service.cli("doctor", "--strict").returncode == 1
    assert "\x1b" not in service.cli("doctor").stdout
    service.env["BAROGRAPH_PORTT"] = "1"
    broken = service.cli("doctor")
    assert (broken.returncode, "BAROGRAPH_PORTT is not a setting" in broken.stdout) == (1, True)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("sites[0]: name: is missing", 3),
        ("sites iad: latitude: 390.0 is not between -90 and 90", 9),
        ("sites iad: limits: numbers by variable are expected", 11),
        ("sites iad: timezone: 'x' is not a time zone", 7),
        ("sources[0]: adapter: 'x' is not an adapter", 14),
        ("sources am: key: shorter than 32 characters", 13),
        ("rules storm: when: within: 'x' is not a length", 19),
        ("rules storm: match[0]: label: is missing", 20),
        ("sites nobody: name: is given twice", None),
        ("configuration: sites: is not a key", 2),
        ("no such file", None),
    ],
)
def test_errors_lead_to_a_line(message: str, line: int | None) -> None:
    assert line_of(TOML, message) == line


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("38.6", "380.6", ":4: sites[0] smf: latitude:"),
        ('"alertmanager"', '"alertmanagre"', ":14: sources[0] am: adapter:"),
        ("count = 5", "count = 0", ":19: rules[0] storm: when: count:"),
        ('name = "am"', 'name = "am"\nkeyy = "x"', ":16: sources[0] am: keyy: is not a key"),
        ("[[rules]]", "[[ruels]]", ":17: configuration: ruels: is not a key"),
        ("longitude = -77.5", "longitude = ", "at line 10"),
    ],
)
def test_a_bad_file_is_told_with_its_line_and_key(tmp_path: Path, wrong: str, right: str, said: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(TOML.replace(wrong, right))
    with pytest.raises(ConfigError) as raised:
        config_in(path)
    assert said in str(raised.value)
