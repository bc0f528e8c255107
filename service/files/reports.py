"""Reports of periods: read from the store, written as files, and put into a folder by the schedule."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from dashboards import period, typeset, wordfile, writings
from dashboards.blocks import Document
from dashboards.period import Report
from incidents import configured, periods, written_reports
from incidents.config import Config
from incidents.model import Site
from incidents.periods import Every, Period
from incidents.privacy import ALL, STRANGER, Asker
from incidents.store import Store
from incidents.views.review import ReviewAsked, count_opened, read_review
from incidents.views.series import source_credit
from incidents.views.unknowns import read_unknowns
from service.files.job_process import Desk, Made

log = logging.getLogger(__name__)

KINDS = {
    "pdf": "application/pdf",
    "html": "text/html",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "md": "text/markdown",
}
MOST_HERE = 50
"""Incidents of a period up to which its report is made in the service's own process."""
MOST_LATE = 12
"""How many periods the schedule writes at most of those that have ended: older ones that were missed stay unwritten."""
REMEMBERED = 60
"""How many periods back the schedule looks whether it had begun."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked for: a period in a zone, and the site or provider that it is to be about."""

    period: Period
    zone: str
    site: Site | None = None
    provider: str = ""
    address: str = ""


def read(connection: sa.Connection, config: Config, wanted: Wanted, now: datetime) -> Report:
    """Everything that the report says, as known now."""
    since, until = wanted.period.since, wanted.period.until
    seen = read_review(connection, config, _asked(wanted, now))
    if wanted.provider:
        seen = period.of_provider(seen, wanted.provider)
    unknowns = read_unknowns(connection, config, since, max(since, min(until, now)))
    if wanted.site:
        unknowns = replace(
            unknowns, gaps=tuple(g for g in unknowns.gaps if g.sites is None or wanted.site.name in g.sites)
        )
    return Report(wanted.period, seen, unknowns, wanted.provider, credits_in(config), wanted.address)


def _asked(wanted: Wanted, now: datetime) -> ReviewAsked:
    period = wanted.period
    return ReviewAsked(now=now, since=period.since, until=period.until, zone=wanted.zone, site=wanted.site)


def is_long(connection: sa.Connection, wanted: Wanted, now: datetime) -> bool:
    """Whether it takes so long to make that senders would have to wait for it."""
    return count_opened(connection, _asked(wanted, now)) > MOST_HERE


@dataclass(frozen=True, slots=True)
class Asking:
    """The file of a report that somebody asked for, when, and who it was."""

    wanted: Wanted
    form: str
    now: datetime
    asker: Asker = ALL


def make(asking: Asking, desk: Desk) -> Made:
    """The work of a job: a report as a file."""
    return desk.make(
        asking.asker,
        lambda connection, config: read(connection, config, asking.wanted, asking.now),
        lambda found: Made(*export(found, asking.form)),
    )


def credits_in(config: Config) -> tuple[str, ...]:
    """Whom to name beneath what may rest on anything that the sources say."""
    return tuple(sorted({line for source in config.sources if (line := source_credit(config, source.name))}))


def export(report: Report, form: str) -> tuple[str, str, bytes]:
    """The file's name, its media type and its bytes."""
    document = period.compose(report)
    return f"{_name(document)}.{form}", KINDS[form], _content(document, form)


def _name(document: Document) -> str:
    return "barograph-" + re.sub(r"[^a-z0-9-]+", "-", document.name.lower())


def _content(document: Document, form: str) -> bytes:
    if form == "pdf":
        return typeset.pdf(document)
    if form == "docx":
        return wordfile.docx(document)
    return (writings.html(document, kind="report") if form == "html" else writings.markdown(document)).encode()


# --- the schedule ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """What the schedule writes: into which folder, how often, as what, and by whose days."""

    folder: Path
    every: Every
    forms: tuple[str, ...]
    zone: str
    address: str = ""


def write_due(store: Store, plan: Plan, now: datetime) -> list[Path]:
    """Write the whole periods that are due, in each format that no process has written yet; the paths of the files."""
    found = [
        _write_one(store, plan, Wanted(one, plan.zone, address=plan.address), form, now)
        for one, form in _due(store, plan, now)
    ]
    return [path for path in found if path]


def _due(store: Store, plan: Plan, now: datetime) -> list[tuple[Period, str]]:
    """The last period, and those before it that were missed since the schedule began; the oldest first."""
    latest = periods.latest(plan.every, plan.zone, now, REMEMBERED)
    with store.reading() as connection:
        known = written_reports.known(connection, [_slot(one, form) for one in latest for form in plan.forms])
    due = []
    for form in plan.forms:
        begun = max((n for n, one in enumerate(latest) if _slot(one, form) in known), default=0)
        due += [(one, form) for one in latest[: min(begun + 1, MOST_LATE)] if not known.get(_slot(one, form))]
    return sorted(due, key=lambda each: each[0].since)


def _slot(one: Period, form: str) -> str:
    return f"{one.name}.{form}"


def _write_one(store: Store, plan: Plan, wanted: Wanted, form: str, now: datetime) -> Path | None:
    slot = _slot(wanted.period, form)
    with store.reading() as connection:
        if not written_reports.is_free(connection, slot, now):
            return None
    with store.writing() as connection:
        if not written_reports.claim(connection, slot, now):
            return None
    try:
        # A file in a folder is for everybody: it tells of nothing private.
        with store.reading(STRANGER) as connection:
            config = configured.load(connection)
            report = read(connection, config, wanted, now)
        name, _, content = export(report, form)
        path = put(plan.folder, name, content)
    except Exception as error:  # noqa: BLE001  # a job boundary: the slot tells why, and the other slots are written
        if isinstance(error, OSError):
            reason = f"{plan.folder}: {error.strerror or error}"
        else:  # a fault of ours, or the database's; the text could hold a person's words, the type must do
            reason = f"it could not be made: {type(error).__name__}"
        with store.writing() as connection:
            written_reports.fail(connection, slot, now, reason)
        log.warning("report %s: %s", slot, reason)
        return None
    with store.writing() as connection:
        told = hashlib.sha256(content).hexdigest()
        written_reports.finish(connection, slot, now, name, told)
    log.info("report %s is written", path)
    return path


def put(folder: Path, name: str, content: bytes) -> Path:
    """Write a file so that nobody ever sees half of it: beside its place, to the disk, then into its place."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(0o644)
        Path(beside).replace(folder / name)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return folder / name
