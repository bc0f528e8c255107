"""A conforming identity provider that others wrote, on the loopback: idpyoidc's, with keys and tokens by its own JOSE.

Nothing of it knows our code: only its addresses, its one client and its people are given. It signs in whoever comes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration

from tests.listening import listening

CLIENT_ID, CLIENT_SECRET = "barograph", "a-secret-of-thirty-two-characters"
PERSON = {"preferred_username": "diana", "groups": ["sre"], "name": "Diana Krall"}
KEYS = [{"type": "RSA", "use": ["sig"]}, {"type": "EC", "crv": "P-256", "use": ["sig"]}]
_PACKAGE = "idpyoidc.server"


def _endpoint(path: str, name: str, **options: Any) -> dict[str, Any]:
    return {"path": path, "class": f"{_PACKAGE}.oidc.{name}", "kwargs": options}


def _configuration(issuer: str, folder: Path) -> dict[str, Any]:
    in_token = {"base_claims": {"preferred_username": None, "groups": None}, "id_token_signed_response_alg": "ES256"}
    secret = {"password": "0" * 32, "salt": "1" * 16}
    return {
        "issuer": issuer,
        "httpc_params": {"verify": False},
        "key_conf": {"key_defs": KEYS, "uri_path": "keys", "read_only": True},
        "preference": {"subject_types_supported": ["public"]},
        "endpoint": {
            "provider_config": _endpoint(".well-known/openid-configuration", "provider_config.ProviderConfiguration"),
            "authorization": _endpoint(
                "authorize", "authorization.Authorization", response_types_supported=["code"], client_authn_method=None
            ),
            "token": _endpoint("token", "token.Token", client_authn_method=["client_secret_basic"]),
            "userinfo": _endpoint("userinfo", "userinfo.UserInfo", client_authn_method=["bearer_header"]),
            "session": _endpoint("leave", "session.Session", post_logout_uri_path="left", signing_alg="ES256"),
        },
        "authentication": {
            "anybody": {"acr": "anybody", "class": f"{_PACKAGE}.user_authn.user.NoAuthn", "kwargs": {"user": "diana"}}
        },
        "userinfo": {"class": f"{_PACKAGE}.user_info.UserInfo", "kwargs": {"db": {"diana": PERSON}}},
        "token_handler_args": {
            "key_conf": {"key_defs": [{"type": "oct", "bytes": 24, "use": ["enc"], "kid": "code"}]},
            "code": {"lifetime": 60, "kwargs": {"crypt_conf": {"kwargs": secret}}},
            "token": {"class": f"{_PACKAGE}.token.jwt_token.JWTToken", "kwargs": {"lifetime": 600}},
            "id_token": {"class": f"{_PACKAGE}.token.id_token.IDToken", "kwargs": in_token},
        },
        "session_params": {"encrypter": {"kwargs": secret}},
        "add_on": {"pkce": {"function": f"{_PACKAGE}.oauth2.add_on.pkce.add_support", "kwargs": {"essential": True}}},
        "template_dir": str(folder),
    }


class Foreign:
    """The provider; `client` is what it knows of us."""

    def __init__(self, folder: Path) -> None:
        """`folder` is empty and for its files."""
        self.port = 0
        self._folder = folder
        self._lock = threading.Lock()

    @property
    def issuer(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def begin(self, callback: str) -> None:
        """Know one client, which comes back to this address."""
        self.server = Server(OPConfiguration(_configuration(self.issuer, self._folder)), cwd=str(self._folder))
        self.server.context.cdb[CLIENT_ID] = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [(callback, {})],
            "token_endpoint_auth_method": "client_secret_basic",
            "response_types_supported": ["code"],
            "allowed_scopes": ["openid", "profile", "email"],
            "id_token_signed_response_alg": "ES256",
        }
        self.server.keyjar.add_symmetric(CLIENT_ID, CLIENT_SECRET)

    def change_keys(self) -> None:
        """Sign with new keys from now on; the former are published no more."""
        self.server.keyjar.rotate_keys(KEYS, issuer_id=self.issuer)
        # It would go on signing with the former until these are outdated.
        self.server.keyjar.remove_outdated(when=2**40)

    def answer(self, method: str, path: str, asked: str, headers: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body, as idpyoidc makes them."""
        if path == "/keys":
            keys = self.server.keyjar.export_jwks_as_json(issuer_id=self.issuer).encode()
            return 200, [("Content-Type", "application/json")], keys
        endpoint = next((one for one in self.server.endpoint.values() if f"/{one.endpoint_path}" == path), None)
        if endpoint is None:
            return 404, [], b""
        told = {"headers": {name.lower(): value for name, value in headers.items()}, "method": method}
        with self._lock:
            parsed = endpoint.parse_request(asked, http_info=told)
            if "error" in parsed:
                return 400, [("Content-Type", "application/json")], parsed.to_json().encode()
            done = endpoint.process_request(parsed, http_info=told)
            if "error" in done:
                return 400, [("Content-Type", "application/json")], done.to_json().encode()
            if "redirect_location" in done:
                return 302, [("Location", done["redirect_location"])], b""
            made = endpoint.do_response(request=parsed, **done)
        if endpoint.response_placement == "url":
            return 302, [("Location", str(made["response"]))], b""
        return 200, [*made["http_headers"]], str(made["response"]).encode()


@contextmanager
def foreign_provider(folder: Path) -> Iterator[Foreign]:
    """One that listens until the block ends."""
    told = Foreign(folder)
    with listening(_handler(told)) as port:
        told.port = port
        yield told


def _handler(told: Foreign) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def reply(self, asked: str) -> None:
            status, headers, body = told.answer(self.command, urlsplit(self.path).path, asked, self.headers)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.reply(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self.reply(self.rfile.read(int(self.headers["Content-Length"])).decode())

    return Handler
