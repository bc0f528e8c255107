"""What tests ask for by name: real databases, the real service, the senders it listens to, and a real browser."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from playwright.sync_api import Browser

from incidents.store import Store
from tests import databases, machine, power, servers, window
from tests.forks import Forks

StartBarograph = Callable[..., servers.Barograph]
StartServer = Callable[..., servers.Server]

# A slow machine is not a failure; the example that failed is printed so that it can be run elsewhere.
hypothesis.settings.register_profile("barograph", deadline=None, print_blob=True)
hypothesis.settings.load_profile("barograph")


def pytest_collection_finish() -> None:
    """What is there now stays: the garbage collector would look through ten thousand tests again and again."""
    gc.collect()
    gc.freeze()


def _found(program: machine.Program) -> str:
    """Its path; the test fails, not skips, where it is missing."""
    path = program.path()
    if path is None:
        pytest.fail(machine.needs([program]), pytrace=False)
    return path


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    """Services and commands start as forks of one process, so that each is there two seconds sooner."""
    with closing(Forks()) as servers.Barograph.forks:
        yield
    servers.Barograph.forks = None


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[databases.Cluster]:
    """One PostgreSQL server for the whole session, started when the first test needs it."""
    with databases.cluster() as running:
        yield running


@pytest.fixture
def postgresql_url(postgresql_cluster: databases.Cluster) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of this test's own."""
    name = postgresql_cluster.make(databases.EMPTY)
    yield postgresql_cluster.url(name)
    postgresql_cluster.drop(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'barograph.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """One test, every backend: the URL of an empty database."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """A migrated store in a SQLite file."""
    databases.migrate(sqlite_url)
    with closing(Store(sqlite_url)) as opened:
        yield opened


@pytest.fixture
def postgresql_store(postgresql_cluster: databases.Cluster) -> Iterator[Store]:
    """A migrated store in a PostgreSQL database of its own."""
    name = postgresql_cluster.make(databases.MIGRATED)
    with closing(Store(postgresql_cluster.url(name))) as opened:
        yield opened
    postgresql_cluster.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Store:
    """One test, every backend: a migrated store without a row."""
    opened: Store = request.getfixturevalue(f"{request.param}_store")
    return opened


@pytest.fixture
def barograph(tmp_path: Path) -> Iterator[StartBarograph]:
    """Start the real service: `barograph(config, database_url=…, args=…, settings=…)`, as often as needed."""
    with ExitStack() as running:

        def start(config: str = "", **options: Any) -> servers.Barograph:
            home = tmp_path / f"service-{len(started)}"
            home.mkdir()
            service = servers.Barograph(home, config, **options)
            started.append(service)
            running.callback(service.end)
            return service.start()

        started: list[servers.Barograph] = []
        yield start
    for service in started:
        # pytest shows this beside a failure, and only there.
        sys.stdout.write(f"--- {service.url}\n{service.log[-20_000:]}\n")


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[StartServer]:
    """Start the real Alertmanager with this YAML: `alertmanager(config)`."""
    with ExitStack() as running:

        def start(config: str) -> servers.Server:
            server = servers.alertmanager(_found(machine.ALERTMANAGER), tmp_path, config)
            running.callback(server.end)
            return server.start()

        yield start


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[StartServer]:
    """Start the real Prometheus: `prometheus(config, files={"rules.yml": …})`."""
    with ExitStack() as running:

        def start(config: str, files: Mapping[str, str] | None = None) -> servers.Server:
            server = servers.prometheus(_found(machine.PROMETHEUS), tmp_path, config, files or {})
            running.callback(server.end)
            return server.start()

        yield start


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is preloaded into a service that writes a journal of its disk, or whose disk is in trouble."""
    return power.compile_shim(_found(machine.CC), tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser process for each module, so that its event loop is gone before async tests of other modules."""
    with window.chromium(_found(machine.CHROMIUM)) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[window.Window]:
    """A private window; the test fails at its end if a page did something wrong that it did not expect."""
    with window.window(chromium) as opened:
        yield opened
        assert not opened.problems, "\n".join(opened.problems)
