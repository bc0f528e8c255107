"""Indexes that only point to alerts: followed within bounds, on their own host, each document a delivery of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from incidents.adapters import adapters
from incidents.feeds import circuit, indexes, polls
from incidents.feeds.polls import LINKED, Asking, Came
from incidents.formats import cap_links
from incidents.model import Delivery, Loss, Request, UnrecognisedError
from incidents.receipts import receipt_of
from incidents.store import Store
from service.outside import following
from service.outside.outbound import TOTAL_SECONDS, Fetched
from tests import hostile
from tests.conftest import StartBarograph
from tests.hostile import Feed
from tests.servers import Barograph

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
AT = "https://alerts.example/cap/feed.atom"


@pytest.fixture
def feed() -> Iterator[Feed]:
    with hostile.feed() as found:
        yield found


def atom(*links: str, kind: str = "application/cap+xml") -> bytes:
    entries = "".join(
        f'<entry><id>urn:{n}</id><title>Alert {n}</title><link rel="alternate" type="{kind}" href="{link}"/></entry>'
        for n, link in enumerate(links)
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Alerts</title>{entries}</feed>'.encode()


def alert(name: str, event: str = "Storm") -> bytes:
    return f"""<?xml version="1.0"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{name}</identifier>
<sender>w@met.example</sender><sent>2026-03-02T09:00:00+00:00</sent><status>Actual</status><msgType>Alert</msgType>
<scope>Public</scope><info><category>Met</category><event>{event} {name}</event><urgency>Expected</urgency>
<severity>Severe</severity><certainty>Likely</certainty><expires>2026-03-09T09:00:00+00:00</expires>
<area><areaDesc>North</areaDesc><circle>52.0,5.0 50</circle></area></info></alert>""".encode()


def links(body: bytes, **headers: str) -> list[str]:
    return cap_links.links_of(Delivery("met", body, NOW, {"request-url": AT, **headers}))


# What an index points to


def test_links_are_those_of_entries_that_say_nothing_themselves() -> None:
    assert links(atom("a.xml", "/cap/b.xml", "https://alerts.example/c.xml#top")) == [
        "https://alerts.example/cap/a.xml", "https://alerts.example/cap/b.xml", "https://alerts.example/c.xml",
    ]  # fmt: skip
    items = b"<item><title>x</title><link>one.xml</link></item><item><link>page.html</link></item>"
    assert links(b"<rss><channel>" + items + b"</channel></rss>") == ["https://alerts.example/cap/one.xml"]
    assert links(alert("1")) == []
    for broken in (b"<html>", b"<html/>", b"gone"):
        with pytest.raises(UnrecognisedError):
            links(broken)


@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/latest/meta-data", "http://alerts.example/a.xml", "https://other.example/a.xml",
        "https://alerts.example:8443/a.xml", "https://u:p@alerts.example/a.xml", "//other.example/a.xml",
        "file:///etc/passwd", "javascript:alert(1)", "https://[::1", AT, "a.xml?key={key}", "x" * 3_000,
    ],
)  # fmt: skip
def test_no_link_leads_elsewhere_and_each_that_is_not_followed_is_a_loss(link: str) -> None:
    body = atom(link, "a.xml")
    assert links(body) == ["https://alerts.example/cap/a.xml"]
    told = adapters()["cap"].normalise(Delivery("met", body, NOW, {"request-url": AT}))
    assert [one.count for one in told if isinstance(one, Loss)] == [1]


def test_what_came_by_hand_or_was_followed_is_not_followed() -> None:
    body = atom("a.xml", "b.xml")
    assert cap_links.links_of(Delivery("met", body, NOW)) == []
    assert links(body, **{"request-linked-from": AT}) == []
    (loss,) = adapters()["cap"].normalise(Delivery("met", body, NOW))
    assert isinstance(loss, Loss)
    assert loss.count == 2


def test_ten_thousand_links_are_bounded_and_the_rest_is_a_loss() -> None:
    body = atom(*(f"{n}.xml" for n in range(10_000)))
    assert len(links(body)) == cap_links.MOST
    told = adapters()["cap"].normalise(Delivery("met", body, NOW, {"request-url": AT}))
    assert [one.count for one in told if isinstance(one, Loss)] == [10_000 - cap_links.MOST]


# What waits


def test_what_an_index_points_to_waits_until_it_is_read_or_given_up(store: Store) -> None:
    asking = Asking("met", Request(AT), timedelta(minutes=5))
    with store.writing() as connection:
        indexes.note_links(connection, asking, ["a", "b"], NOW)
        indexes.note_links(connection, asking, ["a", "b", "d"], NOW + timedelta(minutes=1))
        assert sorted(indexes.waiting(connection, asking, 9)) == ["a", "b", "d"]
        indexes.note_read(connection, asking, "a", 7, NOW + timedelta(minutes=2))
        for _ in range(indexes.MOST_TRIES):
            assert "b" in indexes.waiting(connection, asking, 9)
            indexes.note_failed(connection, asking, "b", "answered 500")
        assert indexes.waiting(connection, asking, 9) == ["d"]
        assert indexes.unread(connection, "met") == (1, 1)
        assert sum(indexes.unread(connection, "met", as_of=NOW)) == 2
        assert sum(indexes.unread(connection, "met", as_of=NOW - timedelta(minutes=1))) == 0
        indexes.note_links(connection, asking, ["b", "d"], NOW + timedelta(minutes=3))
        assert sorted(row.url for row in connection.execute(sa.select(LINKED))) == ["b", "d"]
        polls.sync(connection, {("met", asking.id): asking}, NOW, 0.0)
        polls.sync(connection, {}, NOW, 0.0)
        assert connection.execute(sa.select(LINKED)).all() == []


def test_what_an_index_ceased_to_point_to_unread_is_still_counted_at_its_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = Asking("met", Request(AT), timedelta(minutes=5))
    minute = timedelta(minutes=1)
    with store.writing() as connection:
        indexes.note_links(connection, asking, ["a", "b", "c"], NOW)
        indexes.note_read(connection, asking, "a", 7, NOW + minute)
        for _ in range(indexes.MOST_TRIES):
            indexes.note_failed(connection, asking, "b", "answered 500")
        indexes.note_links(connection, asking, ["d"], NOW + 10 * minute)
        assert indexes.waiting(connection, asking, 9) == ["d"]
        assert indexes.unread(connection, "met") == (1, 0)
        assert sum(indexes.unread(connection, "met", NOW + 5 * minute, since=NOW + 2 * minute)) == 2
        assert sum(indexes.unread(connection, "met", NOW + 20 * minute, since=NOW)) == 3
        assert sum(indexes.unread(connection, "met", NOW + 20 * minute, since=NOW + 15 * minute)) == 1
        # What is named anew is tried anew.
        indexes.note_links(connection, asking, ["b", "d"], NOW + 30 * minute)
        assert sorted(indexes.waiting(connection, asking, 9)) == ["b", "d"]
        monkeypatch.setattr(indexes, "MOST_GONE", 2)
        indexes.note_links(connection, asking, [], NOW + 40 * minute)
        assert sorted(row.url for row in connection.execute(sa.select(LINKED))) == ["b", "d"]


def test_an_answer_that_is_no_index_makes_nothing_gone() -> None:
    headers, adapter = {"request-url": AT}, adapters()["cap"]
    assert following.links_in(adapter, "met", headers, atom()) == ()
    assert following.links_in(adapter, "met", headers, b"<html><body>Sign in</body></html>") is None

    def fails(_delivery: Delivery) -> list[str]:
        raise KeyError("id")

    assert following.links_in(replace(adapter, linked=fails), "met", headers, atom("a.xml")) is None


@pytest.mark.parametrize(("every", "pause"), [(300, 30), (60, 10), (5, 5)])
def test_an_index_with_documents_left_is_asked_again_sooner(every: int, pause: int) -> None:
    assert circuit.while_left(timedelta(seconds=every)) == timedelta(seconds=pause)


# What is asked within a turn


class Hanging:
    """A client whose answers are these, and never come where there is none."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages, self.asked = pages, list[str]()

    async def get(self, url: str, *, now: datetime) -> Fetched:  # noqa: ARG002  # as the client's
        self.asked.append(url)
        if url not in self.pages:
            await asyncio.sleep(60)
        return Fetched(200, self.pages[url], "application/cap+xml")


class Taking:
    """A writer that takes everything."""

    draining = False

    async def submit(self, *_given: object) -> str:
        return receipt_of(7)


def test_a_document_that_hangs_lets_others_pass_and_is_given_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "SECONDS", 5.0)
    monkeypatch.setattr(following, "DOCUMENT_SECONDS", 0.2)
    monkeypatch.setattr(following, "PAUSE", 0.0)
    asking = Asking("met", Request(AT), timedelta(minutes=5))
    with store.writing() as connection:
        indexes.note_links(connection, asking, ["hangs"], NOW - timedelta(minutes=1))
        indexes.note_links(connection, asking, ["hangs", "b", "c"], NOW)
    client = Hanging({"b": alert("b"), "c": alert("c")})
    follows = following.Following(store, client, Taking(), lambda _: ())  # type: ignore[arg-type]
    left = [asyncio.run(follows.follow(asking, Came("unchanged"))) for _ in range(indexes.MOST_TRIES)]
    assert left == [1, 1, 0]
    assert client.asked[0] == "hangs"
    assert sorted(client.asked) == ["b", "c", "hangs", "hangs", "hangs"]
    with store.reading() as connection:
        assert indexes.unread(connection, "met") == (0, 1)
        reason = connection.execute(sa.select(LINKED.c.reason).where(LINKED.c.url == "hangs")).scalar()
    assert reason == "no whole answer within 0.2 s"


def test_a_turn_that_ends_early_is_no_failure_of_the_document_it_cut_off(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "SECONDS", 0.1)
    asking = Asking("met", Request(AT), timedelta(minutes=5))
    follows = following.Following(store, Hanging({}), Taking(), lambda _: ())  # type: ignore[arg-type]
    assert asyncio.run(follows.follow(asking, Came("answered", links=("hangs",)))) == 1
    with store.reading() as connection:
        assert connection.execute(sa.select(LINKED.c.tries)).scalar() == 0
    monkeypatch.undo()
    assert following.DOCUMENT_SECONDS < following.SECONDS < TOTAL_SECONDS


# The service itself


def served(barograph: StartBarograph, feed: Feed, *, every: str = "1s") -> Barograph:
    config = f'[[sources]]\nname = "met"\nadapter = "cap"\nurl = "{feed.url}/index.atom"\nevery = "{every}"\n'
    return barograph(config, settings={"ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8"})


def told(service: Barograph) -> dict[str, int]:
    (source,) = service.json("/api/v1/sources")["items"]
    found: dict[str, int] = source["feed"]
    return found


def test_each_document_of_an_index_becomes_a_delivery_and_is_asked_for_once(
    barograph: StartBarograph, feed: Feed
) -> None:
    feed.pages = {"/a.xml": alert("a"), "/b.xml": alert("b"), "/index.atom": atom("a.xml", "b.xml")}
    service = served(barograph, feed)
    service.until(lambda: len(service.json("/api/v1/occurrences")["items"]) == 2)
    feed.pages |= {"/c.xml": alert("c"), "/index.atom": atom("b.xml", "c.xml")}
    service.until(lambda: len(service.json("/api/v1/occurrences")["items"]) == 3)
    assert [feed.paths().count(f"/{name}.xml") for name in "abc"] == [1, 1, 1]
    assert (told(service)["documents_waiting"], told(service)["documents_given_up"]) == (0, 0)
    deliveries = service.json("/api/v1/deliveries")["items"]
    assert len(deliveries) == 5
    (of_c,) = [d for d in deliveries if f"{feed.url}/c.xml" in service.get(f"/deliveries/{d['receipt']}").text]
    assert f"{feed.url}/index.atom" in service.get(f"/deliveries/{of_c['receipt']}").text


def test_hostile_links_cost_their_turn_and_nothing_else(barograph: StartBarograph, feed: Feed) -> None:
    hostile_ones = ("metadata", "loop", "bomb", "broken", "html", "index.atom", "nested.atom")
    feed.pages = {f"/ok/{n}.xml": alert(str(n)) for n in range(60)}
    feed.pages["/nested.atom"] = atom("index.atom", "/deeper.xml")
    local = [f"ok/{n}.xml" for n in range(60)]
    away = ["http://169.254.169.254/latest", "http://localhost:1/x.xml"]
    feed.pages["/index.atom"] = atom(*hostile_ones, *away, *local)
    service = served(barograph, feed, every="300s")
    service.until(lambda: told(service)["answered_at"], seconds=40)
    left = told(service)["documents_waiting"]
    assert left >= 66 - following.A_TURN
    page = service.get("/sources/met").text
    assert f"{left} documents are not read yet" in page
    made = service.call("POST", "/api/v1/incidents", {"title": "Power lost", "severity": "critical"}).json()
    said = service.json(f"/api/v1/incidents/{made['id']}/export.json")["coverage"]
    assert ["of its index not read" in row["said"] for row in said if row["source"] == "met"] == [True], [
        row["said"] for row in said
    ]
    assert "/deeper.xml" not in feed.paths()
    assert service.get("/readyz").status == 200
    (source,) = service.json("/api/v1/sources")["items"]
    assert source["losses"] >= 3  # two that lead elsewhere, one that leads to itself
