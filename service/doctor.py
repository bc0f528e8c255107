"""The doctor: looks at everything an operator can get wrong, changes nothing, and says for each finding what to do."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

import dashboards
from incidents import configured, schema
from incidents.adapters import adapters
from incidents.config import Config, ConfigError
from incidents.feeds import recovery
from incidents.feeds.health import feed_health
from incidents.proofs.repeats import REPEATED
from incidents.store import Store
from incidents.views import condition
from service import clock, durability
from service.apply import config_in, read_file
from service.identity.access import KEY
from service.settings import Settings

LEAST_ROOM = 1024**3
LATE = timedelta(minutes=1)
OFF = timedelta(seconds=2)
"""How far the clocks of the database and of this machine may be apart."""
MOST_CHECKED_BYTES = 256 * 1024**2
"""A SQLite file up to this size is read whole to see whether it is sound."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at and how it is. `advice` says what to do about a warning or a failure."""

    level: Literal["ok", "warning", "failure"]
    check: str
    text: str
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        """For `--json`."""
        return asdict(self)


Findings = Iterator[Finding]


def examine(settings: Settings) -> Findings:
    """Every finding, from what everything rests on to what merely should be looked at."""
    yield from _files(settings)
    yield from _configuration(settings)
    yield from _fonts()
    yield from _outbound(settings)
    yield from _disk(settings)
    path = _database_file(settings)
    if path is not None and not path.exists():
        yield Finding(
            "warning", "database", "there is no database yet", "`barograph serve` or `barograph migrate` makes it"
        )
        return
    with closing(Store(settings.database_url, readers=1)) as store:
        try:
            yield from _database(store)
            yield from _record(store)
        except (SQLAlchemyError, OSError) as error:
            text = f"the database does not answer: {type(error).__name__}"
            yield Finding(
                "failure", "database", text, "see that it runs, and that DATABASE_URL and its password are right"
            )


def _database_file(settings: Settings) -> Path | None:
    url = settings.database_url
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def _files(settings: Settings) -> Findings:
    folder = settings.data_dir
    if not folder.exists():
        yield Finding("warning", "files", f"{folder} is not there yet", "`barograph serve` makes it")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("failure", "files", f"{folder} cannot be written", "give it to the user that runs Barograph")
    private = [folder / "secret.key", *settings.files.values()]
    database = _database_file(settings)
    private += [database] if database else []
    private += [settings.config] if settings.config and _holds_secrets(settings.config) else []
    bare = [path for path in private if path.exists() and _is_open(path) and _is_open(path.parent)]
    for path in bare:
        mode = stat.S_IMODE(path.stat().st_mode)
        grave = bool(mode & stat.S_IROTH)
        text = f"{path} may be read by {'anybody' if grave else 'its group'} ({mode:04o})"
        yield Finding(
            "failure" if grave and path.name == "secret.key" else "warning", "files", text, f"chmod 600 {path}"
        )
    if not bare:
        yield Finding("ok", "files", "what holds secrets is its owner's alone")


def _is_open(path: Path) -> bool:
    """Whether others have rights to it; in a folder that only its owner may enter, a file's own mode lets nobody in."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _holds_secrets(path: Path) -> bool:
    try:
        found = read_file(path).get("sources", [])
    except ConfigError:
        return False
    return any(isinstance(row, dict) and ("key" in row or "secret" in row) for row in found)


def _configuration(settings: Settings) -> Findings:
    if settings.config is None:
        yield Finding("ok", "configuration", "no file is given")
        return
    try:
        config = config_in(settings.config)
    except ConfigError as error:
        yield Finding(
            "failure", "configuration", str(error), "mend the file; `barograph apply --dry-run` shows what it does"
        )
        return
    yield Finding(
        "ok", "configuration", f"{len(config.sites)} sites, {len(config.sources)} sources, {len(config.rules)} rules"
    )


def _fonts() -> Findings:
    fonts = list((Path(dashboards.__file__).parent / "fonts").glob("*.ttf"))
    if len(fonts) < 3:
        yield Finding("failure", "fonts", "the fonts of exports are missing", "install the package anew: it ships them")
    else:
        yield Finding("ok", "fonts", f"{len(fonts)} fonts for exports")


def _outbound(settings: Settings) -> Findings:
    if not settings.poll_feeds:
        yield Finding("ok", "outbound", "POLL_FEEDS is false: no feed is asked")
        return
    if not settings.outbound_proxy:
        yield Finding("ok", "outbound", "feeds are asked without a proxy")
        return
    proxy = urlsplit(settings.outbound_proxy)
    try:
        with socket.create_connection((proxy.hostname or "", proxy.port or 80), timeout=3):
            yield Finding("ok", "outbound", "the proxy answers")
    except OSError as error:
        text = f"the proxy of OUTBOUND_PROXY does not answer: {type(error).__name__}"
        yield Finding("failure", "outbound", text, "see that it runs and that its host and port are right")


def _disk(settings: Settings) -> Findings:
    database = _database_file(settings)
    folder = next((p for p in ((database.parent if database else settings.data_dir), Path()) if p.exists()), Path())
    usage = shutil.disk_usage(folder)
    text = f"{usage.free / 1024**3:.1f} GiB of {usage.total / 1024**3:.1f} GiB are free where the record grows"
    if usage.free < LEAST_ROOM:
        advice = "make room: a full disk turns every delivery away until there is some"
        yield Finding("failure" if usage.free < LEAST_ROOM // 10 else "warning", "disk", text, advice)
    else:
        yield Finding("ok", "disk", text)


def _database(store: Store) -> Findings:
    told = store.durability()
    for fault in durability.faults(told):
        yield Finding("failure", "durability", fault, "set it back: an acknowledgement is a promise")
    for doubt in durability.doubts(told):
        yield Finding("warning", "durability", doubt, "keep it so only where the file system never tears a page")
    if not durability.faults(told):
        yield Finding("ok", "durability", ", ".join(f"{name} {value}" for name, value in told.items()))
    with store.reading() as connection:
        yield from _clock(connection, store)
        if store.is_sqlite and Path(store.url.database or "").stat().st_size <= MOST_CHECKED_BYTES:
            said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if said != "ok":
                yield Finding("failure", "database", f"the file is damaged: {said}", "restore it from a backup")


def _clock(connection: sa.Connection, store: Store) -> Findings:
    now = clock.now()
    if not store.is_sqlite:
        theirs: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        apart = abs(theirs - now)
        if apart > OFF:
            text = f"the database's clock and this machine's are {apart.total_seconds():.0f} s apart"
            yield Finding("warning", "clock", text, "let both follow a time server")
            return
    yield Finding("ok", "clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _record(store: Store) -> Findings:
    wanted = schema.newest()
    with store.reading() as connection:
        found = schema.revision(connection)
        if found != wanted:
            older = found is None or found < wanted
            text = f"the tables are at revision {found or 'none'}, this version wants {wanted}"
            advice = "`barograph migrate`, after a backup" if older else "run the version that made them"
            yield Finding("failure", "schema", text, advice)
            return
        yield Finding("ok", "schema", f"the tables are at revision {found}")
        now, config = clock.now(), configured.load(connection)
        if schema.is_refill_due(connection):
            yield Finding("warning", "schema", "the caches are due to be folded anew", "the next start does it")
        looks: Iterable[Callable[[sa.Connection, Config, datetime], Findings]] = (
            _backlog,
            _senders,
            _feeds,
            _recoveries,
            _quarantine,
        )
        for look in looks:
            yield from look(connection, config, now)


def _backlog(connection: sa.Connection, _config: Config, now: datetime) -> Findings:
    waiting = condition.backlog(connection)
    if waiting.oldest_at and now - waiting.oldest_at > LATE:
        text = f"{waiting.count} deliveries wait to be read, the oldest for {waiting.age_seconds(now):.0f} s"
        yield Finding("warning", "backlog", text, "see that `barograph serve` runs, and what its log says")
    else:
        yield Finding("ok", "backlog", "nothing has waited long to be read")


def _senders(connection: sa.Connection, config: Config, now: datetime) -> Findings:
    live = KEY.c.revoked_at.is_(None) & (KEY.c.expires_at.is_(None) | (KEY.c.expires_at > now))
    keyed = set(connection.execute(sa.select(KEY.c.source).where(live, KEY.c.kind == "ingest")).scalars())
    names = [s.name for s in config.sources if (a := adapters().get(s.adapter)) and a.kind == "webhook"]
    heard, refused = condition.last_received(connection, names), condition.refused(connection)
    silent = 0
    for name in names:
        turned_away = sum(n for (source, why), n in refused.items() if source == name and why != REPEATED)
        if name in heard:
            continue
        silent += 1
        if turned_away:
            text = f"{name} was never heard, and was turned away {turned_away} times"
            yield Finding("warning", "sources", text, f"its key or signature is wrong: /sources/{name} has the reason")
        elif name in keyed:
            text = f"{name} has a key that nobody has used"
            yield Finding("warning", "sources", text, f"connect it as /sources/{name} says, or revoke the key")
        else:
            text = f"{name} has no key and was never heard"
            yield Finding("warning", "sources", text, f"`barograph key create {name}`, unless it signs")
    if not silent:
        yield Finding("ok", "sources", f"all {len(names)} senders were heard")


def _feeds(connection: sa.Connection, config: Config, now: datetime) -> Findings:
    feeds = feed_health(connection, config, configured.owners(connection), now)
    stale = {name: feed for name, feed in feeds.items() if feed.stale_since is not None}
    for name, feed in stale.items():
        text = f"{name} is stale since {feed.stale_since:%Y-%m-%d %H:%M} UTC: {feed.error or 'it was not asked'}"
        yield Finding("warning", "feeds", text, f"/sources/{name} says what was asked; see proxy and firewall")
    for name, feed in feeds.items():
        if feed.why_unasked:
            yield Finding("warning", "feeds", f"{name}: {feed.why_unasked}", "see that `barograph serve` runs")
    if not stale:
        yield Finding("ok", "feeds", f"{len(feeds)} feeds, none stale")


def _recoveries(connection: sa.Connection, _config: Config, _now: datetime) -> Findings:
    for row in recovery.waiting(connection):
        window = f"from {row.gap_since:%Y-%m-%d %H:%M} to {row.gap_until:%Y-%m-%d %H:%M} UTC"
        text = f"what {row.source} could not deliver {window} is not recovered: {row.error or 'it was not asked'}"
        yield Finding("warning", "recovery", text, "see that its `prometheus` is right and may be reached")


def _quarantine(connection: sa.Connection, _config: Config, _now: datetime) -> Findings:
    found = condition.quarantined(connection)
    for source, count in sorted(found.items()):
        text = f"{count} deliveries of {source} could not be read"
        yield Finding("warning", "quarantine", text, f"/deliveries?state=quarantined&source={source} has the reasons")
    if not found:
        yield Finding("ok", "quarantine", "everything that arrived could be read")


def worst(findings: Iterable[Finding]) -> int:
    """The exit code: 1 where something fails."""
    return int(any(finding.level == "failure" for finding in findings))


def summary(findings: Iterable[Finding]) -> dict[str, Any]:
    """How many of each level."""
    levels = [finding.level for finding in findings]
    return {level: levels.count(level) for level in ("failure", "warning", "ok")}
