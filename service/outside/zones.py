"""Warning zones by network: the United States' weather service is asked which zones hold a point."""

from __future__ import annotations

import asyncio
import json

from incidents.geography.sites import PointZones, zones_of_point
from incidents.model import Site
from service import clock
from service.outside.outbound import FetchError, Outbound
from service.settings import Settings

ADDRESS = "https://api.weather.gov"


class NoZonesError(Exception):
    """The service answered that it has none for this point."""


def path_of(site: Site) -> str:
    """The document of a site's point: at most four decimals and no trailing zero, else the service redirects."""
    return "/points/" + ",".join(
        f"{round(each, 4):f}".rstrip("0").rstrip(".") for each in (site.latitude, site.longitude)
    )


def ask(settings: Settings, site: Site, address: str = ADDRESS) -> PointZones:
    """The zones that hold a site.

    Raises FetchError where the service cannot be asked, NoZonesError where it knows none, ValueError for an answer of
    another kind.
    """
    return asyncio.run(_ask(settings, site, address))


async def _ask(settings: Settings, site: Site, address: str) -> PointZones:
    outbound = Outbound(settings)
    try:
        headers = {"Accept": "application/geo+json"}
        found = await outbound.get(address.rstrip("/") + path_of(site), headers, now=clock.now())
    finally:
        await outbound.close()
    if found.status == 404:
        raise NoZonesError(f"no zones at {site.latitude:g}, {site.longitude:g}: it knows the United States alone")
    if found.status != 200:
        raise FetchError(f"answered {found.status}")
    try:
        return zones_of_point(json.loads(found.body))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("its answer is not JSON") from None
