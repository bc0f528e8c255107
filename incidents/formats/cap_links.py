"""Where the entries of an Atom or RSS index of CAP alerts lead, of those that only point to their alert."""

from __future__ import annotations

from urllib.parse import urldefrag, urljoin, urlsplit
from xml.etree.ElementTree import Element

from incidents.formats import cap, xml_documents
from incidents.model import Delivery, UnrecognisedError

MOST = 2_000
"""Links of one index; no country has as many alerts in force."""
LONGEST = 2_000
_PAGES = (".html", ".htm", ".php", ".aspx")


def links_of(delivery: Delivery) -> list[str]:
    """The addresses of alerts that an index points to, on the host that the index was asked at, each once.

    What came by hand has no address, so nothing is followed from it; nor from what was itself followed.
    Raises UnrecognisedError for what is neither an index nor holds an alert.
    """
    asked_at = delivery.headers.get("request-url", "")
    if not asked_at or "request-linked-from" in delivery.headers:
        return []
    if len(delivery.body) > cap.LARGEST:
        raise UnrecognisedError("too large for an index")
    root = xml_documents.parse(delivery.body)
    if xml_documents.every(root, "alert"):
        return []
    if xml_documents.local(root) not in {"feed", "rss", "RDF"}:
        raise UnrecognisedError(f"no index, but <{xml_documents.local(root)[:40]}>")
    entries = (entry for entry in cap.entries_of(root) if not cap.speaks(cap.of_entry(entry)))
    found = (_resolved(link, asked_at) for entry in entries if (link := _link(entry)))
    return list(dict.fromkeys(link for link in found if link))[:MOST]


def _link(entry: Element) -> str | None:
    """What an entry points to: a link that says it is CAP, else its first that is no page for people."""
    links = [
        ((one.get("href") or one.get("url") or one.text or "").strip(), (one.get("type") or "").lower())
        for name in ("link", "enclosure")
        for one in xml_documents.children(entry, name)
        if one.get("rel", "alternate") in {"alternate", "enclosure", "related"}
    ]
    said = [address for address, kind in links if "cap+xml" in kind]
    others = [address for address, kind in links if "html" not in kind and not _is_page(address)]
    return next(iter(said + others), None)


def _is_page(address: str) -> bool:
    return address[:LONGEST].lower().partition("?")[0].partition("#")[0].endswith(_PAGES)


def _resolved(link: str, asked_at: str) -> str | None:
    """The whole address, where it is one of the host that was asked."""
    if len(link) > LONGEST:
        return None
    try:
        address = urldefrag(urljoin(asked_at, link)).url
        there, here = urlsplit(address), urlsplit(asked_at)
        same = (there.scheme, there.hostname, there.port) == (here.scheme, here.hostname, here.port)
    except ValueError:
        return None
    own = there.username is None and there.password is None and "{" not in address
    return address if same and own and address != asked_at else None
