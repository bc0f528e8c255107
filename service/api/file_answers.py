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
    headers = _headers(name, media, hashlib.sha256(content).hexdigest()[:32])
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type=media, charset=_charset(media), headers=headers)


async def answer_stored(request: web.Request, file: BinaryIO, told: Stored) -> web.StreamResponse:
    """An open file from its beginning, as `answer_file` gives one; never the whole of it in memory."""
    headers = _headers(told.name, told.media, told.tag)
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


def _headers(name: str, media: str, tag: str) -> dict[str, str]:
    is_saved = media in _SAVED or name.endswith(INTERACTIVE)
    return {
        **HEADERS,
        "Content-Disposition": f'{"attachment" if is_saved else "inline"}; filename="{name}"',
        "ETag": f'"{tag}"',
        "Cache-Control": "private, no-cache",
    }


def _charset(media: str) -> str | None:
    is_text = media.startswith("text/") or media in ("application/json", "image/svg+xml")
    return "utf-8" if is_text else None
