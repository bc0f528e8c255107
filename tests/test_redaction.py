"""Secrets are found by their names and shapes, ordinary alert texts stay as they are, and the work is bounded."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents import fold, records, redaction, secret_shapes, spoken
from incidents.adapters import adapters
from incidents.formats import payload
from incidents.model import Area, Delivery, Event, Loss, Post, Reading, Severity
from service.log import JsonLines, TextLines
from tests import samples
from tests.planted import PLANTED, Planted, made_up

ORDINARY = (
    # hashes, ids, digests
    "d41d8cd98f00b204e9800998ecf8427e",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 deployed",
    "550e8400-e29b-41d4-a716-446655440000",
    "image registry.example/shop@sha256:9b2c0c3e5d7f4a1e8b6d2f0a7c5e3b1d9f8a6c4e2b0d8f6a4c2e0b8d6f4a2c0e",
    "trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "https://grafana.example/d/eXaMpLeUiD1/nodes?orgId=1&from=now-1h&to=now&viewPanel=12",
    "https://app.datadog.example/monitors/1234567?from_ts=1763600000000&to_ts=1763603600000&event_id=7654321",
    "https://prometheus.example/graph?g0.expr=rate%28http_requests_total%5B5m%5D%29+%3E+10&g0.tab=1",
    "https://sentry.example/organizations/shop/issues/4509/?project=1&referrer=webhooks_plugin",
    "https://jira.example/browse?key=OPS-1234",
    "https://runbooks.example/disk?code=E42",
    "https://runbooks.example/?about=key%3Avalue%20of%20a%20map",
    "token: expired, 93 %25 of them",
    "arn:aws:cloudwatch:eu-west-2:111122223333:alarm:HTTP-5xx",
    "pod checkout-7d9f8b6c5-x2k4q in namespace payments restarted 4 times",
    "dashboard id ZXhhbXBsZS1kYXNoYm9hcmQtaWQ=",
    "01JD0000000000000000000001",
    "ssh://git@git.example/shop.git",
    "mailto:ops@example.net",
    "user@host:/var/log",
    "git@github.example:acme/shop.git",
    # words about secrets
    "token expired",
    "invalid token: signature is invalid",
    "the token: expired",
    "password authentication failed for user app",
    "password: expired",
    "secret: monitoring/alertmanager-main",
    "certificate in secret tls-shop-prod expires in 5 days",
    "keyspace orders has 3 replicas",
    "key: value",
    "group_key={alertname=DiskFull}",
    "routing_key=orders.created has 40,000 messages",
    "partition key=customer-17 is hot",
    "bearer authentication is required",
    "basic authentication is required",
    "author: alice",
    "authorization: denied",
    "cookies are off",
    "tokens=4096 of 8192 used",
    "token=${TOKEN} was not expanded",
    "password=******",
    "secret=<none>",
    "api_key={{ .Values.apiKey }}",
    "passed: 10 failed: 2",
    "compass: north",
    "sku SK-2041-X is sold out",
    "SKU_4f2a",
    "disk sk-hynix-p41 is worn",
    "the sk-prod-eu cluster",
    "xoxo from the on-call",
    "npm_config_cache is full",
    "pypi-mirror-checkout-service-prod is down",
    "glpat-short",
    "AKIA is a prefix",
    "ASIAN region",
    "eyJ",
    "hooks.slack.com is unreachable",
    "discord.com/api answers 503",
    'node_filesystem_avail_bytes{device="/dev/sda1",fstype="ext4",mountpoint="/"} < 10',
    "2026-11-20T10:40:00.123456Z",
    "signature: ET SCAN Potential SSH Scan",
    "temperature 41.5 °C, humidity 12 %, 予備機",
)  # fmt: skip


def event(**fields: object) -> Event:
    """An alert with these fields."""
    return replace(Event("k", "alert", "Disk full", Severity.CRITICAL), **fields)  # type: ignore[arg-type]


def whole(said: Event) -> str:
    """All that is recorded of an event."""
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return orjson.dumps(spoken.statement_json(said, Delivery("s", b"", at))).decode()


def is_in(secret: str, text: str) -> bool:
    """Whether nine letters of the secret in a row are left in a text."""
    return any(secret[n : n + 9] in text for n in range(max(1, len(secret) - 8)))


def test_there_are_as_many_secrets_as_kinds() -> None:
    assert len({planted.name for planted in PLANTED}) == len({planted.secret for planted in PLANTED}) == 72


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
class TestEachPlanted:
    """What holds of each of them."""

    def test_is_redacted_in_text_once_and_for_all(self, planted: Planted) -> None:
        shown = redaction.redact(planted.text)
        assert "‹redacted: " in shown
        assert not is_in(planted.secret, shown)
        assert redaction.redact(shown) == shown

    def test_leaves_the_words_around_it(self, planted: Planted) -> None:
        text = f"Disk full on db-1. {planted.text} Seen by node_exporter"
        shown = redaction.redact(text)
        assert shown.startswith("Disk full on db-1. ")
        assert shown.endswith("Seen by node_exporter")

    def test_is_nowhere_in_an_event(self, planted: Planted) -> None:
        text = planted.text
        said = event(
            key=text,
            title=payload.title_of(text),
            text=text,
            group=text,
            event=text,
            url=f"https://m.example/?q={text}",
            labels={"note": text, text: "x"},
            area=Area(regions=(text,)),
            posts=(Post(datetime(2026, 1, 1, tzinfo=UTC), text),),
        )
        assert not is_in(planted.secret, whole(redaction.event(said)))

    def test_is_nowhere_in_a_body(self, planted: Planted) -> None:
        nested = orjson.dumps({"Message": orjson.dumps({"detail": planted.text}).decode()}).decode()
        for body in (planted.text, orjson.dumps({"a": [planted.text]}).decode(), nested, f"junk {planted.text}\0{{"):
            assert not is_in(planted.secret, redaction.body(body)[0])


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redaction.redact(text) is text
    said = event(title=text, text=text, labels={"summary": text})
    assert redaction.event(said) is said


@pytest.mark.parametrize("name", sorted(adapters()))
def test_the_samples_of_every_adapter_stay_as_they_are(name: str) -> None:
    for sample in [*samples.of(name), *samples.shared(name)]:
        try:
            statements = adapters()[name].normalise(samples.delivery_of(sample))
        except ValueError:
            continue
        assert [redaction.statement(said) for said in statements] == list(statements), sample


@pytest.mark.parametrize(
    ("name", "value", "stays"),
    [
        ("password", "hunter2", False),
        ("db_password", "letmein", False),
        ("dbPassword", "letmein", False),
        ("X-Api-Key", "0a1b2c3d", False),
        ("apiToken", "abc-1", False),
        ("client_secret", "s3cr3t", False),
        ("Authorization", "whatever it is", False),
        ("db.pass", "letmein", False),
        ("routing_key", "0a1b2c3d4e5f60718293a4b5c6d7e8f9", False),
        ("routing_key", "orders.created", True),
        ("secret", "tls-shop-prod", True),
        ("secret", "9f8d7c6b5a4e3d2c", False),
        ("password", "", True),
        ("password", "null", True),
        ("password", "***", True),
        ("key", "customer-17", True),
        ("monkey", "brass", True),
        ("token_count", "17", True),
        ("alertname", "PasswordExpired", True),
    ],
)
def test_the_name_of_a_label_tells_a_secret(name: str, value: str, stays: bool) -> None:
    shown = redaction.event(event(labels={name: value})).labels[name]
    assert (shown == value) is stays, shown


def test_keys_that_differ_only_in_a_secret_stay_apart_and_stay_the_same() -> None:
    keys = [redaction.event(event(key=f"https://u:{word}@h.example/a")).key for word in ("one-1", "two-2", "one-1")]
    assert keys[0] == keys[2] != keys[1]
    assert not any("one-1" in key or "two-2" in key for key in keys)
    assert redaction.event(event(group="token=abc123 x")).group != redaction.event(event(group="token=abc124 x")).group


def test_labels_whose_names_differ_only_in_a_secret_stay_apart() -> None:
    labels = redaction.values_of({"token=aaa1": "x", "token=bbb1": "y"})
    assert sorted(labels.values()) == ["x", "y"]
    assert not any("aaa1" in name or "bbb1" in name for name in labels)
    body = redaction.body('{"token=aaa1": 1, "token=bbb1": 2}')[0]
    assert sorted(orjson.loads(body).values()) == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "https://h.example:8080/a/@alice",
        "docker run --user 1000:1000 x",
        "curl -u admin:$PASS https://h.example",
        "mount --secret id=npmrc",
        "--token-file /run/token1 is missing",
        "--token /run/token1 is missing",
        "--token expired",
        "robot1 and hf_transfer",
    ],
)
def test_what_only_looks_like_an_option_or_an_account_stays(text: str) -> None:
    assert redaction.redact(text) is text


def test_what_was_recorded_with_a_secret_is_read_without_it_and_is_the_same_alert() -> None:
    at, words = datetime(2026, 11, 20, tzinfo=UTC), "password=abc1"
    told = event(key=f"k {words}", title=words, text=words, url=f"https://m.example/?{words}", labels={"note": words})
    columns = {
        "statement": records.statement_text(told, at),
        "digest": "d",
        "source": "s",
        "said_at": at,
        "recorded_at": at,
        "id": 1,
        "delivery_id": 1,
        "adapter": "generic",
    }
    said = records.said_of(SimpleNamespace(**columns))
    assert said.event.key == told.key
    assert "abc1" not in whole(replace(said.event, key=""))
    (raw,) = fold.occurrences([replace(said, event=told)])
    (clean,) = fold.occurrences([said])
    assert (raw.id, raw.subject, raw.digest) == (clean.id, clean.subject, clean.digest)
    assert records.occurrence_of(SimpleNamespace(**records.occurrence_row(raw, "alerts"))) == clean
    assert records.occurrence_of(SimpleNamespace(**records.occurrence_row(clean, "alerts"))) == clean


def test_an_entry_written_with_a_secret_is_read_without_it() -> None:
    at, words = datetime(2026, 11, 20, tzinfo=UTC), "password=abc1"
    columns = {
        "id": 1,
        "incident_id": "i",
        "happened_at": at,
        "recorded_at": at,
        "happened_until": None,
        "supersedes": None,
    }

    def params(kind: str, actor: str, **said: object) -> Mapping[str, object]:
        return records.entry_of(SimpleNamespace(**columns, kind=kind, actor=actor, params=said)).params

    clean = "password=‹redacted: password›"
    assert params("opened", "rule:r", title=words, group=words, names=[words]) == {
        "title": clean,
        "group": words,
        "names": [clean],
    }
    assert params("link_judged", "user:u", title=words, note=words) == {"title": clean, "note": words}
    key = "gh" + "p_" + made_up("entry", 36)
    assert params("note", "user:u", text=f"{words} {key}") == {"text": f"{words} ‹redacted: GitHub token›"}


def test_an_address_without_its_secrets_is_an_address_still() -> None:
    url = redaction.event(event(url="https://u:p-1@m.example/d?token=abc123&panel=2")).url
    assert url == "https://‹redacted:URL%20credentials›@m.example/d?token=‹redacted:query%20secret›&panel=2"
    assert payload.url_of(url) == url


def test_losses_and_stations_are_redacted_too() -> None:
    assert redaction.statement(Loss(1, "alert: password=abc1")) == Loss(1, "alert: password=‹redacted: password›")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    reading = Reading("temperature_c", at, 1.0, 2.0, 3.0, station="token=abc123")
    assert redaction.statement(reading) == replace(reading, station="token=‹redacted: token›")
    assert redaction.statement(replace(reading, station="KSMF")) == replace(reading, station="KSMF")


def test_what_people_write_loses_known_shapes_alone() -> None:
    key = "gh" + "p_" + made_up("note", 36)
    written = f"password: see the vault; rotated {key}"
    assert redaction.redact(written, named=False) == "password: see the vault; rotated ‹redacted: GitHub token›"


def test_a_body_is_shown_by_its_structure() -> None:
    text, cut = redaction.body('{"credentials":{"user":"root","value":"Zx81-q"},"pin_token":12345,"n":1,"list":["a"]}')
    assert not cut
    assert orjson.loads(text) == {
        "credentials": {"user": "root", "value": "‹redacted: secret›"},
        "pin_token": "‹redacted: token›",
        "n": 1,
        "list": ["a"],
    }
    assert "\n" in text


def test_a_secret_across_the_cut_is_not_shown_in_part() -> None:
    secret = "gh" + "p_" + made_up("cut", 36)
    text, cut = redaction.body("x " * 500 + secret, 1_010)
    assert cut
    assert "ghp" not in text


def test_a_body_of_many_members_costs_what_is_shown_of_it() -> None:
    text, cut = redaction.body(orjson.dumps(["password=abc1"] * 50_000).decode(), 2_000)
    assert cut
    assert text.count("‹redacted: password›") > 50
    assert "abc1" not in text


def test_a_secret_in_an_address_within_an_address_is_found() -> None:
    secret = "gh" + "p_" + made_up("twice", 36)
    for text in (
        f"https://a.example/?next=https%3A%2F%2Fb%2F%3Ftoken%3D{secret[4:]}",
        f"x%2520password%253D{secret[4:]}",
    ):
        assert secret[4:] not in redaction.redact(text)


def test_a_deep_body_is_cut_and_no_fault() -> None:
    assert redaction.body("[" * 900 + "]" * 900)[0]
    assert redaction.body("[" * 3000)[0]


@given(st.text(max_size=300))
def test_any_text_is_taken_and_what_is_redacted_stays_so(text: str) -> None:
    shown = redaction.redact(text)
    assert redaction.redact(shown) == shown


HOSTILE = {
    "encoded": "token%25",
    "encoded-again": "25",
    "password": "password=a ",
    "names": "password",
    "token": "token:",
    "jwt": "eyJ",
    "jwt-dots": "eyJaaaaaaaa.",
    "pem": "-----BEGIN PRIVATE KEY-----",
    "userinfo": "://a:",
    "ats": "://a@",
    "query": "?token=",
    "aws": "AK" + "IA0123456789ABCDEF",
    "bearer": "bearer ",
    "quotes": "token'",
    "spaces": "secret ",
    "slashes": "key\\",
    "cookie": "cookie: a",
    "curl": "curl -u ",
    "curls": "curl ",
    "options": "--token ",
    "option-names": "--token-",
    "account": "://a:b/",
    "under": "_gl" + "pat-",
}


@pytest.mark.parametrize("part", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_costs_no_more_than_its_length(part: str) -> None:
    """256 KiB of it come back within the limit of a test; that each pattern is RE2's is what bounds the work."""
    text = ("token=a1 %" if part == "25" else "") + part * (256 * 1024 // len(part))
    assert len(redaction.redact(text)) < 4 * len(text)
    assert redaction.body(text, 1000)[0]


def test_every_pattern_is_compiled_by_re2_and_every_secret_has_its_mark() -> None:
    assert {type(pattern).__module__ for pattern in redaction._PATTERNS} == {"re2"}
    assert len(redaction._PATTERNS) == len(secret_shapes.SHAPES)


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines("%(name)s %(message)s")], ids=["json", "console"])
def test_no_line_of_the_log_keeps_what_an_error_says_of_a_secret(formatter: logging.Formatter) -> None:
    for planted in PLANTED:
        try:
            {}[planted.text]
        except KeyError as error:
            record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "failed: %s", (error,), sys.exc_info())
        assert not is_in(planted.secret, formatter.format(record))
