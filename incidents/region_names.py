"""Provider regions in one spelling: `provider:code`, the code as the provider's own API writes it.

`aws:us-west-1`, `gcp:europe-west2` (a zone: `gcp:europe-west2-a`), `azure:eastus2`, `oci:uk-london-1`,
`cloudflare:LHR`: as sites declare their `provider_regions`. Status pages that write display names ("East US 2", "UK
South (London)") are translated here; a name that is not in a table is no region, never a guess. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from incidents.model import Area

# Names of regions as Azure's and Oracle's documentation lists them (January 2026). Azure's code is its name, joined.
_AZURE_CODES: Final = """
    eastus eastus2 westus westus2 westus3 centralus northcentralus southcentralus westcentralus canadacentral canadaeast
    mexicocentral chilecentral brazilsouth brazilsoutheast northeurope westeurope uksouth ukwest francecentral
    francesouth germanywestcentral germanynorth switzerlandnorth switzerlandwest norwayeast norwaywest swedencentral
    swedensouth polandcentral italynorth spaincentral austriaeast belgiumcentral denmarkeast eastasia southeastasia
    japaneast japanwest australiaeast australiasoutheast australiacentral australiacentral2 centralindia southindia
    westindia jioindiawest jioindiacentral koreacentral koreasouth taiwannorth newzealandnorth indonesiacentral
    malaysiawest uaenorth uaecentral qatarcentral israelcentral southafricanorth southafricawest usgovvirginia
    usgovarizona usgovtexas usgoviowa usdodcentral usdodeast chinanorth chinanorth2 chinanorth3 chinaeast chinaeast2
    chinaeast3
"""
_AZURE: Final = frozenset(_AZURE_CODES.split())
_OCI: Final = {
    "us east (ashburn)": "us-ashburn-1",
    "us west (phoenix)": "us-phoenix-1",
    "us west (san jose)": "us-sanjose-1",
    "us midwest (chicago)": "us-chicago-1",
    "canada southeast (toronto)": "ca-toronto-1",
    "canada southeast (montreal)": "ca-montreal-1",
    "mexico central (queretaro)": "mx-queretaro-1",
    "mexico northeast (monterrey)": "mx-monterrey-1",
    "brazil east (sao paulo)": "sa-saopaulo-1",
    "brazil southeast (vinhedo)": "sa-vinhedo-1",
    "chile central (santiago)": "sa-santiago-1",
    "chile west (valparaiso)": "sa-valparaiso-1",
    "colombia central (bogota)": "sa-bogota-1",
    "germany central (frankfurt)": "eu-frankfurt-1",
    "netherlands northwest (amsterdam)": "eu-amsterdam-1",
    "switzerland north (zurich)": "eu-zurich-1",
    "france central (paris)": "eu-paris-1",
    "france south (marseille)": "eu-marseille-1",
    "italy northwest (milan)": "eu-milan-1",
    "italy north (turin)": "eu-turin-1",
    "sweden central (stockholm)": "eu-stockholm-1",
    "spain central (madrid)": "eu-madrid-1",
    "spain central (madrid 3)": "eu-madrid-3",
    "serbia central (jovanovac)": "eu-jovanovac-1",
    "uk south (london)": "uk-london-1",
    "uk west (newport)": "uk-cardiff-1",
    "uae east (dubai)": "me-dubai-1",
    "uae central (abu dhabi)": "me-abudhabi-1",
    "saudi arabia central (riyadh)": "me-riyadh-1",
    "saudi arabia west (jeddah)": "me-jeddah-1",
    "israel central (jerusalem)": "il-jerusalem-1",
    "south africa central (johannesburg)": "af-johannesburg-1",
    "japan east (tokyo)": "ap-tokyo-1",
    "japan central (osaka)": "ap-osaka-1",
    "south korea central (seoul)": "ap-seoul-1",
    "south korea north (chuncheon)": "ap-chuncheon-1",
    "india west (mumbai)": "ap-mumbai-1",
    "india south (hyderabad)": "ap-hyderabad-1",
    "singapore": "ap-singapore-1",
    "singapore (singapore)": "ap-singapore-1",
    "singapore west (singapore)": "ap-singapore-2",
    "singapore west": "ap-singapore-2",
    "indonesia north (batam)": "ap-batam-1",
    "australia east (sydney)": "ap-sydney-1",
    "australia southeast (melbourne)": "ap-melbourne-1",
}
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
    code = name.replace(" ", "").casefold()
    return f"azure:{code}" if code in _AZURE else None


def oci(name: str) -> str | None:
    """`oci:uk-london-1` for "UK South (London)" or the code itself; None for "Multiple Regions" and unknown names."""
    said = " ".join(name.split()).casefold()
    code = said if said in _OCI.values() else _OCI.get(said)
    return f"oci:{code}" if code else None


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


def area(regions: Iterable[str | None]) -> Area | None:
    """An area of these regions, each once and in order; None where there are none."""
    named = tuple(dict.fromkeys(region for region in regions if region))
    return Area(regions=named[:500]) if named else None
