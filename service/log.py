"""The log: lines for people or for machines, none of which holds a secret or an unescaped word of a stranger."""

from __future__ import annotations

import logging
import re
import secrets
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson
from aiohttp.http_exceptions import HttpProcessingError

from incidents import instants
from incidents.redaction import redact

REQUEST: ContextVar[str] = ContextVar("request")
"""The id of the request that is being answered; every line that is logged meanwhile bears it."""
_GIVEN = re.compile(r"[A-Za-z0-9._:/=+-]{1,64}")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def request_id_of(given: str | None) -> str:
    """The id that a request bears: its own word for itself where that is short and plain, else a new one."""
    return given if given and _GIVEN.fullmatch(given) else secrets.token_hex(8)


class JsonLines(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `text`, and where there are such `request`, `error`, `trace`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": instants.text(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": redact(record.getMessage()),
        }
        if request := REQUEST.get(None):
            line["request"] = request
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = redact("".join(traceback.format_exception(*record.exc_info)).rstrip())
        # What no UTF-8 can say, a lone surrogate of a broken payload, must not cost the line.
        return orjson.dumps({k: v.encode("utf-8", "replace").decode() for k, v in line.items()}).decode()


class TextLines(logging.Formatter):
    """Lines for people. What an error says may hold a stranger's words, so no line keeps a secret or an escape."""

    def format(self, record: logging.LogRecord) -> str:
        text = redact(super().format(record))
        request = REQUEST.get(None)
        return _UNPRINTABLE.sub("\ufffd", f"{text} [{request}]" if request else text)


class NotHttp(logging.Filter):
    """Tells of bytes that are no HTTP in one line, without them: what was refused may hold a key."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.args, record.exc_info = "turned away what is no HTTP: %s", (type(error).__name__,), None
        return True


def set_up_log(form: str) -> None:
    """Log to stderr, as text or as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonLines() if form == "json" else TextLines("%(asctime)s %(levelname)-7s %(name)s  %(message)s")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in ("alembic", "apscheduler"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(NotHttp())
