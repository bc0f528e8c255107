"""Bad input: every sender is answered as the inbox promises, what came is kept with a reason, nobody else is harmed."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from incidents.deliveries import BODY_BOUND
from tests import databases
from tests.conftest import StartBarograph
from tests.senders import (
    CONFIG,
    HOOK_KEY,
    KEY,
    ago,
    alert,
    head,
    incident_of,
    message,
    problem_of,
    raw_connection,
    rest_of,
    served,
)
from tests.servers import Answer, Barograph


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    """One service on each database for all these tests: whatever one of them does, the next one is served."""
    home, url = tmp_path_factory.mktemp("service"), None
    if request.param == "postgresql":
        cluster: databases.Cluster = request.getfixturevalue("postgresql_cluster")
        url = cluster.url(cluster.make(databases.EMPTY))
    with served(home, database_url=url) as running:
        yield running


@pytest.fixture(autouse=True)
def unharmed(service: Barograph) -> Iterator[None]:
    """After each test the process is the same one, takes a good delivery and reads it, and has logged no fault."""
    before = service.pid
    yield
    assert service.is_running
    assert service.pid == before
    assert service.read(service.send("am", good(), KEY))["state"] == "read"
    assert "Traceback" not in service.log


def good() -> bytes:
    return json.dumps(message(alert("Good", ago(minutes=5)))).encode()


def post(service: Barograph, body: bytes, *, key: str = KEY, **fields: str) -> Answer:
    """Post to am; field names are written with underscores."""
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return service.call("POST", "/in/am", body, token=key, headers=headers)


# Each body with the words that the reason must hold; None where it can be read.
BODIES: dict[str, tuple[bytes, str | None]] = {
    "junk": (b"\x00\xff\xfe\x80 not anything", "not JSON"),
    "words": (b"hello", "not JSON"),
    "truncated": (good()[:-40], "not JSON"),
    "empty": (b"", "empty"),
    "blank": (b" \n\t ", "empty"),
    "NaN": (b'{"alerts": NaN}', "NaN"),
    "infinity": (b'{"alerts": -Infinity}', "infinities"),
    "deep list": (b"[" * 100_000 + b"]" * 100_000, "nested"),
    "deep object": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested"),
    "null": (b"null", "JSON object"),
    "number": (b"1e999999", ""),
    "list": (b"[]", "JSON object"),
    "no alerts": (b"{}", "alerts"),
    "alerts of another type": (b'{"alerts": {"a": 1}}', "alerts"),
    "alerts that are none": (b'{"alerts": [1, null, "x", []]}', "alerts[0]"),
    "no labels": (b'{"alerts": [{}]}', "labels"),
    "NUL byte": (b'{"alerts": [{"labels": {"a": "\x00"}}]}', "not JSON"),
    "lone surrogate": (b'{"alerts": [{"labels": {"a": "\\ud800"}}]}', "surrogate"),
    "half a character": (b'{"alerts": "\xc3"}', "UTF-8"),
    "strange status": (b'{"alerts": [{"status": "odd", "labels": {"a": "b"}}]}', "odd"),
    "strange instant": (b'{"alerts": [{"labels": {"a": "b"}, "startsAt": "yesterday"}]}', "startsAt"),
    "instant out of range": (
        b'{"alerts": [{"labels": {"a": "b"}, "startsAt": "9999-12-31T23:59:59-23:00"}]}',
        "startsAt",
    ),
    "UTF-16 cut": ("{}".encode("utf-16")[:-1], "UTF-16"),
    "two values": (good() + good(), "not JSON"),
    "escaped NUL": (good().replace(b"Good", b"Go\\u0000od"), None),
    "duplicate keys": (good()[:-1] + b', "version": "9", "version": "4"}', None),
    "huge number": (good().replace(b'"truncatedAlerts": 0', b'"truncatedAlerts": 1e308'), None),
    "5,000 digits": (good().replace(b'"truncatedAlerts": 0', b'"truncatedAlerts": ' + b"7" * 5000), "number"),
    "BOM": (b"\xef\xbb\xbf" + good(), None),
    "UTF-16": (good().decode().encode("utf-16"), None),
    "UTF-32": (good().decode().encode("utf-32"), None),
}


def test_every_body_is_kept_and_what_cannot_be_read_has_a_reason(service: Barograph) -> None:
    receipts = {}
    for name, (body, _) in BODIES.items():
        answer = post(service, body)
        assert answer.status == 202, (name, answer.text)
        receipts[name] = answer.json()["receipt"]
    quarantined = set()
    for name, (body, words) in BODIES.items():
        delivery = service.read(receipts[name])
        assert service.get(f"/api/v1/deliveries/{receipts[name]}/raw").body == body, name
        if words is None:
            assert (delivery["state"], delivery["reason"]) == ("read", None), name
            assert delivery["events"], name
        else:
            assert delivery["state"] == "quarantined", name
            assert delivery["reason"], name
            assert words in delivery["reason"], (name, delivery["reason"])
            assert "Traceback" not in delivery["reason"], name
            assert "failed:" not in delivery["reason"], (name, delivery["reason"])
            quarantined.add(receipts[name])
    listed = {item["receipt"] for item in service.json("/api/v1/deliveries?state=quarantined&limit=500")["items"]}
    assert listed & set(receipts.values()) == quarantined
    page = service.get("/sources")
    assert page.status == 200
    assert "nested deeper" in page.text
    source = next(item for item in service.json("/api/v1/sources")["items"] if item["name"] == "am")
    assert source["quarantined"] == len(listed)
    assert source["deliveries"] >= len(BODIES)


@pytest.mark.parametrize("service", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/json; charset=klingon", "image/png", "multipart/form-data", ";;;"]
)
def test_the_content_type_does_not_matter(service: Barograph, content_type: str | None) -> None:
    fields = {} if content_type is None else {"Content_Type": content_type}
    answer = post(service, good(), **fields)
    assert answer.status == 202, answer.text
    assert service.read(answer.json()["receipt"])["state"] == "read"


def test_content_encodings(service: Barograph) -> None:
    packed = gzip.compress(good())
    for encoding in ("gzip", "GZIP", "x-gzip"):
        answer = post(service, packed, Content_Encoding=encoding)
        assert answer.status == 202, answer.text
        assert service.read(answer.json()["receipt"])["state"] == "read"
    for name, body, encoding, words in (
        ("corrupt", packed[:20] + b"\x00" * 20 + packed[40:], "gzip", "gzip"),
        ("cut off", packed[:-12], "gzip", "cut off"),
        ("two of them", packed + packed, "gzip", "follow the gzip stream"),
        ("no gzip at all", good(), "gzip", "gzip"),
        ("unknown", good(), "br", "'br'"),
        ("a list", packed, "gzip, gzip", "gzip, gzip"),
    ):
        answer = post(service, body, Content_Encoding=encoding)
        assert answer.status == 202, (name, answer.text)
        delivery = service.read(answer.json()["receipt"])
        assert delivery["state"] == "quarantined", name
        assert words in delivery["reason"], (name, delivery["reason"])


def test_ten_gzip_bombs_at_once_harm_nobody(service: Barograph) -> None:
    packer = zlib.compressobj(1, wbits=31)
    body = b"".join([packer.compress(bytes(1 << 24)) for _ in range(64)] + [packer.flush()])
    with ThreadPoolExecutor(10) as pool:
        bombs = [pool.submit(post, service, body, Content_Encoding="gzip") for _ in range(10)]
        answer = post(service, good())
        assert answer.status == 202
        assert service.get("/livez").status == 200
        receipts = [bomb.result().json()["receipt"] for bomb in bombs]
    for receipt in receipts:
        delivery = service.read(receipt)
        assert delivery["state"] == "quarantined"
        assert "inflates to more than" in delivery["reason"]
    assert service.read(answer.json()["receipt"])["state"] == "read"
    assert _peak_memory(service) < 600 * 1024 * 1024


def _peak_memory(service: Barograph) -> int:
    """The most memory the process has held, in bytes."""
    with Path(f"/proc/{service.pid}/status").open() as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def test_a_body_over_the_bound_leaves_a_record(service: Barograph) -> None:
    body = b"x" * (BODY_BOUND + 1)
    told = post(service, body)
    with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)) as connection:
        parts = (b"y" * 65536 for _ in range(BODY_BOUND // 65536 + 2))
        connection.request("POST", "/in/am", parts, {"Authorization": f"Bearer {KEY}"}, encode_chunked=True)
        answer = connection.getresponse()
        in_parts = Answer(answer.status, answer.headers, answer.read())
    vast = post(service, b"z" * (4 * BODY_BOUND))
    for refused in (told, in_parts, vast):
        assert refused.status == 413
        receipt = problem_of(refused)["receipt"]
        delivery = service.read(receipt)
        assert delivery["state"] == "quarantined"
        assert str(BODY_BOUND) in delivery["reason"]
    assert service.read(problem_of(told)["receipt"])["size"] == len(body)
    assert post(service, b" " * (BODY_BOUND - 2) + b"{}").status == 202


def test_keys_and_sources(service: Barograph) -> None:
    def asks(path: str, **headers: str) -> Answer:
        return service.request("POST", path, good(), headers=headers)

    before = service.json("/api/v1/deliveries?limit=1")["items"]
    assert problem_of(asks("/in/am"))["status"] == 401
    assert problem_of(asks("/in/am", Authorization="Bearer wrong"))["status"] == 401
    assert problem_of(asks("/in/am", Authorization="Basic !!!"))["status"] == 401
    assert problem_of(asks("/in/am", Authorization="Bearer"))["status"] == 401
    assert problem_of(asks("/in/am", Authorization=f"Bearer {HOOK_KEY}"))["status"] == 403
    assert problem_of(asks("/in/nobody", Authorization=f"Bearer {KEY}"))["status"] == 404
    assert problem_of(asks("/in/am%00", Authorization=f"Bearer {KEY}"))["status"] == 404
    assert problem_of(asks("/in/am/wrong%00key"))["status"] == 401
    assert asks("/in/am/" + "k" * 6000).status in (400, 401)
    after = service.json("/api/v1/deliveries?limit=1")["items"]
    assert after == before, "a refused sender's bytes were kept"


def test_refusals_are_counted_and_outlive_a_restart(barograph: StartBarograph) -> None:
    own = barograph(CONFIG)
    for key in ("wrong", HOOK_KEY, HOOK_KEY):
        assert own.post("/in/am", good(), token=key).status in (401, 403)
    own.restart()
    refused = {source["name"]: source["refused"] for source in own.json("/api/v1/sources")["items"]}
    assert refused == {"am": 3, "hook": 0}


def test_methods_other_than_post_are_not_taken(service: Barograph) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        assert service.call(method, "/in/am", good(), token=KEY).status == 405


@pytest.mark.parametrize("service", ["sqlite"], indirect=True)  # the database has no part in it
def test_slow_senders_are_cut_off_and_others_served(service: Barograph) -> None:
    endless = raw_connection(service, 60)
    endless.sendall(head("/in/am", "Content-Length: 1000"))
    chunked = raw_connection(service, 60)
    chunked.sendall(head("/in/am", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n")
    headless = [raw_connection(service, 60) for _ in range(50)]
    for connection in headless:
        connection.sendall(b"POST /in/am HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    stop = threading.Event()

    def drip() -> None:
        """One byte now and then: the whole body is bounded, not each wait for a byte."""
        while not stop.wait(0.2):
            try:
                endless.sendall(b"x")
                chunked.sendall(b"1\r\nx\r\n")
            except OSError:
                return

    dripping = threading.Thread(target=drip)
    dripping.start()
    began = time.monotonic()
    try:
        assert post(service, good()).status == 202
        assert service.get("/incidents").status == 200
        for connection in (endless, chunked):
            got = rest_of(connection)
            assert got.startswith(b"HTTP/1.1 503 "), got[:200]
            assert b"\r\nRetry-After: " in got
        assert time.monotonic() - began < 45
    finally:
        stop.set()
        dripping.join(10)
        for connection in (endless, chunked, *headless):
            connection.close()
    assert post(service, good()).status == 202


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /in/am HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /in/am HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /in/am HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"POST /in/am HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST /in/am HTTP/9.9\r\nHost: a\r\n\r\n",
        b"POST http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_no_http_is_turned_away(service: Barograph, raw: bytes) -> None:
    with closing(raw_connection(service, 30)) as connection:
        connection.sendall(raw)
        status = rest_of(connection)[:12]
    assert status in (b"", b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 401"), status
    assert post(service, good()).status == 202


HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": "\" onmouseover='alert(1)' x=\"",
    "override": "abc\u202egnp.exe\u2069",
    "escape": "\x1b[31mred\x07",
    "formula": "=cmd|' /C calc'!A0",
    "markdown": "[x](javascript:alert(1)) `a` <!-- --> ![](//evil.example/x)",
    "template": "{{ 7*7 }} {% raw %} ${x} #{x}",
    "null": "a\x00b",
    "newlines": "a\r\nSet-Cookie: x=1\u2028\u2029",
    "wide": "🌡️" * 300,
    "zalgo": "Z" + "\u0336" * 900,
    "noncharacter": "\ufffe\uffff\U0010ffff",
    "typst": '#eval("1") $x$ #read("/etc/passwd")',
}


def test_hostile_text_goes_through_to_every_view(service: Barograph) -> None:
    bomb: dict[str, Any] = {f"l{n}": "x" * 500 for n in range(2000)}
    long: dict[str, Any] = {"k" * 10_000: "v" * 10_000}
    labels: dict[str, dict[str, Any]] = {name: {"instance": value, name: value} for name, value in HOSTILE.items()}
    alerts = [
        alert(value, ago(minutes=30), datacenter="iad1", **labels[name]) | {"annotations": {"summary": value}}
        for name, value in HOSTILE.items()
    ]
    alerts.append(alert("bomb", ago(minutes=20), datacenter="iad1", **bomb))
    alerts.append(alert("long key", ago(minutes=20), datacenter="iad1", **long))
    alerts.append(alert("url", ago(minutes=20), datacenter="iad1") | {"generatorURL": "javascript:alert(1)"})
    incident = incident_of(service, *alerts, site="iad")
    service.post(f"/api/v1/incidents/{incident['id']}/entries", [{"text": value} for value in HOSTILE.values()])
    patched = service.call(
        "PATCH",
        f"/api/v1/incidents/{incident['id']}",
        {"title": HOSTILE["script"], "owner": HOSTILE["override"], "services": [HOSTILE["null"]]},
        headers={"If-Match": "*"},
    )
    assert patched.status == 200, patched.text
    name = incident["id"]
    assert service.json(f"/api/v1/incidents/{name}")["alerts"] == len(alerts)
    listed = service.json(f"/api/v1/incidents/{name}/alerts")["items"]
    assert len(listed) == len(alerts)
    assert {a["labels"]["override"] for a in listed if "override" in a["labels"]} == {HOSTILE["override"]}
    assert {a["labels"]["null"] for a in listed if "null" in a["labels"]} == {"ab"}
    assert not any((a["url"] or "").startswith("javascript:") for a in listed)
    lines = service.json(f"/api/v1/incidents/{name}/timeline")["items"]
    assert len(lines) > len(alerts)
    for path in ("/", "/incidents", f"/incidents/{name}", "/sources", "/sources/am"):
        page = service.get(path)
        assert page.status == 200, path
        assert "<script>alert(1)" not in page.text, path
        assert " onmouseover='" not in page.text, path
        assert "49" not in page.text.partition("{{ 7*7")[1], path
    for form in ("svg", "html", "md", "csv", "json", "png", "pdf"):
        answer = service.get(f"/api/v1/incidents/{name}/export.{form}")
        assert answer.status == 200, (form, answer.text[:300])
        if form in ("svg", "html"):
            assert b"<script" not in answer.body, form
        if form == "csv":
            assert "\n=cmd" not in answer.text
            assert ",=cmd" not in answer.text
    assert service.get(f"/api/v1/incidents/{name}/figure").status == 200


def test_lone_surrogates_in_api_bodies_and_odd_queries_are_told_not_failed(service: Barograph) -> None:
    name = incident_of(service, alert("a", ago(minutes=3)))["id"]
    for body in (
        b'{"text": "\\ud800"}',
        b'{"text": "\xff"}',
        b"[",
        b"[[]]",
        b"5",
        b'{"text": 5}',
        b'{"text": ""}',
        b"",
    ):
        answer = service.post(f"/api/v1/incidents/{name}/entries", body)
        assert answer.status == 400, (body, answer.text)
        assert problem_of(answer)["detail"]
    odd = (
        "%00",
        "%ED%A0%80",
        "%FF",
        "9" * 30,
        "-1",
        "1e9",
        "{}",
        "'%3B--",
        "%F0%9F%98%80",
        "a" * 3000,
        "00000010099999999999999",
    )
    paths = [
        f"/api/v1/{listing}?{field}={value}"
        for value in odd
        for listing, fields in {
            "incidents": ("status", "severity", "site", "from", "to", "q", "limit", "cursor"),
            "occurrences": ("kind", "active_at", "site", "source", "from", "limit", "cursor"),
            "deliveries": ("state", "source", "limit", "cursor"),
            "readings": ("site", "variable", "from", "limit"),
            "grafana/annotations": ("from", "to"),
            f"incidents/{name}/timeline": ("as_of", "lane", "limit", "cursor"),
            f"incidents/{name}/figure": ("as_of", "from", "width", "theme"),
            f"incidents/{name}/export.svg": ("tz", "preset"),
        }.items()
        for field in fields
    ]
    paths += [f"/api/v1/{path}/{value}" for value in odd for path in ("incidents", "deliveries", "incidents/x/figure")]
    for path in paths:
        answer = service.get(path)
        assert answer.status in (200, 400, 404), (path[:200], answer.status, answer.text[:300])
    acts: list[tuple[str, Any]] = [
        ("merge", {"into": "\0"}),
        ("merge", {"into": 5}),
        ("split", {"alerts": ["\0"]}),
        ("split", {"alerts": "x"}),
        ("alerts", {"add": ["\0"]}),
        ("links", {"occurrence": "\0"}),
        ("links", {}),
        ("links/%00/verdict", {"verdict": "confirmed"}),
        ("status", {"status": "gone"}),
        ("status", {"status": "resolved", "happened_at": "then"}),
        ("status", {"status": ["open"]}),
    ]
    for path, body in acts:
        answer = service.post(f"/api/v1/incidents/{name}/{path}", body)
        assert answer.status in (400, 404, 409), (path, body, answer.status, answer.text[:300])
    for number in ("9" * 30, "99999999999999999", "%D9%A3", "x"):
        assert service.call("DELETE", f"/api/v1/incidents/{name}/entries/{number}").status == 404
    assert service.get(f"/incidents/{name}?as_of=x&tz=Mars").status == 400
    assert service.post("/api/v1/incidents", {"title": "x", "severity": {"a": 1}}).status == 400
    assert service.post("/api/v1/incidents", {"title": "x", "severity": "error", "site": ["smf"]}).status == 400
    assert service.json(f"/api/v1/incidents/{name}")["status"] == "open"


def test_one_bad_alert_in_a_message_does_not_cost_its_neighbours(service: Barograph) -> None:
    body = message(alert("one", ago(minutes=4)), {"labels": {}, "startsAt": "?"}, alert("two", ago(minutes=4)))
    delivery = service.read(service.send("am", body, KEY))
    assert delivery["state"] == "read"
    assert len(delivery["events"]) == 2
    assert delivery["losses"] == 1
    assert "alerts[1]" in delivery["loss_reason"]


def test_times_far_away_are_taken(service: Barograph) -> None:
    early, late = "0001-01-02T00:00:00Z", "9999-12-30T00:00:00Z"
    for key, starts_at in (("early", early), ("late", late)):
        body = {"key": key, "status": "firing", "title": key, "severity": "critical", "starts_at": starts_at}
        delivery = service.read(service.send("hook", body, HOOK_KEY))
        assert delivery["state"] in ("read", "quarantined")
    for item in service.json("/api/v1/incidents")["items"]:
        for path in (f"/incidents/{item['id']}", f"/api/v1/incidents/{item['id']}/figure"):
            assert service.get(path).status == 200, path
        for form in ("svg", "csv", "pdf"):
            assert service.get(f"/api/v1/incidents/{item['id']}/export.{form}").status == 200, form
    assert service.get("/").status == 200
    assert service.get("/api/v1/grafana/annotations").status == 200
    assert service.read(service.send("am", message(alert("after", ago(minutes=1))), KEY))["state"] == "read"
