"""Shared links show a title and a picture to whoever has them, and nothing else; what frames and Grafana get."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import hypothesis
import pytest
from hypothesis import given

from dashboards.card import HIGH, WIDE, card_svg
from incidents import shares
from incidents.shares import Share
from incidents.store import Store
from incidents.views.view import IncidentView
from service import clock
from service.pages.sharing import address_of, signed
from service.settings import SettingsError
from service.settings import read as read_settings
from tests.conftest import StartBarograph
from tests.figure_views import dense_view, strange_views
from tests.servers import ADMIN_TOKEN, Barograph
from tests.window import Window
from tests.world import World, firing

KEY = b"k" * 32
SECRET_WORDS = "sold to the highest bidder"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Barograph, str]]:
    """One service for all tests, with one incident that nobody shared yet."""
    home = tmp_path_factory.mktemp("shared")
    service = Barograph(
        home, settings={"PUBLIC_URL": "https://b.example", "EMBED_ORIGINS": "https://g.example, http://127.0.0.1:3000"}
    )
    service.start()
    opening = {"title": 'Checkout <script>"down"</script>', "severity": "critical"}
    incident = service.call("POST", "/api/v1/incidents", opening).json()["id"]
    service.call("POST", f"/api/v1/incidents/{incident}/entries", {"text": SECRET_WORDS})
    yield service, incident
    service.end()


def shared(service: Barograph, incident: str, **fields: Any) -> dict[str, Any]:
    answer = service.call("POST", f"/api/v1/incidents/{incident}/shares", fields)
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def path_of(made: dict[str, Any]) -> str:
    return str(made["url"]).removeprefix("https://b.example")


def seen(service: Barograph, path: str) -> tuple[int, int]:
    """What a stranger is answered for the page and for the picture."""
    return service.get(path, token=None).status, service.get(f"{path}/picture.png", token=None).status


# The signature


def share_of(**fields: Any) -> Share:
    given = {"id": "0" * 16, "incident": "a", "made_by": "user:a", **fields}
    return Share(made_at=datetime(2026, 1, 1, tzinfo=UTC), expires_at=datetime(2026, 1, 9, tzinfo=UTC), **given)


def test_the_signature_holds_for_one_link_of_one_incident_under_one_key() -> None:
    proofs = {
        signed(KEY, share_of()),
        signed(b"other" * 8, share_of()),
        signed(KEY, share_of(incident="b")),
        signed(KEY, share_of(id="1" * 16)),
    }
    assert len({proof.rpartition(".")[2] for proof in proofs}) == 4
    assert address_of("https://b.example", KEY, share_of()).startswith("https://b.example/shared/a/0000000000000000.")


def test_a_link_ends_and_can_be_revoked_once(store: Store) -> None:
    world = World(store).at("10:00").alertmanager(firing("db-1"))
    name, now = world.only().id, world.now
    with store.writing() as connection:
        assert shares.make(connection, "none", "user:a", now, timedelta(days=1)) is None
        made = shares.make(connection, name, "user:a", now, timedelta(days=1))
        assert made is not None
        assert made.holds(now)
        assert not made.holds(now + timedelta(days=1))
        assert not shares.revoke(connection, "other", made.id, "user:b", now)
        assert shares.revoke(connection, name, made.id, "user:b", now)
        assert shares.revoke(connection, name, made.id, "user:c", now)
        (kept,) = shares.listed(connection, name)
    assert (kept.revoked_by, kept.holds(now)) == ("user:b", False)


def test_a_link_with_many_newer_ones_is_found_and_revoked(sqlite_store: Store) -> None:
    world = World(sqlite_store).at("10:00").alertmanager(firing("db-1"))
    name, day = world.only().id, timedelta(days=1)
    with sqlite_store.writing() as connection:
        first = shares.make(connection, name, "user:a", world.now, day)
        assert first is not None
        for n in range(1, 202):
            shares.make(connection, name, "user:a", world.now + timedelta(seconds=n), day)
        assert shares.one(connection, name, first.id) == first
        assert shares.one(connection, "other", first.id) is None
        assert shares.revoke(connection, name, first.id, "user:b", world.now)
        kept = shares.one(connection, name, first.id)
    assert kept is not None
    assert kept.revoked_by == "user:b"


# What a stranger sees


def test_a_link_shows_title_and_picture_and_nothing_else(served: tuple[Barograph, str]) -> None:
    service, incident = served
    path = path_of(shared(service, incident))
    page = service.get(path, token=None)
    assert page.status == 200
    assert '<meta property="og:title" content="Checkout &lt;script&gt;&#34;down&#34;&lt;/script&gt;">' in page.text
    assert f'<meta property="og:image" content="https://b.example{path}/picture.png">' in page.text
    assert SECRET_WORDS not in page.text
    assert "noindex" in page.headers["X-Robots-Tag"]
    assert page.headers["X-Frame-Options"] == "DENY"
    picture = service.get(f"{path}/picture.png", token=None)
    assert picture.headers["Content-Type"] == "image/png"
    assert struct.unpack(">II", picture.body[16:24]) == (WIDE, HIGH)
    assert service.get(f"/incidents/{incident}", token=None).status == 303
    assert service.get(f"/api/v1/incidents/{incident}", token=None).status == 401
    went = service.get(path)
    assert (went.status, went.headers["Location"]) == (303, f"/incidents/{incident}")


def test_a_wrong_an_expired_a_revoked_and_anothers_signature_show_nothing(served: tuple[Barograph, str]) -> None:
    service, incident = served
    other = service.call("POST", "/api/v1/incidents", {"title": "Other", "severity": "info"}).json()["id"]
    made = shared(service, incident)
    path = path_of(made)
    assert seen(service, path) == (200, 200)
    head, _, signature = path.rpartition(".")
    name, _, until = head.rpartition(".")
    wrong = [
        f"{head}.{'0' * 64}",
        f"{head}.{signature[:-1]}",
        f"{head}.{signature[:-1]}{'0' if signature[-1] != '0' else '1'}",
        f"{head}.{signature.upper()}",
        f"{name}.{int(until) + 86400}.{signature}",
        f"/shared/{incident}/{'f' * 16}.{until}.{signature}",
        path.replace(f"/shared/{incident}/", f"/shared/{other}/"),
        path.replace(f"/shared/{incident}/", "/shared/none/"),
        f"/shared/{incident}/",
        f"/shared/{incident}/x",
    ]
    assert {seen(service, each) for each in wrong} == {(404, 404)}
    bodies = {service.get(each, token=None).body for each in wrong}
    assert len(bodies) == 1, "what is wrong with a link is told to nobody"
    assert service.call("DELETE", f"/api/v1/incidents/{other}/shares/{made['id']}").status == 404
    assert service.call("DELETE", f"/api/v1/incidents/{incident}/shares/{made['id']}").status == 200
    assert seen(service, path) == (404, 404)
    store = Store(f"sqlite:///{service.home / 'barograph.db'}")
    key = (service.home / "secret.key").read_bytes().strip()
    with store.writing() as connection:
        ended = shares.make(connection, incident, "user:a", clock.now(), timedelta(seconds=-1))
    store.close()
    assert ended is not None
    assert seen(service, address_of("", key, ended)) == (404, 404)
    listed = service.json(f"/api/v1/incidents/{incident}/shares")["items"]
    assert next(row for row in listed if row["id"] == made["id"])["url"] is None


def test_who_may_only_look_makes_no_link_and_lengths_are_bounded(served: tuple[Barograph, str]) -> None:
    service, incident = served
    viewer = service.cli("token", "create", "--role", "viewer").stdout.strip()
    path = f"/api/v1/incidents/{incident}/shares"
    assert service.call("POST", path, {}, token=viewer).status == 403
    assert service.get(path, token=viewer).status == 200
    assert [service.call("POST", path, {"days": days}).status for days in (0, 91, "x", True)] == [400] * 4
    assert service.call("POST", "/api/v1/incidents/none/shares", {}).status == 404
    created = service.cli("share", "create", incident, "--days", "1")
    assert seen(service, created.stdout.strip().removeprefix("https://b.example")) == (200, 200)
    (newest, *_) = json.loads(service.cli("share", "list", incident, "--json").stdout)
    assert service.cli("share", "revoke", incident, newest["id"]).returncode == 0
    assert seen(service, created.stdout.strip().removeprefix("https://b.example")) == (404, 404)
    assert service.cli("share", "revoke", incident, "none").returncode == 3


def test_a_person_makes_copies_and_revokes_a_link(served: tuple[Barograph, str], browser: Window) -> None:
    service, incident = served
    browser.context.grant_permissions(["clipboard-read", "clipboard-write"])
    token = service.cli("sign-in").stdout.strip().partition("token=")[2]
    page = browser.open(f"{service.url}/sign-in?token={token}&next=/incidents/{incident}")
    page.get_by_role("link", name="Share").click()
    page.get_by_label("Ends after so many days").fill("3")
    page.get_by_role("button", name="Make a link with preview").click()
    page.get_by_role("button", name="Copy link with preview").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert seen(service, copied.removeprefix("https://b.example")) == (200, 200)
    page.get_by_role("button", name="Revoke").first.click()
    page.get_by_text("revoked by").first.wait_for()
    assert seen(service, copied.removeprefix("https://b.example")) == (404, 404)


SVG = "{http://www.w3.org/2000/svg}"


def covered(drawing: str) -> tuple[float, float]:
    """Where the lane of people begins, and where the paper begins that covers what is below the lanes."""
    root = ET.fromstring(drawing)
    (group,) = root.findall(f"{SVG}g")
    top, scale = (float(n) for n in re.findall(r"translate\(\S+ (\S+)\) scale\((\S+)\)", group.attrib["transform"])[0])
    people = min(float(text.attrib["y"]) for text in group.iter(f"{SVG}text") if text.text == "People")
    cover = [box for box in root.findall(f"{SVG}rect") if box.attrib["x"] == "0"][1]
    return top + people * scale, float(cover.attrib["y"])


@hypothesis.settings(max_examples=30)
@given(strange_views())
def test_the_picture_of_whatever_incident_has_its_size_and_no_word_of_people(view: IncidentView) -> None:
    drawing = card_svg(view)
    root = ET.fromstring(drawing)
    assert (root.attrib["width"], root.attrib["height"]) == (str(WIDE), str(HIGH))
    people, cover = covered(drawing)
    assert cover <= people
    assert cover <= HIGH


def test_the_picture_of_many_alerts_has_its_lanes() -> None:
    people, cover = covered(card_svg(dense_view()))
    assert HIGH / 2 < cover <= people


# Frames and Grafana


def test_only_named_origins_may_frame_the_figure(served: tuple[Barograph, str]) -> None:
    service, incident = served
    embed = service.get(f"/incidents/{incident}/embed?theme=dark")
    assert embed.status == 200
    assert "frame-ancestors https://g.example http://127.0.0.1:3000" in embed.headers["Content-Security-Policy"]
    assert embed.headers["X-Frame-Options"] is None
    assert 'data-theme="dark"' in embed.text
    assert "<script>" not in embed.text
    for path in ("/", f"/incidents/{incident}", f"/incidents/{incident}/share", "/sign-in"):
        answer = service.get(path)
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], path
        assert answer.headers["X-Frame-Options"] == "DENY", path
    assert service.get(f"/incidents/{incident}/embed", token=None).status == 303
    assert service.get("/incidents/none/embed").status == 404


def test_without_the_setting_nobody_frames_anything(barograph: StartBarograph) -> None:
    service = barograph()
    incident = service.call("POST", "/api/v1/incidents", {"title": "A", "severity": "info"}).json()["id"]
    embed = service.get(f"/incidents/{incident}/embed")
    assert "frame-ancestors 'none'" in embed.headers["Content-Security-Policy"]
    assert embed.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    "origin", ["https://a.example/x", "*", "a.example", "https://a.example; script-src *", "https://"]
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(SettingsError, match="EMBED_ORIGINS"):
        read_settings({}, {"BAROGRAPH_EMBED_ORIGINS": f"https://fine.example,{origin}"})


def test_the_figure_is_seen_in_a_frame(served: tuple[Barograph, str], browser: Window) -> None:
    service, incident = served
    browser.context.set_extra_http_headers({"Authorization": f"Bearer {ADMIN_TOKEN}"})
    page = browser.open(f"{service.url}/incidents/{incident}/embed")
    assert page.locator(".embedded svg").first.is_visible()
    assert page.get_by_role("link", name="Checkout").is_visible()


def test_grafana_asks_with_tags_and_windows_by_either_way(served: tuple[Barograph, str]) -> None:
    service, incident = served
    assert service.json("/api/v1/grafana") == {"status": "ok"}

    def ids(query: str) -> list[str]:
        return [row["id"] for row in service.json(f"/api/v1/grafana/annotations?{query}")]

    assert incident in ids("tags=critical")
    assert incident in ids("tags=barograph,critical&tags=open")
    assert ids("tags=critical,info") == []
    assert ids("tags=nowhere") == []
    assert incident not in ids("severity=info")
    assert ids("limit=1") != []
    assert service.get("/api/v1/grafana/annotations?severity=loud").status == 400
    (row,) = (r for r in service.json("/api/v1/grafana/annotations?tags=critical") if r["id"] == incident)
    assert row["time"] <= row["timeEnd"]
    assert (row["isRegion"], row["url"]) == (True, f"https://b.example/incidents/{incident}")
    now = clock.now()
    query = {
        "range": {"from": (now - timedelta(hours=1)).isoformat(), "to": now.isoformat()},
        "annotation": {"name": "incidents", "query": "critical", "enable": True},
    }
    posted = service.call("POST", "/api/v1/grafana/annotations", query)
    assert [one["id"] for one in posted.json()] == [incident]
    assert posted.json()[0]["annotation"]["name"] == "incidents"
    query["range"] = {"from": "2001-01-01T00:00:00Z", "to": "2001-01-02T00:00:00Z"}
    assert service.call("POST", "/api/v1/grafana/annotations", query).json() == []
    for body in ({"range": []}, {"range": {"from": "soon"}}, {"annotation": "x"}):
        assert service.call("POST", "/api/v1/grafana/annotations", body).status == 400
