"""The one client for outbound requests, against a server that fails in every way, and addresses it may not reach."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service import settings
from service.outside import outbound
from service.outside.outbound import FetchError, Outbound, may_reach, retry_after
from tests import hostile
from tests.hostile import Feed

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
LOOPBACK = replace(settings.read({}, {}), allow_private_networks=("127.0.0.0/8", "::1/128"))


@pytest.fixture(scope="module")
def feed() -> Iterator[Feed]:
    with hostile.feed() as found:
        yield found


@pytest.fixture
async def client() -> AsyncIterator[Outbound]:
    made = Outbound(LOOPBACK, total_seconds=1.5)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/closed", "closed before the answer"),
        ("/no-http", "is no HTTP"),
        ("/hang", "no whole answer within 1.5 s"),
        ("/drip", "no whole answer within 1.5 s"),
        ("/truncated", "the answer is cut off"),
        ("/cut-gzip", "the answer is cut off"),
        ("/cut-member", "the answer is cut off"),
        ("/bomb-member", "larger than 5 MiB"),
        ("/many-members", "more than 1000 pieces"),
        ("/no-gzip", "is not gzip as it says"),
        ("/brotli", "content encoding is not known"),
        ("/bomb", "larger than 5 MiB"),
        ("/endless", "larger than 5 MiB"),
        ("/loop", "redirected more than 3 times"),
        ("/metadata", "the address 169.254.169.254 is inside a network that is not allowed"),
        ("/to-file", "neither http nor https"),
        ("/nowhere", "redirected to no address"),
    ],
)
async def test_whatever_a_server_does_is_told_in_words_and_in_time(
    client: Outbound, feed: Feed, path: str, said: str
) -> None:
    began = time.monotonic()
    with pytest.raises(FetchError, match=said) as caught:
        await client.get(f"{feed.url}{path}?token=s3cr3t", now=NOW)
    assert time.monotonic() - began < 6
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_bomb_never_takes_more_memory_than_its_bound(client: Outbound, feed: Feed) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FetchError):
            await client.get(f"{feed.url}/endless", now=NOW)
        assert tracemalloc.get_traced_memory()[1] < 6 * outbound.MOST_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("path", "status"), [("/html", 200), ("/broken", 500), ("/busy", 429), ("/always-304", 304)])
async def test_what_was_answered_is_not_judged_here(client: Outbound, feed: Feed, path: str, status: int) -> None:
    found = await client.get(f"{feed.url}{path}", now=NOW)
    assert found.status == status
    assert found.retry_after == (timedelta(seconds=7) if status == 429 else None)


@pytest.mark.parametrize("path", ["/gzipped", "/deflated", "/two-members"])
async def test_bodies_are_inflated(client: Outbound, feed: Feed, path: str) -> None:
    assert (await client.get(f"{feed.url}{path}", now=NOW)).body == b'{"a": 1}'


async def test_a_refused_connection_and_an_unknown_name_are_told(client: Outbound) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, and nobody listens
        with pytest.raises(FetchError, match="refused"):
            await client.get(f"http://127.0.0.1:{held.getsockname()[1]}/", now=NOW)
    with pytest.raises(FetchError, match=r"name is not known|no whole answer"):
        await client.get("http://nobody.invalid/", now=NOW)


async def test_it_says_who_asks_and_carries_no_cookie(feed: Feed) -> None:
    client = Outbound(replace(LOOPBACK, contact="ops@example.com"))
    try:
        said = (await client.get(f"{feed.url}/cookie", {"X-Own": "1"}, now=NOW)).body.decode()
        assert '"user-agent": "Barograph/' in said
        assert "(+ops@example.com)" in said
        assert '"x-own": "1"' in said
        assert "cookie" not in said.replace("/cookie", "")
    finally:
        await client.close()


async def test_a_header_of_ours_is_not_carried_to_another_host(client: Outbound, feed: Feed) -> None:
    here = (await client.get(f"{feed.url}/moved", {"X-Token": "mine"}, now=NOW)).body
    there = (await client.get(f"{feed.url}/elsewhere", {"X-Token": "mine"}, now=NOW)).body
    assert b"mine" in here
    assert b"mine" not in there


async def test_https_is_never_left_for_http(client: Outbound) -> None:
    # Our own test server speaks no TLS, so the step from one address to the next is asked directly.
    with pytest.raises(FetchError, match="neither http nor https"):
        await client.get("ftp://127.0.0.1/", now=NOW)
    with pytest.raises(FetchError, match="a name or a password"):
        await client.get("http://user:word@127.0.0.1/", now=NOW)
    assert outbound.leaves_security(outbound.parsed("https://a.example/"), outbound.parsed("http://a.example/"))
    assert not outbound.leaves_security(outbound.parsed("http://a.example/"), outbound.parsed("https://a.example/"))


async def test_nothing_of_our_own_is_reached_unless_the_operator_lists_it(feed: Feed) -> None:
    client = Outbound(settings.read({}, {}))
    before = len(feed.heard)
    try:
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
            with pytest.raises(FetchError, match=r"not allowed|name is not known|cannot be"):
                await client.get(f"http://{host}:{feed.port}/ok", now=NOW)
    finally:
        await client.close()
    assert len(feed.heard) == before


async def test_a_proxy_leads_to_no_address_of_our_own(feed: Feed) -> None:
    through = Outbound(replace(LOOPBACK, outbound_proxy=feed.url))
    try:
        found = await through.get("http://feeds.example/echo", now=NOW)
        assert found.status == 404  # the server was asked as a proxy, for the whole address
        assert feed.heard[-1].path == "http://feeds.example/echo"
        asked = len(feed.heard)
        for host in (
            "169.254.169.254", "10.0.0.1", "2852039166", "0xa.1", "169.254.43518", "0251.0376.0251.0376", "[fd00::1]",
            "localhost", "a.localhost", "metadata.google.internal", "printer.local", "db", "db.",
        ):  # fmt: skip
            with pytest.raises(FetchError, match="not allowed"):
                await through.get(f"http://{host}/", now=NOW)
        assert len(feed.heard) == asked
        assert (await through.get("http://127.1/echo", now=NOW)).status == 404  # listed by the operator
    finally:
        await through.close()


async def test_the_environments_proxy_is_not_used(
    client: Outbound, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    assert (await client.get(f"{feed.url}/ok", now=NOW)).status == 200


async def test_names_that_nobody_answers_do_not_hold_up_the_others(
    client: Outbound, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, known = threading.Event(), socket.getaddrinfo

    def look_up(host: str, *rest: Any) -> Any:
        if host.endswith(".silent"):
            answered.wait(20)
        return known("127.0.0.1", *rest)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    # Their fetches have been given up, and as many are under way again.
    silent = [asyncio.ensure_future(client.get(f"http://{n}.silent/", now=NOW)) for n in range(2 * outbound.AT_ONCE)]
    try:
        await asyncio.sleep(0.1)
        assert (await client.get(f"http://a.example:{feed.port}/gzipped", now=NOW)).status == 200
    finally:
        answered.set()
        await asyncio.gather(*silent, return_exceptions=True)


async def test_fetches_do_not_wait_for_each_other(client: Outbound, feed: Feed) -> None:
    began = time.monotonic()
    slow = [client.get(f"{feed.url}/hang", now=NOW) for _ in range(8)]
    quick = await asyncio.gather(*slow, client.get(f"{feed.url}/gzipped", now=NOW), return_exceptions=True)
    assert not isinstance(quick[-1], BaseException)
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "240.0.0.1", "255.255.255.255", "198.18.0.1", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1",
        "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1::f5ff:fffe",
        "192.0.0.8", "192.88.99.1", "fec0::1", "3fff::1", "64:ff9b:1::a00:1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_the_public_internet_are_refused(text: str) -> None:
    assert not may_reach(ipaddress.ip_address(text), ())


@pytest.mark.parametrize("text", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_the_public_internet_may_be_reached(text: str) -> None:
    assert may_reach(ipaddress.ip_address(text), ())


def test_what_the_operator_lists_may_be_reached_and_nothing_beside_it() -> None:
    allowed = [ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8")]
    assert may_reach(ipaddress.ip_address("10.1.2.3"), allowed)
    assert may_reach(ipaddress.ip_address("::ffff:10.1.2.3"), allowed)
    assert may_reach(ipaddress.ip_address("fd12::1"), allowed)
    assert not may_reach(ipaddress.ip_address("10.2.0.1"), allowed)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("Mon, 02 Mar 2026 10:05:00 GMT", 300),
        ("Mon, 02 Mar 2026 09:00:00 GMT", 0),
        ("999999999999", 86_400),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_bounded(text: str, seconds: int | None) -> None:
    assert retry_after({"Retry-After": text}, NOW) == (None if seconds is None else timedelta(seconds=seconds))
