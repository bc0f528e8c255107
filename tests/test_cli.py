"""The command line, run for real in processes of its own: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from incidents.store import Store
from service.cli import main
from tests.servers import Barograph
from tests.world import World, config, firing, resolved

ROOT = Path(__file__).parent.parent
STORIES = ROOT / "service" / "stories"
PAYLOADS = Path(__file__).parent / "payloads"

CONFIG = """\
[[sites]]
name = "smf"
title = "Sacramento"
latitude = 38.64
longitude = -121.52
match = [{ label = "datacenter", value = "smf*" }]

[[sources]]
name = "am"
adapter = "alertmanager"
key = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

[[sources]]
name = "any"
adapter = "generic"
"""


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        """What it printed, as text."""
        return self.raw.decode()

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.raw)

    @property
    def lines(self) -> list[Any]:
        """What it printed, as a JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Home:
    """A data directory, and the commands that are run with it."""

    folder: Path

    @property
    def url(self) -> str:
        """Its database."""
        return f"sqlite:///{self.folder / 'barograph.db'}"

    def run(
        self,
        *args: object,
        stdin: bytes = b"",
        code: int = 0,
        settings: Mapping[str, str] | None = None,
        is_cold: bool = False,
    ) -> Ran:
        """Run a command; it must end with this code, and only then is what it printed worth a look."""
        given = {"BAROGRAPH_DATA_DIR": str(self.folder), **(settings or {})}
        settings = {"PATH": os.defpath, "HOME": str(self.folder), **{k: v for k, v in given.items() if v}}
        words = [*map(str, args)]
        if is_cold or (forks := Barograph.forks) is None:
            argv = [sys.executable, "-W", "error", "-m", "service", *words]
            ended = subprocess.run(
                argv, input=stdin, capture_output=True, cwd=ROOT, env=settings, timeout=60, check=False
            )
        else:
            ended = forks.run(words, stdin, 60, env=settings, cwd=ROOT, is_strict=True)
        ran = Ran(ended.returncode, ended.stdout, ended.stderr.decode())
        assert ran.code == code, f"{args} ended with {ran.code}\n{ran.out}\n{ran.err}"
        assert "Traceback" not in ran.err
        return ran

    def here(self, *args: object, stdin: bytes = b"", code: int = 0) -> Ran:
        """The same command run within this process: for the many ways in which it may be refused."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            settings = {"BAROGRAPH_DATA_DIR": str(self.folder)}
            ended = CliRunner().invoke(main, [*map(str, args)], input=stdin, env=settings, prog_name="barograph")
        ran = Ran(ended.exit_code, ended.stdout_bytes, ended.stderr)
        assert ran.code == code, f"{args} ended with {ran.code}\n{ended.output}\n{ended.exception!r}"
        return ran


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty data directory."""
    return Home(tmp_path)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A data directory with a configuration and one incident; tests only read it."""
    return recorded(Home(tmp_path_factory.mktemp("record")))


HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x1b[0m \u202eevil\u2066 [/bold] \x00\x9b2J"


def recorded(home: Home) -> Home:
    """Fill a data directory."""
    (home.folder / "site.toml").write_text(CONFIG)
    home.run("apply", home.folder / "site.toml")
    with closing(Store(home.url)) as store:
        world = World(store, config()).at("10:00")
        world.alertmanager(firing("db-1", says=HOSTILE), firing("db-2", "warning", name=HOSTILE))
        world.deliver("am", b"no JSON")
        world.work().at("10:30").alertmanager(resolved("db-1", says=HOSTILE)).at("11:00")
    return home


ID = "2026-03-02-smf"


# --- the way in -----------------------------------------------------------------------------------------------------


def test_help_names_every_command_and_each_has_help(home: Home) -> None:
    listed = re.findall(r"^  ([a-z][a-z-]*)  ", home.run("--help", is_cold=True).out, re.MULTILINE)
    assert {"serve", "adapters", "read", "replay", "apply", "check", "migrate", "rebuild", "reread"} <= set(listed)
    assert {"incident", "export", "key", "token"} <= set(listed)
    for command in listed:
        ran = home.here(command, "-h")
        assert ran.out.startswith(f"Usage: barograph {command} ")
        assert not ran.err
    assert list(home.folder.iterdir()) == []


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("read",),
        ("read", "generic"),
        ("read", "generic", "/nonexistent"),
        ("read", "generic", "-", "--header", "no colon"),
        ("read", "generic", "-", "--received-at", "yesterday"),
        ("replay", "/nonexistent"),
        ("replay", STORIES / "london-2022.json", "--as-of", ""),
        ("apply", "/nonexistent"),
        ("export", ID, "--format", "docx"),
        ("export", ID, "--format", "svg", "--tz", "Mars/Base"),
        ("incident", "list", "--limit", "0"),
        ("token", "create"),
        ("token", "create", "--role", "god"),
        ("serve", "--port", "http"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_word_on_stderr(home: Home, args: tuple[object, ...]) -> None:
    ran = home.here(*args, code=2)
    assert not ran.out
    assert "Error: " in ran.err


def test_a_process_ends_with_2_and_with_3(home: Home) -> None:
    assert "No such command" in home.run("nonsense", code=2).err
    assert "JSON" in home.run("read", "generic", "-", stdin=b"{", code=3).err


def test_an_unknown_setting_is_named(home: Home) -> None:
    ran = home.run("migrate", code=2, settings={"BAROGRAPH_DATABASE": "x"})
    assert "BAROGRAPH_DATABASE is not a setting" in ran.err
    assert "LOG_FORMAT" in home.run("check", code=2, settings={"BAROGRAPH_LOG_FORMAT": "xml"}).err


def test_a_setting_may_stand_in_a_file(home: Home) -> None:
    (home.folder / "url").write_text(f"sqlite:///{home.folder}/other.db\n")
    home.run("migrate", settings={"BAROGRAPH_DATABASE_URL_FILE": str(home.folder / "url")})
    assert (home.folder / "other.db").exists()
    ran = home.run("migrate", code=2, settings={"BAROGRAPH_DATABASE_URL_FILE": "/nonexistent"})
    assert "BAROGRAPH_DATABASE_URL_FILE" in ran.err


def test_a_database_that_does_not_answer_ends_with_6(home: Home) -> None:
    nowhere = {"BAROGRAPH_DATABASE_URL": f"postgresql://nobody@/none?host={home.folder}"}
    for args in (("migrate",), ("incident", "list"), ("check",), ("serve", "--port", "0")):
        assert "the database does not answer" in home.run(*args, code=6, settings=nowhere).err


# --- reading payloads -----------------------------------------------------------------------------------------------


def test_adapters_are_listed_as_lines_and_as_json(home: Home) -> None:
    rows = home.run("adapters", "--json", is_cold=True).json
    assert {"alertmanager", "generic"} <= {row["name"] for row in rows}
    for row in rows:
        assert set(row) == {"name", "version", "kind", "title", "reads", "verifies", "credit"}
        assert row["kind"] in ("webhook", "feed")
    assert len(home.run("adapters").out.splitlines()) == len(rows)


def test_read_prints_one_object_a_line(home: Home) -> None:
    sample = PAYLOADS / "alertmanager" / "firing.json"
    events = home.run("read", "alertmanager", sample).lines
    assert events
    for event in events:
        assert event["type"] == "event"
        assert set(event) >= {"kind", "key", "said_at", "starts_at", "ends_at", "title", "severity", "labels", "url"}


def test_read_takes_stdin_the_receipt_and_headers(home: Home) -> None:
    body = json.dumps(
        [{"key": "k", "title": "Down"}, {"reading": "temperature_c", "at": "2026-03-02T10:00:00Z"} | PLACE]
    )
    args = ("read", "generic", "-", "--received-at", "2026-03-02T11:00:00+01:00", "--header", "X-Sent: now")
    event, reading = home.run(*args, stdin=body.encode()).lines
    assert (event["title"], event["said_at"]) == ("Down", "2026-03-02T10:00:00.000000Z")
    assert (reading["type"], reading["variable"], reading["value"]) == ("reading", "temperature_c", 21.5)


PLACE = {"value": 21.5, "latitude": 38.6, "longitude": -121.5}


def test_read_takes_the_zone_of_zoneless_times(home: Home) -> None:
    body = b'{"key": "k", "title": "Down", "starts_at": "2026-03-02 10:00:00"}'
    (event,) = home.run("read", "generic", "-", "--timezone", "America/Los_Angeles", stdin=body).lines
    assert event["starts_at"] == "2026-03-02T18:00:00.000000Z"


def test_read_prints_nothing_for_a_test_message(home: Home) -> None:
    ran = home.run("read", "generic", "-", stdin=b'{"key": "k", "title": "Test", "test": true}')
    assert (ran.out, ran.err) == ("", "")


@pytest.mark.parametrize(
    ("adapter", "body", "said"),
    [
        ("generic", b"{", "JSON"),
        ("generic", b"", "empty body"),
        ("alertmanager", b'{"alerts": {}}', "list of alerts"),
        ("pigeon", b"{}", "no adapter pigeon"),
        ("generic", b'{"status": "\x1b[31m", "title": "x"}', ""),
    ],
)
def test_read_of_what_is_not_recognised_ends_with_3(home: Home, adapter: str, body: bytes, said: str) -> None:
    ran = home.here("read", adapter, "-", stdin=body, code=3)
    assert not ran.out
    assert said in ran.err
    assert "\x1b" not in ran.err


# --- stories --------------------------------------------------------------------------------------------------------


def test_replay_prints_json_of_the_documented_shape(home: Home) -> None:
    found = home.run("replay", STORIES / "london-2022.json", "--json").json
    assert found["quarantined"] == []
    (one,) = found["incidents"]
    assert (one["title"], one["status"], one["severity"], one["sites"]) == (
        "London: Checkout error rate above 5 %",
        "resolved",
        "critical",
        ["lon"],
    )
    assert one["alerts"] == 37
    assert set(one["timeline"][0]) >= {
        *("happened_at", "happened_until", "recorded_at", "lane", "kind", "text", "actor"),
        *("severity", "evidence", "corrected"),
    }
    order = [(line["happened_at"], line["recorded_at"]) for line in one["timeline"]]
    assert order == sorted(order)
    for link in one["links"]:
        assert set(link) >= {"id", "occurrence", "tier", "score", "reasons", "base_rate", "state"}
        assert link["tier"] in ("context", "coincident", "plausible", "strong")
    assert list(home.folder.iterdir()) == []


def test_replay_as_of_shows_what_was_known_then(home: Home) -> None:
    story = STORIES / "london-2022.json"
    (one,) = home.run("replay", story, "--json", "--as-of", "2022-07-19T14:00:00Z").json["incidents"]
    assert one["status"] == "acknowledged"
    assert max(line["recorded_at"] for line in one["timeline"]) <= "2022-07-19T14:00:00.000000Z"


def test_replay_writes_a_file_of_each_format_for_each_incident(home: Home) -> None:
    ran = home.run("replay", STORIES / "sacramento-2022.json", "--out", home.folder / "out")
    files = sorted(path.name for path in (home.folder / "out").iterdir())
    forms = ("csv", "html", "ics", "json", "md", "pdf", "png", "svg")
    assert files == [f"barograph-2022-09-05-smf.{form}" for form in forms]
    assert sorted(Path(line).name for line in ran.err.splitlines()) == files
    assert "Sacramento (SMF) data center lost" in ran.out
    assert (home.folder / "out" / "barograph-2022-09-05-smf.pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("story", "said"),
    [
        ("{", "not JSON"),
        ("[]", "a JSON object is expected"),
        ('{"chapters": []}', "chapters"),
        ('{"sources": []}', "neither deliveries nor actions"),
        ('{"deliveries": [{"source": "x"}]}', "deliveries[0]: source"),
        ('{"actions": [{"at": "2022-01-01T00:00:00Z", "do": {"dance": 1}}]}', "action"),
    ],
)
def test_a_story_that_cannot_be_played_says_why(home: Home, story: str, said: str) -> None:
    (home.folder / "story.json").write_text(story)
    ran = home.here("replay", home.folder / "story.json", code=1)
    assert said in ran.err
    assert not ran.out


# --- configuration --------------------------------------------------------------------------------------------------


def test_apply_twice_changes_nothing_and_prune_retires(home: Home) -> None:
    file = home.folder / "site.toml"
    file.write_text(CONFIG)
    assert home.run("apply", file, "--dry-run").out.splitlines() == [
        "add     site smf",
        "add     source am",
        "add     source any",
    ]
    assert home.run("apply", file).out.splitlines() == ["add     site smf", "add     source am", "add     source any"]
    assert {line.split()[0] for line in home.run("apply", file).out.splitlines()} == {"keep"}
    file.write_text(CONFIG.rpartition("[[sources]]")[0])
    assert home.run("apply", file).out.splitlines()[-1] == "absent  source any (kept; --prune retires it)"
    assert home.run("apply", file, "--prune").out.splitlines()[-1] == "retire  source any"
    assert home.run("apply", file, "--prune").out.splitlines() == ["keep    site smf", "keep    source am"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[sites]\n", "site.toml"),
        ('[[sites]]\nname = "smf"\n', "sites[0] smf: latitude: is missing"),
        ('[[sources]]\nname = "am"\nadapter = "pigeon"\n', "'pigeon' is not an adapter"),
        ('[[sources]]\nname = "am"\nadapter = "generic"\nkey_file = "none"\n', "sources am: key_file"),
    ],
)
def test_apply_of_a_broken_file_says_where_and_changes_nothing(home: Home, text: str, said: str) -> None:
    file = home.folder / "site.toml"
    file.write_text(text)
    ran = home.here("apply", file, code=1)
    assert said in ran.err
    assert not ran.out
    file.write_text("")
    assert home.here("apply", file, "--prune").out == ""


def test_the_file_gives_no_key_to_a_source_that_the_page_owns(home: Home) -> None:
    import sqlalchemy as sa

    from incidents.configured import CONFIGURED
    from incidents.views.overview import KEY

    file = home.folder / "site.toml"
    file.write_text(CONFIG)
    home.run("apply", file)
    with closing(Store(home.url)) as store:
        with store.writing() as connection:
            connection.execute(sa.update(CONFIGURED).values(owner="page"))
            connection.execute(sa.delete(KEY))
        assert home.run("apply", file).out.splitlines()[1] == "taken   source am (owned by page)"
        with store.reading() as connection:
            assert connection.execute(sa.select(KEY)).all() == []


def test_check_tells_what_is_there_and_what_is_wrong(home: Home) -> None:
    file = home.folder / "site.toml"
    file.write_text(CONFIG)
    ran = home.run("check", settings={"BAROGRAPH_CONFIG": str(file)})
    assert ran.out.splitlines() == [
        "configuration: 1 sites, 2 sources",
        "database: SQLite, journal_mode wal, synchronous 2",
    ]
    file.write_text('[[sites]]\nname = "smf"\n')
    assert "latitude" in home.run("check", code=1, settings={"BAROGRAPH_CONFIG": str(file)}).err


def test_migrate_may_be_run_again(home: Home) -> None:
    assert home.run("migrate", is_cold=True).out == home.run("migrate").out == "the schema is up to date\n"


# --- the record -----------------------------------------------------------------------------------------------------


def test_rebuild_says_what_it_folded(record: Home) -> None:
    assert record.run("rebuild").out == "2 occurrences and 1 incidents folded\n"


def test_reread_counts_and_reads_again(record: Home) -> None:
    nothing = "0 differ, 0 statements {0}superseded, 0 {0}recorded\n"
    would = nothing.format("would be ")
    assert record.run("reread", "am", "--dry-run").out == f"3 deliveries would be read again: {would}"
    since = ("--since", "2026-03-02T10:15:00Z")
    assert record.run("reread", "any", "--dry-run", *since).out == f"0 deliveries would be read again: {would}"
    before = record.run("incident", "show", ID, "--json").json
    assert record.run("reread", "am").out == f"3 deliveries read again: {nothing.format('')}"
    assert record.run("incident", "show", ID, "--json").json["timeline"] == before["timeline"]
    assert "no source pigeon" in record.here("reread", "pigeon", code=3).err


def test_incidents_are_listed(record: Home) -> None:
    (row,) = record.run("incident", "list", "--json", is_cold=True).json
    assert (row["id"], row["status"], row["alerts"]) == (ID, "open", 2)
    assert record.run("incident", "list").out.startswith(f"{ID} ")
    assert record.run("incident", "list", "--status", "resolved", "--json").json == []


def test_an_incident_is_shown_with_its_timeline(record: Home) -> None:
    shown = record.run("incident", "show", ID, "--json").json
    assert shown["incident"]["id"] == ID
    assert len(shown["timeline"]) >= 5
    then = record.run("incident", "show", ID, "--json", "--as-of", "2026-03-02T10:15:00Z").json
    assert max(line["recorded_at"] for line in then["timeline"]) <= "2026-03-02T10:15:00.000000Z"
    assert "no incident nothing" in record.here("incident", "show", "nothing", code=3).err


@pytest.mark.parametrize("args", [("incident", "list"), ("incident", "show", ID), ("export", ID, "--format", "md")])
def test_hostile_titles_are_printed_without_their_teeth(record: Home, args: tuple[str, ...]) -> None:
    printed = record.run(*args).out
    assert "red" in printed
    assert not [c for c in printed if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066"]


def test_json_for_a_terminal_is_ascii(record: Home) -> None:
    assert record.run("incident", "list", "--json").raw.isascii()


def test_people_act_by_the_command_line(tmp_path: Path) -> None:
    home = recorded(Home(tmp_path))
    note = home.run("incident", "note", ID, "A fuse", "--happened-at", "2026-03-02T09:58:00Z", "--actor", "bob")
    assert note.out.strip().isdigit()
    assert home.run("incident", "status", ID, "resolved", "--note", "Fuse changed").out == "resolved\n"
    shown = home.run("incident", "show", ID).out
    assert "A fuse  [user:bob]" in shown
    assert "Resolved: Fuse changed  [user:cli]" in shown
    assert "status: one of" in home.here("incident", "status", ID, "done", code=1).err
    assert "text: is empty" in home.here("incident", "note", ID, "  ", code=1).err
    assert "happened_at" in home.here("incident", "note", ID, "x", "--happened-at", "soon", code=1).err
    home.here("incident", "note", "nothing", "x", code=3)
    home.here("incident", "status", "nothing", "open", code=3)


def test_exports_go_to_stdout_or_into_a_file(record: Home, tmp_path: Path) -> None:
    begins = {
        "svg": b"<svg",
        "png": b"\x89PNG",
        "pdf": b"%PDF-",
        "html": b"<!doctype",
        "md": b"# ",
        "csv": b"happened_at",
    }
    for form, first in begins.items():
        run = record.run if form == "pdf" else record.here
        raw = run("export", ID, "--format", form).raw
        assert first in raw[:200].replace(b"DOCTYPE", b"doctype"), (form, raw[:80])
    ran = record.run(
        "export", ID, "--format", "svg", "--out", tmp_path / "a.svg", "--tz", "Asia/Tokyo", "--theme", "dark"
    )
    assert not ran.raw
    assert ran.err.strip() == str(tmp_path / "a.svg")
    assert b"UTC" in (tmp_path / "a.svg").read_bytes()
    assert json.loads(record.run("export", ID, "--format", "json").raw)["incident"]["id"] == ID
    record.here("export", "nothing", "--format", "svg", code=3)
    record.here("export", ID, "--format", "svg", "--out", tmp_path / "no" / "a.svg", code=1)


# --- keys -----------------------------------------------------------------------------------------------------------


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    home = recorded(Home(tmp_path))
    key, token = (
        home.run("key", "create", "any").out.strip(),
        home.run("token", "create", "--role", "viewer").out.strip(),
    )
    assert re.fullmatch(r"bk_[\w-]{43}", key)
    assert re.fullmatch(r"bt_[\w-]{43}", token)
    rows = home.run("key", "list", "--json").json
    assert [(r["kind"], r["role"], r["source"]) for r in rows] == [
        ("ingest", "ingest", "am"),
        ("ingest", "ingest", "any"),
        ("token", "viewer", None),
    ]
    listed = home.run("key", "list").out
    assert len(listed.splitlines()) == 3
    assert key not in listed
    assert key not in json.dumps(rows)
    assert "revoked" in home.run("key", "revoke", rows[1]["id"]).out
    assert len(home.run("key", "list").out.splitlines()) == 2
    home.here("key", "revoke", rows[1]["id"], code=3)
    home.here("key", "create", "pigeon", code=3)


def test_a_sign_in_link_is_printed_once_and_never_kept(home: Home) -> None:
    link = home.run("sign-in", settings={"BAROGRAPH_PUBLIC_URL": "https://barograph.example/"}).out.strip()
    assert link.startswith("https://barograph.example/sign-in")
    assert home.run("sign-in").out.startswith("http://127.0.0.1:8080/sign-in")
