"""Three processes on one PostgreSQL behind balancers: any may be killed, paused or restarted, and nothing is lost."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa

from incidents.feeds.polls import POLL
from incidents.store import Store
from tests import hostile, replicas
from tests.databases import MIGRATED, Cluster
from tests.hostile import Feed
from tests.pouring import Pouring
from tests.replicas import Replicas
from tests.senders import CONFIG, ago, alert, incident_of
from tests.servers import Server
from tests.test_api import Listener

FEED = """
[[sources]]
name = "sky"
adapter = "generic_feed"
url = "{url}/feed"
every = "1s"
"""


@pytest.fixture(scope="module")
def feed() -> Iterator[Feed]:
    with hostile.feed() as found:
        yield found


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, postgresql_cluster: Cluster, feed: Feed) -> Iterator[Replicas]:
    name = postgresql_cluster.make(MIGRATED)
    config = CONFIG + FEED.format(url=feed.url)
    settings = {"ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8"}
    folder = tmp_path_factory.mktemp("replicas")
    with replicas.replicas(folder, postgresql_cluster.url(name), config, settings=settings) as running:
        yield running
    postgresql_cluster.drop(name)
    for service in running.services:
        assert "Traceback" not in service.log, service.log[-5000:]


def get(server: Server, path: str, cookie: str) -> tuple[int, str]:
    answer = server.request("GET", path, headers={"Cookie": cookie})
    return answer.status, answer.text


def test_a_session_of_one_is_a_session_of_all(three: Replicas) -> None:
    first, second, third = three.services
    link = first.cli("sign-in").stdout.partition("token=")[2].split()[0]
    answer = three.nginx.request("GET", f"/sign-in?token={link}")
    assert answer.status == 303, answer.text
    cookie = str(answer.headers["Set-Cookie"]).partition(";")[0]
    pages = {server.port: get(server, "/incidents", cookie) for server in (first, second, third, *three.balancers)}
    assert {status for status, _ in pages.values()} == {200}
    token = re.search(r'name="csrf" value="([^"]+)"', pages[second.port][1])
    assert token
    form = urlencode({"csrf": token[1], "theme": "dark", "next": "/"})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    assert third.request("POST", "/theme", form, headers=headers).status == 303, "a form of one is taken by another"


def test_what_one_takes_is_told_by_the_streams_of_all_and_drawn_alike(three: Replicas) -> None:
    first, second, third = three.services
    ended = ago(hours=8)
    with ExitStack() as stack:
        streams = [stack.enter_context(Listener(server)) for server in (first, second, third, *three.balancers)]  # type: ignore[arg-type]  # a port is all that it asks for
        incident = incident_of(first, alert("streamed", ago(hours=9), ends_at=ended))
        name = incident["id"]
        for stream in streams:
            while name not in stream.next()["data"]:
                pass
    # Quiet for longer than the rules wait: each of the three finds it due at its next tick, and one decides.
    third.until(lambda: third.json(f"/api/v1/incidents/{name}")["status"] == "resolved")
    for service in three.services:
        lines = service.json(f"/api/v1/incidents/{name}/timeline")["items"]
        told = [line["text"] for line in lines if line["kind"] == "status_changed"]
        assert len(told) == len(set(told)), told
    drawn = [server.call("GET", f"/api/v1/incidents/{name}/export.csv") for server in three.services]
    assert {answer.status for answer in drawn} == {200}
    assert len({answer.body for answer in drawn}) == 1


def test_any_of_them_may_be_killed_paused_or_restarted_under_load(three: Replicas, feed: Feed) -> None:
    killed, halted, restarted = three.services
    with Pouring(three.balancers, threads=6) as pouring:
        pouring.until(20)
        killed.kill9()
        pouring.until(30)
        killed.start(60)
        with replicas.paused(halted):
            pouring.until(5)
        assert restarted.terminate() == 0
        pouring.until(30)
        restarted.start(60)
        pouring.until(30)
    pouring.check(three.url, killed, told=replicas.TOLD)
    with closing(Store(three.url)) as store, store.reading() as connection:
        turns = connection.execute(sa.select(POLL.c.turn)).scalar_one()
    # A turn is claimed by one before it asks; one that was killed meanwhile may never have asked.
    assert 2 <= len(feed.heard) <= turns <= len(feed.heard) + 2


def test_the_configurations_that_are_shipped_are_taken_as_they_are(tmp_path: Path) -> None:
    for server, check in (
        (replicas.nginx(tmp_path, [8081, 8082, 8083]), "-t"),
        (replicas.haproxy(tmp_path, [8081, 8082, 8083]), "-c"),
    ):
        done = subprocess.run([*server.argv, check], capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warn" not in (done.stdout + done.stderr).lower(), done.stderr
