"""The identity provider: OpenID Connect's code flow with PKCE, over the guarded client.

What the provider is asked is bounded in time, size and number. Its discovery document and keys are kept for an hour;
a token by a key that is not among them has them read again, at most once a minute.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
from aiohttp import web

from service import clock
from service.identity.access import ROLES
from service.identity.id_tokens import Expected, IdTokenError, PublicKey, UnknownKeyError, public_keys, verified
from service.keys import SETTINGS
from service.outside.outbound import Fetched, FetchError, Outbound
from service.settings import Settings

CALLBACK = "/sign-in/provider/callback"
KEPT_SECONDS = 3600.0
AGAIN_SECONDS = 60.0
"""How soon the keys are read again for a token by an unknown one."""
MOST_AT_ONCE = 20
"""Sign-ins that may wait for the provider at once."""


class ProviderError(Exception):
    """A sign-in that the provider, or what it said, did not carry through; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Told:
    """Whom the provider has told us of."""

    issuer: str
    subject: str
    name: str
    role: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Discovered:
    authorization: str
    token: str
    keys: str
    userinfo: str | None
    by_post: bool
    """Whether the client's secret goes into the form: the provider does not take it as Basic."""
    names_issuer: bool
    """Whether the provider says in its redirect who it is (RFC 9207)."""
    end_session: str | None = None
    """Where one signs out there (OpenID Connect RP-Initiated Logout)."""


class IdentityProvider:
    """The configured one. To be made, used and closed on one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        allowed = (*settings.allow_private_networks, *settings.oidc_networks)
        self._outbound = Outbound(replace(settings, allow_private_networks=allowed))
        self._discovered: tuple[float, _Discovered] | None = None
        self._keys: tuple[float, tuple[PublicKey, ...]] | None = None
        self._again_at = -AGAIN_SECONDS
        self._waiting = 0

    async def close(self) -> None:
        """Give back sockets and threads."""
        await self._outbound.close()

    @property
    def host(self) -> str:
        """The provider's name, for the sign-in page."""
        return urlsplit(self._settings.oidc_issuer).hostname or ""

    @property
    def _callback(self) -> str:
        return f"{self._settings.public_url}{CALLBACK}"

    async def address(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in. Raises ProviderError."""
        found = await self._discover()
        asked = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self._callback,
            "scope": self._settings.oidc_scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        return f"{found.authorization}{'&' if '?' in found.authorization else '?'}{urlencode(asked)}"

    async def leaving(self) -> str | None:
        """Where the browser goes to sign out at the provider; None where that offers no such address.

        It is named who asks and nothing else: to come back from there by itself a browser would have to bring the ID
        token, which is not kept. Raises ProviderError.
        """
        found = await self._discover()
        if found.end_session is None:
            return None
        asked = urlencode({"client_id": self._settings.oidc_client_id})
        return f"{found.end_session}{'&' if '?' in found.end_session else '?'}{asked}"

    async def told(self, code: str, *, verifier: str, nonce: str, issuer: str | None) -> Told:
        """Who somebody is, for the code that they came back with. Raises ProviderError."""
        if self._waiting >= MOST_AT_ONCE:
            raise ProviderError("too many sign in at this moment; try again in a minute")
        self._waiting += 1
        try:
            found = await self._discover()
            if issuer != self._settings.oidc_issuer and (issuer is not None or found.names_issuer):
                raise ProviderError("the answer is another provider's")
            tokens = await self._exchange(found, code, verifier)
            claims = await self._claims(found, tokens.get("id_token"), nonce)
            return await self._person(found, claims, tokens.get("access_token"))
        except IdTokenError as error:
            raise ProviderError(f"the provider's token was not accepted: {error}") from None
        except FetchError as error:
            raise ProviderError(f"the provider does not answer: {error}") from None
        finally:
            self._waiting -= 1

    async def _discover(self) -> _Discovered:
        if self._discovered and time.monotonic() - self._discovered[0] < KEPT_SECONDS:
            return self._discovered[1]
        issuer = self._settings.oidc_issuer
        try:
            said = _json(await self._outbound.get(f"{issuer.rstrip('/')}{WELL_KNOWN}", now=clock.now()))
        except FetchError as error:
            raise ProviderError(f"the provider does not answer: {error}") from None
        found = discovered(said, issuer)
        self._discovered = (time.monotonic(), found)
        return found

    async def _exchange(self, found: _Discovered, code: str, verifier: str) -> Mapping[str, Any]:
        settings, headers = self._settings, {"Content-Type": "application/x-www-form-urlencoded"}
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self._callback}
        form |= {"code_verifier": verifier}
        if settings.oidc_client_secret is None or found.by_post:
            form["client_id"] = settings.oidc_client_id
        if settings.oidc_client_secret and found.by_post:
            form["client_secret"] = settings.oidc_client_secret
        elif settings.oidc_client_secret:
            # Each part is encoded as a form's first: RFC 6749, section 2.3.1.
            pair = f"{quote(settings.oidc_client_id, safe='')}:{quote(settings.oidc_client_secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        answer = await self._outbound.post(found.token, headers, urlencode(form).encode(), now=clock.now(), whole=True)
        return _json(answer)

    async def _claims(self, found: _Discovered, token: object, nonce: str) -> dict[str, Any]:
        if not isinstance(token, str):
            raise IdTokenError("there is none")
        expected = Expected(self._settings.oidc_issuer, self._settings.oidc_client_id, nonce)
        try:
            return verified(token, await self._published(found), expected, clock.now())
        except UnknownKeyError:
            if time.monotonic() - self._again_at < AGAIN_SECONDS:
                raise
            self._again_at, self._keys = time.monotonic(), None
            return verified(token, await self._published(found), expected, clock.now())

    async def _published(self, found: _Discovered) -> tuple[PublicKey, ...]:
        """The provider's keys."""
        if self._keys and time.monotonic() - self._keys[0] < KEPT_SECONDS:
            return self._keys[1]
        keys = public_keys(_json(await self._outbound.get(found.keys, now=clock.now())))
        self._keys = (time.monotonic(), keys)
        return keys

    async def _person(self, found: _Discovered, claims: dict[str, Any], access: object) -> Told:
        settings = self._settings
        name_by, groups_by = settings.oidc_name_claim, settings.oidc_groups_claim
        lacks = claim(claims, name_by) is None or claim(claims, groups_by) is None
        if lacks and found.userinfo and isinstance(access, str) and access.isascii() and access.isprintable():
            headers = {"Authorization": f"Bearer {access}", "Accept": "application/json"}
            more = _json(await self._outbound.get(found.userinfo, headers, now=clock.now()))
            if more.get("sub") != claims["sub"]:
                raise ProviderError("the provider speaks of two different people")
            claims = {**more, **claims}
        name, groups = claim(claims, name_by), groups_of(claim(claims, groups_by))
        if not isinstance(name, str):
            raise ProviderError(f"the provider gives no name: the claim {name_by} is missing")
        role = role_of(groups, settings.oidc_roles)
        if role is None:
            raise ProviderError("none of your groups has a role here")
        return Told(settings.oidc_issuer, str(claims["sub"]), name, role, groups)


_RANKS: tuple[str, ...] = ROLES
WELL_KNOWN = "/.well-known/openid-configuration"
PROVIDER: web.AppKey[IdentityProvider | None] = web.AppKey("provider")


async def running(app: web.Application) -> AsyncIterator[None]:
    """The provider's client for as long as the application runs; None where none is configured."""
    provider = app[PROVIDER] = IdentityProvider(app[SETTINGS]) if app[SETTINGS].oidc_issuer else None
    yield
    if provider:
        await provider.close()


def challenge(verifier: str) -> str:
    """What the provider is shown of a verifier: RFC 7636's S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def discovered(said: Mapping[str, Any], issuer: str) -> _Discovered:
    """What a discovery document says of its provider. Raises ProviderError for another's, and where it lacks a part."""
    if said.get("issuer") != issuer:
        raise ProviderError("the provider calls itself otherwise than OIDC_ISSUER does")
    secure = issuer.startswith("https://")

    def address(name: str) -> str | None:
        text = said.get(name)
        is_address = isinstance(text, str) and text.startswith("https://" if secure else ("http://", "https://"))
        return text if is_address else None

    authorization, token, keys = map(address, ("authorization_endpoint", "token_endpoint", "jwks_uri"))
    if not (authorization and token and keys):
        raise ProviderError("the provider's description lacks an address, or has one that is not secure")
    ways = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return _Discovered(
        authorization,
        token,
        keys,
        userinfo=address("userinfo_endpoint"),
        by_post="client_secret_basic" not in ways,
        names_issuer=said.get("authorization_response_iss_parameter_supported") is True,
        end_session=address("end_session_endpoint"),
    )


def claim(claims: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401  # JSON
    """A claim by its name, or within others by a path with dots (`realm_access.roles`); None where there is none."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def groups_of(value: object) -> tuple[str, ...]:
    """Groups as providers write them: a list, or one name."""
    if isinstance(value, str):
        return (value,)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def role_of(groups: tuple[str, ...], roles: Mapping[str, str]) -> str | None:
    """The highest role that one of these groups has; None where none has one."""
    given = {roles[group] for group in ("*", *groups) if group in roles}
    return max(given, key=_RANKS.index, default=None)


def _json(answer: Fetched) -> Mapping[str, Any]:
    """An answer's JSON object. Raises ProviderError for a refusal and for anything else."""
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        said = None
    if answer.status != 200:
        error = said.get("error") if isinstance(said, dict) else None
        why = f" ({error[:60]})" if isinstance(error, str) and error.isascii() and error.isprintable() else ""
        raise ProviderError(f"the provider refuses: {answer.status}{why}")
    if not isinstance(said, dict):
        raise ProviderError("the provider does not answer as one")
    return said
