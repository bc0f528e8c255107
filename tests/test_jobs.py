"""Jobs: what takes long is made in a process of its own, can be watched and cancelled, and its end harms nobody."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dashboards.job_page import words_of
from incidents.refusals import ConflictError, NotFoundError
from incidents.store import Store
from service import clock
from service.files import job_folder, jobs
from service.files.browser import FailedError
from service.files.job_folder import MARK, UNMARKED, JobFolder, clear_orphans
from service.files.job_line import Job, JobError
from service.files.job_process import Work
from service.files.jobs import BusyError, Jobs, address_of
from service.identity.access import Access
from tests import works
from tests.senders import KEY, ago, alert, message, served
from tests.servers import ADMIN_TOKEN, ROOT, Barograph
from tests.test_renderings import is_alive
from tests.window import Window

ANA = "user:ana"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Jobs]:
    """Jobs on an empty record, as the service runs them."""
    with closing(Store(f"sqlite:///{tmp_path / 'jobs.db'}")) as store:
        await asyncio.to_thread(store.migrate)
        one = Jobs(address_of(store), "text")
        task = asyncio.get_running_loop().create_task(one.run())
        yield one
        task.cancel()
        await asyncio.wait([task])


def ask(running: Jobs, work: Work) -> Job:
    return running.submit(ANA, "a file", work)


async def content(running: Jobs, job: Job) -> bytes:
    """What a job made."""
    with await running.made(job) as file:
        return file.read()


async def until(path: Path) -> int:
    """The pid that a work has written."""

    def written() -> int:
        end = time.monotonic() + 60
        while not (path.exists() and path.read_text()) and time.monotonic() < end:
            time.sleep(0.02)
        return int(path.read_text())

    return await asyncio.to_thread(written)


def comes(is_so: Callable[[], bool]) -> bool:
    """Whether something comes to be so, however busy the machine is."""
    end = time.monotonic() + 60
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    return is_so()


async def test_a_file_is_made_beside_the_service(running: Jobs) -> None:
    one, other = ask(running, partial(works.say, "first")), ask(running, partial(works.say, "second"))
    assert (running.before(one), running.before(other)) == (0, 1)
    assert await content(running, one) == b"first, 0 incidents"
    assert await content(running, other) == b"second, 0 incidents"
    assert (one.state, one.name, one.media, one.size) == ("done", "said.txt", "text/plain", 18)


async def test_a_job_is_cancelled_at_once_and_the_next_one_is_made(running: Jobs, tmp_path: Path) -> None:
    one, waiting = ask(running, partial(works.sleep, str(tmp_path / "pid"))), ask(running, partial(works.say, "never"))
    last = ask(running, partial(works.say, "last"))
    pid = await until(tmp_path / "pid")
    assert (one.state, one.step) == ("running", "sleeping")
    waiting.cancel()
    one.cancel()
    with pytest.raises(JobError, match="cancelled"):
        await running.made(one)
    assert await content(running, last) == b"last, 0 incidents"
    assert (one.state, waiting.state) == ("cancelled", "cancelled")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    last.cancel()
    assert last.state == "done"


async def test_a_killed_process_costs_one_job_and_says_so(running: Jobs) -> None:
    killed, after = ask(running, works.be_killed), ask(running, partial(works.say, "after"))
    with pytest.raises(JobError, match=r"ended in the middle \(signal 9\); ask for it again"):
        await running.made(killed)
    assert await content(running, after) == b"after, 0 incidents"


async def test_a_fault_tells_its_type_alone_and_what_is_missing_is_told(running: Jobs) -> None:
    failed, missed = ask(running, works.fail), ask(running, works.miss)
    with pytest.raises(JobError, match="KeyError; it was logged") as told:
        await running.made(failed)
    assert "stranger" not in str(told.value)
    with pytest.raises(NotFoundError, match="no incident x"):
        await running.made(missed)
    with pytest.raises(ConflictError, match="larger than a bundle"):
        await running.made(ask(running, works.refuse))


async def test_how_many_wait_is_bounded_and_each_is_its_askers_alone(
    running: Jobs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(jobs, "MOST_WAITING", 2)
    first = ask(running, partial(works.sleep, str(tmp_path / "pid")))
    await until(tmp_path / "pid")
    waiting = [ask(running, partial(works.say, word)) for word in ("x", "y")]
    assert ask(running, partial(works.say, "x")) is waiting[0], "what is asked for again is made once"
    with pytest.raises(BusyError, match="come back"):
        ask(running, partial(works.say, "z"))
    with pytest.raises(NotFoundError):
        running.find(first.id, "user:ben")
    for job in (first, *waiting):
        running.find(job.id, ANA).cancel()


async def test_what_was_made_is_kept_for_a_while_and_no_longer(running: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MOST_KEPT", 1)
    made = [ask(running, partial(works.say, str(n))) for n in range(3)]
    await content(running, made[-1])
    assert running.find(made[-1].id, ANA) is made[-1]
    for old in made[:2]:
        with pytest.raises(NotFoundError):
            running.find(old.id, ANA)
        assert not old.path.exists()


async def test_too_long_a_job_is_ended(running: Jobs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(running._lines["file"], "_patience", 3.0)
    with pytest.raises(JobError, match="longer than 3 s"):
        await running.made(ask(running, partial(works.sleep, str(tmp_path / "pid"))))


async def test_a_chart_does_not_wait_for_a_bundle(running: Jobs, tmp_path: Path) -> None:
    bundle = running.submit(ANA, "a bundle", partial(works.sleep, str(tmp_path / "pid")), "bundle")
    await until(tmp_path / "pid")
    assert await content(running, ask(running, partial(works.say, "chart"))) == b"chart, 0 incidents"
    assert bundle.state == "running"
    bundle.cancel()


async def test_a_work_may_write_its_file_itself_and_leaves_nothing_behind(running: Jobs, tmp_path: Path) -> None:
    made = ask(running, works.write_itself)
    assert await content(running, made) == b"written piece by piece"
    assert (made.size, made.tag, made.sha256) == (22, "its-own", "00" * 32)
    killed = ask(running, partial(works.leave_things_about, str(tmp_path / "pid")))
    await until(tmp_path / "pid")
    room = Path(running._lines["file"]._setup.room)
    assert os.listdir(room) == ["evidence"]  # noqa: PTH208  # a Path's own would wait
    killed.cancel()
    await content(running, ask(running, partial(works.say, "after")))
    assert not killed.path.exists()
    assert os.listdir(room) == []  # noqa: PTH208  # as above


async def test_the_process_has_only_what_nobody_else_wants(running: Jobs, tmp_path: Path) -> None:
    job = ask(running, partial(works.sleep, str(tmp_path / "pid")))
    pid = await until(tmp_path / "pid")
    assert os.sched_getscheduler(pid) == os.SCHED_IDLE
    job.cancel()


async def test_what_a_work_has_begun_ends_with_it(running: Jobs, tmp_path: Path) -> None:
    """A browser runs in a group of its own: whoever cancels ends that too."""
    job = running.submit(ANA, "a drawing", partial(works.begin_another, str(tmp_path / "pid")), "rendering")
    pid = await until(tmp_path / "pid")
    assert await asyncio.to_thread(comes, lambda: job.step == "begun")
    job.cancel()
    with pytest.raises(JobError, match="cancelled"):
        await running.made(job)

    assert await asyncio.to_thread(comes, lambda: not is_alive(pid))


async def test_a_browser_that_drew_nothing_is_told(running: Jobs) -> None:
    with pytest.raises(FailedError, match="ended with -9"):
        await running.made(ask(running, works.draw_nothing))


async def test_the_end_of_the_service_ends_what_is_being_made(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path / 'jobs.db'}")) as store:
        store.migrate()
        one = Jobs(address_of(store), "text")
    task = asyncio.get_running_loop().create_task(one.run())
    job = ask(one, partial(works.sleep, str(tmp_path / "pid")))
    pid = await until(tmp_path / "pid")
    task.cancel()
    with pytest.raises(JobError, match="the service is ending"):
        await one.made(job)
    await asyncio.wait([task])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not job.path.parent.exists()


def test_each_state_has_its_words() -> None:
    assert words_of("waiting", "", "", 0) == "Waiting for its turn."
    assert words_of("waiting", "", "", 1) == "Waiting. One other is made before it."
    assert words_of("waiting", "", "", 3) == "Waiting. 3 others are made before it."
    assert words_of("running", "drawing", "", 0) == "Being made: drawing."
    assert words_of("failed", "", "it was ended", 0) == "There will be no file: it was ended."


# --- served ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Barograph]:
    with served(tmp_path_factory.mktemp("jobs")) as running:
        yield running


@pytest.fixture(scope="module")
def incident(service: Barograph) -> str:
    """An incident of more alerts than are drawn in the service's own process, all over: no bar grows by the minute."""
    begun, over = ago(minutes=120), ago(minutes=60)
    alerts = [alert(f"check-{n}", begun, ends_at=over, datacenter="elsewhere") for n in range(600)]
    service.read(service.send("am", {**message(*alerts), "groupKey": "crowd"}, KEY))
    name = str(service.json("/api/v1/incidents?q=crowd")["items"][0]["id"])
    service.post(f"/api/v1/incidents/{name}/status", {"status": "resolved"})
    return name


def ended(service: Barograph, path: str) -> dict[str, Any]:
    """A job once it has ended, however busy the machine is."""

    def asked() -> dict[str, Any] | None:
        told: dict[str, Any] = service.json(f"{path}?wait=10")
        return told if told["ended_at"] else None

    found = service.until(asked, 90)
    assert found
    return found


def test_an_export_is_the_same_whoever_makes_it(service: Barograph, incident: str) -> None:
    path = f"/api/v1/incidents/{incident}/export.svg?theme=dark"
    waited = service.get(path)
    assert (waited.status, waited.headers["Content-Type"]) == (200, "image/svg+xml; charset=utf-8")
    assert "filename=" in waited.headers["Content-Disposition"]
    told = service.get(path, headers={"Prefer": "respond-async"})
    assert told.status == 202
    job = ended(service, told.headers["Location"])
    assert (job["state"], job["words"], job["size"]) == ("done", "It is there.", len(waited.body))
    assert service.get(job["file"]).body == waited.body
    again = service.get(path, headers={"If-None-Match": waited.headers["ETag"]})
    assert again.status == 304


def test_a_file_is_saved_unless_it_is_asked_to_be_shown(service: Barograph, incident: str) -> None:
    """A link to a file leaves its page where it is; what may be framed says so, and a script is never shown."""
    base = f"/api/v1/incidents/{incident}"
    told = {
        f"{base}/export.csv": "attachment",
        f"{base}/export.svg?inline=1": "inline",
        f"{base}/postmortem.json": "attachment",
        f"{base}/postmortem.json?inline=1": "inline",
        f"{base}/postmortem.docx?inline=1": "attachment",
        f"{base}/export.html?interactive=1&inline=1": "attachment",
        "/api/v1/report.md?period=2026": "attachment",
        "/api/v1/incidents.ics": "attachment",
    }
    for path, kind in told.items():
        assert service.get(path).headers["Content-Disposition"].startswith(f"{kind}; filename="), path
    page = {"Accept": "text/html"}
    there = service.get(f"{base}/export.svg?inline=1", headers=page).headers["Location"]
    assert re.fullmatch(r"/jobs/[\w-]+|/api/v1/jobs/[\w-]+/file\?inline=1", there)


def test_what_is_missing_and_whose_it_is_not_is_not_found(service: Barograph) -> None:
    assert service.get("/api/v1/incidents/none/export.svg").status == 404
    told = service.get("/api/v1/incidents/none/export.svg", headers={"Prefer": "respond-async"})
    assert told.status == 404, "what is not there, or not for this asker, begins no job"
    assert service.get("/api/v1/jobs/none").status == 404
    assert service.get("/jobs/none").status == 404


def test_a_job_is_cancelled_by_the_api(service: Barograph, incident: str) -> None:
    export = f"/api/v1/incidents/{incident}/export.pdf"
    told = [service.get(export, headers={"Prefer": "respond-async"}).json() for _ in range(3)]
    last = service.call("DELETE", f"/api/v1/jobs/{told[-1]['id']}").json()
    assert last["state"] == "cancelled"
    problem = service.get(f"/api/v1/jobs/{last['id']}/file")
    assert (problem.status, problem.json()["type"]) == (500, "about:blank#not-made")
    assert "cancelled" in problem.json()["detail"]


def test_a_postmortem_a_report_and_a_bundle_are_jobs_too(service: Barograph, incident: str, tmp_path: Path) -> None:
    """Each as its asker prefers: awaited, or asked after; the same bytes either way."""
    base = f"/api/v1/incidents/{incident}"
    titles = {
        f"{base}/postmortem.md": f"Postmortem of {incident} as MD",
        "/api/v1/report.html?period=2026": "Report of 2026 as HTML",
        f"{base}/bundle": f"Evidence of {incident}",
    }
    for path, title in titles.items():
        job = ended(service, service.get(path, headers={"Prefer": "respond-async"}).headers["Location"])
        assert (job["state"], job["title"]) == ("done", title)
        file, waited = service.get(job["file"]), service.get(path)
        assert file.status == waited.status == 200
        assert file.headers["Content-Disposition"] == waited.headers["Content-Disposition"]
        if "report" not in path:  # which tells of what was not known until now
            assert (file.headers["ETag"], file.body) == (waited.headers["ETag"], waited.body)
    assert file.headers["ETag"] == f'"{file.body[-64:].decode()}"', "a bundle's tag is the digest at its end"
    whole = base64.b64encode(hashlib.sha256(file.body).digest()).decode()
    assert file.headers["Repr-Digest"] == f"sha-256=:{whole}:"
    (tmp_path / "bundle.zip").write_bytes(file.body)
    assert service.cli("verify", str(tmp_path / "bundle.zip")).returncode == 0
    acts = service.json("/api/v1/audit?act=bundle_read")["items"]
    assert len(acts) == 2, "both were written down"


def test_whoever_lost_the_right_to_a_file_gets_it_no_more(service: Barograph) -> None:
    """A role that is taken away, or an incident made private, since the file was asked for."""
    opened = service.post("/api/v1/incidents", {"title": "Breach", "severity": "error"}).json()["id"]
    base = f"/api/v1/incidents/{opened}"
    with closing(Store(f"sqlite:///{service.home / 'barograph.db'}")) as store:
        access = Access(store, admin_token=None, secret_key=b"")
        token = access.make("token", role="responder", name="carol")[0]
        viewing = access.make("token", role="viewer", name="carol")[0]
    for one in (token, viewing):
        assert service.until(lambda one=one: service.get("/api/v1/sites", token=one).status == 200)  # type: ignore[misc]  # bound at once
    later, asked = {"Prefer": "respond-async"}, {}
    for path in (f"{base}/export.svg", f"{base}/bundle", "/api/v1/report.md?period=2026"):
        asked[path] = service.get(path, token=token, headers=later).headers["Location"]
        assert service.get(f"{asked[path]}/file", token=token).status == 200
    export, bundle, report = asked.values()
    statuses = [service.get(f"{path}/file", token=viewing).status for path in asked.values()]
    assert statuses == [200, 403, 200], "a bundle is for responders"
    assert service.get(bundle, token=viewing).status == 403
    service.post(f"{base}/privacy", {"private": True, "seen_by": ["alice"]})
    for path in (export, bundle, report):
        for what in (path, f"{path}/file", path.removeprefix("/api/v1")):
            assert service.get(what, token=token).status == 404, what
    told = service.get(f"{export}/file", token=token).text
    assert "Breach" not in told
    unknown = service.get("/api/v1/incidents/none/export.svg", token=token).json()["detail"]
    assert service.get(export, token=token).json()["detail"] == unknown.replace("none", opened)
    service.post(f"{base}/privacy", {"private": False})
    assert service.get(f"{export}/file", token=token).status == 200


def test_a_browser_that_goes_to_a_long_file_is_shown_how_far_it_is(service: Barograph, incident: str) -> None:
    seen = service.get(f"/api/v1/incidents/{incident}/bundle", headers={"Accept": "text/html,*/*;q=0.8"})
    assert seen.status == 303
    assert re.fullmatch(r"/jobs/[\w-]+|/api/v1/jobs/[\w-]+/file", seen.headers["Location"])


def test_the_page_says_how_far_it_is_and_saves_the_file(browser: Window, service: Barograph, incident: str) -> None:
    told = service.get(f"/api/v1/incidents/{incident}/export.html", headers={"Prefer": "respond-async"}).json()
    page = browser.open(f"{service.url}/jobs/{told['id']}", token=ADMIN_TOKEN)
    page.wait_for_selector("[data-job][data-state=done]")
    assert page.url.endswith(f"/jobs/{told['id']}"), "what is saved leaves the page where it is"
    assert page.locator("[data-job-words]").inner_text() == "It is there."
    assert page.get_by_role("link", name="Save barograph-").is_visible()
    page.get_by_role("link", name="Look at it").click()
    page.wait_for_url("**/file?inline=1")
    assert page.locator("svg").count() == 1


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, this test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_folders_of_processes_that_are_gone_are_cleared_and_no_others(temporary: Path, tmp_path: Path) -> None:
    at = (clock.now() - UNMARKED).timestamp() - 60

    def placed(name: str, *, is_old: bool) -> Path:
        folder = temporary / name
        folder.mkdir()
        (folder / "a-file").write_bytes(b"x")
        if is_old:
            os.utime(folder, (at, at))
        return folder

    code = "import os\nfrom service.files.job_folder import JobFolder\nprint(JobFolder().path)\nos.kill(os.getpid(), 9)"
    where = {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    killed = subprocess.run([sys.executable, "-c", code], env=where, capture_output=True, text=True, check=False)
    orphan = Path(killed.stdout.strip())
    assert (killed.returncode, (orphan / MARK).exists()) == (-9, True), killed.stderr
    aged, young, other = (
        placed("barograph-jobs-old", is_old=True),
        placed("barograph-jobs-new", is_old=False),
        placed("another-old", is_old=True),
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / MARK).touch()
    (temporary / "barograph-jobs-link").symlink_to(elsewhere)
    living = JobFolder()
    clear_orphans()
    assert not orphan.exists()
    assert not aged.exists()
    assert young.exists()
    assert other.exists()
    assert elsewhere.exists()
    assert living.path.exists()
    shutil.rmtree(living.path)  # as what clears idle folders does
    living.keep()
    os.utime(living.path, (at, at))
    clear_orphans()
    assert living.path.exists()
    living.remove()
    assert not living.path.exists()


def test_a_folder_of_another_user_is_left_alone(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = temporary / "barograph-jobs-theirs"
    folder.mkdir()
    (folder / MARK).touch()
    monkeypatch.setattr(job_folder.os, "geteuid", lambda: os.getuid() + 1)
    clear_orphans()
    assert folder.exists()
    monkeypatch.undo()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    clear_orphans()
    assert not folder.exists()
