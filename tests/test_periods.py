"""Reports of periods: the calendar, the document, the files, the schedule that several processes run."""

from __future__ import annotations

import hashlib
import io
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import docx
import pytest

from dashboards import period, typeset, wordfile, writings
from dashboards.blocks import Picture, Table
from dashboards.period import Report
from incidents import periods, written_reports
from incidents.periods import Period
from incidents.store import Store
from incidents.views.view import Gap, Unknowns
from service.files import reports
from service.files.reports import Plan
from tests.conftest import StartBarograph
from tests.servers import Barograph
from tests.test_review import HOSTILE, START, many, world
from tests.world import TWO_SITES, World, instant

assert world  # a fixture

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


# --- the calendar ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "zone", "since", "until", "title"),
    [
        ("2026-10", "UTC", "2026-10-01T00:00", "2026-11-01T00:00", "October 2026"),
        ("2026-12", "UTC", "2026-12-01T00:00", "2027-01-01T00:00", "December 2026"),
        ("2026-Q3", "Europe/London", "2026-06-30T23:00", "2026-09-30T23:00", "2026, quarter 3"),
        ("2026", "America/Los_Angeles", "2026-01-01T08:00", "2027-01-01T08:00", "2026"),
        ("last-month", "UTC", "2026-10-01T00:00", "2026-11-01T00:00", "October 2026"),
        ("last-quarter", "UTC", "2026-07-01T00:00", "2026-10-01T00:00", "2026, quarter 3"),
        ("last-year", "UTC", "2025-01-01T00:00", "2026-01-01T00:00", "2025"),
    ],
)
def test_periods_begin_and_end_at_local_midnights(text: str, zone: str, since: str, until: str, title: str) -> None:
    found = periods.named(text, zone, NOW)
    assert found.since == datetime.fromisoformat(f"{since}+00:00")
    assert found.until + timedelta(microseconds=1) == datetime.fromisoformat(f"{until}+00:00")
    assert found.title == title


@pytest.mark.parametrize("text", ["2026-13", "2026-Q5", "0000-01", "last-week", "", "2026-1", "../../etc", "９９９９"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        periods.named(text, "UTC", NOW)


def test_a_new_year_s_last_month_is_december() -> None:
    assert periods.last("month", "UTC", datetime(2026, 1, 1, tzinfo=UTC)).name == "2025-12"
    assert periods.last("month", "America/New_York", datetime(2026, 1, 1, tzinfo=UTC)).name == "2025-11"


def test_two_days_hold_both_of_them() -> None:
    found = periods.between(date(2026, 3, 28), date(2026, 3, 29), "Europe/London")
    assert found.until - found.since == timedelta(hours=47, microseconds=-1)
    with pytest.raises(ValueError, match="before the first"):
        periods.between(date(2026, 3, 2), date(2026, 3, 1), "UTC")


# --- the document ---------------------------------------------------------------------------------------------------


def report(n: int = 30, **more: object) -> Report:
    seen = many(n)
    gaps = (Gap("weather", HOSTILE, START, START + timedelta(hours=3), reason="timed out"),)
    unknowns = Unknowns(gaps, (("hook", 3),), (("hook", "bad_key", 12),))
    stretch = Period("2026-03", "March 2026", seen.since, seen.until)
    return replace(Report(stretch, seen, unknowns, credits=("Somebody (CC BY 4.0)",)), **more)  # type: ignore[arg-type]


def test_every_section_tells_its_n_and_what_was_not_known() -> None:
    text = writings.markdown(period.compose(report(60)))
    paragraphs = [line.replace("*", "") for line in text.split("\n") if line and not line.startswith("|")]
    assert len(set(paragraphs)) == len(paragraphs), "what a drawing shows is told once"
    assert text.count("The drawings are in the PDF, HTML and DOCX") == 1
    for said in (
        "# Incidents, March 2026",
        "52 incidents resolved, 8 open",
        "Percentiles are told from 20 ended lengths on",
        "An official warning was in force at a site on 1 day",
        "3 deliveries of hook could not be read",
        "12 posts to hook were turned away: bad key",
        "timed out",
        "Somebody (CC BY 4.0)",
    ):
        assert said in text
    assert not re.search(r"\b(caused|because of|due to|root cause)\b", text)


def test_an_empty_period_says_so_in_every_form() -> None:
    document = period.compose(report(0, unknowns=Unknowns()))
    assert "No incident opened in this period." in writings.markdown(document)
    assert "Every source that is polled answered" in writings.markdown(document)
    assert typeset.pdf(document).startswith(b"%PDF")
    assert wordfile.docx(document).startswith(b"PK")


def test_files_hold_the_charts_and_no_markup_of_a_stranger() -> None:
    document = period.compose(report(40))
    pictures = [b for s in document.sections for b in s.words if isinstance(b, Picture)]
    assert len(pictures) >= 5
    for each in pictures:
        assert "class=" not in each.svg
        ET.fromstring(each.svg)
    text = writings.html(document, kind="report")
    assert "<script" not in text
    assert text.count("<svg") == len(pictures)
    opened = docx.Document(io.BytesIO(wordfile.docx(document)))
    assert len(opened.inline_shapes) == len(pictures)
    assert typeset.pdf(document) == typeset.pdf(document)


def test_long_tables_say_how_many_rows_they_leave_out() -> None:
    document = period.compose(report(period.ROWS + 40))
    assert max(len(b.rows) for s in document.sections for b in s.words if isinstance(b, Table)) == period.ROWS
    assert "40 further rows left out" in writings.markdown(document)


def test_a_report_of_a_provider_holds_what_is_linked_with_it_alone() -> None:
    seen = period.of_provider(many(30), "nobody")
    assert seen.members == ()
    assert seen.ledgers == ()


# --- files and the schedule -----------------------------------------------------------------------------------------


def test_a_report_of_a_real_record(world: World) -> None:
    wanted = reports.Wanted(periods.between(date(2022, 9, 5), date(2022, 9, 7), "UTC"), "UTC", TWO_SITES.site("smf"))
    stretch = replace(wanted.period, since=instant("00:00"), until=instant("+3 00:00"))
    with world.store.reading() as connection:
        found = reports.read(connection, TWO_SITES, replace(wanted, period=stretch), world.now)
    text = reports.export(found, "md")[2].decode()
    assert "1 incident resolved, 1 open" in text
    assert "on 1 day; on 1 of them an incident opened" in text


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(tmp_path / "reports", "month", ("html", "md"), "UTC")


def test_a_period_is_written_once_whoever_comes(store: Store, plan: Plan) -> None:
    with ThreadPoolExecutor(4) as crowd:
        found = crowd.map(lambda _: reports.write_due(store, plan, NOW), range(4))
        written = [path for paths in found for path in paths]
    assert sorted(path.name for path in written) == ["barograph-report-2026-10.html", "barograph-report-2026-10.md"]
    assert sorted(path.name for path in plan.folder.iterdir()) == sorted(path.name for path in written)
    with store.reading() as connection:
        told = written_reports.listed(connection)
    assert {each.sha256 for each in told} == {hashlib.sha256(path.read_bytes()).hexdigest() for path in written}
    assert reports.write_due(store, plan, NOW + timedelta(days=1)) == []
    assert len(reports.write_due(store, plan, NOW + timedelta(days=30))) == 2


def test_a_slot_whose_writer_died_is_free_again_after_its_lease(store: Store, plan: Plan) -> None:
    with store.writing() as connection:
        assert written_reports.claim(connection, "2026-10.html", NOW)
        assert not written_reports.claim(connection, "2026-10.html", NOW + timedelta(minutes=1))
    assert [path.suffix for path in reports.write_due(store, plan, NOW)] == [".md"]
    later = NOW + written_reports.LEASE
    assert [path.suffix for path in reports.write_due(store, plan, later)] == [".html"]


def test_a_folder_that_cannot_be_written_is_told_and_tried_again(store: Store, plan: Plan) -> None:
    plan.folder.write_text("a file, not a folder")
    assert reports.write_due(store, plan, NOW) == []
    with store.reading() as connection:
        assert all("exists" in (each.failure or "") for each in written_reports.listed(connection))
    plan.folder.unlink()
    assert len(reports.write_due(store, plan, NOW + written_reports.LEASE)) == 2


def test_a_report_that_cannot_be_made_says_why_and_keeps_no_other_from_being_written(
    sqlite_store: Store, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = reports.export

    def broken(report: Report, form: str) -> tuple[str, bytes]:
        if form == "html":
            raise KeyError("somebody's words")
        return export(report, form)

    with monkeypatch.context() as patched:
        patched.setattr(reports, "export", broken)
        assert [path.suffix for path in reports.write_due(sqlite_store, plan, NOW)] == [".md"]
    with sqlite_store.reading() as connection:
        told = {each.slot: each.failure for each in written_reports.listed(connection)}
    assert told == {"2026-10.html": "it could not be made: KeyError", "2026-10.md": None}
    later = NOW + written_reports.LEASE
    assert [path.suffix for path in reports.write_due(sqlite_store, plan, later)] == [".html"]


def test_periods_that_were_missed_are_written_up_to_a_bound(sqlite_store: Store, plan: Plan) -> None:
    plan = replace(plan, forms=("md",))

    def written(year: int, month: int) -> list[str]:
        found = reports.write_due(sqlite_store, plan, datetime(year, month, 2, tzinfo=UTC))
        return [path.stem.removeprefix("barograph-report-") for path in found]

    assert written(2026, 8) == ["2026-07"], "nothing from before the schedule began"
    assert written(2026, 11) == ["2026-08", "2026-09", "2026-10"]
    assert written(2028, 6) == [f"2027-{n:02}" for n in range(6, 13)] + [f"2028-{n:02}" for n in range(1, 6)]
    assert written(2028, 6) == []
    plan = replace(plan, forms=("md", "html"))
    assert written(2028, 6) == ["2028-05"], "a new format begins with the last period"


def test_nobody_ever_sees_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports.put(tmp_path, "report.md", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="space"):
        reports.put(tmp_path, "report.md", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert (tmp_path / "report.md").read_bytes() == b"old"


@pytest.fixture
def service(barograph: StartBarograph, tmp_path: Path) -> Barograph:
    return barograph(settings={"REPORT_DIR": str(tmp_path / "out")})


def test_reports_over_http(service: Barograph) -> None:
    for form, magic in (("pdf", b"%PDF"), ("html", b"<!doctype html"), ("docx", b"PK"), ("md", b"# Incidents")):
        answer = service.get(f"/api/v1/report.{form}?period=2026-Q3&tz=Europe/London")
        assert (answer.status, answer.body.lstrip()[: len(magic)]) == (200, magic)
        assert "report-2026-q3" in answer.headers["Content-Disposition"]
    for query in ("period=never", "from=2026-01-01", "from=2026-02-30&to=2026-03-01", "site=nowhere", "tz=Mars"):
        assert service.get(f"/api/v1/report.pdf?{query}").status == 400
    assert service.get("/api/v1/report.exe").status == 404
    assert service.get("/report/file?format=html&period=2026-10").headers["Location"].startswith("/api/v1/report.html?")
    page = service.get("/report").body.decode()
    assert "Make the report" in page
    assert "every month" in page


def test_a_store_can_be_closed_while_nothing_is_due(sqlite_url: str, plan: Plan) -> None:
    with closing(Store(sqlite_url)) as store:
        store.migrate()
        assert len(reports.write_due(store, plan, NOW)) == 2
