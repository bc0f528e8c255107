"""Signing in by an identity provider that others wrote: what it says is understood, what is not for us refused."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from service import clock
from service.identity.id_tokens import Expected, IdTokenError, UnknownKeyError, public_keys, verified
from service.identity.identity_provider import IdentityProvider, ProviderError
from service.settings import read as read_settings
from tests.foreign_provider import CLIENT_ID, CLIENT_SECRET, Foreign, foreign_provider
from tests.servers import Answer, Barograph, Server
from tests.test_access import csrf, form
from tests.test_identity_provider import Browser


@dataclass(frozen=True)
class Ground:
    """The service, the provider, and a connection to it of our own."""

    service: Barograph
    told: Foreign
    there: Server

    def ask(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Answer:
        """The provider, asked by nobody's browser."""
        if fields is None:
            return self.there.request("GET", path, headers=headers)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self.there.request("POST", path, urlencode(fields).encode(), headers=headers)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with foreign_provider(tmp_path_factory.mktemp("provider")) as told:
        settings = {
            "OIDC_ISSUER": told.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_ROLES": "sre=responder",
            "OIDC_NETWORKS": "127.0.0.0/8",
        }
        running = Barograph(tmp_path_factory.mktemp("provided"), settings=settings)
        running.env["BAROGRAPH_PUBLIC_URL"] = running.url
        told.begin(f"{running.url}/sign-in/provider/callback")
        running.start()
        yield Ground(running, told, Server(["provider"], port=told.port, ready="/", home=running.home, env={}))
        running.end()


def test_somebody_signs_in_signs_out_and_leaves_the_provider_too(ground: Ground) -> None:
    browser = Browser(ground.service)
    answer = browser.sign_in("/incidents")
    assert (answer.status, answer.headers["Location"]) == (303, "/incidents"), answer.text
    page = browser.get("/account")
    assert "diana, responder" in page.text
    cookie = {"Cookie": f"barograph_session={browser.cookies['barograph_session']}"}
    out = form(ground.service, "/sign-out", {"csrf": csrf(page)}, cookie)
    assert (out.status, out.headers["Location"]) == (303, "/sign-in?left=provider")
    assert out.headers["Clear-Site-Data"] == '"cache"'
    assert browser.get("/account").status == 303, "the session is ended"
    assert "/sign-in/provider/leave" in browser.get(out.headers["Location"]).text
    assert "/sign-in/provider/leave" not in browser.get("/sign-in").text
    away = browser.get("/sign-in/provider/leave")
    assert away.status == 303
    assert away.headers["Location"] == f"{ground.told.issuer}/leave?client_id={CLIENT_ID}"


def test_keys_that_it_changed_are_read_again(ground: Ground) -> None:
    assert Browser(ground.service).sign_in().status == 303
    former = {key["kid"] for key in ground.ask("/keys").json()["keys"]}
    ground.told.change_keys()
    assert former.isdisjoint(key["kid"] for key in ground.ask("/keys").json()["keys"])
    answer = Browser(ground.service).sign_in()
    assert answer.status == 303, answer.text


def test_it_wants_the_verifier_and_takes_a_code_once(ground: Ground) -> None:
    """That PKCE is in force there: a code without what belongs to it, or a second time, gives no token."""
    code = _code(ground, CLIENT_ID, f"{ground.service.url}/sign-in/provider/callback")
    for verifier in ("w" * 43, ""):
        assert "id_token" not in _exchanged(ground, code, verifier)
    code = _code(ground, CLIENT_ID, f"{ground.service.url}/sign-in/provider/callback")
    assert "id_token" in _exchanged(ground, code, VERIFIER)
    assert "id_token" not in _exchanged(ground, code, VERIFIER)


def test_its_tokens_count_for_us_for_this_sign_in_and_for_now(ground: Ground) -> None:
    code = _code(ground, CLIENT_ID, f"{ground.service.url}/sign-in/provider/callback")
    text = _exchanged(ground, code, VERIFIER)["id_token"]
    keys = public_keys(ground.ask("/keys").json())
    ours, now = Expected(ground.told.issuer, CLIENT_ID, NONCE), clock.now()
    assert verified(text, keys, ours, now)["preferred_username"] == "diana"
    for wrong in (
        Expected(ground.told.issuer, "grafana", NONCE),
        Expected(f"{ground.told.issuer}/", CLIENT_ID, NONCE),
        Expected(ground.told.issuer, CLIENT_ID, "another"),
    ):
        with pytest.raises(IdTokenError, match="not right"):
            verified(text, keys, wrong, now)
    with pytest.raises(IdTokenError, match="expired"):
        verified(text, keys, ours, now + timedelta(days=1))
    head, body, signature = text.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**said, "groups": ["leads"]}).encode()).decode().rstrip("=")
    with pytest.raises(UnknownKeyError):
        verified(f"{head}.{forged}.{signature}", keys, ours, now)


async def test_another_name_of_it_is_another_provider(ground: Ground) -> None:
    given = {
        "OIDC_ISSUER": f"http://localhost:{ground.told.port}",
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_ROLES": "*=viewer",
    }
    given |= {"PUBLIC_URL": ground.service.url, "OIDC_NETWORKS": "127.0.0.0/8"}
    client = IdentityProvider(read_settings({}, {f"BAROGRAPH_{name}": value for name, value in given.items()}))
    try:
        with pytest.raises(ProviderError, match="calls itself otherwise"):
            await client.address(state="s", nonce="n", verifier="v")
    finally:
        await client.close()


VERIFIER, NONCE = "v" * 43, "a nonce"


def _code(ground: Ground, client: str, callback: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    asked = {"response_type": "code", "client_id": client, "redirect_uri": callback, "scope": "openid profile"}
    asked |= {"state": "s", "nonce": NONCE, "code_challenge": challenge, "code_challenge_method": "S256"}
    answer = ground.ask(f"/authorize?{urlencode(asked)}")
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def _exchanged(ground: Ground, code: str, verifier: str) -> dict[str, Any]:
    fields = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    fields["redirect_uri"] = f"{ground.service.url}/sign-in/provider/callback"
    pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    found: dict[str, Any] = ground.ask("/token", fields, Authorization=f"Basic {pair}").json()
    return found
