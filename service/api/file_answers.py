"""Files as answers: with name, entity tag and digest, those that lie on the disk piece by piece."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import BinaryIO, Protocol

from aiohttp import web

from service.files.exports import HEADERS, INTERACTIVE
from service.keys import READERS
from service.log import REQUEST
from service.shell import head

PIECE = 1 << 18
INLINE = "inline"
"""The parameter by which a file is to be looked at where it is asked for: without it, it is saved."""
_SAVED = ("application/zip", "application/vnd.openxmlformats-officedocument.wordprocessingml.document")
"""Kinds that no browser shows."""


class Stored(Protocol):
    """What is told of a file on the disk."""

    @property
    def name(self) -> str: ...
    @property
    def media(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def tag(self) -> str: ...
    @property
    def sha256(self) -> str: ...


def answer_file(request: web.Request, name: str, media: str, content: bytes) -> web.Response:
    """A file with its tag; 304 where the asker has it."""
    headers = _headers(request, name, media, hashlib.sha256(content).hexdigest()[:32])
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type=media, charset=_charset(media), headers=headers)


async def answer_stored(request: web.Request, file: BinaryIO, told: Stored) -> web.StreamResponse:
    """An open file from its beginning, as `answer_file` gives one; never the whole of it in memory."""
    headers = _headers(request, told.name, told.media, told.tag)
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(bytes.fromhex(told.sha256)).decode()}:"
    response = web.StreamResponse(headers=headers)
    response.content_type, response.charset = told.media, _charset(told.media)
    response.content_length = told.size
    head(request.path, response, REQUEST.get())
    await response.prepare(request)
    if request.method != "HEAD":
        await _send(request, response, file)
    await response.write_eof()
    return response


async def _send(request: web.Request, response: web.StreamResponse, file: BinaryIO) -> None:
    loop, readers = asyncio.get_running_loop(), request.app[READERS]
    await loop.run_in_executor(readers, file.seek, 0)
    while piece := await loop.run_in_executor(readers, file.read, PIECE):
        await response.write(piece)


def can_be_shown(name: str, media: str) -> bool:
    """Whether a browser may show a file on our own address: nothing that holds a script."""
    return media not in _SAVED and not name.endswith(INTERACTIVE)


def is_inline(request: web.Request) -> bool:
    """Whether whoever asks wants to look at a file, and not to save it."""
    return request.query.get(INLINE) == "1"


def disposition(request: web.Request, name: str, media: str) -> str:
    """Saved, so that the page with the link stays, unless it is asked to be shown and may be.

    What stands in a page by `<img>` is shown all the same.
    """
    kind = "inline" if is_inline(request) and can_be_shown(name, media) else "attachment"
    return f'{kind}; filename="{name}"'


def _headers(request: web.Request, name: str, media: str, tag: str) -> dict[str, str]:
    return {
        **HEADERS,
        "Content-Disposition": disposition(request, name, media),
        "ETag": f'"{tag}"',
        "Cache-Control": "private, no-cache",
    }


def _charset(media: str) -> str | None:
    is_text = media.startswith("text/") or media in ("application/json", "image/svg+xml")
    return "utf-8" if is_text else None
