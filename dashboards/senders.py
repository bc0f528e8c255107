"""The pages that connect a sender: choosing it, its set-up with a test, and what of it could not be read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from dashboards import words
from dashboards.paper import signed_in as _page
from incidents.views.source_view import Payload, SenderState, SourceHealth, Trial
from incidents.views.view import Viewer

REFUSED = {
    "not-signed-in": "Without a key",
    "wrong-key": "Wrong keys",
    "forbidden": "Keys of another source",
    "wrong-signature": "Wrong signatures",
}
"""Why a sender was turned away at the door, in words, by the problem's name."""
RECENT = timedelta(days=1)
"""How long a wrong signature is worth a look."""
LATELY = timedelta(days=7)
"""How long ago a sender was heard at most that is said to be received."""
_NAMED = re.compile(r'(\[\[sources\]\]\nname = )"[^"]*"')
_YAML_LINE = re.compile(r"(\s*(?:- )?)([\w.-]+:)?(.*)")


def new_source_page(
    adapters: Sequence[Mapping[str, Any]],
    viewer: Viewer,
    *,
    now: datetime,
    chosen: str = "",
    fields: Mapping[str, str] | None = None,
    q: str = "",
    error: str = "",
    schemes: Sequence[str] = (),
) -> str:
    """`adapters` are rows of `listing()`, `chosen` was picked, `fields` are those of an attempt that `error` ended.

    `schemes` are the ways to sign that any source may choose.
    """
    wanted = [row for row in adapters if _is_found(row, q)]
    by_title = sorted(wanted, key=lambda row: str(row["title"]).casefold())
    groups = [
        ("Senders", "they post to us", [row for row in by_title if row["kind"] == "webhook"]),
        ("Feeds", "we fetch them", [row for row in by_title if row["kind"] == "feed"]),
    ]
    return _page(
        "new_source.html",
        viewer,
        now,
        count=len(adapters),
        groups=[group for group in groups if group[2]],
        chosen=next((row for row in adapters if row["name"] == chosen), None),
        fields={"name": chosen.replace("_", "-"), **(fields or {})},
        q=q,
        error=error,
        schemes=schemes,
        search_words=_search_words,
        told=_told,
    )


def _told(adapter: Mapping[str, Any]) -> str:
    """What is worth telling of a format beside its title: other formats that it reads, and a signature."""
    title = str(adapter["title"]).casefold()
    others = [name for name in adapter["reads"] if name.replace("-", " ") not in title]
    reads = f"reads {', '.join(others)}" if others and len(adapter["reads"]) > 1 else ""
    signs = "" if adapter["kind"] == "feed" or adapter["verifies"] == "bearer key" else "checks signatures"
    return "; ".join(part for part in (reads, signs) if part)


def troubles(source: SourceHealth, now: datetime) -> list[str]:
    """Why somebody should look at a source, in words; nothing where it is as it should be."""
    found = []
    feed = source.feed
    if feed and feed.stale_since:
        found.append("does not answer")
    elif feed and not feed.answered_at and feed.asked_at:
        found.append("has not answered yet")
    elif source.kind == "webhook" and source.last_received_at is None:
        found.append("has sent nothing yet")
    if source.gaps and not (feed and feed.stale_since):
        found.append("was silent")
    if source.quarantined:
        found.append("sent what cannot be read")
    if source.wrong_signature_at and now - source.wrong_signature_at < RECENT:
        found.append("signs wrongly")
    return found


def _search_words(adapter: Mapping[str, Any]) -> str:
    return " ".join((str(adapter["title"]), str(adapter["name"]), *adapter["reads"])).casefold()


def _is_found(adapter: Mapping[str, Any], q: str) -> bool:
    return all(word in _search_words(adapter) for word in q.casefold().split())


def source_page(
    source: SourceHealth,
    setup: Mapping[str, Any] | None,
    state: SenderState,
    viewer: Viewer,
    public_url: str,
    *,
    now: datetime | None = None,
    title: str | None = None,
    key: str | None = None,
    verifies: str | None = None,
    secrets: int = 0,
    trial: Trial | None = None,
    has_sample: bool = False,
) -> str:
    """`setup` is the adapter's own. `key` was made a moment ago: this page is the one time that it is shown.

    `verifies` says by what signature its deliveries may prove who sent them, and `secrets` how many are kept for that.
    """
    answered_at = source.feed.answered_at if source.feed else None
    heard_at = max((at for at in (source.last_received_at, answered_at) if at), default=None)
    address = f"{public_url.rstrip('/')}/in/{source.name}"
    shown = key or "KEY"
    snippets = [
        {
            "title": part["title"],
            "note": _filled(part.get("note") or "", address, shown),
            "language": part.get("language", ""),
            "text": _NAMED.sub(rf'\1"{source.name}"', _filled(part["text"], address, shown)),
        }
        for part in (setup or {}).get("snippets", ())
    ]
    return _page(
        "source.html",
        viewer,
        now,
        now=now,
        source=source,
        title=title or source.adapter,
        key=key,
        address=address,
        path=f"/in/{source.name}",
        snippets=snippets,
        is_choice=len(snippets) > 1 and bool((setup or {}).get("one_of")),
        facts=list((setup or {}).get("facts", ())),
        state=state,
        refused=REFUSED,
        verifies=verifies,
        secrets=secrets,
        trial=trial,
        has_sample=has_sample,
        waiting=heard_at is None,
        heard_at=heard_at,
        receiving=_is_receiving(source, heard_at, now, may=bool(source.keys or key or secrets)),
        tested=source.last_received_at is None and bool(source.deliveries or source.unread),
        test=f"curl -i -H 'Authorization: Bearer {shown}' \\\n  --data-binary @body.json {address}",
        yaml_parts=yaml_parts,
    )


def _is_receiving(source: SourceHealth, heard_at: datetime | None, now: datetime | None, *, may: bool) -> bool:
    """Whether it is heard of these days: lately, and, where it posts to us, with a key or a secret that is live."""
    if heard_at is None or (source.feed and source.feed.stale_since) or (source.kind == "webhook" and not may):
        return False
    return now is None or now - heard_at <= LATELY


def _filled(text: str, address: str, key: str) -> str:
    return text.replace("{url}", address).replace("{key}", key).rstrip()


def deliveries_page(
    payloads: Sequence[Payload],
    viewer: Viewer,
    *,
    now: datetime,
    source: str = "",
    total: int = 0,
    next_cursor: str | None = None,
) -> str:
    """Quarantined deliveries with what they hold, of one source or of all."""
    return _page("deliveries.html", viewer, now, payloads=payloads, source=source, total=total, next_cursor=next_cursor)


def delivery_page(
    delivery: Mapping[str, Any],
    said: Sequence[Mapping[str, Any]],
    headers: Mapping[str, str],
    payload: tuple[str, bool] | None,
    viewer: Viewer,
    *,
    now: datetime,
    whole: bool = False,
) -> str:
    """`delivery` has the API's fields with `received_at` as a datetime; `payload` is text without secrets, and if cut.

    None is a payload that speaks of what is hidden from who looks. `whole` says that no more of it is shown anywhere.
    """
    return _page(
        "delivery.html",
        viewer,
        now,
        delivery=delivery,
        said=[words.clean(orjson.dumps(one, option=orjson.OPT_INDENT_2).decode()) for one in said],
        headers=sorted(headers.items()),
        body=words.clean(payload[0]) if payload else None,
        cut=payload is not None and payload[1],
        whole=whole,
    )


def yaml_parts(text: str) -> list[tuple[str, str, str]]:
    """Each line as indent, key and the rest, for colouring; a line without a key is all rest."""
    found = (_YAML_LINE.fullmatch(line) for line in text.splitlines())
    return [(parts[1], parts[2] or "", parts[3]) for parts in found if parts]
