"""ID tokens of OpenID Connect: whether one is the provider's, for us, for this sign-in and for now. Pure.

After OpenID Connect Core 1.0, section 3.1.3.7, by joserfc. Only signatures by keys that the provider publishes count:
`none` and those by a shared secret are refused before a key is looked for.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from joserfc import jwk, jwt
from joserfc.errors import JoseError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
LEEWAY_SECONDS = 60
LONGEST = 64 * 1024
LONGEST_SUBJECT = 255
MOST_KEYS = 50

PublicKey = jwk.RSAKey | jwk.ECKey | jwk.OKPKey


class IdTokenError(ValueError):
    """A token that proves nothing; the message says why, without it."""


class UnknownKeyError(IdTokenError):
    """It is signed by a key that is not among these: the provider may have changed its keys."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say."""

    issuer: str
    client_id: str
    nonce: str


def public_keys(document: object) -> tuple[PublicKey, ...]:
    """The keys of a JWK Set that signatures can be checked by; those not understood are left out."""
    given = document.get("keys") if isinstance(document, Mapping) else None
    found: list[PublicKey] = []
    for each in given[:MOST_KEYS] if isinstance(given, list) else ():
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        try:
            key = jwk.import_key(each)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, jwk.RSAKey | jwk.ECKey | jwk.OKPKey):
            found.append(key)
    return tuple(found)


def verified(text: str, keys: tuple[PublicKey, ...], expected: Expected, now: datetime) -> dict[str, Any]:
    """The claims of a token. Raises IdTokenError."""
    header = _header(text)
    algorithm, name = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise IdTokenError("it is not signed in a way that proves anything")
    fitting = [key for key in keys if name is None or key.kid == name]
    if not fitting:
        raise UnknownKeyError("it is signed by a key that the provider does not publish")
    claims = _signed_claims(text, fitting, str(algorithm))
    rules = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.client_id},
        nonce={"essential": True, "value": expected.nonce},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        rules.validate(claims)
    except JoseError as error:
        raise IdTokenError(f"what it says is not right: {error.description or error.error}"[:200]) from None
    _check_parties(claims, expected)
    return claims


def _header(text: str) -> Mapping[str, Any]:
    if len(text) > LONGEST or text.count(".") != 2:
        raise IdTokenError("it is no signed token")
    part = text.partition(".")[0]
    try:
        header = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise IdTokenError("it is no signed token")
    return header


def _signed_claims(text: str, keys: list[PublicKey], algorithm: str) -> dict[str, Any]:
    for key in keys:
        try:
            return jwt.decode(text, key, algorithms=[algorithm]).claims
        except (JoseError, ValueError, TypeError):
            continue
    raise UnknownKeyError("its signature is not the provider's")


def _check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    """One subject, and no other party that the token was made for beside us."""
    subject, audience, party = claims["sub"], claims["aud"], claims.get("azp")
    if not (isinstance(subject, str) and 0 < len(subject) <= LONGEST_SUBJECT and subject.isprintable()):
        raise IdTokenError("what it says is not right: sub")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise IdTokenError("what it says is not right: it is for several, and names none that asked for it")
    if party is not None and party != expected.client_id:
        raise IdTokenError("what it says is not right: another asked for it")
