"""Operation: what /readyz and /metrics tell, and that they tell it while things are wrong."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from incidents import schema
from incidents.store import Store
from service import durability
from service.settings import SettingsError
from tests.conftest import StartBarograph
from tests.servers import ROOT, Barograph
from tests.test_docs import section

KEY = "an-ingest-key-of-32-or-more-characters"
CONFIG = f"""
[[sources]]
name = "am"
adapter = "alertmanager"
key = "{KEY}"
"""


def families(service: Barograph) -> dict[str, str]:
    """The metrics that are served, by name as the reference writes it, with their types."""
    found = {}
    for family in text_string_to_metric_families(service.get("/metrics").text):
        found[f"{family.name}_total" if family.type == "counter" else family.name] = family.type
    return found


def value(service: Barograph, name: str, **labels: str) -> float | None:
    """One sample; None where it is absent."""
    for family in text_string_to_metric_families(service.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return None


def documented() -> dict[str, tuple[str, str]]:
    """The table of metrics: name to type and labels."""
    rows = re.findall(r"^\| `(barograph_\w+)` \| (\w+) \| (.*?) \|", section("reference.md", "Metrics"), re.MULTILINE)
    return {name: (kind, labels) for name, kind, labels in rows}


def test_every_metric_is_documented_with_its_type_and_labels(barograph: StartBarograph) -> None:
    feed = '\n[[sources]]\nname = "sky"\nadapter = "nws_alerts"\nurl = "http://127.0.0.1:9/none"\n'
    service = barograph(CONFIG + feed)
    service.read(service.send("am", b"not json", KEY))
    service.post("/in/am", b"{}", token="a-key-that-nobody-ever-made-0123456789")
    service.restart()  # refusals are written down at the end, and every 30 seconds
    assert value(service, "barograph_requests_refused_total", source="am", reason="wrong-key") == 1
    service.until(lambda: value(service, "barograph_feed_stale", source="sky") is not None)
    told = {name: kind for name, kind in families(service).items() if name.startswith("barograph_")}
    assert {name: kind for name, (kind, _) in documented().items()} == told
    for family in text_string_to_metric_families(service.get("/metrics").text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if name in documented():
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            assert labels <= set(re.findall(r"`(\w+)`", documented()[name][1])), name


def test_metrics_count_what_happened(barograph: StartBarograph) -> None:
    service = barograph(CONFIG)
    assert value(service, "barograph_deliveries_quarantined", source="am") == 0
    assert value(service, "barograph_source_last_delivery_timestamp_seconds", source="am") is None
    service.read(service.send("am", b"zebra, not json", KEY))
    assert value(service, "barograph_deliveries_quarantined", source="am") == 1
    assert (value(service, "barograph_source_last_delivery_timestamp_seconds", source="am") or 0) > 1.7e9
    assert value(service, "barograph_deliveries_written_total") == 1
    assert value(service, "barograph_commit_seconds_count") == 1
    assert value(service, "barograph_receipt_seconds_count") == 1
    assert (value(service, "barograph_fold_seconds_count") or 0) >= 1
    assert value(service, "barograph_deliveries_unread") == 0
    assert (value(service, "barograph_disk_free_bytes") or 0) > 0
    assert (value(service, "barograph_database_size_bytes") or 0) > 0
    assert value(service, "barograph_ready") == 1
    for path in ("/metrics", "/readyz"):
        assert "zebra" not in service.get(path).text
        assert str(service.home) not in service.get(path).text


def test_names_follow_prometheus() -> None:
    for name, (kind, _) in documented().items():
        assert (kind == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|milliseconds|minutes|mib|kb|percent)(_|$)", name), name


def test_readiness_tells_each_check(barograph: StartBarograph, database_url: str) -> None:
    told = barograph(CONFIG, database_url=database_url).json("/readyz")
    assert (told["status"], told["reasons"]) == ("ready", [])
    assert set(told["checks"]) - {"spool"} == {
        "writer",
        "worker",
        "database",
        "durability",
        "schema",
        "backlog",
        "disk",
    }
    assert all(check["ok"] for check in told["checks"].values())
    assert told["checks"]["schema"]["revision"] == schema.newest()
    assert told["checks"]["backlog"]["unread"] == 0
    assert told["checks"]["disk"]["free_bytes"] > 0


def test_a_database_that_was_made_forgetful_is_not_ready(barograph: StartBarograph, postgresql_url: str) -> None:
    service = barograph(CONFIG, database_url=postgresql_url)
    name = postgresql_url.partition("?")[0].rpartition("/")[2]
    service.until(lambda: "Sign in once" in service.log)
    with closing(psycopg.connect(postgresql_url, autocommit=True)) as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')  # type: ignore[arg-type]
        ours = "datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
    told = service.until(lambda: service.get("/readyz") if service.get("/readyz").status == 503 else None)
    assert told is not None
    assert any("synchronous_commit is off" in reason for reason in told.json()["reasons"])


def test_tables_of_another_revision_are_told(barograph: StartBarograph) -> None:
    service = barograph(CONFIG)
    with closing(sqlite3.connect(service.home / "barograph.db", timeout=30)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()
        told = service.until(lambda: service.get("/readyz") if service.get("/readyz").status == 503 else None)
        assert told is not None
        assert told.json()["reasons"] == [f"the tables are at revision 0001, this version wants {schema.newest()}"]
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    told = service.until(lambda: service.get("/readyz") if service.get("/readyz").status == 200 else None)
    assert told is not None
    assert "newer than" in told.json()["warnings"][0]
    for command in (("key", "list"), ("serve", "--port", "0")):
        done = service.cli(*command)
        assert (done.returncode, "Traceback" in done.stderr) == (5, False), done.stderr
        assert "run the version that made them" in done.stderr


def test_the_newest_revision_is_the_one_that_migrations_lead_to(store: Store) -> None:
    with store.reading() as connection:
        assert schema.revision(connection) == schema.newest()
        assert not schema.is_refill_due(connection)


def test_a_database_without_tables_has_no_revision(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/new.db")) as store, store.reading() as connection:
        assert schema.revision(connection) is None


@pytest.fixture
def forgetful(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(sqlite_store, "durability", lambda: {"journal_mode": "wal", "synchronous": "1"})
    return sqlite_store


def test_a_start_on_a_forgetful_database_is_refused(forgetful: Store) -> None:
    with pytest.raises(SettingsError, match="synchronous is 1"):
        durability.check_durability(forgetful)


def test_what_is_forgetful_and_what_is_not() -> None:
    assert durability.faults({"journal_mode": "wal", "synchronous": "2"}) == []
    assert durability.faults({"fsync": "on", "synchronous_commit": "remote_apply", "full_page_writes": "off"}) == []
    assert len(durability.faults({"fsync": "off", "synchronous_commit": "off"})) == 2
    assert durability.doubts({"full_page_writes": "off"})


def test_help_loads_nothing_heavy() -> None:
    """`--help` answers within 300 ms because it imports click and the commands' own modules, nothing else."""
    code = "import sys, service.cli; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    heavy = {"sqlalchemy", "sqlmodel", "pydantic", "aiohttp", "alembic", "plotly", "cryptography", "asyncio", "orjson"}
    assert not heavy & set(done.stdout.split())


def test_a_command_on_a_database_that_is_up_to_date_loads_no_migrations(barograph: StartBarograph) -> None:
    service = barograph(CONFIG)
    code = "import sys, service.cli; service.cli.main(['key', 'list'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=service.home, env=service.env, check=True
    )
    assert not {"alembic", "aiohttp", "incidents.ingest", "incidents.rebuild"} & set(done.stdout.split())
