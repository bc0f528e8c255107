"""Signatures and tokens of the senders that prove themselves: right ones hold, near misses do not."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from incidents.adapters import adapters
from incidents.model import Delivery

SECRET = "a secret of ours, ä"
BODY = b'{"a": 1}'
RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)


def signed(header: str, prefix: str = "") -> Callable[[str], Delivery]:
    def make(secret: str) -> Delivery:
        digest = hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
        return Delivery("test", BODY, RECEIVED, {header: prefix + digest})

    return make


def token(header: str) -> Callable[[str], Delivery]:
    return lambda secret: Delivery("test", BODY, RECEIVED, {header: secret})


def statuscake(secret: str) -> Delivery:
    return Delivery(
        "test",
        urlencode({"Name": "Shop", "Status": "Down", "Token": hashlib.md5(secret.encode()).hexdigest()}).encode(),
        RECEIVED,
    )


PROOFS = {
    "checkly": signed("x-checkly-signature"),
    "github": signed("x-hub-signature-256", "sha256="),
    "flux": signed("x-signature", "sha256="),
    "sonarqube": signed("x-sonar-webhook-hmac-sha256"),
    "gitlab": token("x-gitlab-token"),
    "honeycomb": token("x-honeycomb-webhook-token"),
    "statuscake": statuscake,
}


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_holds_under_one_of_the_secrets_and_under_no_other(name: str) -> None:
    verify, make = adapters()[name].verify, PROOFS[name]
    assert verify
    assert verify(make(SECRET), [SECRET])
    assert verify(make(SECRET), ["the one before", SECRET])
    assert not verify(make(SECRET), ["the one before"])
    assert not verify(make(SECRET), [])
    assert not verify(make(""), [""])
    assert not verify(make(SECRET), [SECRET + "x"])


@pytest.mark.parametrize("name", sorted(PROOFS.keys() - {"gitlab", "honeycomb", "statuscake"}))
def test_a_signature_holds_for_its_body_alone(name: str) -> None:
    verify = adapters()[name].verify
    assert verify
    assert not verify(replace(PROOFS[name](SECRET), body=BODY + b" "), [SECRET])


@pytest.mark.parametrize("name", PROOFS)
def test_the_adapter_says_what_it_verifies(name: str) -> None:
    assert adapters()[name].verifies != "bearer key"


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"Token=", b'{"Token": {}}'])
def test_a_body_without_a_token_proves_nothing(body: bytes) -> None:
    verify = adapters()["statuscake"].verify
    assert verify
    assert not verify(Delivery("test", body, RECEIVED), [SECRET])
