"""Addresses of who asks: the other end of the connection, or what a proxy of ours says it was asked by. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LONGEST = 2000
"""Characters of a header that are looked at."""


@lru_cache(maxsize=16)
def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks that were written so."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def is_within(text: str | None, within: Sequence[Network]) -> bool:
    """Whether an address is of one of these networks."""
    address = _address(text or "")
    return address is not None and any(address in one for one in within if one.version == address.version)


def client(peer: str | None, forwarded_for: str, proxies: Sequence[Network]) -> str | None:
    """Who asks, where `peer` is the other end of the connection and X-Forwarded-For says this.

    Read from the right: each proxy of ours adds who asked it, and what stands left of the first stranger is that
    stranger's own word.
    """
    found = peer
    for text in reversed(forwarded_for[-LONGEST:].split(",")):
        if not is_within(found, proxies):
            break
        if (address := _address(text)) is None:
            break
        found = str(address)
    return found


def grouped(text: str | None) -> str:
    """The address under which guesses and requests are counted: an IPv6 network of 64 bits is one customer."""
    address = _address(text or "")
    if address is None:
        return "none"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address as headers write it, mapped IPv4 as IPv4, without port and zone; None for anything else."""
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
