"""Signatures over raw bytes: rotation, encodings, clocks, and whatever a stranger puts into a header."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.adapters import grafana, pagerduty, sentry
from incidents.model import Delivery
from incidents.proofs import signatures

RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECONDS = str(int(RECEIVED.timestamp()))
BODY = '{"a": "ä"}  '.encode()


def signed(body: bytes, secret: str = "secret") -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def delivered(headers: dict[str, str], body: bytes = BODY) -> Delivery:
    return Delivery("test", body, RECEIVED, headers)


@pytest.mark.parametrize(
    ("header", "prefix", "separator", "expected"),
    [
        ("v1=ab,v1=cd", "v1=", ",", ["ab", "cd"]),
        ("v1=ab, v2=ef ,v1=cd", "v1=", ",", ["ab", "cd"]),
        ("v1,ab v1,cd v1a,ef", "v1,", " ", ["ab", "cd"]),
        ("sha256=ab", "sha256=", ",", ["ab"]),
        (" ab ", "", ",", ["ab"]),
        ("v1=", "v1=", ",", []),
        ("", "", ",", []),
        (None, "v1=", ",", []),
    ],
)
def test_a_header_holds_the_signatures_of_its_scheme(
    header: str | None, prefix: str, separator: str, expected: list[str]
) -> None:
    assert signatures.offered(header, prefix, separator) == expected


def test_any_signature_under_any_secret_is_good() -> None:
    good = signed(BODY)
    assert signatures.is_signed(BODY, [good], ["secret"])
    assert signatures.is_signed(BODY, [good.upper()], ["old", "secret"])
    assert signatures.is_signed(BODY, ["0" * 64, good], ["old", "secret"])
    assert not signatures.is_signed(BODY + b" ", [good], ["secret"])
    assert not signatures.is_signed(BODY, [good], ["Secret"])
    assert not signatures.is_signed(BODY, [good[:-1]], ["secret"])


def test_base64_tells_its_case() -> None:
    good = base64.b64encode(hmac.digest(b"secret", BODY, "sha256")).decode()
    assert signatures.is_signed(BODY, [good], ["secret"], "base64")
    assert not signatures.is_signed(BODY, [good.swapcase()], ["secret"], "base64")


def test_an_empty_secret_signs_nothing() -> None:
    assert not signatures.is_signed(BODY, [signed(BODY, "")], ["", ""])
    assert not signatures.is_token("", [""])
    assert not signatures.is_token(None, ["secret"])
    assert signatures.is_token("secret", ["", "secret"])
    assert signatures.is_token("sécret", ["sécret"])


def test_sixteen_signatures_are_tried_and_no_more() -> None:
    assert not signatures.is_signed(BODY, ["0" * 64] * 16 + [signed(BODY)], ["secret"])


@pytest.mark.parametrize(
    ("seconds", "recent"),
    [
        (SECONDS, True),
        (str(int(SECONDS) - 300), True),
        (str(int(SECONDS) + 300), True),
        (str(int(SECONDS) - 301), False),
        (str(int(SECONDS) + 301), False),
        ("-1", False),
        ("1e3", False),
        ("٣", False),
        ("9" * 400, False),
        ("", False),
        (None, False),
    ],
)
def test_a_moment_is_recent_within_five_minutes(seconds: str | None, recent: bool) -> None:
    assert signatures.is_recent(seconds, delivered({})) is recent


def standard(secret: bytes, identifier: str = "msg_1", seconds: str = SECONDS, body: bytes = BODY) -> str:
    content = f"{identifier}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, content, "sha256")).decode()


def test_standard_webhooks() -> None:
    key = b"twenty-four random bytes"
    secret = "whsec_" + base64.b64encode(key).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": SECONDS, "webhook-signature": "v1,AAAA " + standard(key)}
    good = delivered(headers)
    assert signatures.is_standard_webhook(good, ["whsec_!", "", secret])
    assert not signatures.is_standard_webhook(good, ["whsec_!", ""])
    assert not signatures.is_standard_webhook(delivered(headers | {"webhook-id": "msg_2"}), [secret])
    old = str(int(SECONDS) - 301)
    stale = headers | {"webhook-timestamp": old, "webhook-signature": standard(key, seconds=old)}
    assert not signatures.is_standard_webhook(delivered(stale), [secret])
    plain = headers | {"webhook-signature": standard(b"not base64!")}
    assert signatures.is_standard_webhook(delivered(plain), ["not base64!"])


@given(st.text(), st.lists(st.text(), max_size=3), st.sampled_from(["hex", "base64"]))
def test_any_text_is_false_and_never_an_error(header: str, secrets: list[str], encoding: str) -> None:
    given_ = [header, *signatures.offered(header, "v1=")]
    assert not signatures.is_signed(BODY, given_, secrets, "hex" if encoding == "hex" else "base64")
    headers = {"webhook-id": header, "webhook-timestamp": SECONDS, "webhook-signature": f"v1,{header}"}
    assert not signatures.is_standard_webhook(delivered(headers), secrets)


# The adapters' own schemes


def test_grafana_signs_the_body_or_its_time_and_the_body() -> None:
    assert grafana.verify(delivered({"x-grafana-alerting-signature": signed(BODY)}), ["secret"])
    timed = signed(f"{SECONDS}:".encode() + BODY)
    headers = {"x-grafana-alerting-timestamp": SECONDS, "x-grafana-alerting-signature": timed}
    assert grafana.verify(delivered(headers), ["secret"])
    assert not grafana.verify(delivered(headers | {"x-grafana-alerting-signature": signed(BODY)}), ["secret"])
    late = Delivery("test", BODY, RECEIVED + timedelta(minutes=6), delivered(headers).headers)
    assert not grafana.verify(late, ["secret"])


def test_pagerduty_signs_with_each_secret_of_a_rotation() -> None:
    header = f"v1={signed(BODY, 'new')},v1={signed(BODY, 'old')}"
    assert pagerduty.verify(delivered({"x-pagerduty-signature": header}), ["old"])
    assert pagerduty.verify(delivered({"x-pagerduty-signature": header}), ["new"])
    assert not pagerduty.verify(delivered({"x-pagerduty-signature": signed(BODY, "new")}), ["new"])


def test_sentry_signs_in_either_header_and_empty_bodies_too() -> None:
    assert sentry.verify(delivered({"sentry-hook-signature": signed(BODY)}), ["secret"])
    assert sentry.verify(delivered({"sentry-app-signature": signed(BODY)}), ["secret"])
    assert sentry.verify(delivered({"sentry-hook-signature": signed(b"")}, b""), ["secret"])
    assert not sentry.verify(delivered({"sentry-hook-signature": signed(b'{"a": "\\u00e4"}')}), ["secret"])
