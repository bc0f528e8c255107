"""Saved views over HTTP, whose they are, and that incidents are found by what was written and labelled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from incidents import private_acts, saved_views
from incidents.privacy import ALL, STRANGER, Asker
from incidents.store import Store
from incidents.views.finding import find
from incidents.views.view import Hit
from tests.senders import served
from tests.servers import ADMIN_TOKEN, Answer, Barograph
from tests.world import World, firing

API = "/api/v1/views"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    with served(tmp_path_factory.mktemp("views")) as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture(scope="module")
def tokens(service: Barograph) -> dict[str, str]:
    """Tokens of two responders and of a viewer, by name."""
    made = {}
    for name, role in (("one", "responder"), ("other", "responder"), ("viewer", "viewer")):
        done = service.cli("token", "create", "--role", role, "--name", name)
        assert done.returncode == 0, done.stderr
        made[name] = done.stdout.split()[-1]
    return made


def save(service: Barograph, token: str, name: str, address: str, *, shared: bool = False) -> Answer:
    return service.post(API, {"name": name, "address": address, "shared": shared}, token=token)


def names(service: Barograph, token: str) -> list[str]:
    return [view["name"] for view in service.get(API, token=token).json()["items"]]


def test_a_view_is_its_owners_unless_it_is_shared(service: Barograph, tokens: dict[str, str]) -> None:
    one, other = tokens["one"], tokens["other"]
    assert save(service, one, "Mine", "/incidents?status=open").status == 201
    assert save(service, other, "Ours", "/?x=1", shared=True).json()["shared"]
    assert names(service, one) == ["Mine", "Ours"]
    assert names(service, other) == ["Ours"]
    assert names(service, tokens["viewer"]) == ["Ours"]
    assert save(service, tokens["viewer"], "Too bold", "/").status == 403
    mine, ours = (view["id"] for view in service.get(API, token=one).json()["items"])
    assert service.call("DELETE", f"{API}/{mine}", token=other).status == 404
    assert service.call("DELETE", f"{API}/{ours}", token=tokens["viewer"]).status == 403
    assert service.call("DELETE", f"{API}/{ours}", token=other).status == 200
    assert names(service, one) == ["Mine"]


def test_the_same_name_leads_to_the_newest_address(service: Barograph, tokens: dict[str, str]) -> None:
    for path in ("/sites", "/review?from=now-30d"):
        assert save(service, tokens["one"], "Again", path).status == 201
    found = [v for v in service.get(API, token=tokens["one"]).json()["items"] if v["name"] == "Again"]
    assert [v["address"] for v in found] == ["/review?from=now-30d"]


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("", "/"),
        ("x" * 101, "/"),
        ("Out", "https://stranger.example/"),
        ("Out", "//stranger.example"),
        ("Out", "/\\stranger.example"),
        ("Out", "/\nx"),
        ("Out", "javascript:alert(1)"),
        ("Long", "/" + "x" * 2001),
        (7, "/"),
    ],
)
def test_only_addresses_of_ours_are_kept(service: Barograph, name: str, address: str) -> None:
    assert save(service, ADMIN_TOKEN, name, address).status == 400


def test_the_page_saves_takes_out_and_brings_back(service: Barograph) -> None:
    shown = service.get("/incidents?q=<b>").text
    token = re.search(r'name="csrf" value="([^"]+)"', shown)
    assert token

    def send(path: str, **fields: str) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": f"{service.url}/incidents?q=disk"}
        return service.call("POST", path, urlencode({"csrf": token[1], **fields}), headers=headers)

    assert send("/views", name="<i>Disk</i>", address="").headers["Location"] == "/incidents?q=disk"
    page = service.get("/views").text
    assert "<i>Disk</i>" not in page
    assert "&lt;i&gt;Disk&lt;/i&gt;" in page
    number = re.search(r'action="/views/(\d+)/remove"', page)
    assert number
    assert send(f"/views/{number[1]}/remove").status == 303
    page = service.get("/views").text
    assert f'action="/views/{number[1]}/back"' in page
    assert f'action="/views/{number[1]}/remove"' not in page
    send(f"/views/{number[1]}/back")
    assert f'action="/views/{number[1]}/remove"' in service.get("/views").text
    assert send("/views/x/back").status == 404


def test_no_more_than_a_bound_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "MOST", 1)
    now = World(store).now
    saved_views.save(store, "user:a", "One", "/", shared=False, now=now)
    with pytest.raises(ValueError, match="kept already"):
        saved_views.save(store, "user:a", "Two", "/", shared=False, now=now)
    saved_views.save(store, "user:a", "One", "/sites", shared=False, now=now)
    with store.reading() as connection:
        assert [v.address for v in saved_views.read_views(connection, "user:a", ALL)] == ["/sites"]


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("fans", True),
        ("FANS Swapped", True),
        ("datacenter=smf", True),
        ("smf", True),
        ("smf-1", True),
        ("user:", False),
        ("pinned", False),
        ('"text"', False),
        ("%", False),
        ("f", False),
        ("50 % \\ “quoted”", True),
        ("f_ns swapped", False),
        ("fans%swapped", False),
        ("fans /swapped", False),
        ("s_f", False),
        ("s%f", False),
    ],
)
def test_incidents_are_found_by_what_was_written_and_labelled(store: Store, words: str, is_found: bool) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1", "critical"))
    name = world.only().id
    world.act(lambda acting: acting.note(name, {"text": "Fans swapped, 50 % \\ “quoted”", "pinned": True}))
    with store.reading() as connection:
        assert (name in find(connection, words).incidents) == is_found


def test_a_search_says_where_the_words_stand_and_whether_they_hold(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1", "critical"))
    name = world.only().id
    written = [world.act(lambda acting, n=n: acting.note(name, {"text": f"Fans swapped {n}"})) for n in range(3)]
    world.act(lambda acting: acting.retract(name, written[0]))
    world.act(lambda acting: acting.correct(name, written[1], {"text": "Belts swapped"}))
    with store.reading() as connection:
        assert find(connection, "fans").hits(connection, [name])[name] == [
            Hit("note", "Fans swapped 2", written[2]),
            Hit("earlier note", "Fans swapped 1", written[1]),
            Hit("withdrawn note", "Fans swapped 0", written[0]),
        ]
        (hit,) = find(connection, "datacenter=smf").hits(connection, [name])[name]
        assert (hit.where, hit.text) == ("label", "datacenter=smf-1")


def test_what_is_private_is_found_by_those_alone_who_may_see_it(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1", "critical"))
    name = world.only().id
    world.act(lambda acting: acting.note(name, {"text": "Fans swapped"}))
    world.act(lambda acting: private_acts.change(acting, name, {"private": True, "seen_by": ["user:ana"]}))
    with store.reading(STRANGER) as connection:
        assert not any(name in find(connection, words).incidents for words in ("fans", "datacenter=smf", "db-1"))
    with store.reading(Asker(frozenset({"user:ana"}))) as connection:
        assert name in find(connection, "fans").incidents
