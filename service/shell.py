"""The one middleware: who asks, what they may, how errors are told, which headers every answer carries."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from aiohttp import web
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from dashboards.pages import error_page
from dashboards.typeface import FontsError
from incidents.refusals import ConflictError, NotFoundError
from incidents.store import is_too_long
from incidents.views.view import Viewer
from service.asking import RoleError, note_write
from service.auditing import AUDITING
from service.files.browser import FailedError
from service.files.job_line import JobError
from service.files.jobs import BusyError
from service.identity import key_texts
from service.identity.access import Identity, Role
from service.identity.addresses import client, grouped, is_within, networks
from service.intake.inbox import key_of, whose
from service.keys import ACCESS, IDENTITY, RATES, SETTINGS, TRACING
from service.log import REQUEST, request_id_of
from service.pages.viewing import viewer_for
from service.problem import problem

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SESSION_COOKIE = "barograph_session"
SERVER = "Barograph"
"""All that answers tell of the program: versions of what we run on are nobody's business."""
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
TITLES = {
    400: "That cannot be used",
    403: "Not with this role",
    404: "Nothing here",
    405: "Not in this way",
    409: "Not now",
    413: "Too large",
    500: "It failed",
    503: "Not at this moment",
}
_REFUSALS: dict[type[Exception], tuple[str, int]] = {
    NotFoundError: ("not-found", 404),
    ConflictError: ("conflict", 409),
    BusyError: ("overloaded", 503),
    RoleError: ("forbidden", 403),
    FailedError: ("not-drawn", 503),
    JobError: ("not-made", 500),
    FontsError: ("not-made", 500),
    ValueError: ("bad-request", 400),
}
"""Errors whose words are for the person, with the problem that tells them."""
REFUSED = tuple(_REFUSALS)
UNPACED_PATHS = ("/livez", "/readyz", "/static/", "/favicon.ico", "/metrics")
"""What is asked by machines of the house, or costs nothing."""
OPEN_PATHS = ("/livez", "/readyz", "/static/", "/sign-in", "/favicon.ico", "/shared/")


@web.middleware
async def shell(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Wrap every handler; the inbox has its own door and its own answers."""
    tracing = request.app.get(TRACING)
    if tracing is None or not tracing.is_on:
        return await _answered(request, handler)
    what = f"{request.method} {route_of(request)}"
    about = {"http__request__method": request.method, "http__route": route_of(request)}
    with tracing.span(what, headers=_trace_context(request), **about) as span:
        answer = await _answered(request, handler)
        span.note(http__response__status_code=answer.status)
        return answer


def _trace_context(request: web.Request) -> dict[str, str]:
    return {name: request.headers[name] for name in ("traceparent", "tracestate") if name in request.headers}


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    path = request.path
    if path.startswith("/in/"):
        return await told(request, handler)
    named = request_id_of(request.headers.get("X-Request-Id"))
    # Each request of aiohttp's is answered in a context that its connection keeps: what is set here is taken back.
    token = REQUEST.set(named)
    try:
        return await _headed(request, handler, path, named)
    finally:
        REQUEST.reset(token)


async def _headed(request: web.Request, handler: Handler, path: str, named: str) -> web.StreamResponse:
    request = _from_its_client(request)
    is_open = path.startswith(OPEN_PATHS) or (path == "/metrics" and request.app[SETTINGS].open_metrics)
    answer = await told(request, _paced(handler) if is_open else _behind_the_door(handler))
    note_write(request, answer)
    if not answer.prepared:
        head(path, answer, named)
    return answer


def head(path: str, answer: web.StreamResponse, named: str) -> None:
    """Give an answer the headers of every answer, those it brings kept; what is sent in pieces asks for them itself."""
    own = answer.headers.get("Content-Security-Policy", CSP)
    answer.headers["X-Request-Id"] = named
    for name, value in HEADERS.items():
        # It knows no list of origins: beside a policy that lets some frame a page it would say the contrary.
        if name != "X-Frame-Options" or "frame-ancestors 'none'" in own or "frame-ancestors" not in own:
            answer.headers.setdefault(name, value)
    if not path.startswith("/static/"):
        answer.headers.setdefault("Cache-Control", "no-store")


def _from_its_client(request: web.Request) -> web.Request:
    """The request as it came to a proxy of ours: from whom, and whether by https. Others' word is not heard."""
    if not (trusted := request.app[SETTINGS].trusted_proxies):
        return request
    proxies = networks(trusted)
    if not is_within(request.remote, proxies):
        return request
    scheme = request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip()
    return request.clone(
        remote=client(request.remote, ",".join(request.headers.getall("X-Forwarded-For", [])), proxies) or "",
        scheme=scheme if scheme in ("http", "https") else request.scheme,
    )


def _paced(handler: Handler) -> Handler:
    """Open to all, at a rate by address."""

    async def admitted(request: web.Request) -> web.StreamResponse:
        if not request.path.startswith(UNPACED_PATHS):
            pause = request.app[RATES].take(grouped(request.remote), time.monotonic())
            if pause:
                return _too_fast(request, None, pause)
        return await handler(request)

    return admitted


def _pause(request: web.Request, who: Identity | None) -> float:
    """Seconds until this one may ask again, 0 where at once; strangers are counted by address.

    The token of the settings has no limit: what runs the house by it must not be kept out by what it does.
    """
    if who is None:
        return request.app[RATES].take(grouped(request.remote), time.monotonic())
    return 0.0 if who.is_of_settings else request.app[RATES].take(who.key, time.monotonic())


def _too_fast(request: web.Request, who: Identity | None, pause: float) -> web.StreamResponse:
    actor = who.actor if who else "nobody"
    request.app[AUDITING].note("rate_limited", actor, "requests", request.remote)
    seconds = str(max(1, math.ceil(pause)))
    again = {"Retry-After": seconds}
    detail = f"more than {request.app[SETTINGS].requests_per_minute} requests a minute; come back in {seconds} s"
    if request.path.startswith(("/api/", "/metrics")):
        return problem("too-many-requests", detail, headers=again)
    viewer = viewer_for(request, who) if who and who.role != "ingest" else None
    answer = page_error(429, "Too fast", f"{detail[0].upper()}{detail[1:]}.", viewer=viewer)
    answer.headers.update(again)
    return answer


def _behind_the_door(handler: Handler) -> Handler:
    async def admitted(request: web.Request) -> web.StreamResponse:
        if pause := _stranger_owes(request):
            return _too_fast(request, None, pause)
        who = await identify(request)
        if pause := _pause(request, who):
            return _too_fast(request, who, pause)
        refusal = _barred(request, who)
        if refusal is not None:
            return refusal
        if who:
            request[IDENTITY] = who
        return await handler(request)

    return admitted


def is_secure(request: web.Request) -> bool:
    """Whether cookies of this service travel by https alone."""
    return request.secure or request.app[SETTINGS].public_url.startswith("https://")


def cookie_name(request: web.Request, name: str, *, path: str = "/") -> str:
    """A cookie's name here: by https one that browsers take from nobody who spoke plain HTTP, or for a neighbour."""
    return name if not is_secure(request) else f"__Host-{name}" if path == "/" else f"__Secure-{name}"


def _stranger_owes(request: web.Request) -> float:
    """Seconds that this address owes, where it shows no key that is known: its guesses are not even looked up."""
    pause = request.app[RATES].owed(grouped(request.remote), time.monotonic())
    if not pause:
        return 0.0
    key = key_of(request) or request.cookies.get(cookie_name(request, SESSION_COOKIE))
    return 0.0 if key and request.app[ACCESS].recall(key) else pause


async def identify(request: web.Request) -> Identity | None:
    """Who asks: by a token in the request, else by the session's cookie."""
    key = key_of(request)
    by_cookie = key is None
    if key is None:
        key = request.cookies.get(cookie_name(request, SESSION_COOKIE))
    if not key:
        return None
    found = await whose(request, key)
    if found is None or found.kind == "sign_in" or (found.kind == "session") != by_cookie:
        return None
    return found


def _barred(request: web.Request, who: Identity | None) -> web.StreamResponse | None:
    """The refusal, before anything is looked up; None when the role is enough."""
    resource = request.match_info.route.resource
    least: Role = getattr(resource, "least_role", {}).get(request.method, "viewer") if resource else "viewer"
    is_api = request.path.startswith(("/api/", "/metrics"))
    if who is None:
        if is_api:
            return _not_signed_in(request)
        return web.HTTPSeeOther(f"/sign-in?next={quote(request.path_qs, safe='')}")
    if who.lacks_factor and not _is_of_account(request.path):
        if is_api:
            return problem("forbidden", "this account must set up a second factor at /account first")
        return web.HTTPSeeOther("/account")
    if who.role == "ingest" or not who.may(least):
        what = f"{request.method} {route_of(request)}"
        request.app[AUDITING].note("role_refused", who.actor, what, request.remote, role=who.role, least=least)
        if is_api:
            return problem("forbidden", f"the role {least} or above is needed")
        viewer = None if who.role == "ingest" else viewer_for(request, who)
        return page_error(403, "Not for this role", f"The role {least} or above is needed.", viewer=viewer)
    if is_api and who.kind == "session" and request.method not in ("GET", "HEAD"):
        return problem("forbidden", "changes through the API need a token; a session's cookie only reads")
    return None


def _is_of_account(path: str) -> bool:
    """Whether a path belongs to what somebody needs to set up a second factor, or to leave."""
    return path == "/account" or path.startswith("/account/") or path in ("/sign-out", "/zone", "/theme")


def _not_signed_in(request: web.Request) -> web.StreamResponse:
    key = key_of(request)
    slip = key_texts.slip(key) if key else None
    detail = f"the token is not known: {slip}" if slip else "send an API token as Authorization: Bearer"
    return problem("not-signed-in", detail, headers={"WWW-Authenticate": "Bearer"})


async def told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer, or the one that tells of what it raised."""
    try:
        return await handler(request)
    except REFUSED as error:
        name, status = next(told for kind, told in _REFUSALS.items() if isinstance(error, kind))
        return _tell(request, name, status, str(error))
    except DataError:  # PostgreSQL refuses NUL in text and numbers beyond 64 bits: only a request can hold them
        return _tell(request, "bad-request", 400, "it holds a value that no record holds: NUL, or a number too large")
    except web.HTTPRequestEntityTooLarge:
        return _tell(request, "too-large", 413, "the body is over the bound")
    except web.HTTPMethodNotAllowed as error:
        return _tell(request, "wrong-method", 405, f"allowed: {', '.join(sorted(error.allowed_methods))}")
    except web.HTTPNotFound:
        return _tell(request, "not-found", 404, "nothing is served at this address")
    except web.HTTPException as answer:
        return answer
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        if is_too_long(error):
            log.warning("%s %s: a query was ended for its length", request.method, route_of(request))
            return _tell(
                request, "overloaded", 503, "it takes the database too long: ask for less, or when it is calmer"
            )
        log.warning("%s %s: the database does not answer: %s", request.method, route_of(request), _first_line(error))
        return _tell(request, "overloaded", 503, "the database does not answer now; come back soon")
    except ConnectionResetError:
        # Who asked has gone before its body was whole: no fault of ours, and nobody to be told.
        log.info("%s %s: the sender has gone", request.method, route_of(request))
        return _tell(request, "overloaded", 503, "the request was cut off")
    except Exception:  # the one answer to a fault of ours: logged with an id, told without its insides
        request_id = REQUEST.get(None) or request_id_of(None)
        log.exception(
            "request %s failed: %s %s", request_id, request.method, route_of(request), extra={"request": request_id}
        )
        return _fault(request, request_id)


def _fault(request: web.Request, request_id: str) -> web.StreamResponse:
    if request.path.startswith("/in/"):
        # A 5xx of another kind would make a sender repeat a body for ever that we cannot take.
        return problem("overloaded", "the service failed; it was logged", headers={"Retry-After": "10"})
    return _tell(request, "fault", 500, "it was logged", request_id=request_id)


def _tell(
    request: web.Request, name: str, status: int, detail: str, request_id: str | None = None
) -> web.StreamResponse:
    if request.path.startswith(("/api/", "/in/", "/metrics", "/livez", "/readyz")):
        more: dict[str, Any] = {"request_id": request_id} if request_id else {}
        return problem(name, detail, headers=_come_back() if status == 503 else None, **more)
    # Whoever was let in keeps the pages' navigation; outside of the door nobody is known.
    viewer = viewer_for(request, who) if (who := request.get(IDENTITY)) else None
    answer = page_error(status, TITLES.get(status, "It failed"), detail, request_id, viewer=viewer)
    if status == 503:
        answer.headers.update(_come_back())
    return answer


def _come_back() -> dict[str, str]:
    return {"Retry-After": str(random.randint(2, 12))}  # noqa: S311  # jitter


def route_of(request: web.Request) -> str:
    """The template of the request's route, for the log: the path itself may hold a key."""
    try:
        resource = request.match_info.route.resource
    except AssertionError:  # it came by the shortcut, which asks no router
        return "/in/{source}"
    return resource.canonical if resource else "(no route)"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def page_error(
    status: int, title: str, detail: str, request_id: str | None = None, *, viewer: Viewer | None = None
) -> web.Response:
    """An error as a page, with the navigation where it is somebody's who is signed in."""
    text = error_page(status, title, detail, request_id, viewer)
    return web.Response(status=status, text=text, content_type="text/html")
