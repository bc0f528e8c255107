"""Who may do what: every operation for strangers, senders, readers and sessions; links, forms, headers, the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from tests.senders import (
    KEY,
    ago,
    alert,
    head,
    incident_of,
    message,
    problem_of,
    raw_connection,
    rest_of,
    served,
)
from tests.servers import ADMIN_TOKEN, Answer, Barograph

PAGES = (
    "/",
    "/incidents",
    "/incidents/{incident}",
    "/occurrences/{occurrence}",
    "/sources",
    "/sources/am",
    "/sites",
    "/settings",
)


OF_ADMINS = ("/accounts", "/sessions", "/keys")
"""What begins so is for admins, reading included."""
NOT_HERE = ("/stream", "/incidents/{incident}/rendering.{format}", "/jobs/{job}", "/jobs/{job}/file")
"""What does not end, takes a browser, or is its asker's alone; their own tests ask who may."""
FORMATS = {"/review/": "svg", "/sites/": "svg", "/report.": "md"}
"""What is not written as JSON, by what its path holds."""


@dataclass(frozen=True)
class Ground:
    """A service with something in it, and a token of each role."""

    service: Barograph
    incident: str
    entry: int
    link: str
    receipt: str
    viewer: str
    responder: str

    def path(self, path: str) -> str:
        """A path of the document with real things in it."""
        real = {"incident": self.incident, "entry": self.entry, "link": self.link, "receipt": self.receipt}
        real |= {"occurrence": self.link}
        real |= {
            "format": next((form for part, form in FORMATS.items() if part in path), "json"),
            "source": "am",
            "card": "lasted",
        }
        return re.sub(r"\{(\w+)\}", lambda m: quote(str(real.get(m[1], "smf"))), path)

    def operations(self) -> list[tuple[str, str, str]]:
        """Method, path and address of every operation of the document."""
        document = self.service.json("/api/v1/openapi.json")
        base = document["servers"][0]["url"]
        return [
            (method.upper(), path, self.path(f"{base}{path}"))
            for path, item in document["paths"].items()
            for method in item
        ]

    def ask(self, method: str, address: str, *, token: str | None, **headers: str) -> Answer:
        """An operation with an empty object as its body."""
        body = None if method == "GET" else b"{}"
        return self.service.call(method, address, body, token=token, headers={"If-Match": "*", **headers})

    def cookie(self) -> str:
        """The cookie of a fresh session of an admin."""
        link = self.service.cli("sign-in").stdout
        answer = self.service.get("/sign-in?token=" + link.partition("token=")[2].split()[0], token=None)
        assert answer.status == 303
        return str(answer.headers["Set-Cookie"].partition(";")[0])


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with served(tmp_path_factory.mktemp("service")) as service:
        incident = incident_of(service, alert("a", ago(minutes=10)))["id"]
        entry = service.post(f"/api/v1/incidents/{incident}/entries", {"text": "a note"}).json()["entry"]
        alerts = service.json(f"/api/v1/incidents/{incident}/alerts")["items"]
        receipt = service.send("am", message(alert("b", ago(minutes=9))), KEY)
        tokens = [service.cli("token", "create", "--role", role).stdout.strip() for role in ("viewer", "responder")]
        for token in tokens:
            service.until(lambda token=token: service.get("/api/v1/incidents", token=token).status == 200)  # type: ignore[misc]  # bound at once
        yield Ground(service, incident, entry, alerts[0]["id"], receipt, *tokens)


def state(ground: Ground) -> tuple[Any, ...]:
    """What nobody without the right may change."""
    service = ground.service
    return (
        service.json(f"/api/v1/incidents/{ground.incident}"),
        [item["id"] for item in service.json("/api/v1/incidents")["items"]],
        service.json(f"/api/v1/deliveries/{ground.receipt}"),
    )


@pytest.mark.parametrize("token", [None, KEY, "nonsense", "", ADMIN_TOKEN[:-1], ADMIN_TOKEN + "x"])
def test_strangers_and_senders_get_nothing_of_any_operation(ground: Ground, token: str | None) -> None:
    before = state(ground)
    operations = ground.operations()
    assert len(operations) >= 25
    for method, path, address in [
        *operations,
        ("GET", "/openapi.json", "/api/v1/openapi.json"),
        ("GET", "/metrics", "/metrics"),
    ]:
        answer = ground.ask(method, address, token=token)
        assert answer.status == (403 if token == KEY else 401), (method, path, answer.text)
        assert problem_of(answer)
        if token != KEY:
            assert "WWW-Authenticate" in answer.headers
        unknown = address.replace(ground.incident, "nothing").replace(ground.receipt, "0" * 16)
        assert ground.ask(method, unknown, token=token).body == answer.body, "it tells what exists"
    assert state(ground) == before


def test_a_viewer_reads_and_changes_nothing(ground: Ground) -> None:
    before = state(ground)
    for method, path, address in ground.operations():
        if path in NOT_HERE:
            continue
        answer = ground.ask(method, address, token=ground.viewer)
        # A bundle holds payloads, as the raw bytes do: neither is for who only reads. Access is for admins.
        is_open = not path.endswith(("/raw", "/bundle")) and not path.startswith(("/audit", *OF_ADMINS))
        expected = 200 if method == "GET" and is_open else 403
        assert answer.status == expected, (method, path, answer.text[:200])
    missing = ground.ask("POST", "/api/v1/incidents/nothing/status", token=ground.viewer)
    assert missing.status == 403
    assert state(ground) == before


def test_a_responder_acts_but_does_not_administer(ground: Ground) -> None:
    for method, path, address in ground.operations():
        if method == "GET":
            continue
        if path == "/grafana/annotations":
            continue  # asks, though by POST
        answer = ground.ask(method, address.replace(ground.incident, "nothing"), token=ground.responder)
        if path.endswith(("/reread", "/destinations/{destination}/test")) or path.startswith(OF_ADMINS):
            assert answer.status == 403, path
        else:
            assert answer.status in (400, 404), (method, path, answer.status)
    assert ground.service.get(f"/api/v1/deliveries/{ground.receipt}/raw", token=ground.responder).status == 403


def test_a_session_reads_but_does_not_change_through_the_api(ground: Ground) -> None:
    cookie = ground.cookie()
    before = state(ground)
    for method, path, address in ground.operations():
        if path in NOT_HERE:
            continue
        answer = ground.ask(method, address, token=None, Cookie=cookie)
        assert answer.status == (200 if method == "GET" else 403), (method, path, answer.text[:200])
    assert state(ground) == before


def test_a_session_key_is_no_bearer_token_and_a_token_is_no_cookie(ground: Ground) -> None:
    key = ground.cookie().partition("=")[2]
    assert ground.service.get("/api/v1/incidents", token=key).status == 401
    answer = ground.service.get("/incidents", token=None, headers={"Cookie": f"barograph_session={ground.viewer}"})
    assert answer.status == 303


def test_an_error_page_keeps_the_navigation_of_whoever_is_signed_in(ground: Ground) -> None:
    for address, status in (("/nothing", 404), ("/incidents/nothing", 404)):
        page = ground.ask("GET", address, token=ground.viewer)
        assert page.status == status
        assert '<nav aria-label="Pages">' in page.text
        assert ">Sign in<" not in page.text


def test_pages_send_strangers_to_the_sign_in_and_let_tokens_in(ground: Ground) -> None:
    for path in PAGES:
        address = ground.path(path)
        asked = f"{address}?status=open&q=a%26b"
        away = ground.service.get(asked, token=None)
        assert away.status == 303, path
        there = urlsplit(away.headers["Location"])
        assert (there.netloc, there.path, parse_qs(there.query)) == ("", "/sign-in", {"next": [asked]})
        assert ground.incident not in away.text
        assert ground.service.get(address, token=KEY).status == 403, path
        assert ground.service.get(address, token=ground.viewer).status == 200, path
    for path in ("/livez", "/readyz", "/sign-in", "/static/barograph.css"):
        assert ground.service.get(path, token=None).status == 200, path


def test_a_link_works_once_and_signing_out_ends_the_session(ground: Ground) -> None:
    service = ground.service
    token = service.cli("sign-in").stdout.partition("token=")[2].split()[0]
    first = service.get(f"/sign-in?token={token}&next=/incidents", token=None)
    assert (first.status, first.headers["Location"]) == (303, "/incidents")
    cookie = first.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert service.get(f"/sign-in?token={token}", token=None).status == 401
    assert service.get("/incidents", token=token).status == 303, "a link's token is no bearer token"
    headers = {"Cookie": cookie.partition(";")[0]}
    page = service.get("/incidents", token=None, headers=headers)
    assert page.status == 200
    out = form(service, "/sign-out", {"csrf": csrf(page)}, headers)
    assert out.status == 303
    assert service.get("/incidents", token=None, headers=headers).status == 303
    assert service.get("/sign-in?token=nonsense", token=None).status == 401


def test_where_no_proxy_is_named_nobody_says_who_asked(ground: Ground) -> None:
    link = ground.service.cli("sign-in").stdout
    path = "/sign-in?token=" + link.partition("token=")[2].split()[0]
    spoofed = {"X-Forwarded-For": "203.0.113.50", "Forwarded": "for=203.0.113.50"}
    assert ground.service.get(path, token=None, headers=spoofed).status == 303
    assert "203.0.113.50" not in {one["address"] for one in ground.service.json("/api/v1/sessions")["items"]}


@pytest.mark.parametrize(
    "following", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/\r\nX: y"]
)
def test_signing_in_leads_nowhere_else(ground: Ground, following: str) -> None:
    answer = form(ground.service, "/sign-in", {"token": ground.viewer, "next": following}, {})
    assert (answer.status, answer.headers["Location"]) == (303, "/")


def test_signing_in_with_a_token(ground: Ground) -> None:
    service = ground.service
    assert form(service, "/sign-in", {"token": "nonsense"}, {}).status == 401
    assert form(service, "/sign-in", {"token": KEY}, {}).status == 401
    answer = form(service, "/sign-in", {"token": ground.viewer, "next": "/sites"}, {})
    assert (answer.status, answer.headers["Location"]) == (303, "/sites")
    headers = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
    page = service.get("/incidents", token=None, headers=headers)
    assert page.status == 200
    status = form(service, f"/incidents/{ground.incident}/status", {"csrf": csrf(page), "status": "resolved"}, headers)
    assert status.status == 403, "a viewer's session is no more than a viewer"


def csrf(page: Answer) -> str:
    """The proof that a page's forms carry."""
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found, page.text[:500]
    return found[1]


def form(service: Barograph, path: str, fields: dict[str, str], headers: dict[str, str]) -> Answer:
    """Send a form as a browser does."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return service.call("POST", path, urlencode(fields), token=None, headers={**kind, **headers})


def test_forms_need_the_proof_of_their_own_session(ground: Ground) -> None:
    service, name = ground.service, ground.incident
    mine, other = {"Cookie": ground.cookie()}, {"Cookie": ground.cookie()}
    proof = csrf(service.get(f"/incidents/{name}", token=None, headers=mine))
    before = service.json(f"/api/v1/incidents/{name}")
    paths = {
        "/incidents": {"title": "x", "severity": "error"},
        f"/incidents/{name}/status": {"status": "resolved"},
        f"/incidents/{name}/entries": {"text": "forged"},
        f"/incidents/{name}/entries/{ground.entry}/correct": {"text": "forged"},
        f"/incidents/{name}/entries/{ground.entry}/retract": {},
        f"/incidents/{name}/patch": {"title": "forged"},
        f"/incidents/{name}/links/{ground.link}/verdict": {"verdict": "rejected"},
        "/zone": {"zone": "Europe/London"},
        "/theme": {"theme": "dark"},
    }
    for path, fields in paths.items():
        assert form(service, path, fields, mine).status == 400, path
        assert form(service, path, {**fields, "csrf": "x"}, mine).status == 400, path
        assert form(service, path, {**fields, "csrf": proof}, other).status == 400, path
        assert form(service, path, {**fields, "csrf": proof}, {}).status == 303, path
    assert service.json(f"/api/v1/incidents/{name}") == before
    assert len(service.json("/api/v1/incidents")["items"]) == 1
    done = form(service, f"/incidents/{name}/entries", {"text": "from the page", "csrf": proof}, mine)
    assert (done.status, done.headers["Location"].partition("?")[0]) == (303, f"/incidents/{name}")
    assert "from the page" in service.get(f"/incidents/{name}", token=None, headers=mine).text


def test_answers_carry_the_headers_that_browsers_obey(ground: Ground) -> None:
    for path in (
        *map(ground.path, PAGES),
        "/sign-in",
        "/nothing",
        "/api/v1/incidents",
        "/static/barograph.css",
        "/livez",
    ):
        answer = ground.service.get(path, token=ground.viewer, headers={"Origin": "https://evil.example"})
        assert not any(name.lower().startswith("access-control-") for name in answer.headers), path
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["Referrer-Policy"] == "same-origin", path
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", path
        assert "camera=()" in answer.headers["Permissions-Policy"], path
        if not path.startswith("/static/"):
            assert "no-store" in answer.headers["Cache-Control"], path
        assert "Python" not in answer.headers.get("Server", ""), path
    export = ground.service.get(f"/api/v1/incidents/{ground.incident}/export.html", token=ground.viewer)
    assert "sandbox" in export.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2f..%2fservice%2fapp.py", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "", "%00"]
)
def test_static_files_are_ours_alone(ground: Ground, name: str) -> None:
    answer = ground.service.get(f"/static/{name}", token=None)
    assert answer.status in (400, 404)
    assert "root:" not in answer.text


def test_no_secret_is_logged(ground: Ground) -> None:
    service = ground.service
    service.get("/api/v1/incidents?q=%00", token=ADMIN_TOKEN)
    service.request("GET", "/api/v1/incidents", headers={"Authorization": f"Basic {ADMIN_TOKEN}"})
    service.request("POST", f"/in/am/{KEY}", b"junk")
    with raw_connection(service) as connection:
        connection.sendall(head("/in/am", "Content-Length: -1", f"X-Api-Key: {KEY}\x01", key=ADMIN_TOKEN))
        assert rest_of(connection).partition(b" ")[2].startswith(b"400 ")
    with raw_connection(service) as connection:
        connection.sendall(b"POST /in/am/" + KEY.encode() + b"\x7f HTTP/1.1\r\n\x01\r\n\r\n")
        rest_of(connection)
    session = ground.cookie().partition("=")[2]
    assert "no HTTP" in service.log
    for secret in (ADMIN_TOKEN, KEY, ground.viewer, ground.responder, session):
        assert secret not in service.log
        for path in (*map(ground.path, PAGES), "/metrics", "/api/v1/sources"):
            assert secret not in service.get(path).text, path
