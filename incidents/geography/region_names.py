"""Provider regions in one spelling: `provider:code`, the code as the provider's own API writes it.

`aws:us-west-1`, `gcp:europe-west2` (a zone: `gcp:europe-west2-a`), `azure:eastus2`, `oci:uk-london-1`,
`cloudflare:LHR`: as sites declare their `provider_regions`. Status pages that write display names ("East US 2", "UK
South (London)") are translated by the catalogue of regions; a name that it does not know is no region, never a guess.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from incidents.geography import regions
from incidents.model import Area

_CODE: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
_WAY: Final = r"(?:north|south|east|west|central|northeast|northwest|southeast|southwest)"
_AWS_CODE: Final = re.compile(rf"(?:us|eu|ap|sa|ca|me|af|il|mx|cn)(?:-gov)?-{_WAY}-\d", re.ASCII | re.IGNORECASE)
_GCP_CODE: Final = re.compile(
    rf"(?:us|europe|asia|australia|africa|me|northamerica|southamerica)-{_WAY}\d{{1,2}}(?:-[a-f])?",
    re.ASCII | re.IGNORECASE,
)
_OF_AWS: Final = re.compile(r"\b(?:aws|amazon)\b", re.IGNORECASE)
_OF_GCP: Final = re.compile(r"\b(?:gcp|google)\b", re.IGNORECASE)
_COLO: Final = re.compile(r"\(([A-Z]{3})\)\s*$")


def spelt(provider: str, code: object) -> str | None:
    """`provider:code` for a code of letters, digits and hyphens (in lower case), else None."""
    said = code.strip().lower() if isinstance(code, str) and len(code) <= 60 else ""
    return f"{provider}:{said}" if _CODE.fullmatch(said) else None


def azure(name: str) -> str | None:
    """`azure:eastus2` for "East US 2" or the code itself; None for a service, "Public Non-Regional" and the like."""
    return _of_catalogue("azure", name)


def oci(name: str) -> str | None:
    """`oci:uk-london-1` for "UK South (London)" or the code itself; None for "Multiple Regions" and unknown names."""
    return _of_catalogue("oci", name)


def _of_catalogue(provider: str, name: str) -> str | None:
    """The one region that a display name means by the catalogue; None where it means none or several."""
    found = regions.resolve(f"{provider}:{name}") if name else None
    return found.region if isinstance(found, regions.Place) else None


def of_component(name: str, page: str) -> tuple[str, ...]:
    """Regions that a status page's component names: a point of presence by its airport code, or another's region.

    "London, United Kingdom - (LHR)" on Cloudflare's page is `cloudflare:LHR`; "AWS ec2-us-east-1" on anybody's page is
    `aws:us-east-1`, for it says on whom they depend. A bare code without its provider's name is not read.
    """
    found = [f"aws:{code.lower()}" for code in _AWS_CODE.findall(name)] if _OF_AWS.search(name) else []
    found += [f"gcp:{code.lower()}" for code in _GCP_CODE.findall(name)] if _OF_GCP.search(name) else []
    colo = _COLO.search(name)
    if colo and page.casefold().startswith("cloudflare"):
        found.append(f"cloudflare:{colo[1]}")
    return tuple(dict.fromkeys(found))


def area(names: Iterable[str | None]) -> Area | None:
    """An area of these regions, each once and in order; None where there are none."""
    named = tuple(dict.fromkeys(name for name in names if name))
    return Area(regions=named[:500]) if named else None
