"""A streaming standby of PostgreSQL: pages are read from it, its lag is told, and without it everything goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from service import clock
from service.settings import SettingsError, read
from service.standby import MOST_LAG, Standby
from tests import databases
from tests.databases import MIGRATED, Cluster
from tests.senders import CONFIG, ago, alert, incident_of, served
from tests.servers import Barograph
from tests.test_api import Listener

PRIMARY = {"DATABASE_URL": "postgresql://a@one/b", "DATABASE_PASSWORD": "word"}


def settings(**given: str) -> str:
    return read({}, {f"BAROGRAPH_{name}": value for name, value in given.items()}).read_database_url


def test_a_standby_is_one_of_postgresql_and_takes_the_same_password() -> None:
    assert settings(**PRIMARY) == ""
    assert settings(**PRIMARY, READ_DATABASE_URL="postgresql://a@two/b") == "postgresql://a:word@two/b"
    assert settings(**PRIMARY, READ_DATABASE_URL="postgresql://c:own@two/b") == "postgresql://c:own@two/b"
    for wrong in ({"READ_DATABASE_URL": "postgresql://a@two/b"}, {**PRIMARY, "READ_DATABASE_URL": "sqlite:///x"}):
        with pytest.raises(SettingsError, match="READ_DATABASE_URL"):
            settings(**wrong)


class Pair:
    """A service, its database and its standby."""

    def __init__(self, service: Barograph, url: str, standby: Cluster) -> None:
        self.service, self.url, self.standby = service, url, standby

    def replay(self, *, on: bool) -> None:
        """Let the standby apply what it receives, or only keep it."""
        with psycopg.connect(self.standby.url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_wal_replay_resume()" if on else "SELECT pg_wal_replay_pause()")

    def check(self) -> dict[str, object]:
        """What `/readyz` says of the standby."""
        found: dict[str, object] = self.service.json("/readyz")["checks"]["standby"]
        return found


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with databases.cluster() as primary:
        name = primary.make(MIGRATED)
        with databases.standby(primary) as standby:
            named = {"READ_DATABASE_URL": standby.url(name)}
            with served(
                tmp_path_factory.mktemp("s"), CONFIG, database_url=primary.url(name), settings=named
            ) as service:
                yield Pair(service, primary.url(name), standby)


def page(pair: Pair, path: str, **cookies: str) -> str:
    headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())} if cookies else {}
    answer = pair.service.get(path, headers=headers)
    assert answer.status == 200, answer.text[:500]
    return answer.text


def test_pages_exports_and_streams_show_what_the_standby_shows(pair: Pair) -> None:
    pair.service.until(lambda: pair.check()["is_read"])
    assert "barograph_standby_is_read 1.0" in pair.service.get("/metrics").text
    name = incident_of(pair.service, alert("known", ago(minutes=10)))["id"]
    pair.service.until(lambda: "known is on" in page(pair, f"/incidents/{name}"))
    pair.service.until(lambda: pair.service.get(f"/api/v1/incidents/{name}/export.csv").status == 200)
    with Listener(pair.service) as stream:
        pair.replay(on=False)
        try:
            made = pair.service.post(f"/api/v1/incidents/{name}/entries", {"text": "only on the primary"})
            assert made.status == 201
            # Lists of the API decide things, so they are the primary's; a browser that wrote is served by it as well.
            assert pair.service.json(f"/api/v1/incidents/{name}")["version"]
            wrote = re.search(r"barograph_wrote=(\d+)", str(made.headers["Set-Cookie"]))
            assert wrote
            assert "only on the primary" not in page(pair, f"/incidents/{name}")
            assert "only on the primary" not in pair.service.get(f"/api/v1/incidents/{name}/export.csv").text
            assert "only on the primary" in page(pair, f"/incidents/{name}", barograph_wrote=wrote[1])
            pair.service.until(lambda: "behind" in str(pair.check().get("warning")))
            assert "Read from a standby that is" in page(pair, "/incidents")
        finally:
            pair.replay(on=True)
        while name not in stream.next()["data"]:
            pass
        assert "only on the primary" in page(pair, f"/incidents/{name}"), "whoever is told of a change finds it"
    pair.service.until(lambda: "warning" not in pair.check())


def test_without_its_standby_everything_is_read_from_the_database_and_that_is_told(pair: Pair) -> None:
    pair.standby.stop()
    try:
        name = incident_of(pair.service, alert("meanwhile", ago(minutes=9)))["id"]
        pair.service.until(lambda: pair.check()["is_read"] is False)
        shown = page(pair, f"/incidents/{name}")
        assert "meanwhile is on" in shown
        assert "standby does not answer" in shown
        assert pair.service.json("/readyz")["status"] == "ready"
    finally:
        pair.standby.start()
    pair.service.until(lambda: pair.check()["is_read"] is True, 30)
    assert "Traceback" not in pair.service.log


def test_one_that_lags_too_far_is_not_read() -> None:
    told = Standby.__new__(Standby)
    told.away, told.is_alone, told.lag, told.shows = None, False, MOST_LAG, clock.now()
    assert told.is_read
    assert told.has(told.shows)
    assert not told.has(told.shows + timedelta(seconds=1))
    told.lag = MOST_LAG + 1
    assert not told.is_read
    assert "too far behind" in told.words()
    told.is_alone = True
    assert told.is_read
    assert "standby knows" in told.words()
