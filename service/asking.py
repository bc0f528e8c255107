"""What a request asks: its query, its body, its cursor, who asks; and the way from a handler to the store and back."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from zoneinfo import available_timezones

import orjson
import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from incidents import clock_words, privacy
from incidents.acts import Acting
from incidents.entries import INCIDENT, Changes
from incidents.model import Site
from incidents.privacy import ALL, STRANGER, Asker
from incidents.pulses import pulse
from incidents.refusals import NotFoundError
from incidents.tables import instant, micros
from service import clock
from service.identity.access import Identity
from service.keys import CONFIG, HUB, IDENTITY, PROVED, READERS, STANDBY, STORE, WORKER
from service.standby import Standby

T = TypeVar("T")
MOST_LISTED = 500
BODY_SECONDS = 10.0
ENDS = ("to", "until")
"""The parameters that end a window: what is rounded there goes to the end of its unit."""
ASKED_AT = "asked_at"
PRESENT = ("/metrics", "/shared/", "/jobs/")
"""What is to be as it stands now: figures that alarms are raised by, and what may be taken from its asker again."""
WROTE_COOKIE = "barograph_wrote"
"""When a browser last changed something: until the standby shows it, that browser is served by the database itself."""
CLOCKS_APART = timedelta(seconds=1)
"""By how much the clocks of two processes may differ."""
DRAWN = ("/export.", "/figure", "/timeline", "/postmortem.", "/bundle", "/grafana/")
"""Parts of the API's paths whose answers are looked at, not acted on: those alone are read from the standby."""


class AskingError(ValueError):
    """A request that cannot be used; the message names the parameter or field."""


class RoleError(Exception):
    """Whoever asks may not do it; the message names the role that may."""


def identity(request: web.Request) -> Identity:
    """Who asks; the route's role was checked before."""
    return request[IDENTITY]


def asker_of(request: web.Request) -> Asker:
    """To whom what is read is shown. Whoever is not known is a stranger, unless a shared link was shown."""
    if PROVED in request:
        return ALL
    who = request.get(IDENTITY)
    return asker_for(who) if who else STRANGER


def asker_for(who: Identity) -> Asker:
    """The names under which a private incident may be shown to somebody; an admin sees every one."""
    if who.role == "admin":
        return ALL
    return Asker(frozenset({who.actor, *(f"group:{name}" for name in who.groups)}))


async def read(request: web.Request, query: Callable[[sa.Connection], T]) -> T:
    """Run a query in a read transaction on the thread pool, in which what is private to others is not there.

    It runs on the standby where there is one and it will do.
    """
    store, standby, asker = request.app[STORE], request.app[STANDBY], asker_of(request)
    chosen = standby if standby and _may_be_late(request, standby) else None

    def run() -> T:
        if chosen:
            try:
                with chosen.reading(asker) as connection:
                    return query(connection)
            except SQLAlchemyError as error:
                if not chosen.gave_up(error):
                    raise
        with store.reading(asker) as connection:
            return query(connection)

    return await asyncio.get_running_loop().run_in_executor(request.app[READERS], run)


def _may_be_late(request: web.Request, standby: Standby) -> bool:
    """Whether a request may be shown what stood some seconds ago: nobody is, of what he changed himself."""
    if request.method not in ("GET", "HEAD"):
        return False
    if request.path.startswith("/api/") and not any(part in request.path for part in DRAWN):
        return False
    if request.path.startswith(PRESENT):
        return False
    wrote = request.cookies.get(WROTE_COOKIE, "")
    if not (wrote.isascii() and wrote.isdecimal() and len(wrote) < 18):
        return True
    return standby.has(instant(int(wrote)) + CLOCKS_APART)


def note_write(request: web.Request, answer: web.StreamResponse) -> None:
    """Let a browser that has changed something bear when."""
    if request.app[STANDBY] and request.method not in ("GET", "HEAD") and answer.status < 400 and not answer.prepared:
        answer.set_cookie(WROTE_COOKIE, str(micros(clock.now())), max_age=300, httponly=True, samesite="Lax", path="/")


async def write(request: web.Request, deed: Callable[[sa.Connection], T]) -> T:
    """Run what writes in a transaction of its own on the thread pool; 404 for an incident that is private to others."""
    store, asker, name = request.app[STORE], asker_of(request), request.match_info.get("incident")

    def run() -> T:
        with store.writing() as connection:
            _let_in(connection, asker, name)
            return deed(connection)

    return await compute(request, run)


def _let_in(connection: sa.Connection, asker: Asker, incident: str | None) -> None:
    """Raises NotFoundError, in the same words for an incident that there is not and for one that is hidden."""
    if incident is None:
        return
    known = connection.execute(sa.select(INCIDENT.c.id).where(INCIDENT.c.id == incident)).first()
    if known is None or not privacy.sees(connection, asker, incident):
        raise no_incident(incident)


def no_incident(name: str) -> NotFoundError:
    """What is told of an incident that there is not, or not for this asker: the same."""
    return NotFoundError(f"there is no incident {name[:80]}")


async def compute(request: web.Request, work: Callable[[], T]) -> T:
    """Run what takes more than a few milliseconds on the thread pool."""
    return await asyncio.get_running_loop().run_in_executor(request.app[READERS], work)


async def act(request: web.Request, deed: Callable[[Acting], T], *, is_told: bool = True) -> T:
    """Let somebody act, in one write transaction that streams are told of unless nothing they show changes."""
    store, config, who = request.app[STORE], request.app[CONFIG].now, identity(request)

    def run() -> T:
        now = clock.now()
        with store.writing() as connection:
            asker = asker_for(who)
            _let_in(connection, asker, request.match_info.get("incident"))
            changes = Changes(store, connection, now, destinations=config.destinations)
            acting = Acting(config, changes, who.actor, asker)
            done = deed(acting)
            topics = (
                [f"incident:{request.match_info['incident']}"] if "incident" in request.match_info else ["incidents"]
            )
            if is_told:
                pulse(store, connection, topics, now)
        return done

    done = await asyncio.get_running_loop().run_in_executor(request.app[READERS], run)
    request.app[HUB].notify()
    request.app[WORKER].wake.set()
    return done


async def body_of(request: web.Request) -> Any:  # noqa: ANN401  # JSON
    """The request's JSON. Raises AskingError for anything else."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await request.read()
    except TimeoutError:
        raise AskingError("the body did not arrive in time") from None
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise AskingError("Content-Encoding: bodies of the API are not compressed")
    try:
        return orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError as error:
        raise AskingError(f"the body is not JSON: {error}") from None


async def fields_of(request: web.Request) -> Mapping[str, Any]:
    """The request's JSON object."""
    value = await body_of(request)
    if not isinstance(value, dict):
        raise AskingError("the body: a JSON object is expected")
    return value


def limit_of(request: web.Request, default: int = 100) -> int:
    """How many items a page may hold."""
    text = request.query.get("limit")
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= MOST_LISTED:
        raise AskingError(f"limit: a number from 1 to {MOST_LISTED} is expected")
    return int(text)


def instant_of(request: web.Request, name: str, zone: str | None = None) -> datetime | None:
    """An instant of the query, in the grammar of `clock_words`; None where it is absent.

    Zoneless times and rounding are those of `zone`, else of the query's `tz`, else UTC; `to` and `until` end a window.
    """
    text = request.query.get(name)
    if not text or text == "0":  # Grafana's word for the beginning of all
        return None
    # A plus sign that was not encoded arrives as a space.
    text = text.replace(" ", "+") if text[10:11] == "T" or clock_words.is_relative(text) else text
    zone = zone or zone_of(request) or "UTC"
    try:
        return clock_words.read(text, now=asked_at(request), zone=zone, end=name in ENDS)
    except ValueError as error:
        raise AskingError(f"{name}: {error}") from None


def asked_at(request: web.Request) -> datetime:
    """The `now` of a request: the same for both ends of its window."""
    at: datetime | None = request.get(ASKED_AT)
    if at is None:
        at = request[ASKED_AT] = clock.now()
    return at


@cache
def zones() -> frozenset[str]:
    """The names of all time zones, looked up once: it takes some 15 ms of reading folders."""
    return frozenset(available_timezones())


def zone_of(request: web.Request) -> str | None:
    """The time zone that the query asks for."""
    zone = request.query.get("tz")
    if zone is None:
        return None
    if zone not in zones():
        raise AskingError(f"tz: {zone[:60]!r} is not a time zone of the IANA database")
    return zone


def site_of(request: web.Request) -> Site | None:
    """The site that the query asks for; None where it asks for none."""
    name = request.query.get("site")
    if not name:
        return None
    found = request.app[CONFIG].now.site(name)
    if found is None:
        raise AskingError(f"site: {name[:60]!r} is not configured")
    return found


def choice_of(request: web.Request, name: str, choices: tuple[str, ...], default: str) -> str:
    """One of several words of the query."""
    word = request.query.get(name, default)
    if word not in choices:
        raise AskingError(f"{name}: one of {', '.join(choices)} is expected")
    return word


def cursor_text(*parts: str | int) -> str:
    """A cursor from what the next page starts after."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def cursor_of(request: web.Request, *kinds: type) -> list[Any] | None:
    """The parts of the query's cursor; None where there is none. Raises AskingError for one that is not ours."""
    text = request.query.get("cursor")
    if not text:
        return None
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        parts = None
    if (
        not isinstance(parts, list)
        or len(parts) != len(kinds)
        or not all(isinstance(p, k) for p, k in zip(parts, kinds, strict=True))
        or any(isinstance(p, int) and abs(p) >= 1 << 63 for p in parts)
    ):
        raise AskingError("cursor: is not one of this list")
    return parts


def answer(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:  # noqa: ANN401
    """A JSON response."""
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json", headers=headers)


def page(items: list[Any], following: str | None) -> web.Response:
    """A page of a list."""
    return answer({"items": items, "next": following})


def if_match(request: web.Request, prefix: str, *, of: str) -> int | None:
    """The number in the ETag of If-Match, which `prefix` begins ("v7"); None for `*`.

    Raises KeyError where the header is missing, AskingError where it is no ETag of what it is sent for (`of`).
    """
    text = request.headers["If-Match"].strip()
    if text == "*":
        return None
    number = text.removeprefix("W/").strip('"').removeprefix(prefix)
    if not (number.isascii() and number.isdecimal()):
        raise AskingError(f"If-Match: an ETag of this {of} or * is expected")
    return int(number[:18])
