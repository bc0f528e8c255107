"""An identity provider on the loopback: OpenID Connect's code flow with PKCE, as the specifications write it.

It signs whoever comes in at once, as the person that it is told to, and misbehaves in its ID tokens by `mood`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from service import clock
from tests.listening import listening

CLIENT_ID, CLIENT_SECRET = "barograph", "a secret: with / and +"


def new_key() -> RSAKey:
    """A key pair with a name of its own."""
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": secrets.token_hex(4)})


@dataclass(slots=True)
class Provider:
    """`claims` are of the person who signs in; codes hold once."""

    port: int = 0
    mood: str = "ok"
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=new_key)
    stranger: RSAKey = field(default_factory=new_key)
    """A key that it never publishes."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for, in order."""

    @property
    def issuer(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/realm"

    def discovery(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0, section 3."""
        return {
            "issuer": self.issuer if self.mood != "another issuer" else "https://elsewhere.example",
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def id_token(self, nonce: str) -> str:
        """The ID token of the person, wrong in the way of the mood."""
        now = int(clock.now().timestamp())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce, **self.claims}
        claims |= {
            "wrong nonce": {"nonce": "another"},
            "wrong audience": {"aud": "another"},
            "several audiences": {"aud": [CLIENT_ID, "another"]},
            "another party": {"azp": "another"},
            "wrong issuer": {"iss": "https://elsewhere.example"},
            "expired": {"iat": now - 600, "exp": now - 300},
            "not yet": {"iat": now + 600, "exp": now + 900},
            "no subject": {"sub": ""},
        }.get(self.mood, {})
        if self.mood == "no nonce":
            del claims["nonce"]
        if self.mood == "none":
            return f"{_part({'alg': 'none'})}.{_part(claims)}."
        if self.mood == "shared secret":  # the public key taken for a secret that both know
            signed = f"{_part({'alg': 'HS256', 'kid': self.key.kid})}.{_part(claims)}"
            proof = hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256")
            return f"{signed}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"
        key = self.stranger if self.mood in ("wrong key", "unknown key") else self.key
        name = self.stranger.kid if self.mood == "unknown key" else self.key.kid
        text = jwt.encode({"alg": "RS256", "kid": name}, claims, key)
        if self.mood == "changed":
            head, _, signature = text.split(".")
            text = f"{head}.{_part({**claims, 'groups': ['leads']})}.{signature}"
        return text


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@contextmanager
def provider() -> Iterator[Provider]:
    """One that listens until the block ends."""
    told = Provider()
    with listening(_handler(told)) as port:
        told.port = port
        yield told


def _handler(told: Provider) -> type[BaseHTTPRequestHandler]:  # one small server
    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, value: dict[str, Any] | None = None, place: str = "") -> None:
            body = json.dumps(value or {}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if place:
                self.send_header("Location", place)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path.removeprefix("/realm"), urlsplit(self.path).query
            told.asked.append(path)
            if path == "/.well-known/openid-configuration":
                self.answer(200, told.discovery())
            elif path == "/keys":
                self.answer(200, {"keys": [{"kty": "AKP", "kid": "x"}, told.key.as_dict(private=False)]})
            elif path == "/userinfo" and self.headers["Authorization"] == "Bearer an-access-token":
                self.answer(200, told.userinfo)
            elif path == "/authorize":
                self.authorize({name: values[0] for name, values in parse_qs(query).items()})
            else:
                self.answer(404)

        def authorize(self, asked: dict[str, str]) -> None:
            assert asked["response_type"] == "code"
            assert asked["client_id"] == CLIENT_ID
            assert "openid" in asked["scope"].split()
            assert asked["code_challenge_method"] == "S256"
            code = secrets.token_urlsafe()
            told.codes[code] = asked
            back = {"code": code, "state": asked["state"], "iss": told.issuer}
            if told.mood == "denied":
                back = {"error": "access_denied", "state": asked["state"], "iss": told.issuer}
            if told.mood == "another provider":
                back["iss"] = "https://elsewhere.example"
            self.answer(302, place=f"{asked['redirect_uri']}?{urlencode(back)}")

        def do_POST(self) -> None:
            told.asked.append("/token")
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            given = {name: values[0] for name, values in form.items()}
            asked = told.codes.pop(given.get("code", ""), None)
            pair = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            name, _, secret = pair.partition(":")
            if (unquote(name), unquote(secret)) != (CLIENT_ID, CLIENT_SECRET):
                self.answer(401, {"error": "invalid_client"})
            elif asked is None or given["redirect_uri"] != asked["redirect_uri"] or not _proves(given, asked):
                self.answer(400, {"error": "invalid_grant"})
            elif told.mood == "no token":
                self.answer(200, {"access_token": "an-access-token", "token_type": "Bearer"})
            else:
                token = told.id_token(asked["nonce"])
                # As large as providers that write many groups into theirs.
                more = {"refresh_token": "x" * 6000}
                self.answer(200, {"access_token": "an-access-token", "token_type": "Bearer", "id_token": token, **more})

    return Handler


def _proves(given: dict[str, str], asked: dict[str, str]) -> bool:
    digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
