"""What strangers write, through every adapter into every page, file and command: nothing of it runs or leads out.

`tests/corpus.py` has the words. A real service serves them, a real Chromium opens the pages, a real terminal shows the
commands. What is looked at is taken from the router, so that a new page is looked at without being named here.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Page

from incidents import moves
from incidents.adapters import adapters
from incidents.config import config_of
from incidents.store import Store
from tests import corpus, databases, routed
from tests.samples import RECEIVED
from tests.senders import served
from tests.servers import ADMIN_TOKEN, ROOT, Answer, Barograph
from tests.test_svg import assert_harmless
from tests.window import Window, window
from tests.world import SITES, World

NAMES = list(adapters())
TIMELINE = ("svg", "png", "pdf", "html", "md", "csv", "json", "ics")
POSTMORTEM = ("md", "html", "pdf", "docx", "zip", "json", "ics")
FORMATS = {
    "/api/v1/incidents/{incident}/export.{format}": TIMELINE,
    "/api/v1/incidents/{incident}/postmortem.{format}": POSTMORTEM,
    "/api/v1/report.{format}": ("pdf", "html", "docx", "md"),
    "/api/v1/review/{card}.{format}": ("svg", "pdf"),
    "/api/v1/sites/map.{format}": ("svg", "pdf"),
    "/api/v1/audit/export.{format}": ("csv", "jsonl", "json"),
}
"""What is written as files, each as everything that it can be."""
ASKED = {
    "/compare": "?ids={incident},{other}",
    "/deliveries": "?state=quarantined",
    "/report/file": "?format=html",
    "/api/v1/readings": "?site=smf",
    "/api/v1/deliveries": "?limit=500",
    "/api/v1/occurrences": "?limit=500",
}
OF_MANY = re.compile(r"(/api/v1)?/incidents/\{incident\}(/(alerts|timeline|links|figure|export\.\{format\}))?")
"""What shows each alert of an incident; all else is asked of one with a few."""
NOT_ASKED = {
    "/api/v1/stream": "it does not end; its events are topics alone",
    "/api/v1/deliveries/{receipt}/raw": "the bytes as they came, for admins, as an octet stream to be kept",
    "/static/{name}": "files of ours",
    "/sign-in/provider": "leads to a provider, and there is none here",
    "/sign-in/provider/callback": "the way back from there",
    "/sign-in/provider/leave": "leads to a provider, and there is none here",
    "/api/v1/incidents/{incident}/rendering.{format}": "drawn from the figure by a browser of its own",
    "/jobs/{job}": "how far a file is that is asked for here by itself",
    "/api/v1/jobs/{job}": "the same",
    "/api/v1/jobs/{job}/file": "the file",
    "/shared/{incident}/{proof}/picture.png": "pixels",
}
TURNS = 2
"""How many of the texts each adapter says to the service, in turns; what it makes of all of them is looked at first."""
FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Controls of a terminal, of a parser and of the direction in which text is read."""


@dataclass(frozen=True, slots=True)
class Stuffed:
    """A service in which every adapter has said every text, and people have said them too."""

    service: Barograph
    database: str
    incident: str
    other: str
    occurrences: tuple[str, ...]
    """One of each adapter that speaks of any."""
    receipts: tuple[str, ...]
    share: str

    def addresses(self) -> list[str]:
        """Every address that can be read, with real things in the templates."""
        found = []
        for method, path in routed.routes():
            if method != "GET" or path in NOT_ASKED:
                continue
            values = {
                "incident": [self.incident if OF_MANY.fullmatch(path) else self.other],
                "occurrence": self.occurrences[:6],
                "receipt": self.receipts[:4],
                "source": NAMES[:: len(NAMES) // 6],
                "card": ["lasted"],
                "proof": [self.share],
                "format": FORMATS.get(path, ()),
            }
            query = ASKED.get(path, "").format(incident=self.incident, other=self.other)
            found += [address + query for address in routed.filled(path, values)]
        return found


def toml() -> str:
    """A source for each adapter; nothing is polled."""
    sites = [f"[[sites]]\nname = {s['name']!r}\ntitle = {s['title']!r}\nlatitude = {s['latitude']}\n"
             f"longitude = {s['longitude']}\n" for s in SITES]  # fmt: skip
    return "\n".join(sites) + "".join(f"\n[[sources]]\nname = {name!r}\nadapter = {name!r}\n" for name in NAMES)


def fill(store: Store) -> tuple[str, str, tuple[str, ...]]:
    """Every adapter reads texts, its alerts join one incident; its id, that of one with a few, one of each source."""
    config = config_of({"sites": SITES, "sources": [{"name": n, "adapter": n} for n in NAMES]}, adapters())
    world = World(store, config, now=RECEIVED)
    for number, name in enumerate(NAMES):
        bodies = [delivery.body for delivery in corpus.filled(name)]
        for turn in range(TURNS):
            world.deliver(name, bodies[(number * TURNS + turn) % len(bodies)])
        world.deliver(name, corpus.texts()[6 + number % 8].encode())
    world.work()
    seen = world.occurrences()
    first = {row.source: row for row in reversed(seen)}
    alerts = [row.id for row in seen if row.kind == "alert"]
    others = [row for row in first.values() if row.kind != "alert"]
    few = {row.title[:12]: row.id for row in seen if row.kind == "alert"}
    incident, other = (by_hand(world, title) for title in (corpus.texts()[0], corpus.CORPUS["formula"][0]))
    world.act(lambda acting: moves.regroup(acting, incident, alerts, []))
    world.act(lambda acting: moves.regroup(acting, other, list(few.values())[:20], []))
    for row in others:
        fields = {"occurrence": row.id, "note": row.title}
        world.act(lambda acting, fields=fields: acting.link(incident, fields))  # type: ignore[misc]  # bound at once
    world.act(lambda acting: acting.link(other, {"occurrence": others[0].id, "note": others[0].title}))
    return incident, other, tuple(row.id for row in [*others[:3], *first.values()])


def by_hand(world: World, title: str) -> str:
    """An incident that somebody opens; its id."""
    return world.act(lambda acting: acting.open({"title": title, "severity": "critical", "site": "smf"})).id


@pytest.fixture(scope="module")
def stuffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stuffed]:
    home = tmp_path_factory.mktemp("injection")
    url = f"sqlite:///{home / 'stuffed.db'}"
    databases.migrate(url)
    with closing(Store(url)) as store:
        incident, other, occurrences = fill(store)
    with served(home, toml(), database_url=url, settings={"POLL_FEEDS": "false", "LOG_FORMAT": "console"}) as service:
        share = speak(service, incident, other)
        deliveries = service.json("/api/v1/deliveries?limit=500")["items"]
        quarantined = service.json("/api/v1/deliveries?state=quarantined&limit=500")["items"]
        receipts = tuple(found["receipt"] for found in (*quarantined[:2], *deliveries[:2], *quarantined[2:]))
        yield Stuffed(service, url, incident, other, occurrences, receipts, share)


def speak(service: Barograph, incident: str, other: str) -> str:
    """People say every text wherever they can; the proof of a share of the other incident."""
    path, small = f"/api/v1/incidents/{incident}", f"/api/v1/incidents/{other}"
    words = [text for texts in corpus.CORPUS.values() for text in texts]
    said = [text for text in words if any(c.isprintable() and not c.isspace() for c in text)]
    for address in (path, small):
        assert service.post(f"{address}/entries", [{"text": text} for text in said]).status == 201
        for text in (corpus.CORPUS["escape"][0], corpus.CORPUS["script"][3], corpus.CORPUS["script"][1]):
            fields = {"title": text, "owner": text, "services": [text]}
            assert service.call("PATCH", address, fields, headers={"If-Match": "*"}).status == 200
    sections = {"title": words[0], "summary": "\n\n".join(said), "actions": [{"text": t, "owner": t} for t in said]}
    wrote = service.call("PUT", f"{small}/postmortem", {"sections": sections}, headers={"If-Match": "*"})
    assert wrote.status == 200, wrote.text
    chat = "\n".join(f"12:0{n % 10} <b>mallory</b>: {text}" for n, text in enumerate(said) if "\n" not in text)
    imported = service.post(f"{small}/entries/import", {"text": chat, "format": "list", "day": "2026-11-20"})
    assert imported.status == 201, imported.text
    for number, text in enumerate(text for text in said if text.isprintable() and len(text) < 90):
        named = {"name": f"{text}{number}", "address": f"/incidents?q={quote(text)}", "shared": True}
        assert service.post("/api/v1/views", named).status == 201
    share = service.post(f"{small}/shares").json()["url"]
    service.get(f"/incidents/{quote(words[0], safe='')}", headers={"X-Request-Id": "=1+1"})
    service.get("/sign-in?token=<script>ran(1)</script>", token=None)
    return str(share.rpartition("/")[2])


# --- every adapter ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_takes_every_text_and_gives_no_link_that_is_no_address_of_the_web(name: str) -> None:
    for delivery in corpus.filled(name):
        said = corpus.statements(adapters()[name], delivery)
        assert said, "what is hostile is read all the same"
        for one in said:
            address = getattr(one, "url", None)
            assert address is None or urlsplit(address).scheme in ("http", "https")
            assert "\0" not in repr(one)


def test_what_is_looked_at_holds_what_was_sent(stuffed: Stuffed) -> None:
    """Or nothing that is looked at below would mean anything."""
    shown = json.dumps(stuffed.service.json(f"/api/v1/incidents/{stuffed.incident}/alerts?limit=500"))
    for mark in ("<script>", "HYPERLINK(", "\\u001b]8;;", "\\u202e", "onmouseover", "javascript:ran"):
        assert mark in shown, mark
    sources = {found["source"] for found in stuffed.service.json("/api/v1/occurrences?limit=500")["items"]}
    assert len(sources) > 20
    assert len(stuffed.occurrences) > 50


# --- pages -----------------------------------------------------------------------------------------------------------


class Seen(HTMLParser):
    """What a page would run or fetch or lead to."""

    ACTIVE = ("iframe", "object", "embed", "base", "applet", "frame", "style", "template")
    ADDRESSES = ("href", "src", "action", "formaction", "xlink:href", "poster", "srcset", "background", "ping", "data")

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in self.ACTIVE or (tag == "script" and not given.get("src", "").startswith("/static/")):
            self.wrong.append(f"<{tag}>")
        for name, value in given.items():
            if (
                name.startswith("on")
                or name in ("style", "srcdoc")
                or (name in self.ADDRESSES and leads_out(value, tag))
            ):
                self.wrong.append(f"<{tag} {name}={value[:80]!r}>")


def leads_out(address: str, tag: str) -> bool:
    """Whether an address is one that a stranger chose, or runs something; links to a sender's own pages may stand."""
    parts = urlsplit(address.strip())
    if parts.scheme == "data":
        return not (tag == "img" and address.startswith("data:image/svg+xml"))
    if corpus.FOREIGN in parts.netloc or parts.scheme not in ("", "http", "https", "mailto"):
        return True
    return bool(parts.netloc) and tag != "a" and parts.hostname != "127.0.0.1"


def assert_inert(where: str, answer: Answer) -> None:
    """By its type: nothing that runs, leads out, computes, moves a cursor or turns the text around."""
    kind = answer.headers.get_content_type()
    assert kind in CHECKS, f"nothing looks at {kind}"
    assert answer.headers["X-Content-Type-Options"] == "nosniff", where
    CHECKS[kind](where, answer.body)
    if kind == "text/html":
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy or "sandbox" in policy, policy


def part_of(address: str) -> str:
    """Pages, files or answers of the API: each has a turn of its own."""
    path = address.partition("?")[0]
    if not path.startswith("/api/"):
        return "pages"
    return "files" if path.endswith("/bundle") or "." in path.rpartition("/")[2] else "answers"


@pytest.mark.parametrize(("part", "least"), [("pages", 35), ("files", 20), ("answers", 20)])
def test_no_page_and_no_file_holds_anything_that_runs_or_leads_out(stuffed: Stuffed, part: str, least: int) -> None:
    looked, wrong = [address for address in stuffed.addresses() if part_of(address) == part], []
    assert len(looked) >= least
    for address in looked:
        try:
            assert_answers(address, stuffed.service.get(address))
        except (AssertionError, ValueError, ET.ParseError) as error:
            wrong.append(f"{address}: {type(error).__name__} {str(error)[:400]}")
    assert not wrong, "\n".join(wrong)


def assert_answers(address: str, answer: Answer) -> None:
    assert answer.status in (200, 303), f"{answer.status} {answer.text[:300]}"
    assert not FORBIDDEN.search(str(answer.headers).replace("\n", ""))
    if answer.status == 303:
        assert not leads_out(answer.headers["Location"], "a")
    else:
        assert_inert(address, answer)


# --- files -----------------------------------------------------------------------------------------------------------


def svg(where: str, body: bytes) -> None:
    text = body.decode()
    assert_harmless(text)
    assert not FORBIDDEN.search(text), where


def pdf(where: str, body: bytes) -> None:
    parts = body.split(b"stream\n")
    inflated = [zlib.decompressobj().decompress(part) for part in parts[1:] if part[:1] == b"\x78"]
    for content in (*parts, *inflated):
        for deed in (b"/JavaScript", b"/JS", b"/Launch", b"/OpenAction", b"/EmbeddedFile", b"/SubmitForm"):
            assert not re.search(re.escape(deed) + b"[ /]", content), (where, deed)
        assert f"/URI (https://{corpus.FOREIGN}".encode() not in content, where
        assert not re.search(rb"/URI ?\(\s*(javascript|data|vbscript|//)", content), where


def xml(where: str, body: bytes) -> None:
    text = body.decode()
    assert not re.search("<!(DOCTYPE|ENTITY)", text), where
    ET.fromstring(text)
    assert not FORBIDDEN.search(text), where


def docx(where: str, body: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(body)) as file:
        for part in file.namelist():
            assert not part.startswith(("/", "..")), where
            if part.endswith((".xml", ".rels")):
                xml(f"{where} {part}", file.read(part))
                assert corpus.FOREIGN not in "".join(re.findall(r'Target="([^"]*)"', file.read(part).decode())), where
                assert b"<w:instrText" not in file.read(part), where


def archive(where: str, body: bytes) -> None:
    """A zip: of the postmortem its parts, of a bundle its files."""
    with zipfile.ZipFile(io.BytesIO(body)) as file:
        for part in file.namelist():
            assert re.fullmatch(r"[\w-][\w./-]*", part), (where, part)
            assert ".." not in part, (where, part)
            form = part.rpartition(".")[2]
            if form in MEMBERS and not part.startswith("deliveries/"):
                MEMBERS[form](f"{where} {part}", file.read(part))


def html(where: str, body: bytes) -> None:
    """A page; or a document of its own, which may hold the styles that it is shown with, and no script at all."""
    text, is_page = body.decode(), ".html" not in where
    seen = Seen()
    seen.feed(text)
    wrong = [one for one in seen.wrong if is_page or one != "<style>"]
    assert not wrong, f"{where}: {wrong[:5]}"
    assert is_page or "<script" not in text, where
    txt(where, body)


def md(where: str, body: bytes) -> None:
    """As a reader of Markdown makes a page of it, with markup of HTML let through."""
    text = body.decode()
    shown = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").render(text)
    seen = Seen()
    seen.feed(shown)
    assert not seen.wrong, f"{where}: {seen.wrong[:5]}"
    assert corpus.FOREIGN not in "".join(re.findall(r'(?:href|src)="([^"]*)"', shown)), where
    assert not re.search("<(script|svg)", shown), where
    assert not FORBIDDEN.search(text), where


def csv_(where: str, body: bytes) -> None:
    text = body.decode()
    rows = list(csv.reader(io.StringIO(text), strict=True))
    assert len(rows) > 1, where
    assert len({len(row) for row in rows}) == 1, where
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(FORMULA) or re.fullmatch(r"-?\d+(\.\d+)?", cell), (where, cell)
        assert not re.search("\n", cell), (where, cell)
        txt(where, cell.encode())


ICS_NAMES = frozenset(
    {"BEGIN", "END", "VERSION", "PRODID", "CALSCALE", "UID", "DTSTAMP", "SEQUENCE", "DTSTART", "DTEND", "SUMMARY",
     "DESCRIPTION", "LOCATION", "CATEGORIES", "URL", "STATUS", "TRANSP", "DUE", "RELATED-TO", "PERCENT-COMPLETE"}
)  # fmt: skip


def ics(where: str, body: bytes) -> None:
    assert all(len(line) <= 75 for line in body.split(b"\r\n")), where
    text = body.decode().replace("\r\n ", "")
    lines = text.split("\r\n")
    assert lines.pop() == "", where
    open_: list[str] = []
    for line in lines:
        assert "\n" not in line, (where, line)
        txt(where, line.encode())
        name, _, value = line.partition(":")
        assert name.partition(";")[0] in ICS_NAMES, (where, line)
        if name == "BEGIN":
            open_.append(value)
        elif name == "END":
            assert open_.pop() == value, where
        assert name != "URL" or value.startswith("http://127.0.0.1"), (where, line)
    assert not open_, where


def json_(where: str, body: bytes) -> None:
    json.loads(body)
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", body), where


def nothing(_where: str, _body: bytes) -> None:
    """Pixels: they show what the drawing shows that they are made from."""


def txt(where: str, body: bytes) -> None:
    text = body.decode()
    found = FORBIDDEN.search(text)
    assert not found, f"{where}: {found!r} after {text[max(found.start() - 80, 0) : found.start()]!r}"


def jsonl(_where: str, body: bytes) -> None:
    for line in body.splitlines():
        json_("a line", line)


CHECKS = {
    "image/svg+xml": svg, "image/png": nothing, "application/pdf": pdf, "text/html": html, "text/markdown": md,
    "text/csv": csv_, "application/json": json_, "application/problem+json": json_, "text/calendar": ics,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": docx, "application/zip": archive,
    "text/plain": txt, "application/x-ndjson": jsonl, "image/x-icon": nothing,
}  # fmt: skip
MEMBERS = {"svg": svg, "png": nothing, "pdf": pdf, "html": html, "md": md, "csv": csv_, "json": json_, "ics": ics}


# --- a browser -------------------------------------------------------------------------------------------------------

WRONG = f"""() => [
  ...[...document.querySelectorAll('a[href], area[href], form[action], link[href], base')].filter(node => {{
    const there = new URL(node.href || node.action || node.src, location);
    return !['http:', 'https:', 'mailto:'].includes(there.protocol) || there.hostname.includes('{corpus.FOREIGN}');
  }}),
  ...document.querySelectorAll('iframe, object, embed, [srcdoc], [onerror], [onload], [onmouseover], [onfocus]'),
  ...[...document.querySelectorAll('svg a')].filter(node => !node.closest('nav, .own')),
].map(node => node.outerHTML.slice(0, 200))"""
POINTED = """() => {
  const plot = document.querySelector('.js-plotly-plot');
  if (!plot || !window.Plotly) return 0;
  let count = 0;
  plot.data.slice(0, 12).forEach((trace, curve) => {
    try { Plotly.Fx.hover(plot, [{curveNumber: curve, pointNumber: 0}]); count += 1; } catch (error) { /* no point */ }
  });
  return count;
}"""


@pytest.fixture(scope="module")
def opened(chromium: Browser) -> Iterator[Window]:
    with window(chromium, viewport={"width": 1440, "height": 900}, reduced_motion="reduce") as found:
        found.context.expose_binding("ran", lambda _, what: found.problems.append(f"it ran: {what}"))
        found.page.on("dialog", lambda dialog: (found.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        yield found


def pages(stuffed: Stuffed) -> list[str]:
    """Every address of a page, once for each template."""
    found = {
        re.sub(r"/[^/?]*[0-9][^/?]*", "/…", a): a for a in stuffed.addresses() if not a.startswith(("/api/", "/livez"))
    }
    return [address for address in found.values() if not address.startswith(("/readyz", "/metrics", "/report/file"))]


def test_nothing_runs_and_nothing_leads_out_in_a_browser(stuffed: Stuffed, opened: Window) -> None:
    looked = [address for address in pages(stuffed) if not address.endswith("/export")]
    assert len(looked) > 18
    for address in looked:
        page: Page = opened.open(stuffed.service.url + address, token=ADMIN_TOKEN)
        page.evaluate("document.querySelectorAll('details').forEach(node => node.open = true)")
        if address == f"/incidents/{stuffed.incident}":
            page.wait_for_selector("svg.main-svg")
            assert page.evaluate(POINTED), "no mark was pointed at"
        assert page.evaluate(WRONG) == [], address
        assert opened.problems == [], address


# --- a terminal ------------------------------------------------------------------------------------------------------


def in_terminal(argv: list[str], env: dict[str, str], cwd: Path) -> bytes:
    """What a terminal of 100 columns is sent."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(argv, env=env, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:
        pass  # what a terminal whose last writer is gone says on Linux
    finally:
        os.close(ours)
    assert child.wait(60) in (0, 1, 3)
    return shown


def commands(stuffed: Stuffed, folder: Path) -> list[list[str]]:
    """Every command that shows what strangers or people wrote."""
    body = folder / "body.json"
    body.write_bytes(corpus.filled("alertmanager")[-1].body)
    odd = folder / "odd.toml"
    odd.write_text('[[sites]]\nname = "\\u001b[31m"\n')
    story = folder / "story.json"
    story.write_text(json.dumps(hostile_story()))
    shown = [["export", stuffed.other, "--format", form] for form in ("md", "csv", "ics", "svg", "html", "json")]
    shown += [["export", stuffed.other, "--document", "postmortem", "--format", form] for form in ("md", "html")]
    return [
        *shown,
        ["incident", "list"], ["incident", "list", "--json"], ["incident", "show", stuffed.incident],
        ["incident", "show", stuffed.incident, "--json"], ["incident", "show", "\x1b[31mnone"],
        ["incident", "status", stuffed.other, "\x1b[31m"],
        ["read", "alertmanager", str(body)], ["read", "\x1b[31m", str(body)], ["replay", str(story)],
        ["reread", "alertmanager", "--dry-run"], ["share", "list", stuffed.other], ["notice", "list"],
        ["destination", "list"], ["audit", "list"], ["key", "list"], ["check", str(odd)], ["doctor"],
        ["retention", "show"], ["hold", "list"], ["nonsense\x1b[31m"], ["adapters"],
    ]  # fmt: skip


def hostile_story() -> dict[str, Any]:
    """A story whose sender and whose people write the corpus."""
    alerts = [
        {
            "key": f"k{n}",
            "title": text,
            "status": "firing",
            "severity": "critical",
            "labels": {"datacenter": "smf1", "x": text},
            "starts_at": "2026-11-20T10:00:00Z",
        }
        for n, text in enumerate(corpus.texts())
    ]
    return {
        "title": corpus.texts()[-1],
        "provenance": "made up",
        "sites": SITES,
        "sources": [{"name": "any", "adapter": "generic"}],
        "rules": [],
        "deliveries": [{"at": "2026-11-20T10:01:00Z", "source": "any", "headers": {}, "body": alerts}],
        "actions": [],
    }


RUN = """
import json, sys
from service.cli import main
for argv in json.loads(sys.argv[1]):
    try:
        main(argv, standalone_mode=True)
    except SystemExit:
        pass
"""
"""All commands in one process that writes to a terminal: what each costs is mostly its start."""


def test_a_terminal_is_sent_no_escape_and_no_control(stuffed: Stuffed, tmp_path: Path) -> None:
    listed = json.dumps(commands(stuffed, tmp_path))
    shown = in_terminal([sys.executable, "-c", RUN, listed], stuffed.service.env, ROOT)
    text = shown.decode().replace("\r\n", "\n")
    for said in ("HYPERLINK", "ran('link')", "Error: No such command"):
        assert said in text, text[-3000:]
    assert not (found := FORBIDDEN.search(text)), text[max(found.start() - 300, 0) : found.end() + 100].encode()


def test_the_log_of_the_service_moves_no_terminal_and_forges_no_line(stuffed: Stuffed) -> None:
    log = stuffed.service.log
    assert not FORBIDDEN.search(log), FORBIDDEN.search(log)
    assert not re.search(r"^(forged|2026-11-20T12:00:00Z ERROR forged)", log, re.MULTILINE)
