"""A signature of each sender that signs, published or computed by other tools than ours, and near misses of it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from incidents.adapters import adapters
from incidents.config import ConfigError, source_of
from incidents.model import Delivery, Source
from incidents.proofs import certificates, signatures
from incidents.proofs.verification import SCHEMES, Scheme, complaint, scheme_of

RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECRET = "a secret of the mill"
BODY = '{"event": "Zähler"}  '.encode()
HEX = "78994ec6f4c802c3dc831f214ebdbe51df869db8e2f02f773564b0645f5af6af"
"""By `openssl dgst -sha256 -hmac SECRET` over BODY."""
TIMED_HEX = "1e166824799ab3d2b8f6ee418f631f1713da84e9a278ab7ecf48d57053a40516"
"""The same over "1795176000:" and BODY: 1795176000 is RECEIVED."""
SPOKEN_AT = datetime.fromtimestamp(1614265330, UTC)
SPOKEN = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330"}
SPOKEN_BODY = b'{"test": 2432232314}'
SHARED = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLIC = "whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
V1A = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
"""Both are published with the libraries of Standard Webhooks."""


def of_ours(**headers: str) -> Delivery:
    return Delivery("test", BODY, RECEIVED, {name.replace("_", "-"): value for name, value in headers.items()})


def spoken(signature: str, prefix: str = "webhook") -> Delivery:
    headers = {**SPOKEN, "webhook-signature": signature}
    return Delivery(
        "test", SPOKEN_BODY, SPOKEN_AT, {name.replace("webhook", prefix): value for name, value in headers.items()}
    )


VECTORS: dict[str, tuple[str, Delivery, str]] = {
    "checkly": ("checkly", of_ours(x_checkly_signature=HEX, x_checkly_timestamp="1795176000000"), SECRET),
    "flux": ("flux", of_ours(x_signature=f"sha256={HEX}"), SECRET),
    "github, as its documentation has it": (
        "github",
        Delivery(
            "test",
            b"Hello, World!",
            RECEIVED,
            {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
        ),
        "It's a Secret to Everybody",
    ),
    "grafana": ("grafana", of_ours(x_grafana_alerting_signature=HEX), SECRET),
    "grafana, with a time": (
        "grafana",
        of_ours(x_grafana_alerting_signature=TIMED_HEX, x_grafana_alerting_timestamp="1795176000"),
        SECRET,
    ),
    "launchdarkly": ("launchdarkly", of_ours(x_ld_signature=HEX), SECRET),
    "pagerduty": ("pagerduty", of_ours(x_pagerduty_signature=f"v1={'0' * 64},v1={HEX}"), SECRET),
    "sentry": ("sentry", of_ours(sentry_hook_signature=HEX), SECRET),
    "sentry, older": ("sentry", of_ours(sentry_app_signature=HEX), SECRET),
    "sonarqube": ("sonarqube", of_ours(x_sonar_webhook_hmac_sha256=HEX), SECRET),
    "standard webhooks": ("standard-webhooks", spoken(V1), SHARED),
    "standard webhooks, by a key pair": ("standard-webhooks", spoken(V1A), PUBLIC),
    "standard webhooks, by the names of Svix": ("standard-webhooks", spoken(f"v1,AAAA {V1}", "svix"), SHARED),
}
TOKENS: dict[str, tuple[str, Delivery, str]] = {
    "cloudflare": ("cloudflare", of_ours(cf_webhook_auth=SECRET), SECRET),
    "gitlab": ("gitlab", of_ours(x_gitlab_token=SECRET), SECRET),
    "honeycomb": ("honeycomb", of_ours(x_honeycomb_webhook_token=SECRET), SECRET),
    "statuscake, md5 of user and API key": (
        "statuscake",
        Delivery("test", b"Token=42e8bccb281aa67629b201d56cf32eac&Status=Down&Name=Shop", RECEIVED),
        "alicekey0123",
    ),
}


def scheme(name: str) -> Scheme:
    source = Source("test", "generic", verify=name) if name in SCHEMES else Source("test", name)
    found = scheme_of(source, adapters().get(name))
    assert found
    return found


every_vector = pytest.mark.parametrize(
    ("name", "delivery", "secret"), [*VECTORS.values(), *TOKENS.values()], ids=[*VECTORS, *TOKENS]
)


@every_vector
def test_the_vector_holds_under_its_secret_among_others_and_under_no_other(
    name: str, delivery: Delivery, secret: str
) -> None:
    holds = scheme(name).holds
    assert holds(delivery, [secret])
    assert holds(delivery, ["the next one", secret, "the one before"])
    assert not holds(delivery, ["the next one", secret[:-1], secret + "x"])
    assert not holds(delivery, [])
    assert not holds(replace(delivery, headers={}, body=b"{}"), [secret])


@pytest.mark.parametrize(("name", "delivery", "secret"), VECTORS.values(), ids=VECTORS)
def test_a_signature_is_over_the_raw_bytes(name: str, delivery: Delivery, secret: str) -> None:
    holds = scheme(name).holds
    for body in (delivery.body + b" ", delivery.body.replace(b" ", b"", 1), b"", delivery.body[:-1]):
        assert not holds(replace(delivery, body=body), [secret])


@pytest.mark.parametrize(("name", "delivery", "secret"), VECTORS.values(), ids=VECTORS)
def test_what_is_public_signs_nothing_by_itself(name: str, delivery: Delivery, secret: str) -> None:
    del secret
    for public in (PUBLIC, "whsk_" + "A" * 43 + "=", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"):
        forged = signed_with(public, delivery, name)
        assert not scheme(name).holds(forged, [public])


def signed_with(secret: str, delivery: Delivery, name: str) -> Delivery:
    """The delivery signed by somebody who takes a public key for a shared secret."""
    import hmac

    content, headers = delivery.body, dict(delivery.headers)
    if name == "standard-webhooks":
        content = f"{SPOKEN['webhook-id']}.1614265330.".encode() + content
        digest = hmac.digest(secret.encode(), content, "sha256")
        raw = base64.b64encode(hmac.digest(base64.b64decode(PUBLIC[5:]), content, "sha256")).decode()
        both = f"v1,{base64.b64encode(digest).decode()} v1,{raw}"
        return replace(delivery, headers={k: both if k.endswith("signature") else v for k, v in headers.items()})
    seconds = headers.get("x-grafana-alerting-timestamp")
    digest_hex = hmac.new(secret.encode(), (f"{seconds}:".encode() if seconds else b"") + content, "sha256").hexdigest()
    prefix = {"pagerduty": "v1=", "github": "sha256=", "flux": "sha256="}.get(name, "")
    return replace(
        delivery,
        headers={k: prefix + digest_hex if "signature" in k or "hmac" in k else v for k, v in headers.items()},
    )


TIMED = ("grafana, with a time", "standard webhooks", "standard webhooks, by a key pair")


@pytest.mark.parametrize(("name", "delivery", "secret"), [VECTORS[v] for v in TIMED], ids=TIMED)
def test_a_signed_time_holds_for_five_minutes_and_is_remembered_as_long(
    name: str, delivery: Delivery, secret: str
) -> None:
    found = scheme(name)
    for off, holds in ((-301, False), (-300, True), (300, True), (301, False)):
        late = replace(delivery, received_at=delivery.received_at + timedelta(seconds=off))
        assert found.holds(late, [secret]) is holds
    proof = found.proof(delivery)
    assert proof
    # What could still be replayed is still remembered.
    assert proof.until == delivery.received_at + signatures.TOLERANCE


@pytest.mark.parametrize("vector", sorted(VECTORS.keys() - set(TIMED)))
def test_a_signature_without_a_time_is_remembered_for_an_hour(vector: str) -> None:
    name, delivery, _ = VECTORS[vector]
    proof = scheme(name).proof(delivery)
    assert proof
    if name not in SCHEMES:
        assert proof.until == delivery.received_at + timedelta(hours=1)
        assert proof != scheme(name).proof(replace(delivery, body=delivery.body + b" "))


@pytest.mark.parametrize("vector", TOKENS)
def test_a_token_tells_no_delivery_from_another(vector: str) -> None:
    name, delivery, _ = TOKENS[vector]
    assert scheme(name).proof(delivery) is None


def test_every_adapter_that_signs_has_a_vector() -> None:
    shown = {name for name, _, _ in (*VECTORS.values(), *TOKENS.values())}
    assert {a.name for a in adapters().values() if a.verify} == (shown - set(SCHEMES)) | {"aws_sns"}


def test_the_id_of_standard_webhooks_names_a_delivery_at_each_of_its_attempts() -> None:
    proof = SCHEMES["standard-webhooks"].proof
    first, later = spoken(V1), spoken(V1)
    later = replace(later, headers={**later.headers, "webhook-timestamp": "1614265390"})
    other = replace(first, headers={**first.headers, "webhook-id": "msg_2"})
    one, two, three = proof(first), proof(later), proof(other)
    assert one
    assert two
    assert three
    assert one.name == two.name != three.name
    assert two.until - one.until == timedelta(minutes=1)


def test_a_standard_webhook_without_an_id_is_none() -> None:
    without = spoken(V1)
    headers = {name: value for name, value in without.headers.items() if name != "webhook-id"}
    assert not signatures.is_standard_webhook(replace(without, headers=headers), [SHARED])


def test_checks_that_say_the_same_at_two_times_are_two_deliveries() -> None:
    _, delivery, _ = VECTORS["checkly"]
    later = replace(delivery, headers={**delivery.headers, "x-checkly-timestamp": "1795176060000"})
    assert scheme("checkly").proof(delivery) != scheme("checkly").proof(later)


# A source's own choice


def test_any_source_may_choose_standard_webhooks() -> None:
    source = source_of({"name": "svc", "adapter": "generic", "verify": "standard-webhooks"}, adapters())
    found = scheme_of(source, adapters()["generic"])
    assert found
    assert found.holds(spoken(V1), [SHARED])
    # It takes the place of the adapter's own scheme.
    own = scheme_of(Source("gh", "github", verify="standard-webhooks"), adapters()["github"])
    assert own is SCHEMES["standard-webhooks"]
    assert scheme_of(Source("any", "generic"), adapters()["generic"]) is None


def test_an_unknown_scheme_is_an_error_that_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"sources svc: verify: 'hmac' is not a scheme .* standard-webhooks is"):
        source_of({"name": "svc", "adapter": "generic", "verify": "hmac"}, adapters())


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "there is no key, and neither a signature nor a token"),
        ({"x-hub-signature-256": "sha256=00"}, "no secret of this source fits the signature"),
        ({"webhook-timestamp": "1795175000"}, "the signed time is 1,000 s old; 5 min are allowed"),
        ({"svix-timestamp": "1795177000"}, "the signed time is 1,000 s ahead; 5 min are allowed"),
        ({"x-grafana-alerting-timestamp": "soon"}, "the signed time is not one in epoch seconds"),
    ],
)
def test_the_operator_is_told_why_a_signature_did_not_hold(headers: dict[str, str], said: str) -> None:
    assert complaint(Delivery("test", BODY, RECEIVED, headers)) == said


def test_a_wrong_proof_in_the_body_is_none_that_is_missing() -> None:
    for body in (b"Name=Shop&Token=00", b'{"Type": "Notification", "SigningCertURL": ""}'):
        assert complaint(Delivery("test", body, RECEIVED)) == "no secret of this source fits the signature"


# Amazon SNS


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key: rsa.RSAPrivateKey, since: timedelta = timedelta(days=-1), days: int = 30) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.eu-central-1.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(RECEIVED + since)
        .not_valid_after(RECEIVED + since + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode().strip()


ENVELOPE = {
    "Type": "Notification",
    "MessageId": "6a1f7c1e-0000-5000-8000-00000000beef",
    "TopicArn": "arn:aws:sns:eu-central-1:123456789012:mill",
    "Subject": "Mühle steht",
    "Message": "The mill stands still.\nZwei Zeilen.",
    "Timestamp": "2026-11-20T11:59:58.000Z",
    "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
    "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
}
HANDSHAKE = {
    **{name: value for name, value in ENVELOPE.items() if name not in {"Subject", "UnsubscribeURL"}},
    "Type": "SubscriptionConfirmation",
    "Token": "2336412f37f",
    "SubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription",
}


def signed_text(envelope: dict[str, str]) -> bytes:
    """As Amazon's documentation has it: name and value on lines of their own, in the order of names."""
    names = (
        ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        if envelope["Type"] == "Notification"
        else ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    )
    return "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope).encode()


def sns(envelope: dict[str, str], key: rsa.RSAPrivateKey, version: str = "2") -> Delivery:
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
    signature = key.sign(signed_text(envelope), padding.PKCS1v15(), algorithm)
    body = {**envelope, "SignatureVersion": version, "Signature": base64.b64encode(signature).decode()}
    return Delivery("test", orjson.dumps(body), RECEIVED, {"content-type": "text/plain; charset=UTF-8"})


def changed(delivery: Delivery, **members: object) -> Delivery:
    body = orjson.loads(delivery.body) | members
    return replace(delivery, body=orjson.dumps({name: value for name, value in body.items() if value is not ...}))


holds: Callable[[Delivery, Sequence[str]], bool] = certificates.is_signed_by_sns


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("envelope", [ENVELOPE, HANDSHAKE], ids=["notification", "handshake"])
def test_sns_signs_under_the_certificate_of_the_operator(
    key: rsa.RSAPrivateKey, envelope: dict[str, str], version: str
) -> None:
    ours, other = certificate(key), certificate(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    good = sns(envelope, key, version)
    assert scheme("aws_sns").holds(good, [ours])
    assert holds(good, [other, ours, "a word"])
    assert not holds(good, [other])
    assert not holds(good, ["a word", ""])
    for name in ("Message", "MessageId", "Timestamp", "TopicArn"):
        assert not holds(changed(good, **{name: "2026-11-20T11:59:57.000Z"}), [ours])
        assert not holds(changed(good, **{name: ...}), [ours])
    assert not holds(changed(good, SignatureVersion="1" if version == "2" else "2"), [ours])
    assert not holds(changed(good, SignatureVersion="3"), [ours])
    assert not holds(changed(good, Signature="AAAA"), [ours])


def test_a_notification_without_a_subject_is_signed_without_it(key: rsa.RSAPrivateKey) -> None:
    bare = {name: value for name, value in ENVELOPE.items() if name != "Subject"}
    assert holds(sns(bare, key), [certificate(key)])
    assert not holds(changed(sns(bare, key), Subject="Mühle steht"), [certificate(key)])


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
        "https://sns.eu-central-1.amazonaws.com.example.com/SimpleNotificationService-0a1b2c.pem",
        "https://sns.eu-central-1.amazonaws.com@example.com/SimpleNotificationService-0a1b2c.pem",
        "https://example.com/sns.eu-central-1.amazonaws.com/x.pem",
        "https://sns.eu-central-1.amazonaws.com:8443/SimpleNotificationService-0a1b2c.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem?x=1",
        "https://sns.eu-central-1.amazonaws.com/../SimpleNotificationService-0a1b2c.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c.crt",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem\n",
        "https://xsns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
        "https://sns.bucket.s3.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
        "",
        None,
        7,
    ],
)
def test_a_certificate_of_another_place_is_none_of_sns(key: rsa.RSAPrivateKey, url: object) -> None:
    assert not holds(changed(sns(ENVELOPE, key), SigningCertURL=url), [certificate(key)])


def test_the_address_of_china_is_one_of_sns(key: rsa.RSAPrivateKey) -> None:
    url = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0a1b2c.pem"
    assert holds(sns({**ENVELOPE, "SigningCertURL": url}, key), [certificate(key)])


def test_a_message_is_taken_while_sns_may_try_and_is_remembered_as_long(key: rsa.RSAPrivateKey) -> None:
    good, ours = sns(ENVELOPE, key), certificate(key)
    said_at = datetime(2026, 11, 20, 11, 59, 58, tzinfo=UTC)
    for off, taken in ((-301, False), (-300, True), (3900, True), (3901, False)):
        assert holds(replace(good, received_at=said_at + timedelta(seconds=off)), [ours]) is taken
    proof = certificates.proof(good)
    assert proof.until == said_at + timedelta(minutes=65)
    assert proof.name == certificates.proof(changed(good, UnsubscribeURL="other")).name
    assert proof.name != certificates.proof(changed(good, MessageId="other")).name


def test_a_certificate_counts_while_it_is_valid(key: rsa.RSAPrivateKey) -> None:
    good = sns(ENVELOPE, key)
    assert not holds(good, [certificate(key, timedelta(days=-40))])
    assert not holds(good, [certificate(key, timedelta(days=1))])
    assert holds(good, [certificate(key, timedelta(days=-40)), certificate(key)])


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b"{}", b'{"Type": ["Notification"]}', b'{"Type": "Notification"}']
)
def test_what_is_no_envelope_is_not_signed(key: rsa.RSAPrivateKey, body: bytes) -> None:
    delivery = Delivery("test", body, RECEIVED)
    assert not holds(delivery, [certificate(key)])
    assert certificates.proof(delivery).until > RECEIVED


def test_secrets_of_a_file_are_lines_and_whole_certificates(key: rsa.RSAPrivateKey) -> None:
    one, two = certificate(key), certificate(key, days=60)
    assert signatures.secrets_in(f"{one}\n{two}\n") == [one, two]
    assert signatures.secrets_in(f" the old one\r\n\r\n{one}\r\nwhsec_x ") == [one, "the old one", "whsec_x"]
    assert signatures.secrets_in("  ") == []
