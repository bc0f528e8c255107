"""Streams on PostgreSQL: what one process commits, another one hears of at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from incidents.pulses import PULSE, pulse
from incidents.store import Store
from service.listener import Listener
from tests.world import DAY

PATIENCE = 20.0


@pytest.fixture
def heard(postgresql_store: Store) -> Iterator[threading.Event]:
    """Set by each piece of news; a listener is listening."""
    news = threading.Event()
    listener = Listener(postgresql_store.url, news.set)
    listener.start()
    assert news.wait(PATIENCE), "it has begun to listen"
    news.clear()
    yield news
    listener.close()


def test_a_commit_of_another_process_is_news(postgresql_store: Store, heard: threading.Event) -> None:
    with postgresql_store.writing() as connection:
        pulse(postgresql_store, connection, ["hazards"], DAY)
        assert not heard.wait(0.2), "nothing is news before its commit"
    assert heard.wait(PATIENCE)


def test_a_listener_that_was_cut_off_listens_again_and_says_so(postgresql_store: Store, heard: threading.Event) -> None:
    with postgresql_store.writing() as connection:
        cut = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        assert connection.execute(sa.text(cut)).rowcount == 1
    assert heard.wait(PATIENCE), "what was missed may be news"
    heard.clear()
    with postgresql_store.writing() as connection:
        pulse(postgresql_store, connection, ["hazards"], DAY)
    assert heard.wait(PATIENCE)
    with postgresql_store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(PULSE)).scalar() == 1
