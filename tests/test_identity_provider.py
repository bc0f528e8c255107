"""Signing in by an identity provider: who is let in with which role, and which tokens prove nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from service.identity.id_tokens import Expected, IdTokenError, public_keys, verified
from service.identity.identity_provider import IdentityProvider, ProviderError, claim, discovered, groups_of, role_of
from service.settings import Settings, SettingsError
from service.settings import read as read_settings
from tests.provider import CLIENT_ID, CLIENT_SECRET, Provider, new_key, provider
from tests.servers import Answer, Barograph, Server

ROLES = "leads=admin,cn=sre,ou=groups,dc=example=responder,*=viewer"
ALICE = {"sub": "248289761001", "preferred_username": "Alice", "groups": ["cn=sre,ou=groups,dc=example", "all"]}


@pytest.fixture(scope="module")
def told() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture(scope="module")
def service(told: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    settings = {
        "OIDC_ISSUER": told.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_ROLES": ROLES,
        "OIDC_NETWORKS": "127.0.0.0/8",
    }
    running = Barograph(tmp_path_factory.mktemp("provided"), settings=settings)
    running.env["BAROGRAPH_PUBLIC_URL"] = running.url
    yield running.start()
    running.end()


@pytest.fixture(autouse=True)
def _well(request: pytest.FixtureRequest) -> None:
    if "told" in request.fixturenames:
        told: Provider = request.getfixturevalue("told")
        told.mood, told.claims, told.userinfo = "ok", dict(ALICE), {}


class Browser:
    """Follows redirects by hand, and keeps the cookies of one sign-in."""

    def __init__(self, service: Barograph) -> None:
        self.service = service
        self.cookies: dict[str, str] = {}

    def get(self, address: str) -> Answer:
        """One request, to the service or to the provider."""
        there = urlsplit(address)
        path = there.path + (f"?{there.query}" if there.query else "")
        if there.netloc in ("", urlsplit(self.service.url).netloc):
            kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            answer = self.service.get(path, token=None, headers={"Cookie": kept} if kept else {})
            for line in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = line.partition(";")[0].partition("=")
                self.cookies[name] = value
            return answer
        other = Server(["provider"], port=there.port or 0, ready="/", home=self.service.home, env={})
        return other.request("GET", path)

    def sign_in(self, following: str = "/incidents") -> Answer:
        """To the provider and back: the last answer."""
        away = self.get(f"/sign-in/provider?next={following}")
        assert away.status == 303, away.text
        back = self.get(away.headers["Location"])
        assert back.status == 302
        return self.get(back.headers["Location"])


def test_somebody_signs_in_with_the_role_of_their_groups(service: Barograph, told: Provider) -> None:
    assert f"Sign in by {urlsplit(told.issuer).hostname}" in service.get("/sign-in", token=None).text
    browser = Browser(service)
    answer = browser.sign_in("/incidents")
    assert (answer.status, answer.headers["Location"]) == (303, "/incidents"), answer.text
    assert browser.get("/incidents").status == 200
    page = browser.get("/account").text
    assert "alice, responder" in page
    assert "your password is kept there" in page
    (account,) = [one for one in service.json("/api/v1/accounts")["items"] if one["name"] == "alice"]
    assert (account["issuer"], account["role"], account["has_password"]) == (told.issuer, "responder", False)
    act = service.json("/api/v1/audit?act=signed_in&actor=user:alice")["items"][0]
    assert act["text"] == "signed in as responder by provider"


def test_what_the_provider_says_at_the_next_sign_in_holds(service: Barograph, told: Provider) -> None:
    told.claims = {**ALICE, "sub": "changing", "preferred_username": "carol"}
    first = Browser(service)
    first.sign_in()
    told.claims |= {"groups": "leads", "preferred_username": "renamed"}
    second = Browser(service)
    assert second.sign_in().status == 303
    # Another name there is the same person here; the session of the former role has ended.
    assert "carol, admin" in second.get("/account").text
    assert first.get("/account").status == 303
    told.claims["groups"] = []
    third = Browser(service)
    third.sign_in()
    assert "carol, viewer" in third.get("/account").text
    assert second.get("/account").status == 303


REFUSALS = {
    "wrong nonce": "Invalid claim: &#39;nonce&#39;",
    "no nonce": "Missing claim: &#39;nonce&#39;",
    "wrong audience": "Invalid claim: &#39;aud&#39;",
    "several audiences": "names none that asked",
    "another party": "another asked for it",
    "wrong issuer": "Invalid claim: &#39;iss&#39;",
    "expired": "expired",
    "not yet": "not right",
    "no subject": "sub",
    "none": "not signed in a way that proves anything",
    "shared secret": "not signed in a way that proves anything",
    "wrong key": "signature is not the provider",
    "unknown key": "does not publish",
    "changed": "signature is not the provider",
    "no token": "there is none",
    "denied": "did not let you in",
    "another provider": "another provider",
}


@pytest.mark.parametrize("mood", REFUSALS)
def test_what_proves_nothing_lets_nobody_in(service: Barograph, told: Provider, mood: str) -> None:
    told.mood = mood
    browser = Browser(service)
    answer = browser.sign_in()
    assert (answer.status, REFUSALS[mood] in answer.text) == (401, True), answer.text
    assert not browser.cookies.get("barograph_session")
    assert browser.get("/incidents").status == 303


def settings_of(told: Provider, **more: str) -> Settings:
    given = {"OIDC_ISSUER": told.issuer, "OIDC_CLIENT_ID": CLIENT_ID, "OIDC_CLIENT_SECRET": CLIENT_SECRET}
    given |= {"OIDC_ROLES": "*=viewer", "PUBLIC_URL": "http://127.0.0.1:1", **more}
    return read_settings({}, {f"BAROGRAPH_{name}": value for name, value in given.items()})


async def test_keys_that_the_provider_changed_are_read_again(told: Provider, tmp_path: Path) -> None:
    client = IdentityProvider(settings_of(told, OIDC_NETWORKS="127.0.0.0/8"))
    there = Server(["provider"], port=told.port, ready="/", home=tmp_path, env={})

    async def sign_in() -> str:
        place = urlsplit(await client.address(state="s", nonce="n", verifier="v" * 43))
        away = await asyncio.to_thread(there.request, "GET", f"{place.path}?{place.query}")
        back = parse_qs(urlsplit(away.headers["Location"]).query)
        found = await client.told(back["code"][0], verifier="v" * 43, nonce="n", issuer=back["iss"][0])
        return found.name

    former = told.key
    try:
        assert await sign_in() == "Alice"
        told.key = new_key()
        assert await sign_in() == "Alice"
        count, told.mood = told.asked.count("/keys"), "unknown key"
        for _ in range(3):
            with pytest.raises(ProviderError, match="does not publish"):
                await sign_in()
        assert told.asked.count("/keys") == count, "tokens by a stranger's key must not make us ask again and again"
    finally:
        told.key = former
        await client.close()


@pytest.mark.usefixtures("told")
def test_an_answer_belongs_to_the_browser_that_asked(service: Barograph) -> None:
    victim, attacker = Browser(service), Browser(service)
    away = attacker.get("/sign-in/provider")
    back = attacker.get(away.headers["Location"]).headers["Location"]
    assert victim.get(back).status == 401, "no cookie of this browser goes with it"
    victim.get("/sign-in/provider")
    assert victim.get(back).status == 401, "its cookie is of another sign-in"
    assert attacker.get(back).status == 303
    assert attacker.get(back).status == 401, "once"
    asked = parse_qs(urlsplit(away.headers["Location"]).query)
    assert asked["redirect_uri"] == [f"{service.url}/sign-in/provider/callback"]
    assert len(asked["code_challenge"][0]) == 43


def test_a_name_that_is_anothers_here_is_not_taken(service: Barograph, told: Provider) -> None:
    assert service.post("/api/v1/accounts", {"name": "dora", "role": "admin"}).status == 201
    told.claims = {**ALICE, "sub": "not dora", "preferred_username": "dora"}
    answer = Browser(service).sign_in()
    assert (answer.status, "another account" in answer.text) == (401, True)
    told.claims = {**ALICE, "sub": "x", "preferred_username": "admin"}
    assert Browser(service).sign_in().status == 401, "the name of the operator's token"


def test_a_disabled_account_stays_out(service: Barograph, told: Provider) -> None:
    told.claims = {**ALICE, "sub": "leaver", "preferred_username": "leaver"}
    browser = Browser(service)
    browser.sign_in()
    assert browser.get("/account").status == 200
    assert service.call("PATCH", "/api/v1/accounts/leaver", {"disabled": True}).status == 200
    assert browser.get("/account").status == 303
    assert Browser(service).sign_in().status == 401


def test_groups_that_stand_only_in_the_userinfo_are_read_there(service: Barograph, told: Provider) -> None:
    told.claims = {"sub": "u", "preferred_username": "uma"}
    told.userinfo = {"sub": "u", "groups": ["leads"]}
    browser = Browser(service)
    browser.sign_in()
    assert "uma, admin" in browser.get("/account").text
    told.userinfo = {"sub": "another", "groups": ["leads"]}
    assert Browser(service).sign_in().status == 401


async def test_a_provider_in_a_private_network_is_reached_by_its_setting_alone(told: Provider) -> None:
    client = IdentityProvider(settings_of(told))
    try:
        with pytest.raises(ProviderError, match="not allowed"):
            await client.address(state="s", nonce="n", verifier="v")
    finally:
        await client.close()


# --- without a service ----------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
EXPECTED = Expected("https://id.example", "us", "n")


def claims(**more: Any) -> dict[str, Any]:
    at = int(NOW.timestamp())
    return {"iss": "https://id.example", "aud": "us", "nonce": "n", "sub": "s", "iat": at, "exp": at + 60, **more}


@pytest.mark.parametrize(
    ("key", "algorithm"), [(ECKey.generate_key("P-256"), "ES256"), (OKPKey.generate_key("Ed25519"), "Ed25519")]
)
def test_other_kinds_of_keys_are_understood(key: Any, algorithm: str) -> None:
    keys = public_keys({"keys": [{**key.as_dict(private=False), "use": "sig"}]})
    text = jwt.encode({"alg": algorithm}, claims(), key, algorithms=[algorithm])
    assert verified(text, keys, EXPECTED, NOW)["sub"] == "s"
    with pytest.raises(IdTokenError):
        verified(text, keys, EXPECTED, NOW + timedelta(minutes=5))
    with pytest.raises(IdTokenError):
        verified(text, (), EXPECTED, NOW)


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "é.b.c", "e30.e30.", "W10.e30.x", "." * 70_000])
def test_what_is_no_token_is_told_so(text: str) -> None:
    with pytest.raises(IdTokenError):
        verified(text, (), EXPECTED, NOW)


def test_secrets_and_keys_for_other_uses_are_no_keys_of_signatures() -> None:
    shared = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"}
    encrypting = {**new_key().as_dict(private=False), "use": "enc"}
    assert public_keys({"keys": [shared, encrypting, "x", {"kty": "RSA"}, {}]}) == ()
    assert public_keys({"keys": "x"}) == public_keys([]) == ()


def test_roles_are_of_the_highest_group() -> None:
    roles = {"a": "viewer", "b": "admin", "*": "viewer"}
    assert role_of(("a", "b"), roles) == "admin"
    assert role_of((), roles) == "viewer"
    assert role_of(("c",), {"a": "admin"}) is None
    assert groups_of("a") == ("a",)
    assert groups_of(["a", 1, None]) == ("a",)
    assert groups_of({"a": 1}) == ()
    nested = {"realm_access": {"roles": ["x"]}, "https://x.example/groups": ["y"]}
    assert claim(nested, "realm_access.roles") == ["x"]
    assert claim(nested, "https://x.example/groups") == ["y"]
    assert claim(nested, "realm_access.none") is None


def test_a_description_must_be_the_issuers_own_and_secure() -> None:
    said = dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), "https://id.example/x")
    said["issuer"] = "https://id.example"
    assert discovered(said, "https://id.example").userinfo is None
    for wrong in (
        {**said, "issuer": "https://id.example/"},
        {**said, "token_endpoint": "http://id.example/x"},
        {**said, "jwks_uri": None},
    ):
        with pytest.raises(ProviderError):
            discovered(wrong, "https://id.example")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"OIDC_ISSUER": "http://id.example"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "https://a:b@id.example"}, "OIDC_ISSUER"),
        ({"OIDC_CLIENT_ID": ""}, "OIDC_CLIENT_ID"),
        ({"PUBLIC_URL": ""}, "PUBLIC_URL"),
        ({"OIDC_ROLES": ""}, "OIDC_ROLES"),
        ({"OIDC_ROLES": "sre=owner"}, "OIDC_ROLES"),
        ({"OIDC_ROLES": "sre=admin,sre=viewer"}, "OIDC_ROLES"),
        ({"OIDC_SCOPES": "profile"}, "OIDC_SCOPES"),
        ({"OIDC_NETWORKS": "10.0.0.1/8"}, "OIDC_NETWORKS"),
    ],
)
def test_a_setting_that_cannot_be_is_named(settings: dict[str, str], named: str) -> None:
    given = {"OIDC_ISSUER": "https://id.example", "OIDC_CLIENT_ID": "us", "OIDC_ROLES": "*=viewer"}
    given |= {"PUBLIC_URL": "https://b.example", **settings}
    with pytest.raises(SettingsError, match=named):
        read_settings({}, {f"BAROGRAPH_{name}": value for name, value in given.items()})


def test_groups_of_directories_are_read() -> None:
    given = {"BAROGRAPH_OIDC_ROLES": f" {ROLES} "}
    found = read_settings({}, given).oidc_roles
    assert json.loads(json.dumps(found)) == {
        "leads": "admin",
        "cn=sre,ou=groups,dc=example": "responder",
        "*": "viewer",
    }
