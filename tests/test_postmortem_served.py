"""Postmortems over HTTP on both databases: two authors, states, frozen facts, roles, every format, and the page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser

from tests import databases
from tests.conftest import StartBarograph
from tests.senders import problem_of, served
from tests.servers import ADMIN_TOKEN, Answer, Barograph
from tests.window import window

API = "/api/v1"
MAGIC = {"md": b"# ", "html": b"<!doctype html>", "pdf": b"%PDF", "docx": b"PK", "zip": b"PK", "json": b"{"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    """One service on each database; every test keeps to an incident of its own."""
    home, url = tmp_path_factory.mktemp("service"), None
    if request.param == "postgresql":
        cluster: databases.Cluster = request.getfixturevalue("postgresql_cluster")
        url = cluster.url(cluster.make(databases.EMPTY))
    with served(home, database_url=url) as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture
def incident(service: Barograph, request: pytest.FixtureRequest) -> str:
    """The id of an incident opened by hand."""
    answer = service.post(f"{API}/incidents", {"title": request.node.name[:80], "severity": "error"})
    assert answer.status == 201, answer.text
    return str(answer.json()["id"])


def put(service: Barograph, incident: str, tag: str | None, **body: Any) -> Answer:
    """PUT sections given by name, or a state."""
    state = body.pop("state", None)
    sent = {**({"sections": body} if body else {}), **({"state": state} if state else {})}
    headers = {} if tag is None else {"If-Match": tag}
    return service.call("PUT", f"{API}/incidents/{incident}/postmortem", sent, headers=headers)


def read(service: Barograph, incident: str, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = service.json(f"{API}/incidents/{incident}/postmortem.json{query}")
    return found


def published(service: Barograph, incident: str) -> None:
    for state in ("in_review", "published"):
        answer = put(service, incident, "*", state=state)
        assert answer.status == 200, answer.text


def test_nothing_written_yet_is_a_document_all_the_same(service: Barograph, incident: str) -> None:
    answer = service.get(f"{API}/incidents/{incident}/postmortem")
    assert (answer.status, answer.headers["ETag"]) == (200, '"r0"')
    found = answer.json()
    assert (found["state"], found["revision"], found["sections"]["summary"]) == ("draft", 0, "")
    assert found["record"]["incident"]["id"] == incident


def test_a_save_needs_if_match(service: Barograph, incident: str) -> None:
    assert problem_of(put(service, incident, None, summary="x"))["status"] == 428
    assert put(service, incident, '"nonsense"', summary="x").status == 400
    assert put(service, incident, '"r7"', summary="x").status == 412
    assert read(service, incident)["revision"] == 0


def test_two_authors_of_different_sections_lose_nothing(service: Barograph, incident: str) -> None:
    assert put(service, incident, '"r0"', summary="Theirs").headers["ETag"] == '"r1"'
    answer = put(service, incident, '"r0"', impact="Mine")
    assert (answer.status, answer.headers["ETag"]) == (200, '"r2"')
    assert answer.json()["sections"] == {"summary": "Theirs", "impact": "Mine"}


def test_two_authors_of_one_section_see_each_other(service: Barograph, incident: str) -> None:
    put(service, incident, '"r0"', summary="Theirs")
    answer = put(service, incident, '"r0"', summary="Mine", impact="Mine too")
    assert (answer.status, answer.headers["ETag"]) == (412, '"r1"')
    told = answer.json()
    assert told["clashes"] == ["summary"]
    assert told["current"]["sections"] == {"summary": "Theirs"}
    assert read(service, incident)["sections"]["impact"] == ""


def test_authors_at_one_moment_each_keep_their_section(service: Barograph, incident: str) -> None:
    names = ("summary", "impact", "timeline", "detection", "went_well", "was_hard", "not_known", "open_questions")
    with ThreadPoolExecutor(len(names)) as pool:
        answers = list(pool.map(lambda name: put(service, incident, '"r0"', **{name: f"by {name}"}), names))
    assert [answer.status for answer in answers] == [200] * len(names)
    assert {answer.headers["ETag"] for answer in answers} == {f'"r{n}"' for n in range(1, len(names) + 1)}
    sections = read(service, incident)["sections"]
    assert all(sections[name] == f"by {name}" for name in names)


def test_the_same_words_again_are_no_revision(service: Barograph, incident: str) -> None:
    put(service, incident, '"r0"', summary="Once")
    assert put(service, incident, '"r1"', summary="Once").headers["ETag"] == '"r1"'


def test_revisions_are_kept_and_walked(service: Barograph, incident: str) -> None:
    for n in range(5):
        assert put(service, incident, f'"r{n}"', summary=f"text {n}").status == 200
    path = f"{API}/incidents/{incident}/postmortem/revisions"
    first = service.json(f"{path}?limit=3")
    rest = service.json(f"{path}?limit=3&cursor={first['next']}")
    assert [r["revision"] for r in first["items"] + rest["items"]] == [5, 4, 3, 2, 1]
    assert rest["next"] is None
    assert rest["items"][-1]["sections"] == {"summary": "text 0"}
    assert read(service, incident, "?revision=2")["sections"]["summary"] == "text 1"
    assert service.get(f"{API}/incidents/{incident}/postmortem.json?revision=9").status == 404


def test_states_go_forward_one_by_one_and_each_is_an_entry(service: Barograph, incident: str) -> None:
    assert put(service, incident, '"r0"', state="published").status == 409
    assert put(service, incident, '"r0"', state="in review").headers["ETag"] == '"r1"'
    assert put(service, incident, '"r0"', state="published").status == 412
    assert put(service, incident, '"r1"', state="published").status == 200
    assert put(service, incident, '"r2"', summary="late").status == 409
    assert put(service, incident, '"r2"', state="draft").status == 200
    assert put(service, incident, '"r3"', summary="again").status == 200
    lines = service.json(f"{API}/incidents/{incident}/timeline")["items"]
    told = [line["text"] for line in lines if line["kind"] == "postmortem_state_changed"]
    assert told == [
        "Postmortem in review, revision 1",
        "Postmortem published, revision 2",
        "Postmortem is a draft again, revision 3",
    ]
    entry = next(line["evidence"]["entry"] for line in lines if line["kind"] == "postmortem_state_changed")
    refused = service.call("DELETE", f"{API}/incidents/{incident}/entries/{entry}")
    assert refused.status == 409
    assert "postmortem" in refused.text


def test_a_published_one_stands_on_frozen_facts_and_says_what_differs(service: Barograph, incident: str) -> None:
    put(service, incident, '"r0"', summary="Done")
    published(service, incident)
    before = read(service, incident)
    assert before["differences"] == []
    assert before["frozen_at"]
    service.post(f"{API}/incidents/{incident}/entries", {"text": "Found much later"})
    service.post(f"{API}/incidents/{incident}/status", {"status": "resolved"})
    after = read(service, incident)
    assert after["record"] == before["record"]
    assert any("Found much later" in each for each in after["differences"])
    assert any(each.startswith("Status: open, now resolved") for each in after["differences"])
    written = service.get(f"{API}/incidents/{incident}/postmortem.md").text
    assert "The record says otherwise today" in written
    drawn = service.get(f"{API}/incidents/{incident}/postmortem.html").text
    assert "Found much later" not in drawn.partition("<main>")[2]
    put(service, incident, "*", state="draft")
    assert read(service, incident)["record"]["incident"]["status"] == "resolved"
    public = read(service, incident, "?audience=public&revision=3")
    assert "Found much later" not in json.dumps(public)


def test_every_format_in_every_version(service: Barograph, incident: str) -> None:
    put(service, incident, '"r0"', summary="Words", actions=[{"text": "Do it", "due": "2026-12-01"}])
    for form, magic in MAGIC.items():
        for query in ("", "?audience=customer", "?audience=public&names=1", "?tz=Asia/Kolkata"):
            answer = service.get(f"{API}/incidents/{incident}/postmortem.{form}{query}")
            assert answer.status == 200, answer.text
            assert answer.body.startswith(magic), (form, query)
            assert re.search(rf'filename="postmortem-[a-z0-9-]+\.{form}"', answer.headers["Content-Disposition"])
    assert service.get(f"{API}/incidents/{incident}/postmortem.exe").status == 404
    assert service.get(f"{API}/incidents/{incident}/postmortem.md?audience=all").status == 400
    assert service.get(f"{API}/incidents/nothing/postmortem.md").status == 404


def test_what_a_version_leaves_out_is_listed(service: Barograph, incident: str) -> None:
    put(service, incident, '"r0"', was_hard="Inside")
    assert any("told by role" in each for each in read(service, incident)["left_out"])
    assert read(service, incident, "?names=1")["left_out"] == []
    public = read(service, incident, "?audience=public")
    assert "was_hard" not in public["sections"]
    assert any("What was hard" in each for each in public["left_out"])


def test_viewers_read_and_responders_write(service: Barograph, incident: str) -> None:
    tokens = {}
    for role in ("viewer", "responder"):
        made = service.cli("token", "create", "--role", role, "--name", f"{role}-of-{incident}")
        assert made.returncode == 0, made.stderr
        tokens[role] = re.search(r"bt_\S+", made.stdout)[0]  # type: ignore[index]  # it prints one
    path = f"{API}/incidents/{incident}/postmortem"
    headers = {"If-Match": "*"}
    body = {"sections": {"summary": "x"}}
    assert service.call("PUT", path, body, token=tokens["viewer"], headers=headers).status == 403
    assert service.get(f"{path}.md", token=tokens["viewer"]).status == 200
    page = service.get(f"/incidents/{incident}/postmortem", token=tokens["viewer"])
    assert page.status == 200
    assert "<textarea" not in page.text
    assert service.call("PUT", path, body, token=tokens["responder"], headers=headers).status == 200
    assert service.call("POST", f"/incidents/{incident}/postmortem", "", token=tokens["viewer"]).status == 403


def test_bad_bodies_are_told(service: Barograph, incident: str) -> None:
    path = f"{API}/incidents/{incident}/postmortem"
    bodies: tuple[Any, ...] = (
        {"sections": {"root_cause": "x"}},
        {"sections": [1]},
        {"state": "done"},
        {"words": {}},
        [1],
    )
    for body in bodies:
        answer = service.call("PUT", path, body, headers={"If-Match": "*"})
        assert answer.status == 400, (body, answer.text)


def form(service: Barograph, incident: str, fields: dict[str, str], **headers: str) -> Answer:
    """The page's form, posted as a browser without a script does."""
    path = f"/incidents/{incident}/postmortem"
    token = re.search(r'name="csrf" value="([^"]+)"', service.get(path).text)
    assert token
    sent = urlencode({"csrf": token[1], **fields})
    return service.call(
        "POST", path, sent, headers={"Content-Type": "application/x-www-form-urlencoded", **headers}
    )  # fmt: skip


def test_the_form_works_without_a_script_and_shows_both_texts_of_a_clash(service: Barograph, incident: str) -> None:
    fields = {"base": "0", "summary": "Mine", "action-1-text": "Do it", "action-1-done": "yes", "action-2-text": ""}
    assert form(service, incident, fields).status == 303
    sections = read(service, incident)["sections"]
    assert sections["actions"] == [{"text": "Do it", "owner": "", "due": None, "done": True}]
    put(service, incident, '"r1"', summary="<b>Theirs</b>", impact="Elsewhere")
    clash = form(service, incident, {"base": "1", "summary": "Mine again", "impact": ""})
    assert clash.status == 412
    assert "Mine again</textarea>" in clash.text
    assert "&lt;b&gt;Theirs&lt;/b&gt;" in clash.text
    assert "Elsewhere</textarea>" in clash.text
    assert 'name="base" value="2"' in clash.text
    script = form(service, incident, {"base": "1", "summary": "Mine again"}, Accept="application/json")
    assert (script.status, script.json()["clashes"]) == (412, ["summary"])
    assert service.call("POST", f"/incidents/{incident}/postmortem", "base=2").status == 400


def test_the_command_line_writes_it(service: Barograph, incident: str) -> None:
    put(service, incident, '"r0"', summary="From the command line")
    out = service.home / f"{incident}.md"
    done = service.cli("export", incident, "--document", "postmortem", "--format", "md", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "From the command line" in out.read_text()
    done = service.cli("export", incident, "--document", "postmortem", "--format", "svg")
    assert done.returncode == 2
    assert service.cli("export", incident, "--format", "docx").returncode == 2


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    """The service with its stories."""
    running = Barograph(tmp_path_factory.mktemp("demo"), "", args=("--demo",)).start(60)
    yield running
    running.end()


def test_the_stories_are_written_in_every_format(demo: Barograph) -> None:
    incidents = [incident["id"] for incident in demo.json(f"{API}/incidents")["items"]]
    assert len(incidents) >= 4
    for name in incidents:
        for form_, magic in MAGIC.items():
            answer = demo.get(f"{API}/incidents/{name}/postmortem.{form_}")
            assert answer.status == 200, answer.text
            assert answer.body.startswith(magic)
        assert b"/StructTreeRoot" in demo.get(f"{API}/incidents/{name}/postmortem.pdf").body


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_is_quiet_and_fits(
    demo: Barograph, chromium: Browser, width: int, scheme: Literal["light", "dark"]
) -> None:
    incidents = [incident["id"] for incident in demo.json(f"{API}/incidents")["items"]]
    with window(chromium, viewport={"width": width, "height": 900}, color_scheme=scheme) as opened:
        for name in incidents:
            page = opened.open(f"{demo.url}/incidents/{name}/postmortem", token=ADMIN_TOKEN)
            assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"), name
            unnamed = "[...document.querySelectorAll('main :is(input:not([type=hidden]), textarea)')]"
            assert page.evaluate(f"{unnamed}.every((field) => field.labels.length > 0)")
        assert opened.problems == []


def test_typing_saves_by_itself_and_takes_in_what_others_wrote(barograph: StartBarograph, chromium: Browser) -> None:
    service = barograph()
    incident = service.post(f"{API}/incidents", {"title": "Typed", "severity": "error"}).json()["id"]
    with window(chromium) as opened:
        page = opened.open(f"{service.url}/incidents/{incident}/postmortem?tz=Asia/Tokyo", token=ADMIN_TOKEN)
        page.fill("#s-summary", "Typed by hand")
        assert "not written yet" in page.inner_text("[data-standing]")
        assert "None yet" in page.inner_text("[data-revisions]")
        page.wait_for_selector("text=Revision 1 is saved")
        page.wait_for_selector("[data-standing]:has-text('revision 1')")
        assert page.inner_text("[data-saved]").endswith("in Asia/Tokyo.")
        assert "are in Asia/Tokyo" in page.inner_text("footer")
        assert "Revision 1" in page.inner_text("[data-revisions]")
        assert put(service, incident, '"r1"', impact="Elsewhere").status == 200
        page.fill("#s-was_hard", "Two at once")
        page.wait_for_selector("text=Revision 3 is saved")
        assert page.input_value("#s-impact") == "Elsewhere"
        page.click("text=Send to review")
        page.click("text=Publish")
        page.wait_for_selector("text=Make it a draft again")
        assert opened.problems == []
    found = read(service, incident)
    assert found["state"] == "published"
    assert (found["sections"]["summary"], found["sections"]["was_hard"]) == ("Typed by hand", "Two at once")


# --- templates ------------------------------------------------------------------------------------------------------

OUTAGE = "# Outage\n\n## Summary\n> Short.\n{{ record.summary }}\n\n## What customers saw\n- Who:\n\n## Actions\n"


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "outage.md").write_text(OUTAGE)
    (folder / "broken.md").write_text("# A\n## B\n{{ nonsense }}\n")
    return folder


def test_a_document_is_begun_with_a_template_and_keeps_it(
    barograph: StartBarograph, templates: Path, chromium: Browser
) -> None:
    service = barograph(settings={"POSTMORTEM_TEMPLATES": str(templates)})
    names = [
        service.post(f"{API}/incidents", {"title": n, "severity": "error"}).json()["id"] for n in ("api", "page", "c")
    ]
    found = service.json(f"{API}/postmortem-templates")["items"]
    assert [each["name"] for each in found if not each["fault"]] == ["standard", "outage"]
    assert found[1]["fault"].startswith("broken.md, line 3: 'nonsense' is no place")
    path = f"{API}/incidents/{names[0]}/postmortem"
    for template, status in (("nothing", 404), ("../outage", 404), ("broken", 400), (7, 400)):
        assert service.post(path, {"template": template}).status == status
    answer = service.post(path, {"template": "outage"})
    assert (answer.status, answer.json()["sections"]) == (201, {"own_what_customers_saw": "- Who:"})
    assert service.post(path, {"template": "outage"}).status == 409
    assert put(service, names[0], '"r1"', own_what_customers_saw="- Who: all").status == 200
    assert put(service, names[0], "*", went_well="has no such section").status == 400

    with window(chromium) as opened:
        page = opened.open(f"{service.url}/incidents/{names[1]}/postmortem", token=ADMIN_TOKEN)
        assert "broken.md, line 3" in page.inner_text(".begin")
        page.select_option("#begin-template", "outage")
        page.click(".begin button")
        page.wait_for_selector("h2:has-text('What customers saw')")
        page.fill("#s-own_what_customers_saw", "Nothing at all")
        page.wait_for_selector("text=Revision 2 is saved")
        assert opened.problems == []

    (templates / "outage.md").write_text("# Other\n\n## Something else\n")
    written = service.get(f"{path}.md").text
    assert "## What customers saw" in written
    assert "- Who: all" in written
    assert "Something else" not in written

    done = service.cli("postmortem", "new", names[2], "--template", "outage")
    assert (done.returncode, done.stdout) == (0, "revision 1, Other: 2 sections\n"), done.stderr
    assert service.cli("postmortem", "new", names[2]).returncode == 5
    assert service.cli("postmortem", "new", names[2], "--template", "x").returncode == 3
    done = service.cli("postmortem", "templates")
    assert done.returncode == 1
    assert "broken.md, line 3" in done.stderr
    assert service.cli("postmortem", "template").stdout.startswith("# Standard\n")
