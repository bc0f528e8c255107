"""Scope: which sites the documents of a feed would tell of, by what its adapter asks for each of them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

from incidents.adapters import adapters
from incidents.feeds.polls import request_id
from incidents.model import Site, Source

log = logging.getLogger(__name__)


def is_feed(source: Source) -> bool:
    """Whether its adapter asks, so that nobody need send."""
    adapter = adapters().get(source.adapter)
    return adapter is not None and adapter.requests is not None


def tells_of(source: Source, site: Site) -> bool:
    """Whether a feed would be asked anything for a site: one of Germany's warnings tells nothing of Sacramento."""
    return bool(requests_for(source, site))


def requests_for(source: Source, site: Site) -> frozenset[str]:
    """The ids of what a feed would be asked for this site alone."""
    adapter = adapters()[source.adapter]
    assert adapter.requests is not None
    try:
        return frozenset(request_id(request) for request in adapter.requests(source, [site]))
    except Exception:  # an adapter's fault must not pass for a feed that has nothing to tell
        log.exception("adapter %s cannot say what to ask for %s", adapter.name, source.name)
        return frozenset({""})


def sites_by_request(
    source: Source, sites: Sequence[Site], known: Collection[str]
) -> Mapping[str, frozenset[str] | None]:
    """For each known request the names of the sites that it concerns; None where it concerns them all.

    What is asked for several sites in one address is none of what each would be asked alone: it concerns them all.
    """
    wanted = {site.name: requests_for(source, site) for site in sites} if is_feed(source) else {}
    own = {name for name, requests in wanted.items() if requests and not requests.isdisjoint(known)}
    found: dict[str, frozenset[str] | None] = {}
    for request in known:
        told = {name for name, requests in wanted.items() if requests and (name not in own or request in requests)}
        found[request] = None if len(told) == len(wanted) else frozenset(told)
    return found
