"""The scripts and templates that the set-up pages hand out: run as they stand, they send what the adapters read."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from incidents.adapters import adapters
from incidents.formats import payload
from incidents.model import Delivery, Event, Severity, UnrecognisedError
from tests import samples
from tests.listening import listening

KEY = "an-ingest-key-of-32-or-more-characters"


@dataclass
class Receiver:
    """What was posted to a loopback server, which answers each request with `status`."""

    address: str = ""
    status: int = 202
    bodies: list[bytes] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    heard = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            heard.keys.append(self.headers["Authorization"])
            self.send_response(heard.status)
            self.end_headers()

    with listening(Handler) as port:
        heard.address = f"http://127.0.0.1:{port}/in/x"
        yield heard


def snippet(adapter: str, title: str, address: str = "{url}") -> str:
    setup = adapters()[adapter].setup
    assert setup
    text: str = next(part["text"] for part in setup["snippets"] if title in part["title"])
    return text.replace("{url}", address).replace("{key}", KEY)


def read(adapter: str, body: bytes) -> list[Event]:
    statements = adapters()[adapter].normalise(Delivery("test", body, samples.RECEIVED))
    return [statement for statement in statements if isinstance(statement, Event)]


def run(command: list[str], **environment: str) -> int:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}  # noqa: TID251 - for a child
    return subprocess.run(command, env=kept | environment, timeout=60, check=False, capture_output=True).returncode


CHECKMK = {
    "NOTIFY_WHAT": "SERVICE",
    "NOTIFY_NOTIFICATIONTYPE": "PROBLEM",
    "NOTIFY_HOSTNAME": "db-1",
    "NOTIFY_SERVICEDESC": "Disk /",
    "NOTIFY_SERVICESTATE": "CRITICAL",
    "NOTIFY_SERVICEOUTPUT": '99 % used & "full"',
    "NOTIFY_MICROTIME": "1795168860000000",
    "NOTIFY_LASTSERVICESTATECHANGE": "1795168800",
    "NOTIFY_SERVICENOTIFICATIONNUMBER": "1",
    "OMD_SITE": "smf",
}


def test_checkmk_sends_what_is_read(receiver: Receiver, tmp_path: Path) -> None:
    script = tmp_path / "barograph"
    script.write_text(snippet("checkmk", "notifications/barograph", receiver.address))
    assert run([sys.executable, str(script)], **CHECKMK) == 0
    (event,) = read("checkmk", receiver.bodies[0])
    assert (event.key, event.severity, event.text) == ("smf/db-1/Disk /", Severity.CRITICAL, '99 % used & "full"')
    assert event.starts_at == samples.RECEIVED.replace(hour=10)
    assert receiver.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize(("status", "code"), [(503, 1), (401, 2)])
def test_checkmk_tries_again_what_may_still_be_taken(
    receiver: Receiver, tmp_path: Path, status: int, code: int
) -> None:
    receiver.status = status
    script = tmp_path / "barograph"
    script.write_text(snippet("checkmk", "notifications/barograph", receiver.address))
    assert run([sys.executable, str(script)], **CHECKMK) == code


def test_icinga_sends_what_is_read(receiver: Receiver, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.fail("there is no curl on this machine, which the script calls; `python -m tests.machine` installs it")
    script = tmp_path / "barograph.sh"
    script.write_text(snippet("icinga", "barograph.sh", receiver.address))
    said = {
        "TYPE": "PROBLEM",
        "HOST": "db-1",
        "SERVICE": "disk /",
        "STATE": "CRITICAL",
        "OUTPUT": "1 % & ü=+",
        "AT": "1795168860",
    }
    assert run(["/bin/sh", str(script)], **said, CHANGED_AT="1795168800.25", NUMBER="1", ADDRESS="192.0.2.1") == 0
    (event,) = read("icinga", receiver.bodies[0])
    assert (event.key, event.severity, event.text) == ("db-1/disk /", Severity.CRITICAL, "1 % & ü=+")
    assert receiver.keys == [f"Bearer {KEY}"]


def test_wazuh_sends_what_is_read(receiver: Receiver, tmp_path: Path) -> None:
    script, alert = tmp_path / "custom-barograph", tmp_path / "alert.json"
    script.write_text(snippet("wazuh", "custom-barograph"))
    alert.write_bytes((samples.PAYLOADS / "wazuh" / "alert.json").read_bytes())
    assert run([sys.executable, str(script), str(alert), KEY, receiver.address]) == 0
    assert [event.key for event in read("wazuh", receiver.bodies[0])] == ["1795168800.4711"]


def test_zabbix_sends_the_fields_of_the_sample() -> None:
    names = set(re.findall(r"\{name: (\w+), value: '", snippet("zabbix", "Media type"))) - {"url", "key"}
    assert names == json.loads((samples.PAYLOADS / "zabbix" / "firing.json").read_bytes()).keys()


@pytest.mark.parametrize(
    ("adapter", "title"), [("elastic", "Body of the rule"), ("checkly", "Webhook"), ("coralogix", "Generic webhook")]
)
def test_a_template_in_json_is_json(adapter: str, title: str) -> None:
    assert payload.decode(snippet(adapter, title).encode())


def test_kibanas_test_tab_opens_nothing() -> None:
    assert read("elastic", snippet("elastic", "Body of the rule").encode()) == []


@pytest.mark.parametrize(
    ("adapter", "title", "part"), [("checkly", "Webhook", "body"), ("coralogix", "Generic", "payload")]
)
def test_a_template_that_was_not_filled_in_is_no_alert(adapter: str, title: str, part: str) -> None:
    with pytest.raises(UnrecognisedError, match="is missing"):
        read(adapter, json.dumps(json.loads(snippet(adapter, title))[part]).encode())


def test_prtg_sends_the_fields_of_the_sample() -> None:
    sent = re.search(r"Payload +(.*?)\n\Z", snippet("prtg", "Execute HTTP action"), re.DOTALL)
    assert sent
    fields = parse_qs(re.sub(r"\s+", "", sent[1]))
    sample = parse_qs((samples.PAYLOADS / "prtg" / "firing.form").read_text())
    assert fields.keys() == sample.keys()
