"""Outbound requests: the one client for everything the service fetches from elsewhere.

Each address is checked where the socket is made, so that neither a name, a literal address nor a redirect leads into
the operator's own network. One fetch ends within `TOTAL_SECONDS` and never holds more than `MOST_BYTES`.
"""

from __future__ import annotations

import asyncio
import email.utils
import ipaddress
import socket
import zlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from service.settings import Settings

TOTAL_SECONDS = 10.0
"""How long a fetch may take in all: names, redirects and a body that drips."""
MOST_BYTES = 5 * 1024 * 1024
"""Most bytes of a body, on the wire and inflated."""
MOST_MEMBERS = 1000
"""Most members of one compressed body: a body of nothing but empty ones would cost much time."""
BEGINNING, BEGINNING_SECONDS = 2048, 1.0
"""How much of the answer to a post is read, and for how long."""
REDIRECTS = 3
AT_ONCE = 8
"""Requests of one process that may be under way together, each to another host."""
LATEST_RETRY = timedelta(days=1)
"""A server that asks for a longer pause than this is asked again after it all the same."""
_MOVED = (301, 302, 303, 307, 308)
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_OWN_NAMES = (".localhost", ".localdomain", ".internal", ".local")
"""Ends of names that only a network of somebody's own knows."""
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20", "fec0::/10")
)
"""What `is_global` of some Python versions lets pass: protocols, relays, translation, examples, old local addresses."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class FetchError(Exception):
    """A fetch that brought nothing; the message says why, without the address that was asked."""


class ForbiddenAddressError(OSError):
    """A socket was about to be opened to an address that outbound requests may not reach."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server answered. `body` is inflated; `status` is any, 304 among them."""

    status: int
    body: bytes
    content_type: str = ""
    etag: str | None = None
    last_modified: str | None = None
    retry_after: timedelta | None = None


class Outbound:
    """The client. To be made, used and closed on one event loop."""

    def __init__(self, settings: Settings, *, total_seconds: float = TOTAL_SECONDS) -> None:
        self._networks = tuple(ipaddress.ip_network(text) for text in settings.allow_private_networks)
        self._total = total_seconds
        self._names = _Names()
        self._proxy = settings.outbound_proxy or None
        contact = settings.contact or settings.public_url
        self._session = aiohttp.ClientSession(
            # A connection is made anew for every fetch, so that every fetch is checked.
            connector=aiohttp.TCPConnector(
                resolver=self._names, socket_factory=self._socket, force_close=True, use_dns_cache=False
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None),
            headers={
                "User-Agent": f"Barograph/{version('barograph')}" + (f" (+{contact})" if contact else ""),
                "Accept-Encoding": "gzip, deflate",
                "Accept": "*/*",
            },
        )

    async def close(self) -> None:
        """Give back every socket and thread."""
        await self._session.close()
        await self._names.close()

    async def get(self, url: str, headers: Mapping[str, str] | None = None, *, now: datetime) -> Fetched:
        """Ask for a document. Raises FetchError, and nothing else, for everything that brings no answer."""
        try:
            async with asyncio.timeout(self._total):
                return await self._follow(parsed(url), dict(headers or {}), now)
        except FetchError:
            raise
        except TimeoutError:
            raise FetchError(f"no whole answer within {self._total:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError(_words(error)) from None

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, now: datetime, whole: bool = False
    ) -> Fetched:
        """Post a body; the answer with the beginning of its body, whatever its status. Raises FetchError as `get` does.

        `whole` reads all of it, within the bounds of `get`, and takes an answer that is cut off for none.

        A redirect is an answer, not followed: what was signed for one address is for nobody else.
        """
        try:
            async with asyncio.timeout(self._total):
                address = parsed(url)
                self._refuse_literal(address)
                async with self._session.post(
                    address, data=body, headers=headers, allow_redirects=False, proxy=self._proxy
                ) as response:
                    if whole:
                        return await _read(response, now)
                    said = await _beginning(response)
                    return Fetched(response.status, said, retry_after=retry_after(response.headers, now))
        except FetchError:
            raise
        except TimeoutError:
            raise FetchError(f"no answer within {self._total:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchError(_words(error)) from None

    async def _follow(self, url: URL, headers: dict[str, str], now: datetime) -> Fetched:
        for _ in range(REDIRECTS + 1):
            self._refuse_literal(url)
            async with self._session.get(url, headers=headers, allow_redirects=False, proxy=self._proxy) as response:
                place = response.headers.get("Location")
                if response.status not in _MOVED or not place:
                    return await _read(response, now)
            following = parsed(place, url)
            if leaves_security(url, following):
                raise FetchError("redirected from https to http")
            if following.origin() != url.origin():
                # What a header of ours says is meant for the one who was asked, not for whom he names.
                headers = {}
            url = following
        raise FetchError(f"redirected more than {REDIRECTS} times")

    def _socket(self, where: tuple[Any, ...]) -> socket.socket:
        """A socket to an address that may be reached: every connection is made here, whatever it was named by."""
        family, kind, protocol, _, address = where
        self._check(ipaddress.ip_address(str(address[0]).partition("%")[0]))
        return socket.socket(family=family, type=kind, proto=protocol)

    def _refuse_literal(self, url: URL) -> None:
        """Check an address that is written out: behind a proxy no socket of ours is made to it."""
        host = (url.raw_host or "").rstrip(".").lower()
        address = _written_out(host, loosely=self._proxy is not None)
        if address is not None:
            self._check(address)
        elif self._proxy and ("." not in host or host.endswith(_OWN_NAMES)):
            raise ForbiddenAddressError(f"the address {host} is inside a network that is not allowed")

    def _check(self, address: Address) -> None:
        if not may_reach(address, self._networks):
            raise ForbiddenAddressError(f"the address {address} is inside a network that is not allowed")


def _written_out(host: str, *, loosely: bool) -> Address | None:
    """The address that a host is, if it is no name; `loosely`: in the forms too that only a resolver understands."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host)) if loosely else None
    except OSError:
        return None


def may_reach(address: Address, allowed: Iterable[Network]) -> bool:
    """Whether an outbound request may go there: the public internet, and what the operator lists."""
    faces = list(_faces(address))
    if any(face in network for face in faces for network in allowed if face.version == network.version):
        return True
    return all(_is_public(face) for face in faces)


def _faces(address: Address) -> Iterable[Address]:
    """The address and the IPv4 addresses that are written into it: mapped, 6to4, Teredo, NAT64."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _TRANSLATED:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        yield from (face for face in inner if face is not None)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped is not None or address in _TRANSLATED):
        return True  # judged by what is written into it; Python calls the form itself private or reserved
    if any(address in network for network in _NOT_PUBLIC if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def leaves_security(here: URL, there: URL) -> bool:
    """Whether a redirect leads from https to http."""
    return here.scheme == "https" and there.scheme != "https"


def parsed(text: str, base: URL | None = None) -> URL:
    """An address, or where a redirect from `base` leads. Raises FetchError for one that is not to be followed."""
    try:
        url = URL(text)
        url = base.join(url) if base is not None else url
    except ValueError:
        raise FetchError("the address cannot be used" if base is None else "redirected to no address") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise FetchError(f"{'the address' if base is None else 'the redirect'} is neither http nor https")
    if url.user is not None or url.password is not None:
        raise FetchError("the address holds a name or a password")
    return url


async def _read(response: aiohttp.ClientResponse, now: datetime) -> Fetched:
    headers = response.headers
    body = b"" if response.status == 304 else await _body(response)
    return Fetched(
        response.status,
        body,
        _short(headers.get("Content-Type")) or "",
        _short(headers.get("ETag")),
        _short(headers.get("Last-Modified")),
        retry_after(headers, now),
    )


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of an answer as they come; its status has said all that counts, so nothing here is an error."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return b""
    try:
        async with asyncio.timeout(BEGINNING_SECONDS):
            return await response.content.read(BEGINNING)
    except (TimeoutError, aiohttp.ClientError, OSError):
        return b""


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, inflated as it comes: a bomb is refused when it has grown too large, not when it has burst."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise FetchError("the answer's content encoding is not known here")
    inflating = None if encoding in ("", "identity") else _Inflating()
    body, wire = bytearray(), 0
    async for part in response.content.iter_any():
        wire += len(part)
        try:
            whole = inflating.append(part, body) if inflating else True
        except zlib.error:
            raise FetchError(f"the answer is not {encoding} as it says") from None
        if not inflating:
            body += part
        if len(body) > MOST_BYTES or wire > MOST_BYTES or not whole:
            raise FetchError(f"the answer is larger than {MOST_BYTES // 1024 // 1024} MiB")
    if inflating and not inflating.ended and wire:
        raise FetchError("the answer is cut off")
    return bytes(body)


class _Inflating:
    """Inflates gzip or zlib, by its header, as it comes: one member after the other, as both allow."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=47)
        self._members = 1

    @property
    def ended(self) -> bool:
        """Whether the last member that began is whole."""
        return self._member.eof

    def append(self, part: bytes, body: bytearray) -> bool:
        """Append what a part inflates to; False where that is more than a body may hold."""
        while part:
            if self._member.eof:
                part = part.lstrip(b"\0")  # padding
                if not part:
                    break
                self._member = zlib.decompressobj(wbits=47)
                self._members += 1
                if self._members > MOST_MEMBERS:
                    raise FetchError(f"the answer is in more than {MOST_MEMBERS} pieces")
            body += self._member.decompress(part, MOST_BYTES + 1 - len(body))
            if len(body) > MOST_BYTES or self._member.unconsumed_tail:
                return False
            part = self._member.unused_data
        return True


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The pause that a server asks for, in seconds or as a date; None where it asks for none."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return min(timedelta(seconds=int(text[:9])), LATEST_RETRY)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max(at - now, timedelta()), LATEST_RETRY)


def _short(text: str | None) -> str | None:
    """A header's value, if it is one that can be kept and sent back."""
    return text if text and len(text) <= 500 and text.isascii() and text.isprintable() else None


def _words(error: Exception) -> str:
    """What went wrong, in words of ours: a library's would hold the address, and with it perhaps the key."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ForbiddenAddressError):
            return str(inner)
        inner = getattr(inner, "os_error", None) or inner.__cause__
    for kind, words in _SAID:
        if isinstance(error, kind):
            return words
    return f"the fetch failed: {type(error).__name__}"


_SAID: Sequence[tuple[type[Exception], str]] = (
    (aiohttp.ClientConnectorDNSError, "the host's name is not known"),
    (aiohttp.ClientSSLError, "no secure connection: the certificate or the handshake failed"),
    (aiohttp.ClientProxyConnectionError, "the proxy does not answer"),
    (aiohttp.ClientConnectorError, "the connection was refused or the host cannot be reached"),
    (aiohttp.ServerDisconnectedError, "the connection was closed before the answer"),
    (aiohttp.ClientPayloadError, "the answer is cut off"),
    (aiohttp.ClientOSError, "the connection broke"),
    (aiohttp.ClientResponseError, "the answer is no HTTP"),
    (aiohttp.InvalidURL, "the address cannot be used"),
)


class _Names(AbstractResolver):
    """Looks names up on threads of its own: one that nobody answers must not hold those of the rest of us."""

    def __init__(self) -> None:
        # A look-up outlives the fetch that gave it up: the system may wait three times as long.
        self._threads = ThreadPoolExecutor(3 * AT_ONCE, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        def look_up() -> list[Any]:
            return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)

        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host, host=str(where[0]), port=int(where[1]), family=kind, proto=protocol, flags=_NUMERIC
            )
            for kind, _, protocol, _, where in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
